//! The parts of the `selvedge` program, as a library so that its tests can reach them.
//!
//! From the bottom up: [`error`]; [`files`] and [`memory`]; [`kind`] says what a file is by its bytes; [`data`] and
//! [`png`] make images of bytes; [`draws`] decides what is random; [`recipe`] says how to train, [`normalise`] makes
//! inputs of images and [`model`] is what came of it; [`fold`] makes of it what a chip is to run, [`start`] the
//! beginning of another run; [`exchange`] speaks other programs' formats; [`crew`] spreads work over threads;
//! [`evaluate`], [`train`] and [`quantize`] do the work and [`mod@bench`] measures it; [`network`] is a model or a
//! flash file to run, and [`flash`] writes, describes and compares flash files; [`run`] and [`checkpoint`] keep it in a
//! folder, [`sweep`] compares many, [`report`] makes pages of them; [`budget`] says what a chip must have and
//! [`firmware`] makes a project for a board; [`terminal`] and [`interrupt`] talk to the person; [`cli`] and
//! [`commands`] put it together.
//!
//! Unsafe code is in one file only: `crew/parts.rs`, whose threads run closures that lie on the stack of their caller. The
//! program for boards that [`firmware`] writes has it in three: `src/lent.rs` lends statics, `src/boot_rp2040.rs` and
//! `src/boot_rp2350.rs` put what a boot loader looks for where it looks.
#![deny(unsafe_code)]

pub mod bench;
pub mod budget;
pub mod checkpoint;
pub mod cli;
pub mod commands;
pub mod crew;
pub mod data;
pub mod draws;
pub mod error;
pub mod evaluate;
pub mod exchange;
pub mod files;
pub mod firmware;
pub mod flash;
pub mod fold;
pub mod interrupt;
pub mod kind;
pub mod memory;
pub mod model;
pub mod network;
pub mod normalise;
pub mod png;
pub mod quantize;
pub mod recipe;
pub mod report;
pub mod run;
pub mod start;
pub mod sweep;
pub mod terminal;
pub mod train;
