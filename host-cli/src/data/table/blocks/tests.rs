//! One pass in blocks against two passes over records, on random tables.

use super::super::{Columns, Missing, TableOptions, decide, load};
use super::{Profile, Source, of_numbers};

/// Draws from 0 up to `below`.
fn draw(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % below
}

/// A table of numbers as it may be written, with names in its column `class`, and in `g` and `t` groups and times.
fn text(state: &mut u64) -> String {
    let end = ["\n", "\r\n", "\r"][draw(state, 3) as usize];
    let mut text = format!("{}a,\"b\",c,g,t,class{end}", if draw(state, 2) == 0 { "" } else { "\u{feff}" });
    let with_missing = draw(state, 2) == 0;
    let rows = 3 + draw(state, 40);
    for row in 0..rows {
        for _ in 0..3 {
            let (whole, digits) = (draw(state, 2000) as i64 - 1000, draw(state, 1_000_000));
            text += &match draw(state, if with_missing { 12 } else { 8 }) {
                0 => format!("{whole}"),
                1 => format!(" {whole}.{digits} "),
                2 => format!("{whole}.{digits}{digits}{digits}e-{}", digits % 30),
                3 => format!("+.{digits}"),
                8 => String::new(),
                9 => "NA".into(),
                _ => format!("{whole}.{digits:06}"),
            };
            text.push(',');
        }
        text += &format!("s{},{}.5, {} ", draw(state, 5), row, ["red", "green", "blue"][row as usize % 3]);
        text += if draw(state, 9) == 0 && end != "\r" { "\n  \n\r\n" } else { end };
    }
    text.truncate(text.len() - if draw(state, 2) == 0 { end.len() } else { 0 });
    text
}

#[test]
fn one_pass_in_blocks_reads_what_two_passes_over_records_read() {
    let (mut state, mut compared) = (7, 0);
    for round in 0..200 {
        let text = text(&mut state);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &text).unwrap();
        let source = Source::open(file.path(), &[]).unwrap();
        let options = TableOptions {
            target: vec![["class", "a"][round % 2].into()],
            drop: if round % 2 == 0 { vec![] } else { vec!["class".into()] },
            group: "g".into(),
            time: "t".into(),
            missing: [Missing::Error, Missing::Mean, Missing::DropRows][round % 3],
            ..TableOptions::default()
        };
        let columns = Columns::chosen(&source, &options, &mut Vec::new()).unwrap();
        let drop_rows = options.missing == Missing::DropRows;
        let finish = |mut profile: Profile| {
            let mut notes = Vec::new();
            let schema =
                decide::schema(&source, &columns, &profile, &options, &mut notes).map_err(|e| e.message)?;
            let table = load::rows(&source, &columns, &mut profile, schema, true).map_err(|e| e.message)?;
            let bits: Vec<u32> = table.features.iter().map(|v| v.to_bits()).collect();
            let (target, rows) = (table.target, table.rows);
            notes.extend(table.notes);
            Ok::<_, String>((table.schema, rows, bits, target, table.groups, table.times, table.gaps, notes))
        };
        let expected = finish(Profile::new(&source, &columns, drop_rows).unwrap());
        for block_bytes in [1, 60, 300, 1 << 18] {
            if let Some(profile) = of_numbers(&source, &columns, drop_rows, block_bytes) {
                assert_eq!(finish(profile), expected, "blocks of {block_bytes} bytes: {text}");
                compared += usize::from(expected.is_ok());
            }
        }
    }
    assert!(compared > 300, "{compared}");
}

#[test]
fn what_is_not_for_one_pass_is_left_to_records() {
    let taken = |text: &str| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let source = Source::open(file.path(), &[]).unwrap();
        let columns = Columns::chosen(&source, &TableOptions::default(), &mut Vec::new()).unwrap();
        of_numbers(&source, &columns, false, 8).is_some()
    };
    assert!(!taken("a,b\r1,\"2\"\r3,4\r"));
    assert!(taken("a,b\n1,2\n3,4\n") && taken("\"a\",\"b\"\n1,x\n3,y\n"));
    for text in
        ["1,2\n3,4\n5\n", "1,2\n3,4,5\n", "1,2\n3,1e39\n", "1,2\n3,\"4\"\n", "1,2\n3,x\n", "1,x\nz,y\n"]
    {
        assert!(!taken(&format!("a,b\n{text}")), "{text}");
    }
}
