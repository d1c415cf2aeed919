//! Integer inference on microcontrollers: the fastest kernel for each core, which skips inputs that are zero.
//!
//! `build.rs` names the core that the target stands for; the modules below are compiled for it alone.
//!
//! [`I8Engine`] and [`I4Engine`] run files of [`PACKING`] only, the order of weights that the kernels of this target read;
//! an [`integer::Engine`](crate::infer::integer::Engine) runs any, slower, and both give the same logits to the bit.
//!
//! | target | core in `build.rs` | file | [`PACKING`] | kernel | instructions for four products | of i4 |
//! |---|---|---|---|---|---|---|
//! | Cortex-M4, M7, M33 | `dsp` | `armv7em.rs` | `cortex-m4` | assembly, `SMLAD` | 3 | 4 |
//! | Cortex-M3 | `armv7m` | `armv7m.rs` | `cortex-m0` | assembly, two products in one multiplication | 6 | 5 |
//! | Cortex-M0, M0+, M23 | `armv6m` | `armv6m.rs` | `cortex-m0` | the same in Thumb-1 | 10 | 9.5 |
//! | Cortex-M55, M85 | `mve` | `mve.rs` | `cortex-m55` | assembly, MVE | 0.5 | 0.6 |
//! | RISC-V and everything else | `portable` | `pairs.rs` | `cortex-m0` | the same as on the M3, in Rust | 10 | 9 |
//!
//! Each type of weights has an engine of its own, so that firmware holds the kernels of one type. Those two are for pictures and
//! ReLU; [`AnyI8Engine`] and [`AnyI4Engine`] run every file: raw values of any type through affine maps, inputs of 14 bits as two
//! digits in two passes over the weights of the first layer, activations by their tables, multipliers of 32 bits, and scores of
//! reconstructions a few outputs at a time. Their kernels are the same.
//!
//! A group of inputs that is all zero costs one test when the input is read and nothing in any row: a list names the
//! groups that are left. Lists and groups take the place of the pixels in the caller-provided memory, so that it stays small. Where
//! few groups are zero a dense form runs, which [`dense`](crate::infer::Engine::dense) asks for always: then every image
//! takes the same instructions.
//!
//! What can be wrong with a file is known while firmware is compiled, or when the device starts:
//!
//! ```
//! use selvedge::format::{Header, ModelView};
//! use selvedge::infer::mcu::I8Engine;
//!
//! // In firmware the path of what `selvedge export --format selv --packing CORE` wrote, beside this source file.
//! const MODEL: &[u8] = selvedge::include_model!("../../../fixtures/i8-cortex-m0.selv");
//! const HEADER: Header = match Header::read(MODEL) { Ok(header) => header, Err(_) => panic!("no flash file") };
//! const _: () = assert!(I8Engine::runs(&HEADER), "the flash file is packed for another core");
//! const _: () = assert!(I8Engine::ram_bytes(&HEADER) <= 512, "it needs more RAM than is there");
//!
//! let engine = I8Engine::new(ModelView::parse(MODEL)?)?; // once: refuses every flipped bit
//! let mut scratch = [0; I8Engine::scratch_words(&HEADER)];
//! let mut logits = [0; HEADER.outputs()];
//! engine.self_test(&mut scratch, &mut logits)?; // this processor computes what the desktop did
//! let pixels = [0_u8; HEADER.inputs()]; // of a camera: light on black, row by row
//! let class = engine.classify(&pixels, &mut scratch, &mut logits)?;
//! assert_eq!(class.and_then(|class| engine.view().label(class)), Some("boot"));
//! # Ok::<(), selvedge::Error>(())
//! ```

mod any;
#[cfg(selvedge_core = "armv6m")]
mod armv6m;
#[cfg(selvedge_core = "dsp")]
mod armv7em;
#[cfg(selvedge_core = "armv7m")]
mod armv7m;
#[cfg(not(any(selvedge_core = "mve", selvedge_core = "portable")))]
mod assembly;
#[cfg(selvedge_core = "mve")]
mod blocks;
#[cfg(any(selvedge_core = "armv7m", selvedge_core = "dsp"))]
mod layer;
#[cfg(selvedge_core = "mve")]
mod mve;
#[cfg(not(any(selvedge_core = "mve", selvedge_core = "dsp")))]
mod pairs;
#[cfg(not(selvedge_core = "mve"))]
mod quads;
#[cfg(any(selvedge_core = "armv7m", selvedge_core = "dsp"))]
mod thumb2;

#[cfg(selvedge_core = "mve")]
use blocks as kernels;
#[cfg(not(selvedge_core = "mve"))]
use quads as kernels;

pub use any::{AnyCore, AnyEngine, AnyI4Engine, AnyI8Engine};

use crate::error::Error;
use crate::format::{Dtype, Header, ModelView, Packing};
use crate::infer::kernel::{Kernel, Outputs};
use crate::infer::sample::source::Source;
use crate::infer::{self, Profile};

/// The order of weights that this target reads.
pub const PACKING: Packing = kernels::PACKING;

/// Runs a file of i8 weights in the order of [`PACKING`].
pub type I8Engine<'a> = Engine<'a, false>;
/// Runs a file of i4 weights in the order of [`PACKING`]: half the flash, at about the same speed.
pub type I4Engine<'a> = Engine<'a, true>;
/// Either of them; `scratch` is of `u32`.
pub type Engine<'a, const I4: bool> = infer::Engine<'a, Core<I4>>;

/// The kernels of this target.
#[derive(Debug, Clone)]
pub struct Core<const I4: bool> {
    dense: bool,
    areas: kernels::Areas,
}

/// The weights of an engine.
const fn dtype(i4: bool) -> Dtype {
    if i4 { Dtype::I4 } else { Dtype::I8 }
}

impl<const I4: bool> Kernel for Core<I4> {
    const PROFILE: Profile = Profile::Core(dtype(I4), PACKING);
    type Scratch = u32;
    type Logit = i32;

    fn new(header: &Header<'_>) -> Self {
        Self { dense: false, areas: kernels::areas(header) }
    }

    fn run(
        &self,
        view: &ModelView<'_>,
        sample: &(impl Source + ?Sized),
        scratch: &mut [u32],
        outputs: Outputs<'_, i32>,
    ) {
        // Files whose outputs come one by one have another engine.
        let Outputs::Logits(logits) = outputs else { return };
        pixels_of(view, scratch).iter_mut().zip(sample.bytes()).for_each(|(to, pixel)| *to = pixel);
        self.run_in_place(view, view.header().layers(), scratch, logits);
    }
}

impl<const I4: bool> Core<I4> {
    /// Runs some layers on the pixels in `scratch`; returns the words of the last hidden outputs, the inputs where there
    /// are none.
    fn run_in_place<'s>(
        &self,
        view: &ModelView<'_>,
        layers: usize,
        scratch: &'s mut [u32],
        logits: &mut [i32],
    ) -> &'s [u32] {
        let run = if I4 { run_i4 } else { run_i8 };
        run(view, layers, self.dense, &self.areas, scratch, logits)
    }
}

/// Runs layers of i8 weights. It is not generic, so that it is compiled with this crate, for size where firmware asks that,
/// and not with the program.
#[inline(never)]
fn run_i8<'s>(
    view: &ModelView<'_>,
    layers: usize,
    dense: bool,
    areas: &kernels::Areas,
    scratch: &'s mut [u32],
    logits: &mut [i32],
) -> &'s [u32] {
    kernels::run::<false>(view, layers, dense, areas, scratch, logits)
}

/// As [`run_i8`], of i4 weights.
#[inline(never)]
fn run_i4<'s>(
    view: &ModelView<'_>,
    layers: usize,
    dense: bool,
    areas: &kernels::Areas,
    scratch: &'s mut [u32],
    logits: &mut [i32],
) -> &'s [u32] {
    kernels::run::<true>(view, layers, dense, areas, scratch, logits)
}

/// The end of `scratch`, where the kernels expect the pixels.
fn pixels_of<'s>(view: &ModelView<'_>, scratch: &'s mut [u32]) -> &'s mut [u8] {
    let bytes = crate::format::bytes_mut(scratch);
    let inputs = view.header().inputs();
    let at = bytes.len().saturating_sub(inputs.next_multiple_of(4));
    bytes.get_mut(at..).and_then(|b| b.get_mut(..inputs)).unwrap_or_default()
}

/// What the kernels of a core can do besides: pixels that are written where they are read, and a stop before the last
/// layer.
impl<const I4: bool> infer::Engine<'_, Core<I4>> {
    /// The same, without looking for zeros: slower, but with the same instructions for every image.
    #[must_use]
    pub const fn dense(mut self) -> Self {
        self.kernel.dense = true;
        self
    }

    /// The place in `scratch` where [`run`](Self::run) expects the pixels, for whoever fills it from a camera or a wire;
    /// empty if `scratch` is too short.
    pub fn pixels<'s>(&self, scratch: &'s mut [u32]) -> &'s mut [u8] {
        pixels_of(&self.view, scratch.get_mut(..self.scratch_words).unwrap_or_default())
    }

    /// The logits of the image whose [`pixels`](Self::pixels) lie in `scratch`, which keeps nothing of them.
    ///
    /// # Errors
    /// [`Error::Length`] where `scratch` is too short, or `logits` not one for each class.
    pub fn run(&self, scratch: &mut [u32], logits: &mut [i32]) -> Result<(), Error> {
        let scratch = self.checked(scratch, logits.len())?;
        self.kernel.run_in_place(&self.view, self.view.header().layers(), scratch, logits);
        Ok(())
    }

    /// What the last layer sees of the image whose [`pixels`](Self::pixels) lie in `scratch`: its inputs, 0..=127, one unit
    /// of which is worth [`scale`](ModelView::scale)`(layers - 1)`. A head of floats can be trained on them on the device.
    ///
    /// # Errors
    /// [`Error::Length`] where `scratch` is too short.
    pub fn features<'s>(&self, scratch: &'s mut [u32]) -> Result<&'s [u8], Error> {
        let header = self.view.header();
        let scratch = self.checked(scratch, header.outputs())?;
        let hidden = header.layers().saturating_sub(1);
        let words = self.kernel.run_in_place(&self.view, hidden, scratch, &mut []);
        Ok(crate::format::bytes(words).get(..header.width(hidden)).unwrap_or_default())
    }
}
