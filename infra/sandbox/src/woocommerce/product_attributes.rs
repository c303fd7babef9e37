//! Attributes on products and variations: those of the whole shop by id, others by name.

use serde_json::{Value, json};

use super::{Ctx, terms};
use crate::text::{text, whole};

/// Attributes of a product. Options the shop does not know yet become terms; one of the product's own splits at `|`.
pub(super) fn of_product(ctx: &mut Ctx<'_>, sent: &[Value]) -> Value {
    let mut list = Vec::new();
    for (at, one) in sent.iter().enumerate() {
        let id = one.get("id").and_then(whole).unwrap_or(0);
        let mut options: Vec<String> = match one.get("options") {
            Some(Value::Array(options)) => options.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Some(Value::String(options)) => vec![options.clone()],
            _ => Vec::new(),
        };
        let (name, slug) = match ctx.store.get("attributes", &id.to_string()) {
            Some(row) => (text(row, "name").to_owned(), text(row, "slug").to_owned()),
            None if id != 0 || text(one, "name").is_empty() => continue,
            None => (text(one, "name").to_owned(), text(one, "name").to_owned()),
        };
        if id == 0 {
            options = options.iter().flat_map(|option| option.split('|')).map(|part| part.trim().to_owned()).collect();
        } else {
            options = options.into_iter().map(|option| terms::option(ctx, id, &option, true)).collect();
            options.sort();
            options.dedup();
        }
        options.retain(|option| !option.is_empty());
        let flag = |field: &str| one.get(field).is_some_and(|value| *value == true || *value == 1);
        let position = one.get("position").and_then(whole).unwrap_or(at as i64);
        list.push(json!({"id": id, "name": name, "slug": slug, "position": position, "visible": flag("visible"),
            "variation": flag("variation"), "options": options}));
    }
    Value::Array(list)
}

/// Attributes of a variation: only those its parent varies by. An option the parent lacks is kept, but becomes no term.
pub(super) fn of_variation(ctx: &mut Ctx<'_>, parent: &Value, sent: &[Value]) -> Value {
    let mut list = Vec::new();
    for one in sent {
        let id = one.get("id").and_then(whole).unwrap_or(0);
        let name = text(one, "name");
        let owned = parent["attributes"].as_array().into_iter().flatten().find(|attribute| {
            let named = || text(attribute, "name").eq_ignore_ascii_case(name) || text(attribute, "slug") == name;
            attribute["variation"] == true && if id != 0 { attribute["id"] == id } else { !name.is_empty() && named() }
        });
        let (Some(owned), false) = (owned, text(one, "option").is_empty()) else { continue };
        let shared = owned["id"].as_i64().unwrap_or(0);
        let option = match shared {
            0 => text(one, "option").to_owned(),
            shared => terms::option(ctx, shared, text(one, "option"), false),
        };
        let slug = if shared == 0 { text(owned, "slug").to_lowercase() } else { text(owned, "slug").to_owned() };
        list.push(json!({"id": shared, "name": owned["name"], "slug": slug, "option": option}));
    }
    Value::Array(list)
}

/// Name of a variation: its options.
pub(super) fn name(variation: &Value) -> String {
    let options = variation["attributes"].as_array().into_iter().flatten().map(|one| text(one, "option"));
    options.collect::<Vec<_>>().join(", ")
}
