//! A run that starts from a model instead of drawn weights: what the model decides, and which settings it excludes.
//!
//! The model's shape and its normalisation stay, since its weights mean nothing without them. Flash files are refused: they
//! hold rounded weights, and training goes on from the ones that were not.

use std::path::PathBuf;

use crate::cli::RecipeArgs;
use crate::data::{Dataset, Features};
use crate::error::{Error, Result};
use crate::model::{self, Model};
use crate::recipe::config::{MergedConfig, Origin};
use crate::recipe::preset::{self, Facts};
use crate::recipe::{HiddenActivations, Recipe, Standardisation, TrainOn};
use crate::run::Folder;

/// The model that a recipe's `from` names; its shape and normalisation override the recipe's presets.
///
/// # Errors
/// `Usage` where a file or a flag asks for another shape or normalisation, `Model` where the model cannot be read.
pub(super) fn load(config: &mut MergedConfig) -> Result<Option<Model>> {
    let asked = config.recipe()?;
    if asked.from.is_empty() {
        return Ok(None);
    }
    let path = &PathBuf::from(&asked.from);
    if model::flash(path)?.is_some() {
        return Err(Error::model(format!(
            "{}: a flash file holds rounded weights; --from takes the model that it was made of",
            path.display()
        )));
    }
    let model = Model::load(path)?;
    let normalisation = &model.about.normalisation;
    let before = model.about.recipe.as_ref();
    let asked = match before {
        _ if config.is_explicit("data") => asked,
        Some(before) => {
            // As `eval` and the others find it: where the run remembers it, else where its recipe says.
            let place = Folder::of_model(path).map_or(Ok(None), |run| run.place())?;
            let data = place.and_then(|(place, _)| place.data).map(|data| data.display().to_string());
            let (transpose, first_label) = (before.transpose, before.first_label);
            Recipe { data: data.unwrap_or_else(|| before.data.clone()), transpose, first_label, ..asked }
        }
        None => {
            return Err(Error::usage(format!(
                "{} does not say what it was trained on; name the data with --data",
                path.display()
            )));
        }
    };
    let kept = Recipe {
        hidden: model.shape.widths().skip(1).take(model.shape.layers() - 1).collect(),
        gamma: normalisation.gamma(),
        standardise: match before {
            _ if !normalisation.standardises() => Standardisation::None,
            Some(recipe) => recipe.standardise,
            None if model.about.schema.is_some() => Standardisation::Column,
            None => Standardisation::Pixel,
        },
        activation: HiddenActivations::of(model.shape),
        ..asked
    };
    // Its own samples are read and split as they were, so that it is tested on none that it has met.
    let kept = match before {
        Some(before) if kept.source().is_own() => Recipe {
            task: before.task,
            target: before.target.clone(),
            drop: before.drop.clone(),
            categorical: before.categorical.clone(),
            missing: before.missing,
            group: before.group.clone(),
            time: before.time.clone(),
            window: before.window,
            stride: before.stride,
            test: before.test.clone(),
            size: before.size.clone(),
            channels: before.channels,
            seed: before.seed,
            ..kept
        },
        _ => kept,
    };
    config.merge_model(&kept, path)?;
    Ok(Some(model))
}

/// Refuses samples that answer something else than the model, or whose columns are others.
///
/// # Errors
/// `Model` with what differs.
pub(super) fn check_columns(model: &Model, recipe: &Recipe, dataset: &Dataset) -> Result<()> {
    let about = &model.about;
    let what = if about.task != dataset.task {
        format!("answers the task {}, and the data ask for {}", about.task.name(), dataset.task.name())
    } else if let (Some(own), Some(other)) = (&about.schema, &dataset.schema)
        && !own.targets.is_empty()
        && !own.same_columns(other)
    {
        "has other columns, targets or classes than the data, or has them in another order".into()
    } else {
        return Ok(());
    };
    Err(Error::model(format!(
        "{} {what}; continue with a table like the one that it was trained on, or train a new model without --from",
        recipe.from
    )))
}

/// Whether the recipe is the preset `auto`: where it was named, or where no preset was and the samples are the user's own.
pub(super) fn is_auto(args: &RecipeArgs, recipe: &Recipe) -> bool {
    match args.preset.as_deref() {
        Some(name) => name == "auto",
        None => recipe.source().is_own(),
    }
}

/// Completes the preset `auto` by the samples.
///
/// # Errors
/// As [`MergedConfig::recipe`].
pub(super) fn settle(config: &mut MergedConfig, dataset: &Dataset) -> Result<()> {
    let set = &dataset.train;
    let held_out = match &set.validation {
        Some(val) => val.len(),
        None => set.len() / 6,
    };
    let facts = Facts {
        samples: set.len() - held_out,
        inputs: set.features.width(),
        task: dataset.task,
        pictures: matches!(set.features, Features::Images(_)),
    };
    let mut keys = preset::auto(facts);
    // Without validation samples there is nothing to wait for.
    if config.recipe()?.train_on == TrainOn::All {
        keys.insert("patience".into(), 0.into());
    }
    config.merge_below(keys, &Origin::Preset("auto".into()))
}

/// Whether the model may have been trained on images that `recipe` validates on.
pub(super) fn has_met_validation(model: &Model, recipe: &Recipe) -> bool {
    model.about.recipe.as_ref().is_some_and(|before| {
        let split = |r: &Recipe| (r.seed, r.rng, r.train_on);
        before.data == recipe.data && split(before) != split(recipe)
    })
}

/// What to warn of where a model was trained on files that were read with other options.
pub(super) fn check_reading(model: &Model, recipe: &Recipe) -> Vec<String> {
    let Some(before) = &model.about.recipe else { return Vec::new() };
    let flags = [
        [before, recipe].map(|r| if r.transpose { "--transpose" } else { "--transpose=false" }.to_string()),
        [before, recipe].map(|r| format!("--first-label {}", r.first_label)),
    ];
    let differ = flags.into_iter().filter(|[was, is]| was != is).map(|[was, is]| {
        format!(
            "{} was trained with {was}, and this run is with {is}: add {was} where the files are alike",
            recipe.from
        )
    });
    differ.collect()
}
