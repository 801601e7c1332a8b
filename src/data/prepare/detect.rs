//! Sliding-window detection with an LBP cascade, hit for hit equal to OpenCV's `CascadeClassifier`.
//!
//! Steps (specs B.2): grey, equalised histogram, a pyramid of levels, a 3×3-cell pattern code per stump, sums of
//! leaves per stage, grouping. Speed comes from looking at [`LANES`] windows at once while many of them live, and
//! from 16-bit summed-area tables; levels and stripes of rows run in parallel. The result does not depend on the
//! number of threads.

use image::{GrayImage, RgbImage};
use rayon::prelude::*;

use super::cascade::{Cascade, Feature, Model};
use super::grey::{equalize, luma};
use super::grouping::group;
use super::pyramid::{Geometry, Table, Word};
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

/// Windows evaluated together.
const LANES: usize = 16;
/// With fewer living windows than this of [`LANES`], they are evaluated one by one.
const DENSE: u32 = 4;
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
        let starts: Vec<usize> = (0..rows).step_by(STRIPE * geometry.step).collect();
        let stripe = |&start: &usize| {
            let end = rows.min(start + STRIPE * geometry.step);
            pulp::Arch::new().dispatch(|| scan.rows(start, end))
        };
        starts.par_iter().flat_map_iter(stripe).collect()
    };
    levels.par_iter().flat_map_iter(level_hits).collect()
}

/// A stump with the places of the 4×4 corners of its cells in the table of one level.
struct Probe {
    corners: [u32; 16],
    subset: [u32; 8],
    leaves: [f32; 2],
}

/// One level, ready to be searched.
struct Scan<T> {
    geometry: Geometry,
    columns: usize,
    window: (i32, i32),
    table: Table<T>,
    stages: Vec<(f64, Vec<Probe>)>,
}

impl<T: Word> Scan<T> {
    fn new(model: &Model, picture: &GrayImage, geometry: Geometry, columns: usize) -> Self {
        let table = Table::new(picture, &geometry, LANES);
        let corners = |cell: &Feature| {
            std::array::from_fn(|i| {
                let (row, column) =
                    (cell.y as usize + i / 4 * cell.h as usize, cell.x as usize + i % 4 * cell.w as usize);
                table.index(row, column) as u32
            })
        };
        let places: Vec<[u32; 16]> = model.features.iter().map(corners).collect();
        let stages = model.stages.iter().map(|stage| {
            let probe = |stump: &super::cascade::Stump| Probe {
                corners: places[stump.feature],
                subset: stump.subset,
                leaves: stump.leaves,
            };
            (stage.threshold, stage.stumps.iter().map(probe).collect())
        });
        let side = |pixels: u32| (pixels as f32 * geometry.scale).round_ties_even() as i32;
        let window = (side(model.window.0), side(model.window.1));
        Scan { geometry, columns, window, stages: stages.collect(), table }
    }

    /// Hits of the windows whose top edge is in `start..end`.
    #[inline(always)]
    fn rows(&self, start: usize, end: usize) -> Vec<Hit> {
        let step = self.geometry.step;
        let count = self.columns.div_ceil(step);
        let mut hits = Vec::new();
        for y in (start..end).step_by(step) {
            let row = &self.table.sums[y * self.table.stride..];
            // A window that dies in stage 0 takes its right neighbour with it.
            let mut skip = false;
            for chunk in (0..count).step_by(LANES) {
                let inside = u32::MAX >> (32 - LANES.min(count - chunk));
                let passed = self.stage(0, &row[chunk..]) & inside;
                let mut living = 0;
                for lane in 0..LANES {
                    let alive = passed >> lane & 1 == 1;
                    living |= u32::from(alive && !skip) << lane;
                    skip = !alive && !skip;
                }
                let mut found = if living == 0 { 0 } else { self.later_stages(living, &row[chunk..]) };
                while found != 0 {
                    let lane = found.trailing_zeros() as usize;
                    found &= found - 1;
                    hits.push(self.hit((chunk + lane) * step, y));
                }
            }
        }
        hits
    }

    fn hit(&self, x: usize, y: usize) -> Hit {
        let place = |pixels: usize| (pixels as f32 * self.geometry.scale).round_ties_even() as i32;
        Hit { x: place(x), y: place(y), w: self.window.0, h: self.window.1 }
    }

    /// Which of the `living` windows pass stages 1 and following.
    #[inline(always)]
    fn later_stages(&self, mut living: u32, windows: &[T]) -> u32 {
        for stage in 1..self.stages.len() {
            if living.count_ones() < DENSE {
                return self.one_by_one(stage, living, windows);
            }
            living &= self.stage(stage, windows);
        }
        living
    }

    #[inline(always)]
    fn one_by_one(&self, from: usize, mut living: u32, windows: &[T]) -> u32 {
        let mut found = 0;
        while living != 0 {
            let lane = living.trailing_zeros();
            living &= living - 1;
            let window = &windows[lane as usize..];
            let passes = |(threshold, probes): &(f64, Vec<Probe>)| {
                let sum: f64 = probes.iter().fold(0.0, |sum, probe| sum + probe.leaf(probe.code(window)));
                sum >= *threshold
            };
            found |= u32::from(self.stages[from..].iter().all(passes)) << lane;
        }
        found
    }

    /// Which of [`LANES`] neighbouring windows pass a stage.
    #[inline(always)]
    fn stage(&self, stage: usize, windows: &[T]) -> u32 {
        let (threshold, probes) = &self.stages[stage];
        let mut sums = [0f64; LANES];
        for probe in probes {
            let codes = probe.codes(windows);
            for lane in 0..LANES {
                sums[lane] += probe.leaf(codes[lane].into());
            }
        }
        let mut passed = 0;
        for (lane, sum) in sums.iter().enumerate() {
            passed |= u32::from(sum >= threshold) << lane;
        }
        passed
    }
}

impl Probe {
    #[inline(always)]
    fn leaf(&self, code: usize) -> f64 {
        let inside = self.subset[code >> 5] >> (code & 31) & 1;
        f64::from(if inside == 1 { self.leaves[0] } else { self.leaves[1] })
    }

    /// The pattern code of one window: which of the 8 outer cells are at least as bright as the centre,
    /// clockwise from the top left (128) to the left (1).
    #[inline(always)]
    fn code<T: Word>(&self, window: &[T]) -> usize {
        let p: [T; 16] = std::array::from_fn(|i| window[self.corners[i] as usize]);
        pattern(p).into()
    }

    #[inline(always)]
    fn codes<T: Word>(&self, windows: &[T]) -> [u8; LANES] {
        let p: [&[T; LANES]; 16] = self.corners.map(|corner| {
            let (lanes, _) = windows[corner as usize..].as_chunks::<LANES>();
            &lanes[0]
        });
        let mut codes = [0; LANES];
        for lane in 0..LANES {
            codes[lane] = pattern(p.map(|corner| corner[lane]));
        }
        codes
    }
}

#[inline(always)]
fn pattern<T: Word>(p: [T; 16]) -> u8 {
    let cell = |i: usize| p[i].minus(p[i + 1]).minus(p[i + 4]).plus(p[i + 5]);
    let centre = cell(5);
    let bit = |i: usize, weight: u8| if cell(i).at_least(centre) { weight } else { 0 };
    bit(0, 128) | bit(1, 64) | bit(2, 32) | bit(6, 16) | bit(10, 8) | bit(9, 4) | bit(8, 2) | bit(4, 1)
}
