//! The losses (specs/faces.md C.4).

use candle_core::Tensor;

use super::config::{Adversarial, EditorConfig, Paper};
use super::generator::Generator;
use super::judge::{Heads, Judge};
use crate::data::batch::{Batch, Images};
use crate::data::changes::Changes;
use crate::data::dataset::Dataset;
use crate::data::tags::TagSet;
use crate::losses::attribute::{LabelReduction, attributes};
use crate::losses::penalty::{dragan_at, dragan_draws, wgan_gp};
use crate::losses::{adversarial, features, least_squares, wasserstein};
use crate::metrics::evaluate::{self, Pictures};
use crate::models::editing::{self, Asked, Coding, Editing, Shown};
use crate::models::labels::labels_of;
use crate::models::model::Model;
use crate::models::translation::unmade;
use crate::nn::norm::Mode;
use crate::nn::params::Scope;
use crate::rng::Seed;
use crate::train::gan::{Gan, Losses, Player, Step};
use crate::train::plan::{Plan, Precision};
use crate::{Error, Result};

/// Generator, discriminator and classifier of one configuration.
#[derive(Clone, Debug)]
pub struct Adversaries<P: Paper> {
    config: EditorConfig<P>,
    generator: Generator,
    /// The same generator for rounds in which it rests: nothing is kept for gradients.
    resting: Generator,
    discriminator: Judge,
    /// The same discriminator in f32, whatever the plan computes in: penalties are.
    exact: Judge,
    classifier: Option<Judge>,
    shown: Shown,
}

/// Scores of real and of made pictures → what the discriminator minimises.
fn judged(loss: Adversarial, real: &Tensor, made: &Tensor, losses: &mut Losses) -> Result<()> {
    match loss {
        Adversarial::Vanilla => {
            losses.add("adv_real", &adversarial::real(real)?, 1.0)?;
            losses.add("adv_fake", &adversarial::fake(made)?, 1.0)?;
        }
        Adversarial::LeastSquares => {
            losses.add("adv_real", &least_squares::real(real)?, 1.0)?;
            losses.add("adv_fake", &least_squares::fake(made)?, 1.0)?;
        }
        Adversarial::Wasserstein => {
            losses.add("adv", &wasserstein::critic(real, made)?, 1.0)?;
        }
    }
    Ok(())
}

/// Scores of made pictures → what the generator minimises.
fn deceiving(loss: Adversarial, made: &Tensor) -> Result<Tensor> {
    match loss {
        Adversarial::Vanilla => adversarial::real(made),
        Adversarial::LeastSquares => least_squares::real(made),
        Adversarial::Wasserstein => wasserstein::generator(made),
    }
}

impl<P: Paper> Adversaries<P> {
    /// The generator.
    pub fn generator(&self) -> &Generator {
        &self.generator
    }

    fn attributes(&self, logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
        attributes(logits, labels, &self.config.tags, LabelReduction::Mean)
    }

    /// Who names attributes, and the part of a step in which it learns to.
    fn classifier(&self) -> &Judge {
        self.classifier.as_ref().unwrap_or(&self.discriminator)
    }

    fn penalty(&self, batch: &Batch, made: &Tensor, step: &mut Step) -> Result<Tensor> {
        let pictures = &batch.images;
        if self.config.objective.adversarial == Adversarial::Wasserstein {
            return wgan_gp(&self.exact, pictures, made, &mut step.stream("penalty"));
        }
        let (shape, dtype) = (pictures.dims().to_vec(), pictures.dtype());
        let draws = step.draw("penalty", pictures.device(), move |stream| dragan_draws(&shape, dtype, stream))?;
        dragan_at(&self.exact, pictures, &draws)
    }

    fn of_discriminator(&self, batch: &Batch, made: &Tensor, step: &mut Step) -> Result<Losses> {
        let objective = &self.config.objective;
        let seen = self.discriminator.features(&batch.images)?;
        let scores = self.discriminator.scores(&seen)?;
        let of_made = self.discriminator.scores(&self.discriminator.features(made)?)?;
        let mut losses = Losses::new();
        judged(objective.adversarial, &scores, &of_made, &mut losses)?;
        if self.classifier.is_none() {
            let labels = labels_of(batch, &self.config.tags)?;
            losses.add("cls_real", &self.attributes(&self.discriminator.attributes(&seen)?, labels)?, 1.0)?;
        }
        if objective.penalty > 0.0 {
            losses.add("gp", &self.penalty(batch, made, step)?, objective.penalty)?;
        }
        Ok(losses)
    }

    fn of_classifier(&self, batch: &Batch) -> Result<Losses> {
        let judge = self.classifier();
        let logits = judge.attributes(&judge.features(&batch.images)?)?;
        let mut losses = Losses::new();
        losses.add("cls_real", &self.attributes(&logits, labels_of(batch, &self.config.tags)?)?, 1.0)?;
        Ok(losses)
    }

    fn of_generator(&self, batch: &Batch, made: &Tensor, step: &Step) -> Result<Losses> {
        let objective = &self.config.objective;
        let (kept, asked) = (step.get("kept").ok_or_else(unmade)?, step.get("asked").ok_or_else(unmade)?);
        let seen = self.discriminator.features(made)?;
        let logits = match &self.classifier {
            None => self.discriminator.attributes(&seen)?,
            Some(classifier) => classifier.attributes(&classifier.features(made)?)?,
        };
        let mut losses = Losses::new();
        losses.add("adv", &deceiving(objective.adversarial, &self.discriminator.scores(&seen)?)?, 1.0)?;
        losses.add("cls", &self.attributes(&logits, &asked)?, objective.attributes)?;
        losses.add("rec", &features::distance(&kept, &batch.images)?, objective.reconstruction)?;
        Ok(losses)
    }
}

impl<P: Paper> Editing for Adversaries<P> {
    fn side(config: &EditorConfig<P>) -> usize {
        config.resolution
    }

    fn tags(config: &EditorConfig<P>) -> &TagSet {
        &config.tags
    }

    fn strength(config: &EditorConfig<P>) -> f64 {
        config.strength
    }

    fn remedy(config: &EditorConfig<P>) -> String {
        let weight = config.objective.reconstruction;
        format!("Lower `objective.reconstruction` from {weight} to {}", weight / 10.0)
    }

    fn edit(&self, pictures: &Tensor, from: &Tensor, to: &Tensor) -> Result<Tensor> {
        let told = self.config.generator.coding.of(from, to)?;
        self.generator.decode(&self.generator.encode(pictures, Mode::Eval)?, &told, Mode::Eval)
    }
}

impl<P: Paper> Gan for Adversaries<P> {
    type Config = EditorConfig<P>;
    const NAME: &'static str = P::NAME;

    fn new(config: &EditorConfig<P>, params: &Scope) -> Result<Adversaries<P>> {
        config.check()?;
        let of = |player: Player| params.pp(player.prefix());
        let judge = of(Player::Discriminator);
        let separate = config.judge.separate_classifier;
        let heads = if separate { Heads::Adversarial } else { Heads::Both };
        let classifier = || Judge::new(config, Heads::Attributes, &of(Player::Classifier));
        Ok(Adversaries {
            config: config.clone(),
            generator: Generator::new(config, &of(Player::Generator))?,
            resting: Generator::new(config, &of(Player::Generator).frozen())?,
            discriminator: Judge::new(config, heads, &judge)?,
            exact: Judge::new(config, heads, &judge.computing_in(Precision::F32)?)?,
            classifier: separate.then(classifier).transpose()?,
            shown: Shown::new(config.resolution, &config.tags, &of(Player::Generator))?,
        })
    }

    fn plan(config: &EditorConfig<P>) -> Plan {
        let companions: &[Player] = if config.judge.separate_classifier { &[Player::Classifier] } else { &[] };
        config.schedule.plan(config.resolution, companions)
    }

    fn summary(config: &EditorConfig<P>) -> Vec<(&'static str, String)> {
        let (side, generator, objective) = (config.resolution, &config.generator, &config.objective);
        let told = match generator.coding {
            Coding::Difference => "what is to change".to_string(),
            coding => format!("what it is to show, as {coding:?}"),
        };
        let skips = match generator.transfer {
            Some(unit) => format!("selective transfer units ({:?}, {:?})", unit.mixture, unit.state),
            None => format!("{} plain skips", generator.skips),
        };
        let gated = if generator.gated { "gated " } else { "" };
        let apart =
            if config.judge.separate_classifier { "a network of its own" } else { "a head of the discriminator" };
        vec![
            ("input", format!("a picture, [N, 3, {side}, {side}] in [-1, 1]; of {} labels {told}", config.tags.len())),
            ("output", format!("the picture with other labels, [N, 3, {side}, {side}] in [-1, 1]")),
            ("networks", format!("{gated}encoder, {skips}, decoder; the classifier is {apart}")),
            (
                "losses",
                format!(
                    "{:?}, {} × gradient penalty, {} × attributes, {} × L1 of what stays",
                    objective.adversarial, objective.penalty, objective.attributes, objective.reconstruction
                ),
            ),
        ]
    }

    fn for_data(config: &EditorConfig<P>, dataset: &Dataset) -> EditorConfig<P> {
        EditorConfig { schedule: config.schedule.for_data(dataset), ..config.clone().tags(dataset.tags()) }
    }

    fn check_data(config: &EditorConfig<P>, dataset: &Dataset) -> Result<()> {
        editing::check_data::<Self>(config, dataset)
    }

    fn changes(config: &EditorConfig<P>) -> Changes {
        config.changes.clone()
    }

    /// One pass of the encoder. The decoder makes the edited pictures, and the unchanged ones in rounds in which the
    /// generator moves.
    fn share(&self, batch: &Batch, step: &mut Step) -> Result<()> {
        let asked = Asked::of(batch, &self.config.tags, step)?;
        self.shown.keep(batch, &asked.from, step.number)?;
        let (moves, coding) = (step.moves(Player::Generator), self.config.generator.coding);
        let generator = if moves { &self.generator } else { &self.resting };
        let features = match self.config.masks {
            None => generator.encode(&batch.images, Mode::Train)?,
            Some(masks) => generator.encode(&masks.cut(&batch.images, step)?, Mode::Train)?,
        };
        step.put("made", generator.decode(&features, &coding.of(&asked.from, &asked.to)?, Mode::Train)?);
        if moves {
            step.put("kept", generator.decode(&features, &coding.of(&asked.from, &asked.from)?, Mode::Train)?);
        }
        step.put("asked", asked.to);
        Ok(())
    }

    fn loss(&self, who: Player, batch: &Batch, step: &mut Step) -> Result<Losses> {
        let made = step.get("made").ok_or_else(unmade)?;
        match who {
            Player::Generator => self.of_generator(batch, &made, step),
            Player::Discriminator => self.of_discriminator(batch, &made.detach(), step),
            Player::Classifier if self.classifier.is_some() => self.of_classifier(batch),
            other => Err(Error::invalid("player", other.name(), format!("one of {}'s", P::NAME), "")),
        }
    }

    fn preview(&self, _: Seed) -> Result<Images> {
        self.shown.preview(|pictures, from, to| self.edit(pictures, from, to))
    }
}

/// What becomes of each real picture unchanged.
impl<P: Paper> evaluate::Model for Model<Adversaries<P>> {
    fn pictures(&self, real: &dyn Pictures, _: Seed) -> Result<std::sync::Arc<dyn Pictures>> {
        editing::reconstructions(self, real)
    }

    fn fixed(&self) -> bool {
        true
    }
}
