//! What stands between Asperion and a flow: consent that grows old, rights, parts of the API that are only assumed,
//! currencies.

use chrono::TimeDelta;
use koppel_core::document::Entity;
use koppel_core::ports::{Asked, Calls, Finding};
use koppel_core::{Cause, Failure};
use serde_json::json;

use super::{Asperion, customers, documents};

/// Tokens that were not renewed for this long are told: how long a refresh token lives is not published.
const OLD: TimeDelta = TimeDelta::days(10);

/// Everything that is found out about a connection.
pub(super) async fn diagnose(asperion: &Asperion, asked: &Asked, calls: &Calls) -> Result<Vec<Finding>, Failure> {
    let (client, settings) = (&asperion.client, &asperion.settings);
    let mut findings = Vec::new();
    // Before the first call, which renews them.
    let age = client.age_of_tokens().await?;
    client.introduce(calls).await?;
    if let Some(age) = age.filter(|age| *age > OLD) {
        let message = format!("the tokens had not been renewed for {} days", age.num_days());
        let cause = Cause::new("token_old", message)
            .advice("they are renewed now; let a flow of this connection run at least once a week");
        findings.push(Finding::warning(cause));
    }
    if asked.writes {
        // An empty debtor, to be checked and not stored: it must be refused for what is missing, and for nothing else.
        match client.validate(customers::DEBTORS, json!({}), calls).await {
            Err(Failure::Reject(_)) => {}
            Err(failure @ Failure::Settings(_)) => findings.push(failure.into()),
            Err(failure) => return Err(failure),
            Ok(_) => {
                let message = "an empty debtor was not refused when it was only to be checked";
                let cause = Cause::new("validation_unknown", message)
                    .advice("look in Asperion whether a debtor without a name is there now, and remove it");
                findings.push(Finding::warning(cause));
            }
        }
    }
    let reads = |entity| asked.entities.contains(&entity);
    if (reads(Entity::Products) || reads(Entity::Stock)) && settings.articles {
        let message = "articles are read by names that are assumed";
        let cause = Cause::new("assumed", message)
            .advice("compare a few articles in the shop with Asperion; correct names with the option profile");
        findings.push(Finding::warning(cause.in_row("assume_articles")));
    }
    let books = asked.writes && (reads(Entity::Orders) || reads(Entity::Refunds));
    if books && settings.debtor_account.is_some() && documents::needs_vat_account(settings) {
        let cause = Cause::new("missing_option", "entries with VAT need the ledger account of VAT")
            .advice("set vat_account to its number, or entry_vat: on_line");
        findings.push(Finding::error(cause.in_row("vat_account")));
    }
    let foreign: Vec<&str> =
        asked.currencies.iter().map(String::as_str).filter(|code| *code != settings.currency).collect();
    if !foreign.is_empty() {
        let message = format!(
            "orders are in {}, the administration keeps its books in {}",
            foreign.join(", "),
            settings.currency
        );
        let cause = Cause::new("foreign_currency", message)
            .advice("such orders are refused: leave them out with filter.where, or book them by hand");
        findings.push(Finding::error(cause.in_row("currency")));
    }
    Ok(findings)
}
