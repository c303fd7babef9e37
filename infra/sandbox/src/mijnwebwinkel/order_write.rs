//! New orders: lines of articles and of other things, costs of delivery, discounts, stock.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::totals::{self, line, priced};
use super::{Ctx, dates, errors, orders};
use crate::message::Reply;
use crate::text::{amount, dec, decimal, text, whole};

fn refuse(message: impl AsRef<str>) -> Reply {
    errors::classic(400, message.as_ref())
}

/// Costs of delivery are free of any article's rate: they have that of the region.
const SHIPPING_LINE: &str = "shipping";

/// An order without lines, as the shop keeps one.
pub(super) fn blank(number: &str, at: chrono::DateTime<chrono::Utc>) -> Value {
    json!({"number": number, "uuid": super::uuid_of(0x0d, number.trim_end_matches('T').parse().unwrap_or_default()),
        "_test": number.ends_with('T'), "_created": dates::kept(at), "_status_changed": null, "status": 1,
        "weight": "0.000", "archived": false, "finished": true, "taxed": "include", "locale": "nl_NL",
        "discountcode": null, "currency": "EUR", "currency_format_locale": "nl_NL", "credited_order_number": null,
        "credit_order_numbers": [], "comments": {"customer": "", "internal": ""}, "business_model": "B2C",
        "reference": null, "tax_region": "NL", "tax_strategy": "", "partner": {"name": ""}, "payment_status": "new",
        "payment": null, "debtor": {}, "price": {"tax": [], "total": "0.00"}, "orderlines": [],
        "shipping": [{"country": {}}], "offline_location_id": null})
}

/// `POST /orders`.
pub(super) fn create(ctx: &mut Ctx<'_>) -> Result<Reply, Reply> {
    let body = ctx.body("Order", 'c')?;
    if ctx.flag("override_stock") && !ctx.switches.right("override_stock") {
        return Err(errors::classic(403, "override_stock needs special access."));
    }
    let number = ctx.store.next_number("order", 2101).to_string();
    let mut order = blank(&number, ctx.now);
    buyer(ctx, &mut order, &body)?;
    let lines = body["orderlines"].as_array().cloned().unwrap_or_default();
    if lines.is_empty() {
        return Err(refuse("orderlines: this value should not be blank."));
    }
    let mut made = Vec::new();
    for one in &lines {
        made.push(order_line(ctx, &order, one)?);
    }
    discount(ctx, &mut order, &body, &mut made)?;
    shipping(ctx, &mut order, &body, &mut made)?;
    order["orderlines"] = Value::Array(made);
    if let Some(status) = body.get("status") {
        orders::check_status(ctx, status, false)?;
        order["status"] = status.clone();
    }
    if body["payment"].is_object() {
        order["payment"] = body["payment"].clone();
    }
    if let Some(internal) = body["comments"].get("internal") {
        order["comments"]["internal"] = internal.clone();
    }
    if ctx.switches.new_order_sets_status_changed {
        order["_status_changed"] = dates::kept(ctx.now);
    }
    totals::settle(&mut order);
    take_stock(ctx, &order, false)?;
    let answer = orders::shown(ctx, &order);
    ctx.store.put("orders", &number, order);
    Ok(Reply::json(200, &answer))
}

fn buyer(ctx: &mut Ctx<'_>, order: &mut Value, body: &Value) -> Result<(), Reply> {
    let mut debtor = body["debtor"].clone();
    if text(&debtor, "email").is_empty() {
        return Err(refuse("debtor.email: this value should not be blank."));
    }
    for kind in ["invoice", "delivery"] {
        let Some(id) = debtor["address"][kind].get("id").and_then(Value::as_str).map(str::to_owned) else { continue };
        let customers = ctx.store.find("customers", "email", text(&debtor, "email")).unwrap_or_default();
        let addresses = customers.iter().flat_map(|one| one["addresses"].as_array().into_iter().flatten());
        let Some(known) = addresses.into_iter().find(|address| address["id"] == *id) else {
            return Err(refuse(format!("debtor.address.{kind}.id: this address is not one of the customer.")));
        };
        debtor["address"][kind] = json!({"name": format!("{} {}", text(known, "firstName"), text(known, "lastName")).trim(),
            "company": known["company"], "phone": known["phone"], "street": known["street"],
            "number": known["streetNumber"], "zipcode": known["zipCode"], "city": known["city"],
            "country_code": known["countryCode"], "taxnumber": known["taxNumber"]});
    }
    let invoice = debtor["address"]["invoice"].clone();
    if !invoice.is_object() {
        return Err(refuse("debtor.address.invoice: this value should not be blank."));
    }
    if !debtor["address"]["delivery"].is_object() {
        debtor["address"]["delivery"] = invoice.clone();
    }
    let business = body["business_model"] == "B2B";
    if business {
        if !["B2B", "ALL"].contains(&ctx.switches.business_models.as_str()) {
            return Err(refuse("business_model: the store does not sell to businesses."));
        }
        if text(&invoice, "company").is_empty() {
            return Err(refuse("debtor.address.invoice.company: this value should not be blank."));
        }
        if text(&body["payment"], "method_name").starts_with("klarna") || body["payment"]["method_name"] == "afterpay" {
            return Err(refuse("payment.method_name: not for orders of businesses."));
        }
        order["reference"] = body["reference"].clone();
    } else if body["reference"].is_string() {
        return Err(refuse("reference: only orders of businesses have a reference."));
    }
    order["business_model"] = json!(if business { "B2B" } else { "B2C" });
    let country = |address: &Value| match text(address, "country_code") {
        "" => "NL".to_owned(),
        code => code.to_owned(),
    };
    let region = country(&debtor["address"]["delivery"]);
    let number = !text(&invoice, "taxnumber").is_empty();
    order["tax_strategy"] = json!(if business && number && region != "NL" { "reverse_charged_vat" } else { "" });
    order["tax_region"] = json!(region);
    if debtor["id"].is_null() {
        debtor["id"] = json!(super::uuid_of(0xde, ctx.store.next_number("debtor", 1)));
    }
    order["debtor"] = debtor;
    Ok(())
}

/// The rate of an article in an order, in percent.
pub(super) fn rate_in(ctx: &Ctx<'_>, order: &Value, article: Option<&str>) -> Decimal {
    if order["tax_strategy"] == "reverse_charged_vat" || order["tax_strategy"] == "zero_percent" {
        return Decimal::ZERO;
    }
    let regions: Vec<Value> = ctx.store.rows("regions").cloned().collect();
    totals::rate(&regions, text(order, "tax_region"), article)
}

/// Unit price of an article without VAT: prices with VAT have that of the shop's own country.
fn unit_price(ctx: &Ctx<'_>, article: &Value, price: &str) -> Decimal {
    let price = dec(price);
    if !ctx.switches.prices_include_tax {
        return price;
    }
    let regions: Vec<Value> = ctx.store.rows("regions").cloned().collect();
    totals::without_tax(price, totals::rate(&regions, "NL", article["uuid"].as_str()))
}

fn order_line(ctx: &mut Ctx<'_>, order: &Value, one: &Value) -> Result<Value, Reply> {
    let quantity = whole(&one["quantity"]).filter(|quantity| *quantity > 0);
    let quantity = quantity.ok_or_else(|| refuse("orderlines.quantity: this value should be greater than 0."))?;
    let id = super::uuid_of(0x11, ctx.store.next_number("line", 5001));
    match text(one, "type") {
        "article" => article_line(ctx, order, one, quantity, &id),
        "custom" => {
            let rate = decimal(&one["unit_price"]["rate"])
                .ok_or_else(|| refuse("unit_price.rate: this value should not be blank."))?;
            let unit =
                match (decimal(&one["unit_price"]["amount"]), decimal(&one["unit_price"]["amount_including_tax"])) {
                    (Some(amount), _) => amount,
                    (None, Some(with)) => totals::without_tax(with, rate),
                    (None, None) => return Err(refuse("unit_price: amount or amount_including_tax is needed.")),
                };
            let description = text(one, "description");
            if description.is_empty() {
                return Err(refuse("orderlines.description: this value should not be blank."));
            }
            let price = priced(rate, Decimal::from(quantity) * unit);
            Ok(line(&id, "custom", quantity, Some(description), vec![price]))
        }
        other => Err(refuse(format!("orderlines.type: \"{other}\" is not a valid choice."))),
    }
}

fn article_line(ctx: &Ctx<'_>, order: &Value, one: &Value, quantity: i64, id: &str) -> Result<Value, Reply> {
    let wanted = &one["articles"][0];
    let Some(article) = ctx.store.get("articles", &wanted["id"].to_string()).cloned() else {
        return Err(refuse(format!("orderlines.articles: article {} does not exist.", wanted["id"])));
    };
    let rate = rate_in(ctx, order, article["uuid"].as_str());
    let mut options = Vec::new();
    let chosen = wanted["options"].as_array().cloned().unwrap_or_default();
    for used in article["lists"].as_array().into_iter().flatten() {
        let list = ctx.store.get("lists", &used["id"].to_string()).cloned().unwrap_or_default();
        let of_list = |id: &Value| list["options"].as_array().into_iter().flatten().find(|known| known["id"] == *id);
        let picked = chosen.iter().find_map(|choice| of_list(&choice["list_option_id"]));
        let Some(picked) = picked else {
            return Err(refuse(format!("orderlines.articles.options: list {} needs a choice.", used["id"])));
        };
        let surcharge = unit_price(ctx, &article, text(picked, "price"));
        options.push(json!({"list_option_id": picked["id"], "description": picked["name"],
            "price": format!("{surcharge:.6}")}));
    }
    let mut unit = unit_price(ctx, &article, text(&article["price"], "default"));
    if let Some(price) = decimal(&one["price_override"]) {
        if !ctx.switches.right("price_override") {
            return Err(errors::classic(403, "price_override needs special access."));
        }
        unit = totals::without_tax(price, rate);
    } else if let Some(action) = article["price"]["action"].as_str() {
        let off = unit_price(ctx, &article, action) - unit;
        options.push(json!({"description": "Action price", "price": format!("{off:.6}")}));
    }
    let shown = json!({"id": article["id"], "description": article["name"], "sku": article["sku"],
        "price": {"amount": format!("{unit:.6}"), "rate": rate.normalize().to_string(), "purchase_price": article["price"]["purchase"]},
        "options": options});
    let price = totals::article_price(&shown, quantity);
    let mut made = line(id, "article", quantity, Some(text(&article, "name")), vec![price]);
    made["articles"] = json!([shown]);
    Ok(made)
}

fn discount(ctx: &mut Ctx<'_>, order: &mut Value, body: &Value, made: &mut Vec<Value>) -> Result<(), Reply> {
    let code = text(body, "discountcode");
    if code.is_empty() {
        return Ok(());
    }
    let known = ctx.store.get("discount_codes", &code.to_lowercase()).filter(|row| row["active"] == true).cloned();
    let known = known.ok_or_else(|| refuse(format!("discountcode: \"{code}\" is not a valid code.")))?;
    let percent = amount(&known, "percentage_discount");
    let parts = totals::net_by_rate(made);
    let prices: Vec<Value> =
        parts.into_iter().map(|(rate, net)| priced(rate, -net * percent / Decimal::ONE_HUNDRED)).collect();
    let id = super::uuid_of(0x11, ctx.store.next_number("line", 5001));
    made.push(line(&id, "discount", 1, Some(&format!("Korting {code}")), prices));
    order["discountcode"] = json!(code);
    Ok(())
}

fn shipping(ctx: &mut Ctx<'_>, order: &mut Value, body: &Value, made: &mut Vec<Value>) -> Result<(), Reply> {
    let id = text(body, "shipping_method_id");
    if ctx.flag("disable_shipping") || id.is_empty() {
        return Ok(());
    }
    let Some(method) = ctx.store.get("shipping_methods", id).cloned() else {
        return Err(refuse("shipping_method_id: this method does not exist."));
    };
    let costs = totals::without_tax(amount(&method, "_costs"), dec("21"));
    if !costs.is_zero() {
        let rate = rate_in(ctx, order, None);
        let number = super::uuid_of(0x11, ctx.store.next_number("line", 5001));
        made.push(line(&number, SHIPPING_LINE, 1, None, vec![priced(rate, costs)]));
    }
    let code = order["tax_region"].clone();
    order["shipping"] = json!([{"country": {"description": code, "isocode": code}}]);
    Ok(())
}

/// Takes what an order sells from stock, or gives back what it credits.
pub(super) fn take_stock(ctx: &mut Ctx<'_>, order: &Value, back: bool) -> Result<(), Reply> {
    for line in order["orderlines"].as_array().into_iter().flatten() {
        let quantity = whole(&line["quantity"]).unwrap_or_default().abs();
        let sold = &line["articles"][0];
        let Some(mut article) = ctx.store.get("articles", &sold["id"].to_string()).cloned() else { continue };
        let change = if back { quantity } else { -quantity };
        let enough = ctx.flag("override_stock") || back;
        let key = article["id"].to_string();
        let chosen: Vec<&Value> =
            sold["options"].as_array().into_iter().flatten().map(|o| &o["list_option_id"]).collect();
        let variants = article["variants"].as_array_mut().map(Vec::as_mut_slice).unwrap_or_default();
        let fits = |variant: &&mut Value| {
            let mut options = variant["options"].as_array().into_iter().flatten();
            options.all(|option| chosen.contains(&&option["option_id"]))
        };
        let place = match variants.iter_mut().find(fits) {
            Some(variant) => &mut variant["stock"],
            None => &mut article["stock"],
        };
        let Some(stock) = place.as_i64() else { continue };
        if stock + change < 0 && !enough {
            return Err(errors::classic(409, &format!("Article {key} is out of stock.")));
        }
        *place = json!(stock + change);
        if ctx.switches.stock_moves_updated {
            article["_changed"] = dates::kept(ctx.now);
        }
        ctx.store.put("articles", &key, article);
    }
    Ok(())
}
