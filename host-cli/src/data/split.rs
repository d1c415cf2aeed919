//! The split of the training files into training and validation images: at random, from the seed alone.

use selvedge::Rng;

/// Which images to train on and which to validate on, as positions in the training files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Five sixths, in random order.
    pub train: Vec<u32>,
    /// One sixth.
    pub val: Vec<u32>,
}

impl Split {
    /// Splits `count` images, of 60,000 into 50,000 and 10,000. The same seed gives the same split, so that a model's
    /// validation images can be found again.
    pub fn new(count: usize, seed: u64) -> Self {
        let mut train: Vec<u32> = (0..u32::try_from(count).expect("an IDX file counts in 32 bits")).collect();
        stream(seed, "split").shuffle(&mut train);
        let val = train.split_off(count - count / 6);
        Self { train, val }
    }
}

/// A generator for one purpose of a seed, unrelated to those for other purposes.
pub fn stream(seed: u64, purpose: &str) -> Rng {
    // FNV-1a of the purpose.
    let hash = purpose
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    Rng::new(seed ^ hash)
}

#[cfg(test)]
mod tests {
    use super::Split;

    #[test]
    fn a_partition_that_depends_on_the_seed_alone() {
        let split = Split::new(60_000, 42);
        assert_eq!((split.train.len(), split.val.len()), (50_000, 10_000));
        assert_eq!(split, Split::new(60_000, 42));
        assert_ne!(split, Split::new(60_000, 43));
        let mut all = [split.train, split.val].concat();
        all.sort_unstable();
        assert_eq!(all, (0..60_000).collect::<Vec<_>>());
    }
}
