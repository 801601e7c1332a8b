//! Times training steps, by turns with PyTorch, after both have shown that they compute the same.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use serde_json::{Value, json};
use tachie::candle_core::Tensor;
use tachie::data::batch::Batch;
use tachie::train::gan::Player;
use tachie::train::trainer::Trainer;
use tachie::weights::safetensors;
use tachie::{Error, Result};

use super::models::{AFTER, Measured, export};
use super::options::Effort;
use super::rival::Rival;
use super::stats::median;
use super::temporary::folder;

/// Largest difference of the moved weights, as a share of how far they moved. Adam's first step is the sign of the
/// gradient, so that weights whose gradient is rounding noise move apart: 0.2 is one weight in a hundred, 0.4 four, and
/// opposite signs everywhere would be 2. Generators, which move after their discriminators, show most of it: dcgan `paper`
/// at 128 px is 0.21 apart, its generator alone 0.33, where all losses agree to 5e-6.
const WEIGHTS: f64 = 0.4;

/// What a step takes.
#[derive(Serialize)]
pub struct Row {
    pub name: String,
    /// How many numbers each player trains.
    pub parameters: BTreeMap<String, usize>,
    /// Milliseconds of a step.
    pub tachie: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pytorch: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// Those of the rounds.
    pub ratios: Vec<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement: Option<Agreement>,
}

/// How far the two sides' first steps differ.
#[derive(Clone, Copy, Serialize)]
pub struct Agreement {
    /// Largest relative difference of a loss.
    pub losses: f64,
    /// ‖tachie − PyTorch‖ / ‖tachie − start‖ over all parameters.
    pub weights: f64,
    /// The same of the running averages.
    pub averages: f64,
}

/// Both sides, round by round; `compared` has their first steps compared before.
pub fn measure(model: &dyn Measured, mut rival: Option<&mut Rival>, effort: Effort, compared: bool) -> Result<Row> {
    let folder = folder()?;
    let batch = model.batch()?;
    let agreement = match rival.as_mut().filter(|_| compared) {
        Some(rival) => Some(compare(model, &batch, folder.path(), rival)?),
        None => None,
    };
    let mut trainer = model.trainer(&folder.path().join("run"))?;
    export(model, &trainer, &batch, folder.path())?;
    // Steps in which a training tries its threads do not say how fast it is. They too come in whole cycles, so that penalties
    // stay where rounds expect them.
    while !trainer.settled() {
        for _ in 0..model.cycle() {
            trainer.step_on(&batch)?;
        }
    }
    let mut ours = |steps: u64| -> Result<f64> {
        let start = Instant::now();
        for _ in 0..steps {
            trainer.step_on(&batch)?;
        }
        Ok(start.elapsed().as_secs_f64() * 1e3 / steps as f64)
    };
    let mut theirs = |steps: u64| -> Result<Option<f64>> {
        let Some(rival) = rival.as_mut() else { return Ok(None) };
        let answer = rival.ask(&json!({ "steps": steps, "folder": folder.path() }))?;
        Rival::number(&answer, "milliseconds").map(Some)
    };
    // Both warm up.
    let first = ours(model.cycle())?;
    theirs(model.cycle())?;
    let steps = ((effort.turn / first) as u64).div_ceil(model.cycle()).max(1) * model.cycle();
    let (mut mine, mut others) = (Vec::new(), Vec::new());
    effort.spend(|| {
        others.extend(theirs(steps)?);
        mine.push(ours(steps)?);
        Ok(())
    })?;
    let parameters = counts(&trainer);
    let ratios: Vec<f64> = mine.iter().zip(&others).map(|(mine, other)| mine / other).collect();
    let known = |values: &[f64]| (!values.is_empty()).then(|| median(values.to_vec()));
    let (pytorch, ratio) = (known(&others), known(&ratios));
    Ok(Row { name: model.name().to_string(), parameters, tachie: median(mine), pytorch, ratio, ratios, agreement })
}

/// That both sides compute the same: parameter counts, every loss of the first step, and the weights after it.
fn compare(model: &dyn Measured, batch: &Batch, folder: &Path, rival: &mut Rival) -> Result<Agreement> {
    let mut trainer = model.penalising(&folder.join("check"))?;
    export(model, &trainer, batch, folder)?;
    let answer = rival.ask(&json!({ "check": folder }))?;
    let counted = json!(counts(&trainer));
    if answer["parameters"] != counted {
        let (found, expected) = (answer["parameters"].to_string(), counted.to_string());
        return Err(Error::invalid(format!("{}: PyTorch's numbers of parameters", model.name()), found, expected, ""));
    }
    let start = copies(&trainer)?;
    let losses = trainer.step_on(batch)?.losses;
    let difference = compare_losses(model, &losses, &answer["losses"])?;
    let theirs = safetensors::read(folder.join(AFTER))?.tensors;
    let networks = trainer.networks();
    let weights = apart(&networks.params.tensors(), &start, &theirs, "")?;
    let averages = apart(&networks.average.tensors(), &start, &theirs, "average.")?;
    if !(weights <= WEIGHTS && averages <= WEIGHTS) {
        let found = format!("{weights:.1e} (running averages {averages:.1e}) of the way apart");
        let what = format!("{}: weights after the first step", model.name());
        return Err(Error::invalid(what, found, format!("at most {WEIGHTS}"), "The replica computes something else."));
    }
    Ok(Agreement { losses: difference, weights, averages })
}

/// Prints every loss of both sides; returns the largest relative difference.
fn compare_losses(model: &dyn Measured, ours: &BTreeMap<String, f64>, theirs: &Value) -> Result<f64> {
    println!("{}: losses of the first step, tachie and PyTorch", model.name());
    let mut largest: f64 = 0.0;
    for (name, &mine) in ours {
        let other = Rival::number(theirs, name)?;
        let difference = (mine - other).abs() / mine.abs().max(other.abs()).max(1e-6);
        println!("  {name:<24} {mine:>14.7} {other:>14.7}");
        if difference.is_nan() || difference > model.losses_apart() {
            let what = format!("{}: {name} in the first step", model.name());
            let (found, expected) = (other.to_string(), format!("{mine}, that of tachie"));
            return Err(Error::invalid(what, found, expected, "The replica computes something else."));
        }
        largest = largest.max(difference);
    }
    Ok(largest)
}

/// How far the weights of the two sides are apart, as a share of how far tachie's have moved.
fn apart(
    ours: &BTreeMap<String, Tensor>,
    start: &BTreeMap<String, Tensor>,
    theirs: &BTreeMap<String, Tensor>,
    prefix: &str,
) -> Result<f64> {
    let square = |a: &Tensor, b: &Tensor| -> Result<f64> {
        Ok(f64::from((a - b)?.flatten_all()?.sqr()?.sum_all()?.to_scalar::<f32>()?))
    };
    let (mut distance, mut way) = (0.0, 0.0);
    for (name, start) in start {
        let named = |side: &BTreeMap<String, Tensor>, name: &str| {
            let hint = "Both sides name parameters alike.";
            side.get(name).cloned().ok_or_else(|| Error::invalid("weights", format!("no {name}"), "one", hint))
        };
        let mine = named(ours, name)?;
        distance += square(&mine, &named(theirs, &format!("{prefix}{name}"))?)?;
        way += square(&mine, start)?;
    }
    Ok((distance / way).sqrt())
}

/// Copies of the parameters, without the running statistics.
fn copies(trainer: &Trainer) -> Result<BTreeMap<String, Tensor>> {
    let parameters = trainer.networks().params.trainable("");
    parameters.into_iter().map(|(name, var)| Ok((name, var.as_detached_tensor().copy()?))).collect()
}

fn counts(trainer: &Trainer) -> BTreeMap<String, usize> {
    let params = trainer.networks().params;
    let players = [Player::Generator, Player::Discriminator, Player::Domain, Player::Classifier];
    let counts = players.map(|player| (player.name().to_string(), params.count(player.prefix())));
    counts.into_iter().filter(|(_, count)| *count > 0).collect()
}
