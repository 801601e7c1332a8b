//! Where layers take their parameters from.

use std::fmt;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor, Var};

use super::{ParamStore, Training};
use crate::Result;
use crate::nn::init::Init;
use crate::nn::precision::Precision;

/// A view of a [`ParamStore`] at a name prefix, which layers take their parameters from.
#[derive(Clone)]
pub struct Scope {
    store: ParamStore,
    prefix: String,
    training: Arc<Training>,
    precision: Precision,
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({:?}, {:?})", self.prefix, self.training)
    }
}

impl Scope {
    pub(super) fn whole(store: &ParamStore, training: Training) -> Scope {
        Scope { store: store.clone(), prefix: String::new(), training: Arc::new(training), precision: Precision::F32 }
    }

    /// The view one level down: `scope.pp("conv1")` names its parameters `conv1.weight` and so on.
    pub fn pp(&self, name: impl AsRef<str>) -> Scope {
        Scope { prefix: self.full(name.as_ref()), ..self.clone() }
    }

    /// The parameter `name`; made from `init` when the store does not hold it yet. It is tracked for gradients when
    /// the view trains it, otherwise it is a detached tensor that shares storage, and so sees updates.
    ///
    /// # Errors
    /// When the store holds that name with another shape, or as a buffer.
    pub fn param(&self, name: &str, shape: &[usize], init: Init) -> Result<Tensor> {
        let name = self.full(name);
        let var = self.store.entry(&name, shape, init, true)?;
        Ok(if self.training.covers(&name) { var.into_inner() } else { var.as_detached_tensor() })
    }

    /// The parameter `name` as a layer multiplies by it: as [`Scope::param`], but rounded to bf16 where the view
    /// computes in [`Precision::Bf16`]. The parameter itself, its gradient and what is saved stay f32; all layers of
    /// that name share the rounded numbers, which [`ParamStore::refresh`] renews.
    ///
    /// # Errors
    /// As [`Scope::param`].
    pub fn weight(&self, name: &str, shape: &[usize], init: Init) -> Result<Tensor> {
        let parameter = self.param(name, shape, init)?;
        if self.precision == Precision::F32 {
            return Ok(parameter);
        }
        let name = self.full(name);
        // The copy is made from the variable, whoever comes first: others train it.
        let variable = self.store.entry(&name, shape, init, true)?.into_inner();
        let rounded = self.store.rounded_copy(&name, &variable)?;
        Ok(if parameter.is_variable() { rounded } else { rounded.detach() })
    }

    /// The same view for layers that compute in this precision. Views compute in f32 at first;
    /// [`Trainer`](crate::train::trainer::Trainer) asks for what its plan says.
    ///
    /// # Errors
    /// As [`Precision::check`].
    pub fn computing_in(self, precision: Precision) -> Result<Scope> {
        precision.check(self.device(), self.dtype())?;
        Ok(Scope { precision, ..self })
    }

    /// The same view, without tracking anything for gradients: for networks that are used and not trained.
    pub fn frozen(&self) -> Scope {
        Scope { training: Arc::new(Training::Nothing), ..self.clone() }
    }

    /// What layers of this view compute in. A layer that must not is built from
    /// `scope.clone().computing_in(Precision::F32)` and takes and gives f32.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The buffer `name`: saved with the network but never trained (running statistics).
    ///
    /// # Errors
    /// When the store holds that name with another shape, or as a parameter.
    pub fn buffer(&self, name: &str, shape: &[usize], value: f64) -> Result<Var> {
        self.drawn_buffer(name, shape, Init::Const(value))
    }

    /// As [`Scope::buffer`], starting from numbers that are drawn (noise that stays).
    ///
    /// # Errors
    /// As [`Scope::buffer`].
    pub fn drawn_buffer(&self, name: &str, shape: &[usize], init: Init) -> Result<Var> {
        self.store.entry(&self.full(name), shape, init, false)
    }

    /// The store that this is a view of.
    pub fn store(&self) -> &ParamStore {
        &self.store
    }

    /// The device of every tensor.
    pub fn device(&self) -> &Device {
        self.store.device()
    }

    /// f32 or f64.
    pub fn dtype(&self) -> DType {
        self.store.dtype()
    }

    /// The prefix, `""` at the top.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    fn full(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_string() } else { format!("{}.{name}", self.prefix) }
    }
}
