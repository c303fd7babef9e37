//! Parents of variations. Asperion has none, so a connection says how they are told: by a free field that holds the code
//! of the parent, or by the front of the code.

use koppel_core::connection::Connection;
use koppel_core::{Cause, Failure};
use serde_json::Value;

use super::attributes::is_free_field;
use crate::asperion::native;

/// How the parent of an article is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::asperion) enum Variants {
    /// Every article is a product of its own.
    #[default]
    None,
    /// The part of the code before the last of these separators.
    CodePrefix(String),
    /// This free field of the article.
    Field(String),
}

impl Variants {
    /// The option `variants`: `{ field: characteristic1 }` or `{ code_prefix: "-" }`.
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
            (None, Some(field)) if alone && is_free_field(&field) => Ok(Self::Field(field)),
            _ => Err(Failure::settings(
                Cause::new("bad_option", "variants does not say how the parent of an article is told")
                    .advice("write variants: { field: characteristic1 } or { code_prefix: \"-\" }")
                    .in_row("variants")
                    .at_connection(&connection.name),
            )),
        }
    }

    /// Every article stands alone.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// The field that must be read to know a parent, besides the code.
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
            // An article that names itself is the parent's own one, not a variation of it.
            Self::Field(field) => native::field(article, field).filter(|parent| parent != code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::connection;
    use serde_json::json;

    fn variants(option: Value) -> Result<Variants, Failure> {
        Variants::of(&connection("asperion", json!({ "variants": option }), &[]))
    }

    #[test]
    fn a_parent_is_a_free_field_or_the_front_of_the_code() {
        let field = variants(json!({"field":"characteristic1"})).unwrap();
        assert_eq!(field.parent(&json!({"characteristic1":"TRUI "}), "T1").as_deref(), Some("TRUI"));
        assert_eq!(field.parent(&json!({"characteristic1":null}), "T1"), None);
        assert_eq!(field.parent(&json!({"characteristic1":"TRUI"}), "TRUI"), None);
        let prefix = variants(json!({"code_prefix":"-"})).unwrap();
        assert_eq!(prefix.parent(&json!({}), "TRUI-ROOD-S").as_deref(), Some("TRUI-ROOD"));
        assert_eq!(prefix.parent(&json!({}), "MOK"), None);
        assert!(variants(Value::Null).unwrap().is_none());
    }

    #[test]
    fn an_option_that_is_not_understood_is_refused() {
        for bad in [json!("-"), json!({}), json!({"field":"unit"}), json!({"field":"characteristic6"})] {
            assert_eq!(variants(bad.clone()).unwrap_err().class(), "settings", "{bad}");
        }
    }
}
