//! Training: the trait, the plan, the one trainer, and the run folder.

pub mod checkpoint;
pub mod ema;
mod files;
pub mod gan;
pub mod guard;
pub mod handle;
pub mod history;
mod lock;
pub mod optim;
pub mod plan;
pub mod tensorboard;
pub mod trainer;
