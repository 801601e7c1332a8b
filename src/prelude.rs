//! What a notebook needs, nothing else: `use tachie::prelude::*;`

pub use crate::data::avatar::Avatar;
pub use crate::data::{Batch, Dataset, Images, Labels, Source, TagSampler, TagSet, tags};
pub use crate::device::{Device, device};
pub use crate::error::{Error, Result};
pub use crate::rng::{Seed, seed};
pub use crate::show::grid::Grid;
pub use crate::show::plot::{LossPlot, Plot};
pub use crate::show::table::Table;
pub use candle_core::{DType, Tensor};
