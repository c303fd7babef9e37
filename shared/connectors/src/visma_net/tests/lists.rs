//! Lists of codes: every one gives references, in as few calls as the API allows.

use koppel_core::document::Entity;
use koppel_core::ports::{Asked, Target};
use koppel_core::system::Lookup;
use serde_json::{Value, json};

use super::{Reply, Seen, World, counted, key, keys};

fn answer(seen: &Seen) -> Reply {
    let row = match seen.path.as_str() {
        "/v1/vatCategory" => return Reply::json(200, include_str!("../fixtures/vat-categories.json")),
        "/v1/vat" => {
            json!([{"vatId": "3H", "glAccounts": {"vatPayableAccount": {"number": "2700"}}, "zones": [{"id": "01"}]}])
        }
        "/v1/creditTerm" => {
            let records = json!([{"termsId": "14", "description": "14 days", "visibleTo": "AL", "dueDay1": 14},
                {"termsId": "V", "description": "Vendors", "visibleTo": "VE"}]);
            return Reply::json(200, json!({"totalCount": 2, "pageNumber": 1, "pageSize": 500, "records": records}));
        }
        "/v1/carrier" => return counted(json!([{"carrierId": "POST", "carrierDescription": "Post"}]), 1),
        "/v1/account" => {
            json!([{"accountCD": "3000", "description": "Sales", "type": "Income", "active": true, "taxCategory": "3"}])
        }
        "/v1/ledger" => json!([{"number": "1", "description": "Ledger", "currencyId": "EUR"}]),
        // Of a version without pages: whatever page is asked for, all comes.
        "/v1/warehouse" => json!([{"warehouseID": "1", "description": "Main", "active": true},
            {"warehouseID": "9", "description": "Old", "active": false}]),
        "/v1/dimension/SUBACCOUNT" => {
            return Reply::json(
                200,
                json!({"id": "SUBACCOUNT", "segments": [
                {"segmentId": 1, "segmentValues": [{"valueId": "WEB", "description": "Web", "active": true}]},
                {"segmentId": 2, "segmentValues": [{"valueId": "P1", "description": "Project", "active": false}]}]}),
            );
        }
        "/v1/customer/10000" => {
            return Reply::json(200, json!({"number": "10000", "name": "Web shop", "status": "Active"}));
        }
        "/v1/inventory" => {
            let all = json!([{"inventoryId": 1, "inventoryNumber": "MUG", "description": "Mug", "salesUnit": "stuk", "status": "Active",
                "stockItem": true, "vatCode": {"id": "3"}}, {"inventoryId": 2, "inventoryNumber": "MUG-2", "description": "Mug 2", "status": "Inactive"}]);
            return match seen.query("inventoryNumber") {
                Some("none") => Reply::json(200, "[]"),
                _ => counted(all, 2),
            };
        }
        _ => return Reply::json(404, r#"{"message":"not found"}"#),
    };
    Reply::json(200, row)
}

#[tokio::test]
async fn every_list_gives_references_and_unknown_codes_are_absent() {
    let world = World::new(answer).await;
    for (lookup, code, calls) in [
        (Lookup::Item, "MUG", 2),
        (Lookup::VatCode, "3", 2),
        (Lookup::PaymentTerms, "14", 1),
        (Lookup::ShippingMethod, "POST", 1),
        (Lookup::RevenueAccount, "3000", 1),
        (Lookup::Journal, "1", 1),
        (Lookup::CostCenter, "WEB", 1),
        (Lookup::CostUnit, "P1", 1),
        (Lookup::Warehouse, "1", 2),
        (Lookup::DefaultCustomer, "10000", 2),
    ] {
        let found = world.visma.look_up(lookup, &keys([code, "none"]), &world.calls).await.unwrap();
        assert_eq!(found.len(), 1, "{lookup:?}");
        let reference = &found[&key(code)];
        assert!(reference.code == code && !reference.id.is_empty() && !reference.name.is_empty(), "{reference:?}");
        assert_eq!(world.lines().len(), calls, "{lookup:?}");
        if lookup == Lookup::CostUnit {
            assert_eq!(Value::Object(reference.attributes.clone()), json!({"segment": 2, "blocked": true}));
        }
        if lookup == Lookup::Item {
            assert_eq!(reference.attributes["stock_item"], true);
            assert_eq!(
                (&reference.attributes["unit"], &reference.attributes["sales_vat_code"]),
                (&json!("stuk"), &json!("3"))
            );
        }
    }
}

#[tokio::test]
async fn whole_lists_are_shown_in_the_order_of_their_codes() {
    let world = World::new(answer).await;
    let codes = async |lookup| {
        let all = world.visma.list_codes(lookup, &world.calls).await.unwrap();
        all.into_iter().map(|one| one.code).collect::<Vec<_>>()
    };
    assert_eq!(codes(Lookup::VatCode).await, ["0", "3"]);
    assert_eq!(codes(Lookup::PaymentTerms).await, ["14", "V"]);
    assert_eq!(codes(Lookup::Warehouse).await, ["1", "9"]);
    assert_eq!(codes(Lookup::Item).await, ["MUG", "MUG-2"]);
}

#[tokio::test]
async fn many_items_are_found_on_the_pages_of_the_list() {
    let world = World::new(answer).await;
    let codes: Vec<_> = (0..20).map(|n| key(&format!("X-{n}"))).chain([key("mug")]).collect();
    let found = world.visma.look_up(Lookup::Item, &codes, &world.calls).await.unwrap();
    assert_eq!(found[&key("mug")].code, "MUG", "another case, and only one of it");
    assert_eq!(world.lines().len(), 1);
    let seen = world.visma.look_up(Lookup::Item, &keys(["MUG"]), &world.calls).await.unwrap();
    assert_eq!(seen.len(), 1);
    let asked = world.server.take().pop().unwrap();
    for expand in ["expandCrossReference", "expandWarehouseDetail", "expandAttribute", "expandNote"] {
        assert_eq!(asked.query(expand), Some("false"), "{expand}");
    }
}

#[tokio::test]
async fn the_doctor_names_what_the_company_does_not_have() {
    let options = json!({"branch": "SHOPS", "order_type": "SX", "customer_class": "11", "vat_zones": {"NL": "1"}, "clearing_account": "300"});
    let world = World::with(options, |seen| match seen.path.as_str() {
        "/v1/branch" => Reply::json(200, json!([{"number": "SHOP", "name": "Shop", "isActive": true, "isMainBranch": true, "currency": {"id": "EUR"}}])),
        "/v1/financialPeriod" => Reply::json(200, json!([{"period": "202611", "startDate": "2026-11-01T00:00:00",
            "endDate": "2026-11-30T00:00:00", "active": true, "closedInCustomerLedger": true}])),
        "/v1/salesordertype" => counted(json!([{"orderType": "SO", "active": true, "behavior": "SalesOrder"},
            {"orderType": "IN", "active": true, "behavior": "SalesOrder"}, {"orderType": "CM", "active": false, "behavior": "CreditMemo"}]), 3),
        "/v1/customer/customerClass" => Reply::json(200, json!([{"id": "10", "taxZoneId": "01"}])),
        "/v1/vatZone" => counted(json!([{"id": "01"}]), 1),
        "/api/v3/SalesOrders/SX" => Reply::json(403, ""),
        "/v1/customerSalesPrice" => counted(json!([{"priceType": "Customer", "priceCode": "10042"}]), 1),
        _ => answer(seen),
    })
    .await;
    let asked = Asked {
        entities: vec![Entity::Orders, Entity::Refunds, Entity::Prices],
        writes: true,
        currencies: vec!["EUR".into(), "NOK".into()],
    };
    let findings = Target::diagnose(&world.visma, &asked, &world.calls).await.unwrap();
    let shown: Vec<(String, String)> =
        findings.iter().map(|one| (one.cause.code.clone(), one.cause.place.row.clone().unwrap_or_default())).collect();
    let wanted = [
        ("unknown_code", "branch"),
        ("period_closed", ""),
        ("unknown_code", "order_type"),
        ("order_type_behaviour", "invoice_order_type"),
        ("order_type_not_active", "credit_order_type"),
        ("forbidden", ""),
        ("unknown_code", "clearing_account"),
        ("unknown_code", "customer_class"),
        ("unknown_code", "vat_zones.NL"),
        ("prices_of_customers", ""),
    ];
    assert_eq!(shown, wanted.map(|(code, row)| (code.to_owned(), row.to_owned())));
    assert!(findings[0].cause.to_string().contains("did you mean «SHOP»?"), "{}", findings[0].cause);
}

#[tokio::test]
async fn the_doctor_is_content_with_a_company_that_is_in_order() {
    let world = World::with(json!({"branch": "SHOP"}), |seen| match seen.path.as_str() {
        "/v1/branch" => Reply::json(200, json!([{"number": "SHOP", "isActive": true, "currency": {"id": "EUR"}}])),
        "/v1/financialPeriod" => Reply::json(200, json!([{"period": "202611", "startDate": "2026-11-01", "endDate": "2026-12-01", "active": true}])),
        "/v1/salesordertype" => counted(json!([{"orderType": "SO", "active": true, "behavior": "SalesOrder"},
            {"orderType": "IN", "active": true, "behavior": "Invoice"}, {"orderType": "CM", "active": true, "behavior": "CreditMemo"}]), 3),
        _ => Reply::json(200, json!([{"id": "10", "taxZoneId": "01"}])),
    })
    .await;
    let asked = Asked { entities: vec![Entity::Orders, Entity::Refunds], writes: true, currencies: vec!["EUR".into()] };
    assert_eq!(Target::diagnose(&world.visma, &asked, &world.calls).await.unwrap(), []);
    assert_eq!(world.visma.test_connection(&world.calls).await.unwrap(), "Visma Net, branches: SHOP");
}
