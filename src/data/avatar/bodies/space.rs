//! Points and rotations in space, and the fixed camera that bodies are seen by.

use std::ops::{Add, Mul, Sub};

use crate::data::avatar::canvas::Point;

/// x to the right of the picture, y up, z towards the camera. The floor is y = 0, a mean body 1 high.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Vector {
    pub x: f32,
    pub y: f32,
    pub z: f32,
}

pub(super) const fn vector(x: f32, y: f32, z: f32) -> Vector {
    Vector { x, y, z }
}

impl Vector {
    pub fn dot(self, other: Vector) -> f32 {
        self.x * other.x + self.y * other.y + self.z * other.z
    }

    pub fn length(self) -> f32 {
        self.dot(self).sqrt()
    }

    /// The same direction, 1 long; up when it has none.
    pub fn unit(self) -> Vector {
        let length = self.length();
        if length > 1e-9 { self * (1.0 / length) } else { vector(0.0, 1.0, 0.0) }
    }

    pub fn cross(self, other: Vector) -> Vector {
        vector(
            self.y * other.z - self.z * other.y,
            self.z * other.x - self.x * other.z,
            self.x * other.y - self.y * other.x,
        )
    }

    /// The point `t` of the way to `other`.
    pub fn toward(self, other: Vector, t: f32) -> Vector {
        self + (other - self) * t
    }
}

impl Add for Vector {
    type Output = Vector;
    fn add(self, other: Vector) -> Vector {
        vector(self.x + other.x, self.y + other.y, self.z + other.z)
    }
}

impl Sub for Vector {
    type Output = Vector;
    fn sub(self, other: Vector) -> Vector {
        vector(self.x - other.x, self.y - other.y, self.z - other.z)
    }
}

impl Mul<f32> for Vector {
    type Output = Vector;
    fn mul(self, by: f32) -> Vector {
        vector(self.x * by, self.y * by, self.z * by)
    }
}

/// Three directions at right angles: where x, y and z of a bone point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Basis {
    pub x: Vector,
    pub y: Vector,
    pub z: Vector,
}

impl Basis {
    pub const UPRIGHT: Basis = Basis { x: vector(1.0, 0.0, 0.0), y: vector(0.0, 1.0, 0.0), z: vector(0.0, 0.0, 1.0) };

    /// A turn about x: positive angles lean what stands towards z.
    pub fn pitch(angle: f32) -> Basis {
        let (s, c) = angle.sin_cos();
        Basis { y: vector(0.0, c, s), z: vector(0.0, -s, c), ..Basis::UPRIGHT }
    }

    /// A turn about y: positive angles bring what looks at the camera to look to the right of the picture.
    pub fn yaw(angle: f32) -> Basis {
        let (s, c) = angle.sin_cos();
        Basis { x: vector(c, 0.0, -s), z: vector(s, 0.0, c), ..Basis::UPRIGHT }
    }

    /// A turn about z: positive angles bring what hangs to the right of the picture.
    pub fn roll(angle: f32) -> Basis {
        let (s, c) = angle.sin_cos();
        Basis { x: vector(c, s, 0.0), y: vector(-s, c, 0.0), ..Basis::UPRIGHT }
    }

    /// A direction of this bone in the world.
    pub fn of(&self, v: Vector) -> Vector {
        self.x * v.x + self.y * v.y + self.z * v.z
    }

    /// A direction of the world in this bone.
    pub fn inverse(&self, v: Vector) -> Vector {
        vector(self.x.dot(v), self.y.dot(v), self.z.dot(v))
    }

    /// `inner`, which is told in this bone, told in the world.
    pub fn then(&self, inner: Basis) -> Basis {
        Basis { x: self.of(inner.x), y: self.of(inner.y), z: self.of(inner.z) }
    }
}

/// How far the camera stands from the middle of the body.
const DISTANCE: f32 = 5.0;
/// Height at which it looks.
const HEIGHT: f32 = 0.602;
/// Height of what it sees at the body's distance.
pub(super) const SPAN: f32 = 1.34;

/// A point as the camera sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Seen {
    /// In a picture that is 1 wide, y down.
    pub at: Point,
    /// Towards the camera.
    pub depth: f32,
    /// Lengths in the picture per length here.
    pub scale: f32,
}

/// What the camera makes of a point.
pub(super) fn seen(p: Vector) -> Seen {
    let scale = DISTANCE / (SPAN * (DISTANCE - p.z));
    Seen { at: (0.5 + p.x * scale, 0.5 - (p.y - HEIGHT) * scale), depth: p.z, scale }
}

/// Projection times view of the fixed camera, row by row, for column vectors (x, y, z, 1): clip coordinates whose x / w
/// and y / w are within ±1 in the picture (y up there). x to the right, y up, z towards the camera; the floor is
/// y = 0, a body about 1 high, the camera at (0, 0.602, 5).
pub fn camera() -> [[f64; 4]; 4] {
    let (near, far) = (1.0, 10.0);
    let (distance, height) = (f64::from(DISTANCE), f64::from(HEIGHT));
    let focal = 2.0 * distance / f64::from(SPAN);
    let (a, b) = ((near + far) / (near - far), 2.0 * near * far / (near - far));
    [
        [focal, 0.0, 0.0, 0.0],
        [0.0, focal, 0.0, -focal * height],
        [0.0, 0.0, a, b - a * distance],
        [0.0, 0.0, -1.0, distance],
    ]
}

/// Where a direction of the world points in the picture, per length; what lies along the view is lost.
pub(super) fn flat(v: Vector) -> Point {
    (v.x, -v.y)
}
