//! `selvedge config`: recipes and where their values come from.

use crate::cli::Config;
use crate::error::Result;
use crate::recipe::preset::PRESETS;
use crate::start;
use crate::terminal::Output;

/// Prints a recipe, or the names of recipes.
///
/// # Errors
/// As the command line documents.
pub fn run(args: &Config) -> Result<()> {
    let mut output = Output::default();
    match args {
        Config::Show(args) => {
            let mut layers = args.recipe.layers(args.data.data.as_ref())?;
            start::of(&mut layers)?;
            output.line(layers.explain()?)
        }
        Config::Presets => {
            let wide = PRESETS.iter().map(|p| p.name.len()).max().unwrap_or(0);
            PRESETS.iter().try_for_each(|p| output.line(format!("{:wide$}  {}", p.name, p.about)))
        }
    }
}
