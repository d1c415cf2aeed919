//! The first pass over a table: what each column holds.

use std::collections::HashMap;

use super::cell::{self, Cell};
use super::columns::Columns;
use super::source::Source;
use crate::error::Result;

/// The number of distinct values of a column that are kept.
pub const MAX_VALUES: usize = 256;

/// What a column is looked at for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Not at all.
    Skip,
    /// Numbers or text, whichever there is.
    Values,
    /// Categories: numbers are names too.
    Names,
    /// Only whether a value is there.
    Presence,
}

/// What a column holds.
#[derive(Debug, Clone)]
pub struct Column {
    /// What it is looked at for.
    pub look: Look,
    /// Cells without a value.
    pub missing: usize,
    /// The byte of the first record without a value.
    pub first_missing: u64,
    /// Cells with a number.
    pub numbers: usize,
    /// Cells with text.
    pub texts: usize,
    /// The first text, and the byte of its record.
    pub first_text: Option<(u64, String)>,
    /// The first infinite number, and the byte of its record.
    pub infinite: Option<(u64, String)>,
    /// The distinct texts, or names, and how often each comes; at most [`MAX_VALUES`] + 1 of them.
    pub values: HashMap<String, usize>,
    /// The first number.
    pub first: f32,
    /// Whether all numbers are the first.
    pub constant: bool,
    /// Whether each number is one more than that of the row before.
    pub counts_rows: bool,
    /// A hash of all cells in their order.
    pub hash: u64,
}

impl Column {
    /// A column without cells.
    pub fn new(look: Look) -> Self {
        Self {
            look,
            missing: 0,
            first_missing: 0,
            numbers: 0,
            texts: 0,
            first_text: None,
            infinite: None,
            values: HashMap::new(),
            first: 0.0,
            constant: true,
            counts_rows: true,
            hash: 0,
        }
    }

    #[inline]
    fn hash(&mut self, bits: u64) {
        self.hash = (self.hash.rotate_left(5) ^ bits).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    /// Counts a number.
    #[inline]
    pub fn number(&mut self, value: f32, row: usize) {
        if self.numbers == 0 {
            self.first = value;
        }
        self.numbers += 1;
        self.constant &= value == self.first;
        self.counts_rows &= value == self.first + row as f32;
        self.hash(u64::from(value.to_bits()));
    }

    /// Counts a cell without a value in the record at `byte`.
    pub fn miss(&mut self, byte: u64) {
        if self.missing == 0 {
            self.first_missing = byte;
        }
        self.missing += 1;
        self.counts_rows = false;
        self.hash(1 << 40);
    }

    /// Counts a text of the record at `byte` whose name is counted elsewhere.
    pub fn text(&mut self, byte: u64, text: &str) {
        self.first_text.get_or_insert_with(|| (byte, text.into()));
        self.texts += 1;
        self.hash(1 << 41);
    }

    /// Counts the cells of the next rows, but for names and for whether they count rows.
    pub fn append(&mut self, next: &Self) {
        if self.missing == 0 {
            self.first_missing = next.first_missing;
        }
        if self.numbers == 0 {
            self.first = next.first;
        }
        self.constant &= next.constant && (next.numbers == 0 || next.first == self.first);
        self.missing += next.missing;
        self.numbers += next.numbers;
        self.texts += next.texts;
        self.first_text = self.first_text.take().or_else(|| next.first_text.clone());
        self.hash(next.hash);
    }

    /// Counts a name; `None` where it is not UTF-8.
    fn name(&mut self, bytes: &[u8]) -> Option<()> {
        let name = cell::name(bytes)?;
        let hash = name.bytes().fold(1, |h: u64, b| h.rotate_left(7) ^ u64::from(b));
        self.hash(hash.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        if let Some(count) = self.values.get_mut(&*name) {
            *count += 1;
        } else if self.values.len() <= MAX_VALUES {
            self.values.insert(name.into_owned(), 1);
        }
        Some(())
    }
}

/// The cells of a table of numbers, which need no second pass.
#[derive(Debug, Default)]
pub struct Numeric {
    /// The features: (rows, features); NaN where missing.
    pub features: Vec<f32>,
    /// The targets: (rows, targets).
    pub targets: Vec<f32>,
    /// The classes of a target that is text, in the order of appearance.
    pub classes: Vec<String>,
    /// The class of each row, if there are classes.
    pub codes: Vec<u32>,
    /// The group of each row, if there is a column of it, in the order of appearance.
    pub groups: Vec<u32>,
    /// The number of groups.
    pub group_count: usize,
    /// The time of each row, if there is a column of it.
    pub times: Vec<f64>,
}

impl Numeric {
    /// Memory for all lines of a table, if its columns may all be numbers and there is as much.
    fn reserve(source: &Source, columns: &Columns) -> Option<Self> {
        let special = columns.time.is_some() || columns.group.is_some() || !columns.categorical.is_empty();
        let lines = (!special).then(|| source.lines().ok())??.count;
        let mut numeric = Self::default();
        numeric.features.try_reserve_exact(lines.checked_mul(columns.features.len())?).ok()?;
        numeric.targets.try_reserve_exact(lines.checked_mul(columns.targets.len())?).ok()?;
        Some(numeric)
    }
}

/// What a table holds.
#[derive(Debug)]
pub struct Profile {
    /// Its columns.
    pub columns: Vec<Column>,
    /// The rows, without those left out.
    pub rows: usize,
    /// The rows that are left out, because a value is missing in them.
    pub dropped: usize,
    /// The rows with missing values, left out or not.
    pub with_missing: usize,
    /// The cells, where all are numbers or missing and no row is left out.
    pub numeric: Option<Numeric>,
}

impl Profile {
    /// Reads the whole table. With `drop_rows`, rows without a value in any column that is looked at are left out.
    ///
    /// # Errors
    /// `Data` where the table cannot be read, is ragged, or has text that is not UTF-8.
    pub fn new(source: &Source, columns: &Columns, drop_rows: bool) -> Result<Self> {
        let look = columns.look(source);
        let mut profile = Self {
            columns: look.iter().copied().map(Column::new).collect(),
            rows: 0,
            dropped: 0,
            with_missing: 0,
            numeric: if drop_rows { None } else { Numeric::reserve(source, columns) },
        };
        let mut numbers = vec![f32::NAN; look.len()];
        let used: Vec<usize> = (0..look.len()).filter(|&n| look[n] != Look::Skip).collect();
        let mut rows = source.rows()?;
        while let Some((record, byte)) = rows.next()? {
            if drop_rows && used.iter().any(|&n| cell::parse(&record[n]) == Cell::Missing) {
                profile.drop(record, &used);
                continue;
            }
            let mut missing = false;
            for &n in &used {
                let (column, cell) = (&mut profile.columns[n], &record[n]);
                match (cell::parse(cell), column.look) {
                    (Cell::Missing, _) => {
                        column.miss(byte);
                        numbers[n] = f32::NAN;
                        missing = true;
                    }
                    (_, Look::Presence) => {}
                    (Cell::Number(value), Look::Values) => {
                        column.number(value, profile.rows);
                        numbers[n] = value;
                    }
                    (Cell::Infinite, Look::Values) => {
                        profile.numeric = None;
                        let text = || String::from_utf8_lossy(cell.trim_ascii()).into_owned();
                        column.infinite.get_or_insert_with(|| (byte, text()));
                    }
                    (..) => {
                        profile.numeric = None;
                        column.name(cell).ok_or_else(|| source.not_utf8(byte, &source.names[n], cell))?;
                        column.texts += 1;
                        let text = || String::from_utf8_lossy(cell.trim_ascii()).into_owned();
                        column.first_text.get_or_insert_with(|| (byte, text()));
                    }
                }
            }
            if let Some(Numeric { features, targets, .. }) = &mut profile.numeric {
                features.extend(columns.features.iter().map(|&n| numbers[n]));
                targets.extend(columns.targets.iter().map(|&n| numbers[n]));
            }
            profile.with_missing += usize::from(missing);
            profile.rows += 1;
        }
        Ok(profile)
    }

    /// Counts a row that is left out.
    fn drop(&mut self, record: &csv::ByteRecord, used: &[usize]) {
        for &n in used {
            self.columns[n].missing += usize::from(cell::parse(&record[n]) == Cell::Missing);
        }
        self.dropped += 1;
        self.with_missing += 1;
    }
}
