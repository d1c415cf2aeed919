//! Statics that are handed out once, so that a program without a heap has memory of a fixed size and never a stray `&mut`.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

/// A static that is handed out once, as `&'static mut`.
pub struct StaticBuffer<T> {
    value: UnsafeCell<T>,
    taken: AtomicBool,
}

// SAFETY: `take` gives the value away once, and interrupts, the only other thread here, take nothing.
unsafe impl<T: Send> Sync for StaticBuffer<T> {}

impl<T> StaticBuffer<T> {
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
