//! The losses (section 3.2) and the schedule (section 3.3).

use candle_core::{Device, Tensor};

use super::config::{MakeGirlsConfig, Planes};
use super::discriminator::Discriminator;
use super::generator::Generator;
use crate::data::batch::{Batch, Images};
use crate::data::dataset::Dataset;
use crate::data::tags::Labels;
use crate::losses::adversarial::{fake, real};
use crate::losses::attribute::attributes;
use crate::losses::penalty::{dragan_at, dragan_draws};
use crate::models::labels::{check_tags, labels_of};
use crate::nn::norm::Mode;
use crate::nn::params::Scope;
use crate::rng::Seed;
use crate::rng::Stream;
use crate::train::gan::{Gan, Losses, Player, Step};
use crate::train::plan::{Average, Decay, Mark, Plan, Precision, Stage};
use crate::{Error, Result};

/// Pictures of a preview.
const PREVIEW: usize = 25;

/// Generator and discriminator of one configuration.
#[derive(Clone, Debug)]
pub struct Adversaries {
    config: MakeGirlsConfig,
    generator: Generator,
    discriminator: Discriminator,
    /// The same discriminator in f32, whatever the plan computes in: penalties are.
    exact: Discriminator,
}

impl Planes {
    /// Pictures `[N, 3, H, W]` in red-green-blue order to this order, or back: both exchange red and blue or neither.
    ///
    /// # Errors
    /// When there are no three planes.
    pub fn swap(self, images: &Tensor) -> Result<Tensor> {
        match self {
            Planes::Rgb => Ok(images.clone()),
            Planes::Bgr => {
                let plane = |i| images.narrow(1, i, 1);
                Ok(Tensor::cat(&[plane(2)?, plane(1)?, plane(0)?], 1)?)
            }
        }
    }
}

impl Adversaries {
    /// The generator.
    pub fn generator(&self) -> &Generator {
        &self.generator
    }

    /// The discriminator.
    pub fn discriminator(&self) -> &Discriminator {
        &self.discriminator
    }

    fn labels(&self, count: usize, stream: &mut Stream) -> Result<Vec<Labels>> {
        (0..count).map(|_| self.config.sampler.sample(&self.config.tags, stream)).collect()
    }

    /// L_D = 34·[BCE(a(x), 1) + BCE(a(G), 0)] + BCE(t(x), y) + BCE(t(G), c) + 0.5·GP, all means over the pictures and
    /// the attribute terms sums over the labels. The paper prints the attribute terms with the sign of a likelihood.
    fn discriminator_loss(&self, batch: &Batch, made: &Tensor, asked: &Tensor, step: &mut Step) -> Result<Losses> {
        let objective = &self.config.objective;
        let shown = self.config.planes.swap(&batch.images)?;
        let labels = labels_of(batch, &self.config.tags)?;
        let cls = |said: &Tensor, of: &Tensor| attributes(said, of, &self.config.tags, objective.labels);
        // One pass over both halves: nothing in the discriminator mixes pictures.
        let verdict = self.discriminator.forward(&Tensor::cat(&[&shown, &made.detach()], 0)?)?;
        let (of_shown, of_made) = verdict.split(batch.len())?;
        let mut losses = Losses::new();
        losses.add("adv_real", &real(&of_shown.logit)?, objective.lambda_adv)?;
        losses.add("adv_fake", &fake(&of_made.logit)?, objective.lambda_adv)?;
        losses.add("cls_real", &cls(&of_shown.attributes, labels)?, 1.0)?;
        let cls_fake = cls(&of_made.attributes, asked)?;
        losses.add("cls_fake", &cls_fake, if objective.classify_fakes { 1.0 } else { 0.0 })?;
        if self.penalises(step) {
            let (shape, dtype) = (shown.dims().to_vec(), shown.dtype());
            let draws = step.draw("dragan", shown.device(), move |stream| dragan_draws(&shape, dtype, stream))?;
            let penalty = dragan_at(&self.exact, &shown, &draws)?;
            losses.add("gp", &penalty, objective.lambda_gp * objective.gp_interval as f64)?;
        }
        Ok(losses)
    }

    /// Whether this step has a gradient penalty.
    fn penalises(&self, step: &Step) -> bool {
        let objective = &self.config.objective;
        objective.lambda_gp > 0.0 && step.number.is_multiple_of(objective.gp_interval)
    }

    /// L_G = 34·BCE(a(G), 1) + BCE(t(G), c).
    fn generator_loss(&self, made: &Tensor, asked: &Tensor) -> Result<Losses> {
        let (objective, tags) = (&self.config.objective, &self.config.tags);
        let verdict = self.discriminator.forward(made)?;
        let mut losses = Losses::new();
        losses.add("adv", &real(&verdict.logit)?, objective.lambda_adv)?;
        losses.add("cls", &attributes(&verdict.attributes, asked, tags, objective.labels)?, 1.0)?;
        Ok(losses)
    }
}

impl Gan for Adversaries {
    type Config = MakeGirlsConfig;
    const NAME: &'static str = "make-girls";

    fn new(config: &MakeGirlsConfig, params: &Scope) -> Result<Adversaries> {
        config.check()?;
        let judge = params.pp(Player::Discriminator.prefix());
        Ok(Adversaries {
            config: config.clone(),
            generator: Generator::new(config, &params.pp(Player::Generator.prefix()))?,
            discriminator: Discriminator::new(config, &judge)?,
            exact: Discriminator::new(config, &judge.computing_in(Precision::F32)?)?,
        })
    }

    fn summary(config: &MakeGirlsConfig) -> Vec<(&'static str, String)> {
        super::card::summary(config)
    }

    fn for_data(config: &MakeGirlsConfig, dataset: &Dataset) -> MakeGirlsConfig {
        config.clone().tags(dataset.tags())
    }

    fn check_data(config: &MakeGirlsConfig, dataset: &Dataset) -> Result<()> {
        let hint = "Give the model the tags of the data set: `MakeGirls::tiny().tags(faces.tags())`.";
        check_tags(dataset, &config.tags, hint)
    }

    fn plan(config: &MakeGirlsConfig) -> Plan {
        let schedule = &config.schedule;
        let stage = Stage::new(Mark::Steps(schedule.steps), config.size(), schedule.batch, schedule.generator_rate)
            .player_rate(Player::Discriminator, schedule.discriminator_rate);
        Plan::new(stage)
            .adam(schedule.beta1, schedule.beta2, 1e-8)
            .decay(Decay::Exponential { from: schedule.constant_steps, tau: schedule.decay_steps })
            .average(Average::Decay(schedule.ema))
    }

    /// Steps with a penalty and steps without.
    fn kind(&self, step: &Step) -> Option<u64> {
        Some(u64::from(self.penalises(step)))
    }

    fn share(&self, batch: &Batch, step: &mut Step) -> Result<()> {
        let (images, count) = (&batch.images, batch.len());
        let (sampler, tags) = (self.config.sampler, self.config.tags.clone());
        let [asked] = step.draw("labels", images.device(), move |stream| {
            let labels: Vec<Labels> = (0..count).map(|_| sampler.sample(&tags, stream)).collect::<Result<_>>()?;
            Ok([Labels::stack(&labels, &Device::Cpu)?])
        })?;
        let shape = [count, self.config.latent];
        let [z] = step.draw("z", images.device(), move |stream| Ok([stream.normal_tensor(&shape, &Device::Cpu)?]))?;
        let (asked, z) = (asked.to_dtype(images.dtype())?, z.to_dtype(images.dtype())?);
        step.put("made", self.generator.forward(&z, &asked, Mode::Train)?);
        step.put("asked", asked);
        Ok(())
    }

    fn loss(&self, who: Player, batch: &Batch, step: &mut Step) -> Result<Losses> {
        let shared = |name: &str| {
            let hint = "Call `share` before the losses of a step.";
            step.get(name).ok_or_else(|| Error::invalid("step", format!("no tensor \"{name}\""), "one", hint))
        };
        let (made, asked) = (shared("made")?, shared("asked")?);
        match who {
            Player::Generator => self.generator_loss(&made, &asked),
            Player::Discriminator => self.discriminator_loss(batch, &made, &asked, step),
            other => Err(Error::invalid("player", other.name(), "generator or discriminator", "")),
        }
    }

    fn preview(&self, seed: Seed) -> Result<Images> {
        let labels = self.labels(PREVIEW, &mut seed.stream("preview/labels"))?;
        let device = self.generator.device();
        let asked = Labels::stack(&labels, device)?;
        let z = seed.stream("preview/z").normal_tensor(&[PREVIEW, self.config.latent], device)?;
        let made = self.generator.forward(&z, &asked, Mode::Eval)?;
        let captions = labels.iter().map(ToString::to_string).collect();
        Images::new(self.config.planes.swap(&made)?)?.with_captions(captions)
    }
}
