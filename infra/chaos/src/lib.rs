//! Proof under faults: whatever goes wrong, every eligible order and refund of the shop is in the books once and to the cent,
//! every article of the books is in the shop once with its price and stock, and every customer once with its address.
//!
//! A world is a sandbox, an embedded engine and a few hosts that work on it. One thread polls everything, and every side
//! effect of a step is a gate where the harness decides by seed: go on, fail, fail after the effect, crash, fall asleep
//! for minutes, or let another host go first. So one seed is one story, and a story that ends badly can be told again.

pub mod books;
pub mod dice;
pub mod drive;
pub mod gate;
pub mod kept;
pub mod pairs;
pub mod ports;
pub mod post;
pub mod report;
pub mod shop;
pub mod shops;
pub mod systems;
pub mod verdict;
pub mod weather;
pub mod world;

#[cfg(test)]
mod small_worlds;

use std::time::Instant;

pub use pairs::Pair;
pub use report::Report;

/// What goes wrong with the harness itself.
#[derive(Debug, thiserror::Error)]
pub enum ChaosError {
    /// A port of the chain failed although no fault was injected.
    #[error("{0}")]
    Chain(#[from] koppel_core::Failure),
    /// The sandbox does not start.
    #[error("{0}")]
    Sandbox(#[from] koppel_sandbox::SandboxError),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl ChaosError {
    /// From any error, with what was tried.
    pub fn of(what: &str, error: impl std::fmt::Display) -> Self {
        Self::Other(format!("{what}: {error}"))
    }
}

/// Tells one world of a pair: `orders` orders under the faults of `seed`, then calm, then the verdict.
pub async fn tell(pair: &'static Pair, seed: u64, orders: usize) -> Result<Report, ChaosError> {
    let begun = Instant::now();
    let world = world::World::build(pair, seed, orders).await?;
    let mut drive = drive::Drive::new(world);
    drive.storm().await?;
    let rested = drive.rest().await?;
    let mut report = verdict::judge(&drive, rested).await?;
    report.duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(report)
}
