//! Drawing with make.girls.moe: what the paper's figures and the official web site do.

use candle_core::Tensor;

use super::{Latent, Noise, in_chunks};
use crate::data::batch::Images;
use crate::data::tags::Labels;
use crate::models::make_girls::MakeGirls;
use crate::nn::norm::Mode;
use crate::rng::Seed;
use crate::{Error, Result};

impl MakeGirls {
    /// Attributes by name in this model's vocabulary: `model.tags("silver hair, smile, blue eyes")?`.
    ///
    /// # Errors
    /// As [`TagSet::parse`](crate::data::tags::TagSet::parse).
    pub fn tags(&self, text: impl AsRef<str>) -> Result<Labels> {
        self.config().tags.parse(text)
    }

    /// Random noise for one picture, as long as z.
    pub fn noise(&self, seed: Seed) -> Noise {
        Noise::new(self.config().latent, seed)
    }

    /// `n` pictures with these attributes and random noise. An exclusive group (hair colour, eye colour) in which
    /// `labels` names nothing is drawn anew for every picture, since the networks have never seen a face without one;
    /// other attributes that are not named are off.
    ///
    /// # Errors
    /// When the labels are of another vocabulary, or the device has no memory for the pictures.
    pub fn sample(&self, labels: &Labels, n: usize, seed: Seed) -> Result<Images> {
        self.sample_many(&vec![labels.clone(); n], seed)
    }

    /// One picture for each of these attributes, with random noise; otherwise as [`MakeGirls::sample`].
    ///
    /// # Errors
    /// As [`MakeGirls::sample`].
    pub fn sample_many(&self, labels: &[Labels], seed: Seed) -> Result<Images> {
        self.generate(&self.latents(labels, seed)?)
    }

    /// `n` pictures with random noise and attributes, drawn as while training.
    ///
    /// # Errors
    /// When the device has no memory for the pictures.
    pub fn sample_random(&self, n: usize, seed: Seed) -> Result<Images> {
        self.generate(&self.random_latents(n, seed)?)
    }

    /// `n` inputs with random noise and attributes, drawn as while training.
    ///
    /// # Errors
    /// When the sampler cannot draw from the vocabulary.
    pub fn random_latents(&self, n: usize, seed: Seed) -> Result<Vec<Latent>> {
        let config = self.config();
        let mut stream = seed.stream("labels");
        let labels = (0..n).map(|_| config.sampler.sample(&config.tags, &mut stream)).collect::<Result<Vec<_>>>()?;
        self.latents(&labels, seed)
    }

    /// Inputs with these attributes and random noise, one each; groups in which nothing is named are completed as in
    /// [`MakeGirls::sample`].
    ///
    /// # Errors
    /// When labels are of another vocabulary.
    pub fn latents(&self, labels: &[Labels], seed: Seed) -> Result<Vec<Latent>> {
        let (mut noise, mut colours) = (seed.stream("noise"), seed.stream("colours"));
        let config = self.config();
        labels
            .iter()
            .map(|labels| {
                let drawn = config.sampler.sample(&config.tags, &mut colours)?;
                let labels = completed(self.own(labels)?, &drawn);
                Ok(Latent::new(&Noise::draw(config.latent, &mut noise), &labels))
            })
            .collect()
    }

    /// The pictures of these inputs, one each, with their attributes as captions.
    ///
    /// # Errors
    /// When a latent vector has another length or labels are of another vocabulary.
    pub fn generate(&self, latents: &[Latent]) -> Result<Images> {
        let captions = latents.iter().map(|latent| latent.labels.to_string()).collect();
        let made = self.generate_raw(latents)?;
        Images::new(self.config().planes.swap(&made)?)?.with_captions(captions)
    }

    /// As [`MakeGirls::generate`], but the network's own numbers: `[N, 3, H, W]`, planes in the order of
    /// [`MakeGirlsConfig::planes`](crate::models::make_girls::MakeGirlsConfig::planes).
    ///
    /// # Errors
    /// As [`MakeGirls::generate`].
    pub fn generate_raw(&self, latents: &[Latent]) -> Result<Tensor> {
        let networks = self.networks()?;
        in_chunks("pictures to draw", latents.len(), |range| {
            let chunk = &latents[range];
            let mut z = Vec::with_capacity(chunk.len() * self.config().latent);
            let mut labels = Vec::with_capacity(chunk.len());
            for latent in chunk {
                self.check_latent(latent)?;
                z.extend_from_slice(&latent.z);
                labels.push(self.own(&latent.labels)?);
            }
            let z = Tensor::from_vec(z, (chunk.len(), self.config().latent), self.device())?;
            networks.generator().forward(&z, &Labels::stack(&labels, self.device())?, Mode::Eval)
        })
    }

    /// The labels in this model's own vocabulary: chances and groups may differ, since a network only knows the names
    /// and their order.
    fn own(&self, labels: &Labels) -> Result<Labels> {
        let tags = &self.config().tags;
        if labels.tags().names() == tags.names() {
            return tags.labels_from(labels.values.clone());
        }
        let hint = "Make them with `model.tags(..)`.";
        Err(Error::invalid("labels", format!("{:?}", labels.tags()), format!("{tags:?}"), hint))
    }

    fn check_latent(&self, latent: &Latent) -> Result<()> {
        let wanted = self.config().latent;
        match latent.z.len() == wanted && latent.z.iter().all(|v| v.is_finite()) {
            true => Ok(()),
            false => {
                let found = format!("{} numbers", latent.z.len());
                Err(Error::invalid("latent vector", found, format!("{wanted} finite numbers"), ""))
            }
        }
    }
}

/// `labels`, with exclusive groups in which nothing is named taken from `drawn`.
fn completed(mut labels: Labels, drawn: &Labels) -> Labels {
    for group in drawn.tags().groups() {
        if group.members.iter().all(|&id| labels.values[id] == 0.0) {
            group.members.iter().for_each(|&id| labels.values[id] = drawn.values[id]);
        }
    }
    labels
}
