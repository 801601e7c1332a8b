//! Wall and processor time of two sides that take turns.

use std::time::Instant;

use serde::Serialize;
use serde_json::Value;
use tachie::Result;

use super::options::Effort;
use super::processor::processor_seconds;
use super::rival::Rival;
use super::stats::median;

/// Milliseconds.
#[derive(Clone, Copy, Serialize)]
pub struct Time {
    pub wall: f64,
    pub processor: f64,
}

impl Time {
    /// The median wall time and the mean processor time of so many runs, for each of `units`.
    pub fn of(runs: usize, units: usize, mut f: impl FnMut() -> Result<()>) -> Result<Time> {
        let (before, mut walls) = (processor_seconds(), Vec::with_capacity(runs));
        for _ in 0..runs {
            let start = Instant::now();
            f()?;
            walls.push(start.elapsed().as_secs_f64() * 1e3);
        }
        let processor = (processor_seconds() - before) * 1e3 / runs as f64;
        Ok(Time { wall: median(walls), processor }.each(units))
    }

    /// What the other side answers, for each of `units`.
    pub fn told(answer: &Value, units: usize) -> Result<Time> {
        let time = Time { wall: Rival::number(answer, "wall")?, processor: Rival::number(answer, "processor")? };
        Ok(time.each(units))
    }

    fn each(self, units: usize) -> Time {
        Time { wall: self.wall / units as f64, processor: self.processor / units as f64 }
    }

    fn middle(times: &[Time]) -> Option<Time> {
        let middle = |of: fn(&Time) -> f64| median(times.iter().map(of).collect());
        (!times.is_empty()).then(|| Time { wall: middle(|time| time.wall), processor: middle(|time| time.processor) })
    }
}

/// What a turn of one side gives: its time, and the number that it has found.
pub type Turn = (Time, Option<f64>);

/// Medians of both sides.
#[derive(Serialize)]
pub struct Row {
    pub name: String,
    pub tachie: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<Time>,
    /// tachie's over the other's, the median of neighbours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<Time>,
    /// The largest ratio of wall time that is accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wanted: Option<f64>,
    /// What tachie and the other found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<f64>,
}

impl Row {
    /// Lets both sides take turns; prints the row.
    pub fn measure(
        name: &str,
        wanted: Option<f64>,
        effort: Effort,
        mut ours: impl FnMut() -> Result<Turn>,
        mut theirs: impl FnMut() -> Result<Option<Turn>>,
    ) -> Result<Row> {
        let (mut mine, mut others, mut found) = (Vec::new(), Vec::new(), Vec::new());
        effort.spend(|| {
            let other = theirs()?;
            let (time, number) = ours()?;
            mine.push(time);
            others.extend(other.map(|(time, _)| time));
            found = number.into_iter().chain(other.and_then(|(_, number)| number)).collect();
            Ok(())
        })?;
        let over = |(a, b): (&Time, &Time)| Time { wall: a.wall / b.wall, processor: a.processor / b.processor };
        let ratios: Vec<Time> = mine.iter().zip(&others).map(over).collect();
        let tachie = Time::middle(&mine).unwrap_or(Time { wall: f64::NAN, processor: f64::NAN });
        let (other, ratio) = (Time::middle(&others), Time::middle(&ratios));
        let row = Row { name: name.to_string(), tachie, other, ratio, wanted, found };
        println!("{}", row.text());
        Ok(row)
    }

    fn text(&self) -> String {
        let time = |time: &Time| format!("{:10.2} (processor {:10.2})", time.wall, time.processor);
        let mut text = format!("{:<52} {}", self.name, time(&self.tachie));
        if let Some((other, ratio)) = self.other.as_ref().zip(self.ratio) {
            text += &format!(" {} ratio {:.2} (processor {:.2})", time(other), ratio.wall, ratio.processor);
        }
        text += &self.wanted.map_or(String::new(), |wanted| format!(", wanted {wanted}"));
        if !self.found.is_empty() {
            text += &format!(", found {:?}", self.found);
        }
        text
    }
}
