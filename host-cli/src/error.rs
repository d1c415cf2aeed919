//! The one error type of the program: what kind of thing went wrong, and a line for the person at the keyboard.
//!
//! A message says what happened, why, and what to type next, in one line; it never ends in a full stop, so that
//! callers can put it into a sentence. `# Errors` sections name the kinds; only [`exit`](crate::exit) knows of exit codes.

use std::fmt;
use std::io;
use std::path::Path;

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The operating system refused: a full disk, a lost permission.
    Io,
    /// The command line or a recipe does not make sense.
    Usage,
    /// The data set is missing or corrupt.
    Data,
    /// The model file is missing or invalid, or does not fit the data.
    Model,
    /// Two models that should be the same are not.
    Mismatch,
    /// The model does not fit the budget.
    Budget,
    /// Ctrl-C, SIGTERM or SIGHUP ended the work. The message names the command that continues it: no failure.
    Interrupted,
    /// Anything else: a diverging run, a damaged run folder, too little memory.
    Failed,
}

/// The kind of an error and one line for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What went wrong.
    pub kind: ErrorKind,
    /// One line: what, why, what to type next.
    pub message: String,
}

/// The result type of the whole program.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of any kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
    /// An error of kind [`Failed`](ErrorKind::Failed).
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Failed, message)
    }
    /// An error of kind [`Usage`](ErrorKind::Usage).
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }
    /// An error of kind [`Data`](ErrorKind::Data).
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Data, message)
    }
    /// An error of kind [`Model`](ErrorKind::Model).
    pub fn model(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Model, message)
    }
    /// The same error with more advice after `; `.
    #[must_use]
    pub fn with_advice(self, advice: impl fmt::Display) -> Self {
        Self { message: format!("{}; {advice}", self.message), ..self }
    }
    /// As [`io`](Self::io) for a file that cannot be read, of the kind that the file's content has.
    pub fn unreadable(kind: ErrorKind, path: &Path, reason: &io::Error) -> Self {
        Self { kind, ..Self::io("read", path, reason) }
    }
    /// `cannot VERB PATH: REASON; WHAT TO DO`: the operating system refused.
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
        Self::new(ErrorKind::Io, format!("cannot {verb} {}: {}{hint}", path.display(), why(reason)))
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

/// The core's errors that are not about the user's arguments, data or model.
impl From<selvedge::Error> for Error {
    fn from(error: selvedge::Error) -> Self {
        Self::failed(error.to_string())
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
