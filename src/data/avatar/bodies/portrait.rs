//! A character that shows its clothes: it stands still, seen from the front, and fills the picture.

use image::RgbImage;
use tiny_skia::Transform;

use super::body::Body;
use super::costume::{Costume, Lower};
use super::motion::at_ease;
use super::paint::{background, paint};
use super::rig::{Limb, Stance};
use super::{CRISP, check_size, picture};
use crate::Result;
use crate::data::avatar::canvas::Canvas;
use crate::data::avatar::faces::averaged;
use crate::data::avatar::palette::{Colour, WHITE};
use crate::rng::Stream;

/// How one character is shown. Everything but the costume is drawn anew for every picture of it.
#[derive(Clone, Debug)]
pub(in crate::data::avatar) struct Portrait<'a> {
    costume: &'a Costume,
    stance: Stance,
    /// Part of the usual picture of a body that is shown.
    view: Transform,
    backdrop: Colour,
}

/// What one sees of the usual picture of a body: its middle and its side. From the hair to the shoes, and to the knees.
const WHOLE: [f32; 2] = [0.553, 0.825];
const KNEES: [f32; 2] = [0.472, 0.640];

/// Plain backgrounds that are not white.
const BACKDROPS: [u32; 5] = [0xf3f1ee, 0xe9f0f6, 0xf8eaee, 0xe6e6ea, 0xeef4e8];

impl<'a> Portrait<'a> {
    /// Chance decides how the character stands, how much of it one sees, and what is behind it.
    pub fn new(costume: &'a Costume, s: &mut Stream) -> Portrait<'a> {
        let stance = stance(s);
        // Trousers are seen to their ends.
        let near = costume.outfit.lower != Lower::Trousers && s.chance(0.5);
        let [middle, side] = if near { KNEES } else { WHOLE };
        let zoom = s.range(0.985, 1.03) as f32 / side;
        let (dx, dy) = (s.range(-0.02, 0.02) as f32, s.range(-0.008, 0.008) as f32);
        let view = Transform::from_translate(-0.5, -middle).post_scale(zoom, zoom).post_translate(0.5 + dx, 0.5 + dy);
        let backdrop = if s.chance(0.75) { WHITE } else { Colour::hex(BACKDROPS[s.below(BACKDROPS.len())]) };
        Portrait { costume, stance, view, backdrop }
    }

    /// The picture, antialiased, `size`×`size` pixels.
    pub fn picture(&self, size: u32) -> Result<RgbImage> {
        check_size(size)?;
        let finer = CRISP.div_ceil(size).max(1);
        let image = picture(self.painted(background(size * finer, self.backdrop)?)?.into_rgb(), size * finer)?;
        Ok(if finer == 1 { image } else { averaged(&image, finer) })
    }

    /// What every pixel shows: numbers of [`Region`](crate::data::avatar::canvas::Region), row by row.
    pub fn regions(&self, size: u32) -> Result<Vec<u8>> {
        check_size(size)?;
        Ok(self.painted(Canvas::new(size, true)?)?.into_rgb().into_iter().step_by(3).collect())
    }

    fn painted(&self, mut canvas: Canvas) -> Result<Canvas> {
        canvas.view(self.view);
        paint(&Body::still(self.costume, &self.stance), canvas)
    }
}

/// At ease, a hand at the hip, arms held away, or one hand raised; turned a little.
fn stance(s: &mut Stream) -> Stance {
    let mut about = |deviation: f64| s.range(-deviation, deviation) as f32;
    let own = about(1.0);
    let mut stance = Stance { yaw: about(0.28), head: [0.03, about(0.12), about(0.07)], ..at_ease(own) };
    stance.hips = [0.0, about(0.05), about(0.04)];
    stance.back = [0.02, about(0.05), -stance.hips[2]];
    let spread = 0.10 + 0.16 * about(1.0).abs();
    for arm in &mut stance.arms {
        arm.spread += spread;
    }
    match s.weighted(&[0.5, 0.2, 0.2, 0.1]) {
        0 => {}
        1 => stance.arms[0] = Limb { swing: -0.12, spread: 0.72, twist: 1.25, bend: 1.55, end: 0.2 },
        2 => {
            for arm in &mut stance.arms {
                arm.spread = s.range(0.45, 0.75) as f32;
                arm.bend = 0.15;
            }
        }
        _ => stance.arms[0] = Limb { swing: 0.30, spread: 1.15, twist: 1.45, bend: 1.45, end: -0.1 },
    }
    if s.chance(0.5) { stance.mirrored() } else { stance }
}
