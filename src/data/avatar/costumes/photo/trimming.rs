//! Collars, lapels, pockets, buttons, belts, bows and ties: the same ones as on drawn bodies.

use super::cut::Cut;
use super::sewing::{Fabric, Sewing};
use super::upper::{half, half_width, hem_band, rib_colour, ribs, stripe};
use crate::data::avatar::bodies::contrast;
use crate::data::avatar::bodies::costume::{Collar, Outfit, Pattern, Upper};
use crate::data::avatar::canvas::Point;
use crate::data::avatar::faces::bow_shape;
use crate::data::avatar::palette::{Colour, Ramp, WHITE};
use crate::data::avatar::shape::{Pen, curve, ellipse, lerp, mirrored, polygon};

/// What is sewn onto the trunk.
pub(super) fn trimming(sewing: &mut Sewing, cut: &Cut, outfit: &Outfit) {
    match outfit.upper {
        Upper::Sailor => sailor(sewing, cut, outfit),
        Upper::Blazer => blazer(sewing, cut, outfit),
        Upper::Sweater => sweater(sewing, cut, outfit),
        Upper::Hoodie => hoodie(sewing, cut, outfit),
        Upper::Blouse => blouse(sewing, cut, outfit),
        Upper::Dress => dress(sewing, cut, outfit),
        Upper::Coat => coat(sewing, outfit),
    }
    match outfit.collar {
        Collar::Plain => {}
        Collar::Bow => {
            let y = if outfit.upper == Upper::Sailor { 0.275 } else { 0.135 };
            bow(sewing, (cut.trunk.front.0, y), outfit.accent);
        }
        Collar::Tie => tie(sewing, outfit.accent),
    }
}

fn side_of(side: f32, points: &[Point]) -> Vec<Point> {
    points.iter().map(|&(x, y)| (side * x, y)).collect()
}

/// The same flat piece on both sides.
fn pieces(sewing: &mut Sewing, points: &[Point], colour: Colour, fabric: Fabric) {
    sewing.mirrored(|sewing, side| sewing.patch(polygon(side_of(side, points)), colour, fabric));
}

fn sailor(sewing: &mut Sewing, cut: &Cut, outfit: &Outfit) {
    let tip = cut.trunk.front;
    hem_band(sewing, cut, outfit, 0.030, outfit.trim, false);
    let edge = contrast(outfit.trim);
    sewing.mirrored(|sewing, side| {
        let neck = (side * 0.074, -0.008);
        let path = Pen::at(neck)
            .quad((side * 0.13, -0.004), (side * 0.172, 0.032))
            .quad((side * 0.186, 0.075), (side * 0.180, 0.118))
            .quad((side * 0.085, 0.205), (tip.0 + side * 0.006, tip.1 + 0.035))
            .line((tip.0, tip.1))
            .quad((side * 0.045, 0.11), neck)
            .close();
        sewing.patch(path.clone(), outfit.trim, Fabric::Cotton);
        let stripe = curve(&[
            (side * 0.166, 0.036),
            (side * 0.168, 0.106),
            (side * 0.082, 0.185),
            (side * 0.014, tip.1 + 0.008),
        ]);
        let stripe = stroked(&stripe, 0.009);
        sewing.inside(&path, |sewing| sewing.print(stripe, edge, 1.0));
    });
}

/// The outline of a line, so that it can be printed.
fn stroked(path: &tiny_skia::Path, width: f32) -> tiny_skia::Path {
    let stroke = tiny_skia::Stroke { width, ..tiny_skia::Stroke::default() };
    // Curves of a garment are a metre long: this many steps make them smooth in 512 pixels.
    path.stroke(&stroke, 600.0).unwrap_or_else(|| path.clone())
}

fn blazer(sewing: &mut Sewing, cut: &Cut, outfit: &Outfit) {
    let (main, tip) = (Ramp::cloth(outfit.main), cut.trunk.front);
    let low = cut.trunk.hem[0].1 + 0.02;
    sewing.seam(&[tip, (tip.0 + 0.004, 0.48), (tip.0 - 0.012, low)], 0.006, -0.32);
    pieces(
        sewing,
        &[
            (0.070, -0.014),
            (0.096, 0.000),
            (0.128, 0.135),
            (0.100, 0.150),
            (0.120, 0.185),
            (0.003, tip.1 + 0.006),
            (0.034, 0.16),
        ],
        main.base.mix(main.light, 0.25),
        Fabric::Wool,
    );
    pieces(sewing, &[(0.004, 0.050), (0.066, -0.020), (0.080, 0.010), (0.050, 0.090)], WHITE, Fabric::Cotton);
    for y in [0.405, 0.495] {
        sewing.button((tip.0 + 0.004, y), outfit.trim);
    }
    sewing.mirrored(|sewing, side| {
        sewing.seam(&side_of(side, &[(0.085, 0.470), (0.165, 0.462)]), 0.012, -0.22);
    });
}

fn sweater(sewing: &mut Sewing, cut: &Cut, outfit: &Outfit) {
    if matches!(outfit.pattern, Pattern::Hem | Pattern::Stripes) {
        for band in [[0.205, 0.255], [0.315, 0.365]] {
            stripe(sewing, &cut.trunk, band, outfit.trim);
        }
    }
    let knit = rib_colour(outfit);
    hem_band(sewing, cut, outfit, 0.060, knit, true);
    let roll = Pen::at((-0.071, -0.052))
        .quad((0.0, -0.022), (0.071, -0.052))
        .quad((0.100, -0.020), (0.088, 0.012))
        .quad((0.0, 0.062), (-0.088, 0.012))
        .quad((-0.100, -0.020), (-0.071, -0.052))
        .close();
    sewing.piece(roll.clone(), outfit.main, Fabric::Knit, 0.8);
    sewing.inside(&roll, |sewing| ribs(sewing, [(-0.075, -0.06), (0.075, -0.06)], [(-0.09, 0.05), (0.09, 0.05)], 13));
}

fn hoodie(sewing: &mut Sewing, cut: &Cut, outfit: &Outfit) {
    let main = Ramp::cloth(outfit.main);
    hem_band(sewing, cut, outfit, 0.062, rib_colour(outfit), true);
    let pocket = [(-0.145, 0.550), (-0.125, 0.455), (-0.082, 0.395), (0.082, 0.395), (0.125, 0.455), (0.145, 0.550)];
    sewing.patch(polygon(pocket), main.base.mix(main.shade, 0.4), Fabric::Knit);
    let edge = [(0.086, -0.022), (0.150, 0.020), (0.138, 0.082), (0.030, 0.158), (0.0, 0.118), (0.050, 0.075)];
    pieces(sewing, &edge, main.base.mix(main.light, 0.2), Fabric::Knit);
    sewing.mirrored(|sewing, side| {
        let string = stroked(&curve(&side_of(side, &[(0.034, 0.125), (0.044, 0.20), (0.040, 0.285)])), 0.010);
        sewing.patch(string, outfit.trim, Fabric::Cotton);
    });
}

fn blouse(sewing: &mut Sewing, cut: &Cut, outfit: &Outfit) {
    let tones = Ramp::cloth(outfit.main);
    let low = cut.trunk.hem[0].1 + 0.016;
    front_edge(sewing, 0.07, low);
    pieces(
        sewing,
        &[(0.003, 0.056), (0.072, -0.016), (0.096, 0.004), (0.104, 0.060), (0.062, 0.108)],
        tones.base.mix(WHITE, 0.5),
        Fabric::Cotton,
    );
    for y in [0.150, 0.245, 0.340, 0.430] {
        sewing.button((0.0, y), outfit.trim.mix(tones.line, 0.3));
    }
}

/// The edge down the front of what is buttoned.
fn front_edge(sewing: &mut Sewing, from: f32, to: f32) {
    sewing.seam(&[(0.019, from), (0.020, 0.5 * (from + to)), (0.021, to)], 0.005, -0.24);
    sewing.seam(&[(-0.019, from), (-0.019, 0.5 * (from + to)), (-0.018, to)], 0.003, -0.12);
}

fn dress(sewing: &mut Sewing, cut: &Cut, outfit: &Outfit) {
    front_edge(sewing, 0.09, 0.40);
    sewing.mirrored(|sewing, side| {
        let at = |x: f32, y: f32| (side * x, y);
        let path = Pen::at(at(0.003, 0.070))
            .quad(at(0.055, 0.045), at(0.074, -0.014))
            .quad(at(0.125, 0.000), at(0.138, 0.040))
            .cubic(at(0.145, 0.100), at(0.075, 0.150), at(0.010, 0.122))
            .close();
        sewing.patch(path, outfit.trim, Fabric::Cotton);
    });
    for y in [0.190, 0.270] {
        sewing.button((0.0, y), outfit.trim);
    }
    belt(sewing, cut, outfit.accent);
}

fn belt(sewing: &mut Sewing, cut: &Cut, colour: Colour) {
    let [left, right] = cut.trunk.waist;
    let path = Pen::at((left.0 - 0.003, left.1 - 0.020))
        .quad((0.0, left.1 - 0.004), (right.0 + 0.003, right.1 - 0.020))
        .line((right.0 + 0.004, right.1 + 0.022))
        .quad((0.0, right.1 + 0.040), (left.0 - 0.004, left.1 + 0.022))
        .close();
    sewing.piece(path, colour, Fabric::Satin, 0.8);
}

/// The blouse inside of a coat, before what is below the waist is painted.
pub(super) fn inside_of_coat(sewing: &mut Sewing, cut: &Cut, outfit: &Outfit) {
    let inside = Colour::hex(0xfa_f7_f4).mix(outfit.trim, 0.35);
    let wide = |y: f32| half_width(&cut.trunk, y) - 0.03;
    let path = polygon([
        (-0.075, 0.0),
        (-wide(0.24), 0.24),
        (-wide(0.45), 0.46),
        (wide(0.45), 0.46),
        (wide(0.24), 0.24),
        (0.075, 0.0),
    ]);
    sewing.piece(path, inside, Fabric::Cotton, 0.6);
    front_edge(sewing, 0.03, 0.45);
}

fn coat(sewing: &mut Sewing, outfit: &Outfit) {
    let main = Ramp::cloth(outfit.main);
    let lapel = [
        (0.072, -0.014),
        (0.105, 0.004),
        (0.150, 0.165),
        (0.118, 0.178),
        (0.136, 0.215),
        (0.058, 0.345),
        (0.064, 0.20),
    ];
    pieces(sewing, &lapel, main.base.mix(main.light, 0.2), Fabric::Wool);
    sewing.mirrored(|sewing, side| {
        for y in [0.415, 0.535] {
            sewing.button((side * 0.105, y), outfit.trim);
        }
        sewing.seam(&side_of(side, &[(0.110, 0.640), (0.185, 0.615)]), 0.014, -0.22);
    });
}

/// Both halves of a coat.
pub(super) fn coat_halves(sewing: &mut Sewing, cut: &Cut, outfit: &Outfit) {
    for i in [0, 1] {
        half(sewing, cut, outfit, i);
    }
}

/// The shirt inside of a blazer.
pub(super) fn shirt(sewing: &mut Sewing, cut: &Cut) {
    let tip = cut.trunk.front;
    let path = polygon([(-0.080, -0.005), (tip.0, tip.1 + 0.03), (0.080, -0.005), (0.0, 0.052)]);
    sewing.piece(path, Colour::hex(0xfa_f8_f8), Fabric::Cotton, 0.45);
    front_edge(sewing, 0.06, tip.1);
}

fn bow(sewing: &mut Sewing, at: Point, colour: Colour) {
    const HALF: f32 = 0.098;
    let shape = bow_shape(HALF);
    let here = |path: &tiny_skia::Path| {
        path.clone().transform(tiny_skia::Transform::from_translate(at.0, at.1)).unwrap_or_else(|| path.clone())
    };
    let tones = Ramp::cloth(colour);
    for end in [&shape.end, &mirrored(&shape.end)] {
        sewing.piece(here(end), tones.base.mix(tones.shade, 0.5), Fabric::Satin, 0.5);
    }
    for (wing, fold) in [(&shape.wing, &shape.fold), (&mirrored(&shape.wing), &mirrored(&shape.fold))] {
        sewing.piece(here(wing), colour, Fabric::Satin, 0.6);
        let wing = here(wing);
        sewing.inside(&wing, |sewing| {
            sewing.shade(here(fold), -0.22);
        });
    }
    sewing.mirrored(|sewing, side| {
        for k in [-0.35, 0.0, 0.3] {
            let knots = [(at.0 + side * 0.016, at.1 + 0.02 * k), (at.0 + side * 0.065, at.1 + 0.075 * k - 0.006)];
            sewing.fold(&[knots[0], lerp(knots[0], knots[1], 0.5), knots[1]], 0.010, 0.25);
        }
    });
    sewing.piece(ellipse(at, HALF * 0.20, HALF * 0.24), tones.base.mix(tones.light, 0.3), Fabric::Satin, 0.7);
}

fn tie(sewing: &mut Sewing, colour: Colour) {
    let blade = [(-0.015, 0.085), (0.015, 0.085), (0.036, 0.330), (0.0, 0.375), (-0.036, 0.330)];
    sewing.piece(polygon(blade), colour, Fabric::Satin, 0.55);
    sewing.fold(&[(-0.006, 0.10), (-0.004, 0.16), (0.006, 0.24)], 0.008, 0.2);
    let knot = [(-0.026, 0.042), (0.026, 0.042), (0.015, 0.092), (-0.015, 0.092)];
    sewing.piece(polygon(knot), colour, Fabric::Satin, 0.6);
}
