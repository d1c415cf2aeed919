//! The figures for people.

use super::{Bound, Entry, Line, Peak};
use crate::terminal;

/// Everything that was measured, as tables with a line on how to read them.
pub fn table(entries: &[Entry]) -> String {
    let (mut peaks, mut lines, mut bounds) = (Vec::new(), Vec::new(), Vec::new());
    for entry in entries {
        match entry {
            Entry::Peak(peak) => peaks.push(peak),
            Entry::Line(line) => lines.push(line),
            Entry::Bound(bound) => bounds.push(bound),
        }
    }
    let mut parts = Vec::new();
    if !peaks.is_empty() {
        parts.push(table_of_peaks(&peaks));
    }
    if !lines.is_empty() {
        parts.push(table_of_lines(&lines));
        if lines.iter().any(|l| l.leaves_out_zeros) {
            parts.push("* terms with a zero in them are left out, and count all the same".into());
        }
    }
    if !bounds.is_empty() {
        parts.push(table_of_bounds(&bounds));
    }
    parts.join("\n\n")
}

fn table_of_peaks(peaks: &[&Peak]) -> String {
    let row = |p: &&Peak| [p.backend.into(), p.dtype.text().into(), format!("{:.1}", p.gflops)];
    terminal::table(["peak", "type", "GFLOP/s"].map(String::from), peaks.iter().map(row))
}

fn table_of_lines(lines: &[&Line]) -> String {
    let header = [
        "what",
        "backend",
        "type",
        "shape",
        "threads",
        "time",
        "GFLOP/s",
        "of peak",
        "x naive",
        "x matrixmultiply",
        "x one thread",
        "x f32",
    ];
    let number = |value: Option<f64>, digits: usize| value.map_or("-".into(), |v| format!("{v:.digits$}"));
    let row = |l: &&Line| {
        let what = if l.busy { format!("{}, cores busy", l.name.text()) } else { l.name.text().into() };
        [
            what,
            l.backend.into(),
            l.dtype.text().into(),
            l.shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x"),
            l.threads.to_string(),
            time(l.seconds),
            number(l.gflops, 1),
            l.percent_of_peak
                .map_or("-".into(), |p| format!("{p:.1}%{}", if l.leaves_out_zeros { "*" } else { "" })),
            number(l.vs_naive, 1),
            number(l.vs_matrixmultiply, 2),
            number(l.vs_one_thread, 2),
            number(l.vs_f32, 2),
        ]
    };
    terminal::table(header.map(String::from), lines.iter().map(row))
}

fn table_of_bounds(bounds: &[&Bound]) -> String {
    let row = |b: &&Bound| {
        let limit = match (b.at_least, b.at_most) {
            (Some(least), _) => format!("at least {least}"),
            (None, most) => format!("at most {}", most.unwrap_or(f64::INFINITY)),
        };
        [b.what.into(), format!("{:.2}", b.value), limit, if b.met { "met" } else { "MISSED" }.into()]
    };
    terminal::table(["bound", "here", "", ""].map(String::from), bounds.iter().map(row))
}

/// `52.3 µs`: three figures.
fn time(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 1e-6 => (s * 1e9, "ns"),
        s if s < 1e-3 => (s * 1e6, "µs"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::super::{Case, Entry, Name, bounds};
    use super::{table, time};
    use selvedge::Backend;

    #[test]
    fn times_have_three_figures() {
        assert_eq!(
            [52.34e-6, 1.5e-3, 0.25, 12.0, 1e-9].map(time),
            ["52.3 µs", "1.50 ms", "250 ms", "12.0 s", "1.00 ns"]
        );
    }

    #[test]
    fn lines_and_bounds_are_tables() {
        let line = Case::new(Name::Load, Backend::SCALAR, &[70_000, 28, 28]).line(0.5, None);
        let mut entries = vec![Entry::Line(line.clone())];
        entries.extend(bounds(&[line]).into_iter().map(Entry::Bound));
        let text = table(&entries);
        assert!(text.contains("70000x28x28") && text.contains("500 ms") && text.contains("MISSED"), "{text}");
    }
}
