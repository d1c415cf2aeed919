//! Batch normalisations of a state dict, folded into a dense layer.
//!
//! A state dict holds neither epsilon nor what lies between two modules. So the default epsilon of PyTorch or Keras is
//! assumed, and that ReLU follows the normalisation, unless the numbers of an `nn.Sequential` leave room for it in front.
//! Both assumptions are reported, since both may be wrong.

use std::cmp::Ordering;

use safetensors::tensor::TensorView;

use super::super::Clause;
use super::super::batch_norm::BatchNorm;
use super::super::dense::{Affine, AffineDense};
use super::{Module, Part, layer_order, values};

/// The default epsilon of PyTorch, and of Keras.
const EPSILONS: [f64; 2] = [1e-5, 1e-3];

/// Folds the normalisation of module `prefix` into one of `layers`; returns a note of what was assumed.
pub(super) fn fold(layers: &mut [(&str, AffineDense)], prefix: &str, module: &Module<'_>) -> Clause<String> {
    let keras = [Part::Gamma, Part::Beta].iter().any(|p| module.parts.contains_key(p))
        || module.parts.values().any(|(name, _)| name.contains("moving_"));
    let eps = EPSILONS[usize::from(keras)];
    let affine = affine(prefix, module, eps)?;
    let width = affine.factor.len();
    let (at, after) = target(layers, prefix, width)?;
    let (name, layer) = &mut layers[at];
    let slot = if after { &mut layer.after } else { &mut layer.before };
    // Normalisations are folded from the last to the first, so an earlier one goes in front.
    let composed = affine.then(slot);
    *slot = composed.ok_or_else(|| format!("{prefix} has {width} units, which {name} has not"))?;
    let relu = if after { "with ReLU after it" } else { "with ReLU, or nothing, in front of it" };
    Ok(format!(
        "{prefix} is a batch normalisation of which a state dict says neither eps nor its place: it was folded into \
         {name} with eps {eps:e}, {relu}; an ONNX file says both"
    ))
}

/// The affine map of a normalisation.
fn affine(prefix: &str, module: &Module<'_>, eps: f64) -> Clause<Affine> {
    let part = |parts: [Part; 2]| parts.iter().find_map(|p| module.parts.get(p));
    let mean = part([Part::Mean; 2]);
    let (Some(mean), Some(variance)) = (mean, part([Part::Variance; 2])) else {
        let (name, _) = module.parts.values().next().ok_or("an empty module")?;
        return Err(format!("it has a tensor {name}, but {prefix} lacks a running mean or variance"));
    };
    let width = mean.1.shape().iter().product();
    let vector = |(name, tensor): &(String, TensorView<'_>)| {
        if tensor.shape() != [width] {
            return Err(format!("{name} has shape {:?}, expected [{width}]", tensor.shape()));
        }
        values(name, tensor)
    };
    let or = |found: Option<&(String, TensorView<'_>)>, default: f64| {
        found.map_or_else(|| Ok(vec![default; width]), vector)
    };
    let (means, variances) = (vector(mean)?, vector(variance)?);
    let (gamma, beta) =
        (or(part([Part::Weight, Part::Gamma]), 1.0)?, or(part([Part::Bias, Part::Beta]), 0.0)?);
    let norm = BatchNorm { gamma: &gamma, beta: &beta, mean: &means, variance: &variances, epsilon: eps };
    let affine = norm.to_affine();
    if let Some(at) = affine.factor.iter().position(|f| !f.is_finite()) {
        return Err(format!("{} holds {} at position {at}, which is no variance", variance.0, variances[at]));
    }
    Ok(affine)
}

/// The layer that a normalisation of `width` units is folded into, and whether the normalisation follows that layer.
fn target(layers: &[(&str, AffineDense)], prefix: &str, width: usize) -> Clause<(usize, bool)> {
    let fits = |n: usize| layers[n].1.dims[0] == width;
    // Such as layers.0.linear and layers.0.norm, or fc1 and bn1.
    let is_sibling = |n: &usize| {
        let name = layers[*n].0;
        parent(name) == parent(prefix) && numbers(name) == numbers(prefix) && !numbers(prefix).is_empty()
    };
    let siblings: Vec<_> = (0..layers.len()).filter(is_sibling).collect();
    if let [n] = siblings[..]
        && fits(n)
    {
        return Ok((n, true));
    }
    let before = |n: &usize| layer_order::by_number(layers[*n].0, prefix) == Some(Ordering::Less);
    let after = |n: &usize| layer_order::by_number(layers[*n].0, prefix) == Some(Ordering::Greater);
    match ((0..layers.len()).rfind(before), (0..layers.len()).find(after)) {
        (Some(n), next) => {
            if !fits(n) {
                return Err(format!(
                    "{prefix} has {width} units, but {} in front of it has {} outputs",
                    layers[n].0, layers[n].1.dims[0]
                ));
            }
            match next {
                Some(next) if !follows(layers[n].0, prefix) => Ok((next, false)),
                _ => Ok((n, true)),
            }
        }
        (None, Some(0)) if layers[0].1.dims[1] == width => Ok((0, false)),
        _ => {
            let mut fitting = (0..layers.len()).filter(|&n| n + 1 < layers.len() && fits(n));
            match (fitting.next(), fitting.next()) {
                (Some(n), None) => Ok((n, true)),
                _ => Err(format!(
                    "{prefix} is a batch normalisation, and its name does not say which layer it follows; fold it in \
                     PyTorch with torch.nn.utils.fusion.fuse_linear_bn_eval, or export ONNX"
                )),
            }
        }
    }
}

/// The name of the enclosing module.
fn parent(name: &str) -> &str {
    name.rsplit_once(['.', '/']).map_or("", |(parent, _)| parent)
}

/// The numbers in a name.
fn numbers(name: &str) -> Vec<&str> {
    let runs = name.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty());
    runs.map(|run| run.trim_start_matches('0')).collect()
}

/// Whether no module can lie between two modules of an `nn.Sequential`: their last numbers are adjacent, or are not numbers.
fn follows(layer: &str, norm: &str) -> bool {
    let last = |name: &str| name.rsplit('.').next().and_then(|part| part.parse::<u32>().ok());
    match (last(layer), last(norm)) {
        (Some(a), Some(b)) => b.checked_sub(a) == Some(1),
        _ => true,
    }
}
