//! A GAN so small that a step takes a millisecond, and pictures for it.
#![allow(dead_code, reason = "every test file uses a part of it")]

use std::collections::BTreeMap;
use std::path::Path;

use image::{Rgb, RgbImage};
use serde::{Deserialize, Serialize};
use tachie::candle_core::{Device, Tensor};
use tachie::data::batch::{Batch, Images};
use tachie::data::dataset::{Dataset, Source};
use tachie::data::tags::TagSet;
use tachie::nn::conv::{Conv2d, ConvSpec};
use tachie::nn::init::Weights;
use tachie::nn::linear::Linear;
use tachie::nn::norm::{BatchNorm, Mode, NormSpec};
use tachie::nn::params::Scope;
use tachie::ops::activation::{leaky_relu, relu, softplus, tanh};
use tachie::rng::Seed;
use tachie::train::gan::{Gan, Losses, Player, Step};
use tachie::train::history::{History, Record};
use tachie::train::plan::{Intervals, Mark, Plan, Stage};
use tachie::train::trainer::{Options, Trainer};
use tachie::{Error, Result};

pub const SIZE: u32 = 8;
const LATENT: usize = 8;

/// What goes wrong at step [`ToyConfig::fault_at`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fault {
    None,
    /// The discriminator's term `extra` is infinite.
    Term,
    /// The discriminator's term `extra` is finite, its gradient is not.
    Gradient,
    /// Every preview shows the same picture.
    Constant,
    /// The generator's loss panics.
    Panic,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToyConfig {
    pub hidden: usize,
    pub rate: f64,
    /// Weight of the generator's loss; 0 leaves the discriminator without an opponent.
    pub adversity: f64,
    pub fault: Fault,
    pub fault_at: u64,
}

impl Default for ToyConfig {
    fn default() -> Self {
        ToyConfig { hidden: 32, rate: 2e-3, adversity: 1.0, fault: Fault::None, fault_at: 0 }
    }
}

pub struct Toy {
    config: ToyConfig,
    input: Linear,
    norm: BatchNorm,
    output: Linear,
    look: Conv2d,
    judge: Linear,
    device: Device,
}

impl Toy {
    fn generate(&self, z: &Tensor, mode: Mode) -> Result<Tensor> {
        let x = relu(&self.norm.forward(&self.input.forward(z)?, mode)?)?;
        let side = SIZE as usize;
        Ok(tanh(&self.output.forward(&x)?)?.reshape((z.dim(0)?, 3, side, side))?)
    }

    fn logits(&self, images: &Tensor) -> Result<Tensor> {
        let x = leaky_relu(&self.look.forward(images)?, 0.2)?;
        self.judge.forward(&x.flatten_from(1)?)
    }

    fn fault(&self, step: &Step, fault: Fault) -> bool {
        self.config.fault == fault && step.number >= self.config.fault_at
    }
}

impl Gan for Toy {
    type Config = ToyConfig;
    const NAME: &'static str = "toy";

    fn new(config: &ToyConfig, params: &Scope) -> Result<Toy> {
        let (g, d) = (params.pp("g"), params.pp("d"));
        let side = SIZE as usize;
        let pixels = 3 * side * side;
        Ok(Toy {
            config: config.clone(),
            input: Linear::new(&g.pp("input"), LATENT, config.hidden, Weights::fan_in(LATENT))?,
            norm: BatchNorm::new(&g.pp("norm"), config.hidden, NormSpec::default())?,
            output: Linear::new(&g.pp("output"), config.hidden, pixels, Weights::fan_in(config.hidden))?,
            look: Conv2d::new(&d.pp("look"), 3, 8, 3, ConvSpec::padded(1), Weights::fan_in(27))?,
            judge: Linear::new(&d.pp("judge"), 8 * side * side, 1, Weights::fan_in(8 * side * side))?,
            device: params.device().clone(),
        })
    }

    /// Two stages with a fade, another batch size and another rate, and two discriminator moves a step.
    fn plan(config: &ToyConfig) -> Plan {
        let stage = |until, batch| Stage::new(Mark::Steps(until), SIZE as usize, batch, config.rate);
        Plan::new(stage(6, 8))
            .then(stage(60, 4).fade(10).player_rate(Player::Generator, config.rate / 2.0))
            .order(&[(Player::Discriminator, 2), (Player::Generator, 1)])
            .intervals(Intervals { history: 1, preview: 5, checkpoint: 1000 })
    }

    fn share(&self, batch: &Batch, step: &mut Step) -> Result<()> {
        let z = step.stream("z").normal_tensor(&[batch.len(), LATENT], &self.device)?;
        let fake = self.generate(&z, Mode::Train)?;
        // The fade is there to be resumed in its middle.
        let fake = (fake * step.position.alpha)?;
        step.put("fake", fake);
        Ok(())
    }

    fn loss(&self, who: Player, batch: &Batch, step: &mut Step) -> Result<Losses> {
        let missing = || Error::invalid("step", "no fake", "share before loss", "");
        let fake = step.get("fake").ok_or_else(missing)?;
        let mut losses = Losses::new();
        if who == Player::Generator {
            assert!(!self.fault(step, Fault::Panic), "the toy panics");
            let adv = softplus(&self.logits(&fake)?.neg()?)?.mean_all()?;
            losses.add("adv", &adv, if self.config.adversity == 0.0 { 1e-12 } else { self.config.adversity })?;
            return Ok(losses);
        }
        let real = softplus(&self.logits(&batch.images)?.neg()?)?.mean_all()?;
        let logits = self.logits(&fake.detach())?;
        let made = softplus(&logits)?.mean_all()?;
        losses.add("adv", &(real + made)?, 1.0)?.watch("logit", &logits.mean_all()?)?;
        if self.fault(step, Fault::Term) {
            losses.add("extra", &(logits.mean_all()? * f64::INFINITY)?, 1.0)?;
        }
        if self.fault(step, Fault::Gradient) {
            // Not affine(0, 0): candle does not follow it backwards.
            losses.add("extra", &(&logits * logits.zeros_like()?)?.sqrt()?.mean_all()?, 1.0)?;
        }
        Ok(losses)
    }

    fn preview(&self, seed: Seed) -> Result<Images> {
        let z = seed.stream("z").normal_tensor(&[4, LATENT], &self.device)?;
        let images = self.generate(&z, Mode::Eval)?;
        Images::new(if self.config.fault == Fault::Constant { images.zeros_like()? } else { images })
    }
}

/// Squares of one colour on another, at random places.
pub struct Squares {
    pub seed: u64,
    pub count: usize,
    pub tags: TagSet,
}

impl Source for Squares {
    fn len(&self) -> usize {
        self.count
    }

    fn tags(&self) -> &TagSet {
        &self.tags
    }

    fn image(&self, i: usize) -> Result<RgbImage> {
        let mut stream = Seed(self.seed).stream(&format!("square/{i}"));
        let mut colour = || Rgb([0; 3].map(|_: u8| stream.below(256) as u8));
        let (ground, ink) = (colour(), colour());
        let (x, y) = (stream.below(6) as u32, stream.below(6) as u32);
        let inside = |px: u32, py: u32| (x..x + 3).contains(&px) && (y..y + 3).contains(&py);
        Ok(RgbImage::from_fn(SIZE, SIZE, |px, py| if inside(px, py) { ink } else { ground }))
    }

    fn labels(&self, _: usize) -> Vec<f32> {
        Vec::new()
    }

    fn name(&self) -> String {
        "squares".into()
    }

    fn fingerprint(&self) -> String {
        format!("squares {} {}", self.seed, self.count)
    }

    fn size(&self) -> u32 {
        SIZE
    }
}

pub fn squares(seed: u64, count: usize) -> Dataset {
    Dataset::from_source(Squares { seed, count, tags: TagSet::none() })
}

/// A trainer of the toy with seed 3 on 50 squares, which no batch size divides.
pub fn open(folder: impl AsRef<Path>, config: &ToyConfig, options: Options) -> Result<Trainer> {
    Trainer::open::<Toy>(config, &squares(1, 50), folder, options.seed(Seed(3)))
}

/// Options that checkpoint after every step.
pub fn every_step() -> Options {
    Options::default().intervals(Intervals { history: 1, preview: 5, checkpoint: 1 })
}

/// The tensor files of the latest checkpoint and its state without what names files and versions.
pub fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let latest = std::fs::read_to_string(folder.join("checkpoints/latest")).unwrap();
    let checkpoint = folder.join("checkpoints").join(latest.trim());
    let entries = std::fs::read_dir(&checkpoint).unwrap().map(|entry| entry.unwrap());
    let named = entries.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()));
    named.chain([("latest".to_string(), latest.into_bytes())]).collect()
}

/// The history with the timings set to 0.
pub fn rows(folder: &Path) -> Vec<Record> {
    let mut records = History::open(folder).unwrap().records().to_vec();
    records.iter_mut().for_each(|record| record.seconds = 0.0);
    records
}

/// That two runs are the same, bit for bit.
pub fn assert_same(a: &Path, b: &Path) {
    let (left, right) = (contents(a), contents(b));
    assert_eq!(left.keys().collect::<Vec<_>>(), right.keys().collect::<Vec<_>>());
    for (name, bytes) in &left {
        assert!(*bytes == right[name], "{name} differs between {} and {}", a.display(), b.display());
    }
    assert_eq!(rows(a), rows(b));
}
