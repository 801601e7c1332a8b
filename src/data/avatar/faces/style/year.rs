//! How the drawing style changes with the year of release.

use crate::data::avatar::faces::FaceSpec;
use crate::data::avatar::palette::{Colour, WHITE};

/// The face as it is drawn in its year, from 0 (the oldest) to 1 (the newest); as it is when it has none.
///
/// A caricature of two decades of game art, by our own eye and not measured: outlines become thinner, eyes larger and
/// with more highlights, irises wider, chins rounder, and the paper, yellow in old prints, becomes white. The colours of
/// the character stay, since labels name them.
pub(in crate::data::avatar::faces) fn in_its_year(face: &FaceSpec) -> FaceSpec {
    let mut face = face.clone();
    let Some(year) = face.year else { return face };
    let between = |old: f32, new: f32| old + (new - old) * year;
    let paper = Colour::hex(0xf2_e2_bc).mix(WHITE, year);
    face.background.top = face.background.top.times(paper);
    face.background.bottom = face.background.bottom.times(paper);
    face.line *= between(1.45, 0.7);
    face.head.jaw *= between(0.84, 1.12);
    face.head.chin *= between(1.08, 0.95);
    face.head.point = between(1.0, 0.0);
    face.brows.height += between(0.012, -0.010);
    let eyes = &mut face.eyes;
    eyes.height *= between(0.78, 1.16);
    eyes.width *= between(0.92, 1.08);
    eyes.iris *= between(0.84, 1.08);
    eyes.pupil *= between(1.1, 0.85);
    eyes.lash *= between(1.05, 0.85);
    eyes.sparkle = between(0.0, 2.99) as u8;
    face
}
