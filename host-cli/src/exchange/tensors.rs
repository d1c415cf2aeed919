//! A network as named tensors, in PyTorch's names and orientation: what a state dict or an npz file holds.

use selvedge::format::ModelView;
use selvedge::kernel::transpose;

use super::{Clause, Logits};
use crate::data::Set;
use crate::model::fold::Folded;

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
    I32,
    U16,
    I8,
    U8,
}

/// `fcN.weight (o, i)` and `fcN.bias (o)` of every layer.
pub(super) fn of(net: &Folded) -> Clause<Vec<Tensor>> {
    let layers = net.shape.split(&net.params).map_err(|e| e.to_string())?;
    let mut tensors = Vec::new();
    for (n, layer) in layers.iter().enumerate() {
        let (i, o) = (net.shape.width(n), net.shape.width(n + 1));
        let mut weights = vec![0.0; i * o];
        transpose(i, o, layer.weights, &mut weights);
        tensors.push(floats(format!("fc{}.weight", n + 1), vec![o, i], &weights));
        tensors.push(floats(format!("fc{}.bias", n + 1), vec![o], layer.biases));
    }
    if let Some(table) = &net.table {
        tensors.push(tensor("table", Kind::U8, &[256], table.to_vec()));
    }
    Ok(tensors)
}

/// A file of integers: the numbers of its arithmetic, where a weight of i4 is a multiple of 16.
pub(super) fn of_integers(image: &ModelView<'_>) -> Vec<Tensor> {
    let mut tensors = Vec::new();
    for (n, layer) in image.layers().enumerate() {
        let (i, o) = (layer.inputs(), layer.outputs());
        let name = |part: &str| format!("fc{}.{part}", n + 1);
        let weights = (0..o).flat_map(|r| (0..i).map(move |c| layer.weight(r, c) as u8)).collect();
        let biases = (0..o).flat_map(|r| layer.bias(r).to_le_bytes()).collect();
        tensors.push(tensor(&name("weight"), Kind::I8, &[o, i], weights));
        tensors.push(tensor(&name("bias"), Kind::I32, &[o], biases));
        if n + 1 < image.layers().len() {
            let multipliers = (0..o).flat_map(|r| layer.multiplier(r).to_le_bytes()).collect();
            tensors.push(tensor(&name("multiplier"), Kind::U16, &[o], multipliers));
        }
    }
    let scales: Vec<f32> = (0..=image.layers().len()).map(|l| image.scale(l)).collect();
    tensors.push(floats("scales".into(), vec![scales.len()], &scales));
    if let Some(table) = image.table() {
        tensors.push(tensor("table", Kind::U8, &[256], table.to_vec()));
    }
    tensors
}

/// The images at `index`, their classes, and what a network makes of them.
pub(super) fn of_images(set: &Set, index: &[u32], logits: &Logits) -> Vec<Tensor> {
    let images = index.len();
    let (kind, bytes): (_, Vec<u8>) = match logits {
        Logits::Float(z) => (Kind::F32, z.iter().flat_map(|z| z.to_le_bytes()).collect()),
        Logits::Integer(z) => (Kind::I32, z.iter().flat_map(|z| z.to_le_bytes()).collect()),
    };
    let outputs = bytes.len() / 4 / images.max(1);
    let (rows, cols) = (set.images.rows, set.images.cols);
    let pixels = index.iter().flat_map(|&n| set.images.image(n as usize).unwrap_or_default()).copied();
    let labels = index.iter().map(|&n| set.labels[n as usize]);
    vec![
        tensor("images", Kind::U8, &[images, rows, cols], pixels.collect()),
        tensor("labels", Kind::U8, &[images], labels.collect()),
        tensor("logits", kind, &[images, outputs], bytes),
    ]
}

fn tensor(name: &str, kind: Kind, dims: &[usize], bytes: Vec<u8>) -> Tensor {
    Tensor { name: name.into(), kind, dims: dims.to_vec(), bytes }
}

fn floats(name: String, dims: Vec<usize>, values: &[f32]) -> Tensor {
    Tensor { name, kind: Kind::F32, dims, bytes: values.iter().flat_map(|x| x.to_le_bytes()).collect() }
}
