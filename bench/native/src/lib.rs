//! What the programs of this crate share: the emulated network of `bin/emulator.rs`, and reading of
//! their command lines and processor time. Nothing here is part of the product.

pub mod network;
pub mod program;
