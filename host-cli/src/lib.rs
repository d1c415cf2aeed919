//! The parts of the `selvedge` program, as a library so that its tests can reach them.
//!
//! From the bottom up:
//!
//! | module | holds |
//! |---|---|
//! | [`error`] | the one error type: a kind and a line for the user |
//! | [`files`] | atomic writes, checksums, and what kind of file some bytes are |
//! | [`memory`] | aligned memory for parameters and workspaces |
//! | [`data`] | data sets: IDX files, the demo, downloads, pictures, normalisation |
//! | [`sampling`] | everything random in a run: the split, initial weights, the order of the images |
//! | [`recipe`] | the settings of a run, and where each comes from |
//! | [`thread_pool`] | threads, and how many of them pay off |
//! | [`model`] | model files, and whether a model fits a data set |
//! | [`inference`] | batched forward passes of floats and integers, evaluation, and a model or flash file ready to run |
//! | [`pipeline`] | data, split, normalisation, training, evaluation, model: every training run |
//! | [`mod@quantize`] | from a model to a flash file of integers |
//! | [`exchange`] | import and export: safetensors, ONNX, npz, C |
//! | [`flash`], [`estimate`], [`firmware`] | flash files, what they take on a microcontroller, and projects for boards |
//! | [`run`], [`sweep`], [`report`], [`mod@bench`] | run folders and checkpoints, comparisons of recipes, HTML reports, benchmarks |
//! | [`terminal`], [`cli`], [`commands`], [`exit`] | what the user sees and types |
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
pub mod exchange;
pub mod exit;
pub mod files;
pub mod firmware;
pub mod flash;
pub mod inference;
pub mod memory;
pub mod model;
pub mod pipeline;
pub mod quantize;
pub mod recipe;
pub mod report;
pub mod run;
pub mod sampling;
pub mod sweep;
pub mod terminal;
pub mod thread_pool;
