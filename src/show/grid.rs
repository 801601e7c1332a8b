//! A grid of images: the arguments and pixels of torchvision's `make_grid`, plus captions, labels and a title.

use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Tensor};
use image::RgbImage;
use image::imageops::{self, FilterType};

use super::bundle::{Bundle, Show, displayable};
use super::scene::{Align, Colour, Item, Label, Scene};
use super::text::{self, Weight};
use super::{render, save};
use crate::data::batch::Images;
use crate::{Error, Result};

/// Letters of captions and labels, in pixels.
const SIZE: f32 = 12.0;
const LEADING: f32 = 15.0;
const TITLE: f32 = 15.0;
/// Lines of a caption or label; what does not fit ends in "…".
const LINES: usize = 3;
/// Width of the labels at the left of the rows.
const ROW_LABEL: f32 = 150.0;

/// Images in rows and columns.
///
/// The layout is that of `torchvision.utils.make_grid` with the same arguments and defaults, and pixels are rounded as
/// in `torchvision.utils.save_image`; [`Grid::scale`]`(1)` without captions, labels and title gives the same file.
#[derive(Clone)]
pub struct Grid {
    /// `None` leaves the cell empty. Channels first, three of them.
    frames: Vec<Option<Arc<[f32]>>>,
    height: usize,
    width: usize,
    nrow: usize,
    padding: usize,
    normalize: bool,
    value_range: Option<(f32, f32)>,
    scale_each: bool,
    pad_value: Option<f32>,
    scale: Option<u32>,
    title: String,
    captions: Vec<String>,
    row_labels: Vec<String>,
    column_labels: Vec<String>,
}

impl Grid {
    /// A grid of images in [-1, 1]; their captions, if any, stand below them.
    ///
    /// # Errors
    /// When there is no image.
    pub fn of(images: &Images) -> Result<Self> {
        let mut grid = Grid::from_tensor(&images.tensor)?.normalize(true).value_range(-1.0, 1.0);
        grid.captions = images.captions.clone();
        Ok(grid)
    }

    /// One row per element, each in [-1, 1]; shorter rows end in empty cells.
    ///
    /// # Errors
    /// When there is no image, or the rows differ in image size.
    pub fn rows(rows: impl Into<Vec<Images>>) -> Result<Self> {
        let rows: Vec<Images> = rows.into();
        let parts = rows.iter().map(Grid::of).collect::<Result<Vec<_>>>()?;
        let nrow = parts.iter().map(|part| part.frames.len()).max().unwrap_or(0);
        let mut parts = parts.into_iter();
        let mut grid = parts.next().ok_or_else(no_images)?.nrow(nrow);
        let captioned = rows.iter().any(|row| !row.captions.is_empty());
        grid.fill_row(nrow, captioned);
        for mut part in parts {
            if (part.height, part.width) != (grid.height, grid.width) {
                let size = |grid: &Grid| format!("{}×{} pixels", grid.width, grid.height);
                return Err(Error::invalid("rows of a grid", size(&part), size(&grid), "All images need one size."));
            }
            part.fill_row(nrow, captioned);
            grid.frames.append(&mut part.frames);
            grid.captions.append(&mut part.captions);
        }
        Ok(grid)
    }

    fn fill_row(&mut self, nrow: usize, captioned: bool) {
        self.frames.resize(nrow, None);
        if captioned {
            self.captions.resize(nrow, String::new());
        }
    }

    /// A grid of any values: `[N, 3, H, W]`, `[N, 1, H, W]`, `[3, H, W]`, `[1, H, W]` or `[H, W]`, as `make_grid` takes
    /// them. Without [`Grid::normalize`] the values are shown as [0, 1].
    ///
    /// # Errors
    /// For another shape, or when there is no image.
    pub fn from_tensor(images: &Tensor) -> Result<Self> {
        let images = match images.rank() {
            2 => images.unsqueeze(0)?.unsqueeze(0)?,
            3 => images.unsqueeze(0)?,
            _ => images.clone(),
        };
        let expected = "[N, 3, H, W], [N, 1, H, W], [3, H, W], [1, H, W] or [H, W]";
        let &[n, channels, height, width] = images.dims() else {
            return Err(Error::shape("grid", images.dims(), expected));
        };
        if !matches!(channels, 1 | 3) {
            return Err(Error::shape("grid", images.dims(), expected));
        }
        if n * height * width == 0 {
            return Err(no_images());
        }
        let values: Vec<f32> = images.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        let frames =
            values.chunks_exact(channels * height * width).map(|image| Some(image.repeat(3 / channels).into()));
        Ok(Grid::with_frames(frames.collect(), height, width))
    }

    /// A grid of pictures of one size.
    ///
    /// # Errors
    /// When there is none, or the sizes differ.
    pub fn from_rgb(images: &[RgbImage]) -> Result<Self> {
        let first = images.first().filter(|image| image.width() * image.height() > 0).ok_or_else(no_images)?;
        let size = |image: &RgbImage| format!("{}×{} pixels", image.width(), image.height());
        if let Some(other) = images.iter().find(|image| image.dimensions() != first.dimensions()) {
            return Err(Error::invalid("images of a grid", size(other), size(first), "All images need one size."));
        }
        let frame = |image: &RgbImage| {
            let channel = |c: usize| image.pixels().map(move |p| f32::from(p[c]) / 255.0);
            Some((0..3).flat_map(channel).collect::<Arc<[f32]>>())
        };
        let (width, height) = (first.width() as usize, first.height() as usize);
        Ok(Grid::with_frames(images.iter().map(frame).collect(), height, width))
    }

    fn with_frames(frames: Vec<Option<Arc<[f32]>>>, height: usize, width: usize) -> Self {
        Grid {
            frames,
            height,
            width,
            nrow: 8,
            padding: 2,
            normalize: false,
            value_range: None,
            scale_each: false,
            pad_value: None,
            scale: None,
            title: String::new(),
            captions: Vec::new(),
            row_labels: Vec::new(),
            column_labels: Vec::new(),
        }
    }

    /// Images per row (torchvision's `nrow`). Default 8.
    pub fn nrow(self, nrow: usize) -> Self {
        Grid { nrow: nrow.max(1), ..self }
    }

    /// Pixels between and around the images, before scaling. Default 2.
    pub fn padding(self, padding: usize) -> Self {
        Grid { padding, ..self }
    }

    /// Shifts and scales the values to [0, 1], from [`Grid::value_range`] or else from the smallest and largest value.
    pub fn normalize(self, normalize: bool) -> Self {
        Grid { normalize, ..self }
    }

    /// The values that become 0 and 1 when normalising.
    pub fn value_range(self, low: f32, high: f32) -> Self {
        Grid { value_range: Some((low, high)), ..self }
    }

    /// Normalises each image by its own smallest and largest value.
    pub fn scale_each(self, scale_each: bool) -> Self {
        Grid { scale_each, ..self }
    }

    /// Grey level of the padding in [0, 1]. Default 0 (black) as in torchvision, 1 (white) once there is text.
    pub fn pad_value(self, pad_value: f32) -> Self {
        Grid { pad_value: Some(pad_value), ..self }
    }

    /// Each image pixel becomes `scale`×`scale` sharp pixels. Default: as large as 128 px per image and 1,080 px in all allow.
    pub fn scale(self, scale: u32) -> Self {
        Grid { scale: Some(scale.max(1)), ..self }
    }

    /// A title above the grid.
    pub fn title(self, title: impl Into<String>) -> Self {
        Grid { title: title.into(), ..self }
    }

    /// A text below each image, in order; missing ones stay empty.
    pub fn captions<S: Into<String>>(self, captions: impl IntoIterator<Item = S>) -> Self {
        Grid { captions: captions.into_iter().map(Into::into).collect(), ..self }
    }

    /// A text at the left of each row.
    pub fn labels<S: Into<String>>(self, labels: impl IntoIterator<Item = S>) -> Self {
        Grid { row_labels: labels.into_iter().map(Into::into).collect(), ..self }
    }

    /// A text above each column.
    pub fn columns<S: Into<String>>(self, labels: impl IntoIterator<Item = S>) -> Self {
        Grid { column_labels: labels.into_iter().map(Into::into).collect(), ..self }
    }

    /// Number of cells that hold an image.
    pub fn len(&self) -> usize {
        self.frames.iter().flatten().count()
    }

    /// True when no cell holds an image.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn has_text(&self) -> bool {
        !self.title.is_empty()
            || [&self.captions, &self.row_labels, &self.column_labels].iter().any(|l| l.iter().any(|t| !t.is_empty()))
    }

    /// The grid as pixels, as it is shown and saved.
    ///
    /// # Errors
    /// When it would have more than 32,767 pixels to a side.
    pub fn image(&self) -> Result<RgbImage> {
        let scale = self.scale.unwrap_or_else(|| self.automatic_scale());
        if self.has_text() { self.with_text(scale) } else { self.without_text(scale) }
    }

    fn columns_and_rows(&self) -> (usize, usize) {
        let columns = self.nrow.min(self.frames.len()).max(1);
        (columns, self.frames.len().div_ceil(columns))
    }

    fn automatic_scale(&self) -> u32 {
        let across = self.columns_and_rows().0 * (self.width + self.padding) + self.padding;
        (128 / self.width.max(self.height)).min(1080 / across).clamp(1, 16) as u32
    }

    fn background(&self) -> u8 {
        quantise(self.pad_value.unwrap_or(if self.has_text() { 1.0 } else { 0.0 }))
    }

    /// Each image as 8-bit pixels.
    fn pictures(&self) -> Vec<Option<RgbImage>> {
        let extremes = |values: &mut dyn Iterator<Item = f32>| {
            values.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
        };
        let all = self
            .value_range
            .unwrap_or_else(|| extremes(&mut self.frames.iter().flatten().flat_map(|frame| frame.iter().copied())));
        let picture = |frame: &Arc<[f32]>| {
            let (low, high) = match self.value_range {
                None if self.scale_each => extremes(&mut frame.iter().copied()),
                _ => all,
            };
            let level = |value: f32| {
                quantise(if self.normalize { (value.min(high).max(low) - low) / (high - low).max(1e-5) } else { value })
            };
            let plane = self.height * self.width;
            let pixels = (0..plane).flat_map(|i| [0, 1, 2].map(|c| level(frame[c * plane + i])));
            RgbImage::from_raw(self.width as u32, self.height as u32, pixels.collect())
        };
        self.frames.iter().map(|frame| frame.as_ref().and_then(picture)).collect()
    }

    /// `make_grid`: a single image comes back without padding.
    fn without_text(&self, scale: u32) -> Result<RgbImage> {
        let (columns, rows) = self.columns_and_rows();
        let pad = if self.frames.len() == 1 { 0 } else { self.padding };
        let (w, h) = ((self.width + pad) * columns + pad, (self.height + pad) * rows + pad);
        let side = w.max(h).saturating_mul(scale as usize);
        if side > 32_767 {
            let found = format!("{side} pixels to a side");
            return Err(Error::invalid("grid", found, "at most 32,767", "Show fewer images, or a smaller scale."));
        }
        let mut grid = RgbImage::from_pixel(w as u32, h as u32, image::Rgb([self.background(); 3]));
        for (k, picture) in self.pictures().iter().enumerate() {
            if let Some(picture) = picture {
                let (x, y) = (k % columns * (self.width + pad) + pad, k / columns * (self.height + pad) + pad);
                imageops::replace(&mut grid, picture, x as i64, y as i64);
            }
        }
        Ok(match scale {
            1 => grid,
            k => imageops::resize(&grid, grid.width() * k, grid.height() * k, FilterType::Nearest),
        })
    }

    fn with_text(&self, scale: u32) -> Result<RgbImage> {
        let (columns, _) = self.columns_and_rows();
        let k = scale as f32;
        let (pad, w, h) = (self.padding as f32 * k, self.width as f32 * k, self.height as f32 * k);
        let gap = pad.max(4.0);
        let wrap = |text: &str, room: f32| text::wrap(text, SIZE, Weight::Regular, room, LINES);
        let caption = |i: usize| wrap(self.captions.get(i).map_or("", String::as_str), w);
        let row_labels: Vec<Vec<String>> = self.row_labels.iter().map(|label| wrap(label, ROW_LABEL)).collect();
        let widest =
            row_labels.iter().flatten().map(|line| text::width(line, SIZE, Weight::Regular)).fold(0.0, f32::max);
        let left = if widest > 0.0 { widest.ceil() + 2.0 * gap } else { 0.0 };
        let width = left + columns as f32 * (w + pad) + pad;

        let background = self.background();
        let ink = if background < 128 { Colour::WHITE } else { Colour::INK };
        let mut scene = Scene::new(width, 0.0);
        let mut y = pad;
        for line in text::wrap(&self.title, TITLE, Weight::Bold, width - 2.0 * gap, LINES) {
            scene.label(Label::new(line, gap, y + TITLE, TITLE).bold().colour(ink));
            y += TITLE + 6.0;
        }
        let column_x = |column: usize| left + pad + column as f32 * (w + pad);
        let headings: Vec<_> = self.column_labels.iter().take(columns).map(|label| wrap(label, w)).collect();
        let depth = headings.iter().map(Vec::len).max().unwrap_or(0);
        for (column, heading) in headings.iter().enumerate() {
            lines(&mut scene, heading, column_x(column) + w / 2.0, y + (depth - heading.len()) as f32 * LEADING, ink);
        }
        y += depth as f32 * LEADING + if depth > 0 { 3.0 } else { 0.0 };

        let pictures = self.pictures();
        for (row, cells) in pictures.chunks(columns).enumerate() {
            if let Some(label) = row_labels.get(row) {
                let top = y + (h - label.len() as f32 * LEADING) / 2.0;
                for (i, line) in label.iter().enumerate() {
                    let baseline = top + i as f32 * LEADING + SIZE;
                    scene.label(Label::new(line, left - gap, baseline, SIZE).align(Align::Right).colour(ink));
                }
            }
            let captions: Vec<_> = (0..cells.len()).map(|column| caption(row * columns + column)).collect();
            for (column, (picture, caption)) in cells.iter().zip(&captions).enumerate() {
                let x = column_x(column);
                if let Some(picture) = picture {
                    let image = Arc::new(picture.clone());
                    scene.add(Item::Picture { image, x, y, width: w, height: h });
                }
                lines(&mut scene, caption, x + w / 2.0, y + h + 2.0, ink);
            }
            let depth = captions.iter().map(Vec::len).max().unwrap_or(0);
            y += h + pad + if depth > 0 { depth as f32 * LEADING + 6.0 } else { 0.0 };
        }
        scene.height = y.ceil();
        let level = background;
        scene.items.insert(
            0,
            Item::Polygon {
                points: vec![(0.0, 0.0), (width, 0.0), (width, y), (0.0, y)],
                colour: Colour(level, level, level, 1.0),
            },
        );
        scene.raster(1.0)
    }

    /// Writes the grid, as it is shown, to a `.png` file.
    ///
    /// # Errors
    /// When the extension is another one or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        save::extension(path, &["png"])?;
        save::write(path, &save::png(&self.image()?)?)
    }
}

fn no_images() -> Error {
    Error::invalid("grid", "no image", "at least one image", "")
}

/// torchvision's `save_image`: 255 times the value, rounded half up. NaN becomes 0.
fn quantise(value: f32) -> u8 {
    (value * 255.0 + 0.5).clamp(0.0, 255.0) as u8
}

fn lines(scene: &mut Scene, lines: &[String], centre: f32, top: f32, ink: Colour) {
    for (i, line) in lines.iter().enumerate() {
        let baseline = top + i as f32 * LEADING + SIZE;
        scene.label(Label::new(line, centre, baseline, SIZE).align(Align::Centre).colour(ink));
    }
}

impl Show for Grid {
    fn bundle(&self) -> Result<Bundle> {
        render::picture_bundle(&self.image()?, format!("{self:?}"))
    }
}

displayable!(Grid);

impl std::fmt::Debug for Grid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (columns, rows) = self.columns_and_rows();
        let (n, width, height) = (self.len(), self.width, self.height);
        write!(f, "Grid({n} images of {width}×{height} in {rows} rows of {columns})")
    }
}

impl Images {
    /// The images as a grid with `nrow` of them in each row, captions below.
    ///
    /// # Errors
    /// When there is no image.
    pub fn grid(&self, nrow: usize) -> Result<Grid> {
        Ok(Grid::of(self)?.nrow(nrow))
    }
}
