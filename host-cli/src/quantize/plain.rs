//! An integer network computed by the specification, [`naive::integer`](selvedge::naive::integer), from the numbers of a
//! flash file.

use selvedge::format::{InputType, ModelView};
use selvedge::naive::integer;

use super::range::output;
use crate::data::Features;
use crate::error::{Error, Result};

/// The integers of a layer.
#[derive(Debug)]
pub struct IntegerLayer {
    /// `(o, i)` row-major.
    pub weights: Vec<i8>,
    /// `(o)`.
    pub biases: Vec<i32>,
    /// `(o)`; empty in the last layer.
    pub multipliers: Vec<u32>,
    /// The activation, where it is looked up.
    pub table: Option<[u8; 256]>,
}

impl IntegerLayer {
    /// The layers of an integer flash file.
    pub fn from_model(image: &ModelView<'_>) -> Vec<Self> {
        debug_assert!(image.header().dtype().is_integer());
        let layers = image.layers().map(|layer| {
            let rows = 0..layer.outputs();
            let row = |r: usize| (0..layer.inputs()).map(move |c| layer.weight(r, c) as i8);
            let hidden = layer.is_requantized();
            Self {
                weights: rows.clone().flat_map(row).collect(),
                biases: rows.clone().map(|r| layer.bias(r)).collect(),
                multipliers: rows.filter(|_| hidden).map(|r| layer.multiplier(r)).collect(),
                table: layer.table().copied(),
            }
        });
        layers.collect()
    }

    /// The sums `(o)` for the inputs `x(i)`, and the outputs `(o)` of a hidden layer; those of the last layer are empty.
    pub fn run(&self, x: &[u8]) -> (Vec<i32>, Vec<u8>) {
        let mut sums = vec![0; self.biases.len()];
        integer::accumulate(x, &self.weights, &self.biases, &mut sums);
        let y = self.outputs(&sums);
        (sums, y)
    }

    /// The same for inputs of 14 bits: two digits of seven.
    pub fn run_digits(&self, x: &[u16]) -> (Vec<i32>, Vec<u8>) {
        let digit = |of: fn(u16) -> u16| x.iter().map(|&q| of(q) as u8).collect::<Vec<u8>>();
        let (mut high, mut low) = (vec![0; self.biases.len()], vec![0; self.biases.len()]);
        integer::accumulate(&digit(|q| q >> 7), &self.weights, &self.biases, &mut high);
        integer::accumulate(&digit(|q| q & 127), &self.weights, &vec![0; self.biases.len()], &mut low);
        let sums: Vec<i32> = high.iter().zip(low).map(|(&high, low)| integer::combined(high, low)).collect();
        let y = self.outputs(&sums);
        (sums, y)
    }

    fn outputs(&self, sums: &[i32]) -> Vec<u8> {
        let each = sums.iter().zip(&self.multipliers);
        match &self.table {
            Some(table) => each.map(|(&acc, &r)| integer::looked_up(acc, r, table)).collect(),
            None => each.map(|(&acc, &r)| integer::requantize(acc, r)).collect(),
        }
    }
}

/// A whole network.
#[derive(Debug)]
pub struct IntegerNetwork<'a> {
    file: ModelView<'a>,
    layers: Vec<IntegerLayer>,
    /// The input that each byte of an image becomes.
    bytes: [u8; 256],
    /// What one unit of each layer's outputs is worth, and an output of 0.
    units: Vec<(f32, f32)>,
}

impl<'a> IntegerNetwork<'a> {
    /// The network of an integer flash file.
    pub fn new(file: &ModelView<'a>) -> Self {
        let layers = IntegerLayer::from_model(file);
        let bytes = std::array::from_fn(|p| file.table().map_or((p >> 1) as u8, |t| t[p]));
        let unit = |(l, layer): (usize, &IntegerLayer)| {
            let scale = file.scale(l + 1);
            // A sum of 0 is looked up in the middle of the table, where quantization puts a whole number of units.
            let zero = |table: &[u8; 256]| {
                let value = output(file.header().activation(l), 0.0);
                (value - f64::from(table[128]) * f64::from(scale)) as f32
            };
            (scale, layer.table.as_ref().map_or(0.0, zero))
        };
        let units = layers.iter().enumerate().map(unit).collect();
        Self { file: file.clone(), layers, bytes, units }
    }

    /// The codes of sample `n`: its inputs as integers.
    fn codes(&self, features: &Features, n: usize) -> Result<Vec<u16>> {
        let affine = self.file.header().input_map().is_affine();
        match features {
            Features::Images(images) if !affine => {
                let pixels = images.image(n).unwrap_or_default();
                Ok(pixels.iter().map(|&p| self.bytes[usize::from(p)].into()).collect())
            }
            Features::Table(matrix) if affine => {
                Ok(matrix.row(n).iter().enumerate().map(|(i, &x)| self.code(i, x)).collect())
            }
            _ => Err(Error::model(
                "the flash file and the data are not both of pictures, or both of rows of a table",
            )),
        }
    }

    fn code(&self, feature: usize, x: f32) -> u16 {
        match self.file.header().input_type() {
            InputType::U8 => self.file.code(feature, x as u8),
            InputType::I16 => self.file.code(feature, x as i16),
            InputType::U16 => self.file.code(feature, x as u16),
            _ => self.file.code(feature, x),
        }
    }

    /// The outputs of every layer for sample `n`; of the last layer, the sums.
    ///
    /// # Errors
    /// `Model` for samples of another kind than the file takes.
    pub fn layers(&self, features: &Features, n: usize) -> Result<Vec<Vec<i32>>> {
        let codes = self.codes(features, n)?;
        let mut x: Vec<u8> = Vec::new();
        let mut outputs = Vec::with_capacity(self.layers.len());
        for (l, layer) in self.layers.iter().enumerate() {
            let (sums, y) = match l {
                0 if self.file.header().input_bits() == 14 => layer.run_digits(&codes),
                0 => layer.run(&codes.iter().map(|&q| q as u8).collect::<Vec<u8>>()),
                _ => layer.run(&x),
            };
            x = y;
            let last = l + 1 == self.layers.len();
            outputs.push(if last { sums } else { x.iter().copied().map(i32::from).collect() });
        }
        Ok(outputs)
    }

    /// What one unit of the outputs of layer `l` is worth, and an output of 0.
    pub fn unit(&self, l: usize) -> (f32, f32) {
        self.units[l]
    }
}
