//! Copies a table with more columns: what a model answered, beside the rows that it was asked.

use std::io::Write;
use std::path::Path;

use super::schema::Schema;
use super::source::Source;
use crate::error::{Error, Result};

/// Copies the table at `path`, which was read for `schema`, to `out`, with a header and the same character between cells.
/// `names` are the names of the new columns, `cells` gives those of each row, or `None` where they stay empty.
///
/// # Errors
/// `Data` where the table cannot be read, `Failed` where `out` cannot be written.
pub fn copy_with(
    path: &Path,
    schema: &Schema,
    names: &[String],
    cells: impl Fn(usize) -> Option<Vec<String>>,
    out: &mut dyn Write,
) -> Result<()> {
    let known: Vec<&str> = schema.features.iter().map(|f| &f.name[..]).collect();
    let source = Source::open(path, &known)?;
    let failed = |e: csv::Error| Error::failed(format!("cannot write the answers: {e}"));
    let mut writer = csv::WriterBuilder::new().delimiter(source.delimiter).from_writer(out);
    writer.write_record(source.names.iter().chain(names)).map_err(failed)?;
    let mut rows = source.rows()?;
    let mut n = 0;
    while let Some((record, _)) = rows.next()? {
        for cell in record {
            writer.write_field(cell).map_err(failed)?;
        }
        for cell in cells(n).unwrap_or_else(|| vec![String::new(); names.len()]) {
            writer.write_field(cell).map_err(failed)?;
        }
        writer.write_record(None::<&[u8]>).map_err(failed)?;
        n += 1;
    }
    writer.flush().map_err(|e| Error::failed(format!("cannot write the answers: {e}")))
}
