//! Ctrl-C: the first asks the work to end after the batch, the second ends the process. Either way its exit code is that of
//! [`Exit::Stopped`]; SIGTERM and SIGHUP are the same, since schedulers send them and a run has the same to save.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Exit, Result};

static ASKED: AtomicBool = AtomicBool::new(false);

/// Starts to listen for Ctrl-C, SIGTERM and SIGHUP. To be called once in a process.
///
/// # Errors
/// Exit code 1 where the system does not let us.
pub fn listen() -> Result<()> {
    ctrlc::set_handler(|| {
        if ASKED.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Stopped as i32);
        }
    })
    .map_err(|e| Error::failed(format!("cannot listen for Ctrl-C: {e}")))
}

/// Whether it was pressed.
pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
