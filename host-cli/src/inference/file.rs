//! The answers of a flash file, as a device gives them: by integers where it holds integers.

use selvedge::Backend;
use selvedge::format::{self, ModelView};
use selvedge::infer::{class_of, value_of};
use selvedge::naive::integer::reconstruction_error;

use super::answers::Answers;
use super::float::{DeviceInputs, InputSource, folded_logits};
use super::metrics::reconstruction;
use super::{Logits, check_finite, integer, softmax};
use crate::data::{Features, Task};
use crate::error::Result;
use crate::model::fold::from_file;

/// What a file answers.
pub fn task(file: &ModelView<'_>) -> Task {
    match file.header().task() {
        format::Task::Labels => Task::Multilabel,
        format::Task::Values => Task::Regress,
        format::Task::Reconstruction => Task::Reconstruct,
        _ => Task::Classify,
    }
}

/// The real value of one unit of an exact logit.
pub fn unit(file: &ModelView<'_>) -> f64 {
    let header = file.header();
    if header.dtype().is_integer() { f64::from(file.scale(header.layers())) } else { 1.0 }
}

/// The logits of the samples at `index`, as the file computes them: floats on the backend whose bits every machine has, except that
/// sigmoid, tanh and hard swish, which no file of floats of this program has, may differ in their last bits.
///
/// # Errors
/// `Failed` without the memory, `Model` for outputs that are not finite, `Data` for values that the file does not take.
pub fn logits(file: &ModelView<'_>, features: &Features, index: &[u32]) -> Result<Logits> {
    if file.header().dtype().is_integer() {
        return Ok(Logits::Integer(integer::logits(file, features, index)?));
    }
    let logits = folded_logits(&from_file(file)?, Backend::PORTABLE, features, index)?;
    check_finite(logits.iter().copied())?;
    Ok(Logits::Float(logits))
}

/// The answers for the samples at `index`.
///
/// # Errors
/// As [`logits`].
pub fn file_answers(file: &ModelView<'_>, features: &Features, index: &[u32]) -> Result<Answers> {
    let (outputs, found) = (file.header().outputs(), logits(file, features, index)?);
    Ok(match task(file) {
        Task::Classify => {
            Answers::Classes(real(file, &found).chunks_exact(outputs).flat_map(softmax).collect())
        }
        Task::Multilabel => {
            let threshold = label_threshold(file);
            let probability = |z: f64| 1.0 / (1.0 + (threshold - z).exp());
            Answers::Labels(real(file, &found).into_iter().map(probability).collect())
        }
        Task::Regress => Answers::Values(match &found {
            Logits::Integer(logits) => each(logits, outputs, |o, z| value_of(z, file.value_scale(o))),
            Logits::Float(logits) => each(logits, outputs, |o, z| value_of(z, file.value_scale(o))),
        }),
        Task::Reconstruct => {
            let scores = scores(file, features, index, &found)?;
            check_finite(scores.iter().copied())?;
            Answers::Scores(scores)
        }
    })
}

/// Logits as real numbers.
pub fn real(file: &ModelView<'_>, logits: &Logits) -> Vec<f64> {
    match logits {
        Logits::Float(logits) => logits.iter().copied().map(f64::from).collect(),
        Logits::Integer(logits) => {
            let unit = unit(file);
            logits.iter().map(|&z| unit * f64::from(z)).collect()
        }
    }
}

/// Which of some samples are unknown: the largest logit leads the second by less than the file's margin. `None` where the file
/// has no margin.
pub fn unknown(file: &ModelView<'_>, logits: &Logits) -> Option<Vec<bool>> {
    let header = file.header();
    if task(file) != Task::Classify || header.margin_bits() == 0 {
        return None;
    }
    let outputs = header.outputs();
    Some(match logits {
        Logits::Integer(logits) => {
            logits.chunks_exact(outputs).map(|row| class_of(header, row).is_none()).collect()
        }
        Logits::Float(logits) => {
            logits.chunks_exact(outputs).map(|row| class_of(header, row).is_none()).collect()
        }
    })
}

/// The score above which a sample is an anomaly, where the file has one.
pub fn score_threshold(file: &ModelView<'_>) -> Option<f64> {
    let header = file.header();
    if task(file) != Task::Reconstruct {
        return None;
    }
    if header.dtype().is_integer() {
        return header.score_threshold().map(|score| score as f64 * f64::from(header.score_unit()));
    }
    Some(f64::from(header.float_score_threshold())).filter(|threshold| threshold.is_finite())
}

/// The real output at which the probability of a label is ½: between the integers that do not reach the threshold and those
/// that do, so that a probability above ½ says the same.
fn label_threshold(file: &ModelView<'_>) -> f64 {
    let bits = file.header().label_threshold_bits();
    match file.header().dtype().is_integer() {
        true => unit(file) * (f64::from(bits as i32) - 0.5),
        false => f64::from(f32::from_bits(bits)),
    }
}

fn each<T: Copy>(logits: &[T], outputs: usize, value: impl Fn(usize, T) -> f32) -> Vec<f32> {
    logits.iter().enumerate().map(|(at, &z)| value(at % outputs, z)).collect()
}

/// The mean squared error of each reconstruction, in standardised units.
fn scores(file: &ModelView<'_>, features: &Features, index: &[u32], logits: &Logits) -> Result<Vec<f64>> {
    let (header, outputs) = (file.header(), file.header().outputs());
    match logits {
        Logits::Integer(logits) => {
            let (shift, unit) = (header.score_shift(), f64::from(header.score_unit()));
            let codes = integer::codes(file, features, index)?;
            let score = |(z, q): (&[i32], &[u16])| {
                let square = |(o, (&z, &q)): (usize, (&i32, &u16))| {
                    let scale = file.error_scale(o);
                    let d = reconstruction_error(z, scale.add, q, scale.mul, shift);
                    u64::from(d.unsigned_abs()).pow(2)
                };
                z.iter().zip(q).enumerate().map(square).sum::<u64>() as f64 * unit
            };
            Ok(logits.chunks_exact(outputs).zip(codes.chunks_exact(outputs)).map(score).collect())
        }
        Logits::Float(logits) => {
            let net = from_file(file)?;
            let mut inputs = vec![0.0; logits.len()];
            DeviceInputs::new(&net, features)?.fill(Backend::PORTABLE, index, &mut inputs);
            let rows = inputs.chunks_exact(outputs).zip(logits.chunks_exact(outputs));
            Ok(rows.map(|(x, z)| reconstruction::score(x, z)).collect())
        }
    }
}
