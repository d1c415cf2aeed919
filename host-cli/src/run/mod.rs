//! The folder of a run: `config.toml` says how it is trained, `run.json` where, `metrics.jsonl` what came of each epoch;
//! then the model, and until then a checkpoint and a copy of the model that the run starts from, if there is one. A run
//! that is overwritten lies in `previous/`, whole, until the new one has come to its end.
//!
//! Each file is whole at every moment. `config.toml` is written last at the start: where it is, the run can be resumed.
//! Every file carries a [checksum], which is checked whenever it is read. Runs that were made before there were any have
//! none; `run.json` with one says that the others must have one.

pub mod checkpoint;
mod read;

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, typed};
use crate::files;
use crate::files::checksum;
use crate::model::{self, Model};
use crate::recipe::{Recipe, config};

const METRICS: &str = "metrics.jsonl";
const RUN_INFO: &str = "run.json";
const START: &str = "start.safetensors";
/// All files of a run.
const FILES: [&str; 6] = [config::FILE, model::FILE, METRICS, checkpoint::FILE, RUN_INFO, START];

/// Where and on which machine a run is trained. It is no part of the recipe, but a run that is resumed uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunInfo {
    /// The program's version.
    pub version: String,
    /// The backend, with `auto` resolved.
    pub backend: String,
    /// The operating system and the processor's kind.
    pub machine: String,
    /// `--data-dir`, from the root.
    pub data_dir: Option<PathBuf>,
    /// The folder of `--data`, from the root, where it names one.
    pub data: Option<PathBuf>,
    /// The file of `--test`, from the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<PathBuf>,
    /// The number of classes.
    #[serde(default)]
    pub classes: Option<usize>,
    /// The [fingerprint](crate::data::Dataset::fingerprint) of the data; absent in runs made by older versions.
    #[serde(default)]
    pub data_sha256: Option<String>,
    /// Steps between checkpoints; 0 for none.
    pub checkpoint_every: u64,
}

/// The last line of the metrics of a finished run, in the order of its keys.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct RunResult {
    /// The model's file.
    pub model: String,
    /// Parameters of the network.
    pub parameters: usize,
    /// On the test samples, a fraction; `None` where the answers are no classes.
    pub test_accuracy: Option<f64>,
    /// The measures of the test samples' answers, as `eval --json` has them; absent in runs of older versions.
    pub test: Option<serde_json::Value>,
    /// Of the training steps of all epochs.
    pub train_seconds: f64,
    /// What the run warned of.
    pub warnings: Vec<String>,
}

/// A run's folder.
#[derive(Debug, Clone)]
pub struct Folder(pub PathBuf);

impl Folder {
    /// The folder for a new run: the one named, if it holds no run yet, or the first free `runs/NAME-N`.
    ///
    /// # Errors
    /// `Usage` where it holds a run, `Io` where it cannot be created.
    pub fn create(named: Option<&Path>, overwrite: bool, name: &str) -> Result<Self> {
        let path = match named {
            Some(folder) if Self(folder.into()).taken() && !overwrite => {
                return Err(Error::usage(format!(
                    "{} already holds a run; resume it with `selvedge train --resume {}`, name another --out, or \
                     add --overwrite",
                    folder.display(),
                    typed(folder)
                )));
            }
            Some(folder) => folder.to_path_buf(),
            None => (1..)
                .map(|n| Path::new("runs").join(format!("{name}-{n}")))
                .find(|f| !f.exists())
                .expect("a free number"),
        };
        files::create_folder(&path)?;
        Ok(Self(path))
    }

    /// The run whose model `path` names, as its folder or as the file in it.
    pub fn of_model(path: &Path) -> Option<Self> {
        if path.is_dir() {
            return Some(Self(path.into()));
        }
        let folder = path.parent().filter(|_| path.file_name().is_some_and(|name| name == model::FILE))?;
        Some(Self(if folder.as_os_str().is_empty() { ".".into() } else { folder.into() }))
    }

    /// Locks the folder while the value lives, since two processes would mix their files; `None` where folders cannot be
    /// locked.
    ///
    /// # Errors
    /// `Failed` where another process trains into it.
    pub fn hold(&self) -> Result<Option<File>> {
        let held = File::open(&self.0).and_then(|folder| match folder.try_lock() {
            Ok(()) => Ok(folder),
            Err(refused) => Err(refused.into()),
        });
        match held {
            Err(e) if e.kind() == ErrorKind::WouldBlock => Err(Error::failed(format!(
                "another process is training in {}; wait for it, or name another --out",
                self.0.display()
            ))),
            held => Ok(held.ok()),
        }
    }

    fn taken(&self) -> bool {
        [config::FILE, model::FILE].iter().any(|name| self.0.join(name).exists())
    }

    /// The folder of the run that this one replaces, if it is still there.
    pub fn previous(&self) -> Option<PathBuf> {
        Some(self.0.join(model::PREVIOUS)).filter(|folder| folder.is_dir())
    }

    /// Copies an overwritten run to `previous/`. What is there already stays if it has a model and this run has none.
    fn keep_previous(&self) -> Result<()> {
        if !self.taken() {
            return Ok(());
        }
        if let Some(previous) = self.previous() {
            if previous.join(model::FILE).exists() && !self.model().exists() {
                return Ok(());
            }
            self.forget_previous()?;
        }
        let read = |name: &str| {
            let path = self.0.join(name);
            std::fs::read(&path).map(|bytes| (name.into(), bytes)).map_err(|e| Error::io("read", &path, &e))
        };
        let there = FILES.into_iter().filter(|name| self.0.join(name).exists());
        files::write_folder(
            &self.0.join(model::PREVIOUS),
            &there.map(read).collect::<Result<Vec<_>>>()?,
            None,
        )
    }

    fn forget_previous(&self) -> Result<()> {
        match self.previous() {
            Some(folder) => std::fs::remove_dir_all(&folder).map_err(|e| Error::io("remove", &folder, &e)),
            None => Ok(()),
        }
    }

    /// Keeps a run that is overwritten in `previous/`, removes its files, and writes those of the new run; a model that it
    /// starts from is copied first, since it may be one of them.
    ///
    /// # Errors
    /// `Io` where the folder cannot be written.
    pub fn start(&self, recipe: &Recipe, place: &RunInfo, from: Option<&Model>) -> Result<()> {
        files::remove_leftovers(&self.0)?;
        self.keep_previous()?;
        match from {
            Some(model) => model.save(&self.0.join(START))?,
            None => self.remove(START)?,
        }
        FILES.into_iter().filter(|name| *name != START).try_for_each(|old| self.remove(old))?;
        self.write_run_info(place)?;
        self.write_recipe(recipe)
    }

    /// Replaces `run.json`. In a run that was made before there were checksums it is the last file to get one, since it
    /// vouches that the others have theirs.
    ///
    /// # Errors
    /// `Io` where it cannot be written.
    pub fn write_run_info(&self, place: &RunInfo) -> Result<()> {
        let object = serde_json::to_string_pretty(place).map_err(|e| Error::failed(e.to_string()))?;
        let mut text = String::new();
        checksum::push_json(&mut text, &object);
        files::write_atomic(&self.0.join(RUN_INFO), text.as_bytes())
    }

    /// Replaces `config.toml`.
    ///
    /// # Errors
    /// `Io` where it cannot be written.
    pub fn write_recipe(&self, recipe: &Recipe) -> Result<()> {
        let mut text = recipe.to_toml()?;
        checksum::append_checksum_toml(&mut text);
        files::write_atomic(&self.0.join(config::FILE), text.as_bytes())
    }

    /// Removes what only an unfinished run needs, and the run that it replaced.
    ///
    /// # Errors
    /// `Io` where it cannot be removed.
    pub fn finish(&self) -> Result<()> {
        self.forget_previous()?;
        [checkpoint::FILE, START].iter().try_for_each(|name| self.remove(name))
    }

    /// Replaces `metrics.jsonl`, whose lines have their checksums.
    ///
    /// # Errors
    /// `Io` where it cannot be written.
    pub fn write_metrics(&self, text: &str) -> Result<()> {
        files::write_atomic(&self.0.join(METRICS), text.as_bytes())
    }

    /// The model's file.
    pub fn model(&self) -> PathBuf {
        self.0.join(model::FILE)
    }

    /// Removes one of its files, if it is there.
    ///
    /// # Errors
    /// `Io` where it cannot be removed.
    fn remove(&self, name: &str) -> Result<()> {
        let path = self.0.join(name);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io("replace", &path, &e)),
            _ => Ok(()),
        }
    }
}
