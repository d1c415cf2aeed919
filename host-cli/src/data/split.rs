//! Splits rows into training, validation and test rows: balanced by class, or with whole groups on one side.
//!
//! Rows of one subject, board or session are alike, so a model that saw some of them answers the others better than those of
//! a stranger. Where groups are given, no group is in two parts. Nothing here is random but the generator that the caller
//! lends: the same state gives the same parts.

mod groups;

use selvedge::Rng;

use crate::error::{Error, Result};

/// The rows of each part: ascending, disjoint, together all rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parts {
    /// The rows to train on.
    pub train: Vec<u32>,
    /// The rows to stop and choose by.
    pub val: Vec<u32>,
    /// The rows to test on.
    pub test: Vec<u32>,
}

/// How to split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SplitPlan {
    /// The test rows.
    pub test: TestPart,
    /// Validation rows as a fraction of all rows; 0 for none.
    pub val_fraction: f64,
}

/// Which rows are test rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TestPart {
    /// A fraction of all rows.
    Fraction(f64),
    /// None: they are in a file of their own.
    None,
    /// Part `index` of `of`. With the generator in the same state for each index, the parts are disjoint and together all rows.
    Fold {
        /// Which part, from 0.
        index: usize,
        /// The number of parts.
        of: usize,
    },
}

/// The class of each row and the names of the classes.
#[derive(Debug, Clone, Copy)]
pub struct Classes<'a> {
    /// An index into `names` for each row.
    pub codes: &'a [u32],
    /// The names.
    pub names: &'a [String],
}

impl SplitPlan {
    /// 15 % of the rows to test on, 15 % to validate on.
    pub const DEFAULT: Self = Self { test: TestPart::Fraction(0.15), val_fraction: 0.15 };

    /// Test rows as a fraction of all.
    fn test_fraction(&self) -> f64 {
        match self.test {
            TestPart::Fraction(fraction) => fraction,
            TestPart::None => 0.0,
            TestPart::Fold { of, .. } => 1.0 / of as f64,
        }
    }

    /// The number of parts that must not be empty.
    fn parts(&self) -> usize {
        1 + usize::from(self.test_fraction() > 0.0) + usize::from(self.val_fraction > 0.0)
    }

    fn check(&self, units: usize, what: &str) -> Result<()> {
        let is_fraction = |f: f64| (0.0..1.0).contains(&f);
        if let TestPart::Fold { index, of } = self.test
            && (of < 2 || index >= of)
        {
            return Err(Error::usage(format!("there is no fold {index} of {of}; --folds takes 2 or more")));
        }
        let (test, val) = (self.test_fraction(), self.val_fraction);
        if !is_fraction(test) || !is_fraction(val) || test + val >= 1.0 {
            return Err(Error::usage(format!(
                "{test} of the rows to test on and {val} to validate on leave none to train on; the two fractions must be 0 \
                 or more and less than 1 together"
            )));
        }
        let folds = if let TestPart::Fold { of, .. } = self.test { of } else { 0 };
        let needed = self.parts().max(folds);
        if units < needed {
            return Err(Error::data(format!(
                "there are {units} {what}, too few for {needed} parts; add data, or {}",
                if folds > units { "take fewer --folds" } else { "name test rows with --test" }
            )));
        }
        Ok(())
    }
}

/// Splits `rows` rows. Each class is in each part where it has enough rows, and always in the training rows; with groups, the
/// classes are balanced as well as whole groups allow.
///
/// # Errors
/// `Data` where a class has one row or is in one group only, or where there are too few rows or groups; `Usage` where the plan
/// leaves no training rows.
///
/// # Panics
/// If classes or groups are not one for each row, or a class has no name.
pub fn split(
    rows: usize,
    classes: Option<Classes<'_>>,
    groups: Option<&[u32]>,
    plan: &SplitPlan,
    rng: &mut Rng,
) -> Result<Parts> {
    assert!(
        classes.is_none_or(|c| c.codes.len() == rows) && groups.is_none_or(|g| g.len() == rows),
        "one each"
    );
    plan.check(rows, "rows")?;
    let names = classes.map_or(&[][..], |c| c.names);
    let class_of = |row: usize| classes.map_or(0, |c| c.codes[row] as usize);
    let mut by_class = vec![Vec::new(); names.len().max(1)];
    (0..rows).for_each(|row| by_class[class_of(row)].push(row as u32));
    if plan.parts() > 1
        && let Some(class) = by_class.iter().position(|rows| rows.len() == 1 && classes.is_some())
    {
        return Err(Error::data(format!(
            "the class {:?} has one row only, and needs one to train on and one to test on; add rows of it, or take it out",
            names[class]
        )));
    }
    let part_of = match groups {
        Some(groups) => groups::assign(&by_class, names, groups, plan, rng)?,
        None => by_rows(rows, &mut by_class, plan, rng),
    };
    let mut parts = Parts::default();
    for (row, part) in part_of.into_iter().enumerate() {
        let rows = match part {
            Part::Train => &mut parts.train,
            Part::Val => &mut parts.val,
            Part::Test => &mut parts.test,
        };
        rows.push(row as u32);
    }
    Ok(parts)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Train,
    Val,
    Test,
}

/// The part of each row, class by class.
fn by_rows(rows: usize, by_class: &mut [Vec<u32>], plan: &SplitPlan, rng: &mut Rng) -> Vec<Part> {
    let mut part_of = vec![Part::Train; rows];
    let mut before = 0;
    for class in by_class {
        rng.shuffle(class);
        let n = class.len();
        let is_test: Vec<bool> = match plan.test {
            // Counted on over the classes, so that the folds of small classes are not all of the first rows.
            TestPart::Fold { index, of } => (0..n).map(|i| (before + i) % of == index).collect(),
            _ => {
                let test = portion(n, plan.test_fraction(), usize::from(n > 1));
                (0..n).map(|i| i < test).collect()
            }
        };
        before += n;
        let rest = n - is_test.iter().filter(|test| **test).count();
        let mut val = portion(n, plan.val_fraction, usize::from(rest > 1)).min(rest.saturating_sub(1));
        for (&row, test) in class.iter().zip(is_test) {
            part_of[row as usize] = match (test, val) {
                (true, _) => Part::Test,
                (false, 0) => Part::Train,
                (false, _) => {
                    val -= 1;
                    Part::Val
                }
            };
        }
    }
    part_of
}

/// A fraction of `n` rows, rounded: at least `least` if it is any, and never all.
fn portion(n: usize, fraction: f64, least: usize) -> usize {
    if fraction <= 0.0 {
        return 0;
    }
    ((n as f64 * fraction).round() as usize).max(least).min(n.saturating_sub(1))
}

#[cfg(test)]
mod tests;
