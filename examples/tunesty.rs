use clap::Parser;
use std::time::Instant;
use tachie::Result;
use tachie::data::avatar::Avatar;
use tachie::metrics::features::kid::Kid;
use tachie::metrics::nets::tagger::Tagger;
use tachie::models::baselines::progan::WassersteinConfig;
use tachie::models::stylegan::{Objective, Stylegan};
use tachie::rng::Seed;
use tachie::train::trainer::Options;

#[derive(Parser, Debug)]
struct Args {
    #[arg(long, default_value_t = 600.0)]
    seconds: f64,
    #[arg(long, default_value_t = 100.0)]
    every: f64,
    #[arg(long, default_value_t = 1.0)]
    rate: f64,
    #[arg(long, default_value_t = 1.0)]
    gamma: f64,
    #[arg(long, default_value_t = 512)]
    base: usize,
    #[arg(long, default_value_t = 4)]
    batch: usize,
    #[arg(long)]
    w: bool,
    #[arg(long, default_value_t = 0.01)]
    map: f64,
    /// res:fade:stable:rate,...
    #[arg(long, default_value = "")]
    growth: String,
    #[arg(long, default_value = "/tmp/sty")]
    out: std::path::PathBuf,
}
fn main() {
    if let Err(e) = run(&Args::parse()) {
        eprintln!("{e}");
    }
}
fn run(a: &Args) -> Result<()> {
    println!("{a:?}");
    std::fs::create_dir_all(&a.out).unwrap();
    let mut config = Stylegan::tiny();
    config.network.base = a.base;
    config.mapping_rate = a.map;
    config.objective = Objective::Logistic { gamma: a.gamma };
    if a.w {
        config.objective = Objective::Wasserstein(WassersteinConfig::default());
    }
    if !a.growth.is_empty() {
        config.growth.phases = a
            .growth
            .split(',')
            .map(|p| {
                let v: Vec<f64> = p.split(':').map(|x| x.parse().unwrap()).collect();
                tachie::train::plan::Phase {
                    resolution: v[0] as usize,
                    fade: v[1] as u64,
                    stable: v[2] as u64,
                    batch: a.batch,
                    rate: v[3],
                }
            })
            .collect();
    }
    for p in &mut config.growth.phases {
        p.rate *= a.rate;
        p.batch = a.batch;
    }
    let bodies = Avatar::bodies().size(64).dataset()?.in_memory();
    let tagger = Tagger::builtin()?;
    let real: Vec<_> = (0..600).map(|i| bodies.image(i * bodies.len() / 600)).collect::<Result<_>>()?;
    let real = tagger.features_of(&real)?;
    let gan = config.build_with(&tachie::device()?, Seed(0))?;
    let run = a.out.join("run");
    let _ = std::fs::remove_dir_all(&run);
    let mut trainer = gan.train_with(&bodies, &run, Options::default())?;
    let mut spent = 0.0;
    let kid = |g: &Stylegan| -> Result<f64> {
        Ok(1000.0 * Kid::new().score(&real, &tagger.features_of(&g.sample(600, Seed(3))?.to_rgb()?)?)?.value)
    };
    println!("before kid {:.1}", kid(&gan)?);
    while spent < a.seconds {
        let t = Instant::now();
        trainer.seconds(a.every)?;
        spent += t.elapsed().as_secs_f64();
        println!(
            "KID {spent:.0}s step {} images {} kid {:.1} raw {:.1}",
            trainer.steps_done(),
            trainer.images_seen(),
            kid(&gan.ema())?,
            kid(&gan)?
        );
        gan.ema().sample(32, Seed(1))?.grid(8)?.save(a.out.join("ema.png"))?;
        gan.sample(32, Seed(1))?.grid(8)?.save(a.out.join("raw.png"))?;
        trainer.history()?.plot().save(a.out.join("loss.png"))?;
    }
    Ok(())
}
