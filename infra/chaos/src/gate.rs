//! Gates: every side effect of a step passes one before and, when it must not get further, one after it.
//!
//! At a gate the future stops and the harness goes on with whatever host it likes. Nothing of a step happens between two
//! gates that another host could see, calls over HTTP included, so a story is decided by its seed alone.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use chrono::TimeDelta;
use koppel_sandbox::Clock;

use crate::dice::Dice;

/// What a step is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Reads from the store.
    Read,
    /// Writes to the store, with or without a condition.
    Write {
        /// With a condition.
        conditional: bool,
    },
    /// Seals or opens.
    Vault,
    /// Sends messages.
    Send,
    /// Publishes an event.
    Publish,
    /// Reads from the source.
    Source,
    /// Asks or writes to the target.
    Target,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It works.
    Works,
    /// Refused for a limit; nothing happened.
    Throttled,
    /// Failed; nothing happened.
    Unavailable,
    /// Another writer seems to have been first; nothing happened.
    Conflict,
    /// It happened, and the answer was lost.
    AnswerLost,
    /// A part of it happened, then it failed.
    Part,
    /// It happened twice.
    Twice,
    /// It happened, then the host died.
    CrashAfter,
}

/// Where a future stands when it stops at a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// At a gate, ready to go on.
    Gate,
    /// Asleep for this time.
    Asleep(TimeDelta),
    /// Dead.
    Crash,
}

/// Chances in 10,000 at full strength: name and chance. What is left over works.
type Chances = &'static [(&'static str, u64, Draw)];

#[derive(Clone, Copy)]
enum Draw {
    CrashBefore,
    Sleep,
    Fate(Fate),
}

const READ: Chances = &[
    ("crash before a read", 12, Draw::CrashBefore),
    ("host asleep", 6, Draw::Sleep),
    ("store throttled", 25, Draw::Fate(Fate::Throttled)),
    ("store unavailable", 25, Draw::Fate(Fate::Unavailable)),
];
const WRITE: Chances = &[
    ("crash before a write", 25, Draw::CrashBefore),
    ("crash after a write", 35, Draw::Fate(Fate::CrashAfter)),
    ("host asleep", 12, Draw::Sleep),
    ("store throttled", 50, Draw::Fate(Fate::Throttled)),
    ("store unavailable", 50, Draw::Fate(Fate::Unavailable)),
    ("answer of the store lost", 70, Draw::Fate(Fate::AnswerLost)),
    // Last: only drawn for conditional writes.
    ("condition failed", 60, Draw::Fate(Fate::Conflict)),
];
const VAULT: Chances = &[
    ("crash before sealing", 5, Draw::CrashBefore),
    ("vault throttled", 15, Draw::Fate(Fate::Throttled)),
    ("vault unavailable", 15, Draw::Fate(Fate::Unavailable)),
];
const SEND: Chances = &[
    ("crash before sending", 100, Draw::CrashBefore),
    ("crash after sending", 150, Draw::Fate(Fate::CrashAfter)),
    ("host asleep", 40, Draw::Sleep),
    ("sending failed", 200, Draw::Fate(Fate::Unavailable)),
    ("part of a batch sent", 300, Draw::Fate(Fate::Part)),
    ("answer of the queue lost", 250, Draw::Fate(Fate::AnswerLost)),
    ("message duplicated", 900, Draw::Fate(Fate::Twice)),
];
const PUBLISH: Chances = &[
    ("crash before publishing", 100, Draw::CrashBefore),
    ("crash after publishing", 100, Draw::Fate(Fate::CrashAfter)),
    ("bus unavailable", 400, Draw::Fate(Fate::Unavailable)),
];
const SOURCE: Chances = &[
    ("crash before reading the shop", 100, Draw::CrashBefore),
    ("crash after reading the shop", 100, Draw::Fate(Fate::CrashAfter)),
    ("host asleep", 60, Draw::Sleep),
];
const TARGET: Chances = &[
    ("crash before a call to the books", 80, Draw::CrashBefore),
    ("crash after a call to the books", 160, Draw::Fate(Fate::CrashAfter)),
    ("host asleep", 60, Draw::Sleep),
];

/// Decides and counts. One per world.
pub struct Chaos {
    /// The clock of the world.
    pub clock: Clock,
    inner: Mutex<Inner>,
}

struct Inner {
    dice: Dice,
    strength: u64,
    stop: Option<Stop>,
    gates: u64,
    counts: BTreeMap<&'static str, u64>,
}

impl Chaos {
    /// Calm until [`Chaos::set_strength`].
    pub fn new(seed: u64, clock: Clock) -> Self {
        let dice = Dice::new(seed, "faults");
        Self { clock, inner: Mutex::new(Inner { dice, strength: 0, stop: None, gates: 0, counts: BTreeMap::new() }) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Strength of the faults in percent; 0 is calm.
    pub fn set_strength(&self, percent: u64) {
        self.inner().strength = percent;
    }

    /// Strength of the faults in percent.
    pub fn strength(&self) -> u64 {
        self.inner().strength
    }

    /// Gates that were passed.
    pub fn gates(&self) -> u64 {
        self.inner().gates
    }

    /// Counts a fault that was injected elsewhere.
    pub fn count(&self, kind: &'static str, times: u64) {
        if times > 0 {
            *self.inner().counts.entry(kind).or_default() += times;
        }
    }

    /// Faults by kind.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.inner().counts.clone()
    }

    /// Where the future that was just polled has stopped.
    pub fn take_stop(&self) -> Option<Stop> {
        self.inner().stop.take()
    }

    /// The gate before an effect. Does not return when the host dies here.
    pub async fn before(&self, effect: Effect) -> Fate {
        let (stop, fate) = self.decide(effect);
        self.stop(stop).await;
        fate
    }

    /// The gate after an effect: the end of a host that was to see it happen and no more.
    pub async fn after(&self, fate: Fate) {
        if fate == Fate::CrashAfter {
            self.stop(Stop::Crash).await;
        }
    }

    async fn stop(&self, stop: Stop) {
        let mut stopped = false;
        poll_fn(|_| {
            if stopped {
                return Poll::Ready(());
            }
            stopped = true;
            self.inner().stop = Some(stop);
            Poll::Pending
        })
        .await;
    }

    fn decide(&self, effect: Effect) -> (Stop, Fate) {
        let mut inner = self.inner();
        inner.gates += 1;
        // An effect takes its time: a call over the network more than one to the store.
        let (chances, lasts) = match effect {
            Effect::Read => (READ, 8),
            Effect::Write { conditional: true } => (WRITE, 15),
            Effect::Write { conditional: false } => (&WRITE[..WRITE.len() - 1], 15),
            Effect::Vault => (VAULT, 2),
            Effect::Send => (SEND, 20),
            Effect::Publish => (PUBLISH, 20),
            Effect::Source => (SOURCE, 1500),
            Effect::Target => (TARGET, 900),
        };
        let takes = inner.dice.signed(1, lasts);
        self.clock.advance(TimeDelta::milliseconds(takes));
        if inner.strength == 0 {
            return (Stop::Gate, Fate::Works);
        }
        let mut left = inner.dice.roll() % 10_000;
        for (kind, chance, draw) in chances {
            let chance = chance * inner.strength / 100;
            if left >= chance {
                left -= chance;
                continue;
            }
            *inner.counts.entry(*kind).or_default() += 1;
            return match draw {
                Draw::CrashBefore => (Stop::Crash, Fate::Works),
                Draw::Sleep => (Stop::Asleep(TimeDelta::seconds(inner.dice.signed(20, 400))), Fate::Works),
                Draw::Fate(fate) => (Stop::Gate, *fate),
            };
        }
        (Stop::Gate, Fate::Works)
    }
}
