//! Keypoints: how far the joints that are found lie from where they should be.

use candle_core::{DType, Device, Tensor};

use super::attributes::Count;
use crate::metrics::score::Score;
use crate::show::table::{Best, Table};
use crate::{Error, Result};

/// The length that a distance is measured against.
#[derive(Clone, Debug, PartialEq)]
pub enum Scale {
    /// The longer side of the smallest box around the true keypoints of a picture that are visible
    /// (Y. Yang and D. Ramanan, "Articulated Human Detection with Flexible Mixtures of Parts", PAMI 2013).
    Box,
    /// One length in pixels per picture (head size for PCKh, torso length, picture size).
    Lengths(Vec<f64>),
}

/// Distances between found and true keypoints.
#[derive(Clone, Debug, PartialEq)]
pub struct KeypointErrors {
    keypoints: usize,
    /// Row by row of pictures: none where the true keypoint is not visible, infinite where none was found.
    distances: Vec<Option<f64>>,
    boxes: Vec<f64>,
}

impl KeypointErrors {
    /// Compares `found` with `truth`, both `[N, K, 2]` positions in pixels, for the keypoints that are visible in truth
    /// (`visible` `[N, K]`, at least one half). NaN in `found` says that a keypoint was not found.
    ///
    /// # Errors
    /// When the shapes differ, or the position of a visible keypoint is not finite.
    pub fn of(found: &Tensor, truth: &Tensor, visible: &Tensor) -> Result<KeypointErrors> {
        let &[n, keypoints, 2] = truth.dims() else {
            return Err(Error::shape("true keypoints", truth.dims(), "[N, K, 2]"));
        };
        if found.dims() != truth.dims() || visible.dims() != [n, keypoints] {
            let shapes = [found.dims(), visible.dims()].concat();
            let expected = format!("[{n}, {keypoints}, 2] and [{n}, {keypoints}]");
            return Err(Error::shape("found keypoints and their visibility", &shapes, expected));
        }
        let read = |tensor: &Tensor| -> Result<Vec<f64>> {
            Ok(tensor.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)
        };
        let (found, truth, visible) = (read(found)?, read(truth)?, read(visible)?);
        let mut distances = Vec::with_capacity(n * keypoints);
        for i in 0..n * keypoints {
            let (here, there) = (&found[2 * i..2 * i + 2], &truth[2 * i..2 * i + 2]);
            let seen = visible[i] >= 0.5;
            if seen && there.iter().any(|v| !v.is_finite()) {
                let place = format!("{there:?} at keypoint {} of picture {}", i % keypoints, i / keypoints);
                return Err(Error::invalid("true keypoints", place, "finite positions where visible", ""));
            }
            let distance = (here[0] - there[0]).hypot(here[1] - there[1]);
            distances.push(seen.then_some(if distance.is_finite() { distance } else { f64::INFINITY }));
        }
        let side = |picture: usize| {
            let span = |axis: usize| {
                let seen = (picture * keypoints..(picture + 1) * keypoints).filter(|i| distances[*i].is_some());
                let (low, high) = seen
                    .map(|i| truth[2 * i + axis])
                    .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
                high - low
            };
            span(0).max(span(1))
        };
        let boxes = (0..n).map(side).collect();
        Ok(KeypointErrors { keypoints, distances, boxes })
    }

    /// PCK: the share of the visible keypoints that are found within `alpha` times the scale, in [0, 1] (0.1 or 0.05 of
    /// the box, 0.5 of the head are usual).
    ///
    /// # Errors
    /// When `alpha` is not a number above 0, or there is not one length above 0 per picture.
    pub fn pck(&self, alpha: f64, scale: &Scale) -> Result<Score> {
        let counts = self.counts(alpha, scale)?;
        let sum = |of: fn(&Count) -> usize| counts.iter().map(of).sum::<usize>();
        let against = match scale {
            Scale::Box => "longer side of the box around the true keypoints",
            Scale::Lengths(_) => "given length of each picture",
        };
        let protocol = format!("share of visible keypoints within {alpha} × the {against}");
        let score =
            Score::share_of(format!("PCK@{alpha}"), sum(|count| count.right), sum(|count| count.asked), protocol);
        Ok(score.warn_if(sum(|count| count.asked) == 0, || "no keypoint is visible".to_string()))
    }

    /// [`pck`](KeypointErrors::pck) of each keypoint, in [0, 1]; NaN where one is visible in no picture.
    ///
    /// # Errors
    /// As [`KeypointErrors::pck`].
    pub fn pck_each(&self, alpha: f64, scale: &Scale) -> Result<Vec<f64>> {
        Ok(self.counts(alpha, scale)?.iter().map(Count::share).collect())
    }

    /// Mean distance in pixels over the visible keypoints that were found, with its bootstrap interval; those that were
    /// not found are counted in a warning.
    pub fn pixel_error(&self) -> Score {
        let seen: Vec<f64> = self.distances.iter().flatten().copied().collect();
        let found: Vec<f64> = seen.iter().copied().filter(|distance| distance.is_finite()).collect();
        let score = Score::mean_of("pixel error", &found, "px, mean over visible keypoints that were found");
        let missed = seen.len() - found.len();
        let warning = || format!("{missed} of {} visible keypoints were not found and are left out", seen.len());
        score.better(Best::Lowest).warn_if(missed > 0, warning)
    }

    /// One row per keypoint: how often it is visible, and its PCK.
    ///
    /// # Errors
    /// As [`KeypointErrors::pck`], and when there are not as many names as keypoints.
    pub fn table<S: AsRef<str>>(&self, names: &[S], alpha: f64, scale: &Scale) -> Result<Table> {
        let counts = self.counts(alpha, scale)?;
        if names.len() != counts.len() {
            let expected = format!("{}, one per keypoint", counts.len());
            return Err(Error::invalid("names of keypoints", names.len().to_string(), expected, ""));
        }
        Table::builder()
            .text("keypoint", names.iter().map(|name| name.as_ref()))
            .integers("visible", counts.iter().map(|count| count.asked))
            .numbers(format!("PCK@{alpha}"), counts.iter().map(Count::share))
            .note(self.pck(alpha, scale)?.to_string())
            .note(self.pixel_error().to_string())
            .build()
    }

    fn counts(&self, alpha: f64, scale: &Scale) -> Result<Vec<Count>> {
        let lengths = match scale {
            Scale::Box => &self.boxes,
            Scale::Lengths(lengths) => lengths,
        };
        let usable = |length: &f64| matches!(scale, Scale::Box) || (*length > 0.0 && length.is_finite());
        if lengths.len() != self.boxes.len() || !lengths.iter().all(usable) || !(alpha > 0.0 && alpha.is_finite()) {
            let found = format!("{alpha} times {} lengths", lengths.len());
            let expected = format!("a number above 0, and {} lengths above 0", self.boxes.len());
            return Err(Error::invalid("PCK", found, expected, ""));
        }
        let mut counts = vec![Count::default(); self.keypoints];
        for (i, distance) in self.distances.iter().enumerate() {
            if let Some(distance) = distance {
                let count = &mut counts[i % self.keypoints];
                count.asked += 1;
                count.right += usize::from(*distance <= alpha * lengths[i / self.keypoints]);
            }
        }
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors() -> KeypointErrors {
        let points = |values: &[f64]| Tensor::from_slice(values, (2, 3, 2), &Device::Cpu).unwrap();
        let truth = points(&[0.0, 0.0, 100.0, 0.0, 0.0, 40.0, 10.0, 10.0, 10.0, 60.0, f64::NAN, 0.0]);
        let found = points(&[3.0, 4.0, 100.0, 20.0, 0.0, 40.0, 10.0, 15.0, f64::NAN, 0.0, 5.0, 5.0]);
        let visible = Tensor::from_slice(&[1f64, 1.0, 1.0, 1.0, 1.0, 0.0], (2, 3), &Device::Cpu).unwrap();
        KeypointErrors::of(&found, &truth, &visible).unwrap()
    }

    /// Distances 5, 20, 0 with a box of 100, and 5, not found, with one of 50.
    #[test]
    fn two_pictures_by_hand() {
        let errors = errors();
        assert_eq!(errors.boxes, [100.0, 50.0]);
        assert_eq!(errors.pck(0.1, &Scale::Box).unwrap().value, 3.0 / 5.0);
        assert_eq!(errors.pck(0.2, &Scale::Box).unwrap().value, 4.0 / 5.0);
        assert_eq!(errors.pck_each(0.1, &Scale::Box).unwrap(), [1.0, 0.0, 1.0]);
        assert_eq!(errors.pck(0.5, &Scale::Lengths(vec![9.0, 10.0])).unwrap().value, 2.0 / 5.0);
        let error = errors.pixel_error();
        assert_eq!((error.value, error.n), (7.5, 4));
        assert!(error.warnings[0].starts_with("1 of 5"), "{error}");
        let table = errors.table(&["neck", "wrist", "knee"], 0.1, &Scale::Box).unwrap().md();
        assert!(table.contains("| wrist | 2 | 0 |"), "{table}");
    }

    #[test]
    fn scales_and_shapes_are_checked() {
        let errors = errors();
        assert!(errors.pck(0.1, &Scale::Lengths(vec![1.0])).is_err());
        assert!(errors.pck(0.1, &Scale::Lengths(vec![1.0, 0.0])).is_err());
        assert!(errors.pck(f64::NAN, &Scale::Box).is_err());
        let flat = Tensor::zeros((2, 6), DType::F64, &Device::Cpu).unwrap();
        assert!(KeypointErrors::of(&flat, &flat, &flat).is_err());
        let unseen = Tensor::full(f64::NAN, (1, 1, 2), &Device::Cpu).unwrap();
        let visible = Tensor::ones((1, 1), DType::F64, &Device::Cpu).unwrap();
        assert!(
            KeypointErrors::of(&unseen, &unseen, &visible).unwrap_err().to_string().contains("keypoint 0 of picture 0")
        );
    }
}
