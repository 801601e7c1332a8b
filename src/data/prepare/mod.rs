//! Steps that turn found pictures into a data set.

pub mod cascade;
pub mod detect;
pub mod faces;
pub mod grey;
mod grouping;
mod pyramid;
mod scan;
