//! How large a growing network becomes: resolutions and channels.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Largest side of pictures.
const LARGEST: usize = 1024;

/// Resolutions and channels of a generator or a discriminator; both have the same. [`Default`] is the paper at 1024 px
/// (Karras et al. 2018, table 2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrowingShape {
    /// Side of the finished pictures: a power of two from 4 to 1024 pixels.
    pub resolution: usize,
    /// Numbers of the latent vector: 512.
    pub latent: usize,
    /// Channels at resolution r are base / (r / 2)^decay, at most `max`; 8192 in the paper.
    pub base: usize,
    /// By which power channels fall with the resolution: 1.
    pub decay: f64,
    /// Most channels: 512.
    pub max: usize,
    /// From which resolution on (that of the larger side) doubling and halving are one convolution with a 4×4 kernel
    /// in place of two operations. The function is the same, so this is a matter of speed: 8, everywhere, in the
    /// authors' code of 2018; 128 in StyleGAN's.
    pub fused_from: usize,
}

impl Default for GrowingShape {
    fn default() -> Self {
        GrowingShape { resolution: LARGEST, latent: 512, base: 8192, decay: 1.0, max: 512, fused_from: 8 }
    }
}

impl GrowingShape {
    /// The paper's networks for pictures of this side.
    pub fn paper(resolution: usize) -> GrowingShape {
        GrowingShape { resolution, ..GrowingShape::default() }
    }

    /// Channels of feature maps of `resolution` pixels, a power of two.
    pub fn channels(&self, resolution: usize) -> usize {
        self.at_stage(f64::from(resolution.max(2).ilog2()) - 1.0)
    }

    /// Width of the discriminator's last hidden layer, which the authors count as the feature maps below 4 px.
    pub fn hidden(&self) -> usize {
        self.at_stage(0.0)
    }

    fn at_stage(&self, stage: f64) -> usize {
        let channels = self.base as f64 / 2f64.powf(stage * self.decay);
        (channels as usize).clamp(1, self.max.max(1))
    }

    /// 4, 8, 16 and so on to the finished pictures.
    pub fn resolutions(&self) -> impl DoubleEndedIterator<Item = usize> + Clone + use<> {
        (2..=self.resolution.max(4).ilog2()).map(|power| 1 << power)
    }

    /// Whether doubling to, or halving from, this resolution is one convolution.
    pub fn fused(&self, resolution: usize) -> bool {
        resolution >= self.fused_from
    }

    /// What goes in and out of networks of this shape, for model cards.
    pub(crate) fn summary(&self, input: &str) -> Vec<(&'static str, String)> {
        let side = self.resolution;
        let channels = self.resolutions().map(|resolution| self.channels(resolution).to_string()).collect::<Vec<_>>();
        vec![
            ("input", input.to_string()),
            ("output", format!("[N, 3, {side}, {side}], about in [-1, 1]")),
            ("networks", format!("4 to {side} px, channels {}", channels.join(", "))),
        ]
    }

    /// Whether networks can be built from these numbers.
    ///
    /// # Errors
    /// Names the first number that cannot be used.
    pub fn check(&self) -> Result<()> {
        let GrowingShape { resolution, latent, base, decay, max, .. } = *self;
        if !resolution.is_power_of_two() || !(4..=LARGEST).contains(&resolution) {
            let expected = format!("a power of two from 4 to {LARGEST} px");
            return Err(Error::invalid("size of the pictures", format!("{resolution} px"), expected, ""));
        }
        if latent == 0 || base == 0 || max == 0 || !(decay.is_finite() && decay >= 0.0) {
            let found = format!("latent {latent}, base {base}, decay {decay}, at most {max}");
            return Err(Error::invalid("channels", found, "numbers above 0, and a decay that is not negative", ""));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// specs/fullbody.md A.1; the paper's table 2.
    #[test]
    fn channels_of_the_paper() {
        let shape = GrowingShape::default();
        shape.check().unwrap();
        let resolutions: Vec<usize> = shape.resolutions().collect();
        assert_eq!(resolutions, [4, 8, 16, 32, 64, 128, 256, 512, 1024]);
        let channels: Vec<usize> = resolutions.iter().map(|&r| shape.channels(r)).collect();
        assert_eq!(channels, [512, 512, 512, 512, 256, 128, 64, 32, 16]);
        assert_eq!(shape.hidden(), 512);
    }

    #[test]
    fn shapes_that_cannot_be_built_are_refused() {
        for (shape, word) in [
            (GrowingShape::paper(96), "96 px"),
            (GrowingShape::paper(2), "2 px"),
            (GrowingShape { base: 0, ..GrowingShape::default() }, "base 0"),
            (GrowingShape { decay: f64::NAN, ..GrowingShape::default() }, "NaN"),
        ] {
            let message = shape.check().unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
    }
}
