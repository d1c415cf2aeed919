//! Ctrl-C: the first asks the work to end after the batch, the second ends the process. SIGTERM and SIGHUP do the same,
//! since schedulers send them and a run has the same to save.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};
use crate::pipeline::{Epoch, Observer, State};

static ASKED: AtomicBool = AtomicBool::new(false);

/// Starts to listen for Ctrl-C, SIGTERM and SIGHUP; the second signal ends the process with `exit_code`. To be called once
/// in a process.
///
/// # Errors
/// `Failed` where the system does not let us.
pub fn listen(exit_code: u8) -> Result<()> {
    ctrlc::set_handler(move || {
        if ASKED.swap(true, Ordering::Relaxed) {
            std::process::exit(exit_code.into());
        }
    })
    .map_err(|e| Error::failed(format!("cannot listen for Ctrl-C: {e}")))
}

/// Whether a signal came: what the loop of a run does next.
pub fn flow() -> ControlFlow<()> {
    if asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// Whether a signal came.
pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// An observer that prints nothing; Ctrl-C ends the run.
pub struct UntilInterrupted;

impl Observer for UntilInterrupted {
    fn step(&mut self, _: &State, _: usize) -> Result<ControlFlow<()>> {
        Ok(flow())
    }
    fn epoch(&mut self, _: &Epoch) -> Result<()> {
        Ok(())
    }
}
