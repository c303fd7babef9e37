//! Orders of the service for orders: sales orders, orders that invoice goods at once, and orders that take goods back.

use koppel_core::document::DocumentType;
use koppel_core::error::RetryReason;
use koppel_core::money::round;
use koppel_core::ports::{Calls, CustomerLink, Sent};
use koppel_core::{Cause, Failure};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::{check_reference, is_credit, lines_of, missing, no_lines};
use crate::http::request::encode;
use crate::visma_net::client::Client;
use crate::visma_net::options::{CustomerOptions, DocumentOptions};
use crate::visma_net::{payload, wire};

pub(super) const ENDPOINT: &str = "SalesOrder";
const LINES: &str = "orderLines";

/// The type of an order that becomes such a document.
pub(super) fn order_type(options: &DocumentOptions, document: DocumentType, credit: bool) -> Result<&str, Failure> {
    if credit {
        return options.credit_order_type.as_deref().ok_or_else(|| {
            Failure::settings(
                Cause::new("missing_order_type", "no order type is set for what is given back")
                    .advice("set credit_order_type to an order type that takes goods back or makes a credit note")
                    .in_row("credit_order_type"),
            )
        });
    }
    Ok(if document == DocumentType::DirectInvoice { &options.invoice_order_type } else { &options.order_type })
}

/// The path of an order.
pub(super) fn path(order_type: &str, number: &str) -> String {
    format!("api/v3/SalesOrders/{}/{}", encode(order_type), encode(number))
}

/// Posts an order with all its lines.
pub(super) async fn send(
    client: &Client,
    (options, zones): (&DocumentOptions, &CustomerOptions),
    document: DocumentType,
    made: &Value,
    customer: &CustomerLink,
    calls: &Calls,
) -> Result<Sent, Failure> {
    let body = body((options, zones), document, made, customer)?;
    let created = client.create_order(&body, ENDPOINT, calls).await?;
    let order_type = wire::field(&Value::Object(body.clone()), "type").unwrap_or_default();
    let amounts =
        |order: &Value| (wire::decimal(order, "totals.orderTotal"), wire::decimal(order, "totals.taxableTotal"));
    let (mut total, mut net) = amounts(&created.body);
    if options.read_back {
        let wanted = wire::decimal(made, "_expected_total");
        let held = wire::field(made, "status").is_none();
        (total, net) = match release(client, &path(&order_type, &created.key), wanted, held, calls).await {
            Ok(order) => amounts(&order),
            // The order is there, and on hold: making it a second time would be worse.
            Err(failure) => {
                tracing::warn!(order_type, number = created.key, error = %failure, "a new order stays on hold");
                (total, net)
            }
        };
    }
    Ok(Sent { id: format!("{order_type}/{}", created.key), number: created.key, net, total })
}

/// The body to post.
fn body(
    (options, zones): (&DocumentOptions, &CustomerOptions),
    document: DocumentType,
    made: &Value,
    customer: &CustomerLink,
) -> Result<Map<String, Value>, Failure> {
    let credit = is_credit(made);
    let mut body = payload::group(made, ENDPOINT)?;
    payload::fill(&mut body, "type", order_type(options, document, credit)?);
    if let Some(branch) = &options.branch {
        payload::fill(&mut body, "branchId", branch.clone());
    }
    if let Some(zone) = super::zone_of(made, zones) {
        payload::fill(&mut body, "taxZoneId", zone);
    }
    let Some(buyer) = payload::inner(&mut body, "customer") else { return Err(missing(ENDPOINT, "customer.id")) };
    let reference =
        wire::field(&Value::Object(buyer.clone()), "refNo").ok_or_else(|| missing(ENDPOINT, "customer.refNo"))?;
    check_reference(&reference, options)?;
    super::customer_of(buyer, "id", customer)?;
    if let Some(contact) = customer.contact.as_deref().and_then(|id| id.parse::<u64>().ok()) {
        payload::fill(buyer, "contactId", contact);
    }
    if options.own_numbers {
        payload::fill(&mut body, "orderId", reference);
    }
    if options.read_back && !body.contains_key("status") {
        body.insert("status".into(), json!("Hold"));
    }
    for part in ["billing", "shipping"] {
        let address = body.get_mut(part).and_then(|part| part.get_mut("address")).and_then(Value::as_object_mut);
        if let Some(address) = address {
            payload::spread_address(address, ["line1", "line2", "line3"]);
            // A block replaces all that is there, so one without a country is refused.
            if !address.contains_key("countryId") {
                return Err(missing("address", &format!("{part}.address.countryId")));
            }
        }
    }
    if options.freight {
        freight(&mut body, made)?;
    }
    if !body.get(LINES).is_some_and(Value::is_array) {
        return Err(no_lines(ENDPOINT, LINES));
    }
    if options.show_discounts {
        show_discounts(&mut body, made);
    }
    for line in lines_of(&mut body, LINES) {
        segments(line);
    }
    payload::check_order(&body)?;
    Ok(body)
}

/// Shipping costs become freight: an extra charge that every ship via takes.
fn freight(body: &mut Map<String, Value>, made: &Value) -> Result<(), Failure> {
    let lines = made.get(LINES).and_then(Value::as_array).cloned().unwrap_or_default();
    let (shipping, rest): (Vec<Value>, Vec<Value>) =
        lines.into_iter().partition(|line| wire::field(line, "_kind").as_deref() == Some("shipping"));
    if shipping.is_empty() {
        return Ok(());
    }
    let mut codes: Vec<Option<String>> = shipping.iter().map(|line| wire::field(line, "taxCategoryId")).collect();
    codes.sort();
    codes.dedup();
    if codes.len() > 1 {
        return Err(Failure::settings(
            Cause::new("freight_at_several_rates", "shipping costs at several VAT rates are no freight of one order")
                .advice("set freight: line for this connection")
                .in_row("freight"),
        ));
    }
    let amount: Decimal = shipping.iter().map(amount).sum();
    let charge = payload::inner(body, "freight");
    if let Some(charge) = charge {
        payload::fill(charge, "premiumAmount", wire::number(amount));
        if let Some(code) = codes.into_iter().flatten().next() {
            payload::fill(charge, "taxCategoryId", code);
        }
    }
    match payload::group(&json!({ LINES: rest }), ENDPOINT)?.remove(LINES) {
        Some(lines) => body.insert(LINES.into(), lines),
        None => body.remove(LINES),
    };
    Ok(())
}

fn amount(line: &Value) -> Decimal {
    let number = |name: &str| wire::decimal(line, name).unwrap_or_default();
    round(number("unitPrice") * number("quantity"), 2)
}

/// The price before discount, and what is taken off it, so that both give the amount that was proven.
fn show_discounts(body: &mut Map<String, Value>, made: &Value) {
    let made = made.get(LINES).and_then(Value::as_array).cloned().unwrap_or_default();
    // Freight may have taken lines out: they are told by their kind, in the same order.
    let kept = made
        .iter()
        .filter(|line| !(body.contains_key("freight") && wire::field(line, "_kind").as_deref() == Some("shipping")));
    let before: Vec<Option<Decimal>> = kept.map(|line| wire::decimal(line, "_net_before_discount")).collect();
    for (line, before) in lines_of(body, LINES).zip(before) {
        let posted = amount(&Value::Object(line.clone()));
        let quantity = wire::decimal(&Value::Object(line.clone()), "quantity").unwrap_or_default();
        let Some(before) = before.map(|before| before.abs()) else { continue };
        if quantity <= Decimal::ZERO || before <= posted.abs() {
            continue;
        }
        let price = round(before / quantity, 2);
        let discount = round(price * quantity, 2) - posted;
        if discount > Decimal::ZERO {
            line.insert("unitPrice".into(), wire::number(price));
            line.insert("discountAmount".into(), wire::number(discount));
            line.insert("hasManualDiscount".into(), json!(true));
        }
    }
}

/// The parts of a subaccount as this service takes them: `{"1": "10"}`.
fn segments(line: &mut Map<String, Value>) {
    let Some(Value::Array(parts)) = line.get("subaccount") else { return };
    let part = |part: &Value| Some((wire::field(part, "segmentId")?, json!(wire::field(part, "segmentValue")?)));
    let map: Map<String, Value> = parts.iter().filter_map(part).collect();
    if map.is_empty() {
        line.remove("subaccount");
    } else {
        line.insert("subaccount".into(), Value::Object(map));
    }
}

/// Reads a new order, and takes it off hold when its total is what was paid. One whose total differs stays on hold.
async fn release(
    client: &Client,
    path: &str,
    wanted: Option<Decimal>,
    held: bool,
    calls: &Calls,
) -> Result<Value, Failure> {
    let mut tries = 0;
    loop {
        let Some((order, version)) = client.get_order(path, ENDPOINT, calls).await? else {
            return Err(not_shown());
        };
        let total = wire::decimal(&order, "totals.orderTotal");
        let differs = wanted.map(|wanted| wanted.abs()) != total.map(|total| total.abs());
        let version = version.or_else(|| wire::field(&order, "version").map(|version| format!("\"{version}\"")));
        let (false, true, Some(version)) = (differs, held, version) else { return Ok(order) };
        tries += 1;
        match client.change_order(path, &version, json!({ "status": "Open" }), ENDPOINT, calls).await {
            // Somebody looked at it at the same moment: the new version is read.
            Err(Failure::Retry { reason: RetryReason::Busy, .. }) if tries == 1 => {}
            Err(failure) => return Err(failure),
            Ok(()) => return Ok(order),
        }
    }
}

fn not_shown() -> Failure {
    Failure::retry(RetryReason::Unavailable, None, Cause::new("not_shown_yet", "a new order is not shown yet"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing;

    fn options(options: Value) -> DocumentOptions {
        DocumentOptions::of(&testing::connection("visma-net", options, &[])).unwrap()
    }

    fn zones() -> CustomerOptions {
        let all = json!({"vat_zones": {"DE": "02", "default": "01"}});
        CustomerOptions::of(&testing::connection("visma-net", all, &[])).unwrap()
    }

    fn made() -> Value {
        json!({
            "_country": "DE", "customer": {"refNo": "WEB-1"}, "shipping": {"address": {"line1": "x", "countryId": "NL"}},
            "orderLines": [
                {"inventoryId": "MUG", "quantity": 2, "unitPrice": 9, "taxCategoryId": "3", "_kind": "product",
                 "_net_before_discount": 20, "subaccount": [{"segmentId": 1, "segmentValue": "10"}, {"segmentId": null}]},
                {"inventoryId": "POST", "quantity": 1, "unitPrice": 4.95, "taxCategoryId": "3", "_kind": "shipping"},
            ],
        })
    }

    fn made_body(all: Value) -> Value {
        let customer = CustomerLink { id: "10042".into(), contact: Some("77".into()), ..CustomerLink::default() };
        Value::Object(body((&options(all), &zones()), DocumentType::SalesOrder, &made(), &customer).unwrap())
    }

    #[test]
    fn type_customer_branch_and_number_are_filled_in() {
        let body = made_body(json!({"branch": "1", "own_numbers": true}));
        assert_eq!((&body["type"], &body["orderId"], &body["branchId"]), (&json!("SO"), &json!("WEB-1"), &json!("1")));
        assert_eq!(body["customer"], json!({"id": "10042", "contactId": 77, "refNo": "WEB-1"}));
        assert_eq!(body["orderLines"][0]["subaccount"], json!({"1": "10"}));
        assert_eq!(body["orderLines"][0].get("_kind"), None);
        // Where it goes decides, whatever stands on the customer.
        assert_eq!(body["taxZoneId"], "02");
        assert_eq!(made_body(json!({})).get("orderId"), None);
    }

    #[test]
    fn shipping_costs_become_freight_and_discounts_stand_on_their_line() {
        let body = made_body(json!({"freight": "premium", "discounts": "line"}));
        assert_eq!(body["freight"], json!({"premiumAmount": 4.95, "taxCategoryId": "3"}));
        assert_eq!(body["orderLines"].as_array().unwrap().len(), 1);
        let line = &body["orderLines"][0];
        assert_eq!(
            (&line["unitPrice"], &line["discountAmount"], &line["hasManualDiscount"]),
            (&json!(10), &json!(2), &json!(true))
        );
        let plain = made_body(json!({}));
        assert_eq!((plain.get("freight"), &plain["orderLines"][0]["unitPrice"]), (None, &json!(9)));
    }

    #[test]
    fn what_is_missing_or_too_long_is_named() {
        let customer = CustomerLink { id: "1".into(), ..CustomerLink::default() };
        let refused = |change: fn(&mut Value), all: Value| {
            let mut made = made();
            change(&mut made);
            let failure = body((&options(all), &zones()), DocumentType::SalesOrder, &made, &customer).unwrap_err();
            (failure.cause().code.clone(), failure.cause().place.row.clone().unwrap_or_default())
        };
        let row = |code: &str, row: &str| (code.to_owned(), row.to_owned());
        assert_eq!(refused(|m| m["customer"] = json!({}), json!({})), row("mandatory_missing", "customer.refNo"));
        assert_eq!(refused(|m| m["orderLines"] = json!([]), json!({})), row("no_lines", "orderLines"));
        assert_eq!(
            refused(|m| m["shipping"]["address"] = json!({"line1": "x"}), json!({})),
            row("mandatory_missing", "shipping.address.countryId")
        );
        let long = |m: &mut Value| m["customer"]["refNo"] = json!("WEB-0000000000001");
        assert_eq!(refused(long, json!({"own_numbers": true})), row("reference_too_long", "reference"));
        assert_eq!(refused(|m| m["_credit"] = json!(true), json!({})), row("missing_order_type", "credit_order_type"));
    }
}
