//! Milliseconds of face detection, beside opencv-python on the same pictures:
//! `cargo bench --profile dev --bench faces -- [CASCADE.xml [PICTURE..]] [--python PYTHON] [--threads N]`
//! (the development profile optimises, and shares the compiled dependencies).
//!
//! `PYTHON` is an interpreter with opencv-python-headless 4 (benches/faces_opencv.py). The two take turns, round by
//! round; printed are the medians over rounds of wall and processor time (summed over threads; on a busy machine only
//! that says much), and of the ratios of neighbours. Without arguments the pictures and the cascade are made up.

#[path = "common/processor.rs"]
mod processor;
#[path = "common/rival.rs"]
mod rival;
#[path = "common/stats.rs"]
mod stats;

use std::path::{Path, PathBuf};
use std::time::Instant;

use image::GrayImage;
use processor::processor_seconds;
use rival::Rival;
use serde_json::json;
use stats::median;
use tachie::data::prepare::cascade::Cascade;
use tachie::data::prepare::detect::DetectOptions;
use tachie::data::prepare::grey::{equalize, luma};
use tachie::rng::seed;
use tachie::{Error, Result};

const ROUNDS: usize = 7;
const RUNS: usize = 5;

/// Wall and processor milliseconds per detection.
#[derive(Clone, Copy)]
struct Time {
    wall: f64,
    processor: f64,
}

struct Options {
    cascade: PathBuf,
    pictures: Vec<PathBuf>,
    python: Option<String>,
    threads: usize,
}

impl Options {
    fn read() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let cascade = root.join("tests/fixtures/cascade/small.xml");
        let mut options = Options { cascade, pictures: Vec::new(), python: None, threads: 2 };
        let mut files = Vec::new();
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--bench" => {}
                "--python" => options.python = args.next(),
                "--threads" => options.threads = args.next().and_then(|n| n.parse().ok()).unwrap_or(2),
                _ => files.push(PathBuf::from(arg)),
            }
        }
        let mut files = files.into_iter();
        if let Some(cascade) = files.next() {
            options.cascade = cascade;
        }
        options.pictures = files.collect();
        Ok(options)
    }
}

/// Grey noise in blocks, a picture with many near misses.
fn made_up(side: u32) -> GrayImage {
    let mut stream = seed(1).stream("bench picture");
    let blocks: Vec<u8> = (0..256 * 256).map(|_| stream.u64() as u8).collect();
    GrayImage::from_fn(side, side, |x, y| image::Luma([blocks[(y / 5 * 256 + x / 5) as usize % blocks.len()]]))
}

/// What OpenCV needs for that picture.
fn theirs(opencv: &mut Rival, picture: &Path) -> Result<Time> {
    let answer = opencv.ask(&json!(picture.display().to_string()))?;
    Ok(Time { wall: Rival::number(&answer, "wall")?, processor: Rival::number(&answer, "processor")? })
}

fn ours(cascade: &Cascade, picture: &GrayImage, detect: &DetectOptions) -> Result<Time> {
    let before = processor_seconds();
    let mut walls = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        cascade.detect_grey(picture, detect)?;
        walls.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(Time { wall: median(walls), processor: (processor_seconds() - before) * 1e3 / RUNS as f64 })
}

fn main() -> Result<()> {
    let mut options = Options::read()?;
    let folder = tempfile::tempdir().map_err(|e| Error::io("make a folder", "of temporary files", e))?;
    if options.pictures.is_empty() {
        options.pictures.push(folder.path().join("made-up.png"));
        made_up(512).save(&options.pictures[0]).map_err(|e| Error::invalid("picture", e.to_string(), "a PNG", ""))?;
    }
    let cascade = Cascade::open(&options.cascade)?;
    println!("{cascade:?}, {} threads, {ROUNDS} rounds of {RUNS} detections", options.threads);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build();
    let pool = pool.map_err(|e| Error::invalid("threads", e.to_string(), "a number of threads", ""))?;
    let detect = DetectOptions { equalize: false, ..DetectOptions::default() };
    let arguments = [options.cascade.display().to_string(), options.threads.to_string(), RUNS.to_string()];
    let start = |python: &String| Rival::start(python, "faces_opencv.py", &arguments);
    let mut opencv = options.python.as_ref().map(start).transpose()?;
    for path in &options.pictures {
        let picture = image::open(path).map_err(|e| Error::file(path, e.to_string(), "a picture", ""))?;
        let picture = equalize(&luma(&picture.into_rgb8()));
        let (mut mine, mut others) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            if let Some(opencv) = opencv.as_mut() {
                others.push(theirs(opencv, path)?);
            }
            mine.push(pool.install(|| ours(&cascade, &picture, &detect))?);
        }
        print_row(path, &picture, &mine, &others);
    }
    Ok(())
}

fn print_row(path: &Path, picture: &GrayImage, mine: &[Time], theirs: &[Time]) {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let of = |times: &[Time], part: fn(&Time) -> f64| median(times.iter().map(part).collect());
    let (width, height) = picture.dimensions();
    let mut row = format!("{name:<18} {width:>4}x{height:<4} tachie {:8.2} ms", of(mine, |t| t.wall));
    row += &format!(" (processor {:8.2})", of(mine, |t| t.processor));
    if !theirs.is_empty() {
        let ratio = |part: fn(&Time) -> f64| median(theirs.iter().zip(mine).map(|(a, b)| part(a) / part(b)).collect());
        row += &format!("  opencv {:8.2} ms (processor {:8.2})", of(theirs, |t| t.wall), of(theirs, |t| t.processor));
        row += &format!("  ratio {:.2} (processor {:.2})", ratio(|t| t.wall), ratio(|t| t.processor));
    }
    println!("{row}");
}
