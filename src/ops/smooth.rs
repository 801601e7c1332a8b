//! Hyperbolic tangent, logistic function and softplus without a branch, so that compilers make vectors of them.
//!
//! In single precision everything is computed in double precision from one exponential and rounded once at the end: the
//! result is the nearest number or, seldom, its neighbour, and the same on every machine. Double precision takes the
//! standard library's functions.

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
    #[inline(always)]
    fn tanh(self) -> f32 {
        let x = f64::from(self);
        let e = exp(-2.0 * x.abs());
        // Where 1 − e cancels, tanh is x but for x³/3.
        let large = ((1.0 - e) / (1.0 + e)).copysign(x);
        let value = if x.abs() < 1e-4 { x } else { large };
        value as f32
    }

    #[inline(always)]
    fn logistic(self) -> f32 {
        let x = f64::from(self);
        let e = exp(-x.abs());
        let value = if x < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) };
        value as f32
    }

    #[inline(always)]
    fn softplus(self) -> f32 {
        let x = f64::from(self);
        let positive = if x < 0.0 { 0.0 } else { x };
        (positive + ln_1p(exp(-x.abs()))) as f32
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

/// 1/n! for n from 0.
const EXPONENTIAL: [f64; 13] = {
    let mut coefficients = [1.0; 13];
    let mut n = 1;
    while n < 13 {
        coefficients[n] = coefficients[n - 1] / n as f64;
        n += 1;
    }
    coefficients
};

/// 1/(2n + 1) for n from 0.
const INVERSE_TANGENT: [f64; 13] = {
    let mut coefficients = [1.0; 13];
    let mut n = 1;
    while n < 13 {
        coefficients[n] = 1.0 / (2 * n + 1) as f64;
        n += 1;
    }
    coefficients
};

/// eˣ for x from −700 to 0 (smaller ones count as −700), to a relative 1e-14: 2ᵏ times the Taylor series of what is left of
/// x, at most ½ ln 2.
#[inline(always)]
fn exp(x: f64) -> f64 {
    const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    // Added to a number it leaves the nearest whole one in the last bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    const BIAS: u64 = 1023 << 52;
    let x = if x < -700.0 { -700.0 } else { x };
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    let r = (x - k * LN_2_HIGH) - k * LN_2_LOW;
    let series = polynomial(r, &EXPONENTIAL);
    series * f64::from_bits((shifted.to_bits() << 52).wrapping_add(BIAS))
}

/// Σ cₙ·xⁿ by Estrin's scheme: no loop, which would keep the loop around it from becoming vectors.
#[inline(always)]
fn polynomial(x: f64, c: &[f64; 13]) -> f64 {
    let square = x * x;
    let fourth = square * square;
    let pair = |n: usize| c[n] + c[n + 1] * x;
    let low = pair(0) + pair(2) * square + (pair(4) + pair(6) * square) * fourth;
    let high = pair(8) + pair(10) * square + c[12] * fourth;
    low + high * (fourth * fourth)
}

/// ln(1 + u) for u from 0 to 1, to a relative 1e-13: twice the series of the inverse hyperbolic tangent of u/(2 + u).
#[inline(always)]
fn ln_1p(u: f64) -> f64 {
    let s = u / (2.0 + u);
    let square = s * s;
    let series = polynomial(square, &INVERSE_TANGENT);
    2.0 * s * series
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
    fn single_precision_is_double_precision_rounded() {
        let everywhere = (0..=u32::MAX).step_by(4001).map(f32::from_bits).filter(|x| !x.is_nan());
        let usual = (-40_000..=40_000).map(|i| i as f32 * 5e-4);
        for x in everywhere.chain(usual) {
            let wide = f64::from(x);
            for (name, found, expected) in [
                ("tanh", Smooth::tanh(x), Smooth::tanh(wide) as f32),
                ("logistic", Smooth::logistic(x), Smooth::logistic(wide) as f32),
                ("softplus", Smooth::softplus(x), Smooth::softplus(wide) as f32),
            ] {
                assert!(steps(found, expected) <= 1, "{name} of {x:e}: {found:e}, expected {expected:e}");
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
    }
}
