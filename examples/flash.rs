//! Integer inference from flash, as firmware does it: `cargo run --no-default-features --example flash`. The compiler checks
//! the model's size against a budget.

use selvedge::format::{Header, ModelView};
use selvedge::infer::integer::Engine;

const MODEL: &[u8] = selvedge::include_model!("../fixtures/i8.selv");
const HEADER: Header = match Header::read(MODEL) {
    Ok(header) => header,
    Err(_) => panic!(),
};
const INPUTS: usize = HEADER.inputs();
const OUTPUTS: usize = HEADER.outputs();
const _: () = assert!(HEADER.file_bytes() <= 2048 && Engine::ram_bytes(&HEADER) <= 512);

fn main() -> Result<(), selvedge::Error> {
    let engine = Engine::new(ModelView::parse(MODEL)?)?;
    let (mut scratch, mut logits) = ([0; Engine::scratch_words(&HEADER)], [0; OUTPUTS]);
    engine.self_test(&mut scratch, &mut logits)?;
    println!("{} bytes of flash, {} of RAM, self-test passed", MODEL.len(), Engine::ram_bytes(&HEADER));

    let pixels: [u8; INPUTS] = core::array::from_fn(|p| (p * 37) as u8);
    let class = engine.classify(&pixels, &mut scratch, &mut logits)?;
    println!("class {class:?}, logits {logits:?}");
    Ok(())
}
