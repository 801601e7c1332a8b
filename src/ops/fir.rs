//! Small separable filters with resampling: zeros put between pixels, a filter, and every n-th pixel kept, in one
//! operation (StyleGAN2's `upfirdn2d`: Karras et al. 2020, appendix B).

use std::mem::MaybeUninit;

use candle_core::{Shape, Tensor};
use rayon::prelude::*;

use super::Pair;
#[cfg(feature = "cuda")]
use super::cuda::{OnGpu, Operand, resample};
use super::kernel::{CHUNK, Real, filled, widest};
use super::op::{Kernel, Numbers, Op, apply};
use crate::autograd::{Saved, Saves};
use crate::{Error, Result};

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

/// One direction: out[o] = Σᵢ in[i]·taps[o·down − i·up + offset].
#[derive(Clone, Debug)]
struct Axis {
    taps: Vec<f64>,
    up: usize,
    down: usize,
    offset: isize,
    outputs: usize,
}

impl Axis {
    /// The transposed map, back to `inputs` numbers: the same formula with o and i exchanged.
    fn adjoint(&self, inputs: usize) -> Axis {
        Axis {
            taps: self.taps.iter().rev().copied().collect(),
            up: self.down,
            down: self.up,
            offset: self.taps.len() as isize - 1 - self.offset,
            outputs: inputs,
        }
    }

    /// Numbers of a padded, upsampled line.
    fn span(&self) -> usize {
        (self.outputs - 1) * self.down + self.taps.len()
    }

    /// Where input i stands on the padded, upsampled line.
    fn place(&self, i: usize) -> isize {
        (i * self.up) as isize - self.offset + self.taps.len() as isize - 1
    }

    /// The inputs that output o reads, with their taps.
    fn reads(&self, o: usize, inputs: usize) -> impl Iterator<Item = (usize, f64)> {
        let end = (o * self.down) as isize + self.offset;
        (0..inputs).skip(self.first(end)).map_while(move |i| {
            let tap = end - (i * self.up) as isize;
            (tap >= 0).then(|| (i, self.taps[tap as usize]))
        })
    }

    /// The first input whose tap for an output that ends there exists.
    fn first(&self, end: isize) -> usize {
        let beyond = end - (self.taps.len() as isize - 1);
        if beyond <= 0 { 0 } else { (beyond as usize).div_ceil(self.up) }
    }
}

/// The filter in both directions.
#[derive(Clone, Debug)]
struct Filter {
    /// Vertical, horizontal.
    axes: [Axis; 2],
}

impl Filter {
    /// One plane of `width` columns. `scratch` holds a padded line, then what the first of the two directions gives.
    fn plane<T: Real>(&self, x: &[T], width: usize, scratch: &mut [T], out: &mut [MaybeUninit<T>]) {
        let [vertical, horizontal] = &self.axes;
        let (columns, height) = (horizontal.outputs, x.len() / width);
        let (line, rows) = scratch.split_at_mut(horizontal.span());
        if vertical.outputs < height {
            // Fewer rows are left to the horizontal filter, which is the slower one.
            for (o, out) in out.chunks_mut(columns).enumerate() {
                let row = &mut rows[..width];
                vertical.mix(o, x, as_uninit(row));
                horizontal.filter(row, line, out);
            }
            return;
        }
        for (x, row) in x.chunks(width).zip(rows.chunks_mut(columns)) {
            horizontal.filter(x, line, as_uninit(row));
        }
        for (o, out) in out.chunks_mut(columns).enumerate() {
            vertical.mix(o, &rows[..height * columns], out);
        }
    }

    /// Numbers of scratch for planes of this size.
    fn scratch(&self, height: usize, width: usize) -> usize {
        let [vertical, horizontal] = &self.axes;
        horizontal.span() + if vertical.outputs < height { width } else { height * horizontal.outputs }
    }
}

/// Numbers as memory to be written.
fn as_uninit<T: Real>(numbers: &mut [T]) -> &mut [MaybeUninit<T>] {
    // SAFETY: the layout is the same, and only numbers are written through it.
    unsafe { std::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), numbers.len()) }
}

fn write<T: Real>(out: &mut [MaybeUninit<T>], a: &[T], b: &[T], taps: [f64; 2]) {
    let [p, q] = taps.map(T::of);
    for (out, (&a, &b)) in out.iter_mut().zip(a.iter().zip(b)) {
        out.write(a * p + b * q);
    }
}

impl Axis {
    /// Row o of the filtered rows `x`, which are as long as `out`.
    #[inline(always)]
    fn mix<T: Real>(&self, o: usize, x: &[T], out: &mut [MaybeUninit<T>]) {
        let width = out.len();
        let mut reads = self.reads(o, x.len() / width);
        let row = |i: usize| &x[i * width..(i + 1) * width];
        // Two taps at once: the sums go through memory half as often.
        match (reads.next(), reads.next()) {
            (Some(a), Some(b)) => write(out, row(a.0), row(b.0), [a.1, b.1]),
            (one, _) => {
                out.fill(MaybeUninit::new(T::ZERO));
                one.iter().for_each(|&(i, tap)| add(out, row(i).iter(), T::of(tap)));
            }
        }
        for (i, tap) in reads {
            add(out, row(i).iter(), T::of(tap));
        }
    }

    /// Filters one line.
    #[inline(always)]
    fn filter<T: Real>(&self, x: &[T], line: &mut [T], out: &mut [MaybeUninit<T>]) {
        line.fill(T::ZERO);
        for (i, &x) in x.iter().enumerate() {
            if let Ok(place) = usize::try_from(self.place(i))
                && let Some(number) = line.get_mut(place)
            {
                *number = x;
            }
        }
        out.fill(MaybeUninit::new(T::ZERO));
        for (t, &tap) in self.taps.iter().rev().enumerate() {
            let tap = T::of(tap);
            match self.down {
                1 => add(out, line[t..].iter(), tap),
                2 => add(out, line[t..].chunks(2).map(|pair| &pair[0]), tap),
                down => add(out, line[t..].iter().step_by(down), tap),
            }
        }
    }
}

/// Adds to numbers that have been written.
#[inline(always)]
fn add<'a, T: Real>(out: &mut [MaybeUninit<T>], x: impl Iterator<Item = &'a T>, tap: T) {
    for (out, &x) in out.iter_mut().zip(x) {
        // SAFETY: callers have written the row.
        let before = unsafe { out.assume_init() };
        out.write(before + x * tap);
    }
}

impl Kernel<1, 1> for Filter {
    fn name(&self) -> &'static str {
        "upfirdn2d"
    }

    fn cpu<T: Real>(&self, [(x, shape)]: [(&[T], &Shape); 1]) -> Numbers<T, 1> {
        let (n, c, h, w) = shape.dims4()?;
        let [rows, columns] = [self.axes[0].outputs, self.axes[1].outputs];
        let scratch = self.scratch(h, w);
        // SAFETY: every plane of `out` is written by its own task, every row of it by its first taps or by zeros.
        let out = unsafe {
            filled(n * c * rows * columns, |out| {
                let planes = out.par_chunks_mut(rows * columns).zip(x.par_chunks(h * w));
                planes.with_min_len(CHUNK.div_ceil(h * w)).for_each(|(out, x)| {
                    T::with_scratch(scratch, |scratch| widest(|| self.plane(x, w, scratch, out)));
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
