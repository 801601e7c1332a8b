//! What a notebook needs, nothing else: `use tachie::prelude::*;`

pub use crate::data::{Batch, Dataset, Images, Labels, Source, TagSampler, TagSet, tags};
pub use crate::device::{Device, device};
pub use crate::error::{Error, Result};
pub use crate::rng::{Seed, seed};
pub use candle_core::{DType, Tensor};
