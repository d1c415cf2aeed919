//! The rows of a batch, gathered from a data set of bytes or floats and scaled.

use crate::arena;
use crate::naive::unit;
use crate::simd::{Backend, Kernel, Simd, prefetch};

/// `out(b,i) = pixels(index[b], i) / 255`, correctly rounded: the rows of a batch, gathered from a data set.
///
/// # Panics
/// If the lengths disagree or an index lies outside `pixels`.
pub fn gather(backend: Backend, pixels: &[u8], index: &[u32], out: &mut [f32]) {
    if index.is_empty() {
        return;
    }
    assert_eq!(out.len() % index.len(), 0, "gather: out is not a whole number of rows");
    backend.run(Gather { pixels, index, out });
}

/// `out(b,i) = (pixels(index[b], i) - mean[i]) * scale[i]`: as [`gather`], standardised.
///
/// # Panics
/// If the lengths disagree or an index lies outside `pixels`.
pub fn gather_standardised(
    backend: Backend,
    pixels: &[u8],
    index: &[u32],
    mean: &[f32],
    scale: &[f32],
    out: &mut [f32],
) {
    assert!(mean.len() == scale.len() && out.len() == index.len() * mean.len(), "gather: lengths disagree");
    backend.run(Standardised { pixels, index, mean, scale, out });
}

/// `out(b,i) = (values(index[b], i) - mean[i]) * scale[i]`, or `values(index[b], i)` where `mean` and `scale` are empty.
///
/// # Panics
/// If the lengths disagree or an index lies outside `values`.
pub fn gather_rows(
    backend: Backend,
    values: &[f32],
    index: &[u32],
    mean: &[f32],
    scale: &[f32],
    out: &mut [f32],
) {
    assert_eq!(mean.len(), scale.len(), "gather: lengths disagree");
    if index.is_empty() {
        return;
    }
    let i = out.len() / index.len();
    assert!(out.len() == index.len() * i && (mean.is_empty() || mean.len() == i), "gather: lengths disagree");
    backend.run(Rows { values, index, mean, scale, out });
}

struct Rows<'a> {
    values: &'a [f32],
    index: &'a [u32],
    mean: &'a [f32],
    scale: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Rows<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        in_blocks(self.values, self.index, self.out, |row, values| {
            if self.mean.is_empty() {
                row.copy_from_slice(values);
                return;
            }
            for (((x, &v), &mean), &scale) in row.iter_mut().zip(values).zip(self.mean).zip(self.scale) {
                *x = (v - mean) * scale;
            }
        });
    }
}

struct Standardised<'a> {
    pixels: &'a [u8],
    index: &'a [u32],
    mean: &'a [f32],
    scale: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Standardised<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        in_blocks(self.pixels, self.index, self.out, |row, pixels| {
            for (((x, &p), &mean), &scale) in row.iter_mut().zip(pixels).zip(self.mean).zip(self.scale) {
                *x = (f32::from(p) - mean) * scale;
            }
        });
    }
}

struct Gather<'a> {
    pixels: &'a [u8],
    index: &'a [u32],
    out: &'a mut [f32],
}

impl Kernel for Gather<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        in_blocks(self.pixels, self.index, self.out, |row, pixels| {
            for (x, &p) in row.iter_mut().zip(pixels) {
                *x = unit(p);
            }
        });
    }
}

/// Bytes of samples that are prefetched at once: what L2 holds beside all else.
const PREFETCH_BYTES: usize = 64 * 1024;
/// Bytes of a cache line.
const CACHE_LINE_BYTES: usize = arena::CACHE_LINE_FLOATS * size_of::<f32>();

/// Converts the sample of each index, of bytes or floats, to its row of `out`.
///
/// The samples of a shuffled data set are in no cache. All of a block are prefetched before the first is converted: the memory
/// then answers many requests at a time, which takes half as long as prefetching a few rows ahead.
#[inline(always)]
fn in_blocks<T>(samples: &[T], index: &[u32], out: &mut [f32], mut convert: impl FnMut(&mut [f32], &[T])) {
    let i = out.len() / index.len().max(1);
    if i == 0 {
        return;
    }
    let samples = samples.chunks_exact(i);
    let sample = |n: u32| samples.clone().nth(n as usize).expect("gather: an index lies outside the samples");
    let block = (PREFETCH_BYTES / (i * size_of::<T>())).max(1);
    for (rows, index) in out.chunks_mut(block * i).zip(index.chunks(block)) {
        for &n in index.iter().filter(|_| index.len() > 1) {
            sample(n)
                .chunks(CACHE_LINE_BYTES / size_of::<T>())
                .for_each(|line| prefetch(line.as_ptr().cast()));
        }
        for (row, &n) in rows.chunks_exact_mut(i).zip(index) {
            convert(row, sample(n));
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::{PREFETCH_BYTES, gather, gather_rows, gather_standardised, unit};
    use crate::simd::Backend;

    #[test]
    fn every_byte_is_the_rounded_quotient() {
        for p in 0..=255 {
            assert_eq!(unit(p).to_bits(), (f32::from(p) / 255.0).to_bits(), "{p}");
        }
    }

    #[test]
    fn standardised_rows() {
        let pixels: [u8; 60] = core::array::from_fn(|p| p as u8);
        let mean: [f32; 20] = core::array::from_fn(|p| p as f32);
        let scale: [f32; 20] = core::array::from_fn(|p| 0.5 + p as f32);
        for backend in Backend::available() {
            let mut out = [f32::NAN; 20];
            gather_standardised(backend, &pixels, &[1], &mean, &scale, &mut out);
            assert!(out.iter().zip(scale).all(|(&x, s)| x == 20.0 * s), "{}", backend.name());
        }
    }

    #[test]
    fn rows_of_floats_are_copied_or_standardised() {
        let values: [f32; 60] = core::array::from_fn(|p| p as f32);
        for backend in Backend::available() {
            let mut out = [f32::NAN; 40];
            gather_rows(backend, &values, &[2, 0], &[], &[], &mut out);
            assert!(out.iter().zip((40..60).chain(0..20)).all(|(&x, v)| x == v as f32), "{}", backend.name());
            gather_rows(backend, &values, &[2, 0], &[1.0; 20], &[0.5; 20], &mut out);
            assert!(out.iter().zip((40..60).chain(0..20)).all(|(&x, v)| x == (v as f32 - 1.0) * 0.5));
        }
    }

    #[test]
    fn rows_come_in_the_order_of_the_index() {
        // One block, several, and images that are longer than one.
        for (images, i) in [(3, 20), (2 * PREFETCH_BYTES / 1024 + 1, 1024), (2, PREFETCH_BYTES + 1)] {
            let pixels: std::vec::Vec<u8> = (0..images * i).map(|p| (p * p / 7) as u8).collect();
            let index: std::vec::Vec<u32> = (0..images as u32).rev().collect();
            for backend in Backend::available() {
                let mut out = std::vec![f32::NAN; images * i];
                gather(backend, &pixels, &index, &mut out);
                let expected = pixels.chunks_exact(i).rev().flatten().map(|&p| unit(p));
                assert!(out.iter().copied().eq(expected), "{}", backend.name());
            }
        }
    }
}
