//! The specification of integer inference: what every kernel for quantized layers computes, to the bit.
//!
//! Activations are 0..=127, weights −127..=127. Nothing is negative: the clamp of [`requantize`] is the ReLU, other
//! activations are [`looked_up`], and where 0 does not stand for zero, the next layer's biases make up for it. Raw values
//! become [codes](code_of_float); codes of 14 bits are two digits of seven, the sums of which are [`combined`].

/// The activation of a hidden output: `(acc * r + 2^23) >> 24`, rounded once, half up, and clamped to 0..=127.
///
/// `|acc| < 2^23` and `r < 2^31`. Of `r < 2^16` the product needs 40 bits, and cores without a long multiplication get the same
/// from two of 32 bits: `((acc >> 12) * r + ((acc & 0xfff) * r >> 12) + 2^11) >> 12`. With a larger r only sums from −2^15 to
/// 2^15 are not clamped, and there it is `(acc * (r >> 16) + ((acc * (r & 0xffff) >> 8) + 2^15 >> 8)) >> 8`.
pub const fn requantize(acc: i32, r: u32) -> u8 {
    let y = (acc as i64 * r as i64 + (1 << 23)) >> 24;
    if y < 0 {
        0
    } else if y > 127 {
        127
    } else {
        y as u8
    }
}

/// The accumulators of a layer: `acc(o) = bias(o) + Σ_i weights(o,i) * x(i)`, with the weights row-major, one output a
/// row.
pub fn accumulate(x: &[u8], weights: &[i8], biases: &[i32], acc: &mut [i32]) {
    for (o, (acc, &bias)) in acc.iter_mut().zip(biases).enumerate() {
        let row = &weights[o * x.len()..][..x.len()];
        *acc = bias + row.iter().zip(x).map(|(&w, &x)| i32::from(w) * i32::from(x)).sum::<i32>();
    }
}

/// A hidden layer: the [`accumulate`]d sums, each [`requantize`]d with its row's multiplier.
pub fn hidden(x: &[u8], weights: &[i8], biases: &[i32], multipliers: &[u32], acc: &mut [i32], y: &mut [u8]) {
    accumulate(x, weights, biases, acc);
    for ((y, &acc), &r) in y.iter_mut().zip(&*acc).zip(multipliers) {
        *y = requantize(acc, r);
    }
}

/// How many steps of its unit a sum is, to be looked up in the table of an activation: `(acc * r + 2^23) >> 24`, clamped to
/// −128..=127. `|acc| < 2^23`, as in [`requantize`]; beyond it the step still has its value, since the product fits 63 bits.
pub const fn step(acc: i32, r: u32) -> i8 {
    let t = (acc as i64 * r as i64 + (1 << 23)) >> 24;
    if t < -128 {
        -128
    } else if t > 127 {
        127
    } else {
        t as i8
    }
}

/// The activation of a hidden output by its layer's table.
pub const fn looked_up(acc: i32, r: u32, table: &[u8; 256]) -> u8 {
    table[(step(acc, r) as i16 + 128) as usize]
}

/// The sum of a row over codes of 14 bits, `q = 128 high + low`: `high` is `bias + Σ w·high`, `low` is `Σ w·low`. Both are below
/// 2^23 in magnitude, and a file guarantees it of the result; sums near the ends of an i32 overflow.
pub const fn combined(high: i32, low: i32) -> i32 {
    high + ((low + 64) >> 7)
}

/// The largest code of `bits` bits, 7 or 14; any other number of bits counts as 7.
pub const fn largest_code(bits: u32) -> u16 {
    if bits == 14 { 16383 } else { 127 }
}

/// The code of a float: `t = (x - offset) * scale` in two operations of IEEE 754, each rounded to the nearest; 0 unless t is
/// above 0, the largest where t is at least twice that, else half of what is left of t without its fraction, plus one, without
/// its fraction. `scale` is twice the codes of a raw unit, so that this rounds half up without an addition of floats, which a
/// compiler could fuse with the multiplication. Infinities have the codes of the ends, −0 that of 0; NaN, which engines refuse,
/// would have 0.
pub const fn code_of_float(x: f32, offset: f32, scale: f32, bits: u32) -> u16 {
    let (t, largest) = ((x - offset) * scale, largest_code(bits));
    if t >= 2.0 * largest as f32 {
        largest
    } else if t > 0.0 {
        ((t as u32 + 1) >> 1) as u16
    } else {
        0
    }
}

/// Bits that [`code_of_integer`] drops for codes of `bits` bits, 7 or 14; any other number of bits counts as 7.
pub const fn map_shift(bits: u32) -> u32 {
    if bits == 14 { 18 } else { 25 }
}

/// The code of an integer: `(d * m + half) >> shift` in 32 bits, with `d = x - lo` clamped to 0..=span. `x` and
/// `lo` are values of one raw type, within −32768..=65535. A file guarantees `span·m + half < (largest code + 1) << shift`, so
/// that no product passes 32 bits; where it does not hold, the product wraps.
pub const fn code_of_integer(x: i32, lo: i32, span: u16, m: u32, bits: u32) -> u16 {
    let d = x - lo;
    let d = if d < 0 {
        0
    } else if d > span as i32 {
        span as u32
    } else {
        d as u32
    };
    let shift = map_shift(bits);
    (d.wrapping_mul(m).wrapping_add(1 << (shift - 1)) >> shift) as u16
}

/// The error of a reconstructed input, in units of `2^shift`: the output `z` less what the code `q` stands for;
/// within ±32767, so that its square fits 30 bits. `|z| < 2^23`, `|add| < 2^23`, `q * mul + 128 < 2^31` and `shift` at most 24, as a
/// file guarantees; sums and shifts beyond that overflow.
pub const fn reconstruction_error(z: i32, add: i32, q: u16, mul: u32, shift: u32) -> i32 {
    let error = z + add - ((q as u32).wrapping_mul(mul).wrapping_add(128) >> 8) as i32;
    let half = (1_i32 << shift) >> 1;
    let rounded = (error + half) >> shift;
    if rounded < -32767 {
        -32767
    } else if rounded > 32767 {
        32767
    } else {
        rounded
    }
}
