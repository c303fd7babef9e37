//! Visma.net against its contract: every address answers, every name in an answer is one the contract knows.
// Helpers of tests may panic as tests do.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;

use common::{Visma, w};
use serde_json::{Value, json};

fn contract() -> Value {
    serde_json::from_str(include_str!("../src/visma_net/data/contract.json")).unwrap()
}

async fn open() -> Visma {
    let visma = Visma::open(json!({"release_at_once": true})).await;
    assert_eq!(visma.sandbox.visma().inspect("POST", "catalogue", &json!({})).0, 204);
    visma
}

#[tokio::test]
async fn every_address_answers_whatever_is_sent() {
    let visma = open().await;
    let mut absent = BTreeSet::new();
    for key in contract()["endpoints"].as_object().unwrap().keys() {
        let (method, path) = key.split_once(' ').unwrap();
        let path: String =
            path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect::<Vec<_>>().join("/");
        for body in [json!({}), json!([]), json!({"type": "SO", "lines": [{}], "customer": 5})] {
            let status = visma.send(method, &path, &body).await.status().as_u16();
            if status == 501 {
                absent.insert(key.clone());
                continue;
            }
            let fine: &[u16] = if method == "GET" { &[200, 400, 404] } else { &[400, 404, 500] };
            assert!(fine.contains(&status), "{key}: {status}");
        }
    }
    // Left out on purpose; the README says so.
    let told: BTreeSet<String> = [
        "GET /v1/blob/presignedurl",
        "GET /v1/customer/{customerNumber}/document",
        "GET /v1/customerdocument",
        "GET /v1/customerpaymentmethod",
        "GET /v1/customerpaymentmethod/{customerId}",
        "GET /v1/customerpaymentmethod/{customerId}/{customerPaymentMethodId}",
        "GET /v1/dimension/{dimensionId}/{segmentId}/publicid/{publicId}",
        "GET /v1/dimension/{dimensionId}/{segmentId}/{valueId}",
        "GET /v1/multilanguage/inventory/{inventoryNumber}/{languageISO}",
        "POST /v1/customerCreditNote/{creditNoteNumber}/action/sendToAutoInvoice",
        "POST /v1/customerCreditNote/{creditNoteNumber}/{lineNumber}/attachment",
        "POST /v1/customerinvoice/{invoiceNumber}/action/correct",
        "POST /v1/customerinvoice/{invoiceNumber}/action/reverseandapplytonote",
        "POST /v1/customerinvoice/{invoiceNumber}/action/sendToAutoInvoice",
        "POST /v1/customerinvoice/{invoiceNumber}/{lineNumber}/attachment",
        "POST /v1/customerpaymentmethod",
        "POST /v1/salesorder/orderType/{orderType}/{orderNumber}/{lineNumber}/attachment",
        "POST /v1/salesorder/{orderNumber}/attachment",
        "POST /v1/salesorder/{orderNumber}/{lineNumber}/attachment",
        "POST /v1/webhooknotificationfeedback",
        "POST /v2/journaltransaction/module/{module}/{journalTransactionNumber}/{lineNumber}/attachment",
        "POST /v2/salesorder/orderType/{orderType}/{orderNumber}/{lineNumber}/attachment",
        "POST /v2/salesorder/{orderNumber}/attachment",
        "POST /v2/salesorder/{orderNumber}/{lineNumber}/attachment",
        "POST /v2/salesorder/{orderType}/{orderNumber}/action/sendbymail",
        "PUT /v1/attachment/{attachmentId}",
        "PUT /v1/customerpaymentmethod/{customerId}/{customerPaymentMethodId}",
    ]
    .map(str::to_owned)
    .into();
    assert_eq!(absent, told);
}

/// Names in a value that the contract does not list for answers of an entity; what is below it is looked at too.
fn strangers(contract: &Value, entity: &str, value: &Value, path: &str, found: &mut Vec<String>) {
    let fields = contract["entities"][entity].as_object().unwrap_or_else(|| panic!("no entity {entity}"));
    for (name, inner) in value.as_object().unwrap() {
        let path = format!("{path}.{name}");
        let Some(field) = fields.get(name).filter(|field| field["in"].as_str().unwrap().contains('r')) else {
            if name != "metadata" {
                found.push(path);
            }
            continue;
        };
        let kind = field["type"].as_str().unwrap_or_default();
        let members = |inner: &Value, found: &mut Vec<String>| {
            let listed = kind.trim_matches(['[', ']']).strip_prefix("obj(").and_then(|rest| rest.strip_suffix(')'));
            let listed: Vec<&str> =
                listed.unwrap_or_default().split(", ").map(|one| one.split(':').next().unwrap()).collect();
            for name in inner.as_object().into_iter().flatten().map(|(name, _)| name) {
                if !listed.contains(&name.as_str()) {
                    found.push(format!("{path}.{name}"));
                }
            }
        };
        let bare = kind.trim_matches(['[', ']']);
        let rows: Vec<&Value> = match inner {
            Value::Array(rows) => rows.iter().collect(),
            Value::Null => Vec::new(),
            row => vec![row],
        };
        for row in rows {
            if bare.starts_with("obj(") {
                members(row, found);
            } else if contract["entities"].get(bare).is_some() {
                strangers(contract, bare, row, &path, found);
            } else if row.is_object() && !["object", "any"].contains(&bare) && !bare.starts_with("map(") {
                found.push(format!("{path} is no object"));
            }
        }
    }
}

#[tokio::test]
async fn every_name_in_an_answer_is_known() {
    let visma = open().await;
    let line = json!([{"operation": "Insert", "inventoryNumber": w("POSTER-1"), "quantity": w(1), "note": w("x")}]);
    let head = json!({"customerNumber": w("2001"), "documentDate": w("2026-11-20"), "note": w("x"), "customerRefNumber": w("1")});
    let document = |list: &str| {
        let mut body = head.clone();
        body[list] = line.clone();
        body
    };
    let invoice = visma.create("/v2/customerinvoice", &document("invoiceLines")).await;
    visma.send("POST", &format!("/v1/customerinvoice/{invoice}/action/release"), &json!({})).await;
    visma.create("/v2/customerCreditNote", &document("lines")).await;
    let mut sale = document("cashSaleLines");
    sale["paymentReference"] = w("x");
    sale.as_object_mut().unwrap().remove("customerRefNumber");
    visma.create("/v1/cashsale", &sale).await;
    let batch = json!({"transactionDate": w("2026-11-20"), "journalTransactionLines": [
        {"operation": "Insert", "accountNumber": w("1290"), "debitAmountInCurrency": w(1), "vatId": w("NL21"), "vatCodeId": w("HOOG")},
        {"operation": "Insert", "accountNumber": w("8000"), "creditAmountInCurrency": w(1)}]});
    visma.create("/v2/journaltransaction", &batch).await;
    let order = json!({"type": "SO", "customer": {"id": "2001", "refNo": "1"}, "note": "x", "freight": {"premiumAmount": 5},
        "orderLines": [{"inventoryId": "MOK-WIT", "quantity": 1}]});
    let order = visma.create("/api/v3/SalesOrders", &order).await;
    let payment = json!({"customer": w("2001"), "applicationDate": w("2026-11-20"), "paymentRef": w("x"), "paymentAmount": w(100),
        "paymentLines": [{"operation": "Insert", "documentType": w("Invoice"), "refNbr": w(invoice.as_str()), "amountPaid": w(1)}],
        "ordersToApply": [{"operation": "Insert", "orderType": w("SO"), "orderNumber": w(order.as_str()), "appliedToOrder": w(1)}]});
    visma.create("/v1/customerPayment", &payment).await;
    let contract = contract();
    let mut checked = 0;
    for (key, endpoint) in contract["endpoints"].as_object().unwrap() {
        let Some(path) = key.strip_prefix("GET ").filter(|path| !path.contains('{')) else { continue };
        let entity = endpoint["returns"].as_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        if contract["entities"].get(&entity).is_none() {
            continue;
        }
        let path = if path == "/v2/journaltransaction" { format!("{path}?periodId=202611") } else { path.to_owned() };
        let answer = visma.get(&path).await;
        if answer.status() == 501 {
            continue;
        }
        let body = common::json_of(answer).await;
        let rows = ["records", "value"].iter().find_map(|name| body.get(*name)).unwrap_or(&body);
        let mut found = Vec::new();
        for row in rows.as_array().unwrap() {
            checked += 1;
            strangers(&contract, &entity, row, &entity, &mut found);
        }
        found.dedup();
        assert!(found.is_empty(), "{path}: {:?}", found.into_iter().collect::<BTreeSet<_>>());
    }
    assert!(checked > 300, "{checked}");
    let path = format!("/api/v3/SalesOrders/SO/{order}");
    for (path, entity) in [
        (format!("{path}?expand=All"), "SalesOrder"),
        (format!("{path}/lines/1"), "SalesOrderLine"),
        ("/v1/inventorysummary/MOK-WIT".into(), "InventorySummary"),
        (format!("{path}/tax"), "SalesOrderTax"),
        ("/api/v3/Customers/2001/locations".into(), "So3CustomerLocation"),
        ("/v1/inventory/MOK-WIT/crossReferences".into(), "InventoryCrossReference"),
    ] {
        let body = visma.json(&path).await;
        let body = body.as_array().map_or(&body, |rows| &rows[0]);
        let mut found = Vec::new();
        strangers(&contract, entity, body, entity, &mut found);
        assert!(found.is_empty(), "{path}: {found:?}");
    }
}
