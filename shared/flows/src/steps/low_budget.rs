//! Looks each quarter of an hour whether the calls of the day run short, so that somebody hears of it before work that is
//! less urgent than orders stops.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::error::{Cause, Failure, RetryReason};
use koppel_core::event::{Event, EventKind};
use koppel_core::keys::Tenant;
use koppel_core::ports::store::partition;
use koppel_core::ports::{BudgetView, BudgetWindow, Condition, Key};
use serde::{Deserialize, Serialize};

use crate::Engine;
use crate::config::StoredConfig;
use crate::connections;
use crate::runs::{put, read_required};

/// Time between two looks.
const EACH: TimeDelta = TimeDelta::minutes(15);
/// Low below this share of the day's calls, in percent: from here on only orders are sure to go.
const LOW_PERCENT: u64 = 20;
/// No longer low from this share on. More than [`LOW_PERCENT`], or an alert would come and go with each call.
const ENOUGH_PERCENT: u64 = 30;

/// What is remembered of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Watch {
    checked_at: Option<DateTime<Utc>>,
    low: Option<Low>,
}

/// The calls of the day are nearly used up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Low {
    /// Which limit, how much is left, and until when.
    pub cause: Cause,
    /// When it was seen first.
    pub since: DateTime<Utc>,
}

/// Connections whose calls are nearly used up.
pub(crate) async fn low(engine: &Engine, tenant: &Tenant) -> Result<BTreeMap<String, Low>, Failure> {
    let mut found = BTreeMap::new();
    for item in crate::items::all(engine, &partition(tenant, &["low-budget"]), "").await? {
        let watch: Watch = read_required(&item.value)?;
        found.extend(watch.low.map(|low| (item.key.sort, low)));
    }
    Ok(found)
}

/// Looks at one connection, when it is time, and publishes when its calls have become few.
pub(crate) async fn check(engine: &Engine, tenant: &Tenant, stored: &StoredConfig, name: &str) -> Result<(), Failure> {
    let now = engine.clock.now();
    let key = Key::new(tenant, &["low-budget"], name);
    let item = engine.store.get(&key).await?;
    let version = item.as_ref().map(|item| item.version);
    let watch: Watch = item.map(|item| read_required(&item.value)).transpose()?.unwrap_or_default();
    if watch.checked_at.is_some_and(|at| now - at < EACH) {
        return Ok(());
    }
    let connection = connections::open(engine, tenant, &stored.config, name).await?;
    let next = match engine.systems.budget(&connection)? {
        Some(budget) => judge(&budget.look().await?, watch.low.as_ref(), name, now),
        None => None,
    };
    let news = next.clone().filter(|_| watch.low.is_none());
    let condition = version.map_or(Condition::Absent, Condition::Version);
    match put(engine, &key, &Watch { checked_at: Some(now), low: next }, condition, None).await {
        // Another host looks, and tells.
        Err(Failure::Retry { reason: RetryReason::Busy, .. }) => return Ok(()),
        written => written?,
    };
    if let Some(low) = news {
        let kind = EventKind::BudgetLow { connection: name.to_owned(), cause: low.cause };
        engine.bus.publish(&Event { tenant: tenant.clone(), at: now, kind }).await?;
    }
    Ok(())
}

fn judge(view: &BudgetView, before: Option<&Low>, connection: &str, now: DateTime<Utc>) -> Option<Low> {
    let day = view.windows.iter().find(|window| window.window == "day")?;
    let share = u64::from(day.left) * 100 / u64::from(day.limit.max(1));
    let limit = if before.is_some() { ENOUGH_PERCENT } else { LOW_PERCENT };
    // The words stay as they were: others would be told as a further cause.
    (share < limit)
        .then(|| before.cloned().unwrap_or_else(|| Low { cause: cause(day).at_connection(connection), since: now }))
}

fn cause(day: &BudgetWindow) -> Cause {
    let until = day.resets_at.map(|at| format!(" until {} UTC", at.format("%H:%M"))).unwrap_or_default();
    Cause::new("budget_low", format!("of the {} calls of a day, {} are left{until}", day.limit, day.left))
        .advice("see with koppel budget what they are spent on, and run flows that use many calls less often")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(left: u32) -> BudgetView {
        let window = |name: &str, limit, left| BudgetWindow {
            window: name.into(),
            limit,
            used: limit - left,
            left,
            kept_for_orders: 0,
            resets_at: Some("2026-11-26T00:00:00Z".parse().unwrap()),
            told: true,
        };
        BudgetView { windows: vec![window("minute", 60, 0), window("day", 5_000, left)], ..BudgetView::default() }
    }

    #[test]
    fn few_calls_are_told_once_and_end_only_when_there_are_clearly_more() {
        let now: DateTime<Utc> = "2026-11-25T12:00:00Z".parse().unwrap();
        let later = now + TimeDelta::hours(1);
        assert_eq!(judge(&view(1_000), None, "books", now), None);
        let low = judge(&view(999), None, "books", now).unwrap();
        assert_eq!(low.cause.message, "of the 5000 calls of a day, 999 are left until 00:00 UTC");
        assert_eq!(judge(&view(1_499), Some(&low), "books", later).unwrap().since, now);
        assert_eq!(judge(&view(1_500), Some(&low), "books", later), None);
    }
}
