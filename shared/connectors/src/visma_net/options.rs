//! What a connection says about its company: addresses, order types, classes, zones, and how documents are recognised.

use std::collections::BTreeMap;

use koppel_core::connection::Connection;
use koppel_core::error::nearest;
use koppel_core::{Cause, Failure};
use serde_json::Value;

/// Address of the ERP API, of the service for sales orders, and of Visma Connect.
const ERP: &str = "https://api.finance.visma.net";
const ORDERS: &str = "https://salesorder.visma.net";
const CONNECT: &str = "https://connect.visma.com";

/// Where the three services are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hosts {
    /// `/v1/…` and `/v2/…`.
    pub erp: String,
    /// `/api/v3/…`.
    pub orders: String,
    /// `/connect/token`.
    pub connect: String,
}

impl Hosts {
    /// The usual ones; `url` takes the place of all, and each has an option of its own.
    pub fn of(connection: &Connection) -> Self {
        let all = connection.option("url");
        let one = |name: &str, usual: &str| {
            let url = connection.option(name).or_else(|| all.clone()).unwrap_or_else(|| usual.to_owned());
            url.trim_end_matches('/').to_owned()
        };
        Self { erp: one("erp_url", ERP), orders: one("order_url", ORDERS), connect: one("connect_url", CONNECT) }
    }
}

/// What documents are made of and recognised by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DocumentOptions {
    /// The reference becomes the number of the document; otherwise it stands in a field of its own.
    pub own_numbers: bool,
    /// How far back is looked for a reference where no filter finds it.
    pub search_days: u32,
    /// Types of orders.
    pub order_type: String,
    pub invoice_order_type: String,
    pub credit_order_type: Option<String>,
    /// Branch of every document that names none.
    pub branch: Option<String>,
    /// Account that bookings are balanced on.
    pub clearing_account: Option<String>,
    /// Each document is read once more after it was made; orders wait on hold until their total is right.
    pub read_back: bool,
    /// Shipping costs are freight of the order, not a line.
    pub freight: bool,
    /// Discounts are shown on the line, not taken off the price.
    pub show_discounts: bool,
}

impl DocumentOptions {
    /// The options of a connection.
    pub fn of(connection: &Connection) -> Result<Self, Failure> {
        let order_type = |name: &str| -> Result<Option<String>, Failure> {
            let Some(text) = connection.option(name) else { return Ok(None) };
            if text.chars().count() == 2 && text.chars().all(char::is_alphanumeric) {
                return Ok(Some(text));
            }
            Err(bad(connection, name, &text, "an order type has two characters, such as SO"))
        };
        Ok(Self {
            own_numbers: connection.flag("own_numbers"),
            search_days: whole(connection, "search_days", 1, 90)?.unwrap_or(7),
            order_type: order_type("order_type")?.unwrap_or_else(|| "SO".into()),
            invoice_order_type: order_type("invoice_order_type")?.unwrap_or_else(|| "IN".into()),
            credit_order_type: order_type("credit_order_type")?,
            branch: connection.option("branch"),
            clearing_account: connection.option("clearing_account"),
            read_back: connection.flag("read_back"),
            freight: choice(connection, "freight", &["line", "premium"])? == Some("premium"),
            show_discounts: choice(connection, "discounts", &["price", "line"])? == Some("line"),
        })
    }
}

/// Who becomes what kind of customer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CustomerOptions {
    /// Class of companies, and of all when there is no other.
    pub class: Option<String>,
    /// Class of private persons.
    pub person_class: Option<String>,
    /// Country, or country and `/business` → VAT zone; `default` for the rest.
    pub vat_zones: BTreeMap<String, String>,
    /// E-mail addresses are also looked for on contacts.
    pub search_contacts: bool,
}

impl CustomerOptions {
    /// The options of a connection.
    pub fn of(connection: &Connection) -> Result<Self, Failure> {
        Ok(Self {
            class: connection.option("customer_class"),
            person_class: connection.option("person_class"),
            vat_zones: texts(connection, "vat_zones")?,
            search_contacts: connection.flag("search_contacts"),
        })
    }

    /// The class of a new customer.
    pub fn class_of(&self, is_company: bool) -> Option<&str> {
        let own = if is_company { None } else { self.person_class.as_deref() };
        own.or(self.class.as_deref())
    }

    /// The VAT zone of a new customer; `None` leaves it to the class.
    pub fn zone_of(&self, country: &str, is_business: bool) -> Option<&str> {
        let business = is_business.then(|| format!("{country}/business"));
        let keys = business.into_iter().chain([country.to_owned(), "default".to_owned()]);
        keys.into_iter().find_map(|key| self.vat_zones.get(&key)).map(String::as_str)
    }
}

/// Which quantity of the stock may be sold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum StockField {
    /// As the item class computes it.
    #[default]
    Available,
    /// Without what is allocated to shipments.
    AvailableForShipment,
    /// What lies on the shelf.
    OnHand,
    /// On the shelf, less everything that orders ask for: one call for each item.
    Summary,
}

impl StockField {
    const NAMES: [(&'static str, Self); 4] = [
        ("available", Self::Available),
        ("available_for_shipment", Self::AvailableForShipment),
        ("on_hand", Self::OnHand),
        ("summary", Self::Summary),
    ];

    /// The option `stock_field`.
    pub fn of(connection: &Connection) -> Result<Self, Failure> {
        let names = Self::NAMES.map(|(name, _)| name);
        let chosen = choice(connection, "stock_field", &names)?;
        Ok(Self::NAMES
            .into_iter()
            .find(|(name, _)| Some(*name) == chosen)
            .map_or_else(Self::default, |(_, field)| field))
    }
}

/// What prices mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PriceOptions {
    /// Currency; that of the main branch when it is not said.
    pub currency: Option<String>,
    /// Prices include VAT.
    pub include_tax: bool,
}

impl PriceOptions {
    /// The options of a connection.
    pub fn of(connection: &Connection) -> Result<Self, Failure> {
        let currency = connection.option("currency");
        if let Some(code) =
            currency.as_deref().filter(|code| code.len() != 3 || !code.bytes().all(|b| b.is_ascii_uppercase()))
        {
            return Err(bad(connection, "currency", code, "write three capital letters, such as EUR"));
        }
        Ok(Self { currency, include_tax: connection.flag("prices_include_tax") })
    }
}

/// An option with one of a few values.
pub(super) fn choice<'a>(connection: &Connection, name: &str, names: &[&'a str]) -> Result<Option<&'a str>, Failure> {
    let Some(text) = connection.option(name) else { return Ok(None) };
    if let Some(found) = names.iter().find(|known| **known == text) {
        return Ok(Some(found));
    }
    let advice = nearest(&text, names.iter().copied())
        .map_or_else(|| format!("use one of {}", names.join(", ")), |near| format!("did you mean «{near}»?"));
    Err(bad(connection, name, &text, &advice))
}

/// An option that is a whole number between two others.
pub(super) fn whole(connection: &Connection, name: &str, least: u32, most: u32) -> Result<Option<u32>, Failure> {
    let Some(text) = connection.option(name) else { return Ok(None) };
    match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
        _ => Err(bad(connection, name, &text, &format!("give a whole number from {least} to {most}"))),
    }
}

/// An option that is a group of texts.
pub(super) fn texts(connection: &Connection, name: &str) -> Result<BTreeMap<String, String>, Failure> {
    let Some(value) = connection.options.get(name).filter(|value| !value.is_null()) else { return Ok(BTreeMap::new()) };
    let text = |value: &Value| match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let group = value.as_object().and_then(|group| {
        group.iter().map(|(key, value)| Some((key.clone(), text(value)?))).collect::<Option<BTreeMap<_, _>>>()
    });
    group.ok_or_else(|| bad(connection, name, "that", "write a group, such as { NL: \"01\", default: \"02\" }"))
}

/// A value of an option that cannot be used.
pub(super) fn bad(connection: &Connection, name: &str, text: &str, advice: &str) -> Failure {
    Failure::settings(
        Cause::new("bad_option", format!("«{text}» cannot be used for {name}"))
            .advice(advice)
            .in_row(name)
            .at_connection(&connection.name),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing;
    use serde_json::json;

    fn connection(options: Value) -> Connection {
        testing::connection("visma-net", options, &[])
    }

    #[test]
    fn one_address_takes_the_place_of_all_and_each_has_its_own() {
        let usual = Hosts::of(&connection(json!({})));
        assert_eq!((usual.erp.as_str(), usual.orders.as_str(), usual.connect.as_str()), (ERP, ORDERS, CONNECT));
        let own = Hosts::of(&connection(json!({"url": "http://127.0.0.1:1/", "erp_url": "http://127.0.0.1:2/API"})));
        assert_eq!((own.erp.as_str(), own.orders.as_str()), ("http://127.0.0.1:2/API", "http://127.0.0.1:1"));
    }

    #[test]
    fn the_country_and_the_kind_of_buyer_decide_class_and_zone() {
        let options = CustomerOptions::of(&connection(json!({
            "customer_class": "10", "person_class": 20,
            "vat_zones": {"NL": "01", "DE": "02", "DE/business": "03", "default": "09"},
        })))
        .unwrap();
        assert_eq!((options.class_of(true), options.class_of(false)), (Some("10"), Some("20")));
        for (country, business, zone) in
            [("NL", true, "01"), ("DE", false, "02"), ("DE", true, "03"), ("US", true, "09")]
        {
            assert_eq!(options.zone_of(country, business), Some(zone), "{country} {business}");
        }
        assert_eq!(CustomerOptions::default().zone_of("NL", true), None);
    }

    #[test]
    fn wrong_options_say_what_would_be_right() {
        let field = StockField::of(&connection(json!({"stock_field": "availble"}))).unwrap_err();
        assert!(field.to_string().contains("did you mean «available»?"), "{field}");
        for options in [
            json!({"order_type": "SALES"}),
            json!({"search_days": 0}),
            json!({"search_days": "soon"}),
            json!({"freight": "yes"}),
            json!({"discounts": "percent"}),
        ] {
            let failure = DocumentOptions::of(&connection(options.clone())).unwrap_err();
            assert_eq!((failure.class(), failure.cause().code.as_str()), ("settings", "bad_option"), "{options}");
        }
        assert_eq!(PriceOptions::of(&connection(json!({"currency": "euro"}))).unwrap_err().class(), "settings");
        assert_eq!(CustomerOptions::of(&connection(json!({"vat_zones": "01"}))).unwrap_err().class(), "settings");
        assert_eq!(StockField::of(&connection(json!({}))).unwrap(), StockField::Available);
    }
}
