//! Which kernels run a file, and the memory that they work in, for every host to know: a desktop says what a
//! microcontroller will need.

use crate::error::Error;
use crate::format::{Dtype, Header, Packing, Task};

/// The kernels of an [`Engine`](super::Engine), as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Float weights of any type.
    Float,
    /// Integer weights of any type, in any packing.
    Integer,
    /// Integer weights of one type, in the packing of the cores that the kernels are for: pictures, ReLU, no reconstructions.
    Core(Dtype, Packing),
    /// The same weights with every input map, activation and task.
    AnyCore(Dtype, Packing),
}

impl Profile {
    /// Whether these kernels run a file.
    ///
    /// # Errors
    /// Why not: [`Error::Dtype`], [`Error::PackedFor`] or [`Error::NotPlain`].
    pub const fn check(self, header: &Header<'_>) -> Result<(), Error> {
        let (dtype, packing) = (header.dtype(), header.packing());
        let known = match self {
            Self::Float => !dtype.is_integer(),
            Self::Integer => dtype.is_integer(),
            Self::Core(of, _) | Self::AnyCore(of, _) => dtype as u8 == of as u8,
        };
        match self {
            _ if !known => Err(Error::Dtype { found: dtype.name() }),
            Self::Core(_, of) | Self::AnyCore(_, of) if packing as u8 != of as u8 => {
                Err(Error::PackedFor { found: packing.name(), expected: of.name() })
            }
            Self::Core(..) if !header.is_plain() => Err(Error::NotPlain),
            _ => Ok(()),
        }
    }

    /// Words of caller-provided memory, four bytes each.
    #[inline]
    pub const fn scratch_words(self, header: &Header<'_>) -> usize {
        match self {
            Self::Float => sum(float_areas(header)),
            Self::Integer => sum(integer_areas(header)) + low_words(header),
            Self::Core(_, Packing::CortexM55) | Self::AnyCore(_, Packing::CortexM55) => {
                let [even, odd, list, pixels] = block_areas(header);
                even + odd + list + pixels
            }
            Self::Core(..) | Self::AnyCore(..) => quad_words(header),
        }
    }

    /// Bytes of RAM of an inference: the sample, [`scratch_words`](Self::scratch_words) and the logits, without the stack
    /// of at most a few hundred bytes. The kernels of a core keep what they need of a sample in their scratch, so that
    /// it is not counted: an image lies there from the start, other raw values where they came from. Nor are the logits of a
    /// reconstruction by [`Profile::AnyCore`], whose score is summed output by output.
    pub const fn ram_bytes(self, header: &Header<'_>) -> usize {
        let core = matches!(self, Self::Core(..) | Self::AnyCore(..));
        let sample = if core { 0 } else { header.inputs() * header.input_type().bytes() };
        let scored = matches!(self, Self::AnyCore(..)) && matches!(header.task(), Task::Reconstruction);
        sample + 4 * self.scratch_words(header) + if scored { 0 } else { 4 * header.outputs() }
    }
}

const fn sum((even, odd): (usize, usize)) -> usize {
    even + odd
}

const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

/// Floats of the inputs of even and of odd layers; the pixels are never kept.
pub(super) const fn float_areas(header: &Header<'_>) -> (usize, usize) {
    let mut floats = [0; 2];
    let mut l = 1;
    while l < header.layers() {
        floats[l % 2] = max(floats[l % 2], header.width(l));
        l += 1;
    }
    (floats[0], floats[1])
}

/// Words of a number of integer inputs: two at a time, as i4 weights want them.
pub(super) const fn input_words(inputs: usize) -> usize {
    2 * inputs.div_ceil(8)
}

/// Words of the inputs of even and of odd layers.
pub(super) const fn integer_areas(header: &Header<'_>) -> (usize, usize) {
    let mut words = [0; 2];
    let mut l = 0;
    while l < header.layers() {
        words[l % 2] = max(words[l % 2], input_words(header.width(l)));
        l += 1;
    }
    (words[0], words[1])
}

/// Words of the low digits of inputs of 14 bits.
pub(super) const fn low_words(header: &Header<'_>) -> usize {
    if header.input_bits() == 14 { input_words(header.inputs()) } else { 0 }
}

/// Over quads: in each layer dense pairs and outputs fit, and a list of up to seven eighths of the quads; of raw values, few of
/// which have the code 0, the dense pairs, where a list of half of the quads fits too; of inputs of 14 bits the pairs of both
/// digits.
const fn quad_words(header: &Header<'_>) -> usize {
    let mut words = 0;
    let mut l = 0;
    while l < header.layers() {
        let (quads, groups) = (header.width(l).div_ceil(4), header.width(l + 1).div_ceil(4));
        let lists = match (header.input_map().is_affine() && l == 0, header.input_bits()) {
            (true, 14) => 4 * quads,
            (true, _) => 2 * quads,
            (false, _) => 2 * quads + quads * 5 / 8 + 3,
        };
        words = max(words, lists + groups);
        l += 1;
    }
    words
}

/// Words of a block of inputs.
const BLOCK_WORDS: usize = 4;

/// Over blocks: the words of the inputs of even and odd layers, of the list, and of what the inputs are made of: the pixels, or the
/// low digits of inputs of 14 bits.
pub(super) const fn block_areas(header: &Header<'_>) -> [usize; 4] {
    let made_of = match (header.input_map().is_affine(), header.input_bits()) {
        (false, _) => header.inputs().div_ceil(4),
        (true, 14) => BLOCK_WORDS * header.inputs().div_ceil(16),
        (true, _) => 0,
    };
    let mut words = [0, 0, 0, made_of];
    let mut l = 0;
    while l < header.layers() {
        let blocks = header.width(l).div_ceil(16);
        words[l % 2] = max(words[l % 2], BLOCK_WORDS * blocks);
        words[2] = max(words[2], blocks);
        l += 1;
    }
    words
}
