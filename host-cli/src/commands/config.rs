//! `selvedge config`: recipes and where their values come from.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;

use super::start;
use crate::cli::Config;
use crate::error::Result;
use crate::recipe::Recipe;
use crate::recipe::preset::{self, PRESETS, Preset};
use crate::terminal::Output;

/// A recipe as JSON, and of each key who set it.
#[derive(Serialize)]
struct Shown {
    recipe: Recipe,
    origins: BTreeMap<String, String>,
}

/// Prints a recipe, or the names of recipes.
///
/// # Errors
/// As the command line documents.
pub fn run(args: &Config) -> Result<()> {
    let mut output = Output::default();
    match args {
        Config::Show(args) => {
            let mut config = args.recipe.merged_config(&args.data)?;
            let from = start::load(&mut config)?;
            let recipe = config.recipe()?;
            if from.is_none() && start::is_auto(&args.recipe, &recipe) {
                let dataset = recipe.source().load(args.data.data_dir.as_deref(), &recipe.reading())?;
                start::settle(&mut config, &dataset)?;
            }
            if args.json {
                return output.json(&Shown { recipe: config.recipe()?, origins: config.origins() });
            }
            output.raw(config.explain()?)
        }
        Config::Presets { json: true } => {
            let preset =
                |p: &Preset| Ok(json!({"name": p.name, "about": p.about, "recipe": preset::table(p.name)?}));
            output.json(&json!({"presets": PRESETS.iter().map(preset).collect::<Result<Vec<_>>>()?}))
        }
        Config::Presets { json: false } => {
            let wide = PRESETS.iter().map(|p| p.name.len()).max().unwrap_or(0);
            PRESETS.iter().try_for_each(|p| output.line(format!("{:wide$}  {}", p.name, p.about)))
        }
    }
}
