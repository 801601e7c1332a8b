//! Tables of numbers: shown as HTML, saved as CSV, Markdown or LaTeX.

mod column;

use std::collections::BTreeMap;
use std::path::Path;

use polars::prelude::{Column, CsvWriter, DataFrame, NamedFrom, SerWriter, Series};

use super::bundle::{Bundle, Show, displayable, escape};
use super::{number, save};
use crate::{Error, Result};
use column::{Formatted, tex};

/// Rows that are shown; files hold all of them.
const SHOWN: usize = 60;

/// Which value of a column is the best one, to be set in bold type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Best {
    /// The smallest (FID, LPIPS, a loss).
    Lowest,
    /// The largest (precision, SSIM).
    Highest,
}

/// A polars [`DataFrame`] with what a reader needs besides the numbers: digits, a caption and notes.
#[derive(Clone)]
pub struct Table {
    frame: DataFrame,
    digits: BTreeMap<String, usize>,
    best: BTreeMap<String, Best>,
    best_within: Option<String>,
    beside: BTreeMap<String, String>,
    caption: String,
    notes: Vec<String>,
}

/// Makes a [`Table`], column by column.
#[derive(Clone)]
pub struct TableBuilder {
    columns: Vec<Column>,
    digits: BTreeMap<String, usize>,
    best: BTreeMap<String, Best>,
    best_within: Option<String>,
    beside: BTreeMap<String, String>,
    caption: String,
    notes: Vec<String>,
}

impl Table {
    /// An empty builder.
    pub fn builder() -> TableBuilder {
        TableBuilder {
            columns: Vec::new(),
            digits: BTreeMap::new(),
            best: BTreeMap::new(),
            best_within: None,
            beside: BTreeMap::new(),
            caption: String::new(),
            notes: Vec::new(),
        }
    }

    /// A table of an existing frame; digits are chosen from the values.
    pub fn from_frame(frame: DataFrame) -> Self {
        Table {
            frame,
            digits: BTreeMap::new(),
            best: BTreeMap::new(),
            best_within: None,
            beside: BTreeMap::new(),
            caption: String::new(),
            notes: Vec::new(),
        }
    }

    /// The polars frame with the unrounded values. Cloning it copies no data.
    pub fn frame(&self) -> DataFrame {
        self.frame.clone()
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.frame.height()
    }

    /// Another caption.
    pub fn caption(self, caption: impl Into<String>) -> Self {
        Table { caption: caption.into(), ..self }
    }

    /// A further line below the table.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// The table as CSV: a header line and the unrounded values. Caption and notes are left out.
    ///
    /// # Errors
    /// When polars cannot write a column (nested types).
    pub fn csv(&self) -> Result<String> {
        let mut bytes = Vec::new();
        let written = CsvWriter::new(&mut bytes).finish(&mut self.frame.clone());
        written.map_err(|e| Error::invalid("table as CSV", e.to_string(), "columns of text and numbers", ""))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The table as Markdown (the pipe tables of GitHub and Jupyter).
    pub fn md(&self) -> String {
        let text = |text: &str| {
            let special = ['\\', '|', '*', '_', '`', '<', '>', '[', ']', '$', '~', '#', '&'];
            let mut out = String::with_capacity(text.len());
            for c in text.chars() {
                if special.contains(&c) {
                    out.push('\\');
                }
                out.push(if c.is_control() { ' ' } else { c });
            }
            out
        };
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let columns = self.formatted();
        let mut out = String::new();
        if !self.caption.is_empty() {
            out.push_str(&format!("**{}**\n\n", text(&self.caption)));
        }
        out.push_str(&line(columns.iter().map(|column| text(&column.name)).collect()));
        let rule = |column: &Formatted| (if column.numeric { "---:" } else { "---" }).to_string();
        out.push_str(&line(columns.iter().map(rule).collect()));
        for row in 0..self.height() {
            let cell = |column: &Formatted| {
                let value = text(&column.cells[row]);
                if column.bold[row] { format!("**{value}**") } else { value }
            };
            out.push_str(&line(columns.iter().map(cell).collect()));
        }
        for note in &self.notes {
            out.push_str(&format!("\n{}\n", text(note)));
        }
        out
    }

    /// The table as a LaTeX `table` with the rules of the `booktabs` package.
    pub fn tex(&self) -> String {
        let columns = self.formatted();
        let line = |cells: Vec<String>| format!("{} \\\\\n", cells.join(" & "));
        let align: String = columns.iter().map(|column| if column.numeric { 'r' } else { 'l' }).collect();
        let mut out = String::from("% needs \\usepackage{booktabs}\n\\begin{table}\n\\centering\n");
        if !self.caption.is_empty() {
            out.push_str(&format!("\\caption{{{}}}\n", tex(&self.caption)));
        }
        out.push_str(&format!("\\begin{{tabular}}{{{align}}}\n\\toprule\n"));
        out.push_str(&line(columns.iter().map(|column| tex(&column.name)).collect()));
        out.push_str("\\midrule\n");
        for row in 0..self.height() {
            let cell = |column: &Formatted| {
                let value = tex(&column.cells[row]);
                if column.bold[row] { format!("\\textbf{{{value}}}") } else { value }
            };
            out.push_str(&line(columns.iter().map(cell).collect()));
        }
        out.push_str("\\bottomrule\n\\end{tabular}\n");
        for note in &self.notes {
            out.push_str(&format!("\\par\\smallskip\\footnotesize {}\n", tex(note)));
        }
        out.push_str("\\end{table}\n");
        out
    }

    /// The table as an HTML fragment. Colours are left to the page, so that dark themes stay readable.
    pub fn html(&self) -> String {
        let columns = self.formatted();
        let align = |column: &Formatted| if column.numeric { "right" } else { "left" };
        let edge = "padding:0.25em 0.8em";
        let mut out = String::from("<table style=\"border-collapse:collapse;font-variant-numeric:tabular-nums\">");
        if !self.caption.is_empty() {
            // In one line, however narrow the columns are.
            let style = "caption-side:top;text-align:left;font-weight:bold;padding:0.3em 0.8em;color:inherit;white-space:nowrap";
            out.push_str(&format!("<caption style=\"{style}\">{}</caption>", escape(&self.caption)));
        }
        out.push_str("<thead><tr style=\"border-bottom:1px solid currentColor\">");
        for column in &columns {
            let style = format!("text-align:{};{edge}", align(column));
            out.push_str(&format!("<th style=\"{style}\">{}</th>", escape(&column.name)));
        }
        out.push_str("</tr></thead><tbody>");
        for row in 0..self.height().min(SHOWN) {
            out.push_str("<tr>");
            for column in &columns {
                let value = escape(&column.cells[row]);
                let value = if column.bold[row] { format!("<b>{value}</b>") } else { value };
                out.push_str(&format!("<td style=\"text-align:{};{edge}\">{value}</td>", align(column)));
            }
            out.push_str("</tr>");
        }
        out.push_str("</tbody></table>");
        for note in self.footer() {
            out.push_str(&format!("<div style=\"font-size:85%;opacity:0.8;{edge}\">{}</div>", escape(&note)));
        }
        out
    }

    /// Lines below the table as it is shown.
    fn footer(&self) -> Vec<String> {
        let height = self.height();
        let cut = format!("first {SHOWN} of {} rows; save() writes all of them", number::grouped(height as u64));
        let empty = "no rows".to_string();
        let state = if height > SHOWN { Some(cut) } else { (height == 0).then_some(empty) };
        state.into_iter().chain(self.notes.iter().cloned()).collect()
    }

    /// The table for a terminal: columns aligned by characters.
    fn plain(&self) -> String {
        let columns = self.formatted();
        let mut out = if self.caption.is_empty() { String::new() } else { format!("{}\n", self.caption) };
        let rows = self.height().min(SHOWN);
        let wide = |column: &Formatted| {
            let cells = column.cells.iter().take(rows).map(|cell| cell.chars().count());
            cells.chain([column.name.chars().count()]).max().unwrap_or(0)
        };
        let pad = |column: &Formatted, text: &str| {
            let width = wide(column);
            if column.numeric { format!("{text:>width$}") } else { format!("{text:<width$}") }
        };
        let mut line = |cells: Vec<String>| {
            out.push_str(cells.join("  ").trim_end());
            out.push('\n');
        };
        line(columns.iter().map(|column| pad(column, &column.name)).collect());
        for row in 0..rows {
            line(columns.iter().map(|column| pad(column, &column.cells[row])).collect());
        }
        for note in self.footer() {
            line(vec![note]);
        }
        out.trim_end().to_string()
    }

    /// Writes the table; the extension `.csv`, `.md`, `.tex` or `.html` says the format.
    ///
    /// # Errors
    /// For another extension, or when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let text = match save::extension(path, &["csv", "md", "tex", "html"])? {
            "csv" => self.csv()?,
            "md" => self.md(),
            "tex" => self.tex(),
            _ => self.html(),
        };
        save::write(path, text.as_bytes())
    }

    fn formatted(&self) -> Vec<Formatted> {
        let text = |name: &String| Some(Formatted::new(self.frame.column(name).ok()?, None, None, &[]).cells);
        let groups = self.best_within.as_ref().and_then(text).unwrap_or_default();
        let column = |column: &Column| {
            let name = column.name().to_string();
            let digits = self.digits.get(&name).copied();
            let formatted = Formatted::new(column, digits, self.best.get(&name).copied(), &groups);
            match self.beside.get(&name).and_then(text) {
                Some(texts) => formatted.beside(texts),
                None => formatted,
            }
        };
        let shown = |column: &&Column| !self.beside.values().any(|name| column.name() == name.as_str());
        self.frame.columns().iter().filter(shown).map(column).collect()
    }
}

impl TableBuilder {
    /// A column of text, aligned left.
    pub fn text<S: Into<String>>(self, name: impl Into<String>, values: impl IntoIterator<Item = S>) -> Self {
        let values: Vec<String> = values.into_iter().map(Into::into).collect();
        self.column(Series::new(name.into().into(), values))
    }

    /// A column of numbers, aligned right; NaN shows as `–`.
    pub fn numbers<V: Into<f64>>(self, name: impl Into<String>, values: impl IntoIterator<Item = V>) -> Self {
        let values: Vec<f64> = values.into_iter().map(Into::into).collect();
        self.column(Series::new(name.into().into(), values))
    }

    /// A column of whole numbers, aligned right, thousands separated.
    pub fn integers<V: TryInto<i64>>(self, name: impl Into<String>, values: impl IntoIterator<Item = V>) -> Self {
        // None beyond ±9.2·10¹⁸; shown as a missing value.
        let values: Vec<Option<i64>> = values.into_iter().map(|v| v.try_into().ok()).collect();
        self.column(Series::new(name.into().into(), values))
    }

    fn column(mut self, series: Series) -> Self {
        self.columns.push(series.into());
        self
    }

    /// Digits behind the decimal point of that column.
    pub fn digits(mut self, column: impl Into<String>, digits: usize) -> Self {
        self.digits.insert(column.into(), digits);
        self
    }

    /// Sets the best value of that column in bold type.
    pub fn best(mut self, column: impl Into<String>, best: Best) -> Self {
        self.best.insert(column.into(), best);
        self
    }

    /// The best value is looked for among rows that share the text of this column.
    pub fn best_within(self, column: impl Into<String>) -> Self {
        TableBuilder { best_within: Some(column.into()), ..self }
    }

    /// Texts that are shown behind the numbers of that column (`0.12 ± 0.03`); in a CSV file they are a column of
    /// their own, "… spread".
    pub fn beside<S: Into<String>>(mut self, column: impl Into<String>, texts: impl IntoIterator<Item = S>) -> Self {
        let column = column.into();
        let name = format!("{column} spread");
        self.beside.insert(column, name.clone());
        self.text(name, texts)
    }

    /// What the table shows; stands above it.
    pub fn caption(self, caption: impl Into<String>) -> Self {
        TableBuilder { caption: caption.into(), ..self }
    }

    /// A line below the table (number of samples, weights hash, source).
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// The table.
    ///
    /// # Errors
    /// When columns differ in length, share a name, or digits are asked for a column that does not exist.
    pub fn build(self) -> Result<Table> {
        let height = self.columns.first().map_or(0, Column::len);
        let lengths =
            || self.columns.iter().map(|c| format!("{}: {}", c.name(), c.len())).collect::<Vec<_>>().join(", ");
        if self.columns.iter().any(|column| column.len() != height) {
            return Err(Error::invalid("rows of a table", lengths(), "as many in each column", ""));
        }
        for (i, column) in self.columns.iter().enumerate() {
            if self.columns[..i].iter().any(|other| other.name() == column.name()) {
                let name = column.name().to_string();
                return Err(Error::invalid("columns of a table", format!("{name:?} twice"), "each name once", ""));
            }
        }
        let named = self.digits.keys().chain(self.best.keys()).chain(self.beside.keys()).chain(&self.best_within);
        for name in named {
            if !self.columns.iter().any(|column| column.name() == name.as_str()) {
                return Err(Error::invalid("column of a table", format!("{name:?}"), lengths(), "Is it spelt right?"));
            }
        }
        let frame = DataFrame::new(height, self.columns.clone())
            .map_err(|e| Error::invalid("columns of a table", e.to_string(), "columns of one length", ""))?;
        let TableBuilder { digits, best, best_within, beside, caption, notes, .. } = self;
        Ok(Table { frame, digits, best, best_within, beside, caption, notes })
    }
}

impl Show for Table {
    fn bundle(&self) -> Result<Bundle> {
        Ok(Bundle::plain(self.plain()).with_html(self.html()))
    }
}

displayable!(Table);

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.plain())
    }
}

impl std::fmt::Debug for TableBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name().as_str()).collect();
        write!(f, "TableBuilder(columns {names:?})")
    }
}
