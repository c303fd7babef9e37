//! What a shop does that would hold up a flow: asked before it goes live, with reads alone.

use std::collections::BTreeMap;

use koppel_core::document::Entity;
use koppel_core::ports::{Asked, Calls, Finding};
use koppel_core::{Cause, Failure};
use serde_json::Value;

use super::client::MijnWebwinkelClient;
use super::index::numbers;
use super::judge::NO_RIGHT;
use super::native::{flag, many, text};
use super::options::Options;
use super::paging::{Place, page};

/// So many examples are named.
const EXAMPLES: usize = 5;

/// Everything that is found out about a shop.
pub(super) async fn diagnose(
    client: &MijnWebwinkelClient,
    options: &Options,
    asked: &Asked,
    calls: &Calls,
) -> Result<Vec<Finding>, Failure> {
    let store = client.store(calls).await?;
    let mut findings = Vec::new();
    let has = |entity: Entity| asked.entities.contains(&entity);
    if has(Entity::Orders) || has(Entity::Refunds) {
        findings.extend(amounts(&store));
        findings.extend(companies(&store));
        findings.extend(statuses(client, calls).await?);
    }
    if has(Entity::Customers) {
        findings.extend(accounts(client, options, asked, calls).await?);
    }
    if has(Entity::Products) || has(Entity::Stock) || has(Entity::Orders) {
        findings.extend(articles(client, options, asked, calls).await?);
    }
    Ok(findings)
}

/// Net prices of a shop whose prices are with VAT have parts of cents.
fn amounts(store: &Value) -> Option<Finding> {
    flag(&store["prices_include_tax"]).then(|| {
        Finding::warning(
            Cause::new("prices_include_tax", "prices of the shop are with VAT, so net prices have parts of cents")
                .advice("set settings.rounding: { line: true, … } in the flow, so that a cent has a line to go on")
                .in_row("settings.rounding"),
        )
    })
}

/// The smallest package has no field for a company, so nobody is one.
fn companies(store: &Value) -> Option<Finding> {
    text(&store["version"]).eq_ignore_ascii_case("go").then(|| {
        Finding::warning(Cause::new(
            "no_companies",
            "the package of this shop has no company on invoices: every buyer is a private person",
        ))
    })
}

/// Which ids a filter may name.
async fn statuses(client: &MijnWebwinkelClient, calls: &Calls) -> Result<Option<Finding>, Failure> {
    let statuses = client.statuses(calls).await?;
    if statuses.is_empty() {
        let cause = Cause::new("no_statuses", "the shop tells no statuses of orders, so no filter can be checked");
        return Ok(Some(Finding::warning(cause)));
    }
    // Credit orders are the refunds of this shop; without a status for them there are none.
    let credit = statuses.iter().any(|status| flag(&status["credit_order"]));
    Ok((!credit).then(|| Finding::warning(Cause::new("no_credit_status", "the shop has no status for credit orders"))))
}

async fn accounts(
    client: &MijnWebwinkelClient,
    options: &Options,
    asked: &Asked,
    calls: &Calls,
) -> Result<Option<Finding>, Failure> {
    if !options.accounts && !asked.writes {
        return Ok(None);
    }
    match client.customers(Some("koppel-doctor@example.invalid"), calls).await {
        Ok(_) => Ok(None),
        Err(failure @ Failure::Settings(_)) if failure.cause().code == NO_RIGHT => Ok(Some(failure.into())),
        Err(failure) => Err(failure),
    }
}

/// Articles that cannot be told apart, and whether they can be asked for by id.
async fn articles(
    client: &MijnWebwinkelClient,
    options: &Options,
    asked: &Asked,
    calls: &Calls,
) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    let mut place = Place::default();
    let mut by_number: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
    let (mut nameless, mut first) = (Vec::new(), None);
    loop {
        let page = page(&place, |row| text(&row["id"]), |offset| client.articles(&[], offset, calls)).await?;
        for row in &page.records {
            let name = format!("{} «{}»", text(&row["id"]), text(&row["name"]));
            first.get_or_insert_with(|| text(&row["id"]));
            if text(&row["sku"]).is_empty() {
                nameless.push(name.clone());
            }
            // An article with variants is sold as one of them; its own number is that of none.
            let all = numbers(row, options);
            let sold = all.iter().filter(|(_, spot)| spot.variant.is_some() || many(&row["variants"]).is_empty());
            for (number, _) in sold {
                let known = by_number.entry(number.to_lowercase()).or_insert_with(|| (number.clone(), Vec::new()));
                known.1.push(name.clone());
            }
        }
        match page.next {
            Some(next) => place = next,
            None => break,
        }
    }
    if let (true, Some(id)) = (asked.writes, first)
        && let Err(failure) = client.articles_by_id(&[id], calls).await
    {
        match failure {
            Failure::Settings(_) => findings.push(failure.into()),
            other => return Err(other),
        }
    }
    if !nameless.is_empty() {
        let cause =
            Cause::new("empty_sku", format!("{} without an article number: {}", nameless.len(), some(&nameless)));
        findings.push(Finding::warning(
            cause.advice("give them a number in the shop, or set settings.default_item in the flow of orders"),
        ));
    }
    for (number, articles) in by_number.values().filter(|(_, articles)| articles.len() > 1) {
        let message = format!("the article number «{number}» is there {} times: {}", articles.len(), some(articles));
        let cause = Cause::new("duplicate_sku", message).advice("give each of them a number of its own in the shop");
        findings.push(Finding::error(cause));
    }
    Ok(findings)
}

fn some(names: &[String]) -> String {
    let more = if names.len() > EXAMPLES { ", …" } else { "" };
    let shown: Vec<&str> = names.iter().take(EXAMPLES).map(String::as_str).collect();
    format!("{}{more}", shown.join(", "))
}
