//! What keeps a generator with a condition from ignoring its latent vector (Yang, Hong, Jang, Zhao, Lee: "Diversity-Sensitive
//! Conditional Generative Adversarial Networks", ICLR 2019, arXiv:1901.09024, equation 2).

use candle_core::Tensor;

use crate::losses::features::away;
use crate::ops::activation::relu;
use crate::ops::arithmetic::affine;
use crate::ops::reduce;
use crate::{Error, Result};

/// How much two pictures made under one condition from two latent vectors lack of being `wanted` apart: mean over the
/// minibatch of max(0, 1 − mean |a − b| / wanted). Pictures `[N, ..]` of one shape → a scalar between 0, all are as far apart
/// as wanted or further, and 1, none differs from its partner.
///
/// The paper's term is the same but for a constant and a factor: there the distance is divided by that of the latent vectors,
/// which is nearly the same for all pairs of normal ones.
///
/// # Errors
/// When the shapes differ, there are no pictures, or `wanted` is not a positive number.
pub fn lacking(a: &Tensor, b: &Tensor, wanted: f64) -> Result<Tensor> {
    if !(wanted.is_finite() && wanted > 0.0) {
        return Err(Error::invalid("diversity: wanted distance", wanted.to_string(), "a positive number", ""));
    }
    let apart = reduce::mean_from(&away("diversity", a, b)?.abs()?, 1)?;
    reduce::mean(&relu(&affine(&apart, -1.0 / wanted, 1.0)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::autograd::backward;
    use candle_core::{Device, Var};

    /// The first pair is half as far apart as wanted and pushed on, the second further than wanted and left alone.
    #[test]
    fn pushes_until_far_enough() {
        let a = Var::new(&[[0.0f32, 0.0], [1.0, 0.0]], &Device::Cpu).unwrap();
        let b = Tensor::new(&[[0.2f32, 0.0], [0.0, 1.0]], &Device::Cpu).unwrap();
        let lacks = lacking(&a, &b, 0.2).unwrap();
        assert!((lacks.to_scalar::<f32>().unwrap() - 0.25).abs() < 1e-6);
        let gradients = backward(&lacks).unwrap();
        let gradient = gradients.get(&a).unwrap().to_vec2::<f32>().unwrap();
        // Of two pairs and two numbers each: 1 / (2 · 2 · 0.2), towards less of the first number.
        assert!((gradient[0][0] - 1.25).abs() < 1e-5 && gradient[1] == [0.0, 0.0], "{gradient:?}");
        assert_eq!(lacking(&a, &a, 0.2).unwrap().to_scalar::<f32>().unwrap(), 1.0);
        assert!(lacking(&a, &b.narrow(0, 0, 1).unwrap(), 0.2).is_err());
        assert!(lacking(&a, &b, 0.0).unwrap_err().to_string().contains("positive"));
    }
}
