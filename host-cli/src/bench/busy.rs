//! Other processes that keep cores busy, to measure the thread pool beside them.

use std::io::Read;
use std::num::NonZero;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result, why};

/// The hidden flag of `bench` that makes a process spin until its stdin ends.
const FLAG: &str = "--occupy-a-core";

/// A process for every core but one; dropping the value ends them.
pub(super) struct BusyCores(Vec<Child>);

impl BusyCores {
    /// Starts the processes.
    pub(super) fn start() -> Result<Self> {
        let refused = |e: std::io::Error| {
            Error::failed(format!("cannot start a process to keep a core busy: {}", why(&e)))
        };
        let program = std::env::current_exe().map_err(refused)?;
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let mut busy = Self(Vec::new());
        for _ in 1..cores {
            let mut command = Command::new(&program);
            command.args(["bench", FLAG]).stdin(Stdio::piped()).stdout(Stdio::null());
            busy.0.push(command.spawn().map_err(refused)?);
        }
        Ok(busy)
    }
}

impl Drop for BusyCores {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Keeps a core busy until stdin ends, which it also does when the parent process has ended.
pub fn occupy_a_core() {
    static OVER: AtomicBool = AtomicBool::new(false);
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        OVER.store(true, Ordering::Relaxed);
    });
    while !OVER.load(Ordering::Relaxed) {
        std::hint::black_box(());
    }
}
