//! One pass over a table of numbers: blocks of whole lines, parsed on all cores and joined in their order.
//!
//! Most large tables need no second look: no quotes, features that are numbers or missing, a target of numbers or of names.
//! For these a cell is parsed where it stands, without a record around it. Whatever else a table holds, errors included, is
//! left to [`Profile::new`], which reads records of the crate `csv` and says what is wrong: this module only says that it is
//! not for it. Blocks divide the text by its bytes alone, so the result does not depend on the number of threads.

mod text;

use std::collections::HashMap;
use std::sync::mpsc;
use std::thread;

use super::cell::{self, Cell};
use super::columns::Columns;
use super::profile::{Column, Look, MAX_VALUES, Numeric, Profile};
use super::source::Source;
use crate::error::Result;
use text::{Block, Blocks};

/// The text of a block: with what it becomes it fits into an L2 cache.
const BLOCK_BYTES: usize = 1 << 18;
/// The blocks that each thread has before it, so that it never waits for the one that reads.
const BLOCKS_AHEAD: usize = 2;
/// More threads than this only wait for the file.
const MAX_THREADS: usize = 8;

/// Reads the whole table, in blocks if it is one of numbers. With `drop_rows`, rows without a value in any column that is
/// looked at are left out.
///
/// # Errors
/// `Data` where the table cannot be read, is ragged, or has text that is not UTF-8.
pub fn profile(source: &Source, columns: &Columns, drop_rows: bool) -> Result<Profile> {
    match of_numbers(source, columns, drop_rows, BLOCK_BYTES) {
        Some(profile) => Ok(profile),
        None => Profile::new(source, columns, drop_rows),
    }
}

/// What becomes of a column's cells.
#[derive(Debug, Clone, Copy)]
enum Place {
    Skip,
    Feature(usize),
    Target(usize),
    Group,
    Time,
}

/// Names as numbers from 0 in the order of their appearance.
#[derive(Debug, Default)]
struct Names {
    index: HashMap<Vec<u8>, u32>,
    /// The names, and how often each comes.
    list: Vec<(Vec<u8>, usize)>,
    /// The number of each row's name.
    codes: Vec<u32>,
}

impl Names {
    fn code(&mut self, name: &[u8], times: usize) -> u32 {
        let code = match self.index.get(name) {
            Some(&code) => code,
            None => {
                let next = self.list.len() as u32;
                self.index.insert(name.to_vec(), next);
                self.list.push((name.to_vec(), 0));
                next
            }
        };
        self.list[code as usize].1 += times;
        code
    }

    fn push(&mut self, name: &[u8]) {
        let code = self.code(name, 1);
        self.codes.push(code);
    }

    fn append(&mut self, other: &Self) {
        let codes: Vec<u32> = other.list.iter().map(|(name, times)| self.code(name, *times)).collect();
        self.codes.extend(other.codes.iter().map(|&code| codes[code as usize]));
    }
}

/// The rows of a block, or of all blocks so far.
#[derive(Debug)]
struct Part {
    rows: usize,
    with_missing: usize,
    columns: Vec<Column>,
    features: Vec<f32>,
    targets: Vec<f32>,
    classes: Names,
    groups: Names,
    times: Vec<f64>,
}

/// How lines become rows.
#[derive(Debug)]
struct Parser {
    delimiter: u8,
    look: Vec<Look>,
    /// Of each column of the file.
    places: Vec<Place>,
    features: usize,
    targets: usize,
    drop_rows: bool,
}

/// The table, if it is one that needs no second look.
fn of_numbers(source: &Source, columns: &Columns, drop_rows: bool, block_bytes: usize) -> Option<Profile> {
    if !columns.categorical.is_empty() {
        return None;
    }
    let lines = source.lines().ok()?;
    if lines.quotes || u32::try_from(lines.count).is_err() {
        return None;
    }
    let parser = Parser::new(source, columns, drop_rows)?;
    let mut whole = parser.part();
    whole.features.try_reserve_exact(lines.count.checked_mul(parser.features)?).ok()?;
    whole.targets.try_reserve_exact(lines.count.checked_mul(parser.targets)?).ok()?;
    let mut blocks = Blocks::new(source, block_bytes)?;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let threads = cores.min(MAX_THREADS).min(1 + lines.count / 1000);
    if threads == 1 {
        while let Some(block) = blocks.next()? {
            whole.append(&parser.block(&block)?, columns)?;
        }
    } else {
        parser.on_threads(threads, &mut blocks, |part| whole.append(&part, columns))?;
    }
    whole.into_profile()
}

impl Parser {
    /// `None` where a column has two uses.
    fn new(source: &Source, columns: &Columns, drop_rows: bool) -> Option<Self> {
        let mut places = vec![Place::Skip; source.names.len()];
        columns.time.iter().for_each(|&n| places[n] = Place::Time);
        columns.group.iter().for_each(|&n| places[n] = Place::Group);
        columns.features.iter().enumerate().for_each(|(at, &n)| places[n] = Place::Feature(at));
        columns.targets.iter().enumerate().for_each(|(at, &n)| places[n] = Place::Target(at));
        let (features, targets) = (columns.features.len(), columns.targets.len());
        let uses = features + targets + columns.time.iter().len() + columns.group.iter().len();
        let parser = Self {
            delimiter: source.delimiter,
            look: columns.look(source),
            places,
            features,
            targets,
            drop_rows,
        };
        let used = parser.places.iter().filter(|place| !matches!(place, Place::Skip)).count();
        (used == uses).then_some(parser)
    }

    fn part(&self) -> Part {
        Part {
            rows: 0,
            with_missing: 0,
            columns: self.look.iter().copied().map(Column::new).collect(),
            features: Vec::new(),
            targets: Vec::new(),
            classes: Names::default(),
            groups: Names::default(),
            times: Vec::new(),
        }
    }

    /// Parses blocks on threads, each of which takes its turn, and gives away what they become in their order.
    fn on_threads(
        &self,
        threads: usize,
        blocks: &mut Blocks<'_>,
        mut done: impl FnMut(Part) -> Option<()>,
    ) -> Option<()> {
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|_| {
                    let (to, from_reader) = mpsc::channel::<Block>();
                    let (to_reader, from) = mpsc::channel();
                    scope.spawn(move || {
                        // The reader leaves early where one block is not for it.
                        from_reader.iter().all(|block| to_reader.send(self.block(&block)).is_ok());
                    });
                    (to, from)
                })
                .collect();
            let (mut sent, mut received, mut more) = (0, 0, true);
            while more || received < sent {
                while more && sent < received + threads * BLOCKS_AHEAD {
                    match blocks.next()? {
                        Some(block) => workers[sent % threads].0.send(block).ok()?,
                        None => more = false,
                    }
                    sent += usize::from(more);
                }
                if received < sent {
                    done(workers[received % threads].1.recv().ok()??)?;
                    received += 1;
                }
            }
            Some(())
        })
    }

    /// The rows of a block; `None` where it has what this module is not for.
    fn block(&self, block: &Block) -> Option<Part> {
        let (mut part, text) = (self.part(), &block.text[..]);
        let mut at = block.skip;
        while at < text.len() {
            if text[at] == b'\n' || text[at] == b'\r' {
                at += 1;
            } else {
                at += self.row(&text[at..], block.byte + at as u64, &mut part)?;
            }
        }
        Some(part)
    }

    /// Parses the line at the start of `text`, which is at `byte` of the table, and says how long it is.
    fn row(&self, text: &[u8], byte: u64, part: &mut Part) -> Option<usize> {
        let (features, targets) = (part.features.len(), part.targets.len());
        part.features.resize(features + self.features, f32::NAN);
        part.targets.resize(targets + self.targets, f32::NAN);
        let (mut at, mut missing) = (0, false);
        for (n, place) in self.places.iter().enumerate() {
            let (cell, length) = match place {
                Place::Feature(_) | Place::Target(_) => number(&text[at..], self.delimiter)?,
                _ => (Cell::Text, cell_length(&text[at..], self.delimiter)?),
            };
            let (bytes, end) = (&text[at..at + length], at + length);
            let is_last = n + 1 == self.places.len();
            if (text[end] == self.delimiter) == is_last {
                // A blank line among several columns is no row.
                let blank = n == 0 && !is_last && bytes.trim_ascii().is_empty();
                part.features.truncate(features);
                part.targets.truncate(targets);
                return blank.then_some(end);
            }
            let column = &mut part.columns[n];
            match (place, cell) {
                (Place::Skip, _) => {}
                (&Place::Feature(i), Cell::Number(value)) => {
                    column.number(value, part.rows);
                    part.features[features + i] = value;
                }
                (&Place::Target(i), Cell::Number(value)) => {
                    column.number(value, part.rows);
                    part.targets[targets + i] = value;
                }
                (Place::Feature(_) | Place::Target(_), Cell::Missing) => {
                    column.miss(byte);
                    missing = true;
                }
                (Place::Target(_), Cell::Text) if self.targets == 1 => {
                    let name = bytes.trim_ascii();
                    column.text(byte, std::str::from_utf8(name).ok()?);
                    part.classes.push(name);
                }
                (Place::Group, _) if cell::parse(bytes) != Cell::Missing => {
                    part.groups.push(bytes.trim_ascii());
                }
                (Place::Time, _) => part.times.push(cell::seconds(&String::from_utf8_lossy(bytes))?),
                _ => return None,
            }
            at = end + 1;
        }
        if missing && self.drop_rows {
            return None;
        }
        part.with_missing += usize::from(missing);
        part.rows += 1;
        // The byte that ends the line.
        Some(at)
    }
}

/// The cell at the start of `text`, and its length. Nearly all cells are a plain number up to the separator.
#[inline]
fn number(text: &[u8], delimiter: u8) -> Option<(Cell, usize)> {
    if matches!(text.first(), Some(b'0'..=b'9' | b'+' | b'-' | b'.'))
        && let Ok((value, length)) = fast_float2::parse_partial::<f32, _>(text)
        && let Some(&end) = text.get(length)
        && (end == delimiter || end == b'\n' || end == b'\r')
        && value.is_finite()
    {
        return Some((Cell::Number(value), length));
    }
    let length = cell_length(text, delimiter)?;
    Some((cell::parse(&text[..length]), length))
}

fn cell_length(text: &[u8], delimiter: u8) -> Option<usize> {
    memchr::memchr3(delimiter, b'\n', b'\r', text)
}

impl Part {
    /// Appends the rows of the next block.
    fn append(&mut self, next: &Self, columns: &Columns) -> Option<()> {
        for (column, more) in self.columns.iter_mut().zip(&next.columns) {
            column.append(more);
        }
        let width = columns.features.len();
        for (i, &n) in columns.features.iter().enumerate() {
            let column = &mut self.columns[n];
            let mut values = next.features.iter().skip(i).step_by(width).zip(self.rows..);
            // The number of its first row is what a block does not know.
            column.counts_rows = column.counts_rows && values.all(|(v, row)| *v == column.first + row as f32);
        }
        self.features.extend_from_slice(&next.features);
        self.targets.extend_from_slice(&next.targets);
        self.times.extend_from_slice(&next.times);
        self.groups.append(&next.groups);
        self.classes.append(&next.classes);
        self.rows += next.rows;
        self.with_missing += next.with_missing;
        // A target is either classes or numbers, and classes are few.
        let classes = self.classes.list.len();
        (classes <= MAX_VALUES && (classes == 0 || self.classes.codes.len() == self.rows)).then_some(())
    }

    fn into_profile(mut self) -> Option<Profile> {
        if let Some(column) = self.columns.iter_mut().find(|column| column.texts > 0) {
            for (name, count) in &self.classes.list {
                column.values.insert(String::from_utf8(name.clone()).ok()?, *count);
            }
        }
        let classes = self.classes.list.into_iter().map(|(name, _)| String::from_utf8(name).ok());
        let numeric = Numeric {
            features: self.features,
            targets: self.targets,
            classes: classes.collect::<Option<_>>()?,
            codes: self.classes.codes,
            groups: self.groups.codes,
            group_count: self.groups.list.len(),
            times: self.times,
        };
        Some(Profile {
            columns: self.columns,
            rows: self.rows,
            dropped: 0,
            with_missing: self.with_missing,
            numeric: Some(numeric),
        })
    }
}

#[cfg(test)]
mod tests;
