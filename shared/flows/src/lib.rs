//! The steps of the chain as plain types over ports, and everything they decide with: configuration, settings, proof
//! of cents, ledger, trail. No engine and no connector is known here.

pub mod engine;
pub mod steps;

pub use engine::Engine;
