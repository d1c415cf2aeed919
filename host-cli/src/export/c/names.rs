//! The names of the values of a sample, so that a caller knows which of them is what: positions in the array, of a window in
//! one of its rows.

use std::collections::BTreeMap;
use std::fmt::Write;

/// The declaration of the positions, or nothing where the names are not known. `upper` starts the names of the constants; the
/// text is complete, since names are the user's text.
pub(super) fn declaration(upper: &str, names: &[String], window: bool) -> String {
    if names.is_empty() {
        return String::new();
    }
    let what = if window { "row of a window" } else { "sample" };
    let mut text = format!("\n/* Which value of a {what} is what");
    if names.iter().any(|name| name.contains('=')) {
        text += "; column=value is 1 where the column has that value, else 0";
    }
    text += ". */\nenum {\n";
    for (n, (constant, name)) in constants(names).into_iter().zip(names).enumerate() {
        let comma = if n + 1 < names.len() { "," } else { "" };
        let _ = writeln!(text, "    {upper}_INPUT_{constant} = {n}{comma} /* {} */", commented(name));
    }
    text += "};\n";
    text
}

/// A part of an identifier for each name. Names that differ in other characters than letters and digits get their positions.
fn constants(names: &[String]) -> Vec<String> {
    let plain = |name: &String| name.to_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    let mut count = BTreeMap::<String, usize>::new();
    names.iter().for_each(|name| *count.entry(plain(name)).or_default() += 1);
    let mut constants: Vec<String> = names.iter().map(plain).collect();
    for (n, constant) in constants.iter_mut().enumerate() {
        if count[constant.as_str()] > 1 {
            *constant = format!("{n}_{constant}");
        }
    }
    constants
}

/// A name within a comment, which it neither ends nor seems to open.
fn commented(name: &str) -> String {
    let line: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.replace("*/", "* /").replace("/*", "/ *").replace("*/", "* /")
}

#[cfg(test)]
mod tests {
    use super::declaration;

    #[test]
    fn every_value_has_a_constant_of_its_own() {
        let names = ["a b", "a-b", "colour=red", "é*/", "x\n/*/"].map(String::from);
        let text = declaration("NET", &names, false);
        assert_eq!(
            text,
            "\n/* Which value of a sample is what; column=value is 1 where the column has that value, else 0. */\nenum {\n    \
             NET_INPUT_0_A_B = 0, /* a b */\n    NET_INPUT_1_A_B = 1, /* a-b */\n    NET_INPUT_COLOUR_RED = 2, /* \
             colour=red */\n    NET_INPUT____ = 3, /* é* / */\n    NET_INPUT_X____ = 4 /* x / * / */\n};\n"
        );
        assert!(declaration("NET", &names[..1], true).contains("value of a row of a window is what. */"));
        assert_eq!(declaration("NET", &[], false), "");
    }
}
