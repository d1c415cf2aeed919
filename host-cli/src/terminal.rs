//! What goes to the terminal: results on stdout, talk on stderr, pictures where people look.

use std::fmt::Display;
use std::io::{self, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::{Ansi256Color, Style};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::error::{Error, Result, why};

/// Results on stdout. A reader that has gone away is no error: what is left is not printed.
#[derive(Debug, Default)]
pub struct Output {
    gone: bool,
}

impl Output {
    /// Prints a line, or lines.
    ///
    /// # Errors
    /// Exit code 1 where stdout cannot be written for another reason than a broken pipe.
    pub fn line(&mut self, text: impl AsRef<str>) -> Result<()> {
        if self.gone {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        match writeln!(stdout, "{}", text.as_ref()).and_then(|()| stdout.flush()) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => {
                self.gone = true;
                Ok(())
            }
            Err(e) => Err(Error::failed(format!("cannot write to stdout: {}", why(&e)))),
            Ok(()) => Ok(()),
        }
    }

    /// Prints one JSON object on a line.
    ///
    /// # Errors
    /// As [`line`](Self::line).
    pub fn json(&mut self, value: &impl Serialize) -> Result<()> {
        self.line(serde_json::to_string(value).map_err(|e| Error::failed(e.to_string()))?)
    }
}

/// Talks: a line on stderr. The work goes on where nobody reads it, which a print of the standard library would end.
pub fn say(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// What a command warns of: printed on stderr at once, and kept for the `warnings` of its JSON.
#[derive(Debug, Default)]
pub struct Warnings(Vec<String>);

impl Warnings {
    /// Warns. `text` is one line without a full stop: what was seen or assumed, and how to say otherwise.
    pub fn add(&mut self, text: impl Into<String>) {
        let text = text.into();
        say(format!("warning: {text}"));
        self.0.push(text);
    }

    /// The warnings so far, in their order.
    pub fn list(&self) -> &[String] {
        &self.0
    }
}

/// A table of numbers: the first column left, the others right.
pub fn table<R: IntoIterator<Item = String>>(
    header: impl IntoIterator<Item = String>,
    rows: impl IntoIterator<Item = R>,
) -> String {
    columns(header, rows, CellAlignment::Right)
}

/// A table of words: all columns left.
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
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header);
    for row in rows {
        table.add_row(row.into_iter().collect::<Vec<_>>());
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(alignment);
    }
    table.lines().map(|l| l.trim_end().to_string()).collect::<Vec<_>>().join("\n")
}

/// `1 trial`, `2 trials`.
pub fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// A bar over `steps` steps on stderr; hidden unless that is a terminal and `show`.
pub fn bar(steps: usize, show: bool) -> ProgressBar {
    if !show {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(steps as u64);
    bar.set_style(
        ProgressStyle::with_template("{prefix} {wide_bar} {percent:>3} % {eta} left {msg}")
            .expect("a valid template"),
    );
    bar
}

/// Numbers as a line of eighth blocks, the smallest lowest.
pub fn sparkline(values: &[f64]) -> String {
    let (low, high) =
        values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
    let level = |v: f64| if high > low { (7.0 * (v - low) / (high - low)).round() as u32 } else { 0 };
    values.iter().filter_map(|&v| char::from_u32(0x2581 + level(v))).collect()
}

/// Whether stdout shows colours: on a terminal, unless `NO_COLOR` is set or it is a dumb one; `CLICOLOR_FORCE` insists.
fn colour() -> bool {
    AutoStream::choice(&io::stdout()) != ColorChoice::Never
}

/// Grey pixels as text: half blocks in 24 greys on a terminal, characters of growing ink elsewhere or where `NO_COLOR`
/// is set.
pub fn picture(pixels: &[u8], cols: usize) -> String {
    draw(pixels, cols, colour())
}

/// Counts by true and by found class, a row for each true one; in colours, the darker the larger its share of the row is:
/// blue where the class is right, orange where it is not.
pub fn confusion(names: &[String], counts: &[Vec<u32>]) -> String {
    shaded(names, counts, colour())
}

fn shaded(names: &[String], counts: &[Vec<u32>], colour: bool) -> String {
    let head = "true \\ predicted";
    let name = names.iter().map(|n| n.chars().count()).chain([head.len()]).max().unwrap_or(0);
    let wide =
        |c: usize| counts.iter().map(|row| row[c].to_string().len()).chain([c.to_string().len()]).max();
    let wide: Vec<usize> = (0..counts.len()).map(|c| wide(c).unwrap_or(0)).collect();
    let header: String = wide.iter().enumerate().map(|(c, wide)| format!("  {c:>wide$}")).collect();
    let mut lines = vec![format!(" {head:<name$}{header}")];
    for (class, (row, label)) in counts.iter().zip(names).enumerate() {
        let all = row.iter().sum::<u32>().max(1);
        let cell = |(c, (count, wide)): (usize, (&u32, &usize))| {
            let text = format!(" {count:>wide$} ");
            let style = shade(f64::from(*count) / f64::from(all), c == class).filter(|_| colour);
            style.map_or(text.clone(), |style| format!("{style}{text}{style:#}"))
        };
        let cells: String = row.iter().zip(&wide).enumerate().map(cell).collect();
        lines.push(format!(" {label:<name$} {cells}").trim_end().to_string());
    }
    lines.join("\n")
}

/// The style of a share of a row, none below one in a hundred; of the 256 colours, five blues and five oranges that the
/// colour-blind tell apart.
fn shade(share: f64, right: bool) -> Option<Style> {
    const BLUES: [u8; 5] = [195, 153, 111, 69, 25];
    const ORANGES: [u8; 5] = [230, 223, 216, 209, 166];
    let level = ((share.sqrt() * 5.0) as usize).min(4);
    let back = if right { BLUES } else { ORANGES }[level];
    let text = if level == 4 { 231 } else { 16 };
    (share >= 0.01).then(|| Ansi256Color(text).on(Ansi256Color(back)))
}

fn draw(pixels: &[u8], cols: usize, colour: bool) -> String {
    let rows: Vec<&[u8]> = pixels.chunks(cols).collect();
    if !colour {
        const INK: &[u8; 10] = b" .:-=+*#%@";
        let line = |row: &&[u8]| -> String {
            let text: String = row
                .iter()
                .map(|&p| char::from(INK[usize::from(p) * 10 / 256]))
                .flat_map(|c| [c, c])
                .collect();
            text.trim_end().to_string()
        };
        return rows.iter().map(line).collect::<Vec<_>>().join("\n");
    }
    // Of the 256 terminal colours, 232..=255 are greys.
    let grey = |p: u8| 232 + u32::from(p) * 24 / 256;
    let line = |pair: &[&[u8]]| -> String {
        let upper = pair[0];
        let lower = pair.get(1).copied().unwrap_or(&[]);
        let cell = |c: usize| {
            let below = lower.get(c).copied().unwrap_or(0);
            format!("\x1b[38;5;{};48;5;{}m\u{2580}", grey(upper[c]), grey(below))
        };
        format!("{}\x1b[0m", (0..upper.len()).map(cell).collect::<String>())
    };
    rows.chunks(2).map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::{draw, shaded, sparkline, table};

    #[test]
    fn sparklines_reach_from_low_to_high() {
        assert_eq!(sparkline(&[3.0, 1.0, 2.0]), "█▁▅");
        assert_eq!(sparkline(&[1.0]), "▁");
    }

    #[test]
    fn pictures_in_ink_and_in_colour() {
        assert_eq!(draw(&[0, 255, 128, 0], 2, false), "  @@\n++");
        let colour = draw(&[0, 255, 128, 0], 2, true);
        assert_eq!(colour, "\x1b[38;5;232;48;5;244m\u{2580}\x1b[38;5;255;48;5;232m\u{2580}\x1b[0m");
    }

    #[test]
    fn confusion_is_the_same_text_in_colour() {
        let (names, counts) = (["0 top", "1 low"].map(String::from), [vec![90, 10], vec![0, 100]]);
        let plain = shaded(&names, &counts, false);
        let lines: Vec<_> = plain.lines().collect();
        assert_eq!(
            lines,
            [" true \\ predicted   0    1", " 0 top             90   10", " 1 low              0  100"]
        );
        let colour = shaded(&names, &counts, true);
        // Blue for what is right, orange for what is not, nothing for none.
        assert!(colour.contains("\x1b[38;5;231m\x1b[48;5;25m 90 \x1b[0m"), "{colour:?}");
        assert!(colour.contains("\x1b[38;5;16m\x1b[48;5;223m  10 \x1b[0m"), "{colour:?}");
        assert!(colour.lines().nth(2).unwrap().contains("low              0 \x1b"), "{colour:?}");
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
