//! PLDT: Yoo, Kim, Park, Paek, Kweon, "Pixel-Level Domain Transfer" (ECCV 2016), <https://arxiv.org/abs/1603.07442>: 64 px,
//! one discriminator of single pictures and one of pairs, cross entropy alone.
//!
//! The authors have not published code. There are two readings, [`Reading`], after ports that others have published.

mod networks;
mod objective;

pub use networks::{Converter, Judge, Reading};
pub use objective::{Adversaries, Pldt, PldtConfig};
