//! The instructions of files that are more than classifiers of pictures: raw values, tables of activations, every task.
//!
//! They are *modelled*: layers cost what [`Cost`] says, which was measured on large networks, and to that comes what an answer,
//! a layer, a feature and a table take. Those figures were fitted on the answers of small networks that `tests/firmware/run`
//! counts; its README has the counts, and a test holds the model within 10 % of them. Codes of raw values are taken to be other than 0.

use selvedge::format::{Header, InputType, Task};

use super::Cost;

/// Instructions beside the sums and the outputs of layers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnyCost {
    /// For an answer; less than nothing where the others, as fitted, hold what it takes.
    pub answer: f64,
    /// For each pass over a layer; inputs of 14 bits take two over the first.
    pub layer: f64,
    /// For each output that is looked up, beyond its requantization.
    pub look_up: f64,
    /// For the code of a raw f32.
    pub float: f64,
    /// For the code of a raw integer, of 7 bits and of 14.
    pub integer: f64,
    /// For the error of each output of a reconstruction, beside its code, which is computed again.
    pub error: f64,
}

/// Instructions of an answer.
pub(super) fn instructions(header: &Header<'_>, cost: &Cost, any: &AnyCost) -> f64 {
    let affine = header.input_map().is_affine();
    let passes = if header.input_bits() == 14 { 2.0 } else { 1.0 };
    // Codes are mostly not 0, other than pixels.
    let cost = Cost { busy: if affine { 1.0 } else { cost.busy }, ..*cost };
    let layer = |l: usize| {
        let looked_up = l + 1 < header.layers() && header.activation(l).has_table();
        let table = if looked_up { any.look_up * header.width(l + 1) as f64 } else { 0.0 };
        let again = if l == 0 { (passes - 1.0) * cost.sums(header, 0) } else { 0.0 };
        cost.layer(header, l) + again + table
    };
    let code = match header.input_type() {
        _ if !affine => 0.0,
        InputType::F32 => any.float,
        _ => any.integer,
    };
    let scored = header.task() == Task::Reconstruction;
    let codes = header.inputs() as f64 * code * if scored { 2.0 } else { 1.0 };
    let errors = if scored { header.outputs() as f64 * any.error } else { 0.0 };
    let layers: f64 = (0..header.layers()).map(layer).sum();
    any.answer + any.layer * (header.layers() as f64 - 1.0 + passes) + layers + codes + errors
}
