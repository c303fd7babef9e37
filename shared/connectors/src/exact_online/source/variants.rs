//! Parents of variations. Exact has none, so a connection says how they are told: by the front of the code, or by a
//! field that holds the code of the parent.

use koppel_core::connection::Connection;
use koppel_core::{Cause, Failure};
use serde_json::Value;

use crate::exact_online::odata;

/// How the parent of an item is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::exact_online) enum Variants {
    /// Every item is a product of its own.
    #[default]
    None,
    /// The part of the code before the last of these separators.
    CodePrefix(String),
    /// This field of the item.
    Field(String),
}

impl Variants {
    /// The option `variants`: `{ code_prefix: "-" }` or `{ field: Class_01 }`.
    pub fn of(connection: &Connection) -> Result<Self, Failure> {
        let Some(option) = connection.options.get("variants").filter(|value| !value.is_null()) else {
            return Ok(Self::None);
        };
        let part = |name: &str| {
            let text = option.get(name).and_then(Value::as_str).map(str::to_owned);
            text.filter(|text| !text.is_empty())
        };
        let alone = option.as_object().is_some_and(|map| map.len() == 1);
        match (part("code_prefix"), part("field")) {
            (Some(separator), None) if alone => Ok(Self::CodePrefix(separator)),
            (None, Some(field)) if alone && is_parent_field(&field) => Ok(Self::Field(field)),
            _ => Err(Failure::settings(
                Cause::new("bad_option", "variants does not say how the parent of an item is told")
                    .advice(
                        "write variants: { code_prefix: \"-\" }, { field: Class_01 } or { field: FreeTextField_03 }",
                    )
                    .in_row("variants")
                    .at_connection(&connection.name),
            )),
        }
    }

    /// Every item stands alone.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// Terms of a filter that finds the items of a parent, and its own item; `None` when nothing belongs together.
    pub fn terms(&self, parent: &str) -> Option<Vec<String>> {
        let own = format!("Code eq {}", odata::text(parent));
        match self {
            Self::None => None,
            Self::CodePrefix(separator) => {
                let front = odata::text(&format!("{parent}{separator}"));
                Some(vec![own, format!("startswith(Code,{front}) eq true")])
            }
            Self::Field(field) => Some(vec![own, format!("{field} eq {}", odata::text(parent))]),
        }
    }

    /// The field that must be read to know a parent, besides the code.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Field(field) => Some(field),
            _ => None,
        }
    }

    /// The code of the parent; `None` when the item stands alone.
    pub fn parent(&self, item: &Value, code: &str) -> Option<String> {
        match self {
            Self::None => None,
            Self::CodePrefix(separator) => {
                let (parent, rest) = code.rsplit_once(separator.as_str())?;
                (!parent.trim().is_empty() && !rest.trim().is_empty()).then(|| parent.trim().to_owned())
            }
            // An item that names itself is the parent's own item, not a variation of it.
            Self::Field(field) => odata::field(item, field).filter(|parent| parent != code),
        }
    }
}

fn is_parent_field(name: &str) -> bool {
    let numbered = |prefix: &str| name.strip_prefix(prefix).is_some_and(|n| n.len() == 2 && n.parse::<u8>().is_ok());
    numbered("Class_") || numbered("FreeTextField_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::connection;
    use serde_json::json;

    fn variants(option: Value) -> Result<Variants, Failure> {
        Variants::of(&connection("exact-online", json!({ "variants": option }), &[]))
    }

    #[test]
    fn a_parent_is_the_front_of_the_code_or_a_field() {
        let prefix = variants(json!({"code_prefix":"-"})).unwrap();
        let parent = |code: &str| prefix.parent(&json!({}), code);
        assert_eq!(parent("TSHIRT-ROOD-S").as_deref(), Some("TSHIRT-ROOD"));
        assert_eq!((parent("MOK"), parent("-S"), parent("MOK-")), (None, None, None));
        let field = variants(json!({"field":"Class_01"})).unwrap();
        assert_eq!(field.parent(&json!({"Class_01":"TRUI "}), "T1").as_deref(), Some("TRUI"));
        assert_eq!(field.parent(&json!({"Class_01":null}), "T1"), None);
        assert_eq!(field.parent(&json!({"Class_01":"TRUI"}), "TRUI"), None);
        assert_eq!(variants(Value::Null).unwrap().parent(&json!({}), "A-B"), None);
    }

    #[test]
    fn an_option_that_is_not_understood_is_refused() {
        for bad in [
            json!("-"),
            json!({}),
            json!({"field":"Code"}),
            json!({"code_prefix":""}),
            json!({"code_prefix":"-","field":"Class_01"}),
        ] {
            assert_eq!(variants(bad.clone()).unwrap_err().class(), "settings", "{bad}");
        }
    }
}
