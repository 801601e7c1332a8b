//! Building blocks of drawings: splines, brush strokes of varying width, tapered locks.

use tiny_skia::{Path, PathBuilder, Rect, Transform};

use super::canvas::Point;

/// The point `t` of the way from `a` to `b`.
pub(crate) fn lerp(a: Point, b: Point, t: f32) -> Point {
    (a.0 + (b.0 - a.0) * t, a.1 + (b.1 - a.1) * t)
}

/// Writes a path piece by piece.
pub(crate) struct Pen(PathBuilder);

impl Pen {
    pub fn at(p: Point) -> Self {
        let mut builder = PathBuilder::new();
        builder.move_to(p.0, p.1);
        Pen(builder)
    }

    pub fn line(mut self, p: Point) -> Self {
        self.0.line_to(p.0, p.1);
        self
    }

    pub fn quad(mut self, a: Point, p: Point) -> Self {
        self.0.quad_to(a.0, a.1, p.0, p.1);
        self
    }

    pub fn cubic(mut self, a: Point, b: Point, p: Point) -> Self {
        self.0.cubic_to(a.0, a.1, b.0, b.1, p.0, p.1);
        self
    }

    /// On through `points` by a Catmull–Rom spline that starts at `from`, the pen's place.
    pub fn through(mut self, from: Point, points: &[Point]) -> Self {
        let at = |i: isize| match i {
            i if i < 0 => from,
            0 => from,
            i => points[(i as usize - 1).min(points.len() - 1)],
        };
        for i in 0..points.len() as isize {
            let (before, a, b, after) = (at(i - 1), at(i), at(i + 1), at(i + 2));
            self = self.cubic(
                (a.0 + (b.0 - before.0) / 6.0, a.1 + (b.1 - before.1) / 6.0),
                (b.0 - (after.0 - a.0) / 6.0, b.1 - (after.1 - a.1) / 6.0),
                b,
            );
        }
        self
    }

    pub fn close(mut self) -> Path {
        self.0.close();
        self.open()
    }

    /// The path as it stands; a dot far outside the picture when nothing was drawn.
    pub fn open(self) -> Path {
        self.0.finish().unwrap_or_else(|| ellipse((-9.0, -9.0), 1e-3, 1e-3))
    }
}

/// An open curve through the points.
pub(crate) fn curve(points: &[Point]) -> Path {
    match points.split_first() {
        Some((&first, rest)) if !rest.is_empty() => Pen::at(first).through(first, rest).open(),
        _ => Pen::at((-9.0, -9.0)).open(),
    }
}

/// A closed polygon.
pub(crate) fn polygon(points: impl IntoIterator<Item = Point>) -> Path {
    let mut points = points.into_iter();
    let Some(first) = points.next() else { return Pen::at((-9.0, -9.0)).open() };
    points.fold(Pen::at(first), Pen::line).close()
}

/// An ellipse with half axes `rx`, `ry`.
pub(crate) fn ellipse(centre: Point, rx: f32, ry: f32) -> Path {
    let k = 0.552_284_8;
    let (x, y) = centre;
    Pen::at((x + rx, y))
        .cubic((x + rx, y + k * ry), (x + k * rx, y + ry), (x, y + ry))
        .cubic((x - k * rx, y + ry), (x - rx, y + k * ry), (x - rx, y))
        .cubic((x - rx, y - k * ry), (x - k * rx, y - ry), (x, y - ry))
        .cubic((x + k * rx, y - ry), (x + rx, y - k * ry), (x + rx, y))
        .close()
}

/// `path` turned by `degrees` about `centre`.
pub(crate) fn rotated(path: &Path, degrees: f32, centre: Point) -> Path {
    let turn = Transform::from_rotate_at(degrees, centre.0, centre.1);
    path.clone().transform(turn).unwrap_or_else(|| path.clone())
}

/// The same shape on the other side of the face.
pub(crate) fn mirrored(path: &Path) -> Path {
    path.clone().transform(Transform::from_scale(-1.0, 1.0)).unwrap_or_else(|| path.clone())
}

/// The whole picture and a margin.
pub(crate) fn everywhere() -> Path {
    Rect::from_ltrb(-2.0, -2.0, 3.0, 3.0).map_or_else(|| Pen::at((-9.0, -9.0)).open(), PathBuilder::from_rect)
}

/// A lock of hair or a brush stroke: a centre line with a width that changes along it.
#[derive(Clone, Debug)]
pub(crate) struct Lock {
    spine: Vec<Point>,
    /// Half width at every point of the spine.
    half: Vec<f32>,
}

impl Lock {
    /// A lock along the spline through `knots`; `profile` gives half widths at even distances, linearly between.
    pub fn new(knots: &[Point], profile: &[f32]) -> Self {
        const STEPS: usize = 3;
        let mut spine = Vec::with_capacity(knots.len() * STEPS);
        let at = |i: isize| knots[i.clamp(0, knots.len() as isize - 1) as usize];
        for i in 0..knots.len().saturating_sub(1) as isize {
            let (p0, p1, p2, p3) = (at(i - 1), at(i), at(i + 1), at(i + 2));
            for step in 0..STEPS {
                let t = step as f32 / STEPS as f32;
                let spline = |a: f32, b: f32, c: f32, d: f32| {
                    let cubic = -a + 3.0 * b - 3.0 * c + d;
                    let square = 2.0 * a - 5.0 * b + 4.0 * c - d;
                    0.5 * (2.0 * b + (c - a) * t + square * t * t + cubic * t * t * t)
                };
                spine.push((spline(p0.0, p1.0, p2.0, p3.0), spline(p0.1, p1.1, p2.1, p3.1)));
            }
        }
        spine.extend(knots.last());
        let last = (spine.len().max(2) - 1) as f32;
        let half = (0..spine.len())
            .map(|i| {
                let place = i as f32 / last * (profile.len().max(2) - 1) as f32;
                let low = (place as usize).min(profile.len().saturating_sub(2));
                let (a, b) = (profile[low], profile[(low + 1).min(profile.len() - 1)]);
                a + (b - a) * (place - low as f32)
            })
            .collect();
        Lock { spine, half }
    }

    /// The point at `t` along the lock (0 root, 1 tip), `side` half widths to the left of the way (−1…1).
    pub fn point(&self, t: f32, side: f32) -> Point {
        let last = self.spine.len() - 1;
        let place = (t.clamp(0.0, 1.0) * last as f32).min(last as f32);
        let low = (place as usize).min(last.saturating_sub(1));
        let part = place - low as f32;
        let (a, b) = (self.edge(low, side), self.edge((low + 1).min(last), side));
        lerp(a, b, part)
    }

    fn edge(&self, i: usize, side: f32) -> Point {
        let last = self.spine.len() - 1;
        let (a, b) = (self.spine[i.saturating_sub(1)], self.spine[(i + 1).min(last)]);
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let length = dx.hypot(dy).max(1e-6);
        let reach = self.half[i] * side / length;
        (self.spine[i].0 - dy * reach, self.spine[i].1 + dx * reach)
    }

    /// The whole outline.
    pub fn outline(&self) -> Path {
        self.strip(0.0, 1.0, -1.0, 1.0)
    }

    /// The part between `from` and `to` along the lock and between two sides, for shadows and shine.
    pub fn strip(&self, from: f32, to: f32, one: f32, other: f32) -> Path {
        let count = ((self.spine.len() as f32 * (to - from)).ceil() as usize).max(3);
        let t = |i: usize| from + (to - from) * i as f32 / (count - 1) as f32;
        let first: Vec<Point> = (0..count).map(|i| self.point(t(i), one)).collect();
        let back: Vec<Point> = (0..count).rev().map(|i| self.point(t(i), other)).collect();
        let turn = first[count - 1];
        Pen::at(first[0])
            .through(first[0], &first[1..])
            .line(back[0])
            .through(lerp(turn, back[0], 1.0), &back[1..])
            .close()
    }

    /// A line along the lock at one side.
    pub fn strand(&self, from: f32, to: f32, side: f32) -> Path {
        let points: Vec<Point> = (0..7).map(|i| self.point(from + (to - from) * i as f32 / 6.0, side)).collect();
        curve(&points)
    }
}

/// A brush stroke: thin at the ends and `width` wide in between.
pub(crate) fn brush(knots: &[Point], width: f32) -> Path {
    Lock::new(knots, &[0.12 * width, 0.5 * width, 0.5 * width, 0.08 * width]).outline()
}

/// Closed polygons as one shape. Where they turn the same way around, overlaps count once.
pub(crate) fn polygons<I: IntoIterator<Item = Point>>(parts: impl IntoIterator<Item = I>) -> Path {
    lines(parts, true)
}

/// Open lines as one path.
pub(crate) fn polylines<I: IntoIterator<Item = Point>>(parts: impl IntoIterator<Item = I>) -> Path {
    lines(parts, false)
}

fn lines<I: IntoIterator<Item = Point>>(parts: impl IntoIterator<Item = I>, closed: bool) -> Path {
    let mut builder = PathBuilder::new();
    for part in parts {
        let mut points = part.into_iter();
        let Some((x, y)) = points.next() else { continue };
        builder.move_to(x, y);
        points.for_each(|(x, y)| builder.line_to(x, y));
        if closed {
            builder.close();
        }
    }
    Pen(builder).open()
}
