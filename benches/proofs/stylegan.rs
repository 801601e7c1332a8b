//! Proof of StyleGAN's `tiny` preset: trained on drawn bodies for twenty minutes, does it learn steadily, and do its styles
//! do what the paper says of them?
//!
//! `cargo xtask prove stylegan [--seconds 1200] [--seed 0]` prints the numbers and writes `target/proofs/stylegan/numbers.json`
//! with the figures of the paper.

#[path = "../common/processor.rs"]
mod processor;
mod report;
mod training;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use serde::Serialize;
use tachie::Result;
use tachie::data::avatar::Avatar;
use tachie::data::batch::Images;
use tachie::data::dataset::Dataset;
use tachie::image::RgbImage;
use tachie::metrics::features::kid::Kid;
use tachie::metrics::nets::tagger::Tagger;
use tachie::models::stylegan::{Stylegan, Truncation};
use tachie::rng::Seed;
use tachie::sample::NoiseMode;
use tachie::train::trainer::Options;
use training::Trained;

/// Pictures of each kind that KID is measured on.
const JUDGED: usize = 1_000;
/// Measurements along the training, after its beginning.
const POINTS: usize = 6;
/// Pairs of source and destination that styles are mixed of.
const PAIRS: usize = 64;
/// ψ of the truncation figure, descending in how far they reach.
const PSIS: [f64; 6] = [1.0, 0.7, 0.5, 0.0, -0.5, -1.0];

/// The time that issue 5 gives.
const SECONDS: f64 = 1200.0;

#[derive(Parser)]
struct Args {
    /// Training time in seconds.
    #[arg(long, default_value_t = SECONDS)]
    seconds: f64,
    /// Seed of the weights, the latents and the order of the data.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Where the results go.
    #[arg(long, default_value = "target/proofs/stylegan")]
    out: PathBuf,
}

#[derive(Serialize)]
struct Numbers {
    seed: u64,
    #[serde(flatten)]
    trained: Trained,
    /// KID (tagger) before the training and after each part of it, × 1000.
    kid: Vec<f64>,
    /// Largest difference of a picture of ψ 0 from that of the mean style, in [−1, 1].
    psi_0_to_mean: f64,
    /// Mean difference of pictures of different seeds at ψ 1, 0.7, 0.5 and 0.
    spread: Vec<f64>,
    /// Share of the figure's area and mean difference of its colours that change with the coarse and with the fine styles.
    outline_by_coarse: f64,
    outline_by_fine: f64,
    colours_by_coarse: f64,
    colours_by_fine: f64,
    passed: bool,
}

fn main() -> ExitCode {
    report::exit(prove(&Args::parse()))
}

fn prove(args: &Args) -> Result<bool> {
    let run = args.out.join("run");
    report::folder(&run)?;
    let config = Stylegan::tiny();
    let bodies = Avatar::bodies().size(config.size() as u32).seed(Seed(args.seed)).dataset()?.in_memory();
    let tagger = Tagger::builtin()?;
    let real = tagger.features_of(&some(&bodies, JUDGED)?)?;

    let gan = config.build_with(&tachie::device()?, Seed(args.seed))?;
    let mut trainer = gan.train_with(&bodies, &run, Options::default().seed(Seed(args.seed)))?;
    let mut trained = Trained::default();
    let kid_now = || -> Result<f64> {
        let made = tagger.features_of(&gan.ema().sample(JUDGED, Seed(args.seed).child("judged"))?.to_rgb()?)?;
        Ok(1000.0 * Kid::new().score(&real, &made)?.value)
    };
    let mut kid = vec![kid_now()?];
    println!("untrained: KID (tagger) {:.2}", kid[0]);
    for part in 1..=POINTS {
        trained = trained.on(&mut trainer, args.seconds / POINTS as f64)?;
        kid.push(kid_now()?);
        println!("part {part} of {POINTS}: KID (tagger) {:.2}", kid[part]);
    }

    let gan = gan.ema();
    trainer.history()?.plot().save(args.out.join("loss.png"))?;
    figures(&gan, &bodies, &args.out)?;
    let spread = [1.0, 0.7, 0.5, 0.0].map(|psi| spread_at(&gan, psi)).into_iter().collect::<Result<Vec<_>>>()?;
    let coarse = mixed(&gan, 0..4)?;
    let fine = mixed(&gan, 8..gan.layers())?;
    let falls = kid[POINTS] < 0.5 * kid[0] && kid.iter().all(|value| value.is_finite());
    let psi_0_to_mean = from_mean(&gan)?;
    let passed = falls
        && trained.within(SECONDS)
        && psi_0_to_mean < 1e-4
        && spread.windows(2).all(|pair| pair[1] < pair[0])
        && coarse[0] > 2.0 * fine[0]
        && fine[1] / fine[0] > coarse[1] / coarse[0];
    let numbers = Numbers {
        seed: args.seed,
        trained,
        kid,
        psi_0_to_mean,
        spread,
        outline_by_coarse: coarse[0],
        outline_by_fine: fine[0],
        colours_by_coarse: coarse[1],
        colours_by_fine: fine[1],
        passed,
    };
    print(&numbers, &args.out)?;
    Ok(passed)
}

/// Pictures from all over a data set.
fn some(data: &Dataset, n: usize) -> Result<Vec<RgbImage>> {
    (0..n).map(|i| data.image(i * data.len() / n)).collect()
}

fn figures(gan: &Stylegan, bodies: &Dataset, out: &Path) -> Result<()> {
    Images::from_rgb(&some(bodies, 32)?)?.grid(8)?.save(out.join("drawn.png"))?;
    gan.sample(64, Seed(1))?.grid(8)?.save(out.join("samples.png"))?;
    gan.uncurated(3, &[0, 1, 2, 2, 3, 3], 5, Some(Truncation::default()))?.grid(1)?.save(out.join("uncurated.png"))?;
    let ranges = [0..4, 0..4, 4..8, 4..8, 8..gan.layers()];
    let mix = gan.style_mixing(&[639, 701, 687, 615, 2268], &[888, 829, 1898, 1733, 1614, 845], &ranges, None)?;
    mix.save(out.join("style-mixing.png"))?;
    gan.truncation(&[91, 388, 1653], &PSIS)?.save(out.join("truncation.png"))?;
    gan.noise_detail(&[1157, 1012])?.save(out.join("noise-detail.png"))?;
    gan.noise_components(&[1967, 1555])?.grid(1)?.save(out.join("noise-components.png"))
}

fn numbers(images: &Images) -> Result<Vec<Vec<f32>>> {
    Ok(images.tensor.flatten_from(1)?.to_vec2::<f32>()?)
}

fn from_mean(gan: &Stylegan) -> Result<f64> {
    let mean = &numbers(&gan.mean_picture()?)?[0];
    let at_0 = numbers(&gan.of_seeds(&[1, 2, 3], Some(Truncation { psi: 0.0, cutoff: None }))?)?;
    let apart =
        |picture: &Vec<f32>| picture.iter().zip(mean).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
    Ok(at_0.iter().map(apart).fold(0.0, f64::max))
}

/// Mean difference between neighbours of 32 seeds.
fn spread_at(gan: &Stylegan, psi: f64) -> Result<f64> {
    let seeds: Vec<u32> = (0..32).collect();
    let pictures = numbers(&gan.of_seeds(&seeds, Some(Truncation { psi, cutoff: None }))?)?;
    let apart = |pair: &[Vec<f32>]| {
        let sum: f64 = pair[0].iter().zip(&pair[1]).map(|(a, b)| f64::from((a - b).abs())).sum();
        sum / pair[0].len() as f64
    };
    Ok(pictures.windows(2).map(apart).sum::<f64>() / 31.0)
}

/// How much a range of styles of another picture changes the outline (share of the area of both figures that only one
/// covers) and the mean colour of the figure (8-bit steps).
fn mixed(gan: &Stylegan, layers: std::ops::Range<usize>) -> Result<[f64; 2]> {
    let styles = |first: u32| {
        let seeds: Vec<u32> = (first..first + PAIRS as u32).collect();
        gan.styles(&gan.latents(&seeds)?, None)
    };
    let (to, from) = (styles(0)?, styles(10_000)?);
    let before = gan.draw(&to, NoiseMode::Const)?.to_rgb()?;
    let after = gan.draw(&to.mixed(&from, layers)?, NoiseMode::Const)?.to_rgb()?;
    let figure = |pixel: &tachie::image::Rgb<u8>| pixel.0.iter().any(|&v| v < 225);
    let (mut outline, mut colours) = (0.0, 0.0);
    for (before, after) in before.iter().zip(&after) {
        let masks = || before.pixels().map(figure).zip(after.pixels().map(figure));
        let either = masks().filter(|(a, b)| *a || *b).count().max(1);
        outline += masks().filter(|(a, b)| a != b).count() as f64 / either as f64;
        let mean = |picture: &RgbImage, channel: usize| {
            let inside: Vec<f64> =
                picture.pixels().filter(|pixel| figure(pixel)).map(|pixel| f64::from(pixel.0[channel])).collect();
            inside.iter().sum::<f64>() / inside.len().max(1) as f64
        };
        colours += (0..3).map(|i| (mean(before, i) - mean(after, i)).abs()).sum::<f64>() / 3.0;
    }
    Ok([outline, colours].map(|sum| sum / PAIRS as f64))
}

fn print(numbers: &Numbers, out: &Path) -> Result<()> {
    report::write(numbers, out)?;
    let list = |values: &[f64]| values.iter().map(|value| format!("{value:.2}")).collect::<Vec<_>>().join(", ");
    println!("stylegan tiny on Avatar::bodies(), seed {}", numbers.seed);
    numbers.trained.print(SECONDS);
    println!("  KID (tagger) × 1000  {}; the last at most half of the first wanted", list(&numbers.kid));
    println!("  psi 0 to mean        {:.1e}, at most 1e-4 wanted", numbers.psi_0_to_mean);
    println!("  spread               {} at psi 1, 0.7, 0.5, 0; falling wanted", list(&numbers.spread));
    println!(
        "  outline              {:.1} % changed by coarse styles, {:.1} % by fine ones; twice as much wanted",
        100.0 * numbers.outline_by_coarse,
        100.0 * numbers.outline_by_fine
    );
    println!(
        "  colours              {:.1} changed by coarse styles, {:.1} by fine ones; more of them per outline wanted",
        numbers.colours_by_coarse, numbers.colours_by_fine
    );
    println!("  {}; figures in {}", report::verdict(numbers.passed), out.display());
    Ok(())
}
