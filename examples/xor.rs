//! Trains XOR without a heap and without `std`: `cargo run --no-default-features --example xor`.

use selvedge::{Activations, Arena, Backend, Init, Memory, Mlp, Rng, Serial, Shape, Update, Workspace};

const XOR: Shape = match Shape::new(&[2, 8, 2]) {
    Ok(shape) => shape,
    Err(_) => panic!(),
};

fn main() -> Result<(), selvedge::Error> {
    let (x, y) = ([0., 0., 0., 1., 1., 0., 1., 1.], [0, 1, 1, 0]);
    let fill = |first: usize, rows: &mut [f32]| rows.copy_from_slice(&x[2 * first..][..rows.len()]);
    // A `static` on a microcontroller.
    let mut memory = Memory::<{ Workspace::floats(XOR, 4) }>::new();
    let mut workspace = Workspace::new(XOR, 4, &mut Arena::new(memory.floats()))?;
    let mut params = [0.0; XOR.params()];
    Init::He.draw(XOR, &mut Rng::new(7), &mut params)?;
    let mlp = Mlp::new(XOR, Backend::detect());
    for step in 1..=500 {
        let update = Update::Sgd { learning_rate: 0.5 };
        let stats = mlp.step(&Serial, &mut params, &mut workspace, &y, &fill, update)?;
        if step % 100 == 0 {
            println!("step {step}: loss {:.4}, {} of 4 correct", stats.loss_sum / 4.0, stats.correct);
        }
    }
    let mut memory = Memory::<{ Activations::floats(XOR, 4) }>::new();
    let mut activations = Activations::new(XOR, 4, &mut Arena::new(memory.floats()))?;
    let logits = mlp.forward(&Serial, &params, &mut activations, 4, &fill)?;
    for (x, z) in x.chunks_exact(2).zip(logits.chunks_exact(2)) {
        println!("{} xor {} = {}", x[0], x[1], selvedge::naive::argmax(z));
    }
    Ok(())
}
