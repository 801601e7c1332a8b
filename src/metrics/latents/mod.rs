//! How straight and how separable the latent space of a generator is (StyleGAN, section 4).

pub mod path_length;
pub mod separability;
mod svm;
