//! The figures of the StyleGAN paper in exactly its layouts (Karras et al. 2019, figures 2 to 5 and 8; the authors'
//! `generate_figures.py`).

use std::ops::Range;

use candle_core::Tensor;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

use super::{NoiseMode, seeds};
use crate::data::batch::Images;
use crate::models::stylegan::{Stylegan, Styles, Truncation};
use crate::rng::Seed;
use crate::show::grid::Grid;
use crate::{Error, Result};

const WHITE: Rgb<u8> = Rgb([255; 3]);

/// Draws over which the deviation of figure 4 is taken.
const DRAWS: usize = 100;

/// Crops of figure 4, as shares of the side: left, upper border, width and height (650, 180 to 906, 436 of 1024 px).
const CROP: [f64; 4] = [650.0 / 1024.0, 180.0 / 1024.0, 0.25, 0.25];

/// Layers from here on are fine: those of 64 px and more.
const FINE: usize = 8;

impl Stylegan {
    /// Figure 2, uncurated pictures: columns of pictures R/2^lod wide, rows·2^lod of them below each other, the canvas as
    /// wide as all columns and rows·R high. All latents are one draw of `RandomState(seed)`, consumed column by column from
    /// above. The paper's faces have 3 rows, lods 0, 1, 2, 2, 3, 3 and seed 5.
    ///
    /// # Errors
    /// When there is no row or column, or a column's pictures would have no pixel.
    pub fn uncurated(&self, rows: usize, lods: &[u32], seed: u32, truncation: Option<Truncation>) -> Result<Images> {
        let side = self.config().size() as u32;
        if rows == 0 || lods.is_empty() || lods.iter().any(|&lod| lod > side.ilog2()) {
            let expected = format!("at least one row, and lods of 0 to {}", side.ilog2());
            return Err(Error::invalid("uncurated pictures", format!("{rows} rows, lods {lods:?}"), expected, ""));
        }
        let count = lods.iter().map(|lod| rows << lod).sum();
        let z = seeds::one_draw(seed, [count, self.config().network.latent], self.device())?;
        let mut made = self.draw(&self.styles(&z, truncation)?, NoiseMode::Const)?.to_rgb()?.into_iter();
        let mut canvas = RgbImage::from_pixel(lods.iter().map(|lod| side >> lod).sum(), side * rows as u32, WHITE);
        let mut left = 0;
        for lod in lods {
            let width = side >> lod;
            for (row, picture) in made.by_ref().take(rows << lod).enumerate() {
                let small = imageops::resize(&picture, width, width, FilterType::Lanczos3);
                imageops::replace(&mut canvas, &small, left, i64::from(width) * row as i64);
            }
            left += i64::from(width);
        }
        Images::from_rgb(&[canvas])
    }

    /// Figure 3, style mixing: destinations in the first row, sources in the first column, and in every cell the
    /// destination with the source's styles in the layers of its row. The paper's ranges are 0..4 (coarse), 4..8 (middle)
    /// and from 8 on (fine); layers beyond the network's are left out.
    ///
    /// # Errors
    /// When there is no source or destination, or not one range per source.
    pub fn style_mixing(
        &self,
        sources: &[u32],
        destinations: &[u32],
        ranges: &[Range<usize>],
        truncation: Option<Truncation>,
    ) -> Result<Grid> {
        if sources.is_empty() || destinations.is_empty() {
            return Err(unmixed([sources.len(), ranges.len(), destinations.len()]));
        }
        let styles = |seeds: &[u32]| self.styles(&self.latents(seeds)?, truncation);
        self.mixing(&styles(sources)?, &styles(destinations)?, ranges)
    }

    /// [`style_mixing`](Stylegan::style_mixing) of any styles: those of a
    /// [projection](Stylegan::project) are `Styles::of(&projection.w, model.layers())`.
    ///
    /// # Errors
    /// When there is no source or destination, not one range per source, or the styles are not of this model.
    pub fn mixing(&self, sources: &Styles, destinations: &Styles, ranges: &[Range<usize>]) -> Result<Grid> {
        if ranges.len() != sources.len() || sources.is_empty() || destinations.is_empty() {
            return Err(unmixed([sources.len(), ranges.len(), destinations.len()]));
        }
        let first = self.draw(destinations, NoiseMode::Const)?;
        let blank = Tensor::ones((1, 3, first.size().0, first.size().1), first.tensor.dtype(), self.device())?;
        let mut rows = vec![Images::new(Tensor::cat(&[&blank, &first.tensor], 0)?)?];
        for (i, range) in ranges.iter().enumerate() {
            let own = sources.rows(&(i..i + 1))?;
            let range = range.start.min(self.layers())..range.end.min(self.layers());
            let mixed = destinations.mixed(&own.repeated(destinations.len())?, range)?;
            let made = [self.draw(&own, NoiseMode::Const)?.tensor, self.draw(&mixed, NoiseMode::Const)?.tensor];
            rows.push(Images::new(Tensor::cat(&made, 0)?)?);
        }
        let labels = ranges.iter().map(|range| format!("layers {} to {}", range.start, range.end.saturating_sub(1)));
        let labels = std::iter::once(String::new()).chain(labels).collect::<Vec<_>>();
        Ok(Grid::rows(rows)?.labels(labels))
    }

    /// Figure 8, the truncation trick: a row per seed, a column per ψ, in all layers. The paper's columns are 1, 0.7, 0.5,
    /// 0, −0.5 and −1.
    ///
    /// # Errors
    /// When there is no seed or ψ, or one is not finite.
    pub fn truncation(&self, seeds: &[u32], psis: &[f64]) -> Result<Grid> {
        if psis.is_empty() {
            return Err(Error::invalid("truncation: psi", "none", "at least one", ""));
        }
        let row = |&seed: &u32| -> Result<Images> {
            let z = self.latents(&[seed])?;
            let at = |&psi: &f64| {
                let styles = self.styles(&z, Some(Truncation { psi, cutoff: None }))?;
                Ok(self.draw(&styles, NoiseMode::Const)?.tensor)
            };
            Images::new(Tensor::cat(&psis.iter().map(at).collect::<Result<Vec<_>>>()?, 0)?)
        };
        let rows = seeds.iter().map(row).collect::<Result<Vec<_>>>()?;
        let labels = psis.iter().map(|psi| format!("psi {psi}")).collect::<Vec<_>>();
        Ok(Grid::rows(rows)?.columns(labels))
    }

    /// Figure 4, what noise does: per seed a picture, crops of four pictures with other noise (each twice as large as in
    /// the picture, pixels repeated), and four times the deviation of every pixel's grey over 100 draws.
    ///
    /// # Errors
    /// When there is no seed.
    pub fn noise_detail(&self, seeds: &[u32]) -> Result<Grid> {
        let side = self.config().size() as u32;
        let row = |&seed: &u32| -> Result<Images> {
            let styles = self.styles(&self.latents(&[seed])?, None)?.repeated(DRAWS)?;
            let drawn = self.draw(&styles, NoiseMode::Random(Seed(u64::from(seed))))?.to_rgb()?;
            let [x, y, w, h] = CROP.map(|share| (share * f64::from(side)).round() as u32);
            let half = side / 2;
            let mut crops = RgbImage::from_pixel(side, side, WHITE);
            for (i, picture) in drawn[1..].iter().take(4).enumerate() {
                let crop = imageops::crop_imm(picture, x, y, w.max(1), h.max(1)).to_image();
                let crop = imageops::resize(&crop, half, half, FilterType::Nearest);
                imageops::replace(&mut crops, &crop, i64::from(i as u32 % 2 * half), i64::from(i as u32 / 2 * half));
            }
            Images::from_rgb(&[drawn[0].clone(), crops, deviation(&drawn)])
        };
        Grid::rows(seeds.iter().map(row).collect::<Result<Vec<_>>>()?)
    }

    /// Figure 5, where noise acts: per seed a square of four halves: the left half with noise in all layers beside the
    /// right half with none, below the left half with fine noise (from layer 8 on) beside the right half with coarse noise.
    ///
    /// # Errors
    /// When there is no seed.
    pub fn noise_components(&self, seeds: &[u32]) -> Result<Images> {
        let side = self.config().size() as u32;
        let (half, layers) = (side / 2, self.layers());
        let mut canvas = RgbImage::from_pixel(side * seeds.len() as u32, 2 * side, WHITE);
        let styles = self.styles(&self.latents(seeds)?, None)?;
        for (i, range) in [0..layers, 0..0, FINE.min(layers)..layers, 0..FINE.min(layers)].into_iter().enumerate() {
            let (right, below) = (i as u32 % 2 * half, i as u32 / 2 * side);
            for (column, picture) in self.draw_with(&styles, range)?.to_rgb()?.iter().enumerate() {
                let part = imageops::crop_imm(picture, right, 0, half, side).to_image();
                let left = i64::from(column as u32 * side + right);
                imageops::replace(&mut canvas, &part, left, i64::from(below));
            }
        }
        Images::from_rgb(&[canvas])
    }
}

fn unmixed([sources, ranges, destinations]: [usize; 3]) -> Error {
    let found = format!("{sources} sources, {ranges} ranges, {destinations} destinations");
    Error::invalid("style mixing", found, "at least one each, and a range per source", "")
}

impl Styles {
    /// These styles of one picture for `count` pictures.
    ///
    /// # Errors
    /// When they are the styles of several.
    pub fn repeated(&self, count: usize) -> Result<Styles> {
        if self.len() != 1 {
            return Err(Error::invalid("styles to repeat", format!("{}", self.len()), "those of one picture", ""));
        }
        let repeat = |layer: &Tensor| Ok(layer.broadcast_as((count, layer.dims()[1]))?.contiguous()?);
        Ok(Styles::of_layers(self.layers().iter().map(repeat).collect::<Result<_>>()?))
    }
}

/// Four times the deviation of the mean of the three colours, cut at white.
fn deviation(pictures: &[RgbImage]) -> RgbImage {
    let grey =
        |picture: &RgbImage, i: usize| picture.as_raw()[3 * i..][..3].iter().map(|&v| f64::from(v)).sum::<f64>() / 3.0;
    let (width, height) = pictures.first().map_or((0, 0), RgbImage::dimensions);
    let n = pictures.len() as f64;
    RgbImage::from_fn(width, height, |x, y| {
        let i = (y * width + x) as usize;
        let mean = pictures.iter().map(|picture| grey(picture, i)).sum::<f64>() / n;
        let square = pictures.iter().map(|picture| (grey(picture, i) - mean).powi(2)).sum::<f64>() / n;
        Rgb([(4.0 * square.sqrt()).round().min(255.0) as u8; 3])
    })
}
