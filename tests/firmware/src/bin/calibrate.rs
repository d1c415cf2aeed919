//! Checks the counter with loops of known length: what it counts must be what was run, within two thousandths of a percent
//! and a few instructions of the calls around them.
#![no_std]
#![no_main]

use selvedge_firmware::{console, count, entry, field};

selvedge_firmware::no_panics!();

#[entry]
fn main() -> ! {
    let counter = count::Counter::calibrated();
    let call = counter.count(|| count::known_loop(1)).wrapping_sub(count::LOOP);
    let mut exact = true;
    for rounds in [500_u32, 3_000, 30_000, 450_000, 2_000_000] {
        let expected = rounds * count::LOOP;
        let counted = counter.count(|| count::known_loop(rounds)).wrapping_sub(call);
        field("expected", expected as i32);
        field("counted", counted as i32);
        console::text("\n");
        exact &= counted.abs_diff(expected) <= 16 + expected / 50_000;
    }
    console::exit(exact)
}
