//! File names and folder layouts that are found, and those that are refused.

use super::find;
use std::fs;
use std::path::Path;

/// Creates empty files; a file whose name starts with `!` holds its name.
fn folder(files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in files {
        let path = folder.path().join(name.trim_start_matches('!'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, if name.starts_with('!') { name } else { "" }).unwrap();
    }
    folder
}

fn found(below: &str, files: &[&str]) -> Vec<String> {
    let folder = folder(files);
    let name =
        |path: &Path| path.strip_prefix(folder.path()).unwrap().display().to_string().replace('\\', "/");
    find(&folder.path().join(below)).unwrap().into_iter().flatten().map(|path| name(&path)).collect()
}

#[test]
fn usual_names() {
    let four = |names: [&str; 4]| assert_eq!(found("", &names), names);
    four([
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ]);
    four([
        "train-images.idx3-ubyte",
        "train-labels.idx1-ubyte",
        "t10k-images.idx3-ubyte.gz",
        "t10k-labels.idx1-ubyte.GZ",
    ]);
    four([
        "emnist-letters-train-images-idx3-ubyte.gz",
        "emnist-letters-train-labels-idx1-ubyte.gz",
        "emnist-letters-test-images-idx3-ubyte.gz",
        "emnist-letters-test-labels-idx1-ubyte.gz",
    ]);
    four([
        "qmnist-train-images-idx3-ubyte",
        "qmnist-train-labels-idx2-int.gz",
        "qmnist-test-images-idx3-ubyte",
        "qmnist-test-labels-idx2-int",
    ]);
    four(["TRAIN-IMAGES-IDX3-UBYTE", "Train_Labels.idx", "Test-Images.idx3", "test-labels"]);
}

#[test]
fn usual_layouts() {
    let names = super::FILES;
    let below = |folder: &str| names.map(|name| format!("{folder}/{name}"));
    for layout in ["raw", "FashionMNIST/raw"] {
        let files = below(layout);
        assert_eq!(found("", &files.each_ref().map(|f| &f[..])), files);
    }
    // Each file in a folder of its name, and a copy in the same folder.
    let files = names.map(|name| format!("{name}/{name}"));
    assert_eq!(found("", &files.each_ref().map(|f| &f[..])), files);
    let twice: Vec<String> = files.iter().cloned().chain(names.map(|n| n.replace("-idx", ".idx"))).collect();
    assert_eq!(found("", &twice.iter().map(|f| &f[..]).collect::<Vec<_>>()).len(), 4);
    // The unpacked file and its archive, which differ; and the files that macOS adds.
    let zipped: Vec<String> = names.iter().map(|n| format!("!{n}.gz")).collect();
    let more =
        names.iter().copied().chain(zipped.iter().map(|f| &f[..])).chain(["._train-images-idx3-ubyte"]);
    assert_eq!(found("", &more.collect::<Vec<_>>()), names);
    // Training and test in folders of their own.
    let apart =
        ["train/train-images.idx", "train/train-labels.idx", "test/test-images.idx", "test/test-labels.idx"];
    assert_eq!(found("", &apart), apart);
    // Files at a deeper level are ignored.
    let mut deeper = names.to_vec();
    deeper.push("!old/train-images-idx3-ubyte");
    assert_eq!(found("", &deeper), names);
}

#[test]
fn a_data_set_is_chosen_by_the_prefix_of_its_names() {
    let names: Vec<String> = ["emnist-letters", "emnist-digits"]
        .iter()
        .flat_map(|set| {
            ["train-images", "train-labels", "test-images", "test-labels"]
                .map(|f| format!("{set}-{f}.idx.gz"))
        })
        .collect();
    let names: Vec<&str> = names.iter().map(|n| &n[..]).collect();
    let both = folder(&names);
    let error = find(both.path()).unwrap_err();
    let typed = |set: &str| format!("`--data {}`", both.path().join(set).display());
    assert!(
        error.message.ends_with(&format!(
            "holds files of 2 data sets (emnist-digits-, emnist-letters-); type {} or {}",
            typed("emnist-digits"),
            typed("emnist-letters")
        )),
        "{error}"
    );
    assert!(found("emnist-letters", &names).iter().all(|name| name.starts_with("emnist-letters-t")));
    assert_eq!(find(&both.path().join("emnist")).unwrap(), [None, None, None, None]);
}

#[test]
fn two_files_for_one_role_are_refused() {
    let names = super::FILES;
    let mut files = names.to_vec();
    files.push("!train-images.idx3-ubyte");
    let error = find(folder(&files).path()).unwrap_err();
    assert!(
        error.message.contains("are different files for the same place")
            && error.message.ends_with("move one of them away"),
        "{error}"
    );
    // Two data sets of torchvision under one root.
    let two: Vec<String> =
        ["MNIST", "FashionMNIST"].iter().flat_map(|set| names.map(|n| format!("!{set}/raw/{n}"))).collect();
    let two = folder(&two.iter().map(|f| &f[..]).collect::<Vec<_>>());
    let error = find(two.path()).unwrap_err();
    for set in ["MNIST", "FashionMNIST"] {
        assert!(
            error.message.contains(&format!("`--data {}`", two.path().join(set).join("raw").display())),
            "{error}"
        );
    }
    // Training images of one data set, test images of another.
    let mixed = ["a-train-images", "a-train-labels", "b-test-images", "b-test-labels"];
    let error = find(folder(&mixed).path()).unwrap_err();
    assert!(
        error
            .message
            .ends_with("give the four files of one data set the same beginning, or a folder of their own"),
        "{error}"
    );
}

#[test]
fn missing_files() {
    let part = folder(&["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte", "val-images-idx3-ubyte"]);
    let there = find(part.path()).unwrap().map(|path| path.is_some());
    assert_eq!(there, [true, false, false, true]);
    let none = folder(&["train-images.npy", "train-labels.csv", "images-idx3-ubyte", "train.idx"]);
    for nothing in [none.path(), Path::new("/nonexistent/x")] {
        assert_eq!(find(nothing).unwrap(), [None, None, None, None]);
    }
}
