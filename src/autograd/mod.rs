//! The backward pass: gradients of a loss with respect to every variable it depends on.
//!
//! candle's own `Tensor::backward` fills a tensor of zeros for every gradient and adds the gradient to it, on one
//! thread: three passes over memory where none is needed, half the time of a network's elementwise layers. So the
//! operations of [`crate::ops`] keep their graph here: nodes that know their operands' nodes and the few tensors that
//! the derivative reads, walked from the last to the first, where a gradient that comes alone is passed on as it is.
//! Everything else is left to candle: a stretch of candle's operations between two of ours is walked by candle.
//!
//! A tensor that comes out of an operation of this crate is a leaf to candle. `loss.backward()` of candle therefore
//! cannot go through it and says so; [`backward`] goes through both.

mod driver;
mod node;
mod wanted;

use candle_core::Tensor;
use candle_core::backprop::GradStore;

use crate::{Error, Result};

use self::driver::Order;

pub(crate) use self::node::{Derivative, Saved, Saves, record};

/// The gradient of `loss` (a scalar; of any other tensor, the gradient of its sum) with respect to every variable
/// ([`candle_core::Var`]) that it depends on. The gradients carry no graph.
///
/// # Errors
/// When an operation on the way has no derivative, or memory runs out.
pub fn backward(loss: &Tensor) -> Result<GradStore> {
    driver::run(loss.clone(), Order::default())
}

/// [`backward`] of a loss that is not needed any more: what an operation has saved is freed as soon as the walk has
/// passed it, so that gradients take the place of activations. It helps if nobody else holds the graph: neither a copy
/// of the loss nor a part of it.
///
/// # Errors
/// As [`backward`].
pub fn backward_once(loss: Tensor) -> Result<GradStore> {
    driver::run(loss, Order::default())
}

/// [`backward`] for `variables` alone: what only other variables' gradients need is not computed. PyTorch's
/// `autograd.grad(y, variables)`.
///
/// # Errors
/// As [`backward`].
pub fn backward_for(y: &Tensor, variables: &[&Tensor]) -> Result<GradStore> {
    driver::run(y.clone(), Order { variables: Some(variables), ..Order::default() })
}

/// [`backward`] of Σ `y`·`upstream`: the gradient that reaches `y` is `upstream` (of its shape and type) itself.
/// PyTorch's `y.backward(upstream)`.
///
/// # Errors
/// When `upstream` has another shape or type than `y`, and as [`backward`].
pub fn backward_from(y: &Tensor, upstream: &Tensor) -> Result<GradStore> {
    if y.dims() != upstream.dims() {
        return Err(Error::shape("backward: upstream gradient", upstream.dims(), format!("{:?}", y.dims())));
    }
    if y.dtype() != upstream.dtype() {
        let (found, expected) = (format!("{:?}", upstream.dtype()), format!("{:?}", y.dtype()));
        return Err(Error::invalid("backward: type of the upstream gradient", found, expected, ""));
    }
    driver::run(y.clone(), Order { upstream: Some(upstream), ..Order::default() })
}

/// [`backward`] whose gradients are themselves functions of the variables, to be differentiated again. It costs the
/// memory of their graph, and where the way leads through candle's own operations (losses, sums) it needs the
/// environment variable `CANDLE_GRAD_DO_NOT_DETACH=1`, which candle reads once per thread.
///
/// # Errors
/// As [`backward`].
pub fn backward_keeping_graph(loss: &Tensor) -> Result<GradStore> {
    driver::run(loss.clone(), Order { keeps_graph: true, ..Order::default() })
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};

    use super::*;
    use crate::ops::activation::{leaky_relu, relu, tanh};
    use crate::ops::arithmetic::{add, mul};

    fn numbers(tensor: &Tensor) -> Vec<f64> {
        tensor.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
    }

    fn variable(values: &[f64]) -> Var {
        Var::new(values, &Device::Cpu).unwrap()
    }

    #[test]
    fn a_tensor_used_twice_gets_the_sum_of_both_gradients() {
        let x = variable(&[1.0, -2.0, 3.0]);
        // d/dx of relu(x) + leaky(x) + x·relu(x): candle's operations and ours, x and y in several places.
        let y = relu(x.as_tensor()).unwrap();
        let sum = add(&y, &leaky_relu(x.as_tensor(), 0.5).unwrap()).unwrap();
        let loss = (sum + (x.as_tensor() * &y).unwrap()).unwrap().sum_all().unwrap();
        let gradients = backward(&loss).unwrap();
        // 1 + 1 + 2x where x > 0, else 0.5.
        assert_eq!(numbers(gradients.get(&x).unwrap()), [4.0, 0.5, 8.0]);
    }

    #[test]
    fn the_way_may_lead_through_candle_between_two_operations() {
        let x = variable(&[0.5, -0.25, 0.75, -1.0]);
        let inner = leaky_relu(x.as_tensor(), 0.5).unwrap();
        let outer = tanh(&(inner.reshape((2, 2)).unwrap() * 2.0).unwrap()).unwrap();
        let gradients = backward(&outer).unwrap();
        let expected: Vec<f64> = [0.5, -0.25, 0.75, -1.0f64]
            .iter()
            .map(|&x| {
                let slope = if x > 0.0 { 1.0 } else { 0.5 };
                (1.0 - (2.0 * slope * x).tanh().powi(2)) * 2.0 * slope
            })
            .collect();
        for (found, expected) in numbers(gradients.get(&x).unwrap()).iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15, "{found}, expected {expected}");
        }
    }

    #[test]
    fn an_upstream_gradient_reaches_operations_candle_and_variables() {
        let x = variable(&[1.0, -2.0]);
        let upstream = Tensor::new(&[3.0, 5.0], &Device::Cpu).unwrap();
        let gradient = |y: &Tensor| numbers(backward_from(y, &upstream).unwrap().get(&x).unwrap());
        assert_eq!(gradient(&leaky_relu(x.as_tensor(), 0.5).unwrap()), [3.0, 2.5]);
        assert_eq!(gradient(&(x.as_tensor() * 2.0).unwrap()), [6.0, 10.0]);
        assert_eq!(gradient(x.as_tensor()), [3.0, 5.0]);
        let wrong = Tensor::new(&[3.0], &Device::Cpu).unwrap();
        assert!(backward_from(x.as_tensor(), &wrong).unwrap_err().to_string().contains("[1]"));
        let wrong = upstream.to_dtype(DType::F32).unwrap();
        assert!(backward_from(x.as_tensor(), &wrong).unwrap_err().to_string().contains("F32"));
    }

    #[test]
    fn what_does_not_depend_on_a_variable_has_no_graph() {
        let constant = Tensor::new(&[1f32, -1.0], &Device::Cpu).unwrap();
        let y = relu(&constant).unwrap();
        assert!(!y.track_op());
        assert_eq!(backward(&y).unwrap().get_ids().count(), 0);
    }

    #[test]
    fn only_what_is_asked_for_is_computed() {
        let (x, w) = (variable(&[1.0, -2.0]), variable(&[3.0, 5.0]));
        let inner = (x.as_tensor() * 2.0).unwrap();
        let y = mul(&relu(&mul(&inner, w.as_tensor()).unwrap()).unwrap(), w.as_tensor()).unwrap();
        let all = backward(&y).unwrap();
        let some = backward_for(&y, &[x.as_tensor()]).unwrap();
        assert_eq!(numbers(some.get(&x).unwrap()), numbers(all.get(&x).unwrap()));
        assert_eq!(numbers(some.get(&x).unwrap()), [18.0, 0.0]);
        assert!(all.get(&w).is_some() && some.get(&w).is_none());
    }

    #[test]
    fn a_loss_that_is_given_away_has_the_same_gradients() {
        let x = variable(&[0.5, -0.25]);
        let loss = || tanh(&relu(&(x.as_tensor() * 3.0).unwrap()).unwrap()).unwrap().sum_all().unwrap();
        let kept = backward(&loss()).unwrap();
        let given = backward_once(loss()).unwrap();
        assert_eq!(numbers(kept.get(&x).unwrap()), numbers(given.get(&x).unwrap()));
    }

    #[test]
    fn candles_backward_names_ours() {
        let x = variable(&[1.0]);
        let loss = relu(x.as_tensor()).unwrap().sum_all().unwrap();
        let message = loss.backward().unwrap_err().to_string();
        assert!(message.contains("tachie::autograd::backward"), "{message}");
    }

    #[test]
    fn a_deep_chain_is_walked_without_recursion() {
        let x = variable(&[1.0]);
        let mut y = x.as_tensor().clone();
        for _ in 0..2000 {
            y = leaky_relu(&y, 0.5).unwrap();
        }
        assert_eq!(numbers(backward(&y).unwrap().get(&x).unwrap()), [1.0]);
    }

    #[test]
    fn gradients_carry_no_graph_unless_asked_for() {
        let x = variable(&[0.5]);
        let y = || tanh(x.as_tensor()).unwrap();
        assert!(!backward(&y()).unwrap().get(&x).unwrap().track_op());
        let first = backward_keeping_graph(&y()).unwrap();
        // tanh'' = −2·tanh·(1 − tanh²).
        let second = backward(first.get(&x).unwrap()).unwrap();
        let t = 0.5f64.tanh();
        assert!((numbers(second.get(&x).unwrap())[0] + 2.0 * t * (1.0 - t * t)).abs() < 1e-15);
    }
}
