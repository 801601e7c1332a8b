//! Published weights, read without executing anything.

pub mod npz;
pub mod safetensors;
pub mod webdnn;
