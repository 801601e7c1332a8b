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

    /// Whether the best box of a class in each of these pictures, named as in `boxes`, is there and in its place: it overlaps the true one by at
    /// least one half. Boxes below `score` do not count.
    pub fn found<'a>(
        &self,
        files: impl IntoIterator<Item = &'a str>,
        boxes: &Boxes,
        class: &str,
        score: f64,
    ) -> Agreement {
        let mut all = Agreement::default();
        for (file, truth) in files.into_iter().filter_map(|file| Some((file, self.get(file)?))) {
            let told = boxes.best(file, class).filter(|found| found.score >= score);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::avatar::Avatar;
    use crate::data::prepare::art::fit::Rectangle;
    use crate::data::prepare::clothing::calibrate::{CalibrateOptions, FoundBy};

    fn truth() -> Truth {
        let files = Avatar::crawl().files(60).sides(64..=80).all().unwrap();
        Truth::of(files.into_iter().map(|file| file.truth).collect())
    }

    /// What a step makes of a file: another folder and another ending.
    fn made(truth: &FileTruth) -> String {
        format!("images/{}.png", truth.file.rsplit_once('.').map_or(truth.file.as_str(), |(stem, _)| stem))
    }

    #[test]
    fn the_truth_agrees_with_itself() {
        let truth = truth();
        let names: Vec<String> = truth.files().iter().filter(|file| file.is_readable()).map(made).collect();
        let files = || names.iter().map(String::as_str);
        assert!(files().all(|file| truth.get(file).is_some()) && truth.get("nothing.png").is_none());
        let boxes = truth.boxes(files());
        for class in ["character", "clothing"] {
            let found = truth.found(files(), &boxes, class, 0.5);
            assert!(found.wanted > 20 && (found.right, found.told) == (found.wanted, found.wanted), "{class}: {found}");
            let certain = truth.found(files(), &boxes, class, 1.5);
            assert_eq!((certain.told, certain.wanted), (0, found.wanted));
            let other = truth.found(files(), &Boxes::default(), class, 0.0);
            assert_eq!((other.right, other.told, other.wanted), (0, 0, found.wanted));
        }
        let score = |file: &str| if truth.label(file) == Some(Label::Pair) { 0.9 } else { 0.2 };
        let mut scores: Vec<(String, f64)> = files().map(|file| (file.to_string(), score(file))).collect();
        let right = truth.pairs(&scores, 0.5);
        assert!(right.wrong() == 0 && right.wanted > 20, "{right}");
        let all = truth.pairs(&scores, 0.0);
        assert_eq!((all.right, all.told), (right.wanted, names.len() as u64));
        scores[0].1 = 1.1 - scores[0].1;
        assert_eq!(truth.pairs(&scores, 0.5).wrong(), 1);
        let pairs: BTreeSet<usize> = truth.files().iter().filter_map(|file| file.pair).collect();
        let built = truth.built(files());
        assert_eq!(
            (built.right, built.wanted, built.told),
            (pairs.len() as u64, pairs.len() as u64, names.len() as u64)
        );
    }

    #[test]
    fn distances_from_the_middle_by_hand() {
        let mut truth = truth();
        let i = truth.files.iter().position(|file| file.kind == Kind::Pair).unwrap();
        truth.files[i].centre = Some([110.0, 80.0]);
        let target = Rectangle { left: 50, top: 40, width: 80, height: 100 };
        let cut = Cut { source: target, target, scores: [1.0; 2] };
        let cuts = [(truth.files[i].file.clone(), cut)];
        // The centre is at 60 of 80 pixels: 20 on either side of it are kept.
        let options = CalibrateOptions { size: 64, ..CalibrateOptions::default() };
        let row = |centre: [f64; 2], size: (u32, u32)| Calibrated {
            output: String::new(),
            size,
            centre,
            found_by: FoundBy::KeyPoints,
            transform: options.transform(size, centre).unwrap(),
        };
        let name = made(&truth.files[i]);
        let off = truth.off_centre(&cuts, None, &[(name.clone(), row([60.0, 40.0], (80, 100)))]);
        assert_eq!((off.before, off.after), (vec![0.25], vec![0.0]));
        // In a square of 200 pixels the picture has 160 by 200, from 20 on: the centre is at 140, and 10 too far left was read.
        let padding = PadOptions::square(200);
        assert_eq!(padding.place((80, 100)), [20, 0, 160, 200]);
        let off = truth.off_centre(&cuts, Some(&padding), &[(name, row([130.0, 80.0], (200, 200)))]);
        assert!((off.after[0] - 0.05).abs() < 1e-9, "{off:?}");
        assert_eq!([OffCentre::mean(&[0.1, 0.3]), OffCentre::mean(&[])], [0.2, 1.0]);
        assert_eq!(OffCentre::of_95(&(0..100).map(f64::from).collect::<Vec<_>>()), 95.0);
    }
}
