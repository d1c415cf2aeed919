//! An integer network computed by the specification, [`naive::integer`](selvedge::naive::integer), from the numbers of a
//! flash file.

use selvedge::format::ModelView;
use selvedge::naive::integer;

/// The integers of a layer.
#[derive(Debug)]
pub struct IntegerLayer {
    /// `(o, i)` row-major.
    pub weights: Vec<i8>,
    /// `(o)`.
    pub biases: Vec<i32>,
    /// `(o)`; empty in the last layer.
    pub multipliers: Vec<u16>,
}

impl IntegerLayer {
    /// The layers of an integer flash file.
    pub fn from_model(image: &ModelView<'_>) -> Vec<Self> {
        debug_assert!(image.header().dtype().is_integer());
        let layers = image.layers().map(|layer| {
            let rows = 0..layer.outputs();
            let row = |r: usize| (0..layer.inputs()).map(move |c| layer.weight(r, c) as i8);
            let hidden = !layer.multipliers().is_empty();
            Self {
                weights: rows.clone().flat_map(row).collect(),
                biases: rows.clone().map(|r| layer.bias(r)).collect(),
                multipliers: rows.filter(|_| hidden).map(|r| layer.multiplier(r)).collect(),
            }
        });
        layers.collect()
    }

    /// The sums `(o)` for the inputs `x(i)`, and the outputs `(o)` of a hidden layer; those of the last layer are empty.
    pub fn run(&self, x: &[u8]) -> (Vec<i32>, Vec<u8>) {
        let Self { weights, biases, multipliers } = self;
        let (mut sums, mut y) = (vec![0; biases.len()], vec![0; multipliers.len()]);
        integer::hidden(x, weights, biases, multipliers, &mut sums, &mut y);
        (sums, y)
    }
}

/// The integer input that each byte of an image becomes.
pub fn input_values(image: &ModelView<'_>) -> [u8; 256] {
    std::array::from_fn(|p| image.table().map_or((p >> 1) as u8, |t| t[p]))
}
