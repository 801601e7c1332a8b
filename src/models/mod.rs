//! One file per paper, and the catalogue that drives what is the same for all of them.

pub mod anime2clothing;
pub mod animegan;
pub mod baselines;
pub mod catalogue;
pub mod classes;
pub mod editing;
mod labels;
pub mod make_girls;
pub mod model;
mod preview;
pub mod psgan;
pub mod study;
pub mod stylegan;
pub mod translation;
