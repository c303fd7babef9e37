//! What a shop does that would hold up a flow: asked before it goes live, with reads and one write of nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::document::Entity;
use koppel_core::ports::{Asked, Calls, Finding};
use koppel_core::{Cause, Failure};
use serde_json::{Value, json};

use super::client::WooCommerceClient;
use super::judge::NO_ROUTE;
use super::native::{self, text};

/// So many examples are named.
const EXAMPLES: usize = 5;

/// Everything that is found out about a shop.
pub(super) async fn diagnose(
    client: &WooCommerceClient,
    asked: &Asked,
    calls: &Calls,
) -> Result<Vec<Finding>, Failure> {
    let status = client.system_status(calls).await?;
    let mut findings = Vec::new();
    findings.extend(stripped(client));
    findings.extend(other_address(client, &status));
    if asked.writes {
        findings.extend(read_only(client, calls).await?);
    }
    if asked.entities.contains(&Entity::Orders) {
        findings.extend(tax_settings(client, calls).await?);
    }
    for (entity, path) in [(Entity::Orders, "orders"), (Entity::Products, "products")] {
        if asked.entities.contains(&entity) {
            findings.extend(dates(client, path, calls).await?);
        }
    }
    if asked.entities.iter().any(|entity| *entity != Entity::Customers) {
        findings.extend(article_numbers(client, calls).await?);
    }
    Ok(findings)
}

/// The keys came through only in the query string.
fn stripped(client: &WooCommerceClient) -> Option<Finding> {
    client.keys_go_by_query().then(|| {
        Finding::warning(
            Cause::new(
                "authorization_stripped",
                "the shop's host strips the Authorization header: the keys are refused there first, on every start",
            )
            .advice("set auth: query for this connection, or let the host pass the header on")
            .in_row("auth"),
        )
    })
}

/// The shop gives itself another host than the one it is called by.
fn other_address(client: &WooCommerceClient, status: &Value) -> Option<Finding> {
    let own = status.pointer("/environment/site_url").and_then(Value::as_str)?;
    let host = |url: &str| {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default().to_lowercase()
    };
    if host(own) == host(client.base()) || client.has_own_address() {
        return None;
    }
    Some(Finding::warning(
        Cause::new("other_address", format!("the shop is called at {}, and calls itself {own}", client.base()))
            .advice(format!("set url to {own} when it answers there, or site_url to it when a proxy is in between"))
            .in_row("url"),
    ))
}

/// Writing nothing is answered with nothing, unless the keys may not write.
async fn read_only(client: &WooCommerceClient, calls: &Calls) -> Result<Option<Finding>, Failure> {
    match client.post("products/batch", json!({}), None, calls).await {
        Ok(_) => Ok(None),
        Err(Failure::Auth(cause)) => Ok(Some(Finding::error(
            Cause::new("keys_read_only", format!("the keys may not write: {}", cause.message))
                .advice("give the key the permission read/write in WooCommerce under Settings, Advanced, REST API"),
        ))),
        Err(other) => Err(other),
    }
}

async fn tax_settings(client: &WooCommerceClient, calls: &Calls) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    for (name, code, message) in [
        (
            "woocommerce_tax_round_at_subtotal",
            "round_at_subtotal",
            "the shop rounds tax over the order, the lines hold parts of cents",
        ),
        (
            "woocommerce_prices_include_tax",
            "prices_include_tax",
            "prices are typed with tax, so net prices have parts of cents",
        ),
    ] {
        let setting = client.one(&format!("settings/tax/{name}"), &[], calls).await?.unwrap_or_default();
        if setting["value"] == "yes" {
            let cause = Cause::new(code, message)
                .advice("set settings.rounding: { line: true, … } in the flow, so that a cent has a line to go on");
            findings.push(Finding::warning(cause.in_row("settings.rounding")));
        }
    }
    Ok(findings)
}

/// Times are asked for in UTC; some plugins read them as times of the shop, and then changes are missed.
async fn dates(client: &WooCommerceClient, path: &str, calls: &Calls) -> Result<Option<Finding>, Failure> {
    let newest = [
        ("orderby", "modified"),
        ("order", "desc"),
        ("per_page", "1"),
        ("_fields", "id,date_modified,date_modified_gmt"),
    ];
    let newest = client.get_list(path, &newest, calls).await?;
    let Some(record) = newest.records.first() else { return Ok(None) };
    let (local, utc) = (text(&record["date_modified"]), text(&record["date_modified_gmt"]));
    let (Some(id), Ok(at)) = (native::id(record), format!("{utc}Z").parse::<DateTime<Utc>>()) else { return Ok(None) };
    // Where both clocks show the same, nothing can go wrong and nothing can be seen.
    if local == utc {
        return Ok(None);
    }
    let before = is_after(client, path, id, at - TimeDelta::seconds(1), calls).await?;
    let after = is_after(client, path, id, at + TimeDelta::seconds(1), calls).await?;
    Ok((!before || after).then(|| {
        Finding::error(
            Cause::new(
                "dates_are_gmt_ignored",
                format!("the shop takes times in UTC for its own ({path}): changes are missed or read twice"),
            )
            .advice("look for a plugin or cache that changes REST queries, or set the time zone of the shop to UTC"),
        )
    }))
}

async fn is_after(
    client: &WooCommerceClient,
    path: &str,
    id: u64,
    moment: DateTime<Utc>,
    calls: &Calls,
) -> Result<bool, Failure> {
    let (id_text, moment) = (id.to_string(), super::client::gmt(moment));
    let query = [("include", &*id_text), ("modified_after", &*moment), ("dates_are_gmt", "true"), ("_fields", "id")];
    let list = client.get_list(path, &query, calls).await?;
    Ok(list.records.iter().any(|record| native::id(record) == Some(id)))
}

/// Articles that cannot be told apart: without a number, or with the number of another.
async fn article_numbers(client: &WooCommerceClient, calls: &Calls) -> Result<Vec<Finding>, Failure> {
    let fields = [("_fields", "id,sku,type,name,status")];
    let mut articles = client.all("products", &fields, calls).await?;
    match client.all("variations", &fields, calls).await {
        Ok(variations) => articles.extend(variations),
        // Shops before 10.3 have no such list.
        Err(failure) if failure.cause().code == NO_ROUTE => {}
        Err(failure) => return Err(failure),
    }
    let sold = articles.iter().filter(|one| one["type"] != "variable" && one["type"] != "grouped");
    // The shop compares article numbers without case; a person sees the first as it is written.
    let mut by_number: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
    for article in sold {
        let name = format!("{} «{}»", text(&article["id"]), text(&article["name"]));
        let number = text(&article["sku"]).trim().to_owned();
        let known = by_number.entry(number.to_lowercase()).or_insert_with(|| (number, Vec::new()));
        known.1.push(name);
    }
    let mut findings = Vec::new();
    if let Some((_, nameless)) = by_number.remove("") {
        let cause =
            Cause::new("empty_sku", format!("{} without an article number: {}", nameless.len(), some(&nameless)))
                .advice("give them an SKU in the shop, or set settings.default_item in the flow of orders");
        findings.push(Finding::warning(cause));
    }
    for (number, articles) in by_number.values().filter(|(_, articles)| articles.len() > 1) {
        let message = format!("the article number «{number}» is there {} times: {}", articles.len(), some(articles));
        let cause = Cause::new("duplicate_sku", message).advice("give each of them an SKU of its own in the shop");
        findings.push(Finding::error(cause));
    }
    Ok(findings)
}

fn some(names: &[String]) -> String {
    let more = if names.len() > EXAMPLES { ", …" } else { "" };
    let shown: Vec<&str> = names.iter().take(EXAMPLES).map(String::as_str).collect();
    format!("{}{more}", shown.join(", "))
}
