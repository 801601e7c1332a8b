//! Checkpoints: everything that a run goes on from, written so that no crash leaves the folder unloadable.
//!
//! A checkpoint is a folder `ckpt-<step>` with `params.safetensors`, `ema.safetensors`, `optim.safetensors` and
//! `state.json`. It is written under a temporary name, synced, renamed, and then named in the file `latest`; older
//! ones go last. Random numbers need no state: their streams are named by seed and step.

mod sealed;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use sealed::{contents, read};

use super::files::{self, TEMPORARY};
use super::guard::Watch;
use crate::data::loader::LoaderPosition;
use crate::{Error, Result};

/// How many checkpoints stay.
const KEEP: usize = 2;
/// An empty file of this name in a checkpoint's folder: newer ones do not replace it.
const STAYS: &str = "stays";
const PREFIX: &str = "ckpt-";
const LATEST: &str = "latest";

/// The part of a checkpoint that is no tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Steps done.
    pub step: u64,
    /// Real images shown. Steps and images together are the place in the plan.
    pub images: u64,
    /// The seed of the run.
    pub seed: u64,
    /// Where the next batch begins.
    pub loader: LoaderPosition,
    /// What the collapse watch remembers.
    pub watch: Watch,
    /// blake3 of the run's `config.toml`.
    pub config: String,
    /// The version of tachie that wrote this.
    pub tachie: String,
}

/// Everything that a run goes on from.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// Counters and positions.
    pub state: State,
    /// Parameters and buffers of all players, by name.
    pub params: BTreeMap<String, Tensor>,
    /// Their running average.
    pub ema: BTreeMap<String, Tensor>,
    /// Moments and step counts of the optimizers.
    pub optim: BTreeMap<String, Tensor>,
}

/// The folder `checkpoints` of a run.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    folder: PathBuf,
    keep_every: Option<u64>,
}

impl Checkpoints {
    /// Opens the folder, which is made when missing, and clears leftovers of interrupted writes.
    ///
    /// # Errors
    /// When the folder cannot be made, read or cleared.
    pub fn open(folder: impl AsRef<Path>) -> Result<Checkpoints> {
        let folder = folder.as_ref().to_path_buf();
        fs::create_dir_all(&folder).map_err(|e| Error::io("create the folder", &folder, e))?;
        files::remove_leftovers(&folder)?;
        Ok(Checkpoints { folder, keep_every: None })
    }

    /// Keeps the checkpoints whose step is a multiple of `steps` beside the newest ones.
    pub fn keep_every(self, steps: Option<u64>) -> Checkpoints {
        Checkpoints { keep_every: steps.filter(|steps| *steps > 0), ..self }
    }

    /// Whether a checkpoint of that step is to stay.
    pub(super) fn keeps(&self, step: u64) -> bool {
        self.keep_every.is_some_and(|every| step.is_multiple_of(every))
    }

    /// The folder as it is, for reading: nothing is made or cleared, so that a training that writes there is not
    /// disturbed.
    pub fn read_only(folder: impl AsRef<Path>) -> Checkpoints {
        Checkpoints { folder: folder.as_ref().to_path_buf(), keep_every: None }
    }

    /// The checkpoint folder that `latest` names, when there is one.
    pub fn latest(&self) -> Option<PathBuf> {
        let name = fs::read_to_string(self.folder.join(LATEST)).ok()?;
        let name = name.trim();
        step_of(name)?;
        Some(self.folder.join(name)).filter(|path| path.is_dir())
    }

    /// Steps and folders of all complete checkpoints, newest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> Result<Vec<(u64, PathBuf)>> {
        let failed = |e| Error::io("list the checkpoints", &self.folder, e);
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if let Some(step) = entry.file_name().to_str().and_then(step_of) {
                found.push((step, entry.path()));
            }
        }
        found.sort_by(|a, b| b.cmp(a));
        Ok(found)
    }

    /// Writes a checkpoint, makes it the latest and removes the ones it replaces. Returns its folder.
    ///
    /// # Errors
    /// When the disk is full or refuses; what was there before is intact then.
    pub fn save(&self, checkpoint: &Checkpoint) -> Result<PathBuf> {
        let name = name_of(checkpoint.state.step);
        let temporary = self.folder.join(format!("ckpt{TEMPORARY}{}", std::process::id()));
        let written = self.write(checkpoint, &temporary);
        if written.is_err() {
            // What is already wrong is reported below; the leftover would also go at the next start.
            let _ = fs::remove_dir_all(&temporary);
        }
        written?;
        let path = self.folder.join(&name);
        if path.exists() {
            self.put_aside(&path)?;
        }
        files::rename_synced(&temporary, &path)?;
        files::replace(&self.folder.join(LATEST), format!("{name}\n").as_bytes())?;
        self.prune(checkpoint.state.step)?;
        Ok(path)
    }

    /// Loads the checkpoint of that step.
    ///
    /// # Errors
    /// When there is none, or it is not whole.
    pub fn load_at(&self, step: u64, device: &Device) -> Result<Checkpoint> {
        read(&self.folder.join(name_of(step)), device)
    }

    /// Counters and positions of the checkpoint of that step, without its tensors.
    ///
    /// # Errors
    /// When there is none, or its state was altered.
    pub fn state_at(&self, step: u64) -> Result<State> {
        Ok(contents(&self.folder.join(name_of(step)))?.state)
    }

    /// Loads the latest checkpoint that is whole; `None` when there is none at all. The lines say what was passed over.
    ///
    /// # Errors
    /// When there are checkpoints and none of them is whole.
    pub fn load(&self, device: &Device) -> Result<Option<(Checkpoint, Vec<String>)>> {
        let mut candidates: Vec<PathBuf> = self.latest().into_iter().collect();
        for (_, path) in self.list()? {
            if !candidates.contains(&path) {
                candidates.push(path);
            }
        }
        let mut passed_over = Vec::new();
        for path in &candidates {
            match read(path, device) {
                Ok(checkpoint) => {
                    let used = path.file_name().unwrap_or_default().display();
                    let lines = passed_over.iter().map(|e| format!("{e} Going on from {used}.")).collect();
                    return Ok(Some((checkpoint, lines)));
                }
                Err(error) => passed_over.push(error),
            }
        }
        match passed_over.into_iter().next() {
            None => Ok(None),
            Some(first) => Err(Error::file(
                &self.folder,
                format!("{} checkpoints, none of them whole (the latest: {first})", candidates.len()),
                "a whole checkpoint",
                "Delete this folder to start the run again, or train into another one.",
            )),
        }
    }

    fn write(&self, checkpoint: &Checkpoint, folder: &Path) -> Result<()> {
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(|e| Error::io("remove the leftover", folder, e))?;
        }
        fs::create_dir(folder).map_err(|e| Error::io("create the folder", folder, e))?;
        sealed::write(checkpoint, folder)?;
        if self.keeps(checkpoint.state.step) {
            files::write_synced(&folder.join(STAYS), b"")?;
        }
        files::sync_folder(folder)
    }

    /// Moves a checkpoint of the same step (a broken one, or one that `latest` never named) out of the way.
    fn put_aside(&self, path: &Path) -> Result<()> {
        let aside = self.folder.join(format!("old{TEMPORARY}{}", std::process::id()));
        files::rename_synced(path, &aside)?;
        fs::remove_dir_all(&aside).map_err(|e| Error::io("remove the old checkpoint", &aside, e))
    }

    /// Keeps the newest [`KEEP`] up to `step` and those that were asked for; later ones are broken, else the run would
    /// have gone on from them.
    fn prune(&self, step: u64) -> Result<()> {
        let (kept, later): (Vec<_>, Vec<_>) = self.list()?.into_iter().partition(|(at, _)| *at <= step);
        let old = kept.into_iter().skip(KEEP).filter(|(_, path)| !path.join(STAYS).exists());
        for (_, path) in later.into_iter().chain(old) {
            self.put_aside(&path)?;
        }
        Ok(())
    }
}

fn name_of(step: u64) -> String {
    format!("{PREFIX}{step:09}")
}

fn step_of(name: &str) -> Option<u64> {
    name.strip_prefix(PREFIX)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::sealed::{EMA, OPTIM, PARAMS, STATE};
    use super::*;

    fn checkpoint(step: u64) -> Checkpoint {
        let tensors = |value: f32| {
            let tensor = Tensor::full(value + step as f32, (3, 5), &Device::Cpu).unwrap();
            BTreeMap::from([("d.weight".to_string(), tensor.clone()), ("g.weight".to_string(), tensor)])
        };
        let state = State {
            step,
            images: step * 4,
            seed: u64::MAX - 1,
            loader: LoaderPosition { epoch: 2, sample: 8 },
            watch: Watch::default(),
            config: "c0ffee".into(),
            tachie: "0.1.0".into(),
        };
        Checkpoint { state, params: tensors(0.0), ema: tensors(0.25), optim: tensors(0.5) }
    }

    fn same(a: &Checkpoint, b: &Checkpoint) -> bool {
        let numbers = |tensors: &BTreeMap<String, Tensor>| -> Vec<(String, Vec<Vec<f32>>)> {
            tensors.iter().map(|(name, tensor)| (name.clone(), tensor.to_vec2().unwrap())).collect()
        };
        let all = |c: &Checkpoint| (numbers(&c.params), numbers(&c.ema), numbers(&c.optim));
        a.state == b.state && all(a) == all(b)
    }

    fn steps(checkpoints: &Checkpoints) -> Vec<u64> {
        checkpoints.list().unwrap().into_iter().map(|(step, _)| step).collect()
    }

    #[test]
    fn what_was_saved_is_loaded_and_two_stay() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::open(folder.path().join("checkpoints")).unwrap();
        assert!(checkpoints.load(&Device::Cpu).unwrap().is_none());
        for step in 1..=4 {
            let path = checkpoints.save(&checkpoint(step)).unwrap();
            assert_eq!(checkpoints.latest(), Some(path));
        }
        assert_eq!(steps(&checkpoints), [4, 3]);
        let (loaded, passed_over) = checkpoints.load(&Device::Cpu).unwrap().unwrap();
        assert!(same(&loaded, &checkpoint(4)) && passed_over.is_empty());
    }

    #[test]
    fn an_edited_latest_goes_back() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::open(folder.path()).unwrap();
        checkpoints.save(&checkpoint(1)).unwrap();
        checkpoints.save(&checkpoint(2)).unwrap();
        fs::write(folder.path().join(LATEST), "ckpt-000000001\n").unwrap();
        let (loaded, _) = checkpoints.load(&Device::Cpu).unwrap().unwrap();
        assert_eq!(loaded.state.step, 1);
        checkpoints.save(&checkpoint(2)).unwrap();
        assert_eq!(steps(&checkpoints), [2, 1]);
        fs::write(folder.path().join(LATEST), "../../somewhere").unwrap();
        assert_eq!(checkpoints.latest(), None);
    }

    /// Cuts every file at every 1/64 and flips 300 random bits: the previous checkpoint takes over, and says so.
    #[test]
    fn a_damaged_latest_falls_back() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::open(folder.path()).unwrap();
        checkpoints.save(&checkpoint(1)).unwrap();
        let latest = checkpoints.save(&checkpoint(2)).unwrap();
        let mut stream = crate::rng::Seed(11).stream("damage");
        let falls_back = |path: &Path, whole: &[u8], damaged: &[u8]| {
            fs::write(path, damaged).unwrap();
            let (loaded, passed_over) = checkpoints.load(&Device::Cpu).unwrap().unwrap();
            assert_eq!(loaded.state.step, 1, "{}", path.display());
            assert_eq!(passed_over.len(), 1);
            assert!(
                passed_over[0].contains("ckpt-000000002") && passed_over[0].contains("Going on from ckpt-000000001")
            );
            fs::write(path, whole).unwrap();
        };
        for name in [PARAMS, EMA, OPTIM, STATE] {
            let path = latest.join(name);
            let whole = fs::read(&path).unwrap();
            for cut in 0..64 {
                falls_back(&path, &whole, &whole[..whole.len() * cut / 64]);
            }
            for _ in 0..75 {
                let mut damaged = whole.clone();
                let bit = stream.below(whole.len() * 8);
                damaged[bit / 8] ^= 1 << (bit % 8);
                // Spaces and line ends between the parts of the state carry nothing.
                let blank =
                    name == STATE && (whole[bit / 8].is_ascii_whitespace() || damaged[bit / 8].is_ascii_whitespace());
                if !blank {
                    falls_back(&path, &whole, &damaged);
                }
            }
        }
        let (loaded, _) = checkpoints.load(&Device::Cpu).unwrap().unwrap();
        assert!(same(&loaded, &checkpoint(2)));
    }

    #[test]
    fn when_nothing_is_whole_nothing_is_overwritten_in_silence() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::open(folder.path()).unwrap();
        let path = checkpoints.save(&checkpoint(1)).unwrap();
        fs::remove_file(path.join(EMA)).unwrap();
        let message = checkpoints.load(&Device::Cpu).unwrap_err().to_string();
        assert!(message.contains("none of them whole") && message.contains(EMA), "{message}");
    }

    #[test]
    fn leftovers_are_cleared_and_a_broken_later_one_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::open(folder.path()).unwrap();
        checkpoints.save(&checkpoint(1)).unwrap();
        let broken = checkpoints.save(&checkpoint(9)).unwrap();
        fs::remove_file(broken.join(PARAMS)).unwrap();
        fs::create_dir(folder.path().join("ckpt.tmp-1")).unwrap();
        let checkpoints = Checkpoints::open(folder.path()).unwrap();
        assert!(!folder.path().join("ckpt.tmp-1").exists());
        checkpoints.save(&checkpoint(2)).unwrap();
        assert_eq!(steps(&checkpoints), [2, 1]);
    }
}
