//! The C99 format: a header and a source with the weights and an inference function, for any compiler and core.
//!
//! The code uses no heap and no library but `<stdint.h>`, `<float.h>` and the compiler's headers of a core's intrinsics, and every
//! name has a prefix. Integer networks give the flash file's results bit for bit, in sums and products of 32 bits; a multiplier of
//! 32 bits takes a product of 64 for each hidden unit. They take about the instructions of the firmware's kernels: the macro
//! `NAME_PATH` chooses the instructions of a core ([`kernels`]), and macros put the weights in their order ([`weights`]). Float
//! networks sum in the order of the flash file's arithmetic. Neither depends on the compiler or its flags: what would change the
//! result is refused while it compiles. [`Storage`] puts constants into the flash of an AVR. There is one exception, which no macro
//! tells: clang's `-ffp-contract=fast` ignores the pragma that keeps products and sums of float networks apart (its default,
//! `-ffp-contract=on`, heeds it).

mod answers;
mod float;
mod input;
mod integer;
mod interface;
mod kernels;
mod literal;
mod names;
mod self_test;
mod storage;
mod weights;

use std::path::{Path, PathBuf};

use selvedge::format::{Dtype, Header, InputType, ModelView, Packing, Task};

pub(super) use self_test::row;
pub use storage::Storage;

use super::{ExportOption, ExportOptions, Exported, Exporter, FormatInfo, ModelFile};
use crate::error::{Error, Result};
use crate::flash;
use interface::Interface;

/// `--format c`.
pub(super) struct C;

impl Exporter for C {
    fn info(&self) -> FormatInfo {
        FormatInfo::new("c", "C99 header and source with the weights and an inference function")
            .with_options(&[ExportOption::Prefix, ExportOption::Storage, ExportOption::Schema])
    }

    fn write(&self, model: &ModelFile<'_>, options: &ExportOptions<'_>) -> Result<Exported> {
        let prefix = prefix(options.prefix, options.out)?;
        let storage = options.storage.unwrap_or(Storage::Const);
        let inputs = &options.row_names();
        let files = match model {
            ModelFile::Flash(model) => files(model, &prefix, inputs, storage)?,
            ModelFile::Model(model) => {
                let bytes = flash::of_model(model, Dtype::F32, Packing::Generic)?;
                files(&flash::parse_own(&bytes)?, &prefix, inputs, storage)?
            }
        };
        storage.check(files.constants, "leave --storage progmem out for a core whose flash is memory")?;
        Ok(Exported::files(named(files, options.out, &prefix)))
    }
}

/// The C files of a flash file, whose inputs have these names, if they are known.
pub(super) fn files(model: &ModelView<'_>, name: &str, inputs: &[String], storage: Storage) -> Result<Files> {
    let of = Interface { name, model, inputs, storage };
    if model.header().dtype().is_integer() { integer::write(&of) } else { float::write(&of) }
}

/// A header and a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Files {
    /// `NAME.h`.
    pub header: String,
    /// `NAME.c`, with the placeholder HEADER for the header's name, twice.
    pub source: String,
    /// Bytes of the constant arrays.
    pub constants: usize,
}

/// Whether a text is an identifier that C does not keep for itself.
pub(super) fn is_identifier(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && text.chars().next().is_some_and(|c| c.is_ascii_alphabetic())
}

/// The given prefix, or one made of the file's name.
///
/// # Errors
/// `Usage` if it is no identifier.
fn prefix(given: Option<&str>, out: &Path) -> Result<String> {
    match given {
        Some(prefix) if is_identifier(prefix) => Ok(prefix.into()),
        Some(prefix) => Err(Error::usage(format!(
            "--prefix {prefix}: a C identifier starts with a letter and goes on in letters, digits and _"
        ))),
        None => {
            let stem = out.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
            let kept = stem.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
            Ok(if is_identifier(&kept) { kept } else { format!("model_{kept}") })
        }
    }
}

/// The two files: `out` with the extensions `.c` and `.h`.
fn named(files: Files, out: &Path, name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let Files { header, source, .. } = files;
    let (c, h) = (out.with_extension("c"), out.with_extension("h"));
    let included = h.file_name().map_or_else(|| format!("{name}.h"), |f| f.to_string_lossy().into_owned());
    vec![(c, source.replacen("HEADER", &included, 2).into_bytes()), (h, header.into_bytes())]
}

/// The start of a source: the header, and what it asks of the compiler where a network computes with floats, whose results are
/// to be the same everywhere.
fn opening(header: &Header<'_>) -> String {
    let mut text = String::from("/* See HEADER. */\n#include \"HEADER\"\n");
    let floats = !header.dtype().is_integer()
        || header.input_type() == InputType::F32
        || matches!(header.task(), Task::Values | Task::Reconstruction);
    if floats {
        text += FLOATS;
    }
    text
}

const FLOATS: &str = "
#include <float.h>

#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) \
    || defined(__NO_SIGNED_ZEROS__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error \"this file needs floats of IEEE 754: compile it without -ffast-math and its parts\"
#endif
/* 16 concerns _Float16 alone. */
#if FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16
#error \"floats must have single precision: on 32-bit x86 compile with -msse2 -mfpmath=sse\"
#endif
";

#[cfg(test)]
mod tests {
    use super::prefix;
    use std::path::Path;

    #[test]
    fn prefixes_are_identifiers() {
        let of = |out: &str| prefix(None, Path::new(out)).unwrap();
        assert_eq!(
            [of("a/net.c"), of("my-net.c"), of("3.c"), of("é")],
            ["net", "my_net", "model_3", "model__"]
        );
        assert_eq!(prefix(Some("ok_1"), Path::new("x")).unwrap(), "ok_1");
        for bad in ["", "1a", "a-b", "_a", "é"] {
            assert!(prefix(Some(bad), Path::new("x")).unwrap_err().message.contains("--prefix"), "{bad}");
        }
    }
}
