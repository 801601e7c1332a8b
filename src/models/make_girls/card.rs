//! The model card that a notebook shows.

use super::config::GeneratorConfig;
use super::handle::MakeGirls;
use super::objective::Adversaries;
use crate::Result;
use crate::models::catalogue;
use crate::show::bundle::{Bundle, Show, displayable};
use crate::show::number::grouped;
use crate::show::table::Table;
use crate::train::gan::{Gan, Player};

impl MakeGirls {
    /// The model card: what goes in and out, parameters per player, losses and schedule, the paper.
    ///
    /// # Errors
    /// When the table cannot be made.
    pub fn card(&self) -> Result<Table> {
        let config = self.config();
        let size = config.size();
        let count = |wanted: Player| {
            let counts = self.parameters();
            counts.iter().filter(|(player, _)| *player == wanted).map(|(_, count)| *count as u64).sum::<u64>()
        };
        let entry = catalogue::find(Adversaries::NAME)?;
        let (objective, schedule) = (&config.objective, &config.schedule);
        let architecture = match &config.generator {
            GeneratorConfig::SrResNet(g) => format!("SRResNet, {} blocks of {} channels", g.blocks, g.channels),
            GeneratorConfig::Dcgan(g) => format!("DCGAN, {:?} channels", g.channels),
        };
        let rows = [
            ("input", format!("z of {} normal numbers, {} attributes as -1/+1", config.latent, config.tags.len())),
            ("output", format!("[N, 3, {size}, {size}] in [-1, 1]")),
            ("generator", format!("{architecture}: {} parameters", grouped(count(Player::Generator)))),
            (
                "discriminator",
                format!(
                    "{} stages, no normalisation: {} parameters",
                    config.discriminator.stages.len(),
                    grouped(count(Player::Discriminator))
                ),
            ),
            (
                "losses",
                format!("{} × adversarial, attributes, {} × DRAGAN penalty", objective.lambda_adv, objective.lambda_gp),
            ),
            (
                "schedule",
                format!(
                    "{} steps of {} pictures, Adam {} (generator) and {} (discriminator)",
                    grouped(schedule.steps),
                    schedule.batch,
                    schedule.generator_rate,
                    schedule.discriminator_rate
                ),
            ),
            ("paper", format!("{} ({}), {}", entry.paper, entry.year, entry.link)),
        ];
        let (names, values): (Vec<&str>, Vec<String>) = rows.into_iter().unzip();
        Table::builder().text("make.girls.moe", names).text("this model", values).build()
    }
}

impl Show for MakeGirls {
    fn bundle(&self) -> Result<Bundle> {
        self.card()?.bundle()
    }
}

displayable!(MakeGirls);

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn the_card_names_what_matters() {
        let text = MakeGirls::tiny().build(&Device::Cpu).unwrap().card().unwrap().html();
        for part in ["[N, 3, 64, 64]", "34 attributes", "DRAGAN", "https://arxiv.org/abs/1708.05509"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
