//! Default boxes, what offsets mean to them, which of them are matched, and which found boxes are one thing.
//!
//! Liu et al. 2016, "SSD: Single Shot MultiBox Detector", arXiv:1512.02325, section 2.2. Boxes are shares of the sides of a
//! picture.

use serde::{Deserialize, Serialize};

/// Left, top, right, bottom.
pub type Corners = [f64; 4];

/// What offsets are divided by: of centres, and of the logarithms of sides.
const VARIANCES: [f64; 2] = [0.1, 0.2];
/// No side grows by more than this logarithm: ln(1000 / 16), torchvision's.
const MOST: f64 = 4.135_166_556_742_356;

/// The default boxes of one map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MapBoxes {
    /// Side of a square one, as a share of the picture's; another square one lies between this and that of the next map.
    pub scale: f64,
    /// Ratios of width to height besides 1; every one is also taken the other way round.
    pub ratios: Vec<f64>,
    /// Distance of two centres as a share of the side; without it boxes are spread evenly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<f64>,
}

impl MapBoxes {
    /// Default boxes at each pixel of the map.
    pub fn count(&self) -> usize {
        2 + 2 * self.ratios.len()
    }
}

/// A default box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prior {
    /// Its middle: x, y.
    pub centre: [f64; 2],
    /// Width, height.
    pub size: [f64; 2],
}

impl Prior {
    /// Its corners, which may lie outside of the picture.
    pub fn corners(&self) -> Corners {
        let [x, y] = self.centre;
        let [w, h] = self.size.map(|side| side / 2.0);
        [x - w, y - h, x + w, y + h]
    }

    /// The offsets that make it this box: of the centre in its own sides, and of the logarithms of the sides, by their
    /// variances.
    pub fn encode(&self, [left, top, right, bottom]: Corners) -> [f32; 4] {
        let (centre, size) = ([(left + right) / 2.0, (top + bottom) / 2.0], [right - left, bottom - top]);
        let place = |axis: usize| ((centre[axis] - self.centre[axis]) / self.size[axis] / VARIANCES[0]) as f32;
        let side = |axis: usize| ((size[axis] / self.size[axis]).ln() / VARIANCES[1]) as f32;
        [place(0), place(1), side(0), side(1)]
    }

    /// The box that offsets make of it.
    pub fn decode(&self, offsets: [f32; 4]) -> Corners {
        let [dx, dy, dw, dh] = offsets.map(f64::from);
        let moved = |axis: usize, by: f64| self.centre[axis] + by * VARIANCES[0] * self.size[axis];
        let side = |axis: usize, by: f64| self.size[axis] * (by * VARIANCES[1]).min(MOST).exp();
        Prior { centre: [moved(0, dx), moved(1, dy)], size: [side(0, dw), side(1, dh)] }.corners()
    }
}

/// The default boxes of all maps, `sides` pixels square each, row by row. `last` is the scale that would come after the last
/// map. No side is larger than the picture's.
pub fn priors(maps: &[MapBoxes], sides: &[usize], last: f64) -> Vec<Prior> {
    let next = maps.iter().skip(1).map(|map| map.scale).chain([last]);
    let mut priors = Vec::new();
    for ((map, next), &side) in maps.iter().zip(next).zip(sides) {
        let between = (map.scale * next).sqrt();
        let of_ratio = |ratio: &f64| {
            let (long, short) = (map.scale * ratio.sqrt(), map.scale / ratio.sqrt());
            [[long, short], [short, long]]
        };
        let squares = [[map.scale; 2], [between; 2]].into_iter();
        let sizes: Vec<[f64; 2]> = squares.chain(map.ratios.iter().flat_map(of_ratio)).collect();
        let step = map.step.unwrap_or(1.0 / side as f64);
        for place in 0..side * side {
            let centre = [place % side, place / side].map(|at| (at as f64 + 0.5) * step);
            priors.extend(sizes.iter().map(|size| Prior { centre, size: size.map(|side| side.clamp(0.0, 1.0)) }));
        }
    }
    priors
}

/// Intersection over union, 0 to 1 (Jaccard overlap).
pub fn overlap(a: &Corners, b: &Corners) -> f64 {
    let side = |c: &Corners, axis: usize| (c[axis + 2] - c[axis]).max(0.0);
    let shared = |axis: usize| (a[axis + 2].min(b[axis + 2]) - a[axis].max(b[axis])).max(0.0);
    let both = shared(0) * shared(1);
    let all = side(a, 0) * side(a, 1) + side(b, 0) * side(b, 1) - both;
    if all > 0.0 { both / all } else { 0.0 }
}

/// For each default box the number of the true box that it has to answer for: that of the largest overlap where it is at
/// least the threshold (½ in the paper); and each true box has the default box of its largest overlap, whatever that is.
pub fn matched(truth: &[Corners], priors: &[Prior], threshold: f64) -> Vec<Option<usize>> {
    let mut best_of_truth = vec![(0, -1.0); truth.len()];
    let mut of = Vec::with_capacity(priors.len());
    for (i, prior) in priors.iter().enumerate() {
        let corners = prior.corners();
        let mut best = (None, threshold);
        for (number, truth) in truth.iter().enumerate() {
            let found = overlap(truth, &corners);
            if found > best.1 || best.0.is_none() && found >= threshold {
                best = (Some(number), found);
            }
            if found > best_of_truth[number].1 {
                best_of_truth[number] = (i, found);
            }
        }
        of.push(best.0);
    }
    for (number, (i, _)) in best_of_truth.into_iter().enumerate() {
        if let Some(of) = of.get_mut(i) {
            *of = Some(number);
        }
    }
    of
}

/// Numbers of the boxes that are left when, from the highest score on, every box is dropped that overlaps one that stays by
/// more than the threshold. The highest score comes first; of equal scores the first box.
pub fn suppressed(boxes: &[Corners], scores: &[f64], threshold: f64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..boxes.len().min(scores.len())).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then(a.cmp(&b)));
    let mut kept: Vec<usize> = Vec::new();
    for i in order {
        if kept.iter().all(|&other| overlap(&boxes[i], &boxes[other]) <= threshold) {
            kept.push(i);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaps_by_hand() {
        let a = [0.0, 0.0, 0.4, 0.5];
        assert!((overlap(&a, &[0.2, 0.0, 0.6, 0.5]) - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!((overlap(&a, &a), overlap(&a, &[0.4, 0.0, 0.5, 0.5])), (1.0, 0.0));
        assert_eq!(overlap(&[0.3; 4], &[0.3; 4]), 0.0);
    }

    #[test]
    fn every_true_box_is_matched() {
        let maps = [MapBoxes { scale: 0.5, ratios: vec![], step: None }];
        let priors = priors(&maps, &[2], 1.0);
        assert_eq!((priors.len(), priors[2].centre), (8, [0.75, 0.25]));
        // A small box that no default box overlaps by one half, and one that is a default box.
        let truth = [[0.70, 0.70, 0.80, 0.80], [0.0, 0.0, 0.5, 0.5]];
        let found = matched(&truth, &priors, 0.5);
        assert_eq!((found[0], found[6]), (Some(1), Some(0)));
        assert!(matched(&[], &priors, 0.5).iter().all(Option::is_none) && matched(&truth, &[], 0.5).is_empty());
    }

    #[test]
    fn codes_go_there_and_back() {
        let prior = Prior { centre: [0.3, 0.6], size: [0.2, 0.4] };
        let truth = [0.25, 0.5, 0.7, 0.65];
        let found = prior.decode(prior.encode(truth));
        assert!(found.iter().zip(truth).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
        assert!(prior.decode([0.0, 0.0, 1e30, f32::INFINITY]).iter().all(|v| v.is_finite()));
    }
}
