//! The trunk and the sleeves of tops, jackets, coats and dresses.

use tiny_skia::Path;

use super::cut::{Cut, SIDES, Sleeve, Trunk};
use super::sewing::{Fabric, Sewing};
use crate::data::avatar::bodies::costume::{Outfit, Sleeves, Upper};
use crate::data::avatar::bodies::cuff;
use crate::data::avatar::canvas::Point;
use crate::data::avatar::palette::{Colour, Ramp};
use crate::data::avatar::shape::{Pen, lerp, polygon};

/// What the upper part is made of.
pub(super) fn fabric(upper: Upper) -> Fabric {
    match upper {
        Upper::Sweater | Upper::Hoodie => Fabric::Knit,
        Upper::Blazer | Upper::Coat => Fabric::Wool,
        Upper::Sailor | Upper::Blouse | Upper::Dress => Fabric::Cotton,
    }
}

/// What is inside of the neck: the back of the garment, before anything else is painted.
pub(super) fn back(sewing: &mut Sewing, cut: &Cut, outfit: &Outfit) {
    let [left, right] = cut.trunk.neck;
    let inside = match outfit.upper {
        Upper::Sailor => outfit.trim,
        Upper::Blazer => Colour::hex(0xfa_f8_f8),
        _ => outfit.main,
    };
    let low = cut.trunk.front.1 + 0.05;
    let path = Pen::at(left)
        .quad((0.0, left.1 - 0.040), right)
        .line((right.0 + 0.01, 0.05))
        .line((0.03, low))
        .line((-0.03, low))
        .line((left.0 - 0.01, 0.05))
        .close();
    if outfit.upper == Upper::Hoodie {
        let hood = Pen::at((-0.165, 0.055))
            .cubic((-0.175, -0.05), (-0.12, -0.105), (0.0, -0.105))
            .cubic((0.12, -0.105), (0.175, -0.05), (0.165, 0.055))
            .close();
        sewing.piece(hood, outfit.main, Fabric::Knit, 0.6);
    }
    sewing.piece(path.clone(), inside, fabric(outfit.upper), 0.5);
    // Little light falls into it.
    sewing.inside(&path, |sewing| {
        sewing.shade(path.clone(), -0.34);
        let deep = Pen::at(left).quad((0.0, left.1 - 0.005), right).line((right.0, 0.4)).line((left.0, 0.4)).close();
        sewing.shade(deep, -0.22);
    });
}

/// One half of the trunk's outline, from the neck down to the hem.
fn down(pen: Pen, trunk: &Trunk, i: usize) -> Pen {
    let (neck, shoulder, armpit) = (trunk.neck[i], trunk.shoulder[i], trunk.armpit[i]);
    let side = SIDES[i];
    pen.quad((lerp(neck, shoulder, 0.5).0, lerp(neck, shoulder, 0.5).1 - 0.006), shoulder)
        .quad((shoulder.0 - side * 0.014, lerp(shoulder, armpit, 0.6).1), armpit)
        .through(armpit, &[trunk.waist[i], trunk.hem[i]])
}

/// The other way around.
fn up(pen: Pen, trunk: &Trunk, i: usize) -> Pen {
    let (neck, shoulder, armpit) = (trunk.neck[i], trunk.shoulder[i], trunk.armpit[i]);
    let side = SIDES[i];
    pen.through(trunk.hem[i], &[trunk.waist[i], armpit])
        .quad((shoulder.0 - side * 0.014, lerp(shoulder, armpit, 0.6).1), shoulder)
        .quad((lerp(neck, shoulder, 0.5).0, lerp(neck, shoulder, 0.5).1 - 0.006), neck)
}

/// The whole trunk with its neckline.
pub(super) fn outline(trunk: &Trunk, upper: Upper) -> Path {
    let [left, right] = trunk.neck;
    let (hem, front) = (trunk.hem, trunk.front);
    let pen = down(Pen::at(right), trunk, 1);
    let low = lerp(hem[0], hem[1], 0.5).1 + 0.014;
    let pen = pen.through(hem[1], &[(0.11, low), (0.0, low + 0.003), (-0.11, low), hem[0]]);
    let pen = up(pen, trunk, 0);
    match upper {
        Upper::Sailor | Upper::Blazer | Upper::Coat => pen.line(front).line(right).close(),
        _ => {
            let low = left.1 + (front.1 - left.1) * 4.0 / 3.0;
            pen.cubic((0.95 * left.0, low), (0.95 * right.0, low), right).close()
        }
    }
}

/// Trunk with folds.
pub(super) fn trunk(sewing: &mut Sewing, cut: &Cut, outfit: &Outfit) {
    let path = outline(&cut.trunk, outfit.upper);
    sewing.piece(path.clone(), outfit.main, fabric(outfit.upper), 0.8);
    sewing.inside(&path, |sewing| trunk_folds(sewing, &cut.trunk));
}

/// One side of what is open in front, with its edge.
pub(super) fn half(sewing: &mut Sewing, cut: &Cut, outfit: &Outfit, i: usize) {
    let (trunk, side) = (&cut.trunk, SIDES[i]);
    let hem = trunk.hem[i];
    let edge = [(side * 0.085, hem.1 + 0.008), (side * 0.062, 0.45), (side * 0.058, 0.30)];
    let path = down(Pen::at(trunk.neck[i]), trunk, i)
        .quad((0.5 * (hem.0 + edge[0].0), hem.1 + 0.016), edge[0])
        .through(edge[0], &[edge[1], edge[2]])
        .close();
    sewing.piece(path.clone(), outfit.main, Fabric::Wool, 0.75);
    sewing.inside(&path, |sewing| {
        trunk_folds(sewing, trunk);
        for k in 0..3 {
            let x = side * (0.12 + 0.05 * k as f32) + sewing.about(0.012);
            let lean = side * 0.03 * k as f32;
            sewing.fold(&[(x * 0.9, 0.46), (x + 0.5 * lean, 0.72), (x + lean, hem.1 + 0.02)], 0.028, 0.20);
        }
    });
}

/// From the armpits, at the waist, and down from the breast.
fn trunk_folds(sewing: &mut Sewing, trunk: &Trunk) {
    for (i, side) in SIDES.into_iter().enumerate() {
        let (armpit, waist) = (trunk.armpit[i], trunk.waist[i]);
        for k in 0..3 {
            let far = 0.35 + 0.18 * k as f32 + sewing.about(0.05);
            let start = (armpit.0 - side * 0.006, armpit.1 + 0.012 * k as f32);
            let end = (armpit.0 * (1.0 - far), armpit.1 + 0.05 + 0.07 * k as f32 + sewing.about(0.015));
            let middle = lerp(start, end, 0.5);
            let strength = 0.24 - 0.04 * k as f32;
            sewing.fold(&[start, (middle.0, middle.1 + 0.012), end], 0.022, strength);
        }
        for k in 0..3 {
            let y = waist.1 - 0.045 + 0.04 * k as f32 + sewing.about(0.012);
            let long = 0.07 + sewing.about(0.03);
            let start = (waist.0 - side * 0.004, y);
            let end = (waist.0 - side * long, y + 0.012 + sewing.about(0.012));
            sewing.fold(&[start, lerp(start, end, 0.5), end], 0.016, 0.20);
        }
        let x = side * (0.085 + sewing.about(0.02));
        let lean = side * (0.02 + sewing.about(0.02));
        sewing.fold(&[(x, 0.25), (x + 0.4 * lean, 0.36), (x + lean, trunk.hem[i].1 + 0.01)], 0.034, 0.16);
        sewing.seam(&[trunk.neck[i], trunk.shoulder[i]].map(|(x, y)| (x, y + 0.012)), 0.003, -0.12);
    }
    let low = lerp(trunk.hem[0], trunk.hem[1], 0.5).1;
    let hem = [lerp(trunk.hem[0], (0.0, low), 0.02), (0.0, low), trunk.hem[1]].map(|(x, y)| (x, y - 0.012));
    sewing.seam(&hem, 0.003, -0.14);
}

pub(super) fn sleeves(sewing: &mut Sewing, cut: &Cut, outfit: &Outfit) {
    for (i, sleeve) in cut.sleeves.iter().flatten().enumerate() {
        one_sleeve(sewing, sleeve, outfit, i);
    }
}

fn one_sleeve(sewing: &mut Sewing, sleeve: &Sleeve, outfit: &Outfit, i: usize) {
    let side = SIDES[i];
    let Sleeve { shoulder, armpit, inner, outer, elbow, cap } = *sleeve;
    let hole = (shoulder.0 - side * 0.014, lerp(shoulder, armpit, 0.6).1);
    let path = Pen::at(shoulder)
        .through(shoulder, &[cap, elbow[1], outer])
        .quad(
            {
                let m = lerp(outer, inner, 0.5);
                (m.0, m.1 + 0.012)
            },
            inner,
        )
        .through(inner, &[elbow[0], armpit])
        .quad(hole, shoulder)
        .close();
    sewing.piece(path.clone(), outfit.main, fabric(outfit.upper), 0.85);
    sewing.inside(&path, |sewing| {
        sleeve_folds(sewing, sleeve, outfit.sleeves, side);
        if let Some(colour) = cuff(outfit) {
            let band = if matches!(outfit.sleeves, Sleeves::Long | Sleeves::Wide) { 0.13 } else { 0.24 };
            cuff_band(sewing, sleeve, outfit, band, colour);
        }
    });
    sewing.seam(&[shoulder, hole, armpit], 0.004, -0.16);
}

fn sleeve_folds(sewing: &mut Sewing, sleeve: &Sleeve, kind: Sleeves, side: f32) {
    let Sleeve { shoulder, armpit, inner, outer, elbow, .. } = *sleeve;
    let inside =
        |t: f32| if t < 0.55 { lerp(armpit, elbow[0], t / 0.55) } else { lerp(elbow[0], inner, (t - 0.55) / 0.45) };
    let outside =
        |t: f32| if t < 0.5 { lerp(shoulder, elbow[1], t / 0.5) } else { lerp(elbow[1], outer, (t - 0.5) / 0.5) };
    let across = |sewing: &mut Sewing, t: f32, from: f32, to: f32, slant: f32, width: f32, strength: f32| {
        let at = |share: f32| {
            lerp(inside((t + slant * share).clamp(0.0, 1.0)), outside((t + slant * share).clamp(0.0, 1.0)), share)
        };
        sewing.fold(&[at(from), at(0.5 * (from + to)), at(to)], width, strength);
    };
    match kind {
        Sleeves::Bare => {}
        Sleeves::Puffed => {
            for k in 0..5 {
                let share = 0.12 + 0.19 * k as f32 + sewing.about(0.03);
                let top = lerp(inside(0.05), outside(0.12), share);
                let low = lerp(inside(0.98), outside(0.98), 0.1 + 0.8 * share);
                let middle = lerp(top, low, 0.5);
                sewing.fold(&[low, (middle.0 + side * 0.006, middle.1), lerp(top, low, 0.3)], 0.020, 0.20);
                sewing.fold(&[top, lerp(top, low, 0.2), lerp(top, low, 0.4)], 0.016, 0.16);
            }
        }
        Sleeves::Short => {
            for k in 0..3 {
                let t = 0.25 + 0.22 * k as f32 + sewing.about(0.05);
                across(sewing, t, 0.02, 0.6, -0.25, 0.020, 0.17);
            }
        }
        Sleeves::Long | Sleeves::Wide => {
            for k in 0..4 {
                let t = 0.40 + 0.065 * k as f32 + sewing.about(0.018);
                let slant = if k % 2 == 0 { -0.06 } else { 0.05 };
                across(sewing, t, 0.02, 0.75, slant, 0.020, 0.22);
            }
            for k in 0..2 {
                let t = 0.05 + 0.10 * k as f32 + sewing.about(0.02);
                across(sewing, t, 0.0, 0.6, -0.10, 0.022, 0.20);
            }
            for k in 0..3 {
                let t = 0.76 + 0.055 * k as f32 + sewing.about(0.012);
                across(sewing, t, 0.08, 0.9, if k % 2 == 0 { 0.03 } else { -0.03 }, 0.015, 0.17);
            }
            let long = [0.30, 0.5, 0.9].map(|t| lerp(inside(t), outside(t), 0.62));
            sewing.fold(&long, 0.022, 0.10);
        }
    }
}

/// The band at the end of a sleeve: `share` of its half.
fn cuff_band(sewing: &mut Sewing, sleeve: &Sleeve, outfit: &Outfit, share: f32, colour: Colour) {
    let Sleeve { inner, outer, elbow, .. } = *sleeve;
    let (a, b) = (lerp(inner, elbow[0], 1.35 * share), lerp(outer, elbow[1], 1.35 * share));
    let past = |p: Point, from: Point| lerp(from, p, 1.6);
    let band = polygon([a, b, past(outer, b), past(inner, a)]);
    let ribbed = matches!(outfit.upper, Upper::Sweater | Upper::Hoodie);
    sewing.piece(band, colour, if ribbed { Fabric::Knit } else { Fabric::Cotton }, 0.7);
    if ribbed {
        ribs(sewing, [a, b], [inner, outer], 7);
    }
}

/// Knitted ribs between two lines.
pub(super) fn ribs(sewing: &mut Sewing, top: [Point; 2], low: [Point; 2], count: usize) {
    for k in 0..count {
        let t = (k as f32 + 0.5) / count as f32;
        let (from, to) = (lerp(top[0], top[1], t), lerp(low[0], low[1], t));
        sewing.seam(&[from, to], 0.006, -0.16);
    }
}

/// The ribbed or coloured band along the lower edge of a top.
pub(super) fn hem_band(sewing: &mut Sewing, cut: &Cut, outfit: &Outfit, height: f32, colour: Colour, ribbed: bool) {
    let trunk = &cut.trunk;
    let low = lerp(trunk.hem[0], trunk.hem[1], 0.5).1 + 0.017;
    let at = |i: usize| {
        let t = height / (trunk.hem[i].1 - trunk.waist[i].1).max(0.05);
        lerp(trunk.hem[i], trunk.waist[i], t)
    };
    let (left, right) = (at(0), at(1));
    let path = Pen::at(left)
        .quad((0.0, low - height + 0.012), right)
        .line(trunk.hem[1])
        .through(trunk.hem[1], &[(0.11, low - 0.003), (0.0, low), (-0.11, low - 0.003), trunk.hem[0]])
        .close();
    sewing.piece(path.clone(), colour, fabric(outfit.upper), 0.8);
    if ribbed {
        sewing.inside(&path, |sewing| {
            let under = [(trunk.hem[0].0, low), (trunk.hem[1].0, low)];
            ribs(sewing, [(left.0, left.1 - 0.01), (right.0, right.1 - 0.01)], under, 26);
        });
    }
}

/// A stripe around the trunk between two heights.
pub(super) fn stripe(sewing: &mut Sewing, trunk: &Trunk, [from, to]: [f32; 2], colour: Colour) {
    let wide = 0.30;
    let path = Pen::at((-wide, from))
        .quad((0.0, from + 0.022), (wide, from))
        .line((wide, to))
        .quad((0.0, to + 0.022), (-wide, to))
        .close();
    let inside = outline(trunk, Upper::Sweater);
    sewing.inside(&inside, |sewing| sewing.print(path, colour, 1.0));
}

/// Half width of the trunk at a height.
pub(super) fn half_width(trunk: &Trunk, y: f32) -> f32 {
    let right = [trunk.shoulder[1], trunk.armpit[1], trunk.waist[1], trunk.hem[1]];
    let next = right.iter().position(|p| p.1 >= y).unwrap_or(3).max(1);
    let (a, b) = (right[next - 1], right[next]);
    lerp(a, b, ((y - a.1) / (b.1 - a.1).max(1e-6)).clamp(0.0, 1.0)).0
}

/// The tone of ribs and bands knitted of the same wool, as drawn bodies have it.
pub(super) fn rib_colour(outfit: &Outfit) -> Colour {
    Ramp::cloth(outfit.main).base.times(Colour::hex(0xd8_d2_dc))
}
