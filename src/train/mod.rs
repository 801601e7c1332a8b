//! Training: the trait, the plan, the one trainer, and the run folder.

mod calls;
pub mod checkpoint;
mod driver;
pub mod ema;
mod files;
pub mod gan;
pub mod guard;
pub mod handle;
pub mod history;
mod lock;
pub mod optim;
pub mod plan;
pub mod progress;
mod run_config;
pub mod tensorboard;
mod tick;
pub mod trainer;
