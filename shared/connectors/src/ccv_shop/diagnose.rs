//! What a shop does that would hold up a flow: asked before it goes live, with reads alone.

use std::collections::BTreeMap;

use koppel_core::document::Entity;
use koppel_core::ports::{Asked, Calls, Finding};
use koppel_core::{Cause, Failure};
use serde_json::Value;

use super::client::CcvShopClient;
use super::native::product::combinations;
use super::native::{is_yes, text};
use super::shop::{Shop, ShopFacts};

/// So many examples are named.
const EXAMPLES: usize = 5;
/// The shop refuses a call whose time is off by this much.
const REFUSED_SECONDS: i64 = 300;
/// Clocks that differ by this much should be set.
const NOTED_SECONDS: i64 = 60;
/// A subscription with fewer products left is nearly full.
const FEW_PRODUCTS: u64 = 50;

/// Everything that is found out about a shop.
pub(super) async fn diagnose(
    client: &CcvShopClient,
    shop: &Shop,
    asked: &Asked,
    calls: &Calls,
) -> Result<Vec<Finding>, Failure> {
    let facts = shop.facts(client, calls).await?;
    let mut findings = Vec::new();
    findings.extend(other_address(client, facts));
    if client.used_unsigned() {
        findings.push(Finding::warning(
            Cause::new(
                "unsigned_answers",
                "answers of the shop come without a right signature, and are used all the same",
            )
            .advice("look for a proxy or a firewall that changes answers, and set verify_answers: strict")
            .in_row("verify_answers"),
        ));
    }
    findings.extend(currency(facts, asked));
    let speaks_of = |entity: Entity| asked.entities.contains(&entity);
    if speaks_of(Entity::Orders) && facts.prices_include_vat {
        findings.push(Finding::warning(
            Cause::new("prices_include_tax", "prices are typed with tax, so net prices have parts of cents")
                .advice("set settings.rounding: { line: true, … } in the flow, so that a cent has a line to go on")
                .in_row("settings.rounding"),
        ));
    }
    if speaks_of(Entity::Products) && asked.writes {
        findings.extend(new_products(client, facts, calls).await?);
    }
    if asked.entities.iter().any(|entity| *entity != Entity::Customers) {
        findings.extend(article_numbers(client, calls).await?);
    }
    if speaks_of(Entity::Customers) {
        findings.extend(addresses(client, calls).await?);
    }
    findings.extend(webhooks(client, calls).await?);
    // Last, when there were answers enough to know the clock.
    findings.extend(clock(client));
    Ok(findings)
}

/// The clocks differ.
fn clock(client: &CcvShopClient) -> Option<Finding> {
    let seconds = client.seconds_ahead();
    let cause = |code: &str| {
        let way = if seconds > 0 { "behind" } else { "ahead of" };
        Cause::new(code, format!("the clock of this machine is {} seconds {way} that of the shop", seconds.abs()))
            .advice("let this machine take its time from the network (NTP); until then the time of the shop is used")
    };
    match seconds.abs() {
        off if off >= REFUSED_SECONDS => Some(Finding::error(cause("clock_wrong"))),
        off if off >= NOTED_SECONDS => Some(Finding::warning(cause("clock_off"))),
        _ => None,
    }
}

/// The shop gives itself another host than the one it is called by.
fn other_address(client: &CcvShopClient, facts: &ShopFacts) -> Option<Finding> {
    let host = |url: &str| {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        rest.split('/').next().unwrap_or_default().to_lowercase()
    };
    if facts.api_root.is_empty() || host(&facts.api_root) == host(client.base()) {
        return None;
    }
    Some(Finding::warning(
        Cause::new(
            "other_address",
            format!("the shop is called at {}, and wants to be called at {}", client.base(), facts.api_root),
        )
        .advice(format!("set url to {}", facts.api_root))
        .in_row("url"),
    ))
}

fn currency(facts: &ShopFacts, asked: &Asked) -> Option<Finding> {
    let other = asked.currencies.iter().find(|currency| !currency.eq_ignore_ascii_case(&facts.currency))?;
    Some(Finding::warning(Cause::new(
        "other_currency",
        format!("the shop sells in {}, and would get documents in {other}", facts.currency),
    )))
}

/// What new products need.
async fn new_products(client: &CcvShopClient, facts: &ShopFacts, calls: &Calls) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    if let Some(left) = facts.products_left.filter(|left| *left < FEW_PRODUCTS) {
        let cause = Cause::new("product_limit", format!("the subscription of the shop allows {left} more products"))
            .advice("remove products in the shop, or take a larger subscription");
        findings.push(if left == 0 { Finding::error(cause) } else { Finding::warning(cause) });
    }
    if client.whole("packages", &[], calls).await?.is_empty() {
        findings.push(Finding::error(
            Cause::new("no_package", "the shop has no package, and a new product needs one")
                .advice("make a package in the shop"),
        ));
    }
    if facts.percents.is_empty() {
        findings.push(Finding::error(
            Cause::new("no_tariffs", "the shop shows no tariffs of VAT for the country of this connection")
                .advice("set country to that of the shop, or add a row target.taxtariff to the flow")
                .in_row("country"),
        ));
    }
    Ok(findings)
}

/// Articles that cannot be told apart: without a number, or with the number of another.
async fn article_numbers(client: &CcvShopClient, calls: &Calls) -> Result<Vec<Finding>, Failure> {
    let asked = [("orderby", "id".to_owned()), ("expand", "attributecombinations".to_owned())];
    let products = client.all("products", &asked, client.page_size(), calls).await?;
    // A person sees the first as it is written.
    let mut by_number: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
    for product in &products {
        let name = format!("{} «{}»", text(&product["id"]), text(&product["name"]));
        let own = text(&product["productnumber"]).trim().to_owned();
        let combinations: Vec<Value> = combinations(product).into_iter().filter(|one| is_yes(&one["active"])).collect();
        let mut numbers = vec![(own.clone(), name.clone())];
        for one in &combinations {
            let number = text(&one["product_number"]).trim().to_owned();
            // One that repeats the number of its product, or has none, is ordered by that.
            if !number.is_empty() && number != own {
                numbers.push((number, format!("{name}, combination {}", text(&one["id"]))));
            }
        }
        for (number, name) in numbers {
            let known = by_number.entry(number.to_lowercase()).or_insert_with(|| (number, Vec::new()));
            known.1.push(name);
        }
    }
    let mut findings = Vec::new();
    if let Some((_, nameless)) = by_number.remove("") {
        let message = format!("{} without an article number: {}", nameless.len(), some(&nameless));
        let cause = Cause::new("empty_sku", message)
            .advice("give them an article number in the shop, or set settings.default_item in the flow of orders");
        findings.push(Finding::warning(cause));
    }
    for (number, articles) in by_number.values().filter(|(_, articles)| articles.len() > 1) {
        let message = format!("the article number «{number}» is there {} times: {}", articles.len(), some(articles));
        let cause = Cause::new("duplicate_sku", message).advice("give each of them a number of its own in the shop");
        findings.push(Finding::error(cause));
    }
    Ok(findings)
}

/// Users that cannot be told apart by their address.
async fn addresses(client: &CcvShopClient, calls: &Calls) -> Result<Vec<Finding>, Failure> {
    let users = client.all("users", &[("orderby", "id".into())], client.page_size(), calls).await?;
    let mut by_address: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for user in &users {
        by_address.entry(super::native::customer::email(user)).or_default().push(text(&user["id"]));
    }
    let mut findings = Vec::new();
    if let Some(nameless) = by_address.remove("") {
        let message = format!("{} users without an e-mail address: {}", nameless.len(), some(&nameless));
        findings.push(Finding::warning(Cause::new("empty_email", message).advice("add the address in the shop")));
    }
    let twice: Vec<String> =
        by_address.into_values().filter(|ids| ids.len() > 1).map(|ids| ids.join(" and ")).collect();
    if !twice.is_empty() {
        let cause = Cause::new("duplicate_email", format!("users share an e-mail address: {}", some(&twice)))
            .advice("give each of them an address of its own, or remove one");
        findings.push(Finding::error(cause));
    }
    Ok(findings)
}

/// Webhooks to Koppel that do not deliver.
async fn webhooks(client: &CcvShopClient, calls: &Calls) -> Result<Vec<Finding>, Failure> {
    let rows = client.webhooks(calls).await?;
    let is_off = |row: &&Value| text(&row["address"]).contains("/webhook/") && !is_yes(&row["is_active"]);
    let off: Vec<String> = rows.iter().filter(is_off).map(|row| text(&row["event"])).collect();
    if off.is_empty() {
        return Ok(Vec::new());
    }
    let cause = Cause::new("webhooks_off", format!("webhooks are switched off in the shop: {}", some(&off)))
        .advice("run koppel webhook check for this connection");
    Ok(vec![Finding::warning(cause)])
}

fn some(names: &[String]) -> String {
    let more = if names.len() > EXAMPLES { ", …" } else { "" };
    let shown: Vec<&str> = names.iter().take(EXAMPLES).map(String::as_str).collect();
    format!("{}{more}", shown.join(", "))
}
