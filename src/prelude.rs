//! What a notebook needs, nothing else: `use tachie::prelude::*;`

pub use crate::data::avatar::Avatar;
pub use crate::data::avatar::faces::{LabelPair, label_sheet};
pub use crate::data::{Batch, Dataset, Images, Labels, Source, TagSampler, TagSet, tags};
pub use crate::device::{Device, device};
pub use crate::error::{Error, Result};
pub use crate::metrics::colour::ColourAccuracy;
pub use crate::metrics::frechet::frechet_distance;
pub use crate::metrics::neighbours::nearest;
pub use crate::metrics::tsne::Tsne;
pub use crate::models::make_girls::MakeGirls;
pub use crate::rng::{Seed, seed};
pub use crate::sample::{Latent, Noise};
pub use crate::show::grid::Grid;
pub use crate::show::plot::{LossPlot, Plot, Series};
pub use crate::show::table::Table;
pub use crate::train::history::History;
pub use crate::train::trainer::Trainer;
pub use candle_core::{DType, Tensor};
