//! Counts cycles with the system timer (SysTick), since Cortex-M0 and M0+ have no cycle counter. A program that needs the timer
//! itself leaves this out.

/// The name of the counter.
pub const COUNTER: &str = "SysTick";

const CONTROL: *mut u32 = 0xe000_e010 as *mut u32;
const RELOAD: *mut u32 = 0xe000_e014 as *mut u32;
const VALUE: *mut u32 = 0xe000_e018 as *mut u32;
/// It runs down in 24 bits.
const MOST: u32 = 0x00ff_ffff;

/// Starts the counter, with the clock of the core.
pub fn start() {
    // SAFETY: registers of the core, at the same addresses on all of them; nothing else here uses the timer.
    unsafe {
        RELOAD.write_volatile(MOST);
        CONTROL.write_volatile(0b101);
    }
}

/// The cycles that some work takes; `None` where nothing is counted, or more than the counter holds.
pub fn of(work: impl FnOnce()) -> Option<u32> {
    // SAFETY: clears the counter, and the flag that says that it went through 0.
    unsafe { VALUE.write_volatile(0) };
    // SAFETY: reads a counter.
    let now = || unsafe { VALUE.read_volatile() };
    // It reads 0 until it is reloaded in the next cycle.
    let mut before = now();
    for _ in 0..8 {
        if before != 0 {
            break;
        }
        before = now();
    }
    work();
    let after = now();
    // SAFETY: reads a register; reading clears the flag.
    let wrapped = unsafe { CONTROL.read_volatile() } & 1 << 16 != 0;
    Some(before.wrapping_sub(after)).filter(|&cycles| cycles != 0 && !wrapped)
}
