//! Flash files of random integers: every input map, activation, task and window, without training.

use host_cli::inference::self_test;
use host_cli::memory::Bytes;
use selvedge::format::{
    Builder, Dtype, ErrorScale, HeaderBuf, InputMap, InputType, Packing, Task, ValueScale,
};
use selvedge::naive::integer::{largest_code, map_shift};
use selvedge::{Activation, Rng, Shape};

/// What a file is to be.
#[derive(Debug, Clone)]
pub struct Spec {
    pub widths: Vec<usize>,
    pub activations: Vec<Activation>,
    pub dtype: Dtype,
    pub packing: Packing,
    pub input: (InputType, InputMap, u32),
    pub task: Task,
    /// Rows and stride.
    pub window: Option<(usize, usize)>,
    /// The margin of classes, or the threshold of labels or of a score; 0 for none.
    pub bound: u32,
}

impl Spec {
    /// A classifier of raw f32 in i8 and 7 bits.
    pub fn new(widths: &[usize]) -> Self {
        Self {
            widths: widths.into(),
            activations: vec![Activation::Relu; widths.len() - 2],
            dtype: Dtype::I8,
            packing: Packing::Generic,
            input: (InputType::F32, InputMap::AffinePerFeature, 7),
            task: Task::Class,
            window: None,
            bound: 0,
        }
    }

    /// The file; the same for the same seed. Pictures of 96 pixels have 8 rows.
    pub fn build(&self, seed: u64) -> Bytes {
        let shape = Shape::new(&self.widths).unwrap().with_activations(&self.activations).unwrap();
        let (of, map, bits) = self.input;
        let names: Vec<String> = (0..shape.outputs()).map(|o| format!("out {o}")).collect();
        let names = names.join("\n");
        let mut header = HeaderBuf::new(shape, self.dtype, self.packing).unwrap();
        header = header.with_input(of, map, bits).unwrap().with_task(self.task).unwrap();
        if let Some((rows, stride)) = self.window {
            header = header.with_window(rows, stride).unwrap();
        }
        if !map.is_affine() && self.widths[0] == 96 {
            header = header.with_image(8, 12).unwrap();
        }
        header = header.with_label_bytes(names.len()).unwrap();
        if !header.header().is_plain() {
            let wide = (0..shape.layers()).filter(|&l| typical_multiplier(shape.width(l)) > 60_000);
            header = wide.fold(header, HeaderBuf::with_wide_multipliers);
        }
        let mut bytes = Bytes::zeroed(header.file_bytes(), "the file").unwrap();
        let mut builder = Builder::new(header, &mut bytes).unwrap();
        builder.labels(&names).unwrap();
        let rng = &mut Rng::new(seed);
        self.inputs(&mut builder, rng);
        if self.dtype.is_integer() {
            self.integers(&mut builder, rng);
        } else {
            self.floats(&mut builder, rng);
        }
        self.answers(&mut builder, rng);
        builder.finish_with(7, self_test).unwrap();
        bytes
    }

    fn inputs(&self, builder: &mut Builder<'_>, rng: &mut Rng) {
        let (of, map, bits) = self.input;
        if map == InputMap::Table {
            builder.table(&std::array::from_fn(|p| (255 - p as u8) / 2));
        }
        let entries = match map {
            InputMap::Affine => 1,
            InputMap::AffinePerFeature => self.widths[0],
            _ => 0,
        };
        for feature in 0..entries {
            let codes = f32::from(largest_code(bits)) + 1.0;
            match of.range() {
                Some((least, most)) if self.dtype.is_integer() => {
                    let width = (most - least) as u32;
                    let lo = least + (rng.below(width / 3) as i32);
                    let span = width / 4 + rng.below(width / 3);
                    let room = (u64::from(largest_code(bits)) + 1) << map_shift(bits);
                    let m = (room - 1 - (1 << (map_shift(bits) - 1))) / u64::from(span);
                    builder.map_integers(feature, lo, span as u16, m as u32).unwrap();
                }
                range => {
                    // The rows span about -4..4, or the range of the integers.
                    let (least, width) = range.map_or((-3.0, 6.0), |(l, m)| (l as f32, (m - l) as f32));
                    let scale = if self.dtype.is_integer() { 2.0 * codes / width } else { 2.0 / width };
                    builder.map_floats(feature, least + width * 0.1 * rng.uniform(), scale).unwrap();
                }
            }
        }
    }

    fn integers(&self, builder: &mut Builder<'_>, rng: &mut Rng) {
        let layers = self.widths.len() - 1;
        for l in 0..layers {
            let (i, o) = (self.widths[l], self.widths[l + 1]);
            for row in 0..o {
                for column in 0..i {
                    let w = rng.below(255) as i32 - 127;
                    // An i4 is a multiple of 16.
                    let w = if self.dtype == Dtype::I4 { w / 17 * 16 } else { w };
                    builder.weight(l, row, column, w as i8);
                }
                builder.bias(l, row, rng.below(40_000) as i32 - 20_000);
                let r = typical_multiplier(i);
                builder.multiplier(l, row, r / 2 + rng.below(r));
            }
            let table: [u8; 256] = std::array::from_fn(|_| rng.below(128) as u8);
            builder.activation_table(l, &table);
            builder.scale(l, 0.01);
        }
        builder.scale(layers, 1.0 / 4096.0);
    }

    fn floats(&self, builder: &mut Builder<'_>, rng: &mut Rng) {
        for l in 0..self.widths.len() - 1 {
            let (i, o) = (self.widths[l], self.widths[l + 1]);
            for row in 0..o {
                for column in 0..i {
                    builder.float_weight(
                        l,
                        row,
                        column,
                        (2.0 * rng.uniform() - 1.0) * 2.0 / (i as f32).sqrt(),
                    );
                }
                builder.float_bias(l, row, rng.uniform() - 0.5);
            }
        }
    }

    fn answers(&self, builder: &mut Builder<'_>, rng: &mut Rng) {
        let (outputs, integer) = (*self.widths.last().unwrap(), self.dtype.is_integer());
        let bits = if integer { self.bound } else { (self.bound as f32 / 4096.0).to_bits() };
        match self.task {
            Task::Class => builder.margin_bits(bits).unwrap(),
            Task::Labels => builder.label_threshold_bits(bits).unwrap(),
            Task::Values => {
                for output in 0..outputs {
                    let (scale, add) = (0.37 + rng.uniform(), rng.below(9000) as i32 - 4500);
                    let scale = match integer {
                        true => ValueScale::Integer { add, scale },
                        false => ValueScale::Float { scale, offset: add as f32 / 7.0 },
                    };
                    builder.value_scale(output, scale).unwrap();
                }
            }
            _ => self.reconstruction(builder, rng),
        }
    }

    fn reconstruction(&self, builder: &mut Builder<'_>, rng: &mut Rng) {
        if !self.dtype.is_integer() {
            let threshold = if self.bound == 0 { f32::INFINITY } else { self.bound as f32 / 4096.0 };
            return builder.float_score_threshold(threshold).unwrap();
        }
        for output in 0..*self.widths.last().unwrap() {
            let add = rng.below(60_000) as i32 - 30_000;
            let mul = 25_600 / u32::from(largest_code(self.input.2)) * (200 + rng.below(100));
            builder.error_scale(output, ErrorScale { add, mul }).unwrap();
        }
        // Some errors are cut off, some are not.
        let threshold = (self.bound != 0).then_some(u64::from(self.bound) << 16);
        builder.score(1, 1.0 / 65_536.0, threshold).unwrap();
    }

    /// `count` samples as the bytes of their raw values. Floats have ends of their range among them, and halves.
    pub fn rows(&self, count: usize, seed: u64) -> Vec<u8> {
        let rng = &mut Rng::new(seed);
        let mut rows = Vec::new();
        for _ in 0..count * self.widths[0] {
            match self.input.0 {
                InputType::U8 => rows.push(rng.below(256) as u8),
                InputType::F32 => {
                    let x = match rng.below(40) {
                        0 => f32::INFINITY,
                        1 => f32::NEG_INFINITY,
                        2 => -0.0,
                        3 => 1e-40,
                        4 => (rng.below(9) as f32 - 4.0) / 2.0,
                        _ => 8.0 * rng.uniform() - 4.0,
                    };
                    rows.extend(x.to_ne_bytes());
                }
                _ => rows.extend((rng.below(65_536) as u16).to_ne_bytes()),
            }
        }
        rows
    }
}

/// A multiplier for rows of `i` inputs. Their sums reach about 127 * 73 * sqrt(i) / 2: some are cut off at both ends.
fn typical_multiplier(i: usize) -> u32 {
    (f64::from(1 << 24) * 100.0 / (127.0 * 40.0 * (i as f64).sqrt())) as u32
}
