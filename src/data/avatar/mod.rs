//! Procedural anime characters whose labels are exact.

pub mod faces;
