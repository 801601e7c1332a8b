//! Line plots: losses over the steps of a run, and any other numbers.

use std::path::Path;

use super::bundle::{Bundle, Show, displayable};
use super::chart::{self, Frame};
use super::save;
use super::scene::{Colour, Label, Scene};
use super::text::{self, Weight};
use crate::{Error, Result};

/// Default width of a figure in CSS pixels: fits a notebook's output area.
const WIDTH: u32 = 720;
const PANEL_HEIGHT: f32 = 270.0;
const TITLE: f32 = 15.0;
/// Pixels of a saved PNG per CSS pixel.
pub(super) const SHARPNESS: f32 = 2.0;

/// A named line: `y` over `x`. Values that are not finite leave a gap.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// What the legend says. A [`LossPlot`] reads `player/term`.
    pub name: String,
    /// Positions; as many as `y`.
    pub x: Vec<f64>,
    /// Values.
    pub y: Vec<f64>,
}

impl Series {
    /// A line through the points.
    ///
    /// # Errors
    /// When `x` and `y` differ in length.
    pub fn new(name: impl Into<String>, x: impl Into<Vec<f64>>, y: impl Into<Vec<f64>>) -> Result<Self> {
        let (name, x, y) = (name.into(), x.into(), y.into());
        if x.len() != y.len() {
            let found = format!("{} positions and {} values", x.len(), y.len());
            return Err(Error::invalid(format!("series {name:?}"), found, "as many of each", ""));
        }
        Ok(Series { name, x, y })
    }

    /// A line over 0, 1, 2, …
    pub fn of(name: impl Into<String>, y: impl Into<Vec<f64>>) -> Self {
        let y = y.into();
        Series { name: name.into(), x: (0..y.len()).map(|i| i as f64).collect(), y }
    }

    /// The exponential moving average as TensorBoard draws it, `weight` in [0, 1): values that are not finite are
    /// skipped, and the start is corrected for the missing past.
    pub fn smooth(&self, weight: f64) -> Series {
        let weight = if weight.is_nan() { 0.0 } else { weight.clamp(0.0, 0.9999) };
        let (mut average, mut known) = (0.0, 0.0);
        let step = |value: &f64| {
            if !value.is_finite() {
                return *value;
            }
            average = average * weight + (1.0 - weight) * value;
            known = known * weight + (1.0 - weight);
            average / known
        };
        Series { name: self.name.clone(), x: self.x.clone(), y: self.y.iter().map(step).collect() }
    }
}

/// One coordinate system of a [`Plot`].
#[derive(Clone, Debug, Default)]
struct Panel {
    title: String,
    y_label: String,
    series: Vec<Series>,
}

/// Lines in one or more panels. Shows as SVG; [`Plot::save`] writes `.svg` and `.png`.
#[derive(Clone)]
pub struct Plot {
    title: String,
    x_label: String,
    panels: Vec<Panel>,
    smoothing: f64,
    log_x: bool,
    log_y: bool,
    y_range: Option<(f64, f64)>,
    size: (u32, Option<u32>),
}

impl Default for Plot {
    fn default() -> Self {
        Self::new()
    }
}

impl Plot {
    /// An empty plot, 720 CSS pixels wide.
    pub fn new() -> Self {
        Plot {
            title: String::new(),
            x_label: String::new(),
            panels: Vec::new(),
            smoothing: 0.0,
            log_x: false,
            log_y: false,
            y_range: None,
            size: (WIDTH, None),
        }
    }

    /// A title above all panels.
    pub fn title(self, title: impl Into<String>) -> Self {
        Plot { title: title.into(), ..self }
    }

    /// What the horizontal axes count.
    pub fn x_label(self, label: impl Into<String>) -> Self {
        Plot { x_label: label.into(), ..self }
    }

    /// What the vertical axis of the current panel measures.
    pub fn y_label(mut self, label: impl Into<String>) -> Self {
        self.current().y_label = label.into();
        self
    }

    /// Starts another panel; lines added from here on belong to it.
    pub fn panel(mut self, title: impl Into<String>) -> Self {
        self.panels.push(Panel { title: title.into(), ..Panel::default() });
        self
    }

    /// Adds a line to the current panel.
    pub fn line(mut self, series: Series) -> Self {
        self.current().series.push(series);
        self
    }

    fn current(&mut self) -> &mut Panel {
        if self.panels.is_empty() {
            self.panels.push(Panel::default());
        }
        let last = self.panels.len() - 1;
        &mut self.panels[last]
    }

    /// Draws each line as its moving average of that `weight` (see [`Series::smooth`]) over the raw values in pale.
    /// 0 draws the values only.
    pub fn smooth(self, weight: f64) -> Self {
        Plot { smoothing: weight, ..self }
    }

    /// Logarithmic horizontal axes, for sizes that double: with a number at every position of the lines when they fit.
    /// Positions that are not positive are left out, and the figure says how many.
    pub fn log_x(self) -> Self {
        Plot { log_x: true, ..self }
    }

    /// Logarithmic vertical axes; values that are not positive are left out, and the figure says how many.
    pub fn log_y(self) -> Self {
        Plot { log_y: true, ..self }
    }

    /// Vertical range of every panel; lines are cut at its edges.
    pub fn y_range(self, low: f64, high: f64) -> Self {
        Plot { y_range: Some((low, high)), ..self }
    }

    /// Size in CSS pixels, at least 240×201 for each panel. Default 720 wide and 270 per row of panels, more where the
    /// legend needs it.
    pub fn size(self, width: u32, height: u32) -> Self {
        Plot { size: (width.min(8000), Some(height.min(8000))), ..self }
    }

    fn scene(&self) -> Result<Scene> {
        let columns = if self.panels.len() > 1 { 2 } else { 1 };
        let rows = self.panels.len().div_ceil(columns).max(1);
        let width = self.size.0.max(240 * columns as u32) as f32;
        let titles = text::wrap(&self.title, TITLE, Weight::Bold, width - 16.0, 2);
        let head = if titles.is_empty() { 0.0 } else { titles.len() as f32 * (TITLE + 5.0) + 6.0 };
        let w = width / columns as f32;
        let needed = |panel: &Panel| chart::height(&chart::entries(&panel.series, &panel.title), w, PANEL_HEIGHT);
        let h = match self.size.1 {
            Some(height) => ((height as f32 - head) / rows as f32).max(chart::LEAST),
            None => self.panels.iter().map(needed).fold(PANEL_HEIGHT, f32::max),
        };
        let height = head + rows as f32 * h;
        let mut scene = Scene::new(width, height);
        for (i, line) in titles.into_iter().enumerate() {
            scene.label(Label::new(line, 8.0, 6.0 + TITLE + i as f32 * (TITLE + 5.0), TITLE).bold());
        }
        let empty = [Panel::default()];
        let panels = if self.panels.is_empty() { &empty[..] } else { &self.panels[..] };
        for (i, panel) in panels.iter().enumerate() {
            let (x, y) = ((i % columns) as f32 * w, head + (i / columns) as f32 * h);
            let frame = Frame {
                place: (x, y, w, h),
                title: &panel.title,
                x_label: &self.x_label,
                y_label: &panel.y_label,
                log_x: self.log_x,
                log_y: self.log_y,
                y_range: self.y_range,
                smoothing: self.smoothing,
            };
            chart::draw(&mut scene, &frame, &panel.series)?;
        }
        Ok(scene)
    }

    /// The figure as an SVG document; its letters are outlines, so that it needs no font.
    ///
    /// # Errors
    /// When it cannot be drawn.
    pub fn svg(&self) -> Result<String> {
        self.scene()?.svg(&self.description())
    }

    /// The figure as the bytes of a PNG file, two pixels to each CSS pixel.
    ///
    /// # Errors
    /// When it cannot be drawn.
    pub fn png(&self) -> Result<Vec<u8>> {
        self.scene()?.png(SHARPNESS)
    }

    /// Writes the figure to a `.svg` or `.png` file.
    ///
    /// # Errors
    /// For another extension, or when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        match save::extension(path, &["svg", "png"])? {
            "svg" => save::write(path, self.svg()?.as_bytes()),
            _ => save::write(path, &self.png()?),
        }
    }

    fn description(&self) -> String {
        let line = |series: &Series| match series.y.iter().rev().find(|y| y.is_finite()) {
            Some(last) => format!("{} (last {last:.4})", series.name),
            None => series.name.clone(),
        };
        let panel = |panel: &Panel| {
            let lines = panel.series.iter().map(line).collect::<Vec<_>>().join(", ");
            if panel.title.is_empty() { lines } else { format!("{}: {lines}", panel.title) }
        };
        let panels = self.panels.iter().map(panel).collect::<Vec<_>>().join("; ");
        let title = if self.title.is_empty() { "plot" } else { &self.title };
        format!("{title} [{panels}]")
    }
}

impl Show for Plot {
    fn bundle(&self) -> Result<Bundle> {
        self.scene()?.bundle(self.description())
    }
}

/// The losses of a run: one panel per player, one line per term, smoothed over the raw values.
#[derive(Clone)]
pub struct LossPlot {
    series: Vec<Series>,
    title: String,
    x_label: String,
    smoothing: f64,
    log_y: bool,
}

impl LossPlot {
    /// A plot of series named `player/term` ("generator/adv") over steps. A name without `/` gets a panel of its own.
    pub fn new(series: impl Into<Vec<Series>>) -> Self {
        let (title, x_label) = (String::new(), "step".to_string());
        LossPlot { series: series.into(), title, x_label, smoothing: 0.9, log_y: false }
    }

    /// A title above the panels.
    pub fn title(self, title: impl Into<String>) -> Self {
        LossPlot { title: title.into(), ..self }
    }

    /// What the horizontal axis counts: "step" (default) or "kimg".
    pub fn x_label(self, label: impl Into<String>) -> Self {
        LossPlot { x_label: label.into(), ..self }
    }

    /// Weight of the moving average in [0, 1); 0 draws the values only. Default 0.9.
    pub fn smooth(self, weight: f64) -> Self {
        LossPlot { smoothing: weight, ..self }
    }

    /// Logarithmic vertical axes.
    pub fn log_y(self) -> Self {
        LossPlot { log_y: true, ..self }
    }

    /// The figure, to change further.
    pub fn plot(&self) -> Plot {
        let split = |name: &str| match name.split_once('/') {
            Some((player, term)) => (player.to_string(), term.to_string()),
            None => (name.to_string(), name.to_string()),
        };
        let mut plot = Plot::new().title(self.title.clone()).x_label(self.x_label.clone()).smooth(self.smoothing);
        plot.log_y = self.log_y;
        for series in &self.series {
            let (player, term) = split(&series.name);
            let place = match plot.panels.iter().position(|panel| panel.title == player) {
                Some(place) => place,
                None => {
                    plot = plot.panel(player).y_label("loss");
                    plot.panels.len() - 1
                }
            };
            plot.panels[place].series.push(Series { name: term, ..series.clone() });
        }
        plot
    }

    /// Writes the figure to a `.svg` or `.png` file.
    ///
    /// # Errors
    /// For another extension, or when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.plot().save(path)
    }
}

impl Show for LossPlot {
    fn bundle(&self) -> Result<Bundle> {
        self.plot().bundle()
    }
}

displayable!(Plot, LossPlot);

impl std::fmt::Debug for Plot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Plot({})", self.description())
    }
}

impl std::fmt::Debug for LossPlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LossPlot({})", self.plot().description())
    }
}

/// The colours of lines and groups, distinct for all common kinds of colour vision: M. Okabe and K. Ito, "Color
/// Universal Design" (2008), without their yellow, which is too pale on white.
pub(super) const PALETTE: [Colour; 7] = [
    Colour(0x00, 0x72, 0xb2, 1.0),
    Colour(0xd5, 0x5e, 0x00, 1.0),
    Colour(0x00, 0x9e, 0x73, 1.0),
    Colour(0xcc, 0x79, 0xa7, 1.0),
    Colour(0xe6, 0x9f, 0x00, 1.0),
    Colour(0x56, 0xb4, 0xe9, 1.0),
    Colour(0x00, 0x00, 0x00, 1.0),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_is_tensorboards() {
        // Debiased moving average of [1, 2, 3] at weight 0.5, by hand: 1, 5/3, 17/7.
        let smooth = Series::of("x", [1.0, f64::NAN, 2.0, 3.0]).smooth(0.5);
        assert!((smooth.y[0] - 1.0).abs() < 1e-12 && smooth.y[1].is_nan());
        assert!((smooth.y[2] - 5.0 / 3.0).abs() < 1e-12 && (smooth.y[3] - 17.0 / 7.0).abs() < 1e-12);
    }

    #[test]
    fn losses_are_grouped_by_player() {
        let names = ["generator/adv", "discriminator/real", "discriminator/fake", "lr"];
        let plot = LossPlot::new(names.map(|name| Series::of(name, [1.0, 2.0]))).plot();
        let panels: Vec<_> = plot.panels.iter().map(|p| (p.title.as_str(), p.series.len())).collect();
        assert_eq!(panels, [("generator", 1), ("discriminator", 2), ("lr", 1)]);
        assert_eq!(plot.panels[1].series[1].name, "fake");
    }

    #[test]
    fn series_of_uneven_length_are_refused() {
        let error = Series::new("fid", vec![1.0], vec![1.0, 2.0]).unwrap_err().to_string();
        assert!(error.contains("fid") && error.contains("1 positions and 2 values"), "{error}");
    }
}
