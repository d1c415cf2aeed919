//! The overhead of training over its products: a five-epoch run of 784-128-10 with the `matrixmultiply` backend, against a loop
//! of the bare `matrixmultiply::sgemm` calls that it makes. `cargo bench -p selvedge --bench sgemm_run` prints both.
//!
//! 50,000 images at batch 64, measured in alternation three times; the medians count.

use std::time::Instant;

use selvedge::{Arena, Backend, Init, Mlp, Rng, Serial, Shape, Update, Workspace, kernel};

const IMAGES: usize = 50_000;
const EPOCHS: usize = 5;
const BATCH: usize = 64;
const WIDTHS: [usize; 3] = [784, 128, 10];

fn batches() -> impl Iterator<Item = usize> {
    (0..EPOCHS).flat_map(|_| (0..IMAGES).step_by(BATCH).map(|first| BATCH.min(IMAGES - first)))
}

/// Seconds of a whole run: gathering, shuffling, forward, loss, backward, update.
fn training(pixels: &[u8], labels: &[u8]) -> f64 {
    let shape = Shape::new(&WIDTHS).unwrap();
    let mlp = Mlp::new(shape, Backend::by_name("matrixmultiply").unwrap());
    let mut rng = Rng::new(1);
    let mut memory = vec![0.0; shape.params() + Workspace::floats(shape, BATCH) + 64];
    let mut arena = Arena::aligned(&mut memory);
    let params = arena.take(shape.params()).unwrap();
    Init::He.draw(shape, &mut rng, params).unwrap();
    let mut workspace = Workspace::new(shape, BATCH, &mut arena).unwrap();
    let mut order: Vec<u32> = (0..IMAGES as u32).collect();
    let begin = Instant::now();
    let mut loss = 0.0;
    for _ in 0..EPOCHS {
        rng.shuffle(&mut order);
        for index in order.chunks(BATCH) {
            let labels: Vec<u8> = index.iter().map(|&n| labels[n as usize]).collect();
            let fill = |first: usize, rows: &mut [f32]| {
                kernel::gather(mlp.backend, pixels, &index[first..][..rows.len() / WIDTHS[0]], rows);
            };
            let update = Update::Sgd { learning_rate: 0.1 };
            loss += mlp.step(&Serial, params, &mut workspace, &labels, &fill, update).unwrap().loss_sum;
        }
    }
    assert!(loss.is_finite());
    begin.elapsed().as_secs_f64()
}

/// Seconds of the bare products of the same run.
fn products() -> f64 {
    let [i, h, o] = WIDTHS;
    let x = vec![0.5f32; BATCH * i];
    let (mut w1, mut w2) = (vec![0.01f32; i * h], vec![0.01f32; h * o]);
    let (mut a, mut d) = (vec![0.1f32; BATCH * h], vec![1e-6f32; BATCH * h]);
    let (mut z, dz) = (vec![0.0f32; BATCH * o], vec![1e-6f32; BATCH * o]);
    let begin = Instant::now();
    for b in batches() {
        let (bi, ii, hi, oi) = (b as isize, i as isize, h as isize, o as isize);
        // SAFETY: every matrix has the size and the strides that the call names.
        unsafe {
            use matrixmultiply::sgemm;
            sgemm(b, i, h, 1.0, x.as_ptr(), ii, 1, w1.as_ptr(), hi, 1, 0.0, a.as_mut_ptr(), hi, 1);
            sgemm(b, h, o, 1.0, a.as_ptr(), hi, 1, w2.as_ptr(), oi, 1, 0.0, z.as_mut_ptr(), oi, 1);
            sgemm(h, o, b, 1.0, w2.as_ptr(), oi, 1, dz.as_ptr(), 1, oi, 0.0, d.as_mut_ptr(), bi, 1);
            sgemm(h, b, o, -1e-3, a.as_ptr(), 1, hi, dz.as_ptr(), oi, 1, 1.0, w2.as_mut_ptr(), oi, 1);
            sgemm(i, b, h, -1e-3, x.as_ptr(), 1, ii, d.as_ptr(), hi, 1, 1.0, w1.as_mut_ptr(), hi, 1);
        }
    }
    assert!(z[0].is_finite());
    begin.elapsed().as_secs_f64()
}

fn main() {
    let mut rng = Rng::new(2);
    let pixels: Vec<u8> = (0..IMAGES * WIDTHS[0]).map(|_| rng.below(256) as u8).collect();
    let labels: Vec<u8> = (0..IMAGES).map(|_| rng.below(10) as u8).collect();
    let mut runs: Vec<(f64, f64)> = (0..3).map(|_| (training(&pixels, &labels), products())).collect();
    runs.sort_by(|a, b| (a.0 / a.1).total_cmp(&(b.0 / b.1)));
    let (training, products) = runs[1];
    let bound = 1.3 * products + 0.15;
    println!("five epochs, matrixmultiply backend   {training:.3} s");
    println!("its products as bare sgemm calls      {products:.3} s");
    println!(
        "bound 1.3 x products + 0.15 s         {bound:.3} s, {}",
        if training <= bound { "met" } else { "MISSED" }
    );
}
