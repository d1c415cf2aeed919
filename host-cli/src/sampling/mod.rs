//! Every random decision of a run: which images it validates on, its initial weights, the order of each epoch.
//!
//! All of it follows from a seed and the generator's name, so that a model's validation images can be found again and a
//! run can be taken up at any epoch: the draws before it are made again and thrown away.

mod torch;

use std::fmt;
use std::str::FromStr;

use selvedge::{Init, Rng, Shape};
use serde::{Deserialize, Serialize};

use torch::Torch;

/// Whose random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Generator {
    /// The core's, unrelated streams for each purpose.
    Selvedge,
    /// Those that PyTorch's CPU generator draws after `torch.manual_seed`, once for the split and once again for weights
    /// and shuffles: the notebook's.
    Torch,
}

impl FromStr for Generator {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "selvedge" => Ok(Self::Selvedge),
            "torch" => Ok(Self::Torch),
            _ => Err("write selvedge or torch".into()),
        }
    }
}

impl fmt::Display for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Selvedge => "selvedge",
            Self::Torch => "torch",
        })
    }
}

/// Which images to train on and which to validate on, as positions in the training files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Five sixths, in random order.
    pub train: Vec<u32>,
    /// One sixth.
    pub val: Vec<u32>,
}

impl Split {
    /// Splits `count` images, of 60,000 into 50,000 and 10,000. The same generator and seed give the same split.
    pub fn new(generator: Generator, seed: u64, count: usize) -> Self {
        let mut train: Vec<u32> = (0..u32::try_from(count).expect("an IDX file counts in 32 bits")).collect();
        match generator {
            Generator::Selvedge => stream(seed, "split").shuffle(&mut train),
            Generator::Torch => Torch::new(seed).permutation(&mut train),
        }
        let val = train.split_off(count - count / 6);
        Self { train, val }
    }
}

/// The draws of a run behind its split: the weights, then an order for each epoch.
#[derive(Debug, Clone)]
pub struct Sampling(Source);

#[derive(Debug, Clone)]
enum Source {
    Selvedge { seed: u64, shuffles: Rng },
    Torch(Box<Torch>),
}

impl Sampling {
    /// The draws of a seed.
    pub fn new(generator: Generator, seed: u64) -> Self {
        Self(match generator {
            Generator::Selvedge => Source::Selvedge { seed, shuffles: stream(seed, "shuffle") },
            Generator::Torch => Source::Torch(Box::new(Torch::new(seed))),
        })
    }

    /// Sampling the initial weights; to be called before the first [`order`](Self::order).
    ///
    /// # Errors
    /// One clause, where `params` do not fit or the generator cannot draw so few.
    pub fn weights(&mut self, init: Init, shape: Shape, params: &mut [f32]) -> Result<(), String> {
        match &mut self.0 {
            Source::Selvedge { seed, .. } => {
                init.draw(shape, &mut stream(*seed, "weights"), params).map_err(|e| e.to_string())
            }
            Source::Torch(torch) => {
                for (l, layer) in shape.split_mut(params).map_err(|e| e.to_string())?.into_iter().enumerate()
                {
                    torch.normal(layer.weights)?;
                    let deviation = init.deviation(shape, l);
                    layer.weights.iter_mut().for_each(|w| *w *= deviation);
                    layer.biases.fill(0.0);
                }
                Ok(())
            }
        }
    }

    /// The order of the next epoch, given the order of the one before, or the split's for the first.
    pub fn order(&mut self, split: &[u32], order: &mut Vec<u32>) {
        match &mut self.0 {
            Source::Selvedge { shuffles, .. } => shuffles.shuffle(order),
            Source::Torch(torch) => {
                order.clear();
                order.extend(0..split.len() as u32);
                torch.permutation(order);
                order.iter_mut().for_each(|n| *n = split[*n as usize]);
            }
        }
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

/// A generator for one purpose at one moment of a run.
pub fn stream_at(seed: u64, purpose: &str, moment: u64) -> Rng {
    Rng::new(stream(seed, purpose).next_u64() ^ moment)
}

#[cfg(test)]
mod tests {
    use super::{Generator, Sampling, Split};

    #[test]
    fn a_partition_that_depends_on_the_seed_alone() {
        for generator in [Generator::Selvedge, Generator::Torch] {
            let split = Split::new(generator, 42, 60_000);
            assert_eq!((split.train.len(), split.val.len()), (50_000, 10_000));
            assert_eq!(split, Split::new(generator, 42, 60_000));
            assert_ne!(split, Split::new(generator, 43, 60_000));
            let mut all = [split.train, split.val].concat();
            all.sort_unstable();
            assert_eq!(all, (0..60_000).collect::<Vec<_>>());
        }
    }

    #[test]
    fn orders_permute_the_split() {
        for generator in [Generator::Selvedge, Generator::Torch] {
            let split = [7, 9, 11, 13, 15, 17, 19, 21];
            let (mut draws, mut order) = (Sampling::new(generator, 1), split.to_vec());
            let mut seen = Vec::new();
            for _ in 0..3 {
                draws.order(&split, &mut order);
                assert!(!seen.contains(&order));
                seen.push(order.clone());
                let mut sorted = order.clone();
                sorted.sort_unstable();
                assert_eq!(sorted, split);
            }
        }
    }
}
