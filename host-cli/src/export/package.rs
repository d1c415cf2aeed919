//! A package of the C format: what CMake, ESP-IDF, Zephyr and PlatformIO need to build it, and an example that asks it. Beside
//! it, [`Arduino`] is one for Arduino.
//!
//! The files depend on the model and the package's name alone. Templates are in `templates/package`; the words between @
//! signs are their placeholders.

mod arduino;
mod example;
mod sketch;

use std::path::PathBuf;

use selvedge::format::{Dtype, ModelView, Packing};
use serde_json::json;

use super::{Destination, ExportOption, ExportOptions, Exported, Exporter, FormatInfo, ModelFile, c};
use crate::error::{Error, Result, typed};
use crate::flash;
use crate::memory::size;

const CMAKE_LISTS: &str = include_str!("../../templates/package/CMakeLists.txt.in");
const ZEPHYR_CMAKE_LISTS: &str = include_str!("../../templates/package/zephyr-CMakeLists.txt.in");
const README: &str = include_str!("../../templates/package/README.md.in");

const MODULE_YML: &str = "name: @NAME@\nbuild:\n  cmake: zephyr\n  kconfig: zephyr/Kconfig\n";

const KCONFIG: &str = "config SELVEDGE_@UPPER@\n\tbool \"The neural network @NAME@\"\n\thelp\n\t  Builds the library @NAME@ \
                       and puts @NAME@.h on the include path.\n";

const IDF_COMPONENT: &str =
    "version: \"@VERSION@\"\ndescription: The neural network @NAME@ (@SHAPE@) in C99\n";

/// Headers of C, POSIX and Arduino, which a `NAME.h` on the include path would hide, and targets that CMake keeps for itself.
/// File systems may ignore case, so this does too.
const RESERVED: [&str; 64] = [
    "assert",
    "complex",
    "ctype",
    "errno",
    "fenv",
    "float",
    "inttypes",
    "iso646",
    "limits",
    "locale",
    "math",
    "setjmp",
    "signal",
    "stdalign",
    "stdarg",
    "stdatomic",
    "stdbit",
    "stdbool",
    "stdckdint",
    "stddef",
    "stdint",
    "stdio",
    "stdlib",
    "stdnoreturn",
    "string",
    "tgmath",
    "threads",
    "time",
    "uchar",
    "wchar",
    "wctype",
    "features",
    "malloc",
    "memory",
    "poll",
    "pthread",
    "sched",
    "strings",
    "unistd",
    "arduino",
    "binary",
    "client",
    "eeprom",
    "hardwareserial",
    "ipaddress",
    "print",
    "printable",
    "server",
    "spi",
    "stream",
    "udp",
    "wire",
    "wstring",
    "all",
    "clean",
    "depend",
    "edit_cache",
    "help",
    "install",
    "list_install_components",
    "package",
    "package_source",
    "rebuild_cache",
    "test",
];

pub(super) use arduino::Arduino;

/// `--format cmake`.
pub(super) struct Cmake;

impl Exporter for Cmake {
    fn info(&self) -> FormatInfo {
        FormatInfo::new(
            "cmake",
            "Folder with the C for CMake, ESP-IDF, Zephyr and PlatformIO, and an example",
        )
        .with_options(&[ExportOption::Prefix, ExportOption::Overwrite, ExportOption::Schema])
        .with_destination(Destination::Folder(&[
            "CMakeLists.txt",
            "idf_component.yml",
            "library.json",
        ]))
    }

    fn write(&self, model: &ModelFile<'_>, options: &ExportOptions<'_>) -> Result<Exported> {
        let folder =
            options.out.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let name = name(options.prefix, &folder)?;
        let inputs = &options.row_names();
        let files = match model {
            ModelFile::Flash(model) => files(model, &name, inputs)?,
            ModelFile::Model(model) => {
                let bytes = flash::of_model(model, Dtype::F32, Packing::Generic)?;
                files(&flash::parse_own(&bytes)?, &name, inputs)?
            }
        };
        let (folder, bytes) =
            (options.out.display().to_string(), files.iter().map(|f| f.1.len()).sum::<usize>());
        let json = json!({"folder": folder, "name": name, "files": files.len(), "bytes": bytes});
        let line = format!(
            "{folder}, the package {name}: {} files, {}\nnext: cmake -S {out} -B build; cmake --build build; \
             build/{name}_example",
            files.len(),
            size(bytes as u64),
            out = typed(options.out),
        );
        Ok(Exported { files, report: vec![(line, json)] })
    }
}

/// The name of the package: `--prefix`, or the name of the folder or file.
///
/// # Errors
/// `Usage` for a name that C, CMake or Arduino do not allow.
fn name(given: Option<&str>, out: &str) -> Result<String> {
    let name = given.unwrap_or(out);
    let why = if !c::is_identifier(name) {
        "is no name of a package, which starts with a letter and goes on in letters, digits and _"
    } else if name.len() > 63 {
        "has more than the 63 characters of a package's name"
    } else if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
        "is the name of a header or a target that builds need"
    } else {
        return Ok(name.into());
    };
    let next = if given.is_some() { "choose another" } else { "name the package with --prefix NAME" };
    Err(Error::usage(format!("{name:?} {why}; {next}")))
}

/// The files, sorted by their paths.
fn files(model: &ModelView<'_>, name: &str, inputs: &[String]) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let code = c::files(model, name, inputs, c::Storage::Const)?;
    let fill = |template: &str| filled(template, model, name);
    let mut files = vec![
        ("CMakeLists.txt".into(), fill(CMAKE_LISTS)),
        ("README.md".into(), fill(README)),
        ("examples/ask/main.c".into(), example::main(model, name)),
        ("idf_component.yml".into(), fill(IDF_COMPONENT)),
        (format!("include/{name}.h"), code.header),
        ("library.json".into(), library_json(model, name, "*")),
        (format!("src/{name}.c"), code.source.replacen("HEADER", &format!("{name}.h"), 2)),
        ("zephyr/CMakeLists.txt".into(), fill(ZEPHYR_CMAKE_LISTS)),
        ("zephyr/Kconfig".into(), fill(KCONFIG)),
        ("zephyr/module.yml".into(), fill(MODULE_YML)),
    ];
    files.sort();
    Ok(files.into_iter().map(|(path, text)| (path.into(), text.into_bytes())).collect())
}

/// A template with the placeholders that every package has.
fn filled(template: &str, model: &ModelView<'_>, name: &str) -> String {
    template
        .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
        .replace("@SHAPE@", &model.header().to_string())
        .replace("@UPPER@", &name.to_uppercase())
        .replace("@NAME@", name)
}

/// PlatformIO's `library.json`.
fn library_json(model: &ModelView<'_>, name: &str, frameworks: &str) -> String {
    let library = json!({
        "name": name,
        "version": env!("CARGO_PKG_VERSION"),
        "description": filled("The neural network @NAME@ (@SHAPE@) in C99", model, name),
        "keywords": ["neural network", "inference"],
        "frameworks": frameworks,
        "platforms": "*",
        "headers": format!("{name}.h"),
    });
    format!("{library:#}\n")
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn names_are_of_packages() {
        for good in ["net", "a_1", "Net2"] {
            assert_eq!(name(None, good).unwrap(), good);
        }
        assert_eq!(name(Some("net"), "1-a").unwrap(), "net");
        let long = "a".repeat(64);
        for bad in ["1st", "my-net", "_net", "", "é", "a.b", "a b", "stdint", "Float", "test", &long] {
            let line = name(Some(bad), "out").unwrap_err().message;
            assert!(line.ends_with("choose another"), "{bad}: {line}");
        }
        assert!(name(None, "my-net").unwrap_err().message.contains("--prefix NAME"));
        assert!(name(None, "").is_err());
    }
}
