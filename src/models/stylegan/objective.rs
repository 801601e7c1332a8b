//! The losses (section 2 and appendix C) and the schedule.

use candle_core::{Device, Tensor};

use super::config::{Objective, StyleganConfig};
use super::generator::Generator;
use super::synthesis::{Noise, Synthesis};
use crate::Result;
use crate::data::batch::{Batch, Images};
use crate::losses::{adversarial, penalty};
use crate::models::baselines::progan::{latents, level, neither};
use crate::nn::augment::{Augment, Augmented, Drawn};
use crate::nn::critic::Critic;
use crate::nn::params::Scope;
use crate::nn::precision::Precision;
use crate::nn::progressive::level::fade_pictures;
use crate::nn::progressive::{Discriminator, DiscriminatorSpec, Level};
use crate::rng::Seed;
use crate::train::gan::{Gan, Losses, Player, Step};
use crate::train::plan::Plan;

/// Pictures of a preview.
const PREVIEW: usize = 16;

/// Generator and discriminator of one configuration.
#[derive(Clone, Debug)]
pub struct Adversaries {
    config: StyleganConfig,
    generator: Generator,
    discriminator: Discriminator,
    /// The same discriminator in f32, whatever the plan computes in: penalties are.
    exact: Discriminator,
    augment: Option<Augment>,
}

impl Adversaries {
    /// The generator.
    pub fn generator(&self) -> &Generator {
        &self.generator
    }

    /// What is done to the pictures that the discriminator sees, if anything is.
    pub fn augment(&self) -> Option<&Augment> {
        self.augment.as_ref()
    }

    /// The discriminator.
    pub fn discriminator(&self) -> &Discriminator {
        &self.discriminator
    }

    /// Pictures of `count` random latents as they are drawn in training: with noise, mostly with two styles.
    fn make(&self, who: Player, like: &Tensor, level: Level, step: &mut Step) -> Result<Tensor> {
        let count = like.dims()[0];
        let z = latents(step, who, [2 * count, self.config.network.latent], like)?;
        let shape = [count, Synthesis::noise_len(level)];
        let name = format!("noise/{}", who.name());
        let [noise] =
            step.draw(&name, like.device(), move |stream| Ok([stream.normal_tensor(&shape, &Device::Cpu)?]))?;
        let first = self.generator.styles(&z.narrow(0, 0, count)?.contiguous()?, None)?;
        self.generator.follow(&first.layers()[0])?;
        let mut stream = step.stream(&format!("mixing/{}", who.name()));
        let active = Synthesis::layers_at(level);
        let styles = if stream.chance(self.config.mixing) {
            // The second style from one of the layers 1 to the last on, all equally likely.
            let from = 1 + stream.below(active - 1);
            let second = self.generator.styles(&z.narrow(0, count, count)?.contiguous()?, None)?;
            first.mixed(&second, from..self.generator.synthesis().layers())?
        } else {
            first
        };
        self.generator.synthesis().forward(&styles, &Noise::Drawn(&noise.to_dtype(like.dtype())?), level)
    }

    /// What happens to pictures before the discriminator sees them; nothing without augmentation.
    fn transforms(&self, name: &str, pictures: &Tensor, step: &Step) -> Result<Drawn> {
        match &self.augment {
            Some(augment) => augment.draw([pictures.dims()[0], pictures.dims()[3]], &mut step.stream(name)),
            None => Ok(Drawn::nothing()),
        }
    }

    fn critic_loss(&self, real: &Tensor, made: &Tensor, level: Level, step: &Step) -> Result<Losses> {
        let (judge, exact) = (self.discriminator.at(level, None)?, self.exact.at(level, None)?);
        let of_real = self.transforms("augment/real", real, step)?;
        let made = self.transforms("augment/fake", made, step)?.apply(&made.detach())?;
        match &self.config.objective {
            Objective::Wasserstein(config) => {
                let real = of_real.apply(real)?;
                let scores = [judge.logit(&real)?, judge.logit(&made)?];
                config.critic_loss(scores.each_ref(), exact, [&real, &made], step)
            }
            Objective::Logistic { gamma } => {
                // The penalty's scores of the real pictures are the loss's. Its gradient is with respect to the pictures
                // before they are transformed, as in the authors' code.
                let critic = Augmented { critic: exact, by: &of_real };
                let (scores, r1) = match *gamma > 0.0 {
                    true => penalty::scored_r1(&critic, real).map(|(scores, r1)| (scores, Some(r1)))?,
                    false => (judge.logit(&of_real.apply(real)?)?, None),
                };
                let mut losses = Losses::new();
                losses.add("adv_real", &adversarial::real(&scores)?, 1.0)?;
                losses.add("adv_fake", &adversarial::fake(&judge.logit(&made)?)?, 1.0)?;
                if let Some(r1) = r1 {
                    losses.add("r1", &r1, gamma / 2.0)?;
                }
                if let Some(augment) = &self.augment {
                    let probability = augment.probability()?;
                    let mean_sign = augment.follow(&scores, step.number)?;
                    for (name, number) in [("ada_p", probability), ("ada_r", mean_sign)] {
                        losses.watch(name, &Tensor::new(number, &Device::Cpu)?)?;
                    }
                }
                Ok(losses)
            }
        }
    }

    fn generator_loss(&self, made: &Tensor, level: Level, step: &Step) -> Result<Losses> {
        let judge = self.discriminator.at(level, None)?;
        let made = self.transforms("augment/generator", made, step)?.apply(made)?;
        match &self.config.objective {
            Objective::Wasserstein(config) => config.generator_loss(&judge.logit(&made)?),
            Objective::Logistic { .. } => {
                let mut losses = Losses::new();
                losses.add("adv", &adversarial::real(&judge.logit(&made)?)?, 1.0)?;
                Ok(losses)
            }
        }
    }
}

impl Gan for Adversaries {
    type Config = StyleganConfig;
    const NAME: &'static str = "stylegan";

    fn new(config: &StyleganConfig, params: &Scope) -> Result<Adversaries> {
        config.check()?;
        let judge = params.pp(Player::Discriminator.prefix());
        let augment = config.augment.as_ref().map(|augment| Augment::new(augment, &judge.pp("augment"))).transpose()?;
        let spec = DiscriminatorSpec { group: config.group, blur: true, ..DiscriminatorSpec::default() };
        Ok(Adversaries {
            config: config.clone(),
            generator: Generator::new(config, &params.pp(Player::Generator.prefix()))?,
            discriminator: Discriminator::new(&config.network, spec, &judge)?,
            exact: Discriminator::new(&config.network, spec, &judge.computing_in(Precision::F32)?)?,
            augment,
        })
    }

    fn plan(config: &StyleganConfig) -> Plan {
        config.growth.plan()
    }

    fn summary(config: &StyleganConfig) -> Vec<(&'static str, String)> {
        let network = &config.network;
        let mut rows = network.summary(&format!("z of {} normal numbers", network.latent));
        rows.push(("mapping", format!("{} layers, learning rate × {}", config.mapping_layers, config.mapping_rate)));
        let losses = match &config.objective {
            Objective::Logistic { gamma } => format!("logistic, R1 with γ {gamma}"),
            Objective::Wasserstein(config) => config.summary(),
        };
        rows.push(("losses", losses));
        if let Some(augment) = &config.augment {
            rows.push(("augmentation", augment.summary()));
        }
        rows
    }

    fn loss(&self, who: Player, batch: &Batch, step: &mut Step) -> Result<Losses> {
        let level = level(batch, step);
        let made = self.make(who, &batch.images, level, step)?;
        match who {
            Player::Generator => {
                self.generator.set_level(level)?;
                self.generator_loss(&made, level, step)
            }
            Player::Discriminator => self.critic_loss(&fade_pictures(&batch.images, level)?, &made, level, step),
            other => Err(neither(other)),
        }
    }

    /// Not truncated, with the network's own noise.
    fn preview(&self, seed: Seed) -> Result<Images> {
        let device = self.generator.device();
        let z = seed.stream("preview/z").normal_tensor(&[PREVIEW, self.config.network.latent], device)?;
        let noise = Noise::Fixed(0..self.generator.synthesis().layers());
        Images::new(self.generator.draw(&self.generator.styles(&z, None)?, &noise)?.clamp(-1f32, 1f32)?)
    }
}
