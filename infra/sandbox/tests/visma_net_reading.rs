//! Visma.net: pages, filters, dates, keys, versions, and what there is to read.
// Helpers of tests may panic as tests do.
#![allow(clippy::unwrap_used)]

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::Visma;
use serde_json::{Value, json};

async fn open(switches: Value) -> Visma {
    let visma = Visma::open(switches).await;
    assert_eq!(visma.sandbox.visma().inspect("POST", "catalogue", &json!({})).0, 204);
    visma
}

fn names(rows: &Value, field: &str) -> Vec<String> {
    rows.as_array().unwrap().iter().map(|row| row[field].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_seed_passed_the_rules() {
    let visma = Visma::open(json!({})).await;
    let count = |table: &str| visma.sandbox.visma().documents(table).len();
    assert_eq!((count("inventory"), count("customer"), count("customerSalesPrice"), count("contact")), (15, 5, 5, 1));
    assert_eq!(visma.sandbox.visma().inspect("POST", "catalogue", &json!({})).0, 204);
    assert_eq!((count("inventory"), count("customer"), count("customerSalesPrice"), count("contact")), (29, 10, 12, 3));
    assert_eq!((count("location"), count("_files")), (11, 7));
    for table in ["inventory", "customer"] {
        let field = if table == "inventory" { "inventoryNumber" } else { "number" };
        assert!(visma.sandbox.visma().documents(table).iter().all(|row| row[field].is_string()));
    }
    let (status, told) = visma.sandbox.visma().inspect("POST", "generate", &json!({"seed": 1, "n": 1000}));
    assert_eq!((status, count("inventory"), &told["first"]), (201, 1029, &json!("ART-1-00001")));
    visma.sandbox.visma().inspect("POST", "generate", &json!({"seed": 1, "n": 1000}));
    assert_eq!(count("inventory"), 1029);
    assert!(visma.sandbox.visma().add_catalogue().is_ok(), "once is enough");
    assert_eq!(visma.sandbox.visma().inspect("POST", "reset", &json!({})).0, 204);
    assert_eq!(count("inventory"), 15);
}

#[tokio::test]
async fn pages_begin_at_one_are_clamped_and_tell_their_size_in_the_first_row() {
    let visma = open(json!({"max_page_size": 4, "default_page_size": 3})).await;
    let page = visma.json("/v1/customer?pageNumber=1&pageSize=100").await;
    assert_eq!(page.as_array().unwrap().len(), 4, "clamped without a word");
    assert_eq!(page[0]["metadata"], json!({"totalCount": 10, "maxPageSize": 4}));
    assert!(page[1].get("metadata").is_none());
    let last = visma.json("/v1/customer?pageNumber=3&pageSize=100").await;
    assert_eq!(last.as_array().unwrap().len(), 2);
    assert_eq!(visma.json("/v1/customer?pageNumber=4&pageSize=100").await, json!([]));
    assert_eq!(visma.json("/v1/customer").await.as_array().unwrap().len(), 3);
    let ignored = visma.json("/v1/customer?numberToRead=1&skipRecords=5&pageSize=4").await;
    assert_eq!(ignored[0]["number"], page[0]["number"]);
    for wrong in ["pageNumber=0", "pageSize=0", "pageSize=x"] {
        assert_eq!(visma.get(&format!("/v1/customer?{wrong}")).await.status(), 400, "{wrong}");
    }
    let items = visma.json("/v1/inventory?pageSize=9999&pageNumber=1").await;
    assert_eq!((items.as_array().unwrap().len(), &items[0]["metadata"]["maxPageSize"]), (29, &json!(5000)));
    let terms = visma.json("/v1/creditTerm?pageNumber=1&pageSize=2").await;
    assert_eq!(
        (&terms["totalCount"], &terms["pageSize"], terms["records"].as_array().unwrap().len()),
        (&json!(3), &json!(2), 2)
    );
    assert_eq!(visma.json("/v1/creditTerm?termsId=30").await["records"][0]["dueDay1"], 30);
    let all = visma.json("/v1/account?pageSize=1").await;
    assert!(all.as_array().unwrap().len() > 10 && all[0].get("metadata").is_none(), "no pages here");
    visma.sandbox.visma().set_switches(json!({"metadata_on_every_item": true})).unwrap();
    assert_eq!(visma.json("/v1/customer?pageSize=2").await[1]["metadata"]["totalCount"], 10);
}

#[tokio::test]
async fn unknown_parameters_are_ignored_and_known_ones_filter_exactly() {
    let visma = open(json!({})).await;
    let all = visma.json("/v1/customer?emial=nobody@example.test").await;
    assert_eq!(all.as_array().unwrap().len(), 10, "everything comes back");
    let twins = visma.json("/v1/customer?email=dubbel%40example.test").await;
    assert_eq!(names(&twins, "number"), ["2003", "2004"]);
    assert_eq!(visma.json("/v1/customer?email=Dubbel%40example.test").await, json!([]));
    assert_eq!(visma.json("/v1/customer?email=dubbel").await, json!([]));
    visma.sandbox.visma().set_switches(json!({"case_sensitive_filters": false, "filters_by_part": true})).unwrap();
    assert_eq!(visma.json("/v1/customer?email=DUBBEL").await.as_array().unwrap().len(), 2);
    let visma = open(json!({})).await;
    assert_eq!(names(&visma.json("/v1/inventory?alternateID=8710000000222").await, "inventoryNumber"), ["VAAS-GROEN"]);
    let jumpers =
        visma.json("/v1/inventory?attributes=%7B%22HOOFDART%22%3A%22TRUI%22%2C%22MAAT%22%3A%22S%2CM%22%7D").await;
    assert_eq!(jumpers.as_array().unwrap().len(), 4);
    assert_eq!(visma.get("/v1/inventory?attributes=x").await.status(), 400);
    let charges = visma.json("/v1/inventory?inventoryTypes=ChargeItem&inventoryTypes=ServiceItem").await;
    assert_eq!(charges.as_array().unwrap().len(), 6);
    assert_eq!(visma.json("/v1/inventory?status=NoSales").await.as_array().unwrap().len(), 2);
    assert_eq!(names(&visma.json("/v1/contact?email=tom%40delinde.example.test").await, "lastName"), ["Smit"]);
    assert_eq!(visma.json("/v1/customer/2001/contact").await.as_array().unwrap().len(), 2);
    assert_eq!(names(&visma.json("/v1/location/2001").await, "locationId"), ["Main", "FILIAAL"]);
    assert_eq!(visma.json("/v1/salescategory/3/item").await.as_array().unwrap().len(), 4);
    assert_eq!(visma.json("/v1/salescategory").await[1]["subCategories"][0]["description"], "Truien");
    let prices =
        visma.json("/v1/customerSalesPrice?priceType=CustomerPriceClass&priceCode=DEALER&inventoryId=VAAS-GROEN").await;
    assert_eq!(prices.as_array().unwrap().iter().map(|row| row["breakQty"].clone()).collect::<Vec<_>>(), [0, 10]);
    let now = "/v1/customerSalesPrice?priceCode=GROOTHANDEL&inventoryId=KANDELAAR";
    assert_eq!(visma.json(now).await.as_array().unwrap().len(), 1);
    assert_eq!(visma.json(&format!("{now}&effectiveAsOf=2026-01-01")).await, json!([]));
    assert_eq!(visma.json("/v1/customerSalesPrice?priceType=All").await.as_array().unwrap().len(), 12);
    assert_eq!(visma.get("/v1/customer?greaterThanValue=1").await.status(), 200, "no parameter of this address");
    assert_eq!(visma.get("/v1/contact?greaterThanValue=1").await.status(), 501, "known, and said to be absent");
}

#[tokio::test]
async fn dates_go_with_their_condition_and_without_a_zone() {
    let visma = open(json!({})).await;
    visma.sandbox.clock().freeze("2026-11-25T12:00:00Z".parse().unwrap());
    let body = json!({"name": common::w("Vers"), "customerClassId": common::w("PART"), "overrideWithClassValues": true,
        "mainAddress": common::w(json!({"countryId": common::w("NL")}))});
    let token = visma.sandbox.visma().inspect("POST", "authorise", &json!({})).1;
    let visma = Visma { token: token["access_token"].as_str().unwrap().into(), ..visma };
    let number = visma.create("/v1/customer", &body).await;
    let list = |condition: &str, at: &str| {
        format!("/v1/customer?lastModifiedDateTimeCondition={condition}&lastModifiedDateTime={at}")
    };
    let fresh = visma.json(&list("%3E", "2026-11-25%2012:59:59")).await;
    assert_eq!(names(&fresh, "number"), [number.as_str()], "wall time of Oslo");
    assert_eq!(fresh[0]["lastModifiedDateTime"], "2026-11-25T13:00:00.000+01:00");
    assert_eq!(visma.json(&list("%3E", "2026-11-25T13:00:00.000")).await, json!([]));
    assert_eq!(visma.json(&list("%3C%3D", "2026-11-24")).await.as_array().unwrap().len(), 10);
    for at in ["2026-11-25T13:00:00Z", "2026-11-25T13:00:00%2B01:00", "yesterday"] {
        assert_eq!(visma.get(&list("%3E", at)).await.status(), 400, "{at}");
    }
    assert_eq!(visma.get(&list("~", "2026-11-25")).await.status(), 400);
    assert_eq!(visma.get("/v1/customer?lastModifiedDateTime=2026-11-25").await.status(), 400);
    assert_eq!(visma.get("/v1/customer?lastModifiedDateTimeCondition=%3E").await.status(), 400);
    visma
        .sandbox
        .visma()
        .set_switches(json!({"lone_date_filter": "ignore", "stamps_zone": "utc", "list_lag_seconds": 60}))
        .unwrap();
    assert_eq!(
        visma.json("/v1/customer?lastModifiedDateTime=2026-11-25").await.as_array().unwrap().len(),
        10,
        "too young to be seen"
    );
    visma.sandbox.clock().advance(chrono::Duration::seconds(60));
    let shown = visma.json(&list("%3E%3D", "2026-11-25T12:00:00")).await;
    assert_eq!(shown[0]["lastModifiedDateTime"], "2026-11-25T12:00:00.000+00:00");
    let item = visma.json("/v1/inventory/MOK-WIT").await;
    assert!(!item["lastModifiedDateTime"].as_str().unwrap().contains('+'), "forms are mixed");
    let moved =
        "/v1/inventory?availabilityLastModifiedDateTimeCondition=%3E&availabilityLastModifiedDateTime=2026-11-25";
    assert_eq!(visma.json(moved).await, json!([]));
    visma.sandbox.visma().inspect("POST", "stock", &json!({"item": "MOK-WIT", "warehouse": "2", "onHand": 4}));
    assert_eq!(names(&visma.json(moved).await, "inventoryNumber"), ["MOK-WIT"]);
    let changed = "/v1/inventory?lastModifiedDateTimeCondition=%3E&lastModifiedDateTime=2026-11-25";
    assert_eq!(visma.json(changed).await, json!([]), "stock is no change of the article");
}

#[tokio::test]
async fn expands_can_be_left_out_and_stock_follows_the_rules_of_the_class() {
    let visma = open(json!({})).await;
    let item = visma.json("/v1/inventory/TRUI-BLAUW-M").await;
    let house = |code: &str| {
        item["warehouseDetails"].as_array().unwrap().iter().find(|row| row["warehouse"] == code).unwrap().clone()
    };
    assert_eq!((&house("1")["quantityOnHand"], &house("1")["available"]), (&json!(3), &json!(13)), "purchases count");
    assert_eq!((&house("1")["availableForShipment"], &house("1")["isDefault"]), (&json!(3), &json!(true)));
    assert_eq!(house("2")["quantityOnHand"], 1);
    let vase = visma.json("/v1/inventorysummary/VAAS-GROEN").await;
    assert_eq!((&vase[0]["onHand"], &vase[0]["available"], &vase[0]["soBooked"]), (&json!(14), &json!(11), &json!(3)));
    assert_eq!(visma.json("/v1/inventorysummary/VAAS-GROEN?warehouse=2").await, json!([]));
    let off = "expandCrossReference=false&expandAttachment=false&expandAttribute=false&expandWarehouseDetail=false\
               &expandAccountInformation=false&expandInventoryUnits=false&expandSupplierDetails=false\
               &expandSalesCategories=false&expandNote=false";
    let bare = visma.json(&format!("/v1/inventory?inventoryNumber=TRUI-BLAUW-M&{off}")).await[0].clone();
    for field in
        ["crossReferences", "attachments", "attributes", "warehouseDetails", "accountInformation", "salesCategories"]
    {
        assert!(bare.get(field).is_none() && item.get(field).is_some(), "{field}");
    }
    assert!(bare.as_object().unwrap().keys().all(|name| !name.starts_with('_')));
    let colour = item["attributes"].as_array().unwrap().iter().find(|row| row["id"] == "KLEUR").unwrap();
    assert_eq!((&colour["value"], &item["salesCategories"][1]["categoryId"]), (&json!("Blauw"), &json!(3)));
    let picture = item["attachments"][0]["id"].as_str().unwrap();
    let bytes = visma.get(&format!("/v1/attachment/{picture}")).await.bytes().await.unwrap();
    assert_eq!(bytes, koppel_sandbox::pictures::png("trui-blauw", 16));
}

#[tokio::test]
async fn keys_with_reserved_characters_stand_in_base64() {
    let visma = open(json!({})).await;
    let code = "MAAT/42 & +";
    let inside = URL_SAFE_NO_PAD.encode(code);
    assert_eq!(visma.json(&format!("/v1/inventory/b64({inside})")).await["inventoryNumber"], code);
    let plain = visma.get(&format!("/v1/inventory/{}", common::percent(code))).await;
    assert_eq!(plain.status(), 400);
    assert!(plain.text().await.unwrap().starts_with("<!DOCTYPE html>"), "the web server says so, in HTML");
    assert_eq!(visma.get("/v1/inventory/NIETS").await.status(), 404);
    assert_eq!(visma.json("/v1/Inventory/MOK-WIT").await["inventoryNumber"], "MOK-WIT", "letters of whatever case");
}

#[tokio::test]
async fn what_settings_choose_from_is_there() {
    let visma = open(json!({})).await;
    for (path, field, value) in [
        ("account/8000", "description", "Omzet hoog tarief"),
        ("branch/1", "name", "Hoofdvestiging"),
        ("warehouse/2", "description", "Buitenmagazijn"),
        ("vatCategory/HOOG", "description", "Hoog tarief"),
        ("vat/OSSDE19", "description", "OSS Duitsland 19 %"),
        ("vatZone/EU", "description", "Bedrijven binnen de EU"),
        ("paymentmethod/IDEAL", "meansOfPayment", "DirectDeposit"),
        ("cashaccount/1100", "currency", "EUR"),
        ("carrier/POSTNL", "carrierDescription", "PostNL pakket"),
        ("salesordertype/SO", "behavior", "SalesOrder"),
        ("subaccount/WEB", "description", "Webshop"),
        ("currency/EUR", "description", "Euro"),
        ("country/BE", "name", "België"),
        ("customer/customerClass/PART", "taxZoneId", "NL"),
        ("inventory/itemclass/KLEDING", "type", "FinishedGoodItem"),
        ("attribute/KLEUR", "controlType", "Combo"),
        ("financialPeriod/202611", "description", "11-2026"),
    ] {
        let answer = visma.get(&format!("/v1/{path}")).await;
        assert!(answer.headers().contains_key("etag"), "{path}");
        assert_eq!(common::json_of(answer).await[field], value, "{path}");
        let (list, _) = path.rsplit_once('/').unwrap();
        let list = if list == "inventory/itemclass" { "inventory/itemClass" } else { list };
        assert!(
            !visma.json(&format!("/v1/{list}?pageSize=500&pageNumber=1")).await.as_array().unwrap().is_empty(),
            "{list}"
        );
    }
    let rates = &visma.json("/v1/vatCategory/HOOG").await["vatCategoryLines"];
    let rate = |vat: &str| {
        rates.as_array().unwrap().iter().find(|row| row["vatId"] == vat).unwrap()["vatRates"][0]["vatRate"].clone()
    };
    assert_eq!((rate("NL21"), rate("OSSDE19"), rate("OSSBE21")), (json!(21), json!(19), json!(21)));
    assert_eq!(visma.json("/v1/dimension").await, json!(["SUBACCOUNT"]));
    assert_eq!(visma.json("/v1/dimension/SUBACCOUNT/1").await["segmentValues"][1]["valueId"], "WEB");
    assert_eq!(visma.json("/v1/ledger").await[0]["number"], "1");
    assert_eq!(visma.get("/v1/nothing").await.status(), 404);
    assert_eq!(visma.send("DELETE", "/v1/customer/2001", &json!({})).await.status(), 405);
    assert_eq!(visma.get("/v1/blob/presignedurl").await.status(), 501);
}
