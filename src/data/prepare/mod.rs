//! Steps that turn found pictures into a data set.

pub mod art;
pub mod cascade;
pub mod clothing;
mod copy;
pub mod detect;
pub mod faces;
pub mod grey;
mod grouping;
pub mod label;
mod lines;
pub mod measure;
mod pyramid;
pub mod review;
mod scan;
mod stamp;
mod union;
