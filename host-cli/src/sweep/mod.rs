//! A sweep: recipes that differ in some keys, each trained with several seeds, compared on validation images.
//!
//! A plan follows from a file or a preset alone and lists every trial, so that trials can run in any order, on any number
//! of machines. Test images are used once, for the table, and only in the rows that the plan names: the best one, or all.

pub mod cost;
mod file;
pub mod reference;
pub mod table;
mod text;
pub mod trials;

use serde::{Deserialize, Serialize};
use toml::Table;

use crate::data::Dataset;
use crate::error::{Error, ErrorKind, Result};
use crate::files::checksum;
use crate::recipe::config::{self, MergedConfig, Origin, plain, unknown};
use crate::recipe::{Recipe, TrainOn, preset};
use cost::DeviceBudget;
use file::File;

/// The maximum number of recipes of a sweep, and of its seeds.
const MAX_RECIPES: usize = 10_000;

/// The notebook's table: one network, six recipes.
const NOTEBOOK: &str = r#"
test = "all"
preset = "notebook"
[base]
backend = "auto"
[[list]]
hidden = [128]
[[list]]
hidden = [64]
[[list]]
hidden = [128, 64]
[[list]]
lr = 0.05
[[list]]
batch = 32
[[list]]
hidden = [256]
"#;

/// Which rows of the table are tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tested {
    /// The one that validation picks.
    Best,
    /// All of them, as the notebook did; the best is still picked by validation.
    All,
}

/// Every recipe and every seed of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepPlan {
    /// Which rows are tested.
    pub test: Tested,
    /// Whether it is the notebook's table, which has figures to compare with.
    pub notebook: bool,
    /// The core that costs are computed for.
    pub target: String,
    /// Recipes that would not fit there, and what they lack.
    pub left_out: Vec<String>,
    /// The [fingerprint](Dataset::fingerprint) of the data, once they were read; absent in sweeps made by older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_sha256: Option<String>,
    /// The seeds that each recipe is trained with: the recipes' own and those that follow it, so that more seeds keep the
    /// trials of fewer.
    pub seeds: Vec<u64>,
    /// The recipes; `seeds` replaces their own seeds.
    pub recipes: Vec<Recipe>,
}

/// One recipe with one seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trial {
    /// The position of the recipe, from 0.
    pub config: usize,
    /// The seed.
    pub seed: u64,
}

impl Trial {
    /// A name for its files.
    pub fn name(self) -> String {
        format!("{}-seed-{}", self.config + 1, self.seed)
    }
}

/// The plan in the bytes of a sweep's `sweep.toml`, called `name`, whose checksum is checked if it has one.
///
/// # Errors
/// One clause, where it is damaged.
pub fn read_plan(bytes: &[u8], name: &str) -> std::result::Result<SweepPlan, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is no text")?;
    let signed = checksum::check_toml(text)?;
    let table = config::parse(text, name).map_err(|e| e.message)?;
    let plan: SweepPlan = table.try_into().map_err(|e: toml::de::Error| e.message().to_string())?;
    // Plans that know their data have had checksums from the first on.
    if plan.data_sha256.is_some() && !signed { Err("its checksum is missing".into()) } else { Ok(plan) }
}

impl SweepPlan {
    /// The notebook's sweep.
    ///
    /// # Errors
    /// As [`from_table`](Self::from_table).
    pub fn notebook(seeds: Option<usize>, flags: &Table) -> Result<Self> {
        let table = NOTEBOOK.parse().expect("the notebook's sweep is valid TOML");
        // The notebook's figures compare only with its own networks and training.
        let notebook = flags.keys().all(|key| ["data", "rng", "backend"].contains(&&key[..]))
            && flags.get("data").and_then(toml::Value::as_str) != Some("demo");
        Ok(Self { notebook, ..Self::from_table(table, seeds, flags, "preset notebook")? })
    }

    /// A sweep from its file: `preset` and `[base]` for all recipes, `[[list]]` of alternatives, a `[grid]` of values,
    /// `[random]` search; `seeds` and `test`. `flags` override every recipe, `seeds` the file's.
    ///
    /// # Errors
    /// `Usage` with what is wrong, where `from` says.
    pub fn from_table(table: Table, seeds: Option<usize>, flags: &Table, from: &str) -> Result<Self> {
        let bad = |why: String| Error::usage(format!("{from}: {why}"));
        const KEYS: [&str; 7] = ["preset", "base", "list", "grid", "random", "seeds", "test"];
        if let Some(key) = table.keys().find(|k| !KEYS.contains(&k.as_str())) {
            return Err(bad(unknown(key, &KEYS)));
        }
        let file: File = table
            .try_into()
            .map_err(|e: toml::de::Error| bad(plain(&e.to_string().trim_end().replace('\n', " "))))?;
        let origin = Origin::File(from.into());
        let mut base = MergedConfig::default();
        if let Some(name) = &file.preset {
            let keys = preset::table(name).map_err(|e| bad(e.message))?;
            base.merge(keys, &Origin::Preset(name.clone()))?;
            // A preset that trains on all images was found with five sixths of them, and so are its neighbours.
            base.merge(Table::from_iter([("train_on".into(), "split".into())]), &Origin::BuiltIn)?;
        }
        base.merge(file.base.clone(), &origin)?;
        let mut recipes = Vec::new();
        for changes in file.combinations().map_err(bad)? {
            const SAME: [&str; 4] = ["data", "transpose", "first_label", "seed"];
            if let Some(key) = SAME.into_iter().find(|k| changes.contains_key(*k)) {
                return Err(bad(format!("{key} is the same for all recipes of a sweep; put it into [base]")));
            }
            let mut layers = base.clone();
            layers.merge(changes, &origin)?;
            layers.merge(flags.clone(), &Origin::Flag)?;
            let recipe = layers.recipe()?;
            if !recipe.from.is_empty() {
                return Err(bad("from is for one run; a sweep draws the weights of each of its own".into()));
            }
            if recipe.train_on == TrainOn::All {
                return Err(bad("train_on = \"all\" leaves no images to compare recipes on".into()));
            }
            recipes.push(recipe);
        }
        let first = recipes[0].seed;
        let seeds = match seeds.or(file.seeds).unwrap_or(1) {
            0 => return Err(bad("seeds = 0: train with at least one".into())),
            count if count > MAX_RECIPES => {
                return Err(bad(format!("seeds = {count}: at most {MAX_RECIPES}")));
            }
            count => first..first.saturating_add(count as u64),
        };
        if i64::try_from(seeds.end).is_err() {
            return Err(bad(format!("seed = {first}: too large to count up from")));
        }
        let seeds = seeds.collect();
        let (target, left_out) = (cost::TARGET.into(), Vec::new());
        let (test, data_sha256) = (file.test, None);
        Ok(Self { test, notebook: false, target, left_out, data_sha256, seeds, recipes })
    }

    /// Moves the recipes that would exceed a budget to `left_out`.
    ///
    /// # Errors
    /// `Budget` where none is left.
    pub fn keep_within(&mut self, limits: &DeviceBudget, dataset: &Dataset) -> Result<()> {
        self.target = limits.core.name.into();
        let all = std::mem::take(&mut self.recipes);
        let count = all.len();
        for (n, recipe) in all.into_iter().enumerate() {
            match cost::cost(&recipe, dataset, limits.core)?.short_of(limits.flash, limits.ram) {
                None => self.recipes.push(recipe),
                Some(short) => {
                    self.left_out.push(format!("recipe {} of {count}, {:?}: {short}", n + 1, recipe.hidden));
                }
            }
        }
        // The figures to compare with belong to rows by their number.
        self.notebook &= self.left_out.is_empty();
        if self.recipes.is_empty() {
            let message = format!("every recipe is over budget; {}", self.left_out[0]);
            return Err(Error::new(ErrorKind::Budget, message));
        }
        Ok(())
    }

    /// All trials, recipe by recipe.
    pub fn trials(&self) -> Vec<Trial> {
        let of = |config: usize| self.seeds.iter().map(move |&seed| Trial { config, seed });
        (0..self.recipes.len()).flat_map(of).collect()
    }

    /// The recipe of a trial.
    pub fn recipe(&self, trial: Trial) -> Recipe {
        Recipe { seed: trial.seed, ..self.recipes[trial.config].clone() }
    }

    /// The keys in which the recipes differ, besides those that the table has columns for.
    pub fn varied(&self) -> Vec<String> {
        let tables: Vec<Table> =
            self.recipes.iter().map(|r| Table::try_from(r).expect("a recipe is a table")).collect();
        let columns = ["hidden", "lr", "batch", "epochs"];
        let keys = tables[0].keys().filter(|k| !columns.contains(&k.as_str()));
        keys.filter(|&k| tables.iter().any(|t| t[k] != tables[0][k])).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{SweepPlan, Tested};
    use toml::Table;

    fn plan(text: &str) -> Result<SweepPlan, String> {
        SweepPlan::from_table(text.parse().unwrap(), None, &Table::new(), "f").map_err(|e| e.message)
    }

    #[test]
    fn the_notebook_has_six_recipes() {
        let plan = SweepPlan::notebook(Some(10), &Table::new()).unwrap();
        assert_eq!((plan.recipes.len(), plan.trials().len(), plan.test), (6, 60, Tested::All));
        assert_eq!(plan.seeds, (42..52).collect::<Vec<_>>());
        assert_eq!(SweepPlan::notebook(None, &Table::new()).unwrap().seeds, [42]);
        assert!(plan.recipes.iter().all(|r| r.loss_epsilon == 1e-9 && r.backend == "auto"));
        assert!(plan.varied().is_empty());
    }

    #[test]
    fn lists_grids_and_draws() {
        let both = plan("seeds = 2\n[[list]]\nhidden = [8]\n[[list]]\nhidden = [9]\n[grid]\nlr = [0.1, 0.2]\ndropout = [0.0, 0.1, 0.2]").unwrap();
        assert_eq!(
            (both.recipes.len(), both.seeds.len(), both.varied()),
            (12, 2, vec!["dropout".to_string()])
        );
        let text = "[random]\ntrials = 20\nseed = 1\n[random.keys]\nlr = { low = 0.001, high = 0.1 }\nbatch = [32, 64]";
        let drawn = plan(text).unwrap();
        assert_eq!(drawn, plan(text).unwrap());
        assert_eq!(drawn.recipes.len(), 20);
        assert!(drawn.recipes.iter().all(|r| (0.001..=0.1).contains(&r.lr) && [32, 64].contains(&r.batch)));
        assert!(drawn.recipes.iter().any(|r| r.lr < 0.01) && drawn.recipes.iter().any(|r| r.lr > 0.01));
    }

    #[test]
    fn what_makes_no_sense() {
        for (text, why) in [
            ("grids = 1", "unknown key grids; did you mean grid?"),
            ("[grid]\nlr = 1", "grid.lr: write the values in brackets"),
            ("[grid]\nlrr = [1]", "unknown key lrr; did you mean lr?"),
            ("[grid]\nseed = [1]", "seed is the same for all recipes"),
            ("[base]\ntrain_on = 'all'", "leaves no images"),
            ("[base]\nfrom = 'net'", "from is for one run"),
            ("[random]\ntrials = 1\n[random.keys]\nlr = 3", "random.keys.lr: "),
            ("seeds = -1", "integer `-1`, expected a whole number in `seeds`"),
            ("[random]\ntrials = 1", "random.keys is empty"),
            ("[random]\ntrials = 1\n[random.keys]\nlr = { low = 1, high = 0.1 }", "low 1 is above high 0.1"),
            ("preset = 'none'", "f: no preset none: there are notebook"),
            ("seeds = 0", "seeds = 0"),
            ("seeds = 999999999999999999", "at most 10000"),
            ("seeds = 10000\n[base]\nseed = 9223372036854775807", "too large"),
            ("test = 'some'", "unknown variant"),
        ] {
            let error = plan(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
