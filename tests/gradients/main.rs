//! Every operation against numbers it did not make itself: finite differences to first and second order, PyTorch's
//! outputs and gradients, and itself on another number of threads and with other vector instructions.

mod differences;
mod fused;
mod operations;
mod penalties;
mod processes;
mod pytorch;
mod pytorch_fused;
mod sums;
mod threads;
