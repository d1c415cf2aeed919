//! Every random decision of a run: the split into training and validation images, the initial weights, the order of each
//! epoch.
//!
//! All of it follows from a seed and the name of a generator, so that the validation images of a model can be found again
//! and a run can be resumed at any epoch: the draws before it are repeated and discarded.

mod torch;

use std::fmt;
use std::str::FromStr;

use selvedge::{Init, Rng, Shape};
use serde::{Deserialize, Serialize};

use torch::Torch;

/// A random number generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Generator {
    /// The core's generator, with an independent stream for each purpose.
    Selvedge,
    /// PyTorch's CPU generator after `torch.manual_seed`, seeded once for the split and once for weights and shuffles, as in
    /// the notebook.
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

/// The images to train on and those to validate on, as indices into the training files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Five sixths, in random order.
    pub train: Vec<u32>,
    /// One sixth.
    pub val: Vec<u32>,
}

impl Split {
    /// Splits `count` images, 60,000 of them into 50,000 and 10,000. The same generator and seed give the same split.
    pub fn new(generator: Generator, seed: u64, count: usize) -> Self {
        let mut train: Vec<u32> = (0..u32::try_from(count).expect("an IDX file counts in 32 bits")).collect();
        match generator {
            Generator::Selvedge => stream(seed, "split").shuffle(&mut train),
            Generator::Torch => Torch::new(seed).permutation(&mut train),
        }
        let val = train.split_off(count - count / 6);
        Self { train, val }
    }

    /// The samples `val` of `count` to validate on, and the others in random order to train on.
    pub fn of_validation(generator: Generator, seed: u64, count: usize, val: &[u32]) -> Self {
        let mut validates = vec![false; count];
        val.iter().for_each(|&n| validates[n as usize] = true);
        let mut train: Vec<u32> = (0..count as u32).filter(|&n| !validates[n as usize]).collect();
        match generator {
            Generator::Selvedge => stream(seed, "split").shuffle(&mut train),
            Generator::Torch => {
                let mut order: Vec<u32> = (0..train.len() as u32).collect();
                Torch::new(seed).permutation(&mut order);
                train = order.into_iter().map(|n| train[n as usize]).collect();
            }
        }
        Self { train, val: val.to_vec() }
    }
}

/// The random draws of a run after its split: the initial weights, then an order for each epoch.
#[derive(Debug, Clone)]
pub struct Sampling(GeneratorState);

#[derive(Debug, Clone)]
enum GeneratorState {
    Selvedge { seed: u64, shuffles: Rng },
    Torch(Box<Torch>),
}

impl Sampling {
    /// The draws of a seed.
    pub fn new(generator: Generator, seed: u64) -> Self {
        Self(match generator {
            Generator::Selvedge => GeneratorState::Selvedge { seed, shuffles: stream(seed, "shuffle") },
            Generator::Torch => GeneratorState::Torch(Box::new(Torch::new(seed))),
        })
    }

    /// Draws the initial weights. To be called before the first [`order`](Self::order).
    ///
    /// # Errors
    /// One clause, where `params` have the wrong length or the generator cannot draw so few.
    pub fn weights(&mut self, init: Init, shape: Shape, params: &mut [f32]) -> Result<(), String> {
        match &mut self.0 {
            GeneratorState::Selvedge { seed, .. } => {
                init.draw(shape, &mut stream(*seed, "weights"), params).map_err(|e| e.to_string())
            }
            GeneratorState::Torch(torch) => {
                for (l, layer) in shape.split_mut(params).map_err(|e| e.to_string())?.into_iter().enumerate()
                {
                    torch.normal(layer.weights)?;
                    let standard_deviation = init.standard_deviation(shape, l);
                    layer.weights.iter_mut().for_each(|w| *w *= standard_deviation);
                    layer.biases.fill(0.0);
                }
                Ok(())
            }
        }
    }

    /// Replaces the order of the epoch before, or that of the split, by the order of the next epoch.
    pub fn order(&mut self, split: &[u32], order: &mut Vec<u32>) {
        match &mut self.0 {
            GeneratorState::Selvedge { shuffles, .. } => shuffles.shuffle(order),
            GeneratorState::Torch(torch) => {
                order.clear();
                order.extend(0..split.len() as u32);
                torch.permutation(order);
                order.iter_mut().for_each(|n| *n = split[*n as usize]);
            }
        }
    }
}

/// The generator of a seed for one purpose, independent of those for other purposes.
pub fn stream(seed: u64, purpose: &str) -> Rng {
    // FNV-1a of the purpose.
    let hash = purpose
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    Rng::new(seed ^ hash)
}

/// The generator of a seed for one purpose at step `step` of a run.
pub fn stream_at(seed: u64, purpose: &str, step: u64) -> Rng {
    Rng::new(stream(seed, purpose).next_u64() ^ step)
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
