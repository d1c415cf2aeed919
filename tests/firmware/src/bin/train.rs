//! Trains 784-32-10 on the device with the same code as on the desktop, in a static arena: plain gradient descent on
//! images that come one by one or four by four.
//!
//! Reads `train-start` (parameters) and `train-images` (each 784 pixels and a class); prints instructions a step, not
//! cycles; writes `train-one` and `train-four`, the parameters after each part, which the host compares bit for bit.
#![no_std]
#![no_main]

use selvedge::{Arena, Backend, Memory, Mlp, Serial, Shape, Update, Workspace};
use selvedge_firmware::{File, StaticBuffer, console, count, entry, field, stack};

selvedge_firmware::printed_panics!();

const SHAPE: Shape = match Shape::new(&[784, 32, 10]) {
    Ok(shape) => shape,
    Err(_) => panic!(),
};
const PIXELS: usize = SHAPE.inputs();
const MOST: usize = 4;
const RATE: f32 = 0.05;
/// What a pixel is worth: `p / 255`.
static UNIT: [f32; 256] = {
    let mut unit = [0.0; 256];
    let mut p = 0;
    while p < 256 {
        unit[p] = p as f32 / 255.0;
        p += 1;
    }
    unit
};
/// What a step needs next to the parameters.
const FLOATS: usize = Workspace::floats(SHAPE, MOST);

#[entry]
fn main() -> ! {
    static PARAMS: StaticBuffer<[f32; SHAPE.params()]> = StaticBuffer::new([0.0; SHAPE.params()]);
    static MEMORY: StaticBuffer<Memory<FLOATS>> = StaticBuffer::new(Memory::new());
    let (Some(params), Some(memory)) = (PARAMS.take(), MEMORY.take()) else { console::exit(false) };
    let counter = count::Counter::calibrated();
    read_floats(&mut File::open(c"train-start"), params);
    let mut arena = Arena::new(memory.floats());
    let Ok(mut workspace) = Workspace::new(SHAPE, MOST, &mut arena) else { console::exit(false) };
    for (batch, name) in [(1, c"train-one"), (4, c"train-four")] {
        epoch(counter, batch, params, &mut workspace);
        let mut file = File::create(name);
        params.iter().for_each(|p| file.write(&p.to_bits().to_le_bytes()));
    }
    console::exit(true)
}

fn read_floats(file: &mut File, floats: &mut [f32]) {
    for p in floats {
        let mut bytes = [0; 4];
        if !file.read(&mut bytes) {
            console::text("too few parameters\n");
            console::exit(false)
        }
        *p = f32::from_le_bytes(bytes);
    }
}

/// One pass over the images; prints the mean of the instructions of its steps and the deepest stack.
fn epoch(counter: count::Counter, batch: usize, params: &mut [f32], workspace: &mut Workspace<'_>) {
    let mlp = Mlp::new(SHAPE, Backend::PORTABLE);
    let mut images = File::open(c"train-images");
    let (mut pixels, mut labels) = ([0; MOST * PIXELS], [0; MOST]);
    let (mut steps, mut sum, mut most, mut deepest) = (0_u32, 0_u32, 0, 0);
    loop {
        for row in 0..batch {
            if !images.read(&mut pixels[row * PIXELS..][..PIXELS]) || !images.read(&mut labels[row..=row]) {
                field("batch", batch as i32);
                field("steps", steps as i32);
                field("mean", (sum / steps.max(1)) as i32);
                field("most", most as i32);
                field("stack", deepest as i32);
                field("arena", 4 * FLOATS as i32);
                console::text("\n");
                return;
            }
        }
        let fill = |_: usize, rows: &mut [f32]| {
            for (x, &p) in rows.iter_mut().zip(&pixels) {
                *x = UNIT[usize::from(p)];
            }
        };
        let mut instructions = 0;
        let mut done = false;
        deepest = stack::used(|| {
            instructions = counter.count(|| {
                let update = Update::Sgd { learning_rate: RATE };
                done = mlp.step(&Serial, params, workspace, &labels[..batch], &fill, update).is_ok();
            });
        })
        .max(deepest);
        if !done {
            console::text("the step failed\n");
            console::exit(false)
        }
        (steps, sum, most) = (steps + 1, sum + instructions, instructions.max(most));
    }
}
