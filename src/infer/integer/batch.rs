//! A model packed for the vectors of a desktop, in caller-provided memory.
//!
//! Flash files are packed for microcontrollers, or not at all. A desktop has memory to spare: [`BatchEngine`] takes the
//! weights of any file and lays them out once as its backend's kernels read them. Results are those of
//! [`Engine`] to the bit.

use heapless::Vec;

use super::Engine;
use crate::error::Error;
use crate::format::{Header, MAX_LAYERS};
use crate::kernel::gemm_i8::{
    CACHE_LINE_BYTES, PackedLayer, Target, integer_layer, packed_index, padded_outputs,
};
use crate::simd::{Backend, MAX_LANES};

/// Images that go through the layers together: enough to share the weights, few enough for the L2 cache.
const CHUNK_IMAGES: usize = 64;

/// A model as one backend reads it.
#[derive(Debug, Clone)]
pub struct BatchEngine<'m> {
    inputs: usize,
    outputs: usize,
    strides: (usize, usize),
    list_bytes: usize,
    backend: Backend,
    table: Option<&'m [u8; 256]>,
    layers: Vec<PackedLayer<'m>, MAX_LAYERS>,
}

impl<'m> BatchEngine<'m> {
    /// Bytes of caller-provided memory that [`new`](Self::new) needs, on any backend.
    pub const fn bytes(header: &Header<'_>) -> usize {
        let mut sum = CACHE_LINE_BYTES;
        let mut l = 0;
        while l < header.layers() {
            let rows = padded_outputs(header.width(l + 1), MAX_LANES);
            sum += rows * header.width(l).next_multiple_of(4)
                + 2 * (4 * rows).next_multiple_of(CACHE_LINE_BYTES);
            l += 1;
        }
        sum + 256
    }

    /// Packs the file of an engine into `memory`, of at least [`bytes`](Self::bytes).
    ///
    /// # Errors
    /// [`Error::Length`] where the memory is too small.
    pub fn new(engine: &Engine<'_>, backend: Backend, memory: &'m mut [u8]) -> Result<Self, Error> {
        let header = engine.view().header();
        let short =
            Error::Length { what: "bytes to pack", expected: Self::bytes(header), actual: memory.len() };
        let lanes = backend.dot_lanes();
        let skip = memory.as_ptr().align_offset(CACHE_LINE_BYTES);
        let mut free = memory.get_mut(skip..).ok_or(short)?;
        let mut take = |n: usize| {
            let (taken, rest) =
                core::mem::take(&mut free).split_at_mut_checked(n.next_multiple_of(CACHE_LINE_BYTES))?;
            free = rest;
            taken.fill(0);
            taken.get_mut(..n)
        };
        let mut layers = Vec::new();
        for layer in engine.view().layers() {
            let (i, o) = (layer.inputs(), layer.outputs());
            let (rows, quads) = (padded_outputs(o, lanes), i.div_ceil(4));
            let weights = take(rows * quads * 4).ok_or(short)?;
            let biases = take(4 * rows).ok_or(short)?;
            let hidden = !layer.multipliers().is_empty();
            let multipliers = take(if hidden { 4 * rows } else { 0 }).ok_or(short)?;
            for row in 0..o {
                for column in 0..i {
                    weights[packed_index(lanes, rows, quads, row, column)] = layer.weight(row, column) as u8;
                }
                biases[4 * row..][..4].copy_from_slice(&layer.bias(row).to_ne_bytes());
                if hidden {
                    let r = i32::from(layer.multiplier(row));
                    multipliers[4 * row..][..4].copy_from_slice(&r.to_ne_bytes());
                }
            }
            // There are never more layers than the vector holds.
            let _ = layers.push(PackedLayer { quads, outputs: o, weights, biases, multipliers });
        }
        let table = match engine.view().table() {
            Some(table) => {
                let copy = take(256).ok_or(short)?;
                copy.copy_from_slice(table);
                copy.first_chunk()
            }
            None => None,
        };
        Ok(Self {
            inputs: header.inputs(),
            outputs: header.outputs(),
            strides: strides(header),
            list_bytes: list_bytes(header),
            backend,
            table,
            layers,
        })
    }

    /// Bytes of scratch for a batch of `b` images.
    pub const fn scratch_bytes(header: &Header<'_>, b: usize) -> usize {
        scratch_bytes(strides(header), list_bytes(header), b)
    }

    /// The logits `(b, o)` of `b` images of `inputs` bytes each. `scratch` holds at least
    /// [`scratch_bytes`](Self::scratch_bytes).
    ///
    /// # Errors
    /// [`Error::Length`] where a slice has not the length that the network needs.
    pub fn logits(&self, pixels: &[u8], scratch: &mut [u8], logits: &mut [i32]) -> Result<(), Error> {
        let (i, o) = (self.inputs, self.outputs);
        let b = pixels.len() / i;
        if pixels.len() != b * i {
            return Err(Error::Length { what: "pixels", expected: b * i, actual: pixels.len() });
        }
        if logits.len() != b * o {
            return Err(Error::Length { what: "logits", expected: b * o, actual: logits.len() });
        }
        let expected = scratch_bytes(self.strides, self.list_bytes, b);
        if scratch.len() < expected {
            return Err(Error::Length { what: "scratch bytes", expected, actual: scratch.len() });
        }
        let skip = scratch.as_ptr().align_offset(CACHE_LINE_BYTES).min(CACHE_LINE_BYTES);
        for (pixels, logits) in pixels.chunks(CHUNK_IMAGES * i).zip(logits.chunks_mut(CHUNK_IMAGES * o)) {
            self.chunk(pixels, &mut scratch[skip..], logits);
        }
        Ok(())
    }

    fn chunk(&self, pixels: &[u8], scratch: &mut [u8], logits: &mut [i32]) {
        let i = self.inputs;
        let b = pixels.len() / i;
        let (first, widest) = self.strides;
        let (list, rest) = scratch.split_at_mut(self.list_bytes);
        let (input, rest) = rest.split_at_mut(b * first);
        let (mut x, mut y) = rest.split_at_mut(b * widest);
        for (row, pixels) in input.chunks_exact_mut(first).zip(pixels.chunks_exact(i)) {
            let (row, padding) = row.split_at_mut(i);
            match self.table {
                Some(table) => row.iter_mut().zip(pixels).for_each(|(x, &p)| *x = table[usize::from(p)]),
                None => row.iter_mut().zip(pixels).for_each(|(x, &p)| *x = p >> 1),
            }
            padding.fill(0);
        }
        let lanes = self.backend.dot_lanes();
        let mut from: (&mut [u8], usize) = (input, first);
        for &layer in &self.layers {
            if layer.multipliers.is_empty() {
                integer_layer(self.backend, layer, (from.0, from.1), list, Target::Logits(&mut *logits));
            } else {
                let width = padded_outputs(layer.outputs, lanes).next_multiple_of(4);
                let (out, _) = y.split_at_mut(b * width);
                out.fill(0);
                integer_layer(self.backend, layer, (from.0, from.1), list, Target::Hidden(out, width));
                core::mem::swap(&mut x, &mut y);
                from = (&mut x[..b * width], width);
            }
        }
    }
}

/// Bytes of scratch for a batch of `b` images.
const fn scratch_bytes((first, widest): (usize, usize), list: usize, b: usize) -> usize {
    let together = if b < CHUNK_IMAGES { b } else { CHUNK_IMAGES };
    CACHE_LINE_BYTES + together * (first + 2 * widest) + list
}

/// Bytes from one image to the next: of the inputs, and of the widest hidden layer.
const fn strides(header: &Header<'_>) -> (usize, usize) {
    (header.inputs().next_multiple_of(CACHE_LINE_BYTES), padded_outputs(header.widest_hidden(), MAX_LANES))
}

/// Bytes of the list of quads.
const fn list_bytes(header: &Header<'_>) -> usize {
    let (hidden, inputs) = (header.widest_hidden(), header.inputs());
    let widest = if hidden > inputs { hidden } else { inputs };
    (2 * widest.div_ceil(4)).next_multiple_of(CACHE_LINE_BYTES)
}
