//! The tensors of a graph: their shapes, and the real numbers that their bytes stand for.
//!
//! Nothing is decoded before an operator needs it, and each constant only by the few operators that a chain of layers has.

use std::rc::Rc;

use half::f16;

use super::super::Clause;
use super::super::onnx::{Array, Data, elements};
use crate::files::tflite::{Table, Tables, dtype, field};

/// A tensor of the graph.
#[derive(Debug)]
pub(super) struct Tensor<'a> {
    pub name: String,
    /// Its type, a code of [`dtype`].
    pub kind: u8,
    shape: &'a [[u8; 4]],
    /// The bytes of a constant; empty for a value that is computed.
    data: &'a [u8],
    /// Its scales and zero points, and the dimension along which several of them lie.
    scales: &'a [[u8; 4]],
    zero_points: &'a [[u8; 8]],
    dimension: i32,
}

impl<'a> Tensor<'a> {
    /// The tensor of a table.
    pub fn read(table: Table<'a>, buffers: &Tables<'a>) -> Clause<Self> {
        let name = table.text(field::TENSOR_NAME)?.chars().filter(|c| !c.is_control()).collect::<String>();
        if table.has(field::TENSOR_SPARSITY)? {
            return Err(format!("{name} is stored as a sparse tensor; convert the model without"));
        }
        let buffer = table.number(field::TENSOR_BUFFER)?.map_or(0, u32::from_le_bytes);
        let buffer = buffers
            .get(buffer as usize)?
            .ok_or_else(|| format!("{name} is in buffer {buffer} of {}", buffers.len()))?;
        if buffer.number(field::BUFFER_OFFSET)?.is_some_and(|at| u64::from_le_bytes(at) > 1) {
            return Err(format!(
                "{name} lies behind the tables, as in models of more than 2 GB, which are not read"
            ));
        }
        let quantization = table.table(field::TENSOR_QUANTIZATION)?;
        let (mut scales, mut zero_points, mut dimension) = (&[][..], &[][..], 0);
        if let Some(table) = quantization {
            scales = table.vector(field::QUANTIZATION_SCALE)?;
            zero_points = table.vector(field::QUANTIZATION_ZERO_POINT)?;
            dimension = table.number(field::QUANTIZATION_DIMENSION)?.map_or(0, i32::from_le_bytes);
        }
        Ok(Self {
            name,
            kind: table.number(field::TENSOR_TYPE)?.map_or(0, u8::from_le_bytes),
            shape: table.vector(field::TENSOR_SHAPE)?,
            data: buffer.vector::<1>(field::BUFFER_DATA)?.as_flattened(),
            scales,
            zero_points,
            dimension,
        })
    }

    /// Whether its bytes are in the file.
    pub fn is_constant(&self) -> bool {
        !self.data.is_empty()
    }

    /// Whether its integers stand for real numbers.
    pub fn is_quantized(&self) -> bool {
        !self.scales.is_empty()
    }

    /// The size of the batch and the dimensions after it.
    pub fn rows(&self) -> Clause<(i64, Vec<usize>)> {
        let wrong = || {
            let dims: Vec<i32> = self.shape.iter().take(8).map(|d| i32::from_le_bytes(*d)).collect();
            format!("{} has shape {dims:?}, expected a batch of rows or of images", self.name)
        };
        let dims = self.dims().ok_or_else(wrong)?;
        let (batch, rest) = dims.split_first().filter(|(_, rest)| !rest.is_empty()).ok_or_else(wrong)?;
        if dims.contains(&0) {
            return Err(wrong());
        }
        Ok((i64::try_from(*batch).map_err(|_| wrong())?, rest.to_vec()))
    }

    /// Its dimensions, if there are few and none is negative.
    fn dims(&self) -> Option<Vec<usize>> {
        let few = Some(self.shape).filter(|shape| shape.len() <= 8)?;
        few.iter().map(|d| usize::try_from(i32::from_le_bytes(*d)).ok()).collect()
    }

    /// The least and the greatest number that its integers stand for; `None` if it holds floats.
    pub fn range(&self) -> Clause<Option<[f64; 2]>> {
        let [least, greatest] = match self.kind {
            dtype::INT8 => [-128.0, 127.0],
            dtype::UINT8 => [0.0, 255.0],
            dtype::INT16 => [-32768.0, 32767.0],
            _ => return Ok(None),
        };
        if !self.is_quantized() {
            return Ok(None);
        }
        let (scale, zero) = (self.scale()?, self.zero_point(0)?);
        Ok(Some([least, greatest].map(|q| scale * (q - zero))))
    }

    /// The one scale of all its elements.
    pub fn scale(&self) -> Clause<f64> {
        match self.scales {
            [_] => self.scale_at(0),
            several => Err(format!("{} has {} scales, expected 1", self.name, several.len())),
        }
    }

    fn scale_at(&self, at: usize) -> Clause<f64> {
        let scale = f32::from_le_bytes(self.scales[at]);
        if scale.is_finite() && scale >= 0.0 {
            return Ok(scale.into());
        }
        Err(format!("{} has a scale of {scale} at position {at}", self.name))
    }

    fn zero_point(&self, at: usize) -> Clause<f64> {
        let Some(zero) = self.zero_points.get(if self.zero_points.len() == 1 { 0 } else { at }) else {
            return Ok(0.0);
        };
        let zero = i64::from_le_bytes(*zero);
        if i32::try_from(zero).is_ok() {
            return Ok(zero as f64);
        }
        Err(format!("{} has a zero point of {zero} at position {at}", self.name))
    }

    /// Its scale in each of `rows` rows of its elements: one for all, or one for each index of its first dimension.
    pub fn row_scales(&self, rows: usize) -> Clause<Vec<f64>> {
        let count = self.scales.len();
        if count != 1 && (count != rows || self.dimension != 0) {
            return Err(format!(
                "{} has {count} scales along dimension {}, expected 1 or one for each of its {rows} outputs",
                self.name, self.dimension
            ));
        }
        if !matches!(self.zero_points.len(), 0 | 1) && self.zero_points.len() != count {
            return Err(format!(
                "{} has {} zero points for {count} scales",
                self.name,
                self.zero_points.len()
            ));
        }
        (0..rows).map(|row| self.scale_at(if count == 1 { 0 } else { row })).collect()
    }

    /// The real numbers of a constant.
    pub fn array(&self) -> Clause<Array> {
        let (dims, bytes) = self.checked()?;
        let chunks = |width: usize| bytes.chunks_exact(width);
        let values: Vec<f64> = match self.kind {
            dtype::FLOAT32 => chunks(4).map(|b| f64::from(f32::from_le_bytes(fixed(b)))).collect(),
            dtype::FLOAT16 => chunks(2).map(|b| f64::from(f16::from_le_bytes(fixed(b)))).collect(),
            dtype::INT8 if self.is_quantized() => self.dequantized(&dims, bytes)?,
            dtype::UINT8 if self.is_quantized() => return Err(self.unsigned()),
            other => {
                return Err(format!(
                    "{} is {}, expected FLOAT32 or INT8 with scales",
                    self.name,
                    dtype::name(other)
                ));
            }
        };
        Ok(Array { name: self.name.clone(), dims, data: Data::Float(Rc::new(values)) })
    }

    /// The number of a constant of one integer of 32 bits.
    pub fn integer(&self) -> Option<i32> {
        let one = self.data.try_into().ok().filter(|_| self.kind == dtype::INT32)?;
        Some(i32::from_le_bytes(one))
    }

    /// Why 8-bit integers without a sign are refused.
    pub fn unsigned(&self) -> String {
        format!(
            "{} is UINT8: the file is quantized in the old way, without signs; convert the model again with int8, or take the \
             one of floats",
            self.name
        )
    }

    /// `scale * (q - zero_point)`, with one scale for all elements or one for each index of the first dimension.
    fn dequantized(&self, dims: &[usize], bytes: &[u8]) -> Clause<Vec<f64>> {
        let rows = if self.scales.len() == 1 { 1 } else { dims.first().copied().unwrap_or(1) };
        let scales = self.row_scales(rows)?;
        let mut values = Vec::with_capacity(bytes.len());
        for (row, (part, scale)) in
            bytes.chunks_exact((bytes.len() / rows.max(1)).max(1)).zip(&scales).enumerate()
        {
            let zero = self.zero_point(row)?;
            values.extend(part.iter().map(|&q| scale * (f64::from(q as i8) - zero)));
        }
        Ok(values)
    }

    /// The real numbers of the biases of a layer of integers: `q` times the scales of its input and its weights, whatever
    /// scale the file says, since that is what such a layer adds.
    pub fn biases(&self, scales: &[f64]) -> Clause<Array> {
        let (dims, bytes) = self.checked()?;
        let values: Vec<f64> = match self.kind {
            dtype::INT32 => bytes.as_chunks().0.iter().map(|b| f64::from(i32::from_le_bytes(*b))).collect(),
            _ => bytes.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as f64).collect(),
        };
        if values.len() != scales.len() {
            return Err(format!("{} has shape {dims:?}, expected [{}]", self.name, scales.len()));
        }
        let values = values.iter().zip(scales).map(|(q, scale)| q * scale).collect();
        Ok(Array { name: self.name.clone(), dims, data: Data::Float(Rc::new(values)) })
    }

    /// Its dimensions and bytes, of which there are as many as the dimensions say.
    fn checked(&self) -> Clause<(Vec<usize>, &'a [u8])> {
        let width = match self.kind {
            dtype::FLOAT32 | dtype::INT32 => 4,
            dtype::FLOAT16 | dtype::INT16 => 2,
            dtype::INT64 => 8,
            _ => 1,
        };
        let dims = self.dims();
        let bytes = dims.as_deref().and_then(elements).and_then(|count| count.checked_mul(width));
        match dims {
            Some(dims) if bytes == Some(self.data.len()) => Ok((dims, self.data)),
            _ => {
                let dims: Vec<i32> = self.shape.iter().take(8).map(|d| i32::from_le_bytes(*d)).collect();
                Err(format!(
                    "{} has shape {dims:?}, which does not fit its {} bytes",
                    self.name,
                    self.data.len()
                ))
            }
        }
    }
}

fn fixed<const N: usize>(chunk: &[u8]) -> [u8; N] {
    chunk.try_into().expect("a chunk of the element's width")
}
