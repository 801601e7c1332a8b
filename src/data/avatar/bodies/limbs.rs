//! Arms and legs with sleeves, stockings, trousers and shoes, as solids.

use super::costume::{Costume, Legwear, Lower, Outfit, Shoes, Sleeves, Upper};
use super::rig::{Rig, SIDES, bone};
use super::solid::{Blob, Tube};
use super::space::{Basis, Vector, vector};
use crate::data::avatar::canvas::Region;
use crate::data::avatar::palette::{Colour, Ramp, WHITE};

/// One solid in one material.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub tube: Tube,
    pub ramp: Ramp,
    /// Clothes are sleeves and trousers; stockings and shoes are accessories.
    pub region: Region,
}

/// An arm or a leg: solids in the order in which they are painted.
#[derive(Clone, Debug)]
pub(super) struct LimbParts {
    pub pieces: Vec<Piece>,
    /// The lower half alone, for when it has to be painted over what hangs around the upper half.
    pub lower: Vec<Piece>,
    /// Nearness of the whole to the camera.
    pub depth: f32,
}

impl LimbParts {
    pub fn tubes(&self) -> impl Iterator<Item = &Tube> {
        self.pieces.iter().map(|piece| &piece.tube)
    }
}

/// Two bones and a width along them; places are 0 at the root, 1 at elbow or knee, 2 at wrist or ankle.
struct Bent {
    joints: [Vector; 3],
}

/// How a chain ends.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Round,
    Flat,
}

impl Bent {
    fn at(&self, place: f32) -> Vector {
        let [a, b, c] = self.joints;
        if place <= 1.0 { a.toward(b, place) } else { b.toward(c, place - 1.0) }
    }

    fn along(&self, place: f32) -> Vector {
        let [a, b, c] = self.joints;
        if place <= 1.0 { b - a } else { c - b }
    }

    /// The chain between two places, `width` wide at each.
    fn tube(&self, (from, start): (f32, End), (to, end): (f32, End), width: impl Fn(f32) -> f32) -> Tube {
        const STEP: f32 = 0.25;
        let mut places = vec![from];
        let inner = (1..8).map(|i| i as f32 * STEP).filter(|p| *p > from + 0.06 && *p < to - 0.06);
        places.extend(inner);
        places.push(to);
        let last = places.len() - 1;
        let blob = |(i, &place): (usize, &f32)| {
            let flat = (i == 0 && start == End::Flat) || (i == last && end == End::Flat);
            match flat {
                true => Blob::disc(self.at(place), self.along(place), width(place)),
                false => Blob::ball(self.at(place), width(place)),
            }
        };
        Tube::new(&places.iter().enumerate().map(blob).collect::<Vec<_>>())
    }
}

/// Between the knots (place, width).
fn profile(knots: &'static [(f32, f32)], factor: f32) -> impl Fn(f32) -> f32 + Copy {
    move |place| {
        let next = knots.iter().position(|knot| knot.0 >= place).unwrap_or(knots.len() - 1).max(1);
        let ((a, wa), (b, wb)) = (knots[next - 1], knots[next]);
        let t = ((place - a) / (b - a)).clamp(0.0, 1.0);
        // Round between knots as muscles are, not straight.
        let t = t * t * (3.0 - 2.0 * t);
        (wa + (wb - wa) * t) * factor
    }
}

const ARM: &[(f32, f32)] = &[(0.0, 0.0275), (0.5, 0.0255), (1.0, 0.0215), (1.35, 0.0225), (2.0, 0.0158)];
const LEG: &[(f32, f32)] =
    &[(0.0, 0.0495), (0.5, 0.0450), (1.0, 0.0325), (1.35, 0.0365), (1.75, 0.0245), (2.0, 0.0195)];

/// The colours of limbs.
pub(super) fn skin(costume: &Costume) -> Ramp {
    costume.face.skin
}

fn cloth(colour: Colour) -> Ramp {
    Ramp::cloth(colour)
}

/// One arm with hand and sleeve.
pub(super) fn arm(costume: &Costume, rig: &Rig, i: usize) -> LimbParts {
    let joint = |bone: usize| rig.joints[bone + i];
    let bent = Bent { joints: [joint(bone::UPPER_ARM), joint(bone::LOWER_ARM), joint(bone::HAND)] };
    let factor = rig.unit * costume.build.limbs;
    let width = profile(ARM, factor);
    let outfit = &costume.outfit;
    let (end, grown) = sleeve(outfit);
    let skin = skin(costume);
    let hand = hand(bent.joints[2], &rig.arms[i][2], SIDES[i], rig.unit);
    let start = if end > 1.0 { (end - 0.04, End::Flat) } else { (0.0, End::Round) };
    let bare = bent.tube(start, (2.0, End::Round), width);
    let mut pieces = vec![Piece { tube: bare.with(hand), ramp: skin, region: Region::Skin }];
    if end > 0.0 {
        let main = cloth(outfit.main);
        let cover = move |place: f32| width(place) + grown(place / end) * rig.unit;
        let tube = bent.tube((0.0, End::Round), (end, End::Flat), cover);
        pieces.push(Piece { tube, ramp: main, region: Region::Clothes });
        if let Some(trim) = cuff(outfit) {
            let wide = move |place: f32| cover(place) + 0.0022 * rig.unit;
            let band = if end > 1.0 { 0.13 } else { 0.09 };
            let tube = bent.tube((end - band, End::Flat), (end, End::Flat), wide);
            pieces.push(Piece { tube, ramp: cloth(trim), region: Region::Clothes });
        }
    }
    // A hand that comes forward is in front of its sleeve.
    if end > 1.0 && bent.joints[2].z > bent.joints[1].z + 0.05 * rig.unit {
        pieces.rotate_left(1);
    }
    let depth = 0.25 * bent.joints[0].z + 0.35 * bent.joints[1].z + 0.4 * bent.joints[2].z;
    LimbParts { pieces, lower: Vec::new(), depth }
}

/// Where a sleeve ends, and how much wider than the arm it is from its begin (0) to there (1).
fn sleeve(outfit: &Outfit) -> (f32, fn(f32) -> f32) {
    let thick = matches!(outfit.upper, Upper::Hoodie | Upper::Coat | Upper::Sweater);
    match outfit.sleeves {
        Sleeves::Bare => (0.0, |_| 0.0),
        Sleeves::Short => (0.62, |t| 0.006 + 0.007 * t),
        Sleeves::Puffed => (0.58, |t| 0.006 + 0.018 * (std::f32::consts::PI * t.clamp(0.0, 1.0)).sin()),
        Sleeves::Long if thick => (1.93, |t| 0.007 + 0.005 * t),
        Sleeves::Long => (1.93, |t| 0.0045 + 0.0035 * t),
        Sleeves::Wide => (1.88, |t| 0.006 + 0.022 * t * t * t),
    }
}

/// The colour of a band at the end of the sleeve.
pub(in crate::data::avatar) fn cuff(outfit: &Outfit) -> Option<Colour> {
    match (outfit.upper, outfit.sleeves) {
        (Upper::Sailor | Upper::Dress, _) | (_, Sleeves::Puffed) => Some(outfit.trim),
        (Upper::Sweater | Upper::Hoodie, _) => Some(outfit.main.times(Colour::hex(0xd8_d2_dc))),
        (Upper::Blazer, Sleeves::Long) => Some(WHITE),
        _ => None,
    }
}

fn hand(wrist: Vector, hand: &Basis, side: f32, unit: f32) -> Tube {
    let at = |x: f32, y: f32, z: f32| wrist + hand.of(vector(-side * x, -y, z) * unit);
    let ellipsoid = |centre: Vector, half: [f32; 3]| Blob::ellipsoid(centre, hand, half.map(|h| h * unit));
    let palm = ellipsoid(at(0.0, 0.024, 0.001), [0.0105, 0.020, 0.0180]);
    let fingers = ellipsoid(at(0.003, 0.046, 0.0), [0.0090, 0.020, 0.0150]);
    let thumb =
        [Blob::ball(at(0.004, 0.014, 0.010), 0.0085 * unit), Blob::ball(at(0.009, 0.036, 0.022), 0.0062 * unit)];
    Tube::new(&[Blob::ball(wrist, 0.0150 * unit), palm, fingers]).with(Tube::new(&thumb))
}

/// One leg with what is worn on it.
pub(super) fn leg(costume: &Costume, rig: &Rig, i: usize) -> LimbParts {
    let joint = |bone: usize| rig.joints[bone + i];
    let bent = Bent { joints: [joint(bone::UPPER_LEG), joint(bone::LOWER_LEG), joint(bone::FOOT)] };
    let unit = rig.unit;
    let outfit = &costume.outfit;
    let width = profile(LEG, unit * costume.build.limbs);
    let paint = |from: f32| {
        let from = |place: f32| if place < from { from } else { place };
        let mut pieces = Vec::new();
        let mut add = |start: f32, to: f32, more: f32, ramp: Ramp, region: Region| {
            let flat = if start > 0.0 { End::Flat } else { End::Round };
            let end = if to < 2.0 { End::Flat } else { End::Round };
            let start = from(start);
            if start + 0.05 < to {
                let begin = if flat == End::Flat && start > 1.0 { End::Flat } else { End::Round };
                let begin = if start > 0.0 && start < 1.0 { End::Flat } else { begin };
                let tube = bent.tube((start, begin), (to, end), move |place| width(place) + more * unit);
                pieces.push(Piece { tube, ramp, region });
            }
        };
        add(0.0, 2.0, 0.0, skin(costume), Region::Skin);
        if let Some(start) = stocking(outfit.legwear) {
            add(start, 2.0, 0.0016, cloth(outfit.stockings), Region::Accessory);
        }
        pieces.extend(trousers(outfit, &bent, width, unit, from(0.0)));
        pieces.extend(shoe(outfit, &bent, &rig.legs[i][2], joint(bone::TOE), width, unit));
        pieces
    };
    let depth = 0.3 * bent.joints[1].z + 0.7 * bent.joints[2].z;
    LimbParts { pieces: paint(0.0), lower: paint(1.0), depth }
}

fn stocking(legwear: Legwear) -> Option<f32> {
    match legwear {
        Legwear::Bare => None,
        Legwear::Socks => Some(1.74),
        Legwear::Knee => Some(1.14),
        Legwear::Thigh => Some(0.66),
        Legwear::Tights => Some(0.0),
    }
}

fn trousers(outfit: &Outfit, bent: &Bent, width: impl Fn(f32) -> f32 + Copy, unit: f32, from: f32) -> Option<Piece> {
    let (ramp, region) = (cloth(outfit.second), Region::Clothes);
    let begin = if from > 0.0 { End::Flat } else { End::Round };
    match outfit.lower {
        Lower::Trousers => {
            let to = if outfit.shoes == Shoes::Boots { 1.6 } else { 1.94 };
            let wide = move |place: f32| (width(place) + 0.007 * unit).max(0.0335 * unit);
            Some(Piece { tube: bent.tube((from, begin), (to, End::Flat), wide), ramp, region })
        }
        Lower::Shorts if from < 0.5 => {
            let wide = move |place: f32| width(place) + (0.006 + 0.014 * place) * unit;
            Some(Piece { tube: bent.tube((from, begin), (0.62, End::Flat), wide), ramp, region })
        }
        _ => None,
    }
}

fn shoe(
    outfit: &Outfit,
    bent: &Bent,
    foot: &Basis,
    toe: Vector,
    width: impl Fn(f32) -> f32 + Copy,
    unit: f32,
) -> Vec<Piece> {
    let ankle = bent.joints[2];
    let leather = cloth(outfit.leather);
    let place = |from: Vector, x: f32, y: f32, z: f32| from + foot.of(vector(x, y, z) * unit);
    let ellipsoid = |centre: Vector, half: [f32; 3]| Blob::ellipsoid(centre, foot, half.map(|h| h * unit));
    let sole = Tube::new(&[
        ellipsoid(place(ankle, 0.0, -0.036, -0.012), [0.0215, 0.0075, 0.0225]),
        ellipsoid(place(toe, 0.0, -0.0095, 0.002), [0.0245, 0.0070, 0.026]),
        ellipsoid(place(toe, 0.0, -0.0095, 0.020), [0.0200, 0.0065, 0.020]),
    ]);
    let upper = Tube::new(&[
        ellipsoid(place(ankle, 0.0, -0.018, -0.011), [0.0215, 0.0230, 0.0215]),
        ellipsoid(place(ankle, 0.0, -0.021, 0.020), [0.0205, 0.0175, 0.024]),
        ellipsoid(place(toe, 0.0, -0.0005, 0.002), [0.0240, 0.0155, 0.024]),
        ellipsoid(place(toe, 0.0, -0.0020, 0.018), [0.0200, 0.0135, 0.0195]),
    ]);
    let soled = match outfit.shoes {
        Shoes::Sneakers => cloth(Colour::hex(0xf4_f2_f0)),
        _ => cloth(outfit.leather.times(Colour::hex(0x70_64_6c))),
    };
    let piece = |tube: Tube, ramp: Ramp| Piece { tube, ramp, region: Region::Accessory };
    let mut pieces = vec![piece(sole, soled), piece(upper, leather)];
    match outfit.shoes {
        Shoes::Boots => {
            let wide = move |place: f32| width(place) + (0.0075 - 0.002 * (place - 1.5)) * unit;
            pieces.push(piece(bent.tube((1.5, End::Flat), (2.0, End::Round), wide), leather));
        }
        Shoes::Sneakers => {
            let cap = Tube::new(&[ellipsoid(place(toe, 0.0, -0.004, 0.024), [0.0165, 0.0105, 0.0130])]);
            pieces.push(piece(cap, soled));
        }
        Shoes::Straps => {
            let shown = if outfit.legwear == Legwear::Bare { None } else { Some(cloth(outfit.stockings)) };
            if let Some(ramp) = shown {
                let instep = Tube::new(&[ellipsoid(place(ankle, 0.0, -0.0115, 0.030), [0.0120, 0.0110, 0.0165])]);
                pieces.push(piece(instep, ramp));
            }
            let strap = Tube::new(&[
                Blob::ball(place(ankle, -0.017, -0.014, 0.026), 0.0045 * unit),
                Blob::ball(place(ankle, 0.0, -0.003, 0.028), 0.0045 * unit),
                Blob::ball(place(ankle, 0.017, -0.014, 0.026), 0.0045 * unit),
            ]);
            pieces.push(piece(strap, leather));
        }
        Shoes::Loafers => {}
    }
    pieces
}
