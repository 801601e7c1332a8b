//! Round bodies: chains of ellipsoids and discs whose hulls are exact outlines from every side.

use std::sync::LazyLock;

use tiny_skia::Path;

use super::space::{Basis, Vector, flat, seen};
use crate::data::avatar::canvas::Point;
use crate::data::avatar::shape::{lerp, polygons};

/// Corners of a drawn hull.
const CORNERS: usize = 32;

/// Directions around the picture.
static AROUND: LazyLock<[Point; CORNERS]> = LazyLock::new(|| {
    std::array::from_fn(|i| {
        let (s, c) = (std::f32::consts::TAU * i as f32 / CORNERS as f32).sin_cos();
        (c, s)
    })
});

/// An ellipsoid by its half axes; a disc when one of them is nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blob {
    pub centre: Vector,
    pub axes: [Vector; 3],
}

impl Blob {
    pub fn ball(centre: Vector, radius: f32) -> Blob {
        let Basis { x, y, z } = Basis::UPRIGHT;
        Blob { centre, axes: [x * radius, y * radius, z * radius] }
    }

    /// Half axes along those of a bone.
    pub fn ellipsoid(centre: Vector, bone: &Basis, half: [f32; 3]) -> Blob {
        Blob { centre, axes: [bone.x * half[0], bone.y * half[1], bone.z * half[2]] }
    }

    /// A round disc across a direction.
    pub fn disc(centre: Vector, along: Vector, radius: f32) -> Blob {
        let along = along.unit();
        let aside = if along.y.abs() < 0.9 { Basis::UPRIGHT.y } else { Basis::UPRIGHT.x };
        let u = along.cross(aside).unit();
        Blob { centre, axes: [u * radius, along.cross(u) * radius, Vector::default()] }
    }

    /// Half axes times a factor.
    pub fn grown(mut self, factor: f32) -> Blob {
        self.axes = self.axes.map(|axis| axis * factor);
        self
    }
}

/// A blob in the picture.
#[derive(Clone, Copy, Debug)]
struct Flat {
    centre: Point,
    axes: [Point; 3],
    depth: f32,
    /// Half its extent along the view.
    thick: f32,
}

impl Flat {
    fn of(blob: &Blob) -> Flat {
        let middle = seen(blob.centre);
        let axis = |v: Vector| {
            let (x, y) = flat(v);
            (x * middle.scale, y * middle.scale)
        };
        let thick = blob.axes.iter().map(|v| v.z * v.z).sum::<f32>().sqrt();
        Flat { centre: middle.at, axes: blob.axes.map(axis), depth: middle.depth, thick }
    }

    /// From the centre to the outermost point in direction `n`.
    fn rim(&self, n: Point) -> Point {
        let along = self.axes.map(|a| a.0 * n.0 + a.1 * n.1);
        let reach = along.iter().map(|w| w * w).sum::<f32>().sqrt().max(1e-9);
        let sum = |part: fn(&Point) -> f32| self.axes.iter().zip(along).map(|(a, w)| part(a) * w).sum::<f32>() / reach;
        (sum(|a| a.0), sum(|a| a.1))
    }

    /// The outermost points of this blob all around as it is drawn: `inner` times as large and pushed against the side
    /// of the `light`, then `grow` wider.
    fn around(&self, how: &Cover) -> [Point; CORNERS] {
        let lit = if how.inner < 1.0 { self.rim(how.light) } else { (0.0, 0.0) };
        let rest = 1.0 - how.inner;
        let middle = (self.centre.0 + rest * lit.0, self.centre.1 + rest * lit.1);
        AROUND.map(|n| {
            let rim = self.rim(n);
            (middle.0 + how.inner * rim.0 + how.grow * n.0, middle.1 + how.inner * rim.1 + how.grow * n.1)
        })
    }
}

/// How much of a body a shape covers.
#[derive(Clone, Copy, Debug)]
struct Cover {
    grow: f32,
    inner: f32,
    light: Point,
}

/// A chain of blobs in the picture: every two neighbours with what is between them.
#[derive(Clone, Debug)]
pub(super) struct Tube {
    blobs: Vec<Flat>,
    /// Neighbours.
    parts: Vec<[usize; 2]>,
}

impl Tube {
    /// A chain.
    pub fn new(blobs: &[Blob]) -> Tube {
        let blobs: Vec<Flat> = blobs.iter().map(Flat::of).collect();
        let parts = match blobs.len() {
            0 => Vec::new(),
            1 => vec![[0, 0]],
            many => (1..many).map(|i| [i - 1, i]).collect(),
        };
        Tube { blobs, parts }
    }

    /// This and another as one body.
    pub fn with(mut self, other: Tube) -> Tube {
        let first = self.blobs.len();
        self.blobs.extend(other.blobs);
        self.parts.extend(other.parts.into_iter().map(|part| part.map(|i| i + first)));
        self
    }

    /// The outline, `grow` wider all around.
    pub fn path(&self, grow: f32) -> Path {
        self.covering(&Cover { grow, inner: 1.0, light: (0.0, -1.0) })
    }

    /// What the light from direction `light` reaches: `share` of every width.
    pub fn lit(&self, share: f32, light: Point) -> Path {
        self.covering(&Cover { grow: 0.0, inner: share, light })
    }

    fn covering(&self, how: &Cover) -> Path {
        let around: Vec<[Point; CORNERS]> = self.blobs.iter().map(|blob| blob.around(how)).collect();
        polygons(self.parts.iter().map(|&[a, b]| {
            let pairs = AROUND.iter().zip(around[a].iter().zip(&around[b]));
            pairs.map(|(n, (p, q))| if p.0 * n.0 + p.1 * n.1 >= q.0 * n.0 + q.1 * n.1 { *p } else { *q })
        }))
    }

    /// How near to the camera the surface at a place of the picture is.
    pub fn depth(&self, at: Point) -> Option<f32> {
        let mut nearest: Option<f32> = None;
        for part in &self.parts {
            let [a, b] = part.map(|i| &self.blobs[i]);
            let (dx, dy) = (b.centre.0 - a.centre.0, b.centre.1 - a.centre.1);
            let length = dx * dx + dy * dy;
            let along = (at.0 - a.centre.0) * dx + (at.1 - a.centre.1) * dy;
            let t = if length > 1e-12 { (along / length).clamp(0.0, 1.0) } else { 0.0 };
            let middle = lerp(a.centre, b.centre, t);
            let off = (at.0 - middle.0, at.1 - middle.1);
            let far = off.0.hypot(off.1);
            let n = if far > 1e-9 { (off.0 / far, off.1 / far) } else { (1.0, 0.0) };
            let wide = |flat: &Flat| {
                let rim = flat.rim(n);
                rim.0.hypot(rim.1)
            };
            let reach = wide(a) + (wide(b) - wide(a)) * t;
            if far <= reach {
                let round = (1.0 - (far / reach.max(1e-9)).powi(2)).max(0.0).sqrt();
                let depth = a.depth + (b.depth - a.depth) * t + (a.thick + (b.thick - a.thick) * t) * round;
                nearest = Some(nearest.map_or(depth, |found: f32| found.max(depth)));
            }
        }
        nearest
    }
}
