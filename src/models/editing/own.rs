//! Editing a face in a picture of any size: cut out, read, edited at the model's size, and put back.

use std::path::Path;

use image::{ImageBuffer, Rgb, RgbImage, imageops};

use super::Editing;
use crate::data::batch::Images;
use crate::data::import::{Refused, original};
use crate::data::manifest::Filter;
use crate::data::prepare::faces::FaceSquare;
use crate::data::resize;
use crate::data::tags::{Labels, TagSet};
use crate::metrics::labels::attributes::Decision;
use crate::metrics::nets::tagger::Tagger;
use crate::models::model::Model;
use crate::{Error, Result};

/// Part of the side of a face, at each edge, over which an edit fades out.
const FEATHER: f32 = 0.12;
/// Longer side of pictures before and after, at most.
const SHOWN: u32 = 512;

/// A picture that was edited, and the face in it.
#[derive(Clone, Debug)]
pub struct EditedPicture {
    /// The whole picture in its own size, with the edited face.
    pub picture: RgbImage,
    /// The face as it was, as the model makes it unchanged, and edited, at the model's size.
    pub face: [RgbImage; 3],
    /// What the face was taken to show.
    pub shown: Labels,
    /// What it was to show.
    pub asked: Labels,
}

impl EditedPicture {
    /// The whole picture before and after with their labels, shrunk to at most 512 px.
    ///
    /// # Errors
    /// When memory runs out.
    pub fn beside(&self, before: &RgbImage) -> Result<Images> {
        let (width, height) = before.dimensions();
        let factor = (f64::from(SHOWN) / f64::from(width.max(height).max(1))).min(1.0);
        let [width, height] = [width, height].map(|side| ((f64::from(side) * factor).round() as u32).max(1));
        let shrunk = [before, &self.picture].map(|picture| resize::rgb(picture, width, height, Filter::Lanczos));
        Images::from_rgb(&shrunk)?.with_captions(vec![self.shown.to_string(), self.asked.to_string()])
    }
}

/// A picture from a file, in its own size, turned as its EXIF data say, on white.
///
/// # Errors
/// When the file cannot be read or is no picture.
pub fn open_picture(path: impl AsRef<Path>) -> Result<RgbImage> {
    let path = path.as_ref();
    original(path).map_err(|Refused(kind, detail)| {
        let found = if detail.is_empty() { kind.to_string() } else { format!("{kind}: {detail}") };
        Error::file(path, found, "a picture", "")
    })
}

/// What the built-in tagger reads of a face, as labels of these tags: colours by the likeliest, everything else above 0.25,
/// as make.girls.moe labels its pictures.
///
/// # Errors
/// When a tag is none that the tagger knows: name the labels instead.
pub fn labels_of_face(face: &RgbImage, tags: &TagSet) -> Result<Labels> {
    let tagger = Tagger::builtin()?;
    if let Some(unknown) = tags.names().into_iter().find(|name| tagger.tags().find(name).is_none()) {
        let hint = "Say what the picture shows (`--shows`): the built-in tagger reads the 34 labels of make.girls.moe.";
        return Err(Error::invalid(
            "label of the model",
            format!("\"{unknown}\""),
            "labels that the tagger reads",
            hint,
        ));
    }
    let read = tagger.labels_of(std::slice::from_ref(face))?;
    let decision = Decision::new();
    let values = tags.names().into_iter().map(|name| {
        let id = tagger.tags().id(name)?;
        Ok(f32::from(u8::from(decision.seen(&read[0], id))))
    });
    tags.labels_from(values.collect::<Result<_>>()?)
}

impl<G: Editing> Model<G> {
    /// Edits the face in a square of a picture. `wishes` say what it is to show, as [`Labels::wished`] reads them; what it
    /// shows is read by the built-in tagger where nobody says it.
    ///
    /// What the edit changes, against what the model makes of the face unchanged, is enlarged and added to the picture,
    /// fading out at the square's edges: what the model cannot draw as finely as the picture stays.
    ///
    /// # Errors
    /// When the square leaves the picture, a wish cannot be read, or the tagger does not know the model's labels.
    pub fn edit_face(
        &self,
        picture: &RgbImage,
        face: FaceSquare,
        shown: Option<Labels>,
        wishes: &str,
        strength: Option<f64>,
    ) -> Result<EditedPicture> {
        let cut = face.cut(picture)?;
        let side = G::side(self.config()) as u32;
        let small = resize::rgb(&cut, side, side, Filter::Lanczos);
        let shown = match shown {
            Some(shown) => shown,
            None => labels_of_face(&small, G::tags(self.config()))?,
        };
        let asked = shown.clone().wished(wishes)?;
        let face_images = Images::from_rgb(std::slice::from_ref(&small))?;
        let labels = std::slice::from_ref(&shown);
        let kept = self.reconstruct(&face_images, labels)?;
        let made = self.edit(&face_images, labels, std::slice::from_ref(&asked), strength)?;
        let [kept, made] = [kept, made].map(|images| images.to_rgb());
        let ([kept], [made]) = (one(kept?)?, one(made?)?);
        let mut whole = picture.clone();
        add_change(&mut whole, face, &kept, &made);
        Ok(EditedPicture { picture: whole, face: [small, kept, made], shown, asked })
    }
}

fn one(pictures: Vec<RgbImage>) -> Result<[RgbImage; 1]> {
    pictures.try_into().map_err(|found: Vec<RgbImage>| Error::shape("edited faces", &[found.len()], "[1]"))
}

/// Adds what differs between two small pictures to the square of a large one.
fn add_change(picture: &mut RgbImage, face: FaceSquare, before: &RgbImage, after: &RgbImage) {
    let (width, height) = before.dimensions();
    // Filters cut numbers off at 0 and 1.
    let change: ImageBuffer<Rgb<f32>, Vec<f32>> = ImageBuffer::from_fn(width, height, |x, y| {
        let (before, after) = (before.get_pixel(x, y).0, after.get_pixel(x, y).0);
        Rgb([0, 1, 2].map(|c| 0.5 + (f32::from(after[c]) - f32::from(before[c])) / 510.0))
    });
    let change = imageops::resize(&change, face.side, face.side, imageops::FilterType::CatmullRom);
    let inwards = |at: u32| {
        let edge = at.min(face.side - 1 - at) as f32 + 0.5;
        let share = (edge / (FEATHER * face.side as f32)).min(1.0);
        share * share * (3.0 - 2.0 * share)
    };
    for (x, y, change) in change.enumerate_pixels() {
        let (weight, pixel) = (inwards(x) * inwards(y), picture.get_pixel_mut(face.left + x, face.top + y));
        for (value, change) in pixel.0.iter_mut().zip(change.0) {
            // Casts of floats to bytes end at 0 and 255.
            *value = (f32::from(*value) + weight * (change - 0.5) * 510.0).round() as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_fades_out_at_the_edges_of_its_square() {
        let mut picture = RgbImage::from_pixel(100, 80, Rgb([100, 100, 250]));
        let grey = |value: u8| RgbImage::from_pixel(8, 8, Rgb([value; 3]));
        add_change(&mut picture, FaceSquare { left: 20, top: 10, side: 60 }, &grey(90), &grey(120));
        assert_eq!(picture.get_pixel(50, 40).0, [130, 130, 255]);
        assert_eq!(picture.get_pixel(19, 40).0, [100, 100, 250]);
        let at_the_edge = picture.get_pixel(20, 40).0[0];
        assert!((100..104).contains(&at_the_edge), "{at_the_edge}");
        let row: Vec<u8> = (20..50).map(|x| picture.get_pixel(x, 40).0[0]).collect();
        assert!(row.is_sorted(), "{row:?}");
    }

    #[test]
    fn the_tagger_says_what_a_face_shows() {
        use crate::data::avatar::Avatar;
        let faces = Avatar::faces().size(64).take(12).unwrap();
        let right = (0..12).filter(|&i| {
            let read = labels_of_face(&faces.image(i).unwrap(), faces.tags()).unwrap();
            let id = |labels: &Labels| labels.values[..13].iter().position(|v| *v == 1.0);
            id(&read) == id(&faces.labels(i).unwrap())
        });
        assert!(right.count() >= 9);
        let others = TagSet::from_names(&["smile", "cape"]).unwrap();
        let message = labels_of_face(&faces.image(0).unwrap(), &others).unwrap_err().to_string();
        assert!(message.contains("\"cape\"") && message.contains("--shows"), "{message}");
    }
}
