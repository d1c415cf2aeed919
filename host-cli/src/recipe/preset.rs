//! The named recipes, written as in a config file; [`auto`] for the samples at hand.
//!
//! `fast`, `best` and `wide` were selected by validation accuracy and train on all images; `--train-on split` makes them
//! validate again.

use crate::data::Task;
use crate::error::{Error, Result};

/// A named recipe.
pub struct Preset {
    /// The value of `--preset`.
    pub name: &'static str,
    /// One line about its purpose.
    pub about: &'static str,
    /// The keys that it sets, as TOML in several parts.
    parts: &'static [&'static str],
}

/// The keys that are the same in all recipes that were selected by validation accuracy.
const SELECTED: &str = r#"
        optimizer = "adamw"
        warmup = 0.05
        init = "he-linear"
        gamma = 0.5
        standardise = "pixel"
        train_on = "all"
    "#;

/// The keys of `auto` that are the same for all samples.
const AUTO: &str = r#"
        optimizer = "adamw"
        schedule = "cosine"
        warmup = 0.05
        init = "he-linear"
        monitor = "loss"
    "#;

/// What the preset `auto` goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Samples to train on.
    pub samples: usize,
    /// Numbers of a sample.
    pub inputs: usize,
    /// What to answer.
    pub task: Task,
    /// Whether samples are pictures.
    pub pictures: bool,
}

/// The keys of the preset `auto`, chosen by trials with the small tables of scikit-learn and with Fashion-MNIST: a step is
/// worth more than a pass, so few samples get small batches and many epochs; early stopping ends them.
///
/// # Panics
/// Never: the keys are valid TOML.
pub fn auto(facts: Facts) -> toml::Table {
    let Facts { samples, inputs, task, pictures } = facts;
    let batch = (samples / 32).next_power_of_two().clamp(16, 256).min(samples.max(1));
    let steps = samples.div_ceil(batch).max(1);
    let epochs = MIN_STEPS.div_ceil(steps).clamp(MIN_EPOCHS, MAX_EPOCHS);
    let hidden = match task {
        // The code in the middle is smaller than the input, or there is nothing to learn.
        Task::Reconstruct => {
            format!("[{wide}, {narrow}, {wide}]", wide = 64, narrow = (inputs / 3).clamp(2, 16))
        }
        _ if pictures => "[128]".into(),
        _ => "[64]".into(),
    };
    let standardise = if pictures { "pixel" } else { "column" };
    // Decay acts at each step, so that many steps need less.
    let decay = (MIN_STEPS as f64 / (steps * epochs) as f64).min(1.0);
    let text = format!(
        "hidden = {hidden}\nbatch = {batch}\nepochs = {epochs}\nlr = 0.003\nweight_decay = {decay:.3}\nstandardise = \
         \"{standardise}\"\npatience = {}",
        (epochs / 5).max(5)
    );
    [AUTO, &text].concat().parse().expect("presets are valid TOML")
}

/// The steps that a run of `auto` takes at least, unless it stops early, and the limits of its epochs.
const MIN_STEPS: usize = 3000;
const MIN_EPOCHS: usize = 20;
const MAX_EPOCHS: usize = 400;

/// All presets.
pub const PRESETS: [Preset; 5] = [
    Preset {
        name: "notebook",
        about: "the notebook that this project grew from, its best configuration to the letter",
        parts: &[r#"
        hidden = [128]
        epochs = 5
        batch = 64
        lr = 0.1
        loss_epsilon = 1e-9
        init = "normal:0.01"
        seed = 42
    "#],
    },
    Preset {
        name: "fast",
        about: "784-128-10 in five epochs: 89.8 % of Fashion-MNIST's test images, in seconds",
        parts: &[
            SELECTED,
            r#"
        hidden = [128]
        epochs = 5
        batch = 64
        lr = 0.004
        weight_decay = 0.01
        schedule = "linear"
    "#,
        ],
    },
    Preset {
        name: "best",
        about: "784-128-10, the best that was found: 90.4 %",
        parts: &[
            SELECTED,
            r#"
        hidden = [128]
        epochs = 25
        batch = 64
        lr = 0.003
        weight_decay = 0.1
        schedule = "cosine"
        label_smoothing = 0.1
    "#,
        ],
    },
    Preset {
        name: "wide",
        about: "784-512-512-10, the best that was found: 91.0 %, in a minute",
        parts: &[
            SELECTED,
            r#"
        hidden = [512, 512]
        epochs = 15
        batch = 128
        lr = 0.0015
        weight_decay = 0.1
        schedule = "cosine"
        label_smoothing = 0.1
        dropout = 0.2
    "#,
        ],
    },
    Preset {
        name: "auto",
        about: "by the number of samples, inputs and answers: the default of tables, arrays and picture folders",
        parts: &[AUTO],
    },
];

/// The keys of a preset.
///
/// # Errors
/// `Usage` with the names of the presets.
pub fn table(name: &str) -> Result<toml::Table> {
    let preset = PRESETS.iter().find(|p| p.name == name).ok_or_else(|| {
        let names: Vec<_> = PRESETS.iter().map(|p| p.name).collect();
        Error::usage(format!("no preset {name}: there are {}", names.join(", ")))
    })?;
    Ok(preset.parts.concat().parse().expect("presets are valid TOML"))
}
