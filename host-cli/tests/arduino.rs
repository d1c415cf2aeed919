//! The exported Arduino library of every kind of file: its sketch, built by this machine's compilers with a stand-in for Arduino,
//! prints the answer of the core's engine; names that C or Arduino do not allow and networks that an AVR has no room for are
//! refused. `tests/arduino/run` builds the same for an ATmega328P.
//!
//! gcc is needed. g++ is used where it is installed; `SELVEDGE_REQUIRE_COMPILERS=1` fails where it is not.

mod support;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use selvedge::format::{Dtype, InputMap, InputType, ModelView};
use support::examples::{answer, done, printed, row, specs};
use support::files::Spec;
use support::{fails, succeeds};

const WARNINGS: [&str; 5] = ["-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"];

/// Arduino's functions for this machine.
fn stand_in() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/arduino")
}

/// The files of a library, which all lie in one folder.
fn unpacked(zip: &Path, to: &Path) -> Vec<String> {
    let mut zip = zip::ZipArchive::new(fs::File::open(zip).unwrap()).unwrap();
    let mut names = Vec::new();
    for n in 0..zip.len() {
        let mut file = zip.by_index(n).unwrap();
        let name = file.enclosed_name().unwrap();
        let path = to.join(&name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert!(!text.contains('@'), "{}: a placeholder is left", path.display());
        fs::write(path, text).unwrap();
        names.push(name.display().to_string());
    }
    names
}

/// Whether there is a compiler of C++.
fn has_cpp() -> bool {
    let found = Command::new("g++").arg("--version").output().is_ok_and(|out| out.status.success());
    assert!(found || std::env::var_os("SELVEDGE_REQUIRE_COMPILERS").is_none(), "g++ is not installed");
    found
}

#[test]
fn sketches_print_the_answers_of_the_core() {
    let here = support::folder_with_data();
    let cpp = has_cpp();
    for (n, (name, spec)) in specs().into_iter().enumerate() {
        let file = spec.build(7);
        fs::write(here.join(format!("{name}.selv")), &file[..]).unwrap();
        let zip = format!("{name}.zip");
        let storage = ["progmem", "const"][n % 2];
        succeeds(
            &here,
            &["export", &format!("{name}.selv"), "--format", "arduino", "--storage", storage, "-o", &zip],
        );
        let files = unpacked(&here.join(&zip), &here);
        let expected =
            ["README.md", "examples/*/*.ino", "library.json", "library.properties", "src/*.c", "src/*.h"];
        let expected = expected.map(|path| format!("{name}/{}", path.replace('*', name)));
        assert_eq!(files, expected);
        let (library, object) = (here.join(name), here.join(format!("{name}.o")));
        let source = library.join(format!("src/{name}.c"));
        done(
            Command::new("gcc").args(WARNINGS).args(["-std=c99", "-O2", "-c", "-o"]).arg(&object).arg(source),
        );
        if !cpp {
            continue;
        }
        let sketch = library.join(format!("examples/{name}/{name}.ino"));
        let view = ModelView::parse(&file).unwrap();
        let expected = answer(&view, &row(&fs::read_to_string(&sketch).unwrap()));
        let program = here.join(format!("{name}-program"));
        done(
            Command::new("g++")
                .args(["-std=gnu++11", "-O2", "-Wall", "-Wextra", "-Werror", "-include", "Arduino.h", "-I"])
                .arg(stand_in())
                .arg("-I")
                .arg(library.join("src"))
                .args(["-x", "c++"])
                .arg(&sketch)
                .arg(stand_in().join("host.cpp"))
                .args(["-x", "none"])
                .arg(&object)
                .arg("-o")
                .arg(&program),
        );
        let text = done(&mut Command::new(&program));
        assert_eq!(printed(&text), expected, "{name}");
        assert!(text.lines().last().is_some_and(|line| line.starts_with("time: ")), "{text}");
    }
}

#[test]
fn libraries_are_reproducible_and_say_what_they_are() {
    let here = support::folder_with_data();
    let (_, spec) = specs().remove(0);
    fs::write(here.join("net.selv"), &spec.build(7)[..]).unwrap();
    for zip in ["a.zip", "b.ZIP"] {
        let words = ["export", "net.selv", "--format", "arduino", "-o", zip, "--prefix", "net", "--json"];
        let said: serde_json::Value = serde_json::from_str(&succeeds(&here, &words)).unwrap();
        assert_eq!((said["file"].as_str(), said["name"].as_str()), (Some(zip), Some("net")));
        assert_eq!(said["bytes"].as_u64(), Some(fs::metadata(here.join(zip)).unwrap().len()));
    }
    assert!(fs::read(here.join("a.zip")).unwrap() == fs::read(here.join("b.ZIP")).unwrap());
    unpacked(&here.join("a.zip"), &here);
    let properties = fs::read_to_string(here.join("net/library.properties")).unwrap();
    for line in ["name=net", "architectures=*", "includes=net.h", "category=Data Processing"] {
        assert!(properties.lines().any(|l| l == line), "{line}: {properties}");
    }
    for key in ["version", "author", "maintainer", "sentence", "paragraph", "url"] {
        assert!(properties.lines().any(|l| l.starts_with(&format!("{key}="))), "{key}: {properties}");
    }
    let library = fs::read(here.join("net/library.json")).unwrap();
    let library: serde_json::Value = serde_json::from_slice(&library).unwrap();
    assert_eq!((library["name"].as_str(), library["frameworks"].as_str()), (Some("net"), Some("arduino")));
    assert!(fs::read_to_string(here.join("net/src/net.c")).unwrap().contains("#define NET_FLASH PROGMEM"));
}

#[test]
fn bad_names_and_networks_that_an_avr_has_no_room_for_are_refused() {
    let here = support::folder_with_data();
    let write = |spec: Spec| fs::write(here.join("net.selv"), &spec.build(7)[..]).unwrap();
    let words = ["export", "net.selv", "--format", "arduino", "-o"];
    write(Spec::new(&[4, 5, 2]));
    let long = "a".repeat(64);
    for (name, why) in [
        ("1st", "starts with a letter"),
        ("my-net", "starts with a letter"),
        ("Wire", "is the name of a header"),
        ("Arduino", "is the name of a header"),
        (&long, "63 characters"),
    ] {
        let given = support::with(&words, &["out.zip", "--prefix", name]);
        assert!(fails(&here, &given, 2).contains(why), "{name}");
        let line = fails(&here, &support::with(&words, &[&format!("{name}.zip")]), 2);
        assert!(line.contains(why) && line.contains("--prefix NAME"), "{line}");
    }
    assert!(fails(&here, &support::with(&words, &["out"]), 2).contains("FILE.zip"));

    let pictures = (InputType::U8, InputMap::Plain, 7);
    // Weights of the last layer for 12 outputs, biases, multipliers, names, the self-test.
    write(Spec { input: pictures, ..Spec::new(&[784, 64, 10]) });
    let line = fails(&here, &support::with(&words, &["net.zip"]), 6);
    let bytes = 784 * 64 + 64 * 12 + 4 * 74 + 2 * 64 + 60 + 784 + 40;
    assert!(line.contains(&format!("{bytes} bytes")) && line.contains("32768 bytes of flash"), "{line}");
    assert!(line.contains("--storage const"), "{line}");
    assert!(!here.join("net.zip").exists());
    succeeds(&here, &support::with(&words, &["net.zip", "--storage", "const"]));
    assert!(fs::metadata(here.join("net.zip")).unwrap().len() > bytes);

    // Flash is enough for these pictures of floats, but not RAM.
    write(Spec { input: pictures, dtype: Dtype::F32, ..Spec::new(&[784, 8, 10]) });
    let line = fails(&here, &support::with(&words, &["floats.zip"]), 6);
    let bytes = 784 + 4 * (784 + 8) + 4 * 10;
    assert!(line.contains(&format!("{bytes} bytes")) && line.contains("2048 bytes of RAM"), "{line}");
    assert!(!here.join("floats.zip").exists());
}
