//! Forward passes of an integer network, a flash file, over images, batch by batch.

use selvedge::Backend;
use selvedge::format::ModelView;
use selvedge::infer::integer::{BatchEngine, Engine};

use super::BATCH;
use crate::error::Result;
use crate::memory::Bytes;

/// The logits `(index.len(), outputs)` of the images at `index`.
///
/// # Errors
/// `Failed` without the memory, or where the core refuses the file.
pub fn logits(image: &ModelView<'_>, pixels: &[u8], index: &[u32]) -> Result<Vec<i32>> {
    let header = image.header();
    let (i, o) = (header.inputs(), header.outputs());
    let engine = Engine::new(image.clone())?;
    let mut memory = Bytes::zeroed(BatchEngine::bytes(header), "the model")?;
    let batch_engine = BatchEngine::new(&engine, Backend::detect(), &mut memory)?;
    let mut scratch = Bytes::zeroed(BatchEngine::scratch_bytes(header, BATCH), "a forward pass")?;
    let mut logits = vec![0; index.len() * o];
    for (index, logits) in index.chunks(BATCH).zip(logits.chunks_mut(BATCH * o)) {
        let rows: Vec<u8> = index.iter().flat_map(|&n| &pixels[n as usize * i..][..i]).copied().collect();
        batch_engine.logits(&rows, &mut scratch, logits)?;
    }
    Ok(logits)
}
