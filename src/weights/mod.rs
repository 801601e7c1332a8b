//! Published weights, read without executing anything.

pub mod caffe;
pub mod fetch;
pub mod manifest;
pub mod npz;
pub mod pytorch;
pub mod safetensors;
pub mod webdnn;
