//! Many bodies side by side, and a pose as a picture.

use image::RgbImage;
use rayon::prelude::*;

use super::dataset::Bodies;
use super::{BONES, CLIP, check_size};
use crate::data::avatar::canvas::{Canvas, Ink, Point};
use crate::data::avatar::palette::{Colour, WHITE};
use crate::data::avatar::shape::{ellipse, polylines};
use crate::data::batch::Images;
use crate::data::skeleton::KeyPoint;
use crate::error::{Error, Result};

/// Pairs of bones between which a limb is drawn.
pub const LIMBS: [(usize, usize); BONES - 1] = [
    (0, 1),
    (1, 2),
    (2, 3),
    (3, 4),
    (4, 5),
    (3, 6),
    (3, 7),
    (6, 8),
    (7, 9),
    (8, 10),
    (9, 11),
    (0, 12),
    (0, 13),
    (12, 14),
    (13, 15),
    (14, 16),
    (15, 17),
    (16, 18),
    (17, 19),
];

impl Bodies {
    /// One character in `n` poses that are spread over all clips.
    ///
    /// # Errors
    /// When there is no such costume, `n` is 0, or the size cannot be drawn.
    pub fn in_poses(&self, costume: usize, n: usize) -> Result<Images> {
        let poses = self.len() / self.count().max(1);
        let pose = |i: usize| (i * poses + poses / 2) / n.max(1);
        self.pictures((0..n.min(poses)).map(|i| (costume, pose(i))).collect())
    }

    /// The first `n` characters in one pose.
    ///
    /// # Errors
    /// When there is no such pose, `n` is 0, or the size cannot be drawn.
    pub fn characters(&self, n: usize, pose: usize) -> Result<Images> {
        self.pictures((0..n.min(self.count())).map(|costume| (costume, pose)).collect())
    }

    /// One character in all poses of a clip, in order.
    ///
    /// # Errors
    /// When there is no such costume or clip, or the size cannot be drawn.
    pub fn in_clip(&self, costume: usize, clip: usize) -> Result<Images> {
        let poses = self.len() / self.count().max(1);
        let from = clip.saturating_mul(CLIP);
        if from >= poses {
            let expected = format!("a number below {}", self.clips());
            return Err(Error::invalid("number of a clip", clip.to_string(), expected, ""));
        }
        self.pictures((from..(from + CLIP).min(poses)).map(|pose| (costume, pose)).collect())
    }

    /// Pictures of costumes in poses, with both as captions.
    fn pictures(&self, wanted: Vec<(usize, usize)>) -> Result<Images> {
        self.check()?;
        let poses = self.len() / self.count();
        if let Some((costume, pose)) = wanted.iter().find(|(costume, pose)| *costume >= self.count() || *pose >= poses)
        {
            let expected = format!("a costume below {} and a pose below {poses}", self.count());
            return Err(Error::invalid("body", format!("costume {costume}, pose {pose}"), expected, ""));
        }
        let at = |(costume, pose): (usize, usize)| costume * poses + pose;
        let pictures = wanted.par_iter().map(|&one| self.image(at(one))).collect::<Result<Vec<_>>>()?;
        let caption = |&(costume, pose): &(usize, usize)| {
            let place = self.place(pose);
            format!("costume {costume}, {} {}", self.clip(place.clip).motion.tag(), place.frame)
        };
        Images::from_rgb(&pictures)?.with_captions(wanted.iter().map(caption).collect())
    }
}

/// A pose of 20 bones as white limbs and dots on black, `size`×`size` pixels, as the PSGAN paper shows poses. Bones
/// that are not known (third number 0) are left out with their limbs.
///
/// # Errors
/// When there are not 20 points, or the size is 0 or above [`MAX_SIZE`](super::MAX_SIZE).
pub fn pose_picture(points: &[KeyPoint], size: u32) -> Result<RgbImage> {
    check_size(size)?;
    if points.len() != BONES {
        return Err(Error::invalid("key points of a pose", points.len().to_string(), BONES.to_string(), ""));
    }
    let side = size as f32;
    let place = |bone: usize| {
        let [x, y, known] = points[bone];
        (known > 0.0).then_some((x / side, y / side))
    };
    let mut canvas = Canvas::new(size, false)?;
    canvas.fill(&crate::data::avatar::shape::everywhere(), Ink::Flat(Colour::hex(0)));
    let limbs = LIMBS.iter().filter_map(|&(a, b)| Some([place(a)?, place(b)?]));
    canvas.stroke(&polylines(limbs), (1.0 / side).max(0.004), Ink::Flat(WHITE));
    let radius = (1.2 / side).max(0.008);
    for at in (0..BONES).filter_map(place) {
        let at: Point = at;
        canvas.fill(&ellipse(at, radius, radius), Ink::Flat(WHITE));
    }
    RgbImage::from_raw(size, size, canvas.into_rgb())
        .ok_or_else(|| Error::invalid("pose", "a broken canvas", "size² pixels", ""))
}
