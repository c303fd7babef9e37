//! How long a message waits before it is handled again.

use std::time::Duration;

use koppel_core::Failure;
use koppel_core::error::RetryReason;

use crate::queue::Received;

/// Waits when the other side did not say how long. They grow with each time and have a random part, so that what
/// failed together does not come back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// After the first failed attempt; four times as long after each further one.
    pub failed: Duration,
    /// For a claim or lease of another worker; twice as long each time.
    pub busy: Duration,
    /// For a limit; twice as long each time.
    pub throttled: Duration,
    /// No wait is longer.
    pub longest: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            failed: Duration::from_secs(5),
            busy: Duration::from_secs(1),
            throttled: Duration::from_secs(10),
            longest: Duration::from_secs(30 * 60),
        }
    }
}

impl Waits {
    /// The wait after `failure`, and whether it was a failed attempt.
    pub fn after(&self, failure: &Failure, message: &Received) -> (Duration, bool) {
        match failure {
            Failure::Retry { after, reason, .. } => {
                let wait = match reason {
                    RetryReason::Busy => self.growing(self.busy, 2, message.received),
                    RetryReason::Throttled => self.growing(self.throttled, 2, message.received),
                    RetryReason::Unavailable | RetryReason::OutcomeUnknown => {
                        self.growing(self.failed, 4, message.received)
                    }
                };
                // A step that asks for another try bounds them itself: it parks what fails for long.
                (after.unwrap_or(wait), false)
            }
            // A step settles these itself, record by record. One that gets here is a failed attempt.
            Failure::Reject(_) | Failure::Settings(_) | Failure::Auth(_) => (self.failed(message), true),
        }
    }

    /// The wait after a failed attempt.
    pub fn failed(&self, message: &Received) -> Duration {
        self.growing(self.failed, 4, message.attempts + 1)
    }

    /// `base` the first time, `factor` times as long each further time, and up to a quarter more by chance.
    fn growing(&self, base: Duration, factor: u32, times: u32) -> Duration {
        let factor = factor.saturating_pow(times.saturating_sub(1).min(15));
        let wait = base.saturating_mul(factor).min(self.longest);
        let [chance, ..] = *uuid::Uuid::new_v4().as_bytes();
        wait + wait / 1024 * u32::from(chance)
    }
}

#[cfg(test)]
mod tests {
    use koppel_core::Cause;
    use koppel_core::message::Step;

    use super::*;
    use crate::queue::Receipt;

    fn message(received: u32, attempts: u32) -> Received {
        let receipt = Receipt { step: Step::Map, token: String::new() };
        Received { receipt, group: String::new(), body: String::new(), received, attempts }
    }

    fn retry(reason: RetryReason, after: Option<Duration>) -> Failure {
        Failure::retry(reason, after, Cause::new("x", "x"))
    }

    #[test]
    fn a_try_that_the_step_asks_for_is_no_failed_attempt() {
        let waits = Waits::default();
        for reason in [RetryReason::Busy, RetryReason::Throttled, RetryReason::Unavailable, RetryReason::OutcomeUnknown]
        {
            assert!(!waits.after(&retry(reason, None), &message(1, 0)).1, "{reason:?}");
        }
        assert!(waits.after(&Failure::reject(Cause::new("x", "x")), &message(1, 0)).1);
    }

    #[test]
    fn the_time_that_was_asked_for_is_kept_exactly() {
        let asked = Duration::from_secs(3600);
        let failure = retry(RetryReason::Throttled, Some(asked));
        assert_eq!(Waits::default().after(&failure, &message(9, 0)).0, asked);
    }

    #[test]
    fn waits_grow_up_to_the_longest_and_stay_apart() {
        let waits = Waits::default();
        for (attempts, seconds) in [(0, 5), (1, 20), (2, 80), (3, 320), (40, 1800)] {
            let wait = waits.failed(&message(1, attempts));
            let base = Duration::from_secs(seconds);
            assert!(wait >= base && wait < base + base / 4 + base / 100, "{wait:?} for {base:?}");
        }
        let many: std::collections::BTreeSet<_> = (0..50).map(|_| waits.failed(&message(1, 0))).collect();
        assert!(many.len() > 1, "fifty waits are all the same");
    }
}
