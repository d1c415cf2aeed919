//! Groups of units that are active for the same samples, chosen greedily.
//!
//! A group starts with the unit that is active least, and takes the unit three times that adds the fewest samples to those for
//! which the group is active. Groups become blocks in the same way, so that one order serves cores that skip either. Where
//! units or groups are equally good, the earlier one goes first: the same sets always give the same order.

use super::activity::{count, union};
use super::{BLOCK, GROUP};

/// Units that are compared for a place in a group: beyond that many, the least active ones. It bounds the time of layers that are
/// wider than a few thousand units, which would grow with the square of their width.
const CANDIDATES: usize = 2048;

/// An order of units, each with the samples for which it is active.
pub(super) fn order(sets: &[Vec<u64>]) -> Vec<usize> {
    let groups = grouped(sets, GROUP);
    // What is left of the division by four fills no group, and must stay at the end.
    let whole = sets.len() / GROUP;
    let unions: Vec<Vec<u64>> = groups[..whole].iter().map(|group| union(sets, group)).collect();
    let blocks = grouped(&unions, BLOCK / GROUP).into_iter().flatten();
    blocks.chain(whole..groups.len()).flat_map(|group| groups[group].iter().copied()).collect()
}

/// Groups of `size` sets, the last of which has what is left.
fn grouped(sets: &[Vec<u64>], size: usize) -> Vec<Vec<usize>> {
    let mut free: Vec<usize> = (0..sets.len()).collect();
    free.sort_by_key(|&set| count(&sets[set]));
    let mut groups = Vec::with_capacity(sets.len().div_ceil(size));
    while !free.is_empty() {
        let first = free.remove(0);
        let (mut group, mut samples) = (vec![first], sets[first].clone());
        while group.len() < size {
            let candidates = free.iter().take(CANDIDATES).enumerate();
            let Some((at, _)) = candidates.min_by_key(|&(_, &set)| added(&samples, &sets[set])) else {
                break;
            };
            let next = free.remove(at);
            samples.iter_mut().zip(&sets[next]).for_each(|(samples, bits)| *samples |= bits);
            group.push(next);
        }
        groups.push(group);
    }
    groups
}

/// How many samples of `set` are not in `samples`.
fn added(samples: &[u64], set: &[u64]) -> u32 {
    samples.iter().zip(set).map(|(samples, bits)| (bits & !samples).count_ones()).sum()
}

#[cfg(test)]
mod tests {
    use super::order;

    #[test]
    fn quiet_units_come_first_and_an_incomplete_group_last() {
        // Units 2 and 5 are never active, 0 and 6 for the same sample, 1, 3, 4 for three others.
        let sets: Vec<Vec<u64>> = [1, 0b1110, 0, 0b0010, 0b0100, 0, 1].map(|bits| vec![bits]).into();
        assert_eq!(order(&sets), [2, 5, 0, 6, 3, 4, 1]);
        // Of equals, the earlier ones go first.
        assert_eq!(order(&vec![vec![1]; 21]), (0..21).collect::<Vec<_>>());
        assert!(order(&[]).is_empty());
    }
}
