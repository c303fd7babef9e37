//! Periods of the books: whether documents of today, and of the last weeks, can be dated as they are.

use chrono::{NaiveDate, TimeDelta};
use koppel_core::error::{Cause, Failure};
use koppel_core::ports::{Calls, Finding};

use crate::Engine;
use crate::config::ClosedPeriod;
use crate::connections;
use crate::loaded::{LoadedFlow, Way};
use crate::periods::{Periods, SETTING};

/// Code of the finding that documents of today cannot be dated as they are.
pub(super) const OF_TODAY: &str = "period_of_today_closed";
/// Orders are seldom older than this when they are paid.
const LATELY: TimeDelta = TimeDelta::days(30);

/// What the target tells of its periods; where it tells nothing, what documents have met.
pub(super) async fn look(engine: &Engine, flow: &LoadedFlow, calls: &Calls) -> Result<Vec<Finding>, Failure> {
    let Some(document) = flow.flow.document.filter(|_| flow.way() == Way::Documents) else { return Ok(Vec::new()) };
    let target = connections::target(engine, &flow.tenant, &flow.config, &flow.flow.to).await?;
    let now = engine.clock.now();
    let today = now.date_naive();
    let periods = match target.list_periods(document, calls).await {
        Ok(told) => Periods::remembered(engine, flow).await?.told(told),
        // The connection says so itself.
        Err(_) => return Ok(Vec::new()),
    };
    let mut findings = Vec::new();
    if periods.is_closed(today) {
        findings.push(told(flow, OF_TODAY, format!("the period {} of today", periods.name_of(today))));
    }
    let current = periods.name_of(today);
    let days = (1..=LATELY.num_days()).filter_map(|back| today.checked_sub_signed(TimeDelta::days(back)));
    let mut closed: Vec<String> = Vec::new();
    for day in days.filter(|day: &NaiveDate| periods.is_closed(*day)) {
        let name = periods.name_of(day);
        if name != current && !closed.contains(&name) {
            closed.push(name);
        }
    }
    // Whoever does not tell has refused a document: that is known for longer than it is believed.
    let first = periods.name_of(today - LATELY);
    for (name, at) in periods.refusals().filter(|(name, _)| !periods.is_told() && *name >= first.as_str()) {
        if name != current && !closed.iter().any(|known| known == name) {
            closed.push(format!("{name} (when a document was refused, on {})", at.format("%Y-%m-%d")));
        }
    }
    if !closed.is_empty() {
        findings.push(told(
            flow,
            "periods_closed",
            format!("of the last {} days, {}", LATELY.num_days(), closed.join(", ")),
        ));
    }
    Ok(findings)
}

fn told(flow: &LoadedFlow, code: &str, what: String) -> Finding {
    let system = flow.target_facts.name;
    let advice = match flow.flow.settings.closed_period {
        ClosedPeriod::Reject => {
            format!("open it in {system}, or set {SETTING}: first_open_day; else such documents are rejected")
        }
        ClosedPeriod::FirstOpenDay => format!("documents of these days get a later date, because {SETTING} says so"),
    };
    let cause = Cause::new(code, format!("closed in {system}: {what}")).advice(advice);
    Finding::warning(cause.in_flow(&flow.name).in_row(SETTING))
}
