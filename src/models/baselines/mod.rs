//! The models that the papers compare with.

pub mod dcgan;
pub mod pg2;
pub mod progan;
