//! What a model eats and what it makes: pictures as tensors, with captions or labels.

use candle_core::{DType, Device, Tensor};
use image::RgbImage;

use crate::{Error, Result};

/// Pictures with an optional caption each.
#[derive(Clone, Debug)]
pub struct Images {
    /// `[N, 3, H, W]`, f32, red-green-blue, in [-1, 1].
    pub tensor: Tensor,
    /// One text per picture, or none at all.
    pub captions: Vec<String>,
}

/// One training batch.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Pictures `[N, 3, H, W]`, f32, in [-1, 1].
    pub images: Tensor,
    /// Attributes `[N, L]`, f32, 0/1 (numbers between are allowed); none for a data set without tags.
    pub labels: Option<Tensor>,
    /// Key points `[N, M, 3]`, f32: x and y as shares of the picture's side, which hold at every resolution, and a number
    /// above 0 where the point is known; none for a data set without, and where pictures are cut or turned at random.
    pub points: Option<Tensor>,
    /// Pictures `[N, 3, H, W]` that these are to be made from, f32, in [-1, 1]; none for a data set of single pictures.
    pub sources: Option<Tensor>,
    /// Key points of those, as [`points`](Batch::points); none where nobody knows them.
    pub source_points: Option<Tensor>,
    /// Other pictures of the data set `[N, 3, H, W]`, one for each of these, f32, in [-1, 1]; none where nobody asked
    /// ([`Changes::other`](super::changes::Changes::other)).
    pub others: Option<Tensor>,
    /// Positions of the pictures in the data set.
    pub indices: Vec<usize>,
}

impl Batch {
    /// A batch of pictures `[N, 3, H, W]` and nothing else, at the positions 0 to N − 1.
    pub fn of(images: Tensor) -> Batch {
        let indices = (0..images.dims().first().copied().unwrap_or(0)).collect();
        Batch { images, labels: None, points: None, sources: None, source_points: None, others: None, indices }
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether there are no pictures.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// Its tensors, in one order.
    pub fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        let Batch { images, labels, points, sources, source_points, others, .. } = self;
        [images].into_iter().chain(labels).chain(points).chain(sources).chain(source_points).chain(others)
    }

    /// The same batch with each tensor replaced.
    pub(crate) fn map(&self, new: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Batch> {
        let of = |tensor: &Option<Tensor>| tensor.as_ref().map(&new).transpose();
        Ok(Batch {
            images: new(&self.images)?,
            labels: of(&self.labels)?,
            points: of(&self.points)?,
            sources: of(&self.sources)?,
            source_points: of(&self.source_points)?,
            others: of(&self.others)?,
            indices: self.indices.clone(),
        })
    }

    /// The same batch on another device.
    ///
    /// # Errors
    /// When the device has no memory for it.
    pub fn to_device(&self, device: &Device) -> Result<Batch> {
        self.map(|tensor| Ok(tensor.to_device(device)?))
    }
}

impl Images {
    /// Pictures without captions from a tensor `[N, 3, H, W]` in [-1, 1].
    ///
    /// # Errors
    /// When the tensor has another shape.
    pub fn new(tensor: Tensor) -> Result<Images> {
        match tensor.dims() {
            [_, 3, height, width] if *height > 0 && *width > 0 => {
                Ok(Images { tensor: tensor.to_dtype(DType::F32)?, captions: Vec::new() })
            }
            found => Err(Error::shape("pictures", found, "[N, 3, H, W]")),
        }
    }

    /// The same pictures without their captions.
    pub fn without_captions(self) -> Images {
        Images { captions: Vec::new(), ..self }
    }

    /// The same pictures with these captions.
    ///
    /// # Errors
    /// When there are not as many captions as pictures.
    pub fn with_captions(self, captions: Vec<String>) -> Result<Images> {
        if captions.len() != self.len() {
            let expected = format!("{}, one per picture", self.len());
            return Err(Error::invalid("captions", format!("{} texts", captions.len()), expected, ""));
        }
        Ok(Images { captions, ..self })
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.tensor.dims().first().copied().unwrap_or(0)
    }

    /// Whether there are no pictures.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Height and width in pixels.
    pub fn size(&self) -> (usize, usize) {
        match self.tensor.dims() {
            [_, _, height, width] => (*height, *width),
            _ => (0, 0),
        }
    }

    /// Pictures from 8-bit ones of equal size: v / 127.5 − 1.
    ///
    /// # Errors
    /// When the list is empty or the sizes differ.
    pub fn from_rgb(images: &[RgbImage]) -> Result<Images> {
        let Some(first) = images.first() else {
            return Err(Error::invalid("pictures", "none", "at least one", ""));
        };
        let (width, height) = first.dimensions();
        let mut values = Vec::with_capacity(images.len() * first.as_raw().len());
        for image in images {
            if image.dimensions() != (width, height) {
                let found = format!("{}×{} pixels", image.width(), image.height());
                let expected = format!("{width}×{height} as the first one");
                return Err(Error::invalid("pictures", found, expected, "Bring them to one size first."));
            }
            push_planes(image, false, &mut values);
        }
        let shape = (images.len(), 3, height as usize, width as usize);
        Images::new(Tensor::from_vec(values, shape, &Device::Cpu)?)
    }

    /// The pictures as 8-bit ones: clamp(round(127.5·v + 127.5)), as the make.girls.moe site draws them.
    ///
    /// # Errors
    /// When the tensor is not `[N, 3, H, W]`, or cannot be read back from its device.
    pub fn to_rgb(&self) -> Result<Vec<RgbImage>> {
        let checked = Images::new(self.tensor.clone())?;
        let (height, width) = checked.size();
        let values = checked.tensor.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
        let plane = height * width;
        let image = |planes: &[f32]| {
            RgbImage::from_fn(width as u32, height as u32, |x, y| {
                let at = y as usize * width + x as usize;
                image::Rgb([0, 1, 2].map(|channel| to_byte(planes[channel * plane + at])))
            })
        };
        Ok(values.chunks_exact(3 * plane).map(image).collect())
    }

    /// All pictures of all parts, in order. Captions are kept when every part has them.
    ///
    /// # Errors
    /// When the list is empty or the sizes differ.
    pub fn cat(parts: &[Images]) -> Result<Images> {
        let Some(first) = parts.first() else {
            return Err(Error::invalid("pictures", "none", "at least one", ""));
        };
        if let Some(other) = parts.iter().find(|other| other.size() != first.size()) {
            let ((h, w), (height, width)) = (other.size(), first.size());
            return Err(Error::shape("pictures", &[other.len(), 3, h, w], format!("[N, 3, {height}, {width}]")));
        }
        let tensors: Vec<&Tensor> = parts.iter().map(|part| &part.tensor).collect();
        let captioned = parts.iter().all(|part| part.captions.len() == part.len());
        let captions =
            if captioned { parts.iter().flat_map(|part| part.captions.clone()).collect() } else { Vec::new() };
        Ok(Images { tensor: Tensor::cat(&tensors, 0)?, captions })
    }

    /// The first `n` pictures (all of them when there are fewer).
    ///
    /// # Errors
    /// When the tensor operation fails.
    pub fn take(&self, n: usize) -> Result<Images> {
        let n = n.min(self.len());
        let captions = self.captions.iter().take(n).cloned().collect();
        Ok(Images { tensor: self.tensor.narrow(0, 0, n)?, captions })
    }
}

/// Appends the red, green and blue plane in [-1, 1], mirrored left to right if `flip`.
pub(super) fn push_planes(image: &RgbImage, flip: bool, values: &mut Vec<f32>) {
    let width = image.width().max(1) as usize * 3;
    for channel in 0..3 {
        for row in image.as_raw().chunks_exact(width) {
            let line = row[channel..].iter().step_by(3).map(|byte| from_byte(*byte));
            if flip {
                values.extend(line.rev());
            } else {
                values.extend(line);
            }
        }
    }
}

/// 0…255 to [-1, 1]: v / 127.5 − 1.
pub fn from_byte(byte: u8) -> f32 {
    f32::from(byte) / 127.5 - 1.0
}

/// [-1, 1] to 0…255: clamp(round(127.5·v + 127.5)); NaN is 0.
pub fn to_byte(value: f32) -> u8 {
    (127.5 * value + 127.5).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(seed: u8) -> RgbImage {
        RgbImage::from_fn(5, 3, |x, y| image::Rgb([seed, (x * 50) as u8, (y * 100) as u8]))
    }

    #[test]
    fn every_byte_survives_the_way_to_floats_and_back() {
        for byte in 0..=255 {
            assert_eq!(to_byte(from_byte(byte)), byte);
        }
        assert_eq!([from_byte(0), from_byte(255)], [-1.0, 1.0]);
        assert_eq!([-7.0, 7.0, f32::NAN, f32::INFINITY].map(to_byte), [0, 255, 0, 255]);
    }

    #[test]
    fn pictures_become_planes_and_pictures_again() {
        let pictures = [gradient(0), gradient(255)];
        let images = Images::from_rgb(&pictures).unwrap();
        assert_eq!(images.tensor.dims(), [2, 3, 3, 5]);
        assert_eq!(images.size(), (3, 5));
        let green = images.tensor.get(1).unwrap().get(1).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(green[2][4], from_byte(200));
        assert_eq!(images.to_rgb().unwrap(), pictures);
        assert_eq!(images.take(1).unwrap().to_rgb().unwrap(), pictures[..1]);
        assert_eq!(images.take(9).unwrap().len(), 2);
    }

    #[test]
    fn flipping_mirrors_every_plane() {
        let (mut plain, mut flipped) = (Vec::new(), Vec::new());
        push_planes(&gradient(9), false, &mut plain);
        push_planes(&image::imageops::flip_horizontal(&gradient(9)), true, &mut flipped);
        assert_eq!(plain, flipped);
    }

    #[test]
    fn captions_follow_their_pictures() {
        let part = |seed, text: &str| {
            Images::from_rgb(&[gradient(seed)]).unwrap().with_captions(vec![text.to_string()]).unwrap()
        };
        let both = Images::cat(&[part(1, "one"), part(2, "two")]).unwrap();
        assert_eq!(both.captions, ["one", "two"]);
        assert_eq!(both.to_rgb().unwrap(), [gradient(1), gradient(2)]);
        assert!(both.clone().with_captions(vec![]).is_err());
        let bare = Images::from_rgb(&[gradient(3)]).unwrap();
        assert!(Images::cat(&[both, bare]).unwrap().captions.is_empty());
    }

    #[test]
    fn wrong_shapes_are_named() {
        let tensor = Tensor::zeros((2, 1, 4, 4), DType::F32, &Device::Cpu).unwrap();
        assert!(Images::new(tensor).unwrap_err().to_string().contains("[2, 1, 4, 4]"));
        assert!(Images::from_rgb(&[]).is_err() && Images::cat(&[]).is_err());
        assert!(Images::from_rgb(&[gradient(1), RgbImage::new(3, 5)]).unwrap_err().to_string().contains("3×5"));
    }
}
