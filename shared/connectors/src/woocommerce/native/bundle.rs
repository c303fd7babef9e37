//! Lines of an order that are parts of another. Each gets `part_of`: the id of the line that it belongs to.
//!
//! * Product Bundles adds `bundled_by` to a part (id of its bundle's line) and `bundled_items` to a bundle (ids of its parts);
//!   Composite Products `composite_parent` and `composite_children`.
//! * Both keep the same in meta data, by keys of the cart: what `_bundled_by` says stands in `_bundle_cart_key` of the bundle,
//!   what `_composite_parent` says in `_composite_cart_key`. Orders that were copied have lost one or the other.
//! * Pairs of keys of other plugins are named in the option `bundle_meta`.
//!
//! A line whose bundle is not found is a line of its own.

use koppel_core::connection::Connection;
use koppel_core::{Cause, Failure};
use serde_json::Value;

use super::{list, text};

/// What a part says of its bundle's line, and a bundle's line of its parts.
const FIELDS: [(&str, &str); 2] = [("bundled_by", "bundled_items"), ("composite_parent", "composite_children")];
/// Meta key of a part, and the meta key of its bundle that has the same value.
const META: [(&str, &str); 2] = [("_bundled_by", "_bundle_cart_key"), ("_composite_parent", "_composite_cart_key")];
/// In place of a meta key of the bundle: the id of its line, or of its product.
const OF_LINE: &str = "id";
const OF_PRODUCT: &str = "product_id";

/// A pair of keys that the connection names: of a part, and of its bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    part: String,
    bundle: String,
}

/// The option `bundle_meta`: a list of `key of a part=key of its bundle`.
pub fn pairs(connection: &Connection) -> Result<Vec<Pair>, Failure> {
    let texts: Vec<&str> = match connection.options.get("bundle_meta") {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(text)) => text.split(',').collect(),
        _ => Vec::new(),
    };
    let read = |text: &str| match text.split_once('=').map(|(part, bundle)| (part.trim(), bundle.trim())) {
        Some((part, bundle)) if !part.is_empty() && !bundle.is_empty() => {
            Ok(Pair { part: part.to_owned(), bundle: bundle.to_owned() })
        }
        _ => Err(Failure::settings(
            Cause::new("bad_option", format!("«{text}» in bundle_meta is not a pair of keys"))
                .advice("write it as _key_of_a_part=_key_of_its_bundle, or =product_id, or =id")
                .in_row("bundle_meta"),
        )),
    };
    texts.into_iter().map(str::trim).filter(|text| !text.is_empty()).map(read).collect()
}

/// Sets `part_of` on the lines of an order that are parts of another, by what the two documented plugins say.
pub(super) fn link(lines: &mut [Value]) {
    let found: Vec<Option<String>> = (0..lines.len()).map(|at| bundle_of(lines, at)).collect();
    set(lines, found);
}

/// Does so by the pairs of the connection, where nothing has said so yet.
pub fn link_by(order: &mut Value, pairs: &[Pair]) {
    let Some(lines) = order.get_mut("line_items").and_then(Value::as_array_mut) else { return };
    for pair in pairs {
        let found = (0..lines.len()).map(|at| by_pair(lines, at, &pair.part, &pair.bundle)).collect();
        set(lines, found);
    }
}

fn set(lines: &mut [Value], found: Vec<Option<String>>) {
    for (line, found) in lines.iter_mut().zip(found) {
        if let Some(id) = found.filter(|_| line.is_object() && text(&line["part_of"]).is_empty()) {
            line["part_of"] = Value::String(id);
        }
    }
}

fn bundle_of(lines: &[Value], at: usize) -> Option<String> {
    let id = filled(&lines[at]["id"]);
    for (of_part, of_bundle) in FIELDS {
        let named = filled(&lines[at][of_part]).filter(|named| lines.iter().any(|line| text(&line["id"]) == *named));
        let lists_it = |line: &&Value| {
            id.as_ref().is_some_and(|id| list(&line[of_bundle]).iter().any(|listed| text(listed) == *id))
        };
        let found = named.or_else(|| lines.iter().find(lists_it).and_then(|line| filled(&line["id"])));
        if found.is_some() {
            return found.filter(|found| Some(found) != id.as_ref());
        }
    }
    META.iter().find_map(|(part, bundle)| by_pair(lines, at, part, bundle))
}

/// The line that has, under `bundle`, what this line has under `part`: the nearest before it, else the first after it.
fn by_pair(lines: &[Value], at: usize, part: &str, bundle: &str) -> Option<String> {
    let wanted = filled(&lines[at]["meta"][part])?;
    let has = |line: &&Value| {
        let said = match bundle {
            OF_LINE => [text(&line["id"]), String::new()],
            OF_PRODUCT => [text(&line["product_id"]), text(&line["variation_id"])],
            key => [text(&line["meta"][key]), String::new()],
        };
        said.contains(&wanted)
    };
    let (before, after) = (lines[..at].iter().rev(), lines[at + 1..].iter());
    before.chain(after).find(has).and_then(|line| filled(&line["id"]))
}

/// A text or number that says something: neither empty nor zero.
fn filled(value: &Value) -> Option<String> {
    Some(text(value).trim().to_owned()).filter(|text| !text.is_empty() && text != "0")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::order;
    use super::*;

    fn linked(lines: Value, pairs: &[Pair]) -> Vec<String> {
        let mut raw = order(json!({"id": 1, "line_items": lines}), &[]).unwrap().raw;
        link_by(&mut raw, pairs);
        raw["line_items"].as_array().unwrap().iter().map(|line| text(&line["part_of"])).collect()
    }

    #[test]
    fn a_part_names_the_line_of_its_bundle_or_the_bundle_its_parts() {
        let bundles = json!([
            {"id": 11, "bundled_by": "", "bundled_items": [12, 13]},
            {"id": 12, "bundled_by": 11, "bundled_items": []},
            {"id": 13, "bundled_by": "", "bundled_items": []},
            {"id": 14, "bundled_by": "", "bundled_items": []},
        ]);
        assert_eq!(linked(bundles, &[]), ["", "11", "11", ""]);
        let composites = json!([
            {"id": 21, "composite_parent": "", "composite_children": [22]},
            {"id": 22, "composite_parent": 21, "composite_children": [23]},
            {"id": 23, "composite_parent": "22"},
            {"id": 24, "composite_parent": 99},
        ]);
        assert_eq!(linked(composites, &[]), ["", "21", "22", ""], "of a bundle that is not there it is no part");
    }

    fn meta(id: u64, product: u64, key: &str, value: Value) -> Value {
        json!({"id": id, "product_id": product, "meta_data": [{"id": 1, "key": key, "value": value}]})
    }

    #[test]
    fn keys_of_the_cart_say_the_same() {
        let lines = json!([
            meta(2, 5, "_bundled_by", json!("abc")),
            meta(1, 4, "_bundle_cart_key", json!("abc")),
            meta(3, 6, "_bundled_by", json!("def")),
        ]);
        assert_eq!(linked(lines, &[]), ["1", "", ""]);
    }

    #[test]
    fn pairs_of_other_plugins_come_from_the_connection() {
        let lines = || {
            json!([
                meta(1, 100, "_woosb_ids", json!("a")),
                meta(2, 7, "_woosb_parent_id", json!("100")),
                meta(3, 100, "_woosb_ids", json!("b")),
                meta(4, 7, "_woosb_parent_id", json!(100)),
            ])
        };
        let mut connection = crate::http::testing::connection("woocommerce", json!({}), &[]);
        assert_eq!(linked(lines(), &pairs(&connection).unwrap()), ["", "", "", ""]);
        connection.options.insert("bundle_meta".into(), json!(["_woosb_parent_id = product_id"]));
        assert_eq!(linked(lines(), &pairs(&connection).unwrap()), ["", "1", "", "3"], "the nearest before it");
        connection.options.insert("bundle_meta".into(), json!(["_woosb_parent_id"]));
        assert_eq!(pairs(&connection).unwrap_err().cause().code, "bad_option");
    }
}
