//! The exported CMake package of every kind of file: its example, built by the C compiler and by CMake, prints the answer of the
//! core's engine; an application finds the installed package; bad names and folders are refused.
//!
//! gcc is needed. CMake is used where it is installed; `SELVEDGE_REQUIRE_COMPILERS=1` fails where it is not.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use selvedge::format::ModelView;
use support::examples::{answer, done, printed, row, specs};
use support::{fails, succeeds};

const FLAGS: [&str; 6] = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"];

/// Whether CMake is there.
fn has_cmake() -> bool {
    let found = Command::new("cmake").arg("--version").output().is_ok_and(|out| out.status.success());
    let required = std::env::var_os("SELVEDGE_REQUIRE_COMPILERS").is_some();
    assert!(found || !required, "cmake is not installed");
    found
}

#[test]
fn examples_print_the_answers_of_the_core() {
    let here = support::folder_with_data();
    let cmake = has_cmake();
    for (name, spec) in specs() {
        let file = spec.build(7);
        fs::write(here.join(format!("{name}.selv")), &file[..]).unwrap();
        succeeds(&here, &["export", &format!("{name}.selv"), "--format", "cmake", "-o", name]);
        let package = here.join(name);
        let main = fs::read_to_string(package.join("examples/ask/main.c")).unwrap();
        let view = ModelView::parse(&file).unwrap();
        let expected = answer(&view, &row(&main));
        assert_ne!(name == "unsure", expected != ["unknown"], "{name}: {expected:?}");
        let program = here.join(format!("{name}-program"));
        done(
            Command::new("gcc")
                .args(FLAGS)
                .arg("-O2")
                .arg("-I")
                .arg(package.join("include"))
                .arg(package.join(format!("src/{name}.c")))
                .arg(package.join("examples/ask/main.c"))
                .arg("-o")
                .arg(&program),
        );
        assert_eq!(printed(&done(&mut Command::new(&program))), expected, "{name} by gcc");
        if cmake {
            let build = here.join(format!("{name}-build"));
            let flags = format!("-DCMAKE_C_FLAGS={}", FLAGS[1..].join(" "));
            done(Command::new("cmake").arg("-S").arg(&package).arg("-B").arg(&build).arg(flags));
            done(Command::new("cmake").arg("--build").arg(&build));
            let example = build.join(format!("{name}_example"));
            assert_eq!(printed(&done(&mut Command::new(example))), expected, "{name} by CMake");
        }
    }
}

/// An application of its own folder, which knows the package by its name.
fn application(at: &Path, name: &str, find: &str) {
    fs::create_dir(at).unwrap();
    let lists = format!(
        "cmake_minimum_required(VERSION 3.16)\nproject(app C)\n{find}\nadd_executable(app app.c)\n\
         target_link_libraries(app PRIVATE {name}::{name})\n"
    );
    fs::write(at.join("CMakeLists.txt"), lists).unwrap();
    let inputs = name.to_uppercase() + "_INPUTS";
    let app = format!("#include \"{name}.h\"\nint main(void) {{ return {inputs} == 16 ? 0 : 1; }}\n");
    fs::write(at.join("app.c"), app).unwrap();
}

#[test]
fn applications_find_the_package_installed_and_beside_them() {
    if !has_cmake() {
        return;
    }
    let here = support::folder_with_data();
    let (_, spec) = specs().into_iter().find(|(name, _)| *name == "pixels").unwrap();
    fs::write(here.join("net.selv"), &spec.build(7)[..]).unwrap();
    succeeds(&here, &["export", "net.selv", "--format", "cmake", "-o", "net"]);
    let prefix = here.join("prefix");
    done(Command::new("cmake").current_dir(&*here).args(["-S", "net", "-B", "net-build"]));
    done(Command::new("cmake").current_dir(&*here).args(["--build", "net-build"]));
    done(Command::new("cmake").current_dir(&*here).args(["--install", "net-build", "--prefix"]).arg(&prefix));
    for (folder, find) in
        [("installed", "find_package(net REQUIRED)"), ("beside", "add_subdirectory(../net net)")]
    {
        application(&here.join(folder), "net", find);
        let build = here.join(folder).join("build");
        let found = format!("-DCMAKE_PREFIX_PATH={}", prefix.display());
        done(Command::new("cmake").arg("-S").arg(here.join(folder)).arg("-B").arg(&build).arg(found));
        done(Command::new("cmake").arg("--build").arg(&build));
        done(&mut Command::new(build.join("app")));
        assert!(!build.join("net/net_example").exists(), "an application builds no example");
    }
}

#[test]
fn packages_are_reproducible_and_bad_names_and_folders_are_refused() {
    let here = support::folder_with_data();
    let (_, spec) = specs().remove(0);
    fs::write(here.join("net.selv"), &spec.build(7)[..]).unwrap();
    let refused = |more: &[&str], code| {
        fails(&here, &support::with(&["export", "net.selv", "--format", "cmake"], more), code)
    };
    for (name, why) in [("1st", "starts with a letter"), ("stdint", "header"), ("my-net", "starts with")] {
        assert!(refused(&["-o", "out", "--prefix", name], 2).contains(why), "{name}");
    }
    assert!(refused(&["-o", "my-net"], 2).contains("--prefix NAME"));
    assert!(!here.join("out").exists() && !here.join("my-net").exists());
    let line = refused(&["-o", "out", "--board", "microbit"], 2);
    assert!(line.contains("--board goes with --format firmware alone"), "{line}");
    for folder in ["a", "b"] {
        succeeds(&here, &["export", "net.selv", "--format", "cmake", "-o", folder, "--prefix", "net"]);
    }
    for file in ["CMakeLists.txt", "include/net.h", "src/net.c", "examples/ask/main.c", "library.json"] {
        let [a, b] = ["a", "b"].map(|folder| fs::read(here.join(folder).join(file)).unwrap());
        assert!(a == b && !a.is_empty(), "{file}");
        assert!(!String::from_utf8(a).unwrap().contains('@'), "{file} has a placeholder left");
    }
    let library: serde_json::Value =
        serde_json::from_slice(&fs::read(here.join("a/library.json")).unwrap()).unwrap();
    assert_eq!((library["name"].as_str(), library["headers"].as_str()), (Some("net"), Some("net.h")));
    // A folder with other things in it stays as it is.
    fs::create_dir(here.join("mine")).unwrap();
    fs::write(here.join("mine/thesis.txt"), "all of it").unwrap();
    let line = refused(&["-o", "mine", "--overwrite", "--prefix", "net"], 2);
    assert!(line.contains("mine"), "{line}");
    assert_eq!(fs::read(here.join("mine/thesis.txt")).unwrap(), b"all of it");
    assert!(refused(&["-o", "a", "--prefix", "net"], 2).contains("--overwrite"));
    succeeds(
        &here,
        &["export", "net.selv", "--format", "cmake", "-o", "a", "--prefix", "net", "--overwrite"],
    );
}
