//! Rounds of labelling and learning in a folder of pictures, and what is kept in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::classifier::ClassifierOptions;
use super::labels::{LABELS, Label, Labels, Row};
use super::trained::{Trained, write_sheet};
use crate::data::import::{Refused, header};
use crate::data::prepare::clothing::step::{Contents, Input, Product, Step, StepReport, pictures};
use crate::data::report::{Action, Report};
use crate::{Error, Result};

/// Pictures that are decoded between two lines of a record.
const CHUNK: usize = 64;

/// How labels are asked for and learned from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundOptions {
    /// Network and training.
    pub classifier: ClassifierOptions,
    /// Labels that a round asks for.
    pub ask: usize,
    /// Share of the labels that is not learned from, to see how often the classifier is right, 0 to 0.5.
    pub validation: f64,
}

impl Default for RoundOptions {
    /// The small network, 150 labels a round, a tenth of them for checking.
    fn default() -> Self {
        RoundOptions { classifier: ClassifierOptions::default(), ask: 150, validation: 0.1 }
    }
}

/// A picture about which a label and the classifier disagree.
#[derive(Clone, Debug, PartialEq)]
pub struct Disagreement {
    /// The picture below its folder.
    pub file: String,
    /// Whether its label says that it is a pair.
    pub labelled_pair: bool,
    /// The probability of a pair, as the classifier says.
    pub probability: f64,
    /// Whether the classifier has not learned from it.
    pub held_out: bool,
}

/// What a round did.
#[derive(Clone)]
pub struct RoundReport {
    /// The number of the round that is asked for.
    pub round: usize,
    /// The table of labels.
    pub labels: PathBuf,
    /// Pictures that are labelled a pair, and something else.
    pub labelled: [usize; 2],
    /// Pictures that were asked about now, the least certain first, with the probability of a pair.
    pub asked: Vec<(String, Option<f64>)>,
    /// Pictures that were asked about and have no label yet: nothing is learned before they have.
    pub waiting: usize,
    /// The classifier's file, once there is one.
    pub classifier: Option<PathBuf>,
    /// The probability of a pair of every picture, as it says, in the order of their names.
    pub scores: Vec<(String, f64)>,
    /// Of the labels that were held out, how many the classifier gave itself, and how many there are.
    pub held_out: Option<[usize; 2]>,
    /// Where labels and the classifier disagree, the most certain first: mistakes of either.
    pub disagreements: Vec<Disagreement>,
    /// Contact sheets that were written.
    pub sheets: Vec<PathBuf>,
    /// Every file that is no picture, and labels of pictures that are not there.
    pub problems: Report,
}

impl fmt::Display for RoundReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RoundReport { round, labels, labelled: [pairs, others], asked, waiting, .. } = self;
        writeln!(f, "{}: {pairs} pairs, {others} others labelled", labels.display())?;
        if let Some(classifier) = &self.classifier {
            writeln!(f, "{}", classifier.display())?;
        }
        if let Some([right, of]) = self.held_out {
            writeln!(f, "{right} of {of} labels that were held out are as the classifier says")?;
        }
        if self.classifier.is_some() {
            writeln!(f, "{} labels are not as it says", self.disagreements.len())?;
        }
        if !asked.is_empty() {
            writeln!(f, "round {round}: {} pictures to label", asked.len())?;
        } else if *waiting > 0 {
            writeln!(f, "round {round}: {waiting} pictures have no label yet")?;
        }
        self.sheets.iter().try_for_each(|sheet| writeln!(f, "{}", sheet.display()))?;
        write!(f, "{}", self.problems)
    }
}

impl fmt::Debug for RoundReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// One round of active learning on the pictures in `input` and below it, in the folder `work`.
///
/// The first call asks for labels of pictures drawn by chance: it adds rows to the table [`LABELS`] there, and writes a
/// contact sheet of them (`ask-1.html`). Once these have labels, by hand in the table or from the sheet ([`Labels::take`]),
/// the next call trains a classifier, writes what it says of every picture (`round-…/scores/scores.csv`) and where it disagrees with
/// a label (`errors.csv`, `errors.html`), and asks for the pictures of which it is least certain. With labels missing a call
/// does nothing but say so; with the same labels it finds the same classifier and trains none. All of it can be interrupted,
/// and no row is ever changed or removed.
///
/// # Errors
/// When an option cannot be, a folder or the table cannot be read or written, or there are only pairs or only others.
/// Pictures that cannot be read are no error: they are in the report.
pub fn classify_round(
    input: impl AsRef<Path>,
    work: impl AsRef<Path>,
    options: &RoundOptions,
    mut progress: impl FnMut(usize, f64),
) -> Result<RoundReport> {
    round_in(input.as_ref(), work.as_ref(), options, &mut progress)
}

fn round_in(
    input: &Path,
    work: &Path,
    options: &RoundOptions,
    progress: &mut dyn FnMut(usize, f64),
) -> Result<RoundReport> {
    let (pool, mut problems) = look(input, work, options)?;
    let mut labels = Labels::open(work.join(LABELS))?;
    let names: BTreeSet<&str> = pool.iter().map(|input| input.file.as_str()).collect();
    for file in labels.given().keys().filter(|file| !names.contains(*file)) {
        problems.add("labelled, but no picture there", file, "", Action::LeftOut);
    }
    let given = labels.given();
    let count = |wanted| names.iter().filter(|file| given.get(*file) == Some(&wanted)).count();
    let labelled = [count(Label::Pair), count(Label::Other)];
    let waiting = labels.open_questions().iter().filter(|file| names.contains(*file)).count();
    let mut report = RoundReport {
        round: labels.round(),
        labels: labels.path().to_path_buf(),
        labelled,
        asked: Vec::new(),
        waiting,
        classifier: None,
        scores: Vec::new(),
        held_out: None,
        disagreements: Vec::new(),
        sheets: Vec::new(),
        problems: problems.finish(pool.len()),
    };
    if waiting > 0 {
        return Ok(report);
    }
    let questions = match labels.rows().is_empty() {
        true => by_chance(&pool, options),
        false => {
            let trained = Trained::of(input, &pool, work, &labels, options, progress)?;
            trained.review(input, &labels, &mut report)?;
            trained.questions(&labels, options.ask)
        }
    };
    if !questions.is_empty() {
        report.round += 1;
        let row = |(file, probability): &(String, Option<f64>)| Row {
            file: file.clone(),
            label: None,
            round: report.round,
            probability: *probability,
        };
        let noted = |(file, probability): &(String, Option<f64>)| {
            (file.clone(), probability.iter().map(|value| ("pair", format!("{value:.2}"))).collect())
        };
        // The sheet first: without it nobody sees what the rows ask.
        let sheet = work.join(format!("ask-{}.html", report.round));
        write_sheet(input, &sheet, questions.iter().map(noted).collect())?;
        labels.add(questions.iter().map(row).collect())?;
        report.sheets.push(sheet);
        report.waiting = questions.len();
        report.asked = questions;
    }
    Ok(report)
}

/// What is kept in the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterOptions {
    /// Probability from which a picture is a pair.
    pub threshold: f64,
    /// Give files a second name instead of copying them: no disk space, but a change of one changes both.
    pub link: bool,
}

impl Default for FilterOptions {
    /// One half, copies.
    fn default() -> Self {
        FilterOptions { threshold: 0.5, link: false }
    }
}

/// Puts the pairs among the pictures of [`classify_round`] into `images/` of `output`: those that are labelled so, and of
/// those without a label what the classifier of the present labels takes for one. Every other file is in the report, with
/// the reason. A run that was interrupted goes on where it was.
///
/// # Errors
/// As [`classify_round`]; when `output` holds anything but the same step.
pub fn filter_pairs(
    input: impl AsRef<Path>,
    work: impl AsRef<Path>,
    output: impl AsRef<Path>,
    options: &RoundOptions,
    filter: &FilterOptions,
    mut progress: impl FnMut(usize, f64),
) -> Result<StepReport> {
    filter_in(input.as_ref(), work.as_ref(), output.as_ref(), options, filter, &mut progress)
}

fn filter_in(
    input: &Path,
    work: &Path,
    output: &Path,
    options: &RoundOptions,
    filter: &FilterOptions,
    progress: &mut dyn FnMut(usize, f64),
) -> Result<StepReport> {
    if !(0.0..=1.0).contains(&filter.threshold) {
        return Err(Error::invalid("threshold", filter.threshold.to_string(), "a probability from 0 to 1", ""));
    }
    // Both folders have to be outside of the pictures before anything is made.
    pictures(input, output, &mut Report::default())?;
    let (pool, problems) = look(input, work, options)?;
    let labels = Labels::open(work.join(LABELS))?;
    let trained = Trained::of(input, &pool, work, &labels, options, progress)?;
    let given = labels.given();
    let name = trained.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut step: Step<Kept> = Step::begin(output, "filter pairs", &(filter, name))?;
    step.report.problems.extend(problems.problems);
    let scores: BTreeMap<&str, f64> = trained.scores.iter().map(|(file, value)| (file.as_str(), *value)).collect();
    let made = step.run(&pool, CHUNK, |input| {
        let probability = scores.get(input.file.as_str()).copied().unwrap_or(0.0);
        Ok(keep(input, given.get(input.file.as_str()).copied(), probability, filter))
    })?;
    step.finish(made.len())
}

/// What the record says of a pair.
#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    probability: f64,
    labelled: bool,
}

fn keep(
    input: &Input,
    label: Option<Label>,
    probability: f64,
    filter: &FilterOptions,
) -> Result<Product<Kept>, Refused> {
    let detail = || format!("probability of a pair {probability:.3}");
    match label {
        Some(Label::Other) => return Err(Refused("labelled no pair", detail())),
        Some(Label::Pair) => {}
        _ if probability < filter.threshold => return Err(Refused("no pair", detail())),
        _ => {}
    }
    let format = header(&input.path)?.format;
    let to = format!("images/{}.{}", input.stem, format.extensions_str().first().copied().unwrap_or("png"));
    let contents = Contents::File { from: input.path.clone(), link: filter.link };
    let facts = Kept { probability, labelled: label == Some(Label::Pair) };
    Ok(Product { facts, files: vec![(to, contents)], notes: Vec::new() })
}

/// The pictures of a folder that can be read, in the order of their names.
fn look(input: &Path, work: &Path, options: &RoundOptions) -> Result<(Vec<Input>, Report)> {
    if !(0.0..=0.5).contains(&options.validation) {
        let found = options.validation.to_string();
        return Err(Error::invalid("share of labels for checking", found, "0 to 0.5", ""));
    }
    let mut problems = Report::default();
    let inputs = pictures(input, work, &mut problems)?;
    let mut step: Step<(u32, u32)> = Step::begin(&work.join("seen"), "look at pictures", &())?;
    let seen = step.run_pictures(&inputs, CHUNK, |_, picture| {
        Ok(Ok(Product { facts: picture.dimensions(), files: vec![], notes: vec![] }))
    })?;
    problems.problems.extend(step.report.problems.iter().cloned());
    step.finish(seen.len())?;
    Ok((seen.into_iter().map(|(input, _)| input).collect(), problems))
}

/// Pictures drawn by chance, whatever others there are.
fn by_chance(pool: &[Input], options: &RoundOptions) -> Vec<(String, Option<f64>)> {
    let seed = options.classifier.seed;
    let rank = |input: &Input| (seed.stream(&format!("pairs/ask/{}", input.file)).u64(), input.file.clone());
    let mut ranked: Vec<(u64, String)> = pool.iter().map(rank).collect();
    ranked.sort();
    ranked.into_iter().take(options.ask).map(|(_, file)| (file, None)).collect()
}
