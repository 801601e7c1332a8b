//! The mirrored and blurred ground: pixel by pixel Pillow's.

use std::path::Path;

use image::{Rgb, RgbImage};
use tachie::data::prepare::clothing::pad::{PadOptions, blurred, padded};

/// Largest difference of two pictures of one size.
fn apart(found: &RgbImage, name: &str) -> u8 {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/clothing").join(name);
    let wanted = image::open(path).unwrap().into_rgb8();
    assert_eq!(found.dimensions(), wanted.dimensions());
    found.as_raw().iter().zip(wanted.as_raw()).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

/// The formula of `picture` in fixtures/clothing/make.py.
fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([0, 1, 2].map(|c| ((x * 7 + y * 3 + c * 50 + x * y / 9) % 256) as u8)))
}

#[test]
fn blurs_are_pillows() {
    for sigma in ["0.5", "1", "2.25", "25"] {
        let values = blurred(picture(31, 17).as_raw(), (31, 17), 3, sigma.parse().unwrap());
        let found = RgbImage::from_raw(31, 17, values).unwrap();
        let most = apart(&found, &format!("blur-{sigma}.png"));
        assert!(most <= 1, "sigma {sigma}: {most} grey levels apart");
    }
}

#[test]
fn padded_pictures_are_those_of_the_helper() {
    assert_eq!(apart(&picture(23, 40), "picture.png"), 0);
    let of = |canvas, inset, edge, ground| PadOptions { canvas, inset, edge, ground, fit: false };
    let cases = [
        (picture(23, 40), of((64, 64), 2, 3.0, 12.5), "padded.png"),
        (picture(24, 64), of((64, 64), 10, 25.0, 100.0), "padded-far.png"),
        (picture(80, 50), of((64, 48), 4, 2.25, 7.0), "padded-cut.png"),
    ];
    for (picture, options, name) in cases {
        let most = apart(&padded(&picture, &options).unwrap(), name);
        assert!(most <= 2, "{name}: {most} grey levels apart");
    }
}

#[test]
fn pictures_are_brought_to_the_canvas() {
    let options = PadOptions { canvas: (64, 32), ..PadOptions::default() };
    assert_eq!(options.place((100, 200)), [24, 0, 16, 32]);
    assert_eq!(options.place((400, 100)), [0, 8, 64, 16]);
    assert_eq!(PadOptions { fit: false, ..options }.place((101, 9)), [-19, 11, 101, 9]);
    assert!(padded(&RgbImage::new(0, 5), &options).is_err());
    for bad in [PadOptions { canvas: (3, 64), ..options }, PadOptions { edge: f64::NAN, ..options }] {
        assert!(padded(&picture(8, 8), &bad).is_err());
    }
}
