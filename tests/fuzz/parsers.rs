//! The parsers under libFuzzer and the address sanitizer: `tests/fuzz/run` starts it, once for each name that
//! `SELVEDGE_PARSER` may have.
#![no_main]

use std::sync::LazyLock;

use hostile::{PARSERS, Parser};

#[path = "../../host-cli/tests/support/hostile.rs"]
mod hostile;

/// The parser that the environment names.
static PARSER: LazyLock<&Parser> = LazyLock::new(|| {
    let name = std::env::var("SELVEDGE_PARSER").unwrap_or_default();
    let names = PARSERS.map(|p| p.name).join(", ");
    PARSERS.iter().find(|p| p.name == name).unwrap_or_else(|| panic!("SELVEDGE_PARSER: one of {names}"))
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    (PARSER.takes)(bytes);
    // What is checked first would hide the rest.
    let mut mended = bytes.to_vec();
    (PARSER.mend)(&mut mended);
    if mended != bytes {
        (PARSER.takes)(&mended);
    }
});
