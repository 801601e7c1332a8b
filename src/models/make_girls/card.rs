//! What the model card says of this paper.

use super::config::{GeneratorConfig, MakeGirlsConfig};

/// Rows of [`Model::card`](crate::models::model::Model::card).
pub(super) fn summary(config: &MakeGirlsConfig) -> Vec<(&'static str, String)> {
    let (size, objective) = (config.size(), &config.objective);
    let generator = match &config.generator {
        GeneratorConfig::SrResNet(g) => format!("SRResNet, {} blocks of {} channels", g.blocks, g.channels),
        GeneratorConfig::Dcgan(g) => format!("DCGAN, {:?} channels", g.channels),
    };
    vec![
        ("input", format!("z of {} normal numbers, {} attributes as -1/+1", config.latent, config.tags.len())),
        ("output", format!("[N, 3, {size}, {size}] in [-1, 1]")),
        ("generator", generator),
        ("discriminator", format!("{} stages, no normalisation", config.discriminator.stages.len())),
        (
            "losses",
            format!("{} × adversarial, attributes, {} × DRAGAN penalty", objective.lambda_adv, objective.lambda_gp),
        ),
    ]
}
