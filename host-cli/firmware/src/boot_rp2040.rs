//! The second stage of RP2040's boot loader, which lets the processor read the flash of a Pico; it lies in front of all.

#[used]
// SAFETY: the linker script keeps this section for the loader, and nothing else is put there.
#[unsafe(link_section = ".boot2")]
static SECOND_STAGE: [u8; 256] = rp2040_boot2::BOOT_LOADER_W25Q080;
