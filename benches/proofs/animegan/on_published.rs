//! The editor on faces that the published make.girls.moe generator draws, with the labels that it was asked for.

use std::path::Path;

use serde::Serialize;
use tachie::Result;
use tachie::data::avatar::faces::{HAIR_WINDOWS, hair_colour};
use tachie::data::dataset::Dataset;
use tachie::data::manifest::Filter;
use tachie::data::tags::{Labels, TagSampler, TagSet};
use tachie::image::RgbImage;
use tachie::metrics::evaluate::{Evaluation, Metric};
use tachie::metrics::pictures::delta_e::Lab;
use tachie::models::animegan::Animegan;
use tachie::models::editing::Protocol;
use tachie::models::make_girls::MakeGirls;
use tachie::rng::Seed;
use tachie::train::trainer::Options;

use crate::published::{Drawn, generator};
use crate::{HAIR, SIDE, labels, report};

/// Faces that are drawn, and those of them that are judged.
const FACES: usize = 1_200;
const JUDGED: usize = 60;
/// ΔE₀₀ of the hair's colour before and after from which everybody sees another colour.
const VISIBLE: f64 = 10.0;

/// What is found on published faces.
#[derive(Serialize)]
pub struct OnPublished {
    faces: usize,
    judged: usize,
    psnr: f64,
    hair_edits: usize,
    /// Mean ΔE₀₀ of the hair's colour in the edited picture from that in the unchanged one.
    hair_delta_e: f64,
    /// The same of the unchanged picture and the real one.
    unchanged_delta_e: f64,
    wanted_delta_e: f64,
    /// Share of the edits of hair in which the tagger reads the colour that was asked for, p > 0.5.
    hair_read: f64,
    passed: bool,
}

impl OnPublished {
    /// Trains and judges; passes where hair changes visibly, and where the published weights are not there.
    pub fn prove(seconds: f64, real: &Path, out: &Path) -> Result<bool> {
        if !real.join("moe").exists() {
            println!("skipped: no published generator in {} (--real DIR)", real.display());
            return Ok(true);
        }
        report::folder(out)?;
        let drawn = faces(&generator(real, &out.join("generator.safetensors"))?)?;
        let data = Dataset::from_source(drawn).resized(SIDE, Filter::Bicubic)?.in_memory();
        let places: Vec<usize> = (0..data.len()).collect();
        let (judged, train) = (data.subset(&places[..JUDGED])?, data.subset(&places[JUDGED..])?);
        let model = Animegan::tiny().tags(data.tags()).build(&tachie::device()?)?;
        model.train_with(&train, out.join("run"), Options::default())?.seconds(seconds)?;
        let found = OnPublished::of(&model.ema(), &judged, out)?;
        report::write(&found, out)?;
        println!("animegan tiny on {FACES} faces of the published make.girls.moe generator, {seconds:.0} s");
        println!("  reconstruction  {:.2} dB on {JUDGED} unseen faces", found.psnr);
        println!(
            "  hair            moves by ΔE {:.1} in {} edits, at least {VISIBLE} wanted; unchanged by {:.1}",
            found.hair_delta_e, found.hair_edits, found.unchanged_delta_e
        );
        println!("  read as asked   {:.1} % of them", 100.0 * found.hair_read);
        println!("  {}; figures in {}", report::verdict(found.passed), out.display());
        Ok(found.passed)
    }

    fn of(model: &Animegan, judged: &Dataset, out: &Path) -> Result<OnPublished> {
        let edits: Vec<String> = HAIR.iter().map(|tag| tag.to_string()).collect();
        let (first, shown) = (judged.images(8)?.without_captions(), labels(judged, 8)?);
        model.edit_grid(&first, &shown, &edits, None)?.save(out.join("hair.png"))?;
        let others = ["blush", "open mouth", "glasses", "smile", "eyes=red", "hair=pink, eyes=green, glasses"];
        model.edit_grid(&first, &shown, &others, None)?.save(out.join("others.png"))?;
        let psnr =
            Evaluation::on(judged).metrics([Metric::psnr()]).model("animegan", model).quiet().run()?.value("psnr");

        let (pictures, shown) = (judged.images(JUDGED)?.without_captions(), labels(judged, JUDGED)?);
        let (real, kept) = (pictures.to_rgb()?, model.reconstruct(&pictures, &shown)?.to_rgb()?);
        let unchanged = mean(real.iter().zip(&kept).map(|(real, kept)| moved(real, kept)));
        let mut changes = Vec::new();
        for colour in HAIR {
            let asked = shown.iter().map(|labels| labels.clone().set(colour, 1.0)).collect::<Result<Vec<Labels>>>()?;
            let made = model.edit(&pictures, &shown, &asked, None)?.to_rgb()?;
            let others = (0..JUDGED).filter(|&i| shown[i] != asked[i]);
            changes.extend(others.map(|i| moved(&kept[i], &made[i])));
        }
        let read = model.edit_report(judged, Protocol::Sets, None)?;
        read.table()?.save(out.join("edits.csv"))?;
        let hair_delta_e = mean(changes.iter().copied());
        Ok(OnPublished {
            faces: FACES,
            judged: JUDGED,
            psnr: psnr.unwrap_or(f64::NAN),
            hair_edits: changes.len(),
            hair_delta_e,
            unchanged_delta_e: unchanged,
            wanted_delta_e: VISIBLE,
            hair_read: read.accuracy.of_tags(&HAIR).map_or(f64::NAN, |hair| hair.accuracy().value),
            passed: hair_delta_e >= VISIBLE,
        })
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.collect();
    values.iter().sum::<f64>() / values.len() as f64
}

/// ΔE₀₀ of the colour that the hair of two pictures has.
fn moved(first: &RgbImage, second: &RgbImage) -> f64 {
    let of = |picture: &RgbImage| {
        let (width, height) = picture.dimensions();
        let places = HAIR_WINDOWS.iter().flat_map(|window| window.pixels(width, height));
        let colour = hair_colour(&places.map(|(x, y)| picture.get_pixel(x, y).0).collect::<Vec<_>>());
        Lab::of_rgb([colour.r, colour.g, colour.b].map(|part| 255.0 * f64::from(part)))
    };
    of(first).difference(of(second))
}

/// Faces as the official web site draws labels, but for hair, of which every colour of the editor is as frequent; with those
/// of the labels that an editor learns.
fn faces(generator: &MakeGirls) -> Result<Drawn> {
    let (tags, mut stream) = (TagSet::animegan(), Seed(5).stream("labels"));
    let asked = (0..FACES).map(|i| {
        let labels = TagSampler::Frequencies.sample(&TagSet::make_girls(), &mut stream)?;
        labels.set(HAIR[i % HAIR.len()], 1.0)
    });
    let asked = asked.collect::<Result<Vec<Labels>>>()?;
    let pictures = generator.sample_many(&asked, Seed(6))?.to_rgb()?;
    let labels = asked.iter().map(|labels| Ok(labels.of_tags(&tags)?.values)).collect::<Result<_>>()?;
    Ok(Drawn { pictures, labels, tags })
}
