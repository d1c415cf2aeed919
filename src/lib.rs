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
//! | [`arena`] | the fixed-size arena over lent memory |
//! | [`format`] | files used from flash: header, layout, packings, checks; **the specification of the format** |
//! | [`naive`] | **the specification**: plain loops that say what every kernel computes |
//! | [`simd`] | vectors, and the value that proves which of them this CPU has |
//! | [`kernel`] | products, bias and ReLU, softmax and loss, gathering |
//! | [`team`] | how work is spread over threads without knowing of threads |
//! | [`optim`] | what a step does with the gradient |
//! | [`mlp`] | forward, backward by the chain rule, the training step |
//! | [`flash`] | inference from flash files in place: what all types of weights share |
//! | [`quant`] | integer networks: how they run, and how a trained network becomes one |
//! | [`float`] | how flash files of f32, f16 and bf16 run |
//! | [`micro`] | integer inference as each family of microcontrollers does it fastest, around zeros |
//!
//! A module uses only modules above it in this table. Shape letters are fixed once: `b` rows of a batch, `i` inputs and
//! `o` outputs of a layer; `d` in front of a name is a gradient. Weights lie `(i, o)` row-major.
//!
//! # Training a network
//!
//! ```
//! use selvedge::{Arena, Backend, Init, Memory, Mlp, Rng, Shape, Solo, Update, Workspace};
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
//!     correct = mlp.step(&Solo, &mut params, &mut workspace, &y, &fill, update)?.correct;
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
//! use selvedge::format::{Header, Image};
//! use selvedge::micro;
//!
//! const MODEL: &[u8] = selvedge::include_model!("../fixtures/i8-cortex-m0.selv");
//! const HEADER: Header = match Header::read(MODEL) { Ok(header) => header, Err(_) => panic!() };
//! const _: () = assert!(micro::runs(&HEADER) && micro::ram_bytes(&HEADER) <= 512); // or no build
//!
//! fn classify(pixels: &[u8; HEADER.shape().inputs()]) -> Result<usize, selvedge::Error> {
//!     let model = micro::Model::new(Image::parse(MODEL)?)?; // refuses every flipped bit
//!     let mut scratch = [0; micro::scratch_words(&HEADER)];
//!     let mut logits = [0; HEADER.shape().outputs()];
//!     model.classify(pixels, &mut scratch, &mut logits)
//! }
//! # assert!(classify(&[0; 64])? < 5);
//! # Ok::<(), selvedge::Error>(())
//! ```
//!
//! [`micro`] is for the packing of the target's own core, [`quant`] for any, [`float`] for floats. The program writes whole
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
//! - `simd/dot.rs`, `simd/dot_x86_64.rs`, `kernel/igemm.rs`, `kernel/peak.rs`: integer dot products;
//! - `kernel/gemm.rs`, `kernel/half.rs`, `kernel/pack.rs`, `kernel/tile.rs`: the product, whose pointers the views of its
//!   operands bound;
//! - `kernel/sgemm.rs`: the call of `matrixmultiply`;
//! - `kernel/skip.rs`: products around zeros;
//! - `kernel/cortex_m.rs`: the same in assembly;
//! - `micro/armv6m.rs`, `micro/armv7m.rs`, `micro/dsp.rs`, `micro/mve.rs`, `micro/assembly.rs`: integer kernels in
//!   assembly and their call;
//! - `micro/pairs/portable.rs`: the same in Rust, over the offsets of its own list.
#![no_std]
#![deny(unsafe_code)]

#[cfg(target_pointer_width = "16")]
compile_error!("selvedge counts bytes and floats in 32 bits at least: it does not run on AVR or MSP430");

#[cfg(feature = "std")]
extern crate std;

pub mod arena;
pub mod error;
pub mod flash;
pub mod float;
pub mod format;
pub mod kernel;
pub mod mat;
pub mod micro;
pub mod mlp;
pub mod naive;
pub mod optim;
pub mod quant;
pub mod rng;
pub mod shape;
pub mod simd;
pub mod team;

pub use arena::{Arena, Memory};
pub use error::Error;
pub use mlp::{Activations, Init, Mlp, Outcome, Regularize, Workspace};
pub use optim::Update;
pub use rng::Rng;
pub use shape::Shape;
pub use simd::Backend;
pub use team::{Solo, Team};
