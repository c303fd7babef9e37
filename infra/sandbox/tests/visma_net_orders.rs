//! Visma.net: the sales order service (v3), and what comes after an order.
// Helpers of tests may panic as tests do.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Visma, json_of};
use serde_json::{Value, json};

const ORDERS: &str = "/api/v3/SalesOrders";

fn with(mut body: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            body.as_object_mut().unwrap().remove(name);
        } else {
            body[name] = value.clone();
        }
    }
    body
}

fn line(item: &str, quantity: i64, price: &str) -> Value {
    let price: Value = serde_json::from_str(price).unwrap();
    json!({"inventoryId": item, "quantity": quantity, "unitPrice": price, "hasManualPrice": true})
}

fn order(changes: &Value) -> Value {
    let customer = json!({"id": "10000", "refNo": "shop-1001", "order": "1001"});
    with(
        json!({"type": "SO", "customer": customer, "date": "2026-11-25T00:00:00Z", "orderLines": [line("MOK-WIT", 2, "9.95")]}),
        changes,
    )
}

async fn open(switches: Value) -> Visma {
    let visma = Visma::open(switches).await;
    visma.sandbox.clock().set("2026-11-25T12:00:00Z".parse().unwrap());
    let token = visma.sandbox.visma().inspect("POST", "authorise", &json!({})).1;
    assert_eq!(visma.sandbox.visma().inspect("POST", "catalogue", &json!({})).0, 204);
    Visma { token: token["access_token"].as_str().unwrap().into(), ..visma }
}

/// Codes and properties of a refusal.
async fn codes(visma: &Visma, body: &Value) -> Vec<String> {
    let answer = visma.send("POST", ORDERS, body).await;
    assert_eq!(answer.status(), 400, "{body}");
    let problem = json_of(answer).await;
    let details = problem["details"].as_array().unwrap().iter();
    details
        .map(|one| format!("{} {}", one["code"].as_str().unwrap(), one["parameters"]["property"].as_str().unwrap()))
        .collect()
}

async fn change(visma: &Visma, method: &str, path: &str, etag: &str, body: &Value) -> (u16, String) {
    let answer = visma.request(method, path).header("If-Match", etag).json(body).send().await.unwrap();
    let etag = answer.headers().get("ETag").map(|etag| etag.to_str().unwrap().to_owned()).unwrap_or_default();
    (answer.status().as_u16(), etag)
}

async fn etag(visma: &Visma, path: &str) -> String {
    visma.get(path).await.headers()["ETag"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_order_comes_back_as_an_address_and_is_computed() {
    let visma = open(json!({})).await;
    let lines = json!({"orderLines": [line("MOK-WIT", 2, "9.95"), line("KOFFIE", 1, "20"), with(line("KORTING", -1, "5"), &json!({"description": "Bon TIEN"}))],
        "shipping": {"shipViaId": "DHL", "address": {"line1": "Weg 1", "postalCode": "1000", "city": "Brussel", "countryId": "BE"}},
        "freight": {"cost": 4.5, "premiumAmount": 1}});
    let answer = visma.send("POST", ORDERS, &order(&lines)).await;
    let place = answer.headers()["Location"].to_str().unwrap().to_owned();
    assert_eq!(
        (answer.status().as_u16(), place.as_str()),
        (201, "https://salesorder.visma.invalid/api/v3/SalesOrders/SO/000001")
    );
    let version = answer.headers()["ETag"].to_str().unwrap().to_owned();
    assert_eq!(answer.text().await.unwrap(), "");
    let path = format!("{ORDERS}/SO/000001");
    let bare = visma.json(&path).await;
    assert!(bare.get("customer").is_none() && bare.get("shipping").is_none(), "parts are asked for");
    // 19.90 - 5.00 + 5.50 = 20.40 at 21 % is 4.28; 20.00 at 9 % is 1.80.
    let totals = &bare["totals"];
    assert_eq!(
        (&totals["taxTotal"], &totals["orderTotal"], &totals["freightTotal"]),
        (&json!(6.08), &json!(46.48), &json!(5.5))
    );
    assert_eq!(
        (&bare["status"]["description"], format!("\"{}\"", bare["version"].as_str().unwrap())),
        (&json!("Open"), version)
    );
    let full = visma.json(&format!("{path}?expand=Customer&expand=Shipping,Freight")).await;
    assert_eq!(
        (&full["customer"]["refNo"], &full["shipping"]["address"]["country"]["id"]),
        (&json!("shop-1001"), &json!("BE"))
    );
    assert!(full["shipping"]["address"].get("line2").is_none(), "nothing is merged in");
    assert_eq!(full["shipping"]["contact"]["email"], "relatie10000@example.test");
    assert_eq!(visma.get(&format!("{path}?expand=customer")).await.status(), 400, "words have their case");
    let lines = visma.json(&format!("{path}/lines")).await;
    assert_eq!(
        (lines["value"].as_array().unwrap().len(), &lines["value"][2]["extendedPrice"], &lines["nextPage"]),
        (3, &json!(-5), &Value::Null)
    );
    assert_eq!(visma.json(&format!("{path}/lines/2")).await["inventory"]["id"], "KOFFIE");
    let taxes = visma.json(&format!("{path}/tax")).await;
    assert_eq!(
        taxes.as_array().unwrap().iter().map(|one| one["taxId"].as_str().unwrap()).collect::<Vec<_>>(),
        ["NL21", "NL9"]
    );
    visma.sandbox.visma().set_switches(json!({"v3_post_body": true, "location_elsewhere": false})).unwrap();
    let answer = visma.send("POST", ORDERS, &order(&json!({}))).await;
    assert!(answer.headers()["Location"].to_str().unwrap().starts_with(visma.sandbox.visma_net_url()));
    assert_eq!(json_of(answer).await["orderId"], "000002");
}

#[tokio::test]
async fn a_number_of_the_shop_is_there_once() {
    let visma = open(json!({})).await;
    let own = order(&json!({"type": "WS", "orderId": "WC1001"}));
    assert_eq!(visma.create(ORDERS, &own).await, "WC1001");
    assert_eq!(visma.get(&format!("{ORDERS}/WS/WC1001")).await.status(), 200);
    assert_eq!(visma.get(&format!("{ORDERS}/WS/WC1002")).await.status(), 404);
    let twin = visma.send("POST", ORDERS, &own).await;
    assert_eq!((twin.status().as_u16(), json_of(twin).await["status"].clone()), (409, json!(409)));
    visma.sandbox.visma().set_switches(json!({"duplicate_order_status": 400})).unwrap();
    assert_eq!(codes(&visma, &own).await, ["0003-InvalidValue orderId"]);
    assert_eq!(visma.sandbox.visma().documents("salesorder").len(), 1);
    assert_eq!(codes(&visma, &order(&json!({"type": "WS"}))).await, ["0001-NullNotAllowed orderId"]);
    assert_eq!(codes(&visma, &order(&json!({"orderId": "WC1"}))).await, ["0004-ValueNotAllowed orderId"]);
    assert_eq!(
        codes(&visma, &order(&json!({"type": "WS", "orderId": "x".repeat(16)}))).await,
        ["0002-InvalidLength orderId"]
    );
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_at_once_with_stable_codes() {
    let visma = open(json!({"closed_until": "2026-09-30"})).await;
    let body = order(&json!({"customer": {"id": "NIETS"}, "branchId": "7", "orderLines": [
        {"inventoryId": "NIETS"}, {"quantity": 1}, with(line("MOK-WIT", -1, "1"), &json!({"unitOfMeasure": "kg", "taxCategoryId": "X", "warehouseId": "9", "salesAccountId": "1"}))]}));
    assert_eq!(
        codes(&visma, &body).await,
        [
            "1400-CustomerLookupException customer.id",
            "0003-InvalidValue branchId",
            "1804-InventoryIdNotFound orderLines[0].inventoryId",
            "0001-NullNotAllowed orderLines[1].inventoryId",
            "1808-InvalidUnitOfMeasure orderLines[2].unitOfMeasure",
            "1809-InvalidQuantityForType orderLines[2].quantity",
            "1802-InvalidWarehouseId orderLines[2].warehouseId",
            "1806-InvalidSalesAccountId orderLines[2].salesAccountId",
            "1805-InvalidTaxCategoryId orderLines[2].taxCategoryId",
        ]
    );
    let of_line = |changes: Value| json!({"orderLines": [with(line("MOK-WIT", 1, "1"), &changes)]});
    for (changes, code) in [
        (json!({"type": "XX"}), "1704-InvalidOrderType type"),
        (json!({"type": "OU"}), "1704-InvalidOrderType type"),
        (json!({"customer": {"refNo": "1"}}), "0001-NullNotAllowed customer.id"),
        (json!({"customer": {"id": "10002"}}), "1407-InvalidCustomerStatus customer.id"),
        (json!({"customer": {"id": "10004"}}), "1401-MissingTermsId customer.termsId"),
        (json!({"customer": {"id": "10000", "locationId": "X"}}), "0003-InvalidValue customer.locationId"),
        (json!({"customer": {"id": "10000", "refNo": "x".repeat(41)}}), "0002-InvalidLength customer.refNo"),
        (json!({"currencyId": "XXX"}), "0003-InvalidValue currencyId"),
        (json!({"status": "open"}), "0003-InvalidValue status"),
        (json!({"date": "2026-09-01"}), "1601-FinancialPeriodClosed date"),
        (json!({"date": "2017-09-01"}), "1600-FinancialPeriodNotFound date"),
        (json!({"date": "2029-09-01"}), "1602-FinancialPeriodInactive date"),
        (
            json!({"financialInformation": {"postPeriod": "992026"}}),
            "1600-FinancialPeriodNotFound financialInformation.postPeriod",
        ),
        (json!({"projectId": "P"}), "1904-ProjectNotFound projectId"),
        (json!({"salesPersonId": "P"}), "1902-SalesPersonNotFound salesPersonId"),
        (json!({"taxZoneId": "XX"}), "0003-InvalidValue taxZoneId"),
        (json!({"billing": {"address": {"line1": "x"}}}), "0001-NullNotAllowed billing.address.countryId"),
        (
            json!({"billing": {"address": {"countryId": "NL", "city": "x".repeat(51)}}}),
            "0002-InvalidLength billing.address.city",
        ),
        (json!({"billing": {"contact": {"email": "no address"}}}), "0003-InvalidValue billing.contact.email"),
        (json!({"shipping": {"shipViaId": "X"}}), "0003-InvalidValue shipping.shipViaId"),
        (json!({"shipping": {"termsId": "X"}}), "0003-InvalidValue shipping.termsId"),
        (json!({"shipping": {"rule": "Never"}}), "0003-InvalidValue shipping.rule"),
        (json!({"freight": {"cost": 5}}), "1310-FreightCostCanNotBeSetManually freight.cost"),
        (
            json!({"shipping": {"shipViaId": "POSTNL"}, "freight": {"cost": 5}}),
            "1310-FreightCostCanNotBeSetManually freight.cost",
        ),
        (
            json!({"paymentSettings": {"paymentMethodId": "X"}}),
            "1402-PaymentMethodIdNotFound paymentSettings.paymentMethodId",
        ),
        (
            json!({"paymentSettings": {"paymentMethodId": "CHEQUE"}}),
            "1403-InactivePaymentMethodId paymentSettings.paymentMethodId",
        ),
        (json!({"paymentSettings": {"cashAccountId": "X"}}), "1502-CashAccountNotFound paymentSettings.cashAccountId"),
        (json!({"type": "WP", "orderId": "1"}), "1405-PaymentReferenceRequired paymentSettings.paymentReference"),
        (
            json!({"type": "QT", "paymentSettings": {"paymentReference": "x"}}),
            "1406-PaymentReferenceProhibited paymentSettings.paymentReference",
        ),
        (of_line(json!({"inventoryId": "VERLOPEN"})), "0005-InvalidState orderLines[0].inventoryId"),
        (of_line(json!({"inventoryId": "8710000000017"})), "1804-InventoryIdNotFound orderLines[0].inventoryId"),
        (of_line(json!({"discountCode": "X"})), "1105-InvalidDiscountCode orderLines[0].discountCode"),
        (
            of_line(json!({"discountPercent": 101, "hasManualDiscount": true})),
            "0100-OutsideValidRange orderLines[0].discountPercent",
        ),
        (
            of_line(json!({"discountAmount": 5, "hasManualDiscount": true})),
            "1101-DiscountAmountMoreThanExtPrice orderLines[0].discountAmount",
        ),
        (
            of_line(json!({"warehouseLocationId": "X"})),
            "1700-WarehouseLocationNotFound orderLines[0].warehouseLocationId",
        ),
        (of_line(json!({"subaccount": {"1": "XXX"}})), "1202-SegmentValueNotFound orderLines[0].subaccount"),
        (of_line(json!({"reasonCode": "X"})), "1807-InvalidReasonCode orderLines[0].reasonCode"),
        (of_line(json!({"description": "x".repeat(257)})), "0002-InvalidLength orderLines[0].description"),
        (of_line(json!({"operation": "Receipt"})), "1800-InvalidLineOperation orderLines[0].operation"),
    ] {
        assert!(
            codes(&visma, &order(&changes)).await.contains(&code.to_owned()),
            "{changes}: {:?}",
            codes(&visma, &order(&changes)).await
        );
    }
    let odd =
        visma.send("POST", ORDERS, &order(&json!({"orderLines": [{"inventoryId": "MOK-WIT", "quantity": "2"}]}))).await;
    let odd = json_of(odd).await;
    assert!(odd["errors"]["orderLines[0].quantity"].is_array() && odd["title"].is_string(), "{odd}");
    assert_eq!(visma.send("POST", ORDERS, &json!([])).await.status(), 400);
    assert!(visma.sandbox.visma().documents("salesorder").is_empty());
    visma
        .sandbox
        .visma()
        .set_switches(json!({"orders_in_closed_periods": true, "resolve_alternate_ids": true}))
        .unwrap();
    let body = with(
        order(&of_line(json!({"inventoryId": "8710000000017", "nonsense": 1}))),
        &json!({"date": "2026-09-01", "nonsense": 1}),
    );
    visma.create(ORDERS, &body).await;
    visma.sandbox.visma().set_switches(json!({"v3_unknown_fields": "error"})).unwrap();
    assert_eq!(visma.send("POST", ORDERS, &body).await.status(), 400);
}

#[tokio::test]
async fn prices_without_their_flag_are_those_of_the_price_rules() {
    let visma = open(json!({})).await;
    let plain = json!({"inventoryId": "VAAS-GROEN", "quantity": 1, "unitPrice": 99, "discountPercent": 50});
    let price = |customer: &str, quantity: i64, extra: Value| {
        let line = with(with(plain.clone(), &json!({"quantity": quantity})), &extra);
        let body = order(&json!({"customer": {"id": customer}, "orderLines": [line]}));
        let visma = &visma;
        async move {
            let id = visma.create(ORDERS, &body).await;
            visma.json(&format!("{ORDERS}/SO/{id}/lines/1")).await["unitPrice"].to_string()
        }
    };
    assert_eq!(price("10000", 1, json!({})).await, "17.5");
    assert_eq!(price("10000", 10, json!({})).await, "15", "from ten pieces");
    assert_eq!(price("2001", 1, json!({})).await, "14", "his price class");
    assert_eq!(price("2001", 12, json!({})).await, "12.5");
    assert_eq!(price("2001", 1, json!({"hasManualPrice": true})).await, "99");
    let id = visma.create(ORDERS, &order(&json!({"orderLines": [with(plain.clone(), &json!({"hasManualPrice": true, "hasManualDiscount": true}))]}))).await;
    assert_eq!(visma.json(&format!("{ORDERS}/SO/{id}/lines/1")).await["extendedPrice"], 49.5);
    visma.sandbox.visma().set_switches(json!({"keep_unflagged_prices": true})).unwrap();
    assert_eq!(price("2001", 1, json!({})).await, "99");
}

#[tokio::test]
async fn lists_begin_at_page_zero_and_filter_by_what_they_know() {
    let visma = open(json!({})).await;
    for number in 1..=3 {
        let customer = json!({"id": if number == 3 { "2002" } else { "10000" }, "refNo": format!("shop-{number}")});
        visma.create(ORDERS, &order(&json!({"customer": customer}))).await;
        visma.sandbox.clock().advance(chrono::Duration::seconds(60));
    }
    let refs = |list: &Value| {
        list["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["customerRefNo"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let page = visma.json(&format!("{ORDERS}/SO?customerId=10000&orderBy=created%20desc&pageSize=1")).await;
    assert_eq!((refs(&page), &page["totalCount"]), (vec!["shop-2".to_owned()], &Value::Null));
    let next = page["nextPage"].as_str().unwrap().strip_prefix(visma.sandbox.visma_net_url()).unwrap().to_owned();
    let page = visma.json(&next).await;
    assert_eq!((refs(&page), &page["nextPage"]), (vec!["shop-1".to_owned()], &Value::Null));
    assert_eq!(refs(&visma.json(&format!("{ORDERS}?modifiedSince=2026-11-25T12:01:30Z")).await), ["shop-3"]);
    assert_eq!(refs(&visma.json(&format!("{ORDERS}?filter=shop-3")).await), Vec::<String>::new(), "only order numbers");
    assert_eq!(refs(&visma.json(&format!("{ORDERS}?filter=003")).await), ["shop-3"]);
    assert_eq!(
        visma.json(&format!("{ORDERS}?customerRefNo=shop-1")).await["value"].as_array().unwrap().len(),
        3,
        "ignored"
    );
    assert_eq!(visma.json(&format!("{ORDERS}?status=Hold")).await["value"], json!([]));
    assert_eq!(visma.get(&format!("{ORDERS}?orderBy=size")).await.status(), 400);
    assert_eq!(visma.get(&format!("{ORDERS}/XX")).await.status(), 404);
    visma.sandbox.visma().set_switches(json!({"v3_total_count": true, "list_lag_seconds": 90})).unwrap();
    assert_eq!(visma.json(ORDERS).await["totalCount"], 2, "the last one is not seen yet");
    let customers = visma.json("/api/v3/Customers?filter=linde").await;
    assert_eq!(customers["value"][0]["id"], "2001");
    assert_eq!(visma.json("/api/v3/Customers?filter=sanne%40example.test").await["value"], json!([]), "not by e-mail");
}

#[tokio::test]
async fn a_change_needs_the_version_that_is_there() {
    let visma = open(json!({})).await;
    let id = visma
        .create(ORDERS, &order(&json!({"billing": {"address": {"line1": "A", "line2": "B", "countryId": "NL"}}})))
        .await;
    let path = format!("{ORDERS}/SO/{id}");
    assert_eq!(visma.send("PATCH", &path, &json!({"description": "x"})).await.status(), 428);
    assert_eq!(change(&visma, "PATCH", &path, "\"AAAAAAAAAAA=\"", &json!({})).await.0, 412);
    let first = etag(&visma, &path).await;
    let body = json!({"description": "x", "billing": {"address": {"line1": "C", "countryId": "BE"}}});
    let (status, second) = change(&visma, "PATCH", &path, &first, &body).await;
    assert_eq!((status, second != first), (202, true));
    assert_eq!(change(&visma, "PATCH", &path, &first, &body).await.0, 412);
    let row = visma.json(&format!("{path}?expand=All")).await;
    assert_eq!(
        (&row["description"], &row["billing"]["address"]["line1"], &row["customer"]["refNo"]),
        (&json!("x"), &json!("C"), &json!("shop-1001"))
    );
    assert!(row["billing"]["address"].get("line2").is_none(), "replaced as a whole");
    let lines = format!("{path}/lines");
    let wrong = visma
        .request("PATCH", &lines)
        .header("If-Match", &second)
        .json(&json!({"update": [{"lineId": 1}]}))
        .send()
        .await
        .unwrap();
    assert_eq!(
        (wrong.status().as_u16(), json_of(wrong).await["detail"].clone()),
        (400, json!("There are no lines set to patch"))
    );
    assert_eq!(
        change(&visma, "PATCH", &lines, &second, &json!({"lines": [{"lineId": 9, "quantity": 1}]})).await.0,
        400
    );
    let (status, third) =
        change(&visma, "PATCH", &lines, &second, &json!({"lines": [{"lineId": 1, "quantity": 5}]})).await;
    assert_eq!(status, 202);
    let (status, fourth) = change(&visma, "POST", &lines, &third, &json!({"lines": [line("POSTER-1", 1, "10")]})).await;
    assert_eq!((status, visma.json(&path).await["totals"]["orderTotal"].clone()), (202, json!(72.3)));
    let (status, fifth) = change(&visma, "DELETE", &format!("{lines}?ids=1"), &fourth, &json!({})).await;
    assert_eq!((status, visma.json(&path).await["totals"]["orderTotal"].clone()), (202, json!(12.1)));
    let (status, sixth) = change(&visma, "PATCH", &path, &fifth, &json!({"status": "Hold"})).await;
    assert_eq!((status, visma.json(&path).await["status"]["hold"].clone()), (202, json!(true)));
    assert_eq!(change(&visma, "PATCH", &path, &sixth, &json!({"status": "Completed"})).await.0, 400);
    assert_eq!(change(&visma, "DELETE", &path, &sixth, &json!({})).await.0, 202);
    assert_eq!(visma.get(&path).await.status(), 404);
}

async fn stock(visma: &Visma, item: &str) -> Value {
    visma.json(&format!("/v1/inventorysummary/{item}?warehouse=1")).await[0].clone()
}

fn quantities(row: &Value) -> Vec<String> {
    ["onHand", "soBooked", "soShipped", "available", "availableForShipment"]
        .iter()
        .map(|name| row[*name].to_string())
        .collect()
}

#[tokio::test]
async fn stock_moves_with_the_order_its_shipment_and_its_invoice() {
    let visma = open(json!({"release_at_once": true})).await;
    assert_eq!(quantities(&stock(&visma, "MOK-WIT").await), ["137", "0", "0", "137", "137"]);
    let id = visma.create(ORDERS, &order(&json!({"orderLines": [line("MOK-WIT", 2, "10"), line("POSTER-1", 1, "10")], "freight": {"premiumAmount": 5}}))).await;
    let path = format!("{ORDERS}/SO/{id}");
    assert_eq!(quantities(&stock(&visma, "MOK-WIT").await), ["137", "2", "0", "135", "137"]);
    let version = etag(&visma, &path).await;
    change(&visma, "PATCH", &format!("{path}/lines"), &version, &json!({"lines": [{"lineId": 1, "quantity": 5}]}))
        .await;
    assert_eq!(quantities(&stock(&visma, "MOK-WIT").await), ["137", "5", "0", "132", "137"]);
    let since = "/api/v3/Inventory?modifiedSince=2026-11-25T00:00:00Z";
    let moved = visma.json(since).await;
    assert_eq!(
        (moved["value"].as_array().unwrap().len(), &moved["value"][0]["availability"][0]["quantityAvailable"]),
        (1, &json!(132))
    );
    let early = format!("/v2/salesorder/SO/{id}/action/prepareInvoice");
    assert_eq!(visma.send("POST", &early, &json!({})).await.status(), 500, "it was not shipped");
    let ship = json!({"orderType": "SO", "shipmentDate": "2026-11-25", "shipmentWarehouse": "1"});
    let shipped = visma.send("POST", &format!("/v1/salesorder/{id}/action/createShipment"), &ship).await;
    assert_eq!(json_of(shipped).await["actionResult"], "Done");
    assert_eq!(quantities(&stock(&visma, "MOK-WIT").await), ["137", "0", "5", "132", "132"]);
    assert_eq!(visma.json(&path).await["status"]["description"], "Shipping");
    assert_eq!(visma.json(&format!("{path}/shipment")).await[0]["quantity"], 5);
    let version = etag(&visma, &path).await;
    assert_eq!(change(&visma, "PATCH", &path, &version, &json!({"description": "x"})).await.0, 400);
    assert_eq!(change(&visma, "DELETE", &path, &version, &json!({})).await.0, 400);
    let made = json_of(visma.send("POST", &early, &json!({})).await).await;
    let invoice = visma.json(&format!("/v1/customerinvoice/{}", made["referenceNumber"].as_str().unwrap())).await;
    assert_eq!(
        (&invoice["amount"], &invoice["customerRefNumber"], invoice["invoiceLines"].as_array().unwrap().len()),
        (&json!(78.65), &json!("shop-1001"), 3)
    );
    assert_eq!(invoice["invoiceLines"][0]["soOrderNbr"], id.as_str());
    assert_eq!(quantities(&stock(&visma, "MOK-WIT").await), ["132", "0", "0", "132", "132"]);
    assert_eq!(visma.json(&path).await["status"]["description"], "Completed");
    assert_eq!(visma.send("POST", &early, &json!({})).await.status(), 500, "once");
}

#[tokio::test]
async fn what_is_not_there_waits_and_other_order_types_do_other_things() {
    let visma = open(json!({})).await;
    let id = visma.create(ORDERS, &order(&json!({"orderLines": [line("KOFFIE", 3, "10")]}))).await;
    let ship = json!({"orderType": "SO", "shipmentDate": "2026-11-25", "shipmentWarehouse": "1"});
    let path = format!("/v2/salesorder/{id}/action/createShipment");
    assert_eq!(visma.send("POST", &path, &ship).await.status(), 204);
    assert_eq!(quantities(&stock(&visma, "KOFFIE").await)[..3], ["2", "1", "2"]);
    assert_eq!(
        visma.send("POST", &format!("/v2/salesorder/SO/{id}/action/prepareInvoice"), &json!({})).await.status(),
        200
    );
    assert_eq!(visma.json(&format!("{ORDERS}/SO/{id}")).await["status"]["description"], "BackOrder");
    let row = stock(&visma, "KOFFIE").await;
    assert_eq!(
        (&row["onHand"], &row["soBooked"], &row["soBackOrdered"], &row["available"]),
        (&json!(0), &json!(0), &json!(1), &json!(-1))
    );
    assert_eq!(visma.send("POST", &path, &ship).await.status(), 500, "nothing to ship");
    visma.sandbox.visma().inspect("POST", "stock", &json!({"item": "KOFFIE", "onHand": 5}));
    assert_eq!(visma.send("POST", &path, &ship).await.status(), 204);
    assert_eq!(
        visma.send("POST", &format!("/v2/salesorder/SO/{id}/action/prepareInvoice"), &json!({})).await.status(),
        200
    );
    let row = stock(&visma, "KOFFIE").await;
    assert_eq!((&row["onHand"], &row["soBackOrdered"], &row["available"]), (&json!(4), &json!(0), &json!(4)));
    let whole = order(&json!({"orderLines": [line("KOFFIE", 9, "10")], "shipping": {"rule": "ShipComplete"}}));
    let id = visma.create(ORDERS, &whole).await;
    assert_eq!(visma.send("POST", &format!("/v2/salesorder/{id}/action/createShipment"), &ship).await.status(), 500);
    let id = visma.create(ORDERS, &order(&json!({"type": "QT"}))).await;
    assert_eq!(
        (id.as_str(), quantities(&stock(&visma, "MOK-WIT").await)[1].as_str()),
        ("QT0001", "0"),
        "a quote books nothing"
    );
    let id = visma.create(ORDERS, &order(&json!({"type": "IN"}))).await;
    assert_eq!(
        visma.send("POST", &format!("/v2/salesorder/IN/{id}/action/prepareInvoice"), &json!({})).await.status(),
        200
    );
    assert_eq!(quantities(&stock(&visma, "MOK-WIT").await)[..2], ["135", "0"], "invoiced and gone at once");
    let id = visma.create(ORDERS, &order(&json!({"type": "CM", "orderLines": [line("MOK-WIT", 1, "9.95")]}))).await;
    let made =
        json_of(visma.send("POST", &format!("/v2/salesorder/CM/{id}/action/prepareInvoice"), &json!({})).await).await;
    let note = visma.json(&format!("/v1/customerCreditNote/{}", made["referenceNumber"].as_str().unwrap())).await;
    assert_eq!((&note["amount"], quantities(&stock(&visma, "MOK-WIT").await)[0].as_str()), (&json!(12.04), "136"));
    let held = visma.create(ORDERS, &order(&json!({"customer": {"id": "10005"}}))).await;
    assert_eq!(visma.json(&format!("{ORDERS}/SO/{held}")).await["status"]["description"], "CreditHold");
}

#[tokio::test]
async fn stock_is_read_by_the_page_with_attributes_and_places() {
    let visma = open(json!({})).await;
    let all = visma.json("/api/v3/Inventory").await;
    assert_eq!(all["value"].as_array().unwrap().len(), 16, "articles with stock");
    let some = visma.json("/api/v3/Inventory?inventoryId=MOK-WIT&inventoryId=TRUI-ROOD-S&expand=All").await;
    let jumper = some["value"].as_array().unwrap().iter().find(|row| row["inventoryId"] == "TRUI-ROOD-S").unwrap();
    assert_eq!((&jumper["attributes"]["KLEUR"], jumper["availability"].as_array().unwrap().len()), (&json!("Rood"), 2));
    assert_eq!(jumper["availability"][0]["locations"][0]["quantityOnHand"], 8);
    let page = visma.json("/api/v3/Inventory?pageSize=7&pageIndex=2").await;
    assert_eq!((page["value"].as_array().unwrap().len(), &page["nextPage"]), (2, &Value::Null));
    assert_eq!(
        visma.json("/api/v3/Inventory?warehouseId=2&inventoryId=MOK-WIT").await["value"][0]["availability"],
        json!([])
    );
    visma.sandbox.visma().inspect("POST", "stock", &json!({"item": "TRUI-ROOD-S", "warehouse": "2", "onHand": 9}));
    let since = "/api/v3/Inventory?modifiedSince=2026-11-25T11:00:00Z";
    let changed = visma.json(since).await;
    assert_eq!(changed["value"][0]["availability"].as_array().unwrap().len(), 1, "only where it changed");
    visma.sandbox.visma().set_switches(json!({"v3_changed_positions_only": false})).unwrap();
    assert_eq!(visma.json(since).await["value"][0]["availability"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_lost_answer_leaves_an_order_behind() {
    let visma = open(json!({})).await;
    visma
        .sandbox
        .fault("visma-net", koppel_sandbox::FaultRule::new(koppel_sandbox::FaultAction::AnswerLost).method("POST"))
        .unwrap();
    assert!(visma.request("POST", ORDERS).json(&order(&json!({}))).send().await.is_err());
    assert_eq!(visma.json(ORDERS).await["value"].as_array().unwrap().len(), 1);
    let calls = visma.sandbox.visma().calls();
    assert_eq!((calls["POST SalesOrders"], calls["GET SalesOrders"]), (1, 1));
    let pay = json!({"customer": common::w("10000"), "applicationDate": common::w("2026-11-25"), "paymentRef": common::w("tr"),
        "type": common::w("Prepayment"), "paymentAmount": common::w(24.08),
        "ordersToApply": [{"operation": "Insert", "orderType": common::w("SO"), "orderNumber": common::w("000001"), "appliedToOrder": common::w(24.08)}]});
    let id = visma.create("/v1/customerPayment", &pay).await;
    assert_eq!(visma.json(&format!("/v1/customerPayment/{id}")).await["ordersToApply"][0]["orderNo"], "000001");
    let (status, message) = visma
        .refusal(
            "POST",
            "/v1/customerPayment",
            &with(pay, &json!({"ordersToApply": [{"orderType": common::w("SO"), "orderNumber": common::w("9")}]})),
        )
        .await;
    assert!(status == 400 && message.contains("orderNumber"), "{message}");
}
