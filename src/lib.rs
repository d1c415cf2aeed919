//! Multilayer perceptrons.
#![no_std]
#![deny(unsafe_code)]
