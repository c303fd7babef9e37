//! How a record ended, and the funnel that must add up.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// How one record ended in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A filter of the flow left it out.
    Filtered,
    /// Its content is what was delivered before.
    Unchanged,
    /// The target already has it and the flow does not update.
    Skipped,
    /// Created in the target.
    Created,
    /// Updated in the target.
    Updated,
    /// Can never be delivered as it is.
    Rejected,
    /// Waits for a due time and is then fetched again.
    Parked,
}

impl Outcome {
    /// All outcomes, in the order of the chain.
    pub const ALL: [Self; 7] =
        [Self::Filtered, Self::Unchanged, Self::Skipped, Self::Created, Self::Updated, Self::Rejected, Self::Parked];

    /// Name in logs and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Filtered => "filtered",
            Self::Unchanged => "unchanged",
            Self::Skipped => "skipped",
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Rejected => "rejected",
            Self::Parked => "parked",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Counts of one run: fetched = filtered + unchanged + skipped + created + updated + rejected + parked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Funnel {
    /// Records read from the source.
    pub fetched: u64,
    /// How they ended.
    pub outcomes: BTreeMap<Outcome, u64>,
}

impl Funnel {
    /// Count of one outcome.
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(&outcome).copied().unwrap_or(0)
    }

    /// Records that have ended.
    pub fn settled(&self) -> u64 {
        self.outcomes.values().sum()
    }

    /// Every record that came in has ended in exactly one way.
    pub fn adds_up(&self) -> bool {
        self.fetched == self.settled()
    }

    /// Adds one outcome.
    pub fn add(&mut self, outcome: Outcome, count: u64) {
        *self.outcomes.entry(outcome).or_default() += count;
    }
}

impl fmt::Display for Funnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fetched {}", self.fetched)?;
        let mut sign = '=';
        for outcome in Outcome::ALL {
            write!(f, " {sign} {} {outcome}", self.count(outcome))?;
            sign = '+';
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_funnel_adds_up_only_when_all_have_ended() {
        let mut funnel = Funnel { fetched: 2, ..Funnel::default() };
        funnel.add(Outcome::Created, 1);
        assert!(!funnel.adds_up());
        funnel.add(Outcome::Rejected, 1);
        assert!(funnel.adds_up());
        assert_eq!(
            funnel.to_string(),
            "fetched 2 = 0 filtered + 0 unchanged + 0 skipped + 1 created + 0 updated + 1 rejected + 0 parked"
        );
    }
}
