//! Customers and their addresses: only for partners with special access.

use serde_json::{Value, json};

use super::{Ctx, errors};
use crate::message::Reply;
use crate::text::text;

/// Answers everything below `/customers`.
pub(super) fn route(ctx: &mut Ctx<'_>, parts: &[&str]) -> Result<Reply, Reply> {
    if !ctx.switches.right("customers") {
        return Err(errors::problem(403, "You do not have access to this resource."));
    }
    match (ctx.call.method.as_str(), parts) {
        ("GET", []) => list(ctx),
        ("POST", []) => create(ctx),
        ("GET", [id]) => Ok(customer(&find(ctx, id)?, true)),
        ("PATCH", [id]) => update(ctx, id),
        ("DELETE", [id]) => {
            find(ctx, id)?;
            ctx.store.delete("customers", id);
            Ok(Reply::empty(200))
        }
        ("GET", [id, "addresses"]) => Ok(Reply::json(200, &json!({"addresses": find(ctx, id)?["addresses"]}))),
        ("POST", [id, "addresses"]) => add_address(ctx, id),
        ("GET", [id, "addresses", address]) => {
            let row = find(ctx, id)?;
            let at = place(&row, address)?;
            Ok(Reply::json(200, &json!({"address": row["addresses"][at]})))
        }
        ("PATCH", [id, "addresses", address]) => update_address(ctx, id, address),
        ("DELETE", [id, "addresses", address]) => {
            let mut row = find(ctx, id)?;
            let at = place(&row, address)?;
            if let Some(all) = row["addresses"].as_array_mut() {
                all.remove(at);
            }
            ctx.store.put("customers", id, row);
            Ok(Reply::empty(200))
        }
        _ => Err(errors::problem(404, "Page not found.")),
    }
}

fn find(ctx: &Ctx<'_>, id: &str) -> Result<Value, Reply> {
    ctx.store.get("customers", id).cloned().ok_or_else(|| errors::problem(404, "Customer not found."))
}

fn place(row: &Value, address: &str) -> Result<usize, Reply> {
    let mut all = row["addresses"].as_array().into_iter().flatten();
    all.position(|one| one["id"] == address).ok_or_else(|| errors::problem(404, "Address not found."))
}

fn shown(row: &Value, addresses: bool) -> Value {
    let mut out = row.clone();
    if let Some(fields) = out.as_object_mut() {
        fields.retain(|name, _| addresses || name != "addresses");
    }
    out
}

fn customer(row: &Value, addresses: bool) -> Reply {
    Reply::json(200, &json!({"customer": shown(row, addresses)}))
}

fn list(ctx: &Ctx<'_>) -> Result<Reply, Reply> {
    let wanted = ctx.call.param("q").unwrap_or_default().to_lowercase();
    let embed = ctx.call.param("embed").as_deref() == Some("address");
    let rows = ctx.store.rows("customers").filter(|row| text(row, "email").to_lowercase().contains(&wanted));
    let rows: Vec<Value> = rows.map(|row| shown(row, embed)).collect();
    let rows = if ctx.switches.customers_paged { ctx.page(rows) } else { rows };
    Ok(Reply::json(200, &json!({"customers": rows})))
}

/// A customer as the shop keeps one.
pub(super) fn fresh(number: i64, email: &str, first: &str, last: &str) -> Value {
    json!({"id": super::uuid_of(0xc0, number), "storeId": super::STORE_ID, "email": email, "firstName": first,
        "lastName": last, "dateOfBirth": null, "description": null, "addresses": []})
}

fn create(ctx: &mut Ctx<'_>) -> Result<Reply, Reply> {
    let body = ctx.problem_body("Customer", 'c')?;
    let email = text(&body, "email").to_owned();
    if email.is_empty() {
        return Err(errors::invalid(&[("email".into(), "This value should not be blank.".into())]));
    }
    if ctx.store.find("customers", "email", &email).is_some_and(|known| !known.is_empty()) {
        return Err(errors::invalid(&[("email".into(), "This value is already used.".into())]));
    }
    let mut row = fresh(ctx.store.next_number("customer", 101), &email, "", "");
    row["firstName"] = body["firstName"].clone();
    row["lastName"] = body["lastName"].clone();
    let id = text(&row, "id").to_owned();
    ctx.store.put("customers", &id, row.clone());
    Ok(customer(&row, true))
}

fn update(ctx: &mut Ctx<'_>, id: &str) -> Result<Reply, Reply> {
    let mut row = find(ctx, id)?;
    let body = ctx.problem_body("Customer", 'u')?;
    for (name, value) in body.as_object().into_iter().flatten() {
        row[name] = value.clone();
    }
    ctx.store.put("customers", id, row.clone());
    Ok(customer(&row, true))
}

fn add_address(ctx: &mut Ctx<'_>, id: &str) -> Result<Reply, Reply> {
    let mut row = find(ctx, id)?;
    let body = ctx.problem_body("CustomerAddress", 'c')?;
    let needed = ["firstName", "lastName", "street", "streetNumber", "zipCode", "city", "countryCode"];
    let missing = needed.iter().filter(|field| text(&body, field).is_empty());
    let wrong: Vec<(String, String)> =
        missing.map(|field| ((*field).to_owned(), "This value should not be blank.".to_owned())).collect();
    if !wrong.is_empty() {
        return Err(errors::invalid(&wrong));
    }
    let number = ctx.store.next_number("address", 101);
    let first = row["addresses"] == json!([]);
    let mut address = address(number, first);
    for (name, value) in body.as_object().into_iter().flatten() {
        address[name] = value.clone();
    }
    if let Some(all) = row["addresses"].as_array_mut() {
        all.push(address.clone());
    }
    ctx.store.put("customers", id, row);
    Ok(Reply::json(200, &json!({"address": address})))
}

/// An address; the first one is the usual one.
pub(super) fn address(number: i64, first: bool) -> Value {
    json!({"id": super::uuid_of(0xad, number), "firstName": "", "lastName": "", "street": "", "streetNumber": "",
        "zipCode": "", "city": "", "countryCode": "NL", "company": null, "gender": null, "phone": null,
        "taxNumber": null, "iban": null, "isDefaultForDelivery": first, "isDefaultForInvoice": first})
}

fn update_address(ctx: &mut Ctx<'_>, id: &str, address: &str) -> Result<Reply, Reply> {
    let mut row = find(ctx, id)?;
    let at = place(&row, address)?;
    let body = ctx.problem_body("CustomerAddress", 'u')?;
    for (name, value) in body.as_object().into_iter().flatten() {
        // Which address is the usual one is shown, not taken.
        if !name.starts_with("isDefault") {
            row["addresses"][at][name] = value.clone();
        }
    }
    let answer = json!({"address": row["addresses"][at]});
    ctx.store.put("customers", id, row);
    Ok(Reply::json(200, &answer))
}
