//! The chain on Lambda: the only place that knows the Lambda runtime. Each function's `main` calls one `serve_…`.

pub mod attempts;
pub mod batch;
#[cfg(test)]
mod tests;
pub mod webhook;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use koppel_core::event::Event;
use koppel_core::message::Step;
pub use lambda_runtime::Error;
use lambda_runtime::{LambdaEvent, run, service_fn};
pub use webhook::serve_webhook;

use crate::aws::{Names, SqsQueue, SqsSettle, engine, sdk_config};
use crate::notify::{Notifier, Topic};
use crate::{connectors, logging};
use batch::{Batch, Delivery};

/// Serves the queue of `step`: fetch, map, check or write.
pub async fn serve_step(step: Step) -> Result<(), Error> {
    logging::init();
    let (config, names) = (sdk_config().await, Names::from_env());
    let engine = engine(&config, &names, connectors)?;
    let settle = SqsSettle::new(&config, &names, step)?;
    let (engine, settle) = (&engine, &settle);
    run(service_fn(|event: LambdaEvent<SqsEvent>| async move {
        let deadline = deadline(event.context.deadline());
        let batch = Batch { step, store: &*engine.store, bus: &*engine.bus, clock: &*engine.clock, settle };
        let kept =
            batch.handle(deliveries(event.payload), deadline, |task| koppel_flows::steps::run_task(engine, task)).await;
        Ok::<_, Error>(response(kept))
    }))
    .await
}

/// Serves the schedule: called every minute.
pub async fn serve_schedule() -> Result<(), Error> {
    logging::init();
    let engine = engine(&sdk_config().await, &Names::from_env(), connectors)?;
    let engine = &engine;
    run(service_fn(|_: LambdaEvent<serde_json::Value>| async move {
        // The next minute tries again; the error is for the alarm.
        koppel_flows::steps::schedule(engine).await.inspect_err(|failure| {
            tracing::error!(class = failure.class(), code = failure.cause().code, cause = %failure, "schedule failed");
        })?;
        Ok::<_, Error>(())
    }))
    .await
}

/// Serves alerts: events of the bus, and a clock for what lasts, ends, or is due each day.
pub async fn serve_notify() -> Result<(), Error> {
    logging::init();
    let (config, names) = (sdk_config().await, Names::from_env());
    let queues = Arc::new(SqsQueue::new(&config, names.clone()));
    let topic = Arc::new(Topic::new(&config, names.topic()?));
    let notifier = Notifier::new(engine(&config, &names, connectors)?).with_topic(topic).watching(queues);
    let notifier = &notifier;
    run(service_fn(|event: LambdaEvent<EventBridgeEvent<serde_json::Value>>| async move {
        match event_of(event.payload.detail) {
            Some(event) => notifier.heard(&event).await.inspect_err(|failure| {
                tracing::error!(
                    class = failure.class(),
                    code = failure.cause().code,
                    "an event is not told of; tried again"
                );
            })?,
            None => notifier.tick().await,
        }
        Ok::<_, Error>(())
    }))
    .await
}

/// The event of the bus; `None` for a tick of the clock.
fn event_of(detail: serde_json::Value) -> Option<Event> {
    serde_json::from_value(detail).ok()
}

/// The end of the invocation on the clock that can only go forward.
fn deadline(ends: SystemTime) -> Instant {
    Instant::now() + ends.duration_since(SystemTime::now()).unwrap_or(Duration::ZERO)
}

/// The messages of an SQS event.
pub fn deliveries(event: SqsEvent) -> Vec<Delivery> {
    event
        .records
        .into_iter()
        .map(|record| {
            let attribute = |name: &str| record.attributes.get(name).map(String::as_str).unwrap_or_default();
            Delivery {
                group: attribute("MessageGroupId").to_owned(),
                received: attribute("ApproximateReceiveCount").parse().unwrap_or(1),
                id: record.message_id.unwrap_or_default(),
                receipt: record.receipt_handle.unwrap_or_default(),
                body: record.body.unwrap_or_default(),
            }
        })
        .collect()
}

/// The answer that tells SQS which messages to keep.
pub fn response(kept: Vec<String>) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    response.set_failures(kept);
    response
}
