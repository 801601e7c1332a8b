//! Schedules of networks that grow: how many pictures each resolution sees, while it fades in and after, in minibatches of
//! what size.
//!
//! The tables are those that the authors of Progressive GAN, of PSGAN, of MMGeneration and of a StyleGAN in TensorFlow
//! trained with. All count pictures; the last one cuts them to whole iterations.

use serde::{Deserialize, Serialize};

use super::{Average, Mark, Plan, Reset, Stage};

/// One resolution of a training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Side of the pictures in pixels.
    pub resolution: usize,
    /// Pictures that are shown while the new layers fade in.
    pub fade: u64,
    /// Pictures that are shown after that.
    pub stable: u64,
    /// Pictures of a minibatch.
    pub batch: usize,
    /// Learning rate of both players.
    pub rate: f64,
}

/// In what a schedule counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Count {
    /// Pictures: a phase ends with the minibatch in which they are reached.
    #[default]
    Images,
    /// Whole iterations: pictures divided by the minibatch, rounded down.
    Steps,
}

/// A training that grows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Growth {
    /// In what phases are counted.
    #[serde(default)]
    pub count: Count,
    /// When moments of the optimizers are forgotten.
    pub reset: Reset,
    /// The running average of the weights.
    pub average: Average,
    /// From the smallest resolution to the finished pictures.
    pub phases: Vec<Phase>,
}

/// How many GPUs a preset of the authors' code is for, which its minibatches and learning rates follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gpus {
    /// One.
    One,
    /// Two.
    Two,
    /// Four.
    Four,
    /// Eight.
    Eight,
}

/// Numbers by resolution: each holds from its resolution on, to the next one.
type Steps<T> = [(usize, T)];

fn from<T: Copy>(steps: &Steps<T>, resolution: usize) -> Option<T> {
    steps.iter().rev().find(|(first, _)| *first <= resolution).map(|(_, value)| *value)
}

/// 600 kimg, the length of a fade and of what follows it in most tables.
const USUAL: u64 = 600_000;

impl Growth {
    /// Phases from `start` to `resolution` pixels. Each lasts `fade` and `stable` pictures, the first one without a fade,
    /// the last one up to `total` pictures of the whole training.
    fn doubling(
        [start, resolution]: [usize; 2],
        [fade, stable, total]: [u64; 3],
        batches: &Steps<usize>,
        rates: &Steps<f64>,
    ) -> Growth {
        let mut phases = Vec::new();
        let (mut side, mut shown) = (start.max(1), 0u64);
        while side <= resolution {
            let fade = if side == start { 0 } else { fade };
            let last = side * 2 > resolution;
            let stable = if last { total.saturating_sub(shown + fade).max(1) } else { stable };
            shown += fade + stable;
            let (batch, rate) = (from(batches, side).unwrap_or(1), from(rates, side).unwrap_or(0.0));
            phases.push(Phase { resolution: side, fade, stable, batch, rate });
            side *= 2;
        }
        Growth { count: Count::Images, reset: Reset::Fades, average: Average::Constant(0.999), phases }
    }

    /// The runs of the paper (Karras et al. 2018, appendix A.1; `v1-1gpu` in the authors' code): 800 kimg each, 19,000
    /// in all.
    pub fn v1(resolution: usize) -> Growth {
        let batches = [(4, 16), (256, 14), (512, 6), (1024, 3)];
        Growth::doubling([4, resolution], [800_000, 800_000, 19_000_000], &batches, &[(4, 1e-3)])
    }

    /// The later presets of the authors' code (`v2-1gpu` to `v2-8gpus`): 600 kimg each, 12,000 in all.
    pub fn v2(gpus: Gpus, resolution: usize) -> Growth {
        let (batches, rates): (&Steps<usize>, &Steps<f64>) = match gpus {
            Gpus::One => {
                (&[(4, 128), (32, 64), (64, 32), (128, 16), (256, 8), (512, 4)], &[(4, 0.001), (1024, 0.0015)])
            }
            Gpus::Two => (
                &[(4, 256), (16, 128), (32, 64), (64, 32), (128, 16), (256, 8)],
                &[(4, 0.001), (512, 0.0015), (1024, 0.002)],
            ),
            Gpus::Four => (
                &[(4, 512), (8, 256), (16, 128), (32, 64), (64, 32), (128, 16)],
                &[(4, 0.001), (256, 0.0015), (512, 0.002), (1024, 0.003)],
            ),
            Gpus::Eight => (
                &[(4, 512), (8, 256), (16, 128), (32, 64), (64, 32)],
                &[(4, 0.001), (128, 0.0015), (256, 0.002), (512, 0.003)],
            ),
        };
        Growth::doubling([4, resolution], [USUAL, USUAL, 12_000_000], batches, rates)
    }

    /// MMGeneration's Progressive GAN on eight GPUs: 600 kimg at 4 px, 1,200 at the others, 12,000 at the last.
    pub fn mmgeneration(resolution: usize) -> Growth {
        let batches = [(4, 512), (8, 256), (16, 128), (32, 64), (64, 32)];
        let rates = [(4, 0.001), (128, 0.0015), (256, 0.002), (512, 0.003)];
        let mut growth = Growth::doubling([4, resolution], [USUAL, USUAL, 0], &batches, &rates);
        if let Some(last) = growth.phases.last_mut() {
            last.stable = 12_000_000 - last.fade;
        }
        growth
    }

    /// PSGAN's table (Hamada et al. 2018, section 4): minibatches of 16 to 2, rates of 1e-3 to 1e-4. "600k images for each
    /// stage" is read as in Progressive GAN, whose stages it takes over: as many for the fade as after it.
    pub fn psgan(resolution: usize) -> Growth {
        Growth::psgan_of(resolution, USUAL)
    }

    /// The other reading of PSGAN's "600k images for each stage": fade and the rest of a stage together.
    pub fn psgan_short(resolution: usize) -> Growth {
        Growth::psgan_of(resolution, USUAL / 2)
    }

    fn psgan_of(resolution: usize, half: u64) -> Growth {
        let batches = [(4, 16), (256, 12), (512, 5), (1024, 2)];
        let rates = [(4, 1e-3), (128, 8e-4), (256, 6e-4), (512, 2e-4), (1024, 1e-4)];
        let mut growth = Growth::doubling([4, resolution], [half, half, 0], &batches, &rates);
        growth.phases.iter_mut().for_each(|phase| phase.stable = half);
        growth
    }

    /// StyleGAN on FFHQ (Karras et al. 2019, appendix C; `train.py`): from 8 px, 600 kimg each, 25,000 in all, a running
    /// average with a half-life of 10 kimg.
    pub fn stylegan(gpus: Gpus, resolution: usize) -> Growth {
        let batches: &Steps<usize> = match gpus {
            Gpus::One => &[(4, 128), (32, 64), (64, 32), (128, 16), (256, 8), (512, 4)],
            Gpus::Two => &[(4, 256), (16, 128), (32, 64), (64, 32), (128, 16), (256, 8)],
            Gpus::Four => &[(4, 512), (8, 256), (16, 128), (32, 64), (64, 32), (128, 16)],
            Gpus::Eight => &[(4, 512), (8, 256), (16, 128), (32, 64), (64, 32)],
        };
        let rates = [(4, 0.001), (128, 0.0015), (256, 0.002), (512, 0.003)];
        let growth = Growth::doubling([8, resolution], [USUAL, USUAL, 25_000_000], batches, &rates);
        Growth { average: Average::SteadyHalfLife(10_000.0), ..growth }
    }

    /// The arithmetic of `taki0112/StyleGAN-Tensorflow` on `gpus` GPUs: whole iterations, 600k pictures at 4 and 8 px,
    /// 600k of fade and as many after it at every other resolution, and what is left of `pictures` (its `max_iteration`
    /// times 10,000) at the last one. It forgets moments when the resolution changes, and keeps no running average. A
    /// first resolution above 8 px begins with a fade from layers that nobody trained.
    pub fn taki(start: usize, resolution: usize, gpus: usize, pictures: u64) -> Growth {
        let per_gpu: [usize; 9] = match gpus {
            0 | 1 => [128, 128, 128, 64, 32, 16, 8, 4, 4],
            2..=3 => [128, 128, 64, 32, 16, 8, 4, 4, 4],
            4..=6 => [128, 64, 32, 16, 8, 4, 4, 4, 4],
            7..=9 => [64, 32, 16, 8, 4, 4, 4, 4, 4],
            _ => [32, 16, 8, 4, 2, 2, 2, 2, 2],
        };
        let rates = [(4, 0.001), (128, 0.0015), (256, 0.002), (512, 0.003)];
        let (mut phases, mut side, mut shown) = (Vec::new(), start.max(4), 0u64);
        while side <= resolution {
            let fade = if side <= 8 { 0 } else { USUAL };
            let stable = if side * 2 > resolution { pictures.saturating_sub(shown + fade) } else { USUAL };
            shown += fade + stable;
            let batch = per_gpu[(side.ilog2() as usize - 2).min(8)] * gpus;
            phases.push(Phase { resolution: side, fade, stable, batch, rate: from(&rates, side).unwrap_or(0.0) });
            side *= 2;
        }
        Growth { count: Count::Steps, reset: Reset::Resolutions, average: Average::Constant(0.0), phases }
    }

    /// The same lengths in other pictures: every phase takes `factor` of them, at least one.
    pub fn scaled(mut self, factor: f64) -> Growth {
        for phase in &mut self.phases {
            let scaled = |pictures: u64| ((pictures as f64 * factor).round() as u64).max(1);
            phase.fade = if phase.fade == 0 { 0 } else { scaled(phase.fade) };
            phase.stable = scaled(phase.stable);
        }
        self
    }

    /// Iterations of each phase, if all its minibatches are whole: pictures divided by the minibatch, rounded down.
    pub fn iterations(&self) -> Vec<u64> {
        self.phases.iter().map(|phase| (phase.fade + phase.stable) / phase.batch.max(1) as u64).collect()
    }

    /// Real pictures of the whole training.
    pub fn pictures(&self) -> u64 {
        self.phases.iter().map(|phase| phase.fade + phase.stable).sum()
    }

    /// The authors' level of detail after `images` pictures: how many doublings are missing, with the fade that is under way.
    /// A fade begins with the picture after which the phase before has ended.
    pub fn lod(&self, images: u64) -> f64 {
        let (mut begin, mut phases) = (0, self.phases.iter().peekable());
        let last = self.phases.last().map_or(0, |phase| phase.resolution.max(1).ilog2());
        while let Some(phase) = phases.next() {
            let end = begin + phase.fade + phase.stable;
            if images < end || phases.peek().is_none() {
                let faded = if phase.fade == 0 { 1.0 } else { ((images - begin) as f64 / phase.fade as f64).min(1.0) };
                return f64::from(last) - f64::from(phase.resolution.max(1).ilog2()) + 1.0 - faded;
            }
            begin = end;
        }
        0.0
    }

    /// The stages of the trainer, with Adam's constants of Progressive GAN (β₁ 0, β₂ 0.99, ε 1e-8). [`Plan::check`] says
    /// whether it can be trained.
    pub fn plan(&self) -> Plan {
        let mut until = 0;
        let mut stage = |phase: &Phase| {
            let (pictures, a_step) = (phase.fade + phase.stable, phase.batch.max(1) as u64);
            let (length, fade) = match self.count {
                Count::Images => (pictures, phase.fade),
                Count::Steps => (pictures / a_step, phase.fade / a_step),
            };
            until += length;
            let mark = match self.count {
                Count::Images => Mark::Images(until),
                Count::Steps => Mark::Steps(until),
            };
            Stage::new(mark, phase.resolution, phase.batch, phase.rate).fade(fade)
        };
        let stages = self.phases.iter().map(&mut stage).collect();
        Plan::of(stages).adam(0.0, 0.99, 1e-8).average(self.average).reset(self.reset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// specs/fullbody.md I.2, for the paper's resolution: kimg, level of detail, resolution, minibatch, rate.
    #[test]
    fn the_authors_schedule() {
        let growth = Growth::v2(Gpus::One, 1024);
        let plan = growth.plan();
        plan.check().unwrap();
        for (kimg, lod, resolution, batch, rate) in [
            (0, 8.0, 4, 128, 0.001),
            (599, 8.0, 4, 128, 0.001),
            (600, 8.0, 8, 128, 0.001),
            (900, 7.5, 8, 128, 0.001),
            (1_200, 7.0, 8, 128, 0.001),
            (9_000, 1.0, 1024, 4, 0.0015),
            (9_300, 0.5, 1024, 4, 0.0015),
            (9_600, 0.0, 1024, 4, 0.0015),
        ] {
            let at = plan.position(0, kimg * 1000);
            assert!((growth.lod(kimg * 1000) - lod).abs() < 1e-12, "{kimg}");
            assert_eq!((at.resolution, at.batch), (resolution, batch), "{kimg}");
            assert_eq!(plan.rate(super::super::Player::Generator, at.stage, 1), rate, "{kimg}");
        }
        assert!((plan.position(0, 9_300_000).alpha - 0.5).abs() < 1e-12);
        assert_eq!([growth.pictures(), Growth::v1(1024).pictures()], [12_000_000, 19_000_000]);
        assert_eq!(Growth::v1(1024).lod(12_400_000), 0.5);
    }

    /// specs/fullbody.md A.8: minibatches from 4 to 1024 px.
    #[test]
    fn minibatches_of_the_presets() {
        let batches = |growth: Growth| growth.phases.iter().map(|phase| phase.batch).collect::<Vec<_>>();
        assert_eq!(batches(Growth::v1(1024)), [16, 16, 16, 16, 16, 16, 14, 6, 3]);
        assert_eq!(batches(Growth::v2(Gpus::One, 1024)), [128, 128, 128, 64, 32, 16, 8, 4, 4]);
        assert_eq!(batches(Growth::v2(Gpus::Two, 1024)), [256, 256, 128, 64, 32, 16, 8, 8, 8]);
        assert_eq!(batches(Growth::v2(Gpus::Four, 1024)), [512, 256, 128, 64, 32, 16, 16, 16, 16]);
        assert_eq!(batches(Growth::v2(Gpus::Eight, 1024)), [512, 256, 128, 64, 32, 32, 32, 32, 32]);
        let rates = |growth: Growth| growth.phases.iter().map(|phase| phase.rate).collect::<Vec<_>>();
        assert_eq!(rates(Growth::v2(Gpus::Eight, 1024))[4..], [0.001, 0.0015, 0.002, 0.003, 0.003]);
        let scale = Growth::mmgeneration(128);
        assert_eq!(scale.phases.iter().map(|phase| phase.fade + phase.stable).collect::<Vec<_>>(), {
            [600_000, 1_200_000, 1_200_000, 1_200_000, 1_200_000, 12_000_000]
        });
    }

    /// specs/fullbody.md B.4.
    #[test]
    fn steps_of_psgan() {
        let growth = Growth::psgan(1024);
        let steps = growth.iterations();
        assert_eq!(steps, [37_500, 75_000, 75_000, 75_000, 75_000, 75_000, 100_000, 240_000, 600_000]);
        assert_eq!(steps.iter().sum::<u64>(), 1_352_500);
        assert_eq!((growth.pictures(), Growth::psgan(256).pictures()), (10_200_000, 7_800_000));
        assert_eq!(
            growth.phases.iter().map(|phase| phase.rate).collect::<Vec<_>>()[4..],
            [1e-3, 8e-4, 6e-4, 2e-4, 1e-4]
        );
        assert_eq!(Growth::psgan_short(8).pictures(), 900_000);
    }

    /// specs/fullbody.md D.7: what the report calls samples are iterations at 256 px, sheets come every 1,250.
    #[test]
    fn the_runs_of_the_report() {
        let last = |start, dataset: u64| *Growth::taki(start, 256, 4, dataset * 10_000).iterations().last().unwrap();
        assert_eq!([last(8, 919), last(16, 1044), last(16, 1392)], [236_875, 352_500, 570_000]);
        assert_eq!(last(8, 919) / 1250 * 1250, 236_250);
        assert_eq!(last(8, 1045), 315_625);
        let growth = Growth::taki(8, 256, 4, 9_190_000);
        assert_eq!(growth.iterations()[..5], [2_343, 9_375, 18_750, 37_500, 75_000]);
        let plan = growth.plan();
        plan.check().unwrap();
        assert_eq!(plan.position(2_343, 0).resolution, 16);
        assert_eq!(plan.position(2_343 + 4_687, 0).alpha, 1.0);
        // A GTX 1060 ran out of memory at 32 px with this minibatch.
        assert_eq!(Growth::taki(8, 256, 1, 9_190_000).phases[2].batch, 64);
        assert!(Growth::taki(8, 256, 0, 9_190_000).plan().check().unwrap_err().to_string().contains("batch 0"));
    }

    #[test]
    fn a_schedule_survives_toml_and_scaling() {
        let growth = Growth::psgan(64).scaled(1e-3);
        assert_eq!(growth.phases.iter().map(|phase| phase.fade).collect::<Vec<_>>(), [0, 600, 600, 600, 600]);
        assert_eq!(toml::from_str::<Growth>(&toml::to_string(&growth).unwrap()).unwrap(), growth);
        assert!(Growth { phases: vec![], ..growth.clone() }.plan().check().is_err());
        let empty = Phase { batch: 0, ..growth.phases[0] };
        assert!(Growth { phases: vec![empty], ..growth }.plan().check().is_err());
    }
}
