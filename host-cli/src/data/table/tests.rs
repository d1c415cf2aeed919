//! Tables as people write them, and what is refused.

use std::io::Write;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::{Missing, Numbers, Table, TableOptions, Target, is_table, read, read_as};
use crate::error::{ErrorKind, Result};

/// A file with this content.
fn file(content: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

fn read_text(text: impl AsRef<[u8]>, options: &TableOptions) -> Result<Table> {
    let (_folder, path) = file(text.as_ref());
    read(&path, options)
}

fn table(text: impl AsRef<[u8]>) -> Table {
    read_text(text, &TableOptions::default()).unwrap()
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

/// Checks that a table is refused with all of these words.
fn refused(text: impl AsRef<[u8]>, options: &TableOptions, words: &[&str]) {
    let error = read_text(&text, options).unwrap_err();
    let text = String::from_utf8_lossy(text.as_ref()).into_owned();
    assert!(!error.message.contains('\n'), "{}", error.message);
    for word in words {
        assert!(error.message.contains(word), "{text:.60?}: {:?} is not in: {}", word, error.message);
    }
}

const IRIS: &str = "length,width,class\n5.1,3.5,setosa\n7,3.2,versicolor\n6.3,3.3,virginica\n4.9,3,setosa\n";

#[test]
fn one_table_however_it_is_written() {
    let expected = table(IRIS);
    assert_eq!((expected.rows, expected.schema.columns()), (4, 2));
    assert_eq!(expected.features, [5.1, 3.5, 7.0, 3.2, 6.3, 3.3, 4.9, 3.0]);
    let classes = names(&["setosa", "versicolor", "virginica"]);
    assert_eq!(expected.schema.classes, classes);
    assert_eq!(expected.target, Target::Text { names: classes, codes: vec![0, 1, 2, 0] });
    assert!(
        expected.notes[0].starts_with("the target is the last column, \"class\""),
        "{:?}",
        expected.notes
    );
    let zip = |text: &str| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.finish().unwrap()
    };
    let quoted = IRIS.replace("setosa", "\"setosa\"").replace("5.1", "\" 5.1\"");
    let (first, second) = IRIS.split_at(40);
    let same = [
        IRIS.replace('\n', "\r\n").into_bytes(),
        IRIS.replace(',', ";").into_bytes(),
        IRIS.replace(',', "\t").into_bytes(),
        IRIS.replace(',', " , ").into_bytes(),
        format!("\u{feff}{IRIS}").into_bytes(),
        IRIS.trim_end().into(),
        IRIS.replace("\n7", "\n\n  \n7").into_bytes(),
        format!("{IRIS}\n\r\n").into_bytes(),
        quoted.into_bytes(),
        zip(IRIS),
        [zip(first), zip(second)].concat(),
    ];
    for text in same {
        assert_eq!(table(&text), expected, "{}", String::from_utf8_lossy(&text));
        let (_folder, path) = file(&text);
        assert!(is_table(&path));
    }
}

#[test]
fn headers_are_found_or_noted() {
    let columns = |text: &str| {
        let table = table(text);
        let names: Vec<String> = table.schema.features.iter().map(|f| f.name.clone()).collect();
        (names.join(" "), table.rows, table.notes.join("; "))
    };
    let (names, rows, notes) = columns("5.1,3.5,a\n7,3.2,b\n");
    assert_eq!((&names[..], rows), ("column_1 column_2", 2));
    assert!(notes.contains("no names of columns"), "{notes}");
    assert_eq!(columns("name,2019,2020\n3,1.5,2.5\n2,1,7\n").0, "name 2019");
    assert_eq!(columns("0,1,2\n3.5,1.5,2.5\n2,1,7\n").0, "0 1");
    let (names, rows, notes) = columns("colour,taste\nred,sweet\nblue,sour\nred,sour\n");
    assert_eq!((&names[..], rows), ("colour", 3));
    assert!(notes.contains("taken as names") && notes.contains("\"colour\" is text"), "{notes}");
    assert_eq!(columns("red,sweet\nblue,sour\nred,sour\n").1, 3);
    let (names, _, notes) = columns(",a,b\n0,1.5,7\n1,2.5,8\n2,2.5,9\n");
    assert_eq!(names, "column_1 a");
    assert!(notes.contains("has no name") && notes.contains("only counts the rows"), "{notes}");
}

#[test]
fn targets_drops_and_categories() {
    let text = "id,code,x,y\n1,10,0.5,1\n2,9,1.5,0\n3,10.0,2.5,1\n";
    let options = TableOptions {
        target: names(&["y", "x"]),
        drop: names(&["id"]),
        categorical: names(&["code"]),
        ..TableOptions::default()
    };
    let mut two = read_text(text, &options).unwrap();
    assert_eq!(two.schema.input_names(), ["code=9", "code=10"]);
    assert_eq!(two.features, [0.0, 1.0, 1.0, 0.0, 0.0, 1.0]);
    let values = vec![1.0, 0.5, 0.0, 1.5, 1.0, 2.5];
    assert_eq!(
        two.target,
        Target::Numbers(Numbers { values, targets: 2, integers: false, binary: false, distinct: 5 })
    );
    assert!(two.classify().is_err());
    let mut last = table(text);
    let Target::Numbers(numbers) = &last.target else { panic!() };
    assert!(numbers.integers && numbers.binary && numbers.distinct == 2);
    last.classify().unwrap();
    assert_eq!(last.target, Target::Text { names: names(&["0", "1"]), codes: vec![1, 0, 1] });
    assert_eq!(last.schema.classes, ["0", "1"]);
    let all = TableOptions { unsupervised: true, ..TableOptions::default() };
    let all = read_text(text, &all).unwrap();
    assert_eq!((all.schema.columns(), all.target), (4, Target::None));
}

#[test]
fn missing_values_are_refused_or_filled_from_training_rows() {
    let text = "a,b,y\n1,,0\n3,NA,1\n?,5,0\n100,7,1\n";
    refused(
        text,
        &TableOptions::default(),
        &["3 of 4 rows", "line 2", "\"a\" (1), \"b\" (2)", "--missing mean"],
    );
    let with = |missing| TableOptions { missing, ..TableOptions::default() };
    let mut mean = read_text(text, &with(Missing::Mean)).unwrap();
    assert!(mean.features[1].is_nan() && mean.features[4].is_nan());
    mean.fill_missing(&[0, 1, 2]).unwrap();
    assert_eq!(mean.features, [1.0, 5.0, 3.0, 5.0, 2.0, 5.0, 100.0, 7.0]);
    assert_eq!(mean.schema.features[0].fill, Some(2.0));
    let mut median = read_text(text, &with(Missing::Median)).unwrap();
    median.fill_missing(&[0, 1, 2, 3]).unwrap();
    assert_eq!((median.features[4], median.features[1]), (3.0, 6.0));
    assert!(median.fill_missing(&[]).is_err());
    let rows = read_text("a,b,y\n1,2,0\n3,NA,1\n5,5,\n100,7,1\n", &with(Missing::DropRows)).unwrap();
    assert_eq!((rows.rows, &rows.features[..], &rows.gaps[..]), (2, &[1.0, 2.0, 100.0, 7.0][..], &[1][..]));
    assert!(rows.notes.iter().any(|n| n.contains("2 of 4 rows are left out")), "{:?}", rows.notes);
    // A row for the model takes what the training rows gave.
    let (_folder, path) = file(b"b,a\n,NA\n");
    let row = read_as(&path, &mean.schema, false).unwrap();
    assert_eq!((row.features, row.target), (vec![2.0, 5.0], Target::None));
    refused("a,y\n1,\n2,3\n", &with(Missing::Mean), &["line 2", "\"y\"", "target is missing", "drop-rows"]);
    refused("a,b,y\n1,,1\n2,,3\n", &with(Missing::Mean), &["no value in column \"b\"", "--drop b"]);
    refused(
        "a,b,y\n1,,1\n2,,3\n",
        &with(Missing::DropRows),
        &["missing value in each of its 2 rows", "--drop b"],
    );
}

#[test]
fn what_cannot_be_right_is_refused_by_line_and_column() {
    let default = &TableOptions::default();
    refused("", default, &["is empty"]);
    refused("\n\n", default, &["is empty"]);
    refused("a,b\n", default, &["has no rows"]);
    refused("a\n1\n2\n", default, &["only one column"]);
    refused("a,b,c\n1,2,3\n\n1,2\n4,5,6\n", default, &["line 4: 2 cells, but the first line has 3"]);
    refused("a,b\n1,2\n3,\"4\n5,6\n", default, &["line 3", "quote", "not closed"]);
    refused(
        "a,b\n1,2\n\n\nx,4\n5,6\n7,8\n9,10\n",
        default,
        &["line 5, column \"a\"", "\"x\" is not a number", "4 other"],
    );
    refused("a,\"b\n b\",y\n1,2,3\ninf,4,3\n", default, &["line 4, column \"a\"", "inf is infinite"]);
    refused("a,y\n1,2\n1e39,4\n", default, &["line 3", "1e39 is infinite"]);
    refused("a;b\n1,5;2\n2,5;4\n", default, &["line 2", "\"1,5\" has a decimal comma", "\"1.5\""]);
    refused("a;y\n1;2,5\n2;4\n", default, &["line 2, column \"y\"", "decimal comma"]);
    refused(b"a,b,y\n1,\xe9,2\n1,b,2\n", default, &["line 2, column \"b\"", "not UTF-8", "iconv -f LATIN1"]);
    refused(b"\xff\xfea\0,\0b\0\n\0", default, &["UTF-16", "iconv -f UTF-16"]);
    refused("a,b,a\n1,2,3\n", default, &["two columns named \"a\""]);
    refused(
        "when,y\n2024-01-31,2\n2024-02-01,4\n",
        default,
        &["line 2", "is a date", "--drop when", "--time when"],
    );
    refused("x,y\n1,a\n2,a\n", default, &["only the class \"a\""]);
    refused("x,y\n1,a\n2,7\n3,b\n", default, &["line 2, column \"y\"", "--categorical y"]);
    let mut many: String = "x,y\n".into();
    (0..101).for_each(|n| many += &format!("v{n},{n}\n"));
    refused(&many, default, &["more than 100 values in column \"x\"", "--drop x", "--categorical x"]);
    let declared = TableOptions { categorical: names(&["x"]), ..TableOptions::default() };
    assert_eq!(read_text(&many, &declared).unwrap().schema.columns(), 101);
    let (_folder, path) = file(&[0x1f, 0x8b, 8, 0, 1, 2, 3]);
    assert!(read(&path, default).unwrap_err().message.contains("cannot be read to its end"));
}

#[test]
fn options_name_columns_that_are_there() {
    for (options, words) in [
        (
            TableOptions { target: names(&["clas"]), ..TableOptions::default() },
            ["did you mean \"class\"?", "--target"],
        ),
        (
            TableOptions { drop: names(&["zzzzzzz"]), ..TableOptions::default() },
            ["\"length\", \"width\"", "--drop"],
        ),
        (
            TableOptions { group: "class".into(), target: names(&["class"]), ..TableOptions::default() },
            ["twice", "--group"],
        ),
        (
            TableOptions { drop: names(&["length", "width"]), ..TableOptions::default() },
            ["no column left", "--drop"],
        ),
    ] {
        refused(IRIS, &options, &words);
    }
    let typo = TableOptions { target: names(&["clas"]), ..TableOptions::default() };
    assert_eq!(read_text(IRIS, &typo).unwrap_err().kind, ErrorKind::Usage);
}

#[test]
fn oddities_are_noted() {
    let notes = table("same,a,b,leak,y\n5,1,1,7,7\n5,3,3,8,8\n5,2,2,9,9\n").notes.join("; ");
    for words in [
        "\"same\" has the same value in every row",
        "column \"b\" is the same as column \"a\"",
        "column \"leak\" is the same as the target, \"y\"",
    ] {
        assert!(notes.contains(words), "{notes}");
    }
    assert!(!notes.contains("only counts"), "{notes}");
}

#[test]
fn rows_for_a_model_are_matched_by_name() {
    let trained = table("x,colour,class\n1,red,a\n2,blue,b\n");
    let rows = |text: &str, needs_target| {
        let (_folder, path) = file(text.as_bytes());
        read_as(&path, &trained.schema, needs_target)
    };
    let other = rows("class,extra,colour,x\nb,?,red,7\na,z,blue,8\n", true).unwrap();
    assert_eq!(
        (other.features, other.schema.clone()),
        (vec![7.0, 0.0, 1.0, 8.0, 1.0, 0.0], trained.schema.clone())
    );
    assert_eq!(other.target, Target::Text { names: names(&["a", "b"]), codes: vec![1, 0] });
    let unknown = "x,colour,class\n1,red,c\n";
    let error = rows(unknown, true).unwrap_err().message;
    assert!(
        error.contains("line 2") && error.contains("\"c\" is a class that the model does not know"),
        "{error}"
    );
    assert_eq!(rows(unknown, false).unwrap().target, Target::None);
    assert_eq!(rows("x,colour,class\n1,red,\n", false).unwrap().target, Target::None);
    for (text, words) in [
        (
            "x,colour,class\n1,green,a\n",
            "\"green\" is a category that the model does not know; it knows blue, red",
        ),
        ("x,color,class\n1,red,a\n", "no column \"colour\", which the model needs; did you mean \"color\"?"),
        ("x,colour\n1,red\n", "no column \"class\""),
        ("x,colour,class\nlow,red,a\n", "line 2, column \"x\": \"low\" is not a number"),
        ("x,colour,class\n,red,a\n", "missing values in 1 of 1 rows"),
        ("1,red,a\n", "names no columns"),
    ] {
        let error = rows(text, true).unwrap_err().message;
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn files_that_are_no_table_are_not_taken_for_one() {
    for other in
        [&b""[..], b"\x89PNG\r\n\x1a\n", b"\0\0\x08\x03\0\0\0\x01", b"Some text.\nNo table at all.\n"]
    {
        let (_folder, path) = file(other);
        assert!(!is_table(&path), "{other:?}");
    }
    assert!(!is_table(&std::env::temp_dir()));
}
