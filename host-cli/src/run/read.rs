//! Reading a run's folder: every file is checked, and an error about a damaged one says what is left of the run.

use std::io::ErrorKind;

use super::{Folder, METRICS, RUN_INFO, RunInfo, RunResult, START};
use crate::error::{Error, Result, typed};
use crate::files;
use crate::files::checksum;
use crate::model::Model;
use crate::pipeline::Epoch;
use crate::recipe::{Recipe, config};
use crate::run::checkpoint;

/// The keys of a line of `metrics.jsonl`: of an epoch, or of the result.
fn metrics_keys() -> Result<Vec<String>> {
    let failed = |e: serde_json::Error| Error::failed(e.to_string());
    let lines = [
        serde_json::to_value(Epoch::default()).map_err(failed)?,
        serde_json::to_value(RunResult::default()).map_err(failed)?,
    ];
    Ok(lines.iter().filter_map(|line| line.as_object()).flat_map(|keys| keys.keys().cloned()).collect())
}

impl Folder {
    /// The recipe and the place of the run.
    ///
    /// # Errors
    /// `Usage` where the folder holds no run, `Failed` where it is damaged.
    pub fn open(&self) -> Result<(Recipe, RunInfo)> {
        let path = self.0.join(config::FILE);
        if !path.exists() {
            return self.open_by_checkpoint();
        }
        files::remove_leftovers(&self.0)?;
        let Some((place, signed)) = self.place()? else {
            return Err(self.damaged(RUN_INFO, "it is missing"));
        };
        let text = std::fs::read(&path).map_err(|e| Error::io("read", &path, &e))?;
        let recipe = parse_recipe(&text, signed, &path.display().to_string());
        let recipe: Recipe = recipe.map_err(|why| self.damaged(config::FILE, &why))?;
        recipe.check()?;
        Ok((recipe, place))
    }

    /// As [`open`](Self::open) without `config.toml`, which is written again: the checkpoint holds the recipe too.
    fn open_by_checkpoint(&self) -> Result<(Recipe, RunInfo)> {
        let (Some((recipe, _)), Some((place, _))) = (checkpoint::recipe_and_data(&self.0), self.place()?)
        else {
            return Err(Error::usage(format!(
                "{} holds no run: it has no {}; `selvedge train --out {}` starts one",
                self.0.display(),
                config::FILE,
                typed(&self.0)
            )));
        };
        recipe.check()?;
        files::remove_leftovers(&self.0)?;
        self.write_recipe(&recipe)?;
        Ok((recipe, place))
    }

    /// What `run.json` says, if it is there, and whether it has a checksum.
    ///
    /// # Errors
    /// `Failed` where it is damaged.
    pub fn place(&self) -> Result<Option<(RunInfo, bool)>> {
        let Some(text) = self.read_text(RUN_INFO)? else { return Ok(None) };
        let (object, signed) = checksum::read_json(&text, 0).map_err(|why| self.damaged(RUN_INFO, &why))?;
        let place = serde_json::from_value(object).map_err(|e| self.damaged(RUN_INFO, &e.to_string()))?;
        Ok(Some((place, signed)))
    }

    /// The text of one of its files, if it is there.
    fn read_text(&self, name: &str) -> Result<Option<String>> {
        let path = self.0.join(name);
        match std::fs::read(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io("read", &path, &e)),
            Ok(bytes) => String::from_utf8(bytes).map(Some).map_err(|_| self.damaged(name, "it is no text")),
        }
    }

    /// The error for a damaged file: what is left of the run, and what to type.
    fn damaged(&self, name: &str, why: &str) -> Error {
        let (path, run) = (self.0.join(name), typed(&self.0));
        let config = typed(&self.0.join(config::FILE));
        let next = match name {
            config::FILE if checkpoint::recipe_and_data(&self.0).is_some() => format!(
                "the checkpoint holds the recipe too: `rm {config}`, then `selvedge train --resume {run}` goes on by it"
            ),
            config::FILE => format!(
                "if it was edited on purpose, `selvedge train -c {config} --out NEW` trains by it; if not, train again"
            ),
            METRICS => format!("remove it, `rm {}`, to go on without what it said", typed(&path)),
            _ if why.starts_with("unknown field") => {
                "a newer version wrote it, or it is another program's file: move it away".into()
            }
            _ => format!(
                "if it was edited on purpose, take its last member, {}, out; if not, `selvedge train -c {config} --out \
                 {run} --overwrite` starts the run again",
                checksum::KEY
            ),
        };
        let mut error = Error::failed(format!("{} is damaged: {why}; {next}", path.display()));
        error.message += &self.left();
        error
    }

    /// What is left of a damaged run, after `; `: its model if that is whole, and the run before it.
    pub fn left(&self) -> String {
        let mut text = String::new();
        if let Ok(model) = Model::load(&self.model()) {
            let path = typed(&self.model());
            text += &format!(
                "; the model is whole, after {} epochs: `selvedge train --from {path} --out NEW` trains it \
                 further",
                model.about.epochs_done
            );
        }
        if let Some(previous) = self.previous() {
            text += &format!("; the run before it is in {}", previous.display());
        }
        text
    }

    /// The lines of `metrics.jsonl`, without their checksums.
    ///
    /// # Errors
    /// `Failed` where a line is damaged or missing.
    pub fn metrics(&self) -> Result<Vec<serde_json::Value>> {
        let Some(text) = self.read_text(METRICS)? else { return Ok(Vec::new()) };
        let signed = self.place()?.is_some_and(|(_, signed)| signed);
        parse_metrics(&text, signed, &metrics_keys()?).map_err(|why| self.damaged(METRICS, &why))
    }

    /// What `run.json` says, if it is there, as text.
    ///
    /// # Errors
    /// `Failed` where it is damaged.
    pub fn place_text(&self) -> Result<String> {
        self.place()?;
        Ok(self.read_text(RUN_INFO)?.unwrap_or_default())
    }

    /// The model that the run starts from, where its recipe names one.
    ///
    /// # Errors
    /// `Model` where it cannot be read.
    pub fn from(&self, recipe: &Recipe) -> Result<Option<Model>> {
        if recipe.from.is_empty() {
            return Ok(None);
        }
        let again = |error: Error| {
            let (config, run) = (typed(&self.0.join(config::FILE)), typed(&self.0));
            error.with_advice(format_args!(
                "`selvedge train -c {config} --out {run} --overwrite` starts the run again from {}{}",
                recipe.from,
                self.left()
            ))
        };
        Model::load(&self.0.join(START)).map(Some).map_err(again)
    }

    /// Whether the run is finished.
    ///
    /// # Errors
    /// `Failed` where `metrics.jsonl` is damaged and no checkpoint is there to write it again from, `Model` where the model is.
    pub fn finished(&self) -> Result<bool> {
        if !self.model().exists() {
            return Ok(false);
        }
        let ended = match self.metrics() {
            Err(_) if self.0.join(checkpoint::FILE).exists() => false,
            metrics => metrics?.last().is_some_and(|line| line.get("model").is_some()),
        };
        if ended {
            Model::load(&self.model())?;
        }
        Ok(ended)
    }
}

/// The recipe in the bytes of a `config.toml`, which must be `signed` or not; or why there is none.
fn parse_recipe(bytes: &[u8], signed: bool, name: &str) -> std::result::Result<Recipe, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is no text")?;
    if !checksum::check_toml(text)? && signed {
        return Err("its checksum is missing".into());
    }
    let table = config::parse(text, name).map_err(|e| e.message)?;
    table.try_into().map_err(|e: toml::de::Error| e.message().to_string())
}

/// The lines of a `metrics.jsonl` of these keys, which must be `signed` or not; or which line is wrong, and why.
fn parse_metrics(
    text: &str,
    signed: bool,
    keys: &[String],
) -> std::result::Result<Vec<serde_json::Value>, String> {
    let (mut lines, mut from, mut signed) = (Vec::new(), 0, signed);
    let whole = text.strip_suffix('\n').unwrap_or(text);
    for (n, line) in whole.split('\n').enumerate().filter(|_| !whole.is_empty()) {
        let bad = |why: &str| format!("line {}: {why}", n + 1);
        let (object, has_checksum) =
            checksum::read_json(&text[..from + line.len()], from).map_err(|why| bad(&why))?;
        signed |= has_checksum && n == 0;
        if signed != has_checksum {
            return Err(bad("its checksum is missing"));
        }
        let unknown = object.as_object().and_then(|o| o.keys().find(|key| !keys.contains(key)));
        if let Some(key) = unknown {
            return Err(bad(&format!("unknown key {key}")));
        }
        if object.get("epoch").is_some_and(|epoch| epoch.as_u64() != Some(n as u64 + 1)) {
            return Err(bad(&format!("epoch {} is missing", n + 1)));
        }
        from += line.len() + 1;
        lines.push(object);
    }
    Ok(lines)
}
