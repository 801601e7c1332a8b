//! Poses as pictures: limbs and dots, alone or over a picture.

use std::sync::Arc;

use image::RgbImage;
use rayon::prelude::*;

use super::animation::Animation;
use super::bundle::{Bundle, Show, displayable};
use super::grid::Grid;
use super::render;
use super::scene::{Colour, Item, Scene};
use crate::data::batch::Images;
use crate::data::manifest::Resize;
use crate::data::placement::Placement;
use crate::data::poses::{Part, Pose, PoseSequence, Skeleton};
use crate::{Error, Result};

/// Poses of an overview, and in one row of it.
const SHOWN: usize = 24;
const NROW: usize = 8;
/// Longer side of a skeleton in an overview.
const SIDE: u32 = 128;

/// How skeletons look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SkeletonStyle {
    /// Red, green and blue behind the skeleton.
    pub background: [u8; 3],
    /// The colour of everything; none colours by part of the body: warm on the character's right, cold on its left.
    pub ink: Option<[u8; 3]>,
    /// Width of a limb as a share of the picture's shorter side; 0 draws none.
    pub line: f32,
    /// Radius of a key point as a share of the picture's shorter side; 0 draws none.
    pub dot: f32,
}

impl Default for SkeletonStyle {
    /// Coloured by part, on white.
    fn default() -> Self {
        SkeletonStyle { background: [255; 3], ink: None, line: 0.022, dot: 0.017 }
    }
}

impl SkeletonStyle {
    /// White on black, as PSGAN's Figure 3 shows the pose beside the picture.
    pub fn paper() -> SkeletonStyle {
        SkeletonStyle { background: [0; 3], ink: Some([255; 3]), ..SkeletonStyle::default() }
    }

    /// Coloured by part, on black.
    pub fn on_black() -> SkeletonStyle {
        SkeletonStyle { background: [0; 3], ..SkeletonStyle::default() }
    }

    fn colour(&self, part: Part) -> Colour {
        let [r, g, b] = self.ink.unwrap_or(match part {
            Part::Head => [0x8e, 0x5c, 0xc9],
            Part::Trunk => [0x4d, 0xa3, 0x4d],
            Part::LeftArm => [0x2f, 0x6f, 0xd6],
            Part::RightArm => [0xdf, 0x3e, 0x3e],
            Part::LeftLeg => [0x1f, 0xb0, 0xc4],
            Part::RightLeg => [0xf0, 0x93, 0x2b],
        });
        Colour(r, g, b, 1.0)
    }

    /// Draws the limbs whose both ends are known, and the key points that are. `place` brings points into the scene.
    fn draw(&self, scene: &mut Scene, skeleton: &Skeleton, pose: &Pose, place: &Placement) {
        let known = |i: usize| pose.points.get(i).filter(|point| point[2] > 0.0 && point[0].is_finite());
        let at = |i: usize| known(i).map(|point| place.point(*point)).map(|[x, y, _]| (x, y));
        let side = scene.width.min(scene.height);
        for limb in skeleton.limbs().iter().filter(|_| self.line > 0.0) {
            if let (Some(from), Some(to)) = (at(limb.from), at(limb.to)) {
                scene.line(from, to, (self.line * side).max(1.0), self.colour(limb.part));
            }
        }
        for (i, part) in skeleton.parts().into_iter().enumerate().filter(|_| self.dot > 0.0) {
            if let Some((x, y)) = at(i) {
                let radius = (self.dot * side).max(0.7);
                scene.add(Item::Circle { x, y, radius, fill: Some(self.colour(part)), edge: None });
            }
        }
    }
}

impl PoseSequence {
    /// Skeleton `i` as a picture of `size` (width, height), anti-aliased; a pose of another shape is letterboxed. Limbs are
    /// drawn between the key points of OpenPose's names and of the bones' names, dots for every key point that is known.
    ///
    /// # Errors
    /// When there is no pose `i`, or a side is 0 or above 32,767 pixels.
    pub fn picture(&self, i: usize, style: &SkeletonStyle, size: (u32, u32)) -> Result<RgbImage> {
        let pose = self.pose(i)?;
        check_size(size)?;
        let (width, height) = (size.0 as f32, size.1 as f32);
        let mut scene = Scene::new(width, height);
        let [r, g, b] = style.background;
        scene.rect(0.0, 0.0, width, height, Colour(r, g, b, 1.0));
        if let Some(place) = Placement::of(Resize::Pad, pose.size, size) {
            style.draw(&mut scene, self.skeleton(), pose, &place);
        }
        scene.raster(1.0)
    }

    /// Skeleton `i` over a picture, which is stretched like the pose's own: to see whether a pose fits.
    ///
    /// # Errors
    /// As [`PoseSequence::picture`].
    pub fn over(&self, i: usize, style: &SkeletonStyle, picture: &RgbImage) -> Result<RgbImage> {
        let (pose, size) = (self.pose(i)?, picture.dimensions());
        check_size(size)?;
        let (width, height) = (size.0 as f32, size.1 as f32);
        let mut scene = Scene::new(width, height);
        scene.add(Item::Picture { image: Arc::new(picture.clone()), x: 0.0, y: 0.0, width, height });
        if let Some(place) = Placement::of(Resize::Squash, pose.size, size) {
            style.draw(&mut scene, self.skeleton(), pose, &place);
        }
        scene.raster(1.0)
    }

    /// All skeletons as pictures of `size` (width, height), drawn on all cores.
    ///
    /// # Errors
    /// As [`PoseSequence::picture`].
    pub fn pictures(&self, style: &SkeletonStyle, size: (u32, u32)) -> Result<Vec<RgbImage>> {
        (0..self.len()).into_par_iter().map(|i| self.picture(i, style, size)).collect()
    }

    /// All skeletons as images in [−1, 1], named by their poses.
    ///
    /// # Errors
    /// As [`PoseSequence::picture`].
    pub fn images(&self, style: &SkeletonStyle, size: (u32, u32)) -> Result<Images> {
        let names = self.poses().iter().map(|pose| pose.name.clone()).collect();
        Images::from_rgb(&self.pictures(style, size)?)?.with_captions(names)
    }

    /// The skeletons one after the other, as fast as the sequence says.
    ///
    /// # Errors
    /// As [`PoseSequence::picture`].
    pub fn animation(&self, style: &SkeletonStyle, size: (u32, u32)) -> Result<Animation> {
        Animation::new(self.pictures(style, size)?, self.fps())
    }

    /// Up to 24 skeletons, evenly spread over the sequence, with their names below.
    ///
    /// # Errors
    /// As [`PoseSequence::picture`].
    pub fn grid(&self, style: &SkeletonStyle) -> Result<Grid> {
        let count = self.len().min(SHOWN);
        let places: Vec<usize> = (0..count).map(|i| i * self.len() / count).collect();
        let (width, height) = places.iter().fold((1, 1), |(w, h), i| {
            let (width, height) = self.poses()[*i].size;
            (w.max(width), h.max(height))
        });
        let scale = f64::from(SIDE) / f64::from(width.max(height));
        let side = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
        let size = (side(width), side(height));
        let pictures = places.par_iter().map(|i| self.picture(*i, style, size)).collect::<Result<Vec<_>>>()?;
        let names = places.iter().map(|i| self.poses()[*i].name.clone());
        Ok(Grid::from_rgb(&pictures)?.nrow(NROW).captions(names).scale(1).title(self.to_string()))
    }

    fn pose(&self, i: usize) -> Result<&Pose> {
        self.poses().get(i).ok_or_else(|| {
            Error::invalid("number of a pose", i.to_string(), format!("a number below {}", self.len()), "")
        })
    }
}

fn check_size((width, height): (u32, u32)) -> Result<()> {
    match width > 0 && height > 0 {
        true => Ok(()),
        false => Err(Error::invalid("picture of a skeleton", format!("{width}×{height} pixels"), "at least one", "")),
    }
}

impl Show for PoseSequence {
    fn bundle(&self) -> Result<Bundle> {
        let picture = self.grid(&SkeletonStyle::default())?.image()?;
        let mut plain = format!("{self:?}");
        if !self.report().is_clean() {
            plain.push_str(&format!("\n{:?}", self.report()));
        }
        render::picture_bundle(&picture, plain)
    }
}

displayable!(PoseSequence);
