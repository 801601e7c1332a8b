//! What is judged: anything that makes pictures for a set of real ones.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{Device, Tensor};
use image::RgbImage;

use super::folder::Folder;
use super::pictures::{Chosen, Pictures, within};
use crate::Result;
use crate::data::dataset::Dataset;
use crate::data::tags::Labels;
use crate::models::make_girls::MakeGirls;
use crate::nn::params::ParamStore;
use crate::rng::Seed;
use crate::sample::Latent;

/// Makes pictures to be compared with real ones.
pub trait Model: Send + Sync {
    /// The pictures for these real ones: with their labels, as many as they are. A fixed set gives itself.
    ///
    /// # Errors
    /// When the labels of the real pictures mean nothing to the model.
    fn pictures(&self, real: &dyn Pictures, seed: Seed) -> Result<Arc<dyn Pictures>>;

    /// Whether its pictures are the same for every seed: several trials of it are one.
    fn fixed(&self) -> bool;
}

impl Model for Dataset {
    fn pictures(&self, _: &dyn Pictures, _: Seed) -> Result<Arc<dyn Pictures>> {
        Ok(Arc::new(self.clone()))
    }

    fn fixed(&self) -> bool {
        true
    }
}

impl Model for Folder {
    fn pictures(&self, _: &dyn Pictures, _: Seed) -> Result<Arc<dyn Pictures>> {
        Ok(Arc::new(self.clone()))
    }

    fn fixed(&self) -> bool {
        true
    }
}

impl Model for Chosen {
    fn pictures(&self, _: &dyn Pictures, _: Seed) -> Result<Arc<dyn Pictures>> {
        Ok(Arc::new(self.clone()))
    }

    fn fixed(&self) -> bool {
        true
    }
}

/// One picture for each real one, with that picture's labels (make.girls.moe paper, section 4.4) and noise of the
/// seed; for pictures without labels, labels as while training.
impl Model for MakeGirls {
    fn pictures(&self, real: &dyn Pictures, seed: Seed) -> Result<Arc<dyn Pictures>> {
        let labels = (0..real.len()).map(|i| real.labels(i)).collect::<Result<Option<Vec<Labels>>>>()?;
        let latents = match labels {
            Some(labels) => self.latents(&labels, seed)?,
            None => self.random_latents(real.len(), seed)?,
        };
        let mut weights = blake3::Hasher::new();
        weights.update(self.config().about(None)?.as_bytes());
        hash_weights(&mut weights, &self.params())?;
        weights.update(format!("{:?}", self.device().location()).as_bytes());
        let weights = weights.finalize().to_hex().to_string();
        Ok(Arc::new(Drawn { model: self.clone(), latents, weights }))
    }

    fn fixed(&self) -> bool {
        false
    }
}

/// Pictures that a generator makes when they are asked for.
struct Drawn {
    model: MakeGirls,
    latents: Vec<Latent>,
    /// blake3 of the configuration, the weights and the device.
    weights: String,
}

impl Pictures for Drawn {
    fn name(&self) -> String {
        "drawn pictures".into()
    }

    fn len(&self) -> usize {
        self.latents.len()
    }

    fn key(&self, i: usize) -> Result<String> {
        // No real picture is called that: a drawn face shares labels with a real one and is no copy of it.
        Ok(format!("drawn for picture {i}"))
    }

    fn labels(&self, i: usize) -> Result<Option<Labels>> {
        Ok(self.latents.get(i).map(|latent| latent.labels.clone()))
    }

    fn read(&self, range: Range<usize>) -> Result<Vec<RgbImage>> {
        self.model.generate(&self.latents[within(&self.name(), range, self.latents.len())?])?.to_rgb()
    }

    fn identity(&self, range: Range<usize>) -> Result<String> {
        let mut hasher = blake3::Hasher::new();
        for latent in &self.latents[within(&self.name(), range, self.latents.len())?] {
            for value in latent.z.iter().chain(&latent.labels.values) {
                hasher.update(&value.to_le_bytes());
            }
        }
        Ok(format!("drawn by {} from {}", self.weights, hasher.finalize().to_hex()))
    }
}

fn hash_weights(hasher: &mut blake3::Hasher, params: &ParamStore) -> Result<()> {
    for (name, tensor) in params.tensors() {
        hasher.update(name.as_bytes()).update(format!("{:?}", tensor.dims()).as_bytes());
        hash_numbers(hasher, &tensor)?;
    }
    Ok(())
}

/// Adds the bits of a tensor's numbers.
pub(super) fn hash_numbers(hasher: &mut blake3::Hasher, tensor: &Tensor) -> Result<()> {
    let numbers = tensor.to_device(&Device::Cpu)?.to_dtype(candle_core::DType::F32)?.flatten_all()?;
    let bytes: Vec<u8> = numbers.to_vec1::<f32>()?.into_iter().flat_map(f32::to_le_bytes).collect();
    hasher.update(&bytes);
    Ok(())
}
