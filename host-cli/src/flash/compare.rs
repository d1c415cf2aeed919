//! Compares two networks layer by layer, computed with the naive loops of the specification.
//!
//! Two integer networks are compared as integers, otherwise both as real numbers. A float network is computed in single
//! precision.

use selvedge::format::ModelView;
use selvedge::naive::{self, Operand};
use selvedge::{Activation, Backend};

use crate::data::Features;
use crate::error::Result;
use crate::inference::float::{DeviceInputs, InputSource};
use crate::inference::network::Network;
use crate::model::fold::{Folded, fold, from_file};
use crate::quantize::plain::IntegerNetwork;

/// A network that is computed layer by layer.
#[derive(Debug)]
pub enum NaiveNetwork<'a> {
    /// A network of integers.
    Integer(Box<IntegerNetwork<'a>>),
    /// A network of floats.
    Float(Box<Folded>),
}

/// The first difference of two networks.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Difference {
    /// The layer, from 0.
    pub layer: usize,
    /// The output of that layer.
    pub index: usize,
    /// The first network's value.
    pub a: f64,
    /// The second network's value.
    pub b: f64,
}

impl<'a> NaiveNetwork<'a> {
    /// The network of a file.
    ///
    /// # Errors
    /// `Failed` without the memory.
    pub fn new(network: &'a Network) -> Result<Self> {
        Ok(match network {
            Network::Float(model) => Self::Float(Box::new(fold(model)?)),
            Network::Flash(flash) => Self::of_file(&flash.image())?,
        })
    }

    /// The network of a flash file.
    ///
    /// # Errors
    /// `Failed` without the memory.
    pub fn of_file(file: &ModelView<'a>) -> Result<Self> {
        Ok(match file.header().dtype().is_integer() {
            true => Self::Integer(Box::new(IntegerNetwork::new(file))),
            false => Self::Float(Box::new(from_file(file)?)),
        })
    }

    /// Whether it computes in integers.
    pub fn is_integer(&self) -> bool {
        matches!(self, Self::Integer(_))
    }

    /// The outputs of every layer for sample `n`, the logits included; as real numbers if `real`.
    ///
    /// # Errors
    /// `Model` for samples of another kind than the network takes.
    pub fn layer_outputs(&self, features: &Features, n: usize, real: bool) -> Result<Vec<Vec<f64>>> {
        Ok(match self {
            Self::Integer(network) => {
                let layers = network.layers(features, n)?.into_iter().enumerate();
                let value = |l: usize, v: i32| {
                    let (scale, zero) = network.unit(l);
                    if real { f64::from(zero) + f64::from(scale) * f64::from(v) } else { f64::from(v) }
                };
                layers.map(|(l, outputs)| outputs.into_iter().map(|v| value(l, v)).collect()).collect()
            }
            Self::Float(network) => floats(network, features, n)?,
        })
    }
}

/// The outputs of every layer of a network of floats.
fn floats(network: &Folded, features: &Features, n: usize) -> Result<Vec<Vec<f64>>> {
    let Folded { shape, params, .. } = network;
    let mut x = vec![0.0; shape.inputs()];
    DeviceInputs::new(network, features)?.fill(Backend::PORTABLE, &[n as u32], &mut x);
    let mut outputs = Vec::new();
    for (l, layer) in shape.split(params)?.iter().enumerate() {
        let (i, o, activation) = (x.len(), layer.biases.len(), shape.activation(l));
        let mut z = vec![0.0; o];
        naive::gemm((1, i, o), 1.0, Operand::dense(&x, i), layer.weights, o, 0.0, &mut z, o);
        naive::bias_relu(&mut z, layer.biases, activation == Activation::Relu);
        if activation != Activation::Relu {
            naive::activate(activation, &mut z);
        }
        outputs.push(z.iter().copied().map(f64::from).collect());
        x = z;
    }
    Ok(outputs)
}

/// The first difference between two networks' outputs for the same sample.
pub fn first_difference(a: &[Vec<f64>], b: &[Vec<f64>]) -> Option<Difference> {
    a.iter().zip(b).enumerate().find_map(|(layer, (a, b))| {
        let index = a.iter().zip(b).position(|(a, b)| a != b)?;
        Some(Difference { layer, index, a: a[index], b: b[index] })
    })
}

/// Whether two networks' outputs for the same sample are the same but for the order of their hidden units.
pub fn same_in_another_order(a: &[Vec<f64>], b: &[Vec<f64>]) -> bool {
    let sorted = |layers: &[Vec<f64>]| {
        let mut layers = layers.to_vec();
        let hidden = layers.len().saturating_sub(1);
        layers[..hidden].iter_mut().for_each(|outputs| outputs.sort_by(f64::total_cmp));
        layers
    };
    sorted(a) == sorted(b)
}
