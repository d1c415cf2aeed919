//! What a flash file answers to rows of raw values, by the desktop's batch engine: what the program `samples` of the devices must write.
//!
//! Words of four bytes, little-endian, for each sample or window:
//!
//! | task | words |
//! |---|---|
//! | class | the class, or −1 where it is unknown; the logits |
//! | labels | each byte of bits as a word; the logits |
//! | values | the numbers as f32; as fixed point; the outputs |
//! | reconstruction | the mean squared error as f32; 1 for an anomaly, 0 for none, 2 where the file has no threshold |

use host_cli::error::Result;
use selvedge::Backend;
use selvedge::format::{InputType, ModelView, RawValue, Task, ValueScale};
use selvedge::infer::integer::{BatchEngine, Engine};
use selvedge::infer::{class_of, labels_of};
use selvedge::naive::integer::reconstruction_error;

use crate::{core, failed};

/// The answers to `rows`, raw values as the file's type says, of which windows are made where it has them.
pub fn answers(view: &ModelView<'_>, rows: &[u8]) -> Result<Vec<u8>> {
    let rows = rows.chunks_exact(view.header().input_type().bytes());
    macro_rules! answers_of {
        ($type:ty) => {
            answers_of(view, &rows.map(|x| <$type>::from_le_bytes(x.try_into().unwrap())).collect::<Vec<_>>())
        };
    }
    match view.header().input_type() {
        InputType::U8 => answers_of!(u8),
        InputType::I16 => answers_of!(i16),
        InputType::U16 => answers_of!(u16),
        _ => answers_of!(f32),
    }
}

/// The samples that rows make up, one after the other.
fn samples<T: RawValue>(view: &ModelView<'_>, rows: &[T]) -> Vec<T> {
    let inputs = view.header().inputs();
    let Some((height, stride)) = view.header().window() else { return rows.to_vec() };
    rows.windows(inputs).step_by(stride * inputs / height).flatten().copied().collect()
}

/// The outputs of samples, one after the other.
pub fn logits<T: RawValue>(view: &ModelView<'_>, samples: &[T]) -> Result<Vec<i32>> {
    let header = view.header();
    let b = samples.len() / header.inputs();
    let engine = Engine::new(view.clone()).map_err(core)?;
    let mut memory = vec![0; BatchEngine::bytes(header)];
    let batch = BatchEngine::new(&engine, Backend::detect(), &mut memory).map_err(core)?;
    let mut logits = vec![0; b * header.outputs()];
    batch.logits(samples, &mut vec![0; BatchEngine::scratch_bytes(header, b)], &mut logits).map_err(core)?;
    Ok(logits)
}

fn answers_of<T: RawValue>(view: &ModelView<'_>, rows: &[T]) -> Result<Vec<u8>> {
    let header = view.header();
    let samples = samples(view, rows);
    let logits = logits(view, &samples)?;
    let mut words: Vec<u32> = Vec::new();
    let as_words = |logits: &[i32]| logits.iter().map(|z| z.cast_unsigned()).collect::<Vec<_>>();
    for (x, z) in samples.chunks(header.inputs()).zip(logits.chunks(header.outputs())) {
        match header.task() {
            Task::Class => words.push(class_of(header, z).map_or(u32::MAX, |class| class as u32)),
            Task::Labels => {
                let mut bits = vec![0; z.len().div_ceil(8)];
                labels_of(header, z, &mut bits);
                words.extend(bits.into_iter().map(u32::from));
            }
            Task::Values => {
                let scales = z.iter().enumerate().map(|(o, &z)| match view.value_scale(o) {
                    ValueScale::Integer { add, scale } => (z + add, scale),
                    ValueScale::Float { .. } => unreachable!("a file of integers"),
                });
                words.extend(scales.clone().map(|(fixed, scale)| (fixed as f32 * scale).to_bits()));
                words.extend(scales.map(|(fixed, _)| fixed.cast_unsigned()));
            }
            Task::Reconstruction => {
                let sum = score(view, x, z);
                words.push((sum as f32 * header.score_unit()).to_bits());
                words.push(header.score_threshold().map_or(2, |threshold| u32::from(sum > threshold)));
                continue;
            }
            _ => return Err(failed("a task that no device answers")),
        }
        words.extend(as_words(z));
    }
    Ok(words.iter().flat_map(|word| word.to_le_bytes()).collect())
}

/// The sum of the squared errors of a reconstruction.
pub fn score<T: RawValue>(view: &ModelView<'_>, x: &[T], z: &[i32]) -> u64 {
    let squares = x.iter().zip(z).enumerate().map(|(o, (&x, &z))| {
        let scale = view.error_scale(o);
        let shift = view.header().score_shift();
        let d = reconstruction_error(z, scale.add, view.code(o, x), scale.mul, shift);
        i64::from(d).pow(2).cast_unsigned()
    });
    squares.sum()
}
