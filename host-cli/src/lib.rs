//! The parts of the `selvedge` program, as a library so that its tests can reach them.
#![forbid(unsafe_code)]

pub mod error;
