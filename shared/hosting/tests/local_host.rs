//! The local host handles each message once, keeps the order, and turns every kind of failure into what the queue
//! should do with the message.

// A helper of a test may end the test.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use koppel_core::error::RetryReason;
use koppel_core::message::{CheckTask, Header, MapTask, Step, Task, WriteTask};
use koppel_core::ports::{Clock, Queue, QueueMessage, SystemClock};
use koppel_core::{Cause, Failure, Tenant};
use koppel_flows::Engine;
use koppel_hosting::contract::ManualClock;
use koppel_hosting::embedded::{EmbeddedEngine, EmbeddedQueue, IN_MEMORY, QueueSettings};
use koppel_hosting::local::{Drain, Drained, HostSettings, LocalHost, Steps, Waits};
use koppel_hosting::{DeadLetter, Depth, Receipt, Received, ReceivingQueue, Settled};
use tokio::sync::{Barrier, Notify};

fn header(flow: &str, chunk: usize) -> Header {
    Header {
        tenant: Tenant::default(),
        flow: flow.to_owned(),
        run: "r1".to_owned(),
        config_version: 1,
        chunk: chunk.to_string(),
        lane: 0,
    }
}

fn map(flow: &str, chunk: usize) -> Task {
    Task::Map(MapTask { header: header(flow, chunk), records: Vec::new(), gone: Vec::new() })
}

async fn send(engine: &EmbeddedEngine, tasks: &[Task]) {
    for task in tasks {
        engine.queue.send(task.step(), &[QueueMessage::pack(task).unwrap()]).await.unwrap();
    }
}

/// Steps that a test describes by the flow of the task.
struct Script {
    seen: Mutex<Vec<String>>,
    calls: AtomicUsize,
    meet: Barrier,
    begun: Notify,
    release: Notify,
}

impl Script {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            seen: Mutex::default(),
            calls: AtomicUsize::new(0),
            meet: Barrier::new(3),
            begun: Notify::new(),
            release: Notify::new(),
        })
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn retry(reason: RetryReason) -> Result<(), Failure> {
    Err(Failure::retry(reason, None, Cause::new("scripted", "as the test wants it")))
}

#[async_trait]
impl Steps for Script {
    async fn run_task(&self, engine: &Engine, task: Task) -> Result<(), Failure> {
        let header = task.header().clone();
        self.seen.lock().unwrap().push(format!("{} {} {}", task.step(), header.flow, header.chunk));
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        match header.flow.as_str() {
            "chain" => {
                let next = match task {
                    Task::Map(_) => Task::Check(CheckTask { header, records: Vec::new() }),
                    Task::Check(_) => Task::Write(WriteTask { header, decisions: Vec::new() }),
                    _ => return Ok(()),
                };
                engine.queue.send(next.step(), &[QueueMessage::pack(&next)?]).await
            }
            "reject" => Err(Failure::reject(Cause::new("scripted", "as the test wants it"))),
            "panic" => panic!("as the test wants it"),
            "busy" if call < 12 => retry(RetryReason::Busy),
            "throttled" if call < 12 => retry(RetryReason::Throttled),
            "unavailable" if call < 2 => retry(RetryReason::Unavailable),
            "tomorrow" => {
                let after = Some(Duration::from_secs(24 * 3600));
                Err(Failure::retry(
                    RetryReason::Throttled,
                    after,
                    Cause::new("scripted", "the day's calls are used up"),
                ))
            }
            "held" => {
                self.begun.notify_one();
                self.release.notified().await;
                Ok(())
            }
            flow if flow.starts_with("together") => {
                self.meet.wait().await;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn schedule(&self, engine: &Engine) -> Result<(), Failure> {
        let task = map("scheduled", 0);
        engine.queue.send(task.step(), &[QueueMessage::pack(&task)?]).await
    }
}

fn engine(clock: Arc<dyn Clock>, visibility: Duration) -> EmbeddedEngine {
    common::open(Path::new(IN_MEMORY), clock, QueueSettings { visibility, max_attempts: 5 })
}

fn host(engine: &EmbeddedEngine, script: &Arc<Script>) -> LocalHost {
    let none = Duration::ZERO;
    let waits = Waits { failed: none, busy: none, throttled: none, longest: none };
    let settings = HostSettings { waits, poll: Duration::from_millis(20), ..HostSettings::default() };
    LocalHost::new(engine.engine.clone(), engine.queue.clone()).with(settings).running(script.clone())
}

/// Drains with a limit that only a fault can reach.
async fn drain(host: &LocalHost) -> Drained {
    let drain = Drain::default().at_most(Duration::from_secs(60));
    host.drain(&drain, std::future::pending()).await.unwrap()
}

const IDLE: Drained = Drained::Idle { next_due: None };

fn real() -> EmbeddedEngine {
    engine(Arc::new(SystemClock), QueueSettings::default().visibility)
}

async fn dead(engine: &EmbeddedEngine) -> usize {
    engine.queue.dead_letters(Step::Map, 100).await.unwrap().len()
}

#[tokio::test]
async fn a_drain_follows_the_work_through_the_chain() {
    let (engine, script) = (real(), Script::new());
    send(&engine, &[map("chain", 1), map("chain", 2)]).await;
    assert_eq!(drain(&host(&engine, &script)).await, IDLE);
    let seen: BTreeSet<_> = script.seen().into_iter().collect();
    let wanted = ["map", "check", "write"].iter().flat_map(|step| (1..=2).map(move |n| format!("{step} chain {n}")));
    assert_eq!(seen, wanted.collect());
    assert_eq!(script.seen().len(), 6, "each once");
}

#[tokio::test]
async fn a_group_keeps_its_order_with_many_workers() {
    let (engine, script) = (real(), Script::new());
    let tasks: Vec<_> = (0..20).flat_map(|n| [map("a", n), map("b", n)]).collect();
    send(&engine, &tasks).await;
    assert_eq!(drain(&host(&engine, &script)).await, IDLE);
    for flow in ["a", "b"] {
        let seen: Vec<_> = script.seen().into_iter().filter(|line| line.starts_with(&format!("map {flow} "))).collect();
        assert_eq!(seen, (0..20).map(|n| format!("map {flow} {n}")).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn groups_are_handled_at_the_same_time() {
    let (engine, script) = (real(), Script::new());
    send(&engine, &[map("together-1", 0), map("together-2", 0), map("together-3", 0)]).await;
    // Each waits for the other two.
    assert_eq!(drain(&host(&engine, &script)).await, IDLE);
}

#[tokio::test]
async fn what_only_waits_is_never_given_up() {
    for flow in ["busy", "throttled"] {
        let (engine, script) = (real(), Script::new());
        send(&engine, &[map(flow, 0)]).await;
        assert_eq!(drain(&host(&engine, &script)).await, IDLE);
        assert_eq!((script.seen().len(), dead(&engine).await), (13, 0), "{flow}");
    }
}

#[tokio::test]
async fn what_fails_is_tried_five_times_and_then_kept_as_a_dead_letter() {
    for flow in ["reject", "panic"] {
        let (engine, script) = (real(), Script::new());
        send(&engine, &[map(flow, 0), map("good", 1)]).await;
        assert_eq!(drain(&host(&engine, &script)).await, IDLE);
        let tries = script.seen().iter().filter(|line| line.contains(flow)).count();
        assert_eq!((tries, dead(&engine).await), (5, 1), "{flow}");
        assert!(script.seen().contains(&"map good 1".to_owned()), "{flow}: the rest goes on");
    }
}

#[tokio::test]
async fn what_recovers_is_done() {
    let (engine, script) = (real(), Script::new());
    send(&engine, &[map("unavailable", 0)]).await;
    assert_eq!(drain(&host(&engine, &script)).await, IDLE);
    assert_eq!((script.seen().len(), dead(&engine).await), (3, 0));
}

#[tokio::test]
async fn what_is_no_task_of_the_step_is_set_aside_at_once() {
    let (engine, script) = (real(), Script::new());
    let good = QueueMessage::pack(&map("good", 0)).unwrap();
    let bad = QueueMessage { group: "g1".into(), dedup_id: "1".into(), body: r#"{"type":"map.v99","body":{}}"#.into() };
    engine.queue.send(Step::Map, &[bad]).await.unwrap();
    engine.queue.send(Step::Check, &[good]).await.unwrap();
    assert_eq!(drain(&host(&engine, &script)).await, IDLE);
    assert_eq!(script.seen(), Vec::<String>::new());
    assert_eq!(dead(&engine).await, 1);
    assert_eq!(engine.queue.dead_letters(Step::Check, 100).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_drain_leaves_what_is_due_later_and_says_when() {
    let clock = Arc::new(ManualClock::default());
    let (engine, script) = (engine(clock.clone(), Duration::from_secs(30)), Script::new());
    send(&engine, &[map("tomorrow", 0), map("good", 1)]).await;
    let due = clock.now() + chrono::TimeDelta::days(1);
    assert_eq!(drain(&host(&engine, &script)).await, Drained::Idle { next_due: Some(due) });
    clock.advance(Duration::from_secs(24 * 3600));
    drain(&host(&engine, &script)).await;
    assert_eq!(script.seen().iter().filter(|line| line.contains("tomorrow")).count(), 2);
}

/// Says when a message was extended.
struct Watched {
    queue: Arc<EmbeddedQueue>,
    extended: Notify,
}

#[async_trait]
impl Queue for Watched {
    async fn send(&self, step: Step, messages: &[QueueMessage]) -> Result<(), Failure> {
        self.queue.send(step, messages).await
    }
}

#[async_trait]
impl ReceivingQueue for Watched {
    async fn receive(&self, step: Step, max: usize) -> Result<Vec<Received>, Failure> {
        self.queue.receive(step, max).await
    }

    async fn ack(&self, receipt: &Receipt) -> Result<Settled, Failure> {
        self.queue.ack(receipt).await
    }

    async fn extend(&self, receipt: &Receipt, longer: Duration) -> Result<Settled, Failure> {
        let settled = self.queue.extend(receipt, longer).await;
        self.extended.notify_one();
        settled
    }

    async fn retry_after(&self, receipt: &Receipt, wait: Duration, counts: bool) -> Result<Settled, Failure> {
        self.queue.retry_after(receipt, wait, counts).await
    }

    fn visibility(&self) -> Duration {
        self.queue.visibility()
    }

    async fn depth(&self, step: Step) -> Result<Depth, Failure> {
        self.queue.depth(step).await
    }

    async fn dead_letters(&self, step: Step, max: usize) -> Result<Vec<DeadLetter>, Failure> {
        self.queue.dead_letters(step, max).await
    }

    async fn redrive(&self, step: Step) -> Result<u64, Failure> {
        self.queue.redrive(step).await
    }
}

#[tokio::test]
async fn a_message_stays_in_hand_for_as_long_as_its_step_runs() {
    let (clock, visibility) = (Arc::new(ManualClock::default()), Duration::from_millis(90));
    let (engine, script) = (engine(clock.clone(), visibility), Script::new());
    send(&engine, &[map("held", 0)]).await;
    let watched = Arc::new(Watched { queue: engine.queue.clone(), extended: Notify::new() });
    let host = LocalHost::new(engine.engine.clone(), watched.clone()).running(script.clone());
    let running = tokio::spawn(async move { drain(&host).await });
    script.begun.notified().await;
    for _ in 0..4 {
        clock.advance(visibility * 2 / 3);
        // The first may have looked at the clock before it was moved, the second has not.
        watched.extended.notified().await;
        watched.extended.notified().await;
        assert_eq!(engine.queue.receive(Step::Map, 10).await.unwrap(), []);
    }
    script.release.notify_one();
    assert_eq!(running.await.unwrap(), IDLE);
    assert_eq!(script.seen().len(), 1);
}

#[tokio::test]
async fn a_stop_finishes_what_is_in_hand_and_begins_nothing() {
    let (engine, script) = (real(), Script::new());
    send(&engine, &[map("held", 0), map("held", 1)]).await;
    let (host, stop) = (host(&engine, &script), Arc::new(Notify::new()));
    let asked = stop.clone();
    let running = tokio::spawn(async move {
        let drain = Drain::default();
        host.drain(&drain, async move { asked.notified().await }).await
    });
    script.begun.notified().await;
    stop.notify_one();
    // The stop is seen while the step is still running.
    tokio::task::yield_now().await;
    assert!(!running.is_finished());
    script.release.notify_one();
    assert_eq!(running.await.unwrap().unwrap(), Drained::Stopped);
    let depth = engine.queue.depth(Step::Map).await.unwrap();
    assert_eq!((depth.waiting, depth.in_hand, script.seen().len()), (1, 0, 1));
}

#[tokio::test]
async fn a_drain_ends_when_the_caller_has_what_it_waited_for() {
    let (engine, script) = (real(), Script::new());
    send(&engine, &[map("held", 0)]).await;
    let (host, asked) = (host(&engine, &script), script.clone());
    let drain = Drain::default().until(move || {
        let asked = asked.clone();
        Box::pin(async move {
            let begun = !asked.seen().is_empty();
            if begun {
                asked.release.notify_one();
            }
            begun
        })
    });
    assert_eq!(host.drain(&drain, std::future::pending()).await.unwrap(), Drained::Answered);
}

#[tokio::test]
async fn the_schedule_feeds_the_queues_until_the_stop() {
    let (engine, script) = (real(), Script::new());
    let (host, watched) = (host(&engine, &script), script.clone());
    host.run(async move {
        while watched.seen().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(script.seen(), ["map scheduled 0"]);
}
