//! `selvedge bench`: measures and prints.

use crate::bench::{Entry, bounds, cases, occupy_a_core, select, table};
use crate::cli::Bench;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::terminal::{Output, bar};

/// Measures what the filter leaves.
///
/// # Errors
/// As the command line documents.
pub fn run(args: &Bench) -> Result<()> {
    if args.occupy_a_core {
        occupy_a_core();
        return Ok(());
    }
    let cases = select(cases(), args.filter.as_deref().unwrap_or(""))?;
    interrupt::listen()?;
    let bar = bar(cases.len(), true);
    let (mut output, mut entries, mut lines) = (Output::default(), Vec::new(), Vec::new());
    let mut say = |entry: Entry, entries: &mut Vec<Entry>| -> Result<()> {
        if args.json {
            bar.suspend(|| output.json(&entry))?;
        }
        entries.push(entry);
        Ok(())
    };
    for case in &cases {
        bar.set_prefix(case.to_string());
        bar.tick();
        let entry = case.measure()?;
        if interrupt::asked() {
            return Err(Error::failed("stopped"));
        }
        if let Entry::Line(line) = &entry {
            lines.push(line.clone());
        }
        say(entry, &mut entries)?;
        bar.inc(1);
    }
    for bound in bounds(&lines) {
        say(Entry::Bound(bound), &mut entries)?;
    }
    bar.finish_and_clear();
    if args.json { Ok(()) } else { output.line(table(&entries)) }
}
