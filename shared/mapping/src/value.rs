//! The values that cells work on.

use indexmap::IndexMap;
use rust_decimal::Decimal;

use crate::number;

/// A group: named values in the order in which they were written.
pub type Group = IndexMap<String, Value>;

/// One value. There is a single empty: JSON's null and a field that is not there are the same thing.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Null, or not there.
    #[default]
    Empty,
    /// Yes or no.
    Bool(bool),
    /// An exact decimal, never a float.
    Number(Decimal),
    /// A text.
    Text(String),
    /// A list of values.
    List(Vec<Value>),
    /// Named values, in order.
    Group(Group),
}

/// What sort of value something is, for messages and for the checker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Not known before the record is seen.
    Any,
    /// [`Value::Empty`].
    Empty,
    /// [`Value::Bool`].
    YesNo,
    /// [`Value::Number`].
    Number,
    /// [`Value::Text`].
    Text,
    /// [`Value::List`].
    List,
    /// [`Value::Group`].
    Group,
}

impl Kind {
    /// The word used in messages and in the reference page.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Any => "any value",
            Kind::Empty => "empty",
            Kind::YesNo => "yes/no",
            Kind::Number => "number",
            Kind::Text => "text",
            Kind::List => "list",
            Kind::Group => "group",
        }
    }
}

pub(crate) static EMPTY: Value = Value::Empty;

impl Value {
    /// Reads JSON. Numbers are taken from their text, so nothing passes through a float; digits beyond the 28 that a
    /// decimal holds are rounded, and a number too large for a decimal stays text, so that calculating with it stops.
    pub fn from_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Value::Empty,
            serde_json::Value::Bool(yes) => Value::Bool(*yes),
            serde_json::Value::Number(number) => {
                let text = number.to_string();
                match number::parse_lossy(&text) {
                    Some(decimal) => Value::Number(decimal),
                    None => Value::Text(text),
                }
            }
            serde_json::Value::String(text) => Value::Text(text.clone()),
            serde_json::Value::Array(items) => Value::List(items.iter().map(Value::from_json).collect()),
            serde_json::Value::Object(fields) => {
                Value::Group(fields.iter().map(|(name, value)| (name.clone(), Value::from_json(value))).collect())
            }
        }
    }

    /// Writes JSON. Numbers are written from the decimal, with the decimals they have; empty becomes null.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Value::Empty => serde_json::Value::Null,
            Value::Bool(yes) => serde_json::Value::Bool(*yes),
            Value::Number(decimal) => number::to_json(*decimal),
            Value::Text(text) => serde_json::Value::String(text.clone()),
            Value::List(items) => serde_json::Value::Array(items.iter().map(Value::to_json).collect()),
            Value::Group(fields) => {
                serde_json::Value::Object(fields.iter().map(|(name, value)| (name.clone(), value.to_json())).collect())
            }
        }
    }

    /// The value at a dotted path such as `billing.city` or `lines[0].sku`; empty where there is nothing.
    pub fn get(&self, path: &str) -> &Value {
        let mut here = self;
        for part in path.split('.') {
            let (name, indexes) = part.find('[').map_or((part, ""), |at| part.split_at(at));
            if !name.is_empty() {
                here = match here {
                    Value::Group(fields) => fields.get(name).unwrap_or(&EMPTY),
                    _ => &EMPTY,
                };
            }
            for index in indexes.split('[').skip(1) {
                here = match (here, index.trim_end_matches(']').parse::<usize>()) {
                    (Value::List(items), Ok(index)) => items.get(index).unwrap_or(&EMPTY),
                    _ => &EMPTY,
                };
            }
        }
        here
    }

    /// What sort of value this is.
    pub fn kind(&self) -> Kind {
        match self {
            Value::Empty => Kind::Empty,
            Value::Bool(_) => Kind::YesNo,
            Value::Number(_) => Kind::Number,
            Value::Text(_) => Kind::Text,
            Value::List(_) => Kind::List,
            Value::Group(_) => Kind::Group,
        }
    }

    /// Whether this is the empty value. An empty text is not.
    pub fn is_empty(&self) -> bool {
        matches!(self, Value::Empty)
    }

    /// The text, if this is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if this is one.
    pub fn as_number(&self) -> Option<Decimal> {
        match self {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The elements, if this is a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The fields, if this is a group.
    pub fn as_group(&self) -> Option<&Group> {
        match self {
            Value::Group(fields) => Some(fields),
            _ => None,
        }
    }

    /// How the value is shown in a message: short, and never a whole group or list.
    pub(crate) fn shown(&self) -> String {
        match self {
            Value::Empty => "empty".to_owned(),
            Value::Bool(true) => "yes".to_owned(),
            Value::Bool(false) => "no".to_owned(),
            Value::Number(number) => format!("the number {number}"),
            Value::Text(text) => format!("the text {}", quoted(text)),
            Value::List(items) => format!("a list of {}", items.len()),
            Value::Group(_) => "a group".to_owned(),
        }
    }

    /// What copying this value costs in steps.
    pub(crate) fn weight(&self) -> u64 {
        match self {
            Value::Empty | Value::Bool(_) | Value::Number(_) => 1,
            Value::Text(text) => 1 + text.len() as u64 / 64,
            Value::List(items) => 1 + items.iter().map(Value::weight).sum::<u64>(),
            Value::Group(fields) => 1 + fields.values().map(|value| 1 + value.weight()).sum::<u64>(),
        }
    }
}

/// A text between guillemets, cut for display.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("«{}…»", &text[..end]),
        None => format!("«{text}»"),
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Value::Bool(yes)
    }
}

impl From<Decimal> for Value {
    fn from(number: Decimal) -> Self {
        Value::Number(number)
    }
}

impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        Value::from_json(&json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Value {
        Value::from_json(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn numbers_survive_both_ways_as_text() {
        for text in [
            "9007199254740993",
            "0.1",
            "12.50",
            "-3",
            "79228162514264337593543950335",
            "0.0000000000000000000000000001",
        ] {
            assert_eq!(read(text).to_json().to_string(), text);
        }
        assert_eq!(read("1.5e3").to_json().to_string(), "1500");
        assert_eq!(read("25E-2").to_json().to_string(), "0.25");
    }

    #[test]
    fn too_many_digits_are_rounded_and_too_large_numbers_stay_text() {
        assert_eq!(read("0.12345678901234567890123456789").to_json().to_string(), "0.1234567890123456789012345679");
        assert_eq!(read("1e-400"), Value::Number(Decimal::ZERO));
        assert_eq!(read("1e400").kind(), Kind::Text);
    }

    #[test]
    fn paths_reach_into_groups_and_lists() {
        let value = read(r#"{"a": {"b": [{"c": 1}, [2, 3]]}}"#);
        assert_eq!(value.get("a.b[0].c"), &read("1"));
        assert_eq!(value.get("a.b[1][1]"), &read("3"));
        for missing in ["x", "a.x.y", "a.b[9].c", "a.b.c", "a[0]", "a.b[x]"] {
            assert!(value.get(missing).is_empty(), "{missing}");
        }
    }
}
