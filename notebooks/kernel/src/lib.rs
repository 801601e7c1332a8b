//! The library, as one dylib for the cells of a notebook.

pub use library::*;
