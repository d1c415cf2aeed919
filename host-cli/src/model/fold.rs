//! A network as a device runs it: a map for the raw values of a sample, then layers and nothing else.
//!
//! What a model does to its inputs ([`normalise`](crate::data::normalise)) is folded in here. Of pictures, what differs from
//! byte to byte goes into a table, what differs from pixel to pixel into the first layer. Of rows of numbers, the mean and
//! the scale of each column are the map.

use selvedge::format::ModelView;
use selvedge::{Shape, naive};

use crate::data::normalise::Normalisation;
use crate::error::Result;
use crate::memory::Floats;
use crate::model::Model;

/// A network whose inputs are `table[p] / 255` of the pixels `p`, or `(v - mean) * scale` of the numbers `v` of a row.
#[derive(Debug)]
pub struct Folded {
    /// The widths and the activations.
    pub shape: Shape,
    /// What a byte becomes; `None` where it stays as it is.
    pub table: Option<[u8; 256]>,
    /// What the numbers of a row become; `None` where samples are pictures.
    pub columns: Option<Normalisation>,
    /// In the core's layout.
    pub params: Floats,
}

impl Folded {
    /// The input that each byte of an image becomes.
    pub fn input_values(&self) -> [f32; 256] {
        std::array::from_fn(|p| naive::unit(self.table.map_or(p as u8, |t| t[p])))
    }
}

/// Folds the normalisation of a model that a device runs.
///
/// # Errors
/// `Failed` without the memory.
pub fn fold(model: &Model) -> Result<Folded> {
    if model.about.schema.is_none() {
        return fold_pixels(model);
    }
    let params = Floats::copy_of(&model.params, "a copy of the parameters")?;
    Ok(Folded { shape: model.shape, table: None, columns: Some(model.about.normalisation.clone()), params })
}

/// Folds the normalisation of a model of pictures, whatever its activations and its task.
///
/// # Errors
/// `Failed` without the memory.
pub fn fold_pixels(model: &Model) -> Result<Folded> {
    let normalisation = &model.about.normalisation;
    let mut params = Floats::copy_of(&model.params, "a copy of the parameters")?;
    normalisation.fold(model.shape, &mut params)?;
    Ok(Folded { shape: model.shape, table: normalisation.table(), columns: None, params })
}

/// The network in a flash file of floats, widened to f32.
///
/// # Errors
/// `Failed` without the memory.
pub fn from_file(image: &ModelView<'_>) -> Result<Folded> {
    let shape = image.header().shape()?;
    let mut params = Floats::zeroed(shape.params(), "the parameters")?;
    let layers = shape.split_mut(&mut params)?;
    for (to, from) in layers.into_iter().zip(image.layers()) {
        let o = from.outputs();
        for (at, w) in to.weights.iter_mut().enumerate() {
            *w = from.float_weight(at % o, at / o);
        }
        for (row, b) in to.biases.iter_mut().enumerate() {
            *b = from.float_bias(row);
        }
    }
    let columns = image.header().input_map().is_affine().then(|| {
        let (offset, scale) = (0..shape.inputs()).map(|feature| image.float_map(feature)).unzip();
        Normalisation::from_columns(offset, scale)
    });
    Ok(Folded { shape, table: image.table().copied(), columns, params })
}
