//! Multilayer perceptrons: trained on a desktop as fast as its multiply-add units allow, run on microcontrollers bit for
//! bit the same. `no_std`, no `alloc`.
//!
//! # The idea
//!
//! 1. A network is a [`Shape`] and **one flat parameter vector**; gradients share its layout.
//! 2. **The caller lends all memory.** Every size is a `const fn` beside the thing it sizes, evaluated at compile time
//!    for a `static` on a microcontroller, at run time for a `Vec` on a desktop.
//! 3. All arithmetic goes through a handful of kernels run by a [`Backend`] value, whose existence proves that the CPU
//!    can do it.
//!
//! # The layers, bottom up
//!
//! | module | holds |
//! |---|---|
//! | [`error`] | the one error type: flat, with the numbers in it |
//! | [`rng`] | random numbers, the same on every machine |
//! | [`mat`] | views of matrices: a slice, a shape, strides |
//! | [`shape`] | the widths of a network and the layout of its parameters |
//! | [`arena`] | the fixed-size arena over caller-provided memory |
//! | [`format`] | files used from flash: header, layout, packings, checks; **the specification of the format** |
//! | [`naive`] | **the specification**: plain loops that say what every kernel computes |
//! | [`simd`] | vectors, and the value that proves which of them this CPU has |
//! | [`kernel`] | products, bias and ReLU, softmax and loss, gathering |
//! | [`parallel`] | executors: how work is spread over threads |
//! | [`optim`] | what a step does with the gradient |
//! | [`mlp`] | forward, backward by the chain rule, the training step |
//! | [`infer`] | inference from flash files in place: one engine over the kernels of [`infer::float`], [`infer::integer`], and [`infer::mcu`] with some for each family of microcontrollers |
//! | [`mod@quantize`] | from trained parameters to an integer network |
//!
//! A module uses only modules above it in this table. Shape letters are fixed once: `b` rows of a batch, `i` inputs and
//! `o` outputs of a layer; `d` in front of a name is a gradient. Weights lie `(i, o)` row-major.
//!
//! # Training a network
//!
//! ```
//! use selvedge::{Arena, Backend, Init, Memory, Mlp, Rng, Shape, Serial, Update, Workspace};
//!
//! const XOR: Shape = match Shape::new(&[2, 8, 2]) { Ok(shape) => shape, Err(_) => panic!() };
//! const FLOATS: usize = Workspace::floats(XOR, 4);
//!
//! let mut memory = Memory::<FLOATS>::new(); // a `static` on a microcontroller
//! let mut workspace = Workspace::new(XOR, 4, &mut Arena::new(memory.floats()))?;
//! let mut params = [0.0; XOR.params()];
//! Init::He.draw(XOR, &mut Rng::new(7), &mut params)?;
//! let mlp = Mlp { shape: XOR, backend: Backend::detect() };
//!
//! let (x, y) = ([0., 0., 0., 1., 1., 0., 1., 1.], [0, 1, 1, 0]);
//! let fill = |first: usize, rows: &mut [f32]| rows.copy_from_slice(&x[2 * first..][..rows.len()]);
//! let mut correct = 0;
//! for _ in 0..500 {
//!     let update = Update::Sgd { rate: 0.5 };
//!     correct = mlp.step(&Serial, &mut params, &mut workspace, &y, &fill, update)?.correct;
//! }
//! assert_eq!(correct, 4);
//! # Ok::<(), selvedge::Error>(())
//! ```
//!
//! # On a microcontroller
//!
//! ```toml
//! selvedge = { version = "0.1", default-features = false }
//! ```
//!
//! The step above runs there as it stands, in statics: `cortex-m-rt` hands the `static mut`s at the top of its entry out as
//! `&'static mut`, and the crate `static_cell` does it everywhere. A trained network, as `selvedge export --format selv`
//! writes it, stays in flash:
//!
//! ```
//! use selvedge::format::{Header, ModelView};
//! use selvedge::infer::mcu::I8Engine;
//!
//! const MODEL: &[u8] = selvedge::include_model!("../fixtures/i8-cortex-m0.selv");
//! const HEADER: Header = match Header::read(MODEL) { Ok(header) => header, Err(_) => panic!() };
//! const _: () = assert!(I8Engine::runs(&HEADER) && I8Engine::ram_bytes(&HEADER) <= 512); // or no build
//!
//! fn classify(pixels: &[u8; HEADER.inputs()]) -> Result<usize, selvedge::Error> {
//!     let engine = I8Engine::new(ModelView::parse(MODEL)?)?; // refuses every flipped bit
//!     let mut scratch = [0; I8Engine::scratch_words(&HEADER)];
//!     let mut logits = [0; HEADER.outputs()];
//!     engine.classify(pixels, &mut scratch, &mut logits)
//! }
//! # assert!(classify(&[0; 64])? < 5);
//! # Ok::<(), selvedge::Error>(())
//! ```
//!
//! [`infer::mcu`] is for the packing of the target's own core, [`infer::integer`] for any, [`infer::float`] for floats. The program writes whole
//! projects too: `selvedge export --format firmware`.
//!
//! # Features and packages
//!
//! `std` (on by default) adds CPU detection at run time and the `matrixmultiply` backend, which needs a heap. Without it
//! a backend exists where the target's features say so. Addresses have 32 or 64 bits. Rust 1.89 is the oldest that builds
//! it. `wide` is the portable vector backend, `heapless` holds the per-layer lists, `libm` computes logarithms and square
//! roots on every target alike, `half` converts f16 and bf16.
//!
//! # Unsafe code
//!
//! In these files only:
//!
//! - `format/words.rs`: bytes seen as aligned words;
//! - `simd/mod.rs`, `simd/portable.rs`, `simd/x86_64.rs`, `simd/x86_64/avx2.rs`, `simd/x86_64/avx512.rs`: vector operations;
//! - `simd/dot.rs`, `simd/dot_x86_64.rs`, `kernel/gemm_i8.rs`, `kernel/peak.rs`: integer dot products;
//! - `kernel/gemm.rs`, `kernel/gemm_bf16.rs`, `kernel/pack.rs`, `kernel/tile.rs`: the product, whose pointers the views of its
//!   operands bound;
//! - `kernel/sgemm.rs`: the call of `matrixmultiply`;
//! - `kernel/sparse.rs`: products around zeros;
//! - `kernel/cortex_m.rs`: the same in assembly;
//! - `infer/mcu/armv6m.rs`, `infer/mcu/armv7m.rs`, `infer/mcu/dsp.rs`, `infer/mcu/mve.rs`, `infer/mcu/assembly.rs`: integer kernels in
//!   assembly and their call;
//! - `infer/mcu/pairs/portable.rs`: the same in Rust, over the offsets of its own list.
#![no_std]
#![deny(unsafe_code)]

#[cfg(target_pointer_width = "16")]
compile_error!("selvedge counts bytes and floats in 32 bits at least: it does not run on AVR or MSP430");

#[cfg(feature = "std")]
extern crate std;

pub mod arena;
pub mod error;
pub mod format;
pub mod infer;
pub mod kernel;
pub mod mat;
pub mod mlp;
pub mod naive;
pub mod optim;
pub mod parallel;
pub mod quantize;
pub mod rng;
pub mod shape;
pub mod simd;

pub use arena::{Arena, Memory};
pub use error::Error;
pub use mlp::{Activations, Init, Mlp, Regularize, StepStats, Workspace};
pub use optim::Update;
pub use parallel::{Executor, Serial};
pub use rng::Rng;
pub use shape::Shape;
pub use simd::Backend;
