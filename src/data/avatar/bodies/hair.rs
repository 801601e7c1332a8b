//! Hair in space: a shell around the skull whose lower edge is the fringe in front and hangs down at the back, and
//! bunches that hang from ties.

use super::costume::{Back, Costume};
use super::head::Head;
use super::rig::{Rig, bone};
use super::sheet::{Cells, Sheet, Side};
use super::solid::{Blob, Tube};
use super::space::{Vector, seen, vector};
use crate::data::avatar::canvas::Point;
use crate::data::avatar::faces::fringe_edge;
use crate::data::avatar::shape::lerp;

/// Centre of the shell, in face units.
const CENTRE: [f32; 3] = [0.0, -0.095, -0.035];
/// Lines of the shell from the crown to its widest, and from there on down.
pub(super) const DOME: usize = 9;
const HANG: usize = 4;
/// Half axis of the shell to front and back.
const DEEP: f32 = 0.246;
/// y below which hair hangs freely.
const NAPE: f32 = 0.10;

/// All hair of a head.
#[derive(Clone, Debug)]
pub(super) struct Hair {
    /// The skull under its hair.
    pub dome: Tube,
    /// Crown, fringe, sides and back.
    pub shell: Sheet,
    /// Columns of the shell over the forehead.
    pub fringe: std::ops::Range<usize>,
    /// Columns with the notches between locks, for strands.
    pub notches: Vec<usize>,
    pub bunches: Vec<Bunch>,
    /// Of every column the lines that lie over the face and the trunk, not behind them.
    over: Vec<usize>,
    /// Half axes of the shell.
    half: [f32; 3],
}

/// Hair in one bunch.
#[derive(Clone, Debug)]
pub(super) struct Bunch {
    /// From the tie to the tip.
    pub knots: Vec<Point>,
    /// Half the width at its fullest, in the picture.
    pub half: f32,
    /// A round bun and no tail.
    pub bun: bool,
    /// In front of the head's middle.
    pub near: bool,
    pub solid: Tube,
}

/// A point of the lower edge: angle around the head (0 in front, positive to its left) and y.
#[derive(Clone, Copy)]
struct Rim {
    angle: f32,
    low: f32,
    notch: bool,
}

impl Hair {
    /// `sway` is what the ends lag behind.
    pub fn new(costume: &Costume, rig: &Rig, head: &Head, sway: Vector) -> Hair {
        let face = &costume.face;
        let half = [face.head.width + 0.037 * face.hair.volume, 0.262 * face.hair.crown, DEEP];
        let [_, y, z] = CENTRE;
        let blob = Blob::ellipsoid(head.at(0.0, y, z), &head.bone, half.map(|h| h * 0.985 * head.unit));
        let rim = lower_edge(costume, half[0]);
        let hang = Hang {
            rig,
            head,
            half,
            sway,
            long: 0.25 + 0.75 * f32::from(u8::from(costume.coiffure.back == Back::Long)),
        };
        let shell = Sheet::new(DOME + HANG, rim.len() - 1, true, |row, column| hang.place(rim[column], row));
        let front = |rim: &Rim| rim.angle.abs() < 0.84;
        let first = rim.iter().position(front).unwrap_or(0);
        let last = rim.iter().rposition(front).unwrap_or(0);
        let notches = (0..rim.len()).filter(|&i| rim[i].notch).collect();
        let bunches = hang.bunches(costume);
        let over = (0..shell.columns()).map(|column| lines_in_front(&rim, &shell, rig, head, column)).collect();
        Hair { dome: Tube::new(&[blob]), shell, fringe: first..last, notches, bunches, over, half }
    }

    /// How many lines of a column lie over face and trunk.
    pub fn lines_over(&self, column: usize) -> usize {
        self.over[column.min(self.over.len() - 1)]
    }

    /// What is seen of the shell in front of the face and the trunk.
    pub fn over(&self) -> Cells {
        self.shell.facing(Side::Outer).only(|row, column| row < self.over[column])
    }

    /// A place on the shell: angle around the head and y, in face units.
    pub fn on(&self, head: &Head, angle: f32, y: f32) -> Vector {
        let [wide, high, deep] = self.half;
        let up = ((CENTRE[1] - y) / high).clamp(-1.0, 1.0);
        let round = (1.0 - up * up).sqrt();
        head.at(wide * round * angle.sin(), y, CENTRE[2] + deep * round * angle.cos())
    }
}

/// How many lines of a column lie in front: of those that hang, none on the far side of the head, and what is below the
/// shoulders only where it is in front of the trunk.
fn lines_in_front(rim: &[Rim], shell: &Sheet, rig: &Rig, head: &Head, column: usize) -> usize {
    let Rim { angle, low, .. } = rim[column];
    let (s, c) = angle.sin_cos();
    if head.looks(s, 0.0, c) < 0.08 {
        return DOME;
    }
    if shell.near(shell.rows(), column) > rig.joints[bone::CHEST].z + 0.02 * rig.unit {
        return shell.rows();
    }
    let shoulders = 0.34;
    let above = HANG as f32 * (shoulders - CENTRE[1]) / (low - CENTRE[1]).max(0.01);
    DOME + HANG.min(above as usize)
}

/// The lower edge all around, from the back over the right side and the front to the left side.
fn lower_edge(costume: &Costume, wide: f32) -> Vec<Rim> {
    let face = &costume.face;
    let own = &costume.coiffure.uneven;
    let (valleys, tips) = fringe_edge(face);
    let angle = |x: f32| (x / wide).clamp(-1.0, 1.0).asin();
    // The eyes of bodies are larger than those of faces: the fringe leaves more room.
    let rim = |(x, low): Point, notch: bool| Rim { angle: angle(x), low: low - 0.045, notch };
    let mut front = Vec::new();
    for (pair, &tip) in valleys.windows(2).zip(&tips) {
        let belly = |valley: Point| lerp(valley, (tip.0, valley.1), 0.25);
        let bent = |valley: Point, t: f32| {
            let bend = (belly(valley).0, valley.1 + (tip.1 - valley.1) * 0.6);
            lerp(lerp(valley, bend, t), lerp(bend, tip, t), t)
        };
        front.push(rim(pair[0], true));
        front.extend([0.3, 0.6, 0.85].map(|t| rim(bent(pair[0], t), false)));
        front.push(rim(tip, false));
        front.extend([0.85, 0.6, 0.3].map(|t| rim(bent(pair[1], t), false)));
    }
    front.extend(valleys.last().map(|&valley| rim(valley, true)));
    // Where the picture of the fringe would fold back the angles keep growing.
    for i in 1..front.len() {
        front[i].angle = front[i].angle.max(front[i - 1].angle + 0.004);
    }
    let most = front.iter().fold(0.0f32, |most, rim| most.max(rim.angle.abs()));
    let side = |sign: f32| {
        let mut rims = beside(costume, most, &own[if sign > 0.0 { 0..8 } else { 8..16 }]);
        rims.iter_mut().for_each(|rim| rim.angle *= sign);
        rims
    };
    let mut all = side(-1.0);
    all.reverse();
    all.extend(front);
    all.extend(side(1.0));
    all
}

/// From the temple to the back of the head: the lock before the ear, then the points of what hangs.
fn beside(costume: &Costume, from: f32, own: &[f32]) -> Vec<Rim> {
    let back = costume.coiffure.back;
    let length = costume.coiffure.length;
    let lock = match back {
        Back::Short => 0.07 + 0.02 * own[0],
        Back::Bob => 0.21 + 0.01 * own[0],
        _ => (costume.face.hair.side + 0.02 * own[0]).clamp(0.12, 0.30),
    };
    let (low, deep) = match back {
        Back::Short => (0.105, 0.045),
        Back::Bob => (0.205 * length, 0.03),
        Back::Medium => (0.42 * length, 0.06),
        Back::Long => (0.98 * length, 0.09),
        Back::Ponytail | Back::Twintails | Back::Buns => (0.095, 0.03),
    };
    let mut rims = Vec::new();
    let mut add = |angle: f32, low: f32, notch: bool| rims.push(Rim { angle, low, notch });
    let ear = from + 0.34;
    for (t, y) in [(0.10, -0.02), (0.35, 0.55), (0.55, 1.0), (0.8, 0.55)] {
        add(from + (ear - from) * t, -0.10 + (lock + 0.10) * y, false);
    }
    let valley = |i: usize| low - deep * (1.0 + 0.4 * own[i]);
    add(ear, valley(1).min(lock - 0.03), true);
    const TIPS: usize = 5;
    let end = std::f32::consts::PI;
    for i in 0..TIPS {
        let place = |t: f32| ear + (end - ear) * (i as f32 + t) / TIPS as f32;
        let tip = low + 0.5 * deep * own[i + 2];
        let (here, next) = (if i == 0 { valley(1).max(low - 1.5 * deep) } else { valley(i + 1) }, valley(i + 2));
        add(place(0.06), here, false);
        add(place(0.3), here + (tip - here) * 0.75, false);
        add(place(0.5 + 0.1 * own[7 - i]), tip, false);
        add(place(0.8), next + (tip - next) * 0.7, false);
        add(place(1.0), next, true);
    }
    rims
}

/// How hair hangs from a head.
struct Hang<'a> {
    rig: &'a Rig,
    head: &'a Head,
    half: [f32; 3],
    sway: Vector,
    /// How freely the ends move.
    long: f32,
}

impl Hang<'_> {
    /// The point of a column on a line of the shell.
    fn place(&self, rim: Rim, row: usize) -> Vector {
        let [wide, high, deep] = self.half;
        let (s, c) = rim.angle.sin_cos();
        let quarter = std::f32::consts::FRAC_PI_2;
        let whole = ((CENTRE[1] - rim.low) / high).clamp(-1.0, 1.0).acos().min(quarter);
        if row <= DOME {
            let (round, up) = (whole * row as f32 / DOME as f32).sin_cos();
            return self.head.at(wide * round * s, CENTRE[1] - high * up, CENTRE[2] + deep * round * c);
        }
        let y = CENTRE[1] + (rim.low - CENTRE[1]).max(0.0) * (row - DOME) as f32 / HANG as f32;
        // Down to the nape hair follows the head, closer to it the lower; below it falls.
        let held = y.min(NAPE);
        let close = 1.0 - 1.1 * (held - CENTRE[1]).powi(2);
        let front = if c > 0.0 { 1.0 - 0.10 * c * (held - CENTRE[1]) / 0.2 } else { 1.0 };
        let root = self.head.at(wide * close * s, held, CENTRE[2] + deep * close * front * c);
        match y > NAPE {
            true => self.fallen(root, y - NAPE, rim.low - NAPE),
            false => root,
        }
    }

    /// Where a hair ends that hangs `below` face units from `root`, of `whole` in all.
    fn fallen(&self, root: Vector, below: f32, whole: f32) -> Vector {
        let down = (self.head.bone.y * -0.30 + vector(0.0, -0.70, 0.0)).unit();
        let free = below / whole.max(0.25) * self.long * (below / 0.5).min(1.0);
        let aside = root - self.head.origin;
        let flare = vector(aside.x, 0.0, aside.z) * (0.16 * below);
        self.outside(root + down * (below * self.head.unit) + flare + self.sway * (free * free))
    }

    /// The nearest place behind the back for hair that would hang through it.
    fn outside(&self, p: Vector) -> Vector {
        let (rig, unit) = (self.rig, self.rig.unit);
        let chest = rig.joints[bone::CHEST];
        let inside = rig.chest.inverse(p - chest) * (1.0 / unit);
        let height = ((0.16 - inside.y) / 0.06).clamp(0.0, 1.0);
        let wide = (1.0 - (inside.x.abs() / 0.14).powi(4)).clamp(0.0, 1.0);
        let back = -0.066 * height * wide;
        let pushed = if inside.z < 0.03 { inside.z.min(back) } else { inside.z };
        chest + rig.chest.of(vector(inside.x, inside.y, pushed) * unit)
    }

    fn bunches(&self, costume: &Costume) -> Vec<Bunch> {
        let (face, length) = (&costume.face, costume.coiffure.length);
        let full = face.hair.bunch;
        let [wide, ..] = self.half;
        match costume.coiffure.back {
            Back::Ponytail => {
                let start = [[0.0, -0.27, -0.215], [0.0, -0.315, -0.30], [0.0, -0.19, -0.385]];
                vec![self.bunch(&start, 0.66 * length, 0.085 * full)]
            }
            Back::Twintails => [1.0, -1.0]
                .map(|side| {
                    let x = side * wide;
                    let start = [[x * 0.90, -0.20, -0.06], [x * 1.22, -0.215, -0.075], [x * 1.42, -0.08, -0.08]];
                    self.bunch(&start, 0.66 * length, 0.068 * full)
                })
                .into(),
            Back::Buns => [1.0, -1.0].map(|side| self.bun([side * wide * 0.72, -0.30, -0.09], 0.088 * full)).into(),
            Back::Short | Back::Bob | Back::Medium | Back::Long => Vec::new(),
        }
    }

    /// A tail through the first places of the head and from there down.
    fn bunch(&self, start: &[[f32; 3]; 3], length: f32, half: f32) -> Bunch {
        const STEPS: usize = 4;
        let head = self.head;
        let mut places: Vec<Vector> = start.iter().map(|&[x, y, z]| head.at(x, y, z)).collect();
        let mut way = (places[2] - places[1]).unit();
        let down = vector(0.0, -1.0, 0.0);
        for i in 1..=STEPS {
            let t = i as f32 / STEPS as f32;
            way = (way + down * 0.75).unit();
            let from = places[places.len() - 1];
            let free = self.sway * (0.55 * t);
            places.push(self.outside(from + way * (length * head.unit / STEPS as f32)) + free * 0.6);
        }
        let scale = seen(places[0]).scale;
        let widths = [0.35, 0.7, 1.0, 1.0, 0.95, 0.75, 0.15];
        let blobs: Vec<Blob> = places.iter().zip(widths).map(|(&p, w)| Blob::ball(p, half * w * head.unit)).collect();
        Bunch {
            knots: places.iter().map(|&p| seen(p).at).collect(),
            half: half * head.unit * scale,
            bun: false,
            near: places[1].z > head.at(0.0, -0.1, 0.02).z,
            solid: Tube::new(&blobs),
        }
    }

    fn bun(&self, [x, y, z]: [f32; 3], half: f32) -> Bunch {
        let place = self.head.at(x, y, z);
        let middle = seen(place);
        let radius = half * self.head.unit;
        Bunch {
            knots: vec![middle.at],
            half: radius * middle.scale,
            bun: true,
            near: place.z > self.head.at(0.0, -0.1, 0.02).z,
            solid: Tube::new(&[Blob::ball(place, radius)]),
        }
    }
}
