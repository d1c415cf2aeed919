//! A whole layer on the cores whose assembly, or whose loops, compute four rows and no more.

use super::rows::{Inputs, Rows, Then};
use super::{Core, Multiplier, ThisCore};

/// Computes rows, four at a time, as many as `then` has room for; returns how many words of outputs are not zero.
#[inline(always)]
pub(super) fn layer<const I4: bool, R: Multiplier>(
    inputs: &Inputs<'_>,
    rows: &Rows<'_>,
    mut then: Then<'_, R>,
) -> usize {
    let (mut weights, mut count) = (rows.weights, 0);
    let groups = match &then {
        Then::Outputs(multipliers, to) => multipliers.len().min(to.len()),
        Then::Sums(to) => to.len(),
    };
    for (group, &[a, b, c, d]) in rows.biases.iter().take(groups).enumerate() {
        let Some((weights_of, rest)) = weights.split_at_checked(rows.words) else { break };
        weights = rest;
        let start = |bias: i32| ThisCore::start(i32::from_le(bias), inputs.sum);
        let first = [start(a), start(b), start(c), start(d)];
        let mut acc = if I4 { [0; 4] } else { first };
        if inputs.skipping {
            ThisCore::skipping::<I4>(inputs.list, weights_of, &mut acc);
        } else {
            ThisCore::dense::<I4>(inputs.list, weights_of, &mut acc);
        }
        if I4 {
            // A weight is sixteen nibbles.
            acc.iter_mut().zip(first).for_each(|(acc, first)| *acc = (*acc << 4).wrapping_add(first));
        }
        match &mut then {
            Then::Outputs(multipliers, to) => {
                let (Some(r), Some(to)) = (multipliers.get(group), to.get_mut(group)) else { break };
                *to = ThisCore::requantize_at_once(&acc, r);
                count += usize::from(*to != 0);
            }
            Then::Sums(to) => {
                let Some(to) = to.get_mut(group) else { break };
                *to = acc.map(ThisCore::logit);
            }
        }
    }
    count
}
