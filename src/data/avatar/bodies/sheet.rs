//! Cloth and hair that hang: a grid of points whose outer side and inner side are drawn apart.

use std::ops::Range;

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

/// Some cells of a sheet, all of one side.
#[derive(Clone, Debug)]
pub(super) struct Cells {
    columns: usize,
    side: Side,
    shown: Vec<bool>,
}

impl Cells {
    /// Those of them that are at these rows and columns.
    pub fn only(mut self, chosen: impl Fn(usize, usize) -> bool) -> Cells {
        let columns = self.columns;
        self.shown.iter_mut().enumerate().for_each(|(i, shown)| *shown &= chosen(i / columns, i % columns));
        self
    }

    fn has(&self, row: usize, column: usize) -> bool {
        self.shown[row * self.columns + column]
    }
}

/// A grid of `rows + 1` lines from the upper to the lower edge with `columns + 1` points each, in the order in which
/// they pass from left to right when one looks at the outer side.
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

    /// How near to the camera the point of a line and column is.
    pub fn near(&self, row: usize, column: usize) -> f32 {
        self.points[row * (self.columns + 1) + column].1
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

    /// The cells that show a side.
    pub fn facing(&self, side: Side) -> Cells {
        let cells = (0..self.rows).flat_map(|row| (0..self.columns).map(move |column| (row, column)));
        let shown = cells.map(|(row, column)| self.side(row, column) == side).collect();
        Cells { columns: self.columns, side, shown }
    }

    /// Cells as one shape.
    pub fn shape(&self, cells: &Cells) -> Path {
        // Neighbours with the same lines are one polygon: what they share would be drawn back and forth.
        let mut blocks: Vec<(Range<usize>, Range<usize>)> = Vec::new();
        let mut begun = 0;
        for column in 0..self.columns {
            let last = std::mem::replace(&mut begun, blocks.len());
            let mut row = 0;
            while let Some(from) = (row..self.rows).find(|&row| cells.has(row, column)) {
                let to = (from..self.rows).find(|&row| !cells.has(row, column)).unwrap_or(self.rows);
                let rows = from..to;
                row = to;
                match (last..begun).find(|&i| blocks[i].0 == rows && blocks[i].1.end == column) {
                    Some(i) => {
                        let (_, columns) = blocks.remove(i);
                        begun -= 1;
                        blocks.push((rows, columns.start..column + 1));
                    }
                    None => blocks.push((rows, column..column + 1)),
                }
            }
        }
        polygons(blocks.into_iter().map(|(rows, columns)| {
            let (top, low, left, right) = (rows.start, rows.end, columns.start, columns.end);
            let across = (left..right).map(|column| self.at(top, column));
            let down = (top..low).map(|row| self.at(row, right));
            let back = (left + 1..=right).rev().map(|column| self.at(low, column));
            let up = (top + 1..=low).rev().map(|row| self.at(row, left));
            let mut around: Vec<Point> = across.chain(down).chain(back).chain(up).collect();
            if cells.side == Side::Inner {
                around.reverse();
            }
            around
        }))
    }

    /// The outline of cells: their lower edge, the ends of an open sheet, and where the others begin.
    pub fn edges(&self, cells: &Cells) -> Path {
        let mut lines: Vec<Vec<Point>> = Vec::new();
        let mut draw = |a: Point, b: Point| match lines.last_mut() {
            Some(line) if line.last() == Some(&a) => line.push(b),
            _ => lines.push(vec![a, b]),
        };
        for column in (0..self.columns).filter(|&column| cells.has(self.rows - 1, column)) {
            draw(self.at(self.rows, column), self.at(self.rows, column + 1));
        }
        for column in 0..self.columns + usize::from(!self.closed) {
            for row in 0..self.rows {
                let left = match (column, self.closed) {
                    (0, true) => cells.has(row, self.columns - 1),
                    (0, false) => false,
                    (column, _) => cells.has(row, column - 1),
                };
                let right = column < self.columns && cells.has(row, column);
                if left != right {
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
            // Cells without any height, where hair ends above others, show neither side.
            let (row, column) = ((row as usize).min(self.rows - 1), (column as usize).min(self.columns - 1));
            self.side(row, column) == side || area(&self.corners(row, column)).abs() < 1e-7
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
