//! The block by which RP2350's boot loader knows a program for its Arm cores; it lies in the first 4 KB of the flash.

/// Start; one item of one word: an executable for Arm, secure, on RP2350; the last item; the only block; end.
#[used]
// SAFETY: the linker script keeps this section for the loader, and nothing else is put there.
#[unsafe(link_section = ".start_block")]
static IMAGE: [u32; 5] = [0xffff_ded3, 0x1021_0142, 0x0000_01ff, 0, 0xab12_3579];
