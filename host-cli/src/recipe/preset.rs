//! The named recipes, written as in a config file.
//!
//! `fast`, `best` and `wide` were selected by validation accuracy and train on all images; `--train-on split` makes them
//! validate again.

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

/// All presets.
pub const PRESETS: [Preset; 4] = [
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
