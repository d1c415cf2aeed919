//! The kernels for every file against plain loops: codes of an affine map in 7 bits and in 14, activations by tables,
//! multipliers of 16 bits and of 32.
//!
//! What the networks are made of is hashed, as in [`differential`](super), whose networks have pixels and ReLU.

use selvedge::format::{Builder, Dtype, HeaderBuf, InputMap, InputType, ModelView, row_bound};
use selvedge::naive::integer::{code_of_integer, combined, looked_up, requantize};
use selvedge::{Activation, Shape, infer::mcu};

use super::{FILE, KINDS, Memory, SCRATCH, Weights, hash, multiplier};

const SHAPES: [&[usize]; 9] = [
    &[64, 32, 8],
    &[2, 32, 32, 2],
    &[1, 1],
    &[3, 2, 1],
    &[5, 4],
    &[17, 20, 33, 7, 3],
    &[33, 16, 130, 10],
    &[31, 5, 12],
    &[130, 9, 16],
];
/// All at the lower end; all at the upper end; anything; ends and beyond; mostly at the lower end.
const SAMPLES: u32 = 5;
/// The map of all features: raw values from −500 on, of which 1,000 have codes of their own.
const LO: i32 = -500;
const SPAN: u16 = 1000;

fn raw(sample: u32, at: usize) -> i16 {
    let h = hash(81, sample, at as u32);
    match sample {
        0 => LO as i16,
        1 => LO as i16 + SPAN as i16,
        2 => (h % 1001) as i16 + LO as i16,
        3 => h as i16,
        _ if h.is_multiple_of(7) => (h >> 8) as i16 % 500,
        _ => LO as i16,
    }
}

/// The multiplier that takes the span to the largest code.
fn map(bits: u32) -> u32 {
    let (largest, shift) = if bits == 14 { (16383_u64, 18) } else { (127, 25) };
    ((largest << shift) / u64::from(SPAN)) as u32
}

/// A network: its weights, the bits of its inputs, whether its activations are looked up, and which of every three layers has
/// multipliers of 32 bits.
#[derive(Clone, Copy)]
struct Kind {
    weights: Weights,
    bits: u32,
    tables: bool,
    wide: usize,
}

impl Kind {
    /// Of three layers the second has no table, so that both are between others.
    fn table(self, l: usize) -> Option<[u8; 256]> {
        let y = |t| (hash(91, l as u32, t as u32) % 128) as u8;
        (self.tables && l % 3 != 1).then(|| core::array::from_fn(y))
    }

    fn multiplier(self, l: usize, row: usize) -> u32 {
        let drawn = hash(7, l as u32, row as u32);
        match row % 5 {
            _ if l % 3 != self.wide => multiplier(l, row),
            0 => i32::MAX as u32,
            1 => 1 << 16,
            2 => multiplier(l, row),
            _ => drawn >> 1 >> (drawn % 24),
        }
    }

    fn bias(self, shape: Shape, l: usize, row: usize) -> i32 {
        let sum = (0..shape.width(l)).map(|c| u32::from(self.weights.of(l, row, c).unsigned_abs())).sum();
        let bits = if l == 0 { self.bits } else { 7 };
        let most = if bits == 14 { 128 * sum + 1 } else { 127 * sum };
        let most = ((1 << 23) - 1 - most) as i32;
        debug_assert!(row_bound(sum, most, bits));
        match row % 3 {
            0 => most,
            1 => -most,
            _ => (hash(5, l as u32, row as u32) % 4001) as i32 % (most + 1),
        }
    }
}

/// Checks everything; returns how many samples went through, or the first that came out wrong: network, weights (those of i4
/// after those of i8), sample.
pub fn check(memory: &mut Memory) -> Result<u32, (usize, u32, u32)> {
    let mut samples = 0;
    for (s, &widths) in SHAPES.iter().enumerate() {
        for n in 0..8 * KINDS {
            let weights = Weights { i4: n / KINDS % 2 == 1, kind: n % KINDS };
            let (bits, tables) = ([7, 14][(n / KINDS / 2 % 2) as usize], n / KINDS / 4 == 1);
            let kind = Kind { weights, bits, tables, wide: n as usize % 3 };
            for sample in 0..SAMPLES {
                if one(memory, widths, kind, sample) != Some(true) {
                    return Err((s, n, sample));
                }
                samples += 2;
            }
        }
    }
    Ok(samples)
}

fn one(memory: &mut Memory, widths: &[usize], kind: Kind, sample: u32) -> Option<bool> {
    let shape = shape(widths, kind)?;
    let file_bytes = write(&mut memory.file, shape, kind)?;
    let mut expected = [0; 16];
    plain(shape, kind, sample, &mut memory.x, &mut memory.y, &mut expected);
    let file = ModelView::parse(&memory.file[..file_bytes]).ok()?;
    let gives = |dense| match kind.weights.i4 {
        true => gives::<true>(&file, dense, sample, &mut memory.scratch, &expected),
        false => gives::<false>(&file, dense, sample, &mut memory.scratch, &expected),
    };
    Some([false, true].into_iter().all(gives))
}

fn shape(widths: &[usize], kind: Kind) -> Option<Shape> {
    let activation = |l| if kind.table(l).is_some() { Activation::Tanh } else { Activation::Relu };
    let activations: [Activation; 8] = core::array::from_fn(activation);
    Shape::new(widths).ok()?.with_activations(&activations[..widths.len() - 2]).ok()
}

/// Writes the network's file; returns its bytes. A function of its own, so that a device has its stack again before it
/// infers.
#[inline(never)]
fn write(memory: &mut [u8; FILE], shape: Shape, kind: Kind) -> Option<usize> {
    let dtype = if kind.weights.i4 { Dtype::I4 } else { Dtype::I8 };
    let header = HeaderBuf::new(shape, dtype, mcu::PACKING).ok()?;
    let wide = (0..shape.layers()).skip(kind.wide).step_by(3);
    let header = wide.fold(header, HeaderBuf::with_wide_multipliers);
    let header = header.with_input(InputType::I16, InputMap::Affine, kind.bits).ok()?;
    let file_bytes = header.file_bytes();
    assert!(file_bytes <= FILE && mcu::AnyI8Engine::scratch_words(&header.header()) <= SCRATCH);
    let mut builder = Builder::new(header, &mut memory[..file_bytes]).ok()?;
    builder.map_integers(0, LO, SPAN, map(kind.bits)).ok()?;
    for l in 0..shape.layers() {
        if let Some(table) = kind.table(l) {
            builder.activation_table(l, &table);
        }
        for row in 0..shape.width(l + 1) {
            builder.bias(l, row, kind.bias(shape, l, row));
            builder.multiplier(l, row, kind.multiplier(l, row));
            (0..shape.width(l))
                .for_each(|column| builder.weight(l, row, column, kind.weights.of(l, row, column)));
        }
    }
    builder.finish().ok()?;
    Some(file_bytes)
}

fn gives<const I4: bool>(
    file: &ModelView<'_>,
    dense: bool,
    sample: u32,
    scratch: &mut [u32],
    expected: &[i32; 16],
) -> bool {
    let Ok(mut engine) = mcu::AnyEngine::<I4>::new(file.clone()) else { return false };
    if dense {
        engine = engine.dense();
    }
    scratch.fill(0xa5a5_a5a5);
    let (inputs, outputs) = (file.header().inputs(), file.header().outputs());
    let mut values = [0_i16; 130];
    values.iter_mut().enumerate().for_each(|(at, x)| *x = raw(sample, at));
    let mut logits = [i32::MIN; 16];
    engine.logits(&values[..inputs], scratch, &mut logits[..outputs]).is_ok()
        && logits[..outputs] == expected[..outputs]
}

/// The naive loop.
fn plain(shape: Shape, kind: Kind, sample: u32, x: &mut [u8], y: &mut [u8], logits: &mut [i32; 16]) {
    let code = |at| code_of_integer(i32::from(raw(sample, at)), LO, SPAN, map(kind.bits), kind.bits);
    for l in 0..shape.layers() {
        let table = kind.table(l);
        for (row, y) in y.iter_mut().enumerate().take(shape.width(l + 1)) {
            let w = |column| i32::from(kind.weights.of(l, row, column));
            let products = |x: &dyn Fn(usize) -> u16| -> i32 {
                (0..shape.width(l)).map(|column| w(column) * i32::from(x(column))).sum()
            };
            let bias = kind.bias(shape, l, row);
            let acc = match (l, kind.bits) {
                (0, 14) => combined(bias + products(&|c| code(c) >> 7), products(&|c| code(c) & 127)),
                (0, _) => bias + products(&code),
                _ => bias + products(&|c| u16::from(x[c])),
            };
            match (logits.get_mut(row), table) {
                (Some(z), _) if l + 1 == shape.layers() => *z = acc,
                (_, Some(table)) => *y = looked_up(acc, kind.multiplier(l, row), &table),
                (_, None) => *y = requantize(acc, kind.multiplier(l, row)),
            }
        }
        x.copy_from_slice(y);
    }
}
