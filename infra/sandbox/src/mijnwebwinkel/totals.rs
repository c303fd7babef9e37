//! What a line and an order come to.

use std::collections::BTreeMap;

use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Value, json};

use crate::text::{amount, decimal};

/// Half a cent goes away from zero.
pub(super) fn cents(value: Decimal) -> Decimal {
    value.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

fn six(value: Decimal) -> Decimal {
    value.round_dp_with_strategy(6, RoundingStrategy::MidpointAwayFromZero)
}

fn percent(rate: Decimal) -> Decimal {
    Decimal::ONE + rate / Decimal::ONE_HUNDRED
}

/// A price with VAT without it, to six decimals.
pub(super) fn without_tax(price: Decimal, rate: Decimal) -> Decimal {
    six(price / percent(rate))
}

/// A price without VAT with it.
pub(super) fn with_tax(price: Decimal, rate: Decimal) -> Decimal {
    cents(price * percent(rate))
}

/// One rate of a line: amount without VAT to six decimals, with it to two.
pub(super) fn priced(rate: Decimal, net: Decimal) -> Value {
    let net = six(net);
    json!({"rate": rate.normalize().to_string(), "amount": format!("{net:.6}"),
        "amount_including_tax": format!("{:.2}", with_tax(net, rate))})
}

/// A line: its price is that of the whole line, a list with one entry per rate.
pub(super) fn line(id: &str, kind: &str, quantity: i64, description: Option<&str>, prices: Vec<Value>) -> Value {
    let mut line =
        json!({"id": id, "type": kind, "quantity": quantity, "weight": "0.000", "price": prices, "articles": []});
    if let Some(text) = description {
        line["description"] = json!(text);
    }
    line
}

/// The price of a line of one article: quantity times unit price and options.
pub(super) fn article_price(article: &Value, quantity: i64) -> Value {
    let options: Decimal = article["options"].as_array().into_iter().flatten().map(|one| amount(one, "price")).sum();
    let rate = amount(&article["price"], "rate");
    priced(rate, Decimal::from(quantity) * (amount(&article["price"], "amount") + options))
}

/// Total with VAT, and VAT per rate.
pub(super) fn settle(order: &mut Value) {
    let mut rates: BTreeMap<Decimal, (Decimal, Decimal)> = BTreeMap::new();
    let lines = order["orderlines"].as_array().cloned().unwrap_or_default();
    for price in lines.iter().flat_map(|line| line["price"].as_array().cloned().unwrap_or_default()) {
        let sums = rates.entry(amount(&price, "rate")).or_default();
        sums.0 += amount(&price, "amount");
        sums.1 += amount(&price, "amount_including_tax");
    }
    let total: Decimal = rates.values().map(|(_, with)| *with).sum();
    let tax = rates.iter().rev().map(|(rate, (without, with))| {
        json!({"rate": rate.normalize().to_string(), "amount": format!("{:.2}", cents(with - without))})
    });
    order["price"] = json!({"tax": tax.collect::<Vec<_>>(), "total": format!("{total:.2}")});
}

/// The net of all lines, by rate: what a discount in percent is taken of.
pub(super) fn net_by_rate(lines: &[Value]) -> BTreeMap<Decimal, Decimal> {
    let mut rates = BTreeMap::new();
    for price in lines.iter().flat_map(|line| line["price"].as_array().into_iter().flatten()) {
        *rates.entry(amount(price, "rate")).or_default() += amount(price, "amount");
    }
    rates
}

/// The rate of an article (or of costs: none) in a region, in percent.
pub(super) fn rate(regions: &[Value], region: &str, article: Option<&str>) -> Decimal {
    let Some(row) = regions.iter().find(|row| row["regionCode"] == region) else { return Decimal::ZERO };
    let overrides = row["overrides"].as_array().into_iter().flatten();
    let own = article.and_then(|uuid| {
        overrides.clone().find(|one| {
            let items = one["items"].as_array().into_iter().flatten();
            items.flat_map(|item| item["references"].as_array().into_iter().flatten()).any(|known| *known == uuid)
        })
    });
    let fraction = own.map_or(&row["taxRate"], |one| &one["taxRate"]);
    decimal(fraction).unwrap_or_default() * Decimal::ONE_HUNDRED
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::dec;

    #[test]
    fn the_line_of_an_action_price_comes_to_what_the_definition_shows() {
        let article = json!({"price": {"amount": "7.396694", "rate": "21"},
            "options": [{"description": "Action price", "price": "-3.305785"}]});
        let price = article_price(&article, 2);
        assert_eq!(price, json!({"rate": "21", "amount": "8.181818", "amount_including_tax": "9.90"}));
        assert_eq!(without_tax(dec("12.04"), dec("21")), dec("9.950413"));
    }
}
