//! What a critic computed, written down for a second run.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use candle_core::Tensor;

use super::Signal;
use crate::Result;
use crate::nn::conv::{Conv2d, ConvTranspose2d};
use crate::nn::linear::Linear;
use crate::nn::norm::{BatchNorm, InstanceNorm};

/// Values in the order in which a critic computed them, with their graphs. Clones are the same tape.
#[derive(Clone, Debug, Default)]
pub struct Tape(Rc<RefCell<VecDeque<Tensor>>>);

impl Tape {
    /// A tensor whose every descendant is written down.
    pub fn record(&self, value: &Tensor) -> Recorded {
        Recorded { value: value.clone(), tape: self.clone() }
    }

    /// The value that was written down first of those that nobody has taken.
    pub(super) fn next(&self) -> Option<Tensor> {
        self.0.borrow_mut().pop_front()
    }
}

/// A tensor that writes down what is computed with it.
#[derive(Clone, Debug)]
pub struct Recorded {
    value: Tensor,
    tape: Tape,
}

impl Recorded {
    fn keep(&self, value: Result<Tensor>) -> Result<Recorded> {
        let value = value?;
        self.tape.0.borrow_mut().push_back(value.clone());
        Ok(Recorded { value, tape: self.tape.clone() })
    }
}

/// Each function as the tensor has it, and written down.
impl Signal for Recorded {
    fn value(&self) -> &Tensor {
        &self.value
    }

    fn linear_map(&self, map: &dyn Fn(&Tensor) -> Result<Tensor>) -> Result<Self> {
        self.keep(self.value.linear_map(map))
    }

    fn shift(&self, map: &dyn Fn(&Tensor) -> Result<Tensor>) -> Result<Self> {
        self.keep(self.value.shift(map))
    }

    fn conv2d(&self, layer: &Conv2d) -> Result<Self> {
        self.keep(Signal::conv2d(&self.value, layer))
    }

    fn conv_transpose2d(&self, layer: &ConvTranspose2d) -> Result<Self> {
        self.keep(Signal::conv_transpose2d(&self.value, layer))
    }

    fn linear(&self, layer: &Linear) -> Result<Self> {
        self.keep(self.value.linear(layer))
    }

    fn instance_norm(&self, layer: &InstanceNorm) -> Result<Self> {
        self.keep(self.value.instance_norm(layer))
    }

    fn batch_norm_eval(&self, layer: &BatchNorm) -> Result<Self> {
        self.keep(self.value.batch_norm_eval(layer))
    }

    fn leaky_relu(&self, slope: f64) -> Result<Self> {
        self.keep(self.value.leaky_relu(slope))
    }

    fn tanh(&self) -> Result<Self> {
        self.keep(Signal::tanh(&self.value))
    }

    fn sigmoid(&self) -> Result<Self> {
        self.keep(self.value.sigmoid())
    }

    fn softplus(&self) -> Result<Self> {
        self.keep(self.value.softplus())
    }

    fn add(&self, other: &Self) -> Result<Self> {
        self.keep(Signal::add(&self.value, &other.value))
    }

    fn add_leaky_relu(&self, other: &Self, slope: f64) -> Result<Self> {
        // As a dual number does it.
        if slope < 0.0 {
            return self.add(other)?.leaky_relu(slope);
        }
        self.keep(self.value.add_leaky_relu(&other.value, slope))
    }

    fn mul(&self, other: &Self) -> Result<Self> {
        self.keep(Signal::mul(&self.value, &other.value))
    }

    fn cat(&self, other: &Self, dim: usize) -> Result<Self> {
        self.keep(Signal::cat(&self.value, &other.value, dim))
    }

    fn cat_constant(&self, constant: &Tensor, dim: usize) -> Result<Self> {
        self.keep(self.value.cat_constant(constant, dim))
    }

    fn minibatch_deviation(&self, group: usize) -> Result<Self> {
        self.keep(self.value.minibatch_deviation(group))
    }
}
