//! Whole runs, and what comes before them: reading the data.

use std::hint::black_box;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use selvedge::{Backend, simd};

use super::compare::{Comparison, median};
use super::network::{forward_macs, images, recipe, thread_pool, two_threads};
use super::{Case, Measurement, Operation, WIDTHS};
use crate::data::idx::{self, Images};
use crate::data::{Dataset, FILES, Reading, Samples, Source, demo};
use crate::error::{Error, Result};
use crate::pipeline::{self, Epoch, Observer, Pipeline, State};
use crate::recipe::{Precision, Recipe};

/// Training and validation images of a run, and its epochs.
const IMAGES: usize = 50_000;
const VALIDATION: usize = 10_000;
const EPOCHS: usize = 5;

/// Multiply-adds of an epoch's validation.
pub(super) fn validation_macs(shape: &[usize]) -> f64 {
    forward_macs(shape) / shape[0] as f64 * VALIDATION as f64
}

/// Runs of every backend that has vectors, on two threads too with the best; and reading.
pub(super) fn cases(own: &[Backend], best: Backend) -> Vec<Case> {
    let shape = [&[IMAGES], &WIDTHS[..]].concat();
    let mut cases: Vec<_> = own
        .iter()
        .filter(|b| b.lanes() > 1)
        .map(|&backend| Case::new(Operation::Epoch, backend, &shape))
        .collect();
    cases.extend(two_threads().map(|threads| Case { threads, ..Case::new(Operation::Epoch, best, &shape) }));
    cases.push(Case::new(Operation::Load, best, &[IMAGES + 2 * VALIDATION, demo::SIDE, demo::SIDE]));
    cases
}

/// Measures the mean epoch of a whole run of the training pipeline: shuffling, gathering, steps and validation.
pub(super) fn epoch(case: &Case) -> Result<Measurement> {
    let (pixels, labels) = images(IMAGES + VALIDATION);
    let count = labels.len();
    let set =
        Samples::of_images(Images { pixels, count, rows: demo::SIDE, cols: demo::SIDE, channels: 1 }, labels);
    let classes = (0..WIDTHS[WIDTHS.len() - 1]).map(|class| class.to_string()).collect();
    let set = Dataset::of_classes(set.clone(), set, classes);
    let best = case.backend.name() == Backend::detect().name();
    let borrowed =
        Backend::by_name("matrixmultiply").filter(|_| best && case.threads == 1 && case.single().is_none());
    let peak_of = || {
        let mut comparison = Comparison::new();
        let (peak, operations) = comparison.add_peak(case.backend);
        operations / comparison.run(Duration::from_millis(5)).seconds(peak)
    };
    let runs = if best { 3 } else { 1 };
    let (mut seconds, mut shares) = (Vec::new(), Vec::new());
    let (mut by_borrowed, mut by_single) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let mut peaks = vec![peak_of()];
        let run = whole_run(case.backend, case.threads, EPOCHS, &set, &mut || peaks.push(peak_of()))?;
        seconds.push(run / EPOCHS as f64);
        let at_peak = 2.0 * case.macs() / (median(peaks) * case.threads as f64);
        shares.push(at_peak * EPOCHS as f64 / run);
        if let Some(borrowed) = borrowed {
            by_borrowed.push(whole_run(borrowed, 1, 1, &set, &mut || ())? * EPOCHS as f64 / run);
        }
        if let Some(single) = case.single() {
            by_single.push(whole_run(single, case.threads, EPOCHS, &set, &mut || ())? / run);
        }
    }
    let ratio = |ratios: Vec<f64>| (!ratios.is_empty()).then(|| median(ratios));
    let line = case.measurement(median(seconds), Some(median(shares)));
    Ok(Measurement { vs_matrixmultiply: ratio(by_borrowed), vs_f32: ratio(by_single), ..line })
}

/// Seconds of `epochs` epochs of the training loop on five sixths of a set, each validated on the others; `between` is
/// called after each and does not count.
fn whole_run(
    backend: Backend,
    threads: usize,
    epochs: usize,
    set: &Dataset,
    between: &mut dyn FnMut(),
) -> Result<f64> {
    let precision = match backend.precision() {
        simd::Precision::F32 => Precision::F32,
        simd::Precision::Bf16 => Precision::Bf16,
    };
    let recipe = Recipe { epochs, precision, ..recipe() };
    let backend = backend.with_precision(simd::Precision::F32);
    let mlp = pipeline::network(&recipe, set, backend)?;
    let pipeline = Pipeline::new(&recipe, set, mlp, None)?;
    let mut state = pipeline.initial_state()?;
    let mut clock = EpochClock { begin: Instant::now(), spent: Duration::ZERO, between };
    pipeline.train(&thread_pool(threads), &mut state, &mut clock)?;
    Ok(clock.spent.as_secs_f64())
}

/// Adds up the time of whole epochs: shuffling, steps and validation.
struct EpochClock<'a> {
    begin: Instant,
    spent: Duration,
    between: &'a mut dyn FnMut(),
}

impl Observer for EpochClock<'_> {
    fn step(&mut self, _: &State, _: usize) -> Result<ControlFlow<()>> {
        Ok(ControlFlow::Continue(()))
    }
    fn epoch(&mut self, _: &Epoch) -> Result<()> {
        self.spent += self.begin.elapsed();
        (self.between)();
        self.begin = Instant::now();
        Ok(())
    }
}

/// Measures the reading of a data set: Fashion-MNIST where it is, or a folder of garments like it.
pub(super) fn load(case: &Case) -> Result<Measurement> {
    let folder = tempfile::tempdir().map_err(|e| Error::io("make a folder in", &std::env::temp_dir(), &e))?;
    let mut source = Source::FashionMnist;
    if source.load(None, &Reading::default()).is_err() {
        write_garments(folder.path())?;
        source = Source::Path(folder.path().to_path_buf());
    }
    let mut seconds = Vec::new();
    for _ in 0..5 {
        let begin = Instant::now();
        black_box(source.load(None, &Reading::default())?);
        seconds.push(begin.elapsed().as_secs_f64());
    }
    Ok(case.measurement(median(seconds), None))
}

/// Writes four compressed IDX files of as many garments as Fashion-MNIST has.
fn write_garments(folder: &Path) -> Result<()> {
    for (names, count) in [([FILES[0], FILES[1]], IMAGES + VALIDATION), ([FILES[2], FILES[3]], VALIDATION)] {
        let (pixels, labels) = images(count);
        let images = Images { pixels, count, rows: demo::SIDE, cols: demo::SIDE, channels: 1 };
        for (name, bytes) in names.into_iter().zip([idx::write_images(&images), idx::write_labels(&labels)]) {
            let path = folder.join(format!("{name}.gz"));
            let written = std::fs::File::create(&path).and_then(|file| {
                let mut gz = GzEncoder::new(file, Compression::fast());
                gz.write_all(&bytes)?;
                gz.finish().map(drop)
            });
            written.map_err(|e| Error::io("write", &path, &e))?;
        }
    }
    Ok(())
}
