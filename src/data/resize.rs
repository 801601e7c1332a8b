//! Pictures of another size.

use image::imageops::{self, FilterType};
use image::{Pixel, Rgb, RgbImage, Rgba, Rgba32FImage, RgbaImage};

use super::manifest::Filter;

/// What opacity is multiplied with while it is resized, so that it does not exceed 1.
const HEADROOM: f32 = 0.5;

/// A picture of `width`×`height` pixels. All filters but [`Filter::Nearest`] look at every pixel when it shrinks.
pub(crate) fn rgb(picture: &RgbImage, width: u32, height: u32, filter: Filter) -> RgbImage {
    if picture.dimensions() == (width, height) {
        return picture.clone();
    }
    let Some(kernel) = kernel(filter) else {
        let mut wide = Rgba32FImage::new(picture.width(), picture.height());
        for (to, from) in wide.pixels_mut().zip(picture.pixels()) {
            let [r, g, b] = from.0.map(f32::from);
            *to = Rgba([r, g, b, 0.0]);
        }
        let narrow = area(&wide, width, height);
        return RgbImage::from_fn(width, height, |x, y| Rgb(narrow.get_pixel(x, y).to_rgb().0.map(byte)));
    };
    imageops::resize(picture, width, height, kernel)
}

/// A picture at (`left`, `top`) of a larger one, which goes on with its mirror image, edge pixels twice.
pub(crate) fn mirrored(picture: &RgbImage, (width, height): (u32, u32), (left, top): (u32, u32)) -> RgbImage {
    let place = |at: u32, start: u32, length: u32| {
        let length = i64::from(length.max(1));
        let at = (i64::from(at) - i64::from(start)).rem_euclid(2 * length);
        at.min(2 * length - 1 - at) as u32
    };
    RgbImage::from_fn(width, height, |x, y| {
        *picture.get_pixel(place(x, left, picture.width()), place(y, top, picture.height()))
    })
}

/// As [`rgb`], for a picture with transparency: colours count by their opacity, so that those of pixels that cannot be
/// seen do not come out at the edges. Pixels that come out transparent are black.
pub(crate) fn rgba(picture: &RgbaImage, width: u32, height: u32, filter: Filter) -> RgbaImage {
    if picture.dimensions() == (width, height) {
        return picture.clone();
    }
    let mut weighted = Rgba32FImage::new(picture.width(), picture.height());
    for (to, from) in weighted.pixels_mut().zip(picture.pixels()) {
        let [r, g, b, alpha] = from.0.map(|value| f32::from(value) / 255.0);
        // The filters cut numbers off at 1: where opacity overshoots, colours have to do the same.
        let alpha = alpha * HEADROOM;
        *to = Rgba([r * alpha, g * alpha, b * alpha, alpha]);
    }
    let resized = match kernel(filter) {
        Some(kernel) => imageops::resize(&weighted, width, height, kernel),
        None => area(&weighted, width, height),
    };
    // At soft edges the ripples of the sharp filters leave quotients of next to nothing: colours are those of the linear
    // one there, and where that sees nothing there is nothing.
    let ripples = matches!(filter, Filter::Lanczos | Filter::Bicubic);
    let soft = ripples.then(|| imageops::resize(&weighted, width, height, FilterType::Triangle));
    RgbaImage::from_fn(width, height, |x, y| {
        let sharp = resized.get_pixel(x, y).0;
        let shown = byte(sharp[3] / HEADROOM * 255.0);
        let [r, g, b, alpha] = match &soft {
            Some(soft) if shown < 255 => soft.get_pixel(x, y).0,
            _ => sharp,
        };
        if shown == 0 || byte(alpha / HEADROOM * 255.0) == 0 {
            return Rgba([0; 4]);
        }
        let [r, g, b] = [r, g, b].map(|value| byte(value / alpha * 255.0));
        Rgba([r, g, b, shown])
    })
}

fn kernel(filter: Filter) -> Option<FilterType> {
    match filter {
        Filter::Lanczos => Some(FilterType::Lanczos3),
        Filter::Bicubic => Some(FilterType::CatmullRom),
        Filter::Bilinear => Some(FilterType::Triangle),
        Filter::Nearest => Some(FilterType::Nearest),
        Filter::Box => None,
    }
}

fn byte(value: f32) -> u8 {
    value.round_ties_even().clamp(0.0, 255.0) as u8
}

/// Every new pixel is the mean of the old ones below it, by the area that it covers of them.
fn area(picture: &Rgba32FImage, width: u32, height: u32) -> Rgba32FImage {
    let rows = covers(picture.height(), height);
    let columns = covers(picture.width(), width);
    let mut low = Rgba32FImage::new(picture.width(), height);
    for (x, y, pixel) in low.enumerate_pixels_mut() {
        *pixel = mean(&rows[y as usize], |row| picture.get_pixel(x, row));
    }
    let mut out = Rgba32FImage::new(width, height);
    for (x, y, pixel) in out.enumerate_pixels_mut() {
        *pixel = mean(&columns[x as usize], |column| low.get_pixel(column, y));
    }
    out
}

fn mean<'a>(cover: &[(u32, f32)], pixel: impl Fn(u32) -> &'a Rgba<f32>) -> Rgba<f32> {
    let mut sum = [0f32; 4];
    for &(at, share) in cover {
        for (sum, value) in sum.iter_mut().zip(pixel(at).0) {
            *sum += share * value;
        }
    }
    Rgba(sum)
}

/// For each of `to` pixels of a line the old ones that it covers, with their shares of it.
fn covers(from: u32, to: u32) -> Vec<Vec<(u32, f32)>> {
    let scale = f64::from(from) / f64::from(to);
    let cover = |i: u32| {
        let (start, end) = (f64::from(i) * scale, f64::from(i + 1) * scale);
        let share = |at: u32| ((end.min(f64::from(at + 1)) - start.max(f64::from(at))) / scale) as f32;
        let last = (end.ceil() as u32).min(from);
        (start as u32..last).map(|at| (at, share(at))).filter(|(_, share)| *share > 0.0).collect()
    };
    (0..to).map(cover).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_by_hand() {
        // 3 to 2: each takes one and a half.
        let line = RgbImage::from_fn(3, 1, |x, _| Rgb([[0, 90, 30][x as usize]; 3]));
        let two = rgb(&line, 2, 1, Filter::Box);
        assert_eq!(two.pixels().map(|pixel| pixel.0[0]).collect::<Vec<_>>(), [30, 50]);
        let four = rgb(&two, 4, 3, Filter::Box);
        assert_eq!((four.get_pixel(1, 2).0, four.get_pixel(2, 0).0), ([30; 3], [50; 3]));
        assert_eq!(rgb(&line, 3, 1, Filter::Box), line);
    }

    #[test]
    fn a_mirrored_border_goes_to_and_fro() {
        let line = RgbImage::from_fn(3, 1, |x, _| Rgb([x as u8; 3]));
        let wide = mirrored(&line, (13, 2), (4, 1));
        let row = |y| (0..13).map(|x| wide.get_pixel(x, y).0[0]).collect::<Vec<_>>();
        assert_eq!(row(0), [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1, 2]);
        assert_eq!(row(0), row(1));
    }

    #[test]
    fn colours_that_cannot_be_seen_stay_hidden() {
        let picture = RgbaImage::from_fn(8, 8, |x, _| Rgba(if x < 3 { [200, 100, 50, 255] } else { [0, 0, 0, 0] }));
        for filter in [Filter::Box, Filter::Lanczos, Filter::Bicubic, Filter::Bilinear, Filter::Nearest] {
            let small = rgba(&picture, 4, 4, filter);
            for pixel in small.pixels().filter(|pixel| pixel.0[3] > 8) {
                let off = [200, 100, 50].iter().zip(pixel.0).map(|(wanted, found)| u8::abs_diff(*wanted, found)).max();
                assert!(off.unwrap_or(0) <= 1, "{filter:?}: {pixel:?}");
            }
        }
        assert_eq!(rgba(&picture, 4, 4, Filter::Box).get_pixel(1, 0).0, [200, 100, 50, 128]);
    }
}
