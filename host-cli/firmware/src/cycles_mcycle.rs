//! Counts cycles with `mcycle`, the counter of RISC-V. A core without it, such as the ESP32-C3's, stops at the first read: let `of`
//! return `None` there.

/// The name of the counter.
pub const COUNTER: &str = "mcycle";

/// The counter runs from reset on.
pub fn start() {}

/// The cycles that some work takes; `None` where nothing is counted.
pub fn of(work: impl FnOnce()) -> Option<u32> {
    let now = || {
        let cycles: u32;
        // SAFETY: reads a counter.
        unsafe { core::arch::asm!("csrr {}, mcycle", out(reg) cycles, options(nostack)) };
        cycles
    };
    let before = now();
    work();
    Some(now().wrapping_sub(before)).filter(|&cycles| cycles != 0)
}
