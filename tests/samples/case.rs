//! Files that are drawn: every input map, activation and task, multipliers of 16 bits and of 32.

use proptest::prelude::*;
use selvedge::format::{
    Builder, Dtype, ErrorScale, HeaderBuf, InputMap, InputType, ModelView, Packing, Task, ValueScale,
};
use selvedge::infer::integer;
use selvedge::naive::integer as plain;
use selvedge::quantize::{Scales, largest_weights, quantize};
use selvedge::{Activation, Init, Rng, Shape};

use crate::common::flash::Aligned;

const ACTIVATIONS: [Activation; 7] = [
    Activation::Relu,
    Activation::Relu6,
    Activation::Identity,
    Activation::LeakyRelu,
    Activation::Sigmoid,
    Activation::Tanh,
    Activation::HardSwish,
];

/// What a file is made for.
#[derive(Debug, Clone)]
pub struct Case {
    pub widths: Vec<usize>,
    pub seed: u64,
    pub dtype: Dtype,
    pub input: InputType,
    pub map: InputMap,
    pub bits: u32,
    pub task: Task,
    /// Weights as large as can be: −127, 127, or what the seed draws.
    pub sign: i8,
}

pub fn cases() -> impl Strategy<Value = Case> {
    let input = (0usize..4, any::<bool>(), 0usize..4);
    (prop::collection::vec(1usize..34, 2..6), any::<u64>(), any::<bool>(), input, 0usize..4, -3i8..=3)
        .prop_map(|(mut widths, seed, i4, (input, fine, map), task, sign)| {
            let task = Task::ALL[task];
            if task == Task::Reconstruction {
                *widths.last_mut().unwrap() = widths[0];
            }
            let input = InputType::ALL[input];
            let map = match map {
                0 if input == InputType::U8 => InputMap::Plain,
                1 if input == InputType::U8 => InputMap::Table,
                0 | 2 => InputMap::AffinePerFeature,
                _ => InputMap::Affine,
            };
            let fine = fine && map.is_affine();
            let (dtype, bits) = (if i4 { Dtype::I4 } else { Dtype::I8 }, if fine { 14 } else { 7 });
            Case { widths, seed, dtype, input, map, bits, task, sign: sign.clamp(-1, 1) * (sign.abs() / 3) }
        })
}

impl Case {
    fn shape(&self) -> Shape {
        let mut rng = Rng::new(self.seed ^ 1);
        let activations: Vec<_> =
            (2..self.widths.len()).map(|_| ACTIVATIONS[rng.below(7) as usize]).collect();
        Shape::new(&self.widths).unwrap().with_activations(&activations).unwrap()
    }

    /// How many times as fine as elsewhere the outputs of each hidden layer are; its multipliers have 32 bits where that is more
    /// than once.
    fn finer(&self) -> impl Iterator<Item = u32> {
        let mut rng = Rng::new(self.seed ^ 2);
        (2..self.widths.len()).map(move |_| if rng.below(2) == 0 { 1 } else { 2 + rng.below(3000) })
    }

    pub fn file(&self, packing: Packing) -> Aligned {
        let shape = self.shape();
        let header = HeaderBuf::new(shape, self.dtype, packing).unwrap();
        let header = self
            .finer()
            .enumerate()
            .filter(|&(_, times)| times > 1)
            .fold(header, |header, (l, _)| header.with_wide_multipliers(l));
        let header =
            header.with_input(self.input, self.map, self.bits).unwrap().with_task(self.task).unwrap();
        let mut memory = Aligned::zeroed(header.file_bytes());
        let mut builder = Builder::new(header, memory.get_mut()).unwrap();
        let mut rng = Rng::new(self.seed);
        match self.map {
            InputMap::Plain => {}
            InputMap::Table => builder.table(&std::array::from_fn(|_| rng.below(128) as u8)),
            _ => {
                let each = self.map == InputMap::AffinePerFeature;
                (0..if each { self.widths[0] } else { 1 })
                    .for_each(|feature| self.map(&mut builder, feature, &mut rng));
            }
        }
        self.numbers(&mut builder, &mut rng);
        self.answers(&mut builder, &mut rng);
        let crc = |seed, view: &ModelView<'_>| {
            let mut scratch = vec![0; integer::Engine::scratch_words(view.header())];
            let mut logits = vec![0; view.header().outputs()];
            integer::Engine::new(view.clone())?.self_test_crc(seed, &mut scratch, &mut logits)
        };
        builder.finish_with(3, crc).unwrap();
        memory
    }

    /// A map of about four standard deviations to either side, of a feature or of all.
    fn map(&self, builder: &mut Builder<'_>, feature: usize, rng: &mut Rng) {
        let (largest, shift) = (u64::from(plain::largest_code(self.bits)), plain::map_shift(self.bits));
        let Some((min, max)) = self.input.range() else {
            let scale = (largest as f32 / 4.0) * rng.uniform();
            return builder.map_floats(feature, rng.normal() - 4.0, scale).unwrap();
        };
        let lo = min + rng.below((max - min) as u32) as i32;
        let span = 1 + rng.below((max - lo).min(65_535) as u32) as u16;
        // As much as a file allows, or less.
        let most = (((largest + 1) << shift) - 1 - (1 << (shift - 1))) / u64::from(span);
        let m = if rng.below(2) == 0 { most } else { u64::from(rng.below(most.min(1 << 31) as u32)) };
        builder.map_integers(feature, lo, span, m.min(u64::from(u32::MAX)) as u32).unwrap();
    }

    fn numbers(&self, builder: &mut Builder<'_>, rng: &mut Rng) {
        let shape = self.shape();
        let mut params = vec![0.0; shape.params()];
        Init::He.draw(shape, rng, &mut params).unwrap();
        if self.sign != 0 {
            for layer in shape.split_mut(&mut params).unwrap() {
                layer.weights.fill(f32::from(self.sign));
            }
        }
        let mut rows = vec![0.0; Scales::rows_of(shape)];
        largest_weights(shape, self.dtype, &params, &mut rows).unwrap();
        let hidden = shape.layers() - 1;
        let mut activations = vec![if self.bits == 14 { 1.0 / 16.0 } else { 1.0 / 17.0 }];
        let mut offsets = vec![-4.0];
        for l in 0..hidden {
            let (low, high) = match shape.activation(l) {
                Activation::Relu | Activation::Relu6 => (0.0, 6.0),
                Activation::Sigmoid => (0.0, 1.0),
                Activation::Tanh => (-1.0, 1.0),
                _ => (-2.0, 4.0),
            };
            offsets.push(low);
            activations.push((high - low) / 127.0);
        }
        let mut sums = vec![4.0 / 127.0; shape.layers()];
        for (l, times) in self.finer().enumerate() {
            let scale = if shape.activation(l).has_table() { &mut sums[l] } else { &mut activations[l + 1] };
            *scale /= times as f32;
        }
        let (activations, sums, rows) = (&mut activations[..], &mut sums[..], &mut rows[..]);
        quantize(builder, &params, &mut Scales { activations, offsets: &offsets, sums, rows }).unwrap();
    }

    fn answers(&self, builder: &mut Builder<'_>, rng: &mut Rng) {
        match self.task {
            Task::Class => builder.margin_bits(rng.below(3) * 2000).unwrap(),
            Task::Labels => builder.label_threshold_bits(rng.below(2000).wrapping_sub(1000)).unwrap(),
            Task::Values => (0..*self.widths.last().unwrap()).for_each(|o| {
                let (add, scale) = (rng.below(1 << 20) as i32 - (1 << 19), rng.normal());
                builder.value_scale(o, ValueScale::Integer { add, scale }).unwrap();
            }),
            _ => {
                for o in 0..self.widths[0] {
                    let (add, mul) = (rng.below(1 << 20) as i32 - (1 << 19), rng.below(100_000));
                    builder.error_scale(o, ErrorScale { add, mul }).unwrap();
                }
                let threshold = if rng.below(2) == 0 { Some(1 << 30) } else { None };
                builder.score(rng.below(10), 0.01, threshold).unwrap();
            }
        }
    }
}
