//! `selvedge bench`: measures and prints.

use crate::bench::{Case, Measurement, PASSES, Record, bounds, cases, occupy_a_core, select, table};
use crate::cli::Bench;
use crate::error::{Error, ErrorKind, Result};
use crate::exit;
use crate::terminal::interrupt;
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
    interrupt::listen(exit::code(ErrorKind::Interrupted))?;
    let bar = bar(cases.iter().map(Case::passes).sum(), 0, true);
    let (mut output, mut entries, mut lines) = (Output::default(), Vec::new(), Vec::new());
    let mut log = |entry: Record, entries: &mut Vec<Record>| -> Result<()> {
        if args.json {
            bar.suspend(|| output.json(&entry))?;
        }
        entries.push(entry);
        Ok(())
    };
    let mut passes = vec![Vec::new(); cases.len()];
    for pass in (1..=PASSES).rev() {
        for (case, passes) in cases.iter().zip(&mut passes).filter(|(case, _)| case.passes() >= pass) {
            bar.set_prefix(case.to_string());
            bar.tick();
            let entry = case.measure()?;
            bar.inc(1);
            if interrupt::asked() {
                let message = "stopped; the same command measures again from the start";
                return Err(Error::new(ErrorKind::Interrupted, message));
            }
            match entry {
                Record::Measurement(line) => passes.push(line),
                other => log(other, &mut entries)?,
            }
            if pass == 1 && !passes.is_empty() {
                let line = Measurement::median_of(passes);
                lines.push(line.clone());
                log(Record::Measurement(line), &mut entries)?;
            }
        }
    }
    for bound in bounds(&lines) {
        log(Record::Bound(bound), &mut entries)?;
    }
    bar.finish_and_clear();
    if args.json { Ok(()) } else { output.line(table(&entries)) }
}
