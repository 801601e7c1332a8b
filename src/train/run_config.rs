//! `config.toml` of a run folder: what the run is, so that nobody resumes it as something else.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Serialize;
use toml::{Table, Value};

use super::files;
use super::plan::Plan;
use crate::data::dataset::Dataset;
use crate::rng::Seed;
use crate::{Error, Result};

const NAME: &str = "config.toml";

/// Keys that may differ when a run is resumed: they change no result.
const FREE: [&str; 3] = ["tachie", "data.name", "plan.intervals"];

/// Keys that were not always written, and what their absence stands for.
const DEFAULTS: [(&str, &str); 1] = [("plan.precision", "\"f32\"")];

/// Everything that decides a run.
pub(super) struct RunConfig {
    table: Table,
}

impl RunConfig {
    pub(super) fn new(
        model: &str,
        config: &impl Serialize,
        plan: &Plan,
        dataset: &Dataset,
        seed: Seed,
        flip: bool,
    ) -> Result<RunConfig> {
        let value = |what: &str, value: std::result::Result<Value, toml::ser::Error>| {
            value.map_err(|e| Error::invalid(what, e.to_string(), "a value that TOML can hold", ""))
        };
        let mut data = Table::new();
        data.insert("name".into(), dataset.name().into());
        data.insert("pictures".into(), integer(dataset.len() as u64));
        data.insert("size".into(), integer(dataset.size().into()));
        data.insert("fingerprint".into(), dataset.fingerprint().into());
        data.insert("flip".into(), flip.into());
        let mut table = Table::new();
        table.insert("model".into(), model.into());
        table.insert("tachie".into(), env!("CARGO_PKG_VERSION").into());
        table.insert("seed".into(), integer(seed.0));
        table.insert("data".into(), data.into());
        table.insert("config".into(), value("configuration of the model", Value::try_from(config))?);
        table.insert("plan".into(), value("plan", Value::try_from(plan))?);
        Ok(RunConfig { table })
    }

    /// Writes `config.toml` into a new run folder, or compares with the one that is there.
    ///
    /// # Errors
    /// [`Error::ConfigMismatch`] with every key that differs.
    pub(super) fn settle(&self, folder: &Path) -> Result<()> {
        let path = folder.join(NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return self.write(&path),
            Err(e) => return Err(Error::io("read the configuration of the run", &path, e)),
        };
        let there: Table = text.parse().map_err(|e: toml::de::Error| {
            Error::file(
                &path,
                e.message().to_string(),
                "the configuration of a run as TOML",
                "Restore it, or train into another folder.",
            )
        })?;
        let (there, here) = (deciding(&there), deciding(&self.table));
        let missing = || "nothing".to_string();
        let keys: std::collections::BTreeSet<&String> = there.keys().chain(here.keys()).collect();
        let differences: Vec<String> = keys
            .into_iter()
            .filter(|key| there.get(*key) != here.get(*key))
            .map(|key| {
                let side = |side: &BTreeMap<String, String>| side.get(key).cloned().unwrap_or_else(missing);
                format!("{key}: {} there, {} here", side(&there), side(&here))
            })
            .collect();
        match differences.is_empty() {
            true => Ok(()),
            false => Err(Error::ConfigMismatch { path: folder.to_path_buf(), differences: differences.join("; ") }),
        }
    }

    /// Hexadecimal digits that differ whenever [`settle`](RunConfig::settle) would refuse.
    pub(super) fn hash(&self) -> String {
        let mut hasher = blake3::Hasher::new_derive_key("tachie 2026 run configuration");
        // Defaults leave no trace, so that checkpoints from before a key was written belong to their run.
        let written = deciding(&self.table);
        let chosen = written.iter().filter(|(key, value)| !DEFAULTS.contains(&(key.as_str(), value.as_str())));
        for (key, value) in chosen {
            hasher.update(key.as_bytes()).update(b"\0").update(value.as_bytes()).update(b"\0");
        }
        hasher.finalize().to_hex().to_string()
    }

    fn write(&self, path: &Path) -> Result<()> {
        let text = toml::to_string(&self.table)
            .map_err(|e| Error::invalid("configuration of the run", e.to_string(), "values that TOML can hold", ""))?;
        let head = "# What this run is. It resumes only with the same values; change them in another folder.\n";
        files::replace(path, format!("{head}{text}").as_bytes())
    }
}

/// TOML's integers end at 2⁶³ − 1; what is larger becomes text.
fn integer(value: u64) -> Value {
    i64::try_from(value).map_or_else(|_| Value::String(value.to_string()), Value::Integer)
}

/// Dotted keys and values of everything that decides results.
fn deciding(table: &Table) -> BTreeMap<String, String> {
    fn walk(prefix: &str, value: &Value, out: &mut BTreeMap<String, String>) {
        if FREE.contains(&prefix) {
            return;
        }
        let below = |key: &str| if prefix.is_empty() { key.to_string() } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(table) => table.iter().for_each(|(key, value)| walk(&below(key), value, out)),
            Value::Array(list) if list.iter().any(Value::is_table) => {
                list.iter().enumerate().for_each(|(i, value)| walk(&below(&i.to_string()), value, out));
            }
            leaf => {
                out.insert(prefix.to_string(), leaf.to_string());
            }
        }
    }
    let defaults = DEFAULTS.map(|(key, value)| (key.to_string(), value.to_string()));
    let mut out = BTreeMap::from(defaults);
    walk("", &Value::Table(table.clone()), &mut out);
    out
}
