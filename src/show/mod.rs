//! Grids, plots and tables: each value shows itself in a cell and saves itself to a file.

pub mod bundle;
pub mod embed;
pub mod grid;
pub mod plot;
pub mod table;
