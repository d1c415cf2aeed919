//! State dicts in safetensors: the dense layers of a PyTorch module whatever its attributes are called.
//!
//! `PREFIX.weight (out, in)` and `PREFIX.bias (out)` make a layer. Layers go in the order of their names, numbers
//! compared as numbers; where widths do not fit then, in the only order in which they do. Floats of 16 bits are widened,
//! which is exact.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use selvedge::shape::MAX_LAYERS;

use super::tensors::{Kind, Tensor};
use super::widen::Float;
use super::{Clause, Dense};
use crate::checksum;
use crate::model::{self, About, all_finite};

/// The layers of a state dict in order, and what the file says of itself if it is one of ours.
pub(super) fn read(bytes: &[u8]) -> Clause<(Vec<Dense>, About)> {
    let unreadable = |e| format!("not a readable safetensors file: {e}");
    let about = model::about(bytes)?;
    let tensors = SafeTensors::deserialize(bytes).map_err(unreadable)?;
    if let Some(prefix) = tensors.names().into_iter().find_map(|name| name.strip_suffix(".running_mean")) {
        return Err(format!(
            "{prefix} is a batch normalisation, which the layer in front of it can absorb: in PyTorch, \
             torch.nn.utils.fusion.fuse_linear_bn_eval"
        ));
    }
    let mut pairs: BTreeMap<&str, [Option<TensorView<'_>>; 2]> = BTreeMap::new();
    for (name, tensor) in tensors.iter() {
        let (prefix, kind) = name.rsplit_once('.').unwrap_or(("", name));
        let place = match (kind, tensor.shape().len()) {
            ("weight", 2) => 0,
            ("bias", 1) => 1,
            ("weight", _) => {
                return Err(format!("{name} has shape {:?}, expected [out, in]", tensor.shape()));
            }
            ("bias", _) => return Err(format!("{name} has shape {:?}, expected [out]", tensor.shape())),
            _ => {
                return Err(format!(
                    "it has a tensor {name} that belongs to no layer of a multilayer perceptron"
                ));
            }
        };
        pairs.entry(prefix).or_default()[place] = Some(tensor);
    }
    if pairs.len() > MAX_LAYERS {
        return Err(format!("{} layers: a network has 1 to {MAX_LAYERS}", pairs.len()));
    }
    let layers = pairs.into_iter().map(|(prefix, pair)| dense(prefix, pair)).collect::<Clause<Vec<_>>>()?;
    Ok((in_order(layers), about))
}

fn dense(prefix: &str, pair: [Option<TensorView<'_>>; 2]) -> Clause<Dense> {
    let names = ["weight", "bias"].map(|kind| match prefix {
        "" => kind.to_string(),
        _ => format!("{prefix}.{kind}"),
    });
    let [Some(weight), Some(bias)] = pair else {
        let (there, missing) = if pair[0].is_some() { (0, 1) } else { (1, 0) };
        return Err(format!("it has a tensor {}, but none named {}", names[there], names[missing]));
    };
    let dims = [weight.shape()[0], weight.shape()[1]];
    if bias.shape() != [dims[0]] {
        return Err(format!(
            "{} has shape {:?}, but {} has shape {:?}",
            names[1],
            bias.shape(),
            names[0],
            weight.shape()
        ));
    }
    let (weights, biases) = (values(&names[0], &weight)?, values(&names[1], &bias)?);
    Ok(Dense { names, dims, weights, biases })
}

/// A tensor's values, widened to f32.
fn values(name: &str, tensor: &TensorView<'_>) -> Clause<Vec<f32>> {
    let float = match tensor.dtype() {
        Dtype::F32 => Float::F32,
        Dtype::F16 => Float::F16,
        Dtype::BF16 => Float::Bf16,
        other => {
            let hint = if other == Dtype::F64 { "; in PyTorch, save model.float()" } else { "" };
            return Err(format!("{name} is {other:?}, expected F32, F16 or BF16{hint}"));
        }
    };
    all_finite(name, float.widen(tensor.data()))
}

/// By name; by width where that makes no chain and only one order does.
fn in_order(mut layers: Vec<Dense>) -> Vec<Dense> {
    layers.sort_by(|a, b| by_number(&a.names[0], &b.names[0]));
    let fits =
        |order: &[usize]| order.windows(2).all(|pair| layers[pair[0]].dims[0] == layers[pair[1]].dims[1]);
    if fits(&(0..layers.len()).collect::<Vec<_>>()) {
        return layers;
    }
    let mut found = Vec::new();
    chains(&layers, &mut Vec::new(), &mut found);
    match &found[..] {
        [only] => only.iter().map(|&n| layers[n].clone()).collect(),
        _ => layers,
    }
}

/// Up to two orders of all layers in which the widths fit.
fn chains(layers: &[Dense], taken: &mut Vec<usize>, found: &mut Vec<Vec<usize>>) {
    if taken.len() == layers.len() {
        found.push(taken.clone());
    }
    for next in (0..layers.len()).filter(|n| !taken.contains(n)).collect::<Vec<_>>() {
        let fits = taken.last().is_none_or(|&last| layers[last].dims[0] == layers[next].dims[1]);
        if fits && found.len() < 2 {
            taken.push(next);
            chains(layers, taken, found);
            taken.pop();
        }
    }
}

/// `net.2` before `net.10`: runs of digits compare as numbers.
fn by_number(a: &str, b: &str) -> Ordering {
    let parts = |text: &str| -> Vec<(u64, String)> {
        let mut parts: Vec<(u64, String)> = Vec::new();
        let mut was_digit = None;
        for c in text.chars() {
            let digit = c.is_ascii_digit();
            if was_digit != Some(digit) {
                parts.push((0, String::new()));
            }
            let (number, word) = parts.last_mut().expect("pushed above");
            match c.to_digit(10) {
                Some(d) => *number = number.saturating_mul(10).saturating_add(u64::from(d)),
                None => word.push(c),
            }
            was_digit = Some(digit);
        }
        parts
    };
    parts(a).cmp(&parts(b)).then_with(|| a.cmp(b))
}

/// The file; the same tensors give the same bytes.
pub(super) fn write(tensors: &[Tensor]) -> Clause<Vec<u8>> {
    let views = tensors.iter().map(|t| {
        let dtype = match t.kind {
            Kind::F32 => Dtype::F32,
            Kind::I32 => Dtype::I32,
            Kind::U16 => Dtype::U16,
            Kind::I8 => Dtype::I8,
            Kind::U8 => Dtype::U8,
        };
        TensorView::new(dtype, t.dims.clone(), &t.bytes).map(|view| (&t.name, view))
    });
    let views = views.collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?;
    checksum::write_tensors(views, model::KEY, "{}")
}

#[cfg(test)]
mod tests {
    use super::by_number;

    #[test]
    fn numbers_compare_as_numbers() {
        let mut names =
            ["net.10.weight", "net.2.weight", "fc2.weight", "fc1.weight", "0.weight", "fc10.weight"];
        names.sort_by(|a, b| by_number(a, b));
        assert_eq!(
            names,
            ["0.weight", "fc1.weight", "fc2.weight", "fc10.weight", "net.2.weight", "net.10.weight"]
        );
    }
}
