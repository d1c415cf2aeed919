//! Counts cycles with the cycle counter of the debug unit (DWT), which Cortex-M3 and larger cores have.

/// The name of the counter.
pub const COUNTER: &str = "DWT";

const DEMCR: *mut u32 = 0xe000_edfc as *mut u32;
const CTRL: *mut u32 = 0xe000_1000 as *mut u32;
const CYCCNT: *const u32 = 0xe000_1004 as *const u32;
const LOCK: *mut u32 = 0xe000_1fb0 as *mut u32;

/// Starts the counter.
pub fn start() {
    // SAFETY: registers of the core, at the same addresses on all of them. The trace unit is enabled, then the counter, which a
    // Cortex-M7 unlocks first.
    unsafe {
        DEMCR.write_volatile(DEMCR.read_volatile() | 1 << 24);
        LOCK.write_volatile(0xc5ac_ce55);
        CTRL.write_volatile(CTRL.read_volatile() | 1);
    }
}

/// The cycles that some work takes; `None` where nothing is counted.
pub fn of(work: impl FnOnce()) -> Option<u32> {
    // SAFETY: reads a counter.
    let now = || unsafe { CYCCNT.read_volatile() };
    let before = now();
    work();
    Some(now().wrapping_sub(before)).filter(|&cycles| cycles != 0)
}
