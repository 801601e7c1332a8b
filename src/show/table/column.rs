//! Columns as text: digits, missing values, the best one.

use polars::prelude::{AnyValue, Column};

use super::Best;
use crate::show::number;

/// A column as text.
pub(super) struct Formatted {
    pub name: String,
    /// Numbers, which are aligned right.
    pub numeric: bool,
    pub cells: Vec<String>,
    /// The cells that hold the best value.
    pub bold: Vec<bool>,
}

impl Formatted {
    /// `groups` names the group of each row, among which the best is looked for; without any all are one.
    pub fn new(column: &Column, digits: Option<usize>, best: Option<Best>, groups: &[String]) -> Self {
        let values: Vec<AnyValue> = (0..column.len()).map(|i| column.get(i).unwrap_or(AnyValue::Null)).collect();
        let numbers: Vec<Option<f64>> = values.iter().map(float).collect();
        let style = Style::of(digits, &numbers);
        let cells = values.iter().map(|value| cell(value, &style)).collect();
        let winner = |row: usize| {
            let rivals = numbers.iter().enumerate().filter(|(other, _)| groups.get(*other) == groups.get(row));
            let finite = rivals.filter_map(|(_, number)| *number).filter(|v| v.is_finite());
            let value = match best? {
                Best::Lowest => finite.min_by(f64::total_cmp),
                Best::Highest => finite.max_by(f64::total_cmp),
            };
            value.map(|value| style.text(value))
        };
        let cells: Vec<String> = cells;
        // Rounded alike is as good: the reader sees the same number.
        let bold = cells.iter().enumerate().map(|(row, cell)| winner(row).as_ref() == Some(cell)).collect();
        let numeric = matches!(column.dtype(), dtype if dtype.is_primitive_numeric());
        Formatted { name: column.name().to_string(), numeric, cells, bold }
    }
}

impl Formatted {
    /// The same with these texts behind the cells.
    pub fn beside(self, texts: Vec<String>) -> Self {
        let join = |(cell, text): (String, String)| if text.is_empty() { cell } else { format!("{cell} {text}") };
        Formatted { cells: self.cells.into_iter().zip(texts).map(join).collect(), ..self }
    }
}

/// How the floating-point numbers of a column are written: all with the same number of digits.
enum Style {
    Decimals(usize),
    Scientific,
}

impl Style {
    /// Four significant digits of the largest value unless `digits` behind the point are asked for.
    fn of(digits: Option<usize>, numbers: &[Option<f64>]) -> Self {
        if let Some(digits) = digits {
            return Style::Decimals(digits);
        }
        let finite = || numbers.iter().flatten().copied().filter(|v| v.is_finite());
        let largest = finite().map(f64::abs).fold(0.0, f64::max);
        if largest > 0.0 && !(1e-4..1e15).contains(&largest) {
            Style::Scientific
        } else if finite().all(|v| v.fract() == 0.0) {
            Style::Decimals(0)
        } else {
            let magnitude = largest.log10().floor() as i32;
            Style::Decimals((3 - magnitude).clamp(0, 7) as usize)
        }
    }

    fn text(&self, value: f64) -> String {
        match self {
            Style::Decimals(digits) => number::decimal(value, *digits),
            Style::Scientific => number::scientific(value, 3),
        }
    }
}

fn float(value: &AnyValue) -> Option<f64> {
    match value {
        AnyValue::Float64(v) => Some(*v),
        AnyValue::Float32(v) => Some(f64::from(*v)),
        value if value.is_integer() => value.extract::<f64>(),
        _ => None,
    }
}

fn cell(value: &AnyValue, style: &Style) -> String {
    match value {
        AnyValue::Null => "–".to_string(),
        AnyValue::Float64(v) => style.text(*v),
        AnyValue::Float32(v) => style.text(f64::from(*v)),
        AnyValue::String(text) => text.to_string(),
        AnyValue::StringOwned(text) => text.to_string(),
        value if value.is_integer() => match value.extract::<i128>() {
            Some(v) if v < 0 => format!("−{}", number::group(&v.unsigned_abs().to_string())),
            Some(v) => number::group(&v.to_string()),
            None => value.to_string(),
        },
        other => other.to_string(),
    }
}

/// Text in which LaTeX finds nothing special.
pub(super) fn tex(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                out.push('\\');
                out.push(c);
            }
            '~' => out.push_str("\\textasciitilde{}"),
            '^' => out.push_str("\\textasciicircum{}"),
            '\\' => out.push_str("\\textbackslash{}"),
            '<' => out.push_str("\\textless{}"),
            '>' => out.push_str("\\textgreater{}"),
            '−' => out.push_str("$-$"),
            '–' => out.push_str("--"),
            '∞' => out.push_str("$\\infty$"),
            '×' => out.push_str("$\\times$"),
            '±' => out.push_str("$\\pm$"),
            c if c.is_control() => out.push(' '),
            c => match "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().position(|raised| raised == c) {
                Some(digit) => out.push_str(&format!("$^{{{digit}}}$")),
                None if c == '⁻' => out.push_str("$^{-}$"),
                None => out.push(c),
            },
        }
    }
    out
}
