//! A deployed network learns new classes on the device: its integer layers turn an image into features, and a last layer of
//! floats is trained on them, one image at a time: `cargo run --no-default-features --example learn`.
//! All memory has a fixed size, known at compile time; on a microcontroller it is in statics.

use selvedge::format::{Header, ModelView};
use selvedge::{
    Activations, Arena, Backend, Error, Init, Memory, Mlp, Rng, Serial, Shape, Update, Workspace,
};
use selvedge::{infer::mcu::I8Engine, naive};

const MODEL: &[u8] = selvedge::include_model!("../fixtures/i8-cortex-m0.selv"); // packed for this machine, as for the M0
const HEADER: Header = match Header::read(MODEL) {
    Ok(header) => header,
    Err(_) => panic!(),
};
const SIDE: usize = 8;
const PIXELS: usize = SIDE * SIDE;
const FEATURES: usize = HEADER.width(HEADER.layers() - 1);
const HEAD: Shape = match Shape::new(&[FEATURES, 2]) {
    Ok(shape) => shape,
    Err(_) => panic!(),
};
const MLP: Mlp = Mlp::new(HEAD, Backend::PORTABLE);
const STEP: usize = Workspace::floats(HEAD, 1);
const _: () = assert!(HEADER.inputs() == PIXELS && I8Engine::runs(&HEADER));
const _: () =
    assert!(4 * (STEP + HEAD.params()) + I8Engine::ram_bytes(&HEADER) <= 2048, "it fits into 2 KB of RAM");

/// The features of an image, scaled to the real numbers that they stand for.
fn features(
    engine: &I8Engine<'_>,
    scratch: &mut [u32],
    image: &[u8; PIXELS],
) -> Result<[f32; FEATURES], Error> {
    engine.pixels(scratch).copy_from_slice(image);
    let unit = engine.view().scale(HEADER.layers() - 1);
    let mut x = [0.0; FEATURES];
    for (x, &y) in x.iter_mut().zip(engine.features(scratch)?) {
        *x = f32::from(y) * unit;
    }
    Ok(x)
}

/// Noise with a bright bar in it, in the upper half (class 0) or in the lower (class 1).
fn draw(rng: &mut Rng) -> ([u8; PIXELS], u8) {
    let bar = rng.below(SIDE as u32) as usize;
    let image = core::array::from_fn(|p| if p / SIDE == bar { 200 } else { 0 } + rng.below(50) as u8);
    (image, u8::from(bar >= SIDE / 2))
}

/// How many of 200 images the head gets right.
fn right(
    engine: &I8Engine<'_>,
    scratch: &mut [u32],
    params: &[f32],
    activations: &mut Activations<'_>,
) -> Result<usize, Error> {
    let (mut rng, mut correct) = (Rng::new(2), 0);
    for _ in 0..200 {
        let (image, class) = draw(&mut rng);
        let x = features(engine, scratch, &image)?;
        let logits = MLP
            .forward(&Serial, params, activations, 1, &|_: usize, row: &mut [f32]| row.copy_from_slice(&x))?;
        correct += usize::from(naive::argmax(logits) == usize::from(class));
    }
    Ok(correct)
}

fn main() -> Result<(), Error> {
    let engine = I8Engine::new(ModelView::parse(MODEL)?)?;
    let mut scratch = [0; I8Engine::scratch_words(&HEADER)];
    let mut memory = Memory::<STEP>::new();
    let mut workspace = Workspace::new(HEAD, 1, &mut Arena::new(memory.floats()))?;
    let mut params = [0.0; HEAD.params()];
    Init::He.draw(HEAD, &mut Rng::new(1), &mut params)?;

    let before = right(&engine, &mut scratch, &params, workspace.activations())?;
    let mut rng = Rng::new(3);
    for _ in 0..1000 {
        let (image, class) = draw(&mut rng);
        let x = features(&engine, &mut scratch, &image)?;
        let fill = |_: usize, row: &mut [f32]| row.copy_from_slice(&x);
        MLP.step(&Serial, &mut params, &mut workspace, &[class], &fill, Update::Sgd { learning_rate: 0.05 })?;
    }
    let after = right(&engine, &mut scratch, &params, workspace.activations())?;
    println!("{before} of 200 right before, {after} after 1000 images, one step each");
    Ok(())
}
