//! Proof of PSGAN's `tiny` preset: trained on drawn bodies for at most fifteen minutes, do its bodies stand as they were
//! told to, which Progressive GAN's cannot, and does a character stay itself while it walks?
//!
//! `cargo xtask prove psgan [--seconds 840] [--seed 0]` prints the numbers beside the wanted ones and writes
//! `target/proofs/psgan/numbers.json` with the pictures.

mod identity;
#[path = "../common/processor.rs"]
mod processor;
mod report;
mod training;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use identity::Colours;
use serde::Serialize;
use tachie::Result;
use tachie::data::avatar::Avatar;
use tachie::data::avatar::bodies::RATE;
use tachie::data::dataset::Dataset;
use tachie::metrics::labels::keypoints::{KeypointErrors, Scale};
use tachie::metrics::nets::pose_reader::{PoseReader, Training};
use tachie::models::baselines::progan::Progan;
use tachie::models::psgan::Psgan;
use tachie::rng::Seed;
use tachie::sample::{Path as Way, walk};
use tachie::show::animation::Animation;
use tachie::train::trainer::Options;
use training::Trained;

/// Characters and their poses: as many as are drawn in seconds, so that the time goes into the training.
const COSTUMES: usize = 24;
const POSES: usize = 300;
/// Pictures that the poses are read off.
const JUDGED: usize = 500;
/// Steps of the reader: half of what it takes by default, with a per cent less read right.
const READER_STEPS: usize = 1_500;
/// The share of key points that issue 5 asks for, and how far they may be off, as a share of the box around the figure.
const WANTED: f64 = 0.6;
const ALPHA: f64 = 0.1;
/// Frames of the walk, and poses of any kind, in which characters are compared.
const FRAMES: usize = 12;
/// What is clearly better than without poses: so much of the way from there to what is read off drawn bodies, of which some
/// points are misread too.
const CLEARLY: f64 = 0.75;
/// Another distance, at which bodies that stand about as most do are not taken for ones that stand as they were told to.
const NEAR: f64 = 0.05;
/// The time that issue 5 gives.
const SECONDS: f64 = 900.0;

#[derive(Parser)]
struct Args {
    /// Training time of PSGAN in seconds.
    #[arg(long, default_value_t = 840.0)]
    seconds: f64,
    /// Training time of Progressive GAN in seconds.
    #[arg(long, default_value_t = 300.0)]
    baseline_seconds: f64,
    /// Seed of the weights, the latents and the order of the data.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where the results go.
    #[arg(long, default_value = "target/proofs/psgan")]
    out: PathBuf,
}

#[derive(Serialize)]
struct Numbers {
    seed: u64,
    #[serde(flatten)]
    trained: Trained,
    judged: usize,
    /// PCK@0.1 of the reader on drawn bodies that it has not seen: the best that could be read off generated ones.
    pck_of_drawn_bodies: f64,
    pck: f64,
    baseline_pck: f64,
    /// How far PCK is from the baseline's to that of drawn bodies.
    way: f64,
    /// PCK@0.05 of drawn bodies, PSGAN and the baseline.
    near: [f64; 3],
    pixel_error: f64,
    baseline_images: u64,
    /// While they walk.
    colours_walking: Colours,
    colours_in_any_pose: Colours,
    colours_of_drawn_bodies: Colours,
    wanted: f64,
    passed: bool,
}

fn main() -> ExitCode {
    report::exit(prove(&Args::parse()))
}

fn prove(args: &Args) -> Result<bool> {
    let (run, without) = (args.out.join("run"), args.out.join("progan"));
    report::folder(&run)?;
    report::folder(&without)?;
    let size = Psgan::tiny().size();
    let bodies =
        Avatar::bodies().size(size as u32).costumes(COSTUMES).poses(POSES).seed(Seed(args.seed)).dataset()?.in_memory();
    let (seen, test) = (bodies.train(), bodies.test());
    let unseen = test.subset(&(0..JUDGED).map(|i| i * test.len() / JUDGED).collect::<Vec<_>>())?;

    println!("reading poses: training");
    let training = Training { seed: Seed(args.seed), steps: READER_STEPS, ..Training::default() };
    let reader = PoseReader::train(&seen, &training, |step, loss| {
        if step % 500 == 0 {
            println!("  step {step}: {loss:.4}");
        }
    })?;
    let judged: Vec<usize> = (0..unseen.len()).collect();
    let poses = unseen.poses(&judged)?;
    let of_drawn = reader.errors(&unseen.images(unseen.len())?, &poses)?;

    let device = tachie::device()?;
    let options = || Options::default().seed(Seed(args.seed));
    let gan = Psgan::tiny().build_with(&device, Seed(args.seed))?;
    let mut trainer = gan.train_with(&seen, &run, options())?;
    let trained = Trained::default().on(&mut trainer, args.seconds)?;
    let made = gan.ema().sample(&poses, Seed(args.seed).child("judged"))?;
    let errors = reader.errors(&made, &poses)?;

    let progan = Progan::tiny().build_with(&device, Seed(args.seed))?;
    let mut baseline = progan.train_with(&seen, &without, options())?;
    baseline.seconds(args.baseline_seconds)?;
    let any = progan.ema().sample(unseen.len(), Seed(args.seed).child("judged"))?;
    let of_any = reader.errors(&any, &poses)?;

    trainer.history()?.plot().save(args.out.join("loss.png"))?;
    errors.table(reader.skeleton().names(), ALPHA, &Scale::Box)?.save(args.out.join("keypoints.csv"))?;
    pictures(&gan.ema(), &progan.ema(), &unseen, &args.out)?;
    let walk = walk_of(&test)?;
    film(&gan.ema(), &test, &walk, &args.out)?;
    let spread = |of: &[usize]| -> Vec<usize> { (0..FRAMES).map(|i| of[i * of.len() / FRAMES]).collect() };
    let walking = Colours::of_made(&gan.ema(), &test, &spread(&walk))?;
    let pck = |errors: &KeypointErrors, alpha: f64| errors.pck(alpha, &Scale::Box).map(|score| score.value);
    let [drawn_pck, reached, baseline_pck] = [pck(&of_drawn, ALPHA)?, pck(&errors, ALPHA)?, pck(&of_any, ALPHA)?];
    let near = [pck(&of_drawn, NEAR)?, pck(&errors, NEAR)?, pck(&of_any, NEAR)?];
    let way = (reached - baseline_pck) / (drawn_pck - baseline_pck);
    let numbers = Numbers {
        seed: args.seed,
        trained,
        judged: unseen.len(),
        pck_of_drawn_bodies: drawn_pck,
        pck: reached,
        pixel_error: errors.pixel_error().value,
        baseline_pck,
        way,
        near,
        baseline_images: baseline.images_seen(),
        colours_walking: walking,
        colours_in_any_pose: Colours::of_made(&gan.ema(), &unseen, &spread(&judged))?,
        colours_of_drawn_bodies: Colours::of_drawn(&unseen)?,
        wanted: WANTED,
        // The way is one only where it leads up.
        passed: reached >= WANTED
            && reached > baseline_pck
            && way >= CLEARLY
            && walking.itself()
            && trained.within(SECONDS),
    };
    print(&numbers, &args.out)?;
    Ok(numbers.passed)
}

/// Samples of both models, and characters in poses.
fn pictures(gan: &Psgan, progan: &Progan, unseen: &Dataset, out: &Path) -> Result<()> {
    let first: Vec<usize> = (0..64).map(|i| i * unseen.len() / 64).collect();
    let poses = unseen.poses(&first)?;
    gan.sample(&poses, Seed(1))?.grid(8)?.save(out.join("samples.png"))?;
    unseen.subset(&first)?.images(64)?.grid(8)?.captions::<String>([]).save(out.join("asked.png"))?;
    progan.sample(64, Seed(1))?.grid(8)?.save(out.join("progan.png"))?;
    let characters = walk::through(&gan.latents(&[1, 2])?, 6, Way::Slerp, false)?;
    gan.characters(&characters, &poses.narrow(0, 0, 6)?)?.grid(7)?.save(out.join("characters.png"))?;
    Ok(())
}

/// The places of the first clip of somebody who walks.
fn walk_of(test: &Dataset) -> Result<Vec<usize>> {
    let clip = |i: usize| -> Result<String> { Ok(test.key(i)?.rsplit_once('/').unwrap_or_default().0.to_string()) };
    let mut frames: Vec<usize> = Vec::new();
    for i in 0..test.len() {
        let goes_on = match frames.first() {
            None => test.labels(i)?.get("walking")? > 0.5,
            Some(&first) => clip(i)? == clip(first)?,
        };
        if goes_on {
            frames.push(i);
        } else if !frames.is_empty() {
            break;
        }
    }
    Ok(frames)
}

/// Two characters who walk beside the drawn one.
fn film(gan: &Psgan, test: &Dataset, frames: &[usize], out: &Path) -> Result<()> {
    let fps = f64::from(RATE);
    let walk = test.poses(frames)?;
    let film = |seed: u32| gan.animate(&gan.latents(&[seed])?, &walk)?.animation(fps)?.enlarged(4);
    let drawn = test.subset(frames)?.images(frames.len())?.animation(fps)?.enlarged(4)?;
    Animation::grid(&[film(1)?, film(2)?, drawn], 3, &["seed 1", "seed 2", "drawn"])?.save(out.join("walk.gif"))
}

fn print(numbers: &Numbers, out: &Path) -> Result<()> {
    report::write(numbers, out)?;
    let percent = |share: f64| format!("{:5.1} %", 100.0 * share);
    println!("psgan tiny on Avatar::bodies(), seed {}", numbers.seed);
    numbers.trained.print(SECONDS);
    println!("  PCK@{ALPHA}              {}, at least {} wanted", percent(numbers.pck), percent(numbers.wanted));
    println!("  of Progressive GAN   {}, {} pictures shown", percent(numbers.baseline_pck), numbers.baseline_images);
    println!("  (of drawn bodies     {})", percent(numbers.pck_of_drawn_bodies));
    println!("  of the way there     {}, at least {} wanted", percent(numbers.way), percent(CLEARLY));
    let [drawn, own, without] = numbers.near.map(percent);
    println!("  PCK@{NEAR}             {own}; {without} of Progressive GAN, {drawn} of drawn bodies");
    println!("  mean distance        {:.2} px", numbers.pixel_error);
    println!("  colours of a walk    {}", numbers.colours_walking);
    println!("  of any poses         {}", numbers.colours_in_any_pose);
    println!("  (of drawn bodies     {})", numbers.colours_of_drawn_bodies);
    println!("  judged               {} poses of held-out clips and costumes", numbers.judged);
    println!("  {}; pictures in {}", report::verdict(numbers.passed), out.display());
    Ok(())
}
