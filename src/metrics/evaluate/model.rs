//! What is judged: anything that makes pictures for a set of real ones.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{Device, Tensor};
use image::RgbImage;

use super::folder::Folder;
use super::pictures::{Chosen, Pictures, within};
use crate::data::batch::Images;
use crate::data::dataset::Dataset;
use crate::data::skeleton::KeyPoint;
use crate::data::tags::Labels;
use crate::models::baselines::pg2::Pg2;
use crate::models::baselines::progan::Progan;
use crate::models::make_girls::MakeGirls;
use crate::models::model::about;
use crate::models::psgan::Psgan;
use crate::models::stylegan::Stylegan;
use crate::nn::params::ParamStore;
use crate::rng::Seed;
use crate::sample::{NoiseMode, rows, seeds};
use crate::train::gan::Gan;
use crate::{Error, Result};

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
        let inputs = latents.iter().map(|latent| [latent.z.clone(), latent.labels.values.clone()].concat()).collect();
        let labels = latents.iter().map(|latent| latent.labels.clone()).collect();
        let model = self.clone();
        let draw = move |range| model.generate(&latents[range]);
        Ok(Arc::new(Drawn { labels: Some(labels), ..Drawn::new(self, inputs, draw)? }))
    }

    fn fixed(&self) -> bool {
        false
    }
}

/// One picture for each real one, with latents of the seed.
impl Model for Progan {
    fn pictures(&self, real: &dyn Pictures, seed: Seed) -> Result<Arc<dyn Pictures>> {
        let z = seeds::fresh(seed, [real.len(), self.config().network.latent], self.device())?;
        let (model, inputs) = (self.clone(), z.to_vec2::<f32>()?);
        Ok(Arc::new(Drawn::new(self, inputs, move |range| model.draw(&rows(&z, &range)?))?))
    }

    fn fixed(&self) -> bool {
        false
    }
}

/// As for Progressive GAN: nothing is truncated for metrics, and layers have the network's own noise.
impl Model for Stylegan {
    fn pictures(&self, real: &dyn Pictures, seed: Seed) -> Result<Arc<dyn Pictures>> {
        let z = seeds::fresh(seed, [real.len(), self.config().network.latent], self.device())?;
        let (model, inputs) = (self.clone(), z.to_vec2::<f32>()?);
        let draw = move |range| model.draw(&model.styles(&rows(&z, &range)?, None)?, NoiseMode::Const);
        Ok(Arc::new(Drawn::new(self, inputs, draw)?))
    }

    fn fixed(&self) -> bool {
        false
    }
}

/// A fresh character in the pose of each real picture.
impl Model for Psgan {
    fn pictures(&self, real: &dyn Pictures, seed: Seed) -> Result<Arc<dyn Pictures>> {
        let points = (0..real.len()).map(|i| real.pose(i)).collect::<Result<Option<Vec<Vec<KeyPoint>>>>>()?;
        let Some(points) = points else {
            let hint = "Judge it on a data set with key points.";
            return Err(Error::invalid(format!("pictures of {}", real.name()), "no key points", "a pose each", hint));
        };
        let keypoints = self.config().keypoints;
        if let Some(other) = points.iter().map(Vec::len).find(|&len| len != keypoints) {
            let what = format!("key points of {}", real.name());
            return Err(Error::invalid(what, other.to_string(), keypoints.to_string(), ""));
        }
        let z = self.fresh_latents(real.len(), seed)?;
        let flat: Vec<Vec<f32>> = points.iter().map(|points| points.as_flattened().to_vec()).collect();
        let poses = Tensor::from_vec(flat.concat(), (flat.len(), keypoints, 3), self.device())?;
        let inputs = z.to_vec2::<f32>()?.into_iter().zip(flat).map(|(z, pose)| [z, pose].concat()).collect();
        let model = self.clone();
        let draw = move |range| model.draw(&rows(&z, &range)?, &rows(&poses, &range)?);
        Ok(Arc::new(Drawn { poses: Some(points), ..Drawn::new(self, inputs, draw)? }))
    }

    fn fixed(&self) -> bool {
        false
    }
}

/// The source of each real picture in that picture's pose.
impl Model for Pg2 {
    fn pictures(&self, real: &dyn Pictures, _: Seed) -> Result<Arc<dyn Pictures>> {
        let Some(pairs) = real.pairs() else {
            let hint = "Judge it on pairs of pictures of one character: `bodies.test().pairs(..)`.";
            return Err(Error::invalid(format!("pictures of {}", real.name()), "single pictures", "pairs", hint));
        };
        let (model, of) = (self.clone(), pairs.fingerprint());
        let asked = (0..pairs.len()).map(|i| pairs.pose(i)).collect::<Result<_>>()?;
        let keys = (0..pairs.len()).map(|i| pairs.key(i)).collect::<Result<_>>()?;
        // What a picture is drawn from is told by the data set and its place there.
        let inputs = (0..pairs.len()).map(|i| vec![i as f32]).collect();
        let draw = move |range: Range<usize>| {
            let sources = range.clone().map(|i| pairs.source_image(i)).collect::<Result<Vec<_>>>()?;
            model.repose(&Images::from_rgb(&sources)?, &pairs.poses(&range.collect::<Vec<_>>())?)
        };
        Ok(Arc::new(Drawn { poses: Some(asked), ..Drawn::new(self, inputs, draw)?.beside(keys, &of) }))
    }

    fn fixed(&self) -> bool {
        true
    }
}

/// Pictures that a generator makes when they are asked for.
pub(crate) struct Drawn<F> {
    draw: F,
    /// What each is drawn from.
    inputs: Vec<Vec<f32>>,
    labels: Option<Vec<Labels>>,
    /// The poses that were asked for.
    poses: Option<Vec<Vec<KeyPoint>>>,
    /// The keys of the real pictures that each is to be like.
    counterparts: Option<Vec<String>>,
    /// blake3 of the configuration, the weights and the device.
    weights: String,
}

impl<F: Fn(Range<usize>) -> Result<Images> + Send + Sync> Drawn<F> {
    pub(crate) fn new<G: Gan>(
        model: &crate::models::model::Model<G>,
        inputs: Vec<Vec<f32>>,
        draw: F,
    ) -> Result<Drawn<F>> {
        let mut weights = blake3::Hasher::new();
        weights.update(about::<G>(model.config(), None)?.as_bytes());
        hash_weights(&mut weights, &model.params())?;
        weights.update(format!("{:?}", model.device().location()).as_bytes());
        let weights = weights.finalize().to_hex().to_string();
        Ok(Drawn { draw, inputs, labels: None, poses: None, counterparts: None, weights })
    }

    /// The same, each made for the real picture of that key, from what the data set with this fingerprint holds.
    pub(crate) fn beside(self, keys: Vec<String>, fingerprint: &str) -> Drawn<F> {
        Drawn { weights: format!("{} of {fingerprint}", self.weights), counterparts: Some(keys), ..self }
    }
}

impl<F: Fn(Range<usize>) -> Result<Images> + Send + Sync> Pictures for Drawn<F> {
    fn name(&self) -> String {
        "drawn pictures".into()
    }

    fn len(&self) -> usize {
        self.inputs.len()
    }

    fn key(&self, i: usize) -> Result<String> {
        // No real picture is called that: a drawn face shares labels with a real one and is no copy of it.
        let own = || format!("drawn for picture {i}");
        Ok(self.counterparts.as_ref().and_then(|keys| keys.get(i).cloned()).unwrap_or_else(own))
    }

    fn labels(&self, i: usize) -> Result<Option<Labels>> {
        Ok(self.labels.as_ref().and_then(|labels| labels.get(i).cloned()))
    }

    fn pose(&self, i: usize) -> Result<Option<Vec<KeyPoint>>> {
        Ok(self.poses.as_ref().and_then(|poses| poses.get(i).cloned()))
    }

    fn read(&self, range: Range<usize>) -> Result<Vec<RgbImage>> {
        (self.draw)(within(&self.name(), range, self.len())?)?.to_rgb()
    }

    fn identity(&self, range: Range<usize>) -> Result<String> {
        let mut hasher = blake3::Hasher::new();
        for value in self.inputs[within(&self.name(), range, self.len())?].iter().flatten() {
            hasher.update(&value.to_le_bytes());
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
