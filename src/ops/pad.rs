//! Borders of mirrored pixels.

use candle_core::{Shape, Tensor};
use rayon::prelude::*;

use super::kernel::{CHUNK, Real};
use super::op::{Kernel, Numbers, Op, apply};
use crate::autograd::{Saved, Saves};
use crate::{Error, Result};

/// `[N, C, H, W]` with `p` pixels more on each side, mirrored at the centres of the outermost pixels, which do not come
/// twice: `[N, C, H + 2p, W + 2p]` (PyTorch's `ReflectionPad2d`). f32 or f64.
///
/// # Errors
/// When x is not of rank 4, or `p` is not below its height and width.
pub fn reflect_pad(x: &Tensor, p: usize) -> Result<Tensor> {
    let &[_, _, h, w] = x.dims() else {
        return Err(Error::shape("reflect pad: input", x.dims(), "[N, C, H, W]"));
    };
    if p >= h || p >= w {
        let expected = format!("[N, C, H, W] with more than {p} pixels in both directions");
        return Err(Error::shape("reflect pad: input", x.dims(), expected));
    }
    if x.device().is_cpu() {
        return Ok(apply(Pad { p }, [x])?);
    }
    let index = |size: usize| {
        let places: Vec<u32> = (0..size + 2 * p).map(|at| source(at, p, size) as u32).collect();
        Tensor::new(places, x.device())
    };
    Ok(x.index_select(&index(h)?, 2)?.index_select(&index(w)?, 3)?)
}

/// The pixel that stands at `at` of a padded line of `size` pixels.
fn source(at: usize, p: usize, size: usize) -> usize {
    let from_first = at.abs_diff(p);
    from_first.min((2 * (size - 1)).saturating_sub(from_first))
}

/// x → x with its border.
struct Pad {
    p: usize,
}

impl Kernel<1, 1> for Pad {
    fn name(&self) -> &'static str {
        "reflect_pad"
    }

    fn cpu<T: Real>(&self, [(x, shape)]: [(&[T], &Shape); 1]) -> Numbers<T, 1> {
        let ((n, channels, h, w), p) = (shape.dims4()?, self.p);
        let (rows, columns) = (h + 2 * p, w + 2 * p);
        let mut y = vec![T::ZERO; n * channels * rows * columns];
        let planes = y.par_chunks_mut((rows * columns).max(1)).zip(x.par_chunks((h * w).max(1)));
        planes.with_min_len(CHUNK.div_ceil((rows * columns).max(1))).for_each(|(y, x)| {
            for (row, line) in y.chunks_exact_mut(columns).enumerate() {
                let from = &x[source(row, p, h) * w..][..w];
                line[p..p + w].copy_from_slice(from);
                for i in 0..p {
                    (line[i], line[p + w + i]) = (from[p - i], from[w - 2 - i]);
                }
            }
        });
        Ok([(y, (n, channels, rows, columns).into())])
    }
}

impl Op<1> for Pad {
    fn saves(&self) -> Saves<1> {
        Saves::NOTHING
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 1]> {
        Ok([saved.wanted(0, || apply(Fold { p: self.p }, [upstream]))?])
    }
}

/// The adjoint: every pixel of the border is added to the one that it mirrors.
struct Fold {
    p: usize,
}

impl Kernel<1, 1> for Fold {
    fn name(&self) -> &'static str {
        "reflect_pad_gradient"
    }

    fn cpu<T: Real>(&self, [(y, shape)]: [(&[T], &Shape); 1]) -> Numbers<T, 1> {
        let ((n, channels, rows, columns), p) = (shape.dims4()?, self.p);
        let (h, w) = (rows - 2 * p, columns - 2 * p);
        let mut x = vec![T::ZERO; n * channels * h * w];
        let planes = x.par_chunks_mut((h * w).max(1)).zip(y.par_chunks((rows * columns).max(1)));
        planes.with_min_len(CHUNK.div_ceil((rows * columns).max(1))).for_each(|(x, y)| {
            for (row, line) in y.chunks_exact(columns).enumerate() {
                let to = &mut x[source(row, p, h) * w..][..w];
                for (to, &value) in to.iter_mut().zip(&line[p..p + w]) {
                    *to += value;
                }
                for i in 0..p {
                    to[p - i] += line[i];
                    to[w - 2 - i] += line[p + w + i];
                }
            }
        });
        Ok([(x, (n, channels, h, w).into())])
    }
}

impl Op<1> for Fold {
    fn saves(&self) -> Saves<1> {
        Saves::NOTHING
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 1]> {
        Ok([saved.wanted(0, || apply(Pad { p: self.p }, [upstream]))?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn a_line_by_hand() {
        let x = Tensor::new(&[[[[1f32, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]]], &Device::Cpu).unwrap();
        let y = reflect_pad(&x, 2).unwrap().squeeze(0).unwrap().squeeze(0).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(y[0], [9.0, 8.0, 7.0, 8.0, 9.0, 8.0, 7.0]);
        assert_eq!(y[3], [6.0, 5.0, 4.0, 5.0, 6.0, 5.0, 4.0]);
        assert_eq!(y[6], [3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0]);
        assert!(reflect_pad(&x, 3).unwrap_err().to_string().contains("more than 3"));
    }
}
