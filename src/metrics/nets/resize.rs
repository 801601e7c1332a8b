//! How pictures are brought to the size of a network. The programs that compute FID disagree on it, and their numbers
//! with them (Parmar et al. 2022, arXiv:2104.11222): a table has to say which protocol it is of.
//!
//! All of them are two passes of weighted sums, first along rows, then along columns.

use candle_core::{Device, Tensor};
use image::RgbImage;
use rayon::prelude::*;

use crate::{Error, Result};

/// A way of resizing that a program of FID has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// That of the paper's program (TTUR) and torch-fidelity, TensorFlow 1's: bilinear, the first pixels of both
    /// pictures on each other, no low pass.
    Tensorflow,
    /// That of pytorch-fid: bilinear, the centres of both pictures on each other, no low pass.
    Pytorch,
    /// That of clean-fid, Pillow's: bicubic with the low pass that making pictures smaller needs, not rounded to bytes.
    /// The one to choose for new results.
    Clean,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Protocol; 3] = [Protocol::Tensorflow, Protocol::Pytorch, Protocol::Clean];

    /// `tensorflow`, `pytorch` or `clean`.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Tensorflow => "tensorflow",
            Protocol::Pytorch => "pytorch",
            Protocol::Clean => "clean",
        }
    }

    /// The protocol of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> Result<Protocol> {
        let found = Protocol::ALL.into_iter().find(|protocol| protocol.name() == name);
        found.ok_or_else(|| Error::invalid("protocol", format!("\"{name}\""), "tensorflow, pytorch or clean", ""))
    }

    /// A picture as Inception wants it: `[3, size, size]`, f32, from about −1 to 1 (1 is 255 for [`Protocol::Pytorch`],
    /// 256 for the others), on the CPU.
    ///
    /// # Errors
    /// When the picture has no pixels or the size is 0.
    pub fn prepare(self, picture: &RgbImage, size: usize) -> Result<Tensor> {
        let axis = |from| match self {
            Protocol::Tensorflow => Axis::corners(from, size),
            Protocol::Pytorch => Axis::centres(from, size),
            Protocol::Clean => Axis::bicubic(from, size),
        };
        let numbers = match self {
            Protocol::Pytorch => resized(picture, size, axis, |byte| f32::from(byte) / 255.0, |v| 2.0 * v - 1.0),
            Protocol::Tensorflow => resized(picture, size, axis, f32::from, |v| (v - 128.0) / 128.0),
            Protocol::Clean => resized(picture, size, axis, f32::from, |v| (v.clamp(0.0, 255.0) - 128.0) / 128.0),
        };
        Ok(Tensor::from_vec(numbers?, (3, size, size), &Device::Cpu)?)
    }
}

/// `[3, size, size]` numbers: `before` each byte, resampled, `after`.
pub(super) fn resized(
    picture: &RgbImage,
    size: usize,
    axis: impl Fn(usize) -> Axis,
    before: impl Fn(u8) -> f32,
    after: impl Fn(f32) -> f32,
) -> Result<Vec<f32>> {
    let [width, height] = [picture.width(), picture.height()].map(|side| side as usize);
    if width == 0 || height == 0 || size == 0 {
        let found = format!("a picture of {width}×{height} for {size} px");
        return Err(Error::invalid("resize", found, "at least one pixel", ""));
    }
    let axes = [axis(height), axis(width)];
    let mut numbers = Vec::with_capacity(3 * size * size);
    for channel in 0..3 {
        let plane: Vec<f32> = picture.as_raw()[channel..].iter().step_by(3).map(|&byte| before(byte)).collect();
        numbers.extend(axes_on(&plane, width, &axes).into_iter().map(&after));
    }
    Ok(numbers)
}

/// Every plane brought to `size` as PyTorch's bilinear `interpolate` does without `align_corners`: `[N, C, h, w]` →
/// `[N, C, size]`, f32 on the CPU.
pub(super) fn bilinear(x: &Tensor, [height, width]: [usize; 2]) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    let axes = [Axis::centres(h, height), Axis::centres(w, width)];
    let numbers = x.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
    let planes = numbers.par_chunks((h * w).max(1)).map(|plane| axes_on(plane, w, &axes));
    Ok(Tensor::from_vec(planes.collect::<Vec<_>>().concat(), (n, c, height, width), &Device::Cpu)?)
}

/// Every plane brought to `size` (height, width) with the filter of [`Protocol::Clean`], as a function of x that can be
/// differentiated: `[N, C, h, w]` → `[N, C, size]`.
pub(super) fn bicubic(x: &Tensor, [height, width]: [usize; 2]) -> Result<Tensor> {
    let &[n, c, h, w] = x.dims() else {
        return Err(Error::shape("resize: pictures", x.dims(), "[N, C, H, W]"));
    };
    if h * w * height * width == 0 {
        let found = format!("pictures of {w}×{h} for {width}×{height} px");
        return Err(Error::invalid("resize", found, "at least one pixel", ""));
    }
    if [h, w] == [height, width] {
        return Ok(x.clone());
    }
    let along = |lines: &Tensor, from: usize, to: usize| -> Result<Tensor> {
        let weights = Axis::bicubic(from, to).matrix(from)?.to_dtype(x.dtype())?.to_device(x.device())?;
        Ok(lines.contiguous()?.reshape(((), from))?.matmul(&weights)?)
    };
    let rows = along(x, w, width)?.reshape((n * c, h, width))?.transpose(1, 2)?;
    Ok(along(&rows, h, height)?.reshape((n, c, width, height))?.transpose(2, 3)?.contiguous()?)
}

/// Which numbers, with which weights, make each number of a line.
pub(super) struct Axis(Vec<(usize, Vec<f64>)>);

impl Axis {
    /// The weights as a matrix `[from, to]`, f64, by which a line is multiplied from the right.
    fn matrix(&self, from: usize) -> Result<Tensor> {
        let to = self.0.len();
        let mut numbers = vec![0f64; from * to];
        for (i, (start, weights)) in self.0.iter().enumerate() {
            for (j, weight) in weights.iter().enumerate() {
                numbers[(start + j) * to + i] = *weight;
            }
        }
        Ok(Tensor::from_vec(numbers, (from, to), &Device::Cpu)?)
    }

    /// Bilinear, i-th number at i·from/to.
    fn corners(from: usize, to: usize) -> Axis {
        let scale = (from as f64 / to as f64) as f32;
        Axis::linear(from, to, |i| i as f32 * scale)
    }

    /// Bilinear, i-th number at (i + ½)·from/to − ½.
    pub(super) fn centres(from: usize, to: usize) -> Axis {
        let scale = from as f32 / to as f32;
        Axis::linear(from, to, |i| (scale * (i as f32 + 0.5) - 0.5).max(0.0))
    }

    /// In single precision, as both programs compute their positions.
    fn linear(from: usize, to: usize, position: impl Fn(usize) -> f32) -> Axis {
        let taps = |i| {
            let position = position(i);
            let low = (position as usize).min(from - 1);
            let part = f64::from(position - low as f32);
            if low + 1 < from { (low, vec![1.0 - part, part]) } else { (low, vec![1.0]) }
        };
        Axis((0..to).map(taps).collect())
    }

    /// Keys's cubic with a = −½, stretched when the line becomes shorter; weights add up to one at the ends as well.
    fn bicubic(from: usize, to: usize) -> Axis {
        let scale = from as f64 / to as f64;
        let stretch = scale.max(1.0);
        let support = 2.0 * stretch;
        let taps = |i: usize| {
            let centre = (i as f64 + 0.5) * scale;
            let start = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(from);
            let weights = (start..end).map(|j| cubic((j as f64 - centre + 0.5) / stretch)).collect::<Vec<_>>();
            let sum: f64 = weights.iter().sum();
            (start, weights.into_iter().map(|weight| weight / sum).collect())
        };
        Axis((0..to).map(taps).collect())
    }
}

fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

/// A plane of `width` numbers a line, resampled along both axes.
fn axes_on(plane: &[f32], width: usize, [vertical, horizontal]: &[Axis; 2]) -> Vec<f32> {
    let line = |line: &[f32]| {
        let number = |(start, weights): &(usize, Vec<f64>)| {
            weights.iter().zip(&line[*start..]).map(|(weight, &value)| weight * f64::from(value)).sum::<f64>() as f32
        };
        horizontal.0.iter().map(number).collect::<Vec<f32>>()
    };
    let narrow: Vec<Vec<f32>> = plane.chunks_exact(width).map(line).collect();
    let columns = horizontal.0.len();
    let mut out = Vec::with_capacity(vertical.0.len() * columns);
    let mut sums = vec![0f64; columns];
    for (start, weights) in &vertical.0 {
        sums.fill(0.0);
        for (weight, line) in weights.iter().zip(&narrow[*start..]) {
            for (sum, &value) in sums.iter_mut().zip(line) {
                *sum += weight * f64::from(value);
            }
        }
        out.extend(sums.iter().map(|&sum| sum as f32));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::DType;
    use image::Rgb;

    fn numbers(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn a_picture_of_the_right_size_stays_as_it_is() {
        let picture = RgbImage::from_fn(7, 7, |x, y| Rgb([(x * 30) as u8, (y * 36) as u8, (x * y * 5) as u8]));
        for protocol in Protocol::ALL {
            let found = numbers(&protocol.prepare(&picture, 7).unwrap());
            for (i, found) in found.into_iter().enumerate() {
                let byte = f32::from(picture.as_raw()[i % 49 * 3 + i / 49]);
                let wanted = if protocol == Protocol::Pytorch { byte / 127.5 - 1.0 } else { (byte - 128.0) / 128.0 };
                assert!((found - wanted).abs() < 1e-6, "{protocol:?} {i}: {found}, expected {wanted}");
            }
        }
    }

    #[test]
    fn one_colour_stays_one_colour_at_any_size() {
        for protocol in Protocol::ALL {
            for (width, height) in [(1, 1), (3, 40), (64, 5)] {
                let picture = RgbImage::from_pixel(width, height, Rgb([0, 127, 255]));
                let found = numbers(&protocol.prepare(&picture, 13).unwrap());
                for (i, found) in found.into_iter().enumerate() {
                    let byte = [0.0, 127.0, 255.0][i / 169];
                    let wanted =
                        if protocol == Protocol::Pytorch { byte / 127.5 - 1.0 } else { (byte - 128.0) / 128.0 };
                    assert!((found - wanted).abs() < 1e-5, "{protocol:?} {width}×{height}: {found}, not {wanted}");
                }
            }
        }
    }

    #[test]
    fn positions_by_hand() {
        // 2 to 4: TensorFlow reads at 0, ½, 1, 1½; PyTorch at −¼ (which is 0), ¼, ¾, 1¼ (which is 1).
        let line = [0.0f32, 8.0];
        let four = |axis: Axis| axes_on(&line, 2, &[Axis::centres(1, 1), axis]);
        assert_eq!(four(Axis::corners(2, 4)), [0.0, 4.0, 8.0, 8.0]);
        assert_eq!(four(Axis::centres(2, 4)), [0.0, 2.0, 6.0, 8.0]);
    }

    #[test]
    fn what_can_be_differentiated_is_the_clean_protocol() {
        for (width, height, size) in [(7u32, 5u32, 13usize), (40, 29, 16), (16, 16, 16)] {
            let picture = RgbImage::from_fn(width, height, |x, y| Rgb([(x * 6) as u8, (y * 8) as u8, (x * y) as u8]));
            let x = crate::data::batch::Images::from_rgb(std::slice::from_ref(&picture)).unwrap().tensor;
            let found = bicubic(&x, [size; 2]).unwrap().affine(127.5 / 128.0, -0.5 / 128.0).unwrap();
            let expected = numbers(&Protocol::Clean.prepare(&picture, size).unwrap());
            for (found, expected) in numbers(&found).into_iter().zip(expected) {
                // The protocol cuts off what overshoots black and white.
                assert!((found.clamp(-1.0, 127.0 / 128.0) - expected).abs() < 2e-5, "{found}, expected {expected}");
            }
        }
        assert!(bicubic(&Tensor::zeros((1, 3, 0, 4), DType::F32, &Device::Cpu).unwrap(), [4, 4]).is_err());
    }

    #[test]
    fn nothing_is_refused() {
        assert!(Protocol::Clean.prepare(&RgbImage::new(0, 4), 8).is_err());
        assert!(Protocol::named("clena").unwrap_err().to_string().contains("pytorch or clean"));
    }
}
