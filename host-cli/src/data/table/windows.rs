//! Samples of consecutive rows, for time series.
//!
//! A window never mixes recordings: it stays inside one [segment](segments). Rows are split before they are cut into windows,
//! so that no window reaches into another part. A window has the target of its last row, the present one.

use std::ops::Range;

use selvedge::Rng;

use super::{Table, Target, Window};
use crate::data::split::{self, Classes, Parts, SplitPlan, TestPart};
use crate::error::{Error, Result};

/// Samples made of windows.
#[derive(Debug, Clone, PartialEq)]
pub struct Windows {
    /// The last row of each window.
    pub rows: Vec<u32>,
    /// (windows, rows of a window × columns): oldest row first.
    pub features: Vec<f32>,
    /// The target of each window's last row.
    pub target: Target,
}

/// Runs of consecutive rows in each part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SegmentParts {
    /// Those to train on.
    pub train: Vec<Range<u32>>,
    /// Those to validate on.
    pub val: Vec<Range<u32>>,
    /// Those to test on.
    pub test: Vec<Range<u32>>,
}

/// The recordings of a table: runs of rows that follow each other in time. A recording ends where the group changes; without
/// groups, where the class changes; also where time steps back or rows were left out. A table of numbers without group and
/// time is one recording.
///
/// [Classify](Table::classify) the table first, if its target is to be classes.
pub fn segments(table: &Table) -> Vec<Range<u32>> {
    let key = |row: usize| match (&table.groups, &table.target) {
        (Some(groups), _) => groups[row],
        (None, Target::Text { codes, .. }) => codes[row],
        _ => 0,
    };
    let mut segments = Vec::new();
    let mut start = 0;
    for row in 1..=table.rows {
        let back = |times: &Vec<f64>| times[row] < times[row - 1];
        let ends = row == table.rows
            || key(row) != key(row - 1)
            || table.times.as_ref().is_some_and(back)
            || table.gaps.binary_search(&(row as u32)).is_ok();
        if ends {
            segments.push(start as u32..row as u32);
            start = row;
        }
    }
    segments
}

/// Splits recordings. With groups, whole groups are on one side. Without, each recording is cut into consecutive stretches to
/// train, validate and test on, where each of them holds a window; shorter recordings are on one side as a whole.
///
/// # Errors
/// `Data` where there are too few recordings or rows, as [`split::split`].
pub fn split_segments(
    table: &Table,
    segments: &[Range<u32>],
    window: Window,
    plan: &SplitPlan,
    rng: &mut Rng,
) -> Result<SegmentParts> {
    let mut parts = SegmentParts::default();
    let classes = match &table.target {
        Target::Text { names, codes } => Some(Classes { codes, names }),
        _ => None,
    };
    if let Some(groups) = &table.groups {
        let rows = split::split(table.rows, classes, Some(groups), plan, rng)?;
        let starts = |rows: &[u32]| -> Vec<Range<u32>> {
            segments.iter().filter(|s| rows.binary_search(&s.start).is_ok()).cloned().collect()
        };
        let Parts { train, val, test } = &rows;
        return Ok(SegmentParts { train: starts(train), val: starts(val), test: starts(test) });
    }
    let (mut whole, mut lost) = (Vec::new(), true);
    for segment in segments.iter().filter(|s| s.len() >= window.rows) {
        match cut(segment, plan) {
            Some([train, val, test])
                if holds(&train, window) && is_kept(&val, window) && is_kept(&test, window) =>
            {
                parts.train.extend(train);
                parts.val.extend(val);
                parts.test.extend(test);
                lost = false;
            }
            _ => whole.push(segment.clone()),
        }
    }
    if lost && whole.is_empty() {
        return Err(Error::data(format!(
            "no recording has the {} rows of a window; take a shorter --window",
            window.rows
        )));
    }
    if !whole.is_empty() {
        let codes: Option<Vec<u32>> =
            classes.map(|c| whole.iter().map(|s| c.codes[s.end as usize - 1]).collect());
        let classes = classes.zip(codes.as_ref()).map(|(c, codes)| Classes { codes, names: c.names });
        let rows = split::split(whole.len(), classes, None, plan, rng)
            .map_err(|e| Error { message: format!("of recordings, counted as rows: {}", e.message), ..e })?;
        let take = |rows: &[u32]| rows.iter().map(|&n| whole[n as usize].clone()).collect::<Vec<_>>();
        parts.train.extend(take(&rows.train));
        parts.val.extend(take(&rows.val));
        parts.test.extend(take(&rows.test));
    }
    Ok(parts)
}

/// Whether one of the runs holds a window.
fn holds(runs: &[Range<u32>], window: Window) -> bool {
    runs.iter().any(|run| run.len() >= window.rows)
}

/// Whether a part that is wanted holds a window.
fn is_kept(runs: &[Range<u32>], window: Window) -> bool {
    runs.is_empty() || holds(runs, window)
}

/// Cuts a recording into runs to train, validate and test on. The test rows are the last, or those of the fold; the validation
/// rows are before them, or after those of the first fold.
fn cut(segment: &Range<u32>, plan: &SplitPlan) -> Option<[Vec<Range<u32>>; 3]> {
    let n = segment.len();
    let part = |fraction: f64| (n as f64 * fraction).round() as usize;
    let test = match plan.test {
        TestPart::Fraction(fraction) => n.checked_sub(part(fraction))?..n,
        TestPart::None => n..n,
        TestPart::Fold { index, of } => n * index / of..n * (index + 1) / of,
    };
    let size = part(plan.val_fraction);
    let val = match test.start.checked_sub(size) {
        Some(start) => start..test.start,
        None => test.end..test.end.checked_add(size).filter(|&end| end <= n)?,
    };
    let (first, last) = (val.start.min(test.start), val.end.max(test.end));
    let run = |range: Range<usize>| segment.start + range.start as u32..segment.start + range.end as u32;
    let runs = |ranges: &[Range<usize>]| -> Vec<Range<u32>> {
        ranges.iter().filter(|r| !r.is_empty()).cloned().map(run).collect()
    };
    Some([runs(&[0..first, last..n]), runs(&[val]), runs(&[test])])
}

/// The windows inside some segments: the first at the start of each, then one every `stride` rows.
///
/// # Errors
/// `Data` where no segment is as long as a window; `Failed` where memory is short.
pub fn windows(table: &Table, segments: &[Range<u32>], window: Window) -> Result<Windows> {
    // A damaged model may say 0.
    let (length, stride) = (window.rows.max(1), window.stride.max(1));
    let count = |s: &Range<u32>| (s.len() + stride).saturating_sub(length) / stride;
    let samples: usize = segments.iter().map(count).sum();
    if samples == 0 {
        return Err(Error::data(format!(
            "no recording has the {length} rows of a window; take a shorter --window"
        )));
    }
    let columns = table.schema.columns();
    let (mut features, mut rows) = (Vec::new(), Vec::with_capacity(samples));
    samples
        .checked_mul(length)
        .and_then(|n| features.try_reserve_exact(n.checked_mul(columns)?).ok())
        .ok_or_else(|| {
            Error::failed(format!("{samples} windows do not fit into memory; take a longer --stride"))
        })?;
    for segment in segments {
        for n in 0..count(segment) {
            let start = segment.start as usize + n * stride;
            features.extend_from_slice(&table.features[start * columns..(start + length) * columns]);
            rows.push((start + length - 1) as u32);
        }
    }
    let target = table.target.of_rows(&rows);
    Ok(Windows { rows, features, target })
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use selvedge::Rng;

    use super::super::{Numbers, Schema, Table, Target, Window};
    use super::{SegmentParts, segments, split_segments, windows};
    use crate::data::split::{SplitPlan, TestPart};

    /// A table with one feature, the number of the row.
    fn table(rows: usize, target: Target, groups: Option<Vec<u32>>) -> Table {
        let feature =
            super::super::Feature { name: "x".into(), kind: super::super::FeatureKind::Number, fill: None };
        let schema = Schema { features: vec![feature], ..Schema::default() };
        let features = (0..rows).map(|row| row as f32).collect();
        Table { schema, rows, features, target, groups, times: None, gaps: vec![], notes: vec![] }
    }

    fn text(codes: Vec<u32>) -> Target {
        Target::Text { names: vec!["a".into(), "b".into()], codes }
    }

    fn rows_of(runs: &[Range<u32>]) -> Vec<u32> {
        runs.iter().cloned().flatten().collect()
    }

    #[test]
    fn recordings_end_at_classes_groups_gaps_and_steps_back() {
        let mut table = table(8, text(vec![0, 0, 0, 1, 1, 1, 1, 1]), None);
        assert_eq!(segments(&table), [0..3, 3..8]);
        table.gaps = vec![5];
        assert_eq!(segments(&table), [0..3, 3..5, 5..8]);
        table.times = Some(vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 1.0, 2.0]);
        assert_eq!(segments(&table), [0..3, 3..5, 5..6, 6..8]);
        table.groups = Some(vec![0, 0, 0, 0, 1, 1, 1, 1]);
        assert_eq!(segments(&table), [0..4, 4..5, 5..6, 6..8]);
    }

    #[test]
    fn windows_stay_inside_their_segments() {
        let values = (0..10).map(|n| n as f32 * 10.0).collect();
        let table = table(10, Target::Numbers(Numbers::new(values, 1)), None);
        let windows = windows(&table, &[0..5, 5..7, 7..10], Window { rows: 3, stride: 2 }).unwrap();
        assert_eq!(windows.rows, [2, 4, 9]);
        assert_eq!(windows.features, [0.0, 1.0, 2.0, 2.0, 3.0, 4.0, 7.0, 8.0, 9.0]);
        let Target::Numbers(numbers) = windows.target else { panic!() };
        assert_eq!(numbers.values, [20.0, 40.0, 90.0]);
        assert!(super::windows(&table, &[0..2, 5..7], Window { rows: 3, stride: 1 }).is_err());
    }

    #[test]
    fn no_window_reaches_into_another_part() {
        let window = Window { rows: 4, stride: 1 };
        let one = table(100, Target::None, None);
        let classes = table(120, text((0..120).map(|row| row / 5 % 2).collect()), None);
        let groups = (0..120).map(|row| row / 10).collect();
        let grouped = table(120, text((0..120).map(|row| row / 5 % 2).collect()), Some(groups));
        let folds = (0..5).map(|index| TestPart::Fold { index, of: 5 });
        for test in folds.chain([TestPart::Fraction(0.15), TestPart::None]) {
            let plan = SplitPlan { test, val_fraction: 0.15 };
            for table in [&one, &classes, &grouped] {
                let recordings = segments(table);
                let SegmentParts { train, val, test } =
                    split_segments(table, &recordings, window, &plan, &mut Rng::new(5)).unwrap();
                let mut all = [&train[..], &val, &test].map(rows_of).concat();
                all.sort_unstable();
                assert_eq!(all, (0..table.rows as u32).collect::<Vec<_>>(), "{plan:?}");
                for run in [&train[..], &val, &test].concat() {
                    assert!(recordings.iter().any(|r| r.start <= run.start && run.end <= r.end));
                }
                if let Some(groups) = &table.groups {
                    let of = |runs: &[Range<u32>]| {
                        rows_of(runs).iter().map(|&r| groups[r as usize]).collect::<Vec<_>>()
                    };
                    let (train, val, test) = (of(&train), of(&val), of(&test));
                    assert!(train.iter().all(|g| !val.contains(g) && !test.contains(g)));
                    assert!(val.iter().all(|g| !test.contains(g)));
                }
                assert!(!windows(table, &val, window).unwrap().rows.is_empty());
            }
        }
        let error = split_segments(
            &one,
            &segments(&one),
            Window { rows: 101, stride: 1 },
            &SplitPlan::DEFAULT,
            &mut Rng::new(5),
        );
        assert!(error.unwrap_err().message.contains("shorter --window"));
    }
}
