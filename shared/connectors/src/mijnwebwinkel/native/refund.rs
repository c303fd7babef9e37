//! Credit orders, each together with the order it credits: `{ refund, order }`. Quantities and amounts become negative,
//! in whichever sign the shop shows them.

use koppel_core::message::SourceRecord;
use koppel_core::{Cause, Failure, NonEmpty};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::order::{partition, prepared};
use super::{decimal, number, plain, text};
use crate::mijnwebwinkel::options::Options;

/// The key of a credit order: the order it credits and itself.
pub fn key(original: &str, credit: &str) -> Option<NonEmpty> {
    NonEmpty::new(format!("{original}/{credit}")).filter(|_| !original.is_empty() && !credit.is_empty())
}

/// Makes a source record. `credits` are all credit orders of the original that were read: they say how much of it is left.
pub fn record(credit: Value, original: Value, credits: &[Value], options: &Options) -> Result<SourceRecord, Failure> {
    let Some(key) = key(&number(&original), &number(&credit)) else {
        return Err(Failure::reject(Cause::new(
            "refund_without_number",
            "the shop answered a credit order without a number",
        )));
    };
    let credit = prepared(credit, options);
    let original = with_credits(prepared(original, options), credits);
    let total = decimal(&credit["total"]).unwrap_or_default();
    let turn = if total.is_sign_negative() { Decimal::ONE } else { -Decimal::ONE };
    let mut taken: Vec<String> = Vec::new();
    let lines: Vec<Value> = super::many(&credit["lines"])
        .into_iter()
        .map(|mut line| {
            for field in ["quantity", "net", "net_before_discount", "tax"] {
                line[field] = plain(decimal(&line[field]).unwrap_or_default() * turn);
            }
            line["taxes"] = json!([{"rate": line["rate"], "amount": line["tax"]}]);
            // Costs are there once, whichever sign their quantity has.
            if line["kind"] != "product" {
                line["quantity"] = plain(Decimal::ZERO);
            }
            line["id"] = json!(line_of(&original, &line, &mut taken));
            line
        })
        .collect();
    let refund = json!({"id": number(&credit), "total": plain(total.abs()), "created_at": credit["created_at"],
        "date": credit["date"], "status": credit["status"], "reason": text(&credit["comments"]["internal"]), "lines": lines});
    let order_key = NonEmpty::new(number(&original)).unwrap_or_else(|| key.clone());
    Ok(SourceRecord {
        label: format!("{order_key} credit {}", number(&credit)),
        partition: partition(&original, &order_key),
        modified_at: credit["created_at"].as_str().and_then(|text| text.parse().ok()),
        key,
        raw: json!({"refund": refund, "order": original}),
    })
}

/// Puts the amounts of its credit orders beside their numbers.
pub fn with_credits(mut order: Value, credits: &[Value]) -> Value {
    for one in order["credits"].as_array_mut().map(Vec::as_mut_slice).unwrap_or_default() {
        let known = credits.iter().find(|credit| number(credit) == text(&one["id"]));
        let total = known.and_then(|credit| decimal(&credit["price"]["total"])).unwrap_or_default();
        one["total"] = plain(total.abs());
    }
    order
}

/// The line of the original that a line gives back: the same article with the same choices, at the same rate; a line
/// without an article by its kind. Each is taken once.
fn line_of(original: &Value, line: &Value, taken: &mut Vec<String>) -> String {
    let same = |known: &&Value| {
        let by_article = !text(&line["article_id"]).is_empty()
            && known["article_id"] == line["article_id"]
            && known["sku"] == line["sku"]
            && known["description"] == line["description"];
        let by_kind = text(&line["article_id"]).is_empty()
            && known["kind"] == line["kind"]
            && known["description"] == line["description"];
        (by_article || by_kind)
            && decimal(&known["rate"]) == decimal(&line["rate"])
            && !taken.contains(&text(&known["id"]))
    };
    let found = original["lines"].as_array().into_iter().flatten().find(same).map(|known| text(&known["id"]));
    let id = found.unwrap_or_else(|| text(&line["id"]));
    taken.push(id.clone());
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::connection;

    fn order(number: &str, quantity: i64, net: &str, with: &str) -> Value {
        json!({"number": number, "date": "2026-11-22", "time": "07:00:00", "status": 3, "price": {"total": with},
            "debtor": {"email": "Jan@example.test"}, "orderlines": [{"id": format!("line-{number}"), "type": "article",
                "quantity": quantity, "price": {"rate": "21", "amount": net, "amount_including_tax": with},
                "articles": [{"id": 502, "sku": "POSTER-1", "description": "Poster"}]}]})
    }

    #[test]
    fn what_is_given_back_is_negative_whatever_the_shop_shows() {
        let options = Options::of(&connection("mijnwebwinkel", json!({}), &[])).unwrap();
        let mut original = order("2009", 2, "20", "24.20");
        original["credit_order_numbers"] = json!([2010]);
        for (quantity, net, with) in [(-1, "-10", "-12.10"), (1, "10", "12.10")] {
            let mut credit = order("2010", quantity, net, with);
            credit["credited_order_number"] = json!(2009);
            let made = record(credit.clone(), original.clone(), &[credit], &options).unwrap();
            assert_eq!((made.key.as_str(), made.partition.as_str()), ("2009/2010", "jan@example.test"));
            let refund = &made.raw["refund"];
            assert_eq!(refund["total"], "12.1");
            let line = &refund["lines"][0];
            assert_eq!(
                (&line["id"], &line["quantity"], &line["net"], &line["tax"]),
                (&json!("line-2009"), &json!("-1"), &json!("-10"), &json!("-2.1"))
            );
            assert_eq!(made.raw["order"]["credits"], json!([{"id": "2010", "total": "12.1"}]));
        }
    }
}
