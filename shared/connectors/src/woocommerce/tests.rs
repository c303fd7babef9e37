//! Recorded orders of WooCommerce 11.0.1 become canonical orders: the snapshot beside them shows every field.

use koppel_core::document::Order;
use koppel_mapping::{Checks, FieldCatalogue, RowFile, Scope, Value, compile};
use rust_decimal::Decimal;

use super::{FACTS, native};

mod kept;
mod refunds;
mod target;

const RECORDED: &str = include_str!("fixtures/orders.json");

/// The section of `fields.yaml` that names the native paths of orders.
fn native_fields() -> FieldCatalogue {
    let sections: serde_json::Value = serde_saphyr::from_str(FACTS.fields).unwrap();
    FieldCatalogue::parse("woocommerce/fields.yaml", &sections["order"].to_string()).unwrap()
}

fn map(raw: serde_json::Value) -> Order {
    let record = native::order(raw, &[]).unwrap();
    let rows = &FACTS.rows[0];
    let file = RowFile::parse(rows.name, rows.text).unwrap();
    let mapping = compile(&file, &Checks::new().catalogued("source", native_fields())).unwrap();
    let source = Value::from_json(&record.raw);
    let value = mapping.evaluate(&Scope::new(chrono::DateTime::UNIX_EPOCH).with_ref("source", &source)).unwrap();
    let json = without_empties(value.to_json());
    let text = json.to_string();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Empty and absent are the same in rows; a document only knows absent.
fn without_empties(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(map) => {
            let kept = map.into_iter().map(|(name, value)| (name, without_empties(value)));
            let kept =
                kept.filter(|(_, value)| !value.is_null() && value.as_object().is_none_or(|map| !map.is_empty()));
            serde_json::Value::Object(kept.collect())
        }
        serde_json::Value::Array(list) => serde_json::Value::Array(list.into_iter().map(without_empties).collect()),
        other => other,
    }
}

fn recorded() -> Vec<serde_json::Value> {
    serde_json::from_str(RECORDED).unwrap()
}

#[test]
fn recorded_orders_become_the_canonical_orders_beside_them() {
    let orders: Vec<Order> = recorded().into_iter().map(map).collect();
    let text = serde_json::to_string_pretty(&orders).unwrap() + "\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/woocommerce/fixtures/orders.canonical.json");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let snapshot: Vec<Order> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(orders, snapshot, "set UPDATE_SNAPSHOTS=1 to take over a change that is meant");
    assert_eq!(orders.len(), 9);
}

#[test]
fn every_recorded_order_adds_up_to_the_cent() {
    for order in recorded().into_iter().map(map) {
        let sum = order.net() + order.total_tax;
        let cent = Decimal::new(1, 2);
        assert!((sum - order.total).abs() < cent, "order {}: {sum} against {}", order.number, order.total);
        let tax: Decimal = order.lines.iter().map(|line| line.tax).sum();
        assert!((tax - order.total_tax).abs() <= cent, "order {}: tax {tax}", order.number);
        let rates: Decimal = order.taxes.iter().map(|tax| tax.goods + tax.shipping).sum();
        assert_eq!(rates, order.total_tax, "order {}", order.number);
    }
}

#[test]
fn what_matters_of_an_order_is_where_it_belongs() {
    let orders: Vec<Order> = recorded().into_iter().map(map).collect();
    let by_number = |number: &str| orders.iter().find(|order| order.number == number).unwrap();

    let business = by_number("26");
    assert_eq!(business.customer.company.as_ref().unwrap().name, "Peeters BV");
    assert!(business.vat_exempt && business.customer.vat_number.is_some());
    assert!(business.lines.iter().all(|line| line.rate_percent().is_zero()));

    let private = by_number("23");
    assert!(private.customer.company.is_none() && !private.customer.guest);
    let home = &private.customer.billing;
    assert_eq!((home.street.as_str(), home.house_number.as_str()), ("Dorpsstraat", "12"));
    assert_eq!(home.house_number_addition, "b");
    assert_eq!(private.lines[1].rate_percent(), Decimal::from(9));
    assert_eq!(private.lines[1].taxes[0].amount.to_string(), "1.651374");
    assert_eq!(private.reference, "WC-23");

    let guest = by_number("27");
    assert!(guest.customer.guest && guest.customer.id.is_empty());
    assert!(guest.lines.iter().any(|line| line.sku.is_empty()));

    let escaped = by_number("28");
    assert_eq!(escaped.lines[0].description, "Poster \"Zomer\" & strand één");
    assert!(escaped.payment.paid_at.is_none());

    assert_eq!(by_number("31").refunds[0].total, "12.1".parse().unwrap());
    assert_eq!(by_number("25").coupons[0].code, "tien");
}

#[test]
fn an_order_stripped_by_plugins_still_maps() {
    let order = map(serde_json::json!({
        "id": 5, "number": null, "status": "processing", "currency": "EUR", "total": "0.00", "total_tax": "0",
        "date_created": "2026-11-22T06:08:04", "date_created_gmt": "2026-11-22T05:08:04",
        "date_modified_gmt": "2026-11-22T05:08:04", "customer_id": 0, "billing": {"email": "A@B.test"},
        "line_items": [{"id": 1, "name": "Gone", "quantity": 0, "total": "0"}],
        "fee_lines": [{"id": 2, "name": "Bonus &amp; more", "total": "-1.00", "total_tax": "0", "taxes": []}],
    }));
    assert_eq!(order.number, "5");
    assert_eq!(order.lines.len(), 1);
    assert_eq!(order.lines[0].kind.name(), "discount");
    assert_eq!(order.lines[0].description, "Bonus & more");
    assert_eq!(order.customer.email, "a@b.test");
    assert!(order.shipping.method.is_empty());
}
