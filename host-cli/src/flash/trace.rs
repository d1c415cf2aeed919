//! Two networks side by side, layer by layer, by the specification's plain loops.
//!
//! Two integer networks are compared in the integers that they compute; otherwise both sides are real numbers, a float
//! network's to the bit of single precision.

use selvedge::format::ModelView;
use selvedge::naive::{self, Operand};

use crate::error::Result;
use crate::inference::network::Network;
use crate::model::fold::{Folded, fold, from_file};
use crate::quantize::plain::{self, Layer};

/// A network taken apart.
#[derive(Debug)]
pub enum Trace {
    /// In integers.
    Integer {
        /// The layers.
        layers: Vec<Layer>,
        /// What a byte becomes.
        input: Box<[u8; 256]>,
        /// What one unit of each layer's outputs is worth.
        scales: Vec<f64>,
    },
    /// In floats.
    Float(Box<Folded>),
}

/// Where two networks part.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Difference {
    /// The layer, from 0.
    pub layer: usize,
    /// The output of that layer.
    pub index: usize,
    /// What the first network has there.
    pub a: f64,
    /// What the second has.
    pub b: f64,
}

impl Trace {
    /// Takes a network apart.
    ///
    /// # Errors
    /// Exit code 1 without the memory.
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

    /// What every layer passes on for an image, the last one's logits included; times its scale where `real`.
    pub fn layers(&self, pixels: &[u8], real: bool) -> Vec<Vec<f64>> {
        let mut outputs = Vec::new();
        match self {
            Self::Integer { layers, input, scales } => {
                let mut x: Vec<u8> = pixels.iter().map(|&p| input[usize::from(p)]).collect();
                for (l, layer) in layers.iter().enumerate() {
                    let (sums, y) = layer.run(&x);
                    let unit = if real { scales[l] } else { 1.0 };
                    let passed = if y.is_empty() { sums } else { y.iter().copied().map(i32::from).collect() };
                    outputs.push(passed.into_iter().map(|v| unit * f64::from(v)).collect());
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

fn integers(image: &ModelView<'_>) -> Trace {
    Trace::Integer {
        layers: Layer::of(image),
        input: Box::new(plain::input_values(image)),
        scales: (1..=image.layers().len()).map(|l| f64::from(image.scale(l))).collect(),
    }
}

/// Where the outputs of two networks for the same image first differ.
pub fn first_difference(a: &[Vec<f64>], b: &[Vec<f64>]) -> Option<Difference> {
    a.iter().zip(b).enumerate().find_map(|(layer, (a, b))| {
        let index = a.iter().zip(b).position(|(a, b)| a != b)?;
        Some(Difference { layer, index, a: a[index], b: b[index] })
    })
}
