//! Training: the trait, the plan, the one trainer, and the run folder.

mod calls;
#[cfg(feature = "cuda")]
mod captured;
pub mod checkpoint;
#[cfg_attr(not(feature = "cuda"), allow(dead_code, reason = "only graphs note draws and give them"))]
mod draw;
mod driver;
pub mod ema;
mod files;
pub mod gan;
pub mod guard;
pub mod handle;
pub mod history;
mod lock;
pub mod optim;
mod options;
pub mod plan;
pub mod progress;
mod round;
mod run_config;
pub(crate) mod supervised;
pub mod tensorboard;
mod terms;
mod threads;
mod tick;
pub mod trainer;

pub use calls::brief;
pub(crate) use tick::{duration, print_line};
