//! Grids, plots and tables: each value shows itself in a cell and saves itself to a file.

pub mod animation;
pub mod bundle;
mod chart;
mod data;
pub mod embed;
pub mod grid;
pub(crate) mod number;
pub mod plot;
mod render;
mod sample;
pub(crate) mod save;
mod scene;
pub mod skeleton;
pub mod table;
pub mod text;
mod ticks;
