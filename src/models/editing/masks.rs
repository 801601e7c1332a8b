//! Small holes in the pictures that an editor reads: what ANIMEGAN's paper hopes to learn small regions by, eyes and mouths,
//! in future work that it does not describe. Here the reader sees grey in their place, the discriminator and the
//! reconstruction loss the whole picture: what is in a hole has to be drawn from the labels and from what is around it.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use crate::train::gan::Step;
use crate::{Error, Result};

/// How pictures are cut. [`Default`] has eye and mouth sized holes in half of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Masks {
    /// Share of the pictures that have holes: 0.5.
    pub chance: f64,
    /// Holes of such a picture: 2.
    pub holes: usize,
    /// Shortest side of a hole, of that of the picture: 0.1, about a mouth.
    pub shortest: f64,
    /// Longest side of a hole: 0.25, about an eye.
    pub longest: f64,
}

impl Default for Masks {
    fn default() -> Self {
        Masks { chance: 0.5, holes: 2, shortest: 0.1, longest: 0.25 }
    }
}

impl Masks {
    /// Whether pictures can be cut like this.
    ///
    /// # Errors
    /// When they cannot.
    pub fn check(&self) -> Result<()> {
        let Masks { chance, holes, shortest, longest } = *self;
        if (0.0..=1.0).contains(&chance) && shortest > 0.0 && shortest <= longest && longest <= 1.0 {
            return Ok(());
        }
        let found = format!("{holes} in {chance} of the pictures, {shortest} to {longest} of their sides");
        Err(Error::invalid("holes of pictures", found, "shares in [0, 1], the shortest side first and above 0", ""))
    }

    /// Pictures `[N, C, H, W]`, in the holes of some of them 0.
    ///
    /// # Errors
    /// When memory runs out.
    pub(crate) fn cut(self, pictures: &Tensor, step: &mut Step) -> Result<Tensor> {
        let (n, _, height, width) = pictures.dims4()?;
        let [kept] = step.draw("holes", pictures.device(), move |stream| {
            let mut kept = vec![1f32; n * height * width];
            for picture in kept.chunks_exact_mut(height * width) {
                let holes = if stream.chance(self.chance) { self.holes } else { 0 };
                for _ in 0..holes {
                    let mut span = |side: usize| {
                        let long = (side as f64 * stream.range(self.shortest, self.longest)).round() as usize;
                        let long = long.clamp(1, side);
                        let start = stream.below(side - long + 1);
                        start..start + long
                    };
                    let (rows, columns) = (span(height), span(width));
                    rows.for_each(|y| picture[y * width..][columns.clone()].fill(0.0));
                }
            }
            Ok([Tensor::from_vec(kept, (n, 1, height, width), &candle_core::Device::Cpu)?])
        })?;
        Ok(pictures.broadcast_mul(&kept.to_dtype(pictures.dtype())?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use crate::train::plan::Position;
    use candle_core::{DType, Device};

    #[test]
    fn holes_are_small_and_of_some_pictures() {
        let ones = Tensor::ones((400, 3, 32, 40), DType::F32, &Device::Cpu).unwrap();
        let masks = Masks { chance: 0.25, holes: 1, ..Masks::default() };
        masks.check().unwrap();
        let cut = masks.cut(&ones, &mut Step::new(1, Seed(0), Position::default())).unwrap();
        let pictures = cut.flatten_from(2).unwrap().to_vec3::<f32>().unwrap();
        let holes: Vec<usize> = pictures.iter().map(|p| p[0].iter().filter(|v| **v == 0.0).count()).collect();
        assert!(pictures.iter().all(|p| p[0] == p[1] && p[1] == p[2] && p[0].iter().all(|v| *v == 0.0 || *v == 1.0)));
        let some = holes.iter().filter(|area| **area > 0).count();
        assert!((70..130).contains(&some), "{some}");
        // 3 to 8 rows, 4 to 10 columns.
        assert!(holes.iter().all(|area| *area == 0 || (12..=80).contains(area)));
        let none = Masks { chance: 0.0, ..masks }.cut(&ones, &mut Step::new(1, Seed(0), Position::default())).unwrap();
        assert_eq!(none.sum_all().unwrap().to_scalar::<f32>().unwrap(), 400.0 * 3.0 * 32.0 * 40.0);
        assert!(Masks { shortest: 0.5, ..masks }.check().is_err() && Masks { chance: 2.0, ..masks }.check().is_err());
    }
}
