//! Integer inference from flash, as firmware does it: `cargo run --no-default-features --example flash`. The compiler checks
//! the model's size against a budget.

use selvedge::format::{Header, ModelView};
use selvedge::infer::integer;

const MODEL: &[u8] = selvedge::include_model!("../fixtures/i8.selv");
const HEADER: Header = match Header::read(MODEL) {
    Ok(header) => header,
    Err(_) => panic!(),
};
const INPUTS: usize = HEADER.shape().inputs();
const OUTPUTS: usize = HEADER.shape().outputs();
const _: () = assert!(HEADER.file_bytes() <= 2048 && integer::ram_bytes(&HEADER) <= 512);

fn main() -> Result<(), selvedge::Error> {
    let model = integer::Model::new(ModelView::parse(MODEL)?)?;
    let (mut scratch, mut logits) = ([0; integer::scratch_words(&HEADER)], [0; OUTPUTS]);
    model.self_test(&mut scratch, &mut logits)?;
    println!("{} bytes of flash, {} of RAM, self-test passed", MODEL.len(), integer::ram_bytes(&HEADER));

    let pixels: [u8; INPUTS] = core::array::from_fn(|p| (p * 37) as u8);
    let class = model.classify(&pixels, &mut scratch, &mut logits)?;
    println!("class {class}, logits {logits:?}");
    Ok(())
}
