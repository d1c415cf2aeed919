//! The networks that `samples` runs on the devices: one for each task and kind of input, made of a seed, since what is compared
//! are bits and not accuracies; their rows, and the desktop's answers.

use std::path::Path;

use host_cli::data::{Dataset, Features};
use host_cli::error::Result;
use host_cli::memory::Bytes;
use selvedge::format::{
    Builder, Dtype, ErrorScale, Header, HeaderBuf, InputMap, InputType, ModelView, Packing, Task, ValueScale,
};
use selvedge::infer::integer::Engine;
use selvedge::quantize::{HALVED_PIXELS, Scales, largest_weights, quantize};
use selvedge::{Activation, Init, Rng, Shape};

use crate::answers::{answers, logits, score};
use crate::{core, failed, write};

/// A network of the tests.
struct Network {
    name: &'static str,
    dtype: Dtype,
    widths: &'static [usize],
    /// Of the hidden layers.
    activations: &'static [Activation],
    input: (InputType, InputMap, u32),
    window: Option<(usize, usize)>,
    task: Task,
    /// Whether a fifth of the rows are to be unknown.
    unknown: bool,
}

const RELU: &[Activation] = &[Activation::Relu];
const EACH: InputMap = InputMap::AffinePerFeature;
/// Samples of each network, or windows.
const SAMPLES: usize = 500;

const fn network(
    name: &'static str,
    widths: &'static [usize],
    activations: &'static [Activation],
    input: (InputType, InputMap, u32),
    task: Task,
) -> Network {
    Network { name, dtype: Dtype::I8, widths, activations, input, window: None, task, unknown: false }
}

const NETWORKS: [Network; 11] = [
    network(
        "class-f32",
        &[13, 24, 16, 3],
        &[Activation::Relu, Activation::Relu6],
        (InputType::F32, EACH, 7),
        Task::Class,
    ),
    network(
        "class-i16",
        &[13, 24, 16, 3],
        &[Activation::Relu, Activation::HardSwish],
        (InputType::I16, EACH, 14),
        Task::Class,
    ),
    Network {
        window: Some((16, 4)),
        ..network("window", &[48, 24, 5], RELU, (InputType::I16, InputMap::Affine, 7), Task::Class)
    },
    network("values", &[8, 32, 2], &[Activation::LeakyRelu], (InputType::U16, EACH, 14), Task::Values),
    network("labels", &[20, 16, 11], RELU, (InputType::U8, EACH, 7), Task::Labels),
    network("score", &[16, 6, 16], &[Activation::Identity], (InputType::I16, EACH, 7), Task::Reconstruction),
    network(
        "tanh",
        &[10, 20, 20, 4],
        &[Activation::Tanh, Activation::Sigmoid],
        (InputType::F32, EACH, 14),
        Task::Class,
    ),
    Network {
        dtype: Dtype::I4,
        unknown: true,
        ..network("unknown", &[13, 24, 4], RELU, (InputType::U16, EACH, 7), Task::Class)
    },
    // The same network with pixels, with codes of 7 bits and with codes of 14, none of which are 0: what they cost.
    network("bound-plain", &[64, 32, 8], RELU, (InputType::U8, InputMap::Plain, 7), Task::Class),
    network("bound-7", &[64, 32, 8], RELU, (InputType::I16, InputMap::Affine, 7), Task::Class),
    network("bound-14", &[64, 32, 8], RELU, (InputType::I16, InputMap::Affine, 14), Task::Class),
];

/// Writes `NAME-PACKING.selv`, `NAME.rows` and `NAME.expected` for every network.
pub fn prepare(dir: &Path) -> Result<()> {
    for network in &NETWORKS {
        let rows = network.rows();
        write(&dir.join(format!("{}.rows", network.name)), &rows)?;
        for packing in Packing::ALL {
            let mut file = Bytes::zeroed(network.header(packing)?.file_bytes(), "a flash file")?;
            let view = network.file(packing, &rows, &mut file)?;
            write(&dir.join(format!("{}-{}.selv", network.name, packing.name())), view.bytes())?;
            if packing == Packing::Generic {
                write(&dir.join(format!("{}.expected", network.name)), &answers(&view, &rows)?)?;
            }
        }
    }
    Ok(())
}

/// All rows of a table, as raw values of the type that a file takes.
pub fn of_table(data: &Dataset, header: &Header<'_>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for samples in [&data.train, &data.test] {
        let Features::Table(matrix) = &samples.features else { return Err(failed("no rows of a table")) };
        if matrix.columns != header.inputs() {
            return Err(failed("the table has other columns than the network has inputs"));
        }
        for &x in &matrix.values {
            match header.input_type() {
                InputType::U8 => bytes.push(x as u8),
                InputType::I16 => bytes.extend((x as i16).to_le_bytes()),
                InputType::U16 => bytes.extend((x as u16).to_le_bytes()),
                _ => bytes.extend(x.to_le_bytes()),
            }
        }
    }
    Ok(bytes)
}

/// How the raw values of a feature are spread: mean and standard deviation. A map reaches four of these to each side.
fn spread(of: InputType, map: InputMap, feature: usize) -> (f32, f32) {
    let feature = if map == EACH { feature as f32 } else { 0.0 };
    match of {
        InputType::U8 => (128.0, 20.0 + feature / 2.0),
        InputType::I16 => (100.0 * feature - 800.0, 250.0 + 40.0 * feature),
        InputType::U16 => (20_000.0 + 900.0 * feature, 3_000.0),
        _ => (feature - 3.5, 0.01 * (1.0 + feature)),
    }
}

impl Network {
    fn shape(&self) -> Result<Shape> {
        Shape::new(self.widths).and_then(|shape| shape.with_activations(self.activations)).map_err(core)
    }

    fn bound(&self) -> bool {
        self.name.starts_with("bound")
    }

    fn header(&self, packing: Packing) -> Result<HeaderBuf> {
        let (of, map, bits) = self.input;
        let header = HeaderBuf::new(self.shape()?, self.dtype, packing);
        let header = header.and_then(|h| h.with_input(of, map, bits)).and_then(|h| h.with_task(self.task));
        let windowed = |h: HeaderBuf| match self.window {
            Some((rows, stride)) => h.with_window(rows, stride),
            None => Ok(h),
        };
        // Pixels of an image are the fastest inputs that a core reads.
        let image = |h: HeaderBuf| if map.is_affine() { Ok(h) } else { h.with_image(8, 8) };
        header.and_then(windowed).and_then(image).map_err(core)
    }

    /// Raw values: normal ones, one in sixteen far outside.
    fn rows(&self) -> Vec<u8> {
        let (of, map, bits) = self.input;
        let mut rng = Rng::new(17);
        let inputs = self.widths[0];
        let (channels, rows) = self
            .window
            .map_or((inputs, SAMPLES), |(height, stride)| (inputs / height, height + (SAMPLES - 1) * stride));
        let mut bytes = Vec::new();
        for at in 0..rows * channels {
            if self.bound() {
                let code = 1 + rng.below(126) as u16;
                match (of, bits) {
                    (InputType::U8, _) => bytes.push(2 * code as u8),
                    (_, 14) => bytes.extend((code << 7 | (1 + rng.below(126) as u16)).to_le_bytes()),
                    _ => bytes.extend(code.to_le_bytes()),
                }
                continue;
            }
            let (mean, deviation) = spread(of, map, at % channels);
            let far = if rng.below(16) == 0 { 30.0 } else { 1.0 };
            let x = mean + deviation * far * rng.normal();
            match of {
                InputType::U8 => bytes.push(x as u8),
                InputType::I16 => bytes.extend((x as i16).to_le_bytes()),
                InputType::U16 => bytes.extend((x as u16).to_le_bytes()),
                _ => {
                    let ends = [x, f32::INFINITY, f32::NEG_INFINITY, -0.0, f32::MIN_POSITIVE / 2.0];
                    let which = if rng.below(50) == 0 { 1 + rng.below(4) as usize } else { 0 };
                    bytes.extend(ends[which].to_le_bytes());
                }
            }
        }
        bytes
    }

    /// Codes of 0 to the largest for four standard deviations to each side.
    fn map(&self, builder: &mut Builder<'_>) -> Result<()> {
        let (of, map, bits) = self.input;
        let (largest, shift) = if bits == 14 { (16_383_u32, 18) } else { (127, 25) };
        let entries = if map == EACH { self.widths[0] } else { 1 };
        for feature in (0..entries).filter(|_| map.is_affine()) {
            let (mean, deviation) = spread(of, map, feature);
            if self.bound() {
                builder.map_integers(0, 0, largest as u16, 1 << shift).map_err(core)?;
            } else if let Some((min, max)) = of.range() {
                let lo = ((mean - 4.0 * deviation) as i32).clamp(min, max);
                let span = (8.0 * deviation).min((max - lo) as f32) as u16;
                let m = (u64::from(largest) << shift) / u64::from(span);
                builder.map_integers(feature, lo, span, m as u32).map_err(core)?;
            } else {
                let scale = 2.0 * largest as f32 / (8.0 * deviation);
                builder.map_floats(feature, mean - 4.0 * deviation, scale).map_err(core)?;
            }
        }
        Ok(())
    }

    /// The file, whose margin or threshold suits the rows.
    fn file<'m>(&self, packing: Packing, rows: &[u8], memory: &'m mut [u8]) -> Result<ModelView<'m>> {
        let first = self.build(packing, None, &mut *memory)?;
        let levels = self.levels(&first, rows)?;
        self.build(packing, Some(levels), memory)
    }

    /// What a margin or a threshold is compared with, sorted.
    fn levels(&self, view: &ModelView<'_>, rows: &[u8]) -> Result<Vec<u64>> {
        let raw = rows.chunks_exact(2).map(|x| x.try_into().unwrap());
        let mut levels: Vec<u64> = match (self.task, self.input.0) {
            (Task::Reconstruction, InputType::I16) => {
                let raw: Vec<i16> = raw.map(i16::from_le_bytes).collect();
                let all = logits(view, &raw)?;
                let (i, o) = (self.widths[0], self.widths[0]);
                raw.chunks(i).zip(all.chunks(o)).map(|(x, z)| score(view, x, z)).collect()
            }
            (Task::Class, InputType::U16) => {
                let all = logits(view, &raw.map(u16::from_le_bytes).collect::<Vec<_>>())?;
                let lead = |z: &[i32]| {
                    let mut z = z.to_vec();
                    z.sort_unstable();
                    u64::from(z[z.len() - 1].abs_diff(z[z.len() - 2]))
                };
                all.chunks(view.header().outputs()).map(lead).collect()
            }
            _ => Vec::new(),
        };
        levels.sort_unstable();
        Ok(levels)
    }

    fn build<'m>(
        &self,
        packing: Packing,
        levels: Option<Vec<u64>>,
        memory: &'m mut [u8],
    ) -> Result<ModelView<'m>> {
        let shape = self.shape()?;
        let mut builder = Builder::new(self.header(packing)?, memory).map_err(core)?;
        self.map(&mut builder)?;
        let unit = self.fill(&mut builder, shape)?;
        let at =
            |part: usize| levels.as_ref().and_then(|levels| levels.get(levels.len() * part / 5)).copied();
        if self.unknown {
            builder.margin_bits(at(1).unwrap_or(0) as u32).map_err(core)?;
        }
        for output in 0..shape.outputs() {
            let add = 900 * output as i32 - 70_000;
            if self.task == Task::Values {
                let scale = ValueScale::Integer { add, scale: 0.01 + output as f32 };
                builder.value_scale(output, scale).map_err(core)?;
            }
            if self.task == Task::Reconstruction {
                // An input of code 0 is four standard deviations below the mean, one of 127 as far above.
                let (add, mul) = ((4.0 / unit).round() as i32, (256.0 * 8.0 / 127.0 / unit).round() as u32);
                builder.error_scale(output, ErrorScale { add, mul }).map_err(core)?;
            }
        }
        if self.task == Task::Reconstruction {
            let shift = 3;
            let squared = (unit * 8.0).powi(2) / shape.outputs() as f32;
            builder.score(shift, squared, at(3)).map_err(core)?;
        }
        let crc = |seed, view: &ModelView<'_>| {
            let words = Engine::scratch_words(view.header());
            Engine::new(view.clone())?.self_test_crc(seed, &mut vec![0; words], &mut vec![0; shape.outputs()])
        };
        builder.finish_with(7, crc).map_err(core)
    }

    /// Random parameters, quantized; returns what a unit of the outputs is worth.
    fn fill(&self, builder: &mut Builder<'_>, shape: Shape) -> Result<f32> {
        let mut params = vec![0.0; shape.params()];
        Init::He.draw(shape, &mut Rng::new(5), &mut params).map_err(core)?;
        let mut rows = vec![0.0; Scales::rows_of(shape)];
        largest_weights(shape, self.dtype, &params, &mut rows).map_err(core)?;
        let (first, lowest) = match self.input {
            (_, map, _) if !map.is_affine() || self.bound() => (HALVED_PIXELS, 0.0),
            (_, _, 14) => (128.0 * 8.0 / 16_383.0, -4.0),
            _ => (8.0 / 127.0, -4.0),
        };
        let (mut activations, mut offsets, mut sums) = (vec![first], vec![lowest], vec![0.0; shape.layers()]);
        for (l, activation) in self.activations.iter().enumerate() {
            // The lowest output and the highest, and the sum of which the table has the last entry.
            let (low, high, sum) = match activation {
                Activation::Relu => (0.0, 6.0, 0.0),
                Activation::Relu6 => (0.0, 6.0, 0.0),
                Activation::Tanh => (-1.0, 1.0, 3.0),
                Activation::Sigmoid => (0.0, 1.0, 6.0),
                Activation::HardSwish => (-0.375, 6.0, 6.0),
                _ => (-6.0, 6.0, 6.0),
            };
            activations.push((high - low) / 127.0);
            offsets.push(low);
            sums[l] = sum / 127.0;
        }
        let mut scales =
            Scales { activations: &mut activations, offsets: &offsets, sums: &mut sums, rows: &mut rows };
        quantize(builder, &params, &mut scales).map_err(core)?;
        Ok(scales.activations[shape.layers() - 1] * scales.rows[scales.rows.len() - 1])
    }
}
