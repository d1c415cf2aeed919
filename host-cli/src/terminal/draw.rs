//! Pictures and shaded matrices, in colours where people look.

use std::io;
use std::ops::Range;

use anstream::{AutoStream, ColorChoice};
use anstyle::{Ansi256Color, Style};

use super::wrap;

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
    shaded(names, counts, colour(), wrap::of_stdout())
}

/// The matrix; in blocks of columns where all of them are wider than `width`.
fn shaded(names: &[String], counts: &[Vec<u32>], colour: bool, width: Option<usize>) -> String {
    let head = "true \\ predicted";
    let name = names.iter().map(|n| n.chars().count()).chain([head.len()]).max().unwrap_or(0);
    let wide =
        |c: usize| counts.iter().map(|row| row[c].to_string().len()).chain([c.to_string().len()]).max();
    let wide: Vec<usize> = (0..counts.len()).map(|c| wide(c).unwrap_or(0)).collect();
    let room = width.map_or(usize::MAX, |width| width.saturating_sub(name + 1));
    let (mut blocks, mut start, mut taken) = (Vec::new(), 0, 0);
    for (c, wide) in wide.iter().enumerate() {
        if c > start && taken + wide + 2 > room {
            blocks.push(start..c);
            (start, taken) = (c, 0);
        }
        taken += wide + 2;
    }
    blocks.push(start..wide.len());
    let block = |columns: Range<usize>| {
        let header: String = columns.clone().map(|c| format!("  {c:>wide$}", wide = wide[c])).collect();
        let mut lines = vec![format!(" {head:<name$}{header}")];
        for (class, (row, label)) in counts.iter().zip(names).enumerate() {
            let all = row.iter().sum::<u32>().max(1);
            let cell = |c: usize| {
                let text = format!(" {:>wide$} ", row[c], wide = wide[c]);
                let style = shade(f64::from(row[c]) / f64::from(all), c == class).filter(|_| colour);
                style.map_or(text.clone(), |style| format!("{style}{text}{style:#}"))
            };
            let cells: String = columns.clone().map(cell).collect();
            lines.push(format!(" {label:<name$} {cells}").trim_end().to_string());
        }
        lines.join("\n")
    };
    blocks.into_iter().map(block).collect::<Vec<_>>().join("\n\n")
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
    use super::{draw, shaded};

    #[test]
    fn pictures_in_ink_and_in_colour() {
        assert_eq!(draw(&[0, 255, 128, 0], 2, false), "  @@\n++");
        let colour = draw(&[0, 255, 128, 0], 2, true);
        assert_eq!(colour, "\x1b[38;5;232;48;5;244m\u{2580}\x1b[38;5;255;48;5;232m\u{2580}\x1b[0m");
    }

    #[test]
    fn confusion_is_the_same_text_in_colour() {
        let (names, counts) = (["0 top", "1 low"].map(String::from), [vec![90, 10], vec![0, 100]]);
        let plain = shaded(&names, &counts, false, None);
        let lines: Vec<_> = plain.lines().collect();
        assert_eq!(
            lines,
            [" true \\ predicted   0    1", " 0 top             90   10", " 1 low              0  100"]
        );
        let colour = shaded(&names, &counts, true, None);
        // Blue for what is right, orange for what is not, nothing for none.
        assert!(colour.contains("\x1b[38;5;231m\x1b[48;5;25m 90 \x1b[0m"), "{colour:?}");
        assert!(colour.contains("\x1b[38;5;16m\x1b[48;5;223m  10 \x1b[0m"), "{colour:?}");
        assert!(colour.lines().nth(2).unwrap().contains("low              0 \x1b"), "{colour:?}");
        // On a narrow terminal in blocks of columns, each with the names.
        let narrow = shaded(&names, &counts, false, Some(25));
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
