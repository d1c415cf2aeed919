//! A model as named tensors, in PyTorch's names and orientation: what a state dict or an npz file holds.

use selvedge::kernel::transpose;

use crate::error::{Error, Result};
use crate::model::Model;

/// An array with a name. Values are little-endian.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tensor {
    pub name: String,
    pub kind: Kind,
    pub dims: Vec<usize>,
    pub bytes: Vec<u8>,
}

/// What an array is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    F32,
}

/// `fcN.weight (o, i)` and `fcN.bias (o)` of every layer.
pub(super) fn of_model(model: &Model) -> Result<Vec<Tensor>> {
    let layers = model.shape.split(&model.params).map_err(|e| Error::failed(e.to_string()))?;
    let mut tensors = Vec::new();
    for (n, layer) in layers.iter().enumerate() {
        let (i, o) = (model.shape.width(n), model.shape.width(n + 1));
        let mut weights = vec![0.0; i * o];
        transpose(i, o, layer.weights, &mut weights);
        tensors.push(floats(format!("fc{}.weight", n + 1), vec![o, i], &weights));
        tensors.push(floats(format!("fc{}.bias", n + 1), vec![o], layer.biases));
    }
    Ok(tensors)
}

fn floats(name: String, dims: Vec<usize>, values: &[f32]) -> Tensor {
    Tensor { name, kind: Kind::F32, dims, bytes: values.iter().flat_map(|x| x.to_le_bytes()).collect() }
}
