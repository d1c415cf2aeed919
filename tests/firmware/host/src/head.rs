//! Fine-tuning the last layer of a deployed network, done here with the backend that gives the same bits.
//!
//! The network is trained without the last two classes. The device then learns them from 200 images.

use std::path::Path;

use host_cli::data::Dataset;
use host_cli::error::Result;
use host_cli::flash;
use host_cli::memory::{Bytes, Floats};
use host_cli::model::{About, Model};
use host_cli::quantize::{Options, quantize};
use selvedge::format::{Dtype, ModelView};
use selvedge::{Arena, Backend, Init, Mlp, Rng, Serial, Shape, Update, Workspace, infer::mcu, kernel};

use crate::images::packings;
use crate::{core, of_each_class, write};

/// As in `src/bin/head.rs`.
const EPOCHS: usize = 20;
const RATE: f32 = 0.02;
const NEW: u8 = 8;
const WIDTHS: [usize; 3] = [784, 128, 10];
const BATCH: usize = 64;

/// Writes `head-PACKING.selv`, `head-train`, `head-test` and the parameters that the device must end with.
pub fn prepare(dir: &Path, data: &Dataset) -> Result<()> {
    let file = deployed(data)?;
    let image = ModelView::parse(&file).map_err(core)?;
    packings(dir, "head-", &image)?;
    // Half of the images that the device learns from are of the new classes.
    let labels = data.train.labels();
    let mut train = of_each_class(labels, 10, 50);
    let mut old = 100;
    train.retain(|&n| {
        old -= i32::from(labels[n] < NEW);
        labels[n] >= NEW || old >= 0
    });
    let test = of_each_class(data.test.labels(), 10, 100);
    let write_images = |name: &str, set: &host_cli::data::Samples, index: &[usize]| {
        let one = |&n: &usize| {
            [&set.images().unwrap().pixels[n * WIDTHS[0]..][..WIDTHS[0]], &set.labels()[n..=n]].concat()
        };
        write(&dir.join(name), &index.iter().flat_map(one).collect::<Vec<u8>>())
    };
    write_images("head-train", &data.train, &train)?;
    write_images("head-test", &data.test, &test)?;
    let own = flash::repack(&image, Dtype::I8, mcu::PACKING)?;
    let head = learned(&ModelView::parse(&own).map_err(core)?, data, &train).map_err(core)?;
    write(&dir.join("head.expected"), &head.iter().flat_map(|p| p.to_le_bytes()).collect::<Vec<_>>())
}

/// A file of a network that was trained without the new classes.
fn deployed(data: &Dataset) -> Result<Bytes> {
    let known: Vec<u32> = (0..).zip(data.train.labels()).filter(|(_, l)| **l < NEW).map(|(n, _)| n).collect();
    let shape = Shape::new(&WIDTHS).map_err(core)?;
    let params = trained(shape, data, &known).map_err(core)?;
    let params = Floats::copy_of(&params, "the parameters")?;
    let image = Some((data.train.images().unwrap().rows, data.train.images().unwrap().cols));
    let model = Model { shape, params, about: About { image, ..About::default() } };
    let options = Options { seed: 8, ..Options::new(Dtype::I8) };
    Ok(quantize(&model, &data.train, &known, options, &mut |_, _| {})?.bytes)
}

/// The parameters after two passes over the images of the known classes.
fn trained(shape: Shape, data: &Dataset, known: &[u32]) -> std::result::Result<Vec<f32>, selvedge::Error> {
    let mlp = Mlp::new(shape, Backend::detect());
    let mut params = vec![0.0; shape.params()];
    Init::He.draw(shape, &mut Rng::new(8), &mut params)?;
    let mut memory = vec![0.0; Workspace::floats(shape, BATCH)];
    let mut workspace = Workspace::new(shape, BATCH, &mut Arena::new(&mut memory))?;
    let gather = |index: &[u32], rows: &mut [f32]| {
        kernel::gather(mlp.backend, &data.train.images().unwrap().pixels, index, rows);
    };
    for index in known.chunks_exact(BATCH).cycle().take(2 * known.len() / BATCH) {
        let labels: Vec<_> = index.iter().map(|&n| data.train.labels()[n as usize]).collect();
        let fill =
            |first: usize, rows: &mut [f32]| gather(&index[first..first + rows.len() / WIDTHS[0]], rows);
        mlp.step(&Serial, &mut params, &mut workspace, &labels, &fill, Update::Sgd { learning_rate: 0.1 })?;
    }
    Ok(params)
}

/// The head that the device must come to.
fn learned(
    image: &ModelView<'_>,
    data: &Dataset,
    train: &[usize],
) -> std::result::Result<Vec<f32>, selvedge::Error> {
    let (features, classes) = (WIDTHS[1], WIDTHS[2]);
    let shape = Shape::new(&[features, classes])?;
    let mut params = vec![0.0; shape.params()];
    let layer = image.layers().last().expect("a file has a layer");
    let unit = image.scale(2);
    for row in 0..classes {
        params[features * classes + row] = layer.bias(row) as f32 * unit;
        for column in 0..features {
            params[column * classes + row] = layer.weight(row, column) as f32 * (unit / image.scale(1));
        }
    }
    let engine = mcu::I8Engine::new(image.clone())?;
    let mut scratch = vec![0; mcu::I8Engine::scratch_words(image.header())];
    let mut memory = vec![0.0; Workspace::floats(shape, 1) + 15];
    let mut workspace = Workspace::new(shape, 1, &mut Arena::new(&mut memory))?;
    let head = Mlp::new(shape, Backend::PORTABLE);
    for _ in 0..EPOCHS {
        for &n in train {
            engine
                .pixels(&mut scratch)
                .copy_from_slice(&data.train.images().unwrap().pixels[n * WIDTHS[0]..][..WIDTHS[0]]);
            let y = engine.features(&mut scratch)?;
            let x: Vec<_> = y.iter().map(|&y| f32::from(y) * image.scale(1)).collect();
            let fill = |_: usize, rows: &mut [f32]| rows.copy_from_slice(&x);
            let update = Update::Sgd { learning_rate: RATE };
            head.step(&Serial, &mut params, &mut workspace, &data.train.labels()[n..=n], &fill, update)?;
        }
    }
    Ok(params)
}
