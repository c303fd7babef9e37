//! What changes between two versions of a configuration, key by key.

use serde::Serialize;
use serde_json::Value;

use super::Config;

/// One changed key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Dotted key.
    pub key: String,
    /// Value before; `None` when the key is new.
    pub before: Option<Value>,
    /// Value after; `None` when the key is gone.
    pub after: Option<Value>,
}

/// The keys that differ, in alphabetical order.
pub fn differences(before: &Config, after: &Config) -> Vec<Change> {
    let mut changes = Vec::new();
    let json = |config: &Config| serde_json::to_value(config).unwrap_or_default();
    compare("", Some(&json(before)), Some(&json(after)), &mut changes);
    changes.sort_by(|a, b| a.key.cmp(&b.key));
    changes
}

fn compare(key: &str, before: Option<&Value>, after: Option<&Value>, changes: &mut Vec<Change>) {
    if before == after {
        return;
    }
    let empty = serde_json::Map::new();
    let (left, right) = (before.and_then(Value::as_object), after.and_then(Value::as_object));
    if left.is_none() && right.is_none() || (before.is_some() && left.is_none()) || (after.is_some() && right.is_none())
    {
        changes.push(Change { key: key.to_owned(), before: before.cloned(), after: after.cloned() });
        return;
    }
    let (left, right) = (left.unwrap_or(&empty), right.unwrap_or(&empty));
    for name in left.keys().chain(right.keys().filter(|name| !left.contains_key(*name))) {
        let path = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
        compare(&path, left.get(name), right.get(name), changes);
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[test]
    fn only_what_differs_is_named() {
        let before = parse("a", "connections: { shop: { system: woocommerce, url: https://a.example } }").unwrap();
        let after = parse("b", "connections: { shop: { system: woocommerce, url: https://b.example, page_size: 50 } }")
            .unwrap();
        let keys: Vec<String> = differences(&before, &after).into_iter().map(|c| c.key).collect();
        assert_eq!(keys, ["connections.shop.page_size", "connections.shop.url"]);
        assert!(differences(&before, &before).is_empty());
    }
}
