//! Forward passes of an integer network, a flash file, over samples, batch by batch.

use selvedge::Backend;
use selvedge::format::{InputType, ModelView, RawValue};
use selvedge::infer::integer::{BatchEngine, Engine};

use super::BATCH;
use crate::data::{Features, Matrix};
use crate::error::{Error, Result};
use crate::memory::Bytes;

/// The logits `(index.len(), outputs)` of the samples at `index`.
///
/// # Errors
/// `Failed` without the memory, or where the core refuses the file; `Model` for samples of another kind than the file takes,
/// `Data` for numbers that are not of its type.
pub fn logits(file: &ModelView<'_>, features: &Features, index: &[u32]) -> Result<Vec<i32>> {
    match (features, file.header().input_type()) {
        (Features::Images(images), InputType::U8) if !file.header().input_map().is_affine() => {
            of_rows(file, &images.pixels, index)
        }
        (Features::Images(_), _) => {
            Err(Error::model("the flash file takes rows of a table, and the data are pictures"))
        }
        (Features::Table(_), _) if !file.header().input_map().is_affine() => {
            Err(Error::model("the flash file takes pictures, and the data are rows of a table"))
        }
        (Features::Table(matrix), InputType::F32) => of_rows(file, &matrix.values, index),
        (Features::Table(matrix), InputType::U8) => of_rows(file, &whole(matrix, file, |x| x as u8)?, index),
        (Features::Table(matrix), InputType::I16) => {
            of_rows(file, &whole(matrix, file, |x| x as i16)?, index)
        }
        (Features::Table(matrix), _) => of_rows(file, &whole(matrix, file, |x| x as u16)?, index),
    }
}

/// The same of the rows of raw values at `index`.
fn of_rows<T: RawValue>(file: &ModelView<'_>, values: &[T], index: &[u32]) -> Result<Vec<i32>> {
    let header = file.header();
    let (i, o) = (header.inputs(), header.outputs());
    let engine = Engine::new(file.clone())?;
    let mut memory = Bytes::zeroed(BatchEngine::bytes(header), "the model")?;
    let batch_engine = BatchEngine::new(&engine, Backend::detect(), &mut memory)?;
    let mut scratch = Bytes::zeroed(BatchEngine::scratch_bytes(header, BATCH), "a forward pass")?;
    let mut logits = vec![0; index.len() * o];
    for (index, logits) in index.chunks(BATCH).zip(logits.chunks_mut(BATCH * o)) {
        let rows: Vec<T> = index.iter().flat_map(|&n| &values[n as usize * i..][..i]).copied().collect();
        batch_engine.logits(&rows, &mut scratch, logits)?;
    }
    Ok(logits)
}

/// The codes `(index.len(), inputs)` of the samples at `index`: their inputs as integers.
///
/// # Errors
/// `Data` for numbers that are not of the file's type.
pub fn codes(file: &ModelView<'_>, features: &Features, index: &[u32]) -> Result<Vec<u16>> {
    let inputs = file.header().inputs();
    match features {
        Features::Images(images) => {
            let code = |&p: &u8| u16::from(file.table().map_or(p >> 1, |t| t[usize::from(p)]));
            let row = |&n: &u32| images.pixels[n as usize * inputs..][..inputs].iter().map(code);
            Ok(index.iter().flat_map(row).collect())
        }
        Features::Table(matrix) => match file.header().input_type() {
            InputType::F32 => Ok(codes_of(file, &matrix.values, index)),
            InputType::U8 => Ok(codes_of(file, &whole(matrix, file, |x| x as u8)?, index)),
            InputType::I16 => Ok(codes_of(file, &whole(matrix, file, |x| x as i16)?, index)),
            _ => Ok(codes_of(file, &whole(matrix, file, |x| x as u16)?, index)),
        },
    }
}

fn codes_of<T: RawValue>(file: &ModelView<'_>, values: &[T], index: &[u32]) -> Vec<u16> {
    let inputs = file.header().inputs();
    let row =
        |&n: &u32| values[n as usize * inputs..][..inputs].iter().enumerate().map(|(i, &x)| file.code(i, x));
    index.iter().flat_map(row).collect()
}

/// The numbers of rows as integers.
fn whole<T>(matrix: &Matrix, file: &ModelView<'_>, convert: fn(f32) -> T) -> Result<Vec<T>> {
    let of = file.header().input_type();
    match of.range().and_then(|range| matrix.first_outside(range)) {
        None => Ok(matrix.values.iter().map(|&x| convert(x)).collect()),
        Some((row, column)) => Err(Error::data(format!(
            "row {} has {} as its input {column}, and the flash file takes whole numbers ({}); give it the numbers of the sensor, or \
             quantize without --input",
            row + 1,
            matrix.row(row)[column],
            of.name()
        ))),
    }
}
