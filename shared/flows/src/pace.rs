//! The pace of a flow: how many calls its last run made, for what, and how many more the schedule brings today.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveTime, Utc};
use koppel_core::error::Failure;
use koppel_core::keys::Tenant;
use koppel_core::message::Step;
use koppel_core::ports::BudgetView;
use koppel_core::ports::store::partition;
use serde::Serialize;
use serde_json::Value;

use crate::Engine;
use crate::config::FlowConfig;
use crate::runs::{self, read_required};
use crate::trail;

/// Records whose calls are looked at one by one.
const RECORDS_READ: usize = 200;
/// More runs than this in a day do not make the forecast better.
const RUNS_COUNTED: u64 = 1_500;

/// Calls that the last run of a flow made to one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pace {
    /// Flow.
    pub flow: String,
    /// Run.
    pub run: String,
    /// Records it read.
    pub records: u64,
    /// Calls to the connection.
    pub calls: u64,
    /// Calls for whole chunks, by step.
    pub by_step: BTreeMap<String, u64>,
    /// Calls for single records, by endpoint.
    pub by_endpoint: BTreeMap<String, u64>,
    /// Runs that the schedule starts until the end of the day (UTC).
    pub runs_today: u64,
}

impl Pace {
    /// Calls that the rest of the day will need at this pace.
    pub fn calls_today(&self) -> u64 {
        self.calls.saturating_mul(self.runs_today)
    }
}

/// Calls that a connection will have made by the end of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// Calls.
    pub calls: u64,
    /// Calls that are allowed.
    pub limit: u32,
}

/// What is used and what the schedule brings, at the pace of the last runs; `None` without a limit a day.
pub fn forecast(view: &BudgetView, paces: &[Pace]) -> Option<Forecast> {
    let day = view.windows.iter().find(|window| window.window == "day")?;
    let more: u64 = paces.iter().map(Pace::calls_today).sum();
    Some(Forecast { calls: u64::from(day.used) + more, limit: day.limit })
}

/// The pace of a flow on one of its connections; `None` before its first run has ended.
pub async fn of_flow(
    engine: &Engine,
    tenant: &Tenant,
    flow: &str,
    config: &FlowConfig,
    connection: &str,
) -> Result<Option<Pace>, Failure> {
    let state = runs::state(engine, tenant, flow).await?;
    let Some((run, funnel)) = state.last_run else { return Ok(None) };
    let mut pace = Pace { flow: flow.to_owned(), run: run.clone(), records: funnel.fetched, ..Pace::default() };
    for item in crate::items::all(engine, &partition(tenant, &["report", flow, &run]), "").await? {
        let report: Value = read_required(&item.value)?;
        let step = item.key.sort.rsplit('#').next().unwrap_or_default();
        let calls = report["calls"].as_u64().unwrap_or(0);
        let side = if step == Step::Fetch.name() { &config.from } else { &config.to };
        if calls > 0 && side == connection {
            *pace.by_step.entry(step.to_owned()).or_default() += calls;
        }
    }
    let (results, _) = runs::results(engine, tenant, flow, &run).await?;
    let of_records: u64 =
        if config.to == connection { results.iter().map(|result| result.calls as u64).sum() } else { 0 };
    if of_records > 0 {
        for result in results.iter().filter(|result| result.calls > 0).take(RECORDS_READ) {
            for entry in trail::read(engine, tenant, flow, &result.key).await? {
                if entry.run == run && entry.step == Step::Write {
                    for call in entry.payload["calls"].as_array().into_iter().flatten() {
                        *pace.by_endpoint.entry(endpoint(call)).or_default() += 1;
                    }
                }
            }
        }
    }
    pace.calls = pace.by_step.values().sum::<u64>() + of_records;
    if !config.paused {
        pace.runs_today = runs_left(config, state.last_started, engine.clock.now());
    }
    Ok(Some(pace))
}

/// Method and path, without what differs from one record to the next.
fn endpoint(call: &Value) -> String {
    let path = call["path"].as_str().unwrap_or_default();
    let path = path.split(['?', '(']).next().unwrap_or_default();
    format!("{} {path}", call["method"].as_str().unwrap_or_default())
}

fn runs_left(config: &FlowConfig, last: Option<DateTime<Utc>>, now: DateTime<Utc>) -> u64 {
    let (Some(schedule), Some(end)) = (&config.schedule, now.date_naive().checked_add_days(Days::new(1))) else {
        return 0;
    };
    let end = end.and_time(NaiveTime::MIN).and_utc();
    let (mut at, mut runs) = (last.unwrap_or(now), 0);
    while runs < RUNS_COUNTED {
        match schedule.next_after(at) {
            // What is overdue starts once, now.
            Ok(next) if next < end => at = next.max(now),
            _ => break,
        }
        runs += 1;
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_has_no_ids_and_no_query() {
        let of = |method: &str, path: &str| endpoint(&serde_json::json!({ "method": method, "path": path }));
        assert_eq!(of("GET", "/api/v1/1/crm/Accounts?$filter=x"), "GET /api/v1/1/crm/Accounts");
        assert_eq!(of("PUT", "/api/v1/1/crm/Accounts(guid'a')"), "PUT /api/v1/1/crm/Accounts");
    }

    #[test]
    fn the_schedule_says_how_many_runs_are_left_today() {
        let text = "from: a\nto: b\nentity: orders\nschedule: { every: 15m }\n";
        let config: FlowConfig = serde_saphyr::from_str(text).unwrap();
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(runs_left(&config, Some(at("2026-11-22T22:50:00Z")), at("2026-11-22T23:00:00Z")), 4);
        // Overdue since long: one now, then by the schedule.
        assert_eq!(runs_left(&config, Some(at("2026-11-22T01:00:00Z")), at("2026-11-22T23:20:00Z")), 3);
        assert_eq!(runs_left(&FlowConfig { schedule: None, ..config }, None, at("2026-11-22T23:00:00Z")), 0);
    }
}
