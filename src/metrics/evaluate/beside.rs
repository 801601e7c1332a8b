//! What is judged, as pictures: those of all models beside each other.

use image::RgbImage;

use super::Evaluation;
use super::pictures::Chosen;
use crate::data::batch::Images;
use crate::data::manifest::Filter;
use crate::data::resize;
use crate::show::grid::Grid;
use crate::{Error, Result};

impl Evaluation {
    /// The very pictures that the table is about, at these places of the (first) real ones: a column for each place, a row
    /// for each model, below them the real pictures, and above all what pairs are made from. All are brought to the size of
    /// the first real one.
    ///
    /// # Errors
    /// When a place is beyond the last picture, there is none, or a picture cannot be read or made.
    pub fn beside(&self, places: &[usize]) -> Result<Grid> {
        let nothing = || Error::invalid("pictures beside each other", "no place", "at least one", "");
        let (_, real) = self.splits.first().ok_or_else(nothing)?;
        let chosen = |pictures| Chosen::new(pictures, places.to_vec())?.all();
        let (mut rows, mut labels) = (Vec::new(), Vec::new());
        if let Some(pairs) = real.pairs() {
            rows.push(places.iter().map(|&i| pairs.source_image(i)).collect::<Result<Vec<_>>>()?);
            labels.push("input".to_string());
        }
        for (name, model) in &self.models {
            rows.push(chosen(model.pictures(real.as_ref(), self.seed)?)?);
            labels.push(name.clone());
        }
        let real = chosen(real.clone())?;
        let (width, height) = real.first().ok_or_else(nothing)?.dimensions();
        rows.push(real);
        labels.push("real".to_string());
        let of_size = |picture: &RgbImage| resize::rgb(picture, width, height, Filter::Bicubic);
        let sized = |row: Vec<RgbImage>| Images::from_rgb(&row.iter().map(of_size).collect::<Vec<_>>());
        let rows = rows.into_iter().map(sized).collect::<Result<Vec<_>>>()?;
        Ok(Grid::rows(rows)?.labels(labels))
    }
}
