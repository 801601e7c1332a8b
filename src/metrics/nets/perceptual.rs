//! A perceptual distance as a function of pictures, which can be differentiated: for finding pictures, not for measuring
//! them.

use std::path::Path;

use candle_core::{Device, Tensor};

use super::layer::check_pictures;
use super::lpips::Lpips;
use super::resize::bicubic;
use super::tagger::Tagger;
use super::trunk::Architecture;
use crate::{Error, Result};

/// Sides of pictures that LPIPS sees: smaller ones are enlarged, larger ones made smaller. Its trunks need 31 px, and
/// beyond 256 px they see nothing but details (StyleGAN2's projector, Karras et al. 2020, appendix D).
const SIDES: [usize; 2] = [64, 256];

/// A network whose maps are compared. Clones share its weights.
#[derive(Clone, Debug)]
pub enum Perceptual {
    /// The built-in one, trained on drawn faces: [`Tagger::distances`] without rounding.
    Tagger(Tagger),
    /// [`Lpips`], of weights that were fetched.
    Lpips(Lpips),
}

/// What a network sees in pictures.
#[derive(Clone, Debug)]
pub struct Looks(Vec<Tensor>);

impl Looks {
    /// The same without a graph.
    pub fn detach(&self) -> Looks {
        Looks(self.0.iter().map(Tensor::detach).collect())
    }
}

impl Perceptual {
    /// The network that comes with this crate.
    ///
    /// # Errors
    /// When the device has no memory for it.
    pub fn builtin(device: &Device) -> Result<Perceptual> {
        Ok(Perceptual::Tagger(Tagger::builtin_on(device)?))
    }

    /// LPIPS, of a trunk and the heads that belong to it, as `tachie import torch` has written them.
    ///
    /// # Errors
    /// As [`Lpips::open_files`].
    pub fn lpips(trunk: impl AsRef<Path>, heads: impl AsRef<Path>, device: &Device) -> Result<Perceptual> {
        Ok(Perceptual::Lpips(Lpips::open_files(trunk, heads, device)?))
    }

    /// For tables and plots.
    pub fn name(&self) -> String {
        match self {
            Perceptual::Tagger(_) => "perceptual distance (tagger)".into(),
            Perceptual::Lpips(lpips) => format!(
                "LPIPS ({})",
                match lpips.architecture() {
                    Architecture::Alexnet => "alex",
                    Architecture::Squeezenet => "squeeze",
                    Architecture::Vgg16 | Architecture::Vgg19 => "vgg",
                }
            ),
        }
    }

    /// What it sees in pictures `[N, 3, H, W]` in [−1, 1], which come to its size by a bicubic filter with low pass.
    ///
    /// # Errors
    /// When they have another shape or no pixels, or lie on another device.
    pub fn look(&self, pictures: &Tensor) -> Result<Looks> {
        check_pictures("perceptual distance: pictures", pictures, 1)?;
        let maps = match self {
            Perceptual::Tagger(tagger) => tagger.unit_maps(pictures)?,
            Perceptual::Lpips(lpips) => {
                let (_, _, h, w) = pictures.dims4()?;
                let factor = match (h.min(w), h.max(w)) {
                    (least, _) if least < SIDES[0] => SIDES[0] as f64 / least as f64,
                    (_, most) if most > SIDES[1] => SIDES[1] as f64 / most as f64,
                    _ => 1.0,
                };
                let size = [h, w].map(|side| (side as f64 * factor).round() as usize);
                lpips.unit_maps(&bicubic(pictures, size)?)?
            }
        };
        Ok(Looks(maps))
    }

    /// The distances of as many pictures from as many others, `[N]`; of one kind and size.
    ///
    /// # Errors
    /// When what was seen has other shapes, of other pictures or another network.
    pub fn distances(&self, first: &Looks, second: &Looks) -> Result<Tensor> {
        let shapes = |looks: &Looks| looks.0.iter().map(|map| map.dims().to_vec()).collect::<Vec<_>>();
        if first.0.is_empty() || shapes(first) != shapes(second) {
            let found = format!("maps of {:?} and {:?}", shapes(first), shapes(second));
            return Err(Error::invalid("perceptual distance", found, "pictures of one size and number", ""));
        }
        let squares = match self {
            Perceptual::Lpips(lpips) => lpips.differences(&first.0, &second.0)?,
            Perceptual::Tagger(_) => {
                let square = |(a, b): (&Tensor, &Tensor)| -> Result<Tensor> { Ok((a - b)?.sqr()?.sum_keepdim(1)?) };
                first.0.iter().zip(&second.0).map(square).collect::<Result<_>>()?
            }
        };
        let means = squares.iter().map(|square| square.flatten_from(1)?.mean(1));
        let means = means.collect::<Result<Vec<_>, _>>()?;
        Ok(Tensor::stack(&means, 0)?.sum(0)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::avatar::Avatar;
    use crate::metrics::nets::trunk::Trunk;
    use candle_core::{DType, Var};
    use std::collections::BTreeMap;

    fn faces(size: u32) -> Tensor {
        Avatar::faces().size(size).take(4).unwrap().images(4).unwrap().tensor
    }

    fn numbers(tensor: &Tensor) -> Vec<f32> {
        tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    fn pair(eye: &Perceptual, first: &Tensor, second: &Tensor) -> Vec<f32> {
        numbers(&eye.distances(&eye.look(first).unwrap(), &eye.look(second).unwrap()).unwrap())
    }

    #[test]
    fn the_taggers_distance_is_the_one_it_measures() {
        let eye = Perceptual::builtin(&Device::Cpu).unwrap();
        let Perceptual::Tagger(tagger) = &eye else { panic!("the built-in network is the tagger") };
        let x = faces(48);
        let [a, b] = [x.narrow(0, 0, 2).unwrap(), x.narrow(0, 2, 2).unwrap()];
        let measured = numbers(&tagger.distances(&a, &b).unwrap());
        for (found, expected) in pair(&eye, &a, &b).into_iter().zip(measured) {
            assert!((found / expected - 1.0).abs() < 0.01, "{found}, expected {expected}");
        }
        assert_eq!(pair(&eye, &a, &a), [0.0; 2]);
    }

    /// Along the gradient the distance changes as it says; also where pictures are of one colour, and a network's maps 0.
    #[test]
    fn gradients_are_those_of_the_distance() {
        let tensors = |shapes: BTreeMap<String, Vec<usize>>| -> BTreeMap<String, Tensor> {
            let tensor = |(name, shape): (String, Vec<usize>)| {
                let fan: usize = shape.iter().skip(1).product::<usize>().max(1);
                let stream = &mut crate::rng::seed(3).stream(&name);
                let drawn = stream.normal_tensor(&shape, &Device::Cpu).unwrap().abs().unwrap();
                let signed =
                    if name.contains("lin") { drawn } else { stream.normal_tensor(&shape, &Device::Cpu).unwrap() };
                (name, (signed * (2.0 / fan as f64).sqrt()).unwrap())
            };
            shapes.into_iter().map(tensor).collect()
        };
        let architecture = Architecture::Squeezenet;
        let trunk = crate::metrics::nets::layer::asked(|scope| Trunk::at(scope, architecture)).unwrap();
        let heads =
            crate::metrics::nets::layer::asked(|scope| crate::metrics::nets::lpips::heads_at(scope, architecture));
        let trunk = Trunk::new(&tensors(trunk), architecture, &Device::Cpu).unwrap();
        let lpips = Lpips::new(trunk, &tensors(heads.unwrap()), &Device::Cpu).unwrap();
        for eye in [Perceptual::builtin(&Device::Cpu).unwrap(), Perceptual::Lpips(lpips)] {
            for start in
                [faces(32).narrow(0, 0, 1).unwrap(), Tensor::zeros((1, 3, 32, 32), DType::F32, &Device::Cpu).unwrap()]
            {
                let target = eye.look(&faces(32).narrow(0, 1, 1).unwrap()).unwrap();
                let distance = |x: &Tensor| eye.distances(&target, &eye.look(x).unwrap()).unwrap();
                let x = Var::from_tensor(&start).unwrap();
                let gradients = crate::autograd::backward(&distance(x.as_tensor())).unwrap();
                let gradient = gradients.get(&x).unwrap();
                let square: f32 = numbers(gradient).iter().map(|g| g * g).sum();
                assert!(square.is_finite() && square > 0.0, "{}: {square}", eye.name());
                if numbers(&start).iter().all(|v| *v == 0.0) {
                    continue;
                }
                let step = 1e-2 / f64::from(square.sqrt());
                let moved = |by: f64| numbers(&distance(&(&start + (gradient * by).unwrap()).unwrap()))[0];
                let slope = f64::from(moved(step) - moved(-step)) / (2.0 * step) / f64::from(square);
                assert!((slope - 1.0).abs() < 0.15, "{}: {slope}, {square}", eye.name());
            }
        }
    }

    #[test]
    fn other_pictures_are_refused() {
        let eye = Perceptual::builtin(&Device::Cpu).unwrap();
        assert!(eye.look(&Tensor::zeros((1, 1, 4, 4), DType::F32, &Device::Cpu).unwrap()).is_err());
        let (one, two) = (eye.look(&faces(32).narrow(0, 0, 1).unwrap()).unwrap(), eye.look(&faces(32)).unwrap());
        assert!(eye.distances(&one, &two).unwrap_err().to_string().contains("one size and number"));
    }
}
