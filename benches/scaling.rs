//! How times grow: a whole training step and a 3×3 convolution over image size, batch, channels and threads, beside
//! PyTorch:
//! `cargo bench --profile dev --bench scaling -- [--python PYTHON] [--threads N] [--rounds N] [--only TEXT] [--out DIR] [--json FILE]`
//! (the development profile optimises, and shares the compiled dependencies).
//!
//! Every axis goes through one point: for the step make-girls `tiny` at 64 px with batch 16 and its 24 channels (the
//! discriminator's grow with them, from 1 to 8 times as many), for the convolution 16 pictures of 64 px with 64 channels,
//! forward and backward. `--threads` is the number of threads on the other axes, and the largest of its own. `--out` is
//! where the figures (`scaling-step.png`, `scaling-convolution.png`, and `.svg`) and `scaling.csv` go.

#[allow(dead_code, reason = "this bench has models of its own")]
#[path = "common/models.rs"]
mod models;
#[allow(dead_code, reason = "this bench has operations of its own")]
#[path = "common/operations.rs"]
mod operations;
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
use report::{in_pool, write_json};
use rival::Rival;
use serde::Serialize;
use tachie::models::make_girls::{DiscriminatorConfig, MakeGirls, SrResNetConfig, StageConfig, Upsampling};
use tachie::show::plot::{Plot, Series};
use tachie::{Error, Result};

#[derive(Parser)]
struct Args {
    /// An interpreter with PyTorch.
    #[arg(long)]
    python: Option<String>,
    /// Threads of either side.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Turns that the two sides take at every point.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only points whose description holds this text ("step, batch").
    #[arg(long, default_value = "")]
    only: String,
    /// Where figures and table go.
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
    /// Also write the rows as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// What `cargo bench` passes.
    #[arg(long, hide = true)]
    bench: bool,
}

/// One measured point.
#[derive(Serialize)]
struct Row {
    /// `step` or `convolution`.
    what: &'static str,
    axis: &'static str,
    value: usize,
    /// Milliseconds.
    tachie: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pytorch: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
}

/// Where something is measured.
#[derive(Clone, Copy)]
struct Point {
    what: &'static str,
    axis: &'static str,
    value: usize,
    size: usize,
    batch: usize,
    channels: usize,
    threads: usize,
}

/// The point at another value of one axis.
type Move = fn(Point, usize) -> Point;

const WHAT: [&str; 2] = ["step", "convolution"];
const AXES: [&str; 4] = ["image size, px", "batch", "channels", "threads"];

fn main() -> Result<()> {
    let args = Args::parse();
    std::fs::create_dir_all(&args.out).map_err(|source| Error::io("make the folder", &args.out, source))?;
    let mut rows = Vec::new();
    for point in points(args.threads).into_iter().filter(|point| point.text().contains(&args.only)) {
        let row = in_pool(point.threads, || measure(&point, &args))?;
        let theirs = row.pytorch.zip(row.ratio);
        let theirs = theirs.map_or(String::new(), |(ms, ratio)| format!(", PyTorch {ms:.1} ms, ratio {ratio:.2}"));
        println!("{}: tachie {:.1} ms{theirs}", point.text(), row.tachie);
        rows.push(row);
    }
    for what in WHAT {
        let plot = plot(what, &rows)?;
        for extension in ["png", "svg"] {
            plot.save(args.out.join(format!("scaling-{what}.{extension}")))?;
        }
    }
    write_csv(&args.out.join("scaling.csv"), &rows)?;
    write_json(args.json.as_deref(), &rows)
}

/// All points; the common one of the axes is measured on each, in other company.
fn points(threads: usize) -> Vec<Point> {
    let mut points = Vec::new();
    for what in WHAT {
        let channels = if what == "step" { 24 } else { 64 };
        let base = Point { what, axis: "", value: 0, size: 64, batch: 16, channels, threads };
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
            points.extend(values.iter().map(|&value| Point { axis, value, ..moved(base, value) }));
        }
    }
    points
}

impl Point {
    fn text(&self) -> String {
        format!("{}, {} {}", self.what, self.axis, self.value)
    }

    /// make-girls `tiny` with this size, batch and number of channels.
    fn model(&self) -> Model {
        let c = self.channels;
        let stage = |(channels, kernel)| StageConfig { channels, kernel, blocks: 0 };
        let tiny = MakeGirls::tiny();
        let stages = [(c, 4), (2 * c, 4), (4 * c, 4), (8 * c, 3)].map(stage).to_vec();
        let discriminator = DiscriminatorConfig { stages, ..tiny.discriminator.clone() };
        let generator = SrResNetConfig {
            channels: c,
            blocks: 2,
            upsampling: Upsampling::Nearest,
            doublings: (self.size / 16).ilog2() as usize,
            output_kernel: 3,
            ..SrResNetConfig::default()
        };
        let config = tiny.generator(generator).discriminator(discriminator).batch(self.batch);
        Model { name: self.text(), config, large: false }
    }
}

fn measure(point: &Point, args: &Args) -> Result<Row> {
    let start = |script: &str| -> Result<Option<Rival>> {
        let Some(python) = &args.python else { return Ok(None) };
        let mut rival = Rival::start(python, script, &[point.threads.to_string()])?;
        rival.line()?;
        Ok(Some(rival))
    };
    let (tachie, pytorch, ratio) = if point.what == "step" {
        let row = training::measure(&point.model(), start("pytorch/steps.py")?.as_mut(), args.rounds, false)?;
        (row.tachie, row.pytorch, row.ratio)
    } else {
        let case = operations::square(point.batch, point.channels, point.size);
        let mut rival = start("pytorch/ops.py")?;
        let row = passes::measure(&case, &tachie::device()?, rival.as_mut(), args.rounds)?;
        (row.tachie.both, row.pytorch.map(|time| time.both), row.ratio.map(|time| time.both))
    };
    let Point { what, axis, value, .. } = *point;
    Ok(Row { what, axis, value, tachie, pytorch, ratio })
}

/// A panel per axis, a line per side.
fn plot(what: &str, rows: &[Row]) -> Result<Plot> {
    let title = match what {
        "step" => "A training step of make-girls, as tiny but for one number",
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
        plot = plot.panel(axis).y_label("ms").line(line("tachie", of_axis().map(|row| row.tachie).collect())?);
        let theirs: Option<Vec<f64>> = of_axis().map(|row| row.pytorch).collect();
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
        let numbers = [Some(row.tachie), row.pytorch, row.ratio].map(number);
        let mut record = vec![row.what.to_string(), row.axis.to_string(), row.value.to_string()];
        record.extend(numbers);
        table.write_record(record).map_err(bad)?;
    }
    table.flush().map_err(|source| Error::io("write the table", path, source))
}
