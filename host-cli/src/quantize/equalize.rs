//! Cross-layer equalisation: rescales hidden units, so that a unit of unusual range does not determine its layer's step.
//!
//! All outputs of a layer share one scale, and so do all weights of an output. A unit that is a thousand times larger than
//! the others costs them the resolution of their outputs; one that is multiplied by large weights costs the next layer the
//! resolution of its weights. ReLU and leaky ReLU commute with a positive factor, so a unit's weights and bias are divided by `s` and the
//! weights of the next layer that read it are multiplied by `s` (Nagel et al. 2019, "Data-free quantization through weight
//! equalization and bias correction"). Instead of the range of its weights, which have a scale of their own, the range of its
//! outputs is used. `s` is a power of two, so that the float network keeps its bits.
//!
//! An ordinary network gains little and stays as it is: a layer is equalised only where that at least halves the error of its
//! outputs or of those of a later layer, measured in integers on the calibration images.

use selvedge::shape::Layer;
use selvedge::{Activation, Shape};

use super::calibrate::{Calibration, MIN_TRUSTED_IMAGES};
use super::rounding::Quantizer;
use super::simplify::column;
use crate::error::{ErrorKind, Result};
use crate::memory::Floats;
use crate::model::fold::Folded;

/// The smallest exponent of `s` that is tried: below, no layer's error halves.
const MIN_EXPONENT: i32 = 2;

/// Equalises the layers of `net` that gain by it. The network computes the same as before, except that in a layer that gains,
/// the weights that read a unit which is 0 on all calibration images are limited to the largest other weight of their output.
///
/// # Errors
/// `Failed` without the memory, `Model` where activations are not finite.
pub(super) fn equalize(quantizer: &Quantizer<'_>, net: &mut Folded) -> Result<()> {
    let hidden = net.shape.layers() - 1;
    let mut calibration = quantizer.calibrate(&net.params)?;
    let mut errors = None;
    for _ in 0..hidden {
        let mut gained = false;
        for l in 0..hidden {
            let Some(candidate) = equalized(net, l, &calibration, quantizer.index.len())? else {
                continue;
            };
            let before = match errors.take() {
                Some(errors) => errors,
                None => quantizer.errors(net, &calibration)?,
            };
            let calibrated = match quantizer.calibrate(&candidate.params) {
                // The activations of the candidate overflow.
                Err(e) if e.kind == ErrorKind::Model => {
                    errors = Some(before);
                    continue;
                }
                calibrated => calibrated?,
            };
            let after = quantizer.errors(&candidate, &calibrated)?;
            if halves(&before[l..], &after[l..]) {
                (*net, calibration, errors, gained) = (candidate, calibrated, Some(after), true);
            } else {
                errors = Some(before);
            }
        }
        if !gained {
            break;
        }
    }
    Ok(())
}

/// Whether the error of one of the layers is halved, and that of the last grows by no more than a tenth.
fn halves(before: &[f64], after: &[f64]) -> bool {
    let halved = before.iter().zip(after).any(|(before, after)| 2.0 * after < *before);
    halved && before.last().zip(after.last()).is_some_and(|(before, after)| *after <= 1.1 * before)
}

/// The rescaling of a hidden unit: its weights are divided by `2^exponent`, the weights that read it are multiplied by it.
#[derive(Clone, Copy)]
struct Rescaling {
    exponent: i32,
    /// Whether the weights that read it are limited to the largest that their output has for other units.
    limited: bool,
}

/// The network with hidden layer `l` equalised with the next layer; `None` where no unit has an unusual range, its
/// activation does not allow it, or a weight would overflow.
fn equalized(net: &Folded, l: usize, calibration: &Calibration, images: usize) -> Result<Option<Folded>> {
    if !commutes(net.shape.activation(l)) {
        return Ok(None);
    }
    let units = rescalings(net, l, calibration, images)?;
    let changes = |unit: &Rescaling| unit.limited || unit.exponent.abs() >= MIN_EXPONENT;
    if !units.iter().any(changes) {
        return Ok(None);
    }
    let mut params = Floats::copy_of(&net.params, "a copy of the parameters")?;
    rescale(net.shape, l, &units, &mut params)?;
    let finite = params.iter().all(|w| w.is_finite());
    Ok(finite.then_some(Folded { shape: net.shape, table: net.table, columns: net.columns.clone(), params }))
}

/// Rescales the units of hidden layer `l`.
fn rescale(shape: Shape, l: usize, units: &[Rescaling], params: &mut [f32]) -> Result<()> {
    let mut layers = shape.split_mut(params)?;
    let (before, after) = layers.split_at_mut(l + 1);
    let (own, reader) = (&mut before[l], &mut after[0]);
    for row in own.weights.chunks_exact_mut(units.len()).chain([&mut *own.biases]) {
        for (w, unit) in row.iter_mut().zip(units) {
            *w = shifted(*w, -unit.exponent);
        }
    }
    let outputs = reader.biases.len();
    let mut max = vec![0.0f32; outputs];
    for (row, unit) in reader.weights.chunks_exact_mut(outputs).zip(units) {
        row.iter_mut().for_each(|w| *w = shifted(*w, unit.exponent));
        if !unit.limited {
            row.iter().zip(&mut max).for_each(|(w, max)| *max = max.max(w.abs()));
        }
    }
    for (row, _) in reader.weights.chunks_exact_mut(outputs).zip(units).filter(|(_, unit)| unit.limited) {
        row.iter_mut().zip(&max).for_each(|(w, &max)| *w = w.clamp(-max, max));
    }
    Ok(())
}

/// Whether an activation commutes with a positive factor.
fn commutes(activation: Activation) -> bool {
    matches!(activation, Activation::Identity | Activation::Relu | Activation::LeakyRelu)
}

fn shifted(w: f32, exponent: i32) -> f32 {
    (f64::from(w) * 2.0f64.powi(exponent)) as f32
}

/// The rescaling of each unit of hidden layer `l`. At `s = sqrt(reach / read)` a unit's outputs are as large as the weights
/// that read them. The median of `s` is divided out, since a factor of the whole layer gains nothing.
fn rescalings(net: &Folded, l: usize, calibration: &Calibration, images: usize) -> Result<Vec<Rescaling>> {
    let layers = net.shape.split(&net.params)?;
    let (own, reader) = (&layers[l], &layers[l + 1]);
    let (units, outputs) = (own.biases.len(), reader.biases.len());
    let largest = |weights: &mut dyn Iterator<Item = &f32>| weights.fold(0.0, |m: f32, w| m.max(w.abs()));
    let input = calibration.largest[l].iter().fold(0.0, |m: f32, &x| m.max(x));
    // The scale of a layer's outputs must cover its units' outputs, and twice the largest input times the largest weight:
    // otherwise a multiplier exceeds 16 bits.
    let reach = |j: usize| {
        let weight = largest(&mut column(own.weights, j, units));
        f64::from(calibration.largest[l + 1][j]).max(2.0 * f64::from(input) * f64::from(weight))
    };
    let read = |j: usize| f64::from(largest(&mut reader.weights[j * outputs..][..outputs].iter()));
    let largest_input =
        if net.columns.is_some() { 1.0 } else { net.input_values().into_iter().fold(0.0, f32::max) };
    // Only the outputs of ReLU have a bound that follows from the weights alone, and only there is a unit never active.
    let bound = match (0..=l).all(|l| net.shape.activation(l) == Activation::Relu) {
        true => bounds(&layers[..=l], largest_input),
        false => vec![f64::INFINITY; units],
    };
    let has_zeros = net.shape.activation(l) == Activation::Relu;
    // A unit that is 0 on few images may well be positive on others.
    let never = |j: usize| {
        bound[j] <= 0.0 || has_zeros && images >= MIN_TRUSTED_IMAGES && calibration.largest[l + 1][j] == 0.0
    };
    let all: Vec<[f64; 2]> = (0..units).map(|j| [reach(j), read(j)]).collect();
    let usual: Vec<[f64; 2]> =
        (0..units).filter(|&j| !never(j) && all[j].iter().all(|&x| x > 0.0)).map(|j| all[j]).collect();
    let balance = |[reach, read]: [f64; 2]| 0.5 * (reach / read).log2();
    let [Some(common), Some(common_reach)] = [
        median(usual.iter().map(|&unit| balance(unit)).collect()),
        median(usual.iter().map(|unit| unit[0].log2()).collect()),
    ] else {
        return Ok(vec![Rescaling { exponent: 0, limited: false }; units]);
    };
    let unit = |(j, &[reach, read]): (usize, &[f64; 2])| {
        if reach == 0.0 || read == 0.0 {
            return Rescaling { exponent: 0, limited: false };
        }
        if never(j) {
            let exponent = (reach.log2() - common_reach).round().max(0.0) as i32;
            let limited =
                exponent >= MIN_EXPONENT || balance([reach, read]) <= common - f64::from(MIN_EXPONENT);
            return Rescaling { exponent, limited };
        }
        Rescaling { exponent: (balance([reach, read]) - common).round() as i32, limited: false }
    };
    Ok(all.iter().enumerate().map(unit).collect())
}

/// Upper bounds of the outputs of the last of some hidden layers, for any inputs of `0..=input`.
fn bounds(layers: &[Layer<'_>], input: f32) -> Vec<f64> {
    let inputs = layers[0].weights.len() / layers[0].biases.len();
    layers.iter().fold(vec![f64::from(input); inputs], |below, layer| {
        let mut bounds: Vec<f64> = layer.biases.iter().copied().map(f64::from).collect();
        for (row, x) in layer.weights.chunks_exact(bounds.len()).zip(below) {
            row.iter().zip(&mut bounds).for_each(|(w, bound)| *bound += x * f64::from(w.max(0.0)));
        }
        bounds.into_iter().map(|bound| bound.max(0.0)).collect()
    })
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
