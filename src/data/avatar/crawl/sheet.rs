//! Pictures laid together to what a file shows.

use image::{Rgb, RgbImage, imageops};

use super::truth::{Arrangement, Bounds};
use crate::Result;
use crate::data::avatar::bodies::Portrait;
use crate::data::avatar::canvas::Region;
use crate::data::avatar::costumes::{Photo, costume};
use crate::data::skeleton::KeyPoint;
use crate::rng::{Seed, Stream};

/// A picture with what is known about it, in its own pixels.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    pub picture: RgbImage,
    pub character: Option<Bounds>,
    pub clothing: Option<Bounds>,
    pub character_panel: Option<Bounds>,
    pub clothing_panel: Option<Bounds>,
    pub keypoints: Vec<KeyPoint>,
}

/// What a panel shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Content {
    /// The character of a costume, which a seed chooses, in a pose that the other one chooses.
    Character(Seed),
    /// A photo of a costume.
    Clothing(Seed),
}

/// Side at which the box of a character is measured: the box is as exact as one of its pixels.
const MEASURED: u32 = 256;

impl Sheet {
    /// One picture without anything known.
    pub fn plain(picture: RgbImage) -> Sheet {
        Sheet {
            picture,
            character: None,
            clothing: None,
            character_panel: None,
            clothing_panel: None,
            keypoints: Vec::new(),
        }
    }

    /// A character or a photo, `high` pixels high and about `aspect` times as wide: as much wider as the clothing needs.
    pub fn panel(content: Content, aspect: f32, high: u32) -> Result<Sheet> {
        let (picture, [left, top, right, bottom], points) = match content {
            Content::Character(seed) => character(seed, high)?,
            Content::Clothing(seed) => clothing(seed, high)?,
        };
        let side = high as f32;
        let margin = 0.02 * side;
        let wide = (aspect * side).max(right - left + 2.0 * margin).min(side).round().max(1.0);
        // In the middle of the square, unless that would cut off something.
        let start = (0.5 * (side - wide))
            .clamp((right + margin - wide).max(0.0), (left - margin).max(0.0).max(right + margin - wide));
        let start = start.clamp(0.0, side - wide).floor();
        let shown = imageops::crop_imm(&picture, start as u32, 0, wide as u32, high).to_image();
        let bounds = [left - start, top, right - start, bottom];
        let panel = [0.0, 0.0, shown.width() as f32, side];
        let keypoints = points.iter().map(|&[x, y, v]| if v > 0.0 { [x - start, y, v] } else { [0.0; 3] }).collect();
        let mut sheet = Sheet { keypoints, ..Sheet::plain(shown) };
        match content {
            Content::Character(_) => (sheet.character, sheet.character_panel) = (Some(bounds), Some(panel)),
            Content::Clothing(_) => (sheet.clothing, sheet.clothing_panel) = (Some(bounds), Some(panel)),
        }
        Ok(sheet.clipped())
    }

    /// Two panels beside or below each other: `arrangement` says where `one` is. Both get the same height or width.
    pub fn laid(one: Sheet, other: Sheet, arrangement: Arrangement, s: &mut Stream) -> Sheet {
        let beside = matches!(arrangement, Arrangement::Left | Arrangement::Right);
        let (first, second) = match arrangement {
            Arrangement::Left | Arrangement::Above => (one, other),
            Arrangement::Right | Arrangement::Below => (other, one),
        };
        let factor = match beside {
            true => first.picture.height() as f32 / second.picture.height() as f32,
            false => first.picture.width() as f32 / second.picture.width() as f32,
        };
        let second = second.scaled(factor);
        let (a, b) = (first.picture.dimensions(), second.picture.dimensions());
        let gap = if s.chance(0.6) { 0 } else { (s.range(0.0, 0.05) * f64::from(a.0.max(a.1))) as u32 };
        let (wide, high) = match beside {
            true => (a.0 + gap + b.0, a.1.max(b.1)),
            false => (a.0.max(b.0), a.1 + gap + b.1),
        };
        let place = if beside { (a.0 + gap, 0) } else { (0, a.1 + gap) };
        let mut picture = RgbImage::from_pixel(wide, high, paper(s));
        imageops::replace(&mut picture, &first.picture, 0, 0);
        imageops::replace(&mut picture, &second.picture, place.0.into(), place.1.into());
        let second = second.moved(place.0 as f32, place.1 as f32);
        let keypoints = if first.keypoints.is_empty() { second.keypoints } else { first.keypoints };
        Sheet {
            picture,
            character: first.character.or(second.character),
            clothing: first.clothing.or(second.clothing),
            character_panel: first.character_panel.or(second.character_panel),
            clothing_panel: first.clothing_panel.or(second.clothing_panel),
            keypoints,
        }
    }

    /// Margins of paper around the sheet, most of them narrow, sometimes a wide one at one side only.
    pub fn framed(self, s: &mut Stream) -> Sheet {
        let longest = self.picture.width().max(self.picture.height()) as f32;
        let even = if s.chance(0.5) { 0.0 } else { s.range(0.0, 0.05) as f32 };
        let mut margins = [even; 4];
        if s.chance(0.3) {
            margins[s.below(4)] += s.range(0.05, 0.22) as f32;
        }
        let [left, top, right, bottom] = margins.map(|share| (share * longest) as u32);
        if left + top + right + bottom == 0 {
            return self;
        }
        let (wide, high) = (self.picture.width() + left + right, self.picture.height() + top + bottom);
        let mut picture = RgbImage::from_pixel(wide, high, paper(s));
        imageops::replace(&mut picture, &self.picture, left.into(), top.into());
        Sheet { picture, ..self.moved(left as f32, top as f32) }
    }

    /// Brought to another size by one factor.
    pub fn scaled(self, factor: f32) -> Sheet {
        let (width, height) = self.picture.dimensions();
        let size = [width, height].map(|length| ((length as f32 * factor).round() as u32).max(1));
        if size == [width, height] {
            return self;
        }
        let picture = imageops::resize(&self.picture, size[0], size[1], imageops::FilterType::Triangle);
        let by = (size[0] as f32 / width as f32, size[1] as f32 / height as f32);
        Sheet { picture, ..self.mapped(|x, y| (x * by.0, y * by.1)) }.clipped()
    }

    /// The part of the picture between these borders, in pixels.
    pub fn cropped(self, [left, top, right, bottom]: [u32; 4]) -> Sheet {
        let picture = imageops::crop_imm(&self.picture, left, top, right - left, bottom - top).to_image();
        Sheet { picture, ..self.moved(-(left as f32), -(top as f32)) }.clipped()
    }

    fn moved(self, dx: f32, dy: f32) -> Sheet {
        self.mapped(|x, y| (x + dx, y + dy))
    }

    fn mapped(self, to: impl Fn(f32, f32) -> (f32, f32)) -> Sheet {
        let bounds = |bounds: Option<Bounds>| {
            bounds.map(|[left, top, right, bottom]| {
                let (a, b) = (to(left, top), to(right, bottom));
                [a.0, a.1, b.0, b.1]
            })
        };
        let point = |&[x, y, v]: &KeyPoint| {
            let (x, y) = to(x, y);
            if v > 0.0 { [x, y, v] } else { [0.0; 3] }
        };
        Sheet {
            character: bounds(self.character),
            clothing: bounds(self.clothing),
            character_panel: bounds(self.character_panel),
            clothing_panel: bounds(self.clothing_panel),
            keypoints: self.keypoints.iter().map(point).collect(),
            picture: self.picture,
        }
    }

    /// Boxes end at the border of the picture; points outside of it are not known.
    fn clipped(mut self) -> Sheet {
        let (wide, high) = (self.picture.width() as f32, self.picture.height() as f32);
        let boxes = [&mut self.character, &mut self.clothing, &mut self.character_panel, &mut self.clothing_panel];
        for [left, top, right, bottom] in boxes.into_iter().flatten() {
            (*left, *right) = (left.clamp(0.0, wide), right.clamp(0.0, wide));
            (*top, *bottom) = (top.clamp(0.0, high), bottom.clamp(0.0, high));
        }
        for point in &mut self.keypoints {
            let inside = (0.0..=wide).contains(&point[0]) && (0.0..=high).contains(&point[1]);
            if !inside || point[2] <= 0.0 {
                *point = [0.0; 3];
            }
        }
        self
    }
}

/// White, or a pale colour.
fn paper(s: &mut Stream) -> Rgb<u8> {
    if s.chance(0.7) { Rgb([255; 3]) } else { Rgb(std::array::from_fn(|_| 200 + s.below(50) as u8)) }
}

type Panel = (RgbImage, Bounds, Vec<KeyPoint>);

fn character(seed: Seed, side: u32) -> Result<Panel> {
    let worn = costume(0, seed);
    let portrait = Portrait::new(&worn, &mut seed.stream("portrait"));
    let fine = side.min(MEASURED);
    let regions = portrait.regions(fine)?;
    let mut bounds = [f32::INFINITY, f32::INFINITY, 0.0f32, 0.0f32];
    for (i, _) in regions.iter().enumerate().filter(|(_, number)| **number != Region::Background as u8) {
        let (x, y) = ((i as u32 % fine) as f32, (i as u32 / fine) as f32);
        bounds = [bounds[0].min(x), bounds[1].min(y), bounds[2].max(x + 1.0), bounds[3].max(y + 1.0)];
    }
    let factor = side as f32 / fine as f32;
    Ok((portrait.picture(side)?, bounds.map(|v| v * factor), Vec::new()))
}

fn clothing(seed: Seed, side: u32) -> Result<Panel> {
    let worn = costume(0, seed);
    let photo = Photo::new(&worn.outfit, false, seed);
    let side_f = side as f32;
    let point = |point: &Option<(f32, f32)>| point.map_or([0.0; 3], |(x, y)| [x * side_f, y * side_f, 1.0]);
    let points = photo.points.iter().map(point).collect();
    Ok((photo.picture(side)?, photo.bounds.map(|v| v * side_f), points))
}
