//! The model card that a notebook shows.

use super::config::GeneratorConfig;
use super::handle::MakeGirls;
use crate::Result;
use crate::show::bundle::{Bundle, Show, displayable};
use crate::show::table::Table;
use crate::train::gan::Player;

/// The paper, as the card names it.
const PAPER: &str = "Jin et al. 2017, Towards the Automatic Anime Characters Creation with Generative Adversarial Networks, \
    https://arxiv.org/abs/1708.05509";

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
            counts.iter().filter(|(player, _)| *player == wanted).map(|(_, count)| *count).sum::<usize>()
        };
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
                    grouped(schedule.steps as usize),
                    schedule.batch,
                    schedule.generator_rate,
                    schedule.discriminator_rate
                ),
            ),
            ("paper", PAPER.to_string()),
        ];
        let (names, values): (Vec<&str>, Vec<String>) = rows.into_iter().unzip();
        Table::builder().text("make.girls.moe", names).text("this model", values).build()
    }
}

/// Thousands apart.
fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let parts: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|part| str::from_utf8(part).ok()).collect();
    parts.join(",")
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
        assert_eq!([grouped(7), grouped(1234), grouped(4_385_283)], ["7", "1,234", "4,385,283"]);
        let text = MakeGirls::tiny().build(&Device::Cpu).unwrap().card().unwrap().html();
        for part in ["[N, 3, 64, 64]", "34 attributes", "DRAGAN", "https://arxiv.org/abs/1708.05509"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
