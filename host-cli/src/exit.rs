//! The process's exit codes, a part of the command line's contract: one for each kind of error.

use crate::error::ErrorKind;

/// The exit code of an error; 0 is success.
pub const fn code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Io | ErrorKind::Failed => 1,
        ErrorKind::Usage => 2,
        ErrorKind::Data => 3,
        ErrorKind::Model => 4,
        ErrorKind::Mismatch => 5,
        ErrorKind::Budget => 6,
        // 128 + SIGINT, as shells report it.
        ErrorKind::Interrupted => 130,
    }
}
