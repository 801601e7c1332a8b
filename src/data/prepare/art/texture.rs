//! Colours and opacity made one picture, and a picture with opacity made one without.

use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage, imageops};
use serde::{Deserialize, Serialize};

use crate::data::manifest::Background;

/// Which channel of an opacity texture is the opacity. In most games all three colours are the same, but for what
/// compression made of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// Red: the usual choice of programs that unpack games.
    #[default]
    Red,
    /// Green, which some compressions keep best.
    Green,
    /// Blue.
    Blue,
    /// The texture's own transparency.
    Alpha,
}

/// The opacity that a texture holds in `channel`, 0 to 255; none when it is asked for its own transparency and has none.
pub fn opacity(texture: &DynamicImage, channel: Channel) -> Option<GrayImage> {
    if channel == Channel::Alpha && !texture.color().has_alpha() {
        return None;
    }
    let texture = texture.to_rgba8();
    let at = channel as usize;
    Some(GrayImage::from_fn(texture.width(), texture.height(), |x, y| Luma([texture.get_pixel(x, y).0[at]])))
}

/// Colours with an opacity, which is brought to their size when it has another one: bilinear, as Pillow resizes.
pub fn join(colours: &RgbImage, opacity: &GrayImage) -> RgbaImage {
    let (width, height) = colours.dimensions();
    let fitted = match opacity.dimensions() == (width, height) || opacity.is_empty() {
        true => opacity.clone(),
        false => imageops::resize(opacity, width, height, imageops::FilterType::Triangle),
    };
    RgbaImage::from_fn(width, height, |x, y| {
        let [r, g, b] = colours.get_pixel(x, y).0;
        Rgba([r, g, b, fitted.get_pixel_checked(x, y).map_or(0, |value| value.0[0])])
    })
}

/// As [`bleed`], for a picture joined from colours and an `opacity` of any size. Where that was enlarged, its soft edge
/// reaches over pixels that it calls invisible in its own size: their colours too are nothing to be shown (usually black).
pub fn bleed_under(picture: &mut RgbaImage, opacity: &GrayImage) {
    let (width, height) = picture.dimensions();
    if opacity.width() >= width && opacity.height() >= height {
        return bleed(picture);
    }
    let own = |x: u32, y: u32| {
        let at = |at: u32, from: u32, to: u32| (u64::from(at) * u64::from(from) / u64::from(to.max(1))) as u32;
        let value = opacity.get_pixel_checked(at(x, opacity.width(), width), at(y, opacity.height(), height));
        value.map_or(0, |value| value.0[0])
    };
    spread(picture, |x, y, _| own(x, y) > 0);
}

/// Gives invisible pixels the colours of the nearest visible ones, so that nothing dark comes out at the edges when the
/// picture is resized or its opacity softened. Opacity is left as it is. Pixels next to visible ones get their mean, those
/// next to these the mean of these, and so on; a picture without a visible pixel stays.
pub fn bleed(picture: &mut RgbaImage) {
    spread(picture, |_, _, alpha| alpha > 0);
}

/// Spreads the colours of the pixels that are `known` over all others, ring by ring.
fn spread(picture: &mut RgbaImage, known: impl Fn(u32, u32, u8) -> bool) {
    let (width, height) = picture.dimensions();
    let index = |x: u32, y: u32| y as usize * width as usize + x as usize;
    // Ring of each pixel: 0 is known, u32::MAX not reached yet.
    let mut rings: Vec<u32> =
        picture.enumerate_pixels().map(|(x, y, p)| if known(x, y, p.0[3]) { 0 } else { u32::MAX }).collect();
    let around = |x: u32, y: u32| {
        let (xs, ys) = (x.saturating_sub(1)..=(x + 1).min(width - 1), y.saturating_sub(1)..=(y + 1).min(height - 1));
        ys.flat_map(move |y| xs.clone().map(move |x| (x, y)))
    };
    let mut edge: Vec<(u32, u32)> =
        picture.enumerate_pixels().map(|(x, y, _)| (x, y)).filter(|&(x, y)| rings[index(x, y)] == 0).collect();
    for ring in 1.. {
        let mut next = Vec::new();
        for &(x, y) in &edge {
            for (x, y) in around(x, y) {
                if rings[index(x, y)] == u32::MAX {
                    rings[index(x, y)] = ring;
                    next.push((x, y));
                }
            }
        }
        if next.is_empty() {
            return;
        }
        // Colours come from earlier rings only, so that the order of pixels does not matter.
        for &(x, y) in &next {
            let (mut sum, mut count) = ([0u32; 3], 0);
            for (x, y) in around(x, y).filter(|&(x, y)| rings[index(x, y)] < ring) {
                sum.iter_mut().zip(picture.get_pixel(x, y).0).for_each(|(sum, value)| *sum += u32::from(value));
                count += 1;
            }
            let [r, g, b] = sum.map(|sum| ((sum + count / 2) / count.max(1)) as u8);
            let alpha = picture.get_pixel(x, y).0[3];
            picture.put_pixel(x, y, Rgba([r, g, b, alpha]));
        }
        edge = next;
    }
}

/// The HKUST report's rule: pixels whose opacity is below `limit` (theirs: 80 of 255) become `background` (theirs: white),
/// all others keep their colours as they are. Hard edges, and what was half visible becomes whole: pictures made so taught
/// their StyleGAN jagged outlines.
pub fn threshold(picture: &RgbaImage, limit: u8, background: Background) -> RgbImage {
    flat(picture, |[r, g, b, alpha]| if alpha < limit { background.0 } else { [r, g, b] })
}

/// The picture laid over `background`: α·colour + (1 − α)·background, rounded.
pub fn composite(picture: &RgbaImage, background: Background) -> RgbImage {
    flat(picture, |[r, g, b, alpha]| background.below([r, g, b], alpha))
}

fn flat(picture: &RgbaImage, colour: impl Fn([u8; 4]) -> [u8; 3]) -> RgbImage {
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| Rgb(colour(picture.get_pixel(x, y).0)))
}

/// Whether a texture has colours: its channels differ by more than compression would make them, 12 of 255 in the mean.
pub(super) fn is_coloured(texture: &DynamicImage) -> bool {
    let rgb = texture.to_rgb8();
    let spread = |pixel: &Rgb<u8>| {
        let [r, g, b] = pixel.0;
        u64::from(r.max(g).max(b) - r.min(g).min(b))
    };
    let sum: u64 = rgb.pixels().map(spread).sum();
    sum > 12 * rgb.pixels().len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_what_they_are_called() {
        let texture = RgbaImage::from_pixel(2, 1, Rgba([10, 20, 30, 40]));
        let of = |channel| opacity(&texture.clone().into(), channel).map(|grey| grey.into_raw());
        let channels = [Channel::Red, Channel::Green, Channel::Blue, Channel::Alpha];
        assert_eq!(channels.map(of), [10, 20, 30, 40].map(|value| Some(vec![value; 2])));
        let grey = DynamicImage::ImageLuma8(GrayImage::from_pixel(1, 1, Luma([7])));
        assert_eq!(opacity(&grey, Channel::Green).unwrap().into_raw(), [7]);
        assert!(opacity(&grey, Channel::Alpha).is_none());
    }

    #[test]
    fn colours_bleed_ring_by_ring_and_opacity_stays() {
        let mut picture = RgbaImage::from_pixel(5, 3, Rgba([0, 0, 0, 0]));
        picture.put_pixel(0, 1, Rgba([200, 100, 0, 255]));
        picture.put_pixel(4, 1, Rgba([0, 0, 90, 1]));
        let before = picture.clone();
        bleed(&mut picture);
        assert_eq!(picture.get_pixel(1, 0).0, [200, 100, 0, 0]);
        assert_eq!(picture.get_pixel(3, 2).0, [0, 0, 90, 0]);
        // The middle column is two rings away from both: the mean of three (at the edge two) of either colour.
        assert_eq!(picture.get_pixel(2, 1).0, [100, 50, 45, 0]);
        assert!(picture.pixels().zip(before.pixels()).all(|(a, b)| a.0[3] == b.0[3]));
        let mut nothing = RgbaImage::new(3, 3);
        bleed(&mut nothing);
        assert_eq!(nothing, RgbaImage::new(3, 3));
        bleed(&mut RgbaImage::new(0, 0));
    }

    #[test]
    fn an_enlarged_opacity_leaves_no_dark_edge() {
        // White on the left half, black filling where the small opacity says that nothing is to be seen.
        let colours = RgbImage::from_fn(16, 16, |x, _| Rgb(if x < 8 { [255; 3] } else { [0; 3] }));
        let opacity = GrayImage::from_fn(4, 4, |x, _| Luma([if x < 2 { 255 } else { 0 }]));
        let mut joined = join(&colours, &opacity);
        bleed_under(&mut joined, &opacity);
        assert!(joined.get_pixel(9, 5).0[3] > 0, "the edge is soft");
        let white = composite(&joined, Background::default());
        assert!(white.pixels().all(|pixel| pixel.0 == [255; 3]));
    }

    #[test]
    fn opacity_is_judged_by_its_colours() {
        let of = |pixel| is_coloured(&DynamicImage::ImageRgb8(RgbImage::from_pixel(4, 4, Rgb(pixel))));
        assert_eq!([[90, 92, 88], [90, 120, 60]].map(of), [false, true]);
    }
}
