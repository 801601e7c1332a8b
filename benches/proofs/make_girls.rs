//! Proof of make.girls.moe's `tiny` preset: trained on drawn faces for at most ten minutes, does it draw recognisable
//! faces whose hair and eyes have the colours asked for?
//!
//! `cargo xtask prove make-girls [--seconds 600] [--seed 0]` prints the numbers beside the wanted ones and writes
//! `target/proofs/make-girls/numbers.json` with the pictures.

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
use tachie::data::dataset::Dataset;
use tachie::data::tags::Labels;
use tachie::metrics::labels::colour::ColourAccuracy;
use tachie::models::make_girls::MakeGirls;
use tachie::rng::Seed;
use tachie::sample::{Latent, Path as Way};
use tachie::train::trainer::Options;
use training::Trained;

/// Pictures that the accuracy is measured on.
const JUDGED: usize = 500;
/// The accuracy that issue 2 asks for.
const WANTED: f64 = 0.70;
/// The time that issue 2 gives.
const SECONDS: f64 = 600.0;

#[derive(Parser)]
struct Args {
    /// Training time in seconds.
    #[arg(long, default_value_t = SECONDS)]
    seconds: f64,
    /// Seed of the weights, the latents and the order of the data.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Drawn faces to train on.
    #[arg(long, default_value_t = 8_000)]
    faces: usize,
    /// Where the results go.
    #[arg(long, default_value = "target/proofs/make-girls")]
    out: PathBuf,
}

#[derive(Serialize)]
struct Numbers {
    seed: u64,
    #[serde(flatten)]
    trained: Trained,
    parameters: Vec<(String, usize)>,
    hair_accuracy: f64,
    eye_accuracy: f64,
    mean_accuracy: f64,
    hair_accuracy_of_drawn_faces: f64,
    eye_accuracy_of_drawn_faces: f64,
    judged: usize,
    wanted: f64,
    passed: bool,
}

fn main() -> ExitCode {
    report::exit(prove(&Args::parse()))
}

fn prove(args: &Args) -> Result<bool> {
    let run = args.out.join("run");
    report::folder(&run)?;
    let all = Avatar::faces().size(64).seed(Seed(args.seed)).take(args.faces + JUDGED)?;
    let faces = all.take(args.faces);
    let unseen = all.subset(&(args.faces..args.faces + JUDGED).collect::<Vec<_>>())?;

    let model = MakeGirls::tiny().build_with(&tachie::device()?, Seed(args.seed))?;
    let mut trainer = model.train_with(&faces, &run, Options::default().seed(Seed(args.seed)))?;
    let trained = Trained::default().on(&mut trainer, args.seconds)?;

    let asked = labels(&unseen)?;
    let made = model.ema().sample_many(&asked, Seed(args.seed).child("judged"))?;
    let accuracy = ColourAccuracy::of(&made, &asked)?;
    let drawn = ColourAccuracy::of(&unseen.images(JUDGED)?, &asked)?;
    trainer.history()?.plot().save(args.out.join("loss.png"))?;
    pictures(&model.ema(), &unseen, &args.out)?;
    accuracy.table()?.save(args.out.join("colours.csv"))?;

    let parameters = model.parameters().into_iter().map(|(player, count)| (player.name().into(), count)).collect();
    let numbers = Numbers {
        seed: args.seed,
        trained,
        parameters,
        hair_accuracy: accuracy.hair(),
        eye_accuracy: accuracy.eyes(),
        mean_accuracy: accuracy.mean(),
        hair_accuracy_of_drawn_faces: drawn.hair(),
        eye_accuracy_of_drawn_faces: drawn.eyes(),
        judged: JUDGED,
        wanted: WANTED,
        passed: accuracy.hair() >= WANTED && accuracy.eyes() >= WANTED && trained.within(SECONDS),
    };
    print(&numbers, &args.out)?;
    Ok(numbers.passed)
}

fn labels(data: &Dataset) -> Result<Vec<Labels>> {
    (0..data.len()).map(|i| data.labels(i)).collect()
}

/// Samples with random attributes, one noise with many colours, and a path between two faces.
fn pictures(model: &MakeGirls, unseen: &Dataset, out: &Path) -> Result<()> {
    let asked = labels(&unseen.take(64))?;
    model.sample_many(&asked, Seed(1))?.grid(8)?.captions::<String>([]).save(out.join("samples.png"))?;
    unseen.images(64)?.grid(8)?.captions::<String>([]).save(out.join("drawn.png"))?;
    let tags = &model.config().tags;
    let colours: Vec<String> =
        tags.groups().iter().flat_map(|group| &group.members).map(|&id| tags.names()[id].to_string()).collect();
    let faces = colours.iter().map(|colour| fixed(model, colour)).collect::<Result<Vec<_>>>()?;
    model.generate(&faces)?.grid(8)?.captions(colours).save(out.join("colours.png"))?;
    let [a, b] = [Seed(3), Seed(4)].map(|seed| model.random_latents(1, seed));
    let path = a?[0].path_to(&b?[0], 6, Way::Slerp)?;
    model.generate(&path)?.grid(8)?.captions::<String>([]).save(out.join("path.png"))?;
    Ok(())
}

/// One noise, long hair and a smile, with this colour of hair or eyes.
fn fixed(model: &MakeGirls, colour: &str) -> Result<Latent> {
    let rest = if colour.ends_with("hair") { "blue eyes" } else { "brown hair" };
    let labels = model.tags(format!("{colour}, {rest}, long hair, smile"))?;
    Ok(Latent::new(&model.noise(Seed(2)), &labels))
}

fn print(numbers: &Numbers, out: &Path) -> Result<()> {
    report::write(numbers, out)?;
    let percent = |share: f64| format!("{:5.1} %", 100.0 * share);
    let wanted = percent(numbers.wanted);
    println!("make-girls tiny on Avatar::faces().size(64), seed {}", numbers.seed);
    numbers.trained.print(SECONDS);
    println!("  hair as asked for    {}, at least {wanted} wanted", percent(numbers.hair_accuracy));
    println!("  eyes as asked for    {}, at least {wanted} wanted", percent(numbers.eye_accuracy));
    println!(
        "  (read off drawn faces: hair {}, eyes {})",
        percent(numbers.hair_accuracy_of_drawn_faces),
        percent(numbers.eye_accuracy_of_drawn_faces)
    );
    println!("  judged               {} generated pictures, running average of the weights", numbers.judged);
    println!("  {}; pictures in {}", report::verdict(numbers.passed), out.display());
    Ok(())
}
