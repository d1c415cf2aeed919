//! The `selvedge` program as a library, so that its tests can reach the modules.
//!
//! From the bottom up; a module uses only modules above it in this table, which `tests/architecture.rs` checks:
//!
//! | module | holds |
//! |---|---|
//! | [`error`] | the one error type: a line for the user and an exit code |
//! | [`files`] | atomic writes, checksums, safetensors and ONNX files, file types by their signatures |
//! | [`memory`] | aligned memory for parameters and workspaces |
//! | [`data`] | data sets: IDX files, the demo, downloads, PNG images, normalisation |
//! | [`sampling`] | everything random in a run: the split, initial weights, the order of the images |
//! | [`recipe`] | the settings of a run, and where each comes from |
//! | [`thread_pool`] | worker threads, and the tuner that chooses how many to use |
//! | [`evaluate`] | accuracy, loss and confusion matrix |
//! | [`model`] | model files |
//! | [`mod@quantize`] | from a model to an integer flash file |
//! | [`mod@import`], [`export`] | models from and for other programs: safetensors, ONNX; npz, C, Rust, firmware |
//! | [`model::network`] | a model or flash file ready to run |
//! | [`train`] | the training loop |
//! | [`run`] | run folders and checkpoints |
//! | [`train::start`] | a run that starts from a model |
//! | [`terminal`] | stdout, stderr, progress bars, tables |
//! | [`flash`], [`estimate`], [`firmware`] | flash files, their cost on a microcontroller, and projects for boards |
//! | [`sweep`], [`report`], [`mod@bench`] | comparisons of recipes, HTML reports, benchmarks |
//! | [`cli`], [`commands`] | the command line and its commands |
//!
//! Unsafe code is in one file only: `thread_pool/workers.rs`, whose threads run closures on the stack of their caller. The
//! program for boards that [`firmware`] writes has it in three: `src/static_buffer.rs` borrows statics, `src/boot_rp2040.rs`
//! and `src/boot_rp2350.rs` place the data that a boot ROM looks for.
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
