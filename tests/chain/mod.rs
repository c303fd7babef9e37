//! The chain from shop to books on the embedded engine, against the sandboxes.

pub mod consent;
mod down;
mod faults;
mod orders;
pub mod world;
