//! The steps of [`prepare::clothing`](crate::data::prepare::clothing) held against the truth about the files.

use std::collections::BTreeSet;

use super::truth::{Bounds, FileTruth, Kind};
use crate::data::agreement::Agreement;
use crate::data::poses::names::Names;
use crate::data::prepare::clothing::StepReport;
use crate::data::prepare::clothing::boxes::{Area, Boxes, Detection};
use crate::data::prepare::clothing::calibrate::Calibrated;
use crate::data::prepare::clothing::classify::Label;
use crate::data::prepare::clothing::crop_pairs::Cut;
use crate::data::prepare::clothing::dedupe::DedupeReport;
use crate::data::prepare::clothing::detector::geometry::overlap;
use crate::data::prepare::clothing::pad::PadOptions;
use crate::data::report::Action;

/// Overlap, intersection over union, from which a box is found.
const FOUND: f64 = 0.5;

/// The truth about a crawl, by the names of files. What steps make of a file is found by the file's name: other endings and
/// folders before it do no harm.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    files: Vec<FileTruth>,
    names: Names,
}

/// How far the clothing is from the middle of its pictures, in shares of their width.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OffCentre {
    /// In the cut photos.
    pub before: Vec<f64>,
    /// In the same photos after calibration.
    pub after: Vec<f64>,
}

impl Truth {
    /// Of what [`Crawl::write`](super::Crawl::write) or [`read_truth`](super::read_truth) has returned.
    pub fn of(files: Vec<FileTruth>) -> Truth {
        let names = Names::of(files.iter().map(|truth| truth.file.as_str()));
        Truth { files, names }
    }

    /// All files, in the order of the crawl.
    pub fn files(&self) -> &[FileTruth] {
        &self.files
    }

    /// What is known of a file, or of what a step made of it.
    pub fn get(&self, file: &str) -> Option<&FileTruth> {
        self.names.find(file).ok().map(|i| &self.files[i])
    }

    /// What a person says who is asked about a file.
    pub fn label(&self, file: &str) -> Option<Label> {
        self.get(file).map(|truth| if truth.kind == Kind::Pair { Label::Pair } else { Label::Other })
    }

    /// The boxes that a person draws into pictures: of the character and of the clothing.
    pub fn boxes<'a>(&self, files: impl IntoIterator<Item = &'a str>) -> Boxes {
        let of = |file: &'a str| {
            let found = self.get(file).map(FileTruth::boxes).unwrap_or_default();
            found.into_iter().map(move |detection| (file.to_string(), detection))
        };
        Boxes::new(files.into_iter().flat_map(of))
    }

    /// Whether a step that keeps whole pictures dropped the files that cannot be read, and only those.
    pub fn gathered(&self, report: &StepReport) -> Agreement {
        let dropped = self.dropped(report);
        Agreement::of(self.files.iter().enumerate().map(|(i, truth)| [dropped.contains(&i), !truth.is_readable()]))
    }

    /// Whether a step that keeps pairs kept all of them, and nothing else that can be read.
    pub fn filtered(&self, report: &StepReport) -> Agreement {
        let dropped = self.dropped(report);
        let readable = self.files.iter().enumerate().filter(|(_, truth)| truth.is_readable());
        Agreement::of(readable.map(|(i, truth)| [!dropped.contains(&i), truth.kind == Kind::Pair]))
    }

    /// Whether what was built in the end, by the names of its pictures, has every pair of the crawl, and each once.
    pub fn built<'a>(&self, files: impl IntoIterator<Item = &'a str>) -> Agreement {
        let pairs = |files: &mut dyn Iterator<Item = &FileTruth>| {
            files.filter_map(|truth| truth.pair).collect::<BTreeSet<usize>>().len() as u64
        };
        let files: Vec<&str> = files.into_iter().collect();
        Agreement {
            right: pairs(&mut files.iter().filter_map(|file| self.get(file))),
            told: files.len() as u64,
            wanted: pairs(&mut self.files.iter()),
        }
    }

    /// The numbers of the files that a step left out.
    fn dropped(&self, report: &StepReport) -> BTreeSet<usize> {
        let problems = report.problems.problems.iter().filter(|problem| problem.action == Action::LeftOut);
        problems.filter_map(|problem| self.names.find(&problem.file).ok()).collect()
    }

    /// Whether pairs were told from everything else: the probabilities of a pair against a threshold.
    pub fn pairs<'a>(&self, scores: impl IntoIterator<Item = &'a (String, f64)>, threshold: f64) -> Agreement {
        let scores = scores.into_iter().filter_map(|(file, value)| Some((self.get(file)?.kind, *value >= threshold)));
        Agreement::of(scores.map(|(kind, told)| [told, kind == Kind::Pair]))
    }

    /// Whether the best box of a class in each of these pictures is there and in its place: it overlaps the true one by at
    /// least one half. Boxes below `score` do not count.
    pub fn found<'a>(
        &self,
        files: impl IntoIterator<Item = &'a str>,
        boxes: &Boxes,
        class: &str,
        score: f64,
    ) -> Agreement {
        let mut all = Agreement::default();
        for truth in files.into_iter().filter_map(|file| self.get(file)) {
            let told = boxes.best(&truth.file, class).filter(|found| found.score >= score);
            let wanted = truth.boxes().into_iter().find(|wanted| wanted.class == class);
            let right = told.zip(wanted.as_ref()).is_some_and(|(one, other)| {
                let [one, other] = [one, other].map(|of| corners(of.area));
                overlap(&one, &other) >= FOUND
            });
            all.right += u64::from(right);
            all.told += u64::from(told.is_some());
            all.wanted += u64::from(wanted.is_some());
        }
        all
    }

    /// Whether files were put together that show the same: of all pairs of files.
    pub fn duplicates(&self, report: &DedupeReport) -> Agreement {
        report.agreement(|file| self.get(file).map(|truth| truth.group))
    }

    /// How far the clothing is from the middle before and after calibration, of pictures that
    /// [`crop_pairs`](crate::data::prepare::clothing::crop_pairs::crop_pairs) has cut, that may have been enlarged and padded
    /// as `padded` says, and that [`calibrate`](crate::data::prepare::clothing::calibrate::calibrate) has cut again.
    pub fn off_centre(
        &self,
        cuts: &[(String, Cut)],
        padded: Option<&PadOptions>,
        calibrated: &[(String, Calibrated)],
    ) -> OffCentre {
        let names = Names::of(cuts.iter().map(|(file, _)| file.as_str()));
        let mut off = OffCentre::default();
        for (file, row) in calibrated {
            let Ok((file, cut)) = names.find(file).map(|i| &cuts[i]) else { continue };
            let Some(centre) = self.get(file).and_then(|truth| truth.centre) else { continue };
            let (target, [x, y]) = (cut.target, centre.map(f64::from));
            let size = (target.width, target.height);
            let share =
                [(x - f64::from(target.left)) / f64::from(size.0), (y - f64::from(target.top)) / f64::from(size.1)];
            let [left, top, width, height] = match padded {
                None => [0, 0, row.size.0.into(), row.size.1.into()],
                Some(options) => options.place(size),
            };
            let place = [left as f64 + share[0] * width as f64, top as f64 + share[1] * height as f64];
            off.before.push((share[0] - 0.5).abs());
            off.after.push((row.transform.point(place)[0] / f64::from(row.transform.size) - 0.5).abs());
        }
        off
    }
}

impl OffCentre {
    /// The mean of distances; 1, which no distance is, of none.
    pub fn mean(distances: &[f64]) -> f64 {
        if distances.is_empty() { 1.0 } else { distances.iter().sum::<f64>() / distances.len() as f64 }
    }

    /// At most so far away are 95 of 100.
    pub fn of_95(distances: &[f64]) -> f64 {
        let mut sorted = distances.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted.get((0.95 * sorted.len() as f64) as usize).or(sorted.last()).copied().unwrap_or(1.0)
    }
}

impl FileTruth {
    /// The boxes of character and clothing, as a detector says them that makes no mistakes.
    pub fn boxes(&self) -> Vec<Detection> {
        let area = |[left, top, right, low]: Bounds| [left, top, right - left, low - top].map(f64::from);
        let of = |(class, bounds): (&str, Option<Bounds>)| {
            Some(Detection { class: class.into(), score: 1.0, area: area(bounds?) })
        };
        [("character", self.character), ("clothing", self.clothing)].into_iter().filter_map(of).collect()
    }
}

fn corners([left, top, width, height]: Area) -> [f64; 4] {
    [left, top, left + width, top + height]
}
