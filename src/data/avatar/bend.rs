//! How a flat drawing lies on a head that is turned.

use super::canvas::Point;

/// A small or a large turn.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bend {
    Turn(Turn),
    Relief(Relief),
}

impl From<Turn> for Bend {
    fn from(turn: Turn) -> Bend {
        Bend::Turn(turn)
    }
}

impl Bend {
    /// Where a point of the drawing comes to lie.
    pub fn apply(&self, point: Point) -> Point {
        match self {
            Bend::Turn(turn) => turn.apply(point),
            Bend::Relief(relief) => relief.apply(point),
        }
    }

    /// Where the middle of a soft spot comes to lie: a small turn leaves it.
    pub fn spot(&self, centre: Point) -> Point {
        match self {
            Bend::Turn(_) => centre,
            Bend::Relief(relief) => relief.apply(centre),
        }
    }
}

/// A turn of the head by a small angle: points near the middle of the face move further than those at its edge.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Turn {
    /// Radians, to the right of the picture.
    pub yaw: f32,
    /// Radians, down.
    pub pitch: f32,
}

/// Radius of the ball that a head is turned as.
const BALL: f32 = 0.30;

impl Turn {
    fn apply(self, (x, y): Point) -> Point {
        let depth = BALL * (1.0 - (x / BALL).powi(2) - 0.35 * (y / BALL).powi(2)).max(0.0);
        (x + self.yaw * depth, y + self.pitch * depth)
    }
}

/// A flat face laid over a head that is turned by any angle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Relief {
    /// Where one unit to the side, down and ahead of the face comes to lie.
    pub axes: [Point; 3],
    /// Radians about the head's own axis: 0 looks at the camera, positive to the right of the picture.
    pub yaw: f32,
}

/// Half axes of the face seen from above.
const WIDE: f32 = 0.212;
const DEEP: f32 = 0.178;

impl Relief {
    /// Where a point of the flat face comes to lie. What is beyond the horizon of the head lies on it.
    fn apply(&self, (x, y): Point) -> Point {
        // Seen from above the face is half an ellipse; turned by the yaw, it reaches furthest to the right at `edge`.
        let edge = (WIDE * self.yaw.cos()).atan2(DEEP * self.yaw.sin());
        let angle = (x / WIDE).clamp(-1.0, 1.0).asin().clamp(edge - std::f32::consts::PI, edge);
        let (s, c) = angle.sin_cos();
        let beside = (x.abs() - WIDE).max(0.0) * x.signum();
        let ahead = DEEP * c - 0.9 * y.max(0.0).powi(2) - 0.5 * (-y - 0.10).max(0.0).powi(2);
        let place = |part: fn(&Point) -> f32| {
            part(&self.axes[0]) * (WIDE * s + beside) + part(&self.axes[1]) * y + part(&self.axes[2]) * ahead
        };
        (place(|p| p.0), place(|p| p.1))
    }
}
