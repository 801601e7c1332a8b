//! The model card that a notebook shows.

use super::Model;
use crate::Result;
use crate::models::catalogue;
use crate::show::bundle::{Bundle, Show, display};
use crate::show::number::grouped;
use crate::show::table::Table;
use crate::train::gan::Gan;
use crate::train::plan::{Mark, Plan, Stage};

impl<G: Gan> Model<G> {
    /// The model card: what goes in and out, what it is made of, parameters per player, schedule, the paper.
    ///
    /// # Errors
    /// When the table cannot be made.
    pub fn card(&self) -> Result<Table> {
        let entry = catalogue::find(G::NAME)?;
        let mut rows = G::summary(self.config());
        let counts =
            self.parameters().into_iter().map(|(who, count)| format!("{} {}", who.name(), grouped(count as u64)));
        rows.push(("parameters", counts.collect::<Vec<_>>().join(", ")));
        rows.push(("schedule", schedule(&G::plan(self.config()))));
        rows.push(("paper", format!("{} ({}), {}", entry.paper, entry.year, entry.link)));
        let (names, values): (Vec<&str>, Vec<String>) = rows.into_iter().unzip();
        Table::builder().text(entry.name, names).text("this model", values).build()
    }

    /// Shows the card as the output of the notebook cell that ends with the model.
    pub fn evcxr_display(&self) {
        display(self);
    }
}

impl<G: Gan> Show for Model<G> {
    fn bundle(&self) -> Result<Bundle> {
        self.card()?.bundle()
    }
}

/// "2,000 steps of 16 pictures, Adam 0.001", or how pictures grow.
fn schedule(plan: &Plan) -> String {
    let length = match plan.stages.last().map(|stage| stage.until) {
        Some(Mark::Steps(steps)) => format!("{} steps", grouped(steps)),
        Some(Mark::Images(images)) => format!("{} pictures shown", grouped(images)),
        None => "no stage".into(),
    };
    let span = |numbers: Vec<String>| match (numbers.first(), numbers.last()) {
        (Some(first), Some(last)) if first != last => format!("{first} to {last}"),
        (Some(first), _) => first.clone(),
        _ => String::new(),
    };
    let of = |number: fn(&Stage) -> String| span(plan.stages.iter().map(number).collect());
    let size = of(|stage| stage.resolution.to_string());
    let batch = of(|stage| stage.batch.to_string());
    let rates: Vec<String> = plan
        .order
        .iter()
        .map(|turn| {
            let rate = |stage: usize| shortened(plan.rate(turn.player, stage, 1));
            format!("{} ({})", span((0..plan.stages.len()).map(rate).collect()), turn.player.name())
        })
        .collect();
    format!("{length} at {size} px, minibatches of {batch}, Adam {}", rates.join(" and "))
}

/// A rate with at most three digits from the first that is not 0.
fn shortened(rate: f64) -> String {
    format!("{rate:.2e}").parse().unwrap_or(rate).to_string()
}

#[cfg(test)]
mod tests {
    use super::shortened;
    use crate::models::make_girls::MakeGirls;
    use crate::models::psgan::Psgan;
    use candle_core::Device;

    #[test]
    fn rates_are_short() {
        let texts = [0.0004, 0.0004 / 6.0, 0.0015, 2.0 / 3.0, 1.0, 0.0].map(shortened);
        assert_eq!(texts, ["0.0004", "0.0000667", "0.0015", "0.667", "1", "0"]);
    }

    #[test]
    fn the_card_names_what_matters() {
        let text = MakeGirls::tiny().build(&Device::Cpu).unwrap().card().unwrap().html();
        for part in ["[N, 3, 64, 64]", "34 attributes", "DRAGAN", "2,000 steps", "https://arxiv.org/abs/1708.05509"] {
            assert!(text.contains(part), "{text}");
        }
        let text = Psgan::tiny().build(&Device::Cpu).unwrap().card().unwrap().html();
        for part in ["20 key points", "4 to 32 px", "https://arxiv.org/abs/1809.01890"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
