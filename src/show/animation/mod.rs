//! Pictures one after the other: motions, walks through a latent space, a training from its first preview to its last.
//!
//! [`Animation::save`] writes GIF, APNG or, where `ffmpeg` is installed, MP4; in a notebook an animation plays inline.

mod apng;
mod gif;
mod layout;
mod mp4;
mod palette;
mod time_lapse;

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use image::RgbImage;
use image::imageops::{self, FilterType};
use rayon::prelude::*;

use super::bundle::{Bundle, LIMIT, Show, displayable, escape};
use super::save;
use crate::data::batch::Images;
use crate::{Error, Result};

pub use time_lapse::TimeLapse;

/// Longer side below which an animation is enlarged in a cell, in CSS pixels.
const SMALL: u32 = 256;

/// Frames of one size and how many of them are shown in a second. Cloning is cheap.
#[derive(Clone, PartialEq)]
pub struct Animation {
    frames: Arc<[RgbImage]>,
    fps: f64,
}

impl Animation {
    /// An animation of these frames, `fps` of them a second.
    ///
    /// # Errors
    /// No frame, frames without pixels or of different sizes, or `fps` not above 0.
    pub fn new(frames: impl Into<Arc<[RgbImage]>>, fps: f64) -> Result<Animation> {
        let frames: Arc<[RgbImage]> = frames.into();
        let Some(first) = frames.first() else {
            return Err(Error::invalid("animation", "no frame", "at least one", ""));
        };
        let size = |image: &RgbImage| format!("{}×{} pixels", image.width(), image.height());
        if first.width() == 0 || first.height() == 0 {
            return Err(Error::invalid("frames of an animation", size(first), "at least one pixel", ""));
        }
        if let Some(other) = frames.iter().find(|frame| frame.dimensions() != first.dimensions()) {
            let hint = "All frames need one size.";
            return Err(Error::invalid("frames of an animation", size(other), size(first), hint));
        }
        if !(fps.is_finite() && fps > 0.0) {
            return Err(Error::invalid("frames per second", fps.to_string(), "a number above 0", ""));
        }
        Ok(Animation { frames, fps })
    }

    /// Number of frames.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether there are none. There is always one.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The frames, in order.
    pub fn frames(&self) -> &[RgbImage] {
        &self.frames
    }

    /// Frames per second.
    pub fn fps(&self) -> f64 {
        self.fps
    }

    /// Width and height in pixels.
    pub fn size(&self) -> (u32, u32) {
        self.frames.first().map_or((0, 0), RgbImage::dimensions)
    }

    /// Duration in seconds.
    pub fn seconds(&self) -> f64 {
        self.len() as f64 / self.fps
    }

    /// The file as bytes: a GIF that loops for ever. All frames share one palette: the colours themselves when there are at
    /// most 256 of them, otherwise the 256 that stand for them best. A GIF counts hundredths of a second; frames are shown
    /// for so many of them that the whole lasts as long as it should, and above 50 frames a second some are left out.
    ///
    /// # Errors
    /// When a side is above 65,535 pixels.
    pub fn gif(&self) -> Result<Vec<u8>> {
        gif::encode(self)
    }

    /// The file as bytes: an animated PNG that loops for ever, every pixel as it is. Programs that know no animated PNG show
    /// its first frame.
    ///
    /// # Errors
    /// When the encoder refuses it.
    pub fn apng(&self) -> Result<Vec<u8>> {
        apng::encode(self)
    }

    /// Writes the animation to a `.gif` file ([`Animation::gif`]), a `.png` or `.apng` file ([`Animation::apng`]), or an
    /// `.mp4` file (H.264, by the program `ffmpeg`). The file appears under its name only when it is whole.
    ///
    /// # Errors
    /// For another extension, when the file cannot be written, or for `.mp4` when `ffmpeg` is absent or fails.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        match save::extension(path, &["gif", "png", "apng", "mp4"])? {
            "gif" => save::write_whole(path, &self.gif()?),
            "mp4" => mp4::save(self, path, "ffmpeg"),
            _ => save::write_whole(path, &self.apng()?),
        }
    }

    /// Writes every frame as a PNG file, `000000.png` and on, into a folder, which is made when it is missing.
    ///
    /// # Errors
    /// When a file is there already (nothing is overwritten) or cannot be written.
    pub fn save_frames(&self, folder: impl AsRef<Path>) -> Result<()> {
        let folder = folder.as_ref();
        let paths: Vec<_> = (0..self.len()).map(|i| folder.join(format!("{i:06}.png"))).collect();
        if let Some(path) = paths.iter().find(|path| path.exists()) {
            return Err(Error::file(path, "a file", "no file", "Nothing is overwritten: choose another folder."));
        }
        std::fs::create_dir_all(folder).map_err(|source| Error::io("make the folder", folder, source))?;
        let frames = paths.par_iter().zip(self.frames.par_iter());
        frames.try_for_each(|(path, frame)| save::write_whole(path, &save::png(frame)?))
    }

    /// A smaller copy: every frame `factor` times as large, every `step`th frame only.
    fn reduced(&self, factor: f64, step: usize) -> Result<Animation> {
        let side = |length: u32| ((f64::from(length) * factor).round() as u32).max(1);
        let (width, height) = (side(self.size().0), side(self.size().1));
        let frames: Vec<&RgbImage> = self.frames.iter().step_by(step).collect();
        let small = |frame: &&RgbImage| match (width, height) == self.size() {
            true => (*frame).clone(),
            false => imageops::resize(*frame, width, height, FilterType::Triangle),
        };
        Animation::new(frames.par_iter().map(small).collect::<Vec<_>>(), self.fps / step as f64)
    }
}

impl Show for Animation {
    /// An image element that holds the GIF. One that would be too large for a notebook is shown smaller, then with fewer
    /// frames, and says so.
    fn bundle(&self) -> Result<Bundle> {
        let room = LIMIT - 64 * 1024;
        let (mut factor, mut step) = (1.0f64, 1);
        let mut shown = self.clone();
        let mut bytes = shown.gif()?;
        while bytes.len().div_ceil(3) * 4 > room && (shown.len() > 1 || shown.size().0.max(shown.size().1) > 32) {
            let excess = room as f64 / (bytes.len() as f64 * 4.0 / 3.0);
            match factor > 0.5 {
                true => factor = (factor * excess.sqrt() * 0.95).max(0.4),
                false => step += 1,
            }
            shown = self.reduced(factor, step)?;
            bytes = shown.gif()?;
        }
        let ((width, height), plain) = (self.size(), format!("{self:?}"));
        let enlarged = (SMALL / width.max(height)).max(1);
        let note = match (shown.size() == self.size(), shown.len() == self.len()) {
            (true, true) => String::new(),
            (false, true) => format!("shown at {:.0} % of its size; save() writes all of it", 100.0 * factor),
            _ => format!("shown smaller and with every {step}th frame; save() writes all of it"),
        };
        let note = if note.is_empty() { note } else { format!("<div style=\"font-size:12px\">{note}</div>") };
        let pixelated = if enlarged > 1 { ";image-rendering:pixelated" } else { "" };
        let html = format!(
            "<div><img alt=\"{}\" width=\"{}\" height=\"{}\" style=\"max-width:100%;height:auto{pixelated}\" src=\"data:image/gif;base64,{}\"/>{note}</div>",
            escape(&plain),
            width * enlarged,
            height * enlarged,
            BASE64.encode(bytes)
        );
        Ok(Bundle::plain(plain).with_html(html))
    }
}

displayable!(Animation);

impl std::fmt::Debug for Animation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (width, height) = self.size();
        write!(f, "Animation({} frames of {width}×{height}, {} per second)", self.len(), self.fps)
    }
}

impl Images {
    /// The images one after the other, `fps` of them a second.
    ///
    /// # Errors
    /// As [`Animation::new`].
    pub fn animation(&self, fps: f64) -> Result<Animation> {
        Animation::new(self.to_rgb()?, fps)
    }
}
