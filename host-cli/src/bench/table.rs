//! The records as tables for people.

use super::{Bound, Measurement, Peak, Record};
use crate::terminal;

/// Tables of all records, with an explanation.
pub fn table(entries: &[Record]) -> String {
    let (mut peaks, mut lines, mut bounds) = (Vec::new(), Vec::new(), Vec::new());
    for entry in entries {
        match entry {
            Record::Peak(peak) => peaks.push(peak),
            Record::Measurement(line) => lines.push(line),
            Record::Bound(bound) => bounds.push(bound),
        }
    }
    let mut parts = Vec::new();
    if !peaks.is_empty() {
        parts.push(table_of_peaks(&peaks));
    }
    if !lines.is_empty() {
        parts.push(table_of_lines(&lines));
        if lines.iter().any(|l| l.leaves_out_zeros) {
            parts.push("* multiplications by zero are skipped, but counted".into());
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

fn table_of_lines(lines: &[&Measurement]) -> String {
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
    let row = |l: &&Measurement| {
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
            (Some(min), _) => format!("at least {min}"),
            (None, max) => format!("at most {}", max.unwrap_or(f64::INFINITY)),
        };
        [b.what.into(), format!("{:.2}", b.value), limit, if b.met { "met" } else { "MISSED" }.into()]
    };
    terminal::table(["bound", "here", "", ""].map(String::from), bounds.iter().map(row))
}

/// `52.3 µs`: three digits.
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
    use super::super::{Case, Operation, Record, bounds};
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
        let line = Case::new(Operation::Load, Backend::SCALAR, &[70_000, 28, 28]).measurement(0.5, None);
        let mut entries = vec![Record::Measurement(line.clone())];
        entries.extend(bounds(&[line]).into_iter().map(Record::Bound));
        let text = table(&entries);
        assert!(text.contains("70000x28x28") && text.contains("500 ms") && text.contains("MISSED"), "{text}");
    }
}
