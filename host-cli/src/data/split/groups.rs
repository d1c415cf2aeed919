//! The part of each group, so that every part comes near its share of every class.
//!
//! Groups are taken from the largest down, each to the part that it brings nearest to its share: the greedy choice of
//! scikit-learn's `StratifiedGroupKFold`, with shares that need not be equal.

use selvedge::Rng;

use super::{Part, SplitPlan, TestPart};
use crate::error::{Error, Result};

/// The part of each row. `by_class` are the rows of each class.
pub fn assign(
    by_class: &[Vec<u32>],
    names: &[String],
    groups: &[u32],
    plan: &SplitPlan,
    rng: &mut Rng,
) -> Result<Vec<Part>> {
    let count = groups.iter().max().map_or(0, |&g| g as usize + 1);
    // Rows of each class in each group.
    let mut rows = vec![vec![0usize; by_class.len()]; count];
    for (class, members) in by_class.iter().enumerate() {
        members.iter().for_each(|&row| rows[groups[row as usize] as usize][class] += 1);
    }
    let mut order: Vec<usize> = (0..count).filter(|&g| rows[g].iter().sum::<usize>() > 0).collect();
    plan.check(order.len(), "groups")?;
    rng.shuffle(&mut order);
    order.sort_by_key(|&g| std::cmp::Reverse(rows[g].iter().sum::<usize>()));

    let mut part_of = vec![Part::Train; count];
    let val = plan.val_fraction;
    match plan.test {
        TestPart::Fold { index, of } => {
            let fold_of = greedy(&order, &rows, &vec![1.0 / of as f64; of], None);
            let (test, rest): (Vec<usize>, Vec<usize>) = order.iter().partition(|&&g| fold_of[g] == index);
            test.iter().for_each(|&g| part_of[g] = Part::Test);
            // Validation is a fraction of all rows, and the rest is not all.
            let val = val * of as f64 / (of - 1) as f64;
            if rest.len() < plan.parts() - 1 {
                return Err(too_few(order.len()));
            }
            let chosen = greedy(&rest, &rows, &[1.0 - val, val], Some(0));
            rest.iter().filter(|&&g| chosen[g] == 1).for_each(|&g| part_of[g] = Part::Val);
        }
        _ => {
            let test = plan.test_fraction();
            let chosen = greedy(&order, &rows, &[1.0 - test - val, val, test], Some(0));
            let parts = [Part::Train, Part::Val, Part::Test];
            order.iter().for_each(|&g| part_of[g] = parts[chosen[g]]);
        }
    }
    for class in 0..by_class.len() {
        let trains = (0..count).any(|g| part_of[g] == Part::Train && rows[g][class] > 0);
        if !trains && !by_class[class].is_empty() {
            return Err(match names.get(class) {
                Some(name) => Error::data(format!(
                    "the class {name:?} is in too few groups to be in the training rows and in another part; add groups that \
                     have it, or split without --group"
                )),
                None => too_few(order.len()),
            });
        }
    }
    let is_empty = |part| order.iter().all(|&g| part_of[g] != part);
    if is_empty(Part::Test) && plan.test_fraction() > 0.0 || is_empty(Part::Val) && val > 0.0 {
        return Err(Error::data(format!(
            "the training rows need so many of the {} groups for their classes that none is left to validate or test on; add \
             groups, or split without --group",
            order.len()
        )));
    }
    Ok(groups.iter().map(|&g| part_of[g as usize]).collect())
}

fn too_few(groups: usize) -> Error {
    Error::data(format!("{groups} groups are too few for training, validation and test rows; add groups"))
}

/// The part of each group of `order`: none of the parts with a share is empty, and each class is in the part `whole`, if one
/// is named.
fn greedy(order: &[usize], rows: &[Vec<usize>], shares: &[f64], whole: Option<usize>) -> Vec<usize> {
    let classes = rows.first().map_or(0, Vec::len);
    let total: Vec<usize> = (0..classes).map(|c| order.iter().map(|&g| rows[g][c]).sum()).collect();
    let mut held = vec![vec![0usize; classes]; shares.len()];
    let mut part_of = vec![0; rows.len()];
    // How much farther from its share a part is with the group than without.
    let cost = |part: usize, group: usize, held: &[Vec<usize>]| -> f64 {
        let of_class = |c: usize| {
            let (have, more) = (held[part][c] as f64, rows[group][c] as f64);
            let want = shares[part] * total[c] as f64;
            more * (more + 2.0 * (have - want)) / (total[c] as f64).powi(2)
        };
        (0..classes).filter(|&c| total[c] > 0).map(of_class).sum()
    };
    for &group in order {
        // The only group with a class must train, or nothing learns the class.
        let only = (0..classes).any(|c| rows[group][c] > 0 && rows[group][c] == total[c]);
        let open = (0..shares.len()).filter(|&p| shares[p] > 0.0);
        let best = open.min_by(|&a, &b| cost(a, group, &held).total_cmp(&cost(b, group, &held))).unwrap_or(0);
        let part = whole.filter(|_| only).unwrap_or(best);
        part_of[group] = part;
        (0..classes).for_each(|c| held[part][c] += rows[group][c]);
    }
    if let Some(whole) = whole {
        for class in (0..classes).filter(|&c| total[c] > 0 && held[whole][c] == 0).collect::<Vec<_>>() {
            // The smallest group that has it.
            if let Some(&group) = order.iter().rev().find(|&&g| rows[g][class] > 0) {
                part_of[group] = whole;
            }
        }
    }
    for part in (0..shares.len()).filter(|&p| shares[p] > 0.0) {
        let in_part = |p: usize, part_of: &[usize]| order.iter().filter(|&&g| part_of[g] == p).count();
        if in_part(part, &part_of) == 0 {
            let most = (0..shares.len()).max_by_key(|&p| in_part(p, &part_of)).unwrap_or(0);
            // Groups are ordered from the largest: the smallest is moved, unless its part alone would keep one of its classes.
            let spare = |&&g: &&usize| {
                let others = |c: usize| order.iter().any(|&o| o != g && part_of[o] == most && rows[o][c] > 0);
                part_of[g] == most
                    && (Some(most) != whole || (0..classes).all(|c| rows[g][c] == 0 || others(c)))
            };
            if in_part(most, &part_of) > 1
                && let Some(&group) = order.iter().rev().find(spare)
            {
                part_of[group] = part;
            }
        }
    }
    part_of
}
