//! The numbers of a run over time: `history.jsonl`, one row per step, and everything that is drawn from it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::files;
use crate::show::bundle::{Bundle, Show, displayable};
use crate::show::plot::{LossPlot, Series};
use crate::show::table::Table;
use crate::{Error, Result};

/// Name of the history in a run folder.
pub(super) const NAME: &str = "history.jsonl";

/// One row of the history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Number of the step, from 1.
    pub step: u64,
    /// Real images shown up to the end of this step.
    pub images: u64,
    /// Training time of the run up to here, seconds; pauses do not count.
    pub seconds: f64,
    /// Stage of the plan, from 0.
    pub stage: usize,
    /// Fade-in weight.
    pub alpha: f64,
    /// Learning rates by player (`discriminator`, `generator`).
    pub rates: BTreeMap<String, f64>,
    /// Unweighted loss terms and totals, `<player>/<term>` (`discriminator/adv`).
    pub losses: BTreeMap<String, f64>,
    /// What the guard had to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The history of a run, read from its folder: losses as series for plots, or as a table. Cheap to clone.
#[derive(Clone)]
pub struct History {
    path: PathBuf,
    records: Arc<Vec<Record>>,
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let last = self.records.last().map_or(0, |record| record.step);
        write!(f, "History({}, {} rows, up to step {last})", self.path.display(), self.records.len())
    }
}

impl History {
    /// Reads the history of a run folder, in any process, also while the run goes on. A last line that was cut off by
    /// a crash is left out.
    ///
    /// # Errors
    /// When the folder holds no history, or a line is not a row (named by number).
    pub fn open(folder: impl AsRef<Path>) -> Result<History> {
        let path = folder.as_ref().join(NAME);
        let text = fs::read(&path).map_err(|e| Error::io("read the history of a run", &path, e))?;
        let records = Arc::new(parse(&path, &text)?);
        Ok(History { path, records })
    }

    /// The history of a folder in which nothing was trained yet.
    pub(super) fn empty(folder: &Path) -> History {
        History { path: folder.join(NAME), records: Arc::default() }
    }

    /// All rows, in the order of steps.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Names of all losses that occur (`discriminator/adv`, …), sorted.
    pub fn names(&self) -> Vec<String> {
        let names = self.records.iter().flat_map(|record| record.losses.keys());
        names.collect::<BTreeSet<_>>().into_iter().cloned().collect()
    }

    /// One loss over the steps; empty when no row has it.
    pub fn values(&self, name: &str) -> Series {
        let with = self.records.iter().filter_map(|record| Some((record.step as f64, *record.losses.get(name)?)));
        let (x, y) = with.unzip();
        Series { name: name.to_string(), x, y }
    }

    /// All losses but the totals, over the steps.
    pub fn series(&self) -> Vec<Series> {
        let terms = self.names().into_iter().filter(|name| !name.ends_with("/total"));
        terms.map(|name| self.values(&name)).collect()
    }

    /// The loss plot: a panel per player, a line per term.
    pub fn plot(&self) -> LossPlot {
        LossPlot::new(self.series())
    }

    /// One row per record: step, images, seconds, every loss, every learning rate. Save it as CSV for other programs.
    ///
    /// # Errors
    /// When polars refuses the columns.
    pub fn table(&self) -> Result<Table> {
        let column = |of: &dyn Fn(&Record) -> Option<f64>| -> Vec<f64> {
            self.records.iter().map(|record| of(record).unwrap_or(f64::NAN)).collect()
        };
        let mut table = Table::builder()
            .integers("step", self.records.iter().map(|record| record.step))
            .integers("images", self.records.iter().map(|record| record.images))
            .numbers("seconds", column(&|record| Some(record.seconds)));
        for name in self.names() {
            table = table.numbers(name.clone(), column(&|record| record.losses.get(&name).copied()));
        }
        let players: BTreeSet<&String> = self.records.iter().flat_map(|record| record.rates.keys()).collect();
        for player in players {
            table = table.numbers(format!("{player}/rate"), column(&|record| record.rates.get(player).copied()));
        }
        table.build()
    }
}

impl Show for History {
    fn bundle(&self) -> Result<Bundle> {
        self.plot().bundle()
    }
}

displayable!(History);

/// Rows of `text`, one a line. Only whole lines count: the last one may have been cut off while it was written.
fn parse(path: &Path, text: &[u8]) -> Result<Vec<Record>> {
    let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let mut records = Vec::new();
    for (i, line) in text[..whole].split_inclusive(|&byte| byte == b'\n').enumerate() {
        let record: Record = serde_json::from_slice(line).map_err(|e| {
            let hint = "Remove the line, or restore the file from a copy.";
            Error::file(path, format!("line {}: {e}", i + 1), "one row of a history as JSON", hint)
        })?;
        records.push(record);
    }
    Ok(records)
}

/// Appends rows, whole lines at a time.
#[derive(Debug)]
pub(super) struct HistoryWriter {
    path: PathBuf,
    pending: Vec<u8>,
}

impl HistoryWriter {
    /// Opens the history of a run that goes on after step `step`: rows of later steps, which the run is about to
    /// repeat, and a torn last line are dropped. Returns what stays.
    pub(super) fn open(folder: &Path, step: u64) -> Result<(HistoryWriter, Vec<Record>)> {
        let path = folder.join(NAME);
        let writer = |path| HistoryWriter { path, pending: Vec::new() };
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok((writer(path), Vec::new())),
            Err(e) => return Err(Error::io("read the history of a run", &path, e)),
        };
        let mut records = parse(&path, &text)?;
        records.retain(|record| record.step <= step);
        // The lines themselves stay, not what they were read as: reading a number may change its last digit.
        let kept: usize = text.split_inclusive(|&byte| byte == b'\n').take(records.len()).map(<[u8]>::len).sum();
        if kept < text.len() {
            files::replace(&path, &text[..kept])?;
        }
        Ok((writer(path), records))
    }

    /// Adds a row, which is written by the next [`flush`](HistoryWriter::flush).
    pub(super) fn push(&mut self, record: &Record) -> Result<()> {
        serde_json::to_writer(&mut self.pending, record)
            .map_err(|e| Error::io("encode a row for", &self.path, e.into()))?;
        self.pending.push(b'\n');
        Ok(())
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let append = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
            let length = file.metadata()?.len();
            let written = file.write_all(&self.pending);
            if written.is_err() {
                // A full disk may have taken half a line, which the rows after it would make unreadable.
                file.set_len(length)?;
            }
            written
        };
        append().map_err(|e| Error::io("append to the history of a run", &self.path, e))?;
        self.pending.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(step: u64) -> Record {
        Record {
            step,
            images: step * 8,
            seconds: step as f64 * 0.5,
            stage: 0,
            alpha: 1.0,
            rates: BTreeMap::from([("d".into(), 2e-4), ("g".into(), 1e-4)]),
            losses: BTreeMap::from([("d/adv".into(), 1.0 / (1u64 << step) as f64), ("g/adv".into(), -0.75)]),
            note: (step == 2).then(|| "collapse?".to_string()),
        }
    }

    fn write(folder: &Path, steps: std::ops::RangeInclusive<u64>) {
        let (mut writer, _) = HistoryWriter::open(folder, steps.start() - 1).unwrap();
        for step in steps {
            writer.push(&record(step)).unwrap();
        }
        writer.flush().unwrap();
    }

    #[test]
    fn rows_come_back_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), 1..=5);
        let history = History::open(folder.path()).unwrap();
        assert_eq!(history.records(), (1..=5).map(record).collect::<Vec<_>>());
        assert_eq!(history.names(), ["d/adv", "g/adv"]);
        let series = history.values("d/adv");
        assert_eq!((series.x[3], series.y[3]), (4.0, 0.0625));
        assert!(history.values("e/adv").x.is_empty());
        let csv = history.table().unwrap().csv().unwrap();
        assert!(csv.starts_with("step,images,seconds,d/adv,g/adv,d/rate,g/rate\n1,8,0.5,0.5,-0.75,"), "{csv}");
    }

    #[test]
    fn resuming_drops_what_comes_after_and_a_torn_line() {
        let (resumed, whole) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(resumed.path(), 1..=7);
        let path = resumed.path().join(NAME);
        let mut text = fs::read(&path).unwrap();
        text.extend(b"{\"step\":8,\"ima");
        fs::write(&path, &text).unwrap();
        assert_eq!(History::open(resumed.path()).unwrap().records().len(), 7);
        write(resumed.path(), 5..=9);
        write(whole.path(), 1..=9);
        assert_eq!(fs::read(&path).unwrap(), fs::read(whole.path().join(NAME)).unwrap());
    }

    #[test]
    fn a_damaged_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), 1..=3);
        let path = folder.path().join(NAME);
        let text = fs::read_to_string(&path).unwrap().replacen("{\"step\":2", "{\"step\":x", 1);
        fs::write(&path, text).unwrap();
        let message = History::open(folder.path()).unwrap_err().to_string();
        assert!(message.contains("history.jsonl") && message.contains("line 2"), "{message}");
        assert!(History::open("/nowhere").is_err());
    }
}
