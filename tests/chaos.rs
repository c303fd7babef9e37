//! A short version of `make chaos`: small worlds of all flows in which everything goes wrong that can.

use koppel_chaos::pairs::PAIRS;
use koppel_chaos::{Report, tell};

/// Faults of which even a small world must have seen some.
const KINDS: [&str; 14] = [
    "answer of the queue lost",
    "answer of the store lost",
    "condition failed",
    "crash after a call to the books",
    "crash after a write",
    "crash before a write",
    "host asleep",
    "http: 429",
    "http: answer lost",
    "http: connection reset",
    "message duplicated",
    "store throttled",
    "webhook duplicated",
    "webhook missing",
];

#[tokio::test]
async fn everything_arrives_under_faults_once_and_to_the_cent() {
    let mut report = Report::default();
    // One world over the end of summer time with the limits of the books, one with webhooks and a schedule by the clock.
    for seed in [4, 5] {
        report.add(tell(&PAIRS[0], seed, 30).await.expect("the world is told"));
    }
    let zeros =
        [report.lost, report.duplicated, report.customers_duplicated, report.cent_mismatches, report.unexplained];
    assert_eq!(zeros, [0; 5], "\n{}", report.table());
    assert!(report.orders >= 50 && report.refunds >= 15 && report.kept >= 40, "\n{}", report.table());
    assert!(report.faults_injected >= report.orders, "\n{}", report.table());
    let missing: Vec<&&str> = KINDS.iter().filter(|kind| !report.faults_by_kind.contains_key(**kind)).collect();
    assert!(missing.is_empty(), "no {missing:?} in\n{}", report.table());
}

#[tokio::test]
async fn a_seed_tells_the_same_world_twice() {
    let told = |report: Report| Report { duration_ms: 0, ..report };
    let once = told(tell(&PAIRS[0], 5, 20).await.expect("the world is told"));
    let twice = told(tell(&PAIRS[0], 5, 20).await.expect("the world is told"));
    assert!(once.faults_injected > 0, "\n{}", once.table());
    assert_eq!(once.table(), twice.table());
    let other = told(tell(&PAIRS[0], 4, 20).await.expect("the world is told"));
    assert_ne!(once.table(), other.table(), "the seed decides");
}
