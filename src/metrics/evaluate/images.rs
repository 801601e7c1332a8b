//! Pictures in memory, as real ones and as those of a model.

use std::ops::Range;
use std::sync::Arc;

use image::RgbImage;

use super::model::{Model, hash_numbers};
use super::pictures::{Pictures, within};
use crate::Result;
use crate::data::batch::Images;
use crate::data::tags::Labels;
use crate::rng::Seed;

/// Pictures at the same position of two such sets are a pair.
impl Pictures for Images {
    fn name(&self) -> String {
        format!("{} pictures", Images::len(self))
    }

    fn len(&self) -> usize {
        Images::len(self)
    }

    fn key(&self, i: usize) -> Result<String> {
        within(&self.name(), i..i + 1, Images::len(self)).map(|_| format!("picture {i}"))
    }

    fn labels(&self, i: usize) -> Result<Option<Labels>> {
        within(&self.name(), i..i + 1, Images::len(self)).map(|_| None)
    }

    fn read(&self, range: Range<usize>) -> Result<Vec<RgbImage>> {
        part(self, range)?.to_rgb()
    }

    fn identity(&self, range: Range<usize>) -> Result<String> {
        let part = part(self, range)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(format!("{:?}", part.tensor.dims()).as_bytes());
        hash_numbers(&mut hasher, &part.tensor)?;
        Ok(format!("pictures {}", hasher.finalize().to_hex()))
    }
}

impl Model for Images {
    fn pictures(&self, _: &dyn Pictures, _: Seed) -> Result<Arc<dyn Pictures>> {
        Ok(Arc::new(self.clone()))
    }

    fn fixed(&self) -> bool {
        true
    }
}

fn part(images: &Images, range: Range<usize>) -> Result<Images> {
    let range = within(&images.name(), range, images.len())?;
    Images::new(images.tensor.narrow(0, range.start, range.len())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::evaluate::{Evaluation, Metric};
    use candle_core::{Device, Tensor};

    fn pictures(shift: f64) -> Images {
        let noise = Seed(5).stream("pictures").uniform_tensor(&[6, 3, 16, 16], &Device::Cpu).unwrap();
        Images::new((noise - shift).unwrap()).unwrap()
    }

    #[test]
    fn positions_make_pairs_and_contents_make_identities() {
        let (a, b) = (pictures(0.5), pictures(0.6));
        assert_eq!(a.key(3).unwrap(), b.key(3).unwrap());
        assert_eq!(a.identity(1..3).unwrap(), a.clone().identity(1..3).unwrap());
        assert_ne!(a.identity(1..3).unwrap(), b.identity(1..3).unwrap());
        assert_ne!(a.identity(1..3).unwrap(), a.identity(2..4).unwrap());
        assert!(a.read(4..7).is_err() && a.key(6).is_err() && a.labels(0).unwrap().is_none());
        let table = Evaluation::on(&a).metrics([Metric::psnr()]).model("darker", &b).quiet().table().unwrap().md();
        // 0.1 of 2 is 12.75 of 255, mostly rounded to 13 or 12.
        let row = table.lines().find(|line| line.contains("darker")).unwrap();
        assert!(row.contains("26.0"), "{row}");
    }

    #[test]
    fn features_are_kept_for_the_same_numbers_only() {
        let tensor = Tensor::zeros((2, 3, 8, 8), candle_core::DType::F32, &Device::Cpu).unwrap();
        let images = Images::new(tensor).unwrap();
        assert_eq!(images.identity(0..1).unwrap(), images.identity(1..2).unwrap());
        assert_ne!(images.identity(0..1).unwrap(), images.identity(0..2).unwrap());
    }
}
