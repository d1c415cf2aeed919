//! A deployed i8 network learns two classes that it never saw: its integer layers make the features, and a head of floats
//! is trained on them on the device, starting from the network's own last layer.
//!
//! `HEAD_MODEL`, when it is built, names the flash file. Reads `head-train` and `head-test` (each 784 pixels and a
//! class), prints the accuracy before and after, writes `head`, the parameters that the host compares bit for bit.
#![no_std]
#![no_main]

use selvedge::format::ModelView;
use selvedge::{
    Activations, Arena, Backend, Memory, Mlp, Serial, Shape, Update, Workspace, infer::mcu::I8Engine, naive,
};
use selvedge_firmware::{File, StaticBuffer, console, count, entry, field};

selvedge_firmware::printed_panics!();
selvedge_firmware::deployed!("HEAD_MODEL");

const LAYERS: usize = HEADER.layers();
const FEATURES: usize = HEADER.width(LAYERS - 1);
const HEAD: Shape = match Shape::new(&[FEATURES, CLASSES]) {
    Ok(shape) => shape,
    Err(_) => panic!(),
};
const FLOATS: usize = Workspace::floats(HEAD, 1);
const EPOCHS: usize = 20;
const RATE: f32 = 0.02;
/// From this class on the classes are new.
const NEW: usize = 8;

#[entry]
fn main() -> ! {
    static PARAMS: StaticBuffer<[f32; HEAD.params()]> = StaticBuffer::new([0.0; HEAD.params()]);
    static MEMORY: StaticBuffer<Memory<FLOATS>> = StaticBuffer::new(Memory::new());
    static SCRATCH: StaticBuffer<[u32; I8Engine::scratch_words(&HEADER)]> =
        StaticBuffer::new([0; I8Engine::scratch_words(&HEADER)]);
    let (Some(params), Some(memory), Some(scratch)) = (PARAMS.take(), MEMORY.take(), SCRATCH.take()) else {
        console::exit(false)
    };
    let Ok(engine) = ModelView::parse(FILE).and_then(I8Engine::new) else { console::exit(false) };
    start(engine.view(), params);
    let mut workspace = match Workspace::new(HEAD, 1, &mut Arena::new(memory.floats())) {
        Ok(workspace) => workspace,
        Err(_) => console::exit(false),
    };
    report("before", &engine, params, workspace.activations(), scratch);
    let instructions = train(&engine, params, &mut workspace, scratch);
    report("after", &engine, params, workspace.activations(), scratch);
    field("head_bytes", (size_of_val(params) + 4 * FLOATS) as i32);
    field("scratch", size_of_val(scratch) as i32);
    field("step", instructions as i32);
    console::text("\n");
    let mut file = File::create(c"head");
    params.iter().for_each(|p| file.write(&p.to_bits().to_le_bytes()));
    console::exit(true)
}

/// The network's own last layer, in floats.
fn start(image: &ModelView<'_>, params: &mut [f32]) {
    let (Some(layer), Ok(mut head)) = (image.layers().last(), HEAD.split_mut(params)) else { return };
    let unit = image.scale(LAYERS);
    for row in 0..CLASSES {
        head[0].biases[row] = layer.bias(row) as f32 * unit;
        for column in 0..FEATURES {
            let weight = layer.weight(row, column) as f32;
            head[0].weights[column * CLASSES + row] = weight * (unit / image.scale(LAYERS - 1));
        }
    }
}

/// Reads the next image; makes its features.
fn features(
    file: &mut File,
    engine: &I8Engine<'_>,
    scratch: &mut [u32],
    x: &mut [f32; FEATURES],
) -> Option<u8> {
    let mut label = [0];
    let mut pixels = [0; INPUTS];
    if !file.read(&mut pixels) || !file.read(&mut label) {
        return None;
    }
    engine.pixels(scratch).copy_from_slice(&pixels);
    let scale = engine.view().scale(LAYERS - 1);
    for (x, &y) in x.iter_mut().zip(engine.features(scratch).ok()?) {
        *x = f32::from(y) * scale;
    }
    Some(label[0])
}

/// Trains the head; returns the mean instructions of a step, the features left out.
fn train(
    engine: &I8Engine<'_>,
    params: &mut [f32],
    workspace: &mut Workspace<'_>,
    scratch: &mut [u32],
) -> u32 {
    let counter = count::Counter::calibrated();
    let head = Mlp::new(HEAD, Backend::PORTABLE);
    let (mut x, mut steps, mut sum) = ([0.0; FEATURES], 0, 0);
    for _ in 0..EPOCHS {
        let mut file = File::open(c"head-train");
        while let Some(label) = features(&mut file, engine, scratch, &mut x) {
            let fill = |_: usize, rows: &mut [f32]| rows.copy_from_slice(&x);
            let mut step = || {
                head.step(&Serial, params, workspace, &[label], &fill, Update::Sgd { learning_rate: RATE })
            };
            sum += counter.count(|| {
                if step().is_err() {
                    console::exit(false)
                }
            });
            steps += 1;
        }
    }
    sum / steps
}

/// Prints how many of the test images the head gets right, in thousandths: of all classes, and of the new ones.
fn report(
    when: &str,
    engine: &I8Engine<'_>,
    params: &[f32],
    activations: &mut Activations<'_>,
    scratch: &mut [u32],
) {
    let head = Mlp::new(HEAD, Backend::PORTABLE);
    let (mut x, mut seen, mut right) = ([0.0; FEATURES], [0; 2], [0; 2]);
    let mut file = File::open(c"head-test");
    while let Some(label) = features(&mut file, engine, scratch, &mut x) {
        let fill = |_: usize, rows: &mut [f32]| rows.copy_from_slice(&x);
        let Ok(logits) = head.forward(&Serial, params, activations, 1, &fill) else { console::exit(false) };
        let group = usize::from(usize::from(label) >= NEW);
        seen[group] += 1;
        right[group] += i32::from(naive::argmax(logits) == usize::from(label));
    }
    console::text(when);
    console::text(" ");
    field("images", seen[0] + seen[1]);
    field("right", right[0] + right[1]);
    field("new_images", seen[1]);
    field("new_right", right[1]);
    console::text("\n");
}
