//! Orders by the thousand for benches and load tests: seeded, so the same seed gives the same orders.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use super::order_write::{Head, assemble};
use super::totals::{Draft, Fee, Line, Rate, Shipping, rates};
use super::{orders, seeds};
use crate::faults::roll;
use crate::message::Reply;
use crate::state::Store;
use crate::text::dec;

const PRODUCTS: &[(i64, i64, &str, &str, &str, &str)] = &[
    (10, 0, "MOK-WIT", "Mok wit", "", "9.95"),
    (11, 0, "POSTER-1", "Poster \"Zomer\" &amp; <i>strand</i> één", "", "10"),
    (12, 0, "KOFFIE", "Koffiebonen 1kg", "reduced-rate", "18.3486"),
    (13, 0, "DIENST-1", "Installatie aan huis", "", "75"),
    (14, 0, "", "Zonder artikelnummer", "", "1"),
    (16, 17, "TSHIRT-ROOD-S", "T-shirt basic - Rood, S", "", "19.95"),
    (16, 18, "TSHIRT-ROOD-M", "T-shirt basic - Rood, M", "", "19.95"),
    (16, 19, "TSHIRT-BLAUW-L", "T-shirt basic - Blauw, L", "", "19.95"),
    (20, 21, "GRAV-K", "Graveerplaat - Klein", "", "30"),
];
const FIRST: &[&str] = &["Jan", "Els", "Mohammed", "Anna", "Pieter", "Sanne", "Lotte", "Bram", "Fatima", "Joost"];
const LAST: &[&str] = &["de Vries", "Jansen", "Bakker", "Visser", "Smit", "Meijer", "de Boer", "Mulder", "Özdemir"];
const TOWNS: &[(&str, &str, &str)] = &[
    ("NL", "1234 AB", "Ons Dorp"),
    ("NL", "9711 LM", "Groningen"),
    ("NL", "6211 CX", "Maastricht"),
    ("BE", "2000", "Antwerpen"),
    ("DE", "50667", "Köln"),
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

/// `n` complete orders as the REST API gives them (six decimals): guests, companies, customers that come back,
/// coupons, fees, mixed rates, prices with and without tax in them. Ids start at 1001.
pub fn generate_orders(seed: u64, n: usize) -> Vec<Value> {
    let rows = seeds::tax_rates();
    let start = DateTime::from_timestamp(1_795_392_000, 0).unwrap_or_default();
    let mut item = 100_000;
    let rates = rates(rows.iter());
    let mut dice = Dice(seed);
    (0..n)
        .map(|at| {
            let id = 1001 + i64::try_from(at).unwrap_or_default();
            let time = start + Duration::seconds(37 * i64::try_from(at).unwrap_or_default());
            order(&mut dice, &rates, id, time, &mut || {
                item += 1;
                item
            })
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
    let table = rates(store.rows("taxes"));
    let (mut first, mut last) = (None, 0);
    for at in 0..n {
        let id = store.next_number("post", 100);
        let mut item = store.next_number("item", 1000);
        let mut row = order(&mut dice, &table, id, start + Duration::seconds(step * at), &mut || {
            item += 1;
            item
        });
        store.reserve_number("item", item);
        row["number"] = json!(id.to_string());
        store.put("orders", &id.to_string(), row);
        first.get_or_insert(id);
        last = id;
    }
    Ok(Reply::json(201, &json!({"first_id": first, "last_id": last, "count": n})))
}

fn order(dice: &mut Dice, rates: &[Rate], id: i64, time: DateTime<Utc>, next: &mut dyn FnMut() -> i64) -> Value {
    let person = dice.below(400);
    let (first, last) = (FIRST[person % FIRST.len()], LAST[person / FIRST.len() % LAST.len()]);
    let (country, postcode, city) = TOWNS[person % TOWNS.len()];
    let company = if person % 5 == 3 { format!("{last} & Zn {person} BV") } else { String::new() };
    let exempt = !company.is_empty() && country != "NL";
    let address = |email: bool| {
        let mut address = json!({"first_name": first, "last_name": last, "company": company,
            "address_1": format!("Dorpsstraat {}", person + 1), "address_2": "", "city": city, "state": "",
            "postcode": postcode, "country": country});
        if email {
            address["email"] = json!(format!("klant{person}@example.test"));
        }
        address["phone"] = json!(format!("06{:08}", person * 7919));
        address
    };
    let prices_include_tax = dice.chance(30);
    let mut lines: Vec<Line> = Vec::new();
    for _ in 0..=dice.below(5) {
        let (product_id, variation_id, sku, name, class, price) = *dice.pick(PRODUCTS);
        let most = if dice.chance(10) { 40 } else { 4 };
        let quantity = 1 + i64::try_from(dice.below(most)).unwrap_or(0);
        let parent_name = (variation_id != 0).then(|| name.split(" - ").next().unwrap_or(name).to_owned());
        let price = dec(price);
        let price = if prices_include_tax { (price * dec("1.21")).round_dp(2) } else { price };
        lines.push(Line {
            name: name.into(),
            product_id,
            variation_id,
            sku: sku.into(),
            tax_class: class.into(),
            taxable: true,
            quantity,
            price,
            parent_name,
            ..Line::default()
        });
    }
    let shipping = if dice.chance(80) {
        let total = if prices_include_tax { dec("5.743802") } else { dec("6.95") };
        vec![Shipping { method_id: "flat_rate".into(), instance_id: "1".into(), title: "PostNL pakket".into(), total }]
    } else {
        Vec::new()
    };
    let mut fees = Vec::new();
    if dice.chance(15) {
        fees.push(Fee { name: "Cadeauverpakking".into(), taxable: true, total: dec("2.50"), ..Fee::default() });
    }
    if dice.chance(5) {
        fees.push(Fee { name: "Korting vaste klant".into(), taxable: true, total: dec("-1.00"), ..Fee::default() });
    }
    let coupon = dice.chance(20).then(|| ("tien".to_owned(), dec("10")));
    let draft = Draft {
        country: country.into(),
        vat_exempt: exempt,
        prices_include_tax,
        lines,
        shipping,
        fees,
        coupon,
        ..Draft::default()
    };
    let (status, method) =
        *dice.pick(&[("processing", "ideal"), ("processing", "bacs"), ("completed", "ideal"), ("on-hold", "bacs")]);
    let meta = if exempt {
        vec![
            json!({"id": next(), "key": "is_vat_exempt", "value": "yes"}),
            json!({"id": next(), "key": "_billing_vat_number", "value": format!("{country}0{:09}", person)}),
        ]
    } else {
        Vec::new()
    };
    let mut order = assemble(
        Head {
            id,
            status: status.into(),
            customer_id: if person.is_multiple_of(3) { 0 } else { 1000 + i64::try_from(person).unwrap_or(0) },
            billing: address(true),
            shipping: address(false),
            payment_method: method.into(),
            payment_method_title: if method == "ideal" { "iDEAL" } else { "Overboeking" }.into(),
            meta_data: meta,
            created_via: "checkout".into(),
            time,
            ..Head::default()
        },
        &draft,
        rates,
        next,
    );
    if status != "on-hold" {
        orders::set_moment(&mut order, "date_paid", time);
    }
    if status == "completed" {
        orders::set_moment(&mut order, "date_completed", time);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::amount;
    use rust_decimal::Decimal;

    #[test]
    fn generated_orders_add_up_and_repeat() {
        let orders = generate_orders(7, 300);
        assert_eq!(orders, generate_orders(7, 300));
        assert_ne!(orders, generate_orders(8, 300));
        for order in &orders {
            let sum = |list: &str, field: &str| -> Decimal {
                order[list].as_array().unwrap().iter().map(|line| amount(line, field)).sum()
            };
            let tax: Decimal =
                sum("line_items", "total_tax") + sum("shipping_lines", "total_tax") + sum("fee_lines", "total_tax");
            assert_eq!(tax, amount(order, "total_tax"), "order {}", order["id"]);
            let net = sum("line_items", "total") + sum("shipping_lines", "total") + sum("fee_lines", "total");
            let difference = (net + tax - amount(order, "total")).abs();
            assert!(difference <= dec("0.05"), "order {}: off by {difference}", order["id"]);
        }
        assert!(orders.iter().any(|order| order["prices_include_tax"] == json!(true)));
        assert!(orders.iter().any(|order| order["customer_id"] == json!(0)));
        assert!(orders.iter().any(|order| order["tax_lines"].as_array().unwrap().len() == 2));
    }
}
