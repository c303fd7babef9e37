//! A native order made ready for rows. What is added, under names of its own:
//!
//! * `lines`: one for each order line and rate, with `kind`, `sku`, `net`, `net_before_discount`, `tax`, `taxes`, `rate`
//! * `tax_rates`: VAT per rate as the shop states it, and `total_tax`
//! * `created_at`, `modified_at`: moments in UTC
//! * `debtor.address.invoice.first_name`, `last_name`, and those of `delivery`
//! * `payment_method`, `payment_title`, `shipping_method`, `vat_number`, `credits`
//!
//! The price of a line is that of all its pieces, with its options and reductions in it; that of its article is of one
//! piece without them. So net and tax come from the line alone, and are exact: what is with VAT less what is without.

use koppel_core::message::SourceRecord;
use koppel_core::{Cause, Failure, NonEmpty};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::{cents, decimal, flag, group, many, names, number, plain, text};
use crate::mijnwebwinkel::options::{CostLines, Options};

/// Words in the type of a line that stands for delivery.
const SHIPPING_WORDS: [&str; 4] = ["shipping", "delivery", "verzend", "bezorg"];

/// The order gives back what another sold.
pub fn is_credit(raw: &Value) -> bool {
    !text(&raw["credited_order_number"]).is_empty()
}

/// The order was made to try the shop out.
pub fn is_test(raw: &Value) -> bool {
    number(raw).chars().any(char::is_alphabetic)
}

/// Makes a source record of a native order.
pub fn record(raw: Value, options: &Options) -> Result<SourceRecord, Failure> {
    let Some(key) = NonEmpty::new(number(&raw)) else {
        return Err(Failure::reject(Cause::new("order_without_number", "the shop answered an order without a number")));
    };
    let raw = prepared(raw, options);
    let modified_at = raw["modified_at"].as_str().and_then(|text| text.parse().ok());
    Ok(SourceRecord { label: key.to_string(), partition: partition(&raw, &key), key, modified_at, raw })
}

/// Orders of one buyer are one lane: the e-mail address, else the buyer's id, else the order alone.
pub(super) fn partition(raw: &Value, key: &NonEmpty) -> String {
    let email = text(&raw["debtor"]["email"]).to_lowercase();
    if email.contains('@') {
        return email;
    }
    match text(&raw["debtor"]["id"]).as_str() {
        "" => format!("order:{key}"),
        id => format!("customer:{id}"),
    }
}

/// The order with everything that rows read.
pub(super) fn prepared(mut raw: Value, options: &Options) -> Value {
    let moment = |date: &str, time: &str| {
        let moment = options.moment(&text(&raw[date]), &text(&raw[time]));
        moment.map_or(Value::Null, |moment| json!(moment.format("%Y-%m-%dT%H:%M:%SZ").to_string()))
    };
    let created = moment("date", "time");
    let changed = moment("status_changed_date", "status_changed_time");
    raw["modified_at"] = if changed.is_null() { created.clone() } else { changed };
    raw["created_at"] = created;
    for field in ["number", "status", "credited_order_number", "discountcode", "currency"] {
        raw[field] = json!(text(&raw[field]));
    }
    let lines = lines(&raw, options);
    let sum = |field: &str| lines.iter().filter_map(|line| decimal(&line[field])).sum::<Decimal>();
    let rates: Vec<Value> = many(&raw["price"]["tax"])
        .iter()
        .filter_map(|tax| {
            Some(json!({"rate": plain(decimal(&tax["rate"])?), "amount": plain(decimal(&tax["amount"])?)}))
        })
        .collect();
    // The rates are rounded each on its own; only the sum of the lines goes with the total to the cent.
    let stated: Decimal = rates.iter().filter_map(|tax| decimal(&tax["amount"])).sum();
    let tax = if lines.is_empty() { stated } else { sum("tax") };
    let total = decimal(&raw["price"]["total"]).unwrap_or_else(|| cents(sum("net") + sum("tax")));
    raw["total_tax"] = plain(tax);
    raw["total"] = plain(total);
    raw["tax_rates"] = Value::Array(rates);
    raw["lines"] = Value::Array(lines);
    raw["test"] = json!(is_test(&raw));
    people(&mut raw);
    let payment = group(&raw["payment"]);
    let method = payment.get("method_name").map(text).unwrap_or_default();
    raw["payment_title"] = json!(method);
    raw["payment_method"] = json!(method);
    // How it is sent is not told; only that somebody comes for it.
    raw["shipping_method"] = json!(if text(&raw["offline_location_id"]).is_empty() { "" } else { "pickup" });
    raw["credits"] = many(&raw["credit_order_numbers"]).iter().map(|number| json!({"id": text(number)})).collect();
    raw
}

fn people(raw: &mut Value) {
    let debtor = group(&raw["debtor"]);
    if debtor.is_empty() {
        raw["debtor"] = json!({});
    }
    let mut addresses = group(&raw["debtor"]["address"]);
    for kind in ["invoice", "delivery"] {
        let mut address = group(addresses.get(kind).unwrap_or(&Value::Null));
        // Orders from before there were addresses have the buyer's name beside them.
        let name = ["name"].iter().find_map(|field| address.get(*field).map(text).filter(|text| !text.is_empty()));
        let name = name.unwrap_or_else(|| if kind == "invoice" { text(&raw["debtor"]["name"]) } else { String::new() });
        let (first, last) = names(&name);
        address.insert("first_name".into(), json!(first));
        address.insert("last_name".into(), json!(last));
        for field in ["company", "phone", "street", "number", "zipcode", "city", "country_code", "taxnumber"] {
            let value = address.get(field).map(text).unwrap_or_default();
            address.insert(field.into(), json!(value));
        }
        let line = [&address["street"], &address["number"]].map(text).join(" ");
        address.insert("line".into(), json!(line.trim()));
        addresses.insert(kind.into(), Value::Object(address));
    }
    raw["vat_number"] = json!(text(&addresses["invoice"]["taxnumber"]));
    raw["debtor"]["address"] = Value::Object(addresses);
    raw["guest"] = json!(!flag(&raw["debtor"]["link_to_account"]));
}

/// The lines of an order, one for each rate.
pub(super) fn lines(raw: &Value, options: &Options) -> Vec<Value> {
    let native = many(&raw["orderlines"]);
    let is_cost = |line: &Value| many(&line["articles"]).is_empty() && text(&line["type"]) == "payment";
    let last_cost = native.iter().rposition(is_cost);
    let mut lines = Vec::new();
    for (at, line) in native.iter().enumerate() {
        let role = match options.cost_lines {
            _ if !is_cost(line) => None,
            CostLines::Shipping => Some("shipping"),
            CostLines::Fee => Some("fee"),
            CostLines::LastIsShipping => Some(if last_cost == Some(at) { "shipping" } else { "fee" }),
        };
        lines.extend(parts(line, role, options));
    }
    lines
}

/// One line for each rate of a native line.
fn parts(line: &Value, role: Option<&'static str>, options: &Options) -> Vec<Value> {
    let article = many(&line["articles"]).into_iter().next().unwrap_or_default();
    let quantity = decimal(&line["quantity"]).unwrap_or(Decimal::ONE);
    let prices: Vec<(Decimal, Decimal, Decimal)> = many(&line["price"]).iter().map(amounts).collect();
    let total: Decimal = prices.iter().map(|(_, net, _)| *net).sum();
    let kind = kind(line, role, total);
    let id = text(&line["id"]);
    let choices = Choices::of(&article);
    let sku = options.sku.of(&text(&article["sku"]), &choices.names);
    let description = description(line, &article, &choices);
    let whole = prices.len() == 1;
    let one = |(number, (rate, net, with)): (usize, &(Decimal, Decimal, Decimal))| {
        let before = if whole && kind == "product" { choices.regular(&article, quantity) } else { None };
        json!({
            "id": if number == 0 { id.clone() } else { format!("{id}/{}", number + 1) },
            "kind": if number > 0 && kind == "product" { "fee" } else { kind },
            "type": text(&line["type"]),
            "sku": sku,
            "description": description,
            // The pieces go with the first part; the rest of the amount is there once.
            "quantity": plain(if number > 0 { Decimal::ONE } else { quantity }),
            "net": plain(*net),
            "net_before_discount": plain(before.unwrap_or(*net)),
            "tax": plain(*with - *net),
            "rate": plain(*rate),
            "taxes": [{"rate": plain(*rate), "amount": plain(*with - *net)}],
            "article_id": text(&article["id"]),
        })
    };
    prices.iter().enumerate().map(one).collect()
}

/// Rate, amount without VAT and amount with it. Either amount may be missing.
fn amounts(price: &Value) -> (Decimal, Decimal, Decimal) {
    let rate = decimal(&price["rate"]).unwrap_or_default();
    let factor = Decimal::ONE + rate / Decimal::ONE_HUNDRED;
    match (decimal(&price["amount"]), decimal(&price["amount_including_tax"])) {
        (Some(net), Some(with)) => (rate, net, with),
        (Some(net), None) => (rate, net, cents(net * factor)),
        (None, Some(with)) => (rate, (with / factor).round_dp(6), with),
        (None, None) => (rate, Decimal::ZERO, Decimal::ZERO),
    }
}

/// What a line stands for. Types are an open list, so what it holds says more than what it is called.
fn kind(line: &Value, role: Option<&'static str>, net: Decimal) -> &'static str {
    let word = text(&line["type"]).to_lowercase();
    if !many(&line["articles"]).is_empty() {
        "product"
    } else if word.contains("discount") || word.contains("korting") || net.is_sign_negative() && role.is_none() {
        "discount"
    } else if let Some(role) = role {
        role
    } else if SHIPPING_WORDS.iter().any(|known| word.contains(known)) {
        "shipping"
    } else {
        "fee"
    }
}

fn description(line: &Value, article: &Value, choices: &Choices) -> String {
    let own = [text(&line["description"]), text(&article["description"])].into_iter().find(|text| !text.is_empty());
    let own = own.unwrap_or_default();
    let shown: Vec<&str> = choices.names.iter().map(String::as_str).filter(|name| !own.contains(name)).collect();
    if shown.is_empty() { own } else { format!("{own} ({})", shown.join(", ")) }
}

/// The options of an article in a line.
struct Choices {
    /// Names of those that make a variant.
    names: Vec<String>,
    /// What they add to the price of a piece.
    surcharges: Decimal,
}

impl Choices {
    fn of(article: &Value) -> Self {
        let (mut names, mut surcharges) = (Vec::new(), Decimal::ZERO);
        for option in many(&article["options"]) {
            let price = decimal(&option["price"]).unwrap_or_default();
            // A reduction is an option too, without a list behind it: «Action price», with a negative price.
            if text(&option["list_option_id"]).is_empty() {
                if price.is_sign_positive() {
                    surcharges += price;
                }
                continue;
            }
            names.push(text(&option["description"]));
            surcharges += price;
        }
        Self { names, surcharges }
    }

    /// What the line would be without a reduction.
    fn regular(&self, article: &Value, quantity: Decimal) -> Option<Decimal> {
        Some(quantity * (decimal(&article["price"]["amount"])? + self.surcharges))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::connection;

    fn options(value: Value) -> Options {
        Options::of(&connection("mijnwebwinkel", value, &[])).unwrap()
    }

    fn line(kind: &str, price: Value) -> Value {
        json!({"id": "l1", "type": kind, "quantity": 1, "price": price})
    }

    #[test]
    fn a_line_with_several_rates_becomes_one_for_each() {
        let prices = json!([{"rate": "21", "amount": "0.173554", "amount_including_tax": "0.21"},
            {"rate": "9", "amount": "0.724771", "amount_including_tax": "0.79"}]);
        let made = lines(&json!({"orderlines": [line("payment", prices)]}), &options(json!({})));
        let shown: Vec<(String, String, String, String)> = made
            .iter()
            .map(|one| (text(&one["id"]), text(&one["net"]), text(&one["tax"]), text(&one["rate"])))
            .collect();
        assert_eq!(
            shown,
            [
                ("l1".into(), "0.173554".into(), "0.036446".into(), "21".into()),
                ("l1/2".into(), "0.724771".into(), "0.065229".into(), "9".into())
            ]
        );
    }

    #[test]
    fn what_a_line_holds_says_what_it_is() {
        let price = |net: &str| json!({"rate": 21, "amount": net, "amount_including_tax": net});
        let order = json!({"orderlines": [line("custom", price("2.50")), line("custom", price("-1")), line("korting", price("0")),
            line("verzendkosten", price("5")), line("payment", price("1")), line("payment", price("5")), line("surprise", price("3"))]});
        let kinds = |value: Value| -> Vec<String> {
            lines(&order, &options(value)).iter().map(|one| text(&one["kind"])).collect()
        };
        assert_eq!(kinds(json!({})), ["fee", "discount", "discount", "shipping", "fee", "shipping", "fee"]);
        assert_eq!(kinds(json!({"cost_lines": "fee"}))[4..6], ["fee", "fee"]);
        assert_eq!(kinds(json!({"cost_lines": "shipping"}))[4..6], ["shipping", "shipping"]);
    }

    #[test]
    fn an_action_price_is_a_reduction_and_an_option_a_variant() {
        let article = json!({"id": 506, "sku": "TSHIRT", "description": "T-shirt", "price": {"amount": "19.95", "rate": "21"},
            "options": [{"list_option_id": 311, "description": "Rood", "price": "0"},
                {"list_option_id": 321, "description": "S", "price": "1.00"}, {"description": "Action price", "price": "-5.00"}]});
        let mut one = line("article", json!({"rate": "21", "amount": "31.900000", "amount_including_tax": "38.60"}));
        one["quantity"] = json!("2");
        one["articles"] = json!([article]);
        let made = lines(&json!({"orderlines": one}), &options(json!({})));
        assert_eq!(
            (text(&made[0]["sku"]), text(&made[0]["description"])),
            ("TSHIRT-ROOD-S".into(), "T-shirt (Rood, S)".into())
        );
        assert_eq!((text(&made[0]["net"]), text(&made[0]["net_before_discount"])), ("31.9".into(), "41.9".into()));
        assert_eq!(text(&made[0]["quantity"]), "2");
    }

    #[test]
    fn an_order_stripped_to_its_bones_still_has_what_rows_read() {
        let record = record(
            json!({"number": 7, "date": "2026-11-22", "debtor": [], "orderlines": [], "price": []}),
            &options(json!({})),
        )
        .unwrap();
        assert_eq!((record.key.as_str(), record.partition.as_str()), ("7", "order:7"));
        assert_eq!((&record.raw["created_at"], &record.raw["total"]), (&json!("2026-11-21T23:00:00Z"), &json!("0")));
        assert_eq!(record.raw["debtor"]["address"]["invoice"]["last_name"], "");
        assert!(record_of_nothing().is_err());
    }

    fn record_of_nothing() -> Result<SourceRecord, Failure> {
        record(json!({"number": null}), &options(json!({})))
    }
}
