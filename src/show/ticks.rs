//! Round numbers along an axis, and their labels.

use super::chart::SIZE;
use super::number;
use super::text::{self, Weight};

/// Least free space between neighbouring numbers of an axis.
const APART: f32 = 14.0;

/// Positions (in axis coordinates) and texts, increasing.
pub(crate) type Ticks = Vec<(f64, String)>;

/// At most `most` multiples of 1, 2 or 5 times a power of ten in `low..=high`.
pub(crate) fn linear(low: f64, high: f64, most: usize) -> Ticks {
    let step = step((high - low) / most.max(1) as f64);
    let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    if step.is_nan() || step <= 0.0 || !(last - first).is_finite() || last - first > 1000.0 {
        return Vec::new();
    }
    let largest = low.abs().max(high.abs());
    let count = (last - first) as usize + 1;
    (0..if last < first { 0 } else { count })
        .map(|i| {
            let value = (first + i as f64) * step;
            (value, label(value, step, largest))
        })
        .collect()
}

/// The smallest of 1, 2, 5 times a power of ten that is not below `least`.
fn step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|m| m * power)
        .find(|step| *step >= least * (1.0 - 1e-9))
        .unwrap_or(10.0 * power)
}

/// All labels of an axis have the same number of digits behind the point.
fn label(value: f64, step: f64, largest: f64) -> String {
    let exponent = step.log10().floor() as i32;
    if largest >= 1e9 || exponent < -6 {
        let digits = (largest.log10().floor() as i32 - exponent).clamp(0, 12);
        return number::scientific(value, digits as usize);
    }
    number::decimal(value, (-exponent).max(0) as usize)
}

/// At most `most` ticks of a logarithmic axis from 10^`low` to 10^`high`, positions as exponents of ten: powers of ten
/// when there are two of them or more, otherwise round numbers.
pub(crate) fn logarithmic(low: f64, high: f64, most: usize) -> Ticks {
    let (first, last) = ((low - 1e-9).ceil() as i64, (high + 1e-9).floor() as i64);
    if last > first {
        let stride = ((last - first) as usize).div_ceil(most.max(2) - 1).max(1);
        return (first..=last).step_by(stride).map(|power| (power as f64, power_of_ten(power))).collect();
    }
    let round = linear(10f64.powf(low), 10f64.powf(high), most);
    round.into_iter().filter(|(value, _)| *value > 0.0).map(|(value, label)| (value.log10(), label)).collect()
}

fn power_of_ten(power: i64) -> String {
    match power {
        -3..=5 => number::decimal(10f64.powi(power as i32), (-power).max(0) as usize),
        _ => number::scientific(10f64.powi(power as i32), 0),
    }
}

/// As many round numbers as stand on `room` pixels without touching, on a linear axis or one of exponents of ten.
pub(super) fn fitting(low: f64, high: f64, room: f32, exponents: bool) -> Ticks {
    let of: fn(f64, f64, usize) -> Ticks = if exponents { logarithmic } else { linear };
    let most = (2..=9).rev().find(|most| apart(&of(low, high, *most), (low, high), room));
    most.map_or_else(|| of(low, high, 1).into_iter().take(1).collect(), |most| of(low, high, most))
}

/// A number at every one of these positions (exponents of ten), if they are whole numbers and all fit.
pub(super) fn own(positions: impl Iterator<Item = f64>, range: (f64, f64), room: f32) -> Option<Ticks> {
    let mut positions: Vec<f64> = positions.collect();
    positions.sort_by(f64::total_cmp);
    positions.dedup();
    let tick = |at: f64| {
        let value = 10f64.powf(at);
        let whole = (1.0..1e6).contains(&value) && (value - value.round()).abs() < 1e-9 * value;
        whole.then(|| (at, number::grouped(value.round() as u64)))
    };
    // More than a dozen hardly fit, and runs can have thousands of positions.
    let ticks: Ticks = positions.iter().take(13).map(|at| tick(*at)).collect::<Option<_>>()?;
    (ticks.len() == positions.len() && apart(&ticks, range, room)).then_some(ticks)
}

/// Whether the numbers of an axis that is `room` pixels long do not touch.
fn apart(ticks: &Ticks, (low, high): (f64, f64), room: f32) -> bool {
    let place = |at: f64| ((at - low) / (high - low)) as f32 * room;
    let half = |text: &str| text::width(text, SIZE, Weight::Regular) / 2.0;
    ticks.windows(2).all(|pair| place(pair[1].0) - half(&pair[1].1) - place(pair[0].0) - half(&pair[0].1) >= APART)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(ticks: Ticks) -> Vec<String> {
        ticks.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(texts(linear(0.0, 20_000.0, 5)), ["0", "5,000", "10,000", "15,000", "20,000"]);
        assert_eq!(texts(linear(-0.31, 0.42, 6)), ["−0.2", "0.0", "0.2", "0.4"]);
        assert_eq!(texts(linear(0.0, 3e-9, 3)), ["0", "10⁻⁹", "2×10⁻⁹", "3×10⁻⁹"]);
        assert_eq!(texts(logarithmic(-2.2, 1.1, 8)), ["0.01", "0.1", "1", "10"]);
        assert_eq!(texts(logarithmic(2.0f64.log10(), 9.0f64.log10(), 4)), ["2", "4", "6", "8"]);
        assert_eq!(texts(logarithmic(-30.0, 30.0, 4)), ["10⁻³⁰", "10⁻¹⁰", "10¹⁰", "10³⁰"]);
        for (low, high) in [(1e6, 1e6 + 1.0), (-1e300, 1e300), (0.0, 1e-300), (3.0, 3.0)] {
            assert!(linear(low, high, 6).len() <= 7, "{low} {high}");
        }
    }

    #[test]
    fn sizes_that_double_have_their_own_numbers() {
        let of = |sizes: &[f64], room| {
            let range = (sizes[0].log10(), sizes[sizes.len() - 1].log10());
            own(sizes.iter().map(|size| size.log10()), range, room).map(texts)
        };
        assert_eq!(of(&[32.0, 64.0, 128.0, 2048.0], 300.0).unwrap(), ["32", "64", "128", "2,048"]);
        assert_eq!(of(&[32.0, 64.0, 128.0, 2048.0], 60.0), None, "too narrow");
        assert_eq!(of(&[1.0, 1.5, 2.0], 300.0), None, "no whole numbers");
        assert_eq!(texts(fitting(0.0, 2.0, 300.0, true)), ["1", "10", "100"]);
    }
}
