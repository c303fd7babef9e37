//! What is kept in step while orders come in: articles and stock of the books, customers of the shop. They change meanwhile.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use koppel_sandbox::Handle;
use serde_json::{Value, json};

use crate::ChaosError;
use crate::dice::Dice;
use crate::shop::text;

/// Time between two changes.
const PAUSE: TimeDelta = TimeDelta::minutes(6);
/// Changes of a world, at most.
const CHANGES: usize = 12;
/// How the numbers of the articles begin that are sold in the shop.
pub const OURS: &str = "ART-";

/// An item of the books is one of them.
pub fn is_ours(item: &Value) -> bool {
    item["Code"].as_str().is_some_and(|code| code.starts_with(OURS))
}

/// What of it still changes.
pub struct Kept {
    dice: Dice,
    left: usize,
    next: DateTime<Utc>,
}

impl Kept {
    /// A third as many articles as orders in the books, half of them in the shop already, and as many customers in the shop.
    pub fn open(seed: u64, orders: usize, sandbox: &Handle) -> Result<Self, ChaosError> {
        let n = (orders / 3).max(4);
        let all = json!({ "seed": seed, "n": n, "differs_percent": 60 });
        told(sandbox.exact().inspect("POST", "generate", &all))?;
        let half = json!({ "seed": seed, "n": n / 2, "differs_percent": 60 });
        told(sandbox.woocommerce().inspect("POST", "products/generate", &half))?;
        let now = sandbox.clock().now();
        let customers: Vec<Value> = (1..=n).map(|number| customer(number * 5 % 400, now)).collect();
        told(sandbox.woocommerce().inspect("POST", "customers", &json!(customers)))?;
        Ok(Self { dice: Dice::new(seed, "kept"), left: CHANGES, next: now + PAUSE })
    }

    /// Nothing changes any more.
    pub fn is_done(&self) -> bool {
        self.left == 0
    }

    /// The next changes, when their time has come: names, prices, stock, where customers live.
    pub fn live(&mut self, sandbox: &Handle) -> Result<(), ChaosError> {
        let now = sandbox.clock().now();
        if self.left == 0 || now < self.next {
            return Ok(());
        }
        self.left -= 1;
        self.next = now + PAUSE + TimeDelta::seconds(self.dice.signed(0, 400));
        let books = sandbox.exact();
        let items: Vec<Value> = books.documents("Items").into_iter().filter(is_ours).collect();
        for _ in 0..2 {
            let Some(mut item) = items.get(self.dice.index(items.len())).cloned() else { continue };
            item["Description"] = json!(format!("{} v{}", text(&item["Code"]), self.left));
            item["StandardSalesPrice"] = json!(self.dice.between(1, 90));
            if let Some(fields) = item.as_object_mut() {
                fields.retain(|name, _| !["Timestamp", "Modified"].contains(&name.as_str()));
            }
            told(books.inspect("POST", "rows/logistics/Items", &item))?;
        }
        for _ in 0..3 {
            let Some(item) = items.get(self.dice.index(items.len())) else { continue };
            let level = json!({ "item": item["Code"], "warehouse": "1", "current": self.dice.between(0, 300) });
            told(books.inspect("POST", "stock", &level))?;
        }
        let shop = sandbox.woocommerce();
        let customers = shop.documents("customers");
        for _ in 0..2 {
            let Some(mut customer) = customers.get(self.dice.index(customers.len())).cloned() else { continue };
            customer["billing"]["city"] = json!(format!("Nieuwstad {}", self.left));
            moment(&mut customer, "date_modified", now);
            told(shop.inspect("POST", "customers", &json!([customer])))?;
        }
        Ok(())
    }
}

fn told((status, answer): (u16, Value)) -> Result<(), ChaosError> {
    if status < 300 { Ok(()) } else { Err(ChaosError::Other(format!("a system refused to change: {answer}"))) }
}

/// A customer as the shop keeps it; its orders have the same address of e-mail.
fn customer(person: usize, now: DateTime<Utc>) -> Value {
    let address = |email: bool| {
        let mut address = json!({ "first_name": "Klaas", "last_name": format!("Klant {person}"), "company": "",
            "address_1": format!("Dorpsstraat {}", person + 1), "address_2": "", "city": "Ons Dorp", "state": "",
            "postcode": "1234 AB", "country": "NL", "phone": "" });
        if email {
            address["email"] = json!(format!("klant{person}@example.test"));
        }
        address
    };
    let mut row = json!({ "id": 1000 + person, "email": format!("klant{person}@example.test"), "first_name": "Klaas",
        "last_name": format!("Klant {person}"), "role": "customer", "username": format!("klant{person}"),
        "billing": address(true), "shipping": address(false), "is_paying_customer": true, "avatar_url": "",
        "meta_data": [] });
    moment(&mut row, "date_created", now);
    moment(&mut row, "date_modified", now);
    row
}

fn moment(row: &mut Value, field: &str, at: DateTime<Utc>) {
    let local = at.with_timezone(&chrono_tz::Europe::Amsterdam).format("%Y-%m-%dT%H:%M:%S").to_string();
    let utc = at.to_rfc3339_opts(SecondsFormat::Secs, true);
    row[field] = json!(local);
    row[format!("{field}_gmt")] = json!(utc.trim_end_matches('Z'));
}
