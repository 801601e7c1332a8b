//! What is around the garment in a photo: the room, and what the garment hangs on.

use super::cut::{Cut, SIDES};
use super::sewing::{Fabric, Sewing};
use crate::data::avatar::canvas::{Canvas, Ink, Point};
use crate::data::avatar::palette::{Colour, WHITE};
use crate::data::avatar::shape::{Pen, curve, ellipse, everywhere, polygon};
use crate::rng::Stream;

/// What holds the garment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    /// Nothing that one sees.
    Invisible,
    /// A torso of cloth on a pole.
    Mannequin,
    Hanger,
}

/// Kinds of rooms.
#[derive(Clone, Copy, Debug)]
enum Room {
    Wall,
    Floor,
    Door,
    Curtain,
    Planks,
    Studio,
}

/// The background of one photo.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    room: Room,
    wall: Colour,
    floor: Colour,
    /// −1 from the left, 1 from the right.
    light: f32,
    /// Uniform numbers that make every room another one.
    own: [f32; 16],
}

const WALLS: [u32; 12] = [
    0xe9e4da, 0xd8d8dc, 0xc9d4dc, 0xe8d9cc, 0xbfc6bd, 0xf2f0ee, 0xa8a29b, 0x8f98a6, 0x6f6a66, 0xd9c8d2, 0xf6f4f2,
    0xcdbfae,
];
const FLOORS: [u32; 6] = [0xb58a5c, 0xa57b52, 0x8a6a4c, 0xc7c2ba, 0x6b5645, 0x9a9894];
const MANNEQUINS: [u32; 4] = [0xe6dccb, 0xf1eeea, 0xd7c4a8, 0x3a3838];

impl Scene {
    pub fn new(light: f32, s: &mut Stream) -> Scene {
        const ROOMS: [Room; 6] = [Room::Wall, Room::Floor, Room::Door, Room::Curtain, Room::Planks, Room::Studio];
        let room = ROOMS[s.weighted(&[0.22, 0.22, 0.17, 0.11, 0.10, 0.18])];
        let wall = match room {
            Room::Studio => Colour::hex([0xf6f5f4, 0xeceaea, 0xe2e4e8][s.below(3)]),
            Room::Planks => Colour::hex(FLOORS[s.below(FLOORS.len())]),
            _ => Colour::hex(WALLS[s.below(WALLS.len())]),
        };
        let floor = Colour::hex(FLOORS[s.below(FLOORS.len())]);
        Scene { room, wall, floor, light, own: std::array::from_fn(|_| s.uniform() as f32) }
    }

    /// Paints it into the unit square.
    pub fn paint(&self, canvas: &mut Canvas) {
        let (bright, dark) = (self.wall.mix(WHITE, 0.10), self.wall.times(Colour::hex(0xc8_c6_c6)));
        let [start, end] = if self.light < 0.0 { [bright, dark] } else { [dark, bright] };
        let slope = 0.3 * (self.own[0] - 0.5);
        canvas.fill(&everywhere(), Ink::Linear { from: (0.0, 0.5 - slope), to: (1.0, 0.5 + slope), start, end });
        match self.room {
            Room::Wall => {}
            Room::Floor => self.floor(canvas, 0.80 + 0.13 * self.own[1]),
            Room::Door => self.door(canvas),
            Room::Curtain => self.curtain(canvas),
            Room::Planks => self.planks(canvas),
            Room::Studio => self.studio(canvas),
        }
    }

    fn floor(&self, canvas: &mut Canvas, y: f32) {
        let board = rectangle(-0.1, y - 0.025, 1.1, y);
        canvas.fill(&board, Ink::Flat(self.wall.mix(WHITE, 0.5)));
        let (start, end) = (self.floor.times(Colour::hex(0xd2_d0_d0)), self.floor);
        canvas.fill(&rectangle(-0.1, y, 1.1, 1.1), Ink::Linear { from: (0.5, y), to: (0.5, 1.0), start, end });
        for k in 0..7 {
            let x = -0.2 + 0.23 * k as f32 + 0.1 * self.own[2];
            canvas.stroke(
                &curve(&[(0.5 + 0.75 * (x - 0.5), y), (0.5 + 1.3 * (x - 0.5), 1.1)]),
                0.004,
                Ink::Glaze(Colour::hex(0), 0.16),
            );
        }
        canvas.fill(
            &everywhere(),
            Ink::Spot { centre: (0.5, y + 0.06), radius: (0.32, 0.07), colour: Colour::hex(0), opacity: 0.28 },
        );
    }

    fn door(&self, canvas: &mut Canvas) {
        let (left, right) = (0.05 + 0.13 * self.own[1], 0.82 + 0.13 * self.own[2]);
        let top = -0.1 + 0.16 * self.own[3];
        let leaf = self.wall.mix(if self.own[4] < 0.6 { WHITE } else { self.floor }, 0.6);
        canvas.fill(
            &rectangle(left - 0.035, top - 0.035, right + 0.035, 1.1),
            Ink::Flat(leaf.times(Colour::hex(0xe4_e2_e0))),
        );
        canvas.stroke(&rectangle(left, top, right, 1.2), 0.006, Ink::Glaze(Colour::hex(0x20_1c_1c), 0.55));
        canvas.fill(&rectangle(left, top, right, 1.1), Ink::Flat(leaf));
        let middle = 0.5 * (left + right);
        for (a, b) in [(left + 0.05, middle - 0.03), (middle + 0.03, right - 0.05)] {
            for (c, d) in [(top + 0.08, 0.42), (0.50, 0.95)] {
                let edges = [
                    ([(a, c), (b, c)], -1.0),
                    ([(a, c), (a, d)], -1.0),
                    ([(b, c), (b, d)], 1.0),
                    ([(a, d), (b, d)], 1.0),
                ];
                for (edge, up) in edges {
                    let ink = if up < 0.0 { Ink::Glaze(Colour::hex(0), 0.22) } else { Ink::Glaze(WHITE, 0.45) };
                    canvas.stroke(&curve(&edge), 0.012, ink);
                }
            }
        }
        let knob = (if self.own[5] < 0.5 { left + 0.025 } else { right - 0.025 }, 0.56);
        canvas.fill(&ellipse(knob, 0.016, 0.016), Ink::Flat(Colour::hex(0x9a_8c_6c)));
    }

    fn curtain(&self, canvas: &mut Canvas) {
        let count = 9 + (6.0 * self.own[1]) as usize;
        for k in 0..count {
            let width = 1.1 / count as f32;
            let off = 0.4 * width * (self.own[k % 16] - 0.5);
            let (a, b) = (-0.05 + k as f32 * width + off, -0.05 + (k + 1) as f32 * width + off);
            let colours = [0x92, 0xff, 0xa8].map(|v| self.wall.times(Colour::hex(v << 16 | v << 8 | v)));
            let ink = Ink::Triple { from: (a, 0.0), to: (b, 0.0), middle: 0.45, colours };
            canvas.fill(&rectangle(a, -0.1, b + 0.02, 1.1), ink);
        }
    }

    fn planks(&self, canvas: &mut Canvas) {
        let count = 7 + (5.0 * self.own[1]) as usize;
        let across = self.own[2] < 0.5;
        for k in 0..count {
            let (a, b) = (k as f32 / count as f32, (k + 1) as f32 / count as f32);
            let tone = 0.80 + 0.28 * self.own[(k * 5 + 3) % 16];
            let own = Colour { r: self.wall.r * tone, g: self.wall.g * tone, b: self.wall.b * tone };
            let (plank, edge) = match across {
                true => (rectangle(-0.1, a, 1.1, b), [(-0.1, a), (1.1, a)]),
                false => (rectangle(a, -0.1, b, 1.1), [(a, -0.1), (a, 1.1)]),
            };
            canvas.fill(&plank, Ink::Glaze(own, 0.8));
            canvas.stroke(&curve(&edge), 0.006, Ink::Glaze(Colour::hex(0x18_10_08), 0.5));
            for grain in 0..3 {
                let at = a + (b - a) * (0.2 + 0.25 * grain as f32 + 0.1 * self.own[(k + grain) % 16]);
                let line = if across { [(-0.1, at), (1.1, at + 0.01)] } else { [(at, -0.1), (at + 0.01, 1.1)] };
                canvas.stroke(&curve(&line), 0.003, Ink::Glaze(Colour::hex(0x18_10_08), 0.14));
            }
        }
    }

    fn studio(&self, canvas: &mut Canvas) {
        let grey = Colour::hex(0x88_88_90);
        canvas.fill(
            &rectangle(-0.1, 0.72, 1.1, 1.1),
            Ink::Linear { from: (0.5, 0.72), to: (0.5, 1.0), start: self.wall, end: self.wall.mix(grey, 0.25) },
        );
        let centre = (0.5 + 0.25 * self.light, 0.35);
        canvas.fill(&everywhere(), Ink::Spot { centre, radius: (0.8, 0.8), colour: WHITE, opacity: 0.5 });
    }
}

fn rectangle(left: f32, top: f32, right: f32, bottom: f32) -> tiny_skia::Path {
    polygon([(left, top), (right, top), (right, bottom), (left, bottom)])
}

/// The colour of a stand.
pub(super) fn stand_colour(s: &mut Stream) -> Colour {
    Colour::hex(MANNEQUINS[s.weighted(&[0.4, 0.3, 0.2, 0.1])])
}

/// What of the stand is behind the garment.
pub(super) fn behind(sewing: &mut Sewing, stand: Stand, colour: Colour) {
    match stand {
        Stand::Invisible => {}
        Stand::Mannequin => {
            let wood = Colour::hex(0x8a_68_48);
            sewing.piece(rectangle(-0.014, 0.3, 0.014, 1.9), wood, Fabric::Stand, 0.7);
            let torso = Pen::at((-0.05, -0.02))
                .quad((-0.09, 0.02), (-0.175, 0.048))
                .quad((-0.200, 0.10), (-0.180, 0.235))
                .through((-0.180, 0.235), &[(-0.135, 0.415), (-0.165, 0.58), (-0.160, 0.66)])
                .quad((0.0, 0.70), (0.160, 0.66))
                .through((0.160, 0.66), &[(0.165, 0.58), (0.135, 0.415), (0.180, 0.235)])
                .quad((0.200, 0.10), (0.175, 0.048))
                .quad((0.09, 0.02), (0.05, -0.02))
                .close();
            sewing.piece(torso, colour, Fabric::Stand, 0.8);
        }
        Stand::Hanger => {
            let hook: Vec<Point> = vec![
                (0.0, 0.01),
                (0.0, -0.060),
                (0.012, -0.085),
                (0.030, -0.105),
                (0.022, -0.135),
                (-0.004, -0.140),
                (-0.022, -0.120),
            ];
            wire(sewing, &hook, 0.010, Colour::hex(0xa8_aa_b0));
        }
    }
}

/// What of the stand is seen in the neckline, in front of the garment's back.
pub(super) fn in_the_neck(sewing: &mut Sewing, stand: Stand, colour: Colour, cut: &Cut) {
    match stand {
        Stand::Invisible => {}
        Stand::Mannequin => {
            let low = (cut.trunk.front.1 + 0.03).max(0.06);
            let neck = Pen::at((-0.047, -0.105))
                .quad((-0.044, -0.02), (-0.072, 0.004))
                .line((-0.020, low))
                .line((0.020, low))
                .line((0.072, 0.004))
                .quad((0.044, -0.02), (0.047, -0.105))
                .close();
            sewing.piece(neck, colour, Fabric::Stand, 0.8);
            sewing.piece(ellipse((0.0, -0.108), 0.049, 0.014), Colour::hex(0x8a_68_48), Fabric::Stand, 0.5);
        }
        Stand::Hanger => {
            let wood = Colour::hex(0xa9_7c_50);
            for side in SIDES {
                wire(sewing, &[(0.0, -0.002), (side * 0.05, 0.012), (side * 0.16, 0.060)], 0.020, wood);
            }
        }
    }
}

fn wire(sewing: &mut Sewing, knots: &[Point], width: f32, colour: Colour) {
    let outline = crate::data::avatar::shape::Lock::new(knots, &[0.5 * width, 0.5 * width]).outline();
    sewing.piece(outline, colour, Fabric::Stand, 0.5);
}
