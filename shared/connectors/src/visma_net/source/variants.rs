//! Parents of variations, and the attributes they differ by. Visma Net has neither, so a connection says how they are told:
//! by an attribute that holds the number of the parent, or by the front of the item number.

use koppel_core::connection::Connection;
use koppel_core::{Cause, Failure};
use serde_json::{Value, json};

use crate::visma_net::wire;

/// How the parent of an item is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Parent {
    /// Every item is a product of its own.
    #[default]
    None,
    /// The part of the number before the last of these separators.
    CodePrefix(String),
    /// This attribute of the item.
    Attribute(String),
}

/// Parents and choices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::visma_net) struct Variants {
    parent: Parent,
    /// Attributes that variations differ by.
    choices: Vec<String>,
}

impl Variants {
    /// The options `variants` (`{ code_prefix: "-" }` or `{ attribute: PARENT }`) and `choices` (a list of attributes).
    pub fn of(connection: &Connection) -> Result<Self, Failure> {
        Ok(Self { parent: parent_of(connection)?, choices: choices_of(connection)? })
    }

    /// Every item stands alone.
    pub fn is_none(&self) -> bool {
        self.parent == Parent::None
    }

    /// The attribute that holds the parent.
    pub fn attribute(&self) -> Option<&str> {
        match &self.parent {
            Parent::Attribute(name) => Some(name),
            _ => None,
        }
    }

    /// The number of the parent; `None` when the item stands alone.
    pub fn parent(&self, item: &Value, code: &str) -> Option<String> {
        match &self.parent {
            Parent::None => None,
            Parent::CodePrefix(separator) => {
                let (parent, rest) = code.rsplit_once(separator.as_str())?;
                (!parent.trim().is_empty() && !rest.trim().is_empty()).then(|| parent.trim().to_owned())
            }
            Parent::Attribute(name) => attribute(item, name).filter(|parent| parent != code),
        }
    }

    /// The attributes of an item for its product, without the one that tells the parent.
    pub fn attributes(&self, item: &Value, is_variation: bool) -> Vec<Value> {
        let mut all = Vec::new();
        for one in item.get("attributes").and_then(Value::as_array).into_iter().flatten() {
            let (Some(id), Some(value)) = (wire::field(one, "id"), wire::field(one, "value")) else { continue };
            if self.attribute() == Some(id.as_str()) {
                continue;
            }
            let name = wire::field(one, "description").unwrap_or_else(|| id.clone());
            let varies = is_variation && self.choices.contains(&id);
            // Several choices of one attribute stand in one text.
            let values: Vec<&str> = value.split(',').map(str::trim).filter(|value| !value.is_empty()).collect();
            let values = if varies { vec![value.as_str()] } else { values };
            all.push(json!({ "id": id, "name": name, "values": values, "varies": varies }));
        }
        all
    }
}

/// The value of an attribute, in a list (ERP API) or in a group (service for orders).
fn attribute(item: &Value, name: &str) -> Option<String> {
    let attributes = item.get("attributes")?;
    if let Some(list) = attributes.as_array() {
        return list
            .iter()
            .find(|one| wire::field(one, "id").as_deref() == Some(name))
            .and_then(|one| wire::field(one, "value"));
    }
    attributes
        .as_object()?
        .get(name)
        .and_then(Value::as_str)
        .map(str::trim)
        .filter(|v| !v.is_empty())
        .map(str::to_owned)
}

fn parent_of(connection: &Connection) -> Result<Parent, Failure> {
    let Some(option) = connection.options.get("variants").filter(|value| !value.is_null()) else {
        return Ok(Parent::None);
    };
    let part = |name: &str| option.get(name).and_then(Value::as_str).map(str::to_owned).filter(|text| !text.is_empty());
    let alone = option.as_object().is_some_and(|map| map.len() == 1);
    match (part("code_prefix"), part("attribute")) {
        (Some(separator), None) if alone => Ok(Parent::CodePrefix(separator)),
        (None, Some(name)) if alone => Ok(Parent::Attribute(name)),
        _ => Err(bad(connection, "variants", "write variants: { code_prefix: \"-\" } or { attribute: PARENT }")),
    }
}

fn choices_of(connection: &Connection) -> Result<Vec<String>, Failure> {
    match connection.options.get("choices").filter(|value| !value.is_null()) {
        None => Ok(Vec::new()),
        Some(Value::String(text)) => {
            Ok(text.split([',', ' ']).map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned).collect())
        }
        Some(Value::Array(list)) if list.iter().all(Value::is_string) => {
            Ok(list.iter().filter_map(Value::as_str).map(|id| id.trim().to_owned()).collect())
        }
        Some(_) => Err(bad(connection, "choices", "name the attributes, such as choices: \"COLOUR, SIZE\"")),
    }
}

fn bad(connection: &Connection, name: &str, advice: &str) -> Failure {
    Failure::settings(
        Cause::new("bad_option", format!("{name} does not say which attributes are meant"))
            .advice(advice)
            .in_row(name)
            .at_connection(&connection.name),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing;

    fn variants(options: Value) -> Result<Variants, Failure> {
        Variants::of(&testing::connection("visma-net", options, &[]))
    }

    #[test]
    fn the_parent_is_told_by_the_front_of_the_number_or_by_an_attribute() {
        let prefix = variants(json!({"variants": {"code_prefix": "-"}})).unwrap();
        assert_eq!(prefix.parent(&json!({}), "SHIRT-RED-M").as_deref(), Some("SHIRT-RED"));
        assert_eq!(prefix.parent(&json!({}), "SHIRT"), None);
        let by = variants(json!({"variants": {"attribute": "PARENT"}, "choices": "COLOUR, SIZE"})).unwrap();
        let item = json!({"attributes": [
            {"id": "PARENT", "value": "SHIRT"}, {"id": "COLOUR", "description": "Colour", "value": "Red"},
            {"id": "CARE", "description": "Care", "value": "30, dry"}]});
        assert_eq!(by.parent(&item, "S1").as_deref(), Some("SHIRT"));
        // The parent's own item.
        assert_eq!(by.parent(&item, "SHIRT"), None);
        assert_eq!(by.parent(&json!({"attributes": {"PARENT": "SHIRT"}}), "S1").as_deref(), Some("SHIRT"));
        assert_eq!(
            Value::Array(by.attributes(&item, true)),
            json!([{"id": "COLOUR", "name": "Colour", "values": ["Red"], "varies": true},
                {"id": "CARE", "name": "Care", "values": ["30", "dry"], "varies": false}])
        );
        assert_eq!(by.attributes(&item, false)[0]["varies"], false);
    }

    #[test]
    fn wrong_options_are_settings() {
        for options in [json!({"variants": "PARENT"}), json!({"variants": {"field": "x"}}), json!({"choices": 7})] {
            assert_eq!(variants(options).unwrap_err().cause().code, "bad_option");
        }
        assert!(variants(json!({})).unwrap().is_none());
    }
}
