//! Where weight `(row, column)` of a layer lies, and how it is stored.
//!
//! A row is an output, a column an input. Integer weights lie in the order in which the cores of a [`Packing`] read
//! them; any host can find any weight by asking here. Float weights lie `(i, o)`, as in training, so that a sum runs over
//! the inputs in order whatever the vector width.

use super::{Dtype, Packing};

/// The placement of one layer's weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeightLayout {
    pub(super) dtype: Dtype,
    pub(super) packing: Packing,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// Columns of the image whose 4×4 patches the inputs are reordered into, else 0.
    pub(super) patch_cols: u16,
}

impl WeightLayout {
    /// The type of the weights.
    pub const fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The order of the weights.
    pub const fn packing(&self) -> Packing {
        self.packing
    }

    /// Rows, padded to a whole group.
    pub const fn rows(&self) -> usize {
        self.outputs.next_multiple_of(self.packing.rows_together())
    }

    /// Columns, padded to a whole word or block; inputs there count as 0.
    pub const fn columns(&self) -> usize {
        self.inputs.next_multiple_of(self.packing.columns_together(self.dtype))
    }

    /// How many weights are stored, as two factors.
    const fn extent(&self) -> (usize, usize) {
        if self.dtype.is_integer() { (self.rows(), self.columns()) } else { (self.outputs, self.inputs) }
    }

    /// Bytes of the weights, which is what [`Header::read`](super::Header::read) has found to fit into a file.
    #[inline]
    pub const fn bytes(&self) -> usize {
        let (rows, columns) = self.extent();
        let numbers = rows * columns;
        match self.dtype {
            Dtype::I4 => numbers / 2,
            Dtype::I8 => numbers,
            Dtype::F16 | Dtype::Bf16 => 2 * numbers,
            Dtype::F32 => 4 * numbers,
        }
    }

    /// The same of any header, where they may be more than this machine can address.
    pub(super) const fn bytes_of_any(&self) -> u64 {
        let (rows, columns) = self.extent();
        let numbers = rows as u64 * columns as u64;
        match self.dtype {
            Dtype::I4 => numbers / 2,
            Dtype::I8 => numbers,
            Dtype::F16 | Dtype::Bf16 => 2 * numbers,
            Dtype::F32 => 4 * numbers,
        }
    }

    /// Where a column of the network stands among the columns of the file: 4×4 patches of the image where the packing
    /// asks for them, else in order.
    pub const fn column(&self, column: usize) -> usize {
        if self.patch_cols == 0 {
            return column;
        }
        let cols = self.patch_cols as usize;
        let (y, x) = (column / cols, column % cols);
        let patch = y / 4 * (cols / 4) + x / 4;
        16 * patch + 4 * (y % 4) + x % 4
    }

    /// The first byte of weight `(row, column)`.
    pub const fn byte(&self, row: usize, column: usize) -> usize {
        match (self.dtype, self.packing) {
            (Dtype::F32, _) => 4 * (column * self.outputs + row),
            (Dtype::F16 | Dtype::Bf16, _) => 2 * (column * self.outputs + row),
            // Eight columns a word: the low halves of its bytes are columns 0 to 3, the high halves 4 to 7.
            (Dtype::I4, Packing::Generic) => row * (self.columns() / 2) + column / 8 * 4 + column % 4,
            (Dtype::I4, Packing::CortexM4 | Packing::CortexM0) => {
                row / 4 * (2 * self.columns()) + column / 4 * 8 + row % 4 / 2 * 4 + column % 4
            }
            (Dtype::I4, Packing::CortexM55) => {
                let column = self.column(column);
                row / 8 * (4 * self.columns()) + column / 16 * 64 + row % 8 / 2 * 16 + column % 16
            }
            (Dtype::I8, Packing::Generic) => row * self.columns() + column,
            (Dtype::I8, Packing::CortexM4 | Packing::CortexM0) => {
                row / 4 * (4 * self.columns()) + column / 4 * 16 + row % 4 * 4 + column % 4
            }
            (Dtype::I8, Packing::CortexM55) => {
                let column = self.column(column);
                row / 8 * (8 * self.columns()) + column / 16 * 128 + row % 8 * 16 + column % 16
            }
        }
    }

    /// The integer weight `(row, column)`: an i8 as it is, sixteen times an i4. 0 where `weights` are too short.
    #[inline]
    pub const fn weight(&self, weights: &[u8], row: usize, column: usize) -> i32 {
        let at = self.byte(row, column);
        let stored = byte_at(weights, at);
        match (self.dtype, self.packing) {
            (Dtype::I4, _) => (((stored >> self.shift(row, column)) << 4) ^ self.bias()) as i8 as i32,
            (_, Packing::CortexM0) => (stored ^ self.bias()) as i8 as i32,
            (_, Packing::CortexM4) if at % 2 == 1 => {
                (stored.wrapping_add(byte_at(weights, at - 1) >> 7)) as i8 as i32
            }
            _ => stored as i8 as i32,
        }
    }

    /// Stores an integer weight, of which an i4 is a multiple of sixteen.
    pub(super) const fn set_weight(&self, weights: &mut [u8], row: usize, column: usize, weight: i8) {
        let at = self.byte(row, column);
        match (self.dtype, self.packing) {
            (Dtype::I4, _) => {
                let shift = self.shift(row, column);
                let nibble = (weight as u8 ^ self.bias()) >> 4;
                weights[at] = weights[at] & !(0xf << shift) | nibble << shift;
            }
            (_, Packing::CortexM0) => weights[at] = weight as u8 ^ self.bias(),
            (_, Packing::CortexM4) if at % 2 == 1 => {
                weights[at] = (weight as u8).wrapping_sub(weights[at - 1] >> 7);
            }
            (_, Packing::CortexM4) => {
                let neighbour = weights[at + 1].wrapping_add(weights[at] >> 7);
                weights[at] = weight as u8;
                weights[at + 1] = neighbour.wrapping_sub(weights[at] >> 7);
            }
            _ => weights[at] = weight as u8,
        }
    }

    /// Where in its byte a weight of i4 starts: two rows share a byte, except in the packing of no core.
    #[inline]
    const fn shift(&self, row: usize, column: usize) -> u32 {
        match self.packing {
            Packing::Generic => column as u32 % 8 / 4 * 4,
            _ => row as u32 % 2 * 4,
        }
    }

    /// The sign's bit where weights are stored with the largest power of two added, which makes them positive.
    const fn bias(&self) -> u8 {
        match (self.dtype, self.packing) {
            (Dtype::I8 | Dtype::I4, Packing::CortexM0) | (Dtype::I4, Packing::CortexM4) => 0x80,
            _ => 0,
        }
    }

    /// The byte that fills weights of value 0.
    pub(super) const fn zero(&self) -> u8 {
        if matches!(self.dtype, Dtype::I4) { self.bias() | self.bias() >> 4 } else { self.bias() }
    }
}

const fn byte_at(bytes: &[u8], at: usize) -> u8 {
    if at < bytes.len() { bytes[at] } else { 0 }
}
