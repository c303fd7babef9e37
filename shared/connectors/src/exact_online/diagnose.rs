//! What stands between Exact Online and a flow: consent that grows old, a division that cannot be used, currencies.

use chrono::TimeDelta;
use koppel_core::ports::{Asked, Calls, Finding};
use koppel_core::{Cause, Failure};

use super::client::Client;
use super::odata;

/// Tokens that were not renewed for this long are told: after 30 days without use they are dead.
const OLD: TimeDelta = TimeDelta::days(20);

/// Everything that is found out about a division.
pub(super) async fn diagnose(client: &Client, asked: &Asked, calls: &Calls) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    // Before the first call, which renews them.
    let age = client.age_of_tokens().await?;
    client.introduce(calls).await?;
    if let Some(age) = age.filter(|age| *age > OLD) {
        let message = format!("the tokens had not been renewed for {} days; they die after 30", age.num_days());
        let cause = Cause::new("token_old", message)
            .advice("they are renewed now; let a flow of this connection run at least once a week");
        findings.push(Finding::warning(cause));
    }
    // Without the right to list divisions nothing more is known of it.
    let Some(division) = client.own_division(calls).await? else { return Ok(findings) };
    let code = odata::field(&division, "Code").unwrap_or_default();
    if let Some(status) = odata::field(&division, "BlockingStatus").filter(|status| status != "0") {
        let message = format!("Exact Online blocks division {code} (blocking status {status})");
        let cause = Cause::new("division_blocked", message)
            .advice("open the division in Exact Online and see why: a backup, a conversion, or the subscription");
        findings.push(Finding::error(cause.in_row("division")));
    }
    if let Some(since) = odata::local(&division, "ArchiveDate").filter(|since| *since <= client.local_now()) {
        let message = format!("division {code} is archived since {}", since.date());
        let cause = Cause::new("division_blocked", message)
            .advice("take it out of the archive in Exact Online, or connect another division");
        findings.push(Finding::error(cause.in_row("division")));
    }
    if let Some(own) = odata::field(&division, "Currency") {
        let foreign: Vec<&str> = asked.currencies.iter().map(String::as_str).filter(|code| *code != own).collect();
        if !foreign.is_empty() {
            let message = format!("orders are in {}, division {code} keeps its books in {own}", foreign.join(", "));
            let cause = Cause::new("foreign_currency", message)
                .advice("see in Exact Online that each of these currencies is there, with exchange rates");
            findings.push(Finding::warning(cause));
        }
    }
    Ok(findings)
}
