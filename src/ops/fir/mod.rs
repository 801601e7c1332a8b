//! Small separable filters with resampling: zeros put between pixels, a filter, and every n-th pixel kept, in one
//! operation (StyleGAN2's `upfirdn2d`: Karras et al. 2020, appendix B).

use candle_core::{Shape, Tensor};
use rayon::prelude::*;

use super::Pair;
#[cfg(feature = "cuda")]
use super::cuda::{OnGpu, Operand, resample};
use super::kernel::{CHUNK, Real, filled};
use super::level::run;
use super::op::{Kernel, Numbers, Op, apply};
use crate::autograd::{Saved, Saves};
use crate::{Error, Result};

use self::plane::{Axis, Filter, Plan, Plane};

mod plane;

/// The binomial filter of three taps, of sum 1.
pub const BINOMIAL: [f64; 3] = [0.25, 0.5, 0.25];

/// x blurred with the 3×3 binomial filter, zeros outside: `[N, C, H, W]` → same shape (Karras et al. 2019, section 2;
/// Zhang 2019, "Making convolutional networks shift-invariant again"). Its own adjoint.
///
/// # Errors
/// When `x` is not of rank 4 or empty.
pub fn blur(x: &Tensor) -> Result<Tensor> {
    upfirdn2d(x, [&BINOMIAL; 2], 1, 1, [[1, 1]; 2])
}

/// Twice the size: zeros between the pixels, then the filter, four times as strong, so that the mean stays. Padding as
/// StyleGAN2 has it. `[N, C, H, W]` → `[N, C, 2H, 2W]`.
///
/// # Errors
/// As [`upfirdn2d`], and when there are fewer than two taps.
pub fn upsample_filtered(x: &Tensor, taps: &[f64]) -> Result<Tensor> {
    let rest = check_taps(taps)?;
    let doubled: Vec<f64> = taps.iter().map(|tap| 2.0 * tap).collect();
    upfirdn2d(x, [&doubled; 2], 2, 1, [[rest.div_ceil(2) + 1, rest / 2]; 2])
}

/// Half the size: the filter, then every second pixel. Padding as StyleGAN2 has it. `[N, C, H, W]` →
/// `[N, C, ⌈H/2⌉, ⌈W/2⌉]` for three taps, as long as `[N, C, ⌊H/2⌋, ⌊W/2⌋]` for four.
///
/// # Errors
/// As [`upfirdn2d`], and when there are fewer than two taps.
pub fn downsample_filtered(x: &Tensor, taps: &[f64]) -> Result<Tensor> {
    let rest = check_taps(taps)?;
    upfirdn2d(x, [taps; 2], 1, 2, [[rest.div_ceil(2), rest / 2]; 2])
}

fn check_taps(taps: &[f64]) -> Result<usize> {
    let few = || Error::invalid("filtered resampling: taps", taps.len().to_string(), "at least 2", "");
    taps.len().checked_sub(2).ok_or_else(few)
}

/// Upsampling, filter, downsampling of every plane of x `[N, C, H, W]` → `[N, C, H', W']`.
///
/// After each row and column `up` − 1 zeros are put, `padding` (`[[top, bottom], [left, right]]`) zeros go around, the
/// result is convolved with the outer product of `taps` (`[vertical, horizontal]`; a convolution, so mirrored taps
/// slide over the picture), and every `down`-th row and column is kept:
/// H' = ⌊(H·up + top + bottom − taps) / down⌋ + 1.
///
/// # Errors
/// When x is not of rank 4, a factor is 0, there are no taps, or nothing is left.
pub fn upfirdn2d(
    x: &Tensor,
    taps: [&[f64]; 2],
    up: impl Into<Pair>,
    down: impl Into<Pair>,
    padding: [[usize; 2]; 2],
) -> Result<Tensor> {
    let (Pair(up), Pair(down)) = (up.into(), down.into());
    let &[_, _, h, w] = x.dims() else {
        return Err(Error::shape("upfirdn2d: input", x.dims(), "[N, C, H, W]"));
    };
    let axis = |axis: usize, size: usize| {
        let (taps, up, down, [before, after]) = (taps[axis], up[axis], down[axis], padding[axis]);
        if taps.is_empty() || up == 0 || down == 0 {
            let found = format!("{} taps, up {up}, down {down}", taps.len());
            return Err(Error::invalid("upfirdn2d", found, "at least one tap and factors of at least 1", ""));
        }
        match (size * up + before + after).checked_sub(taps.len()) {
            Some(rest) if size > 0 => {
                let offset = taps.len() as isize - 1 - before as isize;
                Ok(Axis { taps: taps.to_vec(), up, down, offset, outputs: rest / down + 1 })
            }
            _ => {
                let expected = format!("at least {} rows and columns when upsampled and padded", taps.len());
                Err(Error::shape("upfirdn2d: input", x.dims(), expected))
            }
        }
    };
    Ok(apply(Filter { axes: [axis(0, h)?, axis(1, w)?] }, [x])?)
}

impl Kernel<1, 1> for Filter {
    fn name(&self) -> &'static str {
        "upfirdn2d"
    }

    fn cpu<T: Real>(&self, [(x, shape)]: [(&[T], &Shape); 1]) -> Numbers<T, 1> {
        let (n, c, h, w) = shape.dims4()?;
        let [rows, columns] = [self.axes[0].outputs, self.axes[1].outputs];
        let plan = &Plan::new(self, [h, w]);
        // SAFETY: every plane of `out` is written by its own task, row by row.
        let out = unsafe {
            filled(n * c * rows * columns, |out| {
                let planes = out.par_chunks_mut(rows * columns).zip(x.par_chunks(h * w));
                planes.with_min_len(CHUNK.div_ceil(h * w)).for_each(|(out, x)| {
                    T::with_scratch(plan.scratch(), |scratch| run(Plane { plan, x, scratch, out }));
                });
            })
        };
        Ok([(out, (n, c, rows, columns).into())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x]: [Operand; 1]) -> OnGpu<1> {
        let axes = self.axes.each_ref().map(|axis| resample::Axis {
            taps: &axis.taps,
            up: axis.up,
            down: axis.down,
            offset: axis.offset,
            outputs: axis.outputs,
        });
        resample::filter(&axes, x)
    }
}

impl Op<1> for Filter {
    fn saves(&self) -> Saves<1> {
        Saves::NOTHING
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 1]> {
        let (_, _, h, w) = saved.shape(0).dims4()?;
        let adjoint = Filter { axes: [self.axes[0].adjoint(h), self.axes[1].adjoint(w)] };
        Ok([Some(apply(adjoint, [upstream])?)])
    }
}
