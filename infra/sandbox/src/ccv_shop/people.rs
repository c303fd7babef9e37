//! Persons and addresses as the shop writes them down.

use serde_json::{Value, json};

/// Someone who buys.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Person<'a> {
    pub first: &'a str,
    pub last: &'a str,
    pub company: &'a str,
    pub street: &'a str,
    pub number: i64,
    pub suffix: &'a str,
    pub zipcode: &'a str,
    pub city: &'a str,
    pub country: &'a str,
    pub email: &'a str,
    pub phone: &'a str,
    /// VAT number.
    pub btw: &'a str,
    /// Number at the chamber of commerce.
    pub kvk: &'a str,
}

/// What the country is called in the shop's own language.
pub(super) fn country_name(code: &str) -> &'static str {
    match code {
        "NL" => "Nederland",
        "BE" => "België",
        "DE" => "Duitsland",
        "FR" => "Frankrijk",
        _ => "",
    }
}

/// What stands where the goods go to the address of the bill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    /// The same address again.
    Same,
    /// Every field an empty text, also the one that is a number.
    Empty,
}

impl Person<'_> {
    fn address(&self, billing: bool) -> Value {
        let initials = self.first.chars().next().map_or_else(String::new, |letter| format!("{letter}."));
        let mut map = json!({"gender": "", "initials": initials});
        if billing {
            map["first_name"] = json!(self.first);
            map["last_name"] = json!(self.last);
        }
        let line = format!("{} {}{}", self.street, self.number, self.suffix);
        for (field, value) in [
            ("full_name", json!(format!("{} {}", self.first, self.last))),
            ("company", json!(self.company)),
            ("address_line_1", json!(line)),
            ("address_line_2", json!("")),
            ("street", json!(self.street)),
            ("housenumber", json!(self.number)),
            ("housenumber_suffix", json!(self.suffix)),
            ("zipcode", json!(self.zipcode)),
            ("city", json!(self.city)),
            ("province", json!("")),
            ("country", json!(country_name(self.country))),
            ("country_code", json!(self.country)),
            ("telephone", json!(self.phone)),
            ("mobile", json!("")),
            ("comment", json!("")),
        ] {
            map[field] = value;
        }
        map
    }

    /// As `customer` of an order or `userinfo` of a user.
    pub fn info(&self, delivery: Delivery) -> Value {
        let mut other = self.address(false);
        if delivery == Delivery::Empty {
            other.as_object_mut().into_iter().flatten().for_each(|(_, value)| *value = json!(""));
        }
        json!({"billingaddress": self.address(true), "deliveryaddress": other, "email": self.email,
            "customertype": if self.company.is_empty() { "b2c" } else { "b2b" }, "btw": self.btw, "kvk": self.kvk,
            "reference": "", "costcentre": "", "iban": "", "bic": ""})
    }
}
