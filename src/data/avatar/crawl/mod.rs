//! A messy folder of pictures as a crawl of the web gives it, with the truth about every file.
//!
//! It stands in for the pictures that S. Tango et al., "Anime-to-Real Clothing: Cosplay Costume Generation via
//! Image-to-Image Translation" (2020), section 3, gathered by search engines, which were not published. Characters and
//! photos are those of [`costumes`](super::costumes), of other costumes than [`Avatar::costumes`](super::Avatar::costumes)
//! has.

mod encode;
mod judged;
mod plan;
mod scenery;
mod settings;
mod sheet;
mod truth;

pub use judged::{OffCentre, Truth};
pub use settings::{Crawl, CrawledFile};
pub use truth::{Alteration, Arrangement, Bounds, FileTruth, Kind, Oddity, TRUTH, read_truth};
