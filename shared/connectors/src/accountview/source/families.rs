//! Parents and attributes. AccountView has neither, so a connection says how the parent of an article is told, and which
//! fields of it are a choice between variations or a piece of information.

use koppel_core::connection::Connection;
use koppel_core::{Cause, Failure};
use serde_json::{Value, json};

use crate::accountview::client::field;

/// How the parent of an article is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::accountview) enum Variants {
    /// Every article is a product of its own.
    #[default]
    None,
    /// The part of the code before the last of these separators.
    CodePrefix(String),
    /// This field of the article.
    Field(String),
}

impl Variants {
    /// The option `variants`: `{ code_prefix: "-" }` or `{ field: X11_PARENT }`.
    pub fn of(connection: &Connection) -> Result<Self, Failure> {
        let Some(option) = connection.options.get("variants").filter(|value| !value.is_null()) else {
            return Ok(Self::None);
        };
        let part = |name: &str| option.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let alone = option.as_object().is_some_and(|map| map.len() == 1);
        match (part("code_prefix"), part("field")) {
            (Some(separator), None) if alone => Ok(Self::CodePrefix(separator.to_owned())),
            (None, Some(field)) if alone => Ok(Self::Field(field.to_owned())),
            _ => Err(Failure::settings(
                Cause::new("bad_option", "variants does not say how the parent of an article is told")
                    .advice("write variants: { code_prefix: \"-\" } or { field: NAME }")
                    .in_row("variants")
                    .at_connection(&connection.name),
            )),
        }
    }

    /// Every article stands alone.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// The field that must be read to know a parent.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Field(field) => Some(field),
            _ => None,
        }
    }

    /// The code of the parent; `None` when the article stands alone.
    pub fn parent(&self, article: &Value, code: &str) -> Option<String> {
        match self {
            Self::None => None,
            Self::CodePrefix(separator) => {
                let (parent, rest) = code.rsplit_once(separator.as_str())?;
                (!parent.trim().is_empty() && !rest.trim().is_empty()).then(|| parent.trim().to_owned())
            }
            // An article that names itself is the parent's own one.
            Self::Field(name) => field(article, name).filter(|parent| parent != code),
        }
    }
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
pub(in crate::accountview) struct Attributes(Vec<Attribute>);

impl Attributes {
    /// The options `attributes` (variations differ by them) and `features` (they inform): `{ Colour: X01_COL }`. Whether
    /// there are such fields the dictionary tells.
    pub fn of(connection: &Connection) -> Result<Self, Failure> {
        let mut all = Vec::new();
        for (option, varies) in [("attributes", true), ("features", false)] {
            let Some(value) = connection.options.get(option).filter(|value| !value.is_null()) else { continue };
            let names = value.as_object().into_iter().flatten();
            let texts: Vec<(&String, Option<&str>)> = names.map(|(name, field)| (name, field.as_str())).collect();
            if !value.is_object() || texts.iter().any(|(_, field)| field.is_none_or(str::is_empty)) {
                return Err(Failure::settings(
                    Cause::new("bad_option", format!("{option} is not a list of names and fields"))
                        .advice(format!("write {option}: {{ Colour: X01_COL }}"))
                        .in_row(option)
                        .at_connection(&connection.name),
                ));
            }
            all.extend(
                texts.into_iter().filter_map(|(name, field)| {
                    Some(Attribute { name: name.clone(), field: field?.to_owned(), varies })
                }),
            );
        }
        Ok(Self(all))
    }

    /// The fields that must be read.
    pub fn fields(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|attribute| attribute.field.clone())
    }

    /// The values of an article: `[{ name, values, varies }]`, empty ones left out.
    pub fn values(&self, article: &Value) -> Vec<Value> {
        let value = |attribute: &Attribute| {
            let value = field(article, &attribute.field)?;
            Some(json!({ "name": attribute.name, "values": [value], "varies": attribute.varies }))
        };
        self.0.iter().filter_map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::families::attributes_of_all;
    use crate::http::testing::connection;

    #[test]
    fn a_parent_is_the_front_of_the_code_or_a_field() {
        let of = |option: Value| Variants::of(&connection("accountview", json!({ "variants": option }), &[]));
        let prefix = of(json!({"code_prefix": "-"})).unwrap();
        assert_eq!(prefix.parent(&json!({}), "TRUI-ROOD-S").as_deref(), Some("TRUI-ROOD"));
        assert_eq!((prefix.parent(&json!({}), "MOK"), prefix.parent(&json!({}), "-S")), (None, None));
        let by_field = of(json!({"field": "X11_PARENT"})).unwrap();
        assert_eq!(by_field.parent(&json!({"X11_PARENT": "TRUI      "}), "T1").as_deref(), Some("TRUI"));
        assert_eq!(by_field.parent(&json!({"X11_PARENT": "TRUI"}), "TRUI"), None);
        assert!(of(json!({"field": "X", "code_prefix": "-"})).is_err() && of(json!("-")).is_err());
    }

    #[test]
    fn attributes_are_put_together_over_variations() {
        let options = json!({"attributes": {"Kleur": "X01_COL"}, "features": {"Merk": "X02_BRAND"}});
        let attributes = Attributes::of(&connection("accountview", options, &[])).unwrap();
        let item =
            |colour: &str| json!({"attributes": attributes.values(&json!({"X01_COL": colour, "X02_BRAND": "N "}))});
        let own = item("Rood")["attributes"].clone();
        assert_eq!(
            attributes_of_all(&own, &[item("Rood"), item("Blauw"), item("Rood")]),
            [
                json!({"name": "Merk", "values": ["N"], "varies": false}),
                json!({"name": "Kleur", "values": ["Rood", "Blauw"], "varies": true})
            ]
        );
        let bad = connection("accountview", json!({"attributes": {"Kleur": 1}}), &[]);
        assert_eq!(Attributes::of(&bad).unwrap_err().class(), "settings");
    }
}
