//! For which samples each hidden unit is not zero, as sets of bits.

use selvedge::format::ModelView;

use crate::data::Features;
use crate::error::Result;
use crate::quantize::plain::IntegerNetwork;

/// The hidden units of an integer network and the samples for which each is not zero.
#[derive(Debug)]
pub struct Activity {
    pub(super) samples: usize,
    /// By layer and unit, a bit for each sample.
    pub(super) layers: Vec<Vec<Vec<u64>>>,
}

impl Activity {
    /// Of the network of an integer file for the samples at `index`.
    ///
    /// # Errors
    /// `Model` for samples of another kind than the file takes.
    pub fn new(file: &ModelView<'_>, features: &Features, index: &[u32]) -> Result<Self> {
        let words = index.len().div_ceil(u64::BITS as usize);
        let hidden = file.layers().take(file.header().layers() - 1);
        let mut layers: Vec<_> = hidden.map(|layer| vec![vec![0; words]; layer.outputs()]).collect();
        let network = IntegerNetwork::new(file);
        for (at, &n) in index.iter().enumerate() {
            for (units, outputs) in layers.iter_mut().zip(network.layers(features, n as usize)?) {
                for (unit, _) in units.iter_mut().zip(outputs).filter(|(_, output)| *output != 0) {
                    unit[at / u64::BITS as usize] |= 1 << (at % u64::BITS as usize);
                }
            }
        }
        Ok(Self { samples: index.len(), layers })
    }

    /// The number of samples.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The number of hidden layers.
    pub fn layers(&self) -> usize {
        self.layers.len()
    }

    /// The number of units of a hidden layer.
    pub fn units(&self, l: usize) -> usize {
        self.layers[l].len()
    }

    /// The sets of the units of a hidden layer.
    pub(super) fn layer(&self, l: usize) -> &[Vec<u64>] {
        &self.layers[l]
    }

    /// Groups of `size` units of a hidden layer, counted over all samples, that are not all zero where the units stand in an
    /// order.
    pub fn nonzero(&self, l: usize, order: &[usize], size: usize) -> usize {
        order.chunks(size).map(|group| count(&union(&self.layers[l], group))).sum()
    }
}

/// The samples for which any unit of a group is not zero.
pub(super) fn union(sets: &[Vec<u64>], group: &[usize]) -> Vec<u64> {
    let mut union = vec![0; sets.first().map_or(0, Vec::len)];
    for &unit in group {
        union.iter_mut().zip(&sets[unit]).for_each(|(union, bits)| *union |= bits);
    }
    union
}

/// The size of a set.
pub(super) fn count(set: &[u64]) -> usize {
    set.iter().map(|bits| bits.count_ones() as usize).sum()
}
