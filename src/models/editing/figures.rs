//! Edits as figures: figure 5 of ANIMEGAN, labels told more and more strongly, and pictures on their way from one set of
//! labels to another.

use candle_core::Tensor;

use super::Editing;
use crate::data::batch::Images;
use crate::data::tags::Labels;
use crate::models::model::Model;
use crate::show::grid::Grid;
use crate::{Error, Result};

impl<G: Editing> Model<G> {
    /// Figure 5: a row for each picture, in it the picture, what the model makes of it unchanged, and a column for each edit.
    /// An edit is one wish or several at once, as [`Labels::wished`] reads them: "hair=purple, glasses, -blush".
    ///
    /// # Errors
    /// When there is no edit, a wish cannot be read; as [`edit`](Model::edit).
    pub fn edit_grid<S: AsRef<str>>(
        &self,
        pictures: &Images,
        shown: &[Labels],
        edits: &[S],
        strength: impl Into<Option<f64>>,
    ) -> Result<Grid> {
        let strength = strength.into();
        let mut columns = vec![("kept".to_string(), self.reconstruct(pictures, shown)?)];
        for wish in edits {
            let asked = wished(shown, wish.as_ref())?;
            // Captions break at spaces, and columns are narrow.
            columns.push((wish.as_ref().replace('=', " "), self.edit(pictures, shown, &asked, strength)?));
        }
        some("edits of a figure", edits.len())?;
        sheet(pictures, columns)
    }

    /// One edit told with each of these strengths, a column each: 1 is as in training, 0 the middle of off and on, and beyond
    /// 1 the edit grows, and so does what it disturbs.
    ///
    /// # Errors
    /// When there is no strength; as [`edit_grid`](Model::edit_grid).
    pub fn strength_sweep(&self, pictures: &Images, shown: &[Labels], wish: &str, strengths: &[f64]) -> Result<Grid> {
        some("strengths", strengths.len())?;
        let asked = wished(shown, wish)?;
        let column = |&strength: &f64| Ok((format!("× {strength}"), self.edit(pictures, shown, &asked, strength)?));
        Ok(sheet(pictures, strengths.iter().map(column).collect::<Result<_>>()?)?.title(wish))
    }

    /// Pictures on the way from what they show to what is wished, a column for each share of the way: all labels that change
    /// do so together along a line, 0 is unchanged, 1 the edit as it is told in training, and shares beyond go on.
    ///
    /// # Errors
    /// When there is no share, one is not finite; as [`edit_grid`](Model::edit_grid).
    pub fn slide(&self, pictures: &Images, shown: &[Labels], wish: &str, shares: &[f64]) -> Result<Grid> {
        some("shares of the way", shares.len())?;
        let asked = wished(shown, wish)?;
        let column = |&share: &f64| {
            let on_the_way = shown.iter().zip(&asked).map(|(from, to)| between(from, to, share));
            let on_the_way = on_the_way.collect::<Result<Vec<_>>>()?;
            Ok((format!("{:.0} %", 100.0 * share), self.edit(pictures, shown, &on_the_way, 1.0)?))
        };
        Ok(sheet(pictures, shares.iter().map(column).collect::<Result<_>>()?)?.title(wish))
    }
}

fn some(what: &str, found: usize) -> Result<()> {
    if found > 0 { Ok(()) } else { Err(Error::invalid(what, "none", "at least one", "")) }
}

/// Each of these labels changed as the wish says.
pub(super) fn wished(shown: &[Labels], wish: &str) -> Result<Vec<Labels>> {
    shown.iter().map(|labels| labels.clone().wished(wish)).collect()
}

/// Labels so far on the way from one set to another.
fn between(from: &Labels, to: &Labels, share: f64) -> Result<Labels> {
    let value = |(from, to): (&f32, &f32)| from + share as f32 * (to - from);
    from.tags().labels_from(from.values.iter().zip(&to.values).map(value).collect())
}

/// A row for each picture: the picture, and what is in the columns.
fn sheet(pictures: &Images, columns: Vec<(String, Images)>) -> Result<Grid> {
    let (names, made): (Vec<String>, Vec<Images>) = columns.into_iter().unzip();
    let device = pictures.tensor.device();
    let made = made.iter().map(|images| Ok(images.tensor.to_device(device)?)).collect::<Result<Vec<Tensor>>>()?;
    let row = |i: usize| {
        let cells = [&pictures.tensor].into_iter().chain(&made).map(|column| column.get(i));
        Images::new(Tensor::stack(&cells.collect::<candle_core::Result<Vec<_>>>()?, 0)?)
    };
    let rows = (0..pictures.len()).map(row).collect::<Result<Vec<_>>>()?;
    Ok(Grid::rows(rows)?.columns(["picture".to_string()].into_iter().chain(names)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tags::tags;

    #[test]
    fn labels_on_the_way() {
        let (from, to) = (tags("blonde hair, smile").unwrap(), tags("aqua hair, smile").unwrap());
        assert_eq!(between(&from, &to, 0.0).unwrap(), from);
        assert_eq!(between(&from, &to, 1.0).unwrap(), to);
        let beyond = between(&from, &to, 1.5).unwrap();
        assert_eq!(["aqua hair", "blonde hair", "smile"].map(|tag| beyond.get(tag).unwrap()), [1.5, -0.5, 1.0]);
    }
}
