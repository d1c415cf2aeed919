//! The order of hidden units: units that are zero for the same samples stand next to each other.
//!
//! Kernels skip a group of four inputs, the Cortex-M55 a block of sixteen, where all of it is zero, and as trained the zeros are
//! scattered. Sums of integers do not depend on the order of what is added, so that the rows of a hidden layer and the columns
//! of the next change places together without changing a bit of any output.

mod activity;
mod greedy;

use selvedge::Shape;
use selvedge::format::{Builder, HeaderBuf, ModelView};

use super::{ClipLimits, Quantized, SELF_TEST};
use crate::data::Features;
use crate::error::{Error, Result};
use crate::inference::self_test;
use crate::memory::{Bytes, Floats};
use crate::model::fold::Folded;

pub use activity::Activity;

/// Inputs that are skipped together where all of them are zero.
pub const GROUP: usize = 4;
/// The same of the Cortex-M55.
pub const BLOCK: usize = 16;

/// The samples that an order is made for.
pub const SAMPLES: usize = 512;

/// For each hidden layer, the unit of the model at each place in the file.
#[derive(Debug)]
pub struct Order {
    layers: Vec<Vec<usize>>,
}

impl Order {
    /// The order of the model.
    pub fn of_model(shape: Shape) -> Self {
        Self { layers: (1..shape.layers()).map(|l| (0..shape.width(l)).collect()).collect() }
    }

    /// An order for the units of a network that are active as `activity` says. A layer keeps its order unless fewer groups of it
    /// are then not zero.
    pub fn fit(activity: &Activity) -> Self {
        let layer = |l: usize| {
            let kept: Vec<usize> = (0..activity.units(l)).collect();
            let found = greedy::order(activity.layer(l));
            let count = |order: &[usize]| activity.nonzero(l, order, GROUP);
            if count(&found) < count(&kept) { found } else { kept }
        };
        Self { layers: (0..activity.layers()).map(layer).collect() }
    }

    /// Whether it is that of the model.
    pub fn is_that_of_the_model(&self) -> bool {
        self.layers.iter().all(|layer| layer.iter().enumerate().all(|(place, &unit)| place == unit))
    }

    /// The share of the groups of `size` inputs of layers after the first that are not zero, in the order of the model and in
    /// this one, for the `activity` of a file in this order. `None` without hidden layers.
    pub fn nonzero(&self, activity: &Activity, size: usize) -> Option<[f64; 2]> {
        let (mut nonzero, mut all) = ([0, 0], 0);
        for (l, order) in self.layers.iter().enumerate() {
            let mut place = vec![0; order.len()];
            order.iter().enumerate().for_each(|(at, &unit)| place[unit] = at);
            let as_stored: Vec<usize> = (0..order.len()).collect();
            nonzero[0] += activity.nonzero(l, &place, size);
            nonzero[1] += activity.nonzero(l, &as_stored, size);
            all += activity.samples() * order.len().div_ceil(size);
        }
        (all > 0).then(|| nonzero.map(|nonzero| nonzero as f64 / all as f64))
    }

    /// The unit at a place among the outputs of layer `l`; the last layer keeps its order.
    fn output(&self, l: usize, place: usize) -> usize {
        self.layers.get(l).map_or(place, |layer| layer[place])
    }

    /// The unit at a place among the inputs of layer `l`; the first layer keeps their order.
    fn input(&self, l: usize, place: usize) -> usize {
        l.checked_sub(1).map_or(place, |l| self.output(l, place))
    }

    /// An integer file with its units in this order.
    ///
    /// # Errors
    /// `Failed` without the memory.
    pub fn file(&self, from: &ModelView<'_>) -> Result<Bytes> {
        let refused =
            |e: selvedge::Error| Error::failed(format!("the units of the file cannot be ordered: {e}"));
        let old = from.header();
        let header = HeaderBuf::like(old, old.dtype(), old.packing()).map_err(refused)?;
        let mut bytes = Bytes::zeroed(header.file_bytes(), "the file")?;
        let mut builder = Builder::new(header, &mut bytes).map_err(refused)?;
        builder.copy(from).map_err(refused)?;
        let names: Vec<&str> = from.labels().collect();
        builder.labels(&names.join("\n")).map_err(refused)?;
        for (l, layer) in from.layers().enumerate() {
            for row in 0..layer.outputs() {
                let unit = self.output(l, row);
                builder.bias(l, row, layer.bias(unit));
                builder.multiplier(l, row, layer.multiplier(unit));
                for column in 0..layer.inputs() {
                    builder.weight(l, row, column, layer.weight(unit, self.input(l, column)) as i8);
                }
            }
        }
        builder.finish_with(SELF_TEST, self_test).map_err(refused)?;
        Ok(bytes)
    }

    /// A network of floats with its units in this order.
    ///
    /// # Errors
    /// `Failed` without the memory.
    pub fn net(&self, net: Folded) -> Result<Folded> {
        let mut params = Floats::zeroed(net.params.len(), "a copy of the parameters")?;
        let layers = net.shape.split_mut(&mut params)?.into_iter().zip(net.shape.split(&net.params)?);
        for (l, (to, from)) in layers.enumerate() {
            let o = from.biases.len();
            for (place, bias) in to.biases.iter_mut().enumerate() {
                *bias = from.biases[self.output(l, place)];
            }
            for (at, w) in to.weights.iter_mut().enumerate() {
                *w = from.weights[self.input(l, at / o) * o + self.output(l, at % o)];
            }
        }
        Ok(Folded { params, ..net })
    }

    /// Clip limits of the units in this order.
    fn limits(&self, limits: ClipLimits) -> ClipLimits {
        let layer = |(l, rows): (usize, &Vec<f32>)| {
            (0..rows.len()).map(|place| rows[self.output(l, place)]).collect()
        };
        ClipLimits { weights: limits.weights.iter().enumerate().map(layer).collect(), ..limits }
    }
}

/// Orders the hidden units of a file for the calibration samples at `index`, with its limits and its float network.
///
/// # Errors
/// `Failed` without the memory.
pub(super) fn ordered(made: Quantized, features: &Features, index: &[u32]) -> Result<Quantized> {
    let file = ModelView::parse(&made.bytes)?;
    let order = Order::fit(&Activity::new(&file, features, &index[..index.len().min(SAMPLES)])?);
    if order.is_that_of_the_model() {
        return Ok(made);
    }
    let bytes = order.file(&file)?;
    Ok(Quantized { bytes, limits: order.limits(made.limits), float: order.net(made.float)?, order })
}

#[cfg(test)]
mod tests {
    use selvedge::format::{Builder, Dtype, HeaderBuf, ModelView, Packing};
    use selvedge::infer::integer::Engine;
    use selvedge::{Activation, Rng, Shape};

    use super::{Activity, BLOCK, GROUP, Order};
    use crate::data::{Features, Images};
    use crate::flash::repack;
    use crate::memory::Bytes;

    /// A file whose numbers are given by layer, row and column.
    fn file(header: HeaderBuf, weight: &mut dyn FnMut([usize; 3]) -> i8, multiplier: u32) -> Bytes {
        let mut bytes = Bytes::zeroed(header.file_bytes(), "a file").unwrap();
        let mut builder = Builder::new(header, &mut bytes).unwrap();
        let shape = builder.header().shape().unwrap();
        for l in 0..shape.layers() {
            for row in 0..shape.width(l + 1) {
                builder.bias(l, row, 10 * row as i32 - 100);
                builder.multiplier(l, row, multiplier + 997 * row as u32);
                for column in 0..shape.width(l) {
                    builder.weight(l, row, column, weight([l, row, column]));
                }
            }
            builder.activation_table(l, &std::array::from_fn(|step| (step / 2) as u8));
        }
        builder.finish().unwrap();
        bytes
    }

    /// Noise.
    fn images(count: usize, pixels: usize, rng: &mut Rng) -> Images {
        let pixels = (0..count * pixels).map(|_| rng.below(256) as u8).collect::<Vec<_>>();
        Images { rows: 1, cols: pixels.len() / count, channels: 1, count, pixels }
    }

    fn logits(file: &ModelView<'_>, pixels: &[u8]) -> Vec<i32> {
        let engine = Engine::new(file.clone()).unwrap();
        let mut scratch = vec![0; Engine::scratch_words(file.header())];
        let mut logits = vec![0; file.header().outputs()];
        engine.logits(pixels, &mut scratch, &mut logits).unwrap();
        logits
    }

    /// Widths that are no multiples of a group or a block, both types, looked-up activations and multipliers of 32 bits.
    #[test]
    fn every_packing_computes_the_same_in_any_order() {
        let mut rng = Rng::new(7);
        let shape = Shape::new(&[11, 21, 38, 5]).unwrap();
        for (dtype, activation, wide) in [
            (Dtype::I8, Activation::Relu, false),
            (Dtype::I8, Activation::Tanh, true),
            (Dtype::I4, Activation::Relu, true),
            (Dtype::I4, Activation::Tanh, false),
        ] {
            let shape = shape.with_activation(activation);
            let header = HeaderBuf::new(shape, dtype, Packing::Generic).unwrap();
            let header = if wide { header.with_wide_multipliers(1) } else { header };
            let step = if dtype == Dtype::I4 { 16 } else { 1 };
            let mut weight = |_: [usize; 3]| (rng.below(15) as i8 - 7) * step;
            let bytes = file(header, &mut weight, 30_000);
            let plain = ModelView::parse(&bytes).unwrap();
            let mut order = Order::of_model(shape);
            for layer in &mut order.layers {
                (1..layer.len()).rev().for_each(|at| layer.swap(at, rng.below(at as u32 + 1) as usize));
            }
            let ordered = order.file(&plain).unwrap();
            let ordered = ModelView::parse(&ordered).unwrap();
            assert_eq!(ordered.header().has_wide_multipliers(1), wide);
            let biases = |file: &ModelView<'_>, l: usize| -> Vec<i32> {
                let layer = file.layers().nth(l).unwrap();
                (0..layer.outputs()).map(|row| layer.bias(row)).collect()
            };
            assert!((0..2).all(|l| biases(&ordered, l) != biases(&plain, l)));
            assert_eq!(biases(&ordered, 2), biases(&plain, 2));
            let images = images(20, 11, &mut rng);
            for packing in Packing::ALL {
                let packed = repack(&ordered, dtype, packing).unwrap();
                let packed = ModelView::parse(&packed).unwrap();
                for n in 0..images.count {
                    let image = images.image(n).unwrap();
                    let expected = logits(&plain, image);
                    assert!(expected.iter().any(|&z| z != 0));
                    assert_eq!(logits(&packed, image), expected, "{dtype:?}, {activation:?}, {packing:?}");
                }
            }
        }
    }

    /// Unit `j` of each hidden layer is active for images whose pixel `j % 8` is bright, or for none.
    #[test]
    fn units_that_are_active_together_become_neighbours() {
        let shape = Shape::new(&[8, 64, 64, 8]).unwrap();
        let mut weight = |[_, row, column]: [usize; 3]| if row % 8 == column % 8 { 100 } else { -20 };
        let header = HeaderBuf::new(shape, Dtype::I8, Packing::Generic).unwrap();
        let bytes = file(header, &mut weight, 20_000);
        let plain = ModelView::parse(&bytes).unwrap();
        let mut pixels = vec![0; 8 * 80];
        (0..80).for_each(|n| pixels[8 * n + n * 5 % 8] = 255);
        let features = Features::Images(Images { pixels, count: 80, rows: 1, cols: 8, channels: 1 });
        let index: Vec<u32> = (0..80).collect();
        let before = Activity::new(&plain, &features, &index).unwrap();
        let order = Order::fit(&before);
        let ordered = order.file(&plain).unwrap();
        let activity = Activity::new(&ModelView::parse(&ordered).unwrap(), &features, &index).unwrap();
        let nonzero = |order: &Order, size| order.nonzero(&activity, size).unwrap();
        let [as_trained, found] = nonzero(&order, GROUP);
        assert_eq!(nonzero(&Order::of_model(shape), GROUP), [found; 2]);
        assert_eq!(Order::of_model(shape).nonzero(&before, GROUP), Some([as_trained; 2]));
        assert!(as_trained >= 0.5 && found <= 0.125, "{as_trained} and {found}");
        let [as_trained, found] = nonzero(&order, BLOCK);
        assert!(as_trained == 1.0 && found <= 0.25, "{as_trained} and {found}");
        // An order that is as good as it gets is kept, and so is one without any zeros.
        assert!(Order::fit(&activity).is_that_of_the_model());
        let header = HeaderBuf::new(shape, Dtype::I8, Packing::Generic).unwrap();
        let bytes = file(header, &mut |_| 100, 60_000);
        let positive = Activity::new(&ModelView::parse(&bytes).unwrap(), &features, &index).unwrap();
        assert!(Order::fit(&positive).is_that_of_the_model());
        let none = Order::of_model(Shape::new(&[8, 8]).unwrap());
        assert_eq!(none.nonzero(&Activity { samples: 80, layers: Vec::new() }, GROUP), None);
    }
}
