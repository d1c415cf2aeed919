//! Random numbers that are the same on every machine: xoshiro256++ (Blackman and Vigna, 2019), seeded by SplitMix64.
//!
//! Every draw is integer arithmetic or goes through `libm`, so a seed gives the same weights and the same shuffles on a
//! desktop and on a microcontroller. Not for cryptography.

/// A generator. Copy its [`state`](Rng::state) to resume it later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rng {
    s: [u64; 4],
}

impl Rng {
    /// A generator from a seed; seeds that differ in one bit give unrelated streams.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        let mut s = [0; 4];
        let mut x = seed;
        let mut i = 0;
        while i < 4 {
            x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = x;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            s[i] = z ^ (z >> 31);
            i += 1;
        }
        Self { s }
    }

    /// A generator that continues from the [`state`](Rng::state) of another one. All zeros is not a state of a generator
    /// and counts as seed 0.
    #[must_use]
    pub const fn from_state(s: [u64; 4]) -> Self {
        if s[0] | s[1] | s[2] | s[3] == 0 { Self::new(0) } else { Self { s } }
    }

    /// The state, for [`from_state`](Rng::from_state).
    #[must_use]
    pub const fn state(&self) -> [u64; 4] {
        self.s
    }

    /// 64 uniform bits.
    pub fn next_u64(&mut self) -> u64 {
        let s = &mut self.s;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A uniform integer in `0..bound`, without bias (Lemire, 2019).
    ///
    /// # Panics
    /// If `bound` is 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "the bound is 0");
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let product = (self.next_u64() >> 32) * u64::from(bound);
            if product as u32 >= threshold {
                return (product >> 32) as u32;
            }
        }
    }

    /// A uniform float in [0, 1), a multiple of 2⁻²⁴.
    pub fn uniform(&mut self) -> f32 {
        (self.next_u64() >> 40) as f32 * (1.0 / 16_777_216.0)
    }

    /// A normal float, mean 0 and standard deviation 1 (Box and Muller, 1958; the sine half is dropped).
    pub fn normal(&mut self) -> f32 {
        let u = 1.0 - self.uniform();
        let v = self.uniform();
        libm::sqrtf(-2.0 * libm::logf(u)) * libm::cosf(core::f32::consts::TAU * v)
    }

    /// A uniform permutation of `items` in place (Fisher and Yates).
    ///
    /// # Panics
    /// If there are 2³² items or more.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        assert!(u32::try_from(items.len()).is_ok(), "more items than an index of 32 bits counts");
        for i in (1..items.len()).rev() {
            let j = self.below(i as u32 + 1) as usize;
            items.swap(i, j);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn known_stream() {
        // SplitMix64(0) and xoshiro256++ from that state, computed from the authors' reference code.
        let mut rng = Rng::new(0);
        assert_eq!(rng.s[0], 0xE220_A839_7B1D_CDAF);
        assert_eq!(rng.s[1], 0x6E78_9E6A_A1B9_65F4);
        let expected =
            [0x5317_5D61_490B_23DF, 0x61DA_6F3D_C380_D507, 0x5C0F_DF91_EC9A_7BFC, 0x02EE_BF8C_3BBE_5E1A];
        assert_eq!(core::array::from_fn(|_| rng.next_u64()), expected);
        // The authors' code from the state 1, 2, 3, 4.
        let mut rng = Rng::from_state([1, 2, 3, 4]);
        let expected = [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386];
        assert_eq!(core::array::from_fn(|_| rng.next_u64()), expected);
    }

    /// Shuffles and initial weights of a seed are part of what a run's files promise: they stay what they are.
    #[test]
    fn draws_of_a_seed_never_change() {
        let mut rng = Rng::new(7);
        assert_eq!(core::array::from_fn(|_| rng.below(10)), [0, 1, 7, 4, 9, 4, 7, 3, 9, 0, 1, 1]);
        assert_eq!(core::array::from_fn(|_| rng.below(3 << 30)), [2_363_811_652, 364_274_757, 1_593_331_380]);
        let mut rng = Rng::new(7);
        let expected = [928_794, 2_887_624, 12_038_929].map(|n| n as f32 / 16_777_216.0);
        assert_eq!(core::array::from_fn(|_| rng.uniform()), expected);
        let mut rng = Rng::new(7);
        assert_eq!(core::array::from_fn(|_| rng.normal()), [0.158_644_07, -1.426_753_2, -2.515_258_3]);
        let mut items = core::array::from_fn(|i| i);
        Rng::new(3).shuffle(&mut items);
        assert_eq!(items, [4, 9, 6, 2, 3, 1, 11, 5, 10, 8, 7, 0]);
    }

    #[test]
    fn resumes_from_its_state() {
        let mut a = Rng::new(7);
        a.next_u64();
        let mut b = Rng::from_state(a.state());
        assert_eq!(a.next_u64(), b.next_u64());
        // A state that would give zeros for ever.
        assert_eq!(Rng::from_state([0; 4]), Rng::new(0));
    }

    #[test]
    fn below_is_unbiased_and_in_range() {
        let mut rng = Rng::new(1);
        let mut counts = [0u32; 3];
        for _ in 0..30_000 {
            counts[rng.below(3) as usize] += 1;
        }
        for c in counts {
            assert!((9_500..10_500).contains(&c), "{counts:?}");
        }
    }

    #[test]
    fn normal_has_unit_moments() {
        let mut rng = Rng::new(2);
        let n = 100_000;
        let (mut sum, mut squares) = (0.0f64, 0.0f64);
        for _ in 0..n {
            let x = f64::from(rng.normal());
            sum += x;
            squares += x * x;
        }
        assert!((sum / f64::from(n)).abs() < 0.01);
        assert!((squares / f64::from(n) - 1.0).abs() < 0.02);
    }

    #[test]
    fn shuffle_permutes() {
        let mut items: [u16; 100] = core::array::from_fn(|i| i as u16);
        Rng::new(3).shuffle(&mut items);
        assert_ne!(items, core::array::from_fn(|i| i as u16));
        items.sort_unstable();
        assert_eq!(items, core::array::from_fn(|i| i as u16));
    }

    #[cfg(target_pointer_width = "64")]
    #[test]
    #[should_panic(expected = "32 bits")]
    fn more_items_than_indices_are_refused() {
        Rng::new(3).shuffle(&mut [(); 1 << 32]);
    }
}
