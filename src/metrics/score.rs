//! The result of a metric: a number with what a reader needs to trust it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::rng::Seed;
use crate::show::bundle::{Bundle, Show, displayable};
use crate::show::number;
use crate::show::table::{Best, Table};
use crate::{Error, Result};

/// Resamples of a bootstrap.
const RESAMPLES: usize = 1000;

/// One number and how it came about. Serialised, a number that is not finite is a text: `"inf"`, `"-inf"`, `"nan"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// What was measured ("KID"). With features other than the metric's own it says whose: "FID (tagger)".
    pub metric: String,
    /// The number itself, in the unit that `protocol` says.
    #[serde(with = "number_or_text")]
    pub value: f64,
    /// How far it can be trusted; none where the metric knows nothing about that.
    pub spread: Option<Spread>,
    /// How many samples were judged: generated pictures, pairs, or answers.
    pub n: usize,
    /// How many real samples they were compared with; none for a metric that needs none.
    pub references: Option<usize>,
    /// Whether small or large values are good; none where neither is.
    pub best: Option<Best>,
    /// Everything that changes the number: window, seed, subsets, network.
    pub protocol: String,
    /// Reasons for doubt, such as too few samples, and what to use instead.
    pub warnings: Vec<String>,
}

/// How far a [`Score`] can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Spread {
    /// Population standard deviation over the subsets, splits or samples that `protocol` names.
    Deviation(#[serde(with = "number_or_text")] f64),
    /// Standard error of the value.
    Error(#[serde(with = "number_or_text")] f64),
    /// Interval that holds the value with 95 % confidence.
    Interval {
        /// Lower end.
        #[serde(with = "number_or_text")]
        low: f64,
        /// Upper end.
        #[serde(with = "number_or_text")]
        high: f64,
    },
    /// Largest minus smallest value of several trials.
    Range(#[serde(with = "number_or_text")] f64),
}

/// JSON has no number for infinity (the PSNR of equal pictures).
mod number_or_text {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(f64),
        Text(String),
    }

    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            value if value.is_finite() => serializer.serialize_f64(*value),
            value if value.is_nan() => serializer.serialize_str("nan"),
            value if *value > 0.0 => serializer.serialize_str("inf"),
            _ => serializer.serialize_str("-inf"),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        match Either::deserialize(deserializer)? {
            Either::Number(value) => Ok(value),
            Either::Text(text) => match text.as_str() {
                "inf" => Ok(f64::INFINITY),
                "-inf" => Ok(f64::NEG_INFINITY),
                "nan" => Ok(f64::NAN),
                other => Err(D::Error::custom(format!("\"{other}\" in place of a number"))),
            },
        }
    }
}

impl Score {
    /// A number without spread, references or warnings; the fields are public.
    pub fn new(metric: impl Into<String>, value: f64, n: usize, protocol: impl Into<String>) -> Score {
        let (metric, protocol) = (metric.into(), protocol.into());
        Score { metric, value, spread: None, n, references: None, best: None, protocol, warnings: Vec::new() }
    }

    /// The mean of `values`, one per sample, with its 95 % bootstrap interval (percentiles of 1,000 resamples, seed 0).
    /// NaN when there is no value.
    pub fn mean_of(metric: impl Into<String>, values: &[f64], protocol: impl Into<String>) -> Score {
        let (mean, _) = mean_and_deviation(values);
        let spread = (values.len() > 1).then(|| bootstrap(values));
        Score { spread, ..Score::new(metric, mean, values.len(), protocol) }
    }

    /// The share `hits / n` in [0, 1] with its 95 % Wilson interval (E. Wilson 1927). NaN when `n` is 0.
    pub fn share_of(metric: impl Into<String>, hits: usize, n: usize, protocol: impl Into<String>) -> Score {
        let spread = (n > 0).then(|| wilson(hits, n));
        Score { spread, best: Some(Best::Highest), ..Score::new(metric, hits as f64 / n as f64, n, protocol) }
    }

    /// Several trials of one measurement as one score: their mean, and the largest minus the smallest value as spread
    /// (make.girls.moe paper, table 3: five trials).
    ///
    /// # Errors
    /// When there is no trial, or the trials measure different things.
    pub fn over_trials(trials: &[Score]) -> Result<Score> {
        let Some(first) = trials.first() else {
            return Err(Error::invalid("trials of a score", "none", "at least one", ""));
        };
        if let Some(other) = trials.iter().find(|other| other.metric != first.metric) {
            let found = format!("{:?} and {:?}", first.metric, other.metric);
            return Err(Error::invalid("trials of a score", found, "one metric", ""));
        }
        let values: Vec<f64> = trials.iter().map(|trial| trial.value).collect();
        let (low, high) =
            values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)));
        let protocol = format!("mean and max − min of {} trials; {}", trials.len(), first.protocol);
        let (value, spread) = (mean_and_deviation(&values).0, Some(Spread::Range(high - low)));
        Ok(Score { value, spread, protocol, ..first.clone() })
    }

    /// The same score, its features named: `FID` becomes `FID (tagger)`.
    pub fn with_features(self, features: impl fmt::Display) -> Score {
        Score { metric: format!("{} ({features})", self.metric), ..self }
    }

    pub(crate) fn against(self, references: usize) -> Score {
        Score { references: Some(references), ..self }
    }

    pub(crate) fn better(self, best: Best) -> Score {
        Score { best: Some(best), ..self }
    }

    pub(crate) fn with_spread(self, spread: Spread) -> Score {
        Score { spread: Some(spread), ..self }
    }

    pub(crate) fn warn_if(mut self, doubtful: bool, warning: impl FnOnce() -> String) -> Score {
        if doubtful {
            self.warnings.push(warning());
        }
        self
    }

    /// One row per score: metric (an arrow says which direction is good), value, spread, samples; protocols and warnings
    /// stand below.
    ///
    /// # Errors
    /// When the table cannot be made.
    pub fn table(scores: &[Score]) -> Result<Table> {
        let mut table = Table::builder()
            .text("metric", scores.iter().map(Score::title))
            .numbers("value", scores.iter().map(|score| score.value))
            .text("spread", scores.iter().map(|score| score.spread.map_or_else(String::new, |s| s.to_string())))
            .integers("n", scores.iter().map(|score| score.n))
            .text("references", scores.iter().map(|s| s.references.map_or_else(String::new, |n| n.to_string())));
        for score in scores {
            table = table.note(format!("{}: {}", score.metric, score.protocol));
            for warning in &score.warnings {
                table = table.note(format!("Warning, {}: {warning}", score.metric));
            }
        }
        table.build()
    }

    /// The metric with an arrow that says which direction is good.
    pub(crate) fn title(&self) -> String {
        match self.best {
            Some(Best::Lowest) => format!("{} ↓", self.metric),
            Some(Best::Highest) => format!("{} ↑", self.metric),
            None => self.metric.clone(),
        }
    }
}

impl fmt::Display for Score {
    /// `KID 0.0123 ± 0.0004 (n = 5000)`, then a line per warning.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.metric, significant(self.value))?;
        if let Some(spread) = &self.spread {
            write!(f, " {spread}")?;
        }
        write!(f, " (n = {}", self.n)?;
        if let Some(references) = self.references {
            write!(f, " against {references}")?;
        }
        write!(f, "; {})", self.protocol)?;
        self.warnings.iter().try_for_each(|warning| write!(f, "\nwarning: {warning}"))
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Spread::Deviation(v) => write!(f, "± {} (std)", significant(*v)),
            Spread::Error(v) => write!(f, "± {} (standard error)", significant(*v)),
            Spread::Interval { low, high } => write!(f, "[{}, {}] (95 %)", significant(*low), significant(*high)),
            Spread::Range(v) => write!(f, "max − min {}", significant(*v)),
        }
    }
}

/// Four significant digits, as the tables write them.
fn significant(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_string(),
        size if !(1e-4..1e15).contains(&size) => number::scientific(value, 3),
        size => number::decimal(value, (3 - size.log10().floor() as i32).clamp(0, 7) as usize),
    }
}

impl Show for Score {
    fn bundle(&self) -> Result<Bundle> {
        Ok(Bundle::plain(self.to_string()))
    }
}

displayable!(Score);

/// Mean and population standard deviation, summed in order; NaN without values.
pub(crate) fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
    (mean, variance.sqrt())
}

fn bootstrap(values: &[f64]) -> Spread {
    let mut stream = Seed(0).stream("bootstrap");
    let n = values.len();
    let mut resample = || (0..n).map(|_| values[stream.below(n)]).sum::<f64>() / n as f64;
    let mut means: Vec<f64> = (0..RESAMPLES).map(|_| resample()).collect();
    means.sort_by(f64::total_cmp);
    let tail = RESAMPLES / 40;
    Spread::Interval { low: means[tail - 1], high: means[RESAMPLES - tail] }
}

fn wilson(hits: usize, n: usize) -> Spread {
    // The 97.5 % point of the normal distribution.
    const Z: f64 = 1.959_963_984_540_054;
    let (p, n) = (hits as f64 / n as f64, n as f64);
    let scale = 1.0 / (1.0 + Z * Z / n);
    let middle = scale * (p + Z * Z / (2.0 * n));
    let half = scale * Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    // Rounding would leave a little beside the ends where the interval reaches them.
    let (low, high) = (if hits == 0 { 0.0 } else { middle - half }, if p == 1.0 { 1.0 } else { middle + half });
    Spread::Interval { low, high }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilsons_interval_is_the_printed_one() {
        // R. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 1998, table I:
        // 81 of 263 gives 0.2553 to 0.3662, 0 of 20 gives 0 to 0.1611.
        for (hits, n, expected) in [(81, 263, (0.2553, 0.3662)), (0, 20, (0.0, 0.1611))] {
            let Spread::Interval { low, high } = wilson(hits, n) else { panic!("no interval") };
            assert!((low - expected.0).abs() < 5e-5 && (high - expected.1).abs() < 5e-5, "{low}, {high}");
        }
    }

    #[test]
    fn the_bootstrap_interval_is_about_two_standard_errors_wide() {
        let values: Vec<f64> = Seed(2).stream("values").normals(400).into_iter().map(f64::from).collect();
        let score = Score::mean_of("mean", &values, "");
        let (mean, deviation) = mean_and_deviation(&values);
        let Some(Spread::Interval { low, high }) = score.spread else { panic!("no interval") };
        let error = deviation / 20.0;
        assert_eq!(score.value, mean);
        assert!(((mean - low) / error - 1.96).abs() < 0.3 && ((high - mean) / error - 1.96).abs() < 0.3, "{score}");
    }

    #[test]
    fn trials_become_mean_and_range() {
        let trial = |value| Score::new("FID", value, 10, "pytorch");
        let score = Score::over_trials(&[trial(3.0), trial(5.0), trial(4.0)]).unwrap();
        assert_eq!((score.value, score.spread), (4.0, Some(Spread::Range(2.0))));
        assert!(score.to_string().contains("max − min 2.000") && score.protocol.contains("3 trials"), "{score}");
        assert!(Score::over_trials(&[]).is_err());
        assert!(Score::over_trials(&[trial(1.0), Score::new("KID", 1.0, 1, "")]).is_err());
    }

    #[test]
    fn a_table_says_direction_protocol_and_warnings() {
        let score = Score::new("KID", 0.5, 7, "subsets").against(9).better(Best::Lowest).warn_if(true, || "few".into());
        let text = Score::table(&[score.with_features("tagger")]).unwrap().md();
        assert!(text.contains("KID (tagger) ↓") && text.contains("subsets") && text.contains("few"), "{text}");
    }
}
