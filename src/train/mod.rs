//! Training: the trait, the plan, the one trainer, and the run folder.

pub mod checkpoint;
pub mod ema;
pub mod guard;
pub mod handle;
pub mod history;
pub mod lock;
pub mod optim;
pub mod tensorboard;
pub mod trainer;
