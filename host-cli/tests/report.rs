//! Reports of every task: the headings, the figures, and that nothing is wider than the page.

mod support;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use selvedge::Rng;
use serde_json::Value;
use support::{TemporaryFolder, folder_with_data, json_lines, succeeds, with};

/// Writes a table; `row` makes each line.
fn table(folder: &Path, header: &str, rows: usize, mut row: impl FnMut(usize, &mut Rng) -> String) {
    let mut rng = Rng::new(5);
    let mut text = format!("{header}\n");
    (0..rows).for_each(|n| writeln!(text, "{}", row(n, &mut rng)).unwrap());
    fs::write(folder.join("table.csv"), text).unwrap();
}

/// Trains on the table and returns the page and what `eval --json` says.
fn page(folder: &Path, flags: &[&str]) -> (String, Value) {
    let train =
        ["train", "--data", "table.csv", "--hidden", "8", "--lr", "0.01", "--epochs", "20", "--out", "run"];
    succeeds(folder, &[&train[..], &["--optimizer", "adamw", "--batch", "16", "-q"], flags].concat());
    succeeds(folder, &["report", "run", "-o", "page.html"]);
    let page = fs::read_to_string(folder.join("page.html")).unwrap();
    check(&page);
    (page, json_lines(&succeeds(folder, &["eval", "run", "--json"])).pop().unwrap())
}

/// What holds of every page.
fn check(page: &str) {
    for bad in ["NaN", "inf", "http://", "https://", "<script"] {
        // The recipe may say "inf" inside of a word only.
        assert!(!page.contains(&format!("\"{bad}")) && !page.contains(&format!(" {bad} ")), "{bad}");
    }
    // A table is inside of a box that scrolls, or one of bars, which wrap.
    let tables = page.matches("<table").count();
    let boxed =
        page.matches("<div class=\"wide\"><table>").count() + page.matches("<table class=\"bars\">").count();
    assert_eq!(tables, boxed);
    assert_eq!(page.matches("<svg").count(), page.matches("aria-label=\"").count());
}

/// The headings of the sections.
fn headings(page: &str) -> Vec<&str> {
    page.split("<h2>").skip(1).map(|rest| rest.split('<').next().unwrap()).collect()
}

/// The text of a section.
fn section<'a>(page: &'a str, id: &str) -> &'a str {
    let (_, rest) =
        page.split_once(&format!("<section id=\"{id}\">")).unwrap_or_else(|| panic!("no section {id}"));
    rest.split("</section>").next().unwrap()
}

fn temporary() -> TemporaryFolder {
    folder_with_data()
}

#[test]
fn classes_of_a_table() {
    let here = &temporary();
    table(here, "level,noise,colour,<kind>", 300, |n, rng| {
        let level = rng.uniform();
        let kind = if level + 0.3 * rng.uniform() > 0.6 { "a & b" } else { "c" };
        format!("{level},{},{},{kind}", rng.uniform(), ["red", "green", "blue"][n % 3])
    });
    let (page, eval) = page(here, &[]);
    assert_eq!(
        headings(&page),
        [
            "Summary",
            "Learning curves",
            "Precision and recall",
            "Confusion matrix",
            "Calibration",
            "Most confident mistakes",
            "Feature importance",
            "Recipe"
        ]
    );
    // The page says what `eval` says, beside what always answering one class reaches.
    let percent = |key: &str| format!("{:.2}\u{a0}%", 100.0 * eval[key].as_f64().unwrap());
    let summary = section(&page, "summary");
    assert!(summary.contains(&percent("accuracy")) && summary.contains("always "), "{summary}");
    let classes = section(&page, "classes");
    assert!(classes.contains("<th>a &amp; b</th>") && classes.contains(&percent("macro_f1")), "{classes}");
    assert!(classes.contains(&format!("ROC AUC {:.4}", eval["auc"].as_f64().unwrap())), "{classes}");
    assert!(section(&page, "calibration").contains(&percent("ece")));
    // Devices do not run tables yet: nothing is said of flash, and nothing is quantized.
    assert!(!page.contains("flash") && !page.contains("Quantized"));
    // A category is one bar, and the column that decides is the first.
    let bars: Vec<&str> = section(&page, "importance").split("<tr><th>").skip(1).collect();
    assert!(bars.len() == 3 && bars[0].starts_with("level<"), "{bars:?}");
    // Mistakes are rows with the values as in the file.
    let mistakes = section(&page, "mistakes");
    assert!(mistakes.contains("<th>level</th><th>noise</th><th>colour</th>"), "{mistakes}");
    // Both losses have a line.
    assert_eq!(section(&page, "curves").matches("<polyline").count(), 4);
}

#[test]
fn numbers_have_errors_beside_those_of_the_mean() {
    let here = &temporary();
    table(here, "x,y,force,temperature", 400, |_, rng| {
        let (x, y) = (rng.uniform(), rng.uniform());
        format!("{x},{y},{},{}", 1e-4 * x, 300.0 + 40.0 * y + rng.uniform())
    });
    let (page, eval) = page(here, &["--target", "force,temperature", "--task", "regress"]);
    assert_eq!(
        headings(&page),
        [
            "Summary",
            "Learning curves",
            "Errors",
            "Predicted against true",
            "Residuals",
            "Largest errors",
            "Feature importance",
            "Recipe"
        ]
    );
    let r2 = format!("{:.4}", eval["r2"].as_f64().unwrap());
    assert!(section(&page, "summary").contains(&r2), "{r2}");
    let errors = section(&page, "errors");
    assert!(errors.contains("<th>force</th>") && errors.contains("<th>temperature</th>"), "{errors}");
    let rows = eval["rows"].as_u64().unwrap() as usize;
    let scatter = section(&page, "predicted");
    assert_eq!((scatter.matches("<svg").count(), scatter.matches("<circle").count()), (2, 2 * rows));
    assert_eq!(section(&page, "residuals").matches("<svg").count(), 2);
    // There is no accuracy of numbers: one chart.
    assert_eq!(section(&page, "curves").matches("<svg").count(), 1);
}

#[test]
fn labels_have_a_row_each() {
    let here = &temporary();
    table(here, "t,v,hot,loose", 300, |_, rng| {
        let (t, v) = (rng.uniform(), rng.uniform());
        format!("{t},{v},{},{}", u8::from(t > 0.6), u8::from(v > 0.5))
    });
    let (page, eval) = page(here, &["--target", "hot,loose", "--task", "multilabel"]);
    let expected = ["Summary", "Learning curves", "Precision and recall", "Feature importance", "Recipe"];
    assert_eq!(headings(&page), expected);
    let labels = section(&page, "labels");
    for label in eval["per_label"].as_array().unwrap() {
        let row = format!("<th>{}</th><td>{}</td>", label["name"].as_str().unwrap(), label["rows"]);
        assert!(labels.contains(&row), "{row}: {labels}");
        assert!(labels.contains(&format!("{:.2}\u{a0}%", 100.0 * label["f1"].as_f64().unwrap())));
    }
    assert!(section(&page, "summary").contains("always the more frequent answer"));
}

#[test]
fn scores_have_a_threshold() {
    let here = &temporary();
    table(here, "a,b,c,state", 400, |n, rng| {
        let (a, b) = (rng.uniform(), rng.uniform());
        let fault = n % 20 == 0;
        format!(
            "{a},{b},{},{}",
            a + b + if fault { 3.0 } else { 0.0 },
            if fault { "fault" } else { "normal" }
        )
    });
    let (page, eval) = page(here, &["--target", "state", "--task", "reconstruct"]);
    let expected = ["Summary", "Learning curves", "Anomaly scores", "Feature importance", "Recipe"];
    assert_eq!(headings(&page), expected);
    let scores = section(&page, "scores");
    assert!(scores.contains(">threshold</text>"), "{scores}");
    let summary = section(&page, "summary");
    if let Some(auc) = eval["auc"].as_f64() {
        assert!(summary.contains(&format!("{auc:.4}")), "{summary}");
        assert!(scores.contains("<th>normal</th>") && scores.contains("<th>anomalous</th>"), "{scores}");
    }
    assert!(summary.contains("always the mean: "), "{summary}");
}

#[test]
fn a_channel_of_windows_is_one_bar() {
    let here = &temporary();
    table(here, "time,session,ax,ay,activity", 1200, |n, rng| {
        let active = n / 60 % 2 == 1;
        let ax = if active { (n as f32 * 0.7).sin() } else { 0.0 } + 0.1 * rng.uniform();
        format!("{n},{},{ax},{},{}", n / 60, rng.uniform(), if active { "walk" } else { "rest" })
    });
    let flags = ["--target", "activity", "--time", "time", "--group", "session", "--window", "10"];
    let (page, _) = page(here, &flags);
    let importance = section(&page, "importance");
    let bars: Vec<&str> = importance.split("<tr><th>").skip(1).collect();
    assert!(bars.len() == 2 && bars[0].starts_with("ax<"), "{bars:?}");
    let mistakes = section(&page, "mistakes");
    assert!(mistakes.contains("last row of each window") || mistakes.contains("No test row"), "{mistakes}");
}

#[test]
fn pictures_keep_their_weights_and_say_what_a_device_takes() {
    let here = &temporary();
    let train =
        ["train", "--data", "data", "--hidden", "16", "--batch", "16", "--init", "he", "--epochs", "2"];
    succeeds(here, &with(&train, &["--out", "run", "-q"]));
    succeeds(here, &["report", "run", "-o", "page.html"]);
    let page = fs::read_to_string(here.join("page.html")).unwrap();
    check(&page);
    assert_eq!(
        headings(&page),
        [
            "Summary",
            "Learning curves",
            "Precision and recall",
            "Confusion matrix",
            "Calibration",
            "Most confident mistakes",
            "First-layer weights",
            "Weights and activations",
            "Float and integer predictions",
            "Recipe"
        ]
    );
    // The time of each core is that of `estimate`, at its clock.
    let summary = section(&page, "summary");
    for estimate in json_lines(&succeeds(here, &["estimate", "run", "--json"])) {
        let core = host_cli::estimate::core(estimate["target"].as_str().unwrap()).unwrap();
        let cycles = estimate["cycles"].as_f64().unwrap();
        let time = format!("<td>{:.2} to ", 1e3 * cycles / core.clock);
        let clock = format!(" at {} MHz", core.clock / 1e6);
        let row = summary.split("<tr>").find(|row| row.contains(core.processors)).unwrap();
        assert!(row.contains(&time) && row.contains(&clock), "{row}: {time}{clock}");
    }
}
