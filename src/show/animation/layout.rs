//! Animations made from animations.

use std::sync::Arc;

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use rayon::prelude::*;

use super::Animation;
use crate::show::grid::Grid;
use crate::show::scene::{Align, Item, Label, Scene};
use crate::show::text::{self, Weight};
use crate::{Error, Result};

/// White pixels between two animations side by side.
const GAP: u32 = 4;
/// Letters of captions and the height of their line, in pixels.
const LETTERS: f32 = 12.0;
const LINE: f32 = 20.0;

impl Animation {
    /// This animation at the left and another one at the right (the character and its skeleton, PSGAN's Figure 3), which is
    /// brought to the same height.
    ///
    /// # Errors
    /// When they differ in the number of frames or in frames per second.
    pub fn beside(&self, right: &Animation) -> Result<Animation> {
        self.check_pace(right)?;
        let (width, height) = self.size();
        let (w, h) = right.size();
        let scaled = ((f64::from(w) * f64::from(height) / f64::from(h)).round() as u32).max(1);
        // Whole multiples stay sharp.
        let filter = if height.is_multiple_of(h) { FilterType::Nearest } else { FilterType::Triangle };
        let join = |(left, right): (&RgbImage, &RgbImage)| {
            let mut frame = RgbImage::from_pixel(width + GAP + scaled, height, Rgb([255; 3]));
            imageops::replace(&mut frame, left, 0, 0);
            match h == height {
                true => imageops::replace(&mut frame, right, i64::from(width + GAP), 0),
                false => {
                    let right = imageops::resize(right, scaled, height, filter);
                    imageops::replace(&mut frame, &right, i64::from(width + GAP), 0);
                }
            }
            frame
        };
        let frames: Vec<RgbImage> = self.frames().par_iter().zip(right.frames()).map(join).collect();
        Animation::new(frames, self.fps())
    }

    /// Several animations at once in rows of `columns` (characters in one motion), with the `captions` below them; none for
    /// no text.
    ///
    /// # Errors
    /// When there is none, or they differ in size, number of frames or frames per second.
    pub fn grid<S: AsRef<str>>(parts: &[Animation], columns: usize, captions: &[S]) -> Result<Animation> {
        let Some(first) = parts.first() else {
            return Err(Error::invalid("grid of animations", "none", "at least one", ""));
        };
        parts.iter().try_for_each(|part| first.check_pace(part))?;
        let captions: Vec<&str> = captions.iter().map(AsRef::as_ref).collect();
        let frame = |i: usize| {
            let pictures: Vec<RgbImage> = parts.iter().map(|part| part.frames()[i].clone()).collect();
            let grid = Grid::from_rgb(&pictures)?.nrow(columns).scale(1).pad_value(1.0);
            grid.captions(captions.iter().copied()).image()
        };
        let frames = (0..first.len()).into_par_iter().map(frame).collect::<Result<Vec<_>>>()?;
        Animation::new(frames, first.fps())
    }

    /// Forwards, then backwards without its last and its first frame once more, so that it loops.
    pub fn ping_pong(&self) -> Animation {
        let back = self.frames().iter().rev().skip(1).take(self.len().saturating_sub(2));
        let frames: Vec<RgbImage> = self.frames().iter().chain(back).cloned().collect();
        Animation { frames: frames.into(), ..self.clone() }
    }

    /// This animation, then another one.
    ///
    /// # Errors
    /// When they differ in size or in frames per second.
    pub fn then(&self, next: &Animation) -> Result<Animation> {
        if next.fps() != self.fps() {
            return Err(other_pace(next, self));
        }
        Animation::new(self.frames().iter().chain(next.frames()).cloned().collect::<Vec<_>>(), self.fps())
    }

    /// Every pixel as `factor`×`factor` sharp pixels.
    ///
    /// # Errors
    /// When the factor is 0, or a side would be above 32,767 pixels.
    pub fn enlarged(&self, factor: u32) -> Result<Animation> {
        let (width, height) = self.size();
        if factor == 0 || width.max(height).saturating_mul(factor) > 32_767 {
            let expected = "a factor from 1 that leaves at most 32,767 pixels to a side";
            return Err(Error::invalid("enlarged animation", factor.to_string(), expected, ""));
        }
        let large = |frame: &RgbImage| imageops::resize(frame, width * factor, height * factor, FilterType::Nearest);
        Animation::new(self.frames().par_iter().map(large).collect::<Vec<_>>(), self.fps())
    }

    /// A line of text below every frame, one per frame; what does not fit ends in "…".
    ///
    /// # Errors
    /// When there are not as many texts as frames.
    pub fn captioned<S: AsRef<str> + Sync>(&self, captions: &[S]) -> Result<Animation> {
        if captions.len() != self.len() {
            let expected = format!("{}, one per frame", self.len());
            return Err(Error::invalid("captions of an animation", captions.len().to_string(), expected, ""));
        }
        let (width, height) = (self.size().0 as f32, self.size().1 as f32);
        let frame = |(frame, caption): (&RgbImage, &S)| {
            let mut scene = Scene::new(width, height + LINE);
            scene.add(Item::Picture { image: Arc::new(frame.clone()), x: 0.0, y: 0.0, width, height });
            let text = text::fit(caption.as_ref(), LETTERS, Weight::Regular, width - 2.0);
            scene.label(Label::new(text, width / 2.0, height + 14.0, LETTERS).align(Align::Centre));
            scene.raster(1.0)
        };
        let frames = self.frames().par_iter().zip(captions).map(frame).collect::<Result<Vec<_>>>()?;
        Animation::new(frames, self.fps())
    }

    fn check_pace(&self, other: &Animation) -> Result<()> {
        match self.len() == other.len() && self.fps() == other.fps() {
            true => Ok(()),
            false => Err(other_pace(other, self)),
        }
    }
}

fn other_pace(found: &Animation, expected: &Animation) -> Error {
    let pace = |animation: &Animation| format!("{} frames at {} per second", animation.len(), animation.fps());
    let hint = "Bring poses to one frame rate with resampled().";
    Error::invalid("animations to be joined", pace(found), pace(expected), hint)
}
