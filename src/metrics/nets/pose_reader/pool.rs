//! Pictures that the reader of poses learns from.

use candle_core::{Device, Tensor};
use image::{RgbImage, imageops};
use rayon::prelude::*;

use super::Training;
use crate::data::dataset::Dataset;
use crate::data::manifest::Filter;
use crate::data::resize;
use crate::data::skeleton::{KeyPoint, Skeleton};
use crate::metrics::nets::reader::SIDE;
use crate::metrics::nets::resize::Protocol;
use crate::rng::Stream;
use crate::train::supervised::Supervised;
use crate::{Error, Result};

/// Numbers of one picture.
const NUMBERS: usize = 3 * SIDE * SIDE;
const PLANE: usize = SIDE * SIDE;
/// Side at which pictures are kept that will be cut.
const LARGER: u32 = 2 * SIDE as u32;
/// How far clothing reaches beyond its outermost points, in shares of their extent.
const BEYOND: f64 = 0.04;

/// Pictures in memory, and their key points as shares of the sides.
pub(super) struct Pool {
    pictures: Vec<Kept>,
    poses: Vec<Vec<KeyPoint>>,
    skeleton: Skeleton,
}

enum Kept {
    /// As the network sees it, planes of bytes, before it is changed.
    Seen(Vec<u8>),
    /// Larger, to be cut.
    Larger(RgbImage),
}

/// The pictures of a step, and what is to be answered.
pub(super) struct Answers {
    /// `[N, 3, 64, 64]`.
    pub pictures: Tensor,
    /// Places around the middle, `[N, 2·M]`.
    pub places: Tensor,
    /// 1 for those that are known, `[N, 2·M]`.
    pub known: Tensor,
    /// 1 for points that are known, `[N, M]`.
    pub present: Tensor,
}

impl Pool {
    pub fn read(dataset: &Dataset, skeleton: &Skeleton, training: &Training) -> Result<Pool> {
        let mut order = training.seed.stream("poses/choice").permutation(dataset.len());
        order.truncate(training.pictures);
        if order.is_empty() {
            return Err(Error::invalid("training of the reader of poses: pictures", "0", "at least 1", ""));
        }
        let read = |&i: &usize| -> Result<(Kept, Vec<KeyPoint>)> {
            let picture = dataset.image(i)?;
            let kept = match training.cut {
                true => Kept::Larger(resize::rgb(&picture, LARGER, LARGER, Filter::Bilinear)),
                false => Kept::Seen(seen(&picture)?),
            };
            Ok((kept, dataset.pose(i)?))
        };
        let (pictures, poses) = order.par_iter().map(read).collect::<Result<Vec<_>>>()?.into_iter().unzip();
        Ok(Pool { pictures, poses, skeleton: skeleton.clone() })
    }

    /// Whether there is a picture of which a point is unknown.
    pub fn lacks_points(&self) -> bool {
        self.poses.iter().flatten().any(|point| point[2] <= 0.0)
    }

    pub fn batch(&self, course: &Supervised, step: usize) -> Result<Answers> {
        let ids = course.chosen("poses", step, self.pictures.len());
        let mut pictures = vec![0f32; ids.len() * NUMBERS];
        let shown = pictures.par_chunks_exact_mut(NUMBERS).zip(&ids).enumerate().map(|(i, (place, &id))| {
            let mut stream = course.seed.stream(&format!("poses/change/{step}/{i}"));
            let (points, cut) = match &self.pictures[id] {
                Kept::Seen(bytes) => {
                    changed(bytes, &mut stream, place);
                    return Ok(self.poses[id].clone());
                }
                Kept::Larger(picture) => cut(
                    picture,
                    &self.poses[id],
                    &self.skeleton,
                    &mut course.seed.stream(&format!("poses/cut/{step}/{i}")),
                ),
            };
            changed(&seen(&cut)?, &mut stream, place);
            Ok(points)
        });
        let poses = shown.collect::<Result<Vec<_>>>()?;
        let points = || poses.iter().flatten();
        let places: Vec<f32> = points().flat_map(|&[x, y, _]| [x - 0.5, y - 0.5]).collect();
        let present: Vec<f32> = points().map(|&[.., known]| f32::from(u8::from(known > 0.0))).collect();
        let known: Vec<f32> = present.iter().flat_map(|&known| [known; 2]).collect();
        let n = ids.len();
        let answers = |numbers: Vec<f32>| {
            let each = numbers.len() / n;
            Tensor::from_vec(numbers, (n, each), &Device::Cpu)
        };
        // An unknown place may be any number, NaN too.
        let places = places.into_iter().map(|v| if v.is_finite() { v } else { 0.0 }).collect();
        Ok(Answers {
            pictures: Tensor::from_vec(pictures, (n, 3, SIDE, SIDE), &Device::Cpu)?,
            places: answers(places)?,
            known: answers(known)?,
            present: answers(present)?,
        })
    }
}

/// Planes of bytes of the size that the network sees.
fn seen(picture: &RgbImage) -> Result<Vec<u8>> {
    let prepared = Protocol::Clean.prepare(picture, SIDE)?.flatten_all()?.to_vec1::<f32>()?;
    Ok(prepared.into_iter().map(|v| (v * 128.0 + 128.0).round().clamp(0.0, 255.0) as u8).collect())
}

/// A part of the picture in which all its known points are, from next to nothing around them to everything, perhaps mirrored;
/// and its points as shares of its sides.
fn cut(picture: &RgbImage, points: &[KeyPoint], skeleton: &Skeleton, s: &mut Stream) -> (Vec<KeyPoint>, RgbImage) {
    let side = f64::from(picture.width());
    let span = |axis: usize, s: &mut Stream| {
        let known = points.iter().filter(|point| point[2] > 0.0).map(|point| f64::from(point[axis]));
        let (low, high) = known.fold((1f64, 0f64), |(low, high), v| (low.min(v), high.max(v)));
        if low >= high {
            return [0, picture.width()];
        }
        let beyond = BEYOND * (high - low);
        // Mostly close: detectors leave little around what they find.
        let mut way = || s.uniform().powi(2);
        let start = (low - beyond).clamp(0.0, 1.0) * (1.0 - way());
        let end = 1.0 - (1.0 - (high + beyond).clamp(0.0, 1.0)) * (1.0 - way());
        let start = (start * side).floor() as u32;
        [start, ((end * side).ceil() as u32).clamp(start + 1, picture.width()) - start]
    };
    let ([left, width], [top, height]) = (span(0, s), span(1, s));
    let mut part = imageops::crop_imm(picture, left, top, width, height).to_image();
    let share = |value: f32, start: u32, length: u32| (value * side as f32 - start as f32) / length as f32;
    let place = |&[x, y, known]: &KeyPoint| [share(x, left, width), share(y, top, height), known];
    let mut points: Vec<KeyPoint> = points.iter().map(place).collect();
    if s.chance(0.5) {
        imageops::flip_horizontal_in_place(&mut part);
        points = skeleton.mirrored(&points, 1.0);
    }
    (points, part)
}

/// Generated pictures are coarser, softer and less clean than drawn ones.
fn changed(bytes: &[u8], s: &mut Stream, to: &mut [f32]) {
    for (to, &byte) in to.iter_mut().zip(bytes) {
        *to = (f32::from(byte) - 128.0) / 128.0;
    }
    if s.chance(0.5) {
        to.chunks_exact_mut(PLANE).for_each(coarser);
    }
    if s.chance(0.5) {
        let strength = s.range(0.0, 0.2) as f32;
        to.iter_mut().for_each(|v| *v += strength * s.normal() as f32);
    }
    if s.chance(0.5) {
        let (light, contrast) = (s.range(-0.2, 0.1) as f32, s.range(0.7, 1.1) as f32);
        to.iter_mut().for_each(|v| *v = *v * contrast + light);
    }
}

/// Every two by two pixels become their mean.
fn coarser(plane: &mut [f32]) {
    for y in (0..SIDE).step_by(2) {
        for x in (0..SIDE).step_by(2) {
            let places = [y * SIDE + x, y * SIDE + x + 1, (y + 1) * SIDE + x, (y + 1) * SIDE + x + 1];
            let mean = places.iter().map(|&i| plane[i]).sum::<f32>() / 4.0;
            places.iter().for_each(|&i| plane[i] = mean);
        }
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;
    use crate::rng::Seed;

    /// Every pixel says where it was.
    #[test]
    fn points_stay_where_they_are_in_cuts() {
        let skeleton = Skeleton::new(&["left a", "right a", "b"]).unwrap();
        let picture = RgbImage::from_fn(LARGER, LARGER, |x, y| Rgb([2 * x as u8, 2 * y as u8, 0]));
        let points = [[40.5, 60.5, 1.0], [80.5, 70.5, 1.0], [f32::NAN, 0.0, 0.0]];
        let shares = points.map(|[x, y, known]| [x / LARGER as f32, y / LARGER as f32, known]);
        let mut mirrored = 0;
        for seed in 0..50 {
            let (found, part) = cut(&picture, &shares, &skeleton, &mut Seed(seed).stream("t"));
            assert!(part.width() >= 40 && part.height() >= 10 && found[2][2] == 0.0);
            let first = part.get_pixel(0, 0).0[0] < part.get_pixel(part.width() - 1, 0).0[0];
            mirrored += u32::from(!first);
            for (i, &[x, y, known]) in found[..2].iter().enumerate() {
                let pixel = part.get_pixel((x * part.width() as f32) as u32, (y * part.height() as f32) as u32);
                let from = points[if first { i } else { 1 - i }];
                assert_eq!((known, pixel.0[..2].to_vec()), (1.0, vec![2 * from[0] as u8, 2 * from[1] as u8]), "{seed}");
            }
        }
        assert!((10..40).contains(&mirrored), "{mirrored}");
    }
}
