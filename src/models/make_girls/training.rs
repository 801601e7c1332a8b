//! Training a model from a notebook.

use std::path::Path;

use super::config::MakeGirlsConfig;
use super::handle::MakeGirls;
use super::objective::Adversaries;
use crate::data::dataset::Dataset;
use crate::train::trainer::{Options, Trainer};
use crate::{Error, Result};

impl MakeGirls {
    /// Trains on a data set in a run folder; resumes when the folder holds a run of the same configuration and data.
    /// The trainer moves the weights of this very model: what it draws follows the training.
    ///
    /// A new run starts from the weights that the model has, so a model from a file is trained further.
    ///
    /// # Errors
    /// When the data set has other tags than the model or smaller pictures, or the folder holds something else.
    pub fn train_on(&self, dataset: &Dataset, folder: impl AsRef<Path>) -> Result<Trainer> {
        self.train_with(dataset, folder, Options::default())
    }

    /// As [`MakeGirls::train_on`], with other options; the device is that of the model.
    ///
    /// # Errors
    /// As [`MakeGirls::train_on`].
    pub fn train_with(&self, dataset: &Dataset, folder: impl AsRef<Path>, options: Options) -> Result<Trainer> {
        check_data(self.config(), dataset)?;
        Trainer::open::<Adversaries>(self.config(), dataset, folder, options.networks(self.weights()))
    }
}

fn check_data(config: &MakeGirlsConfig, dataset: &Dataset) -> Result<()> {
    if dataset.tags().names() != config.tags.names() {
        let hint = "Give the model the tags of the data set: `MakeGirls::tiny().tags(faces.tags())`.";
        let (found, expected) = (format!("{:?}", dataset.tags()), format!("{:?}", config.tags));
        return Err(Error::invalid(format!("tags of {}", dataset.name()), found, expected, hint));
    }
    if (dataset.size() as usize) < config.size() {
        let found = format!("{0} × {0} pixels", dataset.size());
        let expected = format!("{} or more", config.size());
        return Err(Error::invalid(format!("pictures of {}", dataset.name()), found, expected, ""));
    }
    Ok(())
}
