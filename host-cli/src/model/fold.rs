//! A network as a device runs it: a table for the bytes of the image, then layers and nothing else.
//!
//! What a model does to its inputs ([`normalise`](crate::data::normalise)) is folded in here: what differs from byte to byte
//! goes into the table, what differs from pixel to pixel into the first layer.

use selvedge::format::ModelView;
use selvedge::{Shape, naive};

use crate::error::Result;
use crate::memory::Floats;
use crate::model::Model;

/// A network whose inputs are `table[p] / 255` of the pixels `p`.
#[derive(Debug)]
pub struct Folded {
    /// The widths.
    pub shape: Shape,
    /// What a byte becomes; `None` where it stays as it is.
    pub table: Option<[u8; 256]>,
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
/// `Failed` without the memory, `Model` where no device runs it.
pub fn fold(model: &Model) -> Result<Folded> {
    model.check_device()?;
    fold_pixels(model)
}

/// Folds the normalisation of a model of pictures, whatever its activations and its task.
///
/// # Errors
/// `Failed` without the memory.
pub fn fold_pixels(model: &Model) -> Result<Folded> {
    let normalisation = &model.about.normalisation;
    let mut params = Floats::copy_of(&model.params, "a copy of the parameters")?;
    normalisation.fold(model.shape, &mut params)?;
    Ok(Folded { shape: model.shape, table: normalisation.table(), params })
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
    Ok(Folded { shape, table: image.table().copied(), params })
}
