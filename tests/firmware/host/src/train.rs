//! Training on the device, done here with the backend that gives the same bits.

use std::path::Path;

use host_cli::data::Dataset;
use host_cli::error::Result;
use selvedge::{Arena, Backend, Init, Mlp, Rng, Serial, Shape, Update, Workspace, kernel};

use crate::{core, of_each_class, write};

/// As in `src/bin/train.rs`.
const WIDTHS: [usize; 3] = [784, 32, 10];
const RATE: f32 = 0.05;

/// Writes `train-start` and `train-images`, and the parameters that the device must end with.
pub fn prepare(dir: &Path, data: &Dataset) -> Result<()> {
    let shape = Shape::new(&WIDTHS).map_err(core)?;
    let mut params = vec![0.0; shape.params()];
    Init::He.draw(shape, &mut Rng::new(2026), &mut params).map_err(core)?;
    write(&dir.join("train-start"), &bytes(&params))?;

    let index: Vec<_> = of_each_class(data.train.labels(), 10, 20).into_iter().map(|n| n as u32).collect();
    let labels: Vec<_> = index.iter().map(|&n| data.train.labels()[n as usize]).collect();
    let mut images = Vec::new();
    for (&n, &label) in index.iter().zip(&labels) {
        images.extend_from_slice(&data.train.images().unwrap().pixels[n as usize * WIDTHS[0]..][..WIDTHS[0]]);
        images.push(label);
    }
    write(&dir.join("train-images"), &images)?;

    let mlp = Mlp::new(shape, Backend::PORTABLE);
    let mut memory = vec![0.0; Workspace::floats(shape, 4)];
    let mut workspace = Workspace::new(shape, 4, &mut Arena::new(&mut memory)).map_err(core)?;
    for (batch, name) in [(1, "train-one"), (4, "train-four")] {
        for (index, labels) in index.chunks_exact(batch).zip(labels.chunks_exact(batch)) {
            let fill = |first: usize, rows: &mut [f32]| {
                let index = &index[first..first + rows.len() / WIDTHS[0]];
                kernel::gather(Backend::PORTABLE, &data.train.images().unwrap().pixels, index, rows);
            };
            mlp.step(
                &Serial,
                &mut params,
                &mut workspace,
                labels,
                &fill,
                Update::Sgd { learning_rate: RATE },
            )
            .map_err(core)?;
        }
        write(&dir.join(format!("{name}.expected")), &bytes(&params))?;
    }
    Ok(())
}

fn bytes(params: &[f32]) -> Vec<u8> {
    params.iter().flat_map(|p| p.to_le_bytes()).collect()
}
