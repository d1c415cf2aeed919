//! From bytes to rows of floats.

use crate::arena;
use crate::naive::unit;
use crate::simd::{Backend, Kernel, Simd};

/// `out(b,i) = pixels(index[b], i) / 255`, correctly rounded: the rows of a batch, gathered from a data set.
///
/// # Panics
/// If the lengths disagree or an index lies outside `pixels`.
pub fn gather(backend: Backend, pixels: &[u8], index: &[u32], out: &mut [f32]) {
    if index.is_empty() {
        return;
    }
    assert_eq!(out.len() % index.len(), 0, "gather: out is no whole number of rows");
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
        let i = self.mean.len();
        if i == 0 {
            return;
        }
        for (row, &n) in self.out.chunks_exact_mut(i).zip(self.index) {
            let pixels = &self.pixels[n as usize * i..][..i];
            for (((x, &p), &mean), &scale) in row.iter_mut().zip(pixels).zip(self.mean).zip(self.scale) {
                *x = (f32::from(p) - mean) * scale;
            }
        }
    }
}

/// Rows that are fetched while an earlier one is converted: a shuffled data set is in no cache.
const AHEAD: usize = 4;
/// Bytes of a cache line.
const LINE: usize = arena::LINE * size_of::<f32>();

struct Gather<'a> {
    pixels: &'a [u8],
    index: &'a [u32],
    out: &'a mut [f32],
}

impl Kernel for Gather<'_> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let i = self.out.len() / self.index.len();
        if i == 0 {
            return;
        }
        let rows = self.out.chunks_exact_mut(i).zip(self.index);
        for (r, (row, &n)) in rows.enumerate() {
            if let Some(&next) = self.index.get(r + AHEAD) {
                let pixels = &self.pixels[next as usize * i..][..i];
                pixels.chunks(LINE).for_each(|line| s.prefetch(line.as_ptr().cast()));
            }
            let pixels = &self.pixels[n as usize * i..][..i];
            for (x, &p) in row.iter_mut().zip(pixels) {
                *x = unit(p);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{gather, gather_standardised, unit};
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
    fn rows_come_in_the_order_of_the_index() {
        let pixels: [u8; 60] = core::array::from_fn(|p| p as u8);
        for backend in Backend::available() {
            let mut out = [f32::NAN; 40];
            gather(backend, &pixels, &[2, 0], &mut out);
            assert!(out.iter().zip((40..60).chain(0..20)).all(|(&x, p)| x == unit(p)), "{}", backend.name());
        }
    }
}
