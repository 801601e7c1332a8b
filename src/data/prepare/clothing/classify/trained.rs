//! The classifier of a round, kept in a folder that is named after its labels.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::classifier::PairClassifier;
use super::example::Example;
use super::labels::{Label, Labels};
use super::round::{Disagreement, RoundOptions, RoundReport};
use crate::data::dataset::{Split, Splits};
use crate::data::import::{Refused, original};
use crate::data::prepare::clothing::step::{Input, write_table};
use crate::data::prepare::review::{Noted, SheetOptions, sheet_of};
use crate::data::splits::of_groups;
use crate::show::save::make_folder_of;
use crate::{Error, Result};

/// Names of the files of a round: the classifier, and where it and a label disagree.
const CLASSIFIER: &str = "classifier.safetensors";
const ERRORS: &str = "errors.csv";

/// The classifier of some labels, and what it says of all pictures.
pub(super) struct Trained {
    /// Where it is, in the folder of the rounds.
    pub folder: PathBuf,
    /// Of every picture, in the order of their names.
    pub scores: Vec<(String, f64)>,
    held_out: BTreeSet<String>,
}

impl Trained {
    /// Trains on the labels, unless that was done.
    pub fn of(
        input: &Path,
        pool: &[Input],
        work: &Path,
        labels: &Labels,
        options: &RoundOptions,
        progress: impl FnMut(usize, f64),
    ) -> Result<Trained> {
        let given = labels.given();
        let said = |input: &Input| match given.get(input.file.as_str()) {
            Some(Label::Pair) => Some(true),
            Some(Label::Other) => Some(false),
            _ => None,
        };
        let known: Vec<(&Input, bool)> = pool.iter().filter_map(|input| Some((input, said(input)?))).collect();
        let names: Vec<(&str, bool)> = known.iter().map(|(input, is)| (input.file.as_str(), *is)).collect();
        let settings = (&options.classifier, options.validation, &names);
        let text = serde_json::to_vec(&settings)
            .map_err(|error| Error::invalid("settings", error.to_string(), "ones that JSON can hold", ""))?;
        let digest = &blake3::hash(&text).to_hex()[..8];
        let folder = work.join(format!("round-{}-{digest}", labels.labelled_round()));
        let splits = Splits { validation: options.validation, test: 0.0, seed: options.classifier.seed.0 };
        let divided = of_groups(names.iter().map(|(file, _)| *file).collect(), "labels", &splits);
        let held_out: BTreeSet<String> =
            divided.into_iter().filter(|(_, split)| *split == Split::Validation).map(|(file, _)| file.into()).collect();
        let path = folder.join(CLASSIFIER);
        let classifier = match path.is_file() {
            true => PairClassifier::open(&path)?,
            false => {
                let side = options.classifier.backbone.side();
                let learned = known.iter().filter(|(input, _)| !held_out.contains(&input.file));
                let example = |(input, is_pair): &(&Input, bool)| match original(&input.path) {
                    Ok(picture) => Ok(Example::new(&picture, *is_pair, side)),
                    Err(Refused(kind, detail)) => Err(Error::file(&input.path, kind, "a whole picture", detail)),
                };
                let examples = learned.map(example).collect::<Result<Vec<_>>>()?;
                let classifier = PairClassifier::of_examples(examples, &options.classifier, progress)?;
                make_folder_of(&path)?;
                classifier.save(&path)?;
                classifier
            }
        };
        let (scores, _) = classifier.score(input, folder.join("scores"))?;
        Ok(Trained { folder, scores, held_out })
    }

    /// Writes where labels and classifier disagree, and tells the report.
    pub fn review(&self, input: &Path, labels: &Labels, report: &mut RoundReport) -> Result<()> {
        let given = labels.given();
        let (mut right, mut held) = (0, 0);
        for (file, probability) in &self.scores {
            let labelled_pair = match given.get(file.as_str()) {
                Some(Label::Pair) => true,
                Some(Label::Other) => false,
                _ => continue,
            };
            let (agrees, held_out) = ((*probability >= 0.5) == labelled_pair, self.held_out.contains(file));
            (held, right) = (held + usize::from(held_out), right + usize::from(held_out && agrees));
            if !agrees {
                let (file, probability) = (file.clone(), *probability);
                report.disagreements.push(Disagreement { file, labelled_pair, probability, held_out });
            }
        }
        let certainty = |one: &Disagreement| (one.probability - 0.5).abs();
        report.disagreements.sort_by(|a, b| certainty(b).total_cmp(&certainty(a)).then(a.file.cmp(&b.file)));
        report.held_out = (held > 0).then_some([right, held]);
        report.classifier = Some(self.folder.join(CLASSIFIER));
        report.scores.clone_from(&self.scores);
        let word = |pair: bool| if pair { Label::Pair.word() } else { Label::Other.word() };
        let rows = report.disagreements.iter().map(|one| {
            let held = if one.held_out { "1" } else { "0" };
            vec![one.file.clone(), word(one.labelled_pair).into(), format!("{:.4}", one.probability), held.into()]
        });
        write_table(&self.folder.join(ERRORS), &["file", "label", "probability", "held out"], rows)?;
        if !report.disagreements.is_empty() {
            let note = |one: &Disagreement| {
                let says = format!("{}, the classifier {:.2}", word(one.labelled_pair), one.probability);
                (one.file.clone(), vec![("labelled", says)])
            };
            let sheet = self.folder.join("errors.html");
            write_sheet(input, &sheet, report.disagreements.iter().map(note).collect())?;
            report.sheets.push(sheet);
        }
        Ok(())
    }

    /// The pictures of which the classifier is least certain (uncertainty sampling; Lewis and Gale, SIGIR 1994), of those
    /// that nobody was asked about.
    pub fn questions(&self, labels: &Labels, most: usize) -> Vec<(String, Option<f64>)> {
        let asked: BTreeSet<&str> = labels.rows().iter().map(|row| row.file.as_str()).collect();
        let mut open: Vec<(&str, f64)> = self.scores.iter().map(|(file, value)| (file.as_str(), *value)).collect();
        open.retain(|(file, _)| !asked.contains(file));
        open.sort_by(|a, b| (a.1 - 0.5).abs().total_cmp(&(b.1 - 0.5).abs()).then(a.0.cmp(b.0)));
        open.into_iter().take(most).map(|(file, value)| (file.to_string(), Some(value))).collect()
    }
}

/// Pictures of a folder with what is pointed out about them, in this order, as a page.
pub(super) fn write_sheet(input: &Path, path: &Path, files: Vec<Noted>) -> Result<()> {
    const PAGE: usize = 120;
    let title = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    sheet_of(input, title, &files, &SheetOptions::default())?.save(path, 0, PAGE).map(|_| ())
}
