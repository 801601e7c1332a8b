//! The losses (specs/clothing.md A.6).

use candle_core::Tensor;

use super::config::{Adversarial, Anime2ClothingConfig, Compared, DomainJudge, GeneratorScore, RealJudge, Translator};
use super::discriminator::{Reach, Scales, Verdict};
use super::generator::UNet;
use crate::data::batch::{Batch, Images};
use crate::data::changes::Changes;
use crate::data::dataset::Dataset;
use crate::losses::{adversarial, features, least_squares, summed};
use crate::models::baselines::pix2pix;
use crate::models::baselines::progan::level;
use crate::models::translation::{Shown, Translation, check_pairs, pictures, sources, unmade};
use crate::nn::norm::Mode;
use crate::nn::params::Scope;
use crate::nn::patch::{PatchGan, PatchNorm, PatchSpec};
use crate::nn::progressive::Level;
use crate::nn::progressive::level::Reached;
use crate::rng::{Seed, Stream};
use crate::train::gan::{Gan, Losses, Player, Step};
use crate::train::plan::Plan;
use crate::{Error, Result};

/// Channels of an input beside an output.
const PAIR: usize = 6;

/// Generator and discriminators of one configuration.
#[derive(Clone, Debug)]
pub struct Adversaries {
    config: Anime2ClothingConfig,
    generator: Generator,
    domain: Domain,
    real: Option<Scales>,
    reached: Reached,
    shown: Shown,
}

#[derive(Clone, Debug)]
enum Generator {
    Growing(Box<UNet>),
    Pix2pix(pix2pix::UNet),
}

#[derive(Clone, Debug)]
enum Domain {
    Patch(PatchGan),
    Scales(Scales),
}

impl Generator {
    fn forward(&self, sources: &Tensor, level: Level, mode: Mode, noise: Option<&mut Stream>) -> Result<Tensor> {
        match self {
            Generator::Growing(network) => network.forward(sources, level, mode),
            Generator::Pix2pix(network) => network.forward(sources, mode, noise),
        }
    }
}

impl Domain {
    /// What it says about several sets of pairs, whose weights are normalised once.
    fn judge<const N: usize>(&self, pairs: [&Tensor; N], level: Level, mode: Mode) -> Result<[Vec<Verdict>; N]> {
        let verdicts = match self {
            Domain::Scales(network) => {
                let judge = network.at(level, mode)?;
                pairs.iter().map(|pair| judge.forward(pair)).collect::<Result<Vec<_>>>()?
            }
            Domain::Patch(network) => {
                let of_pair = |pair: &&Tensor| -> Result<Vec<Verdict>> {
                    let (scores, features) = network.forward(pair, mode)?;
                    Ok(vec![Verdict { scores, features }])
                };
                pairs.iter().map(of_pair).collect::<Result<Vec<_>>>()?
            }
        };
        verdicts.try_into().map_err(|_| Error::shape("verdicts", &[], format!("{N}")))
    }
}

/// Σ over towers of a loss of their scores.
fn scored(verdicts: &[Verdict], loss: fn(&Tensor) -> Result<Tensor>) -> Result<Tensor> {
    summed(verdicts.iter().map(|verdict| loss(&verdict.scores).map(Some)))?.ok_or_else(no_tower)
}

/// Σ over towers of the distances of their features; `None` where no tower gives features.
fn matched(found: &[Verdict], wanted: &[Verdict], weights: &[f64]) -> Result<Option<Tensor>> {
    let towers = found.iter().zip(wanted);
    summed(towers.map(|(found, wanted)| features::matching(&found.features, &wanted.features, weights)))
}

fn no_tower() -> Error {
    Error::invalid("discriminator", "no tower", "at least one", "")
}

/// What the published code computes instead: all that the last tower gives for the last picture is pushed to 1.
fn published_score(verdicts: &[Verdict]) -> Result<Tensor> {
    let last = verdicts.last().ok_or_else(no_tower)?;
    let maps = last.features.iter().chain([&last.scores]);
    let of_last_picture = |map: &Tensor| least_squares::real(&map.narrow(0, map.dims()[0] - 1, 1)?).map(Some);
    summed(maps.map(of_last_picture))?.ok_or_else(no_tower)
}

/// Pictures `[N, 3, R, R]` at side r: of every R/r pixels the first (PyTorch's nearest).
fn nearest(pictures: &Tensor, side: usize) -> Result<Tensor> {
    let (n, channels, height, _) = pictures.dims4()?;
    let step = height / side.max(1);
    if step <= 1 {
        return Ok(pictures.clone());
    }
    let cells = pictures.contiguous()?.reshape((n, channels, side, step, side * step))?.narrow(3, 0, 1)?;
    let cells = cells.contiguous()?.reshape((n, channels, side, side, step))?.narrow(4, 0, 1)?;
    Ok(cells.contiguous()?.reshape((n, channels, side, side))?)
}

impl Adversaries {
    /// What the generator makes of pictures `[N, 3, R, R]` at a level, running statistics.
    ///
    /// # Errors
    /// When the pictures have another size, or the networks do not have this level.
    pub fn make(&self, sources: &Tensor, level: Level) -> Result<Tensor> {
        self.generator.forward(sources, level, Mode::Eval, None)
    }

    /// How far the networks have grown, as training has left them; the finished size for those that were never trained.
    ///
    /// # Errors
    /// When the device refuses to copy.
    pub fn level(&self) -> Result<Level> {
        self.reached.level()
    }

    /// What each tower of a finished discriminator says at the level that training has reached: `Player::Domain`'s about
    /// pictures `[N, 3, R, R]` beside their sources, `Player::Discriminator`'s about pictures alone. Both come to the level's
    /// size r as in training, of every R/r pixels the first.
    ///
    /// # Errors
    /// When the configuration has no such discriminator, or the pictures have another size.
    pub fn verdicts(&self, who: Player, sources: &Tensor, pictures: &Tensor) -> Result<Vec<Verdict>> {
        let level = self.level()?;
        let [sources, pictures] = [sources, pictures].map(|pictures| nearest(pictures, level.resolution));
        match (who, &self.real) {
            (Player::Domain, _) => {
                let [verdicts] = self.domain.judge([&Tensor::cat(&[&sources?, &pictures?], 1)?], level, Mode::Eval)?;
                Ok(verdicts)
            }
            (Player::Discriminator, Some(real)) => real.at(level, Mode::Eval)?.forward(&pictures?),
            _ => Err(unknown(who)),
        }
    }

    fn real_score(&self, verdicts: &[Verdict]) -> Result<Tensor> {
        match self.config.adversarial {
            Adversarial::LeastSquares => scored(verdicts, least_squares::real),
            Adversarial::CrossEntropy => scored(verdicts, adversarial::real),
        }
    }

    fn fake_score(&self, verdicts: &[Verdict]) -> Result<Tensor> {
        match self.config.adversarial {
            Adversarial::LeastSquares => scored(verdicts, least_squares::fake),
            Adversarial::CrossEntropy => scored(verdicts, adversarial::fake),
        }
    }

    fn of_generator(&self, batch: &Batch, step: &Step, made: &Tensor) -> Result<Losses> {
        let (config, level) = (&self.config, level(batch, step));
        let seen = nearest(sources(batch)?, level.resolution)?;
        let beside = |picture: &Tensor| Tensor::cat(&[&seen, picture], 1);
        let (pair, real_pair) = (beside(made)?, beside(&batch.images)?);
        let mut losses = Losses::new();
        let verdicts = if config.matching {
            let [verdicts, wanted] = self.domain.judge([&pair, &real_pair], level, Mode::Train)?;
            if let Some(distance) = matched(&verdicts, &wanted, &config.weights)? {
                losses.add("features_domain", &distance, 1.0)?;
            }
            verdicts
        } else {
            let [verdicts] = self.domain.judge([&pair], level, Mode::Train)?;
            verdicts
        };
        losses.add("adv_domain", &self.real_score(&verdicts)?, 1.0)?;
        if let Some(real) = &self.real {
            let judge = real.at(level, Mode::Train)?;
            let verdicts = judge.forward(made)?;
            let score = match config.generator_score {
                GeneratorScore::Scores => self.real_score(&verdicts)?,
                GeneratorScore::Published => published_score(&verdicts)?,
            };
            losses.add("adv_real", &score, 1.0)?;
            let with = |picture: &Tensor| matched(&verdicts, &judge.forward(picture)?, &config.weights);
            if matches!(config.compared, Compared::Target | Compared::Both)
                && let Some(distance) = with(&batch.images)?
            {
                losses.add("features_real", &distance, 1.0)?;
            }
            if matches!(config.compared, Compared::Input | Compared::Both)
                && let Some(distance) = with(&seen)?
            {
                losses.add("consistency", &distance, 1.0)?;
            }
        }
        losses.add("l1", &features::distance(made, &batch.images)?, config.l1)?;
        Ok(losses)
    }

    /// A third of each: made as fake, real, and another costume's as fake; a half of each without the last.
    fn of_domain(&self, batch: &Batch, step: &Step, made: &Tensor) -> Result<Losses> {
        let level = level(batch, step);
        let seen = nearest(sources(batch)?, level.resolution)?;
        let beside = |picture: &Tensor| Tensor::cat(&[&seen, picture], 1);
        let (pair, real_pair) = (beside(made)?, beside(&batch.images)?);
        let mut losses = Losses::new();
        if self.config.changes.other.is_some() {
            let others = batch.others.as_ref().ok_or_else(|| {
                Error::invalid("batch", "no other pictures", "other pictures, for unassociated pairs", "")
            })?;
            let [fake, real, other] = self.domain.judge([&pair, &real_pair, &beside(others)?], level, Mode::Train)?;
            losses.add("fake", &self.fake_score(&fake)?, 1.0 / 3.0)?;
            losses.add("real", &self.real_score(&real)?, 1.0 / 3.0)?;
            losses.add("other", &self.fake_score(&other)?, 1.0 / 3.0)?;
        } else {
            let [fake, real] = self.domain.judge([&pair, &real_pair], level, Mode::Train)?;
            losses.add("fake", &self.fake_score(&fake)?, 0.5)?;
            losses.add("real", &self.real_score(&real)?, 0.5)?;
        }
        Ok(losses)
    }

    fn of_real(&self, batch: &Batch, step: &Step, made: &Tensor) -> Result<Losses> {
        let real = self.real.as_ref().ok_or_else(|| unknown(Player::Discriminator))?;
        let judge = real.at(level(batch, step), Mode::Train)?;
        let mut losses = Losses::new();
        losses.add("fake", &self.fake_score(&judge.forward(made)?)?, 0.5)?;
        losses.add("real", &self.real_score(&judge.forward(&batch.images)?)?, 0.5)?;
        Ok(losses)
    }
}

fn unknown(who: Player) -> Error {
    Error::invalid("player", who.name(), "one of this configuration", "")
}

impl Translation for Adversaries {
    fn side(config: &Anime2ClothingConfig) -> usize {
        config.size()
    }

    fn translate(&self, sources: &Tensor) -> Result<Tensor> {
        self.reached.finished(|level| self.make(sources, level))
    }
}

impl Gan for Adversaries {
    type Config = Anime2ClothingConfig;
    const NAME: &'static str = "anime2clothing";

    fn new(config: &Anime2ClothingConfig, params: &Scope) -> Result<Adversaries> {
        config.check()?;
        let Anime2ClothingConfig { shape, norm, .. } = config;
        let of = |player: Player| params.pp(player.prefix());
        let makes = of(Player::Generator);
        let generator = match config.translator {
            Translator::Growing => Generator::Growing(Box::new(UNet::new(shape, &makes)?)),
            Translator::Pix2pix => {
                let channels = (64.0 * shape.width).round().max(1.0) as usize;
                Generator::Pix2pix(pix2pix::UNet::new(shape.resolution, channels, &makes)?)
            }
        };
        let scales = |inputs, count, reach, player| Scales::new(shape, inputs, count, reach, *norm, &of(player));
        let domain = match config.domain {
            DomainJudge::Patch => {
                let channels = (64.0 * shape.judge_width).round().max(1.0) as usize;
                let spec = PatchSpec {
                    inputs: PAIR,
                    channels,
                    halvings: 3,
                    padding: 1,
                    norm: PatchNorm::Instance,
                    layered: false,
                };
                Domain::Patch(PatchGan::new(spec, &of(Player::Domain))?)
            }
            DomainJudge::Single => Domain::Scales(scales(PAIR, 1, Reach::Pyramid, Player::Domain)?),
            DomainJudge::Scales => Domain::Scales(scales(PAIR, 3, Reach::Pyramid, Player::Domain)?),
        };
        let real = match config.real {
            RealJudge::None => None,
            RealJudge::Single => Some(scales(3, 1, Reach::Patches, Player::Discriminator)?),
            RealJudge::Patches => Some(scales(3, 3, Reach::Patches, Player::Discriminator)?),
        };
        let (reached, shown) = (Reached::new(shape.resolution, &makes)?, Shown::new(shape.resolution, &makes)?);
        Ok(Adversaries { config: config.clone(), generator, domain, real, reached, shown })
    }

    fn plan(config: &Anime2ClothingConfig) -> Plan {
        let players = [Player::Generator, Player::Domain, Player::Discriminator];
        let count = if config.real == RealJudge::None { 2 } else { 3 };
        config.schedule.plan(&players[..count], config.rate, config.beta2)
    }

    fn summary(config: &Anime2ClothingConfig) -> Vec<(&'static str, String)> {
        let side = config.size();
        let matched = match config.compared {
            Compared::Nothing => "",
            Compared::Target => ", features of the real clothing",
            Compared::Input => ", features of the input",
            Compared::Both => ", features of the real clothing and of the input",
        };
        vec![
            ("input", pictures("a character", side)),
            ("output", pictures("its clothing", side)),
            (
                "networks",
                format!("{:?} generator, {:?} and {:?} discriminators", config.translator, config.domain, config.real),
            ),
            ("losses", format!("{:?}, {} × L1{matched}", config.adversarial, config.l1)),
        ]
    }

    fn for_data(config: &Anime2ClothingConfig, dataset: &Dataset) -> Anime2ClothingConfig {
        let mut config = config.clone();
        config.schedule.pictures = dataset.len() as u64;
        config
    }

    fn check_data(config: &Anime2ClothingConfig, dataset: &Dataset) -> Result<()> {
        check_pairs(dataset, config.size())
    }

    fn changes(config: &Anime2ClothingConfig) -> Changes {
        config.changes.clone()
    }

    /// The one forward pass of the generator.
    fn share(&self, batch: &Batch, step: &mut Step) -> Result<()> {
        let level = level(batch, step);
        self.shown.keep(batch, step.number)?;
        self.reached.set(level)?;
        let mut noise = step.stream("dropout");
        let made = self.generator.forward(sources(batch)?, level, Mode::Train, Some(&mut noise))?;
        step.put("made", made);
        Ok(())
    }

    fn loss(&self, who: Player, batch: &Batch, step: &mut Step) -> Result<Losses> {
        let made = step.get("made").ok_or_else(unmade)?;
        match who {
            Player::Generator => self.of_generator(batch, step, &made),
            Player::Domain => self.of_domain(batch, step, &made.detach()),
            Player::Discriminator => self.of_real(batch, step, &made.detach()),
            other => Err(unknown(other)),
        }
    }

    fn preview(&self, _: Seed) -> Result<Images> {
        self.shown.preview(|sources| self.translate(sources))
    }
}
