//! The kernels of a core against plain loops, on networks whose numbers come out of a hash: random and extreme weights,
//! biases up to the bound, inputs from all zero to all full, widths around every group.
//!
//! Runs on the devices and, from `tests/mcu.rs`, on the host. Nothing is stored but the file and the activations.

use selvedge::format::{ALIGN, Builder, Dtype, HeaderBuf, ModelView, row_bound};
use selvedge::naive::integer::requantize;
use selvedge::{Shape, infer::mcu};

#[path = "any.rs"]
pub mod any;

/// Bytes for the largest file.
pub const FILE: usize = 8 * 1024;
/// Words for the largest scratch.
pub const SCRATCH: usize = 640;
const WIDEST: usize = 784;

/// A network and the side of its images, if they are square ones.
const SHAPES: [(&[usize], usize); 13] = [
    (&[512, 8, 3], 0),
    (&[784, 7, 10], 28),
    (&[64, 17, 5], 8),
    (&[36, 7, 4], 6),
    (&[400, 16, 10], 20),
    (&[40, 20, 33, 7, 2], 0),
    (&[33, 16, 48, 10], 0),
    (&[1, 1], 0),
    (&[3, 2, 1], 0),
    (&[5, 4], 0),
    (&[17, 5, 3], 0),
    (&[31, 65, 4], 0),
    (&[16, 130, 12], 4),
];
/// Random; all 127; all −127; 127 or −127; mostly 0; small.
const KINDS: u32 = 6;
/// All zero; all 255; random; random with whole runs of zeros; one pixel.
const IMAGES: u32 = 5;

/// Memory for a check.
#[repr(C, align(16))]
pub struct Memory {
    file: [u8; FILE],
    scratch: [u32; SCRATCH],
    x: [u8; WIDEST],
    y: [u8; WIDEST],
}

impl Memory {
    /// Zeroed.
    pub const fn new() -> Self {
        Self { file: [0; FILE], scratch: [0; SCRATCH], x: [0; WIDEST], y: [0; WIDEST] }
    }
}

fn hash(a: u32, b: u32, c: u32) -> u32 {
    let mut h = a.wrapping_mul(0x9e37_79b1) ^ b.wrapping_mul(0x85eb_ca77) ^ c.wrapping_mul(0xc2b2_ae3d);
    for _ in 0..2 {
        h ^= h >> 15;
        h = h.wrapping_mul(0x2c1b_3c6d);
    }
    h ^ h >> 13
}

/// The network of i8 weights, or the i4 weights towards 0 from them, which are multiples of 16.
#[derive(Clone, Copy)]
struct Weights {
    i4: bool,
    kind: u32,
}

impl Weights {
    fn of(self, l: usize, row: usize, column: usize) -> i8 {
        let w = weight(self.kind, l, row, column);
        if self.i4 { w / 16 * 16 } else { w }
    }
}

fn weight(kind: u32, l: usize, row: usize, column: usize) -> i8 {
    let h = hash(l as u32 + 10 * kind, row as u32, column as u32);
    match kind {
        0 => ((h % 255) as i32 - 127) as i8,
        1 => 127,
        2 => -127,
        3 => {
            if h & 1 == 0 {
                127
            } else {
                -127
            }
        }
        4 => if h.is_multiple_of(5) { ((h >> 8) % 255) as i32 as i8 } else { 0 }.max(-127),
        _ => ((h % 7) as i32 - 3) as i8,
    }
}

fn pixel(kind: u32, at: usize) -> u8 {
    let h = hash(77, kind, at as u32);
    match kind {
        0 => 0,
        1 => 255,
        2 => h as u8,
        3 => {
            if hash(78, 0, at as u32 / 20).is_multiple_of(2) {
                h as u8
            } else {
                0
            }
        }
        _ => {
            if at == 13 {
                200
            } else {
                0
            }
        }
    }
}

/// The largest bias that a row's weights leave, with a sign.
fn bias(shape: Shape, weights: Weights, l: usize, row: usize) -> Option<i32> {
    let sum = (0..shape.width(l)).map(|c| u32::from(weights.of(l, row, c).unsigned_abs())).sum::<u32>();
    let most = ((1 << 23) - 1_i32).checked_sub_unsigned(127 * sum).filter(|&b| row_bound(sum, b, 7))?;
    Some(match row % 3 {
        0 => most,
        1 => -most,
        _ => (hash(5, l as u32, row as u32) % 4001) as i32 % (most + 1),
    })
}

fn multiplier(l: usize, row: usize) -> u32 {
    match row % 5 {
        0 => u16::MAX.into(),
        1 => 300,
        _ => (hash(6, l as u32, row as u32) >> 4) & 0xfff,
    }
}

/// Checks everything; returns how many images were classified, or the first that came out wrong: network, weights (those of
/// i4 after those of i8), image.
pub fn check(memory: &mut Memory) -> Result<u32, (usize, u32, u32)> {
    let mut images = 0;
    for (s, &(widths, side)) in SHAPES.iter().enumerate() {
        for weights in
            [false, true].into_iter().flat_map(|i4| (0..KINDS).map(move |kind| Weights { i4, kind }))
        {
            for image in 0..IMAGES {
                match one(memory, widths, side, weights, image) {
                    Some(true) => images += 2,
                    Some(false) => return Err((s, weights.kind + KINDS * u32::from(weights.i4), image)),
                    None => {}
                }
            }
        }
    }
    Ok(images)
}

/// Whether both forms of a kernel give what plain loops give; nothing where a row has no bias within the bound.
fn one(memory: &mut Memory, widths: &[usize], side: usize, weights: Weights, image: u32) -> Option<bool> {
    let shape = Shape::new(widths).ok()?;
    let file_bytes = write(&mut memory.file, shape, side, weights)?;
    let file = ModelView::parse(&memory.file[..file_bytes]).ok()?;
    let mut expected = [0; 16];
    plain(shape, weights, image, file.table(), &mut memory.x, &mut memory.y, &mut expected);
    let gives = |dense| gives(&file, dense, image, &mut memory.scratch, &expected);
    Some([false, true].into_iter().all(gives))
}

/// Writes the network's file; returns its bytes. A function of its own, so that a device has its stack again before it
/// infers.
#[inline(never)]
fn write(memory: &mut [u8; FILE], shape: Shape, side: usize, weights: Weights) -> Option<usize> {
    let dtype = if weights.i4 { Dtype::I4 } else { Dtype::I8 };
    let mut header = HeaderBuf::new(shape, dtype, mcu::PACKING).ok()?;
    if side > 0 {
        header = header.with_image(side, side).ok()?;
    }
    if weights.kind == 0 {
        header = header.with_table();
    }
    let file_bytes = header.file_bytes();
    let words = mcu::I8Engine::scratch_words(&header.header());
    assert!(file_bytes <= FILE && words <= SCRATCH && ALIGN <= 16);
    let mut builder = Builder::new(header, &mut memory[..file_bytes]).ok()?;
    builder.table(&core::array::from_fn(|p| (127 - p / 3) as u8));
    for l in 0..shape.layers() {
        for row in 0..shape.width(l + 1) {
            builder.bias(l, row, bias(shape, weights, l, row)?);
            builder.multiplier(l, row, multiplier(l, row));
            (0..shape.width(l)).for_each(|column| builder.weight(l, row, column, weights.of(l, row, column)));
        }
    }
    builder.finish().ok()?;
    Some(file_bytes)
}

fn gives(file: &ModelView<'_>, dense: bool, image: u32, scratch: &mut [u32], expected: &[i32; 16]) -> bool {
    match file.header().dtype() {
        Dtype::I4 => gives_as::<true>(file, dense, image, scratch, expected),
        _ => gives_as::<false>(file, dense, image, scratch, expected),
    }
}

fn gives_as<const I4: bool>(
    file: &ModelView<'_>,
    dense: bool,
    image: u32,
    scratch: &mut [u32],
    expected: &[i32; 16],
) -> bool {
    let Ok(mut engine) = mcu::Engine::<I4>::new(file.clone()) else { return false };
    if dense {
        engine = engine.dense();
    }
    scratch.fill(0xa5a5_a5a5);
    engine.pixels(scratch).iter_mut().enumerate().for_each(|(at, p)| *p = pixel(image, at));
    let outputs = file.header().outputs();
    let mut logits = [i32::MIN; 16];
    engine.run(scratch, &mut logits[..outputs]).is_ok() && logits[..outputs] == expected[..outputs]
}

/// The naive loop.
fn plain(
    shape: Shape,
    weights: Weights,
    image: u32,
    table: Option<&[u8; 256]>,
    x: &mut [u8],
    y: &mut [u8],
    logits: &mut [i32; 16],
) {
    let input = |p: u8| table.map_or(p >> 1, |t| t[usize::from(p)]);
    x.iter_mut().enumerate().for_each(|(at, x)| *x = input(pixel(image, at)));
    for l in 0..shape.layers() {
        for (row, y) in y.iter_mut().enumerate().take(shape.width(l + 1)) {
            let mut acc = bias(shape, weights, l, row).unwrap_or(0);
            for (column, &x) in x.iter().enumerate().take(shape.width(l)) {
                acc += i32::from(weights.of(l, row, column)) * i32::from(x);
            }
            match logits.get_mut(row) {
                Some(z) if l + 1 == shape.layers() => *z = acc,
                _ => *y = requantize(acc, multiplier(l, row)),
            }
        }
        x.copy_from_slice(y);
    }
}
