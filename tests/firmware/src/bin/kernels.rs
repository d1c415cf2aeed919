//! Runs the core's kernel against plain loops on the device.
#![no_std]
#![no_main]

use selvedge_firmware::{StaticBuffer, console, differential, entry, field};

selvedge_firmware::printed_panics!();

#[entry]
fn main() -> ! {
    static MEMORY: StaticBuffer<differential::Memory> = StaticBuffer::new(differential::Memory::new());
    let Some(memory) = MEMORY.take() else { console::exit(false) };
    let images = counted("images", differential::check(memory));
    let samples = counted("samples", differential::any::check(memory));
    field("differing", 0);
    console::text("\n");
    console::exit(images > 300 && samples > 4000)
}

/// Prints how many came out right, or ends the machine with the first that did not.
fn counted(what: &str, checked: Result<u32, (usize, u32, u32)>) -> u32 {
    match checked {
        Ok(count) => {
            field(what, count as i32);
            count
        }
        Err((shape, kind, at)) => {
            field("shape", shape as i32);
            field("weights", kind as i32);
            field(what, at as i32);
            console::text("differs\n");
            console::exit(false)
        }
    }
}
