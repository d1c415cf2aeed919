//! Cross-validation: as many runs as folds, each tested on its own fold. Nothing is kept but the figures.

use serde_json::{Map, Value, json};

use super::super::{assessment, start};
use super::setup::Run;
use crate::cli;
use crate::error::{Error, ErrorKind, Result};
use crate::inference::assess::assess;
use crate::inference::network::Network;
use crate::pipeline::{Ending, Pipeline};
use crate::recipe::config::MergedConfig;
use crate::terminal::interrupt::{self, UntilInterrupted};
use crate::terminal::{self, Output, Warnings, table};
use crate::thread_pool::ThreadPool;

/// Trains and tests on every fold, and prints the figures.
pub(super) fn run(args: &cli::Train, config: MergedConfig, run: &Run, folds: usize) -> Result<()> {
    if folds < 2 {
        return Err(Error::usage(format!("--folds {folds}: take 2 or more")));
    }
    if run.from.is_some() {
        return Err(Error::usage(
            "--folds draws new weights for each fold; leave --from out, whose model has met all of them",
        ));
    }
    if !run.recipe.test.is_empty() {
        return Err(Error::usage("--folds tests on each fold in turn; leave --test out"));
    }
    if !run.recipe.source().is_own() {
        return Err(Error::usage(
            "--folds goes with a table, a file of arrays or a folder of pictures; the data set has test samples of its own",
        ));
    }
    interrupt::listen(crate::exit::code(ErrorKind::Interrupted))?;
    let pool = ThreadPool::new(args.threads);
    let mut warnings = Warnings::default();
    let bar = terminal::bar(folds, 0, !args.quiet);
    let mut figures = Vec::new();
    for fold in 0..folds {
        bar.set_prefix(format!("fold {}/{folds}", fold + 1));
        figures.push(one(args, config.clone(), run, (fold, folds), &pool, &mut warnings)?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    print(args, &figures, &warnings)
}

/// The figures of one fold.
fn one(
    args: &cli::Train,
    mut config: MergedConfig,
    run: &Run,
    fold: (usize, usize),
    pool: &ThreadPool,
    warnings: &mut Warnings,
) -> Result<Map<String, Value>> {
    let dataset = run.fold(fold)?;
    dataset.warnings.iter().filter(|_| fold.0 == 0).for_each(|text| warnings.add(text));
    if run.from.is_none() && start::is_auto(&args.recipe, &run.recipe) {
        start::settle(&mut config, &dataset)?;
    }
    let recipe = config.recipe()?;
    let mlp = run.mlp_of(&recipe, &dataset)?;
    let pipeline = Pipeline::new(&recipe, &dataset, mlp, run.from.as_ref())?;
    let mut state = pipeline.initial_state()?;
    match pipeline.train(pool, &mut state, &mut UntilInterrupted)? {
        Ending::Done => {}
        Ending::Stopped => {
            return Err(Error::new(ErrorKind::Interrupted, "stopped; the figures of folds are not kept"));
        }
        Ending::Diverged { epoch, step } => {
            return Err(Error::failed(format!(
                "the loss is not finite at step {step} of epoch {epoch} of fold {}; try a smaller --lr",
                fold.0 + 1
            )));
        }
    }
    let network = Network::Float(Box::new(pipeline.model(pool, state, None)?));
    let test = &dataset.test;
    let tested = assess(&network, pool, test, &test.indices(), None)?;
    let mut line = assessment::json(&tested, &dataset.classes);
    line.insert("fold".into(), json!(fold.0 + 1));
    Ok(line)
}

/// The figures that have a mean, by their keys and how they are called.
const FIGURES: [(&str, &str); 11] = [
    ("accuracy", "accuracy"),
    ("balanced_accuracy", "balanced accuracy"),
    ("macro_f1", "macro F1"),
    ("auc", "ROC AUC"),
    ("ece", "calibration error"),
    ("loss", "loss"),
    ("rmse", "RMSE"),
    ("mae", "MAE"),
    ("r2", "R²"),
    ("score_mean", "mean score"),
    ("threshold", "threshold"),
];

/// A figure of every fold.
struct Figure {
    key: &'static str,
    name: &'static str,
    folds: Vec<f64>,
    mean: f64,
    /// The standard deviation of a sample, as the folds are.
    deviation: f64,
}

impl Figure {
    /// The figure of a key, where every fold has it.
    fn new(&(key, name): &(&'static str, &'static str), figures: &[Map<String, Value>]) -> Option<Self> {
        let folds: Vec<f64> = figures.iter().map(|fold| fold.get(key)?.as_f64()).collect::<Option<_>>()?;
        let mean = folds.iter().sum::<f64>() / folds.len() as f64;
        let squares: f64 = folds.iter().map(|v| (v - mean).powi(2)).sum();
        let deviation = (squares / (folds.len() - 1).max(1) as f64).sqrt();
        Some(Self { key, name, folds, mean, deviation })
    }
}

fn print(args: &cli::Train, figures: &[Map<String, Value>], warnings: &Warnings) -> Result<()> {
    let means: Vec<_> = FIGURES.iter().filter_map(|named| Figure::new(named, figures)).collect();
    let mut output = Output::default();
    if args.json {
        figures.iter().try_for_each(|fold| output.json(fold))?;
        let mut line = Map::new();
        for Figure { key, folds, mean, deviation, .. } in &means {
            line.insert((*key).into(), json!({"mean": mean, "deviation": deviation, "count": folds.len()}));
        }
        line.insert("warnings".into(), json!(warnings.list()));
        return output.json(&line);
    }
    let header = ["fold"].into_iter().chain(means.iter().map(|m| m.name)).map(String::from);
    let row = |name: String, of: &dyn Fn(&Figure) -> f64| -> Vec<String> {
        [name].into_iter().chain(means.iter().map(|m| format!("{:.4}", of(m)))).collect()
    };
    let rows = (0..figures.len()).map(|fold| row((fold + 1).to_string(), &|m| m.folds[fold]));
    let summary = [row("mean".into(), &|m| m.mean), row("deviation".into(), &|m| m.deviation)];
    output.line(table(header, rows.chain(summary)))
}
