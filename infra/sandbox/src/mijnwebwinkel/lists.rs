//! Lists of options (colour, size) and the variants an article gets from those it uses.

use serde_json::{Value, json};

use super::{Ctx, errors};
use crate::message::Reply;
use crate::text::{decimal, text};

fn refuse(message: String) -> Reply {
    errors::classic(400, &message)
}

/// `GET /articlelists/{list}`.
pub(super) fn get(ctx: &Ctx<'_>, id: &str) -> Result<Reply, Reply> {
    ctx.store.get("lists", id).map(|row| Reply::json(200, row)).ok_or_else(|| errors::not_found("Article list"))
}

/// `POST /articlelistoptions/{list}`: adds options.
pub(super) fn add_options(ctx: &mut Ctx<'_>, id: &str) -> Result<Reply, Reply> {
    let mut list = ctx.store.get("lists", id).cloned().ok_or_else(|| errors::not_found("Article list"))?;
    let body = ctx.body("[ArticleListOption]", 'c')?;
    for one in body.as_array().into_iter().flatten() {
        let name = text(one, "name");
        if name.is_empty() {
            return Err(refuse("name: this value should not be blank.".into()));
        }
        let known = list["options"].as_array().is_some_and(|all| all.iter().any(|option| option["name"] == name));
        if known {
            return Err(refuse(format!("name: \"{name}\" is already an option of this list.")));
        }
        let price = if one["price"].is_null() { Some(Default::default()) } else { decimal(&one["price"]) };
        let price = price.ok_or_else(|| refuse("price: this value is not a valid price.".into()))?;
        let option = json!({"id": ctx.store.next_number("option", 401), "name": name, "price": format!("{price:.2}")});
        if let Some(options) = list["options"].as_array_mut() {
            options.push(option);
        }
    }
    ctx.store.put("lists", id, list.clone());
    Ok(Reply::json(200, &list))
}

/// `DELETE /articlelistoptions/{list}`: names of options; articles lose them too.
pub(super) fn remove_options(ctx: &mut Ctx<'_>, id: &str) -> Result<Reply, Reply> {
    let mut list = ctx.store.get("lists", id).cloned().ok_or_else(|| errors::not_found("Article list"))?;
    let body = ctx.body("[string]", 'c')?;
    let names: Vec<&str> = body.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if let Some(options) = list["options"].as_array_mut() {
        options.retain(|option| !names.contains(&text(option, "name")));
    }
    ctx.store.put("lists", id, list.clone());
    let users: Vec<Value> = ctx.store.rows("articles").filter(|row| uses(row, &list["id"])).cloned().collect();
    for mut row in users {
        for one in row["lists"].as_array_mut().map(Vec::as_mut_slice).unwrap_or_default() {
            let this = one["id"] == list["id"];
            if let Some(options) = one["options"].as_array_mut().filter(|_| this) {
                options.retain(|option| option_of(&list, &option["id"]).is_some());
            }
        }
        make_variants(ctx, &mut row);
        let key = row["id"].to_string();
        ctx.store.put("articles", &key, row);
    }
    Ok(Reply::json(200, &list))
}

fn uses(row: &Value, list: &Value) -> bool {
    row["lists"].as_array().into_iter().flatten().any(|one| one["id"] == *list)
}

fn option_of<'a>(list: &'a Value, id: &Value) -> Option<&'a Value> {
    list["options"].as_array().into_iter().flatten().find(|option| option["id"] == *id)
}

/// `lists` of a body: they replace those of the article, and their options too.
pub(super) fn write(ctx: &mut Ctx<'_>, row: &mut Value, wanted: &[Value]) -> Result<(), Reply> {
    let mut kept = Vec::new();
    for one in wanted {
        let Some(list) = ctx.store.get("lists", &one["id"].to_string()) else {
            return Err(refuse(format!("lists: list {} does not exist.", one["id"])));
        };
        let mut options = Vec::new();
        for option in one["options"].as_array().into_iter().flatten() {
            if option_of(list, &option["id"]).is_none() {
                return Err(refuse(format!("lists: option {} is not one of list {}.", option["id"], one["id"])));
            }
            let images = option["image_ids"].as_array().cloned().unwrap_or_default();
            let known = |id: &Value| row["images"].as_array().into_iter().flatten().any(|image| image["id"] == *id);
            if let Some(id) = images.iter().find(|id| !known(id)) {
                return Err(refuse(format!("lists: image {id} does not belong to the article.")));
            }
            options.push(json!({"id": option["id"], "image_ids": images}));
        }
        let with_images = options.iter().any(|option| option["image_ids"] != json!([]));
        kept.push(json!({"id": one["id"], "has_images": one["has_images"] == true || with_images, "options": options}));
    }
    if kept.iter().filter(|one| one["has_images"] == true).count() > 1 {
        return Err(refuse("lists: only one list of an article can have images.".into()));
    }
    row["lists"] = Value::Array(kept);
    make_variants(ctx, row);
    Ok(())
}

/// Attaches or detaches whole lists.
pub(super) fn change(ctx: &mut Ctx<'_>, row: &mut Value, ids: &[i64], attach: bool) -> Result<(), Reply> {
    for id in ids {
        let Some(list) = ctx.store.get("lists", &id.to_string()).cloned() else {
            return Err(refuse(format!("list {id} does not exist.")));
        };
        let mut kept = row["lists"].as_array().cloned().unwrap_or_default();
        kept.retain(|one| one["id"] != list["id"]);
        if attach {
            let options = list["options"].as_array().cloned().unwrap_or_default();
            let options: Vec<Value> =
                options.iter().map(|option| json!({"id": option["id"], "image_ids": []})).collect();
            kept.push(json!({"id": id, "has_images": false, "options": options}));
        }
        row["lists"] = Value::Array(kept);
    }
    make_variants(ctx, row);
    Ok(())
}

/// One variant for each choice of options; those that were there keep their number and stock.
pub(super) fn make_variants(ctx: &mut Ctx<'_>, row: &mut Value) {
    let mut combinations: Vec<Vec<Value>> = vec![Vec::new()];
    for used in row["lists"].as_array().into_iter().flatten() {
        let list = ctx.store.get("lists", &used["id"].to_string()).cloned().unwrap_or_default();
        let options = used["options"].as_array().cloned().unwrap_or_default();
        let options: Vec<Value> = options
            .iter()
            .filter_map(|option| option_of(&list, &option["id"]))
            .map(|option| json!({"list_id": list["id"], "option_id": option["id"], "name": option["name"]}))
            .collect();
        combinations = combinations
            .iter()
            .flat_map(|begun| options.iter().map(|option| [begun.as_slice(), std::slice::from_ref(option)].concat()))
            .collect();
    }
    combinations.retain(|choice| !choice.is_empty());
    let before = row["variants"].as_array().cloned().unwrap_or_default();
    let made = combinations.into_iter().map(|choice| {
        let choice = Value::Array(choice);
        before.iter().find(|variant| variant["options"] == choice).cloned().unwrap_or_else(|| {
            json!({"id": ctx.store.next_number("variant", 7001), "options": choice, "stock": null,
                "can_backorder": false})
        })
    });
    row["variants"] = made.collect();
}

/// Lists of an article with the names of their options.
pub(super) fn shown(ctx: &Ctx<'_>, row: &Value) -> Value {
    let used = row["lists"].as_array().cloned().unwrap_or_default();
    let one = |used: &Value| {
        let list = ctx.store.get("lists", &used["id"].to_string()).cloned().unwrap_or_default();
        let options = used["options"].as_array().cloned().unwrap_or_default();
        let options: Vec<Value> = options
            .iter()
            .filter_map(|option| {
                let known = option_of(&list, &option["id"])?;
                Some(json!({"id": known["id"], "name": known["name"], "price": known["price"],
                    "image_ids": option["image_ids"]}))
            })
            .collect();
        json!({"id": list["id"], "name": list["name"], "description": list["description"],
            "has_images": used["has_images"], "options": options})
    };
    used.iter().map(one).collect()
}
