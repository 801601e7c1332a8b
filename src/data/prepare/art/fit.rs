//! A picture cut to what can be seen of it, and brought to a square.

use image::{Rgb, RgbImage, Rgba, RgbaImage, imageops};

use super::texture::bleed;
use crate::Result;
use crate::data::manifest::{Background, Filter, Resize};
use crate::data::placement::Placement;
use crate::data::resize;
use crate::nn::progressive::pyramid::levels;

/// A rectangle of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rectangle {
    /// Left edge.
    pub left: u32,
    /// Top edge.
    pub top: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

/// The smallest rectangle that holds all pixels of at least the opacity `visible` (1 to 255), and `margin` pixels around
/// it as far as the picture reaches. None when there is no such pixel.
pub fn visible_box(picture: &RgbaImage, visible: u8, margin: u32) -> Option<Rectangle> {
    let (mut left, mut top, mut right, mut bottom) = (u32::MAX, u32::MAX, 0, 0);
    for (x, y, _) in picture.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[3] >= visible.max(1)) {
        (left, right) = (left.min(x), right.max(x + 1));
        (top, bottom) = (top.min(y), bottom.max(y + 1));
    }
    if right == 0 {
        return None;
    }
    let (left, top) = (left.saturating_sub(margin), top.saturating_sub(margin));
    let end = |end: u32, most: u32| end.saturating_add(margin).min(most);
    let (right, bottom) = (end(right, picture.width()), end(bottom, picture.height()));
    Some(Rectangle { left, top, width: right - left, height: bottom - top })
}

/// Share of the pixels of a rectangle, 0 to 1, whose opacity is below `visible`.
pub fn hidden_share(picture: &RgbaImage, of: Rectangle, visible: u8) -> f64 {
    let view = imageops::crop_imm(picture, of.left, of.top, of.width, of.height).to_image();
    let hidden = view.pixels().filter(|pixel| pixel.0[3] < visible).count();
    hidden as f64 / (view.pixels().len().max(1)) as f64
}

/// The part of a picture.
pub fn cut(picture: &RgbaImage, of: Rectangle) -> RgbaImage {
    imageops::crop_imm(picture, of.left, of.top, of.width, of.height).to_image()
}

/// The whole picture in a square of `side` pixels, in the middle of `background`.
pub fn letterbox(picture: &RgbImage, side: u32, background: Background, filter: Filter) -> RgbImage {
    let [left, top, width, height] = inner(picture.dimensions(), side);
    let mut square = RgbImage::from_pixel(side, side, Rgb(background.0));
    let resized = resize::rgb(picture, width, height, filter);
    imageops::replace(&mut square, &resized, i64::from(left), i64::from(top));
    square
}

/// As [`letterbox`], with transparency: around the picture is nothing. Colours count by their opacity when pixels are
/// merged, and invisible pixels have the colours of the nearest visible ones.
pub fn letterbox_rgba(picture: &RgbaImage, side: u32, filter: Filter) -> RgbaImage {
    let [left, top, width, height] = inner(picture.dimensions(), side);
    let mut square = RgbaImage::from_pixel(side, side, Rgba([0; 4]));
    let resized = resize::rgba(picture, width, height, filter);
    imageops::replace(&mut square, &resized, i64::from(left), i64::from(top));
    bleed(&mut square);
    square
}

fn inner(size: (u32, u32), side: u32) -> [u32; 4] {
    Placement::of(Resize::Pad, size, (side, side)).map_or([0, 0, side, side], |placement| placement.to)
}

/// A square of a power of two pixels and its halvings down to `smallest`, the largest first: each pixel is the mean of the
/// 2×2 above it, colours by their opacity.
///
/// # Errors
/// When the picture is not a square of a power of two pixels, `smallest` or more.
pub fn pyramid_rgba(picture: &RgbaImage, smallest: u32) -> Result<Vec<RgbaImage>> {
    levels(picture, smallest, |above, side| {
        let mut level = resize::rgba(above, side, side, Filter::Box);
        bleed(&mut level);
        level
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(width: u32, height: u32, spots: &[(u32, u32, u8)]) -> RgbaImage {
        let mut picture = RgbaImage::from_pixel(width, height, Rgba([9, 9, 9, 0]));
        spots.iter().for_each(|&(x, y, alpha)| picture.put_pixel(x, y, Rgba([50, 60, 70, alpha])));
        picture
    }

    #[test]
    fn boxes_by_hand() {
        let picture = spot(20, 10, &[(3, 4, 255), (8, 6, 8), (19, 9, 7)]);
        let of = |visible, margin| visible_box(&picture, visible, margin).map(|b| [b.left, b.top, b.width, b.height]);
        assert_eq!(of(8, 0), Some([3, 4, 6, 3]));
        assert_eq!(of(1, 0), Some([3, 4, 17, 6]));
        assert_eq!(of(0, 0), of(1, 0));
        assert_eq!(of(8, 4), Some([0, 0, 13, 10]));
        assert_eq!(visible_box(&spot(4, 4, &[]), 8, 3), None);
        let whole = visible_box(&picture, 8, 0).unwrap();
        assert_eq!(hidden_share(&picture, whole, 8), 16.0 / 18.0);
        assert_eq!(cut(&picture, whole).dimensions(), (6, 3));
    }

    #[test]
    fn a_letterbox_keeps_proportions_and_fills_with_the_background() {
        let tall = RgbImage::from_pixel(10, 40, Rgb([1, 2, 3]));
        let square = letterbox(&tall, 16, Background([200, 0, 0]), Filter::Lanczos);
        let row: Vec<u8> = (0..16).map(|x| square.get_pixel(x, 8).0[0]).collect();
        assert_eq!(row, [vec![200; 6], vec![1; 4], vec![200; 6]].concat());
        let glass = letterbox_rgba(&spot(2, 4, &[(0, 0, 255), (1, 3, 255)]), 4, Filter::Box);
        assert_eq!((glass.get_pixel(0, 0).0[3], glass.get_pixel(1, 0).0), (0, [50, 60, 70, 255]));
        assert!(glass.pixels().all(|pixel| pixel.0[..3] == [50, 60, 70]), "invisible black beside the figure");
    }

    #[test]
    fn ripples_of_the_filter_make_no_colours() {
        let striped = RgbaImage::from_fn(90, 90, |x, y| {
            let red = if (x / 3 + y / 3) % 2 == 0 { 100 } else { 200 };
            let inside = (x as f64 - 45.0).hypot(y as f64 - 45.0) < 30.0;
            Rgba(if inside { [red, 150, 150, 255] } else { [0; 4] })
        });
        for filter in [Filter::Lanczos, Filter::Bicubic, Filter::Box] {
            let small = letterbox_rgba(&striped, 32, filter);
            let ends = small.pixels().fold((255, 0), |(low, high), p| (p.0[0].min(low), p.0[0].max(high)));
            assert!(ends.0 >= 60 && ends.1 <= 240, "{filter:?}: reds from {} to {}", ends.0, ends.1);
        }
    }

    #[test]
    fn a_pyramid_with_transparency() {
        let levels = pyramid_rgba(&spot(8, 8, &[(0, 0, 255), (1, 0, 255), (7, 7, 100)]), 2).unwrap();
        assert_eq!(levels.iter().map(RgbaImage::width).collect::<Vec<_>>(), [8, 4, 2]);
        assert_eq!(levels[1].get_pixel(0, 0).0, [50, 60, 70, 128]);
        assert_eq!(levels[1].get_pixel(3, 3).0, [50, 60, 70, 25]);
        assert!(pyramid_rgba(&spot(6, 6, &[]), 2).is_err() && pyramid_rgba(&spot(4, 8, &[]), 2).is_err());
    }
}
