//! Orders by the thousand for benches and load tests: seeded, so the same seed gives the same orders.

use chrono::{DateTime, Duration, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::totals::{self, line, priced};
use super::{dates, order_write, seeds};
use crate::faults::roll;
use crate::message::Reply;
use crate::state::Store;
use crate::text::dec;

/// Article, number, name, options (id and name), price with VAT, rate in the Netherlands.
type Good = (i64, &'static str, &'static str, &'static [(i64, &'static str)], &'static str, &'static str);

const GOODS: &[Good] = &[
    (501, "MOK-WIT", "Mok wit", &[], "12.04", "21"),
    (502, "POSTER-1", "Poster \"Zomer\" & <i>strand</i> één", &[], "12.10", "21"),
    (503, "KOFFIE", "Koffiebonen 1kg", &[], "20.00", "9"),
    (504, "DIENST-1", "Installatie aan huis", &[], "90.75", "21"),
    (506, "TSHIRT", "T-shirt basic", &[(311, "Rood"), (321, "S")], "24.14", "21"),
    (506, "TSHIRT", "T-shirt basic", &[(312, "Blauw"), (323, "L")], "24.14", "21"),
    (507, "GRAV", "Graveerplaat", &[(331, "K")], "36.30", "21"),
];
const FIRST: &[&str] = &["Jan", "Els", "Mohammed", "Anna", "Pieter", "Sanne", "Lotte", "Bram", "Fatima", "Joost"];
const LAST: &[&str] = &["de Vries", "Jansen", "Bakker", "Visser", "Smit", "Meijer", "de Boer", "Mulder", "Özdemir"];
const TOWNS: &[(&str, &str, &str, &str, &str)] = &[
    ("NL", "1234 AB", "Ons Dorp", "21", "9"),
    ("NL", "9711 LM", "Groningen", "21", "9"),
    ("NL", "6211 CX", "Maastricht", "21", "9"),
    ("BE", "2000", "Antwerpen", "21", "6"),
    ("DE", "50667", "Köln", "19", "7"),
];

struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(roll(&mut self.0) % bound.max(1) as u64).unwrap_or(0)
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// `n` whole orders as the stand-in keeps them: guests, companies, buyers that come back, discounts, mixed rates,
/// costs over several rates, action prices. Numbers start at 10001.
pub fn generate_orders(seed: u64, n: usize) -> Vec<Value> {
    let mut dice = Dice(seed);
    (0..n)
        .map(|at| {
            let at = i64::try_from(at).unwrap_or_default();
            order(&mut dice, 10_001 + at, seeds::start() + Duration::seconds(37 * at))
        })
        .collect()
}

/// Inspection: `{"seed":1,"n":100,"start":"…","step_seconds":37}` puts that many orders into the shop.
pub(super) fn insert(store: &mut Store, body: &Value, now: DateTime<Utc>) -> Result<Reply, String> {
    let fields = body.as_object().ok_or("generate takes an object")?;
    if let Some(name) = fields.keys().find(|name| !["seed", "n", "start", "step_seconds"].contains(&name.as_str())) {
        return Err(format!("generate: unknown field \"{name}\"; it takes seed, n, start, step_seconds"));
    }
    let n = body.get("n").and_then(Value::as_i64).ok_or("generate: n (a number) is missing")?;
    let step = body.get("step_seconds").and_then(Value::as_i64).unwrap_or(1);
    let start = match body.get("start").and_then(Value::as_str) {
        Some(text) => text.parse().map_err(|error| format!("generate: start \"{text}\": {error}"))?,
        None => now - Duration::seconds(step * n),
    };
    let mut dice = Dice(body.get("seed").and_then(Value::as_u64).unwrap_or(1));
    let (mut first, mut last) = (None, 0);
    for at in 0..n {
        let number = store.next_number("order", 2101);
        let row = order(&mut dice, number, start + Duration::seconds(step * at));
        store.put("orders", &number.to_string(), row);
        first.get_or_insert(number);
        last = number;
    }
    Ok(Reply::json(201, &json!({"first_number": first, "last_number": last, "count": n})))
}

fn order(dice: &mut Dice, number: i64, at: DateTime<Utc>) -> Value {
    let person = dice.below(400);
    let (first, last) = (FIRST[person % FIRST.len()], LAST[person / FIRST.len() % LAST.len()]);
    let (country, zipcode, city, high, low) = TOWNS[person % TOWNS.len()];
    let company = if person % 5 == 3 { format!("{last} & Zn {person} BV") } else { String::new() };
    let exempt = !company.is_empty() && country != "NL";
    let (high, low) = if exempt { ("0", "0") } else { (high, low) };
    let mut id = number * 100;
    let mut next = || {
        id += 1;
        id
    };
    let mut lines = Vec::new();
    for _ in 0..=dice.below(5) {
        let (article, sku, name, options, price, dutch) = *dice.pick(GOODS);
        let most = if dice.chance(10) { 40 } else { 4 };
        let quantity = 1 + i64::try_from(dice.below(most)).unwrap_or(0);
        let unit = totals::without_tax(dec(price), dec(dutch));
        let mut chosen: Vec<Value> = options
            .iter()
            .map(|(id, name)| json!({"list_option_id": id, "description": name, "price": "0.000000"}))
            .collect();
        if dice.chance(10) {
            let off = totals::without_tax(dec(price) * dec("0.85"), dec(dutch)) - unit;
            chosen.push(json!({"description": "Action price", "price": format!("{off:.6}")}));
        }
        let rate = if dutch == "9" { low } else { high };
        lines.push(seeds::sold(next(), (article, sku, name), &format!("{unit:.6}"), rate, quantity, json!(chosen)));
    }
    let net = totals::net_by_rate(&lines);
    let coupon = dice.chance(20);
    if coupon {
        let prices = net.iter().map(|(rate, net)| priced(*rate, -net / Decimal::TEN)).collect();
        lines.push(line(&super::uuid_of(0x11, next()), "discount", 1, Some("Korting tien"), prices));
    }
    if dice.chance(15) {
        // Costs of payment are divided over the rates of what was sold.
        let sum: Decimal = net.values().sum();
        let prices = net.iter().map(|(rate, net)| priced(*rate, dec("1.65") * net / sum)).collect();
        lines.push(line(&super::uuid_of(0x11, next()), "payment", 1, None, prices));
    }
    if dice.chance(80) {
        lines.push(line(&super::uuid_of(0x11, next()), "shipping", 1, None, vec![priced(dec(high), dec("5.743802"))]));
    }
    let (status, method) = *dice.pick(&[(3, "ideal"), (3, "advance"), (2, "ideal"), (6, "pickup")]);
    let mut row = order_write::blank(&number.to_string(), at);
    row["status"] = json!(status);
    row["_status_changed"] = dates::kept(at);
    row["tax_region"] = json!(country);
    row["tax_strategy"] = json!(if exempt { "reverse_charged_vat" } else { "" });
    row["business_model"] = json!(if company.is_empty() { "B2C" } else { "B2B" });
    let (name, email) = (format!("{first} {last}"), format!("klant{person}@example.test"));
    let house = (person + 1).to_string();
    let buyer =
        [name.as_str(), company.as_str(), email.as_str(), "Dorpsstraat", house.as_str(), zipcode, city, country];
    let taxnumber = if exempt { format!("{country}0{person:09}") } else { String::new() };
    row["debtor"] = seeds::debtor(10_000 + i64::try_from(person).unwrap_or_default(), buyer, &taxnumber);
    row["payment"] = json!({"gateway_name": if method == "ideal" { "mollie" } else { "basic" }, "method_name": method,
        "status": {"id": 1, "text": "Geslaagd"}});
    row["payment_status"] = json!("captured");
    if coupon {
        row["discountcode"] = json!("tien");
    }
    row["orderlines"] = Value::Array(lines);
    totals::settle(&mut row);
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::amount;

    #[test]
    fn generated_orders_add_up_and_repeat() {
        let orders = generate_orders(7, 300);
        assert_eq!(orders, generate_orders(7, 300));
        assert_ne!(orders, generate_orders(8, 300));
        for order in &orders {
            let lines = order["orderlines"].as_array().unwrap();
            let prices = lines.iter().flat_map(|line| line["price"].as_array().unwrap());
            let total: Decimal = prices.map(|price| amount(price, "amount_including_tax")).sum();
            assert_eq!(total, amount(&order["price"], "total"), "order {}", order["number"]);
        }
        assert!(orders.iter().any(|order| order["tax_strategy"] == "reverse_charged_vat"));
        assert!(orders.iter().any(|order| order["price"]["tax"].as_array().unwrap().len() == 2));
        assert!(orders.iter().any(|order| order["discountcode"] == "tien"));
    }
}
