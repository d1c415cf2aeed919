//! The inner loop of every product: one register tile, from its first multiply-add to its epilogue.
#![allow(unsafe_code)]

use super::{MicroPanel, Prefetch};
use crate::kernel::epilogue::Epilogue;
use crate::simd::Simd;

/// Rows of C a multiple of this apart share the last twelve bits of their addresses: see `load_and_store` below.
const ALIAS_FLOATS: usize = 4096 / size_of::<f32>();

/// Steps whose zeros are looked for at once.
const MASK_STEPS: usize = u64::BITS as usize;

/// Which of the first `n` floats, of the first [`MASK_STEPS`] if there are more, are not zero: a bit for each.
///
/// # Safety
/// They are readable.
#[inline(always)]
unsafe fn nonzero_mask<S: Simd>(s: S, from: *const f32, n: usize) -> u64 {
    const { assert!(MASK_STEPS.is_multiple_of(S::LANES) && S::LANES <= u32::BITS as usize) };
    let (mut bits, mut at, n) = (0, 0, n.min(MASK_STEPS));
    // SAFETY: both kinds of load stay below `n`.
    unsafe {
        while at + S::LANES <= n {
            bits |= u64::from(s.nonzero_mask(s.load(from.add(at)))) << at;
            at += S::LANES;
        }
        if at < n {
            bits |= u64::from(s.nonzero_mask(s.load_first(n - at, from.add(at)))) << at;
        }
    }
    bits
}

/// Prefetches a tile's part of a matrix, and that of the next panel.
#[inline(always)]
fn prefetch_tile<S: Simd, const MR: usize, const NV: usize>(s: S, at: *const f32, stride: usize) {
    for r in 0..MR {
        for v in 0..2 * NV {
            s.prefetch(at.wrapping_add(r * stride + v * S::LANES));
        }
    }
}

/// `MR` rows of a panel of `NV` vectors, the last of which is `PARTIAL`; returns `MR`.
///
/// One function, since that is measurably faster in SSE2's sixteen registers (docs/performance.md).
///
/// # Safety
/// The panel's pointers are good for rows `row..row + MR`.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // Loops over rows and vectors index several arrays; constant bounds unroll them.
pub(super) unsafe fn register_tile<
    S: Simd,
    const MR: usize,
    const NV: usize,
    const PARTIAL: bool,
    const BF16: bool,
>(
    s: S,
    panel: &MicroPanel<'_>,
    row: usize,
) -> usize {
    let &MicroPanel { k, a_strides: (rsa, csa), b_stride, .. } = panel;
    let partial_sums = panel.partial_sums.wrapping_add(row * panel.partial_stride);
    let c = panel.c.wrapping_add(row * panel.c_stride);
    let mut acc = [[s.splat(0.0); NV]; MR];

    /// Loads vector `v` of a row, or stores it, as far as it has columns.
    macro_rules! load {
        ($v:expr, $from:expr) => {
            if PARTIAL && $v + 1 == NV { s.load_first(panel.last_lanes, $from) } else { s.load($from) }
        };
    }
    /// Stores a value made of each sum.
    macro_rules! store {
        ($c:expr, $stride:expr, |$sum:ident, $r:ident, $v:ident, $to:ident| $value:expr) => {
            for $r in 0..MR {
                for $v in 0..NV {
                    let ($sum, $to) = (acc[$r][$v], $c.add($r * $stride + $v * S::LANES));
                    if PARTIAL && $v + 1 == NV {
                        s.store_first(panel.last_lanes, $value, $to);
                    } else {
                        s.store($value, $to);
                    }
                }
            }
        };
    }
    /// Stores a value made of each sum and of something that is loaded. The CPU delays a load after a store whose address has
    /// the same last twelve bits, or is in the same line (4K aliasing); where rows do, every load comes before every store.
    macro_rules! load_and_store {
        (|$sum:ident, $r:ident, $v:ident| $value:expr) => {
            if PARTIAL || panel.c_stride.is_multiple_of(ALIAS_FLOATS) {
                for $r in 0..MR {
                    for $v in 0..NV {
                        let $sum = acc[$r][$v];
                        acc[$r][$v] = $value;
                    }
                }
                store!(c, panel.c_stride, |sum, r, v, to| sum);
            } else {
                store!(c, panel.c_stride, |$sum, $r, $v, to| $value);
            }
        };
    }
    // SAFETY: by the function's contract; columns beyond `last_lanes` are not touched.
    unsafe {
        if panel.loads_partial_sums {
            for r in 0..MR {
                for v in 0..NV {
                    acc[r][v] = load!(v, partial_sums.add(r * panel.partial_stride + v * S::LANES));
                }
            }
        }
        if panel.prefetches_c {
            prefetch_tile::<S, MR, NV>(s, c, panel.c_stride);
            if let Epilogue::ReluMask { activations } = panel.epilogue {
                let at =
                    activations.data().as_ptr().wrapping_add(row * activations.row_stride() + panel.column);
                prefetch_tile::<S, MR, NV>(s, at, activations.row_stride());
            }
        }
        let a: [*const f32; MR] = core::array::from_fn(|r| panel.a.wrapping_add((row + r) * rsa));
        let (mut b, mut p) = (panel.b, 0);
        let tile = row / MR;
        let prefetch = panel
            .prefetch
            .filter(|prefetch| tile < prefetch.tiles)
            .unwrap_or_else(|| Prefetch::nothing(panel));
        let mut line = prefetch.start.wrapping_add(tile * prefetch.tile_step);
        if MR == 1 && panel.sparse {
            for first in (0..k).step_by(MASK_STEPS) {
                let mut left = nonzero_mask(s, a[0].add(first), k - first);
                while left != 0 {
                    let p = first + left.trailing_zeros() as usize;
                    left &= left - 1;
                    let (av, b) = (s.splat(*a[0].add(p)), b.wrapping_add(p * b_stride));
                    for v in 0..NV {
                        acc[0][v] = s.mul_add(av, load!(v, b.add(v * S::LANES)), acc[0][v]);
                    }
                }
            }
        }
        let mut left = if MR == 1 && panel.sparse { 0 } else { k };
        // One loop where there is one run.
        while left > 0 {
            let run = if S::PREFETCHES { left.min(prefetch.run_lines) } else { left };
            left -= run;
            for _ in 0..run {
                s.prefetch(line);
                line = line.wrapping_add(prefetch.line_step);
                let multiply_add =
                    |acc, a, b| if BF16 { s.dot_bf16(acc, a, b) } else { s.mul_add(a, b, acc) };
                // The smaller of the two operands stays in registers.
                if MR < NV {
                    let av: [S::V; MR] = core::array::from_fn(|r| s.splat(*a[r].add(p)));
                    for v in 0..NV {
                        let bv = load!(v, b.add(v * S::LANES));
                        for r in 0..MR {
                            acc[r][v] = multiply_add(acc[r][v], av[r], bv);
                        }
                    }
                } else {
                    let mut bv = [s.splat(0.0); NV];
                    for v in 0..NV {
                        bv[v] = load!(v, b.add(v * S::LANES));
                    }
                    for r in 0..MR {
                        let av = s.splat(*a[r].add(p));
                        for v in 0..NV {
                            acc[r][v] = multiply_add(acc[r][v], av, bv[v]);
                        }
                    }
                }
                p += csa;
                b = b.wrapping_add(b_stride);
            }
            line = line.wrapping_add(prefetch.run_step);
        }
        let stride = panel.c_stride;
        match panel.epilogue {
            _ if panel.stores_partial_sums => store!(partial_sums, panel.partial_stride, |sum, r, v, to| sum),
            Epilogue::Scale { alpha, beta: 0.0 } => {
                let alpha = s.splat(alpha);
                store!(c, stride, |sum, r, v, to| s.mul(alpha, sum));
            }
            Epilogue::Scale { alpha, beta: 1.0 } => {
                let alpha = s.splat(alpha);
                load_and_store!(|sum, r, v| s.mul_add(
                    alpha,
                    sum,
                    load!(v, c.add(r * stride + v * S::LANES))
                ));
            }
            Epilogue::Scale { alpha, beta } => {
                let (alpha, beta) = (s.splat(alpha), s.splat(beta));
                load_and_store!(|sum, r, v| {
                    s.mul_add(alpha, sum, s.mul(beta, load!(v, c.add(r * stride + v * S::LANES))))
                });
            }
            Epilogue::Bias { bias, relu } => {
                let floor = s.splat(if relu { 0.0 } else { f32::NEG_INFINITY });
                let mut bv = [floor; NV];
                for v in 0..NV {
                    bv[v] = load!(v, bias.as_ptr().add(panel.column + v * S::LANES));
                }
                store!(c, stride, |sum, r, v, to| s.max(floor, s.add(sum, bv[v])));
            }
            Epilogue::ReluMask { activations } => {
                let from =
                    activations.data().as_ptr().wrapping_add(row * activations.row_stride() + panel.column);
                load_and_store!(|sum, r, v| {
                    s.where_positive(load!(v, from.add(r * activations.row_stride() + v * S::LANES)), sum)
                });
            }
        }
    }
    MR
}
