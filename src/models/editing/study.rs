//! Tables 1 and 2 of ANIMEGAN on any labelled pictures: all models trained alike and judged alike (specs/faces.md C.5).

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use candle_core::Device;

use super::figures::wished;
use super::{EditReport, Editing, Protocol};
use crate::Result;
use crate::data::batch::Images;
use crate::data::dataset::Dataset;
use crate::data::tags::Labels;
use crate::metrics::evaluate::{self, Evaluation, Metric, Results};
use crate::metrics::pictures::ssim::Ssim;
use crate::metrics::score::mean_and_deviation;
use crate::models::animegan::{Adversarial, Adversaries, Animegan, EditorConfig, ObjectiveConfig, OfAnimegan};
use crate::models::baselines::attgan::{Attgan, OfAttgan};
use crate::models::baselines::stgan::{OfStgan, Stgan};
use crate::models::baselines::{fadernet, icgan, stargan};
use crate::models::model::Model;
use crate::models::study::{Course, Length};
use crate::rng::Seed;
use crate::show::grid::Grid;
use crate::show::table::{Best, Table};

/// What table 1 prints: adversarial loss, PSNR of three trainings of 2,000 iterations, and the weight of the gradient penalty
/// that STGAN's code gives that loss.
const TABLE1: [(&str, Adversarial, [f64; 3], f64); 3] = [
    ("vanilla", Adversarial::Vanilla, [26.72, 26.23, 25.94], 0.0),
    ("LSGAN", Adversarial::LeastSquares, [22.49, 23.41, 22.86], 0.0),
    ("WGAN-GP", Adversarial::Wasserstein, [27.88, 27.35, 27.10], 10.0),
];
/// Iterations of table 1.
const ITERATIONS: u64 = 2_000;

/// What table 2 prints: model, PSNR, SSIM.
const TABLE2: [(&str, f64, f64); 6] = [
    ("IcGAN", 15.28, 0.430),
    ("FaderNet", 30.62, 0.908),
    ("AttGAN", 24.07, 0.841),
    ("StarGAN", 22.80, 0.819),
    ("STGAN", 31.67, 0.948),
    ("ANIMEGAN", 28.18, 0.88),
];
/// What has to stand below the printed numbers.
const COPIED: &str = "printed: the five baselines' numbers are STGAN's, of CelebA's photographs, copied into ANIMEGAN's table 2; only \
                      ANIMEGAN's own row is of anime faces";

/// Editors that are trained and judged alike, by one call: a table of the paper. What is judged is what they make of pictures
/// that are to stay as they are.
#[derive(Clone, Debug)]
#[must_use = "settings train nothing; end with .run(..) or .train(..)"]
pub struct Study {
    rows: Rows,
    tiny: bool,
    course: Course,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Rows {
    /// Adversarial losses, each trained so often.
    Losses(usize),
    Models,
}

impl Study {
    /// Table 1: ANIMEGAN with three adversarial losses, each trained three times for 2,000 iterations.
    pub fn table1() -> Study {
        Study { rows: Rows::Losses(3), tiny: false, course: Course::default() }.length(Length::Steps(ITERATIONS))
    }

    /// Table 2: all six models, of their papers' sizes, over their whole schedules.
    pub fn table2() -> Study {
        Study { rows: Rows::Models, tiny: false, course: Course::default() }
    }

    /// Each model at 64 px with its `tiny` preset's sizes, trained for so long.
    pub fn tiny(self, length: Length) -> Study {
        Study { tiny: true, ..self }.length(length)
    }

    /// Another length of the trainings.
    pub fn length(mut self, length: Length) -> Study {
        self.course.length = length;
        self
    }

    /// Trains each loss of table 1 so often, once at least; table 2 stays as it is.
    pub fn repetitions(self, times: usize) -> Study {
        let rows = if self.rows == Rows::Models { Rows::Models } else { Rows::Losses(times.max(1)) };
        Study { rows, ..self }
    }

    /// Another seed of weights, order and changes.
    pub fn seed(mut self, seed: Seed) -> Study {
        self.course.seed = seed;
        self
    }

    /// Trains all on these pictures, in folders of their own below `out`; runs that were begun go on.
    ///
    /// # Errors
    /// When the data have no labels, or a training diverges.
    pub fn train(&self, train: &Dataset, out: impl AsRef<Path>, device: &Device) -> Result<Editors> {
        let work = Work { course: self.course.clone(), train, out: out.as_ref(), device };
        match self.rows {
            Rows::Losses(times) => self.losses(times, &work),
            Rows::Models => self.models(&work),
        }
    }

    fn losses(&self, times: usize, work: &Work) -> Result<Editors> {
        let mut all = Vec::new();
        let config = if self.tiny { Animegan::tiny() } else { Animegan::paper() };
        for (name, adversarial, _, penalty) in TABLE1 {
            for time in 1..=times {
                let objective = ObjectiveConfig { adversarial, penalty, ..config.objective };
                let config = EditorConfig { objective, ..config.clone() };
                let first = work.course.seed;
                let seed = if time == 1 { first } else { first.child(&format!("repetition/{time}")) };
                let work = Work { course: Course { seed, ..work.course.clone() }, ..*work };
                let name = repetition(name, time);
                all.push(work.model::<Adversaries<OfAnimegan>>(&name, &config)?);
            }
        }
        Ok(Editors(all))
    }

    fn models(&self, work: &Work) -> Result<Editors> {
        let tiny = self.tiny;
        let of_icgan = if tiny { icgan::Icgan::tiny() } else { icgan::Icgan::paper() };
        let of_fadernet = if tiny { fadernet::Fadernet::tiny() } else { fadernet::Fadernet::paper() };
        let of_attgan = if tiny { Attgan::tiny() } else { Attgan::paper() };
        let of_stargan = if tiny { stargan::Stargan::tiny() } else { stargan::Stargan::paper() };
        let of_stgan = if tiny { Stgan::tiny() } else { Stgan::paper() };
        let of_animegan = if tiny { Animegan::tiny() } else { Animegan::paper() };
        let [first, second, third, fourth, fifth, sixth] = TABLE2.map(|(name, ..)| name);
        Ok(Editors(vec![
            work.model::<icgan::Adversaries>(first, &of_icgan)?,
            work.model::<fadernet::Adversaries>(second, &of_fadernet)?,
            work.model::<Adversaries<OfAttgan>>(third, &of_attgan)?,
            work.model::<stargan::Adversaries>(fourth, &of_stargan)?,
            work.model::<Adversaries<OfStgan>>(fifth, &of_stgan)?,
            work.model::<Adversaries<OfAnimegan>>(sixth, &of_animegan)?,
        ]))
    }

    /// PSNR and SSIM as the script of STGAN's authors has them, which both tables use.
    pub fn metrics() -> [Metric; 2] {
        [Metric::psnr(), Ssim::uniform().into()]
    }

    /// [`train`](Study::train), then judges by [`metrics`](Study::metrics) what all make of `test`. [`table`](Study::table)
    /// sets the printed numbers beside it.
    ///
    /// # Errors
    /// As [`train`](Study::train).
    pub fn run(&self, train: &Dataset, test: &Dataset, out: impl AsRef<Path>, device: &Device) -> Result<Results> {
        self.train(train, out, device)?.evaluation(test).metrics(Study::metrics()).run()
    }

    /// What was found of the models, with what the paper prints beside it.
    ///
    /// # Errors
    /// When the results are not those of this study.
    pub fn table(&self, found: &Results) -> Result<Table> {
        let value = |model: &str, key: &str| {
            let row = found.rows.iter().find(|row| row.model == model);
            let measured = row.and_then(|row| row.measured.iter().find(|measured| measured.key == key));
            measured.map_or(f64::NAN, |measured| measured.score.value)
        };
        let judged = found.rows.first().map_or(0, |row| row.pictures);
        let note =
            format!("{judged} pictures that are to stay as they are; PSNR in dB and SSIM as STGAN's script has them");
        match self.rows {
            Rows::Models => Table::builder()
                .text("model", TABLE2.map(|(name, ..)| name))
                .numbers("PSNR", TABLE2.map(|(name, ..)| value(name, "psnr")))
                .numbers("SSIM", TABLE2.map(|(name, ..)| value(name, "ssim")))
                .numbers("PSNR printed", TABLE2.map(|(_, psnr, _)| psnr))
                .numbers("SSIM printed", TABLE2.map(|(.., ssim)| ssim))
                .text("printed of", TABLE2.map(|(name, ..)| if name == "ANIMEGAN" { "anime faces" } else { "CelebA" }))
                .digits("PSNR", 2)
                .digits("SSIM", 3)
                .digits("PSNR printed", 2)
                .digits("SSIM printed", 3)
                .best("PSNR", Best::Highest)
                .best("SSIM", Best::Highest)
                .caption("Reconstruction, beside table 2 of ANIMEGAN")
                .note(note)
                .note(COPIED)
                .build(),
            Rows::Losses(times) => {
                let mut table = Table::builder().text("loss", TABLE1.map(|(name, ..)| name));
                let each =
                    |name: &str| (1..=times).map(|time| value(&repetition(name, time), "psnr")).collect::<Vec<_>>();
                for time in 1..=times {
                    let column = format!("PSNR {time}");
                    let values = TABLE1.map(|(name, ..)| value(&repetition(name, time), "psnr"));
                    table = table.numbers(column.clone(), values).digits(column, 2);
                }
                table
                    .numbers("mean", TABLE1.map(|(name, ..)| mean_and_deviation(&each(name)).0))
                    .numbers("mean printed", TABLE1.map(|(_, _, printed, _)| mean_and_deviation(&printed).0))
                    .digits("mean", 2)
                    .digits("mean printed", 2)
                    .best("mean", Best::Highest)
                    .caption("Adversarial losses, beside table 1 of ANIMEGAN")
                    .note(note)
                    .note("printed: means of three trainings of 2,000 iterations at 128 px")
                    .build()
            }
        }
    }
}

/// What a repetition of a loss is called.
fn repetition(loss: &str, time: usize) -> String {
    format!("{loss} {time}")
}

/// What all trainings of a study have in common.
#[derive(Clone)]
struct Work<'a> {
    course: Course,
    train: &'a Dataset,
    out: &'a Path,
    device: &'a Device,
}

impl Work<'_> {
    fn model<G: Editing>(&self, name: &str, config: &G::Config) -> Result<(String, Arc<dyn Editor>)>
    where
        Model<G>: evaluate::Model,
    {
        let folder = self.out.join(name.to_lowercase().replace(' ', "-"));
        let model = self.course.train::<G>(config, G::side(config) as u32, self.train, &folder, self.device)?;
        Ok((name.to_string(), Arc::new(model)))
    }
}

/// A trained model that edits, whichever it is.
trait Editor: Send + Sync {
    fn judged(&self, evaluation: Evaluation, name: &str) -> Evaluation;
    fn report(&self, faces: &Dataset, protocol: Protocol) -> Result<EditReport>;
    fn made(&self, pictures: &Images, shown: &[Labels], wish: &str) -> Result<Images>;
}

impl<G: Editing> Editor for Model<G>
where
    Model<G>: evaluate::Model,
{
    fn judged(&self, evaluation: Evaluation, name: &str) -> Evaluation {
        evaluation.model(name, self)
    }

    fn report(&self, faces: &Dataset, protocol: Protocol) -> Result<EditReport> {
        self.edit_report(faces, protocol, None)
    }

    fn made(&self, pictures: &Images, shown: &[Labels], wish: &str) -> Result<Images> {
        self.edit(pictures, shown, &wished(shown, wish)?, None)
    }
}

/// The trained models of a study, by name.
#[derive(Clone)]
pub struct Editors(Vec<(String, Arc<dyn Editor>)>);

impl Editors {
    /// Judges what they make of these pictures, which are to stay as they are; [`Evaluation::beside`] shows it.
    pub fn evaluation(&self, test: &Dataset) -> Evaluation {
        self.0.iter().fold(Evaluation::on(test), |all, (name, model)| model.judged(all, name))
    }

    /// A row for each model: how often edits of these pictures come out, and what they change besides, as
    /// [`Model::edit_report`] reads it, each with its own strength.
    ///
    /// # Errors
    /// As [`Model::edit_report`].
    pub fn edits(&self, test: &Dataset, protocol: Protocol) -> Result<Table> {
        let reports = self.0.iter().map(|(_, model)| model.report(test, protocol)).collect::<Result<Vec<_>>>()?;
        let each = || reports.iter();
        let mut table = Table::builder()
            .text("model", self.0.iter().map(|(name, _)| name.clone()))
            .numbers("edits that come out", each().map(|report| report.accuracy.accuracy().value))
            .numbers("other labels changed", each().map(|report| report.accuracy.side_effects().value))
            .numbers("mean change", each().map(|report| report.change))
            .numbers("mean error unchanged", each().map(|report| report.error))
            .digits("edits that come out", 3)
            .digits("other labels changed", 3)
            .digits("mean change", 1)
            .digits("mean error unchanged", 1)
            .best("edits that come out", Best::Highest)
            .best("other labels changed", Best::Lowest)
            .caption(format!("Edits of {} pictures", test.len()))
            .note("read by the built-in tagger, p > 0.5; mean absolute differences of pictures, 0 to 255");
        for ((name, _), report) in self.0.iter().zip(&reports) {
            if let Some(advice) = &report.advice {
                table = table.note(format!("{name}: {advice}"));
            }
        }
        table.build()
    }

    /// One edit of pictures by all models: the pictures in the first row, and a row for each model.
    ///
    /// # Errors
    /// When the wish cannot be read; as [`Model::edit`].
    pub fn grid(&self, pictures: &Images, shown: &[Labels], wish: &str) -> Result<Grid> {
        let mut rows = vec![pictures.clone().without_captions()];
        for (_, model) in &self.0 {
            let made = model.made(pictures, shown, wish)?;
            rows.push(Images::new(made.tensor.to_device(pictures.tensor.device())?)?);
        }
        let names = self.0.iter().map(|(name, _)| name.clone());
        Ok(Grid::rows(rows)?.labels(["picture".to_string()].into_iter().chain(names)).title(wish))
    }
}

impl fmt::Debug for Editors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        write!(f, "Editors({})", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::evaluate::{Measured, Row};
    use crate::metrics::score::Score;

    fn found(rows: &[(&str, f64)]) -> Results {
        let row = |(model, psnr): &(&str, f64)| Row {
            split: "test".into(),
            model: model.to_string(),
            pictures: 7,
            measured: vec![Measured::of(Score::new("PSNR", *psnr, 7, ""))],
        };
        Results::of(rows.iter().map(row).collect())
    }

    #[test]
    fn printed_numbers_stand_beside_ours() {
        let table = Study::table2().table(&found(&[("STGAN", 20.5), ("ANIMEGAN", 21.25)])).unwrap().md();
        assert!(
            table.contains("31.67") && table.contains("21.25") && table.contains("CelebA's photographs"),
            "{table}"
        );
        let losses = [("vanilla 1", 20.0), ("vanilla 2", 22.0), ("WGAN-GP 1", 19.0)];
        let table = Study::table1().repetitions(2).table(&found(&losses)).unwrap().md();
        // (26.72 + 26.23 + 25.94) / 3
        assert!(table.contains("21.00") && table.contains("26.30") && table.contains("27.44"), "{table}");
    }
}
