//! The losses: WGAN-GP, and what holds poses and characters together.

use std::borrow::Cow;
use std::collections::HashSet;

use candle_core::{Device, Tensor, Var};

use super::config::PsganConfig;
use crate::data::batch::{Batch, Images};
use crate::data::dataset::Dataset;
use crate::data::poses::person;
use crate::losses::features::squared_distance;
use crate::losses::{diversity, wasserstein};
use crate::models::baselines::progan::{latents, level, neither, normal};
use crate::models::classes::{count, in_turn, joined, surprise};
use crate::models::preview::keep_rows;
use crate::nn::critic::Critic;
use crate::nn::params::Scope;
use crate::nn::precision::Precision;
use crate::nn::progressive::level::fade_pictures;
use crate::nn::progressive::{Discriminator, DiscriminatorSpec, Generator, GrowingShape, Level, Poses};
use crate::ops::resample::avg_pool2d;
use crate::rng::Seed;
use crate::train::gan::{Gan, Losses, Player, Step};
use crate::train::plan::Plan;
use crate::{Error, Result};

/// Characters and poses of a preview: one row per pose.
const PREVIEW: usize = 4;

/// Partners that every picture is shown with before any pair comes again.
const PARTNERS: usize = 4;

/// Generator and discriminator of one configuration.
#[derive(Clone, Debug)]
pub struct Adversaries {
    config: PsganConfig,
    generator: Generator,
    discriminator: Discriminator,
    /// The same discriminator in f32, whatever the plan computes in: penalties are.
    exact: Discriminator,
    /// Key points of the previews `[4, M, 3]`: those of the first minibatch of the training.
    shown: Var,
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

    /// The pictures of a batch: where they come in twos, both of each pair, the partners after all others.
    fn shown<'a>(&self, batch: &'a Batch) -> Result<Cow<'a, Batch>> {
        if !self.config.twos {
            return Ok(Cow::Borrowed(batch));
        }
        let (Some(sources), Some(points), Some(of_sources)) = (&batch.sources, &batch.points, &batch.source_points)
        else {
            let (expected, hint) = ("two of each character, with key points", "Take `pairs` of posed pictures.");
            return Err(Error::invalid("batch", "single pictures", expected, hint));
        };
        // A run at a smaller resolution has made the pictures smaller, not those that they come with.
        let smaller = |of: &Tensor| of.dims()[3] / batch.images.dims().last().copied().unwrap_or(1).max(1);
        let sources = avg_pool2d(sources, smaller(sources))?;
        let both = |first: &Tensor, second: &Tensor| -> Result<Tensor> { Ok(Tensor::cat(&[first, second], 0)?) };
        Ok(Cow::Owned(Batch {
            points: Some(both(points, of_sources)?),
            labels: batch.labels.as_ref().map(|labels| both(labels, labels)).transpose()?,
            indices: batch.indices.repeat(2),
            ..Batch::of(both(&batch.images, &sources)?)
        }))
    }

    /// The shape of one latent vector for each character of a batch.
    fn characters(&self, batch: &Batch) -> [usize; 2] {
        let pictures_of_each = if self.config.twos { 2 } else { 1 };
        [batch.len() / pictures_of_each, self.config.network.latent]
    }

    /// Latent vectors of characters as those of their pictures: where they come in twos, one for both.
    fn of_pictures(&self, z: Tensor) -> Result<Tensor> {
        Ok(if self.config.twos { Tensor::cat(&[&z, &z], 0)? } else { z })
    }

    fn made(&self, who: &Told, poses: &Poses, level: Level) -> Result<Tensor> {
        self.generator.forward(&joined(&who.z, who.classes.as_ref())?, Some(poses), level)
    }

    fn poses(&self, batch: &Batch) -> Result<Poses> {
        let keypoints = self.config.keypoints;
        let wanted = [batch.len(), keypoints, 3];
        match &batch.points {
            Some(points) if points.dims() == wanted => self.config.poses(points),
            Some(points) => Err(Error::shape("batch: key points", points.dims(), format!("{wanted:?}"))),
            None => {
                let expected = format!("{keypoints} key points per picture");
                let hint = "Train on a data set with key points.";
                Err(Error::invalid("batch", "pictures without key points", expected, hint))
            }
        }
    }

    fn generator_loss(
        &self,
        batch: &Batch,
        made: &Tensor,
        who: Told,
        poses: &Poses,
        step: &mut Step,
    ) -> Result<Losses> {
        let level = level(batch, step);
        let judge = self.discriminator.at(level, Some(poses))?;
        let (scores, read) = judge.with_reading(made)?;
        let mut losses = self.config.objective.generator_loss(&scores)?;
        self.add_reading(&mut losses, "", read, &who)?;
        if self.config.diversity > 0.0 {
            let z = self.of_pictures(normal(step, "z/others", self.characters(batch), &batch.images)?)?;
            let others = self.made(&Told { z, ..who }, poses, level)?;
            losses.add("diversity", &diversity::lacking(made, &others, self.config.spread)?, self.config.diversity)?;
        }
        Ok(losses)
    }

    fn critic_loss(&self, batch: &Batch, made: &Tensor, who: &Told, poses: &Poses, step: &Step) -> Result<Losses> {
        let level = level(batch, step);
        let real = fade_pictures(&batch.images, level)?;
        let (judge, exact) = (self.discriminator.at(level, Some(poses))?, self.exact.at(level, Some(poses))?);
        let made = made.detach();
        let ((of_real, read_real), (of_made, read)) = (judge.with_reading(&real)?, judge.with_reading(&made)?);
        let mut losses = self.config.objective.critic_loss([&of_real, &of_made], exact, [&real, &made], step)?;
        if self.config.mismatch > 0.0 {
            let others = poses.exchanged()?;
            let of_others = self.discriminator.at(level, Some(&others))?.logit(&real)?;
            losses.add(
                "mismatch",
                &wasserstein::margin(&of_real, &of_others, self.config.margin)?,
                self.config.mismatch,
            )?;
        }
        self.add_reading(&mut losses, "_fake", read, who)?;
        if let (Some(read), Some(classes)) = (read_real, &who.classes) {
            losses.add("class_real", &surprise(&self.class_part(&read)?, classes)?, 1.0)?;
        }
        Ok(losses)
    }

    /// How far what was read off made pictures is from what they are made of, with the head that reads.
    fn add_reading(&self, losses: &mut Losses, of: &str, read: Option<Tensor>, who: &Told) -> Result<()> {
        let Some(read) = read else { return Ok(()) };
        if self.config.identity > 0.0 {
            losses.add(
                "identity",
                &apart(&read.narrow(1, 0, self.config.latent_reads())?, &who.z)?,
                self.config.identity,
            )?;
        }
        if let Some(classes) = &who.classes {
            losses.add(&format!("class{of}"), &surprise(&self.class_part(&read)?, classes)?, 1.0)?;
        }
        Ok(())
    }

    /// The classes in what the head reads, after the numbers of the latent vector.
    fn class_part(&self, read: &Tensor) -> Result<Tensor> {
        let first = self.config.latent_reads();
        Ok(read.narrow(1, first, read.dims()[1] - first)?.contiguous()?)
    }
}

/// Whether every picture comes with another one of its character, and with the pose of that.
fn comes_in_twos(dataset: &Dataset) -> bool {
    dataset.has_sources() && dataset.source_pose(0).is_ok_and(|pose| pose.is_some())
}

fn somebody_is_shown_twice(dataset: &Dataset) -> bool {
    let mut people = HashSet::new();
    (0..dataset.len()).filter_map(|i| dataset.key(i).ok()).any(|key| !people.insert(person(&key).to_string()))
}

/// What characters are made of.
struct Told {
    z: Tensor,
    classes: Option<Tensor>,
}

/// mean (read − z)² over the first numbers of latent vectors, as many as were read.
fn apart(read: &Tensor, z: &Tensor) -> Result<Tensor> {
    squared_distance(&read.contiguous()?, &z.narrow(1, 0, read.dims()[1])?.contiguous()?)
}

impl Gan for Adversaries {
    type Config = PsganConfig;
    const NAME: &'static str = "psgan";

    fn new(config: &PsganConfig, params: &Scope) -> Result<Adversaries> {
        config.check()?;
        let &PsganConfig { ref network, keypoints, inject, group, .. } = config;
        let classes = count(config.classes.as_ref())?;
        let reads = config.latent_reads() + classes;
        let whole = GrowingShape { latent: network.latent + classes, ..network.clone() };
        let (makes, judges) = (params.pp(Player::Generator.prefix()), params.pp(Player::Discriminator.prefix()));
        let spec =
            DiscriminatorSpec { group, keypoints, inject, reads, twos: config.twos, ..DiscriminatorSpec::default() };
        Ok(Adversaries {
            config: config.clone(),
            generator: Generator::new(&whole, keypoints, &makes)?,
            discriminator: Discriminator::new(network, spec, &judges)?,
            exact: Discriminator::new(network, spec, &judges.computing_in(Precision::F32)?)?,
            shown: makes.buffer("preview_points", &[PREVIEW, keypoints, 3], 0.0)?,
        })
    }

    fn plan(config: &PsganConfig) -> Plan {
        config.growth.plan()
    }

    fn summary(config: &PsganConfig) -> Vec<(&'static str, String)> {
        let &PsganConfig { ref network, keypoints, ref objective, .. } = config;
        let mut rows = network.summary(&format!("z of {} normal numbers, {keypoints} key points", network.latent));
        rows.push(("losses", objective.summary()));
        rows
    }

    fn for_data(config: &PsganConfig, dataset: &Dataset) -> PsganConfig {
        let keypoints = dataset.skeleton().map_or(config.keypoints, |skeleton| skeleton.len());
        let twos = config.twos && (comes_in_twos(dataset) || somebody_is_shown_twice(dataset));
        PsganConfig { keypoints, twos, ..config.clone() }
    }

    /// Pictures in twos are drawn from single ones by whom these show.
    fn prepared(config: &PsganConfig, dataset: &Dataset, seed: Seed) -> Result<Dataset> {
        if !config.twos || comes_in_twos(dataset) {
            return Ok(dataset.clone());
        }
        if !somebody_is_shown_twice(dataset) {
            let found = format!("{} pictures in which nobody is shown twice", dataset.len());
            let expected = "several of each character, whose names begin alike (`anna/17`)";
            let hint = "Or train without `twos`.";
            return Err(Error::invalid(format!("data set {}", dataset.name()), found, expected, hint));
        }
        dataset.pairs(PARTNERS * dataset.len(), seed.child("twos"), |key| person(key).to_string())
    }

    fn check_data(config: &PsganConfig, dataset: &Dataset) -> Result<()> {
        if let Some(classes) = &config.classes {
            classes.check(dataset)?;
        }
        let (found, hint) = match dataset.skeleton().map(|skeleton| skeleton.len()) {
            Some(points) if points == config.keypoints => return Ok(()),
            Some(points) => (points, format!("Give the model as many: `Psgan::tiny().keypoints({points})`.")),
            None => (0, "Poses come with `Avatar::bodies()`; without them train `Progan`.".into()),
        };
        let what = format!("key points of {}", dataset.name());
        Err(Error::invalid(what, found.to_string(), config.keypoints.to_string(), hint))
    }

    fn loss(&self, who: Player, batch: &Batch, step: &mut Step) -> Result<Losses> {
        let batch = &*self.shown(batch)?;
        let (level, poses) = (level(batch, step), self.poses(batch)?);
        let z = self.of_pictures(latents(step, who, self.characters(batch), &batch.images)?)?;
        let classes = self.config.classes.as_ref().map(|classes| classes.of(batch)).transpose()?;
        let told = Told { z, classes };
        let made = self.made(&told, &poses, level)?;
        match who {
            Player::Generator => {
                self.generator.set_level(level)?;
                if let (1, Some(points)) = (step.number, &batch.points) {
                    keep_rows(&self.shown, points)?;
                }
                self.generator_loss(batch, &made, told, &poses, step)
            }
            Player::Discriminator => self.critic_loss(batch, &made, &told, &poses, step),
            other => Err(neither(other)),
        }
    }

    /// Every row is one pose, every column one character.
    fn preview(&self, seed: Seed) -> Result<Images> {
        let device: &Device = self.generator.device();
        let z = seed.stream("preview/z").normal_tensor(&[PREVIEW, self.config.network.latent], device)?;
        let z = in_turn(self.config.classes.as_ref(), &z)?;
        let shown = self.shown.as_detached_tensor();
        let points = shown.unsqueeze(1)?.repeat((1, PREVIEW, 1, 1))?.flatten(0, 1)?;
        let poses = self.config.poses(&points)?;
        Images::new(self.generator.finished(&z.repeat((PREVIEW, 1))?, Some(&poses))?.clamp(-1f32, 1f32)?)
    }
}
