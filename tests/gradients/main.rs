//! Every operation against numbers it did not make itself: finite differences to first and second order, PyTorch's
//! outputs and gradients, and itself on another number of threads.

mod differences;
mod operations;
mod penalties;
mod pytorch;
mod threads;
