//! A garment as a photo shows it: on a mannequin, on a hanger or on nothing, in a room, under some light.

mod cut;
mod film;
mod lower;
mod scene;
mod sewing;
mod trimming;
mod upper;

use image::RgbImage;
use tiny_skia::Transform;

pub(super) use cut::categories;

use cut::Cut;
use film::{Film, Threads, lit, neutral, soften};
use scene::{Scene, Stand};
use sewing::{Fabric, Mark, Sewing};

use crate::Result;
use crate::data::avatar::bodies::costume::{Outfit, Upper};
use crate::data::avatar::canvas::{Canvas, Ink, Point};
use crate::data::avatar::faces::averaged;
use crate::data::avatar::palette::Colour;
use crate::data::avatar::shape::everywhere;
use crate::error::Error;
use crate::rng::{Seed, Stream};

/// Number of key points.
pub(super) const POINTS: usize = 24;

/// Below this side a photo is taken larger and averaged down.
const CRISP: u32 = 128;

/// One photo of a garment. Places are shares of its side.
#[derive(Clone, Debug)]
pub(in crate::data::avatar) struct Photo {
    marks: Vec<Mark>,
    /// From metres of the garment into the unit square.
    placement: Transform,
    scene: Scene,
    film: Film,
    light: f32,
    /// How dark the shadow on the wall is, and how far away.
    shadow: [f32; 2],
    seed: Seed,
    /// The 24 points; none where the garment has none.
    pub points: [Option<Point>; POINTS],
    /// Left, top, right, bottom of the clothing.
    pub bounds: [f32; 4],
    /// Mean x of the points, and the middle of the clothing from top to bottom.
    pub centre: Point,
    /// Sides of the picture per metre of the garment.
    pub scale: f32,
}

impl Photo {
    /// A photo of these clothes. `calibrated`: the centre of the clothing is that of the picture.
    pub fn new(outfit: &Outfit, calibrated: bool, seed: Seed) -> Photo {
        let mut s = seed.stream("photo");
        let light = if s.chance(0.5) { -1.0 } else { 1.0 } * s.range(0.5, 1.0) as f32;
        let stand = [Stand::Invisible, Stand::Mannequin, Stand::Hanger][s.weighted(&[0.35, 0.4, 0.25])];
        let droop = match stand {
            Stand::Hanger => s.range(0.09, 0.20),
            _ => s.range(0.13, 0.42),
        };
        let cut = Cut::new(outfit, droop as f32, &mut s);
        let colour = scene::stand_colour(&mut s);
        let sewing = Sewing { marks: Vec::new(), light, s: seed.stream("photo/folds") };
        let marks = sewn(sewing, &cut, outfit, stand, colour);
        let turn = Transform::from_rotate(s.range(-1.8, 1.8) as f32);
        let points = cut.points(outfit).map(|point| point.map(|point| mapped(turn, point)));
        let bounds = extent(&marks, turn);
        let placement = turn.post_concat(placed(&points, bounds, calibrated, &mut s));
        let points = cut.points(outfit).map(|point| point.map(|point| mapped(placement, point)));
        let bounds = extent(&marks, placement);
        Photo {
            scene: Scene::new(light, &mut s),
            film: Film::new(&mut s),
            light,
            shadow: [s.range(0.18, 0.42) as f32, s.range(0.010, 0.035) as f32],
            seed,
            centre: centre(&points, bounds),
            points,
            bounds,
            scale: placement.get_scale().0,
            placement,
            marks,
        }
    }

    /// The picture, `size`×`size` pixels.
    pub fn picture(&self, size: u32) -> Result<RgbImage> {
        let finer = CRISP.div_ceil(size).max(1);
        let large = self.lit_scene(size * finer, finer)?;
        let seen = if finer == 1 { large } else { averaged(&large, finer) };
        Ok(self.film.expose(&seen, &mut self.seed.stream("photo/noise")))
    }

    /// Which pixels show clothing, row by row.
    pub fn mask(&self, size: u32) -> Result<Vec<bool>> {
        let clothing = |number: u8| number > Fabric::Stand as u8;
        Ok(self.numbers(size)?.into_iter().map(clothing).collect())
    }

    fn numbers(&self, size: u32) -> Result<Vec<u8>> {
        let mut canvas = Canvas::new(size, true)?;
        sewing::numbers(&self.marks, self.placement, &mut canvas);
        Ok(canvas.into_rgb().into_iter().step_by(3).collect())
    }

    /// Everything before lens and sensor, which will see it `finer` times smaller.
    fn lit_scene(&self, size: u32, finer: u32) -> Result<RgbImage> {
        let side = size as usize;
        let numbers = self.numbers(size)?;
        let mut canvas = Canvas::new(size, false)?;
        self.scene.paint(&mut canvas);
        let room = self.shaded_room(canvas.into_rgb(), &numbers, side);
        let mut canvas = Canvas::onto(&room, size)?;
        sewing::colours(&self.marks, self.placement, &mut canvas);
        let mut bytes = canvas.into_rgb();
        let relief = self.relief(size)?;
        let back = self.placement.invert().unwrap_or_default();
        let threads = Threads { sharp: self.scale * (size / finer) as f32, seed: self.seed.0 as u32 };
        for (i, pixel) in bytes.chunks_exact_mut(3).enumerate() {
            let Some(fabric) = Fabric::of(numbers[i]) else { continue };
            let place = ((i % side) as f32 + 0.5, (i / side) as f32 + 0.5);
            let at = mapped(back, (place.0 / size as f32, place.1 / size as f32));
            let mut factor = 2.0 * relief[i];
            if fabric != Fabric::Stand {
                factor = (factor + threads.wrinkles(at, -self.light) * 0.30) * threads.at(fabric, at) * EXPOSED;
            }
            pixel.copy_from_slice(&lit(Colour::from_u8([pixel[0], pixel[1], pixel[2]]), fabric, factor).to_u8());
        }
        RgbImage::from_raw(size, size, bytes)
            .ok_or_else(|| Error::invalid("photo", "a broken canvas", "size² pixels", ""))
    }

    /// Light and shadow of the cloth, softened; 0.5 changes nothing.
    fn relief(&self, size: u32) -> Result<Vec<f32>> {
        let mut canvas = Canvas::new(size, false)?;
        canvas.fill(&everywhere(), Ink::Flat(neutral()));
        sewing::relief(&self.marks, self.placement, &mut canvas);
        let mut relief: Vec<f32> = canvas.into_rgb().into_iter().step_by(3).map(|v| f32::from(v) / 255.0).collect();
        soften(&mut relief, size as usize, (0.0034 * self.scale * size as f32).round() as usize);
        Ok(relief)
    }

    /// The room out of focus, with the shadow of what stands in it.
    fn shaded_room(&self, room: Vec<u8>, numbers: &[u8], side: usize) -> Vec<u8> {
        let mut shadow: Vec<f32> = numbers.iter().map(|&number| f32::from(u8::from(number > 0))).collect();
        soften(&mut shadow, side, (0.016 * side as f32).round() as usize);
        let [dark, far] = self.shadow;
        let (dx, dy) = ((-self.light * far * side as f32) as isize, (0.6 * far * side as f32) as isize);
        let mut planes: [Vec<f32>; 3] =
            std::array::from_fn(|c| room.iter().skip(c).step_by(3).map(|&v| f32::from(v)).collect());
        for plane in &mut planes {
            soften(plane, side, (0.004 * side as f32).round() as usize);
        }
        let last = side as isize - 1;
        let mut bytes = Vec::with_capacity(room.len());
        for i in 0..side * side {
            let (x, y) = ((i % side) as isize - dx, (i / side) as isize - dy);
            let at = y.clamp(0, last) as usize * side + x.clamp(0, last) as usize;
            let factor = 1.0 - dark * shadow[at];
            bytes.extend(planes.iter().map(|plane| (plane[i] * factor).round().clamp(0.0, 255.0) as u8));
        }
        bytes
    }
}

/// Folds and edges darken a garment; photographers expose for the garment.
const EXPOSED: f32 = 1.08;

/// All marks of a garment and its stand, from the back to the front.
fn sewn(mut sewing: Sewing, cut: &Cut, outfit: &Outfit, stand: Stand, colour: Colour) -> Vec<Mark> {
    let sewing_mut = &mut sewing;
    scene::behind(sewing_mut, stand, colour);
    upper::back(sewing_mut, cut, outfit);
    scene::in_the_neck(sewing_mut, stand, colour, cut);
    if outfit.upper == Upper::Coat {
        trimming::inside_of_coat(sewing_mut, cut, outfit);
    }
    if let Some(skirt) = &cut.skirt {
        lower::skirt(sewing_mut, skirt, outfit);
    }
    if let Some(legs) = &cut.legs {
        lower::legs(sewing_mut, legs, outfit);
    }
    match outfit.upper {
        Upper::Coat => trimming::coat_halves(sewing_mut, cut, outfit),
        Upper::Blazer => {
            trimming::shirt(sewing_mut, cut);
            upper::trunk(sewing_mut, cut, outfit);
        }
        _ => upper::trunk(sewing_mut, cut, outfit),
    }
    upper::sleeves(sewing_mut, cut, outfit);
    trimming::trimming(sewing_mut, cut, outfit);
    sewing.marks
}

fn mapped(transform: Transform, (x, y): Point) -> Point {
    let mut point = tiny_skia::Point::from_xy(x, y);
    transform.map_point(&mut point);
    (point.x, point.y)
}

/// Left, top, right and bottom of all clothing.
fn extent(marks: &[Mark], transform: Transform) -> [f32; 4] {
    let mut all = [f32::INFINITY, f32::INFINITY, f32::NEG_INFINITY, f32::NEG_INFINITY];
    // What is cut off by a piece reaches no further than that piece.
    let mut cut_off = false;
    for mark in marks {
        cut_off = match mark {
            Mark::Inside(_) => true,
            Mark::Outside => false,
            _ => cut_off,
        };
        let Mark::Piece { path, fabric, .. } = mark else { continue };
        if cut_off || *fabric == Fabric::Stand {
            continue;
        }
        if let Some(bounds) = path.clone().transform(transform).and_then(|path| path.compute_tight_bounds()) {
            all = [
                all[0].min(bounds.left()),
                all[1].min(bounds.top()),
                all[2].max(bounds.right()),
                all[3].max(bounds.bottom()),
            ];
        }
    }
    all
}

fn centre(points: &[Option<Point>; POINTS], bounds: [f32; 4]) -> Point {
    let known: Vec<f32> = points.iter().flatten().map(|point| point.0).collect();
    (known.iter().sum::<f32>() / known.len().max(1) as f32, 0.5 * (bounds[1] + bounds[3]))
}

/// Where in the picture the garment is, and how large.
fn placed(points: &[Option<Point>; POINTS], bounds: [f32; 4], calibrated: bool, s: &mut Stream) -> Transform {
    let (width, height) = (bounds[2] - bounds[0], bounds[3] - bounds[1]);
    let fill = if calibrated { s.range(0.76, 0.90) } else { s.range(0.60, 0.88) } as f32;
    // Room for the hook of a hanger or the neck of a mannequin.
    let scale = fill / width.max(height);
    let middle = centre(points, bounds);
    let slack = [width, height].map(|length| (0.5 * (1.0 - scale * length) - 0.015).clamp(0.0, 0.17));
    let (dx, dy) = (s.range(-1.0, 1.0) as f32 * slack[0], s.range(-1.0, 1.0) as f32 * slack[1]);
    let (dx, dy) = if calibrated { (0.0, 0.0) } else { (dx, dy) };
    Transform::from_translate(-middle.0, -middle.1).post_scale(scale, scale).post_translate(0.5 + dx, 0.5 + dy)
}
