//! Classifies images with the engines that read any packing and any type of weights; what `selvedge estimate` says of files
//! that no core has a kernel for was measured here.
//!
//! `MODEL`, when it is built, names the file. Reads `images`, writes `logits`, the bits of four bytes each; prints
//! instructions, not cycles, and memory. No panic can be linked into it.
#![no_std]
#![no_main]

use selvedge::format::ModelView;
use selvedge::infer::{Profile, float, integer};
use selvedge_firmware::{File, StaticBuffer, console, count, entry, field, stack};

selvedge_firmware::no_panics!();
selvedge_firmware::deployed!("MODEL");

const INTEGERS: bool = HEADER.dtype().is_integer();
const PROFILE: Profile = if INTEGERS { Profile::Integer } else { Profile::Float };
const WORDS: usize = if INTEGERS { PROFILE.scratch_words(&HEADER) } else { 0 };
const FLOATS: usize = if INTEGERS { 0 } else { PROFILE.scratch_words(&HEADER) };
const MEMORY: usize = PROFILE.ram_bytes(&HEADER);

#[entry]
fn main() -> ! {
    static SCRATCH: StaticBuffer<[u32; WORDS]> = StaticBuffer::new([0; WORDS]);
    static FLOAT_SCRATCH: StaticBuffer<[f32; FLOATS]> = StaticBuffer::new([0.0; FLOATS]);
    let (Some(words), Some(floats)) = (SCRATCH.take(), FLOAT_SCRATCH.take()) else { console::exit(false) };
    let Ok(image) = ModelView::parse(FILE) else { console::exit(false) };
    if INTEGERS {
        let Ok(engine) = integer::Engine::new(image) else { console::exit(false) };
        let mut logits = [0; CLASSES];
        measure(|pixels| {
            let done = engine.logits(pixels, words, &mut logits).is_ok();
            (done, logits.map(i32::cast_unsigned))
        });
    } else {
        let Ok(engine) = float::Engine::new(image) else { console::exit(false) };
        let mut logits = [0.0; CLASSES];
        measure(|pixels| {
            let done = engine.logits(pixels, floats, &mut logits).is_ok();
            (done, logits.map(f32::to_bits))
        });
    }
    console::exit(true)
}

fn measure(mut logits: impl FnMut(&[u8; INPUTS]) -> (bool, [u32; CLASSES])) {
    let counter = count::Counter::calibrated();
    let (mut images, mut file) = (File::open(c"images"), File::create(c"logits"));
    let (mut n, mut sum, mut deepest) = (0, 0_u64, 0);
    let mut pixels = [0; INPUTS];
    while images.read(&mut pixels) {
        let mut out = (false, [0; CLASSES]);
        deepest = stack::used(|| out = logits(&pixels)).max(deepest);
        sum += u64::from(counter.count(|| out = logits(&pixels)));
        if !out.0 {
            console::exit(false)
        }
        out.1.iter().for_each(|z| file.write(&z.to_le_bytes()));
        n += 1;
    }
    field("images", n);
    field("mean", sum.checked_div(n as u64).unwrap_or(0) as i32);
    field("memory", MEMORY as i32);
    field("stack", deepest as i32);
    console::text("\n");
}
