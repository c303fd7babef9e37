//! Rows as the API shows them: every field of the model in its order, addresses made on the way, translated names.

use serde_json::{Map, Value, json};

use super::metadata::{Kind, Model, metadata};
use super::resources::{self, Resource};
use super::{Ctx, SITE, categories, errors, orders, products, properties, shop, variants};
use crate::message::Reply;
use crate::text::text;

/// Address below the API.
pub(super) fn href(path: &str) -> String {
    format!("{SITE}/api/rest/v1/{path}/")
}

/// Address of the picture with this file name.
pub(super) fn picture(file: &str) -> String {
    format!("{SITE}/data/upload/Shop/images/{file}")
}

impl Ctx<'_> {
    /// A row as the API shows it.
    pub(super) fn show(&self, resource: &str, row: &Value) -> Result<Value, Reply> {
        let Some(known) = resources::find(resource) else { return Ok(Value::Null) };
        let id = row["id"].as_i64().unwrap_or_default();
        let name = format!("{resource}/{id}");
        if self.switches.broken_records.contains(&name) {
            return Err(errors::error("500.20", &format!("The output of {name} does not match its schema.")));
        }
        let row = self.translated(row);
        let row = match resource {
            "orders" => orders::shown(self, row),
            "orderrows" | "invoicerows" | "returnrows" => orders::shown_row(self, row),
            "products" => products::shown(self, row),
            "attributecombinations" => variants::shown(self, row),
            "categories" => categories::shown(self, row),
            "producttopropertygroups" => properties::with_values(self, row),
            "productpropertyvalues" => properties::shown_value(self, row),
            "productpropertygroups" => with_address_of_properties(row),
            "users" | "invoices" | "returns" => with_href_of_user(row),
            "webshops" => shop::shown(self, row),
            _ => row,
        };
        Ok(self.filled(known, &name, &row))
    }

    fn filled(&self, known: &Resource, name: &str, row: &Value) -> Value {
        let Some(model) = metadata().model(known.model) else { return row.clone() };
        let mut shown = self.fill(model, row, name);
        let link = |field: &str| row[field].as_i64().filter(|id| *id > 0);
        let map = &mut shown;
        for (field, resource) in [
            ("product_href", "products"),
            ("category_href", "categories"),
            ("product_property_group_href", "productpropertygroups"),
        ] {
            if let Some(value) = map.get_mut(field) {
                let id = link(&field.replace("_href", "_id"));
                *value = id.map_or(Value::Null, |id| json!(href(&format!("{resource}/{id}"))));
            }
        }
        if let Some((parent, field)) = known.links.first()
            && let Some(id) = link(field)
            && map.get("parent").is_some_and(Value::is_object)
        {
            map.insert("parent".into(), json!({"href": href(&format!("{parent}/{id}"))}));
        }
        Value::Object(shown)
    }

    /// All fields of a model; what a row does not say is null, or the zero of its type.
    fn fill(&self, model: &Model, row: &Value, path: &str) -> Map<String, Value> {
        let mut map = Map::new();
        for field in &model.fields {
            let own = row.get(&field.name).filter(|value| !value.is_null());
            let below = format!("{path}/{}", field.name);
            let value = match (own, &field.kind) {
                // Who has no address says so.
                (None, Kind::Text) if field.name == "href" && row.get("href").is_none() => json!(href(path)),
                (None, Kind::Model(_)) if field.name == "parent" => {
                    json!({"href": href(path.split('/').next().unwrap_or_default())})
                }
                (Some(own), Kind::Model(name)) if own.is_object() => match metadata().model(name) {
                    Some(model) => self.child(model, own, &below),
                    None => own.clone(),
                },
                (None, Kind::Model(name)) => match metadata().model(name) {
                    // A list below a row is only its address until it is expanded.
                    Some(model) if only_address(model) => json!({"href": href(&below)}),
                    _ => Value::Null,
                },
                (Some(own), Kind::Number) if self.switches.numbers_as_text == "all" && own.is_number() => {
                    json!(own.to_string())
                }
                (Some(own), _) => own.clone(),
                (None, _) if field.optional => Value::Null,
                (None, kind) => match kind {
                    Kind::Text => json!(""),
                    Kind::Whole | Kind::Number => json!(0),
                    Kind::Flag => json!(false),
                    Kind::List(_) => json!([]),
                    Kind::Model(_) => Value::Null,
                },
            };
            map.insert(field.name.clone(), value);
        }
        map
    }

    fn child(&self, model: &Model, own: &Value, path: &str) -> Value {
        let mut map = self.fill(model, own, path);
        if only_address(model) && own.get("collection").is_none() {
            map.retain(|name, _| own.get(name).is_some() || name == "href");
        }
        Value::Object(map)
    }

    /// The row in the language that was asked for.
    fn translated(&self, row: &Value) -> Value {
        let mut row = row.clone();
        let words = row.get("_words").and_then(|all| all.get(&self.language)).cloned();
        if let (Some(Value::Object(words)), Value::Object(map)) = (words, &mut row) {
            map.extend(words);
        }
        row
    }
}

/// A child that is a list of its own: an address, and its rows only when expanded.
fn only_address(model: &Model) -> bool {
    let is_list = model.fields.iter().all(|field| ["href", "collection"].contains(&field.name.as_str()));
    model.field("href").is_some() && (is_list || model.field("costs").is_some())
}

fn with_address_of_properties(mut row: Value) -> Value {
    row["productproperties"] = json!(href(&format!("productpropertygroups/{}/productproperties", row["id"])));
    row
}

fn with_href_of_user(mut row: Value) -> Value {
    if let Some(id) = row["user"]["id"].as_i64() {
        row["user"]["href"] = json!(href(&format!("users/{id}")));
    }
    row
}

/// Puts the address of the shop into an answer.
pub(super) fn with_site(body: Vec<u8>, site: &str) -> Vec<u8> {
    match String::from_utf8(body) {
        Ok(text) => text.replace(SITE, site).into_bytes(),
        Err(error) => error.into_bytes(),
    }
}

/// A text field, in its plain form, for comparing names.
pub(super) fn same_text(row: &Value, field: &str, other: &str) -> bool {
    text(row, field).trim().to_lowercase() == other.trim().to_lowercase()
}
