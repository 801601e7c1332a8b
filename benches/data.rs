//! Pictures a second on the way from PNG files to training batches (decode, mirror at random, collate), beside
//! torchvision on the same files:
//! `cargo bench --profile dev --bench data -- [--python PYTHON] [--threads N] [--rounds N] [--only TEXT] [--json FILE]`
//! (the development profile optimises, and shares the compiled dependencies).
//!
//! The files are faces that `tachie data avatar-faces` draws, with their tag table. `PYTHON` is an interpreter with
//! PyTorch and torchvision (benches/pytorch/data.py). tachie decodes a data set once, when it is opened, and copies
//! from memory afterwards; a `DataLoader` of files decodes them in every epoch. So there are three rows per size: the
//! first epoch with everything before it (opening, starting workers), a later one, and a later one beside a
//! `DataLoader` of pictures that were decoded to memory. `--threads` is the number of loading threads and of workers.
//! The two take turns; printed are medians over rounds, and of the ratios of neighbours: above 1 tachie is faster.

#[allow(dead_code, reason = "rounds are counted here")]
#[path = "common/options.rs"]
mod options;
#[allow(dead_code, reason = "memory is not measured here")]
#[path = "common/report.rs"]
mod report;
#[path = "common/rival.rs"]
mod rival;
#[path = "common/stats.rs"]
mod stats;
#[path = "common/temporary.rs"]
mod temporary;

use std::path::Path;
use std::time::Instant;

use clap::Parser;
use options::Options;
use report::in_pool;
use rival::Rival;
use serde::Serialize;
use serde_json::json;
use stats::median;
use tachie::Result;
use tachie::data::avatar::Avatar;
use tachie::data::changes::Changes;
use tachie::data::dataset::Dataset;
use tachie::data::loader::{Loader, LoaderOptions};
use temporary::folder;

/// Pictures of a batch.
const BATCH: usize = 64;
/// Pictures of a data set, and their side in pixels.
const SETS: [(usize, u32); 2] = [(2_048, 64), (1_024, 128)];
/// Epochs of a turn, apart from first ones: here one takes a few hundredths of a second, there about one.
const EPOCHS: usize = 8;
const THEIR_EPOCHS: usize = 3;

/// Pictures a second.
#[derive(Serialize)]
struct Row {
    name: String,
    tachie: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pytorch: Option<f64>,
    /// tachie's over the other's.
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
}

/// What is measured: its name here and on the other side.
const ROWS: [(&str, &str); 3] = [
    ("first epoch, from files", "first"),
    ("later epochs, a DataLoader of files", "files"),
    ("later epochs, a DataLoader of decoded pictures", "decoded"),
];

fn main() -> Result<()> {
    let shared = Options::parse();
    let mut rival = shared.start("pytorch/data.py", shared.threads, &[BATCH.to_string()])?;
    let mut rows = Vec::new();
    for (count, size) in SETS {
        let place = folder()?;
        let faces = place.path().join("faces");
        Avatar::faces().size(size).write_folder(count, &faces)?;
        for (title, mode) in ROWS {
            let name = format!("{size} px, {title}");
            if name.contains(&shared.only) {
                let row = in_pool(shared.threads, || measure(&name, mode, &faces, rival.as_mut(), &shared))?;
                print(&row);
                rows.push(row);
            }
        }
    }
    shared.write(&rows)
}

fn measure(name: &str, mode: &str, faces: &Path, mut rival: Option<&mut Rival>, shared: &Options) -> Result<Row> {
    let (epochs, theirs) = if mode == "first" { (1, 1) } else { (EPOCHS, THEIR_EPOCHS) };
    let request = json!({ "folder": faces, "mode": mode, "epochs": theirs });
    let mut open = if mode == "first" { None } else { Some(loader(faces, shared.threads)?) };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    // The first turn warms up: the files are in the system's cache from then on, and workers are there.
    for round in 0..=shared.rounds {
        let other =
            rival.as_mut().map(|rival| Rival::number(&rival.ask(&request)?, "pictures a second")).transpose()?;
        let start = Instant::now();
        let pictures = match &mut open {
            Some(loader) => epochs_of(loader, epochs)?,
            None => epochs_of(&mut loader(faces, shared.threads)?, epochs)?,
        };
        let mine = pictures as f64 / start.elapsed().as_secs_f64();
        if round > 0 {
            ours.push(mine);
            theirs.extend(other);
        }
    }
    let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(a, b)| a / b).collect();
    let known = |values: Vec<f64>| (!values.is_empty()).then(|| median(values));
    Ok(Row { name: name.to_string(), tachie: median(ours), pytorch: known(theirs), ratio: known(ratios) })
}

fn loader(faces: &Path, threads: usize) -> Result<Loader> {
    let options =
        LoaderOptions { batch: BATCH, threads, changes: Changes::default().mirrored(), ..LoaderOptions::default() };
    Loader::new(&Dataset::open(faces)?, options)
}

/// Draws all batches of so many epochs; returns the number of pictures.
fn epochs_of(loader: &mut Loader, epochs: usize) -> Result<usize> {
    let mut pictures = 0;
    for _ in 0..epochs * loader.batches_per_epoch() {
        pictures += loader.next()?.len();
    }
    Ok(pictures)
}

fn print(row: &Row) {
    let theirs = row.pytorch.zip(row.ratio);
    let theirs = theirs.map_or(String::new(), |(speed, ratio)| format!(", torchvision {speed:.0}, ratio {ratio:.2}"));
    println!("{}: tachie {:.0} pictures/s{theirs}", row.name, row.tachie);
}
