//! The `selvedge` program as a library, so that its tests can reach the modules.
//!
//! From the bottom up; a module uses only modules above it in this table, which `tests/architecture.rs` checks:
//!
//! | module | holds |
//! |---|---|
//! | [`error`], [`exit`] | the one error type, a kind and a line for the user; the exit code of each kind |
//! | [`files`] | atomic writes, checksums, safetensors and ONNX files, file types by their signatures |
//! | [`memory`] | aligned memory for parameters and workspaces |
//! | [`data`] | data sets: IDX files, the demo, downloads, pictures, normalisation |
//! | [`sampling`] | everything random in a run: the split, initial weights, the order of the images |
//! | [`recipe`] | the settings of a run, and where each comes from |
//! | [`thread_pool`] | worker threads, and the tuner that chooses how many to use |
//! | [`model`] | model files, and whether a model fits a data set |
//! | [`inference`] | batched forward passes of floats and integers, evaluation and metrics, and a model or flash file ready to run |
//! | [`mod@quantize`] | from a model to an integer flash file |
//! | [`mod@import`] | models of other programs: safetensors, ONNX |
//! | [`pipeline`] | data, split, normalisation, training, evaluation, model: every training run |
//! | [`run`] | run folders and checkpoints |
//! | [`terminal`] | stdout, stderr, progress bars, tables |
//! | [`flash`], [`estimate`], [`firmware`] | flash files, their cost on a microcontroller, and projects for boards |
//! | [`export`] | models for other programs: safetensors, ONNX, npz, C, Rust, firmware |
//! | [`sweep`], [`report`], [`mod@bench`] | comparisons of recipes, HTML reports, benchmarks |
//! | [`cli`], [`commands`] | the command line and its commands |
//!
//! Unsafe code is in one file only: `thread_pool/workers.rs`, whose threads run closures on the stack of their caller. The
//! program for boards that [`firmware`] writes has it in six: `src/static_buffer.rs` borrows statics, `src/boot_rp2040.rs` and
//! `src/boot_rp2350.rs` place the data that a boot ROM looks for, and `src/cycles_dwt.rs`, `src/cycles_systick.rs` and
//! `src/cycles_mcycle.rs` read the counter of cycles that a core has.
#![deny(unsafe_code)]

pub mod bench;
pub mod cli;
pub mod commands;
pub mod data;
pub mod error;
pub mod estimate;
pub mod exit;
pub mod export;
pub mod files;
pub mod firmware;
pub mod flash;
pub mod import;
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
