//! The parts of the `selvedge` program, as a library so that its tests can reach them.
//!
//! From the bottom up:
//!
//! | module | holds |
//! |---|---|
//! | [`error`] | the one error type: a line for the user and an exit code |
//! | [`files`] | atomic writes, checksums, safetensors and ONNX files, and recognising the kind of a file |
//! | [`memory`] | aligned memory for parameters and workspaces |
//! | [`data`] | data sets: IDX files, the demo, downloads, pictures, normalisation |
//! | [`sampling`] | everything random in a run: the split, initial weights, the order of the images |
//! | [`recipe`] | the settings of a run, and where each comes from |
//! | [`thread_pool`] | threads, and how many of them pay off |
//! | [`model`] | model files, and a model or flash file ready to run |
//! | [`train`], [`evaluate`], [`quantize`] | the work |
//! | [`flash`], [`estimate`], [`firmware`] | flash files, what they take on a microcontroller, and projects for boards |
//! | [`mod@import`], [`export`] | models from and for other programs: safetensors, ONNX; npz, C, Rust, firmware |
//! | [`run`], [`sweep`], [`report`], [`mod@bench`] | run folders, comparisons, pages, measurements |
//! | [`terminal`], [`cli`], [`commands`] | what the user sees and types |
//!
//! Unsafe code is in one file only: `thread_pool/workers.rs`, whose threads run closures that lie on the stack of their caller. The
//! program for boards that [`firmware`] writes has it in three: `src/static_buffer.rs` lends statics, `src/boot_rp2040.rs` and
//! `src/boot_rp2350.rs` put what a boot loader looks for where it looks.
#![deny(unsafe_code)]

pub mod bench;
pub mod cli;
pub mod commands;
pub mod data;
pub mod error;
pub mod estimate;
pub mod evaluate;
pub mod export;
pub mod files;
pub mod firmware;
pub mod flash;
pub mod import;
pub mod memory;
pub mod model;
pub mod quantize;
pub mod recipe;
pub mod report;
pub mod run;
pub mod sampling;
pub mod sweep;
pub mod terminal;
pub mod thread_pool;
pub mod train;
