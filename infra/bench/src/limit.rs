//! Use of a limit: while there is work, the calls that the books allow should be made, and never one more.
//!
//! The clock of the stand-ins and of the host is one and runs fast, so that ten minutes pass in half of one.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::outcome::Outcome;
use koppel_core::ports::Clock;
use koppel_hosting::embedded::{IN_MEMORY, QueueSettings};
use koppel_hosting::local::{Drain, HostSettings, Waits};
use koppel_sandbox::{Options, Sandbox};
use rust_decimal::Decimal;
use serde_json::json;

use crate::failed::Failed;
use crate::pump::{Pump, SPEED};
use crate::report::{Goal, Report};
use crate::stand_ins::begin_of;
use crate::world::{Setup, World};

const MINUTES: i64 = 10;
const PER_MINUTE: u32 = 60;
/// More than can be written in that time, so that there is work to the end.
const BACKLOG: usize = 1000;

struct FastClock(koppel_sandbox::Clock);

impl Clock for FastClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.now()
    }
}

/// Measures the section.
pub async fn measure(report: &mut Report) -> Result<(), Failed> {
    let options = Options::default().switch("exact-online", json!({"minute_limit": PER_MINUTE, "day_limit": null}));
    let sandbox = Sandbox::start(options).await.map_err(|error| Failed::StandIn(error.to_string()))?;
    let clock = sandbox.clock();
    // Windows begin with the minute; a whole number of them is counted.
    clock.freeze(begin_of(0) + TimeDelta::days(100));
    let order = json!({"seed": 1, "n": BACKLOG, "start": begin_of(1).to_rfc3339(), "step_seconds": 1});
    let (status, answer) = sandbox.woocommerce().inspect("POST", "generate", &order);
    if status != 201 {
        return Err(Failed::StandIn(answer.to_string()));
    }
    let world = World::new(Setup {
        calls_per_minute: Some(PER_MINUTE),
        clock: Arc::new(FastClock(clock.clone())),
        // Everything that waits in real time must not wait longer than it would at this speed.
        host: HostSettings { poll: Duration::from_millis(5), waits: Waits::default(), ..HostSettings::default() },
        queue: QueueSettings { visibility: Duration::from_secs(24 * 3600), ..QueueSettings::default() },
        ..Setup::new(sandbox.woocommerce_url(), sandbox.exact_online_url(), IN_MEMORY.as_ref())
    })
    .await?;
    let books = sandbox.exact();
    books.reset_calls();
    let begin = clock.now();
    let end = begin + TimeDelta::minutes(MINUTES);
    let run = world.start(begin_of(1)).await?;
    let pump = Pump::start(clock.clone());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let host = world.host.clone();
    let working = tokio::spawn(async move {
        let drain = Drain::patient(Duration::from_secs(24 * 3600));
        host.drain(&drain, async { drop(stopped.await) }).await
    });
    while clock.now() < end {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Asking for tokens is not a call of the limit.
    let used: u64 = books.calls().iter().filter(|(name, _)| !name.contains("oauth2")).map(|(_, n)| *n).sum();
    let refused = books.statuses().get(&429).copied().unwrap_or(0);
    let passed = clock.now() - begin;
    drop(pump);
    drop(stop);
    let _ = working.await;
    let funnel = world.funnel(&run).await?;
    let done = funnel.settled();
    if done >= BACKLOG as u64 {
        return Err(Failed::NotAsExpected(format!("the work ended before the time did: {funnel}")));
    }
    let allowed = Decimal::from(MINUTES) * Decimal::from(PER_MINUTE);
    let share = Decimal::from(used) * Decimal::from(100) / allowed;
    let note = format!("{used} calls in {} s at {SPEED} times the speed", passed.num_seconds());
    report.noted("allowed calls that are used while there is work", share, Goal::at_least("95"), "%", note);
    report.row("calls over the limit (429)", refused.into(), Goal::at_most("0"), "calls");
    report.row("orders written in that time", funnel.count(Outcome::Created).into(), Goal::None, "orders");
    report.row("orders put on the waiting list meanwhile", funnel.count(Outcome::Parked).into(), Goal::None, "orders");
    Ok(())
}
