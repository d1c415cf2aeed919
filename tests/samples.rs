//! Files of every input map, activation and task: each engine gives what plain loops give, and a reader refuses every flipped
//! bit of them.

#[path = "samples/case.rs"]
mod case;
mod common;

use case::{Case, cases};
use common::backends;
use common::flash::Aligned;
use proptest::prelude::*;
use selvedge::format::{
    Builder, Dtype, ErrorScale, HeaderBuf, InputMap, InputType, ModelView, Packing, RawValue, Task,
    ValueScale,
};
use selvedge::infer::{Window, class_of, integer, labels_of, mcu};
use selvedge::naive::integer::{self as plain, accumulate};
use selvedge::{Activation, Rng, Shape};

/// The codes and the outputs of a sample by plain loops over the numbers of a file.
fn specification<T: RawValue + Into<f32>>(view: &ModelView<'_>, sample: &[T]) -> (Vec<u16>, Vec<i32>) {
    let code = |(at, &x): (usize, &T)| match view.header().input_map() {
        InputMap::Plain => u16::from(x.into() as u8 >> 1),
        InputMap::Table => u16::from(view.table().unwrap()[x.into() as usize]),
        _ => view.code(at, x),
    };
    let codes: Vec<u16> = sample.iter().enumerate().map(code).collect();
    let fine = view.header().input_bits() == 14;
    let mut x: Vec<u8> = codes.iter().map(|&q| if fine { q >> 7 } else { q } as u8).collect();
    let low: Vec<u8> = codes.iter().map(|&q| (q & 127) as u8).collect();
    let mut acc = Vec::new();
    for (l, layer) in view.layers().enumerate() {
        let (i, o) = (layer.inputs(), layer.outputs());
        let weights: Vec<i8> = (0..o * i).map(|at| layer.weight(at / i, at % i) as i8).collect();
        let biases: Vec<i32> = (0..o).map(|row| layer.bias(row)).collect();
        acc = vec![0; o];
        accumulate(&x, &weights, &biases, &mut acc);
        if l == 0 && fine {
            let mut carried = vec![0; o];
            accumulate(&low, &weights, &vec![0; o], &mut carried);
            acc.iter_mut().zip(carried).for_each(|(acc, low)| *acc = plain::combined(*acc, low));
        }
        let y = |(row, &acc): (usize, &i32)| {
            let r = layer.multiplier(row);
            layer.table().map_or_else(|| plain::requantize(acc, r), |table| plain::looked_up(acc, r, table))
        };
        x = acc.iter().enumerate().map(y).collect();
    }
    (codes, acc)
}

/// The outputs by a core's own kernels, in memory with a guard behind it; both forms.
fn by_the_core<T: RawValue + Into<f32>>(view: &ModelView<'_>, sample: &[T]) -> Vec<i32> {
    macro_rules! outputs {
        ($engine:ident) => {{
            let engine = mcu::$engine::new(view.clone()).unwrap();
            let words = mcu::$engine::scratch_words(view.header());
            let mut logits = [vec![0; view.header().outputs()], vec![1; view.header().outputs()]];
            let mut scratch = vec![0xa5a5_a5a5; words + 8];
            engine.logits(sample, &mut scratch[..words], &mut logits[0]).unwrap();
            engine.self_test(&mut scratch[..words], &mut logits[1]).unwrap();
            engine.clone().dense().logits(sample, &mut scratch[..words], &mut logits[1]).unwrap();
            assert_eq!(logits[0], logits[1]);
            // The same values in a ring buffer, whose oldest one lies in its middle.
            let mut ring = sample.to_vec();
            let mut window = Window::of(sample.len(), 1, &mut ring).unwrap();
            for value in sample[..sample.len() / 2].iter().chain(sample) {
                window.push(&[*value]).unwrap();
            }
            engine.logits(&window, &mut scratch[..words], &mut logits[1]).unwrap();
            assert_eq!(logits[0], logits[1]);
            assert!(scratch[words..].iter().all(|&word| word == 0xa5a5_a5a5));
            if view.header().task() == Task::Reconstruction {
                let other = integer::Engine::new(view.clone()).unwrap();
                let mut memory = vec![0; integer::Engine::scratch_words(view.header())];
                assert_eq!(engine.score(sample, &mut scratch[..words]), other.score(sample, &mut memory));
            }
            logits[0].clone()
        }};
    }
    if view.header().dtype() == Dtype::I4 { outputs!(AnyI4Engine) } else { outputs!(AnyI8Engine) }
}

/// Answers of [`integer::Engine`] by the definitions of the format.
fn check_answers<T: RawValue + Into<f32>>(view: &ModelView<'_>, sample: &[T], codes: &[u16], z: &[i32]) {
    let (header, o) = (view.header(), z.len());
    let engine = integer::Engine::new(view.clone()).unwrap();
    let mut scratch = vec![0; integer::Engine::scratch_words(header)];
    let mut logits = vec![0; o];
    match header.task() {
        Task::Class => {
            let class = engine.classify(sample, &mut scratch, &mut logits).unwrap();
            let best = (0..o).rev().max_by_key(|&at| z[at]).unwrap();
            let second = (0..o).filter(|&at| at != best).map(|at| z[at]).max();
            let known =
                second.is_none_or(|second| i64::from(z[best] - second) >= i64::from(header.margin_bits()));
            assert_eq!(class, known.then_some(best));
            assert_eq!(class_of(header, z), class);
        }
        Task::Labels => {
            let (mut bits, mut again) = (vec![0xff; o.div_ceil(8)], vec![0xff; o.div_ceil(8)]);
            engine.labels(sample, &mut scratch, &mut logits, &mut bits).unwrap();
            let threshold = header.label_threshold_bits() as i32;
            let set = |at: usize| at < o && z[at] >= threshold;
            assert!((0..8 * bits.len()).all(|at| (bits[at / 8] >> (at % 8) & 1 == 1) == set(at)));
            labels_of(header, z, &mut again);
            assert_eq!(bits, again);
        }
        Task::Values => {
            let mut values = vec![0.0; o];
            engine.predict(sample, &mut scratch, &mut logits, &mut values).unwrap();
            engine.predict_fixed(sample, &mut scratch, &mut logits).unwrap();
            for (at, &z) in z.iter().enumerate() {
                let ValueScale::Integer { add, scale } = view.value_scale(at) else { panic!() };
                assert_eq!(
                    (logits[at], values[at].to_bits()),
                    (z + add, ((z + add) as f32 * scale).to_bits())
                );
            }
        }
        _ => {
            let shift = header.score_shift();
            let mut sum = 0_u64;
            for (at, (&z, &q)) in z.iter().zip(codes).enumerate() {
                let ErrorScale { add, mul } = view.error_scale(at);
                let error = i64::from(z) + i64::from(add) - ((i64::from(q) * i64::from(mul) + 128) >> 8);
                let d = ((error + (1 << shift) / 2) >> shift).clamp(-32_767, 32_767);
                sum += (d * d) as u64;
            }
            let score = engine.score(sample, &mut scratch).unwrap();
            assert_eq!(score.mean_squared_error, sum as f32 * header.score_unit());
            assert_eq!(score.anomaly, header.score_threshold().map(|threshold| sum > threshold));
        }
    }
}

/// Some samples through every engine.
fn check<T: RawValue + Into<f32>>(case: &Case, samples: &[T]) {
    let inputs = case.widths[0];
    for packing in Packing::ALL {
        let file = case.file(packing);
        let view = ModelView::parse(file.get()).unwrap();
        let engine = integer::Engine::new(view.clone()).unwrap();
        let (mut scratch, o) =
            (vec![0; integer::Engine::scratch_words(view.header())], view.header().outputs());
        let mut all = Vec::new();
        for sample in samples.chunks(inputs) {
            let (codes, expected) = specification(&view, sample);
            let mut logits = vec![0; o];
            engine.logits(sample, &mut scratch, &mut logits).unwrap();
            assert_eq!(logits, expected, "{packing} {case:?}");
            if packing == mcu::PACKING {
                assert_eq!(by_the_core(&view, sample), expected, "{case:?}");
                check_answers(&view, sample, &codes, &expected);
            }
            all.extend(expected);
        }
        for backend in backends() {
            let header = view.header();
            let mut memory = vec![0xa5; integer::BatchEngine::bytes(header)];
            let batch = integer::BatchEngine::new(&engine, backend, &mut memory).unwrap();
            let mut logits = vec![0; all.len()];
            let mut scratch = vec![0xa5; integer::BatchEngine::scratch_bytes(header, all.len() / o)];
            batch.logits(samples, &mut scratch, &mut logits).unwrap();
            assert_eq!(logits, all, "{} {packing} {case:?}", backend.name());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn every_engine_gives_what_plain_loops_give(case in cases()) {
        let (inputs, mut rng) = (case.widths[0], Rng::new(case.seed ^ 2));
        // All at the lowest code, all at the highest, then random ones.
        macro_rules! of {
            ($min:expr, $max:expr, $one:expr) => {{
                let ends = [[$min; 33], [$max; 33]].into_iter().flat_map(|end| end[..inputs].to_vec());
                let samples: Vec<_> = ends.chain((0..5 * inputs).map(|_| $one(&mut rng))).collect();
                check(&case, &samples)
            }};
        }
        match case.input {
            InputType::U8 => of!(0, u8::MAX, |rng: &mut Rng| rng.next_u64() as u8),
            InputType::I16 => of!(i16::MIN, i16::MAX, |rng: &mut Rng| rng.next_u64() as i16),
            InputType::U16 => of!(0, u16::MAX, |rng: &mut Rng| rng.next_u64() as u16),
            _ => of!(f32::NEG_INFINITY, f32::INFINITY, |rng: &mut Rng| 3.0 * rng.normal()),
        }
    }
}

/// Every entry of a table, and the sums at which the next one begins.
#[test]
fn every_entry_of_a_table_is_found() {
    let shape = Shape::new(&[1, 5, 1]).unwrap().with_activations(&[Activation::Tanh]).unwrap();
    let table: [u8; 256] = std::array::from_fn(|step| (step * 89 % 128) as u8);
    for (dtype, r) in
        [(Dtype::I8, 40_000_u32), (Dtype::I4, 65_535), (Dtype::I8, 1_000_003), (Dtype::I4, 1 << 22)]
    {
        for step in -130_i64..=129 {
            // The smallest sum of this step, the one before, and one in the middle.
            let first = ((step << 24) - (1 << 23) + i64::from(r) - 1).div_euclid(i64::from(r)) as i32;
            let biases = [first, first - 1, first + 200, -first, first + 7];
            let header = HeaderBuf::new(shape, dtype, mcu::PACKING).unwrap();
            let header = if r > 65_535 { header.with_wide_multipliers(0) } else { header };
            let mut memory = Aligned::zeroed(header.file_bytes());
            let mut builder = Builder::new(header, memory.get_mut()).unwrap();
            builder.activation_table(0, &table);
            for (row, &bias) in biases.iter().enumerate() {
                builder.bias(0, row, bias);
                builder.multiplier(0, row, r);
                builder.weight(1, 0, row, [16, 32, 48, 64, 80][row]);
            }
            let view = builder.finish().unwrap();
            let entry = |bias: i32| {
                let t = ((i64::from(bias) * i64::from(r) + (1 << 23)) >> 24).clamp(-128, 127);
                i32::from(table[(t + 128) as usize])
            };
            assert_eq!(entry(first), i32::from(table[(step.clamp(-128, 127) + 128) as usize]));
            let expected: i32 = (1..).zip(biases).map(|(n, bias)| 16 * n * entry(bias)).sum();
            assert_eq!(specification(&view, &[0_u8]).1, [expected]);
            assert_eq!(by_the_core(&view, &[0_u8]), [expected], "{dtype} {step}");
            let mut z = [0];
            let mut scratch = vec![0; integer::Engine::scratch_words(view.header())];
            integer::Engine::new(view).unwrap().logits(&[0_u8], &mut scratch, &mut z).unwrap();
            assert_eq!(z, [expected]);
        }
    }
}

/// Small files with maps, tables and every task: no single bit may change.
#[test]
fn every_flipped_bit_is_refused() {
    for (n, &task) in Task::ALL.iter().enumerate() {
        for (dtype, input, bits) in
            [(Dtype::I8, InputType::F32, 14), (Dtype::I4, InputType::I16, 7), (Dtype::I8, InputType::U16, 14)]
        {
            let widths = vec![3, 4, 4, 3];
            let map = if n % 2 == 0 { InputMap::AffinePerFeature } else { InputMap::Affine };
            let case = Case { widths, seed: n as u64, dtype, input, map, bits, task, sign: 0 };
            let mut file = case.file(mcu::PACKING);
            let len = file.get().len();
            ModelView::parse(file.get()).unwrap();
            for bit in 0..8 * len {
                file.get_mut()[bit / 8] ^= 1 << (bit % 8);
                assert!(ModelView::parse(file.get()).is_err(), "{task:?} bit {bit}");
                file.get_mut()[bit / 8] ^= 1 << (bit % 8);
            }
            for cut in (0..len).step_by(16) {
                assert!(ModelView::parse(&file.get()[..cut]).is_err(), "{task:?} cut to {cut}");
            }
        }
    }
}
