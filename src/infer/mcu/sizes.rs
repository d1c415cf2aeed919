//! The memory that each way of inference works in, on every host: a desktop can say what a microcontroller will need.

use crate::format::{Header, Packing};

/// Words of caller-provided memory on the cores of a packing.
#[inline]
pub(super) const fn scratch_words(header: &Header, packing: Packing) -> usize {
    match packing {
        Packing::CortexM55 => {
            let [even, odd, list, pixels] = areas(header);
            even + odd + list + pixels
        }
        Packing::Generic | Packing::CortexM0 | Packing::CortexM4 => quads(header),
    }
}

/// Over quads: in each layer dense pairs and outputs fit, and a list of up to seven eighths of the quads.
#[inline]
const fn quads(header: &Header) -> usize {
    let shape = header.shape();
    let mut most = 0;
    let mut l = 0;
    while l < shape.layers() {
        let (quads, groups) = (shape.width_or_zero(l).div_ceil(4), shape.width_or_zero(l + 1).div_ceil(4));
        let words = 2 * quads + quads * 5 / 8 + 3 + groups;
        if words > most {
            most = words;
        }
        l += 1;
    }
    most
}

/// Over blocks: the words of the inputs of even and odd layers, of the list, and of the pixels.
pub(super) const fn areas(header: &Header) -> [usize; 4] {
    /// Words of a block of inputs.
    const BLOCK: usize = 4;
    let shape = header.shape();
    let mut words = [0, 0, 0, shape.inputs().div_ceil(4)];
    let mut l = 0;
    while l < shape.layers() {
        let blocks = shape.width_or_zero(l).div_ceil(16);
        if BLOCK * blocks > words[l % 2] {
            words[l % 2] = BLOCK * blocks;
        }
        if blocks > words[2] {
            words[2] = blocks;
        }
        l += 1;
    }
    words
}
