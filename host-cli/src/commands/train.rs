//! `selvedge train`: a run and its folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::ProgressBar;
use selvedge::Mlp;
use serde_json::json;

use super::load_data;
use crate::cli;
use crate::crew::Crew;
use crate::data::Dataset;
use crate::draws::Draws;
use crate::error::{Error, Exit, Result};
use crate::evaluate::evaluate;
use crate::files;
use crate::interrupt;
use crate::memory::{Floats, size};
use crate::model::{self, About, Model};
use crate::recipe::Recipe;
use crate::terminal::{self, Output};
use crate::train::{Ending, Epoch, Flow, Observer, train};

/// Trains as the flags say.
///
/// # Errors
/// As the command line documents.
pub fn run(args: cli::Train) -> Result<()> {
    let recipe = args.recipe.layers(args.data.data.as_ref())?.recipe()?;
    let dataset = load_data(&args.data, Some(&recipe))?;
    let shape = recipe.shape(dataset.train.images.pixels_per_image(), dataset.classes.len())?;
    let mlp = Mlp { shape, backend: recipe.backend()? };
    let split = recipe.split(dataset.train.images.count);
    recipe.check_batch(split.train.len())?;
    let mut params = Floats::zeroed(shape.params(), &format!("the parameters of {shape}"))?;
    let mut draws = Draws::new(recipe.rng, recipe.seed);
    draws.weights(recipe.init.0, shape, &mut params).map_err(Error::misused)?;

    let folder = folder(&args, &recipe, &dataset)?;
    interrupt::listen()?;
    let mut run = Run::start(&args, &recipe, &dataset, folder)?;
    if !args.quiet {
        eprintln!(
            "{shape}, {} parameters ({}), backend {}, {} training and {} validation images; run folder {}",
            shape.params(),
            size(4 * shape.params() as u64),
            mlp.backend.name(),
            split.train.len(),
            split.val.len(),
            run.folder.display()
        );
    }
    let crew = Crew::new(args.threads);
    let ending = train(&crew, &mlp, &recipe, &dataset, &split, &mut draws, &mut params, &mut run)?;
    run.bar.finish_and_clear();
    run.end(ending, &crew, mlp, params)
}

/// The folder of the run: the one named, if it holds no run yet, or the first free one.
fn folder(args: &cli::Train, recipe: &Recipe, dataset: &Dataset) -> Result<PathBuf> {
    let taken = |folder: &Path| ["config.toml", model::FILE].iter().any(|f| folder.join(f).exists());
    let folder = match &args.out {
        Some(folder) if taken(folder) && !args.overwrite => {
            return Err(Error::misused(format!(
                "{} already holds a run; name another --out, or add --overwrite",
                folder.display()
            )));
        }
        Some(folder) => folder.clone(),
        None => {
            let data = Path::new(&dataset.name).file_name().map_or("data".into(), |n| n.to_string_lossy());
            (1..)
                .map(|n| Path::new("runs").join(format!("{data}-{}-{n}", recipe.hidden_name())))
                .find(|f| !f.exists())
                .expect("a free number")
        }
    };
    files::create_folder(&folder)?;
    Ok(folder)
}

/// A run as it is watched: its folder, its lines, its bar.
struct Run<'a> {
    args: &'a cli::Train,
    recipe: &'a Recipe,
    dataset: &'a Dataset,
    folder: PathBuf,
    metrics: String,
    seconds: f64,
    last: Option<Epoch>,
    bar: ProgressBar,
    output: Output,
}

impl<'a> Run<'a> {
    /// Writes the recipe, and removes what an overwritten run left.
    fn start(
        args: &'a cli::Train,
        recipe: &'a Recipe,
        dataset: &'a Dataset,
        folder: PathBuf,
    ) -> Result<Self> {
        for old in [model::FILE, "metrics.jsonl"] {
            let path = folder.join(old);
            if path.exists() {
                std::fs::remove_file(&path).map_err(|e| Error::io("replace", &path, &e))?;
            }
        }
        files::write_atomic(&folder.join("config.toml"), recipe.to_toml()?.as_bytes())?;
        let bar = terminal::bar(1, !args.quiet);
        bar.enable_steady_tick(Duration::from_millis(200));
        Ok(Self {
            args,
            recipe,
            dataset,
            folder,
            metrics: String::new(),
            seconds: 0.0,
            last: None,
            bar,
            output: Output::default(),
        })
    }

    /// Adds a line to `metrics.jsonl`.
    fn log(&mut self, value: &impl serde::Serialize) -> Result<()> {
        self.metrics += &serde_json::to_string(value).map_err(|e| Error::failed(e.to_string()))?;
        self.metrics.push('\n');
        files::write_atomic(&self.folder.join("metrics.jsonl"), self.metrics.as_bytes())
    }

    /// Keeps the model, and says how the run ended.
    fn end(mut self, ending: Ending, crew: &Crew, mlp: Mlp, params: Floats) -> Result<()> {
        let path = self.folder.join(model::FILE);
        let epochs_done = self.last.map_or(0, |e| e.epoch);
        if let (Ending::Diverged { epoch, step }, 0) = (ending, epochs_done) {
            return Err(diverged(epoch, step, "no whole epoch was done, so no model was kept"));
        }
        let model = Model {
            shape: mlp.shape,
            params,
            about: About {
                version: env!("CARGO_PKG_VERSION").into(),
                classes: self.dataset.classes.clone(),
                image: Some((self.dataset.train.images.rows, self.dataset.train.images.cols)),
                normalisation: "u8/255".into(),
                recipe: Some(self.recipe.clone()),
                epochs_done,
                val_accuracy: self.last.map(|e| e.val_accuracy),
            },
        };
        model.save(&path)?;
        match ending {
            Ending::Done => {}
            Ending::Diverged { epoch, step } => {
                let kept = format!("the model after epoch {epochs_done} is in {}", path.display());
                return Err(diverged(epoch, step, &kept));
            }
            Ending::Stopped { epoch, step } => {
                return Err(Error {
                    exit: Exit::Failed,
                    message: format!(
                        "stopped after step {step} of epoch {epoch}; the model as it was then is in {}",
                        path.display()
                    ),
                });
            }
        }
        let test = &self.dataset.test;
        let all: Vec<u32> = (0..test.labels.len() as u32).collect();
        let accuracy = evaluate(crew, &mlp, &model.params, test, &all)?.accuracy();
        let result = json!({
            "model": path.display().to_string(),
            "test_accuracy": accuracy,
            "train_seconds": self.seconds,
            "parameters": mlp.shape.params(),
        });
        self.log(&result)?;
        if self.args.json {
            return self.output.json(&result);
        }
        self.output.line(format!("Test accuracy = {:.2}%", 100.0 * accuracy))?;
        self.output.line(format!("Model = {}", path.display()))?;
        if !self.args.quiet {
            eprintln!("next: selvedge eval {0}   or   selvedge predict {0} --index 0", self.folder.display());
        }
        Ok(())
    }
}

fn diverged(epoch: usize, step: usize, kept: &str) -> Error {
    Error::failed(format!(
        "the loss is not finite at step {step} of epoch {epoch}: the run diverged; {kept}; try a smaller --lr"
    ))
}

impl Observer for Run<'_> {
    fn step(&mut self, epoch: usize, step: usize, steps: usize) -> Flow {
        // Redrawing at every step would cost more than the step.
        if step == 1 {
            self.bar.set_length(steps as u64);
            self.bar.set_message(format!("epoch {epoch}/{}", self.recipe.epochs));
        }
        if step.is_multiple_of(64) || step == steps || step == 1 {
            self.bar.set_position(step as u64);
        }
        if interrupt::asked() { Flow::Stop } else { Flow::Continue }
    }

    fn epoch(&mut self, epoch: &Epoch, _: &[f32]) -> Result<()> {
        self.seconds += epoch.seconds;
        self.last = Some(*epoch);
        self.log(epoch)?;
        if self.args.json {
            return self.output.json(epoch);
        }
        let line = format!(
            "Epoch {}: Loss = {:.4}, Accuracy = {:.2}%, Mean loss = {:.4}, Validation = {:.2}%, {:.0} images/s",
            epoch.epoch,
            epoch.loss_sum,
            100.0 * epoch.train_accuracy,
            epoch.loss,
            100.0 * epoch.val_accuracy,
            epoch.images_per_second
        );
        let output = &mut self.output;
        self.bar.suspend(|| output.line(line))
    }
}
