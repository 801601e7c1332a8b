//! Points in the plane, as thumbnails or coloured by group: the figures of t-SNE maps.

use std::path::Path;
use std::sync::Arc;

use image::RgbImage;
use image::imageops::{self, FilterType};

use super::bundle::{Bundle, Show, displayable};
use super::chart::{self, Entry, Mark};
use super::plot::{PALETTE, SHARPNESS};
use super::save;
use super::scene::{Colour, Item, Label, Scene};
use super::text::{self, Weight};
use crate::data::batch::Images;
use crate::metrics::features::tsne::Embedding;
use crate::{Error, Result};

const TITLE: f32 = 15.0;
const NOTE: f32 = 11.5;
const MARGIN: f32 = 8.0;

/// A scatter plot without axes (the directions of a t-SNE map mean nothing), equal scale in both directions. Points are
/// drawn in order, later ones above earlier ones. Shows as SVG, or as PNG where that is too large;
/// [`Scatter::save`] writes `.svg` and `.png`.
#[derive(Clone)]
pub struct Scatter {
    points: Arc<[[f64; 2]]>,
    thumbnails: Arc<[Arc<RgbImage>]>,
    groups: Arc<[String]>,
    title: String,
    note: String,
    thumbnail: u32,
    size: u32,
}

impl Scatter {
    /// A plot of these points.
    ///
    /// # Errors
    /// When there is none, or a coordinate is not finite.
    pub fn new(points: impl Into<Vec<[f64; 2]>>) -> Result<Self> {
        let points: Vec<[f64; 2]> = points.into();
        if points.is_empty() {
            return Err(Error::invalid("scatter plot", "no point", "at least one", ""));
        }
        if let Some(i) = points.iter().position(|p| !p.iter().all(|v| v.abs() <= 1e300)) {
            return Err(Error::invalid("scatter plot", format!("{:?} at point {i}", points[i]), "finite numbers", ""));
        }
        Ok(Scatter {
            points: points.into(),
            thumbnails: Arc::new([]),
            groups: Arc::new([]),
            title: String::new(),
            note: String::new(),
            thumbnail: 32,
            size: 720,
        })
    }

    /// Draws the points as these images, in order.
    ///
    /// # Errors
    /// When there are not as many images as points.
    pub fn images(self, images: &Images) -> Result<Self> {
        self.thumbnails(&images.to_rgb()?)
    }

    /// Draws the points as these pictures, in order.
    ///
    /// # Errors
    /// When there are not as many pictures as points.
    pub fn thumbnails(self, pictures: &[RgbImage]) -> Result<Self> {
        self.check("thumbnails", pictures.len())?;
        let thumbnails = pictures.iter().map(|picture| Arc::new(picture.clone())).collect();
        Ok(Scatter { thumbnails, ..self })
    }

    /// Colours the points by these names, in order; the legend lists each name once, as it first appears.
    ///
    /// # Errors
    /// When there are not as many names as points.
    pub fn groups<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> Result<Self> {
        let groups: Arc<[String]> = names.into_iter().map(Into::into).collect();
        self.check("groups", groups.len())?;
        Ok(Scatter { groups, ..self })
    }

    fn check(&self, what: &str, found: usize) -> Result<()> {
        if found == self.points.len() {
            return Ok(());
        }
        let expected = format!("{}, one per point", self.points.len());
        Err(Error::invalid(format!("{what} of a scatter plot"), found.to_string(), expected, ""))
    }

    /// A title above the plot.
    pub fn title(self, title: impl Into<String>) -> Self {
        Scatter { title: title.into(), ..self }
    }

    /// A line below the plot.
    pub fn note(self, note: impl Into<String>) -> Self {
        Scatter { note: note.into(), ..self }
    }

    /// Longer side of a thumbnail in CSS pixels. Default 32.
    pub fn thumbnail(self, side: u32) -> Self {
        Scatter { thumbnail: side.clamp(4, 512), ..self }
    }

    /// Width of the figure in CSS pixels; its height follows from the points. Default 720.
    pub fn size(self, side: u32) -> Self {
        Scatter { size: side.clamp(160, 8000), ..self }
    }

    fn scene(&self) -> Scene {
        let side = self.size as f32;
        let mut names: Vec<&str> = Vec::new();
        for group in self.groups.iter() {
            if !names.contains(&group.as_str()) {
                names.push(group);
            }
        }
        let look = |i: usize| {
            let mark = if i / PALETTE.len() % 2 == 1 { Mark::Ring } else { Mark::Dot };
            (PALETTE[i % PALETTE.len()], mark)
        };
        let mut scene = Scene::new(side, 0.0);
        let mut top = MARGIN;
        for line in text::wrap(&self.title, TITLE, Weight::Bold, side - 2.0 * MARGIN, 2) {
            scene.label(Label::new(line, MARGIN, top + TITLE * 0.8, TITLE).bold());
            top += TITLE + 5.0;
        }
        let mut entries = Vec::new();
        for (i, name) in names.iter().enumerate() {
            entries.push(Entry { name, colour: look(i).0, mark: look(i).1 });
        }
        top = chart::legend(&mut scene, &entries, (MARGIN, side - MARGIN, top), usize::MAX);

        let half = if self.thumbnails.is_empty() { 5.0 } else { self.thumbnail as f32 / 2.0 + 2.0 };
        let inner = side - 2.0 * (MARGIN + half);
        let (place, height) = self.place((MARGIN + half, top + half), inner);
        let bottom = top + height + 2.0 * half;
        let frame = [(MARGIN, top), (side - MARGIN, top), (side - MARGIN, bottom), (MARGIN, bottom), (MARGIN, top)];
        scene.add(Item::Polyline { points: frame.to_vec(), width: 1.0, colour: Colour::PALE });
        for (i, &point) in self.points.iter().enumerate() {
            let (x, y) = place(point);
            let group = self.groups.get(i).and_then(|group| names.iter().position(|name| name == group));
            let (colour, mark) = look(group.unwrap_or(0));
            match self.thumbnails.get(i) {
                Some(picture) => {
                    let longest = picture.width().max(picture.height()).max(1) as f32;
                    let zoom = self.thumbnail as f32 / longest;
                    let (width, height) = (picture.width() as f32 * zoom, picture.height() as f32 * zoom);
                    let (x, y) = (x - width / 2.0, y - height / 2.0);
                    if group.is_some() {
                        scene.rect(x - 1.5, y - 1.5, width + 3.0, height + 3.0, colour);
                    }
                    scene.add(Item::Picture { image: self.sharp(picture), x, y, width, height });
                }
                None => {
                    let soft = Colour(colour.0, colour.1, colour.2, 0.75);
                    let dot = mark == Mark::Dot;
                    let (fill, edge) = if dot { (Some(soft), None) } else { (None, Some((1.4, soft))) };
                    scene.add(Item::Circle { x, y, radius: if dot { 3.2 } else { 2.6 }, fill, edge });
                }
            }
        }
        let mut y = bottom + 4.0;
        for line in text::wrap(&self.note, NOTE, Weight::Regular, side - 2.0 * MARGIN, 3) {
            scene.label(Label::new(line, MARGIN, y + NOTE, NOTE).colour(Colour::GREY));
            y += 15.0;
        }
        scene.height = (y + 4.0).ceil();
        scene
    }

    /// Maps the points into a box at `corner` that is `width` wide, equally in both directions, centred; also its height:
    /// as the points need it, between half the width and the width.
    fn place(&self, corner: (f32, f32), width: f32) -> (impl Fn([f64; 2]) -> (f32, f32), f32) {
        let bounds = |axis: usize| {
            let values = self.points.iter().map(|p| p[axis]);
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
        };
        let ((x0, x1), (y0, y1)) = (bounds(0), bounds(1));
        let longest = (x1 - x0).max(y1 - y0);
        let zoom = if longest > 0.0 { f64::from(width) / longest } else { 0.0 };
        let height = (((y1 - y0) * zoom) as f32).max(width / 2.0);
        let middle = ((x0 + x1) / 2.0, (y0 + y1) / 2.0);
        let centre = (corner.0 + width / 2.0, corner.1 + height / 2.0);
        let place = move |[x, y]: [f64; 2]| {
            (centre.0 + ((x - middle.0) * zoom) as f32, centre.1 - ((y - middle.1) * zoom) as f32)
        };
        (place, height)
    }

    /// The picture with no more pixels than a saved PNG shows of it.
    fn sharp(&self, picture: &Arc<RgbImage>) -> Arc<RgbImage> {
        let most = (self.thumbnail as f32 * SHARPNESS) as u32;
        let longest = picture.width().max(picture.height());
        if longest <= most {
            return picture.clone();
        }
        let side = |length: u32| (length * most / longest).max(1);
        Arc::new(imageops::resize(
            picture.as_ref(),
            side(picture.width()),
            side(picture.height()),
            FilterType::Triangle,
        ))
    }

    /// The figure as an SVG document.
    ///
    /// # Errors
    /// When a thumbnail cannot be encoded.
    pub fn svg(&self) -> Result<String> {
        self.scene().svg(&format!("{self:?}"))
    }

    /// The figure as the bytes of a PNG file, two pixels to each CSS pixel.
    ///
    /// # Errors
    /// When it would have more than 32,767 pixels to a side.
    pub fn png(&self) -> Result<Vec<u8>> {
        self.scene().png(SHARPNESS)
    }

    /// Writes the figure to a `.svg` or `.png` file.
    ///
    /// # Errors
    /// For another extension, or when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        match save::extension(path, &["svg", "png"])? {
            "svg" => save::write(path, self.svg()?.as_bytes()),
            _ => save::write(path, &self.png()?),
        }
    }
}

impl Embedding {
    /// The map as a figure; its divergence and trustworthiness stand below it.
    ///
    /// # Errors
    /// When the map is empty.
    pub fn scatter(&self) -> Result<Scatter> {
        let note = format!(
            "t-SNE of {} points, perplexity {}, KL divergence {:.3}, trustworthiness {:.3}",
            self.points.len(),
            self.perplexity,
            self.kl_divergence,
            self.trustworthiness
        );
        Ok(Scatter::new(self.points.clone())?.note(note))
    }
}

impl Show for Scatter {
    fn bundle(&self) -> Result<Bundle> {
        self.scene().bundle(format!("{self:?}"))
    }
}

impl Show for Embedding {
    fn bundle(&self) -> Result<Bundle> {
        self.scatter()?.bundle()
    }
}

displayable!(Scatter, Embedding);

impl std::fmt::Debug for Scatter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.thumbnails.is_empty() { "points" } else { "thumbnails" };
        let title = if self.title.is_empty() { String::new() } else { format!("{}: ", self.title) };
        write!(f, "Scatter({title}{} {kind})", self.points.len())
    }
}
