//! Numbers, strings and arrays in C.

use std::fmt::{Display, Write};

use super::storage::STORED;

/// A finite number in single precision; the compiler reads the same bits.
pub(super) fn float(x: f32) -> String {
    format!("{x:e}f")
}

/// A string literal without trigraphs; bytes outside printable ASCII become three octal digits.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' | b'?' => {
                quoted.push('\\');
                quoted.push(char::from(byte));
            }
            b' '..=b'~' => quoted.push(char::from(byte)),
            _ => {
                let _ = write!(quoted, "\\{byte:03o}");
            }
        }
    }
    quoted.push('"');
    quoted
}

/// Appends a constant array of a type such as `static const float`, wrapped at 100 columns; [`Storage`](super::Storage) says
/// where it lies.
pub(super) fn array<T: Display>(
    text: &mut String,
    kind: &str,
    name: &str,
    values: impl ExactSizeIterator<Item = T>,
) {
    let _ = write!(text, "\n{kind} {name}[{}]{STORED} = {{", values.len());
    let mut column = usize::MAX;
    for value in values {
        let value = value.to_string();
        if column.saturating_add(value.len() + 2) > 100 {
            text.push_str("\n   ");
            column = 3;
        }
        column += value.len() + 2;
        let _ = write!(text, " {value},");
    }
    text.push_str("\n};\n");
}

#[cfg(test)]
mod tests {
    use super::{array, float, quote};

    #[test]
    fn names_survive_as_literals() {
        assert_eq!(quote("T-shirt/top"), "\"T-shirt/top\"");
        assert_eq!(quote("a\"b\\c??/é"), "\"a\\\"b\\\\c\\?\\?/\\303\\251\"");
    }

    #[test]
    fn arrays_wrap() {
        let mut text = String::new();
        array(&mut text, "static const int8_t", "w", (0..100).map(|n| n - 50));
        assert!(text.starts_with("\nstatic const int8_t w[100]$ = {\n    -50, -49,"), "{text}");
        assert!(text.lines().all(|l| l.len() <= 100) && text.ends_with(" 49,\n};\n"), "{text}");
    }

    #[test]
    fn floats_are_read_back() {
        for x in [0.0, -0.0, 1.0, -1.5e-42, f32::MAX, 0.1] {
            let text = float(x);
            assert_eq!(text.strip_suffix('f').unwrap().parse::<f32>().unwrap().to_bits(), x.to_bits());
        }
    }
}
