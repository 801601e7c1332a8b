//! Hyperbolic tangent, logistic function and softplus without a branch, so that compilers make vectors of them.
//!
//! In single precision everything is computed in single precision from one exponential. The result is at most 3
//! representable numbers away from the double precision one rounded (0 where that is below the smallest normal number,
//! 1.2e-38), and the same on every machine: nothing is fused. Double precision takes the standard library's functions.

/// Functions of one number.
pub(super) trait Smooth: Copy {
    /// (eˣ − e⁻ˣ)/(eˣ + e⁻ˣ).
    fn tanh(self) -> Self;
    /// 1/(1 + e⁻ˣ).
    fn logistic(self) -> Self;
    /// ln(1 + eˣ).
    fn softplus(self) -> Self;
}

impl Smooth for f32 {
    /// −m/(2 + m) of m = e^(−2|x|) − 1, which does not cancel near 0.
    #[inline(always)]
    fn tanh(self) -> f32 {
        let Exponential { power, rest } = exponential(-2.0 * self.abs());
        let m = power * rest + (power - 1.0);
        (-m / (2.0 + m)).copysign(self)
    }

    #[inline(always)]
    fn logistic(self) -> f32 {
        let e = exp(-self.abs());
        let numerator = if self < 0.0 { e } else { 1.0 };
        numerator / (1.0 + e)
    }

    #[inline(always)]
    fn softplus(self) -> f32 {
        let positive = if self < 0.0 { 0.0 } else { self };
        positive + ln_1p(exp(-self.abs()))
    }
}

impl Smooth for f64 {
    fn tanh(self) -> f64 {
        f64::tanh(self)
    }

    fn logistic(self) -> f64 {
        let e = (-self.abs()).exp();
        if self < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) }
    }

    fn softplus(self) -> f64 {
        self.max(0.0) + (-self.abs()).exp().ln_1p()
    }
}

/// eˣ as `power`·(1 + `rest`), where `power` is a power of 2.
struct Exponential {
    power: f32,
    rest: f32,
}

/// The least x with an exponential that is a normal number.
const LEAST: f32 = -87.336_54;

/// eˣ for x from [`LEAST`] to 0 (smaller ones count as that): 2ᵏ times the Taylor series of what is left of x, at most
/// ½ ln 2.
#[inline(always)]
fn exponential(x: f32) -> Exponential {
    // Nine bits, so that k times it is exact, and what is missing of ln 2.
    const LN_2_HIGH: f32 = 355.0 / 512.0;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Added to a number it leaves the nearest whole one in the last bits.
    const ROUND: f32 = 12_582_912.0;
    const BIAS: u32 = 127 << 23;
    let x = if x < LEAST { LEAST } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    let r = (x - k * LN_2_HIGH) - k * LN_2_LOW;
    let square = r * r;
    let low = (1.0 / 2.0 + r * (1.0 / 6.0)) + square * (1.0 / 24.0 + r * (1.0 / 120.0));
    let series = low + (square * square) * (1.0 / 720.0 + r * (1.0 / 5040.0));
    Exponential { power: f32::from_bits((shifted.to_bits() << 23).wrapping_add(BIAS)), rest: r + square * series }
}

/// eˣ for x ≤ 0; 0 where it is subnormal.
#[inline(always)]
fn exp(x: f32) -> f32 {
    let Exponential { power, rest } = exponential(x);
    if x < LEAST { 0.0 } else { power + power * rest }
}

/// ln(1 + u) for u from 0 to 1: twice the series of the inverse hyperbolic tangent of s = u/(2 + u).
#[inline(always)]
fn ln_1p(u: f32) -> f32 {
    let s = u / (2.0 + u);
    let x = s * s;
    let square = x * x;
    let low = (1.0 / 3.0 + x * (1.0 / 5.0)) + square * (1.0 / 7.0 + x * (1.0 / 9.0));
    let series = low + (square * square) * (1.0 / 11.0 + x * (1.0 / 13.0) + square * (1.0 / 15.0));
    2.0 * (s + s * (x * series))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Distance in representable numbers.
    fn steps(a: f32, b: f32) -> u32 {
        let place = |v: f32| if v < 0.0 { -i64::from((-v).to_bits()) } else { i64::from(v.to_bits()) };
        place(a).abs_diff(place(b)) as u32
    }

    #[test]
    fn single_precision_is_close_to_double_precision_rounded() {
        let everywhere = (0..=u32::MAX).step_by(4001).map(f32::from_bits).filter(|x| !x.is_nan());
        let usual = (-400_000..=400_000).map(|i| i as f32 * 5e-5);
        for x in everywhere.chain(usual) {
            let wide = f64::from(x);
            for (name, found, expected) in [
                ("tanh", Smooth::tanh(x), Smooth::tanh(wide) as f32),
                ("logistic", Smooth::logistic(x), Smooth::logistic(wide) as f32),
                ("softplus", Smooth::softplus(x), Smooth::softplus(wide) as f32),
            ] {
                let vanishes = found == 0.0 && expected < f32::MIN_POSITIVE;
                assert!(vanishes || steps(found, expected) <= 3, "{name} of {x:e}: {found:e}, expected {expected:e}");
            }
        }
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        for value in [f32::NAN.tanh(), Smooth::logistic(f32::NAN), Smooth::softplus(f32::NAN), Smooth::tanh(f32::NAN)] {
            assert!(value.is_nan());
        }
        assert_eq!(Smooth::tanh(-0.0f32).to_bits(), (-0.0f32).to_bits());
        assert_eq!([Smooth::softplus(f32::INFINITY), Smooth::softplus(f32::NEG_INFINITY)], [f32::INFINITY, 0.0]);
        assert_eq!([Smooth::logistic(f32::INFINITY), Smooth::logistic(f32::NEG_INFINITY)], [1.0, 0.0]);
        assert_eq!([Smooth::tanh(f32::INFINITY), Smooth::tanh(f32::NEG_INFINITY)], [1.0, -1.0]);
    }
}
