//! One panel of a plot: axes and lines by plotters, everything placed by measured text.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::prelude::*;

use super::plot::{PALETTE, Series};
use super::scene::{Align, Colour, Item, Label, Pen, STEPS, Scene};
use super::text::{self, Weight};
use super::ticks::{self, Ticks};
use crate::{Error, Result};

pub(super) const SIZE: f32 = 11.5;
const TITLE: f32 = 13.0;
/// From the axis to its numbers.
const GAP: f32 = 7.0;
/// Free space around a panel.
const MARGIN: f32 = 10.0;
/// Beyond this numbers count as not finite: the axis could not be computed.
const LARGEST: f64 = 1e300;

/// What a panel looks like, apart from its lines. `place` is x, y, width, height in the scene.
pub(super) struct Frame<'a> {
    pub place: (f32, f32, f32, f32),
    pub title: &'a str,
    pub x_label: &'a str,
    pub y_label: &'a str,
    pub log_x: bool,
    pub log_y: bool,
    pub y_range: Option<(f64, f64)>,
    pub smoothing: f64,
}

/// A line in axis coordinates, cut into its connected runs.
struct Line {
    runs: Vec<Vec<(f64, f64)>>,
    colour: Colour,
    width: f32,
    dashed: bool,
}

/// Draws the panel into its place.
pub(super) fn draw(scene: &mut Scene, frame: &Frame, series: &[Series]) -> Result<()> {
    let (x, y, w, h) = frame.place;
    let (left, right, mut top) = (x + MARGIN, x + w - MARGIN, y + MARGIN);
    if !frame.title.is_empty() {
        let title = text::fit(frame.title, TITLE, Weight::Bold, right - left);
        scene.label(Label::new(title, left, top + TITLE * 0.8, TITLE).bold());
        top += TITLE + 6.0;
    }
    let rows = (((h - BARE) / (2.0 * ROW)) as usize).max(1);
    top = legend(scene, &entries(series, frame.title), (left, right, top), rows);

    let mut lost = 0;
    let mut lines = Vec::new();
    for (i, series) in series.iter().enumerate() {
        let colour = PALETTE[i % PALETTE.len()];
        let dashed = line_mark(i) == Mark::Dashes;
        let (raw, missing) = runs(series, frame);
        lost += missing;
        if frame.smoothing > 0.0 {
            let pale = Colour(colour.0, colour.1, colour.2, 0.28);
            lines.push(Line { runs: raw, colour: pale, width: 1.0, dashed: false });
            let smooth = runs(&series.smooth(frame.smoothing), frame).0;
            lines.push(Line { runs: smooth, colour, width: 1.8, dashed });
        } else {
            lines.push(Line { runs: raw, colour, width: 1.6, dashed });
        }
    }
    // Averages stand above the raw values of all series.
    lines.sort_by(|a, b| a.width.total_cmp(&b.width));
    let bottom = footer(scene, lost, frame.log_x || frame.log_y, (left, right, y + h - MARGIN));
    axes(scene, frame, &mut lines, (left, right, top, bottom))
}

/// How a legend stands for its lines or points.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Line,
    Dashes,
    Dot,
    Ring,
}

/// An entry of a legend.
pub(super) struct Entry<'a> {
    pub name: &'a str,
    pub colour: Colour,
    pub mark: Mark,
}

impl Entry<'_> {
    fn is_line(&self) -> bool {
        matches!(self.mark, Mark::Line | Mark::Dashes)
    }

    fn swatch(&self) -> f32 {
        if self.is_line() { 18.0 } else { 9.0 }
    }
}

/// Height of a row of the legend.
const ROW: f32 = 17.0;

/// Row, position and fitted name of every entry of a legend that is `width` wide.
fn flow(entries: &[Entry], width: f32) -> Vec<(usize, f32, String)> {
    let (mut row, mut x) = (0, 0.0);
    let place = |entry: &Entry| {
        let start = entry.swatch() + 5.0;
        let name = text::fit(entry.name, SIZE, Weight::Regular, width - start);
        let length = start + text::width(&name, SIZE, Weight::Regular);
        if x > 0.0 && x + length > width {
            (row, x) = (row + 1, 0.0);
        }
        let at = x;
        x += length + 16.0;
        (row, at, name)
    };
    entries.iter().map(place).collect()
}

/// What a panel needs besides its legend: title, axes with their names, footer, and room for the lines.
const BARE: f32 = 150.0;
/// The least height of a panel that still has room for a row of the legend.
pub(super) const LEAST: f32 = BARE + 3.0 * ROW;

/// Height of a panel, at least `usual`, in which the lines get as much more room as the legend has rows.
pub(super) fn height(entries: &[Entry], width: f32, usual: f32) -> f32 {
    const ROWS: usize = 9;
    let rows = flow(entries, width - 2.0 * MARGIN).last().map_or(0, |(row, ..)| row + 1);
    usual.max(BARE + 2.0 * ROW * rows.min(ROWS) as f32)
}

/// Draws the names in at most `rows` rows below `top`; returns where the rows end. Nothing is drawn over anything else,
/// and what has no room is counted.
pub(super) fn legend(scene: &mut Scene, entries: &[Entry], place: (f32, f32, f32), rows: usize) -> f32 {
    let (left, right, top) = place;
    let flowed = flow(entries, right - left);
    let Some(used) = flowed.last().map(|(row, ..)| row + 1) else { return top };
    let shown = if used <= rows { flowed.len() } else { flowed.iter().take_while(|(row, ..)| row + 1 < rows).count() };
    for ((row, x, name), entry) in flowed.into_iter().zip(entries).take(shown) {
        let (x, middle) = (left + x, top + (row as f32 + 0.5) * ROW);
        let swatch = entry.swatch();
        match entry.mark {
            Mark::Line => scene.line((x, middle), (x + swatch, middle), 2.5, entry.colour),
            Mark::Dashes => [(0.0, 5.0), (6.5, 11.5), (13.0, 18.0)]
                .into_iter()
                .for_each(|(from, to)| scene.line((x + from, middle), (x + to, middle), 2.5, entry.colour)),
            Mark::Dot => {
                scene.add(Item::Circle { x: x + 4.5, y: middle, radius: 4.0, fill: Some(entry.colour), edge: None });
            }
            Mark::Ring => {
                let edge = Some((1.6, entry.colour));
                scene.add(Item::Circle { x: x + 4.5, y: middle, radius: 3.4, fill: None, edge });
            }
        }
        scene.label(Label::new(name, x + swatch + 5.0, middle + SIZE * 0.36, SIZE));
    }
    if shown < entries.len() {
        let rest = format!("and {} more", entries.len() - shown);
        let middle = top + (rows.max(1) as f32 - 0.5) * ROW;
        scene.label(Label::new(rest, left, middle + SIZE * 0.36, SIZE).colour(Colour::GREY));
    }
    top + used.min(rows.max(1)) as f32 * ROW + 4.0
}

/// The names of the lines, without the one that only repeats the title.
pub(super) fn entries<'a>(series: &'a [Series], title: &str) -> Vec<Entry<'a>> {
    let named = series.iter().enumerate();
    let named = named.filter(|(_, s)| !s.name.is_empty() && (series.len() > 1 || s.name != title));
    named.map(|(i, s)| Entry { name: &s.name, colour: PALETTE[i % PALETTE.len()], mark: line_mark(i) }).collect()
}

/// Lines beyond the palette repeat its colours in dashes.
fn line_mark(i: usize) -> Mark {
    if i / PALETTE.len() % 2 == 1 { Mark::Dashes } else { Mark::Line }
}

/// Says how many values are missing; returns where the axes have to end.
fn footer(scene: &mut Scene, lost: usize, logarithmic: bool, (left, right, bottom): (f32, f32, f32)) -> f32 {
    if lost == 0 {
        return bottom;
    }
    let kind = if logarithmic { "not finite or not positive" } else { "not finite" };
    let note = format!("{} of the values {} {kind} and left out", lost, if lost == 1 { "is" } else { "are" });
    let lines = text::wrap(&note, SIZE, Weight::Regular, right - left, 2);
    let top = bottom - lines.len() as f32 * 15.0;
    for (i, line) in lines.into_iter().enumerate() {
        scene.label(Label::new(line, left, top + 12.0 + i as f32 * 15.0, SIZE).colour(Colour::GREY));
    }
    top - 4.0
}

/// The connected parts of a series in axis coordinates, and how many values are missing.
fn runs(series: &Series, frame: &Frame) -> (Vec<Vec<(f64, f64)>>, usize) {
    let mut runs = vec![Vec::new()];
    let mut lost = 0;
    for (&x, &y) in series.x.iter().zip(&series.y) {
        let x = if frame.log_x { x.log10() } else { x };
        let y = if frame.log_y { y.log10() } else { y };
        if x.abs() <= LARGEST && y.abs() <= LARGEST {
            if let Some(run) = runs.last_mut() {
                run.push((x, y));
            }
        } else {
            lost += 1;
            runs.push(Vec::new());
        }
    }
    runs.retain(|run| !run.is_empty());
    (runs, lost)
}

/// The smallest range around the values, never empty.
fn extent(values: impl Iterator<Item = f64>, margin: f64) -> Option<(f64, f64)> {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low > high {
        return None;
    }
    // A range below the resolution of f64 would have ticks that cannot be told apart.
    let least = low.abs().max(high.abs()) * 1e-9;
    if high - low <= least {
        let half = if low == 0.0 { 0.5 } else { (low.abs() * 0.05).max(least) };
        return Some((low - half, high + half));
    }
    let extra = (high - low) * margin;
    Some((low - extra, high + extra))
}

fn axes(scene: &mut Scene, frame: &Frame, lines: &mut [Line], place: (f32, f32, f32, f32)) -> Result<()> {
    let (left, right, top, bottom) = place;
    let points = || lines.iter().flat_map(|line| line.runs.iter().flatten());
    let x_range = extent(points().map(|p| p.0), 0.0);
    let asked = frame.y_range.map(|(low, high)| if frame.log_y { (low.log10(), high.log10()) } else { (low, high) });
    let asked = asked.filter(|(low, high)| low < high && low.abs() <= LARGEST && high.abs() <= LARGEST);
    let y_range = asked.or_else(|| extent(points().map(|p| p.1), 0.04));
    let (Some((x0, x1)), Some((y0, y1))) = (x_range, y_range) else {
        let middle = ((left + right) / 2.0, (top + bottom) / 2.0);
        let label = Label::new("no data yet", middle.0, middle.1, TITLE);
        scene.label(label.align(Align::Centre).colour(Colour::GREY));
        return Ok(());
    };

    let below = GAP + SIZE + 2.0 + if frame.x_label.is_empty() { 0.0 } else { SIZE + 7.0 };
    let room_y = (bottom - top - below).max(1.0);
    let most = ((room_y / 34.0) as usize).clamp(2, 9);
    let y_ticks = if frame.log_y { ticks::logarithmic(y0, y1, most) } else { ticks::linear(y0, y1, most) };
    let widest = |ticks: &Ticks| ticks.iter().map(|(_, t)| text::width(t, SIZE, Weight::Regular)).fold(0.0, f32::max);
    let beside = GAP + widest(&y_ticks).ceil() + 2.0 + if frame.y_label.is_empty() { 0.0 } else { SIZE + 7.0 };
    let room_x = (right - left - beside).max(1.0);
    let x_ticks = if frame.log_x { ticks::own(points().map(|p| p.0), (x0, x1), room_x) } else { None };
    let x_ticks = x_ticks.unwrap_or_else(|| ticks::fitting(x0, x1, room_x, frame.log_x));
    // Half of the last number reaches beyond the axis.
    let overhang = match x_ticks.last() {
        Some((at, label)) => {
            let reach = text::width(label, SIZE, Weight::Regular) / 2.0;
            (reach - ((x1 - at) / (x1 - x0)) as f32 * room_x).max(0.0).ceil()
        }
        None => 0.0,
    };
    let y_label = text::fit(frame.y_label, SIZE, Weight::Regular, room_y);
    let x_label = text::fit(frame.x_label, SIZE, Weight::Regular, room_x);

    for line in lines.iter_mut() {
        line.runs = line.runs.iter().flat_map(|run| clip(run, y0, y1)).map(|run| thin(run, x0, x1, room_x)).collect();
    }
    let steps = |pixels: f32| (pixels * STEPS).round() as i32;
    let font = |colour: Colour| ("sans-serif", f64::from(SIZE * STEPS)).into_font().color(&colour.plotters());
    let area =
        Pen(scene).into_drawing_area().shrink((steps(left), steps(top)), (steps(right - left), steps(bottom - top)));
    let failed = |e: DrawingAreaErrorKind<std::convert::Infallible>| {
        Error::invalid("plot", format!("{e}"), "something plotters can draw", "")
    };
    let mut chart = ChartBuilder::on(&area)
        .margin_right(steps(overhang))
        .x_label_area_size(steps(below))
        .y_label_area_size(steps(beside))
        .build_cartesian_2d(Axis { low: x0, high: x1, ticks: &x_ticks }, Axis { low: y0, high: y1, ticks: &y_ticks })
        .map_err(failed)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(Colour::PALE.plotters().stroke_width(steps(0.75) as u32))
        .axis_style(Colour::GREY.plotters().stroke_width(steps(1.0) as u32))
        .set_all_tick_mark_size(steps(GAP / 2.0))
        .label_style(font(Colour::INK))
        .axis_desc_style(font(Colour::INK))
        .x_desc(x_label)
        .y_desc(y_label)
        .x_label_formatter(&|at| text_at(&x_ticks, *at))
        .y_label_formatter(&|at| text_at(&y_ticks, *at))
        .draw()
        .map_err(failed)?;
    for line in lines.iter() {
        let style = line.colour.plotters().stroke_width((line.width * STEPS).round() as u32);
        for run in &line.runs {
            let points = run.iter().copied();
            if let &[point] = run.as_slice() {
                let dot = Circle::new(point, steps(2.5), line.colour.plotters().filled());
                chart.draw_series([dot]).map_err(failed)?;
            } else if line.dashed {
                let dashes = DashedLineSeries::new(points, steps(6.0) as u32, steps(4.0) as u32, style);
                chart.draw_series(dashes).map_err(failed)?;
            } else {
                chart.draw_series(LineSeries::new(points, style)).map_err(failed)?;
            }
        }
    }
    Ok(())
}

/// A linear axis with given ticks.
struct Axis<'a> {
    low: f64,
    high: f64,
    ticks: &'a Ticks,
}

impl Ranged for Axis<'_> {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let part = (value - self.low) / (self.high - self.low);
        (f64::from(from) + part * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.ticks.iter().map(|(at, _)| *at).collect()
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

fn text_at(ticks: &Ticks, position: f64) -> String {
    ticks.iter().find(|(at, _)| *at == position).map(|(_, text)| text.clone()).unwrap_or_default()
}

/// The parts of a run inside `low..=high`, cut at the edges.
fn clip(run: &[(f64, f64)], low: f64, high: f64) -> Vec<Vec<(f64, f64)>> {
    let inside = |y: f64| (low..=high).contains(&y);
    if run.iter().all(|p| inside(p.1)) {
        return vec![run.to_vec()];
    }
    let mut parts: Vec<Vec<(f64, f64)>> = vec![Vec::new()];
    let mut push = |point: Option<(f64, f64)>| match (point, parts.last_mut()) {
        (Some(point), Some(part)) => part.push(point),
        _ => parts.push(Vec::new()),
    };
    let mut previous: Option<(f64, f64)> = None;
    for &(x, y) in run {
        if let Some((px, py)) = previous {
            let crossing = |edge: f64| (px + (x - px) * (edge - py) / (y - py), edge);
            let mut edges = [low, high].map(|edge| ((py < edge) != (y < edge)).then(|| crossing(edge)));
            if y < py {
                edges.reverse();
            }
            for point in edges.into_iter().flatten() {
                push(Some(point));
            }
        }
        push(inside(y).then_some((x, y)));
        previous = Some((x, y));
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// Two points per pixel column, the lowest and the highest, when there are more: the picture stays the same.
fn thin(run: Vec<(f64, f64)>, x0: f64, x1: f64, room: f32) -> Vec<(f64, f64)> {
    if run.len() as f32 <= 4.0 * room || run.windows(2).any(|pair| pair[1].0 < pair[0].0) {
        return run;
    }
    let column = |x: f64| ((x - x0) / (x1 - x0) * f64::from(room)) as i64;
    let mut kept = Vec::new();
    for group in run.chunk_by(|a, b| column(a.0) == column(b.0)) {
        let by_height = |i: &usize, j: &usize| group[*i].1.total_cmp(&group[*j].1);
        let low = (0..group.len()).min_by(by_height).unwrap_or(0);
        let high = (0..group.len()).max_by(by_height).unwrap_or(0);
        let mut picks = [0, low.min(high), low.max(high), group.len() - 1];
        picks.sort_unstable();
        kept.extend(picks.into_iter().enumerate().filter(|&(i, p)| i == 0 || p != picks[i - 1]).map(|(_, p)| group[p]));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_at_the_edges() {
        let run = [(0.0, 0.0), (1.0, 4.0), (2.0, -4.0), (3.0, 1.0)];
        let parts = clip(&run, -2.0, 2.0);
        let expected =
            vec![vec![(0.0, 0.0), (0.5, 2.0)], vec![(1.25, 2.0), (1.75, -2.0)], vec![(2.4, -2.0), (3.0, 1.0)]];
        assert_eq!(parts, expected);
    }

    #[test]
    fn thinning_keeps_the_extremes_of_every_column() {
        let run: Vec<_> = (0..100_000).map(|i| (f64::from(i), f64::from(i % 977))).collect();
        let kept = thin(run.clone(), 0.0, 99_999.0, 300.0);
        assert!(kept.len() <= 301 * 4 && kept.first() == run.first() && kept.last() == run.last());
        assert_eq!(kept.iter().filter(|p| p.1 == 976.0).count().min(1), 1);
    }
}
