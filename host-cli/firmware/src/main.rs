//! Classifies the images in `images.idx` with the network in `model.selv`, and prints the classes through semihosting, and the cycles that
//! they take.
//!
//! The flash file is used where it lies: nothing is copied, nothing allocated. At boot its checksum and its self-test are
//! checked, and a device whose flash or processor is damaged says so and classifies nothing.
#![no_std]
#![no_main]

mod console;
mod cycles;
mod static_buffer;

#[cfg(target_arch = "arm")]
use cortex_m_rt::entry;
#[cfg(target_arch = "riscv32")]
use riscv_rt::entry;
use selvedge::format::{Dtype, Header, ModelView};
use selvedge::infer::mcu;
use static_buffer::StaticBuffer;

/// The network, as `selvedge quantize` made it and `selvedge export` packed it for this core.
const FILE: &[u8] = selvedge::include_model!("../model.selv");
/// Read while this compiles: the sizes below follow from it.
const HEADER: Header = match Header::read(FILE) {
    Ok(header) => header,
    Err(_) => panic!(),
};
/// The kernels of this core for the type of its weights.
type Engine = mcu::Engine<'static, { matches!(HEADER.dtype(), Dtype::I4) }>;
const _: () = assert!(Engine::runs(&HEADER), "model.selv is not packed for this core: README.md says how");
const INPUTS: usize = HEADER.inputs();
const CLASSES: usize = HEADER.outputs();
/// Words of memory that an inference works in.
const WORDS: usize = Engine::scratch_words(&HEADER);

/// Grey images, light on black, after a header of 16 bytes. A camera takes their place in the end.
const IMAGES: &[u8] = include_bytes!("../images.idx");

#[entry]
fn main() -> ! {
    static SCRATCH: StaticBuffer<[u32; WORDS]> = StaticBuffer::new([0; WORDS]);
    let Some(scratch) = SCRATCH.take() else { console::exit(false) };
    let mut logits = [0; CLASSES];
    let Some(engine) = boot(scratch, &mut logits) else { console::exit(false) };
    cycles::start();
    let mut most = Some(0);
    let images = IMAGES.get(16..).unwrap_or_default().chunks_exact(INPUTS);
    for (n, pixels) in images.enumerate() {
        let mut asked = Ok(None);
        let cycles = cycles::of(|| asked = engine.classify(pixels, scratch, &mut logits));
        most = most.zip(cycles).map(|(most, cycles)| cycles.max(most));
        let Ok(class) = asked else { console::exit(false) };
        console::text("image ");
        console::number(n as i32);
        console::text(": ");
        match class.map(|class| (class, engine.view().label(class))) {
            Some((_, Some(name))) => console::text(name),
            Some((class, None)) => console::number(class as i32),
            None => console::text("unknown"),
        }
        console::text("\n");
    }
    console::cycles(most, cycles::COUNTER);
    console::exit(true)
}

/// The checked network, or the reason why there is none.
fn boot(scratch: &mut [u32], logits: &mut [i32]) -> Option<Engine> {
    let Ok(engine) = ModelView::parse(FILE).and_then(Engine::new) else {
        console::text("the flash file is damaged or packed for another core: no inference\n");
        return None;
    };
    if engine.self_test(scratch, logits).is_err() {
        console::text("the self-test failed: no inference\n");
        return None;
    }
    console::text("checked ");
    console::text(HEADER.packing().name());
    console::text("\n");
    Some(engine)
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    console::text("panic");
    if let Some(place) = info.location() {
        console::text(" at ");
        console::text(place.file());
        console::text(":");
        console::number(place.line() as i32);
    }
    console::text("\n");
    console::exit(false)
}
