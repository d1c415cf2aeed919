//! What the rows of a table are to be answered with: classes or numbers.

use std::collections::BTreeSet;

use super::schema::Schema;
use crate::error::{Error, Result};

/// The distinct numbers of a target that are counted, at most.
const MAX_DISTINCT: usize = 257;

/// The targets of the rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// No target column.
    None,
    /// One target, a class.
    Text {
        /// The classes, sorted.
        names: Vec<String>,
        /// The index of each row's class.
        codes: Vec<u32>,
    },
    /// One or several targets, numbers.
    Numbers(Numbers),
}

/// Targets that are numbers, and what tells whether they are classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbers {
    /// The numbers: (rows, targets).
    pub values: Vec<f32>,
    /// The targets of a row.
    pub targets: usize,
    /// Whether all are integers.
    pub integers: bool,
    /// Whether all are 0 or 1.
    pub binary: bool,
    /// The distinct numbers; 257 stands for more.
    pub distinct: usize,
}

impl Numbers {
    /// Numbers of `targets` columns, row by row.
    pub fn new(values: Vec<f32>, targets: usize) -> Self {
        let mut distinct = BTreeSet::new();
        for value in &values {
            // Zero has two patterns of bits.
            if distinct.insert((value + 0.0).to_bits()) && distinct.len() == MAX_DISTINCT {
                break;
            }
        }
        let integers = values.iter().all(|v| v.fract() == 0.0);
        let binary = values.iter().all(|v| [0.0, 1.0].contains(v));
        Self { targets, integers, binary, distinct: distinct.len(), values }
    }
}

impl Target {
    /// The same targets of some rows, in the order of `rows`.
    #[must_use]
    pub fn of_rows(&self, rows: &[u32]) -> Self {
        match self {
            Self::None => Self::None,
            Self::Text { names, codes } => {
                let codes = rows.iter().map(|&row| codes[row as usize]).collect();
                Self::Text { names: names.clone(), codes }
            }
            Self::Numbers(Numbers { values, targets, .. }) => {
                let of_row = |row: &u32| &values[*row as usize * targets..][..*targets];
                Self::Numbers(Numbers::new(rows.iter().flat_map(of_row).copied().collect(), *targets))
            }
        }
    }

    /// Makes classes of one target of integers, named by them and sorted, and puts their names into the schema. Classes stay.
    ///
    /// # Errors
    /// `Data` where there is no target or several, fractions, one number only, or more than 256.
    pub fn classify(&mut self, schema: &mut Schema) -> Result<()> {
        let numbers = match self {
            Self::Text { .. } => return Ok(()),
            Self::Numbers(numbers) if numbers.targets == 1 => numbers,
            _ => return Err(Error::data("classes need one target column; name it with --target")),
        };
        let name = &schema.targets[0];
        let exact = |v: &f32| v.fract() == 0.0 && v.abs() < 16_777_216.0;
        if let Some(value) = numbers.values.iter().find(|v| !exact(v)) {
            return Err(Error::data(format!(
                "the target {name:?} has the value {value}, which is no class; `--categorical {name}` makes a class of each \
                 value, `--task regress` predicts the numbers"
            )));
        }
        let distinct: BTreeSet<i32> = numbers.values.iter().map(|&v| v as i32).collect();
        if !(2..MAX_DISTINCT).contains(&distinct.len()) {
            return Err(Error::data(format!(
                "the target {name:?} has {} distinct values, and a classifier needs 2 to 256 classes; name another with \
                 --target, or predict the numbers with `--task regress`",
                distinct.len()
            )));
        }
        let sorted: Vec<i32> = distinct.into_iter().collect();
        let code = |v: &f32| sorted.partition_point(|&class| class < *v as i32) as u32;
        let codes = numbers.values.iter().map(code).collect();
        let names: Vec<String> = sorted.iter().map(i32::to_string).collect();
        schema.classes.clone_from(&names);
        *self = Self::Text { names, codes };
        Ok(())
    }
}
