//! Step 6: the mirrored and blurred ground beside a picture.
//!
//! The helper `PositionCenter` of the authors' code (specs/clothing.md section B), number by number: the picture in the
//! middle of a black canvas; its mirror image, three times as wide, at its left and at its right; the canvas blurred as the
//! ground; and the unblurred one over it where the picture is, with a soft edge a little inside of its borders.

use std::path::Path;

use image::{GrayImage, Luma, RgbImage, imageops};
use serde::{Deserialize, Serialize};

use super::step::{Contents, Input, Product, Step, StepReport};
use crate::data::import::Refused;
use crate::data::manifest::{Filter, Resize};
use crate::data::placement::Placement;
use crate::data::resize;
use crate::show::save::png;
use crate::{Error, Result};

/// Passes of the mean by which Pillow approximates a Gaussian.
const PASSES: usize = 3;
/// Pictures that are made before any of them is written.
const CHUNK: usize = 8;

/// Sizes of the padded picture, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PadOptions {
    /// Width and height of the canvas.
    pub canvas: (u32, u32),
    /// How far inside of the left and right border of the picture its soft edge has its middle.
    pub inset: u32,
    /// Deviation of the Gaussian that makes the edge soft.
    pub edge: f64,
    /// Deviation of the Gaussian of the ground.
    pub ground: f64,
    /// Bring pictures to the height of the canvas first, or to its width where they are wider than it. The helper does not:
    /// what is smaller stays on black then, what is larger is cut.
    pub fit: bool,
}

impl Default for PadOptions {
    /// The helper's: 512×512, 10, 25 and 100 pixels; pictures are brought to the canvas.
    fn default() -> Self {
        PadOptions { canvas: (512, 512), inset: 10, edge: 25.0, ground: 100.0, fit: true }
    }
}

impl PadOptions {
    /// The helper itself, which leaves pictures as large as they are.
    pub fn faithful() -> PadOptions {
        PadOptions { fit: false, ..PadOptions::default() }
    }

    /// The helper's on a square of another side, with its sizes in shares of 512 pixels.
    pub fn square(side: u32) -> PadOptions {
        let usual = PadOptions::default();
        let share = f64::from(side) / f64::from(usual.canvas.0);
        let inset = (f64::from(usual.inset) * share).round() as u32;
        PadOptions { canvas: (side, side), inset, edge: usual.edge * share, ground: usual.ground * share, ..usual }
    }

    /// Refuses sizes that cannot be.
    ///
    /// # Errors
    /// When a side of the canvas is not 4 to 4096, or a deviation not 0 to 1000.
    pub fn check(&self) -> Result<()> {
        let (width, height) = self.canvas;
        let sides = [width, height].iter().all(|side| (4..=4096).contains(side));
        if !sides || ![self.edge, self.ground].iter().all(|sigma| (0.0..=1000.0).contains(sigma)) {
            let found = format!("{width}×{height}, edge {}, ground {}", self.edge, self.ground);
            return Err(Error::invalid("canvas", found, "sides of 4 to 4096 pixels, deviations of 0 to 1000", ""));
        }
        Ok(())
    }

    /// Where a picture of this width and height is on the canvas: left, top, width, height.
    pub fn place(&self, picture: (u32, u32)) -> [i64; 4] {
        let (width, height) = match Placement::of(Resize::Pad, picture, self.canvas).filter(|_| self.fit) {
            Some(Placement { to: [_, _, width, height], .. }) => (width, height),
            None => picture,
        };
        let start = |side: u32, length: u32| (i64::from(side) - i64::from(length)).div_euclid(2);
        [start(self.canvas.0, width), start(self.canvas.1, height), width.into(), height.into()]
    }
}

/// The picture on its canvas.
///
/// # Errors
/// As [`PadOptions::check`], and for a picture without pixels.
pub fn padded(picture: &RgbImage, options: &PadOptions) -> Result<RgbImage> {
    options.check()?;
    if picture.width() == 0 || picture.height() == 0 {
        return Err(Error::invalid("picture", "no pixels", "at least one", ""));
    }
    let [left, top, width, height] = options.place(picture.dimensions());
    let (w, h) = (width as u32, height as u32);
    let shown = resize::rgb(picture, w, h, Filter::Lanczos);
    let mirrored = imageops::flip_horizontal(&shown);
    // Of the stretched mirror image only what reaches the canvas is looked at.
    let wide = resize::rgb(&mirrored, 3 * w, h, Filter::Bicubic);
    let mut canvas = RgbImage::new(options.canvas.0, options.canvas.1);
    imageops::replace(&mut canvas, &shown, left, top);
    imageops::replace(&mut canvas, &wide, left - 3 * width, top);
    imageops::replace(&mut canvas, &wide, left + width, top);
    let inset = i64::from(options.inset);
    let within = |x: u32, y: u32| {
        let (x, y) = (i64::from(x), i64::from(y));
        x >= left + inset && x < left + width - inset && y >= top && y < top + height
    };
    let mask = GrayImage::from_fn(canvas.width(), canvas.height(), |x, y| Luma([if within(x, y) { 255 } else { 0 }]));
    let mask = blurred(mask.as_raw(), canvas.dimensions(), 1, options.edge);
    let mut ground = blurred(canvas.as_raw(), canvas.dimensions(), 3, options.ground);
    for (i, (under, over)) in ground.iter_mut().zip(canvas.as_raw()).enumerate() {
        let share = u32::from(mask[i / 3]);
        // Pillow's division by 255.
        let sum = u32::from(*under) * (255 - share) + u32::from(*over) * share + 128;
        *under = (((sum >> 8) + sum) >> 8) as u8;
    }
    RgbImage::from_raw(canvas.width(), canvas.height(), ground)
        .ok_or_else(|| Error::invalid("canvas", "another number of pixels", "its own", ""))
}

/// Interleaved channels of 8 bits, blurred as Pillow's `GaussianBlur(sigma)` does: three means of a window whose ends count
/// in part, along each axis, rounded each time; the border goes on beyond itself (Gwosdek and others, SSVM 2011).
pub fn blurred(values: &[u8], (width, height): (u32, u32), channels: usize, sigma: f64) -> Vec<u8> {
    let window = Window::of(sigma);
    let (width, height) = (width as usize, height as usize);
    let mut all = values.to_vec();
    if window.far == 0 && window.radius == 0 {
        return all;
    }
    for channel in 0..channels {
        for y in 0..height {
            window.line(&mut all, (y * width) * channels + channel, channels, width);
        }
        for x in 0..width {
            window.line(&mut all, x * channels + channel, width * channels, height);
        }
    }
    all
}

/// A mean of 2·radius + 1 values and parts of the two beyond, in 1/2²⁴.
struct Window {
    radius: usize,
    near: u32,
    far: u32,
}

impl Window {
    fn of(sigma: f64) -> Window {
        let variance = (sigma as f32) * (sigma as f32) / PASSES as f32;
        let length = (12.0 * f64::from(variance) + 1.0).sqrt() as f32;
        let whole = ((length - 1.0) / 2.0).floor();
        let part = (2.0 * whole + 1.0) * (whole * (whole + 1.0) - 3.0 * variance)
            / (6.0 * (variance - (whole + 1.0) * (whole + 1.0)));
        let real = whole + part;
        let radius = real as u32;
        let near = ((1u32 << 24) as f32 / (real * 2.0 + 1.0)) as u32;
        let far = ((1u32 << 24) - (radius * 2 + 1) * near) / 2;
        Window { radius: radius as usize, near, far }
    }

    /// All passes over the `count` values from `start` on, `step` apart.
    fn line(&self, values: &mut [u8], start: usize, step: usize, count: usize) {
        let mut line: Vec<u8> = (0..count).map(|i| values[start + i * step]).collect();
        let reach = self.radius as i64;
        for _ in 0..PASSES {
            let at = |line: &[u8], i: i64| u32::from(line[i.clamp(0, count as i64 - 1) as usize]);
            let mut sum: u32 = (-reach..=reach).map(|i| at(&line, i)).sum();
            let mut out = Vec::with_capacity(count);
            for i in 0..count as i64 {
                let ends = at(&line, i - reach - 1) + at(&line, i + reach + 1);
                let total = u64::from(sum) * u64::from(self.near) + u64::from(ends) * u64::from(self.far);
                out.push(((total + (1 << 23)) >> 24) as u8);
                sum = sum + at(&line, i + reach + 1) - at(&line, i - reach);
            }
            line = out;
        }
        for (i, value) in line.into_iter().enumerate() {
            values[start + i * step] = value;
        }
    }
}

/// What the record says of a picture: where it is on its canvas.
#[derive(Clone, Serialize, Deserialize)]
struct Placed {
    size: (u32, u32),
    place: [i64; 4],
}

/// Pads all pictures in `input` and below it: `x/y.jpg` becomes `images/x/y.png` of `output`. Its record says where each one
/// is on its canvas. A run that was interrupted goes on where it was.
///
/// # Errors
/// As [`PadOptions::check`]; when a folder cannot be read or written, or `output` holds anything but the same step. Pictures
/// that cannot be read are no error: they are in the report.
pub fn pad_folder(input: impl AsRef<Path>, output: impl AsRef<Path>, options: &PadOptions) -> Result<StepReport> {
    pad_in(input.as_ref(), output.as_ref(), options)
}

fn pad_in(input: &Path, output: &Path, options: &PadOptions) -> Result<StepReport> {
    options.check()?;
    let (inputs, mut step) = Step::<Placed>::over(input, output, "pad", options)?;
    let made = step.run_pictures(&inputs, CHUNK, |input, picture| pad(input, &picture, options))?;
    step.finish(made.len())
}

fn pad(input: &Input, picture: &RgbImage, options: &PadOptions) -> Result<Result<Product<Placed>, Refused>> {
    let facts = Placed { size: picture.dimensions(), place: options.place(picture.dimensions()) };
    let bytes = png(&padded(picture, options)?)?;
    let files = vec![(format!("images/{}.png", input.stem), Contents::Bytes(bytes))];
    Ok(Ok(Product { facts, files, notes: Vec::new() }))
}
