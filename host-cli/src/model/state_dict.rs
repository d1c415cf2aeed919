//! A network's parameters as a PyTorch state dict: layer `n`, counted from 1, is `fcN.weight (out, in)` and
//! `fcN.bias (out)`, both f32.
//!
//! The core keeps weights as `(in, out)`, so reading and writing transpose them.

use safetensors::SafeTensors;
use selvedge::Shape;
use selvedge::kernel::transpose;
use selvedge::shape::MAX_LAYERS;

use crate::files::safetensors::{Dtype, Tensor, f32_values};
use crate::memory::Floats;

/// The tensors of parameters in the core's layout.
///
/// # Errors
/// One clause, if the parameters are not those of the shape.
pub fn tensors(shape: Shape, params: &[f32]) -> Result<Vec<Tensor>, String> {
    let layers = shape.split(params).map_err(|e| e.to_string())?;
    let mut tensors = Vec::new();
    for (n, (layer, i)) in layers.iter().zip(shape.widths()).enumerate() {
        let o = layer.biases.len();
        let mut weights = vec![0.0; i * o];
        transpose(i, o, layer.weights, &mut weights);
        tensors.push(Tensor::from_f32(weight_name(n), &[o, i], &weights));
        tensors.push(Tensor::from_f32(bias_name(n), &[o], layer.biases));
    }
    Ok(tensors)
}

/// The tensors in the bytes of a safetensors file, and the shape of the network that they make.
///
/// # Errors
/// One clause without the file's name.
pub(super) fn parse(bytes: &[u8]) -> Result<(SafeTensors<'_>, Shape), String> {
    let tensors =
        SafeTensors::deserialize(bytes).map_err(|e| format!("not a readable safetensors file: {e}"))?;
    let shape = shape_of(&tensors)?;
    Ok((tensors, shape))
}

/// The parameters in the core's layout.
///
/// # Errors
/// One clause without the file's name.
pub(super) fn params(tensors: &SafeTensors<'_>, shape: Shape) -> Result<Floats, String> {
    let mut params = Floats::zeroed(shape.params(), &format!("{shape}")).map_err(|e| e.message)?;
    let layers = shape.split_mut(&mut params).map_err(|e| e.to_string())?;
    for (n, (layer, i)) in layers.into_iter().zip(shape.widths()).enumerate() {
        let o = layer.biases.len();
        let weights = floats(tensors, &weight_name(n))?;
        transpose(o, i, &weights, layer.weights);
        layer.biases.copy_from_slice(&floats(tensors, &bias_name(n))?);
    }
    Ok(params)
}

/// The name of the weights of layer `n`, counted from 0.
fn weight_name(n: usize) -> String {
    format!("fc{}.weight", n + 1)
}

/// The name of the biases of layer `n`, counted from 0.
fn bias_name(n: usize) -> String {
    format!("fc{}.bias", n + 1)
}

/// The widths that the tensors' shapes make, if they make any.
fn shape_of(tensors: &SafeTensors<'_>) -> Result<Shape, String> {
    let layers = (0..).take_while(|&n| tensors.tensor(&weight_name(n)).is_ok()).count();
    if layers == 0 {
        return Err("it has no tensor fc1.weight".into());
    }
    if layers > MAX_LAYERS {
        return Err(format!("{layers} layers: a network has 1 to {MAX_LAYERS}"));
    }
    let mut widths = Vec::new();
    for n in 0..layers {
        let name = weight_name(n);
        let weight = tensors.tensor(&name).map_err(|e| e.to_string())?;
        let &[o, i] = weight.shape() else {
            return Err(format!("{name} has shape {:?}, expected [out, in]", weight.shape()));
        };
        match widths.last() {
            None => widths.push(i),
            Some(&before) if before == i => {}
            Some(&before) => {
                return Err(format!("{name} has {i} inputs, but the layer before it has {before} outputs"));
            }
        }
        let name = bias_name(n);
        let bias = tensors.tensor(&name).map_err(|_| format!("it has no tensor {name}"))?;
        if bias.shape() != [o] {
            return Err(format!("{name} has shape {:?}, expected [{o}]", bias.shape()));
        }
        widths.push(o);
    }
    if tensors.len() != 2 * layers {
        let mut names = tensors.names();
        names.sort_unstable();
        let known: Vec<_> = (0..layers).flat_map(|n| [weight_name(n), bias_name(n)]).collect();
        let other = names.iter().find(|n| !known.contains(&(**n).to_string())).copied().unwrap_or_default();
        return Err(format!("it has a tensor {other} that belongs to no layer of a multilayer perceptron"));
    }
    Shape::new(&widths).map_err(|e| e.to_string())
}

/// The values of an f32 tensor, all finite.
fn floats(tensors: &SafeTensors<'_>, name: &str) -> Result<Vec<f32>, String> {
    let tensor = tensors.tensor(name).map_err(|e| e.to_string())?;
    if tensor.dtype() != Dtype::F32 {
        return Err(format!("{name} is {:?}, expected F32", tensor.dtype()));
    }
    all_finite(name, f32_values(tensor.data()).collect())
}

/// A tensor's values, unless one is infinite or not a number.
///
/// # Errors
/// One clause with the tensor's name.
pub fn all_finite(name: &str, values: Vec<f32>) -> Result<Vec<f32>, String> {
    match values.iter().position(|x| !x.is_finite()) {
        Some(at) => Err(format!("{name} holds {} at position {at}", values[at])),
        None => Ok(values),
    }
}
