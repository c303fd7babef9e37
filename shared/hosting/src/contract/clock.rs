//! Rules of the clock port.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use koppel_core::ports::Clock;

use super::{Passage, Rule, hold, rules};

/// A clock and its passage.
pub struct Fixture {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// How time passes.
    pub time: Arc<dyn Passage>,
}

rules!(Fixture: it_never_goes_back, it_passes);

/// Later calls never show an earlier moment.
pub async fn it_never_goes_back(f: &Fixture) -> Rule {
    let mut last = f.clock.now();
    for _ in 0..100 {
        let now = f.clock.now();
        hold!(now >= last, "the clock went from {last} to {now}");
        last = now;
    }
    Ok(())
}

/// The clock and the passage of time belong together.
pub async fn it_passes(f: &Fixture) -> Rule {
    let before = f.clock.now();
    f.time.pass(Duration::from_millis(20)).await;
    let passed = f.clock.now() - before;
    hold!(passed >= TimeDelta::milliseconds(20), "of 20 ms {} ms passed", passed.num_milliseconds());
    Ok(())
}
