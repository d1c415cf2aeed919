//! Compares two networks layer by layer, computed with the naive loops of the specification.
//!
//! Two integer networks are compared as integers, otherwise both as real numbers. A float network is computed in single
//! precision.

use selvedge::format::ModelView;
use selvedge::naive::{self, Operand};

use crate::error::Result;
use crate::inference::network::Network;
use crate::model::fold::{Folded, fold, from_file};
use crate::quantize::plain::{self, IntegerLayer};

/// A network that is computed layer by layer.
#[derive(Debug)]
pub enum NaiveNetwork {
    /// A network of integers.
    Integer {
        /// The layers.
        layers: Vec<IntegerLayer>,
        /// The input of each byte.
        input: Box<[u8; 256]>,
        /// The real value of one unit of each layer's outputs.
        scales: Vec<f64>,
    },
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

impl NaiveNetwork {
    /// The network of a file.
    ///
    /// # Errors
    /// `Failed` without the memory.
    pub fn new(network: &Network) -> Result<Self> {
        Ok(match network {
            Network::Float(model) => Self::Float(Box::new(fold(model)?)),
            Network::Flash(flash) if flash.image().header().dtype().is_integer() => integers(&flash.image()),
            Network::Flash(flash) => Self::Float(Box::new(from_file(&flash.image())?)),
        })
    }

    /// Whether it computes in integers.
    pub fn is_integer(&self) -> bool {
        matches!(self, Self::Integer { .. })
    }

    /// The outputs of every layer for an image, the logits included; multiplied by the layer's scale if `real`.
    pub fn layer_outputs(&self, pixels: &[u8], real: bool) -> Vec<Vec<f64>> {
        let mut outputs = Vec::new();
        match self {
            Self::Integer { layers, input, scales } => {
                let mut x: Vec<u8> = pixels.iter().map(|&p| input[usize::from(p)]).collect();
                for (l, layer) in layers.iter().enumerate() {
                    let (sums, y) = layer.run(&x);
                    let scale = if real { scales[l] } else { 1.0 };
                    let integers =
                        if y.is_empty() { sums } else { y.iter().copied().map(i32::from).collect() };
                    outputs.push(integers.into_iter().map(|v| scale * f64::from(v)).collect());
                    x = y;
                }
            }
            Self::Float(network) => {
                let Folded { shape, params, .. } = &**network;
                let values = network.input_values();
                let mut x: Vec<f32> = pixels.iter().map(|&p| values[usize::from(p)]).collect();
                let layers = shape.split(params).expect("a network has its parameters");
                for (l, layer) in layers.iter().enumerate() {
                    let (i, o) = (x.len(), layer.biases.len());
                    let mut z = vec![0.0; o];
                    naive::gemm((1, i, o), 1.0, Operand::dense(&x, i), layer.weights, o, 0.0, &mut z, o);
                    naive::bias_relu(&mut z, layer.biases, l + 1 < layers.len());
                    outputs.push(z.iter().copied().map(f64::from).collect());
                    x = z;
                }
            }
        }
        outputs
    }
}

/// The network of a flash file of integers.
fn integers(model: &ModelView<'_>) -> NaiveNetwork {
    NaiveNetwork::Integer {
        layers: IntegerLayer::from_model(model),
        input: Box::new(plain::input_values(model)),
        scales: (1..=model.layers().len()).map(|l| f64::from(model.scale(l))).collect(),
    }
}

/// The first difference between two networks' outputs for the same image.
pub fn first_difference(a: &[Vec<f64>], b: &[Vec<f64>]) -> Option<Difference> {
    a.iter().zip(b).enumerate().find_map(|(layer, (a, b))| {
        let index = a.iter().zip(b).position(|(a, b)| a != b)?;
        Some(Difference { layer, index, a: a[index], b: b[index] })
    })
}
