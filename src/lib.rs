//! tachie (立ち絵, the standing character picture): train, sample, edit and judge anime-character GANs
//! from a Jupyter notebook or from the command line.
//!
//! The chapters, in the order in which they depend on each other:
//!
//! | module | is |
//! |---|---|
//! | [`error`], [`rng`], [`mod@device`] | one error type, named random streams, the processor |
//! | [`autograd`] | the backward pass |
//! | [`ops`] | differentiable operations that candle lacks or gets wrong |
//! | [`nn`] | parameters and layers on top of them |
//! | [`losses`] | adversarial, penalty and attribute losses |
//! | [`data`] | data sets: manifests, stores, loaders, and `Avatar`, the built-in one |
//! | [`weights`] | published weights |
//! | [`train`] | the trait `Gan`, the plan, the one trainer, checkpoints |
//! | [`models`] | one file per paper, and the catalogue |
//! | [`sample`] | latents, interpolation, attributes |
//! | [`metrics`] | measurements |
//! | [`show`] | grids, plots and tables, in a cell or as a file |

pub mod autograd;
pub mod data;
pub mod device;
pub mod error;
mod filter;
mod hash;
pub mod losses;
mod memory;
pub mod metrics;
pub mod models;
pub mod nn;
pub mod ops;
pub mod prelude;
pub mod rng;
pub mod sample;
pub mod show;
pub mod train;
pub mod weights;

pub use device::device;
pub use error::{Error, Result};

// Cells take these from here, so that there is one copy of each in the process.
pub use {candle_core, candle_nn, evcxr_runtime, image, plotters, polars};
