//! What an evaluation found: as a table for people, as JSON for programs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::Result;
use crate::metrics::nets::extractor::Extractor;
use crate::metrics::score::Score;
use crate::show::bundle::{Bundle, Show, displayable};
use crate::show::table::{Best, Table, TableBuilder};

/// Which network gave the features, and how pictures came to its size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkCard {
    /// [`Extractor::name`].
    pub name: String,
    /// SHA-256 of the weights.
    pub hash: Option<String>,
    /// [`Extractor::resize_rule`].
    pub resize: String,
    /// Features per picture.
    pub dims: usize,
    mark: Option<String>,
}

/// One number of an evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// What programs call it: `fid`, `precision`, `ms-ssim`. The same for every network.
    pub key: String,
    /// The number with its protocol.
    pub score: Score,
    /// The network, for metrics of features.
    pub network: Option<NetworkCard>,
}

/// What was found of one model on one split.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The split of real pictures.
    pub split: String,
    /// The model.
    pub model: String,
    /// How many pictures of the model were judged, in each trial.
    pub pictures: usize,
    /// Its numbers, in the order of the metrics.
    pub measured: Vec<Measured>,
}

/// What an evaluation found. Ends a cell with its table.
#[derive(Clone)]
pub struct Results {
    /// One row for each split and model.
    pub rows: Vec<Row>,
    /// What a reader has to know beside the numbers: formats, conversions, broken files that were made again.
    pub notes: Vec<String>,
    pub(super) caption: String,
    /// What the rows are called: models, or steps of one.
    rows_are: &'static str,
}

impl NetworkCard {
    /// The card of this network.
    pub fn of(network: &dyn Extractor) -> NetworkCard {
        let (name, mark, hash) = (network.name(), network.mark(), network.hash());
        NetworkCard { name, mark, hash, resize: network.resize_rule(), dims: network.dims() }
    }
}

impl fmt::Display for NetworkCard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = self.hash.as_deref().unwrap_or("of no file");
        write!(f, "{} ({} features), weights {hash}, resize {}", self.name, self.dims, self.resize)
    }
}

impl Measured {
    /// A score of given features, whose network is not known.
    pub fn of(score: Score) -> Measured {
        Measured::new(score, None)
    }

    pub(super) fn new(score: Score, network: Option<&NetworkCard>) -> Measured {
        let key = key(&score.metric);
        let Some(network) = network else { return Measured { key, score, network: None } };
        let score = match &network.mark {
            Some(mark) => score.with_features(mark),
            None => score,
        };
        let protocol = format!("{}; features of {network}", score.protocol);
        Measured { key, score: Score { protocol, ..score }, network: Some(network.clone()) }
    }

    /// One line without the protocol.
    pub(super) fn line(&self) -> String {
        Score { protocol: String::new(), ..self.score.clone() }.to_string().replace("; )", ")")
    }
}

/// `FID (tagger)` → `fid`, `FID∞` → `fid-infinity`, `SWD 64` → `swd-64`.
fn key(metric: &str) -> String {
    let short = metric.split(" (").next().unwrap_or(metric);
    match short {
        "IS" => "inception-score".into(),
        "perceptual distance" => "perceptual".into(),
        "copying z" => "copying".into(),
        other => other.replace('∞', "-infinity").replace(' ', "-").to_lowercase(),
    }
}

impl Results {
    /// No rows yet; `rows_are` is the title of their names.
    pub(super) fn named(rows_are: &'static str, caption: String) -> Results {
        Results { rows: vec![], notes: vec![], caption, rows_are }
    }

    /// These rows.
    pub fn of(rows: Vec<Row>) -> Results {
        Results { rows, ..Results::named("model", String::new()) }
    }

    /// Puts the numbers of others into the rows of the same split and model, and their notes behind these.
    pub fn merge(&mut self, others: Results) {
        if self.caption.is_empty() {
            self.caption = others.caption.clone();
        }
        let mut new = Vec::new();
        for row in others.rows {
            match self.rows.iter_mut().find(|known| known.split == row.split && known.model == row.model) {
                Some(known) => known.measured.extend(row.measured),
                None => new.push(row),
            }
        }
        self.rows.extend(new);
        self.note(others.notes);
    }

    /// Appends the rows and the notes of others.
    pub(super) fn add(&mut self, others: Results) {
        self.rows.extend(others.rows);
        self.note(others.notes);
    }

    fn note(&mut self, notes: Vec<String>) {
        for note in notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }

    /// One number by its key (`fid`), of the row that comes first.
    pub fn value(&self, key: &str) -> Option<f64> {
        let found = self.rows.first()?.measured.iter().find(|measured| measured.key == key);
        found.map(|measured| measured.score.value)
    }

    /// A row per model, a column per number; the best of several models is bold, an arrow says whether small or large
    /// is good. Protocols, networks, number of pictures and warnings stand below.
    ///
    /// # Errors
    /// When the table cannot be made.
    pub fn table(&self) -> Result<Table> {
        let splits: Vec<&str> = self.rows.iter().map(|row| row.split.as_str()).collect();
        let several = splits.windows(2).any(|pair| pair[0] != pair[1]);
        let mut table = Table::builder();
        if several {
            table = table.text("split", splits.iter().copied()).best_within("split");
        }
        table = table.text(self.rows_are, self.rows.iter().map(|row| row.model.clone()));
        for column in self.columns() {
            table = self.column(table, &column);
        }
        let table = table.integers("n", self.rows.iter().map(|row| row.pictures)).caption(self.caption.clone());
        self.footer(table).build()
    }

    /// One row per number with everything that belongs to it.
    ///
    /// # Errors
    /// When the table cannot be made.
    pub fn long_table(&self) -> Result<Table> {
        let all = || self.rows.iter().flat_map(|row| row.measured.iter().map(move |measured| (row, measured)));
        let number = |n: Option<usize>| n.map_or_else(String::new, |n| n.to_string());
        let spread = |score: &Score| score.spread.map_or_else(String::new, |spread| spread.to_string());
        Table::builder()
            .text("split", all().map(|(row, _)| row.split.clone()))
            .text("model", all().map(|(row, _)| row.model.clone()))
            .text("metric", all().map(|(_, measured)| measured.score.metric.clone()))
            .numbers("value", all().map(|(_, measured)| measured.score.value))
            .text("spread", all().map(|(_, measured)| spread(&measured.score)))
            .integers("n", all().map(|(_, measured)| measured.score.n))
            .text("references", all().map(|(_, measured)| number(measured.score.references)))
            .text("protocol", all().map(|(_, measured)| measured.score.protocol.clone()))
            .text("warnings", all().map(|(_, measured)| measured.score.warnings.join("; ")))
            .build()
    }

    /// Writes the [`table`](Results::table): `.csv`, `.md`, `.tex` or `.html`.
    ///
    /// # Errors
    /// For another extension, or when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.table()?.save(path)
    }

    /// Every warning once, with the metric, model and split that it is about.
    pub fn warnings(&self) -> Vec<String> {
        let mut about: Vec<(String, Vec<String>)> = Vec::new();
        for row in &self.rows {
            for measured in &row.measured {
                for warning in &measured.score.warnings {
                    let text = format!("{}: {warning}", measured.score.metric);
                    match about.iter_mut().find(|(known, _)| *known == text) {
                        Some((_, models)) => models.push(row.model.clone()),
                        None => about.push((text, vec![row.model.clone()])),
                    }
                }
            }
        }
        let models = self.rows.len();
        let line = |(text, of): (String, Vec<String>)| match of.len() == models {
            true => text,
            false => format!("{text} ({})", of.join(", ")),
        };
        about.into_iter().map(line).collect()
    }

    /// The networks that gave features.
    pub fn networks(&self) -> Vec<&NetworkCard> {
        let mut found: Vec<&NetworkCard> = Vec::new();
        for card in self.rows.iter().flat_map(|row| &row.measured).filter_map(|measured| measured.network.as_ref()) {
            if !found.contains(&card) {
                found.push(card);
            }
        }
        found
    }

    /// `{"rows": [{"split", "model", "pictures", "metrics": {"fid": {"value", "n", "protocol", "spread", "warnings", …}}}],
    /// "networks": […], "notes": […]}`. A number that is not finite is a text: `"inf"`, `"-inf"` or `"nan"`.
    pub fn json(&self) -> Value {
        let row = |row: &Row| json!({ "split": row.split, "model": row.model, "pictures": row.pictures, "metrics": row.json() });
        let networks: Vec<Value> = self.networks().into_iter().map(NetworkCard::json).collect();
        json!({ "rows": self.rows.iter().map(row).collect::<Vec<_>>(), "networks": networks, "notes": self.notes })
    }

    /// Keys in the order in which they first come, with a score that stands for them.
    pub(super) fn columns(&self) -> Vec<Measured> {
        let mut columns: Vec<Measured> = Vec::new();
        for measured in self.rows.iter().flat_map(|row| &row.measured) {
            if !columns.iter().any(|known| known.score.metric == measured.score.metric) {
                columns.push(measured.clone());
            }
        }
        columns
    }

    fn column(&self, table: TableBuilder, column: &Measured) -> TableBuilder {
        let of = |row: &Row| {
            let found = row.measured.iter().find(|measured| measured.score.metric == column.score.metric);
            found.map(|measured| measured.score.clone())
        };
        let scores: Vec<Option<Score>> = self.rows.iter().map(of).collect();
        let title = column.score.title();
        let values = scores.iter().map(|score| score.as_ref().map_or(f64::NAN, |score| score.value));
        let table = table.numbers(title.clone(), values);
        let spread = |score: &Option<Score>| {
            let spread = score.as_ref().and_then(|score| score.spread);
            spread.map_or_else(String::new, |spread| spread.to_string())
        };
        let spreads: Vec<String> = scores.iter().map(spread).collect();
        let table = match spreads.iter().all(String::is_empty) {
            true => table,
            false => table.beside(title.clone(), spreads),
        };
        match column.score.best {
            Some(best) if self.rows.len() > 1 => table.best(title, best),
            _ => table,
        }
    }

    fn footer(&self, mut table: TableBuilder) -> TableBuilder {
        for card in self.networks() {
            table = table.note(format!("Features: {card}"));
        }
        let mut said: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for Measured { score, .. } in self.columns() {
            let own = score.protocol.split("; features of ").next().unwrap_or_default().to_string();
            said.entry(own).or_default().push(score.metric);
        }
        for (protocol, metrics) in said {
            table = table.note(format!("{}: {protocol}", metrics.join(", ")));
        }
        for warning in self.warnings() {
            table = table.note(format!("Warning, {warning}"));
        }
        for note in &self.notes {
            table = table.note(note);
        }
        table
    }
}

impl Row {
    /// `{"fid": {"value", "n", …}, …}`.
    pub fn json(&self) -> Value {
        let number = |measured: &Measured| {
            let mut value = serde_json::to_value(&measured.score).unwrap_or(Value::Null);
            if let (Value::Object(fields), Some(network)) = (&mut value, &measured.network) {
                fields.insert("network".into(), network.json());
            }
            (measured.key.clone(), value)
        };
        Value::Object(self.measured.iter().map(number).collect::<Map<_, _>>())
    }
}

impl NetworkCard {
    /// `{"name", "hash", "resize", "dims"}`.
    pub fn json(&self) -> Value {
        json!({ "name": self.name, "hash": self.hash, "resize": self.resize, "dims": self.dims })
    }
}

impl fmt::Debug for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.table() {
            Ok(table) => write!(f, "{table:?}"),
            Err(error) => write!(f, "{error}"),
        }
    }
}

impl Show for Results {
    fn bundle(&self) -> Result<Bundle> {
        self.table()?.bundle()
    }
}

displayable!(Results);

/// Small distances and large shares are good: what a curve over training is expected to do.
pub(super) fn direction(best: Option<Best>) -> &'static str {
    match best {
        Some(Best::Lowest) => "less is better",
        Some(Best::Highest) => "more is better",
        None => "",
    }
}
