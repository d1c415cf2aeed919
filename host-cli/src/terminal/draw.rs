//! Images and confusion matrices, in colours on a terminal.

use std::io;
use std::ops::Range;

use anstream::{AutoStream, ColorChoice};
use anstyle::{Ansi256Color, Style};

use super::wrap;

/// Whether stdout shows colours: on a terminal that is not dumb, unless `NO_COLOR` is set; `CLICOLOR_FORCE` overrides both.
fn colour() -> bool {
    AutoStream::choice(&io::stdout()) != ColorChoice::Never
}

/// Grey pixels as text: half blocks in 24 greys where colours are shown, else ASCII characters of increasing density.
pub fn picture(pixels: &[u8], cols: usize) -> String {
    draw(pixels, cols, colour())
}

/// A confusion matrix, with a row for each true class. In colours, darker cells are larger fractions of their row; correct
/// predictions are blue, others orange.
pub fn confusion(names: &[String], counts: &[Vec<u32>]) -> String {
    matrix(names, counts, colour(), wrap::of_stdout())
}

/// The matrix; in blocks of columns where it is wider than `width`.
fn matrix(names: &[String], counts: &[Vec<u32>], colour: bool, width: Option<usize>) -> String {
    let head = "true \\ predicted";
    let name = names.iter().map(|n| n.chars().count()).chain([head.len()]).max().unwrap_or(0);
    let width_of =
        |c: usize| counts.iter().map(|row| row[c].to_string().len()).chain([c.to_string().len()]).max();
    let widths: Vec<usize> = (0..counts.len()).map(|c| width_of(c).unwrap_or(0)).collect();
    let available = width.map_or(usize::MAX, |width| width.saturating_sub(name + 1));
    let (mut blocks, mut start, mut used) = (Vec::new(), 0, 0);
    for (c, column_width) in widths.iter().enumerate() {
        if c > start && used + column_width + 2 > available {
            blocks.push(start..c);
            (start, used) = (c, 0);
        }
        used += column_width + 2;
    }
    blocks.push(start..widths.len());
    let block = |columns: Range<usize>| {
        let header: String = columns.clone().map(|c| format!("  {c:>width$}", width = widths[c])).collect();
        let mut lines = vec![format!(" {head:<name$}{header}")];
        for (class, (row, label)) in counts.iter().zip(names).enumerate() {
            let total = row.iter().sum::<u32>().max(1);
            let cell = |c: usize| {
                let text = format!(" {:>width$} ", row[c], width = widths[c]);
                let style = shade(f64::from(row[c]) / f64::from(total), c == class).filter(|_| colour);
                style.map_or(text.clone(), |style| format!("{style}{text}{style:#}"))
            };
            let cells: String = columns.clone().map(cell).collect();
            lines.push(format!(" {label:<name$} {cells}").trim_end().to_string());
        }
        lines.join("\n")
    };
    blocks.into_iter().map(block).collect::<Vec<_>>().join("\n\n")
}

/// The style of a fraction of a row; none below one percent. Five blues and five oranges of the 256 colours, which
/// colour-blind people can distinguish.
fn shade(fraction: f64, correct: bool) -> Option<Style> {
    const BLUES: [u8; 5] = [195, 153, 111, 69, 25];
    const ORANGES: [u8; 5] = [230, 223, 216, 209, 166];
    let level = ((fraction.sqrt() * 5.0) as usize).min(4);
    let background = if correct { BLUES } else { ORANGES }[level];
    let text = if level == 4 { 231 } else { 16 };
    (fraction >= 0.01).then(|| Ansi256Color(text).on(Ansi256Color(background)))
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
    use super::{draw, matrix};

    #[test]
    fn images_in_ascii_and_in_colour() {
        assert_eq!(draw(&[0, 255, 128, 0], 2, false), "  @@\n++");
        let colour = draw(&[0, 255, 128, 0], 2, true);
        assert_eq!(colour, "\x1b[38;5;232;48;5;244m\u{2580}\x1b[38;5;255;48;5;232m\u{2580}\x1b[0m");
    }

    #[test]
    fn confusion_is_the_same_text_in_colour() {
        let (names, counts) = (["0 top", "1 low"].map(String::from), [vec![90, 10], vec![0, 100]]);
        let plain = matrix(&names, &counts, false, None);
        let lines: Vec<_> = plain.lines().collect();
        assert_eq!(
            lines,
            [" true \\ predicted   0    1", " 0 top             90   10", " 1 low              0  100"]
        );
        let colour = matrix(&names, &counts, true, None);
        // Blue for correct predictions, orange for others, no colour for 0.
        assert!(colour.contains("\x1b[38;5;231m\x1b[48;5;25m 90 \x1b[0m"), "{colour:?}");
        assert!(colour.contains("\x1b[38;5;16m\x1b[48;5;223m  10 \x1b[0m"), "{colour:?}");
        assert!(colour.lines().nth(2).unwrap().contains("low              0 \x1b"), "{colour:?}");
        // On a narrow terminal, in blocks of columns, each with the names.
        let narrow = matrix(&names, &counts, false, Some(25));
        let blocks: Vec<_> = narrow.split("\n\n").map(|b| b.lines().collect::<Vec<_>>()).collect();
        assert_eq!(
            blocks,
            [
                [" true \\ predicted   0", " 0 top             90", " 1 low              0"],
                [" true \\ predicted    1", " 0 top              10", " 1 low             100"]
            ]
        );
    }
}
