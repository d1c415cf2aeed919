//! The one error type of the program: a line for the person at the keyboard and an exit code for the shell.
//!
//! A message says what happened, why, and what to type next, in one line; it never ends in a full stop, so that
//! callers can put it into a sentence. Exit codes are part of the command line's contract.

use std::fmt;
use std::io;
use std::path::Path;

/// How the program ends when it does not succeed. The numbers are the process's exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Something failed that was not the user's words, data or model: a full disk, a diverging run.
    Failed = 1,
    /// The command line does not make sense.
    Misused = 2,
    /// The data set is missing or corrupt.
    Data = 3,
    /// The model file is missing or invalid.
    Model = 4,
    /// Two models that should be the same are not.
    Differ = 5,
    /// The model does not fit the budget.
    Budget = 6,
    /// Ctrl-C, SIGTERM or SIGHUP ended the work, which goes on with the command that the message names: no failure.
    Stopped = 130,
}

/// One line for people and the exit code that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The exit code.
    pub exit: Exit,
    /// One line: what, why, what to type next.
    pub message: String,
}

/// The result type of the whole program.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of exit code 1.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, message: message.into() }
    }
    /// An error of exit code 2.
    pub fn misused(message: impl Into<String>) -> Self {
        Self { exit: Exit::Misused, message: message.into() }
    }
    /// An error of exit code 3.
    pub fn data(message: impl Into<String>) -> Self {
        Self { exit: Exit::Data, message: message.into() }
    }
    /// An error of exit code 4.
    pub fn model(message: impl Into<String>) -> Self {
        Self { exit: Exit::Model, message: message.into() }
    }
    /// As [`io`](Self::io) for a file that cannot be read, with the exit code of what it should have held.
    pub fn unreadable(exit: Exit, path: &Path, reason: &io::Error) -> Self {
        Self { exit, ..Self::io("read", path, reason) }
    }
    /// `cannot VERB PATH: REASON; WHAT TO DO`, with exit code 1: the operating system refused.
    pub fn io(verb: &str, path: &Path, reason: &io::Error) -> Self {
        let hint = match reason.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "; what was there is unchanged: make room and try again"
            }
            io::ErrorKind::FileTooLarge => {
                "; what was there is unchanged: raise the limit that `ulimit -f` shows"
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "; allow it, or name another place"
            }
            io::ErrorKind::InvalidFilename => "; take a shorter name",
            io::ErrorKind::IsADirectory => ", but a file is wanted",
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                "; a file is where a folder is wanted: name another place"
            }
            _ => "",
        };
        Self::failed(format!("cannot {verb} {}: {}{hint}", path.display(), why(reason)))
    }
}

/// A path as one types it: in quotes where a shell would take it apart.
pub fn typed(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+,:@%=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The operating system's reason in its words, without its number.
pub fn why(reason: &io::Error) -> String {
    let text = reason.to_string();
    match (reason.raw_os_error(), text.rfind(" (os error ")) {
        (Some(_), Some(end)) => text[..end].to_string(),
        _ => text,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Of the core's refusals those that nobody's words, data or model are to blame for.
impl From<selvedge::Error> for Error {
    fn from(refusal: selvedge::Error) -> Self {
        Self::failed(refusal.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::typed;

    #[test]
    fn paths_can_be_pasted_into_a_shell() {
        let typed = |text: &str| typed(Path::new(text));
        assert_eq!([typed("runs/é-1.selv"), typed("my net"), typed("")], ["runs/é-1.selv", "'my net'", "''"]);
        assert_eq!(typed("it's $HOME"), r"'it'\''s $HOME'");
    }
}
