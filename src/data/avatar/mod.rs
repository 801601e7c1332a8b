//! Procedural anime characters whose labels are exact.

mod canvas;
pub mod faces;
pub mod palette;
mod shape;
