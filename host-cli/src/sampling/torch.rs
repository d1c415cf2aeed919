//! The random numbers of PyTorch's CPU generator, bit for bit: MT19937, `randperm` and `randn`.
//!
//! Normals use the single-precision polynomials of Cephes (Moshier, 1989), with every step rounded, as PyTorch computes them:
//! a more exact sine would give other bits, and training doubles such a difference every few dozen steps. PyTorch draws fewer
//! than 16 normals by another algorithm; these are refused here.

use std::f32::consts::TAU;

use rand_mt::Mt;

/// The number of normals that are drawn together, and the minimum of a draw.
const BLOCK: usize = 16;

/// A generator in the state that `torch.manual_seed` leaves it in.
#[derive(Debug, Clone)]
pub struct Torch(Mt);

impl Torch {
    /// `torch.manual_seed(seed)`, which uses the low 32 bits.
    pub fn new(seed: u64) -> Self {
        Self(Mt::new(seed as u32))
    }

    /// Permutes `items` as `torch.randperm(items.len())` permutes `0..`.
    pub fn permutation(&mut self, items: &mut [u32]) {
        let n = items.len();
        for i in 0..n.saturating_sub(1) {
            let offset = self.0.next_u32() as usize % (n - i);
            items.swap(i, i + offset);
        }
    }

    /// Fills `out` as `torch.randn(out.len())` does.
    ///
    /// # Errors
    /// One clause for fewer than 16.
    pub fn normal(&mut self, out: &mut [f32]) -> Result<(), String> {
        let n = out.len();
        if n < BLOCK {
            return Err(format!("--rng torch draws layers of at least {BLOCK} weights, not {n}"));
        }
        out.fill_with(|| self.uniform());
        out.chunks_exact_mut(BLOCK).for_each(box_muller);
        if !n.is_multiple_of(BLOCK) {
            let tail = &mut out[n - BLOCK..];
            tail.fill_with(|| self.uniform());
            box_muller(tail);
        }
        Ok(())
    }

    /// A multiple of 2⁻²⁴ in [0, 1).
    fn uniform(&mut self) -> f32 {
        (self.0.next_u32() & 0x00ff_ffff) as f32 / 16_777_216.0
    }
}

/// Turns sixteen uniform numbers into normals: pairs `j` and `j + 8`.
fn box_muller(block: &mut [f32]) {
    let (cosines, sines) = block.split_at_mut(BLOCK / 2);
    for (a, b) in cosines.iter_mut().zip(sines) {
        let radius = (-2.0 * ln(1.0 - *a)).sqrt();
        let (sine, cosine) = sin_cos(TAU * *b);
        (*a, *b) = (radius * cosine, radius * sine);
    }
}

/// The logarithm of `x` in (0, 1], with the polynomial and the order of operations of Cephes' `logf`.
fn ln(x: f32) -> f32 {
    let bits = x.to_bits();
    let mut e = ((bits >> 23) as i32 - 0x7f) as f32 + 1.0;
    let mut x = f32::from_bits(bits & 0x007f_ffff | 0x3f00_0000);
    if x < 0.707_106_77 {
        e -= 1.0;
        x = x - 1.0 + x;
    } else {
        x -= 1.0;
    }
    let z = x * x;
    let mut y = 7.037_683_6e-2;
    for c in [
        -1.151_461e-1,
        1.167_699_9e-1,
        -1.242_014_1e-1,
        1.424_932_3e-1,
        -1.666_805_8e-1,
        2.000_071_5e-1,
        -2.499_999_4e-1,
        0.333_333_3,
    ] {
        y = y * x + c;
    }
    y = y * x * z;
    y += e * -2.121_944_4e-4;
    y -= z * 0.5;
    x + y + e * 0.693_359_4
}

/// Sine and cosine of `x` in [0, 2π), as Cephes' `sinf` and `cosf`: reduction to an octant, then a polynomial for each.
fn sin_cos(x: f32) -> (f32, f32) {
    let j = ((x * 1.273_239_6) as u32 + 1) & !1;
    let y = j as f32;
    let x = y * -0.785_156_25 + x;
    let x = y * -2.418_756_5e-4 + x;
    let x = y * -3.774_895e-8 + x;
    let z = x * x;
    let c = (2.443_315_7e-5 * z - 1.388_731_6e-3) * z + 4.166_664_6e-2;
    let c = c * z * z - z * 0.5 + 1.0;
    let s = (-1.951_529_6e-4 * z + 8.332_161e-3) * z - 1.666_665_5e-1;
    let s = s * z * x + x;
    let (s, c) = if j & 2 == 0 { (s, c) } else { (c, s) };
    let s = if j & 4 != 0 { -s } else { s };
    let c = if (j.wrapping_sub(2)) & 4 == 0 { -c } else { c };
    (s, c)
}

#[cfg(test)]
mod tests {
    use super::{TAU, Torch};

    #[test]
    fn the_generator_is_mt19937() {
        // Matsumoto and Nishimura's generator from seed 5489 gives this as its 10,000th number (C++'s standard says so).
        let mut torch = Torch::new(5489);
        let last = (0..10_000).map(|_| torch.0.next_u32()).last();
        assert_eq!(last, Some(4_123_659_995));
    }

    #[test]
    fn polynomials_are_within_single_precision() {
        for n in 1..=100_000 {
            let x = n as f32 / 100_000.0;
            let (ln_error, angle) = (f64::from(super::ln(x)) - f64::from(x).ln(), TAU * (x - 1e-5));
            let (sine, cosine) = super::sin_cos(angle);
            let exact = f64::from(angle).sin_cos();
            assert!(ln_error.abs() <= 1e-6 * f64::from(x).ln().abs().max(0.1), "ln {x}: {ln_error:e}");
            assert!((f64::from(sine) - exact.0).abs() < 2e-7, "sin {angle}");
            assert!((f64::from(cosine) - exact.1).abs() < 2e-7, "cos {angle}");
        }
    }

    #[test]
    fn tails_and_small_draws() {
        let mut out = [f32::NAN; 21];
        Torch::new(1).normal(&mut out).unwrap();
        let mut whole = [f32::NAN; 16];
        Torch::new(1).normal(&mut whole).unwrap();
        assert_eq!(out[..5], whole[..5]);
        assert_ne!(out[5..16], whole[5..]);
        assert!(out.iter().all(|x| x.is_finite()));
        Torch::new(1).normal(&mut [0.0; 15]).unwrap_err();
    }

    #[test]
    fn normals_have_unit_moments() {
        let mut out = vec![0.0; 100_000];
        Torch::new(42).normal(&mut out).unwrap();
        let mean = out.iter().map(|&x| f64::from(x)).sum::<f64>() / 1e5;
        let square = out.iter().map(|&x| f64::from(x * x)).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.01 && (square - 1.0).abs() < 0.02, "{mean} {square}");
    }
}
