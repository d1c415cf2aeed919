//! A network as named tensors, the contents of a state dict or an npz file: names and orientation are PyTorch's.

use selvedge::format::ModelView;

use super::Parameters;
use crate::data::Images;
use crate::files::safetensors::{Dtype, Tensor};
use crate::inference::Logits;
use crate::model::state_dict;

/// The tensors of a network.
pub(super) fn of(parameters: &Parameters<'_>) -> Result<Vec<Tensor>, String> {
    let folded = match parameters {
        Parameters::Float(folded, _) => folded,
        Parameters::Integer(model) => return Ok(integers(model)),
    };
    let mut tensors = state_dict::tensors(folded.shape, &folded.params)?;
    tensors.extend(folded.table.map(|table| tensor("table", Dtype::U8, &[256], table.to_vec())));
    Ok(tensors)
}

/// The integers of a flash file, as its arithmetic uses them: a weight of i4 is a multiple of 16.
fn integers(model: &ModelView<'_>) -> Vec<Tensor> {
    let mut tensors = Vec::new();
    for (n, layer) in model.layers().enumerate() {
        let (i, o) = (layer.inputs(), layer.outputs());
        let name = |part: &str| format!("fc{}.{part}", n + 1);
        let weights = (0..o).flat_map(|r| (0..i).map(move |c| layer.weight(r, c) as u8)).collect();
        let biases = (0..o).flat_map(|r| layer.bias(r).to_le_bytes()).collect();
        tensors.push(tensor(&name("weight"), Dtype::I8, &[o, i], weights));
        tensors.push(tensor(&name("bias"), Dtype::I32, &[o], biases));
        if n + 1 < model.layers().len() {
            let wide = model.header().has_wide_multipliers(n);
            let (dtype, bytes) = if wide { (Dtype::U32, 4) } else { (Dtype::U16, 2) };
            let stored = |r| layer.multiplier(r).to_le_bytes().into_iter().take(bytes);
            tensors.push(tensor(&name("multiplier"), dtype, &[o], (0..o).flat_map(stored).collect()));
        }
    }
    let scales: Vec<f32> = (0..=model.layers().len()).map(|l| model.scale(l)).collect();
    tensors.push(Tensor::from_f32("scales", &[scales.len()], &scales));
    if let Some(table) = model.table() {
        tensors.push(tensor("table", Dtype::U8, &[256], table.to_vec()));
    }
    tensors
}

/// The images at `index` of a set, their classes where they have some, and their logits.
pub(super) fn of_images(images: &Images, labels: &[u8], index: &[u32], logits: &Logits) -> Vec<Tensor> {
    let count = index.len();
    let (kind, bytes): (_, Vec<u8>) = match logits {
        Logits::Float(z) => (Dtype::F32, z.iter().flat_map(|z| z.to_le_bytes()).collect()),
        Logits::Integer(z) => (Dtype::I32, z.iter().flat_map(|z| z.to_le_bytes()).collect()),
    };
    let outputs = bytes.len() / 4 / count.max(1);
    let (rows, cols) = (images.rows, images.cols);
    let dims: &[usize] = match images.channels {
        1 => &[count, rows, cols],
        channels => &[count, rows, cols, channels],
    };
    let pixels = index.iter().flat_map(|&n| images.image(n as usize).unwrap_or_default()).copied();
    let mut tensors = vec![tensor("images", Dtype::U8, dims, pixels.collect())];
    if !labels.is_empty() {
        let labels = index.iter().map(|&n| labels[n as usize]);
        tensors.push(tensor("labels", Dtype::U8, &[count], labels.collect()));
    }
    tensors.push(tensor("logits", kind, &[count, outputs], bytes));
    tensors
}

fn tensor(name: &str, dtype: Dtype, dims: &[usize], bytes: Vec<u8>) -> Tensor {
    Tensor { name: name.into(), dtype, dims: dims.to_vec(), bytes }
}
