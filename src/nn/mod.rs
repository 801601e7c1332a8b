//! Parameters, and layers on top of [`crate::ops`].

pub mod augment;
pub mod blocks;
pub mod conv;
pub mod critic;
pub mod dropout;
pub mod guard;
pub mod init;
pub mod linear;
pub mod norm;
pub mod params;
pub mod patch;
pub mod precision;
pub mod progressive;
pub mod spectral;
pub mod vgg;
