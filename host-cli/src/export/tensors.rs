//! A network as named tensors, the contents of a state dict or an npz file: names and orientation are PyTorch's.
//!
//! An integer flash file is described completely, by the numbers of its [arithmetic](selvedge::format); `docs/import.md` lists
//! the arrays.

use selvedge::format::{InputMap, InputType, ModelView, Task, ValueScale};

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
        tensors.extend(layer.table().map(|t| tensor(&name("table"), Dtype::U8, &[256], t.to_vec())));
    }
    let scales: Vec<f32> = (0..=model.layers().len()).map(|l| model.scale(l)).collect();
    tensors.push(Tensor::from_f32("scales", &[scales.len()], &scales));
    if let Some(table) = model.table() {
        tensors.push(tensor("table", Dtype::U8, &[256], table.to_vec()));
    }
    let header = model.header();
    if !(header.is_plain() && header.task() == Task::Class && header.window().is_none())
        || header.margin_bits() != 0
    {
        meaning(model, &mut tensors);
    }
    tensors
}

/// What a flash file says beside layers: of raw values, activations and answers.
fn meaning(model: &ModelView<'_>, tensors: &mut Vec<Tensor>) {
    let (header, outputs) = (model.header(), model.header().outputs());
    let mut scalar = |name: &str, dtype, bytes: &[u8]| tensors.push(tensor(name, dtype, &[], bytes.to_vec()));
    scalar("task", Dtype::U8, &[header.task() as u8]);
    scalar("input.bits", Dtype::U8, &[header.input_bits() as u8]);
    match header.task() {
        Task::Class if header.margin_bits() != 0 => {
            scalar("class.margin", Dtype::U32, &header.margin_bits().to_le_bytes());
        }
        Task::Labels => scalar("labels.threshold", Dtype::I32, &header.label_threshold_bits().to_le_bytes()),
        Task::Reconstruction => {
            scalar("score.shift", Dtype::U8, &[header.score_shift() as u8]);
            scalar("score.unit", Dtype::F32, &header.score_unit().to_le_bytes());
            if let Some(threshold) = header.score_threshold() {
                scalar("score.threshold", Dtype::U64, &threshold.to_le_bytes());
            }
        }
        _ => {}
    }
    let activations = (0..header.layers()).map(|l| header.activation(l) as u8);
    tensors.push(tensor("activations", Dtype::U8, &[header.layers()], activations.collect()));
    if let Some((rows, stride)) = header.window() {
        tensors.push(words("window", Dtype::U16, [rows, stride].map(|n| (n as u16).to_le_bytes())));
    }
    let features = 0..if header.input_map() == InputMap::Affine { 1 } else { header.inputs() };
    if header.input_map().is_affine() && header.input_type() == InputType::F32 {
        let maps = features.map(|feature| model.float_map(feature));
        let (offsets, scales): (Vec<f32>, Vec<f32>) = maps.unzip();
        tensors.push(Tensor::from_f32("input.offset", &[offsets.len()], &offsets));
        tensors.push(Tensor::from_f32("input.scale", &[scales.len()], &scales));
    } else if header.input_map().is_affine() {
        let maps: Vec<(i32, u16, u32)> = features.map(|feature| model.integer_map(feature)).collect();
        tensors.push(words("input.lo", Dtype::I32, maps.iter().map(|map| map.0.to_le_bytes())));
        tensors.push(words("input.span", Dtype::U16, maps.iter().map(|map| map.1.to_le_bytes())));
        tensors.push(words("input.m", Dtype::U32, maps.iter().map(|map| map.2.to_le_bytes())));
    }
    if header.task() == Task::Values {
        let of = |output| match model.value_scale(output) {
            ValueScale::Integer { add, scale } => (add, scale),
            ValueScale::Float { scale, .. } => (0, scale),
        };
        let (adds, scales): (Vec<i32>, Vec<f32>) = (0..outputs).map(of).unzip();
        tensors.push(words("values.add", Dtype::I32, adds.into_iter().map(i32::to_le_bytes)));
        tensors.push(Tensor::from_f32("values.scale", &[outputs], &scales));
    }
    if header.task() == Task::Reconstruction {
        let scales = || (0..outputs).map(|output| model.error_scale(output));
        tensors.push(words("score.add", Dtype::I32, scales().map(|scale| scale.add.to_le_bytes())));
        tensors.push(words("score.mul", Dtype::U32, scales().map(|scale| scale.mul.to_le_bytes())));
    }
}

/// A tensor of one dimension.
fn words<const BYTES: usize>(
    name: &str,
    dtype: Dtype,
    values: impl IntoIterator<Item = [u8; BYTES]>,
) -> Tensor {
    let bytes: Vec<u8> = values.into_iter().flatten().collect();
    tensor(name, dtype, &[bytes.len() / BYTES], bytes)
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
