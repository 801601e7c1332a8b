//! Pictures as metrics judge them: 8 bits per channel, what a PNG file holds.

use candle_core::{DType, Device, Tensor};

use crate::data::batch::to_byte;
use crate::{Error, Result};

/// No generator leaves [-1, 1] this far; a tensor of 0…255 does.
const FAR: f32 = 16.0;

/// Checked pictures, plane by plane.
pub(crate) struct Pixels {
    pub count: usize,
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    bytes: Vec<u8>,
}

impl Pixels {
    /// Reads `[N, 3, H, W]` or `[N, 1, H, W]`: bytes as they are, floating-point numbers from [-1, 1] rounded as
    /// [`Images::to_rgb`](crate::data::Images::to_rgb) does. `what` names them in errors.
    pub(crate) fn new(what: &str, pictures: &Tensor) -> Result<Pixels> {
        let &[count, channels @ (1 | 3), height, width] = pictures.dims() else {
            return Err(Error::shape(what, pictures.dims(), "[N, 3, H, W] or [N, 1, H, W]"));
        };
        if count * height * width == 0 {
            return Err(Error::shape(what, pictures.dims(), "at least one picture of at least one pixel"));
        }
        let flat = pictures.to_device(&Device::Cpu)?.flatten_all()?;
        let bytes = match pictures.dtype() {
            DType::U8 => flat.to_vec1::<u8>()?,
            dtype if dtype.is_float() => {
                let values = flat.to_dtype(DType::F32)?.to_vec1::<f32>()?;
                if let Some(bad) = values.iter().position(|value| value.is_nan() || value.abs() > FAR) {
                    let found = format!("{} in picture {}", values[bad], bad / (channels * height * width));
                    let hint = "Bytes can be given as a tensor of u8.";
                    return Err(Error::invalid(what, found, "numbers in [-1, 1]", hint));
                }
                values.into_iter().map(to_byte).collect()
            }
            dtype => {
                return Err(Error::invalid(what, format!("{dtype:?}"), "u8, or floating-point numbers in [-1, 1]", ""));
            }
        };
        Ok(Pixels { count, channels, height, width, bytes })
    }

    /// Two sets whose pictures belong together one by one.
    pub(crate) fn pair(first: &Tensor, second: &Tensor) -> Result<[Pixels; 2]> {
        if first.dims() != second.dims() {
            let expected = format!("{:?} as the first pictures", first.dims());
            return Err(Error::shape("second pictures", second.dims(), expected));
        }
        Ok([Pixels::new("first pictures", first)?, Pixels::new("second pictures", second)?])
    }

    /// All channels of picture `i`, one plane after the other.
    pub(crate) fn picture(&self, i: usize) -> &[u8] {
        let size = self.channels * self.plane_size();
        &self.bytes[i * size..(i + 1) * size]
    }

    pub(crate) fn plane_size(&self) -> usize {
        self.height * self.width
    }

    /// The planes of picture `i` as numbers in 0…255: its channels, or their luma.
    pub(crate) fn planes(&self, i: usize, luma: bool) -> Vec<Vec<f64>> {
        let numbers = |plane: &[u8]| plane.iter().map(|byte| f64::from(*byte)).collect::<Vec<f64>>();
        let planes: Vec<Vec<f64>> = self.picture(i).chunks_exact(self.plane_size()).map(numbers).collect();
        match &planes[..] {
            [red, green, blue] if luma => {
                let weighted = |i: usize| 0.299 * red[i] + 0.587 * green[i] + 0.114 * blue[i];
                vec![(0..self.plane_size()).map(weighted).collect()]
            }
            _ => planes,
        }
    }

    /// Keeps of every picture what its mask shows: v·m/255, rounded down. The mask is one plane per picture.
    pub(crate) fn mask(&mut self, mask: &Pixels) -> Result<()> {
        if (mask.count, mask.channels, mask.height, mask.width) != (self.count, 1, self.height, self.width) {
            let expected = format!("[{}, 1, {}, {}]", self.count, self.height, self.width);
            return Err(Error::shape("masks", &[mask.count, mask.channels, mask.height, mask.width], expected));
        }
        let (plane, size) = (self.plane_size(), self.channels * self.plane_size());
        for (i, picture) in self.bytes.chunks_exact_mut(size).enumerate() {
            for channel in picture.chunks_exact_mut(plane) {
                for (byte, mask) in channel.iter_mut().zip(mask.picture(i)) {
                    *byte = (u32::from(*byte) * u32::from(*mask) / 255) as u8;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_numbers_become_the_same_pixels() {
        let bytes: Vec<u8> = (0..=255).cycle().take(2 * 3 * 8 * 16).collect();
        let exact = Tensor::from_vec(bytes.clone(), (2, 3, 8, 16), &Device::Cpu).unwrap();
        let numbers = ((exact.to_dtype(DType::F32).unwrap() / 127.5).unwrap() - 1.0).unwrap();
        let [first, second] = Pixels::pair(&exact, &numbers).unwrap();
        assert_eq!((first.picture(0), first.picture(1)), (&bytes[..384], &bytes[384..]));
        assert_eq!((first.picture(0), first.picture(1)), (second.picture(0), second.picture(1)));
        let luma = &first.planes(1, true)[0];
        let expected = 0.299 * 128.0 + 0.587 * 0.0 + 0.114 * 128.0;
        assert!((luma[0] - expected).abs() < 1e-12, "{}", luma[0]);
    }

    #[test]
    fn what_are_no_pictures_is_named() {
        let error = |tensor: &Tensor| Pixels::new("fakes", tensor).err().unwrap().to_string();
        let ones = Tensor::ones((1, 3, 2, 2), DType::F32, &Device::Cpu).unwrap();
        assert!(error(&(&ones * 200.0).unwrap()).contains("fakes: found 200 in picture 0"));
        assert!(error(&(&ones * f64::NAN).unwrap()).contains("NaN"));
        assert!(error(&ones.to_dtype(DType::U32).unwrap()).contains("U32"));
        assert!(error(&ones.narrow(1, 0, 2).unwrap()).contains("[1, 2, 2, 2]"));
        assert!(Pixels::pair(&ones, &ones.narrow(2, 0, 1).unwrap()).is_err());
    }
}
