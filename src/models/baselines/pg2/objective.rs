//! The losses (section 3) and the schedule.

use candle_core::Tensor;

use super::config::Pg2Config;
use super::mask::pose_mask;
use super::networks::{Coarse, Discriminator, Refiner};
use crate::data::batch::{Batch, Images};
use crate::data::dataset::Dataset;
use crate::losses::adversarial;
use crate::models::baselines::progan::neither;
use crate::models::preview::keep_rows;
use crate::nn::norm::Mode;
use crate::nn::params::Scope;
use crate::ops::data::pose_maps;
use crate::rng::Seed;
use crate::train::gan::{Gan, Losses, Player, Step};
use crate::train::plan::{Average, Mark, Plan, Stage};
use crate::{Error, Result};

/// Pictures of a preview: a row each of sources, asked poses' pictures and results.
const PREVIEW: usize = 4;
/// Decay of the running average of the weights, an addition to the paper.
const AVERAGE: f64 = 0.999;

/// Both stages and the discriminator of one configuration.
#[derive(Clone, Debug)]
pub struct Adversaries {
    config: Pg2Config,
    coarse: Coarse,
    refiner: Refiner,
    discriminator: Discriminator,
    /// Sources and key points of the previews, those of the first minibatch of the training, and how many stages have
    /// begun.
    shown: [candle_core::Var; 3],
}

/// What both stages make.
#[derive(Clone, Debug)]
pub struct Made {
    /// Of the first stage, `[N, 3, H, W]`.
    pub coarse: Tensor,
    /// Of the second, with what it adds.
    pub refined: Tensor,
}

impl Adversaries {
    /// From sources `[N, 3, H, W]` in [−1, 1] and the poses `[N, M, 3]` of the targets, x and y as shares of the side.
    ///
    /// # Errors
    /// When the shapes are others.
    pub fn make(&self, sources: &Tensor, points: &Tensor) -> Result<Made> {
        let coarse = self.coarse(sources, points)?;
        let refined = self.refine(&coarse, sources)?;
        Ok(Made { coarse, refined })
    }

    fn coarse(&self, sources: &Tensor, points: &Tensor) -> Result<Tensor> {
        let side = self.config.resolution;
        let factors = Tensor::new(&[[[side as f32, side as f32, 1.0]]], points.device())?;
        let maps = pose_maps(&points.broadcast_mul(&factors)?, [side, side], self.config.radius)?;
        self.coarse.forward(&Tensor::cat(&[sources, &maps.to_dtype(sources.dtype())?], 1)?)
    }

    fn refine(&self, coarse: &Tensor, sources: &Tensor) -> Result<Tensor> {
        let coarse = coarse.detach();
        Ok((self.refiner.forward(&Tensor::cat(&[&coarse, sources], 1)?)? + coarse)?)
    }

    /// mean |made − target| + mean (|made − target| · mask): the figure counts twice.
    fn pose_mask_loss(&self, made: &Tensor, batch: &Batch, points: &Tensor) -> Result<Tensor> {
        let mask = pose_mask(points, &self.config.limbs, self.config.resolution, self.config.radius)?;
        let away = (made - &batch.images)?.abs()?;
        let of_figure = away.broadcast_mul(&mask.to_dtype(away.dtype())?)?.mean_all()?;
        Ok((away.mean_all()? + of_figure)?)
    }

    fn inputs<'a>(&self, batch: &'a Batch) -> Result<(&'a Tensor, &'a Tensor)> {
        let wanted = [batch.len(), self.config.keypoints, 3];
        match (&batch.sources, &batch.points) {
            (Some(sources), Some(points)) if points.dims() == wanted => Ok((sources, points)),
            (Some(_), Some(points)) => Err(Error::shape("batch: key points", points.dims(), format!("{wanted:?}"))),
            _ => Err(needs_pairs("batch".into())),
        }
    }

    fn generator_loss(&self, batch: &Batch, stage: usize) -> Result<Losses> {
        let (sources, points) = self.inputs(batch)?;
        let mut losses = Losses::new();
        if stage == 0 {
            losses.add("l1", &self.pose_mask_loss(&self.coarse(sources, points)?, batch, points)?, 1.0)?;
            return Ok(losses);
        }
        let made = self.make(sources, points)?.refined;
        // Statistics as in the discriminator's own step, over all three kinds of pictures.
        let verdict = self.discriminator.forward(&Tensor::cat(&[&batch.images, &made, sources], 0)?, Mode::Train)?;
        losses.add("adv", &adversarial::real(&verdict.narrow(0, batch.len(), batch.len())?)?, 1.0)?;
        losses.add("l1", &self.pose_mask_loss(&made, batch, points)?, self.config.l1)?;
        Ok(losses)
    }

    /// (BCE(D(target), 1) + BCE(D(made and sources), 0)) / 2.
    fn discriminator_loss(&self, batch: &Batch) -> Result<Losses> {
        let (sources, points) = self.inputs(batch)?;
        let (made, n) = (self.make(sources, points)?.refined.detach(), batch.len());
        let verdict = self.discriminator.forward(&Tensor::cat(&[&batch.images, &made, sources], 0)?, Mode::Train)?;
        let mut losses = Losses::new();
        losses.add("adv_real", &adversarial::real(&verdict.narrow(0, 0, n)?)?, 0.5)?;
        losses.add("adv_fake", &adversarial::fake(&verdict.narrow(0, n, 2 * n)?)?, 0.5)?;
        Ok(losses)
    }

    /// Writes down what previews are made from, from the first minibatch, and how many stages have begun.
    fn keep(&self, batch: &Batch, step: &Step) -> Result<()> {
        let [sources, points, stages] = &self.shown;
        if step.number == 1 {
            let (of_sources, of_points) = self.inputs(batch)?;
            keep_rows(sources, of_sources)?;
            keep_rows(points, of_points)?;
        }
        let begun = Tensor::new(&[step.position.stage as f32], stages.device())?.to_dtype(stages.dtype())?;
        Ok(stages.set(&begun)?)
    }
}

fn needs_pairs(what: String) -> Error {
    let hint = "Make pairs of pictures of one character: `bodies.pairs(..)`, or `--pairs` on the command line.";
    Error::invalid(what, "pictures without sources and key points", "a source and key points per picture", hint)
}

impl Gan for Adversaries {
    type Config = Pg2Config;
    const NAME: &'static str = "pg2";

    fn new(config: &Pg2Config, params: &Scope) -> Result<Adversaries> {
        config.check()?;
        let (makes, judges) = (params.pp(Player::Generator.prefix()), params.pp(Player::Discriminator.prefix()));
        let side = config.resolution;
        Ok(Adversaries {
            config: config.clone(),
            coarse: Coarse::new(config, &makes.pp("coarse"))?,
            refiner: Refiner::new(config, &makes.pp("refiner"))?,
            discriminator: Discriminator::new(config, &judges)?,
            shown: [
                makes.buffer("preview_sources", &[PREVIEW, 3, side, side], 0.0)?,
                makes.buffer("preview_points", &[PREVIEW, config.keypoints, 3], 0.0)?,
                makes.buffer("stages", &[1], 1.0)?,
            ],
        })
    }

    fn plan(config: &Pg2Config) -> Plan {
        let &Pg2Config { resolution, batch, rate, first_steps, second_steps, .. } = config;
        let stage = |steps| Stage::new(Mark::Steps(steps), resolution, batch, rate);
        let first = stage(first_steps).only([Player::Generator]);
        Plan::of(vec![first, stage(first_steps + second_steps)]).adam(0.5, 0.999, 1e-8).average(Average::Decay(AVERAGE))
    }

    fn summary(config: &Pg2Config) -> Vec<(&'static str, String)> {
        let &Pg2Config { resolution: side, channels, keypoints, l1, .. } = config;
        vec![
            ("input", format!("a picture of {side} px, {keypoints} key points of another pose")),
            ("output", format!("[N, 3, {side}, {side}], about in [-1, 1]")),
            ("networks", format!("two U-Nets of {channels} channels and on, a discriminator of single pictures")),
            ("losses", format!("first stage: masked L1; second: adversarial, {l1} × masked L1")),
        ]
    }

    fn for_data(config: &Pg2Config, dataset: &Dataset) -> Pg2Config {
        match dataset.skeleton() {
            Some(skeleton) if skeleton.len() != config.keypoints => Pg2Config {
                keypoints: skeleton.len(),
                limbs: skeleton.limbs().iter().map(|limb| [limb.from, limb.to]).collect(),
                ..config.clone()
            },
            _ => config.clone(),
        }
    }

    fn check_data(config: &Pg2Config, dataset: &Dataset) -> Result<()> {
        match dataset.skeleton().map(|skeleton| skeleton.len()) {
            Some(points) if points == config.keypoints && dataset.has_sources() => Ok(()),
            _ => Err(needs_pairs(format!("data set {}", dataset.name()))),
        }
    }

    fn loss(&self, who: Player, batch: &Batch, step: &mut Step) -> Result<Losses> {
        match who {
            Player::Generator => {
                self.keep(batch, step)?;
                self.generator_loss(batch, step.position.stage)
            }
            Player::Discriminator => self.discriminator_loss(batch),
            other => Err(neither(other)),
        }
    }

    /// Sources, and what becomes of them: of the first stage's network as long as the second has not begun.
    fn preview(&self, _: Seed) -> Result<Images> {
        let [sources, points, stages] = [0, 1, 2].map(|i| self.shown[i].as_detached_tensor());
        let second = stages.to_dtype(candle_core::DType::F32)?.to_vec1::<f32>()?[0] > 0.5;
        let Made { coarse, refined } = self.make(&sources, &points)?;
        let made = if second { refined } else { coarse };
        Images::new(Tensor::cat(&[&sources, &made], 0)?.clamp(-1f32, 1f32)?)
    }
}
