//! What a convolution answers to pose maps, without the maps.
//!
//! A pose map is −1 everywhere but for one +1 (PSGAN, Hamada et al. 2018, section 3), or two other numbers, so that a
//! convolution of it is the ground times the sum of the kernel, less what lies outside at the borders, plus the difference
//! of both times the kernel stamped around the one pixel. Twenty maps of 1024 px, 80 MiB a picture, are replaced by twenty
//! pixels. The answer is linear in the kernels, and so is the gradient of the kernels in what arrives: the two operations
//! are each other's derivative.

use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::Arc;

use candle_core::{DType, Device, Shape, Tensor};
use rayon::prelude::*;

#[cfg(feature = "cuda")]
use super::cuda::{OnGpu, Operand, pose as cuda};
use super::kernel::{CHUNK, Real, filled, sum};
use super::op::{Kernel, Numbers, Op, apply};
use crate::autograd::{Saved, Saves};
use crate::{Error, Result};

/// What stands in pose maps: the paper's are −1 and 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Levels {
    /// Everywhere but in the point's pixel.
    pub ground: f64,
    /// In the point's pixel; more than elsewhere, so that maximum pooling keeps it.
    pub point: f64,
}

impl Default for Levels {
    fn default() -> Self {
        Levels { ground: -1.0, point: 1.0 }
    }
}

impl Levels {
    fn contrast(self) -> f64 {
        self.point - self.ground
    }
}

/// Key points as operations take them: `[N, M, 3]` (x, y, and a number above 0 where the point is known) of f32, one after the
/// other in memory, without their history.
///
/// # Errors
/// When they have another shape.
pub(crate) fn key_points(points: &Tensor) -> Result<Tensor> {
    let &[_, _, 3] = points.dims() else {
        return Err(Error::shape("poses: key points", points.dims(), "[N, M, 3]"));
    };
    Ok(points.detach().to_dtype(DType::F32)?.contiguous()?)
}

/// Where the point of each map is, for `samples` × `keypoints` of them.
#[derive(Clone, Debug)]
pub struct Pixels {
    places: Places,
    keypoints: usize,
    size: [usize; 2],
    levels: Levels,
}

#[derive(Clone, Debug)]
enum Places {
    /// Pixels [row, column], none for a map of ground only, for tensors on the CPU.
    Known(Arc<[Option<[usize; 2]>]>),
    /// Points `[N, M, 3]` of f32 on a GPU, in pixels of maps 2^`halvings` times as large: kernels read them there, and nobody
    /// waits for them.
    There { points: Tensor, halvings: u32 },
}

impl Pixels {
    /// The pixels of points `[N, M, 3]` (x, y, and a number above 0 where the point is known) in maps of `size` (height,
    /// width): (⌊x⌋, ⌊y⌋); none for a point that is unknown or lies outside. They serve tensors on the device of the points.
    ///
    /// # Errors
    /// When the points have another shape.
    pub fn new(points: &Tensor, size: [usize; 2]) -> Result<Pixels> {
        let points = key_points(points)?;
        let keypoints = points.dims()[1];
        let places = match points.device() {
            Device::Cpu => {
                let numbers = points.flatten_all()?.to_vec1::<f32>()?;
                Places::Known(numbers.chunks(3).map(|point| pixel([point[0], point[1], point[2]], size)).collect())
            }
            _ => Places::There { points, halvings: 0 },
        };
        Ok(Pixels { places, keypoints, size, levels: Levels::default() })
    }

    /// The same pixels in maps of these numbers.
    pub fn in_maps_of(self, levels: Levels) -> Pixels {
        Pixels { levels, ..self }
    }

    /// Number of samples.
    pub fn samples(&self) -> usize {
        match &self.places {
            Places::Known(pixels) => pixels.len() / self.keypoints.max(1),
            Places::There { points, .. } => points.dims()[0],
        }
    }

    /// The same maps after maximum pooling of 2×2 windows, `halvings` times: it keeps the point, so that its pixel is
    /// divided.
    pub fn pooled(&self, halvings: u32) -> Pixels {
        let size = self.size.map(|side| side >> halvings);
        let shift = |pixel: [usize; 2]| pixel.map(|place| place >> halvings);
        // In maps that two does not divide, the last row and column are in no window.
        let inside = |&[y, x]: &[usize; 2]| y < size[0] && x < size[1];
        let places = match &self.places {
            Places::Known(pixels) => {
                Places::Known(pixels.iter().map(|pixel| pixel.map(shift).filter(inside)).collect())
            }
            Places::There { points, halvings: before } => {
                Places::There { points: points.clone(), halvings: before + halvings }
            }
        };
        Pixels { places, size, ..self.clone() }
    }

    /// The pixels of every sample, one after the other.
    fn known(&self) -> candle_core::Result<&[Option<[usize; 2]>]> {
        match &self.places {
            Places::Known(pixels) => Ok(pixels),
            Places::There { .. } => candle_core::bail!("pose response: the points lie on another device"),
        }
    }

    #[cfg(feature = "cuda")]
    fn on_gpu(&self) -> candle_core::Result<cuda::Maps<'_>> {
        let Places::There { points, halvings } = &self.places else {
            candle_core::bail!("pose response: the points lie on another device");
        };
        let (size, keypoints) = (self.size, self.keypoints);
        let (ground, contrast) = (self.levels.ground, self.levels.contrast());
        Ok(cuda::Maps { points, halvings: *halvings, size, keypoints, ground, contrast })
    }
}

/// [row, column] of a point in maps of `size`.
fn pixel([x, y, known]: [f32; 3], size: [usize; 2]) -> Option<[usize; 2]> {
    // Floats become numbers by cutting; what is not a number compares with nothing.
    let seen = known > 0.0 && x >= 0.0 && y >= 0.0 && x < size[1] as f32 && y < size[0] as f32;
    seen.then_some([y as usize, x as usize])
}

/// `x` `[N, C, H, W]` plus the convolution of the pose maps of `pixels`, padded with zeros to their own size, with
/// `weight` `[C, M, k, k]`, k odd → shape of x. f32 or f64, or bf16 on a GPU.
///
/// # Errors
/// When the shapes do not fit each other or the pixels.
pub fn add_pose_response(x: &Tensor, weight: &Tensor, pixels: &Pixels) -> Result<Tensor> {
    let &[n, channels, h, w] = x.dims() else {
        return Err(Error::shape("pose response: input", x.dims(), "[N, C, H, W]"));
    };
    let (samples, size) = (pixels.samples(), pixels.size);
    if n != samples || [h, w] != size {
        let expected = format!("[{samples}, C, {}, {}], as the pose maps", size[0], size[1]);
        return Err(Error::shape("pose response: input", x.dims(), expected));
    }
    match weight.dims() {
        &[outputs, keypoints, k, width]
            if outputs == channels && keypoints == pixels.keypoints && k == width && k % 2 == 1 =>
        {
            Ok(apply(Response(pixels.clone()), [x, weight])?)
        }
        other => {
            let expected = format!("[{channels}, {}, k, k] with an odd k", pixels.keypoints);
            Err(Error::shape("pose response: weight", other, expected))
        }
    }
}

/// The taps of a kernel of side `k`, centred at `place`, that meet a line of `size` pixels.
fn taps(k: usize, place: usize, size: usize) -> Range<usize> {
    let reach = k / 2;
    reach.saturating_sub(place)..k.min(size + reach - place)
}

/// The pixels of a line of `size` whose kernel of side `k` has its tap `tap` on the line.
fn reached(k: usize, tap: usize, size: usize) -> Range<usize> {
    let reach = k / 2;
    reach.saturating_sub(tap)..(size + reach).saturating_sub(tap).min(size)
}

/// (x, w) → x + the answer of the kernels w to the maps.
struct Response(Pixels);

impl Response {
    /// Writes x plus the ground times the sums of the kernel's taps that meet the plane. `sums` are over the maps, `[k, k]`.
    fn ground<T: Real>(&self, sums: &[f64], k: usize, x: &[T], out: &mut [MaybeUninit<T>]) {
        let ([h, w], level) = (self.0.size, self.0.levels.ground);
        let inner = (k / 2).min(w)..w.saturating_sub(k / 2).max((k / 2).min(w));
        for (y, (out, x)) in out.chunks_mut(w).zip(x.chunks(w)).enumerate() {
            let rows = taps(k, y, h);
            let column = |dx: usize| rows.clone().map(|dy| sums[dy * k + dx]).sum::<f64>();
            let at = |place: usize| T::of(level * taps(k, place, w).map(column).sum::<f64>());
            let edges = (0..inner.start).chain(inner.end..w);
            for place in edges {
                out[place].write(x[place] + at(place));
            }
            if !inner.is_empty() {
                let value = at(inner.start);
                for (out, &x) in out[inner.clone()].iter_mut().zip(&x[inner.clone()]) {
                    out.write(x + value);
                }
            }
        }
    }

    /// Adds as much of the kernel as the point is above the ground, for each known keypoint around its pixel.
    /// `kernels` `[M, k, k]`.
    fn stamp<T: Real>(&self, pixels: &[Option<[usize; 2]>], kernels: &[T], k: usize, out: &mut [T]) {
        let ([h, w], contrast) = (self.0.size, T::of(self.0.levels.contrast()));
        for (kernel, pixel) in kernels.chunks(k * k).zip(pixels) {
            let Some([row, column]) = *pixel else { continue };
            for (dy, dx) in (0..k).flat_map(|dy| (0..k).map(move |dx| (dy, dx))) {
                // A tap at d sees the pixel from d − k/2 before it.
                let (y, x) = ((row + k / 2).checked_sub(dy), (column + k / 2).checked_sub(dx));
                if let (Some(y), Some(x)) = (y.filter(|y| *y < h), x.filter(|x| *x < w)) {
                    out[y * w + x] += contrast * kernel[dy * k + dx];
                }
            }
        }
    }
}

impl Kernel<2, 1> for Response {
    fn name(&self) -> &'static str {
        "pose_response"
    }

    fn cpu<T: Real>(&self, [(x, shape), (weight, kernels)]: [(&[T], &Shape); 2]) -> Numbers<T, 1> {
        let (_, channels, h, w) = shape.dims4()?;
        let (_, keypoints, k, _) = kernels.dims4()?;
        let per_channel = (keypoints * k * k).max(1);
        let sums: Vec<Vec<f64>> = weight
            .chunks(per_channel)
            .map(|kernels| {
                (0..k * k).map(|tap| kernels.iter().skip(tap).step_by(k * k).map(|w| w.wide()).sum()).collect()
            })
            .collect();
        let (plane, known) = ((h * w).max(1), self.0.known()?);
        // SAFETY: every plane is written by its own task, row by row from the first to the last pixel.
        let out = unsafe {
            filled(x.len(), |out| {
                let planes = out.par_chunks_mut(plane).zip(x.par_chunks(plane)).enumerate();
                planes.with_min_len(CHUNK.div_ceil(plane)).for_each(|(i, (out, x))| {
                    let (sample, channel) = (i / channels, i % channels);
                    self.ground(&sums[channel], k, x, out);
                    let kernels = &weight[channel * per_channel..][..per_channel];
                    let pixels = &known[sample * keypoints..][..keypoints];
                    self.stamp(pixels, kernels, k, out.assume_init_mut());
                });
            })
        };
        Ok([(out, shape.clone())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [x, weight]: [Operand; 2]) -> OnGpu<1> {
        cuda::response(&self.0.on_gpu()?, x, weight)
    }
}

impl Op<2> for Response {
    fn saves(&self) -> Saves<2> {
        Saves::NOTHING
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 2]> {
        let (_, _, k, _) = saved.shape(1).dims4()?;
        let for_weight = saved.wanted(1, || apply(Gradient { pixels: self.0.clone(), k }, [upstream]))?;
        Ok([saved.wanted(0, || Ok(upstream.clone()))?, for_weight])
    }
}

/// u `[N, C, H, W]` → Σ u · ∂(answer)/∂w, `[C, M, k, k]`.
struct Gradient {
    pixels: Pixels,
    k: usize,
}

impl Gradient {
    /// Adds what one plane says to `ground` `[k, k]`, which is the same for all maps, and to `stamps` `[M, k, k]`.
    fn plane<T: Real>(&self, pixels: &[Option<[usize; 2]>], u: &[T], ground: &mut [f64], stamps: &mut [f64]) {
        let ([h, w], k, contrast) = (self.pixels.size, self.k, self.pixels.levels.contrast());
        for (y, row) in u.chunks(w).enumerate() {
            let whole = sum(row, |u| u);
            for dx in 0..k {
                let met = reached(k, dx, w);
                let outside = row[..met.start].iter().chain(&row[met.end..]).map(|u| u.wide()).sum::<f64>();
                for dy in taps(k, y, h) {
                    ground[dy * k + dx] += whole - outside;
                }
            }
        }
        for (stamp, pixel) in stamps.chunks_mut(k * k).zip(pixels) {
            let Some([row, column]) = *pixel else { continue };
            for (dy, dx) in (0..k).flat_map(|dy| (0..k).map(move |dx| (dy, dx))) {
                let (y, x) = ((row + k / 2).checked_sub(dy), (column + k / 2).checked_sub(dx));
                if let (Some(y), Some(x)) = (y.filter(|y| *y < h), x.filter(|x| *x < w)) {
                    stamp[dy * k + dx] += contrast * u[y * w + x].wide();
                }
            }
        }
    }
}

impl Kernel<1, 1> for Gradient {
    fn name(&self) -> &'static str {
        "pose_response_gradient"
    }

    fn cpu<T: Real>(&self, [(u, shape)]: [(&[T], &Shape); 1]) -> Numbers<T, 1> {
        let (n, channels, h, w) = shape.dims4()?;
        let level = self.pixels.levels.ground;
        let (k, keypoints, plane) = (self.k, self.pixels.keypoints, (h * w).max(1));
        let known = self.pixels.known()?;
        let of_channel = |channel: usize| -> Vec<T> {
            let (mut ground, mut stamps) = (vec![0.0; k * k], vec![0.0; keypoints * k * k]);
            for sample in 0..n {
                let u = &u[(sample * channels + channel) * plane..][..h * w];
                self.plane(&known[sample * keypoints..][..keypoints], u, &mut ground, &mut stamps);
            }
            stamps.iter().zip(ground.iter().cycle()).map(|(stamp, ground)| T::of(stamp + level * ground)).collect()
        };
        let gradients: Vec<Vec<T>> = (0..channels).into_par_iter().map(of_channel).collect();
        Ok([(gradients.concat(), (channels, keypoints, k, k).into())])
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, [u]: [Operand; 1]) -> OnGpu<1> {
        cuda::gradient(&self.pixels.on_gpu()?, self.k, u)
    }
}

impl Op<1> for Gradient {
    fn saves(&self) -> Saves<1> {
        Saves::NOTHING
    }

    fn backward(&self, saved: &Saved, upstream: &Tensor) -> candle_core::Result<[Option<Tensor>; 1]> {
        let zeros = Tensor::zeros(saved.shape(0), upstream.dtype(), upstream.device())?;
        Ok([Some(apply(Response(self.pixels.clone()), [&zeros, upstream])?)])
    }
}
