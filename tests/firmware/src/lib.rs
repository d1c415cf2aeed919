//! What the programs of this crate share: talk to the host through semihosting, count instructions, measure the stack.
//!
//! Nothing here panics or formats through `core::fmt`, so that a program whose panic handler cannot be linked links.
#![no_std]

pub mod console;
pub mod count;
pub mod differential;
pub mod stack;

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

#[cfg(target_arch = "arm")]
pub use cortex_m_rt::entry;
#[cfg(target_arch = "riscv32")]
pub use riscv_rt::entry;

/// A static that is lent out once, as `&'static mut`.
pub struct Lent<T> {
    value: UnsafeCell<T>,
    taken: AtomicBool,
}

// SAFETY: `take` gives the value away once, and interrupts, the only other thread here, take nothing.
unsafe impl<T: Send> Sync for Lent<T> {}

impl<T> Lent<T> {
    /// A value to lend.
    pub const fn new(value: T) -> Self {
        Self { value: UnsafeCell::new(value), taken: AtomicBool::new(false) }
    }

    /// The value, the first time.
    #[allow(clippy::mut_from_ref)] // That is what it is for.
    pub fn take(&'static self) -> Option<&'static mut T> {
        // Not a swap: Armv6-M has none, and there is one thread.
        if self.taken.load(Ordering::Relaxed) {
            return None;
        }
        self.taken.store(true, Ordering::Relaxed);
        // SAFETY: the first and only reference.
        Some(unsafe { &mut *self.value.get() })
    }
}

/// A panic handler that calls a function which exists nowhere: the program links only if no panic can be reached.
#[macro_export]
macro_rules! no_panics {
    () => {
        #[panic_handler]
        fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
            unsafe extern "C" {
                fn a_panic_can_be_reached() -> !;
            }
            // SAFETY: the linker refuses the program before this could run.
            unsafe { a_panic_can_be_reached() }
        }
    };
}

/// A panic handler that prints where and ends the machine with an error.
#[macro_export]
macro_rules! printed_panics {
    () => {
        #[panic_handler]
        fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
            $crate::console::text("panic");
            if let Some(place) = info.location() {
                $crate::console::text(" at ");
                $crate::console::text(place.file());
                $crate::console::text(":");
                $crate::console::number(place.line() as i32);
            }
            $crate::console::text("\n");
            $crate::console::exit(false)
        }
    };
}
