//! The handler on the sample events of the project, with twins of the store and of SQS. No AWS is needed.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use aws_lambda_events::event::sqs::SqsEvent;
use koppel_core::error::RetryReason;
use koppel_core::event::{Event, EventKind};
use koppel_core::message::{Step, Task};
use koppel_core::ports::{Bus, Store};
use koppel_core::{Cause, Failure};

use super::attempts::{TRIES, back_off};
use super::batch::{Batch, Delivery, Settle};
use super::{deliveries, event_of, response};
use crate::contract::ManualClock;
use crate::embedded::Database;
use crate::embedded::EmbeddedStore;
use crate::embedded::Sweeper;

const FETCH: &str = include_str!("../../../../events/fetch.json");
const MAP: &str = include_str!("../../../../events/map.json");
const CHECK: &str = include_str!("../../../../events/check.json");
const WRITE: &str = include_str!("../../../../events/write.json");
const NOTIFY: &str = include_str!("../../../../events/notify.json");

const PLENTY: Duration = Duration::from_secs(60);

/// Remembers what it was told to do.
#[derive(Default)]
struct Twin {
    postponed: Mutex<Vec<(Vec<String>, Duration)>>,
    buried: Mutex<Vec<(String, String)>>,
    told: Mutex<Vec<String>>,
    full: bool,
}

#[async_trait]
impl Bus for Twin {
    async fn publish(&self, event: &Event) -> Result<(), Failure> {
        self.told.lock().unwrap().push(format!("{} {:?}", event.tenant, event.kind));
        Ok(())
    }
}

#[async_trait]
impl Settle for Twin {
    async fn postpone(&self, deliveries: &[Delivery], delay: Duration) -> Result<(), Failure> {
        let ids = deliveries.iter().map(|delivery| short(&delivery.id)).collect();
        self.postponed.lock().unwrap().push((ids, delay));
        Ok(())
    }

    async fn bury(&self, delivery: &Delivery, cause: &Cause) -> Result<(), Failure> {
        if self.full {
            return Err(retry(RetryReason::Unavailable, None));
        }
        self.buried.lock().unwrap().push((short(&delivery.id), cause.code.clone()));
        Ok(())
    }
}

/// The number at the end of a message id of the samples.
fn short(id: &str) -> String {
    id.trim_start_matches("0d1f7a3e-0000-4000-8000-").trim_start_matches('0').to_owned()
}

fn sample(text: &str) -> Vec<Delivery> {
    deliveries(serde_json::from_str::<SqsEvent>(text).unwrap())
}

fn retry(reason: RetryReason, after: Option<Duration>) -> Failure {
    Failure::retry(reason, after, Cause::new("test", "it is a test"))
}

fn chunk(task: &Task) -> &str {
    &task.header().chunk
}

/// A step with its store; the same messages can be handed in again.
struct Bench {
    store: Arc<dyn Store>,
    twin: Twin,
}

impl Bench {
    fn new() -> Self {
        let (database, clock) = (Arc::new(Database::in_memory().unwrap()), Arc::new(ManualClock::default()));
        let sweeper = Arc::new(Sweeper::new(database.clone(), clock.clone()));
        Self { store: Arc::new(EmbeddedStore::new(database, clock, sweeper)), twin: Twin::default() }
    }

    /// Handles the messages and gives the ids of those that are kept; `outcome` decides by chunk.
    async fn run(
        &self,
        step: Step,
        deliveries: Vec<Delivery>,
        left: Duration,
        outcome: impl Fn(&str) -> Result<(), Failure>,
    ) -> Vec<String> {
        let clock = ManualClock::default();
        let batch = Batch { step, store: &*self.store, bus: &self.twin, clock: &clock, settle: &self.twin };
        let outcome = &outcome;
        let kept = batch.handle(deliveries, Instant::now() + left, |task| async move { outcome(chunk(&task)) }).await;
        let mut kept: Vec<String> = kept.iter().map(|id| short(id)).collect();
        kept.sort();
        kept
    }

    fn postponed(&self) -> Vec<(Vec<String>, Duration)> {
        self.twin.postponed.lock().unwrap().clone()
    }

    fn buried(&self) -> Vec<(String, String)> {
        self.twin.buried.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn every_sample_is_a_task_of_its_step() {
    for (step, text, count) in
        [(Step::Fetch, FETCH, 1), (Step::Map, MAP, 3), (Step::Check, CHECK, 1), (Step::Write, WRITE, 1)]
    {
        let ran = Mutex::new(0);
        let bench = Bench::new();
        let kept = bench
            .run(step, sample(text), PLENTY, |_| {
                *ran.lock().unwrap() += 1;
                Ok(())
            })
            .await;
        assert_eq!((kept.len(), *ran.lock().unwrap()), (0, count), "{step}");
        assert_eq!(bench.buried(), [], "{step}");
    }
}

#[tokio::test]
async fn after_a_failure_the_rest_of_its_group_is_given_back_untouched_and_other_groups_go_on() {
    let ran = Mutex::new(Vec::new());
    let bench = Bench::new();
    let kept = bench
        .run(Step::Map, sample(MAP), PLENTY, |chunk| {
            ran.lock().unwrap().push(chunk.to_owned());
            if chunk == "page-0-0" { Err(retry(RetryReason::Unavailable, None)) } else { Ok(()) }
        })
        .await;
    assert_eq!(kept, ["1", "3"]);
    let mut ran = ran.into_inner().unwrap();
    ran.sort();
    assert_eq!(ran, ["page-0-0", "page-0-1"], "message 3 is behind message 1");
    assert_eq!(bench.postponed(), [(vec!["1".to_owned(), "3".to_owned()], back_off(1))]);
}

#[tokio::test]
async fn a_message_waits_as_long_as_the_other_side_asks_for_but_not_longer_than_sqs_allows() {
    let hour = Duration::from_secs(3600);
    for (asked, granted) in [(hour, hour), (hour * 20, Duration::from_secs(11 * 3600 + 1800))] {
        let bench = Bench::new();
        bench.run(Step::Write, sample(WRITE), PLENTY, |_| Err(retry(RetryReason::Throttled, Some(asked)))).await;
        assert_eq!(bench.postponed(), [(vec!["1".to_owned()], granted)]);
    }
}

#[tokio::test]
async fn a_message_that_only_waits_is_never_set_aside_and_its_failures_still_count() {
    let bench = Bench::new();
    let receive = |received| {
        let mut messages = sample(WRITE);
        messages[0].received = received;
        messages
    };
    let mut received = 0;
    let asked = [RetryReason::Throttled, RetryReason::Busy, RetryReason::Unavailable, RetryReason::OutcomeUnknown];
    for reason in asked.repeat(5) {
        received += 1;
        let kept = bench.run(Step::Write, receive(received), PLENTY, |_| Err(retry(reason, None))).await;
        assert_eq!(kept, ["1"]);
    }
    assert_eq!(bench.buried(), []);
    for failed in 1..TRIES {
        received += 1;
        let kept = bench.run(Step::Write, receive(received), PLENTY, |_| panic!("a defect")).await;
        assert_eq!(kept, ["1"], "failure {failed}");
        assert_eq!(bench.postponed().last().unwrap().1, back_off(failed));
    }
    received += 1;
    let kept = bench.run(Step::Write, receive(received), PLENTY, |_| panic!("a defect")).await;
    assert_eq!(kept, [""; 0], "SQS may remove it, because a copy is with the dead letters");
    assert_eq!(bench.buried(), [("1".to_owned(), "panic".to_owned())]);
    assert_eq!(*bench.twin.told.lock().unwrap(), ["main DeadLetters { step: Write, count: 1 }"]);
}

#[tokio::test]
async fn a_message_whose_tries_left_no_trace_is_set_aside_too() {
    // The process died four times: SQS counted, nobody else did.
    let mut messages = sample(WRITE);
    messages[0].received = TRIES;
    let bench = Bench::new();
    let kept = bench.run(Step::Write, messages, PLENTY, |_| panic!("a defect")).await;
    assert_eq!(kept, [""; 0]);
    assert_eq!(bench.buried(), [("1".to_owned(), "panic".to_owned())]);
}

#[tokio::test]
async fn waiting_behind_another_is_not_a_failure() {
    let bench = Bench::new();
    for received in 1..=TRIES * 2 {
        let mut messages = sample(MAP);
        messages.iter_mut().for_each(|message| message.received = received);
        bench
            .run(Step::Map, messages, PLENTY, |chunk| {
                if chunk == "page-0-0" { Err(retry(RetryReason::Busy, None)) } else { Ok(()) }
            })
            .await;
    }
    let mut last = sample(MAP).split_off(2);
    last[0].received = TRIES * 2 + 1;
    let kept = bench.run(Step::Map, last, PLENTY, |_| panic!("a defect")).await;
    assert_eq!(kept, ["3"], "this was its first failure");
    assert_eq!(bench.buried(), []);
}

#[tokio::test]
async fn what_is_not_a_task_of_this_step_goes_to_the_dead_letters_at_once() {
    let bench = Bench::new();
    let mut messages = sample(MAP);
    messages[0].body = r#"{"type":"map.v9","body":{}}"#.to_owned();
    messages[1].body = sample(WRITE).remove(0).body;
    let kept = bench.run(Step::Map, messages, PLENTY, |_| Ok(())).await;
    assert_eq!(kept, [""; 0]);
    let mut buried = bench.buried();
    buried.sort();
    assert_eq!(buried, [("1".to_owned(), "unreadable_task".to_owned()), ("2".to_owned(), "wrong_queue".to_owned())]);
}

#[tokio::test]
async fn what_cannot_be_set_aside_stays_in_the_queue() {
    let bench = Bench { twin: Twin { full: true, ..Twin::default() }, ..Bench::new() };
    let mut messages = sample(MAP);
    messages[0].body = "garbage".to_owned();
    assert_eq!(bench.run(Step::Map, messages, PLENTY, |_| Ok(())).await, ["1", "3"]);
}

#[tokio::test]
async fn nothing_is_begun_when_the_time_is_nearly_over() {
    let bench = Bench::new();
    let kept = bench.run(Step::Map, sample(MAP), Duration::from_secs(9), |_| panic!("it was begun")).await;
    assert_eq!(kept, ["1", "2", "3"]);
    assert!(bench.postponed().iter().all(|(_, delay)| delay.is_zero()), "another invocation can begin at once");
}

#[test]
fn the_answer_names_what_is_kept_in_the_words_of_lambda() {
    let text = serde_json::to_string(&response(vec!["a".into()])).unwrap();
    assert_eq!(text, r#"{"batchItemFailures":[{"itemIdentifier":"a"}]}"#);
}

#[test]
fn what_the_bus_and_the_clock_send_to_notify_is_told_apart() {
    let event: EventBridgeEvent<serde_json::Value> = serde_json::from_str(NOTIFY).unwrap();
    let event = event_of(event.detail).unwrap();
    assert!(matches!(event.kind, EventKind::RecordsRejected { count: 2, .. }), "{event:?}");
    let tick: EventBridgeEvent<serde_json::Value> = serde_json::from_str(
        r#"{"id":"1","version":"0","account":"1","time":"2026-01-05T08:00:00Z","region":"eu-west-1","resources":[],
            "source":"aws.events","detail-type":"Scheduled Event","detail":{}}"#,
    )
    .unwrap();
    assert_eq!(event_of(tick.detail), None);
}
