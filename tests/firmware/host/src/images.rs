//! The images that the devices classify, the flash file in every packing, and the logits that it gives here.

use std::path::Path;

use host_cli::data::Dataset;
use host_cli::error::Result;
use host_cli::memory::Bytes;
use host_cli::{flash, model};
use selvedge::format::{ModelView, Packing};
use selvedge::infer::integer::Engine;

use crate::{core, of_each_class, write};

/// Writes `images` and `labels`; of the i8 file that `selvedge quantize` made, every packing of a core and
/// `logits.expected`; of the i4 file the same, with `half-` in front.
pub fn prepare(dir: &Path, i8: &Path, i4: &Path, data: &Dataset, per_class: usize) -> Result<()> {
    let chosen = of_each_class(data.test.labels(), data.classes.len(), per_class);
    let (i8_bytes, i4_bytes) = (flash_bytes(i8)?, flash_bytes(i4)?);
    let deployed = model::parse_flash(i8, &i8_bytes)?;
    let half = model::parse_flash(i4, &i4_bytes)?;
    packings(dir, "", &deployed)?;
    packings(dir, "half-", &half)?;
    let pixels = |n: usize| {
        let inputs = deployed.header().inputs();
        &data.test.images().unwrap().pixels[n * inputs..][..inputs]
    };
    let images: Vec<_> = chosen.iter().map(|&n| pixels(n)).collect();
    let labels: Vec<_> = chosen.iter().map(|&n| data.test.labels()[n]).collect();
    write(&dir.join("images"), &images.concat())?;
    write(&dir.join("labels"), &labels)?;
    write(&dir.join("half-logits.expected"), &logits(half, &images)?)?;
    write(&dir.join("logits.expected"), &logits(deployed.clone(), &images)?)
}

fn flash_bytes(file: &Path) -> Result<Bytes> {
    model::flash(file)?.ok_or_else(|| crate::failed("a flash file is deployed, not a model"))
}

/// The logits of all images, four bytes each.
fn logits(image: ModelView<'_>, images: &[&[u8]]) -> Result<Vec<u8>> {
    let engine = Engine::new(image).map_err(core)?;
    let header = engine.view().header();
    let mut scratch = vec![0; Engine::scratch_words(header)];
    let mut logits = vec![0; header.outputs()];
    let mut bytes = Vec::new();
    for pixels in images {
        engine.logits(*pixels, &mut scratch, &mut logits).map_err(core)?;
        bytes.extend(logits.iter().flat_map(|z| z.to_le_bytes()));
    }
    Ok(bytes)
}

/// Writes `PREFIXPACKING.selv` for every packing.
pub fn packings(dir: &Path, prefix: &str, image: &ModelView<'_>) -> Result<()> {
    for packing in Packing::ALL {
        let bytes = flash::repack(image, image.header().dtype(), packing)?;
        write(&dir.join(format!("{prefix}{}.selv", packing.name())), &bytes)?;
    }
    Ok(())
}
