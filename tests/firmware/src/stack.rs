//! The stack's high water, measured by painting: bytes below the caller that hold another value than the paint were
//! used.

const PAINT: u32 = 0x5eed_5eed;

/// The stack pointer.
#[inline(always)]
fn pointer() -> usize {
    let sp: usize;
    // SAFETY: reads a register.
    unsafe {
        #[cfg(target_arch = "arm")]
        core::arch::asm!("mov {}, sp", out(reg) sp, options(nomem, nostack));
        #[cfg(target_arch = "riscv32")]
        core::arch::asm!("mv {}, sp", out(reg) sp, options(nomem, nostack));
    }
    sp
}

/// Bytes of stack that `work` uses below its caller, at most `DEPTH`.
#[inline(always)]
pub fn used(work: impl FnOnce()) -> u32 {
    /// Bytes that are painted.
    const DEPTH: usize = 4096;
    let top = pointer() & !7;
    let bottom = top - DEPTH;
    for address in (bottom..top).step_by(4) {
        // SAFETY: free memory between the statics and the stack pointer, where no live frame lies.
        unsafe { (address as *mut u32).write_volatile(PAINT) }
    }
    work();
    let mut first = bottom;
    // SAFETY: as above.
    while first < top && unsafe { (first as *const u32).read_volatile() } == PAINT {
        first += 4;
    }
    (top - first) as u32
}
