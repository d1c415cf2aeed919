//! `selvedge sweep`: many trials, one table.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde::Serialize;

use crate::cli::{Shard, Sweep, SweepAction, SweepRun};
use crate::data::{Dataset, Reading, Task};
use crate::error::{Error, ErrorKind, Result, typed};
use crate::estimate::target;
use crate::exit;
use crate::files;
use crate::files::checksum;
use crate::recipe::{Recipe, config};
use crate::sweep::table::{Spread, Table};
use crate::sweep::trials::Trials;
use crate::sweep::{self, SweepPlan, cost};
use crate::terminal::interrupt;
use crate::terminal::{self, Output, Warnings, count};
use crate::thread_pool::{ThreadPool, Threads};

const PLAN: &str = "sweep.toml";
const ADVICE: &str = "docs/sweeps.md shows one";

/// Sweeps, or merges.
///
/// # Errors
/// As the command line documents.
pub fn run(args: &Sweep) -> Result<()> {
    match &args.action {
        Some(SweepAction::Merge { shards, out, data_dir, json }) => {
            let mut warnings = Warnings::default();
            show(&merge(shards, out, data_dir.as_deref(), &mut warnings)?, &warnings, *json)
        }
        None => all(&args.run),
    }
}

fn all(args: &SweepRun) -> Result<()> {
    let mut plan = plan(args)?;
    let mut warnings = Warnings::default();
    let recipe = &plan.recipes[0];
    let dataset = load(recipe, args.data.reading.transpose, args.data.data_dir.as_deref(), &mut warnings)?;
    if let Some(limits) = &args.budget {
        plan.keep_within(limits, &dataset)?;
    }
    plan.data_sha256 = Some(dataset.fingerprint());
    let folder = args.out.clone().unwrap_or_else(|| match args.shard {
        None => "runs/sweep".into(),
        Some(shard) => format!("runs/sweep-{}-of-{}", shard.number, shard.of).into(),
    });
    keep_plan(&folder, &plan)?;
    interrupt::listen(exit::code(ErrorKind::Interrupted))?;
    let jobs = args.jobs.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZero::get);
    let log = |text: String| {
        if !args.quiet {
            terminal::log(text);
        }
    };
    train(args.shard, &plan, &dataset, &folder, jobs, &log)?;
    if args.shard.is_some() {
        log(format!(
            "this shard is done; `selvedge sweep merge SHARDS.. --out DIR` makes the table of all, {} is one of them",
            folder.display()
        ));
        return Ok(());
    }
    let table = tabulate(&folder, &plan, &dataset, jobs)?;
    show(&table, &warnings, args.json)?;
    log(format!("next: selvedge report {}", typed(&folder)));
    Ok(())
}

/// The data set of all recipes. Neither they nor `transpose` need say whether its files are stored transposed.
fn load(
    recipe: &Recipe,
    transpose: Option<bool>,
    data_dir: Option<&Path>,
    warnings: &mut Warnings,
) -> Result<Dataset> {
    let transpose = recipe.transpose.then_some(true).or(transpose);
    let dataset = recipe.source().load(data_dir, &Reading { transpose, ..recipe.reading() })?;
    dataset.warnings.iter().for_each(|text| warnings.add(text));
    if dataset.task != Task::Classify || dataset.train.images().is_err() {
        return Err(Error::usage(format!(
            "{}: a sweep ranks classifiers of pictures, with what each costs on a device; `selvedge train --folds 5` compares \
             recipes on a table",
            dataset.name
        )));
    }
    Ok(dataset)
}

/// A table and its warnings, as JSON.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    table: &'a Table,
    warnings: &'a [String],
}

fn show(table: &Table, warnings: &Warnings, json: bool) -> Result<()> {
    let mut output = Output::default();
    if !json {
        return output.line(terminal::markdown(table.markdown().trim_end()));
    }
    output.json(&Shown { table, warnings: warnings.list() })
}

/// Trains the trials of a sweep, or of a shard of it, that are not done yet, `jobs` at a time.
fn train(
    shard: Option<Shard>,
    plan: &SweepPlan,
    dataset: &Dataset,
    folder: &Path,
    jobs: usize,
    log: &(dyn Fn(String) + Sync),
) -> Result<()> {
    let mut trials = plan.trials();
    if let Some(shard) = shard {
        trials = trials.into_iter().skip(shard.number - 1).step_by(shard.of).collect();
    }
    let here = Trials::of(folder);
    let mut open = 0;
    for &trial in &trials {
        open += usize::from(here.result(trial)?.is_none());
    }
    plan.left_out.iter().for_each(|what| log(format!("left out, over budget: {what}")));
    log(format!(
        "{}, {}: {} here, {open} to do, {jobs} at a time; folder {}",
        count(plan.recipes.len(), "recipe"),
        count(plan.seeds.len(), "seed"),
        count(trials.len(), "trial"),
        folder.display()
    ));
    let (begin, left) = (Instant::now(), AtomicUsize::new(open));
    here.run(plan, &trials, dataset, jobs, &|trial, result| {
        let left = left.fetch_sub(1, Ordering::Relaxed) - 1;
        let val = result.val_accuracy.map_or("diverged".into(), |v| format!("validation {:.2}%", 100.0 * v));
        log(format!("config {} seed {}: {val}; {left} to do", trial.config + 1, trial.seed));
    })?;
    if open > 0 {
        let seconds = begin.elapsed().as_secs_f64();
        log(format!("{} in {seconds:.1} s, {:.2} s each", count(open, "trial"), seconds / open as f64));
    }
    Ok(())
}

/// The plan that the flags make.
fn plan(args: &SweepRun) -> Result<SweepPlan> {
    let flags = args.values.table(Some(&args.data))?;
    match (&args.config, args.preset.as_deref()) {
        (Some(path), _) => SweepPlan::from_table(
            config::read(path, ADVICE)?,
            args.seeds,
            &flags,
            &path.display().to_string(),
        ),
        (None, Some("notebook")) => SweepPlan::notebook(args.seeds, &flags),
        (None, Some(name)) => Err(Error::usage(format!("--preset {name}: there is notebook"))),
        (None, None) => Err(Error::usage("what to sweep? name a file with -c, or --preset notebook")),
    }
}

/// Writes the plan into the sweep's folder, or refuses a folder of another sweep; trials of the same sweep with fewer seeds
/// are kept.
fn keep_plan(folder: &Path, plan: &SweepPlan) -> Result<()> {
    let path = folder.join(PLAN);
    if path.exists() {
        let mut there = read_plan(&path)?;
        if there == *plan {
            return Ok(());
        }
        let data = there.data_sha256.get_or_insert_with(|| plan.data_sha256.clone().unwrap_or_default());
        if Some(&*data) != plan.data_sha256.as_ref() {
            return Err(Error::data(format!(
                "{} holds trials of other data than those of {} now; name another --out, or the right --data",
                folder.display(),
                plan.recipes[0].data
            )));
        }
        let (folder, seeds) = (folder.display(), there.seeds.clone());
        if (SweepPlan { seeds: plan.seeds.clone(), ..there }) != *plan {
            return Err(Error::usage(format!(
                "{folder} holds another sweep; name another --out, or remove it"
            )));
        }
        if !plan.seeds.starts_with(&seeds) {
            return Err(Error::usage(format!(
                "{folder} holds this sweep with {}; ask for more with --seeds, or name another --out",
                count(seeds.len(), "seed")
            )));
        }
    }
    let mut text = toml::to_string(plan).map_err(|e| Error::failed(e.to_string()))?;
    checksum::append_checksum_toml(&mut text);
    files::create_folder(folder)?;
    files::write_atomic(&path, text.as_bytes())
}

fn read_plan(path: &Path) -> Result<SweepPlan> {
    let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, &e))?;
    sweep::read_plan(&bytes, &path.display().to_string()).map_err(|why| {
        let again = "remove it, and the command of the sweep writes it again; trials that are done are kept";
        Error::failed(format!("{} is damaged: {why}; {again}", path.display()))
    })
}

/// Makes the table of a sweep whose trials are all done, tests its rows and writes its files.
fn tabulate(folder: &Path, plan: &SweepPlan, dataset: &Dataset, jobs: usize) -> Result<Table> {
    let (here, all) = (Trials::of(folder), plan.trials());
    let results = all.iter().map(|&trial| {
        here.result(trial)?.ok_or_else(|| {
            Error::failed(format!(
                "trial {} is not done: {} is missing",
                trial.name(),
                here.result_path(trial).display()
            ))
        })
    });
    let results = results.collect::<Result<Vec<_>>>()?;
    let core = target(&plan.target)?;
    let costs = plan.recipes.iter().map(|recipe| cost::cost(recipe, dataset, core));
    let mut table = Table::new(plan, &results, &costs.collect::<Result<Vec<_>>>()?);
    let threads = NonZero::new(jobs).map_or(Threads::ONE, Threads::Count);
    let thread_pool = ThreadPool::new(threads);
    for row in table.to_test(plan.test) {
        let of_row = all.iter().filter(|t| t.config == row);
        let accuracies = of_row.map(|&t| here.test(&thread_pool, t, dataset)).collect::<Result<Vec<_>>>()?;
        table.rows[row].test = Spread::new(&accuracies);
    }
    let object = serde_json::to_string_pretty(&table).map_err(|e| Error::failed(e.to_string()))?;
    let mut json = String::new();
    checksum::push_json(&mut json, &object);
    files::write_atomic(&folder.join("table.json"), json.as_bytes())?;
    files::write_atomic(&folder.join("table.csv"), table.csv().as_bytes())?;
    files::write_atomic(&folder.join("table.md"), table.markdown().as_bytes())?;
    Ok(table)
}

/// Copies the trials of shards into one folder and makes the table.
fn merge(shards: &[PathBuf], out: &Path, data_dir: Option<&Path>, warnings: &mut Warnings) -> Result<Table> {
    let mut plan: Option<SweepPlan> = None;
    for shard in shards {
        let path = shard.join(PLAN);
        if !path.exists() {
            return Err(Error::usage(format!(
                "{} is no shard of a sweep: it has no {PLAN}",
                shard.display()
            )));
        }
        let this = read_plan(&path)?;
        if plan.as_ref().is_some_and(|plan| *plan != this) {
            return Err(Error::usage(format!(
                "{} belongs to another sweep than {}",
                shard.display(),
                shards[0].display()
            )));
        }
        plan = Some(this);
    }
    let plan = plan.expect("at least one shard was named");
    keep_plan(out, &plan)?;
    let to = Trials::of(out);
    files::create_folder(&out.join("trials"))?;
    for trial in plan.trials() {
        for from in shards.iter().map(|s| Trials::of(s)) {
            if from.result(trial)?.is_none() || to.result(trial)?.is_some() {
                continue;
            }
            // The result last: where it is, the model is.
            for (from, to) in [
                (from.model_path(trial), to.model_path(trial)),
                (from.result_path(trial), to.result_path(trial)),
            ] {
                let bytes = std::fs::read(&from).map_err(|e| Error::io("read", &from, &e))?;
                files::write_atomic(&to, &bytes)?;
            }
        }
    }
    let missing: Vec<_> =
        plan.trials().into_iter().filter(|&t| !to.result_path(t).exists()).map(|t| t.name()).collect();
    if !missing.is_empty() {
        return Err(Error::failed(format!("these trials are in none of the shards: {}", missing.join(", "))));
    }
    let recipe = &plan.recipes[0];
    let dataset = load(recipe, None, data_dir, warnings).map_err(|error| {
        error.with_advice("merge in the folder from which the sweep's --data leads to its data")
    })?;
    if plan.data_sha256.as_ref().is_some_and(|expected| *expected != dataset.fingerprint()) {
        return Err(Error::data(format!(
            "{} holds other data than the shards were trained on",
            recipe.source()
        )));
    }
    tabulate(out, &plan, &dataset, 1)
}
