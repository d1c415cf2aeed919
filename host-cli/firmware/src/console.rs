//! Semihosting: text and numbers on the host's console, without `core::fmt` and without a panic.
//!
//! QEMU and probe-rs serve it. A board that runs on its own, without either, stops at the first character: write to a
//! serial port then.

use semihosting::sys::arm_compat::{ExitReason, sys_exit, sys_exit_extended, sys_writec};

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

/// Prints the cycles of an answer, at most, and the counter that they come from.
pub fn cycles(most: Option<u32>, counter: &str) {
    match most.and_then(|most| i32::try_from(most).ok()) {
        Some(most) => {
            text("cycles of an answer, at most: ");
            number(most);
            text(" by ");
        }
        None => text("no cycle counter here, or more cycles than it holds: "),
    }
    text(counter);
    text("\n");
}

/// Ends the program; the host sees exit code 0 or 1.
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
