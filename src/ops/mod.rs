//! Differentiable operations that candle lacks, gets wrong or does slowly.
//!
//! Every operation takes f32 or f64 and any layout, returns contiguous tensors, gives the same bits whatever the number
//! of threads is, and has a backward pass made of operations of this module (or of those of candle that are right), so
//! that it can be differentiated again. `tests/gradients.rs` checks all of them to second order.

pub mod activation;
pub mod adam;
pub mod arithmetic;
pub mod cast;
pub mod channel;
pub mod conv;
pub mod data;
pub mod epilogue;
pub mod finite;
pub mod fir;
pub mod gated;
pub mod level;
pub mod max_pool;
pub mod minibatch;
pub mod norm;
pub mod pad;
pub mod pose;
pub mod reduce;
pub mod resample;
pub mod reshape;
pub mod spectral;
pub mod warp;

mod aligned;
mod columns;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
mod kernel;
mod lend;
mod op;
mod smooth;
mod tiles;
mod vector;

#[cfg(feature = "cudnn")]
pub(crate) use cuda::cudnn_version;

/// A vertical and a horizontal size: `3` stands for `[3, 3]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pair(pub [usize; 2]);

impl From<usize> for Pair {
    fn from(both: usize) -> Self {
        Pair([both, both])
    }
}

impl From<[usize; 2]> for Pair {
    fn from(pair: [usize; 2]) -> Self {
        Pair(pair)
    }
}

impl From<(usize, usize)> for Pair {
    fn from((vertical, horizontal): (usize, usize)) -> Self {
        Pair([vertical, horizontal])
    }
}
