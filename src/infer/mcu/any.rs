//! The engines that run every file with the kernels of this core.
//!
//! What depends on the type of the raw values is here: they are written where the kernels want their inputs, pixels as they are, codes of
//! an affine map as one digit or as two. The rest is compiled once.

use super::{PACKING, dtype, kernels};
use crate::format::{Header, ModelView};
use crate::infer::kernel::{Kernel, Outputs};
use crate::infer::sample::source::Source;
use crate::infer::{self, Profile};

/// Runs any file of i8 weights in the order of [`PACKING`].
pub type AnyI8Engine<'a> = AnyEngine<'a, false>;
/// Runs any file of i4 weights in the order of [`PACKING`].
pub type AnyI4Engine<'a> = AnyEngine<'a, true>;
/// Either of them; `scratch` is of `u32`.
///
/// ```
/// # use selvedge::format::{Builder, Dtype, HeaderBuf, InputMap, InputType, Packing, Task, ValueScale};
/// # use selvedge::Shape;
/// use selvedge::format::ModelView;
/// use selvedge::infer::mcu::AnyI8Engine;
///
/// # const SHAPE: Shape = match Shape::new(&[1, 1]) { Ok(shape) => shape, Err(_) => panic!() };
/// # let header = HeaderBuf::new(SHAPE, Dtype::I8, Packing::CortexM0)?;
/// # let header = header.with_input(InputType::I16, InputMap::Affine, 14)?.with_task(Task::Values)?;
/// # let mut memory = vec![0; header.file_bytes() + 15];
/// # let start = memory.as_ptr().align_offset(16);
/// # let mut builder = Builder::new(header.clone(), &mut memory[start..][..header.file_bytes()])?;
/// # builder.map_integers(0, -2000, 4000, 1 << 18)?; // a code is a raw unit
/// # builder.weight(0, 0, 0, 64); // half a unit of the output: 64 / 128
/// # builder.value_scale(0, ValueScale::Integer { add: -1000, scale: 0.5 })?;
/// # let view = builder.finish()?;
/// # let (file, scratch, logits) = (view.bytes(), &mut [0; 16], &mut [0; 1]);
/// // A network of regression that takes raw values of i16, as `selvedge quantize --input i16` writes it.
/// let engine = AnyI8Engine::new(ModelView::parse(file)?)?;
/// let mut values = [0.0; 1];
/// engine.predict(&[400_i16], scratch, logits, &mut values)?;
/// assert_eq!(values, [100.0]);
/// engine.predict_fixed(&[400_i16], scratch, logits)?; // the same without a float, in units of 0.5
/// assert_eq!(logits, &[200]);
/// # Ok::<(), selvedge::Error>(())
/// ```
pub type AnyEngine<'a, const I4: bool> = infer::Engine<'a, AnyCore<I4>>;

/// The kernels of this target, for every file.
#[derive(Debug, Clone)]
pub struct AnyCore<const I4: bool> {
    dense: bool,
    areas: kernels::Areas,
}

impl<const I4: bool> Kernel for AnyCore<I4> {
    const PROFILE: Profile = Profile::AnyCore(dtype(I4), PACKING);
    type Scratch = u32;
    type Logit = i32;

    fn new(header: &Header<'_>) -> Self {
        Self { dense: false, areas: kernels::areas(header) }
    }

    // One copy for all questions that are asked of samples of a type.
    #[inline(never)]
    fn run(
        &self,
        view: &ModelView<'_>,
        sample: &(impl Source + ?Sized),
        scratch: &mut [u32],
        mut outputs: Outputs<'_, i32>,
    ) {
        let [first, low] = kernels::inputs(view.header(), &self.areas, scratch);
        if !view.header().input_map().is_affine() {
            first.iter_mut().zip(sample.bytes()).for_each(|(to, pixel)| *to = pixel);
        } else {
            sample.write_codes(view, 0, first, low);
        }
        let run = if I4 { run_any_i4 } else { run_any_i8 };
        run(view, self.dense, &self.areas, scratch, &mut outputs);
    }

    #[cfg(selvedge_core = "mve")]
    fn squares(scales: &[[u32; 2]], outputs: &[i32], codes: &[u8], rounding: u32, shift: u32) -> u64 {
        super::mve::squares(scales, outputs, codes, rounding, shift)
    }
}

impl<const I4: bool> infer::Engine<'_, AnyCore<I4>> {
    /// The same, without looking for zeros: slower, but with the same instructions for every sample once it is mapped.
    #[must_use]
    pub const fn dense(mut self) -> Self {
        self.kernel.dense = true;
        self
    }
}

/// Runs any file of i8 weights; not generic, so that it is compiled with this crate, for size where
/// firmware asks that.
#[inline(never)]
fn run_any_i8(
    view: &ModelView<'_>,
    dense: bool,
    areas: &kernels::Areas,
    scratch: &mut [u32],
    outputs: &mut Outputs<'_, i32>,
) {
    kernels::run_any::<false>(view, dense, areas, scratch, outputs);
}

/// As [`run_any_i8`], of i4 weights.
#[inline(never)]
fn run_any_i4(
    view: &ModelView<'_>,
    dense: bool,
    areas: &kernels::Areas,
    scratch: &mut [u32],
    outputs: &mut Outputs<'_, i32>,
) {
    kernels::run_any::<true>(view, dense, areas, scratch, outputs);
}

/// Hands the outputs of a group of rows, the first of which is `first`, to where they go; those of padding are left out.
#[inline(never)]
pub(super) fn put(outputs: &mut Outputs<'_, i32>, first: usize, count: usize, group: &[i32]) {
    let group = group.get(..count.saturating_sub(first)).unwrap_or(group);
    match outputs {
        Outputs::Logits(logits) => {
            let logits = logits.get_mut(first..).unwrap_or_default();
            logits.iter_mut().zip(group).for_each(|(z, &output)| *z = output);
        }
        Outputs::Each(each) => each(first, group),
    }
}
