//! Breaks lines and tables that are wider than the terminal: between fields and columns, never inside a number, a word or a
//! command between backticks.

use std::io;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use terminal_size::{Height, Width, terminal_size_of};

/// The columns of a progress bar without its message: the epoch, a bar of eight columns, the percentage, the time left.
const BAR_COLUMNS: usize = 38;

/// The width of stdout in columns; `None` where it is not a terminal.
pub(super) fn of_stdout() -> Option<usize> {
    columns(terminal_size_of(io::stdout()))
}

/// The width of stderr in columns; `None` where it is not a terminal.
pub(super) fn of_stderr() -> Option<usize> {
    columns(terminal_size_of(io::stderr()))
}

fn columns(size: Option<(Width, Height)>) -> Option<usize> {
    size.map(|(Width(columns), _)| usize::from(columns)).filter(|&columns| columns > 0)
}

/// Breaks lines at `width`: after a comma, a semicolon or a colon, or at two spaces, else at a single space; never between
/// backticks. Continuation lines are indented by two.
pub(super) fn lines(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else { return text.into() };
    text.split('\n').map(|line| broken(line, width)).collect::<Vec<_>>().join("\n")
}

fn broken(line: &str, width: usize) -> String {
    if line.contains('\x1b') || line.chars().count() <= width {
        return line.into();
    }
    let (mut lines, mut rest, mut indent) = (Vec::new(), line, "");
    while indent.len() + rest.chars().count() > width {
        let Some(at) = break_of(rest, width.saturating_sub(indent.len())) else { break };
        lines.push(format!("{indent}{}", rest[..at].trim_end()));
        (rest, indent) = (rest[at..].trim_start(), "  ");
    }
    lines.push(format!("{indent}{rest}"));
    lines.join("\n")
}

/// The byte offset at which to break a line so that it is no wider than `width`, or as little wider as possible; `None`
/// where it cannot be broken.
fn break_of(line: &str, width: usize) -> Option<usize> {
    let indent = line.len() - line.trim_start().len();
    let (mut code, mut before) = (false, '\0');
    let (mut field, mut word) = (None, None);
    for (column, (at, c)) in line.char_indices().enumerate() {
        if column > width && (field.is_some() || word.is_some()) {
            break;
        }
        code ^= c == '`';
        if c == ' ' && before != ' ' && !code && at > indent {
            let gap = line[at..].starts_with("  ");
            if gap || [',', ';', ':'].contains(&before) { field = Some(at) } else { word = Some(at) }
        }
        before = c;
    }
    // A short field does not deserve a line of its own.
    field.filter(|&at| word.is_none() || at >= width / 3).or(word).or(field)
}

/// A table; where it is wider than `width`, in blocks of columns, each of which begins with the first column.
pub(super) fn table(
    header: &[String],
    rows: &[Vec<String>],
    alignment: CellAlignment,
    width: Option<usize>,
) -> String {
    let width = width.unwrap_or(usize::MAX);
    let widest = |text: &str| text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    let render = |columns: &[usize]| rendered(header, rows, columns, alignment);
    let (mut blocks, mut columns) = (Vec::new(), vec![0]);
    for column in 1..header.len() {
        columns.push(column);
        if widest(&render(&columns)) > width && columns.len() > 2 {
            columns.pop();
            blocks.push(render(&columns));
            columns = vec![0, column];
        }
    }
    blocks.push(render(&columns));
    blocks.join("\n\n")
}

fn rendered(header: &[String], rows: &[Vec<String>], columns: &[usize], alignment: CellAlignment) -> String {
    let pick = |row: &[String]| -> Vec<String> {
        columns.iter().map(|&column| row.get(column).cloned().unwrap_or_default()).collect()
    };
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(pick(header));
    for row in rows {
        table.add_row(pick(row));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(alignment);
    }
    table.lines().map(|line| line.trim_end().to_string()).collect::<Vec<_>>().join("\n")
}

/// Text with Markdown tables; where it is wider than `width`, with the tables as [`table`] prints them.
pub(super) fn markdown(text: &str, width: Option<usize>) -> String {
    let fits = |width: usize| text.lines().all(|line| line.chars().count() <= width);
    let Some(width) = width.filter(|&width| !fits(width)) else { return text.into() };
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_string()).collect()
    };
    let (mut blocks, mut rows) = (Vec::new(), Vec::<Vec<String>>::new());
    let flush = |rows: &mut Vec<Vec<String>>, blocks: &mut Vec<String>| {
        if let [header, rows @ ..] = &rows[..] {
            blocks.push(table(header, rows, CellAlignment::Right, Some(width)));
        }
        rows.clear();
    };
    for line in text.lines() {
        match line.starts_with('|') {
            true if line.starts_with("|---") => {}
            true => rows.push(cells(line)),
            false => {
                flush(&mut rows, &mut blocks);
                blocks.push(line.into());
            }
        }
    }
    flush(&mut rows, &mut blocks);
    blocks.join("\n")
}

/// As many fields as fit next to a progress bar.
pub(super) fn fitting(fields: &[String], width: Option<usize>) -> String {
    let available = width.map_or(usize::MAX, |width| width.saturating_sub(BAR_COLUMNS));
    let mut text = String::new();
    for field in fields {
        let comma = if text.is_empty() { "" } else { ", " };
        if text.chars().count() + comma.len() + field.chars().count() > available {
            break;
        }
        text = format!("{text}{comma}{field}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_fields() {
        let line = "Epoch 1: Loss = 583.2443, Accuracy = 73.17%, Mean loss = 0.7460, Validation = 74.37%, 231000 images/s";
        assert_eq!(lines(line, None), line);
        assert_eq!(lines(line, Some(120)), line);
        for width in 20..120 {
            let text = lines(line, Some(width));
            assert!(text.lines().all(|l| l.chars().count() <= width), "{width}: {text}");
            // No word is lost, and no field is broken while a whole one fits.
            assert_eq!(
                text.split_whitespace().collect::<Vec<_>>(),
                line.split_whitespace().collect::<Vec<_>>()
            );
            let ends: Vec<_> = text.lines().collect();
            assert!(width < 30 || ends[..ends.len() - 1].iter().all(|l| l.ends_with([',', ':'])), "{text}");
        }
        assert_eq!(lines("a b\nccc ddd", Some(5)), "a b\nccc\n  ddd");
        // Paths and commands are not broken.
        assert_eq!(lines("/a/long/path", Some(5)), "/a/long/path");
        let command = "stopped; go on with `selvedge train --resume runs/a` then";
        assert_eq!(
            lines(command, Some(20)),
            "stopped;\n  go on with\n  `selvedge train --resume runs/a`\n  then"
        );
        let next = "next: selvedge eval runs/a   or   selvedge predict runs/a";
        assert_eq!(lines(next, Some(40)), "next: selvedge eval runs/a   or\n  selvedge predict runs/a");
    }

    #[test]
    fn tables_break_between_columns() {
        let words = |text: &str| text.split(' ').map(String::from).collect::<Vec<_>>();
        let (header, rows) = (words("class images found"), vec![words("top 100000 99000"), words("low 5 4")]);
        let of = |width| table(&header, &rows, CellAlignment::Right, width);
        assert_eq!(of(None), of(Some(40)));
        assert_eq!(of(None).lines().count(), 3);
        assert_eq!(
            of(Some(18)),
            " class  images\n top    100000\n low         5\n\n class  found\n top    99000\n low        4"
        );
        let markdown_text =
            "| class | images | found |\n|---|---|---|\n| top | 100000 | 99000 |\n| low | 5 | 4 |\n\nnote";
        assert_eq!(markdown(markdown_text, Some(60)), markdown_text);
        assert_eq!(markdown(markdown_text, Some(18)), format!("{}\n\nnote", of(Some(18))));
    }

    #[test]
    fn bars_show_whole_fields() {
        let both = ["loss 0.7460".to_string(), "210000 images/s".to_string()];
        assert_eq!(fitting(&both, None), "loss 0.7460, 210000 images/s");
        assert_eq!(fitting(&both, Some(60)), "loss 0.7460");
        assert_eq!(fitting(&both, Some(40)), "");
    }
}
