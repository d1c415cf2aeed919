//! The call of the kernels in assembly that compute a whole layer: Cortex-M3 and the DSP cores.
//!
//! They are larger than those over four rows, and take fewer instructions.
#![allow(unsafe_code)]

use core::ffi::c_void;

use super::quads::{ENTRY, Inputs, Multiplier, Rows, Then, quad_words};

/// Some groups of four rows, at least one, as the assembly reads them and steps through them. It knows the position of each field.
#[repr(C)]
pub(super) struct Layer {
    list: *const u32,
    weights: *const u32,
    /// Of the list, before the entry that ends it.
    end: *const u32,
    biases: *const [i32; 4],
    /// Bytes of the weights of a group.
    stride: usize,
    multipliers: *const c_void,
    /// A word of outputs for each group, or four sums.
    to: *mut c_void,
    /// Where those of the last group end.
    to_end: *mut c_void,
    /// How many words of outputs are not zero.
    found: usize,
    /// What the weights, which are biased, add too much.
    excess: u32,
    /// Positions of addresses in a table of the assembly: of the loop's entry and of what becomes of sums.
    jumps: [u16; 2],
    /// Those addresses.
    addresses: [usize; 2],
}

/// Positions of what becomes of sums: outputs by multipliers of 16 bits or of 32, or they are stored.
const NARROW: u16 = 20;
const WIDE: u16 = 22;
const STORED: u16 = 24;

/// Where the loop over all quads starts. Those over a list, from 0 on, start with all entries of a round or with fewer.
const ALL_QUADS: u16 = 18;
const NO_ENTRIES: u16 = 16;

unsafe extern "C" {
    fn selvedge_layer_i8(layer: *mut Layer);
    fn selvedge_layer_i4(layer: *mut Layer);
}

/// Computes the first `groups` of `rows`; returns how many words of outputs are not zero.
///
/// # Safety
/// `to` has room for the outputs or sums of so many groups, and `multipliers` are theirs where there are outputs.
#[inline(never)]
unsafe fn run<const I4: bool>(
    inputs: &Inputs<'_>,
    rows: &Rows<'_>,
    groups: usize,
    then: u16,
    multipliers: *const c_void,
    to: *mut c_void,
) -> usize {
    let &Inputs { list, skipping, sum } = inputs;
    let groups = groups.min(rows.biases.len());
    let (per_quad, entry) = if skipping { (0, ENTRY) } else { (quad_words::<I4>(), 0) };
    let whole = groups * rows.words <= rows.weights.len() && list.len() / 2 * per_quad <= rows.words;
    if groups == 0 || !whole || list.is_empty() || list.len() < entry {
        return 0;
    }
    let entries = list.len().wrapping_sub(entry) / ENTRY;
    let enter = match entries {
        _ if !skipping => ALL_QUADS,
        0 => NO_ENTRIES,
        _ => 2 * ((entries as u16).wrapping_neg() % 8),
    };
    let bytes = groups * if then == STORED { size_of::<[i32; 4]>() } else { size_of::<u32>() };
    let mut layer = Layer {
        list: list.as_ptr().cast(),
        weights: rows.weights.as_ptr(),
        end: list.as_ptr_range().end.wrapping_sub(entry).cast(),
        biases: rows.biases.as_ptr(),
        stride: size_of::<u32>() * rows.words,
        multipliers,
        to,
        to_end: to.wrapping_byte_add(bytes),
        found: 0,
        excess: 128 * sum,
        jumps: [enter, then],
        addresses: [0; 2],
    };
    // SAFETY: the driver made the list: entries whose offsets are those of the quads of a group and after them one whose offset
    // carries, or two words for each quad; all groups have their weights and biases, and the caller promises the rest.
    unsafe { if I4 { selvedge_layer_i4(&mut layer) } else { selvedge_layer_i8(&mut layer) } }
    layer.found
}

/// Computes rows, four at a time, as many as `then` has room for; returns how many words of outputs are not zero.
#[inline(always)]
pub(super) fn layer<const I4: bool, R: Multiplier>(
    inputs: &Inputs<'_>,
    rows: &Rows<'_>,
    then: Then<'_, R>,
) -> usize {
    match then {
        Then::Outputs(multipliers, to) => {
            let groups = multipliers.len().min(to.len());
            let jump = if size_of::<R>() == size_of::<u32>() { WIDE } else { NARROW };
            // SAFETY: a word and four multipliers for each group.
            unsafe {
                run::<I4>(inputs, rows, groups, jump, multipliers.as_ptr().cast(), to.as_mut_ptr().cast())
            }
        }
        // SAFETY: four sums for each group.
        Then::Sums(to) => unsafe {
            run::<I4>(inputs, rows, to.len(), STORED, core::ptr::null(), to.as_mut_ptr().cast())
        },
    }
}
