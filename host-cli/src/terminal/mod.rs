//! Terminal output: results on stdout, messages and progress on stderr.
//!
//! A line that is wider than the terminal is broken between its fields, and a table between its columns. Where the output is
//! not a terminal, lines are never broken.

mod draw;
mod histogram;
pub mod interrupt;
mod wrap;

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use comfy_table::CellAlignment;
use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressState, ProgressStyle};
use serde::Serialize;

use crate::error::{Error, Result, why};

/// Results on stdout. A broken pipe is not an error: the rest is not printed.
#[derive(Debug, Default)]
pub struct Output {
    broken_pipe: bool,
}

impl Output {
    /// Prints one or more lines for people.
    ///
    /// # Errors
    /// As [`raw`](Self::raw).
    pub fn line(&mut self, text: impl AsRef<str>) -> Result<()> {
        self.raw(wrap::lines(text.as_ref(), wrap::of_stdout()))
    }

    /// Prints one or more lines without breaking them: output for a program or a shell.
    ///
    /// # Errors
    /// `Failed` where stdout cannot be written, except for a broken pipe.
    pub fn raw(&mut self, text: impl AsRef<str>) -> Result<()> {
        if self.broken_pipe {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        match writeln!(stdout, "{}", text.as_ref()).and_then(|()| stdout.flush()) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {
                self.broken_pipe = true;
                Ok(())
            }
            Err(e) => Err(Error::failed(format!("cannot write to stdout: {}", why(&e)))),
            Ok(()) => Ok(()),
        }
    }

    /// Prints a JSON object on one line.
    ///
    /// # Errors
    /// As [`line`](Self::line).
    pub fn json(&mut self, value: &impl Serialize) -> Result<()> {
        self.raw(serde_json::to_string(value).map_err(|e| Error::failed(e.to_string()))?)
    }
}

/// Prints a message on stderr. A closed stderr is ignored, where `eprintln!` would panic.
pub fn log(text: impl Display) {
    log_raw(wrap::lines(&text.to_string(), wrap::of_stderr()));
}

/// Prints a message on stderr without breaking its line: output for a program.
pub fn log_raw(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// The warnings of a command: printed on stderr at once, and kept for the `warnings` of its JSON.
#[derive(Debug, Default)]
pub struct Warnings(Vec<String>);

impl Warnings {
    /// Adds a warning. `text` is one line without a full stop: what was found or assumed, and how to change that.
    pub fn add(&mut self, text: impl Into<String>) {
        let text = text.into();
        log(format!("warning: {text}"));
        self.0.push(text);
    }

    /// The warnings so far.
    pub fn list(&self) -> &[String] {
        &self.0
    }
}

/// A table of numbers: the first column is aligned left, the others right.
pub fn table<R: IntoIterator<Item = String>>(
    header: impl IntoIterator<Item = String>,
    rows: impl IntoIterator<Item = R>,
) -> String {
    columns(header, rows, CellAlignment::Right)
}

/// A table of text: all columns are aligned left.
pub fn listing<R: IntoIterator<Item = String>>(
    header: impl IntoIterator<Item = String>,
    rows: impl IntoIterator<Item = R>,
) -> String {
    columns(header, rows, CellAlignment::Left)
}

fn columns<R: IntoIterator<Item = String>>(
    header: impl IntoIterator<Item = String>,
    rows: impl IntoIterator<Item = R>,
    alignment: CellAlignment,
) -> String {
    let rows: Vec<Vec<String>> = rows.into_iter().map(|row| row.into_iter().collect()).collect();
    wrap::table(&header.into_iter().collect::<Vec<_>>(), &rows, alignment, wrap::of_stdout())
}

/// A Markdown table; on a narrower terminal, as [`table`] prints it.
pub fn markdown(text: &str) -> String {
    wrap::markdown(text, wrap::of_stdout())
}

/// `1 trial`, `2 trials`.
pub fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// A progress bar of `steps` steps on stderr, the first `done` of which were done before. Hidden unless `show` is set and
/// stderr is a terminal.
pub fn bar(steps: usize, done: u64, show: bool) -> ProgressBar {
    if !show || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(steps as u64).with_position(done);
    bar.set_style(style("{prefix} {wide_bar} {percent:>3} % {left} left {msg}", done));
    bar
}

/// A progress bar over the `size` bytes of a file, the first `done` of which were there before, on stderr where that is a
/// terminal.
pub fn download_bar(name: &str, size: u64, done: u64) -> ProgressBar {
    let bar = ProgressBar::new(size).with_message(name.to_string()).with_position(done);
    bar.set_style(style("{wide_msg} {percent:>3} % of {total_bytes}, {rate}, {left} left", done));
    bar
}

/// The style of a progress bar. `{left}` is the time left and `{rate}` the bytes per second; both exclude the first `done`
/// steps or bytes, which were done before.
fn style(template: &str, done: u64) -> ProgressStyle {
    let now = move |state: &ProgressState| state.pos().saturating_sub(done);
    let left = move |state: &ProgressState, text: &mut dyn std::fmt::Write| {
        let to_do = state.len().unwrap_or(0).saturating_sub(state.pos());
        // A failed write is harmless, since the bar is drawn again soon.
        let _ = match time_left(state.elapsed(), now(state), to_do) {
            Some(left) => write!(text, "{:#}", HumanDuration(left)),
            None => write!(text, "?"),
        };
    };
    let rate = move |state: &ProgressState, text: &mut dyn std::fmt::Write| {
        let bytes = now(state) as f64 / state.elapsed().as_secs_f64().max(1e-3);
        let _ = write!(text, "{}/s", HumanBytes(bytes as u64));
    };
    let style = ProgressStyle::with_template(template).expect("a valid template");
    style.with_key("left", left).with_key("rate", rate)
}

/// The time that `left` steps will take if `done` steps took `elapsed`; `None` before the first. Steps that a run did before
/// it was resumed are not among `done`.
fn time_left(elapsed: Duration, done: u64, left: u64) -> Option<Duration> {
    (done > 0).then(|| Duration::from_secs_f64((elapsed.as_secs_f64() / done as f64 * left as f64).round()))
}

/// As many of a bar's fields, in their order, as fit on the terminal next to the rest of the bar.
pub fn fields(fields: &[String]) -> String {
    wrap::fitting(fields, wrap::of_stderr())
}

/// Numbers as a line of block characters of eight heights.
pub fn sparkline(values: &[f64]) -> String {
    let (low, high) =
        values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
    values.iter().map(|&v| block(if high > low { (v - low) / (high - low) } else { 0.0 })).collect()
}

/// A block character whose height is one of eight: the lowest for the fraction 0, the full block for 1.
fn block(fraction: f64) -> char {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    BLOCKS[((7.0 * fraction).round() as usize).min(7)]
}

pub use draw::{confusion, picture};
pub use histogram::{Histogram, significant};

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{sparkline, table, time_left};

    #[test]
    fn sparklines_use_all_heights() {
        assert_eq!(sparkline(&[3.0, 1.0, 2.0]), "█▁▅");
        assert_eq!(sparkline(&[1.0]), "▁");
    }

    #[test]
    fn time_left_excludes_earlier_steps() {
        let second = Duration::from_secs;
        // Resumed at step 9,000 of 10,000, a hundred steps a second: ten seconds, or nine after the first.
        assert_eq!(time_left(second(1), 9100 - 9000, 10_000 - 9100), Some(second(9)));
        assert_eq!(time_left(second(0), 0, 1000), None);
        assert_eq!(time_left(second(5), 1000, 0), Some(second(0)));
    }

    #[test]
    fn tables_align_numbers_right() {
        let text = table(
            ["a", "n"].map(String::from),
            [["x", "1"].map(String::from), ["yy", "10"].map(String::from)],
        );
        assert_eq!(text.lines().count(), 3);
        assert!(text.lines().all(|l| l.len() == text.lines().next().unwrap().len()), "{text}");
    }
}
