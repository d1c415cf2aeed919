//! State dicts in safetensors files: the dense layers of a module, whatever its attributes are called.
//!
//! `PREFIX.weight (out, in)` and `PREFIX.bias (out)` make a layer, as do Keras' `PREFIX/kernel (in, out)` and `PREFIX/bias`;
//! a missing bias is zeros. Batch normalisations are folded into a layer ([`batch_norm`]). The order comes from names, widths
//! or `--order` ([`layer_order`]), never from a guess. Floats of 16 bits are widened, which is exact; those of 64 bits are
//! rounded.

mod batch_norm;
mod layer_order;
pub(super) mod shards;

use std::collections::BTreeMap;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use selvedge::shape::MAX_LAYERS;

use super::dense::AffineDense;
use super::floats::Float;
use super::{Clause, Dense, Refusal};
use crate::model::{self, About};

/// The layers of a state dict.
#[derive(Debug)]
pub(super) struct StateDict {
    pub layers: Vec<Dense>,
    /// Our metadata, if this program wrote the file.
    pub about: Option<About>,
    /// The table that pixels go through first.
    pub table: Option<[u8; 256]>,
    /// Assumptions about what the file leaves open.
    pub notes: Vec<String>,
}

/// The tensors of a state dict by their names.
type Tensors<'a> = BTreeMap<String, TensorView<'a>>;

/// Reads a file with a whole state dict. `order` is empty or lists the layers' prefixes in order.
pub(super) fn read(bytes: &[u8], order: &[String]) -> Result<StateDict, Refusal> {
    let about = model::about_own(bytes)?;
    let mut state_dict = of_tensors(tensors(bytes)?.into_iter().collect(), order)?;
    if about.is_some() {
        // Our own files leave nothing open.
        state_dict.notes.clear();
    }
    Ok(StateDict { about, ..state_dict })
}

/// The tensors of one file.
fn tensors(bytes: &[u8]) -> Clause<Vec<(String, TensorView<'_>)>> {
    let tensors = SafeTensors::deserialize(bytes);
    Ok(tensors.map_err(|e| format!("not a readable safetensors file: {e}"))?.tensors())
}

/// The tensors of one module of a state dict.
#[derive(Debug, Default)]
struct Module<'a> {
    /// With the tensors' full names.
    parts: BTreeMap<Part, (String, TensorView<'a>)>,
}

/// The role of a tensor in its module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Weight,
    /// A weight `(in, out)`.
    Kernel,
    Bias,
    Gamma,
    Beta,
    Mean,
    Variance,
    /// Not used in inference.
    Count,
}

/// The module of a tensor, and the tensor's role in it.
fn part(name: &str) -> Option<(&str, Part)> {
    let whole = name.strip_suffix(":0").unwrap_or(name);
    let (prefix, last) = whole.rsplit_once(['.', '/']).unwrap_or(("", whole));
    let part = match last {
        "weight" => Part::Weight,
        "kernel" => Part::Kernel,
        "bias" => Part::Bias,
        "gamma" => Part::Gamma,
        "beta" => Part::Beta,
        "running_mean" | "moving_mean" => Part::Mean,
        "running_var" | "moving_variance" => Part::Variance,
        "num_batches_tracked" => Part::Count,
        _ => return None,
    };
    Some((prefix, part))
}

fn of_tensors(mut tensors: Tensors<'_>, order: &[String]) -> Result<StateDict, Refusal> {
    if tensors.contains_key("scales") && tensors.values().any(|t| t.dtype() == Dtype::I8) {
        return Err(
            "an export of a flash file of integers, whose weights are rounded; import the model that it was \
                    made of"
                .to_string()
                .into(),
        );
    }
    let is_table = |t: &TensorView<'_>| t.dtype() == Dtype::U8 && t.shape() == [256];
    let table = match tensors.get("table") {
        Some(table) if is_table(table) => tensors.remove("table").and_then(|t| t.data().try_into().ok()),
        _ => None,
    };
    let mut notes = Vec::new();
    if tensors.values().any(|t| t.dtype() == Dtype::F64) {
        notes.push("its weights are of 64 bits (F64) and were rounded to f32".into());
    }
    let mut modules: BTreeMap<&str, Module<'_>> = BTreeMap::new();
    for (name, tensor) in &tensors {
        let (prefix, part) = part(name).ok_or_else(|| belongs_nowhere(name))?;
        let parts = &mut modules.entry(prefix).or_default().parts;
        if parts.insert(part, (name.clone(), tensor.clone())).is_some() {
            return Err(format!("it has two tensors {part:?} of {prefix}").to_lowercase().into());
        }
    }
    let is_norm = |m: &Module<'_>| m.parts.contains_key(&Part::Mean) || m.parts.contains_key(&Part::Variance);
    let (norms, dense): (Vec<_>, Vec<_>) = modules.into_iter().partition(|(_, m)| is_norm(m));
    if dense.len() > MAX_LAYERS {
        return Err(
            format!("it has {} dense layers, and a network here has 1 to {MAX_LAYERS}", dense.len()).into()
        );
    }
    let dense = dense.into_iter().map(|(prefix, m)| Ok((prefix, dense_layer(&m)?)));
    let dense = dense.collect::<Clause<Vec<(&str, AffineDense)>>>()?;
    let mut layers = layer_order::of(dense, order)?;
    for (prefix, module) in norms.into_iter().rev() {
        notes.push(batch_norm::fold(&mut layers, prefix, &module)?);
    }
    let layers = layers.iter().map(|(_, layer)| layer.fold()).collect::<Clause<_>>()?;
    Ok(StateDict { layers, about: None, table, notes })
}

fn belongs_nowhere(name: &str) -> String {
    format!("it has a tensor {name} that belongs to no layer of a multilayer perceptron")
}

/// The layer of a module with a matrix of weights.
fn dense_layer(module: &Module<'_>) -> Clause<AffineDense> {
    let get = |part: Part| module.parts.get(&part);
    let (weight, kernel) = match (get(Part::Weight), get(Part::Kernel)) {
        (Some(weight), None) => (weight, false),
        (None, Some(kernel)) => (kernel, true),
        _ => {
            let (name, _) = module.parts.values().next().ok_or("it holds no dense layer")?;
            let sought =
                if name.ends_with("bias") { name.replace("bias", "weight") } else { "a weight".into() };
            return Err(format!("it has a tensor {name}, but none named {sought}"));
        }
    };
    let (name, tensor) = weight;
    let &[rows, cols] = tensor.shape() else {
        let expected = if kernel { "[in, out]" } else { "[out, in]" };
        return Err(format!("{name} has shape {:?}, expected {expected}", tensor.shape()));
    };
    if let Some((other, _)) = [Part::Gamma, Part::Beta, Part::Count].iter().find_map(|&p| get(p)) {
        return Err(belongs_nowhere(other));
    }
    let [o, i] = if kernel { [cols, rows] } else { [rows, cols] };
    let values = values(name, tensor)?;
    let at = |n: usize| if kernel { n % i * o + n / i } else { n };
    let weights = (0..values.len()).map(|n| values[at(n)]).collect();
    let (bias_name, biases) = match get(Part::Bias) {
        None => (String::new(), vec![0.0; o]),
        Some((bias_name, bias)) => {
            if bias.shape().len() != 1 {
                return Err(format!("{bias_name} has shape {:?}, expected [out]", bias.shape()));
            }
            if bias.shape() != [o] {
                let shapes = (bias.shape(), tensor.shape());
                return Err(format!(
                    "{bias_name} has shape {:?}, but {name} has shape {:?}",
                    shapes.0, shapes.1
                ));
            }
            (bias_name.clone(), self::values(bias_name, bias)?)
        }
    };
    Ok(AffineDense::new([name.clone(), bias_name], [o, i], weights, biases))
}

/// A tensor's values, none of which overflows f32.
fn values(name: &str, tensor: &TensorView<'_>) -> Clause<Vec<f64>> {
    let float = match tensor.dtype() {
        Dtype::F32 => Float::F32,
        Dtype::F16 => Float::F16,
        Dtype::BF16 => Float::Bf16,
        Dtype::F64 => Float::F64,
        other => return Err(format!("{name} is {other:?}, expected F32, F64, F16 or BF16")),
    };
    let values = float.widen(tensor.data());
    match values.iter().position(|&x| !(x as f32).is_finite()) {
        Some(at) if values[at].is_finite() => {
            Err(format!("{name} holds {:e} at position {at}, which f32 cannot", values[at]))
        }
        Some(at) => Err(format!("{name} holds {} at position {at}", values[at])),
        None => Ok(values),
    }
}
