//! Orders by the thousand for benches and load tests: seeded, so the same seed gives the same orders.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use super::people::{Delivery, Person};
use super::{Switches, orders, seed_orders, seeds};
use crate::faults::roll;
use crate::message::Reply;
use crate::state::Store;

const ARTICLES: &[(&str, &str, &str, i64)] = &[
    ("MOK-WIT", "12.04", "9.95", 21),
    ("POSTER-1", "12.1", "10", 21),
    ("KOFFIE", "20", "18.3486", 9),
    ("DIENST-1", "90.75", "75", 21),
    ("", "1.21", "1", 21),
    ("TSHIRT-ROOD-S", "24.14", "19.95", 21),
    ("TSHIRT-ROOD-M", "24.14", "19.95", 21),
    ("TSHIRT-BLAUW-L", "24.14", "19.95", 21),
    ("GRAV-K", "36.3", "30", 21),
    ("GRAV-G", "36.3", "30", 21),
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

/// `n` complete orders with their `orderrows` in them: guests, companies, customers that come back, coupons, costs,
/// mixed rates, prices with and without VAT. Ids and numbers start at 10001.
pub fn generate_orders(seed: u64, n: usize) -> Vec<Value> {
    let mut store = Store::default();
    seeds::fill(&mut store);
    let start = DateTime::from_timestamp(1_795_392_000, 0).unwrap_or_default();
    let mut dice = Dice(seed);
    let mut row = 100_000;
    (0..n)
        .map(|at| {
            let at = i64::try_from(at).unwrap_or_default();
            let mut order = order(&mut dice, &store, start + Duration::seconds(37 * at));
            (order["id"], order["ordernumber"]) = (json!(10_001 + at), json!(10_001 + at));
            order["ordernumber_full"] = json!(format!("{}{}", orders::PREFIX, 10_001 + at));
            for one in order["orderrows"].as_array_mut().into_iter().flatten() {
                row += 1;
                one["id"] = json!(row);
            }
            order
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
        let order = order(&mut dice, store, start + Duration::seconds(step * at));
        last = orders::store(store, order, "");
        first.get_or_insert(last);
    }
    Ok(Reply::json(201, &json!({"first_id": first, "last_id": last, "count": n})))
}

fn order(dice: &mut Dice, store: &Store, time: DateTime<Utc>) -> Value {
    let number = dice.below(400);
    let (first, last) = (FIRST[number % FIRST.len()], LAST[number / FIRST.len() % LAST.len()]);
    let (country, zipcode, city) = TOWNS[number % TOWNS.len()];
    let company = if number % 5 == 3 { format!("{last} & Zn {number} BV") } else { String::new() };
    let exempt = !company.is_empty() && country != "NL";
    let (email, phone) = (format!("klant{number}@example.test"), format!("06{:08}", number * 7919));
    let vat = if exempt { format!("{country}0{number:09}") } else { String::new() };
    let person = Person {
        first,
        last,
        company: &company,
        street: "Dorpsstraat",
        number: i64::try_from(number).unwrap_or_default() + 1,
        suffix: if number.is_multiple_of(7) { "a" } else { "" },
        zipcode,
        city,
        country,
        email: &email,
        phone: &phone,
        btw: &vat,
        kvk: "",
    };
    let including = !exempt && dice.chance(80);
    let mut rows = Vec::new();
    for _ in 0..=dice.below(5) {
        let (article, with_tax, without, tax) = *dice.pick(ARTICLES);
        let most = if dice.chance(10) { 40 } else { 4 };
        let count = 1 + i64::try_from(dice.below(most)).unwrap_or(0);
        let price = if including { with_tax } else { without };
        let mut row = seed_orders::sells(store, article, count, Some(price), if exempt { 0 } else { tax });
        if dice.chance(10) {
            row["discount"] = json!(0.21);
        }
        rows.push(row);
    }
    let shipping = if dice.chance(80) { json!(if including { "6.95" } else { "5.74" }) } else { json!("0") };
    let shipping = crate::text::decimal(&shipping).unwrap_or_default();
    let (status, paid) = *dice.pick(&[(1, true), (2, true), (7, true), (4, false)]);
    let method = if dice.chance(70) { (1, "ideal", "iDEAL") } else { (2, "banktransfer", "Overboeking") };
    let mut given = json!({"status": status, "paid": paid, "paymethod_id": method.0, "paymethod": method.1,
        "paymethod_label": method.2, "create_date": time.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "customer": person.info(if dice.chance(50) { Delivery::Same } else { Delivery::Empty }),
        "taxes_included": including, "order_row_taxes_included": including, "shipping_taxes_included": including,
        "shipping_tax_percentage": if exempt { 0 } else { 21 }, "is_intra_community_order": exempt,
        "total_shipping": crate::text::number(shipping), "orderrows": rows});
    if !number.is_multiple_of(3) {
        given["user"] = json!({"id": 1000 + number, "discount_percentage": 0});
    }
    if dice.chance(15) {
        given["extra_costs"] = json!(2.5);
        given["extra_costs_description"] = json!("Cadeauverpakking");
    }
    if dice.chance(20) {
        given["discountcoupon"] = json!({"code": "TIEN", "discount": 10, "type": "percentage", "enddate": null,
            "onetimeuse": false, "givesfreeshipping": false, "minimumprice": 0});
    }
    orders::complete(&given, &Switches::default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{amount, dec};
    use rust_decimal::Decimal;

    #[test]
    fn generated_orders_add_up_and_repeat() {
        let orders = generate_orders(7, 300);
        assert_eq!(orders, generate_orders(7, 300));
        assert_ne!(orders, generate_orders(8, 300));
        for order in &orders {
            let rows = order["orderrows"].as_array().unwrap();
            let rows: Decimal = rows.iter().map(|row| amount(row, "total_price_with_attributes")).sum();
            let parts = rows + amount(order, "total_shipping") + amount(order, "extra_costs")
                - amount(order, "total_discounts");
            let tax = if order["taxes_included"] == true { Decimal::ZERO } else { amount(order, "total_tax") };
            assert_eq!(parts + tax, amount(order, "total_price"), "order {}", order["id"]);
        }
        assert!(orders.iter().any(|order| order["taxes_included"] == json!(false)));
        assert!(orders.iter().any(|order| order["user"].is_null()));
        assert!(orders.iter().any(|order| amount(order, "total_discounts") > dec("0")));
        assert!(orders.iter().any(|order| order["is_intra_community_order"] == json!(true)));
    }
}
