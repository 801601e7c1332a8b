//! The operations on a GPU: kernels of our own (`kernels/*.cu`) and cuDNN's convolutions.
//!
//! Each function takes operands as candle stores them (contiguous; f32, or bf16 with arithmetic in f32; numbers that
//! stand for many numbers, as scales, biases and sums do, are f32 in any case), launches on the device's one stream and
//! returns before the GPU is done. What the numbers mean is said at the operation whose CPU side does the same.

pub(crate) mod cast;
pub(crate) mod conv;
pub(crate) mod data;
pub(crate) mod elementwise;
pub(crate) mod graph;
pub(crate) mod norm;
pub(crate) mod optim;
pub(crate) mod pose;
pub(crate) mod resample;
pub(crate) mod warp;

#[cfg(feature = "cudnn")]
mod cudnn;
mod launch;

pub(crate) use launch::{OnGpu, Operand};

#[cfg(feature = "cudnn")]
pub(crate) use cudnn::version as cudnn_version;
