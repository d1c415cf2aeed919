//! Integer layers: a batch of 7-bit inputs times 8-bit weights that were packed for the backend's vectors.
//!
//! ```text
//! for each group of two vectors of outputs        its weights stay in L1
//!   for each register tile of a few images        two accumulators each
//!     for each quad of inputs
//!       load two vectors of weights, four inputs of each image, two dot products each
//!     add biases, requantize, store
//! ```
//!
//! Packed weights are ordered `[group][quad][vector][output][4]`, so that the loop over quads reads one stream. A single image
//! has no weights to share: it takes up to four groups at once, and skips quads of inputs that are all zero, which are half
//! of an image's.
#![allow(unsafe_code)]

use crate::simd::{Backend, Dot, DotKernel, MAX_LANES};

/// Vectors of a group.
const GROUP_VECTORS: usize = 2;
/// Groups that a single image takes at once.
const SINGLE_GROUPS: usize = 4;
/// Quads of inputs that a list of 16-bit numbers can name.
const MAX_QUADS: usize = 1 << 16;
/// Bytes of a cache line.
pub const CACHE_LINE_BYTES: usize = 64;

/// Outputs of the packed weights: whole vectors of them.
pub const fn padded_outputs(outputs: usize, lanes: usize) -> usize {
    outputs.next_multiple_of(lanes)
}

/// The position of the weight of an output and an input in packed weights of `outputs` padded outputs.
pub const fn packed_index(lanes: usize, outputs: usize, quads: usize, output: usize, input: usize) -> usize {
    let group_outputs = GROUP_VECTORS * lanes;
    let group = output / group_outputs;
    // The last group may be a single vector.
    let left = outputs - group * group_outputs;
    let width = if left < group_outputs { left } else { group_outputs };
    group * group_outputs * quads * 4 + input / 4 * width * 4 + output % group_outputs * 4 + input % 4
}

/// A layer whose weights were packed.
#[derive(Debug, Clone, Copy)]
pub struct PackedLayer<'a> {
    /// Quads of inputs.
    pub quads: usize,
    /// Outputs.
    pub outputs: usize,
    /// `padded_outputs * quads * 4` bytes, in the order of [`packed_index`].
    pub weights: &'a [u8],
    /// A native i32 for each padded output.
    pub biases: &'a [u8],
    /// A native i32 for each padded output; none in the last layer.
    pub multipliers: &'a [u8],
}

/// Where a layer's results go.
#[derive(Debug)]
pub enum Target<'a> {
    /// Activations: rows of this many bytes, at least the padded outputs.
    Hidden(&'a mut [u8], usize),
    /// Logits `(b, o)`.
    Logits(&'a mut [i32]),
}

/// A layer on `b` rows of inputs, `stride` bytes apart, with zeros after the last input up to a whole quad. `list` is scratch
/// of two bytes for each quad.
///
/// # Panics
/// If a length does not fit.
pub fn integer_layer(
    backend: Backend,
    layer: PackedLayer<'_>,
    (x, stride): (&[u8], usize),
    list: &mut [u8],
    target: Target<'_>,
) {
    let b = x.len() / stride;
    let lanes = backend.dot_lanes();
    let outputs = padded_outputs(layer.outputs, lanes);
    assert!(x.len() == b * stride && stride >= 4 * layer.quads, "integer_layer: inputs are too short");
    assert!(layer.quads <= MAX_QUADS, "integer_layer: too many inputs");
    assert!(layer.weights.len() == outputs * layer.quads * 4, "integer_layer: weights have another length");
    assert!(layer.biases.len() == 4 * outputs && list.len() >= 2 * layer.quads, "integer_layer: biases");
    match &target {
        Target::Hidden(y, width) => {
            assert!(*width >= outputs && y.len() == b * width && layer.multipliers.len() == 4 * outputs);
        }
        Target::Logits(z) => assert!(z.len() == b * layer.outputs, "integer_layer: logits"),
    }
    backend.run_dot(Layer { layer, b, x, stride, list, target });
}

struct Layer<'a> {
    layer: PackedLayer<'a>,
    b: usize,
    x: &'a [u8],
    stride: usize,
    list: &'a mut [u8],
    target: Target<'a>,
}

impl DotKernel for Layer<'_> {
    type Out = ();
    #[inline(always)]
    fn run<D: Dot>(mut self, d: D) {
        if self.b == 1 { self.single(d) } else { self.batch(d) }
    }
}

impl Layer<'_> {
    /// Four inputs of an image.
    #[inline(always)]
    fn quad(&self, image: usize, quad: usize) -> u32 {
        debug_assert!(image < self.b && quad < self.layer.quads);
        // SAFETY: `integer_layer` checked that every image has `quads` whole quads.
        unsafe { self.x.as_ptr().add(image * self.stride + 4 * quad).cast::<u32>().read_unaligned() }
    }

    #[inline(always)]
    fn vectors<D: Dot>(&self) -> usize {
        padded_outputs(self.layer.outputs, D::LANES) / D::LANES
    }

    /// The weights of a group.
    #[inline(always)]
    fn weights<D: Dot>(&self, vector: usize) -> *const i8 {
        // SAFETY: vectors below `vectors()` lie inside the weights, whose length `integer_layer` checked.
        unsafe { self.layer.weights.as_ptr().add(vector * D::LANES * 4 * self.layer.quads).cast() }
    }

    /// Many images: every group with every tile.
    #[inline(always)]
    fn batch<D: Dot>(&mut self, d: D) {
        let vectors = self.vectors::<D>();
        for vector in (0..vectors).step_by(GROUP_VECTORS) {
            let mut image = 0;
            while image < self.b {
                image += match (self.b - image, vectors - vector) {
                    (8.., 2..) if D::TILE_IMAGES >= 8 => self.tile::<D, 8, 2>(d, vector, image),
                    (4.., 2..) => self.tile::<D, 4, 2>(d, vector, image),
                    (2.., 2..) => self.tile::<D, 2, 2>(d, vector, image),
                    (_, 2..) => self.tile::<D, 1, 2>(d, vector, image),
                    (8.., _) if D::TILE_IMAGES >= 8 => self.tile::<D, 8, 1>(d, vector, image),
                    (4.., _) => self.tile::<D, 4, 1>(d, vector, image),
                    (2.., _) => self.tile::<D, 2, 1>(d, vector, image),
                    _ => self.tile::<D, 1, 1>(d, vector, image),
                };
            }
        }
    }

    /// `MR` images with a group of `NV` vectors; returns `MR`.
    #[inline(always)]
    fn tile<D: Dot, const MR: usize, const NV: usize>(&mut self, d: D, vector: usize, image: usize) -> usize {
        let mut acc = [[d.zero(); NV]; MR];
        let mut w = self.weights::<D>(vector);
        let x = self.x[image * self.stride..].as_ptr();
        let stride = self.stride;
        for quad in 0..self.layer.quads {
            for (r, acc) in acc.iter_mut().enumerate() {
                // SAFETY: `image + r < b`, and `integer_layer` checked that every image has `quads` whole quads.
                let x = unsafe { x.add(r * stride + 4 * quad).cast::<u32>().read_unaligned() };
                for (v, acc) in acc.iter_mut().enumerate() {
                    // SAFETY: the group holds `NV` vectors of weights for each quad.
                    *acc = unsafe { d.dot(*acc, x, w.add(v * 4 * D::LANES)) };
                }
            }
            w = w.wrapping_add(NV * 4 * D::LANES);
        }
        for (r, acc) in acc.into_iter().enumerate() {
            for (v, acc) in acc.into_iter().enumerate() {
                self.finish(d, acc, image + r, vector + v);
            }
        }
        MR
    }

    /// One image: the quads that are not zero, with as many groups at once as there are.
    #[inline(always)]
    fn single<D: Dot>(&mut self, d: D) {
        let mut listed = 0;
        for quad in 0..self.layer.quads {
            let x = self.quad(0, quad);
            self.list[2 * listed..][..2].copy_from_slice(&(quad as u16).to_ne_bytes());
            listed += usize::from(x != 0);
        }
        let vectors = self.vectors::<D>();
        let mut vector = 0;
        while vector < vectors {
            vector += match vectors - vector {
                8.. => self.single_pass::<D, SINGLE_GROUPS, GROUP_VECTORS>(d, vector, listed),
                4.. => self.single_pass::<D, 2, GROUP_VECTORS>(d, vector, listed),
                2.. => self.single_pass::<D, 1, GROUP_VECTORS>(d, vector, listed),
                _ => self.single_pass::<D, 1, 1>(d, vector, listed),
            };
        }
    }

    /// The listed quads with `NG` groups of `NV` vectors; returns how many vectors those are.
    #[inline(always)]
    fn single_pass<D: Dot, const NG: usize, const NV: usize>(
        &mut self,
        d: D,
        vector: usize,
        listed: usize,
    ) -> usize {
        let mut acc = [[d.zero(); NV]; NG];
        let w = self.weights::<D>(vector);
        let group_bytes = NV * 4 * D::LANES * self.layer.quads;
        for entry in self.list[..2 * listed].as_chunks::<2>().0 {
            let quad = usize::from(u16::from_ne_bytes(*entry));
            let x = self.quad(0, quad);
            for (g, acc) in acc.iter_mut().enumerate() {
                for (v, acc) in acc.iter_mut().enumerate() {
                    // SAFETY: `NG` groups of `NV` vectors start at `vector`, each with weights for every quad.
                    *acc = unsafe { d.dot(*acc, x, w.add(g * group_bytes + (quad * NV + v) * 4 * D::LANES)) };
                }
            }
        }
        for (g, acc) in acc.into_iter().enumerate() {
            for (v, acc) in acc.into_iter().enumerate() {
                self.finish(d, acc, 0, vector + g * NV + v);
            }
        }
        NG * NV
    }

    /// Finishes the sums of a vector of outputs and stores them.
    #[inline(always)]
    fn finish<D: Dot>(&mut self, d: D, acc: D::Acc, image: usize, vector: usize) {
        const { assert!(D::LANES <= MAX_LANES) };
        let output = vector * D::LANES;
        // SAFETY: `integer_layer` checked that biases, multipliers and hidden rows hold every padded output; an
        // array of `MAX_LANES` holds any vector's logits.
        unsafe {
            let sum = d.finish(acc, self.layer.biases.as_ptr().add(4 * output).cast());
            match &mut self.target {
                Target::Hidden(y, width) => {
                    let to = y.as_mut_ptr().add(image * *width + output);
                    d.requantize(sum, self.layer.multipliers.as_ptr().add(4 * output).cast(), to);
                }
                Target::Logits(z) => {
                    let mut lanes = [0; MAX_LANES];
                    d.store(sum, lanes.as_mut_ptr());
                    let outputs = self.layer.outputs;
                    let to = &mut z[image * outputs + output..(image + 1) * outputs];
                    let n = to.len().min(D::LANES);
                    to[..n].copy_from_slice(&lanes[..n]);
                }
            }
        }
    }
}
