//! What the programs of this crate share: talk to the host through semihosting, count instructions, measure the stack.
//!
//! Nothing here panics or formats through `core::fmt`, so that a program whose panic handler cannot be linked links.
//! The console and the statics are those of the program that `selvedge export --format firmware` writes.
#![no_std]

#[path = "../../../host-cli/firmware/src/console.rs"]
pub mod console;
pub mod count;
pub mod differential;
pub mod file;
pub mod stack;
#[path = "../../../host-cli/firmware/src/static_buffer.rs"]
mod static_buffer;

#[cfg(target_arch = "arm")]
pub use cortex_m_rt::entry;
#[cfg(target_arch = "riscv32")]
pub use riscv_rt::entry;

pub use file::File;
pub use static_buffer::StaticBuffer;

/// Prints `name=value` and a space.
pub fn field(name: &str, value: i32) {
    console::text(name);
    console::text("=");
    console::number(value);
    console::text(" ");
}

/// The flash file that a variable names when the program is built, and the sizes that its header gives: `FILE`, `HEADER`,
/// `INPUTS`, `CLASSES`.
#[macro_export]
macro_rules! deployed {
    ($variable:literal) => {
        const FILE: &[u8] = selvedge::include_model!(env!($variable));
        const HEADER: selvedge::format::Header = match selvedge::format::Header::read(FILE) {
            Ok(header) => header,
            Err(_) => panic!(),
        };
        const INPUTS: usize = HEADER.inputs();
        const CLASSES: usize = HEADER.outputs();
    };
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
