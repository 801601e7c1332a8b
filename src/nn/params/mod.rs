//! The one place where the numbers of a network live: named, sorted, seeded.
//!
//! A network is built from a [`Scope`], which is a view of a [`ParamStore`] at a name prefix. Building the same network
//! twice from one store gives two networks that share storage: one player trains it, another one uses it frozen.

mod scope;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Tensor, Var};

use crate::ops::cast::{cast, round_all};
use crate::rng::Seed;
use crate::{Error, Result};

use super::guard;
use super::init::Init;

pub use scope::Scope;

/// Which parameters a view tracks for gradients.
#[derive(Clone, Debug, PartialEq)]
pub enum Training {
    /// All of them.
    All,
    /// None: the network is used, not trained.
    Nothing,
    /// Those whose name is the prefix or lies below it (`"g"` covers `g.conv1.weight`, not `gate.weight`).
    Prefix(String),
}

impl Training {
    fn covers(&self, name: &str) -> bool {
        match self {
            Training::All => true,
            Training::Nothing => false,
            Training::Prefix(prefix) => below(name, prefix),
        }
    }
}

fn below(name: &str, prefix: &str) -> bool {
    prefix.is_empty() || name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[derive(Clone)]
struct Entry {
    var: Var,
    trainable: bool,
}

/// Named parameters and buffers of all networks of a model. Clones share the storage.
#[derive(Clone)]
pub struct ParamStore {
    inner: Arc<Inner>,
}

struct Inner {
    /// `None`: everything starts from zero.
    seed: Option<Seed>,
    device: Device,
    dtype: DType,
    entries: Mutex<BTreeMap<String, Entry>>,
    /// Parameters rounded to bf16, for the layers that compute with those, as functions of the parameters.
    rounded: Mutex<BTreeMap<String, Tensor>>,
}

impl fmt::Debug for ParamStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tensors = self.entries().len();
        write!(f, "ParamStore({tensors} tensors, {} trainable numbers, {:?})", self.count(""), self.inner.dtype)
    }
}

impl ParamStore {
    /// An empty store. Networks fill it while they are built.
    ///
    /// # Errors
    /// When two copies of this library are loaded ([`guard::check`]); when `dtype` is neither f32 nor f64.
    pub fn new(seed: Seed, device: &Device, dtype: DType) -> Result<ParamStore> {
        ParamStore::starting(Some(seed), device, dtype)
    }

    /// An empty store in which every parameter starts from zero: for networks that are only counted, or filled from a
    /// file next. Drawing random numbers for the largest networks takes seconds.
    ///
    /// # Errors
    /// As [`ParamStore::new`].
    pub fn blank(device: &Device, dtype: DType) -> Result<ParamStore> {
        ParamStore::starting(None, device, dtype)
    }

    fn starting(seed: Option<Seed>, device: &Device, dtype: DType) -> Result<ParamStore> {
        guard::check()?;
        if !matches!(dtype, DType::F32 | DType::F64) {
            return Err(Error::invalid("parameter store: dtype", format!("{dtype:?}"), "F32 or F64", ""));
        }
        let inner = Inner { seed, device: device.clone(), dtype, entries: Mutex::default(), rounded: Mutex::default() };
        Ok(ParamStore { inner: Arc::new(inner) })
    }

    /// The view that networks are built from.
    pub fn view(&self, training: Training) -> Scope {
        Scope::whole(self, training)
    }

    /// Names of all parameters and buffers, sorted.
    pub fn names(&self) -> Vec<String> {
        self.entries().keys().cloned().collect()
    }

    /// All parameters and buffers, without a graph, sharing storage with the store.
    pub fn tensors(&self) -> BTreeMap<String, Tensor> {
        self.entries().iter().map(|(name, entry)| (name.clone(), entry.var.as_detached_tensor())).collect()
    }

    /// The parameters at or below `prefix` (`""` for all), sorted by name, without buffers.
    pub fn trainable(&self, prefix: &str) -> Vec<(String, Var)> {
        let entries = self.entries();
        let covered = entries.iter().filter(|(name, entry)| entry.trainable && below(name, prefix));
        covered.map(|(name, entry)| (name.clone(), entry.var.clone())).collect()
    }

    /// How many trainable numbers there are at or below `prefix` (`""` for all).
    pub fn count(&self, prefix: &str) -> usize {
        self.trainable(prefix).iter().map(|(_, var)| var.elem_count()).sum()
    }

    /// The device of every tensor.
    pub fn device(&self) -> &Device {
        &self.inner.device
    }

    /// f32 or f64.
    pub fn dtype(&self) -> DType {
        self.inner.dtype
    }

    /// A deep copy with its own storage, as the running average of weights needs it.
    ///
    /// # Errors
    /// When the device has no memory for it.
    pub fn copy(&self) -> Result<ParamStore> {
        let mut entries = BTreeMap::new();
        for (name, entry) in self.entries().iter() {
            let var = Var::from_tensor(&entry.var.as_detached_tensor())?;
            entries.insert(name.clone(), Entry { var, trainable: entry.trainable });
        }
        let Inner { seed, ref device, dtype, .. } = *self.inner;
        let (device, entries) = (device.clone(), Mutex::new(entries));
        let inner = Inner { seed, device, dtype, entries, rounded: Mutex::default() };
        Ok(ParamStore { inner: Arc::new(inner) })
    }

    /// Sets every parameter and buffer from `tensors`, which must hold exactly the names and shapes of this store.
    /// Everything is checked before anything is changed. Other float types and devices are converted.
    ///
    /// # Errors
    /// Lists by name what is missing, surplus or of another shape.
    pub fn load(&self, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
        let entries = self.entries();
        let mut problems = Vec::new();
        let mut checked = Vec::new();
        for (name, entry) in entries.iter() {
            match tensors.get(name) {
                None => problems.push(format!("{name} is missing")),
                Some(tensor) if tensor.dims() != entry.var.dims() => {
                    let (found, expected) = (tensor.dims(), entry.var.dims());
                    problems.push(format!("{name} has shape {found:?} instead of {expected:?}"));
                }
                Some(tensor) => {
                    let tensor = tensor.detach().to_device(&self.inner.device)?.to_dtype(self.inner.dtype)?;
                    checked.push((&entry.var, tensor));
                }
            }
        }
        let surplus = tensors.keys().filter(|name| !entries.contains_key(*name));
        problems.extend(surplus.map(|name| format!("{name} is not part of this network")));
        if !problems.is_empty() {
            return Err(Error::invalid(
                "weights",
                problems.join("; "),
                format!("the {} tensors of this network, by name", entries.len()),
                "Nothing was changed. Are these the weights of this model, at this size?",
            ));
        }
        for (var, tensor) in checked {
            // candle refuses to set a variable from its own storage, which `tensors` hands out.
            let own = storage_address(var) == storage_address(&tensor);
            var.set(&if own { tensor.copy()? } else { tensor })?;
        }
        drop(entries);
        self.refresh("")
    }

    /// Rounds the parameters at or below `prefix` (`""` for all) anew for the layers that compute in bf16, in one
    /// launch: whoever changes parameters by other means than [`ParamStore::load`] calls it before networks are used
    /// again. Without such layers it does nothing.
    ///
    /// # Errors
    /// When the device refuses.
    pub fn refresh(&self, prefix: &str) -> Result<()> {
        let entries = self.entries();
        let rounded = self.rounded();
        let covered = rounded.iter().filter(|(name, _)| below(name, prefix));
        let pairs = covered.filter_map(|(name, copy)| Some((entries.get(name)?.var.as_tensor().clone(), copy.clone())));
        Ok(round_all(&pairs.collect::<Vec<_>>())?)
    }

    /// What layers that compute in bf16 multiply by.
    #[cfg(feature = "cuda")]
    pub(crate) fn rounded_copies(&self) -> Vec<Tensor> {
        self.rounded().values().cloned().collect()
    }

    fn rounded(&self) -> MutexGuard<'_, BTreeMap<String, Tensor>> {
        // As for the entries.
        self.inner.rounded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The copy of a parameter in bf16. All layers of that name share it.
    fn rounded_copy(&self, name: &str, parameter: &Tensor) -> Result<Tensor> {
        let mut rounded = self.rounded();
        if let Some(copy) = rounded.get(name) {
            return Ok(copy.clone());
        }
        let copy = cast(parameter, DType::BF16)?;
        rounded.insert(name.to_string(), copy.clone());
        Ok(copy)
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        // The map is only ever changed by a single insert, so it is whole even after a panic elsewhere.
        self.inner.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn entry(&self, name: &str, shape: &[usize], init: Init, trainable: bool) -> Result<Var> {
        let mut entries = self.entries();
        if let Some(entry) = entries.get(name) {
            if entry.var.dims() != shape {
                return Err(Error::shape(format!("parameter {name}"), shape, format!("{:?}", entry.var.dims())));
            }
            if entry.trainable != trainable {
                return Err(Error::invalid(
                    format!("parameter {name}"),
                    "one name for a parameter and a buffer",
                    "different names",
                    "",
                ));
            }
            return Ok(entry.var.clone());
        }
        let var = self.create(name, shape, init)?;
        entries.insert(name.to_string(), Entry { var: var.clone(), trainable });
        Ok(var)
    }

    fn create(&self, name: &str, shape: &[usize], init: Init) -> Result<Var> {
        let Some(seed) = self.inner.seed else {
            return Ok(Var::zeros(shape, self.inner.dtype, &self.inner.device)?);
        };
        let mut stream = seed.stream(&format!("init/{name}"));
        let count: usize = shape.iter().product();
        let device = &self.inner.device;
        Ok(match self.inner.dtype {
            DType::F64 => {
                Var::from_vec((0..count).map(|_| init.draw(&mut stream)).collect::<Vec<f64>>(), shape, device)?
            }
            _ => Var::from_vec((0..count).map(|_| init.draw(&mut stream) as f32).collect::<Vec<f32>>(), shape, device)?,
        })
    }
}

fn storage_address(tensor: &Tensor) -> usize {
    let (storage, _) = tensor.storage_and_layout();
    std::ptr::from_ref(&*storage).addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NORMAL: Init = Init::Normal { mean: 0.0, std: 0.02 };

    fn store(seed: u64) -> ParamStore {
        ParamStore::new(Seed(seed), &Device::Cpu, DType::F32).unwrap()
    }

    fn numbers(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn numbers_depend_on_seed_and_name_not_on_order() {
        let (a, b) = (store(1), store(1));
        let a1 = a.view(Training::All).param("one", &[3, 4], NORMAL).unwrap();
        a.view(Training::All).param("two", &[5], NORMAL).unwrap();
        b.view(Training::All).param("two", &[5], NORMAL).unwrap();
        let b1 = b.view(Training::All).param("one", &[3, 4], NORMAL).unwrap();
        assert_eq!(numbers(&a1), numbers(&b1));
        assert_ne!(numbers(&a1), numbers(&store(2).view(Training::All).param("one", &[3, 4], NORMAL).unwrap()));
        assert_eq!(a.names(), ["one", "two"]);
    }

    #[test]
    fn a_frozen_view_sees_updates_but_is_not_tracked() {
        let params = store(1);
        let trained = params.view(Training::Prefix("g".into())).pp("g").param("w", &[2], Init::Const(1.0)).unwrap();
        let frozen = params.view(Training::Prefix("d".into())).pp("g").param("w", &[2], Init::Const(1.0)).unwrap();
        assert!(trained.is_variable() && !frozen.track_op());
        params.trainable("g")[0].1.set(&Tensor::new(&[5f32, 6.0], &Device::Cpu).unwrap()).unwrap();
        assert_eq!(numbers(&frozen), [5.0, 6.0]);
        let grads = crate::autograd::backward(&((&trained * 2.0).unwrap() + &frozen).unwrap()).unwrap();
        assert_eq!(numbers(grads.get(&trained).unwrap()), [2.0, 2.0]);
    }

    #[test]
    fn a_copy_has_its_own_storage() {
        let params = store(1);
        params.view(Training::All).param("w", &[2], Init::Const(1.0)).unwrap();
        let copy = params.copy().unwrap();
        params.trainable("")[0].1.set(&Tensor::new(&[5f32, 6.0], &Device::Cpu).unwrap()).unwrap();
        assert_eq!(numbers(&copy.tensors()["w"]), [1.0, 1.0]);
    }

    #[test]
    fn prefixes_end_at_dots_and_buffers_do_not_count() {
        let params = store(1);
        let scope = params.view(Training::All);
        scope.pp("g").param("w", &[2, 3], NORMAL).unwrap();
        scope.pp("gate").param("w", &[7], NORMAL).unwrap();
        scope.pp("g").buffer("running_mean", &[3], 0.0).unwrap();
        assert_eq!((params.count("g"), params.count("gate"), params.count("")), (6, 7, 13));
        assert_eq!(params.names(), ["g.running_mean", "g.w", "gate.w"]);
    }

    #[test]
    fn load_names_every_problem_and_changes_nothing() {
        let params = store(1);
        let scope = params.view(Training::All);
        for name in ["a", "b", "c"] {
            scope.param(name, &[2], Init::Const(1.0)).unwrap();
        }
        let mut tensors = BTreeMap::new();
        tensors.insert("a".to_string(), Tensor::new(&[7f32, 7.0], &Device::Cpu).unwrap());
        tensors.insert("b".to_string(), Tensor::new(&[7f32, 7.0, 7.0], &Device::Cpu).unwrap());
        tensors.insert("d".to_string(), Tensor::new(&[7f32], &Device::Cpu).unwrap());
        let message = params.load(&tensors).unwrap_err().to_string();
        for part in ["b has shape [3] instead of [2]", "c is missing", "d is not part"] {
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(numbers(&params.tensors()["a"]), [1.0, 1.0]);
        params.load(&params.tensors()).unwrap();
        params.load(&params.copy().unwrap().tensors()).unwrap();
    }

    #[test]
    fn a_name_keeps_its_shape_and_kind() {
        let params = store(1);
        let scope = params.view(Training::All);
        scope.param("w", &[2], NORMAL).unwrap();
        assert!(scope.param("w", &[3], NORMAL).unwrap_err().to_string().contains("parameter w"));
        assert!(scope.buffer("w", &[2], 0.0).is_err());
        assert!(ParamStore::new(Seed(1), &Device::Cpu, DType::U8).is_err());
    }
}
