//! Evaluation of a cascade on all windows of one level.
//!
//! [`LANES`] neighbouring windows go through a stage together while enough of them live; the rest one by one. On
//! processors with AVX2 the 256-bit sets of pattern codes are looked up eight windows at a time.

use super::cascade::{Feature, Model, Stump};
use super::detect::Hit;
use super::pyramid::{Geometry, Table, Word};
use image::GrayImage;

/// Windows evaluated together.
const LANES: usize = 16;
/// Fewer living windows than this are evaluated one by one.
const DENSE: u32 = 4;
/// Far above the rounding errors of a sum of leaves, far below any difference that matters to speed.
const SLACK: f64 = 1e-9;

/// One level, ready to be searched.
pub(super) struct Scan<T> {
    geometry: Geometry,
    columns: usize,
    window: (i32, i32),
    table: Table<T>,
    stages: Vec<Probes>,
}

struct Probes {
    threshold: f64,
    stumps: Vec<Probe>,
}

/// A stump with the places of the 4×4 corners of its cells in the table of one level.
struct Probe {
    corners: [u32; 16],
    subset: [u32; 8],
    leaves: [f32; 2],
    /// With a sum below this after this stump the stage is lost whatever the others say.
    lost: f64,
    /// With a sum above this the stage is passed.
    won: f64,
}

impl Probes {
    fn new(threshold: f64, stumps: &[Stump], corners: &[[u32; 16]]) -> Self {
        let (mut lowest, mut highest) = (0.0, 0.0);
        let probe = |stump: &Stump| {
            let probe = Probe {
                corners: corners[stump.feature],
                subset: stump.subset,
                leaves: stump.leaves,
                lost: threshold - highest - SLACK,
                won: threshold - lowest + SLACK,
            };
            lowest += f64::from(stump.leaves[0].min(stump.leaves[1]));
            highest += f64::from(stump.leaves[0].max(stump.leaves[1]));
            probe
        };
        let mut stumps: Vec<Probe> = stumps.iter().rev().map(probe).collect();
        stumps.reverse();
        Probes { threshold, stumps }
    }
}

impl<T: Word> Scan<T> {
    /// Makes the level of `picture`; `columns` is the number of window positions in a row.
    pub fn new(model: &Model, picture: &GrayImage, geometry: Geometry, columns: usize) -> Self {
        let table = Table::new(picture, &geometry, LANES);
        let place = |cell: &Feature, i: usize| {
            let (row, column) = (cell.y as usize + i / 4 * cell.h as usize, cell.x as usize + i % 4 * cell.w as usize);
            table.index(row, column) as u32
        };
        let corners: Vec<[u32; 16]> =
            model.features.iter().map(|cell| std::array::from_fn(|i| place(cell, i))).collect();
        let stages = model.stages.iter().map(|stage| Probes::new(stage.threshold, &stage.stumps, &corners)).collect();
        let side = |pixels: u32| (pixels as f32 * geometry.scale).round_ties_even() as i32;
        let window = (side(model.window.0), side(model.window.1));
        Scan { geometry, columns, window, stages, table }
    }

    /// Hits of the windows whose top edge is in `start..end`.
    pub fn rows(&self, start: usize, end: usize) -> Vec<Hit> {
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            return simd.vectorize(
                #[inline(always)]
                || self.rows_with(simd, start, end),
            );
        }
        self.rows_with(Portable, start, end)
    }

    #[inline(always)]
    fn rows_with<L: Lookup>(&self, lookup: L, start: usize, end: usize) -> Vec<Hit> {
        let step = self.geometry.step;
        let count = self.columns.div_ceil(step);
        let mut hits = Vec::new();
        for y in (start..end).step_by(step) {
            let row = &self.table.sums[y * self.table.stride..];
            // A window that dies in stage 0 takes its right neighbour with it.
            let mut skip = false;
            for chunk in (0..count).step_by(LANES) {
                let windows = &row[chunk..];
                let inside = u32::MAX >> (32 - LANES.min(count - chunk));
                let passed = self.stages[0].pass(lookup, windows) & inside;
                let mut living = 0;
                for lane in 0..LANES {
                    let alive = passed >> lane & 1 == 1;
                    living |= u32::from(alive && !skip) << lane;
                    skip = !alive && !skip;
                }
                let mut found = if living == 0 { 0 } else { self.later_stages(lookup, living, windows) };
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
    fn later_stages<L: Lookup>(&self, lookup: L, mut living: u32, windows: &[T]) -> u32 {
        for (i, stage) in self.stages.iter().enumerate().skip(1) {
            if living.count_ones() < DENSE {
                return one_by_one(&self.stages[i..], living, windows);
            }
            living &= stage.pass(lookup, windows);
        }
        living
    }
}

#[inline(always)]
fn one_by_one<T: Word>(stages: &[Probes], mut living: u32, windows: &[T]) -> u32 {
    let mut found = 0;
    while living != 0 {
        let lane = living.trailing_zeros();
        living &= living - 1;
        let window = &windows[lane as usize..];
        let mut passed = true;
        for stage in stages {
            passed = stage.passes(window);
            if !passed {
                break;
            }
        }
        found |= u32::from(passed) << lane;
    }
    found
}

impl Probes {
    /// Whether one window passes.
    #[inline(always)]
    fn passes<T: Word>(&self, window: &[T]) -> bool {
        let mut sum = 0.0;
        for probe in &self.stumps {
            sum += probe.leaf(probe.code(window));
            if sum < probe.lost {
                return false;
            }
            if sum > probe.won {
                return true;
            }
        }
        sum >= self.threshold
    }

    /// Which of [`LANES`] neighbouring windows pass, as bits.
    #[inline(always)]
    fn pass<T: Word, L: Lookup>(&self, lookup: L, windows: &[T]) -> u32 {
        let mut sums = [0f64; LANES];
        for probe in &self.stumps {
            lookup.add(probe, &probe.codes(windows), &mut sums);
        }
        let mut passed = 0;
        for (lane, &sum) in sums.iter().enumerate() {
            passed |= u32::from(sum >= self.threshold) << lane;
        }
        passed
    }
}

impl Probe {
    #[inline(always)]
    fn leaf(&self, code: u8) -> f64 {
        let inside = self.subset[usize::from(code >> 5)] >> (code & 31) & 1;
        f64::from(if inside == 1 { self.leaves[0] } else { self.leaves[1] })
    }

    /// The pattern code of one window.
    #[inline(always)]
    fn code<T: Word>(&self, window: &[T]) -> u8 {
        let mut corners = [T::default(); 16];
        for (value, &corner) in corners.iter_mut().zip(&self.corners) {
            *value = window[corner as usize];
        }
        pattern(&corners)
    }

    /// The pattern codes of [`LANES`] neighbouring windows.
    #[inline(always)]
    fn codes<T: Word>(&self, windows: &[T]) -> [u8; LANES] {
        let mut corners = [[T::default(); LANES]; 16];
        for (lanes, &corner) in corners.iter_mut().zip(&self.corners) {
            lanes.copy_from_slice(&windows[corner as usize..][..LANES]);
        }
        let mut codes = [0; LANES];
        for (lane, code) in codes.iter_mut().enumerate() {
            *code = pattern(&std::array::from_fn(|i| corners[i][lane]));
        }
        codes
    }
}

/// The pattern code of 4×4 corners: which of the 8 outer cells are at least as bright as the centre, clockwise from
/// the top left (128) to the left (1).
#[inline(always)]
fn pattern<T: Word>(p: &[T; 16]) -> u8 {
    let cell = |i: usize| p[i].minus(p[i + 1]).minus(p[i + 4]).plus(p[i + 5]);
    let centre = cell(5);
    let bit = |i: usize, weight: u8| if cell(i).at_least(centre) { weight } else { 0 };
    bit(0, 128) | bit(1, 64) | bit(2, 32) | bit(6, 16) | bit(10, 8) | bit(9, 4) | bit(8, 2) | bit(4, 1)
}

/// How the leaves of [`LANES`] codes are looked up.
trait Lookup: Copy {
    /// Adds the leaf of each code to its sum.
    fn add(self, probe: &Probe, codes: &[u8; LANES], sums: &mut [f64; LANES]);
}

#[derive(Clone, Copy)]
struct Portable;

impl Lookup for Portable {
    #[inline(always)]
    fn add(self, probe: &Probe, codes: &[u8; LANES], sums: &mut [f64; LANES]) {
        for (sum, &code) in sums.iter_mut().zip(codes) {
            *sum += probe.leaf(code);
        }
    }
}

#[cfg(target_arch = "x86_64")]
impl Lookup for pulp::x86::V3 {
    #[inline(always)]
    fn add(self, probe: &Probe, codes: &[u8; LANES], sums: &mut [f64; LANES]) {
        let (avx, avx2) = (self.avx, self.avx2);
        let subset = pulp::cast(probe.subset);
        let [inside, outside] = probe.leaves.map(|leaf| avx._mm256_set1_ps(leaf));
        let codes = pulp::cast(*codes);
        let halves = [codes, self.sse2._mm_srli_si128::<8>(codes)];
        let (sums, _) = sums.as_chunks_mut::<8>();
        for (half, sums) in halves.into_iter().zip(sums) {
            let codes = avx2._mm256_cvtepu8_epi32(half);
            // The bit of the code becomes the sign bit of its word, which selects the leaf.
            let word = avx2._mm256_permutevar8x32_epi32(subset, avx2._mm256_srli_epi32::<5>(codes));
            let last = avx._mm256_set1_epi32(31);
            let shift = avx2._mm256_andnot_si256(codes, last);
            let bit = avx2._mm256_sllv_epi32(word, shift);
            let leaves: [f32; 8] = pulp::cast(avx._mm256_blendv_ps(outside, inside, pulp::cast(bit)));
            for (sum, leaf) in sums.iter_mut().zip(leaves) {
                *sum += f64::from(leaf);
            }
        }
    }
}
