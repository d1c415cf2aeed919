//! Semihosting: text, numbers and files of the host, without `core::fmt` and without a panic.
//!
//! QEMU and probe-rs both serve it. Files are QEMU's only: they lie in the folder that it was started in.

use core::ffi::CStr;

use semihosting::fd::BorrowedFd;
use semihosting::sys::arm_compat::{
    ExitReason, OpenMode, sys_exit, sys_exit_extended, sys_open, sys_read_orig, sys_write_orig, sys_writec,
};

/// Prints text.
pub fn text(text: &str) {
    for &byte in text.as_bytes() {
        sys_writec(byte);
    }
}

/// Prints a number in decimal.
pub fn number(n: i32) {
    if n < 0 {
        sys_writec(b'-');
    }
    let mut rest = n.unsigned_abs();
    let mut power = 1_000_000_000;
    let mut begun = false;
    while power > 0 {
        let mut digit = b'0';
        while rest >= power {
            rest -= power;
            digit += 1;
        }
        begun |= digit != b'0' || power == 1;
        if begun {
            sys_writec(digit);
        }
        power /= 10;
    }
}

/// Prints `name=value` and a space.
pub fn field(name: &str, value: i32) {
    text(name);
    text("=");
    number(value);
    text(" ");
}

/// Ends the machine; the host sees exit code 0 or 1.
pub fn exit(success: bool) -> ! {
    if success {
        sys_exit(ExitReason::ADP_Stopped_ApplicationExit);
    } else {
        sys_exit_extended(ExitReason::ADP_Stopped_RunTimeErrorUnknown, 1);
    }
    loop {
        core::hint::spin_loop();
    }
}

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
