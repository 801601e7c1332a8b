//! How a garment is cut: where its outline runs, and with it the 24 key points.
//!
//! Lengths are metres of a garment for an adult: x to the right of the picture from the middle, y down from the neck.

use crate::data::avatar::bodies::costume::{Lower, Outfit, Sleeves, Upper};
use crate::data::avatar::canvas::Point;
use crate::data::poses::fashion::Category;
use crate::rng::Stream;

/// Sides of the picture: left, right.
pub(super) const SIDES: [f32; 2] = [-1.0, 1.0];

/// What an outfit consists of for the FashionAI challenge, which says which of the 24 points it has.
pub(in crate::data::avatar::costumes) fn categories(outfit: &Outfit) -> Vec<Category> {
    let upper = match outfit.upper {
        Upper::Dress => return vec![Category::Dress],
        Upper::Blazer | Upper::Coat => Category::Outwear,
        Upper::Sailor | Upper::Sweater | Upper::Hoodie | Upper::Blouse => Category::Blouse,
    };
    let lower = match outfit.lower {
        Lower::Pleated | Lower::Flared => Category::Skirt,
        Lower::Shorts | Lower::Trousers => Category::Trousers,
    };
    vec![upper, lower]
}

/// The trunk; pairs are left and right.
#[derive(Clone, Debug)]
pub(super) struct Trunk {
    pub neck: [Point; 2],
    /// The lowest point of the neckline.
    pub front: Point,
    pub shoulder: [Point; 2],
    pub armpit: [Point; 2],
    pub waist: [Point; 2],
    pub hem: [Point; 2],
}

/// One sleeve.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sleeve {
    pub shoulder: Point,
    pub armpit: Point,
    /// The end of the cuff towards the trunk, and away from it.
    pub inner: Point,
    pub outer: Point,
    /// Half way along both edges.
    pub elbow: [Point; 2],
    /// Where the outer edge leaves the shoulder.
    pub cap: Point,
}

/// A skirt, which is addressed by (around, down), both from 0 to 1.
#[derive(Clone, Debug)]
pub(super) struct Skirt {
    pub band: [Point; 2],
    pub hem: [Point; 2],
    /// Folds one sees.
    pub folds: f32,
    /// How far folds move the hem.
    pub wave: f32,
    phase: f32,
}

impl Skirt {
    /// A place on the cloth: `around` from left to right, `down` from the band to the hem.
    pub fn at(&self, around: f32, down: f32) -> Point {
        // Round things show their sides foreshortened.
        let across = 0.5 + 0.5 * ((around - 0.5) * 2.84).sin() / 1.42_f32.sin();
        let mix = |a: f32, b: f32, t: f32| a + (b - a) * t;
        let top = (mix(self.band[0].0, self.band[1].0, across), mix(self.band[0].1, self.band[1].1, across));
        let wave = self.wave * ((around * self.folds + self.phase) * std::f32::consts::TAU).cos();
        let sag = 0.024 * (1.0 - (2.0 * across - 1.0).powi(2)) + wave;
        let low = (mix(self.hem[0].0, self.hem[1].0, across), mix(self.hem[0].1, self.hem[1].1, across) + sag);
        // Over the hips first.
        let out = mix(down, 1.0 - (1.0 - down).powi(2), 0.35);
        let band = 0.012 * (1.0 - (2.0 * across - 1.0).powi(2)) * (1.0 - down);
        (mix(top.0, low.0, out), mix(top.1, low.1, down) + band)
    }
}

/// Trousers or shorts.
#[derive(Clone, Debug)]
pub(super) struct Legs {
    pub band: [Point; 2],
    pub crotch: Point,
    pub inner: [Point; 2],
    pub outer: [Point; 2],
}

/// Everything that is cut for one outfit, as it hangs in one picture.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    pub trunk: Trunk,
    pub sleeves: Option<[Sleeve; 2]>,
    pub skirt: Option<Skirt>,
    pub legs: Option<Legs>,
}

/// Half widths and heights of the trunk: armpit, waist, hem with its height, neckline.
fn fit(upper: Upper) -> [f32; 5] {
    match upper {
        Upper::Sailor => [0.212, 0.190, 0.205, 0.505, 0.255],
        Upper::Blazer => [0.215, 0.182, 0.222, 0.625, 0.350],
        Upper::Sweater => [0.222, 0.205, 0.196, 0.590, -0.032],
        Upper::Hoodie => [0.232, 0.224, 0.208, 0.615, 0.105],
        Upper::Blouse => [0.205, 0.172, 0.196, 0.520, 0.058],
        Upper::Dress => [0.198, 0.152, 0.165, 0.470, 0.072],
        Upper::Coat => [0.222, 0.190, 0.290, 1.020, 0.300],
    }
}

impl Cut {
    /// The garment as it hangs: no two hang alike. `droop` is the angle of the sleeves from the vertical, in radians.
    pub fn new(outfit: &Outfit, droop: f32, s: &mut Stream) -> Cut {
        let wide = s.range(0.97, 1.04) as f32;
        let trunk = trunk(outfit.upper, wide, s);
        let angles = [0, 1].map(|_| droop + s.range(-0.045, 0.045) as f32);
        let sleeves = (outfit.sleeves != Sleeves::Bare).then(|| [0, 1].map(|i| sleeve(outfit, &trunk, i, angles[i])));
        let skirt = matches!(outfit.lower, Lower::Pleated | Lower::Flared).then(|| skirt(outfit, &trunk, s));
        let legs = matches!(outfit.lower, Lower::Shorts | Lower::Trousers).then(|| legs(outfit, wide, s));
        Cut { trunk, sleeves, skirt, legs }
    }

    /// The 24 points in FashionAI's order; none where the garment has none, or another garment covers it.
    pub fn points(&self, outfit: &Outfit) -> [Option<Point>; 24] {
        let mut points = [None; 24];
        let mut pair = |first: usize, both: [Point; 2]| {
            points[first] = Some(both[0]);
            points[first + 1] = Some(both[1]);
        };
        let trunk = &self.trunk;
        pair(0, trunk.neck);
        pair(3, trunk.shoulder);
        pair(5, trunk.armpit);
        pair(7, trunk.waist);
        pair(13, trunk.hem);
        if let Some([left, right]) = self.sleeves {
            pair(9, [left.inner, left.outer]);
            pair(11, [right.inner, right.outer]);
        }
        if let Some(skirt) = self.skirt.as_ref().filter(|_| outfit.upper != Upper::Coat) {
            pair(17, [skirt.at(0.0, 1.0), skirt.at(1.0, 1.0)]);
        }
        if let Some(legs) = &self.legs {
            pair(20, [legs.inner[0], legs.outer[0]]);
            pair(22, [legs.inner[1], legs.outer[1]]);
            if legs.crotch.1 > trunk.hem[0].1 + 0.02 {
                points[19] = Some(legs.crotch);
            }
        }
        points[2] = Some(trunk.front);
        // Tops hang over skirts and trousers: bands are never seen.
        let has: Vec<usize> = categories(outfit).iter().flat_map(|category| category.points()).copied().collect();
        std::array::from_fn(|i| points[i].filter(|_| has.contains(&i)))
    }
}

/// Moves a point by a few millimetres, as no two garments hang alike.
fn moved(s: &mut Stream, (x, y): Point) -> Point {
    (x + s.range(-0.005, 0.005) as f32, y + s.range(-0.005, 0.005) as f32)
}

fn both(s: &mut Stream, (x, y): Point) -> [Point; 2] {
    SIDES.map(|side| moved(s, (side * x, y)))
}

fn trunk(upper: Upper, wide: f32, s: &mut Stream) -> Trunk {
    let [armpit, waist, hem, low, neckline] = fit(upper);
    let neck = match upper {
        Upper::Sweater => (0.070, -0.048),
        Upper::Hoodie => (0.088, -0.012),
        _ => (0.078, -0.004),
    };
    let loose = armpit - 0.205;
    Trunk {
        neck: SIDES.map(|side| (side * neck.0, neck.1)),
        front: moved(s, (0.0, neckline)),
        shoulder: both(s, ((0.190 + 0.6 * loose) * wide, 0.050)),
        armpit: both(s, (armpit * wide, 0.240 + loose)),
        waist: both(s, (waist * wide, 0.415)),
        hem: both(s, (hem * wide, low)),
    }
}

fn sleeve(outfit: &Outfit, trunk: &Trunk, i: usize, angle: f32) -> Sleeve {
    let (side, shoulder, armpit) = (SIDES[i], trunk.shoulder[i], trunk.armpit[i]);
    let thick = matches!(outfit.upper, Upper::Hoodie | Upper::Coat | Upper::Sweater);
    // Length, half width of the cuff, how far it is blown up in the middle.
    let [length, cuff, puff] = match outfit.sleeves {
        Sleeves::Bare | Sleeves::Short => [0.245, 0.088, 0.006],
        Sleeves::Puffed => [0.225, 0.066, 0.052],
        Sleeves::Long if thick => [0.590, 0.056, 0.008],
        Sleeves::Long => [0.580, 0.052, 0.004],
        Sleeves::Wide => [0.550, 0.120, 0.000],
    };
    let (sin, cos) = angle.sin_cos();
    let (along, across) = ((side * sin, cos), (side * cos, -sin));
    let root = ((shoulder.0 + armpit.0) * 0.5, (shoulder.1 + armpit.1) * 0.5 - 0.5 * (armpit.1 - shoulder.1));
    let on = |t: f32, off: f32| {
        let bend = 0.010 * (std::f32::consts::PI * t).sin() * f32::from(u8::from(length > 0.4));
        let (t, off) = (t * length, off + bend);
        (root.0 + along.0 * t + across.0 * off, root.1 + along.1 * t + across.1 * off)
    };
    let middle = 0.5 * (0.080 + cuff);
    let lean = 0.006;
    Sleeve {
        shoulder,
        armpit,
        inner: on(1.0, lean - cuff),
        outer: on(1.0, lean + cuff),
        elbow: [on(0.55, lean - middle - 0.5 * puff), on(0.5, lean + middle + puff)],
        cap: on(0.14, 0.044 + 1.1 * puff),
    }
}

fn skirt(outfit: &Outfit, trunk: &Trunk, s: &mut Stream) -> Skirt {
    let under_coat = outfit.upper == Upper::Coat;
    let [mut length, mut hem, folds, wave] = match outfit.lower {
        Lower::Pleated => [0.37 * outfit.length, 0.305, 16.0, 0.0022],
        _ => [0.49 * outfit.length, 0.335, 6.5, 0.010],
    };
    if under_coat {
        (length, hem) = (0.80 * length, 0.225);
    }
    let band = match outfit.upper {
        Upper::Dress => trunk.waist,
        _ => both(s, (0.160, 0.425)),
    };
    let low = band[0].1 + length;
    Skirt { hem: both(s, (hem * (0.92 + 0.1 * outfit.length), low)), band, folds, wave, phase: s.uniform() as f32 }
}

fn legs(outfit: &Outfit, wide: f32, s: &mut Stream) -> Legs {
    let [low, outer, inner] = match outfit.lower {
        Lower::Shorts => [0.845, 0.222, 0.018],
        _ => [1.400, 0.160, 0.038],
    };
    Legs {
        band: both(s, (0.165 * wide, 0.425)),
        crotch: moved(s, (0.0, 0.705)),
        inner: both(s, (inner, low - 0.004)),
        outer: both(s, (outer * wide, low)),
    }
}
