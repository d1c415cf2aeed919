//! How a table is written, from its first records: the separator of its cells, and whether the first record names them.

use csv::ByteRecord;

use super::cell::{self, Cell};

/// The separators in the order of preference: a comma is also a decimal comma, and more likely part of a text.
const DELIMITERS: [u8; 3] = *b"\t;,";

/// Records that are examined.
const RECORDS: usize = 200;

/// The records of a table's first bytes. The last one is left out where the bytes may end inside it.
pub fn records(head: &[u8], whole: bool, delimiter: u8) -> Vec<ByteRecord> {
    let mut builder = csv::ReaderBuilder::new();
    let mut reader = builder.has_headers(false).flexible(true).delimiter(delimiter).from_reader(head);
    let mut records: Vec<_> = reader.byte_records().take(RECORDS + 1).map_while(Result::ok).collect();
    if records.len() > RECORDS || !whole && records.len() > 1 {
        records.pop();
    }
    let blank = |record: &ByteRecord| record.len() == 1 && record[0].trim_ascii().is_empty();
    records.retain(|record| !blank(record));
    records
}

/// The separator with which the most records have the same number of cells, two or more; a comma if none has.
pub fn delimiter(head: &[u8], whole: bool) -> u8 {
    let mut best = (0.0, b',');
    for delimiter in DELIMITERS {
        let records = records(head, whole, delimiter);
        let mut lengths: Vec<usize> = records.iter().map(ByteRecord::len).collect();
        lengths.sort_unstable();
        let runs = lengths.chunk_by(|a, b| a == b).filter(|run| run[0] > 1);
        let equal = runs.map(<[usize]>::len).max().unwrap_or(0) as f64 / records.len().max(1) as f64;
        if equal > best.0 {
            best = (equal, delimiter);
        }
    }
    best.1
}

/// Whether a record holds all of these names of columns.
pub fn has_names(first: &ByteRecord, known: &[&str]) -> bool {
    let is_there = |name: &&str| first.iter().any(|cell| cell.trim_ascii() == name.as_bytes());
    !known.is_empty() && known.iter().all(is_there)
}

/// Whether the first of the records names the columns: where it has text above numbers; in a table of text alone, where none
/// of its cells comes again below it. Notes what is not certain.
pub fn is_there(records: &[ByteRecord], notes: &mut Vec<String>) -> bool {
    let (first, below) = (&records[0], &records[1..]);
    let text = |cell: &[u8]| String::from_utf8_lossy(cell.trim_ascii()).into_owned();
    let mut numeric = Vec::new();
    for (n, cell) in first.iter().enumerate() {
        let cells = below.iter().filter_map(|record| record.get(n)).map(cell::parse);
        let filled: Vec<Cell> = cells.filter(|cell| *cell != Cell::Missing).collect();
        let numbers = filled.iter().filter(|cell| matches!(cell, Cell::Number(_) | Cell::Infinite)).count();
        // A single slip further down is for the reader to report, not a reason to lose the header.
        if numbers > 0 && numbers * 10 >= filled.len() * 9 {
            numeric.push(cell);
        }
    }
    let is_text = |cell: &&&[u8]| cell::parse(cell) == Cell::Text;
    if let Some(name) = numeric.iter().find(is_text) {
        if numeric.iter().any(|cell| matches!(cell::parse(cell), Cell::Number(_))) {
            notes.push(format!(
                "the first line is taken as names of the columns, because {:?} stands above numbers",
                text(name)
            ));
        }
        return true;
    }
    let counted = |from: usize| {
        first.len() - from > 1
            && first
                .iter()
                .skip(from)
                .enumerate()
                .all(|(n, cell)| cell.trim_ascii() == n.to_string().as_bytes())
    };
    let index = usize::from(first[0].trim_ascii().is_empty());
    if !below.is_empty() && counted(index) {
        notes.push("the first line counts the columns from 0: it is taken as their names".into());
        return true;
    }
    if !numeric.is_empty() {
        notes.push("no names of columns in the first line: they are called column_1, column_2, …".into());
        return false;
    }
    // Text or nothing in every column.
    let all_text = first.iter().all(|cell| cell::parse(cell) == Cell::Text);
    let again = first.iter().enumerate().any(|(n, cell)| below.iter().any(|row| row.get(n) == Some(cell)));
    let header = all_text && !again;
    notes.push(if header {
        "the first line is taken as names of the columns: nothing in it comes again below".into()
    } else {
        "the first line is taken as data: the columns are called column_1, column_2, …".into()
    });
    header
}
