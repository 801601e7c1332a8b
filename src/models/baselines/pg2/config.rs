//! The numbers of PG2, each with where it comes from.

use candle_core::Device;
use serde::{Deserialize, Serialize};

use super::objective::Adversaries;
use crate::models::model::Model;
use crate::rng::Seed;
use crate::{Error, Result};

/// A PG2.
pub type Pg2 = Model<Adversaries>;

/// Pairs of OpenPose's points (COCO order, from 0) between which the authors' masks are drawn.
const LIMBS: [[usize; 2]; 23] = [
    [1, 2],
    [1, 5],
    [2, 3],
    [3, 4],
    [5, 6],
    [6, 7],
    [1, 8],
    [8, 9],
    [9, 10],
    [1, 11],
    [11, 12],
    [12, 13],
    [1, 0],
    [0, 14],
    [14, 16],
    [0, 15],
    [15, 17],
    [1, 16],
    [1, 17],
    [8, 11],
    [11, 5],
    [8, 2],
    [16, 17],
];

impl Pg2 {
    /// The paper on DeepFashion: 256 px, batches of 8, 30,000 and 20,000 steps, L1 weight 50.
    pub fn paper() -> Pg2Config {
        Pg2Config::default()
    }

    /// The authors' code on DeepFashion: single pictures, 22,000 and 58,000 steps.
    pub fn code() -> Pg2Config {
        Pg2Config { batch: 1, first_steps: 22_000, second_steps: 58_000, ..Pg2Config::default() }
    }

    /// What PSGAN is compared with: the paper's with an L1 weight of 1.
    pub fn beside_psgan() -> Pg2Config {
        Pg2Config { l1: 1.0, ..Pg2Config::default() }
    }

    /// Networks for 64 px that learn on two CPU cores in minutes.
    pub fn tiny() -> Pg2Config {
        Pg2Config {
            resolution: 64,
            channels: 16,
            judge_channels: 16,
            batch: 16,
            rate: 1e-3,
            first_steps: 1_000,
            second_steps: 1_000,
            l1: 10.0,
            ..Pg2Config::default()
        }
    }
}

/// Everything that a PG2 is made from. [`Default`] is the paper on DeepFashion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pg2Config {
    /// Side of the pictures, a power of two from 32 on: 256.
    pub resolution: usize,
    /// Channels at full size; every halving adds as many: 128.
    pub channels: usize,
    /// Numbers of the first stage's bottleneck: 64.
    pub bottleneck: usize,
    /// Channels of the discriminator's first layer, doubled three times: 64.
    pub judge_channels: usize,
    /// Key points per picture: 18.
    pub keypoints: usize,
    /// Pairs of key points that masks reach between: those of OpenPose's points in the authors' code.
    pub limbs: Vec<[usize; 2]>,
    /// Radius of a key point's disc in the pose maps and in the masks, pixels: 4.
    pub radius: f64,
    /// Weight of the second stage's L1 term: 50 in the code at 256 px, 10 at 128 × 64 px; PSGAN compared itself with 1.
    pub l1: f64,
    /// Pairs a step: 8, where the code has 1.
    pub batch: usize,
    /// Adam's learning rate: 2e-5, β₁ 0.5, β₂ 0.999.
    pub rate: f64,
    /// Steps of the first stage: 30,000.
    pub first_steps: u64,
    /// Steps of the second stage: 20,000.
    pub second_steps: u64,
}

impl Default for Pg2Config {
    fn default() -> Self {
        Pg2Config {
            resolution: 256,
            channels: 128,
            bottleneck: 64,
            judge_channels: 64,
            keypoints: 18,
            limbs: LIMBS.to_vec(),
            radius: 4.0,
            l1: 50.0,
            batch: 8,
            rate: 2e-5,
            first_steps: 30_000,
            second_steps: 20_000,
        }
    }
}

impl Pg2Config {
    /// Side of the pictures in pixels.
    pub fn size(&self) -> usize {
        self.resolution
    }

    /// Resolutions of the first stage, down to 8 px.
    pub(super) fn levels(&self) -> usize {
        self.resolution.max(1).ilog2().saturating_sub(2) as usize
    }

    /// Whether networks can be built and trained with these numbers.
    ///
    /// # Errors
    /// Names the first number that cannot be used.
    pub fn check(&self) -> Result<()> {
        if !self.resolution.is_power_of_two() || self.resolution < 32 {
            let found = format!("{} px", self.resolution);
            return Err(Error::invalid("size of the pictures", found, "a power of two from 32 px on", ""));
        }
        let numbers = [
            ("channels", self.channels),
            ("bottleneck", self.bottleneck),
            ("channels of the discriminator", self.judge_channels),
            ("key points", self.keypoints),
        ];
        if let Some((what, _)) = numbers.into_iter().find(|(_, number)| *number == 0) {
            return Err(Error::invalid(what, "0", "1 or more", ""));
        }
        if let Some(limb) = self.limbs.iter().find(|limb| limb.iter().any(|&point| point >= self.keypoints)) {
            let expected = format!("points below {}", self.keypoints);
            return Err(Error::invalid("limbs", format!("{limb:?}"), expected, ""));
        }
        if !(self.l1.is_finite() && self.l1 >= 0.0 && self.radius.is_finite() && self.radius >= 0.0) {
            let found = format!("L1 weight {}, radius {}", self.l1, self.radius);
            return Err(Error::invalid("PG2", found, "numbers that are not negative", ""));
        }
        Ok(())
    }

    /// Freshly initialised networks with seed 0.
    ///
    /// # Errors
    /// When the numbers do not make a network.
    pub fn build(self, device: &Device) -> Result<Pg2> {
        self.build_with(device, Seed(0))
    }

    /// Freshly initialised networks.
    ///
    /// # Errors
    /// When the numbers do not make a network.
    pub fn build_with(self, device: &Device, seed: Seed) -> Result<Pg2> {
        Model::new(self, device, seed)
    }
}
