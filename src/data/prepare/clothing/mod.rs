//! From pictures of the web to pairs of a character and a real piece of clothing.
//!
//! Anime-to-Real Clothing (arXiv 2008.11479, section 3; specs/clothing.md section B) builds its 35,633 pairs in eight steps.
//! Each is a function of a folder, which it never touches, to another one:
//!
//! 1. [`gather`]: what local folders hold, and what of it is a picture at all;
//! 2. [`classify`]: which of them are pairs, by a classifier that learns from labels that it asks for;
//! 3. [`detector`], or the [`boxes`] of any other one, and [`crop_pairs`]: the two halves of a pair;
//! 4. [`dedupe`]: near-duplicates ([`similar`], [`near`]), and splits that no group of them crosses;
//! 5. [`upscale`]: what is too small, made larger by a network or by Lanczos;
//! 6. [`pad`], the mirrored and blurred ground beside a picture, and [`keypoints`] by a network that is trained on drawn
//!    photos, or by another one's [`heatmaps`];
//! 7. [`calibrate`]: the clothing in the middle;
//! 8. [`pairs`]: the table and the manifest of the data set.
//!
//! All of them can be interrupted: a record of each file ([`RECORDS`]) only grows, and the same call goes on where it was.
//! What was dropped, and why, is in [`REPORT`](crate::data::report::REPORT) and [`PROBLEMS`](crate::data::report::PROBLEMS).

pub mod boxes;
pub mod calibrate;
pub mod classify;
pub mod crop_pairs;
pub mod dedupe;
pub mod detector;
pub mod gather;
pub mod heatmaps;
pub mod keypoints;
pub mod near;
pub mod pad;
pub mod pairs;
pub mod similar;
mod step;
pub mod upscale;

pub(super) use step::write_table;
pub use step::{RECORDS, StepReport};
