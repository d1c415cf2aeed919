//! The sources of a recipe, merged key by key: built-in values, a preset, a file, flags. Each overrides the ones before it.
//! The model that a run starts from overrides built-in values and presets; files and flags may not contradict it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{Recipe, preset};
use crate::error::{Error, ErrorKind, Result};

/// The name of the recipe's file in a run's folder.
pub const FILE: &str = "config.toml";

/// The source of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The program.
    BuiltIn,
    /// `--preset`.
    Preset(String),
    /// `--from`.
    Model(PathBuf),
    /// `-c`.
    File(PathBuf),
    /// A flag of the command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::Preset(name) => write!(f, "preset {name}"),
            Self::Model(path) => write!(f, "model {}", path.display()),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Flag => f.write_str("flag"),
        }
    }
}

/// The merged values and the source of each.
#[derive(Debug, Clone)]
pub struct MergedConfig {
    values: Table,
    origins: BTreeMap<String, Origin>,
}

impl Default for MergedConfig {
    fn default() -> Self {
        Self { values: table(&Recipe::default()), origins: BTreeMap::new() }
    }
}

impl MergedConfig {
    /// Merges the built-in values, a preset, a file and flags.
    ///
    /// # Errors
    /// `Usage` for an unknown preset, a file that cannot be read, and what [`merge`](Self::merge) refuses.
    pub fn resolve(preset: Option<&str>, file: Option<&Path>, flags: Table) -> Result<Self> {
        let mut config = Self::default();
        if let Some(name) = preset {
            config.merge(preset::table(name)?, &Origin::Preset(name.into()))?;
        }
        if let Some(path) = file {
            config.merge(
                read(path, "`selvedge config show` prints a recipe to start from")?,
                &Origin::File(path.into()),
            )?;
        }
        config.merge(flags, &Origin::Flag)?;
        Ok(config)
    }

    /// Merges a table, which overrides the values so far.
    ///
    /// # Errors
    /// `Usage` for an unknown key, with the most similar one, and for a value of the wrong type.
    pub fn merge(&mut self, table: Table, origin: &Origin) -> Result<()> {
        for (key, value) in table {
            self.check(&key, &value).map_err(|why| Error::usage(format!("{origin}: {why}")))?;
            self.values.insert(key.clone(), value);
            self.origins.insert(key, origin.clone());
        }
        Ok(())
    }

    /// Merges the keys of a preset that was chosen for the samples: those that neither a file nor a flag has set.
    ///
    /// # Errors
    /// As [`merge`](Self::merge).
    pub fn merge_below(&mut self, table: Table, origin: &Origin) -> Result<()> {
        self.merge(table.into_iter().filter(|(key, _)| !self.is_explicit(key)).collect(), origin)
    }

    /// Whether a file or a flag has set `key`.
    pub fn is_explicit(&self, key: &str) -> bool {
        matches!(self.origins.get(key), Some(Origin::File(_) | Origin::Flag))
    }

    /// Merges those values of `kept` that differ, which `model` determines.
    ///
    /// # Errors
    /// `Usage` where a file or a flag has set one of them, and for `init` as a flag, since no weights are drawn.
    pub fn merge_model(&mut self, kept: &Recipe, model: &Path) -> Result<()> {
        let model = Origin::Model(model.into());
        if self.origins.get("init") == Some(&Origin::Flag) {
            return Err(Error::usage(format!("flag: init draws weights, but those of {model} are kept")));
        }
        let current = table(&self.recipe()?);
        for (key, value) in table(kept).into_iter().filter(|(key, value)| current[key] != *value) {
            if let Some(origin @ (Origin::File(_) | Origin::Flag)) = self.origins.get(&key) {
                return Err(Error::usage(format!(
                    "{origin}: {key} = {}, but {model} has {value}, and a run keeps the shape and the normalisation \
                     that it starts from; leave {key} out",
                    current[&key]
                )));
            }
            self.values.insert(key.clone(), value);
            self.origins.insert(key, model.clone());
        }
        Ok(())
    }

    /// Whether a recipe can hold `value` under `key`.
    fn check(&self, key: &str, value: &Value) -> std::result::Result<(), String> {
        if !self.values.contains_key(key) {
            return Err(unknown(key, &self.values.keys().map(String::as_str).collect::<Vec<_>>()));
        }
        match Table::from_iter([(key.to_string(), value.clone())]).try_into::<Recipe>() {
            Ok(_) => Ok(()),
            Err(e) => Err(format!("{key} = {value}: {}", plain(e.message()))),
        }
    }

    /// The recipe, checked.
    ///
    /// # Errors
    /// As [`Recipe::check`].
    pub fn recipe(&self) -> Result<Recipe> {
        let recipe: Recipe =
            self.values.clone().try_into().map_err(|e| Error::usage(e.message().to_string()))?;
        recipe.check()?;
        Ok(recipe)
    }

    /// The source of each value, by its key.
    pub fn origins(&self) -> BTreeMap<String, String> {
        self.values.keys().map(|key| (key.clone(), self.origin(key).to_string())).collect()
    }

    fn origin(&self, key: &str) -> &Origin {
        self.origins.get(key).unwrap_or(&Origin::BuiltIn)
    }

    /// The recipe as a config file, with the source of each value as a comment.
    ///
    /// # Errors
    /// As [`recipe`](Self::recipe).
    pub fn explain(&self) -> Result<String> {
        let text = self.recipe()?.to_toml()?;
        let width = text.lines().map(str::len).max().unwrap_or(0);
        let lines = text.lines().map(|line| {
            let key = line.split(' ').next().unwrap_or_default();
            format!("{line:width$}  # {}", self.origin(key))
        });
        Ok(lines.collect::<Vec<_>>().join("\n"))
    }
}

/// `unknown key X; did you mean Y?`, or the known ones where none is similar.
pub fn unknown(key: &str, known: &[&str]) -> String {
    let similar = known.iter().map(|&k| (strsim::damerau_levenshtein(k, key), k)).min();
    match similar.filter(|&(distance, k)| distance <= 1 + k.len() / 3) {
        Some((_, similar)) => format!("unknown key {key}; did you mean {similar}?"),
        None => format!("unknown key {key}; there are {}", known.join(", ")),
    }
}

/// The parser's message about a value, without the names of Rust's types.
pub(crate) fn plain(message: &str) -> String {
    [("expected usize", "a whole number"), ("expected u64", "a whole number"), ("expected f32", "a number")]
        .into_iter()
        .fold(message.to_string(), |text, (theirs, ours)| text.replace(theirs, &format!("expected {ours}")))
        .replace("expected a sequence", "expected a list in brackets")
}

/// Reads a TOML file; `advice` says what to do where there is none.
///
/// # Errors
/// `Usage` where it cannot be read, with the line where it is not TOML.
pub fn read(path: &Path, advice: &str) -> Result<Table> {
    let text = std::fs::read_to_string(path).map_err(|e| {
        let mut error = Error::unreadable(ErrorKind::Usage, path, &e);
        if e.kind() == std::io::ErrorKind::NotFound {
            error.message += &format!("; {advice}");
        }
        error
    })?;
    parse(&text, &path.display().to_string())
}

/// Parses the TOML of a file called `name`.
///
/// # Errors
/// `Usage` with the line where it is not TOML.
pub fn parse(text: &str, name: &str) -> Result<Table> {
    text.parse::<Table>().map_err(|e| {
        let line = e.span().map_or(0, |s| text[..s.start].matches('\n').count() + 1);
        Error::usage(format!("{name}: line {line}: {}", e.message().replace('\n', "; ")))
    })
}

fn table(recipe: &Recipe) -> Table {
    Table::try_from(recipe).expect("a recipe is a table")
}

#[cfg(test)]
mod tests {
    use super::{MergedConfig, Origin, unknown};
    use crate::recipe::Recipe;
    use crate::recipe::preset::PRESETS;

    #[test]
    fn each_source_overrides_the_ones_before() {
        let mut config =
            MergedConfig::resolve(Some("notebook"), None, "epochs = 7".parse().unwrap()).unwrap();
        assert_eq!(config.recipe().unwrap().epochs, 7);
        let text = config.explain().unwrap();
        let origin = |key: &str| {
            let line = text.lines().find(|l| l.starts_with(&format!("{key} = "))).unwrap();
            line.split(" # ").nth(1).unwrap().to_string()
        };
        assert_eq!([origin("epochs"), origin("lr"), origin("rng")], ["flag", "preset notebook", "built in"]);
        assert_eq!(
            text.parse::<toml::Table>().unwrap().try_into::<Recipe>().unwrap(),
            config.recipe().unwrap()
        );
        let error = config.merge("epoch = 7".parse().unwrap(), &Origin::Flag).unwrap_err();
        assert_eq!(error.message, "flag: unknown key epoch; did you mean epochs?");
        let error = config.merge("epochs = 'x'".parse().unwrap(), &Origin::Flag).unwrap_err();
        assert!(error.message.starts_with("flag: epochs = \"x\": invalid type"), "{error}");
        assert!(unknown("zzzzzz", &["a", "b"]).ends_with("there are a, b"));
    }

    #[test]
    fn every_preset_is_a_recipe() {
        for preset in PRESETS {
            MergedConfig::resolve(Some(preset.name), None, toml::Table::new()).unwrap().recipe().unwrap();
        }
        assert!(MergedConfig::resolve(Some("none"), None, toml::Table::new()).is_err());
    }
}
