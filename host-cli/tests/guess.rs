//! Networks that have learned nothing, and data that are nearly all of one class: a run says so in the end.

mod support;

use std::fs;

use host_cli::data::FILES;
use host_cli::data::idx;
use support::{TRAIN, json_lines, run, small_data, with};

#[test]
fn a_guess_is_called_one() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let data = small_data(here);
    let warnings = |words: &[&str]| {
        let output = run(here, &[words, &["--out", "run", "--overwrite", "--json"]].concat());
        assert!(output.status.success(), "{output:?}");
        let last = json_lines(&String::from_utf8(output.stdout).unwrap()).pop().unwrap();
        let listed: Vec<String> = serde_json::from_value(last["warnings"].clone()).unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(listed.iter().all(|warning| said.contains(&format!("warning: {warning}"))), "{said}");
        listed
    };
    assert_eq!(warnings(&with(&TRAIN, &["--epochs", "8"])), [""; 0]);
    // A network that has hardly moved: its loss is near ln 4, but not there.
    let found = warnings(&["train", "--data", "data", "--epochs", "2", "--lr", "0.000001"]);
    assert!(found.len() == 1 && found[0].contains("is no better than a guess"), "{found:?}");

    // Nearly all images of one class, all of them like noise: 97 % is a guess's accuracy, and ln 4 not its loss.
    for (names, count) in [([FILES[0], FILES[1]], 240), ([FILES[2], FILES[3]], 60)] {
        let mut images = idx::parse_images("f", &fs::read(data.join(names[0])).unwrap()).unwrap().0;
        images.pixels.iter_mut().enumerate().for_each(|(n, p)| *p = (n * 37 % 251) as u8);
        let labels: Vec<u8> = (0..count).map(|n| if n % 33 == 5 { n as u8 / 33 % 3 } else { 3 }).collect();
        fs::write(data.join(names[0]), idx::write_images(&images)).unwrap();
        fs::write(data.join(names[1]), idx::write_labels(&labels)).unwrap();
    }
    for all in [&[][..], &["--train-on", "all"]] {
        let found = warnings(&[&with(&TRAIN, &["--epochs", "3", "--lr", "0.01"])[..], all].concat());
        let split = if all.is_empty() { "validation" } else { "test" };
        assert!(found.len() == 2 && found[0].contains("go by its recall"), "{found:?}");
        assert!(found[1].starts_with(&format!("the {split} accuracy, ")), "{found:?}");
        assert!(found[1].contains("of the images are bottom; try another --lr"), "{found:?}");
    }
}
