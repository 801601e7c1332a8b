//! What a data set holds, and how near to it generated images come, as figures and tables.

use image::RgbImage;

use super::grid::Grid;
use super::number;
use super::table::Table;
use crate::data::batch::Images;
use crate::data::dataset::Dataset;
use crate::metrics::features::neighbours::Neighbour;
use crate::models::translation::needs_pairs;
use crate::nn::augment::{AugmentConfig, Drawn};
use crate::rng::Seed;
use crate::{Error, Result};

/// Images per row of a sample.
const NROW: usize = 6;

impl Dataset {
    /// `rows` rows of six pictures each with their tags below: drawn without repetition, the same ones every time.
    ///
    /// # Errors
    /// When the data set is empty or a picture cannot be read.
    pub fn show_batch(&self, rows: usize) -> Result<Grid> {
        let mut order = Seed(0).stream("show_batch").permutation(self.len());
        order.truncate((rows * NROW).max(1));
        let images = self.subset(&order)?.images(order.len())?;
        let all = number::grouped(self.len() as u64);
        Ok(images.grid(NROW)?.title(format!("{}: {} of {all} pictures", self.name(), order.len())))
    }

    /// Pairs, one below the other: what they are made from in the upper row, the pictures in the lower one
    /// ("Anime-to-Real Clothing", arXiv:2008.11479, figure 2).
    ///
    /// # Errors
    /// When the data set holds no pairs, there is no place, or a picture cannot be read.
    pub fn show_pairs(&self, places: &[usize]) -> Result<Grid> {
        if !self.has_sources() {
            return Err(needs_pairs(format!("data set {}", self.name())));
        }
        let row = |picture: &dyn Fn(usize) -> Result<RgbImage>| {
            Images::from_rgb(&places.iter().map(|&i| picture(i)).collect::<Result<Vec<_>>>()?)
        };
        let rows = [row(&|i| self.source_image(i))?, row(&|i| self.image(i))?];
        Ok(Grid::rows(rows)?.labels(["input", "output"]))
    }

    /// How many pictures carry each tag, in label order.
    ///
    /// # Errors
    /// When two tags share a name.
    pub fn tags_table(&self) -> Result<Table> {
        let table = self.tag_table().table()?.caption(format!("Tags of {}", self.name()));
        let all = number::grouped(self.len() as u64);
        let table = table.note(format!("{all} pictures; a picture can carry several tags"));
        let numbers: Vec<&str> =
            self.tags().tags().iter().filter(|tag| tag.continuous).map(|tag| tag.name.as_str()).collect();
        Ok(match numbers.is_empty() {
            true => table,
            false => table.note(format!("{}: a number, counted from one half on", numbers.join(", "))),
        })
    }
}

impl Grid {
    /// What a discriminator with this augmentation sees of square pictures: the pictures themselves in the first row, and
    /// below it `rows` draws of the transforms, each applied with probability `p`.
    ///
    /// # Errors
    /// When there are no pictures, they are not square, or a setting cannot be used.
    pub fn augmented(images: &Images, augment: &AugmentConfig, p: f64, rows: usize, seed: Seed) -> Result<Self> {
        augment.fixed(p).check()?;
        let (height, _) = images.size();
        let mut stream = seed.stream("augment");
        let mut all = vec![Images { captions: Vec::new(), ..images.clone() }];
        for _ in 0..rows {
            let drawn = Drawn::draw(&augment.transforms, p, [images.len(), height], &mut stream);
            all.push(Images::new(drawn.apply(&images.tensor)?.clamp(-1f32, 1f32)?)?);
        }
        Ok(Grid::rows(all)?.title(format!("Augmented with probability {p}")))
    }

    /// One row per generated image: the image, then the nearest ones of `dataset`, their distances below
    /// (`neighbours` comes from [`nearest`](crate::metrics::features::neighbours::nearest) with the data set's features as references).
    ///
    /// # Errors
    /// When there are not as many lists of neighbours as images, or a picture cannot be read.
    pub fn nearest(generated: &Images, neighbours: &[Vec<Neighbour>], dataset: &Dataset) -> Result<Self> {
        let pictures = generated.to_rgb()?;
        if pictures.len() != neighbours.len() {
            let found = format!("{} for {} images", neighbours.len(), pictures.len());
            return Err(Error::invalid("lists of neighbours", found, "one per image", ""));
        }
        let k = neighbours.iter().map(Vec::len).max().unwrap_or(0);
        let mut rows = Vec::new();
        for (picture, near) in pictures.iter().zip(neighbours) {
            let mut row = vec![picture.clone()];
            let mut captions = vec![String::new()];
            for neighbour in near {
                row.push(dataset.image(neighbour.index)?);
                captions.push(format!("L2 {:.2}", neighbour.distance));
            }
            rows.push(Images::from_rgb(&row)?.with_captions(captions)?);
        }
        let columns = std::iter::once("generated".to_string()).chain((1..=k).map(|i| format!("nearest {i}")));
        Ok(Grid::rows(rows)?.columns(columns))
    }
}
