//! The embedded engine keeps the rules of every port, in memory and in a file.

// A helper of a test may end the test.
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use koppel_core::message::Step;
use koppel_core::ports::SystemClock;
use koppel_hosting::contract::{self, ManualClock, RealTime, Report};
use koppel_hosting::embedded::{EmbeddedEngine, IN_MEMORY, QueueSettings};

fn open(path: &Path, clock: &Arc<ManualClock>) -> EmbeddedEngine {
    common::open(path, clock.clone(), QueueSettings { max_attempts: 3, ..QueueSettings::default() })
}

fn store(engine: &EmbeddedEngine, clock: &Arc<ManualClock>) -> contract::store::Fixture {
    contract::store::Fixture {
        store: engine.engine.store.clone(),
        clock: clock.clone(),
        time: clock.clone(),
        brief: Duration::from_secs(60),
    }
}

fn queue(engine: &EmbeddedEngine, clock: &Arc<ManualClock>) -> contract::queue::Fixture {
    contract::queue::Fixture {
        queue: engine.queue.clone(),
        time: clock.clone(),
        step: Step::Map,
        other_step: Step::Check,
        max_attempts: 3,
        tells_attempts: true,
        brief: Duration::from_secs(60),
    }
}

async fn everything(path: &Path) {
    let clock = Arc::new(ManualClock::default());
    let (engine, other) = (open(path, &clock), open(path, &clock));
    let mut reports: Vec<Report> =
        vec![contract::store::all(&store(&engine, &clock)).await, contract::queue::all(&queue(&engine, &clock)).await];
    let vault = contract::vault::Fixture { vault: engine.engine.vault.clone(), reopened: other.engine.vault.clone() };
    reports.push(contract::vault::all(&vault).await);
    let bus = contract::bus::Fixture { bus: engine.bus.clone(), published: engine.bus.clone() };
    reports.push(contract::bus::all(&bus).await);
    reports.iter().for_each(Report::assert);
    assert_eq!(reports.iter().map(|report| report.kept.len()).sum::<usize>(), 20 + 18 + 7 + 2);
}

#[tokio::test]
async fn the_engine_in_memory_keeps_the_contract() {
    everything(Path::new(IN_MEMORY)).await;
}

#[tokio::test]
async fn the_engine_in_a_file_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    everything(&folder.path().join("koppel.db")).await;
}

#[tokio::test]
async fn both_clocks_keep_the_contract() {
    let manual = Arc::new(ManualClock::default());
    contract::clock::all(&contract::clock::Fixture { clock: manual.clone(), time: manual }).await.assert();
    contract::clock::all(&contract::clock::Fixture { clock: Arc::new(SystemClock), time: Arc::new(RealTime) })
        .await
        .assert();
}
