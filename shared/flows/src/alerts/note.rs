//! Notes problems that only an event shows.

use chrono::TimeDelta;
use koppel_core::error::Failure;
use koppel_core::event::{Event, EventKind};
use koppel_core::message::Step;
use koppel_core::ports::{Condition, Store, StoreError};

use super::{Alert, Detail, Severity, key};
use crate::runs::read_required;

/// Dead letters are kept for two weeks; then there is nothing left to do about them.
pub(super) const KEEP_DEAD_LETTERS: TimeDelta = TimeDelta::days(14);
/// Others note at the same time.
const TRIES: usize = 5;

/// Key of the alert about messages of a step that were set aside.
pub(super) fn dead_letters_key(step: Step) -> String {
    format!("dead-letters/{step}")
}

/// Notes what `event` says and the state does not show. Events of other kinds leave everything as it is.
pub async fn note(store: &dyn Store, event: &Event) -> Result<(), Failure> {
    let Some(fresh) = alert_of(event) else { return Ok(()) };
    let key = key(&event.tenant, &fresh.key);
    for _ in 0..TRIES {
        let item = store.get(&key).await?;
        let known: Option<Alert> = item.as_ref().map(|item| read_required(&item.value)).transpose()?;
        let mut alert = match known {
            Some(known) if known.gone_at.is_none() => Alert {
                since: known.since.min(fresh.since),
                quiet_until: known.quiet_until.min(fresh.quiet_until),
                count: known.count + fresh.count,
                told: known.told,
                ..fresh.clone()
            },
            // What was over and happens again is a new problem.
            _ => fresh.clone(),
        };
        if let EventKind::DeadLetters { step, .. } = &event.kind {
            alert.title = dead_letters_title(*step, alert.count);
        }
        let condition = item.map_or(Condition::Absent, |item| Condition::Version(item.version));
        let text = serde_json::to_string(&alert).unwrap_or_default();
        match store.put(&key, &text, condition, None).await {
            Ok(_) => return Ok(()),
            Err(StoreError::ConditionFailed) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Err(StoreError::ConditionFailed.into())
}

fn dead_letters_title(step: Step, count: u64) -> String {
    match count {
        1 => format!("a message of the step {step} failed too often and was set aside"),
        _ => format!("{count} messages of the step {step} failed too often and were set aside"),
    }
}

fn alert_of(event: &Event) -> Option<Alert> {
    let (alert, keep) = match &event.kind {
        EventKind::DeadLetters { step, count } => {
            let title = dead_letters_title(*step, *count);
            let detail = Detail {
                what: format!("the step {step} stopped on them again and again, which is a defect of the program or of the set-up"),
                todo: Some(
                    "look at them with koppel dead-letters list and into the log; when the reason is repaired, send them \
                     again with koppel dead-letters redrive"
                        .to_owned(),
                ),
                ..Detail::default()
            };
            let alert = Alert::new(dead_letters_key(*step), Severity::Critical, title, event.at)
                .counting(*count)
                .with(vec![detail])
                .meanwhile("Their records do not arrive before. Nothing is lost: the messages are kept for 14 days.");
            (alert, KEEP_DEAD_LETTERS)
        }
        _ => return None,
    };
    Some(Alert { noted_until: Some(event.at + keep), ..alert })
}
