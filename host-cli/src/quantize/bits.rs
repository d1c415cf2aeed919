//! Bits of an input: 7 where they lose next to nothing, else 14, which cost a second pass over the first layer.
//!
//! Both files answer for the calibration samples, or of reconstructions for the validation samples, and their answers are compared
//! with those of the model: the true answers are not needed.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use selvedge::Backend;
use selvedge::format::ModelView;

use crate::data::{Features, Task};
use crate::error::Result;
use crate::inference::answers::{Answers, answers};
use crate::inference::file::file_answers;
use crate::model::Model;
use crate::thread_pool::{ThreadPool, Threads};

/// The bits of an input, or that the loss decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputBits {
    /// 7, unless 14 are clearly better.
    Auto,
    /// 7.
    Seven,
    /// 14.
    Fourteen,
}

impl FromStr for InputBits {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "7" => Ok(Self::Seven),
            "14" => Ok(Self::Fourteen),
            _ => Err("write auto, 7 or 14".into()),
        }
    }
}

impl fmt::Display for InputBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Seven => "7",
            Self::Fourteen => "14",
        })
    }
}

/// The share of the classes or labels that may change, or of the variance of numbers that may be lost, before 7 bits are
/// too few. In a small table one changed row is more: its network is small too, and so is what a second pass costs.
const LOSS: f64 = 0.0025;
/// The same of reconstructions: the change of the mean score as a share of it.
const SCORE_LOSS: f64 = 0.01;

/// The samples that decide: the calibration samples, and of reconstructions those that are not trained on, where there are some.
/// What is unusual in them lies outside the range that the calibration samples have, and 7 bits reach less far beyond it.
pub(super) fn asked(task: Task, samples: usize, train: &[u32], calibrate: usize) -> Vec<u32> {
    let calibration = train[..calibrate.min(train.len())].to_vec();
    if task != Task::Reconstruct {
        return calibration;
    }
    let trained: HashSet<u32> = train.iter().copied().collect();
    let others: Vec<u32> =
        (0..samples as u32).filter(|sample| !trained.contains(sample)).take(calibrate).collect();
    if others.is_empty() { calibration } else { others }
}

/// 7, or 14 where the answers of the second of two `files` for the samples at `index` are clearly nearer to the model's.
///
/// # Errors
/// `Failed` without the memory, `Model` where outputs are not finite.
pub(super) fn choose(
    model: &Model,
    files: [ModelView<'_>; 2],
    features: &Features,
    index: &[u32],
) -> Result<u32> {
    let pool = ThreadPool::new(Threads::ONE);
    let exact = answers(&pool, Backend::detect(), model, features, index)?;
    let outputs = model.shape.outputs();
    let [seven, fourteen] = files.map(|file| file_answers(&file, features, index, 1.0));
    let (seven, fourteen) = (distance(&exact, &seven?, outputs), distance(&exact, &fourteen?, outputs));
    let tolerance = if matches!(exact, Answers::Scores(_)) { SCORE_LOSS } else { LOSS };
    Ok(if seven - fourteen > tolerance { 14 } else { 7 })
}

/// How far answers are from the exact ones: the share of classes or labels that are others; of numbers the mean square of
/// the error as a share of the variance; of scores the change of their mean as a share of it.
fn distance(exact: &Answers, found: &Answers, outputs: usize) -> f64 {
    let share = |changed: usize, of: usize| changed as f64 / of.max(1) as f64;
    match (exact, found) {
        (Answers::Classes(a), Answers::Classes(b)) => {
            let rows = a.chunks_exact(outputs).zip(b.chunks_exact(outputs));
            let changed = rows.filter(|(a, b)| selvedge::naive::argmax(a) != selvedge::naive::argmax(b));
            share(changed.count(), a.len() / outputs)
        }
        (Answers::Labels(a), Answers::Labels(b)) => {
            share(a.iter().zip(b).filter(|&(a, b)| (*a > 0.5) != (*b > 0.5)).count(), a.len())
        }
        (Answers::Values(a), Answers::Values(b)) => {
            let column = |values: &[f32], o: usize| -> Vec<f64> {
                values.iter().skip(o).step_by(outputs).copied().map(f64::from).collect()
            };
            let lost = |o: usize| {
                let (a, b) = (column(a, o), column(b, o));
                let mean = a.iter().sum::<f64>() / a.len().max(1) as f64;
                let variance: f64 = a.iter().map(|a| (a - mean).powi(2)).sum();
                let error: f64 = a.iter().zip(&b).map(|(a, b)| (a - b).powi(2)).sum();
                if error == 0.0 { 0.0 } else { error / variance.max(f64::MIN_POSITIVE) }
            };
            (0..outputs).map(lost).sum::<f64>() / outputs as f64
        }
        (Answers::Scores(a), Answers::Scores(b)) => {
            let [a, b] = [a, b].map(|scores| scores.iter().sum::<f64>());
            if a == b { 0.0 } else { (b - a).abs() / a.max(f64::MIN_POSITIVE) }
        }
        _ => f64::INFINITY,
    }
}
