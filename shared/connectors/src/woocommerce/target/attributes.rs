//! Attributes: those the shop has for all its products, and those that one product has for itself.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use koppel_core::connection::Connection;
use koppel_core::ports::Calls;
use koppel_core::{Cause, Failure};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::woocommerce::client::WooCommerceClient;
use crate::woocommerce::native::{self, text, unescape};

/// A merchant may add attributes; after this long they are read again.
const KEPT: TimeDelta = TimeDelta::minutes(15);

/// How a product or a variation names an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// One of the shop's, by id.
    Global(u64),
    /// One of the product's own, by name.
    Custom(String),
}

impl Name {
    /// The id goes before the name, which is there to be read.
    fn put(&self, entry: &mut Value, shown: &str) {
        match self {
            Self::Global(id) => {
                entry["id"] = json!(id);
                entry["name"] = json!(shown);
            }
            Self::Custom(name) => entry["name"] = json!(name),
        }
    }
}

/// Names of the attributes of one product, by their name in small letters.
pub type Names = BTreeMap<String, Name>;

/// Ids of the shop's own attributes, by their name in small letters.
type Ids = BTreeMap<String, u64>;

/// The attributes of one shop.
#[derive(Debug)]
pub struct Attributes {
    /// The shop's own attributes are used where they have the name.
    use_global: bool,
    known: Mutex<Option<(DateTime<Utc>, Ids)>>,
}

impl Attributes {
    /// With the option `attributes`.
    pub fn new(connection: &Connection) -> Result<Self, Failure> {
        let use_global = match connection.option("attributes").as_deref() {
            None | Some("global") => true,
            Some("custom") => false,
            Some(other) => {
                return Err(Failure::settings(
                    Cause::new("bad_option", format!("«{other}» is no kind of attributes"))
                        .advice("use global or custom")
                        .in_row("attributes")
                        .at_connection(&connection.name),
                ));
            }
        };
        Ok(Self { use_global, known: Mutex::default() })
    }

    /// Attributes of a product as the shop takes them, and how its variations name them.
    pub async fn of_product(
        &self,
        client: &WooCommerceClient,
        wanted: &Value,
        calls: &Calls,
    ) -> Result<(Value, Names), Failure> {
        let wanted = native::list(wanted);
        let global = if self.use_global && !wanted.is_empty() { self.global(client, calls).await? } else { Ids::new() };
        let mut names = Names::new();
        let mut entries = Vec::new();
        for (position, attribute) in wanted.iter().enumerate() {
            let name = text(&attribute["name"]);
            let options: Vec<String> = native::list(&attribute["options"])
                .iter()
                .map(text)
                .filter(|option| !option.trim().is_empty())
                .collect();
            let known = match global.get(&name.to_lowercase()) {
                Some(id) => Name::Global(*id),
                None => Name::Custom(name.clone()),
            };
            // The shop keeps options of its own attributes apart, and those of a product in one text.
            if known == Name::Custom(name.clone())
                && let Some(option) = options.iter().find(|option| option.contains('|'))
            {
                return Err(Failure::reject(
                    Cause::new("bad_option_text", format!("«{option}» of «{name}» cannot be a choice: it has a |"))
                        .advice("take the | out, or make an attribute of this name in the shop")
                        .in_row("target._attributes"),
                ));
            }
            let mut entry = json!({
                "position": position, "options": options, "visible": attribute["visible"] != json!(false),
                "variation": attribute["variation"] == json!(true),
            });
            known.put(&mut entry, &name);
            names.insert(name.to_lowercase(), known);
            entries.push(entry);
        }
        Ok((Value::Array(entries), names))
    }

    async fn global(&self, client: &WooCommerceClient, calls: &Calls) -> Result<Ids, Failure> {
        let mut known = self.known.lock().await;
        if let Some((read, attributes)) = known.as_ref()
            && client.now() - *read < KEPT
        {
            return Ok(attributes.clone());
        }
        let list = client.get_list("products/attributes", &[("_fields", "id,name")], calls).await?;
        let named = |row: &Value| Some((unescape(&text(&row["name"])).to_lowercase(), native::id(row)?));
        let attributes: Ids = list.records.iter().filter_map(named).collect();
        *known = Some((client.now(), attributes.clone()));
        Ok(attributes)
    }
}

/// How the attributes that a product has are named.
pub fn names_of(product: &Value) -> Names {
    let named = |attribute: &Value| {
        let name = unescape(&text(&attribute["name"]));
        let known = match native::id(attribute) {
            Some(id) if id > 0 => Name::Global(id),
            _ => Name::Custom(name.clone()),
        };
        (name.to_lowercase(), known)
    };
    native::list(&product["attributes"]).iter().map(named).collect()
}

/// The choices of a variation as the shop takes them.
pub fn of_variation(wanted: &Value, names: &Names) -> Value {
    let entries = native::list(wanted).into_iter().map(|choice| {
        let name = text(&choice["name"]);
        let mut entry = json!({ "option": choice["option"] });
        names.get(&name.to_lowercase()).cloned().unwrap_or_else(|| Name::Custom(name.clone())).put(&mut entry, &name);
        entry
    });
    entries.collect()
}
