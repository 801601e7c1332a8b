//! Cloth and hair that hang: a grid of points whose outer side and inner side are drawn apart.

use tiny_skia::Path;

use super::space::{Vector, seen};
use crate::data::avatar::canvas::Point;
use crate::data::avatar::shape::{polygons, polylines};

/// Which side of a sheet one sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Outer,
    Inner,
}

/// A grid of `rows + 1` lines from the upper to the lower edge with `columns + 1` points each, in the order in which they
/// pass from left to right when one looks at the outer side.
#[derive(Clone, Debug)]
pub(super) struct Sheet {
    rows: usize,
    columns: usize,
    points: Vec<(Point, f32)>,
    /// The last column ends where the first one begins.
    closed: bool,
}

impl Sheet {
    /// The sheet through `place(row, column)`.
    pub fn new(rows: usize, columns: usize, closed: bool, place: impl Fn(usize, usize) -> Vector) -> Sheet {
        let points = (0..=rows)
            .flat_map(|row| (0..=columns).map(move |column| (row, column)))
            .map(|(row, column)| {
                let seen = seen(place(row, if closed && column == columns { 0 } else { column }));
                (seen.at, seen.depth)
            })
            .collect();
        Sheet { rows, columns, points, closed }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The point of a line and column in the picture.
    pub fn at(&self, row: usize, column: usize) -> Point {
        self.points[row * (self.columns + 1) + column].0
    }

    /// The point between columns and lines: `row` in 0..=rows, `column` in 0..=columns.
    pub fn between(&self, row: f32, column: f32) -> Point {
        let (r, c) = ((row as usize).min(self.rows - 1), (column as usize).min(self.columns - 1));
        let (v, u) = (row - r as f32, column - c as f32);
        let mix = |a: Point, b: Point, t: f32| (a.0 + (b.0 - a.0) * t, a.1 + (b.1 - a.1) * t);
        mix(mix(self.at(r, c), self.at(r, c + 1), u), mix(self.at(r + 1, c), self.at(r + 1, c + 1), u), v)
    }

    fn corners(&self, row: usize, column: usize) -> [Point; 4] {
        [(row, column), (row, column + 1), (row + 1, column + 1), (row + 1, column)].map(|(r, c)| self.at(r, c))
    }

    /// The side that a cell shows.
    pub fn side(&self, row: usize, column: usize) -> Side {
        if area(&self.corners(row, column)) > 0.0 { Side::Outer } else { Side::Inner }
    }

    /// The cells of some lines that show this side, as one shape.
    pub fn part(&self, side: Side, rows: std::ops::Range<usize>, chosen: impl Fn(usize) -> bool) -> Path {
        let rows = rows.start..rows.end.min(self.rows);
        let cells = rows.flat_map(|row| (0..self.columns).map(move |column| (row, column)));
        let shown = cells.filter(|&(row, column)| chosen(column) && self.side(row, column) == side);
        polygons(shown.map(|(row, column)| {
            let [a, b, c, d] = self.corners(row, column);
            if side == Side::Outer { [a, b, c, d] } else { [a, d, c, b] }.into_iter()
        }))
    }

    /// All cells that show this side.
    pub fn whole(&self, side: Side) -> Path {
        self.part(side, 0..self.rows, |_| true)
    }

    /// The edges of what is seen of this side: the lower edge, the ends of an open sheet, and where it turns away.
    pub fn edges(&self, side: Side) -> Path {
        let mut lines: Vec<Vec<Point>> = Vec::new();
        let mut draw = |a: Point, b: Point| match lines.last_mut() {
            Some(line) if line.last() == Some(&a) => line.push(b),
            _ => lines.push(vec![a, b]),
        };
        let is = |row: usize, column: usize| self.side(row, column) == side;
        for column in (0..self.columns).filter(|&column| is(self.rows - 1, column)) {
            draw(self.at(self.rows, column), self.at(self.rows, column + 1));
        }
        for column in 0..=self.columns {
            for row in 0..self.rows {
                let open = !self.closed && (column == 0 || column == self.columns);
                let left = (column + self.columns - 1) % self.columns;
                let right = column % self.columns;
                let turns = match open {
                    true => is(row, column.min(self.columns - 1)),
                    false => is(row, left) != is(row, right),
                };
                if turns {
                    draw(self.at(row, column), self.at(row + 1, column));
                }
            }
        }
        polylines(lines)
    }

    /// A line down the sheet where this side is seen: columns `from` to `to`, rows `top` to `bottom`.
    pub fn strand(&self, side: Side, (top, from): (f32, f32), (bottom, to): (f32, f32)) -> Option<Vec<Point>> {
        const STEPS: usize = 6;
        let place = |i: usize| {
            let t = i as f32 / STEPS as f32;
            (top + (bottom - top) * t, from + (to - from) * t)
        };
        let shown = (0..=STEPS).all(|i| {
            let (row, column) = place(i);
            self.side((row as usize).min(self.rows - 1), (column as usize).min(self.columns - 1)) == side
        });
        shown.then(|| (0..=STEPS).map(place).map(|(row, column)| self.between(row, column)).collect())
    }

    /// How near to the camera the sheet is at a place of the picture.
    pub fn depth(&self, at: Point) -> Option<f32> {
        let cells = (0..self.rows).flat_map(|row| (0..self.columns).map(move |column| (row, column)));
        let held = cells.filter(|&(row, column)| holds(&self.corners(row, column), at));
        held.map(|(row, column)| {
            let line = self.columns + 1;
            let first = row * line + column;
            [first, first + 1, first + line, first + line + 1].iter().map(|&i| self.points[i].1).sum::<f32>() / 4.0
        })
        .reduce(f32::max)
    }
}

fn area(corners: &[Point; 4]) -> f32 {
    let [a, b, c, d] = corners;
    (c.0 - a.0) * (d.1 - b.1) - (d.0 - b.0) * (c.1 - a.1)
}

/// Whether a point lies in a polygon of four corners.
fn holds(corners: &[Point; 4], (x, y): Point) -> bool {
    let mut inside = false;
    for (i, &(ax, ay)) in corners.iter().enumerate() {
        let (bx, by) = corners[(i + 3) % 4];
        if (ay > y) != (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax {
            inside = !inside;
        }
    }
    inside
}
