//! Sliding-window detection with an LBP cascade, hit for hit equal to OpenCV's `CascadeClassifier`.
//!
//! Steps (specs B.2): grey, equalised histogram, a pyramid of levels, a 3×3-cell pattern code per stump, sums of
//! leaves per stage, grouping. Levels and stripes of rows run in parallel; the
//! result does not depend on the number of threads.

use image::{GrayImage, RgbImage};
use rayon::prelude::*;

use super::cascade::{Cascade, Model};
use super::grey::{equalize, luma};
use super::grouping::group;
use super::pyramid::{Geometry, Word};
use super::scan::Scan;
use crate::{Error, Result};

/// How to look for faces. The defaults are those that the anime face cascade recommends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DetectOptions {
    /// Ratio of one pyramid level to the next, 1.001 to 16.
    pub scale_factor: f64,
    /// A face needs more agreeing hits than this. 0 leaves hits ungrouped.
    pub min_neighbors: usize,
    /// Smallest face side in pixels.
    pub min_size: u32,
    /// Largest face side in pixels; `None` is the picture's.
    pub max_size: Option<u32>,
    /// Equalise the histogram first.
    pub equalize: bool,
}

impl Default for DetectOptions {
    fn default() -> Self {
        DetectOptions { scale_factor: 1.1, min_neighbors: 5, min_size: 24, max_size: None, equalize: true }
    }
}

/// One window that passed all stages, in pixels of the picture and clipped to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// Left edge.
    pub x: i32,
    /// Top edge.
    pub y: i32,
    /// Width.
    pub w: i32,
    /// Height.
    pub h: i32,
}

/// A found face: the average of agreeing hits, in pixels of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Face {
    /// Left edge.
    pub x: i32,
    /// Top edge.
    pub y: i32,
    /// Width.
    pub w: i32,
    /// Height.
    pub h: i32,
    /// Number of hits that agree on it.
    pub neighbors: usize,
}

/// Rows of windows per parallel task.
const STRIPE: usize = 16;

impl Cascade {
    /// Finds faces in an RGB picture; see [`Cascade::detect_grey`].
    ///
    /// # Errors
    /// When an option is out of range.
    pub fn detect(&self, picture: &RgbImage, options: &DetectOptions) -> Result<Vec<Face>> {
        self.detect_grey(&luma(picture), options)
    }

    /// Finds faces: hits grouped as OpenCV's `detectMultiScale` does, most certain first. A picture smaller than the
    /// window holds none.
    ///
    /// # Errors
    /// When an option is out of range.
    pub fn detect_grey(&self, picture: &GrayImage, options: &DetectOptions) -> Result<Vec<Face>> {
        let hits = self.search(picture, options)?;
        let faces = match options.min_neighbors {
            0 => hits.into_iter().map(|hit| (hit, 1)).collect(),
            _ => group(&hits, options.min_neighbors),
        };
        let face = |(hit, neighbors): (Hit, usize)| {
            let Hit { x, y, w, h } = hit.clip(picture);
            Face { x, y, w, h, neighbors }
        };
        Ok(faces.into_iter().map(face).collect())
    }

    /// Every window that passes all stages, level by level from the smallest, in reading order (OpenCV's
    /// `minNeighbors=0`).
    ///
    /// # Errors
    /// When an option is out of range.
    pub fn raw_hits(&self, picture: &GrayImage, options: &DetectOptions) -> Result<Vec<Hit>> {
        Ok(self.search(picture, options)?.into_iter().map(|hit| hit.clip(picture)).collect())
    }

    fn search(&self, picture: &GrayImage, options: &DetectOptions) -> Result<Vec<Hit>> {
        options.check()?;
        let flat;
        let picture = if options.equalize {
            flat = equalize(picture);
            &flat
        } else {
            picture
        };
        let model = &*self.inner;
        let levels = levels(model, picture.dimensions(), options);
        let largest_sum = model.features.iter().map(|cell| 255 * u64::from(cell.w * cell.h)).max().unwrap_or(0);
        Ok(if largest_sum <= u16::MAX.into() {
            search::<u16>(model, picture, &levels)
        } else {
            search::<u32>(model, picture, &levels)
        })
    }
}

impl Hit {
    /// Rounding may put a window a few pixels outside: that part is cut off, after grouping, as OpenCV does.
    fn clip(self, picture: &GrayImage) -> Self {
        let cut = |start: i32, length: i32, side: u32| length.min(i32::try_from(side).unwrap_or(i32::MAX) - start);
        Hit { w: cut(self.x, self.w, picture.width()), h: cut(self.y, self.h, picture.height()), ..self }
    }
}

impl DetectOptions {
    pub(super) fn check(&self) -> Result<()> {
        if (1.001..=16.0).contains(&self.scale_factor) {
            return Ok(());
        }
        Err(Error::invalid("scale_factor", self.scale_factor.to_string(), "1.001 to 16", "1.1 is the usual value."))
    }
}

/// The levels whose window fits the picture and the size limits.
fn levels(model: &Model, picture: (u32, u32), options: &DetectOptions) -> Vec<Geometry> {
    let limit = options.max_size.unwrap_or(u32::MAX);
    let mut levels = Vec::new();
    let mut factor = 1.0;
    loop {
        let side = |pixels: u32| (f64::from(pixels) * factor).round_ties_even();
        let (width, height) = (side(model.window.0), side(model.window.1));
        if width > f64::from(picture.0.min(limit)) || height > f64::from(picture.1.min(limit)) {
            return levels;
        }
        if width.min(height) >= f64::from(options.min_size) {
            levels.push(Geometry::new(picture, factor as f32));
        }
        factor *= options.scale_factor;
    }
}

fn search<T: Word>(model: &Model, picture: &GrayImage, levels: &[Geometry]) -> Vec<Hit> {
    let (window_width, window_height) = (model.window.0 as usize, model.window.1 as usize);
    let Some(first) = levels.first() else { return Vec::new() };
    // OpenCV cuts every level into as many stripes as the first level is 32 windows wide, each a rounded-up share of
    // height / step, rounded *down*, rows: with step 2 the last row can fall off. Equal hits need the same cut.
    let stripes = (first.width + 1).saturating_sub(window_width).div_ceil(32).max(1);
    let level_hits = |geometry: &Geometry| -> Vec<Hit> {
        let columns = (geometry.width + 1).saturating_sub(window_width);
        let height = (geometry.height + 1).saturating_sub(window_height);
        let rows = height.min((height / geometry.step).div_ceil(stripes).max(1) * geometry.step * stripes);
        if columns == 0 || rows == 0 {
            return Vec::new();
        }
        let scan = Scan::<T>::new(model, picture, *geometry, columns);
        let stripe = STRIPE * geometry.step;
        let starts: Vec<usize> = (0..rows).step_by(stripe).collect();
        starts.par_iter().flat_map_iter(|&start| scan.rows(start, rows.min(start + stripe))).collect()
    };
    levels.par_iter().flat_map_iter(level_hits).collect()
}
