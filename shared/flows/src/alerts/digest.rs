//! The daily digest: what the flows did since the last one, what waits, and what is wrong.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use koppel_core::error::Failure;
use koppel_core::keys::Tenant;
use koppel_core::outcome::{Funnel, Outcome};
use koppel_core::ports::store::partition;
use serde::{Deserialize, Serialize};

use super::telling::digest_key;
use super::words::{Message, moment, without_personal};
use super::{Kind, Sending, Severity, open};
use crate::Engine;
use crate::config::{DigestConfig, StoredConfig};
use crate::runs::{Run, read_required};
use crate::waiting;

/// Runs end at the latest after this time.
const LONGEST_RUN: TimeDelta = TimeDelta::hours(6);
/// Runs read at a time.
const PAGE: usize = 200;

/// What is remembered of the digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct DigestState {
    /// The day, in its time zone, that has had its digest.
    pub day: NaiveDate,
    /// The next one tells what happened since.
    pub from: DateTime<Utc>,
    /// The day of the digest that is being sent.
    #[serde(default)]
    pub next_day: Option<NaiveDate>,
    /// It is being sent.
    #[serde(default)]
    pub sending: Option<Sending>,
}

impl DigestState {
    /// The digest of the day was sent.
    pub fn sent(&mut self, now: DateTime<Utc>) {
        self.day = self.next_day.take().unwrap_or(self.day);
        self.from = now;
    }
}

/// The state when a digest is due. On the first day it is due at the next time of day, not at once.
pub(super) async fn due(
    engine: &Engine,
    tenant: &Tenant,
    config: &DigestConfig,
) -> Result<Option<(DigestState, Option<u64>)>, Failure> {
    let (time, zone) = (config.time().map_err(Failure::settings)?, config.zone().map_err(Failure::settings)?);
    let now = engine.clock.now();
    let today = day_of(now, time, zone);
    let item = engine.store.get(&digest_key(tenant)).await?;
    let Some(item) = item else {
        let first = DigestState { day: today, from: now, next_day: None, sending: None };
        crate::runs::put(engine, &digest_key(tenant), &first, koppel_core::ports::Condition::Absent, None)
            .await
            .map(|_| ())
            .or_else(busy_is_fine)?;
        return Ok(None);
    };
    let mut state: DigestState = read_required(&item.value)?;
    if state.day >= today {
        return Ok(None);
    }
    state.next_day = Some(today);
    Ok(Some((state, Some(item.version))))
}

fn busy_is_fine(failure: Failure) -> Result<(), Failure> {
    match failure {
        Failure::Retry { reason: koppel_core::error::RetryReason::Busy, .. } => Ok(()),
        other => Err(other),
    }
}

/// The last day whose time of day has come, by the clock on the wall. An hour that a change of the clock leaves out has
/// come when the next one has; an hour that comes twice belongs to the same day.
fn day_of(now: DateTime<Utc>, time: NaiveTime, zone: Tz) -> NaiveDate {
    let local = now.with_timezone(&zone);
    let today = local.date_naive();
    if local.time() >= time { today } else { today.pred_opt().unwrap_or(today) }
}

/// The digest of everything since `from`.
pub(super) async fn message(
    engine: &Engine,
    tenant: &Tenant,
    stored: &StoredConfig,
    from: DateTime<Utc>,
    zone: Tz,
) -> Result<Message, Failure> {
    let now = engine.clock.now();
    let mut lines = vec![format!("Since {}:", moment(from, zone)), String::new()];
    let (mut arrived, mut wait) = (0, 0);
    for (name, flow) in &stored.config.flows {
        let (runs, unfinished, sum) = sums(engine, tenant, name, from, now).await?;
        arrived += sum.count(Outcome::Created) + sum.count(Outcome::Updated);
        lines.push(format!("{name} ({} → {}, {})", flow.from, flow.to, flow.entity));
        let incomplete = if unfinished > 0 { format!(", {unfinished} of them incomplete") } else { String::new() };
        lines.push(format!("  {runs} runs{incomplete}"));
        lines.push(format!("  {sum}"));
        let list = waiting::list(engine, tenant, name).await?;
        wait += list.len();
        let mut causes: BTreeMap<String, (usize, Option<String>)> = BTreeMap::new();
        for record in &list {
            let cause = causes.entry(record.cause.message.clone()).or_default();
            cause.0 += 1;
            cause.1.clone_from(&record.cause.advice);
        }
        if !list.is_empty() {
            lines.push(format!("  {} waiting:", list.len()));
        }
        let mut causes: Vec<_> = causes.into_iter().collect();
        causes.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
        for (message, (count, advice)) in causes.iter().take(10) {
            let todo = advice.as_ref().map(|advice| format!(". To do: {advice}")).unwrap_or_default();
            lines.push(format!("  - {count} × {message}{todo}"));
        }
        lines.push(String::new());
    }
    let alerts = open(engine, tenant).await?;
    if alerts.is_empty() {
        lines.push("No problem is open.".to_owned());
    } else {
        lines.push(format!(
            "{} open:",
            if alerts.len() == 1 { "1 problem is".to_owned() } else { format!("{} problems are", alerts.len()) }
        ));
        lines.extend(alerts.iter().map(|alert| format!("- {} (since {})", alert.title, moment(alert.since, zone))));
    }
    lines.push(String::new());
    lines.push(format!("Koppel, tenant {tenant}"));
    let subject = format!("Koppel: {arrived} arrived, {wait} waiting, {} open", alerts.len());
    let severity = if alerts.is_empty() { Severity::Info } else { Severity::Warning };
    Ok(Message {
        subject: without_personal(&subject),
        text: without_personal(&lines.join("\n")),
        severity,
        kind: Kind::Digest,
    })
}

/// Runs that ended since `from`, how many of them were incomplete, and the sum of their funnels.
async fn sums(
    engine: &Engine,
    tenant: &Tenant,
    flow: &str,
    from: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(usize, usize, Funnel), Failure> {
    let area = partition(tenant, &["run", flow]);
    // Runs are named after the moment they began.
    let mut after = (from - LONGEST_RUN).format("%Y%m%dT%H%M%S").to_string();
    let (mut runs, mut unfinished, mut sum) = (0, 0, Funnel::default());
    loop {
        let page = engine.store.query(&area, "", Some(&after), PAGE).await?;
        for item in &page {
            let run: Run = read_required(&item.value)?;
            if !run.finished_at.is_some_and(|at| at > from && at <= now) {
                continue;
            }
            runs += 1;
            unfinished += usize::from(run.incomplete.is_some());
            sum.fetched += run.funnel.fetched;
            for (outcome, count) in run.funnel.outcomes {
                sum.add(outcome, count);
            }
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after.clone_from(&last.key.sort),
            _ => return Ok((runs, unfinished, sum)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The days of a digest at `time`, one look every five minutes.
    fn days(from: &str, hours: i64, time: &str) -> Vec<(String, NaiveDate)> {
        let start: DateTime<Utc> = from.parse().unwrap();
        let time = NaiveTime::parse_from_str(time, "%H:%M").unwrap();
        let mut sent = Vec::new();
        let mut last = day_of(start, time, Tz::Europe__Amsterdam);
        for step in 1..=hours * 12 {
            let now = start + TimeDelta::minutes(5 * step);
            let day = day_of(now, time, Tz::Europe__Amsterdam);
            if day > last {
                sent.push((now.format("%d %H:%M").to_string(), day));
                last = day;
            }
        }
        sent
    }

    #[test]
    fn each_day_has_one_digest_though_the_clock_is_put_forward_and_back() {
        let march = days("2026-03-27T12:00:00Z", 72, "07:30");
        assert_eq!(march.iter().map(|(at, _)| at.as_str()).collect::<Vec<_>>(), ["28 06:30", "29 05:30", "30 05:30"]);
        let october = days("2026-10-23T12:00:00Z", 72, "07:30");
        assert_eq!(october.iter().map(|(at, _)| at.as_str()).collect::<Vec<_>>(), ["24 05:30", "25 06:30", "26 06:30"]);
        // 02:30 does not exist on 29 March and comes twice on 25 October.
        assert_eq!(
            days("2026-03-28T12:00:00Z", 24, "02:30").iter().map(|d| d.0.as_str()).collect::<Vec<_>>(),
            ["29 01:00"]
        );
        assert_eq!(
            days("2026-10-24T12:00:00Z", 24, "02:30").iter().map(|d| d.0.as_str()).collect::<Vec<_>>(),
            ["25 00:30"]
        );
    }
}
