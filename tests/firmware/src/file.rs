//! Files of the host through semihosting. They are QEMU's only, and lie in the folder that it was started in.

use core::ffi::CStr;

use semihosting::fd::BorrowedFd;
use semihosting::sys::arm_compat::{OpenMode, sys_open, sys_read_orig, sys_write_orig, sys_writec};

use crate::console::{exit, text};

/// A file of the host, open until the machine ends.
pub struct File(BorrowedFd<'static>);

impl File {
    /// Opens a file to read, or ends the machine with its name.
    pub fn open(name: &CStr) -> Self {
        Self::with(name, OpenMode::RDONLY_BINARY)
    }

    /// Creates a file, or ends the machine with its name.
    pub fn create(name: &CStr) -> Self {
        Self::with(name, OpenMode::WRONLY_TRUNC_BINARY)
    }

    fn with(name: &CStr, mode: OpenMode) -> Self {
        if let Ok(owner) = sys_open(name, mode) {
            let fd = owner.into_raw_fd();
            if fd != -1 {
                // SAFETY: the owner gave it away, and nothing closes the descriptor.
                return Self(unsafe { BorrowedFd::borrow_raw(fd) });
            }
        }
        text("cannot open ");
        name.to_bytes().iter().for_each(|&byte| sys_writec(byte));
        text("\n");
        exit(false)
    }

    /// Fills the buffer; false at the end of the file.
    pub fn read(&mut self, buffer: &mut [u8]) -> bool {
        // The call returns how many bytes are missing.
        matches!(sys_read_orig(self.0, buffer), Ok(0))
    }

    /// Writes bytes, or ends the machine.
    pub fn write(&mut self, bytes: &[u8]) {
        if !matches!(sys_write_orig(self.0, bytes), Ok(0)) {
            text("cannot write\n");
            exit(false)
        }
    }
}
