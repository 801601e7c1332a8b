//! Transforms that have been drawn, one set a picture, and what they make of pictures.

use std::f64::consts::PI;

use candle_core::{Device, Tensor};

use super::Transforms;
use super::matrix::Matrix;
use crate::nn::critic::{Critic, Signal};
use crate::ops::fir::upfirdn2d;
use crate::ops::warp::{Border, Map, warp};
use crate::rng::Stream;
use crate::{Error, Result};

/// The low-pass filter of the wavelet sym6 (Daubechies's least asymmetric one of 12 taps), of sum √2. A picture that is made
/// twice as dense with it and then half as dense with its mirror image comes back as it was.
const SYM6: [f64; 12] = [
    0.015404109327027373,
    0.0034907120842174702,
    -0.11799011114819057,
    -0.048311742585633,
    0.4910559419267466,
    0.787641141030194,
    0.3379294217276218,
    -0.07263752278646252,
    -0.021060292512300564,
    0.04472490177066578,
    0.0017677118642428036,
    -0.007800708325034148,
];
/// The tap at which a pixel stands: the filter's centre of mass is at 5.10.
const CENTRE: usize = 5;
/// Pixels beyond the outermost one read that the filter looks at.
const REACH: f64 = 3.0;

/// What was drawn for one picture.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Values {
    mirrored: bool,
    quarters: usize,
    /// Pixels across and down.
    shift: [f64; 2],
    scale: f64,
    /// Before and after stretching.
    turns: [f64; 2],
    stretch: f64,
    /// Pixels across and down.
    fraction: [f64; 2],
    brightness: f64,
    contrast: f64,
    luma_flip: bool,
    hue: f64,
    saturation: f64,
}

impl Values {
    const NOTHING: Values = Values {
        mirrored: false,
        quarters: 0,
        shift: [0.0; 2],
        scale: 1.0,
        turns: [0.0; 2],
        stretch: 1.0,
        fraction: [0.0; 2],
        brightness: 0.0,
        contrast: 1.0,
        luma_flip: false,
        hue: 0.0,
        saturation: 1.0,
    };

    /// Every draw is made whether it is used or not, so that those after it do not depend on p.
    fn draw(transforms: &Transforms, p: f64, side: f64, stream: &mut Stream) -> Values {
        let nothing = Values::NOTHING;
        // Two turns with this probability each are at least one with p.
        let each_turn = 1.0 - (1.0 - p).max(0.0).sqrt();
        let t = transforms;
        // The order is that of the fields, and of the transforms.
        Values {
            mirrored: gated(stream, p, false, |stream| stream.chance(0.5)) && t.flip,
            quarters: gated(stream, p, 0, |stream| stream.below(4)) * usize::from(t.quarter_turns),
            shift: gated(stream, p, nothing.shift, |stream| {
                [0, 1].map(|_| (stream.range(-1.0, 1.0) * t.shift * side).round())
            }),
            scale: gated(stream, p, 1.0, |stream| (t.scale * stream.normal()).exp2()),
            turns: [0, 1]
                .map(|_| gated(stream, each_turn, 0.0, |stream| half_turns(stream) * f64::from(u8::from(t.turn)))),
            stretch: gated(stream, p, 1.0, |stream| (t.stretch * stream.normal()).exp2()),
            fraction: gated(stream, p, nothing.fraction, |stream| [0, 1].map(|_| stream.normal() * t.fraction * side)),
            brightness: gated(stream, p, 0.0, |stream| t.brightness * stream.normal()),
            contrast: gated(stream, p, 1.0, |stream| (t.contrast * stream.normal()).exp2()),
            luma_flip: gated(stream, p, false, |stream| stream.chance(0.5)) && t.luma_flip,
            hue: gated(stream, p, 0.0, |stream| half_turns(stream) * t.hue),
            saturation: gated(stream, p, 1.0, |stream| (t.saturation * stream.normal()).exp2()),
        }
    }
}

/// What is drawn, with probability `p`, else `nothing`.
fn gated<T>(stream: &mut Stream, p: f64, nothing: T, draw: impl FnOnce(&mut Stream) -> T) -> T {
    let gate = stream.chance(p);
    let drawn = draw(stream);
    if gate { drawn } else { nothing }
}

/// Any angle, in radians.
fn half_turns(stream: &mut Stream) -> f64 {
    stream.range(-PI, PI)
}

/// What becomes of one picture.
#[derive(Clone, Copy, Debug, PartialEq)]
struct One {
    /// Flip, quarter turns and whole shift, backwards: from where a pixel comes. Positions count from the centre.
    blit: Matrix<3>,
    /// All other geometry, backwards.
    general: Matrix<3>,
    /// What becomes of a colour.
    colour: Matrix<4>,
}
impl One {
    /// Backwards, what comes later in a picture's life stands nearer to the result: on the right.
    fn of(values: &Values) -> One {
        let mirror = if values.mirrored { Matrix::scaling(-1.0, 1.0) } else { Matrix::identity() };
        let blit = mirror
            .after(&Matrix::quarter_turns(4 - values.quarters % 4))
            .after(&Matrix::shifting(-values.shift[0], -values.shift[1]));
        let general = Matrix::scaling(1.0 / values.scale, 1.0 / values.scale)
            .after(&Matrix::turning(-values.turns[0]))
            .after(&Matrix::scaling(1.0 / values.stretch, values.stretch))
            .after(&Matrix::turning(-values.turns[1]))
            .after(&Matrix::shifting(-values.fraction[0], -values.fraction[1]));
        let flip = if values.luma_flip { Matrix::luma_flip() } else { Matrix::identity() };
        let colour = Matrix::saturating(values.saturation)
            .after(&Matrix::hue(values.hue))
            .after(&flip)
            .after(&Matrix::contrasting(values.contrast))
            .after(&Matrix::brightening(values.brightness));
        One { blit, general, colour }
    }
}

/// Transforms of a batch of square pictures.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    each: Vec<One>,
}

impl Drawn {
    /// Transforms of no effect, for any number of pictures.
    pub fn nothing() -> Drawn {
        Drawn { each: Vec::new() }
    }

    /// Transforms of `n` pictures of `side` pixels, each applied with probability `p`.
    pub fn draw(transforms: &Transforms, p: f64, [n, side]: [usize; 2], stream: &mut Stream) -> Drawn {
        Drawn { each: (0..n).map(|_| One::of(&Values::draw(transforms, p, side as f64, stream))).collect() }
    }

    /// Pictures `[N, 3, r, r]`, transformed → same shape. Pictures of which nothing is changed keep every bit if that is so
    /// of all of them.
    ///
    /// # Errors
    /// When the pictures have another shape, or are not as many as were drawn for.
    pub fn apply<S: Signal>(&self, x: &S) -> Result<S> {
        let nothing = One::of(&Values::NOTHING);
        let blits = self.each.iter().any(|one| one.blit != nothing.blit);
        let general = self.each.iter().any(|one| one.general != nothing.general);
        let colours = self.each.iter().any(|one| one.colour != nothing.colour);
        if !self.each.is_empty() {
            self.check(x.value())?;
        }
        let mut y = x.clone();
        if blits || general {
            y = y.linear_map(&|x| self.place(x, general))?;
        }
        if colours {
            y = y.linear_map(&|x| self.mix(x))?.shift(&|x| self.add(x))?;
        }
        Ok(y)
    }

    fn check(&self, x: &Tensor) -> Result<()> {
        match *x.dims() {
            [n, 3, h, w] if n == self.each.len() && h == w => Ok(()),
            ref other => {
                let expected = format!("[{}, 3, r, r], as many as were drawn for", self.each.len());
                Err(Error::shape("augmentation: pictures", other, expected))
            }
        }
    }

    /// All geometry. The blits cut a larger piece out of the picture and its mirror images, of which the filters and the
    /// other transforms then see enough.
    fn place(&self, x: &Tensor, general: bool) -> Result<Tensor> {
        let side = x.dims()[3];
        let margin = if general { self.margin(side) } else { 0 };
        let middle = (side as f64 - 1.0) / 2.0;
        let from_centre = Matrix::shifting(middle, middle);
        let whole = |one: &One| {
            let to_centre = Matrix::shifting(-middle - margin as f64, -middle - margin as f64);
            map(&from_centre.after(&one.blit).after(&to_centre))
        };
        let maps: Vec<Map> = self.each.iter().map(whole).collect();
        let piece = warp(x, &maps, [side + 2 * margin; 2], Border::Mirror)?;
        if !general {
            return Ok(piece);
        }
        // Pixel i of the piece stands at 2·i of the double one. Each of the filters is √2 too strong or too weak, and both
        // together are right.
        let dense = upfirdn2d(&piece, [&SYM6; 2], 2, 1, [[CENTRE + 1, CENTRE]; 2])?;
        let maps: Vec<Map> = self.each.iter().map(|one| map(&dense_map(one, middle, margin as f64))).collect();
        let placed = warp(&dense, &maps, [2 * side + SYM6.len() - 2; 2], Border::Zeros)?;
        let mut backwards = SYM6;
        backwards.reverse();
        upfirdn2d(&placed, [&backwards; 2], 1, 2, [[0, 0]; 2])
    }

    /// Pixels around the pictures that the general transforms look at; at most a whole picture, beyond which is nothing.
    fn margin(&self, side: usize) -> usize {
        let (middle, last) = ((side as f64 - 1.0) / 2.0, 2.0 * side as f64 + SYM6.len() as f64 - 3.0);
        let mut most = 0f64;
        for one in &self.each {
            let map = dense_map(one, middle, 0.0);
            for corner in [[0.0, 0.0], [last, 0.0], [0.0, last], [last, last]] {
                for place in map.of_point(corner).map(|place| place / 2.0) {
                    most = most.max(-place).max(place - (side as f64 - 1.0));
                }
            }
        }
        ((most.ceil() + REACH) as usize).min(side + REACH as usize)
    }

    /// The colours of every pixel, without what is added to all.
    fn mix(&self, x: &Tensor) -> Result<Tensor> {
        let (n, _, h, w) = x.dims4()?;
        let entries =
            self.each.iter().flat_map(|one| [0, 1, 2].map(|row| [0, 1, 2].map(|column| one.colour.0[row][column])));
        let matrices = constant(entries.flatten(), &[n, 3, 3], x)?;
        Ok(matrices.matmul(&x.contiguous()?.reshape((n, 3, h * w))?)?.reshape((n, 3, h, w))?)
    }

    fn add(&self, x: &Tensor) -> Result<Tensor> {
        let amounts = self.each.iter().flat_map(|one| [0, 1, 2].map(|row| one.colour.0[row][3]));
        Ok(x.broadcast_add(&constant(amounts, &[self.each.len(), 3, 1, 1], x)?)?)
    }
}

/// From a pixel of what is filtered down to one of the double picture, both twice as dense as the pictures; the former has
/// five pixels before the first, the latter twice the margin.
fn dense_map(one: &One, middle: f64, margin: f64) -> Matrix<3> {
    let before = CENTRE as f64 / 2.0 + middle;
    let to_centre = Matrix::shifting(-before, -before).after(&Matrix::scaling(0.5, 0.5));
    let from_centre = Matrix::scaling(2.0, 2.0).after(&Matrix::shifting(middle + margin, middle + margin));
    from_centre.after(&one.general).after(&to_centre)
}

fn map(matrix: &Matrix<3>) -> Map {
    [matrix.0[0], matrix.0[1]]
}

fn constant(numbers: impl Iterator<Item = f64>, shape: &[usize], like: &Tensor) -> Result<Tensor> {
    let tensor = Tensor::from_vec(numbers.collect::<Vec<f64>>(), shape, &Device::Cpu)?;
    Ok(tensor.to_dtype(like.dtype())?.to_device(like.device())?)
}

/// A critic that sees what the transforms make of pictures. Penalties of it are of the gradient with respect to the
/// pictures as they were.
#[derive(Clone, Copy, Debug)]
pub struct Augmented<'a, C> {
    /// Who sees them.
    pub critic: C,
    /// The transforms.
    pub by: &'a Drawn,
}

impl<C: Critic> Critic for Augmented<'_, C> {
    fn logit<S: Signal>(&self, x: &S) -> Result<S> {
        self.critic.logit(&self.by.apply(x)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::seed;
    use candle_core::DType;

    /// Computed by tests/fixtures/augment/make.py.
    fn golden(name: &str) -> Tensor {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/augment/golden.safetensors");
        crate::weights::safetensors::read(path).unwrap().tensors[name].clone()
    }

    fn numbers(tensor: &Tensor) -> Vec<f64> {
        tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    fn near(what: &str, found: &[f64], expected: &[f64], bound: f64) {
        assert_eq!(found.len(), expected.len(), "{what}");
        let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        println!("{what}: {worst:.1e}");
        assert!(worst < bound, "{what} is off by {worst:.1e}");
    }

    fn pictures(n: usize) -> Tensor {
        let numbers: Vec<f64> = (0..n * 3 * 100).map(|i| (0.7 * i as f64).sin()).collect();
        Tensor::from_vec(numbers, (n, 3, 10, 10), &Device::Cpu).unwrap()
    }

    fn some() -> Values {
        Values {
            scale: 0.8,
            turns: [0.7, -0.2],
            stretch: 1.2,
            fraction: [0.6, -0.4],
            brightness: 0.1,
            contrast: 1.3,
            luma_flip: true,
            hue: 0.9,
            saturation: 0.5,
            ..Values::NOTHING
        }
    }

    fn blit() -> Values {
        Values { mirrored: true, quarters: 1, shift: [1.0, -2.0], ..Values::NOTHING }
    }

    fn of(values: &[Values]) -> Drawn {
        Drawn { each: values.iter().map(One::of).collect() }
    }

    #[test]
    fn matrices_are_numpys() {
        let one = One::of(&some());
        near("general", one.general.0.as_flattened(), &numbers(&golden("general")), 1e-12);
        near("colour", one.colour.0.as_flattened(), &numbers(&golden("colour")), 1e-12);
        near("blit", One::of(&blit()).blit.0.as_flattened(), &numbers(&golden("blit")), 1e-15);
    }

    #[test]
    fn pictures_are_scipys() {
        let shown = of(&[some(), Values { ..blit() }, Values { mirrored: true, quarters: 3, ..some() }]);
        let found = shown.apply(&pictures(3)).unwrap();
        near("pictures", &numbers(&found), &numbers(&golden("pictures")), 1e-9);
    }

    #[test]
    fn nothing_changes_no_bit_and_filters_give_back_what_they_took() {
        let x = pictures(2).to_dtype(DType::F32).unwrap();
        let drawn = Drawn::draw(&Transforms::bgc(), 0.0, [2, 10], &mut seed(1).stream("augment"));
        assert_eq!(drawn, of(&[Values::NOTHING; 2]));
        assert_eq!(numbers(&drawn.apply(&x).unwrap()), numbers(&x));
        // The second picture is filtered because the first one is.
        let both = of(&[some(), Values::NOTHING]).apply(&pictures(2)).unwrap();
        near("second", &numbers(&both.get(1).unwrap()), &numbers(&pictures(2).get(1).unwrap()), 1e-11);
    }

    #[test]
    fn draws_come_as_often_as_asked_and_do_not_depend_on_each_other() {
        let draw = |p: f64, transforms: &Transforms| -> Vec<Values> {
            let mut stream = seed(2).stream("augment");
            (0..20_000).map(|_| Values::draw(transforms, p, 32.0, &mut stream)).collect()
        };
        let (some, all) = (draw(0.3, &Transforms::bgc()), draw(1.0, &Transforms::bgc()));
        type Kind = fn(&Values) -> bool;
        let share = |values: &[Values], of: Kind| {
            values.iter().filter(|values| of(values)).count() as f64 / values.len() as f64
        };
        let kinds: [(Kind, f64); 9] = [
            (|values| values.mirrored, 0.15),
            (|values| values.quarters > 0, 0.3 * 0.75),
            (|values| values.shift != [0.0; 2], 0.3 * (1.0 - 1.0 / 64.0)),
            (|values| values.scale != 1.0, 0.3),
            (|values| values.turns != [0.0; 2], 0.3),
            (|values| values.fraction != [0.0; 2], 0.3),
            (|values| values.luma_flip, 0.15),
            (|values| values.hue != 0.0, 0.3),
            (|values| values.saturation != 1.0, 0.3),
        ];
        for (i, (of, expected)) in kinds.into_iter().enumerate() {
            let found = share(&some, of);
            assert!((found - expected).abs() < 0.015, "{i}: {found}, expected {expected}");
        }
        for (some, all) in some.iter().zip(&all) {
            assert!(some.scale == 1.0 || some.scale == all.scale);
            assert!(some.hue == 0.0 || some.hue == all.hue);
        }
        let deviation = |of: fn(&Values) -> f64| {
            (all.iter().map(|values| of(values).powi(2)).sum::<f64>() / all.len() as f64).sqrt()
        };
        assert!((deviation(|values| values.scale.log2()) - 0.2).abs() < 0.01);
        assert!((deviation(|values| values.contrast.log2()) - 0.5).abs() < 0.01);
        assert!((deviation(|values| values.fraction[0]) - 4.0).abs() < 0.1);
        assert!(all.iter().all(|values| values.shift[0].abs() <= 4.0 && values.shift[0].fract() == 0.0));
        let upright = draw(1.0, &Transforms::bodies());
        assert!(upright.iter().all(|values| values.quarters == 0 && values.turns == [0.0; 2] && values.scale != 1.0));
    }

    #[test]
    fn other_pictures_than_drawn_for_are_refused() {
        let message = of(&[some()]).apply(&pictures(2)).unwrap_err().to_string();
        assert!(message.contains("[1, 3, r, r]"), "{message}");
    }
}
