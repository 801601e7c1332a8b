//! Numbers that differ from the paper's, which are the [`Default`] of every part.

use super::config::{
    DiscriminatorConfig, GeneratorConfig, MakeGirlsConfig, ObjectiveConfig, Planes, ScheduleConfig, SrResNetConfig,
    StageConfig, Start, Upsampling,
};
use crate::data::tags::TagSet;
use crate::{Error, Result};

impl MakeGirlsConfig {
    /// The generator of the 256 px networks that the site added in November 2017: 36 labels, nearest upsampling,
    /// 3×3 output kernel; 4,146,435 stored numbers. It is not in the paper; the discriminator is Figure 8's with one
    /// more stage.
    pub fn site_256() -> MakeGirlsConfig {
        let mut discriminator = DiscriminatorConfig::figure();
        discriminator.stages.push(StageConfig { channels: 1024, kernel: 3, blocks: 0 });
        let generator =
            SrResNetConfig { upsampling: Upsampling::Nearest, doublings: 4, output_kernel: 3, ..Default::default() };
        MakeGirlsConfig {
            tags: TagSet::make_girls_256(),
            generator: GeneratorConfig::SrResNet(generator),
            discriminator,
            ..Default::default()
        }
    }

    /// The networks that make.girls.moe published in 2017, by their number of labels: 34 at 128 px ("Amaryllis", no
    /// global skip, sub-pixel order DCR) or 36 at 256 px (global skip, nearest upsampling). Both write blue-green-red
    /// planes.
    ///
    /// # Errors
    /// When there is no such network.
    pub fn published(labels: usize) -> Result<MakeGirlsConfig> {
        match labels {
            34 => {
                let generator =
                    SrResNetConfig { global_skip: false, upsampling: Upsampling::SubPixelDcr, ..Default::default() };
                let generator = GeneratorConfig::SrResNet(generator);
                Ok(MakeGirlsConfig { generator, planes: Planes::Bgr, ..MakeGirlsConfig::default() })
            }
            36 => Ok(MakeGirlsConfig { planes: Planes::Bgr, ..MakeGirlsConfig::site_256() }),
            other => {
                let expected = "34 (128 px) or 36 (256 px)";
                Err(Error::invalid("labels of a published network", other.to_string(), expected, ""))
            }
        }
    }

    /// Networks for 64 px that learn on two CPU cores in ten minutes. The method is the paper's. What differs was
    /// found by trying a handful of settings, several changed at a time; no part's share was measured by itself:
    ///
    /// * fewer channels, blocks and noise numbers, batches of 16, the penalty on every fourth step, the learning rates
    ///   of a short training (1e-3, β₂ 0.99);
    /// * a weight of 4 on the adversarial terms, and no attribute loss on drawn pictures for the discriminator: in
    ///   the trials with it the attribute losses fell while the colours stayed wrong, as if both players agreed on
    ///   marks of their own;
    /// * [`Start::Kaiming`], since N(0, 0.02) hardly lets signals through a discriminator this narrow;
    /// * nearest upsampling, as in the site's later networks: with sub-pixel convolutions a checkerboard was still visible
    ///   after 1,500 steps (their colours were as good).
    pub fn tiny() -> MakeGirlsConfig {
        let generator = SrResNetConfig {
            channels: 24,
            blocks: 2,
            upsampling: Upsampling::Nearest,
            doublings: 2,
            output_kernel: 3,
            ..SrResNetConfig::default()
        };
        let stages = [(24, 4, 0), (48, 4, 0), (96, 4, 0), (192, 3, 0)];
        let objective =
            ObjectiveConfig { lambda_adv: 4.0, gp_interval: 4, classify_fakes: false, ..ObjectiveConfig::default() };
        let schedule = ScheduleConfig {
            batch: 16,
            generator_rate: 1e-3,
            discriminator_rate: 1e-3,
            beta2: 0.99,
            constant_steps: 1_200,
            decay_steps: 400.0,
            steps: 2_000,
            ema: 0.995,
            ..ScheduleConfig::default()
        };
        MakeGirlsConfig { latent: 32, ..MakeGirlsConfig::default() }
            .generator(generator)
            .discriminator(DiscriminatorConfig::of(&stages).start(Start::Kaiming))
            .objective(objective)
            .schedule(schedule)
    }
}
