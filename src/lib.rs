//! Multilayer perceptrons: trained on a desktop as fast as its multiply-add units allow, run on microcontrollers bit for
//! bit the same. `no_std`, and without a heap unless the feature `alloc` asks for one.
//!
//! # Train, evaluate, deploy
//!
#![cfg_attr(feature = "alloc", doc = "```")]
#![cfg_attr(not(feature = "alloc"), doc = "```ignore")]
//! use selvedge::format::{Dtype, Packing};
//! use selvedge::{FitOptions, Network};
//!
//! let (x, y) = ([0., 0., 0., 1., 1., 0., 1., 1.], [0, 1, 1, 0]); // XOR; `&[u8]` pixels work as well
//! let mut network = Network::new(&[2, 16, 2], 1)?;
//! network.fit(&x, &y, FitOptions::default().with_epochs(500).with_learning_rate(0.02))?;
//! assert_eq!(network.predict(&[1., 0.])?, 1);
//! assert_eq!(network.evaluate(&x, &y)?.accuracy(), 1.0);
//!
//! let file = network.quantize(Dtype::I8, Packing::CortexM0, &x)?; // the bytes for a chip's flash
//! assert!(file.len() < 512);
//! # Ok::<(), selvedge::Error>(())
//! ```
//!
//! That is [`Network`], which owns its memory. It is a front over the same code that runs without a heap:
//!
//! # Without a heap
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
//! let mlp = Mlp::new(XOR, Backend::detect());
//!
//! let (x, y) = ([0., 0., 0., 1., 1., 0., 1., 1.], [0, 1, 1, 0]);
//! let fill = |first: usize, rows: &mut [f32]| rows.copy_from_slice(&x[2 * first..][..rows.len()]);
//! let mut correct = 0;
//! for _ in 0..500 {
//!     let update = Update::Sgd { learning_rate: 0.5 };
//!     correct = mlp.step(&Serial, &mut params, &mut workspace, &y, &fill, update)?.correct;
//! }
//! assert_eq!(correct, 4);
//! # Ok::<(), selvedge::Error>(())
//! ```
//!
//! 1. A network is a [`Shape`] and **one flat parameter vector**; gradients share its layout.
//! 2. **The caller provides all memory.** Every size is a `const fn` beside the thing it sizes, evaluated at compile time
//!    for a `static` on a microcontroller, at run time for a `Vec` on a desktop.
//! 3. All arithmetic goes through a handful of kernels run by a [`Backend`] value, whose existence proves that the CPU
//!    can do it.
//!
//! # On a microcontroller
//!
//! ```toml
//! selvedge = { version = "0.1", default-features = false }
//! ```
//!
//! The training step above runs there unchanged, in statics: `cortex-m-rt` hands the `static mut`s at the top of its entry out as
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
//! fn classify(pixels: &[u8; HEADER.inputs()]) -> Result<Option<usize>, selvedge::Error> {
//!     let engine = I8Engine::new(ModelView::parse(MODEL)?)?; // refuses every flipped bit
//!     let mut scratch = [0; I8Engine::scratch_words(&HEADER)];
//!     let mut logits = [0; HEADER.outputs()];
//!     engine.classify(pixels, &mut scratch, &mut logits) // None is unknown, in a file with a margin
//! }
//! # assert!(classify(&[0; 64])? < Some(5));
//! # Ok::<(), selvedge::Error>(())
//! ```
//!
//! [`infer::mcu`] runs the packing of the target's own core, [`infer::integer`] any packing, [`infer::float`] float weights. The
//! program writes whole projects too: `selvedge export --format firmware`.
//!
//! # The layers, bottom up
//!
//! | module | holds |
//! |---|---|
//! | [`activation`] | the activation function of a layer |
//! | [`error`] | the one error type: flat, with the numbers in it |
//! | [`rng`] | random numbers, the same on every machine |
//! | [`mat`] | matrix views: a slice, a shape, strides |
//! | [`shape`] | the widths and activations of a network and the layout of its parameters |
//! | [`arena`] | a fixed-size arena over caller-provided memory |
//! | [`loss`] | the loss functions, and which targets they take |
//! | [`targets`] | what a batch is trained towards: labels or values, and the weights of its rows |
//! | [`naive`] | **the specification**: plain loops that say what every kernel computes |
//! | [`format`] | the flash file: header, layout, packings, checks; **the specification of the format** |
//! | `simd` | vectors, and the value that proves which of them this CPU has |
//! | `kernel` | products, bias and ReLU, the other activations, losses, gathering |
//! | [`samples`] | rows of `u8` pixels or `f32` features |
//! | [`parallel`] | executors: how work is divided over threads |
//! | [`optim`] | optimizers and learning-rate schedules |
//! | [`mlp`] | forward, loss, backward, the training step |
//! | [`infer`] | inference from flash files in place: one engine over the kernels of [`infer::float`], [`infer::integer`] and [`infer::mcu`] |
//! | [`mod@quantize`] | from trained parameters to an integer network |
//! | `network` | [`Network`]: the front that owns its memory (feature `alloc`) |
//!
//! A module uses only modules above it in this table. Shape letters are fixed once: `b` rows of a batch, `i` inputs and
//! `o` outputs of a layer; `d` before a name is a gradient. Weights are `(i, o)` row-major.
//!
//! # Features and packages
//!
//! `std` (on by default) adds CPU detection at run time, the `matrixmultiply` backend, and files. Without it a backend
//! exists where the target's features say so. `alloc` (part of `std`) adds [`Network`]. Addresses have 32 or 64 bits. The
//! minimum Rust version is 1.89. `wide` is the portable vector backend, `heapless` holds the per-layer lists, `libm` computes logarithms and square
//! roots on every target alike, `half` converts f16 and bf16.
//!
//! # Unsafe code
//!
//! In these files only:
//!
//! - `format/words.rs`: bytes seen as aligned words;
//! - `simd/mod.rs`, `simd/portable.rs`, `simd/x86_64.rs`, `simd/x86_64/avx2.rs`, `simd/x86_64/avx512.rs`: vector operations;
//! - `simd/dot.rs`, `simd/dot_x86_64.rs`, `kernel/gemm_i8.rs`, `kernel/peak.rs`: integer dot products;
//! - `kernel/gemm.rs`, `kernel/gemm_bf16.rs`, `kernel/gemm_blocked.rs`, `kernel/pack.rs`, `kernel/micro_kernel.rs`,
//!   `kernel/micro_kernel/register_tile.rs`: the product, whose pointers stay inside the views of its operands;
//! - `kernel/sgemm.rs`: the call of `matrixmultiply`;
//! - `kernel/sparse.rs`: sparse (zero-skipping) products;
//! - `kernel/sparse/cortex_m.rs`: the same in assembly;
//! - `infer/mcu/armv6m.rs`, `infer/mcu/armv7m.rs`, `infer/mcu/armv7em.rs`, `infer/mcu/mve.rs`, `infer/mcu/assembly.rs`,
//!   `infer/mcu/layer.rs`: integer kernels in assembly and their call;
//! - `infer/mcu/pairs/portable.rs`: the same in Rust, over the offsets of its own list.
#![no_std]
#![deny(unsafe_code)]

#[cfg(target_pointer_width = "16")]
compile_error!("selvedge counts bytes and floats in 32 bits at least: it does not run on AVR or MSP430");

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod activation;
pub mod arena;
pub mod error;
pub mod format;
pub mod infer;
#[doc(hidden)]
pub mod kernel;
pub mod loss;
pub mod mat;
pub mod mlp;
pub mod naive;
#[cfg(feature = "alloc")]
pub mod network;
pub mod optim;
pub mod parallel;
pub mod quantize;
pub mod rng;
pub mod samples;
pub mod shape;
#[doc(hidden)]
pub mod simd;
pub mod targets;

pub use activation::Activation;
pub use arena::{Arena, Memory};
pub use error::Error;
pub use loss::Loss;
pub use mlp::{Activations, Init, Mlp, Regularize, StepStats, Workspace};
#[cfg(feature = "alloc")]
pub use network::{Evaluation, FitOptions, ModelFile, Network};
pub use optim::Update;
pub use parallel::{Executor, Serial};
pub use rng::Rng;
pub use samples::Samples;
pub use shape::Shape;
pub use simd::{Backend, Precision};
pub use targets::Targets;
