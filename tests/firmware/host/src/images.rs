//! The images that the devices classify, the flash file in every packing, and the logits that it gives here.

use std::path::Path;

use host_cli::data::Dataset;
use host_cli::error::Result;
use host_cli::{flash, model};
use selvedge::format::{Image, Packing};
use selvedge::quant;

use crate::{core, of_each_class, write};

/// Writes `images`, `labels`, `logits.expected`, and the file that `selvedge quantize` made in every packing of a core.
pub fn prepare(dir: &Path, file: &Path, data: &Dataset, per_class: usize) -> Result<()> {
    let bytes = model::flash(file)?.ok_or_else(|| crate::failed("a flash file is deployed, not a model"))?;
    let image = model::parse_flash(file, &bytes)?;
    packings(dir, "", &image)?;
    let model = quant::Model::new(image).map_err(core)?;
    let header = model.image().header();
    let (inputs, outputs) = (header.shape().inputs(), header.shape().outputs());
    let (mut scratch, mut logits) = (vec![0; quant::scratch_words(header)], vec![0; outputs]);
    let (mut images, mut labels, mut expected) = (Vec::new(), Vec::new(), Vec::new());
    for n in of_each_class(&data.test.labels, outputs, per_class) {
        let pixels = &data.test.images.pixels[n * inputs..][..inputs];
        model.logits(pixels, &mut scratch, &mut logits).map_err(core)?;
        images.extend_from_slice(pixels);
        labels.push(data.test.labels[n]);
        expected.extend(logits.iter().flat_map(|z| z.to_le_bytes()));
    }
    write(&dir.join("images"), &images)?;
    write(&dir.join("labels"), &labels)?;
    write(&dir.join("logits.expected"), &expected)
}

/// Writes `PREFIXPACKING.selv` for every packing.
pub fn packings(dir: &Path, prefix: &str, image: &Image<'_>) -> Result<()> {
    for packing in Packing::ALL {
        let bytes = flash::repack(image, image.header().dtype(), packing)?;
        write(&dir.join(format!("{prefix}{}.selv", packing.name())), &bytes)?;
    }
    Ok(())
}
