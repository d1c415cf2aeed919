//! The one rounding of integer inference, proved: `clamp(⌊acc · r / 2²⁴ + ½⌋, 0, 127)` for every accumulator and every
//! multiplier, in each of the ways in which cores compute it.
//!
//! An output steps from `k − 1` to `k` at the smallest accumulator with `acc · r ≥ (2k − 1) · 2²³`. An implementation that is right on
//! both sides of every step of a multiplier, and never falls, is right for all 2²⁴ accumulators. That it never falls
//! follows from its form, and [`no_output_falls`] sees it for multipliers of every size. Sums are those of i128; tests are
//! built with overflow checks, so nothing wraps around.
//!
//! `SELVEDGE_WHOLE=1` goes through every accumulator for about a thousand multipliers in place of one of each size.

mod common;

use common::flash::Aligned;
use selvedge::format::{Builder, Dtype, HeaderBuf, ModelView, Packing, SelfTest};
use selvedge::infer::{integer, mcu};
use selvedge::naive::integer::requantize;
use selvedge::{Backend, Shape};

/// The largest accumulator; the smallest is its negative.
const MOST: i32 = (1 << 23) - 1;

/// The specification in exact rational numbers: `⌊(acc · r + 2²³) / 2²⁴⌋`, clamped.
fn exact(acc: i32, r: u32) -> u8 {
    (i128::from(acc) * i128::from(r) + (1 << 23)).div_euclid(1 << 24).clamp(0, 127) as u8
}

/// Two multiplications of 32 bits: Cortex-M0, and with multipliers of 16 bits the vectors of the desktop.
fn two_short(acc: i32, r: u32) -> u8 {
    let (upper, lower) = ((r >> 16) as i32, (r & 0xffff) as i32);
    if upper == 0 {
        let (high, low) = ((acc >> 12) * lower, ((acc & 0xfff) * lower) >> 12);
        return ((high + low + (1 << 11)) >> 12).clamp(0, 127) as u8;
    }
    let acc = acc.clamp(-(1 << 15), 1 << 15);
    ((acc * upper + ((((acc * lower) >> 8) + (1 << 15)) >> 8)) >> 8).clamp(0, 127) as u8
}

/// `SMMULR` and `USAT` on 256 times the accumulator: the upper half of the product, rounded.
fn smmulr(acc: i32, r: u32) -> u8 {
    let upper = (i64::from(256 * acc) * i64::from(r) + (1 << 31)) >> 32;
    i32::try_from(upper).expect("half of the bits").clamp(0, 127) as u8
}

/// The exported C: nothing is negative after its first line.
fn c_source(acc: i32, r: u32) -> u8 {
    if acc <= 0 {
        return 0;
    }
    let y = u32::try_from((u64::from(acc.unsigned_abs()) * u64::from(r) + 0x80_0000) >> 24).expect("32 bits");
    if y > 127 { 127 } else { y as u8 }
}

type Way = (&'static str, fn(i32, u32) -> u8);
const IMPLEMENTATIONS: [Way; 4] =
    [("specification", requantize), ("two short", two_short), ("smmulr", smmulr), ("c", c_source)];

/// The smallest accumulator whose output is at least `k`, if there is one.
fn step(k: i64, r: u32) -> Option<i32> {
    let acc = ((2 * k - 1) << 23).checked_div_euclid(i64::from(r))?;
    let exactly = acc * i64::from(r) == (2 * k - 1) << 23;
    i32::try_from(if exactly { acc } else { acc + 1 }).ok().filter(|acc| *acc <= MOST)
}

#[test]
fn every_step_of_every_multiplier_is_where_it_belongs() {
    let mut steps = 0u64;
    let narrow = u32::from(u16::MAX);
    let wide = multipliers(31, 4000).into_iter().filter(|&r| r > narrow);
    for r in (0..=narrow).chain(wide) {
        let mut highest = 0;
        for k in 1..=127 {
            let Some(acc) = step(k, r) else { break };
            let (below, from) = (exact(acc - 1, r), exact(acc, r));
            // A unit of the sum is at most a unit of the output up to 2^24, and the steps come one by one.
            assert!(below < k as u8 && from >= k as u8, "{acc} {r}");
            assert!(r > 1 << 24 || (below, from) == (k as u8 - 1, k as u8), "{acc} {r}");
            for (name, implementation) in IMPLEMENTATIONS {
                let y = (implementation(acc - 1, r), implementation(acc, r));
                assert_eq!(y, (below, from), "{name}: {acc} {r}");
            }
            (highest, steps) = (k as u8, steps + 1);
        }
        for (name, implementation) in IMPLEMENTATIONS {
            assert_eq!(
                [
                    implementation(-MOST, r),
                    implementation(-1, r),
                    implementation(0, r),
                    implementation(MOST, r)
                ],
                [0, 0, 0, highest],
                "{name}: {r}"
            );
        }
    }
    // From 254 on the largest accumulator reaches 127, so that every step is there.
    assert!(steps > (65_536 - 254) * 127, "{steps}");
    println!("{steps} steps of 65,536 multipliers of 16 bits, and of some of 31");
}

/// Multipliers of every size up to so many bits: the powers of two, what lies beside them, and some between.
fn multipliers(bits: u32, between: u32) -> Vec<u32> {
    let mut all = vec![0, 1, u32::MAX >> (32 - bits), (u32::MAX >> (32 - bits)) - 1];
    for bits in 1..bits {
        all.extend([(1 << bits) - 1, 1 << bits, (1 << bits) + 1]);
        let of = |n: u32| (1u64 << bits) + ((1u64 << bits) * u64::from(n) / u64::from(between + 1)) + 1;
        all.extend((1..=between).map(|n| of(n) as u32));
    }
    all.sort_unstable();
    all.dedup();
    all
}

#[test]
fn no_output_falls() {
    let whole = std::env::var_os("SELVEDGE_WHOLE").is_some();
    let one_of_each_size =
        || (0..30).map(|bits| (3u32 << bits) / 2).chain([u32::from(u16::MAX), i32::MAX as u32]).collect();
    let multipliers = if whole { multipliers(31, 34) } else { one_of_each_size() };
    for &r in &multipliers {
        let mut before = [0; IMPLEMENTATIONS.len()];
        for acc in -MOST..=MOST {
            for ((_, implementation), before) in IMPLEMENTATIONS.iter().zip(&mut before) {
                let y = implementation(acc, r);
                assert!(y >= *before, "{acc} {r}");
                *before = y;
            }
        }
    }
    println!("{} accumulators of {} multipliers", 2 * MOST + 1, multipliers.len());
}

/// Rows in one layer, so that a file takes many pairs at once.
const ROWS: usize = 96;

/// A file whose hidden rows have the sums `acc` whatever the image is, and whose logits are their outputs.
fn file(packing: Packing, wide: bool, pairs: &[(i32, u32)]) -> Aligned {
    let header = HeaderBuf::new(Shape::new(&[1, ROWS, ROWS]).unwrap(), Dtype::I8, packing).unwrap();
    let header = if wide { header.with_wide_multipliers(0) } else { header };
    let mut memory = Aligned::zeroed(header.file_bytes());
    let mut builder = Builder::new(header, memory.get_mut()).unwrap();
    (0..3).for_each(|l| builder.scale(l, 1.0));
    for row in 0..ROWS {
        let (acc, r) = pairs.get(row).copied().unwrap_or_default();
        builder.weight(0, row, 0, 0);
        builder.bias(0, row, acc);
        builder.multiplier(0, row, r);
        builder.bias(1, row, 0);
        (0..ROWS).for_each(|column| builder.weight(1, row, column, i8::from(row == column)));
    }
    builder.finish().unwrap();
    memory
}

/// The accumulators where a multiplier's outputs step, and those that a kernel may take apart.
fn pairs(multipliers: Vec<u32>) -> Vec<(i32, u32)> {
    let mut pairs = Vec::new();
    for r in multipliers {
        for k in [1, 2, 3, 63, 64, 126, 127] {
            pairs.extend(step(k, r).into_iter().flat_map(|acc| [(acc - 1, r), (acc, r)]));
        }
        let ends = [-MOST, -(1 << 15) - 1, -(1 << 15), -1, 0, 1, 0xfff, 0x1000, 1 << 15, MOST - 1, MOST];
        pairs.extend(ends.map(|acc| (acc, r)));
    }
    pairs
}

/// What the kernels themselves make of the steps: every backend, the engine that reads any packing in place, and this
/// machine's core.
#[test]
fn kernels_step_where_they_should() {
    let backends: Vec<Backend> = common::backends().collect();
    for (wide, pairs) in [(false, pairs(multipliers(16, 2))), (true, pairs(multipliers(31, 2)))] {
        for pairs in pairs.chunks(ROWS) {
            let mut expected = pairs.iter().map(|&(acc, r)| i32::from(exact(acc, r))).collect::<Vec<_>>();
            expected.resize(ROWS, 0);
            for packing in Packing::ALL {
                check(&file(packing, wide, pairs), &expected, &backends);
            }
        }
        println!("{} pairs on {} backends in {} packings", pairs.len(), backends.len(), Packing::ALL.len());
    }
}

/// Compares the logits of a file with those that every engine computes.
fn check(file: &Aligned, expected: &[i32], backends: &[Backend]) {
    let view = ModelView::parse(file.get()).unwrap();
    let packing = view.header().packing();
    assert_eq!(common::flash::integer_logits(file.get(), &[0]), expected, "{}", packing.name());
    if packing == mcu::PACKING {
        let core = mcu::AnyI8Engine::new(view.clone()).unwrap();
        let mut scratch = vec![0; mcu::AnyI8Engine::scratch_words(view.header())];
        let mut logits = vec![0; ROWS];
        core.logits(&[0_u8], &mut scratch, &mut logits).unwrap();
        assert_eq!(logits, expected, "this core");
    }
    let engine = integer::Engine::new(view).unwrap();
    let header = engine.view().header();
    for &backend in backends {
        let mut memory = vec![0; integer::BatchEngine::bytes(header)];
        let batch = integer::BatchEngine::new(&engine, backend, &mut memory).unwrap();
        let mut logits = vec![0; 3 * ROWS];
        let mut scratch = vec![0; integer::BatchEngine::scratch_bytes(header, 3)];
        let images: Vec<u8> = SelfTest::pixels(1).take(3).collect();
        batch.logits(&images, &mut scratch, &mut logits).unwrap();
        assert!(logits.chunks(ROWS).all(|logits| logits == expected), "{}", backend.name());
    }
}
