//! How times grow: a whole training step and a 3×3 convolution over image size, batch, channels and threads, beside
//! PyTorch:
//! `cargo bench --profile dev --bench scaling -- [--python PYTHON] [--threads N] [--rounds N] [--only TEXT] [--out DIR] [--json FILE]`
//! (the development profile optimises, and shares the compiled dependencies).
//!
//! Every axis goes through one point, which is measured once: for the step make-girls `tiny` at 64 px with batch 16, its 24
//! channels (the discriminator's grow with them, from 1 to 8 times as many) and a penalty in every step; for the
//! convolution 16 pictures of 64 px with 64 channels, forward and backward. `--threads` is the number of threads on the
//! other axes, and the largest of its own; `--rounds` are at most made, and fewer at points where they would take longer
//! than a few seconds. `--out` is where the figures (`scaling-step.png`, `scaling-convolution.png`, and `.svg`) and
//! `scaling.csv` go.

#[allow(dead_code, reason = "this bench has models of its own")]
#[path = "common/models.rs"]
mod models;
#[allow(dead_code, reason = "this bench has operations of its own")]
#[path = "common/operations.rs"]
mod operations;
#[path = "common/options.rs"]
mod options;
#[allow(dead_code, reason = "memory is not measured here")]
#[path = "common/passes.rs"]
mod passes;
#[allow(dead_code, reason = "memory is not measured here")]
#[path = "common/report.rs"]
mod report;
#[path = "common/rival.rs"]
mod rival;
#[path = "common/stats.rs"]
mod stats;
#[path = "common/temporary.rs"]
mod temporary;
#[allow(dead_code, reason = "the bench steps prints more")]
#[path = "common/training.rs"]
mod training;

use std::path::{Path, PathBuf};

use clap::Parser;
use models::Model;
use options::{Effort, Options};
use report::in_pool;
use rival::Rival;
use serde::Serialize;
use tachie::models::make_girls::{
    DiscriminatorConfig, MakeGirls, ObjectiveConfig, SrResNetConfig, StageConfig, Upsampling,
};
use tachie::show::plot::{Plot, Series};
use tachie::{Error, Result};

/// Milliseconds that a turn should last, for the convolution forward passes and passes forward and backward each.
const TURN: f64 = 250.0;
/// Seconds after which no further round of a point begins.
const MOST: f64 = 6.0;

#[derive(Parser)]
struct Args {
    #[command(flatten)]
    shared: Options,
    /// Where figures and table go.
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
}

/// One measured point.
#[derive(Serialize)]
struct Row {
    /// `step` or `convolution`.
    what: &'static str,
    axis: &'static str,
    value: usize,
    #[serde(flatten)]
    times: Times,
}

/// Milliseconds.
#[derive(Clone, Copy, Serialize)]
struct Times {
    tachie: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pytorch: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq)]
struct Point {
    what: &'static str,
    size: usize,
    batch: usize,
    channels: usize,
    threads: usize,
}

/// A point on an axis.
struct Place {
    axis: &'static str,
    value: usize,
    point: Point,
}

/// The point at another value of one axis.
type Move = fn(Point, usize) -> Point;

const WHAT: [&str; 2] = ["step", "convolution"];
const AXES: [&str; 4] = ["image size, px", "batch", "channels", "threads"];

fn main() -> Result<()> {
    let Args { shared, out } = Args::parse();
    std::fs::create_dir_all(&out).map_err(|source| Error::io("make the folder", &out, source))?;
    let places: Vec<Place> =
        places(shared.threads).into_iter().filter(|place| place.text().contains(&shared.only)).collect();
    let mut bench = Bench { shared: &shared, side: None };
    let (mut known, mut rows): (Vec<(Point, Times)>, Vec<Row>) = (Vec::new(), Vec::new());
    for (i, Place { axis, value, point }) in places.iter().enumerate() {
        let times = match known.iter().find(|(other, _)| other == point) {
            Some((_, times)) => *times,
            None => bench.measure(point)?,
        };
        known.push((*point, times));
        let theirs = times.pytorch.zip(times.ratio);
        let theirs = theirs.map_or(String::new(), |(ms, ratio)| format!(", PyTorch {ms:.1} ms, ratio {ratio:.2}"));
        println!("[{}/{}] {}: tachie {:.1} ms{theirs}", i + 1, places.len(), places[i].text(), times.tachie);
        rows.push(Row { what: point.what, axis, value: *value, times });
    }
    for what in WHAT.into_iter().filter(|what| rows.iter().any(|row| row.what == *what)) {
        let plot = plot(what, &rows)?;
        for extension in ["png", "svg"] {
            plot.save(out.join(format!("scaling-{what}.{extension}")))?;
        }
    }
    write_csv(&out.join("scaling.csv"), &rows)?;
    shared.write(&rows)
}

/// Every value of every axis.
fn places(threads: usize) -> Vec<Place> {
    let mut places = Vec::new();
    for what in WHAT {
        let channels = if what == "step" { 24 } else { 64 };
        let base = Point { what, size: 64, batch: 16, channels, threads };
        // The generator's first batch norm has one number per picture and feature: a batch of one has no variance.
        let batches: &[usize] = if what == "step" { &[2, 4, 8, 16, 32, 64] } else { &[1, 2, 4, 8, 16, 32, 64] };
        let widths: &[usize] = if what == "step" { &[8, 16, 24, 48, 96] } else { &[16, 32, 64, 128, 256] };
        let many: Vec<usize> = std::iter::successors(Some(1), |n| Some(n * 2)).take_while(|n| *n < threads).collect();
        let many = [many, vec![threads]].concat();
        let axes: [(&[usize], Move); 4] = [
            (&[32, 64, 128, 256], |point, size| Point { size, ..point }),
            (batches, |point, batch| Point { batch, ..point }),
            (widths, |point, channels| Point { channels, ..point }),
            (&many, |point, threads| Point { threads, ..point }),
        ];
        for (axis, (values, moved)) in AXES.into_iter().zip(axes) {
            places.extend(values.iter().map(|&value| Place { axis, value, point: moved(base, value) }));
        }
    }
    places
}

impl Place {
    fn text(&self) -> String {
        format!("{}, {} {}", self.point.what, self.axis, self.value)
    }
}

impl Point {
    /// make-girls `tiny` with this size, batch and number of channels, and a penalty in every step.
    fn model(&self) -> Model {
        let c = self.channels;
        let stage = |(channels, kernel)| StageConfig { channels, kernel, blocks: 0 };
        let tiny = MakeGirls::tiny();
        let stages = [(c, 4), (2 * c, 4), (4 * c, 4), (8 * c, 3)].map(stage).to_vec();
        let discriminator = DiscriminatorConfig { stages, ..tiny.discriminator.clone() };
        let objective = ObjectiveConfig { gp_interval: 1, ..tiny.objective.clone() };
        let generator = SrResNetConfig {
            channels: c,
            blocks: 2,
            upsampling: Upsampling::Nearest,
            doublings: (self.size / 16).ilog2() as usize,
            output_kernel: 3,
            ..SrResNetConfig::default()
        };
        let config = tiny.generator(generator).discriminator(discriminator).objective(objective).batch(self.batch);
        Model { name: "make-girls".into(), config, large: false }
    }
}

/// Measures points; the other side stays while script and threads do.
struct Bench<'a> {
    shared: &'a Options,
    side: Option<(&'static str, usize, Rival)>,
}

impl Bench<'_> {
    fn measure(&mut self, point: &Point) -> Result<Times> {
        let effort = Effort { most: MOST, ..self.shared.effort(TURN) };
        let script = if point.what == "step" { "pytorch/steps.py" } else { "pytorch/ops.py" };
        let rival = self.rival(script, point.threads)?;
        in_pool(point.threads, || {
            if point.what == "step" {
                let row = training::measure(&point.model(), rival, effort, false)?;
                return Ok(Times { tachie: row.tachie, pytorch: row.pytorch, ratio: row.ratio });
            }
            let case = operations::convolutions::square(point.batch, point.channels, point.size);
            let row = passes::measure(&case, &tachie::device()?, rival, effort)?;
            let both = |time: Option<passes::Time>| time.map(|time| time.both);
            Ok(Times { tachie: row.tachie.both, pytorch: both(row.pytorch), ratio: both(row.ratio) })
        })
    }

    fn rival(&mut self, script: &'static str, threads: usize) -> Result<Option<&mut Rival>> {
        if self.side.as_ref().is_none_or(|(other, number, _)| (*other, *number) != (script, threads)) {
            // The one before ends first, and gives its memory back.
            self.side = None;
            self.side = self.shared.start(script, threads, &[])?.map(|rival| (script, threads, rival));
        }
        Ok(self.side.as_mut().map(|(_, _, rival)| rival))
    }
}

/// A panel per axis, a line per side.
fn plot(what: &str, rows: &[Row]) -> Result<Plot> {
    let title = match what {
        "step" => "A training step of make-girls tiny, with one number changed",
        _ => "A 3×3 convolution, forward and backward",
    };
    let mut plot = Plot::new().title(title).log_x().log_y();
    for axis in AXES {
        let of_axis = || rows.iter().filter(|row| row.what == what && row.axis == axis);
        if of_axis().next().is_none() {
            continue;
        }
        let line =
            |name: &str, y: Vec<f64>| Series::new(name, of_axis().map(|row| row.value as f64).collect::<Vec<_>>(), y);
        plot = plot.panel(axis).y_label("ms").line(line("tachie", of_axis().map(|row| row.times.tachie).collect())?);
        let theirs: Option<Vec<f64>> = of_axis().map(|row| row.times.pytorch).collect();
        if let Some(theirs) = theirs {
            plot = plot.line(line("PyTorch", theirs)?);
        }
    }
    Ok(plot)
}

fn write_csv(path: &Path, rows: &[Row]) -> Result<()> {
    let bad = |error: csv::Error| Error::file(path, error.to_string(), "a table that can be written", "");
    let mut table = csv::Writer::from_path(path).map_err(bad)?;
    table.write_record(["what", "axis", "value", "tachie ms", "PyTorch ms", "ratio"]).map_err(bad)?;
    for row in rows {
        let number = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.4}"));
        let numbers = [Some(row.times.tachie), row.times.pytorch, row.times.ratio].map(number);
        let mut record = vec![row.what.to_string(), row.axis.to_string(), row.value.to_string()];
        record.extend(numbers);
        table.write_record(record).map_err(bad)?;
    }
    table.flush().map_err(|source| Error::io("write the table", path, source))
}
