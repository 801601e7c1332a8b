//! Planes read along straight lines: every picture of a batch by an affine map of its own, between pixels bilinearly. It
//! is linear in the pictures; what it does and its adjoint are each other's gradient.

use std::mem::MaybeUninit;
use std::sync::Arc;

use candle_core::{Shape, Tensor};
use rayon::prelude::*;

#[cfg(feature = "cuda")]
use super::cuda::{OnGpu, Operand, warp as cuda};
use super::kernel::{CHUNK, Real, filled};
use super::op::{Kernel, Numbers, Op, apply};
use crate::autograd::{Saved, Saves};
use crate::{Error, Result};

/// Where a pixel is read, from its column x and row y: at column `m[0][0]·x + m[0][1]·y + m[0][2]` and at row
/// `m[1][0]·x + m[1][1]·y + m[1][2]`. Whole numbers are centres of pixels.
pub type Map = [[f64; 3]; 2];

/// What lies outside of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// Nothing.
    Zeros,
    /// The picture, mirrored at the centres of its outermost pixels again and again.
    Mirror,
}

/// Pictures of `size` (height, width) whose pixels are read from x, each picture's by its own map, bilinearly between four
/// pixels (PyTorch's `grid_sample`): `[N, C, H, W]` → `[N, C, size]`. f32 or f64 on the CPU, f32 or bf16 on a
/// GPU.
///
/// # Errors
/// When x is not of rank 4 or has no pixels, the size has none, there is not one map per picture, or a map is not finite.
pub fn warp(x: &Tensor, maps: &[Map], size: [usize; 2], border: Border) -> Result<Tensor> {
    let &[n, _, h, w] = x.dims() else {
        return Err(Error::shape("warp: input", x.dims(), "[N, C, H, W]"));
    };
    if h * w == 0 {
        return Err(Error::shape("warp: input", x.dims(), "[N, C, H, W] with pixels"));
    }
    if size.contains(&0) {
        return Err(Error::invalid("warp: size", format!("{} × {}", size[0], size[1]), "at least 1 × 1", ""));
    }
    if maps.len() != n {
        return Err(Error::invalid("warp: maps", maps.len().to_string(), format!("{n}, one per picture"), ""));
    }
    if let Some(map) = maps.iter().find(|map| !map.iter().flatten().all(|number| number.is_finite())) {
        return Err(Error::invalid("warp: map", format!("{map:?}"), "finite numbers", ""));
    }
    Ok(apply(Read(Geometry { maps: maps.into(), from: [h, w], to: size, border }), [x])?)
}

/// Which pixels are read for which.
#[derive(Clone)]
struct Geometry {
    maps: Arc<[Map]>,
    from: [usize; 2],
    to: [usize; 2],
    border: Border,
}

/// The two pixels of a line around `place`, with their weights; a pixel outside has none.
fn neighbours(place: f64, size: usize, border: Border) -> [(usize, f64); 2] {
    let low = place.floor();
    let part = place - low;
    [(low, 1.0 - part), (low + 1.0, part)].map(|(at, weight)| match border {
        Border::Zeros if at < 0.0 || at >= size as f64 => (0, 0.0),
        Border::Zeros => (at as usize, weight),
        Border::Mirror => (mirrored(at, size), weight),
    })
}

/// The pixel that lies at the whole number `at` of an endless line of mirror images.
fn mirrored(at: f64, size: usize) -> usize {
    let period = (2 * (size - 1)).max(1);
    let within = at.rem_euclid(period as f64) as usize;
    within.min(period - within).min(size - 1)
}

impl Geometry {
    /// Calls `each` for the pixels of the result, row by row, with the four that they are read from and their weights.
    fn walk(&self, sample: usize, mut each: impl FnMut(usize, [(usize, f64); 4])) {
        let ([h, w], [rows, columns]) = (self.from, self.to);
        let [across, down] = self.maps[sample];
        let at = |line: [f64; 3], x: usize, y: usize| line[0] * x as f64 + line[1] * y as f64 + line[2];
        for y in 0..rows {
            for x in 0..columns {
                let [left, right] = neighbours(at(across, x, y), w, self.border);
                let [above, below] = neighbours(at(down, x, y), h, self.border);
                let pixel = |(row, a): (usize, f64), (column, b): (usize, f64)| (row * w + column, a * b);
                let four = [pixel(above, left), pixel(above, right), pixel(below, left), pixel(below, right)];
                each(y * columns + x, four);
            }
        }
    }
}

#[cfg(feature = "cuda")]
impl Geometry {
    fn on_gpu(&self) -> cuda::Reading<'_> {
        cuda::Reading { maps: &self.maps, from: self.from, to: self.to, mirrored: self.border == Border::Mirror }
    }
}

/// Reads pixels.
struct Read(Geometry);

impl Kernel<1, 1> for Read {
    fn name(&self) -> &'static str {
        "warp"
    }

    fn cpu<T: Real>(&self, [(x, shape)]: [(&[T], &Shape); 1]) -> Numbers<T, 1> {
        let (n, channels, h, w) = shape.dims4()?;
        let [rows, columns] = self.0.to;
        let [here, there] = [h * w, rows * columns];
        let [from, to] = [here, there].map(|plane| (channels * plane).max(1));
        // SAFETY: every picture of `out` is written by its own task, every pixel of its planes once.
        let out = unsafe {
            filled(n * channels * there, |out| {
                let pictures = out.par_chunks_mut(to).zip(x.par_chunks(from)).enumerate();
                pictures.with_min_len(CHUNK.div_ceil(to)).for_each(|(i, (out, x))| {
                    // Where a pixel is read takes longer to find out than to read it, and is the same in all planes.
                    self.0.walk(i, |pixel, four| {
                        let four = four.map(|(at, weight)| (at, T::of(weight)));
                        for (x, out) in x.chunks_exact(here).zip(out.chunks_exact_mut(there)) {
                            let mut total = T::ZERO;
                            for (at, weight) in four {
                                total += weight * x[at];
                            }
                            out[pixel].write(total);
                        }
                    });
                });
            })
        };
        Ok([(out, (n, channels, rows, columns).into())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x]: [Operand; 1]) -> OnGpu<1> {
        self.0.on_gpu().read(x)
    }
}

impl Op<1> for Read {
    fn saves(&self) -> Saves<1> {
        Saves::NOTHING
    }

    fn backward(&self, _: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 1]> {
        Ok([Some(apply(Scatter(self.0.clone()), [upstream])?)])
    }
}

/// Adds pixels to those that they are read from.
struct Scatter(Geometry);

impl Kernel<1, 1> for Scatter {
    fn name(&self) -> &'static str {
        "warp_adjoint"
    }

    fn cpu<T: Real>(&self, [(u, shape)]: [(&[T], &Shape); 1]) -> Numbers<T, 1> {
        let (n, channels, rows, columns) = shape.dims4()?;
        let [h, w] = self.0.from;
        let [here, there] = [rows * columns, h * w];
        let [from, to] = [here, there].map(|plane| (channels * plane).max(1));
        // SAFETY: every picture of `out` is written by its own task, from the first to the last number.
        let out = unsafe {
            filled(n * channels * there, |out| {
                let pictures = out.par_chunks_mut(to).zip(u.par_chunks(from)).enumerate();
                pictures.with_min_len(CHUNK.div_ceil(to)).for_each(|(i, (out, u))| {
                    out.fill(MaybeUninit::new(T::ZERO));
                    let out = out.assume_init_mut();
                    self.0.walk(i, |pixel, four| {
                        let four = four.map(|(at, weight)| (at, T::of(weight)));
                        for (u, out) in u.chunks_exact(here).zip(out.chunks_exact_mut(there)) {
                            for (at, weight) in four {
                                out[at] += weight * u[pixel];
                            }
                        }
                    });
                });
            })
        };
        Ok([(out, (n, channels, h, w).into())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [u]: [Operand; 1]) -> OnGpu<1> {
        self.0.on_gpu().adjoint(u)
    }
}

impl Op<1> for Scatter {
    fn saves(&self) -> Saves<1> {
        Saves::NOTHING
    }

    fn backward(&self, _: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 1]> {
        Ok([Some(apply(Read(self.0.clone()), [upstream])?)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device, Var};

    const NOTHING: Map = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]];

    fn line(count: usize) -> Tensor {
        Tensor::arange(1f64, 1.0 + count as f64, &Device::Cpu).unwrap().reshape((1, 1, 1, count)).unwrap()
    }

    fn numbers(tensor: &Tensor) -> Vec<f64> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn borders_are_nothing_or_mirrors() {
        let moved = |by: f64, border| {
            let map = [[1.0, 0.0, by], [0.0, 1.0, 0.0]];
            numbers(&warp(&line(3), &[map], [1, 8], border).unwrap())
        };
        assert_eq!(moved(-2.0, Border::Zeros), [0.0, 0.0, 1.0, 2.0, 3.0, 0.0, 0.0, 0.0]);
        assert_eq!(moved(-2.0, Border::Mirror), [3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0, 2.0]);
        assert_eq!(moved(-0.25, Border::Zeros), [0.75, 1.75, 2.75, 0.75, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(numbers(&warp(&line(1), &[NOTHING], [1, 3], Border::Mirror).unwrap()), [1.0; 3]);
    }

    #[test]
    fn a_map_that_changes_nothing_changes_no_bit() {
        let x = crate::rng::seed(1).stream("x").normal_tensor(&[2, 3, 4, 5], &Device::Cpu).unwrap();
        for border in [Border::Zeros, Border::Mirror] {
            let y = warp(&x, &[NOTHING; 2], [4, 5], border).unwrap();
            let bits = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(bits(&y), bits(&x));
        }
    }

    /// tests/fixtures/augment/make.py.
    #[test]
    fn pictures_are_read_as_by_pytorch() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/augment/golden.safetensors");
        let golden = crate::weights::safetensors::read(path).unwrap().tensors;
        let maps: Vec<f64> = numbers(&golden["sample/maps"]);
        let map = |maps: &[f64]| [[maps[0], maps[1], maps[2]], [maps[3], maps[4], maps[5]]];
        let maps: Vec<Map> = maps.chunks(6).map(map).collect();
        let x: Vec<f64> = (0..120).map(|i| (0.7 * f64::from(i)).sin()).collect();
        let x = Var::from_vec(x, (2, 3, 4, 5), &Device::Cpu).unwrap();
        let y = warp(x.as_tensor(), &maps, [6, 7], Border::Zeros).unwrap();
        let weights: Vec<f64> = (0..252).map(|i| f64::from(i).cos()).collect();
        let weights = Tensor::from_vec(weights, y.shape(), &Device::Cpu).unwrap();
        let gradients = crate::autograd::backward_from(&y, &weights).unwrap();
        for (found, name) in [(&y, "sample/y"), (gradients.get(&x).unwrap(), "sample/gradient")] {
            for (found, expected) in numbers(found).iter().zip(numbers(&golden[name])) {
                assert!((found - expected).abs() < 1e-12, "{name}: {found}, expected {expected}");
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let message = |x: &Tensor, maps: &[Map]| warp(x, maps, [2, 2], Border::Zeros).unwrap_err().to_string();
        assert!(message(&line(3), &[]).contains("1, one per picture"));
        assert!(message(&line(3), &[[[f64::NAN; 3]; 2]]).contains("finite"));
        let empty = Tensor::zeros((1, 1, 0, 3), DType::F32, &Device::Cpu).unwrap();
        assert!(message(&empty, &[NOTHING]).contains("with pixels"));
        assert!(warp(&line(3), &[NOTHING], [0, 2], Border::Zeros).unwrap_err().to_string().contains("0 × 2"));
        assert!(message(&line(3).flatten_all().unwrap(), &[NOTHING]).contains("[N, C, H, W]"));
    }
}
