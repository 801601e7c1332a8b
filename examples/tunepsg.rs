use clap::Parser;
use std::time::Instant;
use tachie::Result;
use tachie::data::avatar::Avatar;
use tachie::data::batch::Images;
use tachie::data::dataset::Dataset;
use tachie::metrics::labels::keypoints::Scale;
use tachie::metrics::nets::pose_reader::{PoseReader, Training};
use tachie::models::psgan::Psgan;
use tachie::rng::Seed;
use tachie::train::trainer::Options;

#[derive(Parser, Debug)]
struct Args {
    #[arg(long, default_value_t = 840.0)]
    seconds: f64,
    #[arg(long, default_value_t = 140.0)]
    every: f64,
    #[arg(long, default_value_t = 1.0)]
    mismatch: f64,
    #[arg(long, default_value_t = 4.0)]
    amplitude: f64,
    #[arg(long, default_value_t = 0.0)]
    identity: f64,
    #[arg(long, default_value_t = 4)]
    batch: usize,
    #[arg(long, default_value_t = 300)]
    reader: usize,
    #[arg(long)]
    label: bool,
    #[arg(long, default_value = "/tmp/psg")]
    out: std::path::PathBuf,
}
fn main() {
    let a = Args::parse();
    if let Err(e) = run(&a) {
        eprintln!("{e}");
        std::process::exit(1)
    }
}
fn run(a: &Args) -> Result<()> {
    println!("{a:?}");
    std::fs::create_dir_all(&a.out).unwrap();
    let mut config = Psgan::tiny();
    config.mismatch = a.mismatch;
    config.amplitude = a.amplitude;
    config.identity = a.identity;
    let label = a.label;
    for p in &mut config.growth.phases {
        p.batch = a.batch;
    }
    let bodies = Avatar::bodies().size(32).dataset()?.in_memory();
    let (seen, test) = (bodies.train(), bodies.test());
    let unseen = test.subset(&(0..500).map(|i| i * test.len() / 500).collect::<Vec<_>>())?;
    let training = Training { seed: Seed(0), steps: a.reader, ..Training::default() };
    let reader = PoseReader::train(&seen, &training, |_, _| {})?;
    let poses = unseen.poses(&(0..500).collect::<Vec<_>>())?;
    let labelled = seen.labelled_by("costume", |key| format!("costume {}", key.split('/').next().unwrap_or_default()))?;
    let seen = if label { config = config.labelled(labelled.tags(), "costume")?; labelled } else { seen };
    let gan = config.build_with(&tachie::device()?, Seed(0))?;
    let run = a.out.join("run");
    let _ = std::fs::remove_dir_all(&run);
    let mut trainer = gan.train_with(&seen, &run, Options::default())?;
    let mut spent = 0.0;
    while spent < a.seconds - 1.0 {
        let t = Instant::now();
        trainer.seconds(a.every)?;
        spent += t.elapsed().as_secs_f64();
        let g = gan.ema();
        let e = reader.errors(&g.sample(&poses, Seed(3))?, &poses)?;
        let [one, two] = identities(&g, &unseen)?;
        println!(
            "PCK {spent:.0}s step {} images {} pck {:.3} colours one {one:.1} two {two:.1}",
            trainer.steps_done(),
            trainer.images_seen(),
            e.pck(0.1, &Scale::Box)?.value
        );
        let p8 = poses.narrow(0, 0, 48)?;
        let z = g.latents(&(0..8).collect::<Vec<_>>())?;
        let _ = p8;
        let few = unseen.poses(&(0..6).map(|i| i * 80).collect::<Vec<_>>())?;
        g.characters(&z, &few)?.grid(8)?.save(a.out.join("chars.png"))?;
        trainer.history()?.plot().save(a.out.join("loss.png"))?;
    }
    Ok(())
}
fn identities(gan: &Psgan, unseen: &Dataset) -> Result<[f64; 2]> {
    const SIDE: usize = 12;
    let poses = unseen.poses(&(0..SIDE).map(|i| i * unseen.len() / SIDE).collect::<Vec<_>>())?;
    let z = gan.latents(&(0..SIDE as u32).collect::<Vec<_>>())?;
    let colours = figure_colours(&gan.characters(&z, &poses)?)?;
    let at = |pose: usize, character: usize| colours[pose * SIDE + character];
    let apart = |a: [f64; 3], b: [f64; 3]| (0..3).map(|i| (a[i] - b[i]).abs()).sum::<f64>() / 3.0;
    let (mut one, mut two) = (0.0, 0.0);
    for i in 0..SIDE {
        for j in 0..SIDE {
            one += apart(at(j, i), at((j + 1) % SIDE, i));
            two += apart(at(i, j), at(i, (j + 1) % SIDE));
        }
    }
    Ok([one, two].map(|sum| sum / (SIDE * SIDE) as f64))
}
fn figure_colours(images: &Images) -> Result<Vec<[f64; 3]>> {
    let mean = |picture: &tachie::image::RgbImage| {
        let figure: Vec<_> = picture.pixels().filter(|pixel| pixel.0.iter().any(|&v| v < 235)).collect();
        [0, 1, 2].map(|i| figure.iter().map(|pixel| f64::from(pixel.0[i])).sum::<f64>() / figure.len().max(1) as f64)
    };
    Ok(images.to_rgb()?.iter().map(mean).collect())
}
