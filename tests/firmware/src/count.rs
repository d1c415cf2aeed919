//! Instruction counts, not cycles: under `-icount` QEMU's clock advances by a fixed time for each instruction.
//!
//! The counter is SysTick on Cortex-M and `mcycle` on RISC-V. How many ticks an instruction takes follows from the
//! machine's clock, so it is measured: a loop of known length calibrates the counter before it is used.

/// The number of instructions in [`known_loop`] of `n` rounds, the two that set it up left out.
pub const LOOP: u32 = 2;

/// Runs `LOOP * n` instructions.
#[inline(never)]
pub fn known_loop(n: u32) {
    // SAFETY: registers only.
    unsafe {
        #[cfg(target_arch = "arm")]
        core::arch::asm!("1: subs {n}, {n}, #1", "bne 1b", n = inout(reg) n => _, options(nomem, nostack));
        #[cfg(target_arch = "riscv32")]
        core::arch::asm!("1: addi {n}, {n}, -1", "bnez {n}, 1b", n = inout(reg) n => _, options(nomem, nostack));
    }
}

#[cfg(target_arch = "arm")]
const SYST: *mut u32 = 0xe000_e010 as *mut u32;

#[cfg(target_arch = "arm")]
fn start() {
    // SAFETY: SysTick's control, reload and value registers, at the same address on every Cortex-M.
    unsafe {
        SYST.add(1).write_volatile(0x00ff_ffff);
        SYST.add(2).write_volatile(0);
        SYST.write_volatile(0b101);
    }
}

/// Ticks, running up in 24 bits.
#[cfg(target_arch = "arm")]
#[inline(always)]
fn now() -> u32 {
    // SAFETY: SysTick's value register, which runs down.
    0x00ff_ffff - unsafe { SYST.add(2).read_volatile() }
}

#[cfg(target_arch = "riscv32")]
fn start() {}

/// Ticks; the mask makes both architectures wrap alike.
#[cfg(target_arch = "riscv32")]
#[inline(always)]
fn now() -> u32 {
    let ticks: u32;
    // SAFETY: reads a counter.
    unsafe { core::arch::asm!("csrr {}, mcycle", out(reg) ticks, options(nomem, nostack)) };
    ticks
}

#[cfg(target_arch = "arm")]
const MASK: u32 = 0x00ff_ffff;
#[cfg(target_arch = "riscv32")]
const MASK: u32 = u32::MAX;

/// Puts this place into the section `.counted`, which is in the program's file and not in its memory, so that `firmware-host
/// cycles` finds what is counted in a trace of the emulator: begin and end alternate. It adds no instruction.
macro_rules! mark {
    ($begin:literal) => {
        // SAFETY: assembles nothing into the program.
        unsafe {
            core::arch::asm!(
                "7:",
                ".pushsection .counted, \"\", %progbits",
                ".4byte 7b",
                concat!(".4byte ", $begin),
                ".popsection"
            )
        }
    };
}

/// A calibrated counter.
#[derive(Clone, Copy)]
pub struct Counter {
    /// Ticks of `ROUNDS * LOOP` instructions.
    ticks: u32,
    /// Ticks of counting nothing.
    overhead: u32,
}

/// Rounds of the calibrating loop.
const ROUNDS: u32 = 100_000;

impl Counter {
    /// Starts the clock and measures it: the difference of two loops leaves the calls out.
    pub fn calibrated() -> Self {
        start();
        let mut counter = Self { ticks: 1, overhead: 0 };
        let short = counter.ticks(|| known_loop(1_000));
        counter.ticks = counter.ticks(|| known_loop(ROUNDS + 1_000)).wrapping_sub(short);
        counter.overhead = counter.ticks(|| ());
        counter
    }

    #[inline(always)]
    fn ticks(self, work: impl FnOnce()) -> u32 {
        let before = now();
        core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
        work();
        core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
        now().wrapping_sub(before) & MASK
    }

    /// The instructions that `work` takes, to the nearest one or two; at most eight million on Cortex-M.
    #[inline(always)]
    pub fn count(self, work: impl FnOnce()) -> u32 {
        let marked = || {
            mark!(1);
            work();
            mark!(0);
        };
        let ticks = self.ticks(marked).wrapping_sub(self.overhead) & MASK;
        let instructions = u64::from(ticks) * u64::from(ROUNDS * LOOP) + u64::from(self.ticks / 2);
        (instructions.checked_div(u64::from(self.ticks)).unwrap_or(0)) as u32
    }
}
