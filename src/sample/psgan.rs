//! Drawing with PSGAN: characters, which are latents, in poses, which are key points.

use candle_core::Tensor;
use image::RgbImage;
use image::imageops::{self, FilterType};

use super::{Path, in_chunks, rows, seeds, walk};
use crate::data::batch::Images;
use crate::data::poses::PoseSequence;
use crate::models::classes::{in_turn, joined};
use crate::models::psgan::Psgan;
use crate::rng::Seed;
use crate::show::animation::Animation;
use crate::show::grid::Grid;
use crate::show::skeleton::SkeletonStyle;
use crate::{Error, Result};

/// Least side of a picture beside a skeleton; smaller ones are enlarged, since a skeleton of few pixels shows nothing.
const SIDE: u32 = 128;

impl Psgan {
    /// Pictures of latents `[N, Z]`, as [`latents`](Psgan::latents) gives them, in as many poses: key points `[N, M, 3]` as
    /// [`Dataset::poses`](crate::data::dataset::Dataset::poses) gives them, x and y as shares of the picture's side.
    ///
    /// # Errors
    /// When they have other shapes, or there are none.
    pub fn draw(&self, z: &Tensor, poses: &Tensor) -> Result<Images> {
        let count = |tensor: &Tensor| tensor.dims().first().copied().unwrap_or(0);
        if count(z) != count(poses) {
            let hint = "For every character in every pose there is `characters`.";
            let found = format!("{} latents, {} poses", count(z), count(poses));
            return Err(Error::invalid("pictures to draw", found, "as many of both", hint));
        }
        let networks = self.networks()?;
        let poses = poses.to_device(self.device())?;
        let made = in_chunks("poses to draw", count(z), |range| {
            let poses = self.config().poses(&rows(&poses, &range)?)?;
            networks.generator().finished(&rows(z, &range)?, Some(&poses))
        })?;
        Images::new(made.clamp(-1f32, 1f32)?)
    }

    /// A fresh character for every pose.
    ///
    /// # Errors
    /// When poses have another shape, or there are none.
    pub fn sample(&self, poses: &Tensor, seed: Seed) -> Result<Images> {
        let n = poses.dims().first().copied().unwrap_or(0);
        self.draw(&self.fresh_latents(n, seed)?, poses)
    }

    /// Every character in every pose, pose by pose: `grid(characters)` has a row per pose and a column per character, as
    /// the figures of the paper's supplement; [`walk::through`] makes the characters between two.
    ///
    /// # Errors
    /// When latents or poses have other shapes, or there are none.
    pub fn characters(&self, z: &Tensor, poses: &Tensor) -> Result<Images> {
        let (&[k, latent], &[p, points, 3]) = (z.dims(), poses.dims()) else {
            let found = format!("{:?} and {:?}", z.dims(), poses.dims());
            return Err(Error::invalid("characters and poses", found, "[K, Z] and [P, M, 3]", ""));
        };
        let z = z.unsqueeze(0)?.broadcast_as((p, k, latent))?.reshape((p * k, latent))?;
        let poses = poses.unsqueeze(1)?.broadcast_as((p, k, points, 3))?.reshape((p * k, points, 3))?;
        self.draw(&z, &poses)
    }

    /// One character in a sequence of poses `[P, M, 3]`: the frames of an animation.
    ///
    /// # Errors
    /// When the latent `[1, Z]` or the poses have other shapes.
    pub fn animate(&self, z: &Tensor, poses: &Tensor) -> Result<Images> {
        match z.dims() {
            [1, _] => self.characters(z, poses),
            other => Err(Error::shape("character to animate", other, "[1, Z]")),
        }
    }

    /// The first figure of the paper's supplement: a row for each pose, which stands at the left as a skeleton, and in the
    /// columns the characters of the latents `[K, Z]` with `between` characters from each to the next one along the great
    /// circle. The paper has two and five between them.
    ///
    /// # Errors
    /// Fewer than two latents, or shapes or a skeleton that are not the network's.
    pub fn interpolation(&self, z: &Tensor, between: usize, poses: &PoseSequence) -> Result<Grid> {
        let (characters, style) = (walk::through(z, between + 1, Path::Slerp, false)?, SkeletonStyle::paper());
        let made = self.characters(&characters, &self.known(poses)?)?;
        let (columns, factor) = (characters.dims()[0], SIDE.div_ceil(made.size().1 as u32));
        let (side, mut cells) = (made.size().1 as u32 * factor, Vec::new());
        let skeletons = poses.pictures(&style, (side, side))?;
        for (skeleton, row) in skeletons.into_iter().zip(made.to_rgb()?.chunks(columns)) {
            cells.push(skeleton);
            cells.extend(row.iter().map(|picture| enlarged(picture, side)));
        }
        let title = |column: usize| match column % (between + 1) {
            0 => format!("character {}", column / (between + 1) + 1),
            step => format!("{step}/{}", between + 1),
        };
        let titles = ["pose".to_string()].into_iter().chain((0..columns).map(title));
        Ok(Grid::from_rgb(&cells)?.nrow(columns + 1).scale(1).columns(titles))
    }

    /// The characters of the latents `[K, Z]` in the same motion, side by side with these captions (none for no text), and
    /// its skeleton at the end (PSGAN's figure 3) unless `skeleton` is none.
    ///
    /// # Errors
    /// No latent, or shapes or a skeleton that are not the network's.
    pub fn film<S: AsRef<str>>(
        &self,
        z: &Tensor,
        motion: &PoseSequence,
        captions: &[S],
        skeleton: Option<&SkeletonStyle>,
    ) -> Result<Animation> {
        /// Animations in a row.
        const ROW: usize = 6;
        let (points, side) = (self.known(motion)?, self.config().size() as u32);
        let factor = SIDE.div_ceil(side);
        let mut parts = Vec::new();
        for i in 0..z.dims().first().copied().unwrap_or(0) {
            let frames = self.animate(&rows(z, &(i..i + 1))?, &points)?;
            parts.push(frames.animation(motion.fps())?.enlarged(factor)?);
        }
        let mut captions: Vec<&str> = captions.iter().map(AsRef::as_ref).collect();
        if let Some(style) = skeleton {
            captions.resize(if captions.is_empty() { 0 } else { parts.len() }, "");
            parts.push(motion.animation(style, (side * factor, side * factor))?);
        }
        Animation::grid(&parts, parts.len().min(ROW), &captions)
    }

    /// The key points of poses, if they are of this network's skeleton.
    fn known(&self, poses: &PoseSequence) -> Result<Tensor> {
        let (found, wanted) = (poses.skeleton().len(), self.config().keypoints);
        match found == wanted {
            true => poses.tensor(),
            false => Err(Error::invalid("poses", format!("{found} key points"), format!("{wanted}"), "")),
        }
    }

    /// The latents of these seeds, as published figures name them: [`seeds::latents`]. Where characters have
    /// [classes](crate::models::psgan::PsganConfig::labelled), each latent ends with a number for each of them, and is of the
    /// class whose number is the seed, from the first one again after the last.
    ///
    /// # Errors
    /// When the device has no memory for them.
    pub fn latents(&self, seeds: &[u32]) -> Result<Tensor> {
        let z = seeds::latents(seeds, self.config().network.latent, self.device())?;
        let Some(classes) = &self.config().classes else { return Ok(z) };
        let count = classes.len()?;
        let numbers: Vec<usize> = seeds.iter().map(|&seed| seed as usize % count).collect();
        joined(&z, Some(&classes.rows(&numbers, &z)?))
    }

    /// Fresh latents of `n` pictures, class after class where characters have classes.
    ///
    /// # Errors
    /// When the device has no memory for them.
    pub fn fresh_latents(&self, n: usize, seed: Seed) -> Result<Tensor> {
        in_turn(self.config().classes.as_ref(), &seeds::fresh(seed, [n, self.config().network.latent], self.device())?)
    }
}

fn enlarged(picture: &RgbImage, side: u32) -> RgbImage {
    match picture.width() == side {
        true => picture.clone(),
        false => imageops::resize(picture, side, side, FilterType::Nearest),
    }
}
