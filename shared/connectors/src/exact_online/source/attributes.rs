//! Attributes of products. Exact has none, so a connection says which fields of an item are a choice between variations
//! (colour, size) or a piece of information (brand, country of origin).

use std::collections::BTreeMap;

use koppel_core::connection::Connection;
use koppel_core::error::nearest;
use koppel_core::{Cause, Failure};
use serde_json::{Value, json};

use crate::exact_online::odata;

/// Fields of an item that users fill in as they like: kind and how many there are.
const FREE_FIELDS: [(&str, u8); 5] =
    [("Class_", 10), ("FreeTextField_", 10), ("FreeNumberField_", 8), ("FreeBoolField_", 5), ("FreeDateField_", 5)];

/// Names of all these fields.
pub(in crate::exact_online) fn free_fields() -> impl Iterator<Item = String> {
    FREE_FIELDS.into_iter().flat_map(|(kind, most)| (1..=most).map(move |number| format!("{kind}{number:02}")))
}

/// One attribute: what the shop calls it, and the field it is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Attribute {
    name: String,
    field: String,
    varies: bool,
}

/// The attributes of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::exact_online) struct Attributes(Vec<Attribute>);

impl Attributes {
    /// The options `attributes` (variations differ by them) and `features` (they inform): `{ Colour: FreeTextField_03 }`.
    pub fn of(connection: &Connection) -> Result<Self, Failure> {
        let mut all = Vec::new();
        for (option, varies) in [("attributes", true), ("features", false)] {
            let Some(value) = connection.options.get(option).filter(|value| !value.is_null()) else { continue };
            let bad = |message: String, advice: String| {
                Failure::settings(
                    Cause::new("bad_option", message).advice(advice).in_row(option).at_connection(&connection.name),
                )
            };
            let example = || format!("write {option}: {{ Colour: FreeTextField_03 }}");
            let map = value.as_object().ok_or_else(|| bad(format!("{option} is not a list of names"), example()))?;
            for (name, field) in map {
                let field = field.as_str().unwrap_or_default();
                if !free_fields().any(|known| known == field) {
                    let names: Vec<String> = free_fields().collect();
                    let near = nearest(field, names.iter().map(String::as_str)).map(str::to_owned);
                    let advice = near.map_or_else(example, |near| format!("did you mean «{near}»?"));
                    return Err(bad(format!("{option}.{name}: «{field}» is not a free field of an item"), advice));
                }
                all.push(Attribute { name: name.clone(), field: field.to_owned(), varies });
            }
        }
        Ok(Self(all))
    }

    /// Some value is the code of a property of an assortment, and people know it by its name.
    pub fn need_assortments(&self) -> bool {
        self.0.iter().any(|attribute| attribute.field.starts_with("Class_"))
    }

    /// The field behind the name of an attribute, in whatever case.
    pub fn field_of(&self, name: &str) -> Option<&str> {
        let lower = name.trim().to_lowercase();
        self.0.iter().find(|known| known.name.to_lowercase() == lower).map(|known| known.field.as_str())
    }

    /// The values of an item: `[{ name, values, varies }]`, empty ones left out.
    pub fn values(&self, item: &Value, assortments: &Assortments) -> Vec<Value> {
        let value = |attribute: &Attribute| {
            let value = odata::field(item, &attribute.field)?;
            let value = assortments.name_of(&attribute.field, &value).unwrap_or(value);
            Some(json!({ "name": attribute.name, "values": [value], "varies": attribute.varies }))
        };
        self.0.iter().filter_map(value).collect()
    }
}

/// Names of the properties of assortments, by number of the assortment and code.
#[derive(Clone, Debug, Default)]
pub(in crate::exact_online) struct Assortments(BTreeMap<(String, String), String>);

impl Assortments {
    /// From the rows of `logistics/ItemAssortmentProperty`.
    pub fn of(rows: &[Value]) -> Self {
        let entry = |row: &Value| {
            let key = (odata::field(row, "ItemAssortmentCode")?, odata::field(row, "Code")?);
            Some((key, odata::field(row, "Description")?))
        };
        Self(rows.iter().filter_map(entry).collect())
    }

    /// The code of a property by its name, else the code itself; `None` when there is neither.
    pub fn code_of(&self, field: &str, text: &str) -> Option<String> {
        let number = field.strip_prefix("Class_")?.parse::<u8>().ok()?.to_string();
        let lower = text.to_lowercase();
        let of_field = || self.0.iter().filter(|((assortment, _), _)| *assortment == number);
        let named = of_field().find(|(_, name)| name.to_lowercase() == lower);
        named.or_else(|| of_field().find(|((_, code), _)| *code == text)).map(|((_, code), _)| code.clone())
    }

    fn name_of(&self, field: &str, code: &str) -> Option<String> {
        let number: u8 = field.strip_prefix("Class_")?.parse().ok()?;
        self.0.get(&(number.to_string(), code.to_owned())).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::connection;

    fn attributes(options: Value) -> Result<Attributes, Failure> {
        Attributes::of(&connection("exact-online", options, &[]))
    }

    #[test]
    fn choices_and_features_are_read_from_the_fields_that_the_connection_names() {
        let known =
            attributes(json!({"attributes":{"Kleur":"FreeTextField_03"},"features":{"Merk":"Class_01"}})).unwrap();
        let rows = [json!({"ItemAssortmentCode":1,"Code":"NOORD","Description":"Noordwol"})];
        let item = json!({"FreeTextField_03":"Rood ","Class_01":"NOORD"});
        assert_eq!(
            known.values(&item, &Assortments::of(&rows)),
            [
                json!({"name":"Kleur","values":["Rood"],"varies":true}),
                json!({"name":"Merk","values":["Noordwol"],"varies":false})
            ]
        );
        assert_eq!(known.values(&json!({"Class_01":"X"}), &Assortments::of(&rows))[0]["values"][0], "X");
        assert!(known.need_assortments());
        let names = Assortments::of(&rows);
        assert_eq!((known.field_of("kleur"), known.field_of("Maat")), (Some("FreeTextField_03"), None));
        let code = |text: &str| names.code_of("Class_01", text);
        assert_eq!(
            (code("noordwol").as_deref(), code("NOORD").as_deref(), code("X")),
            (Some("NOORD"), Some("NOORD"), None)
        );
        assert_eq!(names.code_of("Class_02", "Noordwol"), None);
    }

    #[test]
    fn a_field_that_is_not_free_is_refused_with_the_nearest_name() {
        let failure = attributes(json!({"attributes":{"Kleur":"FreeTextFeld_03"}})).unwrap_err();
        assert!(failure.to_string().contains("FreeTextField_03"), "{failure}");
        assert_eq!(attributes(json!({"features":["Class_01"]})).unwrap_err().class(), "settings");
    }
}
