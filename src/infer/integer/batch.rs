//! A model packed for the vectors of a desktop, in caller-provided memory.
//!
//! Flash files are packed for microcontrollers, or not at all. A desktop has memory to spare: [`BatchEngine`] takes the
//! weights of any file and lays them out once as its backend's kernels read them. Results are those of
//! [`Engine`] to the bit.

use heapless::Vec;

use super::Engine;
use crate::error::Error;
use crate::format::{Header, LayerView, MAX_LAYERS, ModelView, RawValue, words_mut};
use crate::kernel::gemm_i8::{
    CACHE_LINE_BYTES, PackedLayer, Target, integer_layer, packed_index, padded_outputs,
};
use crate::naive::integer::{combined, looked_up, requantize};
use crate::simd::{Backend, MAX_LANES};

/// Images that go through the layers together: enough to share the weights, few enough for the L2 cache.
const CHUNK_IMAGES: usize = 64;

/// A model as one backend reads it.
#[derive(Debug, Clone)]
pub struct BatchEngine<'m> {
    inputs: usize,
    outputs: usize,
    strides: Strides,
    list_bytes: usize,
    backend: Backend,
    view: ModelView<'m>,
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
        sum
    }

    /// Packs the file of an engine into `memory`, of at least [`bytes`](Self::bytes).
    ///
    /// # Errors
    /// [`Error::Length`] where the memory is too small.
    pub fn new(engine: &Engine<'m>, backend: Backend, memory: &'m mut [u8]) -> Result<Self, Error> {
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
            let hidden = layer.is_requantized();
            let multipliers = take(if hidden { 4 * rows } else { 0 }).ok_or(short)?;
            for row in 0..o {
                for column in 0..i {
                    weights[packed_index(lanes, rows, quads, row, column)] = layer.weight(row, column) as u8;
                }
                biases[4 * row..][..4].copy_from_slice(&layer.bias(row).to_ne_bytes());
                if hidden {
                    multipliers[4 * row..][..4].copy_from_slice(&layer.multiplier(row).to_ne_bytes());
                }
            }
            // There are never more layers than the vector holds.
            let _ = layers.push(PackedLayer { quads, outputs: o, weights, biases, multipliers });
        }
        Ok(Self {
            inputs: header.inputs(),
            outputs: header.outputs(),
            strides: strides(header),
            list_bytes: list_bytes(header),
            backend,
            view: engine.view().clone(),
            layers,
        })
    }

    /// Bytes of scratch for a batch of `b` samples.
    pub const fn scratch_bytes(header: &Header<'_>, b: usize) -> usize {
        scratch_bytes(strides(header), list_bytes(header), b)
    }

    /// The outputs `(b, o)` of `b` samples of `inputs` raw values each, one after the other. `scratch` holds at least
    /// [`scratch_bytes`](Self::scratch_bytes).
    ///
    /// # Errors
    /// [`Error::Length`] where a slice has not the length that the network needs, [`Error::InputType`] for raw values of
    /// another type, [`Error::NotANumber`] for a value that is none, with its position among all of them.
    pub fn logits<T: RawValue>(
        &self,
        samples: &[T],
        scratch: &mut [u8],
        logits: &mut [i32],
    ) -> Result<(), Error> {
        let (i, o) = (self.inputs, self.outputs);
        let b = samples.len() / i;
        if samples.len() != b * i {
            return Err(Error::Length { what: "values of samples", expected: b * i, actual: samples.len() });
        }
        if logits.len() != b * o {
            return Err(Error::Length { what: "logits", expected: b * o, actual: logits.len() });
        }
        let of = self.view.header().input_type();
        if of != T::TYPE {
            return Err(Error::InputType { expected: of.name(), found: T::TYPE.name() });
        }
        if let Some(feature) = samples.iter().position(|x| x.is_nan()) {
            return Err(Error::NotANumber { feature });
        }
        let expected = scratch_bytes(self.strides, self.list_bytes, b);
        if scratch.len() < expected {
            return Err(Error::Length { what: "scratch bytes", expected, actual: scratch.len() });
        }
        let skip = scratch.as_ptr().align_offset(CACHE_LINE_BYTES).min(CACHE_LINE_BYTES);
        for (samples, logits) in samples.chunks(CHUNK_IMAGES * i).zip(logits.chunks_mut(CHUNK_IMAGES * o)) {
            self.chunk(samples, &mut scratch[skip..], logits);
        }
        Ok(())
    }

    fn chunk<T: RawValue>(&self, samples: &[T], scratch: &mut [u8], logits: &mut [i32]) {
        let b = samples.len() / self.inputs;
        let Strides { first, widest, sums, .. } = self.strides;
        let (list, rest) = scratch.split_at_mut(self.list_bytes);
        let (sums, rest) = rest.split_at_mut((4 * b * sums).next_multiple_of(CACHE_LINE_BYTES));
        let sums = words_mut(sums).unwrap_or_default();
        let (input, rest) = rest.split_at_mut(b * first);
        let (mut x, mut y) = rest.split_at_mut(b * widest);
        self.read(samples, 7 * u32::from(self.fine()), input);
        let lanes = self.backend.dot_lanes();
        let mut from: (&mut [u8], usize) = (input, first);
        for (l, (&layer, view)) in self.layers.iter().zip(self.view.layers()).enumerate() {
            let hidden = !layer.multipliers.is_empty();
            let width = padded_outputs(layer.outputs, lanes).next_multiple_of(4);
            let (out, _) = y.split_at_mut(if hidden { b * width } else { 0 });
            out.fill(0);
            let two_digits = l == 0 && self.fine();
            if two_digits || view.table().is_some() || !view.wide_multipliers().is_empty() {
                let (sums, low) = sums.split_at_mut(b * layer.outputs);
                integer_layer(self.backend, layer, (from.0, from.1), list, Target::Logits(&mut *sums));
                if two_digits {
                    let low = &mut low[..sums.len()];
                    self.read(samples, 0, from.0);
                    integer_layer(self.backend, layer, (from.0, from.1), list, Target::Logits(&mut *low));
                    combine(&view, sums, low);
                }
                finish(&view, sums, (out, width), logits);
            } else if hidden {
                integer_layer(self.backend, layer, (from.0, from.1), list, Target::Hidden(out, width));
            } else {
                integer_layer(self.backend, layer, (from.0, from.1), list, Target::Logits(&mut *logits));
            }
            if hidden {
                core::mem::swap(&mut x, &mut y);
                from = (&mut x[..b * width], width);
            }
        }
    }

    /// Whether inputs are of two digits.
    const fn fine(&self) -> bool {
        self.view.header().input_bits() == 14
    }

    /// Turns samples into inputs of seven bits, those from bit `shift` on.
    fn read<T: RawValue>(&self, samples: &[T], shift: u32, input: &mut [u8]) {
        if !self.view.header().input_map().is_affine() {
            return self.read_pixels(T::bytes(samples), input);
        }
        let rows = input.chunks_exact_mut(self.strides.first).zip(samples.chunks_exact(self.inputs));
        for (row, values) in rows {
            let (row, padding) = row.split_at_mut(self.inputs);
            padding.fill(0);
            for (feature, (x, &value)) in row.iter_mut().zip(values).enumerate() {
                *x = (self.view.code(feature, value) >> shift & 127) as u8;
            }
        }
    }

    /// Turns pixels into inputs. It is not generic, so that it is compiled with this crate, for speed, and not with the program.
    fn read_pixels(&self, pixels: &[u8], input: &mut [u8]) {
        let rows = input.chunks_exact_mut(self.strides.first).zip(pixels.chunks_exact(self.inputs));
        for (row, pixels) in rows {
            let (row, padding) = row.split_at_mut(self.inputs);
            padding.fill(0);
            match self.view.table() {
                Some(table) => row.iter_mut().zip(pixels).for_each(|(x, &p)| *x = table[usize::from(p)]),
                None => row.iter_mut().zip(pixels).for_each(|(x, &p)| *x = p >> 1),
            }
        }
    }
}

/// Adds the sums over low digits, in which the biases count once more, to those over high digits.
fn combine(layer: &LayerView<'_>, high: &mut [i32], low: &[i32]) {
    for (at, (high, low)) in high.iter_mut().zip(low).enumerate() {
        *high = combined(*high, low - layer.bias(at % layer.outputs()));
    }
}

/// What becomes of the sums of a layer: rows of `width` activations, or logits.
fn finish(layer: &LayerView<'_>, sums: &[i32], (out, width): (&mut [u8], usize), logits: &mut [i32]) {
    if !layer.is_requantized() {
        logits.copy_from_slice(sums);
        return;
    }
    for (out, sums) in out.chunks_exact_mut(width).zip(sums.chunks_exact(layer.outputs())) {
        for (row, (y, &sum)) in out.iter_mut().zip(sums).enumerate() {
            let r = layer.multiplier(row);
            *y = layer.table().map_or_else(|| requantize(sum, r), |table| looked_up(sum, r, table));
        }
    }
}

/// Lengths of the parts of the memory.
#[derive(Debug, Clone, Copy)]
struct Strides {
    /// Bytes from one sample to the next: of the inputs.
    first: usize,
    /// Of the widest hidden layer.
    widest: usize,
    /// Sums of a sample that are kept before they become activations.
    sums: usize,
}

/// Bytes of scratch for a batch of `b` samples.
const fn scratch_bytes(strides: Strides, list: usize, b: usize) -> usize {
    let together = if b < CHUNK_IMAGES { b } else { CHUNK_IMAGES };
    let sums = (4 * together * strides.sums).next_multiple_of(CACHE_LINE_BYTES);
    CACHE_LINE_BYTES + together * (strides.first + 2 * strides.widest) + sums + list
}

const fn strides(header: &Header<'_>) -> Strides {
    let mut sums = if header.input_bits() == 14 { 2 * header.width(1) } else { 0 };
    let mut l = 0;
    while l + 1 < header.layers() {
        let width = header.width(l + 1);
        if (header.activation(l).has_table() || header.has_wide_multipliers(l)) && width > sums {
            sums = width;
        }
        l += 1;
    }
    let first = header.inputs().next_multiple_of(CACHE_LINE_BYTES);
    Strides { first, widest: padded_outputs(header.widest_hidden(), MAX_LANES), sums }
}

/// Bytes of the list of quads.
const fn list_bytes(header: &Header<'_>) -> usize {
    let (hidden, inputs) = (header.widest_hidden(), header.inputs());
    let widest = if hidden > inputs { hidden } else { inputs };
    (2 * widest.div_ceil(4)).next_multiple_of(CACHE_LINE_BYTES)
}
