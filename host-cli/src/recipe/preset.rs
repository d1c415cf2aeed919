//! The named recipes, written as a config file would write them.
//!
//! `fast`, `best` and `wide` were chosen by their accuracy on validation images and train on all images: with
//! `--train-on split` they validate again.

use crate::error::{Error, Result};

/// A name, what it is for, and the keys that it sets.
pub struct Preset {
    /// What `--preset` calls it.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// TOML, in parts.
    parts: &'static [&'static str],
}

/// What the searches on validation images agreed on.
const FOUND: &str = r#"
        optimizer = "adamw"
        warmup = 0.05
        init = "he-linear"
        gamma = 0.5
        standardise = "pixel"
        train_on = "all"
    "#;

/// All of them.
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
            FOUND,
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
            FOUND,
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
            FOUND,
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
/// Exit code 2 with the names that there are.
pub fn table(name: &str) -> Result<toml::Table> {
    let preset = PRESETS.iter().find(|p| p.name == name).ok_or_else(|| {
        let names: Vec<_> = PRESETS.iter().map(|p| p.name).collect();
        Error::misused(format!("no preset {name}: there are {}", names.join(", ")))
    })?;
    Ok(preset.parts.concat().parse().expect("presets are valid TOML"))
}
