//! Skirts, trousers and shorts.

use tiny_skia::Path;

use super::cut::{Legs, SIDES, Skirt};
use super::sewing::{Fabric, Sewing};
use crate::data::avatar::bodies::costume::{Lower, Outfit, Pattern};
use crate::data::avatar::canvas::Point;
use crate::data::avatar::palette::Colour;
use crate::data::avatar::shape::{Pen, brush, lerp, polygons};

/// Steps around a skirt in its outline.
const AROUND: usize = 48;

fn band(skirt: &Skirt, from: f32, to: f32) -> Path {
    let line = |down: f32| (0..=AROUND).map(move |i| skirt.at(i as f32 / AROUND as f32, down));
    let back: Vec<Point> = line(to).collect();
    polygons([line(from).chain(back.into_iter().rev())])
}

fn outline(skirt: &Skirt) -> Path {
    const DOWN: usize = 6;
    let line = (0..=AROUND).map(|i| skirt.at(i as f32 / AROUND as f32, 0.0));
    let right = (1..DOWN).map(|i| skirt.at(1.0, i as f32 / DOWN as f32));
    let hem = (0..=AROUND).rev().map(|i| skirt.at(i as f32 / AROUND as f32, 1.0));
    let left = (1..DOWN).rev().map(|i| skirt.at(0.0, i as f32 / DOWN as f32));
    polygons([line.chain(right).chain(hem).chain(left)])
}

pub(super) fn skirt(sewing: &mut Sewing, skirt: &Skirt, outfit: &Outfit) {
    let path = outline(skirt);
    sewing.piece(path.clone(), outfit.second, Fabric::Wool, 0.75);
    sewing.inside(&path, |sewing| {
        woven(sewing, skirt, outfit.pattern, outfit.trim);
        match outfit.lower {
            Lower::Pleated => pleats(sewing, skirt),
            _ => drapes(sewing, skirt),
        }
        sewing.shade(band(skirt, 0.985, 1.0), -0.2);
        sewing.shade(band(skirt, 0.0, 0.05), -0.22);
    });
}

/// Flat folds side by side: each has a lit edge and a shadow in which the next one begins.
fn pleats(sewing: &mut Sewing, skirt: &Skirt) {
    let (count, light) = (skirt.folds as usize, sewing.light.signum());
    let strip = |from: f32, to: f32| {
        polygons([[skirt.at(from, 0.03), skirt.at(to, 0.03), skirt.at(to, 1.0), skirt.at(from, 1.0)]])
    };
    for i in 0..count {
        let width = 1.0 / count as f32;
        let edge = (i as f32 + if light < 0.0 { 1.0 } else { 0.0 }) * width + sewing.about(0.008);
        // Away from the light the pleat turns off.
        let (dark, lit) = (edge + light * 0.38 * width, edge - light * 0.20 * width);
        sewing.shade(strip(edge.min(dark), edge.max(dark)), -0.20);
        sewing.shade(strip(edge.min(edge + light * 0.14 * width), edge.max(edge + light * 0.14 * width)), -0.18);
        sewing.shade(strip(edge.min(lit), edge.max(lit)), 0.07);
    }
}

/// Wide folds that open towards the hem.
fn drapes(sewing: &mut Sewing, skirt: &Skirt) {
    let count = skirt.folds.round() as usize + 2;
    for i in 0..count {
        let around = (i as f32 + 0.5) / count as f32 + sewing.about(0.035);
        let start = 0.06 + sewing.about(0.05).abs();
        let lean = sewing.about(0.02);
        let knots = [start, 0.45, 1.02].map(|down| skirt.at((around + lean * down).clamp(0.0, 1.0), down));
        let strength = 0.20 + sewing.about(0.05);
        sewing.fold(&knots, 0.030, strength);
        let foot = [0.55, 0.8, 1.03].map(|down| skirt.at((around + lean * down + 0.012).clamp(0.0, 1.0), down));
        sewing.fold(&foot, 0.050, 0.14);
    }
}

/// What is woven into the cloth, where the drawn skirt has it.
fn woven(sewing: &mut Sewing, skirt: &Skirt, pattern: Pattern, colour: Colour) {
    match pattern {
        Pattern::Plain => {}
        Pattern::Hem => sewing.print(band(skirt, 0.825, 0.93), colour, 1.0),
        Pattern::Stripes => {
            sewing.print(band(skirt, 0.775, 0.825), colour, 1.0);
            sewing.print(band(skirt, 0.880, 0.930), colour, 1.0);
        }
        Pattern::Plaid => {
            for from in [0.325, 0.60, 0.85] {
                sewing.print(band(skirt, from, from + 0.033), colour, 0.55);
            }
            for i in 0..6 {
                let around = (i as f32 + 0.5) / 6.0;
                let line = [skirt.at(around, 0.0), skirt.at(around, 0.5), skirt.at(around, 1.0)];
                sewing.print(brush(&line, 0.011), colour, 0.55);
            }
        }
    }
}

pub(super) fn legs(sewing: &mut Sewing, legs: &Legs, outfit: &Outfit) {
    let long = outfit.lower == Lower::Trousers;
    for (i, side) in SIDES.into_iter().enumerate() {
        let (band, inner, outer) = (legs.band[i], legs.inner[i], legs.outer[i]);
        let middle = ((legs.band[0].0 + legs.band[1].0) * 0.5, legs.band[i].1 + 0.008);
        let hip = (band.0 + side * 0.042, legs.crotch.1 - 0.10);
        let knee = if long { 0.48 } else { 0.7 };
        let (out, inn) = (lerp(hip, outer, knee), lerp(legs.crotch, inner, knee));
        let path = Pen::at(middle)
            .line(band)
            .through(band, &[hip, (out.0 + side * 0.004, out.1), outer])
            .quad(lerp(outer, inner, 0.5), inner)
            .through(inner, &[(inn.0 - side * 0.006, inn.1), legs.crotch])
            .close();
        sewing.piece(path.clone(), outfit.second, Fabric::Wool, 0.8);
        sewing.inside(&path, |sewing| leg_folds(sewing, legs, i, long));
    }
    // The fly.
    let top = ((legs.band[0].0 + legs.band[1].0) * 0.5, legs.band[0].1);
    sewing.seam(&[top, legs.crotch], 0.006, -0.3);
}

fn leg_folds(sewing: &mut Sewing, legs: &Legs, i: usize, long: bool) {
    let side = SIDES[i];
    let (inner, outer, crotch) = (legs.inner[i], legs.outer[i], legs.crotch);
    for k in 0..3 {
        let down = 0.02 + 0.035 * k as f32 + sewing.about(0.01);
        let far = 0.09 + 0.03 * k as f32;
        let knots =
            [(crotch.0 + side * 0.01, crotch.1 - 0.01 + down), (crotch.0 + side * far, crotch.1 - 0.03 + 1.5 * down)];
        let middle = lerp(knots[0], knots[1], 0.5);
        sewing.fold(&[knots[0], (middle.0, middle.1 + 0.012), knots[1]], 0.018, 0.20);
    }
    if long {
        let crease = [lerp(crotch, legs.band[i], 0.45), lerp(inner, outer, 0.5)];
        sewing.fold(&[crease[0], lerp(crease[0], crease[1], 0.5), crease[1]], 0.020, 0.15);
        for k in 0..3 {
            let t = 0.42 + 0.07 * k as f32 + sewing.about(0.03);
            let (a, b) = (lerp(crotch, inner, t), lerp((legs.band[i].0, crotch.1), outer, t));
            let knots = [lerp(a, b, 0.1), lerp(a, b, 0.45), lerp(a, b, 0.8)];
            sewing.fold(&[knots[0], (knots[1].0, knots[1].1 + 0.02), knots[2]], 0.020, 0.15);
        }
    }
    for k in 0..2 {
        let t = 0.9 + 0.045 * k as f32 + sewing.about(0.015);
        let (a, b) = (lerp(crotch, inner, t), lerp((outer.0, crotch.1), outer, t));
        sewing.fold(&[lerp(a, b, 0.05), lerp(a, b, 0.5), lerp(a, b, 0.85)], 0.014, 0.14);
    }
    sewing.seam(&[lerp(outer, inner, 0.0), lerp(outer, inner, 1.0)].map(|(x, y)| (x, y - 0.025)), 0.004, -0.22);
}
