//! Smoothing along time, as `scipy.ndimage.gaussian_filter1d` does it.

/// How far a kernel reaches, in standard deviations (SciPy's `truncate`).
const REACH: f64 = 4.0;

/// What stands before the beginning and after the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Edge {
    /// The first and the last one, held (SciPy's mode `nearest`).
    #[default]
    Hold,
    /// The end and the beginning: the sequence loops (SciPy's mode `wrap`).
    Wrap,
}

impl Edge {
    /// The place in `0..n` that stands for place `i`. `n` is at least 1.
    pub(crate) fn place(self, i: isize, n: usize) -> usize {
        match self {
            Edge::Hold => i.clamp(0, n as isize - 1) as usize,
            Edge::Wrap => i.rem_euclid(n as isize) as usize,
        }
    }
}

/// Weights of the Gaussian from the middle outwards, which together (the middle once, the others twice) make 1. `sigma`
/// in places; 0 is the middle alone.
pub(crate) fn gaussian(sigma: f64) -> Vec<f64> {
    let radius = (REACH * sigma + 0.5) as usize;
    let weight = |i: usize| if sigma > 0.0 { (-0.5 * (i as f64 / sigma).powi(2)).exp() } else { 1.0 };
    let weights: Vec<f64> = (0..=radius).map(weight).collect();
    let sum = weights[0] + 2.0 * weights[1..].iter().sum::<f64>();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// The weighted mean around place `i` of `0..n` over the places that have a value; none where none has. Always summed in
/// the same order.
pub(crate) fn mean_around(
    weights: &[f64],
    i: usize,
    n: usize,
    edge: Edge,
    value: impl Fn(usize) -> Option<f64>,
) -> Option<f64> {
    let (mut sum, mut known) = (0.0, 0.0);
    let reach = weights.len() as isize - 1;
    for step in -reach..=reach {
        if let Some(value) = value(edge.place(i as isize + step, n)) {
            let weight = weights[step.unsigned_abs()];
            sum += weight * value;
            known += weight;
        }
    }
    (known > 0.0).then(|| sum / known)
}
