//! Measures the stack of parsing and inference with files of 2, 8 and 32 layers, made on the device; fails where it grows
//! with their number.
#![no_std]
#![no_main]

use selvedge::Error;
use selvedge::format::{Builder, Dtype, HeaderBuf, MAX_LAYERS, ModelView};
use selvedge::infer::{integer, mcu};
use selvedge_firmware::{StaticBuffer, console, entry, field, stack};

selvedge_firmware::printed_panics!();

/// Inputs and outputs of every layer.
const WIDTH: usize = 8;
const DEPTHS: [usize; 3] = [2, 8, MAX_LAYERS];
const WORDS: usize = 64;

#[repr(C, align(16))]
struct File([u8; 8 * 1024]);

#[entry]
fn main() -> ! {
    static FILE: StaticBuffer<File> = StaticBuffer::new(File([0; 8 * 1024]));
    static SCRATCH: StaticBuffer<[u32; WORDS]> = StaticBuffer::new([0; WORDS]);
    let (Some(file), Some(scratch)) = (FILE.take(), SCRATCH.take()) else { console::exit(false) };
    let mut used = [[0; 3]; DEPTHS.len()];
    for (layers, used) in DEPTHS.into_iter().zip(&mut used) {
        let Ok(bytes) = write(layers, &mut file.0) else { console::exit(false) };
        let Some(found) = measure(bytes, scratch) else { console::exit(false) };
        *used = found;
        field("layers", layers as i32);
        for (name, bytes) in ["parse", "kernels", "generic"].into_iter().zip(found) {
            field(name, bytes as i32);
        }
        console::text("\n");
    }
    console::exit(used.iter().all(|bytes| *bytes == used[0]))
}

/// A file of layers that pass on half of what they get.
fn write(layers: usize, memory: &mut [u8]) -> Result<&[u8], Error> {
    let header = HeaderBuf::from_widths(&[WIDTH; MAX_LAYERS + 1][..=layers], Dtype::I8, mcu::PACKING)?;
    let file = &mut memory[..header.file_bytes()];
    let mut builder = Builder::new(header, &mut *file)?;
    for l in 0..layers {
        for row in 0..WIDTH {
            builder.weight(l, row, row, 64);
            builder.multiplier(l, row, u16::MAX.into());
        }
    }
    builder.finish()?;
    Ok(file)
}

/// The bytes of stack of a parse, and of an inference by this core's kernels and by those for any.
#[inline(never)]
fn measure(bytes: &[u8], scratch: &mut [u32]) -> Option<[u32; 3]> {
    let (mut logits, mut done) = ([0; WIDTH], false);
    let parse = stack::used(|| done = ModelView::parse(bytes).is_ok());
    let own = mcu::I8Engine::new(ModelView::parse(bytes).ok()?).ok()?;
    let any = integer::Engine::new(ModelView::parse(bytes).ok()?).ok()?;
    let pixels = [200_u8; WIDTH];
    let kernels = stack::used(|| done &= own.logits(&pixels, scratch, &mut logits).is_ok());
    let first = logits;
    let generic = stack::used(|| done &= any.logits(&pixels, scratch, &mut logits).is_ok());
    (done && first == logits).then_some([parse, kernels, generic])
}
