//! What people type wrong: one line that says what happened, why, and what to type next; the right exit code; no file left.
mod support;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use support::{TRAIN, fails, folder_with_data, selvedge, succeeds, with};

/// Words, the exit code, and what the line must say.
const MISTAKES: &[(&str, i32, &[&str])] = &[
    // Words.
    ("trian", 2, &["a similar subcommand exists: 'train'; see `selvedge --help`"]),
    ("train --epoch 3", 2, &["a similar argument exists: '--epochs'; see `selvedge train --help`"]),
    (
        "train --epochs -1",
        2,
        &["'-1' for '--epochs <EPOCHS>': write a whole number; see `selvedge train --help`"],
    ),
    ("train --epochs 1e9", 2, &["write a whole number"]),
    ("train --lr 0,1", 2, &["write a number, such as 0.1"]),
    ("train --lr nan --data data", 2, &["--lr NaN: the learning rate is a number above 0"]),
    ("train --optimizer adam", 2, &["[possible values: sgd, adamw]; a similar value exists: 'adamw'"]),
    ("train -c typo.toml", 2, &["epochs = 1.5", "expected a whole number"]),
    ("train -c none.toml", 2, &["No such file or directory; `selvedge config show` prints"]),
    ("train -c data", 2, &["cannot read data: Is a directory, but a file is wanted"]),
    ("sweep --preset notebook --jobs 0", 2, &["write a whole number above 0; see `selvedge sweep --help`"]),
    ("data fetch --mirror example", 2, &["--mirror example: write the address"]),
    ("train --resume runs/net --epochs 9", 2, &["`selvedge train --from RUN --out NEW`"]),
    (
        "train --seed 18446744073709551615",
        2,
        &["--seed 18446744073709551615: ", "at most 9223372036854775807"],
    ),
    ("train --nesterov --optimizer adamw", 2, &["--nesterov looks ahead along SGD's --momentum"]),
    ("train --data= --epochs 1", 2, &["--data is empty: name fashion-mnist, demo, or a folder"]),
    ("predict runs/net", 2, &["which image?", "--index 0"]),
    ("sweep -c none.toml", 2, &["No such file or directory; docs/sweeps.md shows one"]),
    ("estimate net.selv --target m4 --clock 168", 2, &["write a clock with its unit, such as 168MHz"]),
    // Data.
    (
        "train --data torchvision",
        3,
        &["has train-images-idx3-ubyte.gz, but neither train-labels-idx1-ubyte nor"],
    ),
    ("import a.safetensors --classes none.txt -o x", 3, &["cannot read none.txt: No such file"]),
    ("train --data Fashion_MNIST", 3, &["does not exist; did you mean `--data fashion-mnist`?"]),
    ("train --data dmeo", 3, &["did you mean `--data demo`?"]),
    ("train --data net.selv", 3, &["is a file, not a folder: a flash file", "train-images-idx3-ubyte"]),
    ("train --data data/train-images-idx3-ubyte", 3, &["is a file, not a folder", "`--data data`"]),
    ("data show data/labels.txt", 3, &["is a file, not a folder: a text file"]),
    ("train --data photo.jpg", 3, &["is a picture, not a folder of data; `selvedge predict MODEL"]),
    ("train --data data --transpose=maybe", 2, &["'maybe' for '--transpose[=<BOOL>]'"]),
    ("train --data data --first-label 1", 3, &["is 0, but --first-label says that labels start at 1"]),
    (
        "train --resume runs/net --transpose",
        2,
        &["leave out the flags of the recipe, --transpose, --first-label and --out"],
    ),
    ("eval runs/net --data demo --first-label -1", 2, &["-1 is not in 0..=4294967295"]),
    ("train --data runs", 3, &["has neither train-images-idx3-ubyte nor"]),
    ("train --data-dir none", 3, &["run `selvedge data fetch --dir "]),
    ("data verify --dir none", 3, &["run `selvedge data fetch --dir none`"]),
    ("eval net.selv --data-dir none", 3, &["the model does not say what it was trained on: --data does"]),
    ("predict runs/net photo.jpg", 3, &["not a readable JPEG: it is cut short; save it again"]),
    ("predict runs/net runs", 3, &["cannot read runs: Is a directory, but a file is wanted"]),
    // Models.
    ("eval none", 4, &["no model: cannot read none: No such file or directory; `selvedge train` makes one"]),
    ("eval runs", 4, &["did you mean runs/net?"]),
    ("eval unfinished", 4, &["go on with `selvedge train --resume unfinished`"]),
    ("inspect photo.jpg", 4, &["photo.jpg: a picture; a model comes first"]),
    ("eval net.onnx", 4, &["net.onnx: an ONNX file; `selvedge import net.onnx -o net` makes a model of it"]),
    ("quantize net.pt --dtype i8 -o x.selv", 4, &["a PyTorch checkpoint", "safetensors.torch.save_file"]),
    ("import a.safetensors --order fc1,fc3 -o x", 2, &["--order names a layer fc3", "did you mean fc1?"]),
    ("import a.safetensors --order fc2 -o x", 2, &["a.safetensors: --order leaves out fc1"]),
    ("import net.onnx --order fc1,fc2 -o x", 2, &["--order goes with state dicts"]),
    ("import a.safetensors --inputs byte --mean 0.5 -o x", 2, &["--inputs", "--mean"]),
    ("import saved -o x", 4, &["the folder is a TensorFlow graph (SavedModel); in Keras, write it with"]),
    ("eval saved", 4, &["the folder is a TensorFlow graph (SavedModel)"]),
    ("quantize net.selv --dtype i8 -o x.selv", 4, &["is a flash file", "name the model that it was made of"]),
    ("report net.selv -o x.html", 4, &["net.selv is a flash file"]),
    ("import net.selv -o x", 4, &["a flash file, which holds rounded weights"]),
    ("import net.npz -o x", 4, &["an archive of numpy's", "safetensors.numpy.save_file"]),
    ("import runs/net -o x", 4, &["cannot read runs/net: Is a directory, but a file is wanted"]),
    // Places, before any work is done.
    ("quantize runs/net --dtype i8 -o no/x.selv", 1, &["there is no folder no; make it with `mkdir -p no`"]),
    ("quantize runs/net --dtype i8 -o runs", 1, &["it is a folder; name a file, such as runs/FILE"]),
    ("export runs/net --format onnx -o no/x", 1, &["there is no folder no"]),
    ("report runs/net -o no/x.html", 1, &["there is no folder no"]),
    ("eval runs/net --logits no/x.npz", 1, &["there is no folder no"]),
    ("train --data data --out net.selv", 1, &["a file is where a folder is wanted: name another place"]),
    // Microcontrollers.
    (
        "export none.selv --format firmware --board microbit -o x",
        4,
        &["no model: cannot read none.selv: No such file"],
    ),
    ("export runs/net --format firmware --board microbit -o x", 2, &["runs/net holds floats"]),
    (
        "export runs/net --format selv --dtype f16 --packing m4 -o x",
        2,
        &["only integer weights are packed for a core"],
    ),
    ("export runs/net --format selv --packing cortex-m4 -o x", 2, &["these are f32", "`selvedge quantize`"]),
    ("estimate net.selv --target m4 --flash 1K --ram 1", 6, &["`selvedge quantize --dtype i4`"]),
    ("estimate net.selv --target m9", 2, &["the targets are m0, m3, m4"]),
];

#[test]
fn every_mistake_is_one_line_that_helps() {
    let here: &Path = &folder_with_data();
    succeeds(here, &with(&TRAIN, &["--out", "runs/net", "-q"]));
    succeeds(here, &["quantize", "runs/net", "--dtype", "i8", "-o", "net.selv"]);
    succeeds(here, &["export", "runs/net", "--format", "npz", "-o", "net.npz"]);
    fs::write(here.join("photo.jpg"), b"\xff\xd8\xff\xe0").unwrap();
    succeeds(here, &["export", "runs/net", "--format", "onnx", "-o", "net.onnx"]);
    fs::write(here.join("net.pt"), b"PK\x03\x04\0 net/data.pkl and so on").unwrap();
    fs::create_dir(here.join("saved")).unwrap();
    fs::write(here.join("saved/saved_model.pb"), b"\x08\x01\x12\0").unwrap();
    fs::write(here.join("typo.toml"), "epochs = 1.5").unwrap();
    succeeds(here, &["export", "runs/net", "--format", "safetensors", "-o", "a.safetensors"]);
    fs::create_dir_all(here.join("torchvision/FashionMNIST/raw")).unwrap();
    fs::write(here.join("torchvision/FashionMNIST/raw/train-images-idx3-ubyte.gz"), "").unwrap();
    fs::create_dir(here.join("unfinished")).unwrap();
    fs::copy(here.join("runs/net/config.toml"), here.join("unfinished/config.toml")).unwrap();
    let before = fs::read_dir(here).unwrap().count();
    for &(words, code, parts) in MISTAKES {
        let words: Vec<_> = words.split(' ').collect();
        let line = fails(here, &words, code);
        for part in parts {
            assert!(line.contains(part), "{words:?}: no `{part}` in: {line}");
        }
        assert!(!line.contains("os error") && !line.contains("tip:"), "{line}");
        assert_eq!(fs::read_dir(here).unwrap().count(), before, "{words:?} left something behind");
    }
}

/// A file that any core reads is what `quantize` makes unless it is told the core; `estimate` says what that costs.
#[test]
fn packing_for_a_core_is_offered_and_taken() {
    let here: &Path = &folder_with_data();
    succeeds(here, &with(&TRAIN, &["--out", "net", "-q"]));
    let stderr = |words: &[&str]| {
        let output = selvedge().current_dir(here).args(words).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let said = stderr(&["quantize", "net", "--dtype", "i8", "-o", "any.selv"]);
    assert!(said.contains("next: selvedge estimate any.selv --target m4"), "{said}");
    let said = stderr(&["estimate", "any.selv", "--target", "m4"]);
    assert!(
        said.contains("times fewer instructions: selvedge export any.selv --format selv --packing cortex-m4"),
        "{said}"
    );
    stderr(&["quantize", "net", "--dtype", "i8", "--packing", "m4", "-o", "m4.selv"]);
    assert_eq!(stderr(&["estimate", "m4.selv", "--target", "m4"]), "");
    succeeds(here, &["verify", "any.selv", "m4.selv", "--data", "data"]);
    succeeds(here, &["export", "any.selv", "--format", "selv", "--packing", "cortex-m4", "-o", "same.selv"]);
    assert!(fs::read(here.join("m4.selv")).unwrap() == fs::read(here.join("same.selv")).unwrap());
}

#[test]
fn two_processes_do_not_train_into_one_folder() {
    let here: &Path = &folder_with_data();
    let long = with(&TRAIN, &["--out", "my run", "--epochs", "1000000", "-q"]);
    let mut first = selvedge().current_dir(here).args(long).stdout(Stdio::null()).spawn().unwrap();
    while !here.join("my run/config.toml").exists() {
        assert!(first.try_wait().unwrap().is_none(), "it ended");
        std::thread::sleep(Duration::from_millis(1));
    }
    let over = with(&TRAIN, &["--out", "my run", "--overwrite"]);
    for words in [&over[..], &["train", "--resume", "my run"]] {
        let line = fails(here, words, 1);
        assert!(line.contains("another process is training in my run; wait for it"), "{line}");
    }
    // The system lets go of what a process held, however it ended; and a hint can be pasted, whatever the name.
    first.kill().unwrap();
    first.wait().unwrap();
    let output = selvedge().current_dir(here).args(over).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("next: selvedge eval 'my run'"), "{output:?}");
}
