//! Published weights, read without executing anything.

pub mod npz;
pub mod webdnn;
