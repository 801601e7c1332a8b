//! Training steps of the catalogue's models on a device of one's choice.

use std::path::Path;

use tachie::Result;
use tachie::candle_core::Device;
use tachie::data::batch::Batch;
use tachie::models::make_girls::MakeGirlsConfig;
use tachie::rng::Seed;
use tachie::train::plan::Precision;
use tachie::train::trainer::{Options, Trainer};

use super::models::{Measured, Model, models};

/// Pictures of a step whose numbers are compared or counted: none of that depends on how many there are.
const PICTURES: usize = 2;

/// The models with small batches; of each name the first, and without what is large where only small ones are wanted.
pub fn few(small: bool) -> Vec<Model> {
    let smaller = models().into_iter().filter(|model| !(small && (model.large || model.name.contains("paper"))));
    smaller
        .map(|model| Model {
            name: model.name.rsplit_once(", batch").map_or(model.name.clone(), |(name, _)| name.into()),
            config: model.config.clone().batch(PICTURES),
            ..model
        })
        .collect()
}

/// How steps are computed.
#[derive(Clone, Copy)]
pub struct How {
    pub precision: Precision,
    /// As CUDA graphs.
    pub graphs: bool,
}

impl How {
    /// Operation by operation.
    pub fn eagerly(precision: Precision) -> How {
        How { precision, graphs: false }
    }
}

/// A trainer on `device` in a folder of its own, and the batch that it is shown.
pub fn trainer(model: &Model, device: &Device, how: How, folder: &Path) -> Result<(Trainer, Batch)> {
    let faces = model.faces()?;
    let config = MakeGirlsConfig { tags: faces.tags().clone(), ..model.config.clone() };
    let gan = config.build_with(device, Seed(0))?;
    let options = Options::default().seed(Seed(0)).threads(0).precision(how.precision).graphs(how.graphs);
    let trainer = gan.train_with(&faces, folder, options)?;
    Ok((trainer, model.batch()?.to_device(device)?))
}
