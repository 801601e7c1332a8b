//! The models that the papers compare with.

pub mod attgan;
pub mod dcgan;
pub mod fadernet;
pub mod icgan;
pub mod pg2;
pub mod pix2pix;
pub mod pix2pixhd;
pub mod pldt;
pub mod progan;
pub mod stargan;
pub mod stgan;
