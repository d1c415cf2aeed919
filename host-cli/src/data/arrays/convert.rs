//! Turns arrays into what networks are trained on: images, rows of numbers, labels.

use super::{Array, Values, shape};
use crate::data::idx::{Range, Scale, Type};
use crate::data::samples::Images;
use crate::error::{Error, Result};

/// The targets of samples.
#[derive(Debug, Clone, PartialEq)]
pub enum Labels {
    /// A whole number for each sample.
    Integers(Vec<i64>),
    /// Numbers for each sample, none of them NaN.
    Numbers {
        /// How many a sample has.
        columns: usize,
        /// `(samples, columns)`.
        values: Vec<f32>,
    },
    /// A text for each sample.
    Text(Vec<String>),
}

/// Calls a function with every element.
type ForEach<'a> = dyn Fn(&mut dyn FnMut(f64)) + 'a;

fn bad(array: &Array, why: &str) -> Error {
    Error::data(format!("{} of shape {}: {why}", array.name, shape(&array.shape)))
}

/// An array as images, and what was assumed. Its shape is `(n, rows, cols)`, with or without a fourth dimension of 1 or 3
/// channels. Other types than bytes are converted by the only scale that fits their range, as in IDX files.
///
/// # Errors
/// `Data`: another shape, text, or a range that allows no scale or several.
pub fn images(array: Array) -> Result<(Images, Option<String>)> {
    let (count, rows, cols, channels) = match array.shape[..] {
        [count, rows, cols] => (count, rows, cols, 1),
        [count, rows, cols, channels @ (1 | 3)] => (count, rows, cols, channels),
        [_, _, _, 4] => return Err(bad(&array, "pictures with alpha; drop it with x[..., :3]")),
        [_, 1 | 3, _, _] => {
            return Err(bad(&array, "channels come last: numpy.moveaxis(x, 1, -1) puts them there"));
        }
        _ => return Err(bad(&array, "images are (n, rows, columns), or (n, rows, columns, 3)")),
    };
    let named = |note: String| format!("{}: {note}", array.name);
    let scaled = |kind: Type, values: &ForEach<'_>| {
        let mut range = Range::EMPTY;
        values(&mut |x| range.add(x));
        let scale: Scale = range.scale(kind, &array.kind).map_err(|why| Error::data(named(why)))?;
        let mut pixels = Vec::with_capacity(count * rows * cols * channels);
        values(&mut |x| pixels.push(scale.byte(x)));
        let note = named(format!(
            "{} pixels, {}; save unsigned bytes where that is wrong",
            array.kind,
            scale.describe()
        ));
        Ok::<_, Error>((pixels, Some(note)))
    };
    let (pixels, note) = match array.values {
        Values::U8(pixels) => {
            let black = !pixels.iter().any(|&p| p > 1);
            let note = named(
                "no pixel is above 1 of 255, so every image is black; multiply by 255 where 1 is white"
                    .into(),
            );
            (pixels, black.then_some(note))
        }
        Values::F32(ref v) => scaled(Type::F32, &|f| v.iter().for_each(|&x| f(x.into())))?,
        // Wider integers than 32 bits hold no other pixels than those of 32.
        Values::I64(ref v) => scaled(Type::I32, &|f| v.iter().for_each(|&x| f(x as f64)))?,
        Values::Text(_) => return Err(bad(&array, "texts are no pixels")),
    };
    Ok((Images { pixels, count, rows, cols, channels }, note))
}

/// An array as rows of numbers: the rows, the columns, and `(rows, columns)` values. NaN stands for a missing value. More than
/// two dimensions, as of series of several sensors, are put side by side.
///
/// # Errors
/// `Data` for texts.
pub fn rows(array: Array) -> Result<(usize, usize, Vec<f32>)> {
    let (rows, columns) = (array.len(), array.shape.iter().skip(1).product());
    let values = match array.values {
        Values::U8(values) => values.into_iter().map(f32::from).collect(),
        Values::F32(values) => values,
        Values::I64(values) => values.into_iter().map(|x| x as f32).collect(),
        Values::Text(_) => {
            return Err(bad(&array, "texts are no inputs; encode them as numbers, or use a CSV file"));
        }
    };
    Ok((rows, columns, values))
}

/// An array as targets, and what was assumed: one a sample, or several. Rows of zeros with a single 1 are one-hot labels and
/// become the position of the 1.
///
/// # Errors
/// `Data`: more than two dimensions, several texts a sample, a missing target.
pub fn labels(array: Array) -> Result<(Labels, Option<String>)> {
    let columns = match array.shape[..] {
        [_] => 1,
        [_, columns] if columns > 0 => columns,
        _ => return Err(bad(&array, "targets have one or two dimensions")),
    };
    let labels = match array.values {
        Values::Text(texts) if columns == 1 => Labels::Text(texts),
        Values::Text(_) => return Err(bad(&array, "several texts a sample; save one")),
        Values::U8(values) if columns == 1 => Labels::Integers(values.into_iter().map(i64::from).collect()),
        Values::I64(values) if columns == 1 => Labels::Integers(values),
        _ => {
            let name = array.name.clone();
            let (_, _, values) = rows(array)?;
            if let Some(n) = values.iter().position(|x| x.is_nan()) {
                return Err(Error::data(format!(
                    "{name}: the target of sample {} is NaN; remove the samples without one",
                    n / columns
                )));
            }
            if columns > 1 && values.chunks_exact(columns).all(is_one_hot) {
                let class = |row: &[f32]| row.iter().position(|&x| x == 1.0).unwrap_or(0) as i64;
                let classes = values.chunks_exact(columns).map(class).collect();
                let note =
                    format!("{name}: one-hot labels of {columns} classes, read as the position of the 1");
                return Ok((Labels::Integers(classes), Some(note)));
            }
            Labels::Numbers { columns, values }
        }
    };
    Ok((labels, None))
}

/// Whether all is 0 but for a single 1.
fn is_one_hot(row: &[f32]) -> bool {
    row.iter().all(|&x| x == 0.0 || x == 1.0) && row.iter().filter(|&&x| x == 1.0).count() == 1
}
