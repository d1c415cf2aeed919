//! Classifies images with a flash file built into the program; the inference image that is measured.
//!
//! `MODEL`, when it is built, names the file. At boot the file is checked and its self-test run; a device whose flash is
//! damaged says so and classifies nothing. Then the images of the host's file `images` are classified one by one: their
//! logits go into the file `logits`, and instructions, not cycles, and memory are printed. The program contains no
//! panic: its handler cannot be linked.
#![no_std]
#![no_main]

use selvedge::format::{Dtype, ModelView};
use selvedge::{infer::mcu, naive};
use selvedge_firmware::{File, StaticBuffer, console, count, entry, field, stack};

selvedge_firmware::no_panics!();
selvedge_firmware::deployed!("MODEL");

type Engine = mcu::Engine<'static, { matches!(HEADER.dtype(), Dtype::I4) }>;
const WORDS: usize = Engine::scratch_words(&HEADER);

#[entry]
fn main() -> ! {
    static SCRATCH: StaticBuffer<[u32; WORDS]> = StaticBuffer::new([0; WORDS]);
    let Some(scratch) = SCRATCH.take() else { console::exit(false) };
    let mut logits = [0; CLASSES];
    let Some(engine) = boot(scratch, &mut logits) else { console::exit(false) };
    measure(&engine, scratch, &mut logits);
    console::exit(true)
}

/// The checked model, or the reason why there is none.
fn boot(scratch: &mut [u32], logits: &mut [i32]) -> Option<Engine> {
    let engine = match ModelView::parse(FILE).and_then(Engine::new) {
        Ok(engine) => engine,
        Err(_) => {
            console::text("the flash file is damaged or packed for another core: no inference\n");
            return None;
        }
    };
    if engine.self_test(scratch, logits).is_err() {
        console::text("the self-test failed: no inference\n");
        return None;
    }
    console::text("checked ");
    console::text(mcu::PACKING.name());
    console::text("\n");
    Some(engine)
}

fn measure(engine: &Engine, scratch: &mut [u32], logits: &mut [i32; CLASSES]) {
    let counter = count::Counter::calibrated();
    let dense = engine.clone().dense();
    let (mut images, mut file) = (File::open(c"images"), File::create(c"logits"));
    let (mut n, mut sum, mut sum_dense, mut most, mut deepest) = (0, 0_u32, 0_u32, 0, 0);
    let mut pixels = [0; INPUTS];
    while images.read(&mut pixels) {
        let mut class = 0;
        let mut classify = |engine: &Engine, logits: &mut [i32]| {
            let mut once = |scratch: &mut [u32]| {
                if engine.run(scratch, logits).is_ok() {
                    class = naive::argmax(logits);
                }
            };
            fill(engine, scratch, &pixels);
            deepest = stack::used(|| once(scratch)).max(deepest);
            fill(engine, scratch, &pixels);
            counter.count(|| once(scratch))
        };
        let mut other = [0; CLASSES];
        let slow = classify(&dense, &mut other);
        let fast = classify(engine, logits);
        for (z, y) in logits.iter().zip(other) {
            file.write(&z.to_le_bytes());
            if *z != y {
                console::text("the dense form differs\n");
            }
        }
        if n < 10 {
            console::text("class=");
            console::text(engine.view().label(class).unwrap_or("?"));
            console::text(" logits=");
            for z in logits.iter() {
                console::number(*z);
                console::text(" ");
            }
            console::text("\n");
        }
        (n, most) = (n + 1, fast.max(most));
        (sum, sum_dense) = (sum + fast / 8, sum_dense + slow / 8);
    }
    let mean = |sum: u32| (u64::from(sum) * 8).checked_div(n).unwrap_or(0) as i32;
    field("images", n as i32);
    field("mean", mean(sum));
    field("dense", mean(sum_dense));
    field("most", most as i32);
    field("scratch", 4 * WORDS as i32);
    field("logits", 4 * CLASSES as i32);
    field("stack", deepest as i32);
    console::text("\n");
}

/// Puts an image where the model expects it; a camera would write there itself.
fn fill(engine: &Engine, scratch: &mut [u32], pixels: &[u8; INPUTS]) {
    for (to, from) in engine.pixels(scratch).iter_mut().zip(pixels) {
        *to = *from;
    }
}
