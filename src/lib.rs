//! Multilayer perceptrons.
#![no_std]
#![deny(unsafe_code)]

#[cfg(feature = "std")]
extern crate std;

pub mod arena;
pub mod error;
pub mod kernel;
pub mod mat;
pub mod mlp;
pub mod naive;
pub mod optim;
pub mod rng;
pub mod shape;
pub mod simd;
pub mod team;

pub use arena::{Arena, Memory};
pub use error::Error;
pub use mlp::{Activations, Init, Mlp, Outcome, Workspace};
pub use optim::Update;
pub use rng::Rng;
pub use shape::Shape;
pub use simd::Backend;
pub use team::{Solo, Team};
