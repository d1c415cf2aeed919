//! Where the constant arrays of C lie: where the compiler puts what is `const`, or on AVR in flash, which only instructions of its
//! own can read, so that the network takes no RAM there.
//!
//! Templates read constants by `READ(type, array, index)`, and declarations of arrays end in [`STORED`]; both are replaced when
//! the text is complete. A source for AVR compiles for every other core as well, with the same bits.

use clap::ValueEnum;

use crate::error::{Error, ErrorKind, Result};

/// Where constant arrays lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Storage {
    /// Constants of C, which AVR copies to RAM
    Const,
    /// Flash on AVR (PROGMEM), constants of C elsewhere
    Progmem,
}

/// What stands behind the declaration of an array until [`Storage::complete`]: no character of C.
pub(super) const STORED: &str = "$";

/// How templates start to read a constant.
const READ: &str = "READ(";

/// Flash of an ATmega328P. A program reaches 64 KB of PROGMEM by near pointers, and avr-gcc refuses an array above 32,767 bytes:
/// both are more than this.
const AVR_FLASH: usize = 32 * 1024;

/// What the inference of a network, the start of a program and a serial port take of it at least; `tests/arduino/run` prints it.
const AVR_CODE: usize = 4 * 1024;

/// Types of constants, the ends of the functions that read them, and what reads them on AVR.
const TYPES: [(&str, &str, &str, usize); 7] = [
    ("int8_t", "i8", "byte", 1),
    ("uint8_t", "u8", "byte", 1),
    ("int16_t", "i16", "word", 2),
    ("uint16_t", "u16", "word", 2),
    ("int32_t", "i32", "dword", 4),
    ("uint32_t", "u32", "dword", 4),
    ("float", "f32", "float", 4),
];

impl Storage {
    /// As `--storage` names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Const => "const",
            Self::Progmem => "progmem",
        }
    }

    /// The source with its constants in place: `opening`, the functions that read constants, and `body`.
    pub(super) fn complete(self, opening: &str, body: &str, upper: &str) -> String {
        match self {
            Self::Const => {
                let text = reads(body, |_, array, index| format!("{array}[{index}]"));
                (opening.to_owned() + &text.replace(STORED, "")).replace("UPPER", upper)
            }
            Self::Progmem => {
                let mut used = Vec::new();
                let text = reads(body, |of, array, index| {
                    used.push(of.to_owned());
                    let address = match index {
                        "0" => array.into(),
                        _ if index.contains(' ') => format!("{array} + ({index})"),
                        _ => format!("{array} + {index}"),
                    };
                    format!("@_read_{}({address})", name(of))
                });
                let mut functions = MACROS.to_owned();
                for (of, name, unit, _) in TYPES.iter().filter(|(of, ..)| used.iter().any(|u| u == of)) {
                    functions += &READER.replace("TYPE", of).replace("NAME", name).replace("UNIT", unit);
                }
                (opening.to_owned() + &functions + &text.replace(STORED, " UPPER_FLASH"))
                    .replace("UPPER", upper)
            }
        }
    }

    /// Refuses constants that no AVR of 32 KB has the flash for.
    ///
    /// # Errors
    /// `Budget` with the numbers.
    pub(in crate::export) fn check(self, bytes: usize, advice: &str) -> Result<()> {
        let most = AVR_FLASH - AVR_CODE;
        if self == Self::Const || bytes <= most {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Budget,
            format!(
                "the network does not fit an AVR with {AVR_FLASH} bytes of flash, such as the ATmega328P: its constants take \
                 {bytes} bytes, and beside the program there is room for {most}; {advice}",
            ),
        ))
    }
}

/// The bytes of all arrays that a source declares with a length, before it is [complete](Storage::complete).
pub(super) fn bytes(body: &str) -> usize {
    let declared =
        body.lines().filter_map(|line| line.split_once(STORED).map(|(declaration, _)| declaration));
    declared.map(array_bytes).sum()
}

/// The bytes of `static const int8_t name[100]`.
fn array_bytes(declaration: &str) -> usize {
    let unit =
        TYPES.iter().find(|(of, ..)| declaration.contains(&format!(" {of} "))).map_or(1, |(.., unit)| *unit);
    let lengths =
        declaration.split('[').skip(1).filter_map(|rest| rest.trim_end_matches(']').parse::<usize>().ok());
    unit * lengths.reduce(|product, length| product * length).unwrap_or(0)
}

/// A text with every `READ(type, array, index)` replaced.
fn reads(text: &str, mut replaced: impl FnMut(&str, &str, &str) -> String) -> String {
    let (mut done, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once(READ) {
        let (call, after) = after.split_at(closing(after));
        let mut parts = call.splitn(3, ", ");
        let mut part = || parts.next().expect("a type, an array and an index");
        done += before;
        done += &replaced(part(), part(), part());
        rest = &after[1..];
    }
    done + rest
}

/// The position of the bracket that closes what is open at the start.
fn closing(text: &str) -> usize {
    let mut open = 1;
    let at = text.find(|c| {
        open += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        open == 0
    });
    at.expect("templates close their brackets")
}

/// The end of the name of the function that reads a type.
fn name(of: &str) -> &'static str {
    TYPES.iter().find(|(known, ..)| *known == of).expect("templates read these types").1
}

const MACROS: &str = "
/* On AVR constants lie in flash, which has instructions of its own. */
#ifdef __AVR__
#include <avr/pgmspace.h>
#define UPPER_FLASH PROGMEM
#define UPPER_READ(read, at) read(at)
#else
#define UPPER_FLASH
#define UPPER_READ(read, at) (*(at))
#endif
";

const READER: &str = "#define @_read_NAME(at) ((TYPE)UPPER_READ(pgm_read_UNIT, at))\n";

#[cfg(test)]
mod tests {
    use super::{Storage, bytes};

    const BODY: &str = "
static const int8_t @_w[100]$ = { 1 };

static const uint32_t @_m[3]$ = { 1 };

const char net_labels[10][4]$ = { \"\" };

static int32_t @_f(void) { return READ(int8_t, @_w, 0) + READ(uint32_t, @_m, (a + 1) * 2); }
";

    #[test]
    fn constants_are_read_where_they_lie() {
        let text = Storage::Const.complete("", BODY, "NET");
        assert!(
            text.contains("return @_w[0] + @_m[(a + 1) * 2];") && text.contains("@_w[100] = {"),
            "{text}"
        );
        let text = Storage::Progmem.complete("/* opening */\n", BODY, "NET");
        assert!(text.contains("return @_read_i8(@_w) + @_read_u32(@_m + ((a + 1) * 2));"), "{text}");
        assert!(
            text.contains("@_w[100] NET_FLASH = {") && text.starts_with("/* opening */\n\n/* On AVR"),
            "{text}"
        );
        assert!(
            text.contains("#define @_read_u32(at) ((uint32_t)NET_READ(pgm_read_dword, at))")
                && !text.contains("_read_u8"),
            "{text}"
        );
    }

    #[test]
    fn what_no_avr_has_the_flash_for_is_refused() {
        assert_eq!(bytes(BODY), 100 + 12 + 40);
        assert!(Storage::Const.check(1 << 20, "").is_ok() && Storage::Progmem.check(28_672, "").is_ok());
        let line = Storage::Progmem.check(28_673, "go on").unwrap_err().message;
        assert!(line.contains("32768") && line.contains("28673") && line.ends_with("; go on"), "{line}");
    }
}
