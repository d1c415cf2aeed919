//! Tables through the program: what cannot be right is one line and leaves nothing behind, and `data show` describes the rest.
mod support;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use support::{TemporaryFolder, fails, json_lines, run, succeeds};

/// Forty rows of two classes, with columns of numbers and one of text.
fn good() -> String {
    let rows = (0..40).map(|n| {
        let (class, colour) = (["no", "yes"][n % 2], ["red", "green", "blue"][n % 3]);
        format!("{}.5,{},{colour},{},{class}", n, n * n % 17, n / 8)
    });
    std::iter::once("width,height,colour,board,class".into()).chain(rows).collect::<Vec<_>>().join("\n")
        + "\n"
}

/// The good table with its line `line`, counted from 1, replaced.
fn with_line(line: usize, text: &str) -> String {
    good()
        .lines()
        .enumerate()
        .map(|(n, old)| if n + 1 == line { text } else { old }.to_string() + "\n")
        .collect()
}

/// A folder with the tables `(name, text)`.
fn folder(tables: &[(&str, String)]) -> TemporaryFolder {
    let folder = support::folder_with_data();
    fs::write(folder.join("good.csv"), good()).unwrap();
    tables.iter().for_each(|(name, text)| fs::write(folder.join(name), text).unwrap());
    folder
}

/// All paths below a folder, sorted.
fn paths(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(paths(&path));
        }
        found.push(path);
    }
    found.sort();
    found
}

/// Runs what must be refused: the exit code, one line that has all `parts`, and no new file.
fn refused(here: &Path, words: &str, code: i32, parts: &[&str]) {
    let before = paths(here);
    let words: Vec<_> = words.split(' ').collect();
    let output = run(here, &words);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), stderr.lines().count()), (Some(code), 1), "{words:?}: {stderr}");
    assert!(stderr.starts_with("error: ") && output.stdout.is_empty(), "{words:?}: {stderr}");
    for part in parts {
        assert!(stderr.contains(part), "{words:?}: no `{part}` in: {stderr}");
    }
    assert_eq!(paths(here), before, "{words:?} left something behind");
}

#[test]
fn bad_tables_are_one_line_and_leave_nothing() {
    let header = "width,height,colour,board,class\n";
    let one_of_class = good() + "9.5,9,red,9,maybe\n";
    let numbers = "a,b,y\n".to_string() + &"1,2,3.5\n2,3,4.5\n".repeat(20);
    let here: &Path = &folder(&[
        ("text.csv", with_line(8, "wide,3,red,1,no")),
        ("ragged.csv", with_line(9, "1.5,3,red,1,no,more")),
        ("short.csv", with_line(9, "1.5,3")),
        ("infinite.csv", with_line(10, "inf,3,red,1,no")),
        ("huge.csv", with_line(10, "1e39,3,red,1,no")),
        ("rare.csv", one_of_class),
        ("empty.csv", header.into()),
        ("nothing.csv", String::new()),
        ("missing.csv", with_line(4, ",NA,red,1,no")),
        ("untold.csv", with_line(5, "1.5,3,red,1,")),
        ("one.csv", good().replace("yes", "no")),
        ("comma.csv", good().replace(',', ";").replace(".5", ",5")),
        ("twice.csv", good().replacen("height", "width", 1)),
        ("numbers.csv", numbers),
    ]);
    let cases: &[(&str, i32, &[&str])] = &[
        (
            "--data good.csv --target clas",
            2,
            &["good.csv has no column \"clas\"", "did you mean \"class\"?", "--target"],
        ),
        ("--data good.csv --drop colours", 2, &["no column \"colours\"", "did you mean \"colour\"?"]),
        ("--data good.csv --group subject", 2, &["no column \"subject\"", "its columns are \"width\""]),
        ("--data good.csv --target class --drop class", 2, &["named twice"]),
        ("--data text.csv", 3, &["text.csv, line 8, column \"width\": \"wide\" is not a number"]),
        ("--data ragged.csv", 3, &["ragged.csv, line 9: 6 cells, but the first line has 5"]),
        ("--data short.csv", 3, &["short.csv, line 9: 2 cells, but the first line has 5"]),
        ("--data infinite.csv", 3, &["infinite.csv, line 10, column \"width\": inf is infinite"]),
        ("--data huge.csv", 3, &["huge.csv, line 10, column \"width\": 1e39 is infinite"]),
        ("--data rare.csv", 3, &["\"maybe\""]),
        ("--data empty.csv", 3, &["empty.csv has no rows"]),
        ("--data nothing.csv", 3, &["nothing.csv"]),
        (
            "--data missing.csv",
            3,
            &[
                "missing values in 1 of 40 rows, first in line 4",
                "\"width\" (1), \"height\" (1)",
                "--missing mean",
            ],
        ),
        ("--data untold.csv", 3, &["line 5, column \"class\": the target is missing", "--missing drop-rows"]),
        ("--data one.csv", 3, &["only the class \"no\""]),
        ("--data comma.csv", 3, &["has a decimal comma; write"]),
        ("--data twice.csv", 3, &["two columns named \"width\""]),
        ("--data none.csv", 3, &["none.csv"]),
        ("--data numbers.csv --task classify", 3, &["which is no class", "--task regress"]),
        ("--data good.csv --task regress", 3, &["\"class\" is text"]),
        ("--data numbers.csv --task multilabel", 3, &["a label is 0 or 1"]),
        ("--data good.csv --window 1000 --target height --drop colour,class", 3, &["shorter --window"]),
        ("--data good.csv --size 8by8", 2, &["--size 8by8", "28x28"]),
    ];
    for (words, code, parts) in cases {
        refused(here, &format!("train {words} --epochs 1 --out run"), *code, parts);
    }
}

#[test]
fn bad_test_rows_are_one_line_and_other_orders_of_columns_are_not_bad() {
    let reversed: String =
        good().lines().map(|line| line.split(',').rev().collect::<Vec<_>>().join(",") + "\n").collect();
    let here: &Path = &folder(&[
        ("class.csv", with_line(7, "1.5,3,red,1,maybe")),
        ("category.csv", with_line(7, "1.5,3,pink,1,no")),
        ("column.csv", good().replacen("height", "hight", 1)),
        ("text.csv", with_line(7, "1.5,tall,red,1,no")),
        ("reversed.csv", reversed),
    ]);
    let train = "train --data good.csv --epochs 2 --hidden 4 -q --out";
    let cases: &[(&str, &[&str])] = &[
        (
            "class.csv",
            &[
                "line 7, column \"class\": \"maybe\" is a class that the model does not know; it knows no, yes",
            ],
        ),
        ("category.csv", &["line 7, column \"colour\": \"pink\" is a category", "blue, green, red"]),
        ("column.csv", &["has no column \"height\", which the model needs; did you mean \"hight\"?"]),
        ("text.csv", &["line 7, column \"height\": \"tall\" is not a number"]),
    ];
    for (test, parts) in cases {
        refused(here, &format!("{train} run --test {test}"), 3, parts);
    }
    let trained = |out: &str, more: &[&str]| {
        let words: Vec<_> = train.split(' ').chain([out, "--json"]).chain(more.iter().copied()).collect();
        json_lines(&succeeds(here, &words)).pop().unwrap()["test_accuracy"].clone()
    };
    // By name, whatever the order.
    assert_eq!(trained("straight", &["--test", "good.csv"]), trained("back", &["--test", "reversed.csv"]));
    for (rows, parts) in &cases[1..] {
        refused(here, &format!("predict straight --data {rows} -o answers.csv"), 3, parts);
    }
    let answers =
        ["good.csv", "reversed.csv"].map(|rows| succeeds(here, &["predict", "straight", rows, "--json"]));
    assert_eq!(answers[0], answers[1]);
    assert_eq!(json_lines(&answers[0]).len(), 40);
    refused(
        here,
        "predict straight --data good.csv -o good.csv",
        2,
        &["good.csv is read and would be replaced"],
    );
}

/// The description of a table as JSON.
fn shown(here: &Path, words: &[&str]) -> Value {
    json_lines(&succeeds(here, &[&["data", "show", "--json"], words].concat())).pop().unwrap()
}

/// The column of a name.
fn column<'a>(shown: &'a Value, name: &str) -> &'a Value {
    shown["columns"].as_array().unwrap().iter().find(|c| c["name"] == name).unwrap()
}

#[test]
fn data_show_describes_a_table() {
    let here: &Path = &folder(&[]);
    let json = shown(here, &["--data", "good.csv", "--group", "board"]);
    assert_eq!(
        (&json["rows"], &json["rows_with_missing"], &json["task"]),
        (&json!(40), &json!(0), &json!("classify"))
    );
    let samples = ["train", "validation", "test"].map(|part| json["samples"][part].as_u64().unwrap());
    assert!(samples.iter().sum::<u64>() == 40 && samples.iter().all(|&n| n % 8 == 0 && n > 0), "{samples:?}");
    let width = column(&json, "width");
    let figures = ["min", "median", "mean", "max"].map(|key| width[key].as_f64().unwrap());
    assert_eq!(
        (figures, &width["distinct"], &width["kind"]),
        ([0.5, 20.0, 20.0, 39.5], &json!(40), &json!("number"))
    );
    let bins = width["histogram"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap());
    assert_eq!(bins.sum::<u64>(), 40);
    let colour = column(&json, "colour");
    assert_eq!(colour["values"][2], json!({"name": "red", "rows": 14}));
    assert_eq!(
        (&colour["kind"], &colour["min"], &colour["histogram"]),
        (&json!("text"), &Value::Null, &Value::Null)
    );
    let class = column(&json, "class");
    assert_eq!((&class["role"], &class["values"][0]["rows"]), (&json!("target"), &json!(20)));
    assert_eq!(
        (&column(&json, "board")["role"], &column(&json, "board")["distinct"]),
        (&json!("group"), &json!(5))
    );
    // The name of the data set may stand without --data, but not twice.
    assert_eq!(shown(here, &["good.csv", "--group", "board"]), json);
    fails(here, &["data", "show", "good.csv", "--data", "good.csv"], 2);

    let text =
        succeeds(here, &["data", "show", "--data", "good.csv", "--group", "board", "--drop", "height"]);
    for part in [
        "good.csv: 40 rows, 5 columns\n",
        "target class: no 20 (50.0%), yes 20 (50.0%)",
        "group board: 5 groups of 8 to 8 rows",
        "dropped columns: height",
        "red 14, blue 13, green 13",
    ] {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
    let row = text.lines().find(|line| line.trim_start().starts_with("width")).unwrap();
    let cells: Vec<_> = row.split_whitespace().collect();
    assert_eq!(cells[..9], ["width", "feature", "number", "0", "40", "0.5", "20", "20", "39.5"]);
    assert!(cells[9].contains('█'), "{row}");
}

#[test]
fn data_show_describes_what_training_refuses() {
    let odd = "id,a,same,flat,b,y\n".to_string()
        + &(0..12)
            .map(|n| format!("{n},{n}.5,{n}.5,7,{},{}\n", ["", "NA", "3"][n % 3], n * 10))
            .collect::<String>();
    let here: &Path = &folder(&[("odd.csv", odd), ("mixed.csv", with_line(8, "wide,3,red,1,no"))]);
    let json = shown(here, &["--data", "odd.csv"]);
    assert_eq!(
        (&json["rows_with_missing"], &json["task"], &json["samples"]),
        (&json!(8), &Value::Null, &Value::Null)
    );
    assert_eq!((&column(&json, "b")["missing"], &column(&json, "b")["min"]), (&json!(8), &json!(3.0)));
    assert_eq!(
        (&column(&json, "same")["same_as"], &column(&json, "flat")["constant"]),
        (&json!("a"), &json!(true))
    );
    let warning = json["warnings"][0].as_str().unwrap();
    assert!(
        warning.starts_with("training refuses it as it is: ") && warning.contains("`--missing mean`"),
        "{warning}"
    );
    let filled = shown(here, &["--data", "odd.csv", "--missing", "mean", "--task", "regress"]);
    assert_eq!((&filled["task"], &filled["rows_with_missing"]), (&json!("regress"), &json!(8)));
    assert!(filled["columns"][5]["values"].is_null() && json["columns"][5]["values"][11]["name"] == "110");
    let text =
        succeeds(here, &["data", "show", "--data", "odd.csv", "--missing", "mean", "--task", "regress"]);
    for part in [
        "target y: numbers from 0 to 110, mean 55",
        "missing values: in 8 of 12 rows; --missing mean",
        "constant columns: flat",
        "duplicate columns: same is the same as a",
    ] {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
    let mixed = shown(here, &["--data", "mixed.csv"]);
    assert_eq!(
        (&column(&mixed, "width")["kind"], &column(&mixed, "width")["values"][0]["name"]),
        (&json!("mixed"), &json!("wide"))
    );
    // What is no description of a table, but a mistake in the flags or the file, is refused.
    refused(here, "data show --data odd.csv --target z", 2, &["has no column \"z\""]);
    refused(here, "data show --data none.csv", 3, &["none.csv"]);
}

/// The keys of an object, sorted.
fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn each_task_prints_the_keys_that_the_page_explains() {
    let labels = (0..60).map(|n| format!("{n},{},{},{}\n", n * n % 23, n / 30, n % 2)).collect::<String>();
    let here: &Path = &folder(&[("labels.csv", format!("a,b,high,odd\n{labels}"))]);
    let page = include_str!("../../docs/json.md");
    // Flags of training, keys of `eval` beside `split` and `warnings`, those of each of its parts, and those of an answer.
    type Keys = &'static [&'static str];
    type Task = (&'static str, Keys, Option<(&'static str, Keys)>, Keys);
    let tasks: [Task; 4] = [
        (
            "good.csv --target class",
            &[
                "accuracy",
                "auc",
                "balanced_accuracy",
                "confusion",
                "ece",
                "images",
                "loss",
                "macro_f1",
                "per_class",
            ],
            None,
            &["class", "label", "probabilities"],
        ),
        (
            "good.csv --target width",
            &["mae", "r2", "rmse", "rows", "targets"],
            Some(("targets", &["mae", "mean_mae", "mean_rmse", "name", "r2", "rmse"])),
            &["values"],
        ),
        (
            "labels.csv --target high,odd",
            &["macro_f1", "per_label", "rows"],
            Some(("per_label", &["f1", "name", "precision", "recall", "rows"])),
            &["labels", "probabilities"],
        ),
        (
            "labels.csv --task reconstruct --drop odd",
            &["auc", "rows", "score_mean", "threshold"],
            None,
            &["anomaly", "score"],
        ),
    ];
    let mut found: Vec<String> = Vec::new();
    for (n, (flags, measures, parts, answer)) in tasks.into_iter().enumerate() {
        let out = format!("run{n}");
        let data = flags.split(' ').next().unwrap();
        let words = format!("train --data {flags} --epochs 2 --json --out {out}");
        let trained = json_lines(&succeeds(here, &words.split(' ').collect::<Vec<_>>()));
        assert_eq!(keys(&trained.last().unwrap()["test"]), measures, "{flags}");
        let tested = json_lines(&succeeds(here, &["eval", &out, "--json"])).pop().unwrap();
        let beside: Vec<_> =
            keys(&tested).into_iter().filter(|key| !["split", "warnings"].contains(key)).collect();
        assert_eq!((beside, tested.get("split")), (measures.to_vec(), Some(&json!("test"))), "{flags}");
        if let Some((list, of_part)) = parts {
            assert_eq!(keys(&tested[list][0]), of_part, "{flags}");
        }
        let answers = json_lines(&succeeds(here, &["predict", &out, "--data", data, "--json"]));
        assert_eq!((answers.len() >= 40, keys(&answers[0])), (true, answer.to_vec()), "{flags}");
        for object in trained.iter().chain([&tested, &answers[0]]) {
            found.extend(keys(object).into_iter().map(String::from));
        }
        found.extend(parts.into_iter().flat_map(|(_, keys)| keys).map(ToString::to_string));
    }
    let rejected = ["eval", "predict"].map(|command| {
        json_lines(&succeeds(here, &[command, "run0", "--data", "good.csv", "--reject", "1", "--json"]))
            .remove(0)
    });
    assert_eq!((&rejected[0]["coverage"], &rejected[0]["accuracy_answered"]), (&json!(0.0), &Value::Null));
    assert_eq!((&rejected[1]["class"], &rejected[1]["label"]), (&Value::Null, &json!("unknown")));
    let folds = ["train", "--data", "good.csv", "--epochs", "2", "--folds", "3", "--json"];
    let folds = json_lines(&succeeds(here, &folds));
    assert_eq!((folds.len(), &folds[2]["fold"], &folds[3]["accuracy"]["count"]), (4, &json!(3), &json!(3)));
    assert_eq!(keys(&folds[3]["accuracy"]), ["count", "deviation", "mean"]);
    let shown = shown(here, &["--data", "good.csv"]);
    for object in rejected.iter().chain(&folds).chain([&shown, &shown["samples"], &shown["columns"][0]]) {
        found.extend(keys(object).into_iter().map(String::from));
    }
    found.retain(|key| !page.contains(&format!("`{key}`")));
    assert!(found.is_empty(), "docs/json.md says nothing of {found:?}");
}
