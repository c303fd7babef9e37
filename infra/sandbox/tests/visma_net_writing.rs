//! Visma.net: customers, contacts, locations, articles, prices, files; wrappers, versions, background calls.
// Helpers of tests may panic as tests do.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Visma, json_of, w};
use serde_json::{Value, json};

async fn open(switches: Value) -> Visma {
    let visma = Visma::open(switches).await;
    assert_eq!(visma.sandbox.visma().inspect("POST", "catalogue", &json!({})).0, 204);
    visma
}

fn customer(changes: Value) -> Value {
    let mut body = json!({"name": w("Jan Jansen"), "customerClassId": w("PART"), "overrideWithClassValues": true,
        "mainAddress": w(json!({"addressLine1": w("Straat 1"), "postalCode": w("1234 AB"), "city": w("Delft"), "countryId": w("NL")})),
        "mainContact": w(json!({"name": w("Jan Jansen"), "email": w("jan@example.test")}))});
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
        if value.is_null() {
            body.as_object_mut().unwrap().remove(name);
        }
    }
    body
}

#[tokio::test]
async fn a_customer_comes_with_an_address_only_and_what_its_class_says() {
    let visma = open(json!({})).await;
    let answer = visma.send("POST", "/v1/customer", &customer(json!({}))).await;
    let place = answer.headers()["Location"].to_str().unwrap().to_owned();
    assert!(place.starts_with("https://erp.visma.invalid/v1/customer/10001"), "another host: {place}");
    assert_eq!((answer.status().as_u16(), answer.headers()["ETag"].len()), (201, 14));
    assert_eq!(answer.text().await.unwrap(), "");
    let row = visma.json("/v1/customer/10001").await;
    assert_eq!(
        (&row["status"], &row["vatZone"]["id"], &row["creditTerms"]["id"]),
        (&json!("Active"), &json!("NL"), &json!("00"))
    );
    assert_eq!((&row["mainAddress"]["country"]["name"], &row["location"]["id"]), (&json!("Nederland"), &json!("Main")));
    assert_eq!(row["deliveryAddress"]["city"], "Delft", "the main one, when there is no other");
    assert!(row["internalId"].is_i64() && row.get("_input").is_none());
    assert_eq!(
        visma.create("/v1/customer", &customer(json!({"name": w("Twee")}))).await,
        "10006",
        "10002 to 10005 are taken"
    );
    let own = customer(json!({"number": w("A-1"), "overrideNumberSeries": w(true)}));
    assert_eq!(visma.create("/v1/customer", &own).await, "A-1");
    for (changes, status, words) in [
        (json!({"number": w("A-1"), "overrideNumberSeries": w(true)}), 500, "already exists"),
        (json!({"number": w("A-2")}), 400, "number series of customers is automatic"),
        (json!({"name": null}), 400, "'name' cannot be empty"),
        (json!({"customerClassId": null}), 400, "'customerClassId' cannot be empty"),
        (json!({"customerClassId": w("NIETS")}), 400, "'customerClassId' 'NIETS' cannot be found"),
        (json!({"customerClassId": w("LEEG")}), 400, "'vatZoneId' cannot be empty"),
        (json!({"overrideWithClassValues": null}), 400, "'vatZoneId' cannot be empty"),
        (json!({"mainAddress": null}), 400, "mainAddress.countryId"),
        (json!({"mainAddress": w(json!({"countryId": w("XX")}))}), 400, "'XX' cannot be found"),
        (json!({"mainAddress": w(json!({"countryId": w("NL"), "addressLine1": w("x".repeat(51))}))}), 500, "too long"),
        (json!({"creditTermsId": w("99")}), 400, "creditTermsId"),
        (json!({"priceClassId": w("KLEIN")}), 400, "priceClassId"),
        (json!({"currencyId": w("XXX")}), 400, "currencyId"),
        (json!({"vatZoneId": w("XX")}), 400, "vatZoneId"),
        (json!({"status": w("Blocked")}), 400, "none of Active, OnHold"),
    ] {
        let (got, message) = visma.refusal("POST", "/v1/customer", &customer(changes.clone())).await;
        assert!(got == status && message.contains(words), "{changes}: {got} {message}");
    }
    visma.sandbox.visma().set_switches(json!({"business_error_status": "500"})).unwrap();
    assert_eq!(visma.refusal("POST", "/v1/customer", &customer(json!({"customerClassId": w("X")}))).await.0, 500);
    visma.sandbox.visma().set_switches(json!({"business_error_status": "400"})).unwrap();
    let twin = customer(json!({"number": w("A-1"), "overrideNumberSeries": w(true)}));
    assert_eq!(visma.refusal("POST", "/v1/customer", &twin).await.0, 400);
    visma.sandbox.visma().set_switches(json!({"customer_numbers_automatic": false})).unwrap();
    assert_eq!(visma.refusal("POST", "/v1/customer", &customer(json!({}))).await.0, 400, "now a number is needed");
    assert_eq!(visma.create("/v1/customer", &customer(json!({"number": w("B-1")}))).await, "B-1");
}

#[tokio::test]
async fn a_change_touches_what_it_names_and_a_null_clears() {
    let visma = open(json!({})).await;
    let number =
        visma.create("/v1/customer", &customer(json!({"corporateId": w("123"), "priceClassId": w("DEALER")}))).await;
    let path = format!("/v1/customer/{number}");
    let change = json!({"name": w("Jan de Jong"), "corporateId": w(Value::Null),
        "mainAddress": w(json!({"city": w("Gouda"), "countryId": w("NL")}))});
    let changed = visma.send("PUT", &path, &change).await;
    let (status, etag) = (changed.status().as_u16(), changed.headers()["ETag"].to_str().unwrap().to_owned());
    assert_eq!((status, changed.text().await.unwrap().as_str()), (204, ""));
    let row = visma.json(&path).await;
    assert_eq!(
        (&row["name"], &row["mainAddress"]["city"], &row["mainAddress"]["postalCode"]),
        (&json!("Jan de Jong"), &json!("Gouda"), &json!("1234 AB"))
    );
    assert!(row.get("corporateId").is_none() && row["priceClass"]["id"] == "DEALER");
    assert_eq!(format!("\"{}\"", row["timeStamp"].as_str().unwrap()), etag);
    let with = |etag: &str| {
        visma.request("PUT", &path).header("If-Match", etag.to_owned()).json(&json!({"name": w("X")})).send()
    };
    assert_eq!(with("\"AAAAAAAAAAA=\"").await.unwrap().status(), 412);
    assert_eq!(with("*").await.unwrap().status(), 412);
    assert_eq!(with(&etag).await.unwrap().status(), 204);
    assert_eq!(with(&etag).await.unwrap().status(), 412, "that one is old now");
    let internal = row["internalId"].clone();
    assert_eq!(
        visma.send("PUT", &format!("/v1/customer/internal/{internal}"), &json!({"name": w("Y")})).await.status(),
        204
    );
    assert_eq!(visma.json(&format!("/v1/customer/internal/{internal}")).await["name"], "Y");
    assert_eq!(visma.send("PUT", "/v1/customer/NIETS", &json!({})).await.status(), 404);
    let renamed = visma
        .send("POST", &format!("/v1/customer/action/changeCustomerCd/{internal}"), &json!({"customerCd": "K1"}))
        .await;
    assert_eq!((renamed.status().as_u16(), json_of(renamed).await["actionResult"].clone()), (200, json!("Done")));
    assert_eq!(
        (visma.get(&path).await.status().as_u16(), visma.json("/v1/customer/K1").await["name"].clone()),
        (404, json!("Y"))
    );
    let locations = visma.json("/api/v3/Customers/K1/locations").await;
    assert_eq!((&locations[0]["priceClassId"], &locations[0]["taxZoneId"]), (&json!("DEALER"), &json!("NL")));
}

#[tokio::test]
async fn wrong_wrappers_and_unknown_fields_are_told_or_lost() {
    let visma = open(json!({})).await;
    let (status, message) = visma.refusal("POST", "/v1/customer", &customer(json!({"corporateId": "123"}))).await;
    assert!(status == 400 && message.contains("'corporateId'"), "{message}");
    let (status, message) = visma.refusal("POST", "/v1/customer", &customer(json!({"companyId": w("123")}))).await;
    assert!(status == 400 && message.contains("'companyId'"), "{message}");
    assert_eq!(visma.refusal("POST", "/v1/customer", &json!([])).await.0, 400);
    visma.sandbox.visma().set_switches(json!({"wrong_wrapper": "ignore", "unknown_fields": "ignore"})).unwrap();
    let number = visma.create("/v1/customer", &customer(json!({"corporateId": "123", "companyId": w("123")}))).await;
    assert!(visma.json(&format!("/v1/customer/{number}")).await.get("corporateId").is_none(), "lost without a word");
}

#[tokio::test]
async fn contacts_and_locations_belong_to_customers() {
    let visma = open(json!({})).await;
    let id = visma.create("/v1/contact", &json!({"lastName": w("Bos"), "firstName": w("An"), "businessAccount": w("2002"), "email": w("an@example.test")})).await;
    let row = visma.json(&format!("/v1/contact/{id}")).await;
    assert_eq!(
        (&row["displayName"], &row["active"], &row["address"]["city"]),
        (&json!("An Bos"), &json!(true), &json!("Groningen"))
    );
    assert_eq!(
        visma.refusal("POST", "/v1/contact", &json!({"firstName": w("An")})).await,
        (400, "'lastName' cannot be empty.".into())
    );
    assert_eq!(
        visma.refusal("POST", "/v1/contact", &json!({"lastName": w("A"), "businessAccount": w("0")})).await.0,
        400
    );
    assert_eq!(visma.send("PUT", &format!("/v1/contact/{id}"), &json!({"phone1": w("06")})).await.status(), 204);
    assert_eq!(visma.json("/v1/contact?businessAccount=2002").await[0]["phone1"], "06");
    let place = json!({"baccountId": w("2002"), "locationId": w("THUIS"), "locationName": w("Thuis"),
        "address": w(json!({"city": w("Assen"), "countryId": w("NL")}))});
    assert_eq!(visma.create("/v1/location", &place).await, "THUIS");
    assert_eq!(visma.refusal("POST", "/v1/location", &place).await.0, 500, "it is there already");
    assert_eq!(visma.refusal("POST", "/v1/location", &json!({"locationId": w("X")})).await.0, 400);
    assert_eq!(visma.send("PUT", "/v1/location/2002/THUIS", &json!({"vatZone": w("EXPORT")})).await.status(), 204);
    let row = visma.json("/v1/location/2002/THUIS").await;
    assert_eq!(
        (&row["address"]["city"], &row["vatZone"]["id"], &row["baccount"]["number"]),
        (&json!("Assen"), &json!("EXPORT"), &json!("2002"))
    );
}

#[tokio::test]
async fn an_article_takes_what_its_class_says_and_only_attributes_of_it() {
    let visma = open(json!({})).await;
    let attribute = |id: &str, value: &str| json!([{"attributeId": w(id), "attributeValue": w(value)}]);
    let item = |changes: Value| {
        let mut body = json!({"inventoryNumber": w("NIEUW"), "itemClass": w("KLEDING"), "description": w("Nieuw"), "defaultPrice": w(12.5)});
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    let body = item(json!({"attributeLines": attribute("KLEUR", "Rood"),
        "crossReferences": [{"operation": "Insert", "alternateType": w("Barcode"), "alternateID": w("8710000009999")}]}));
    assert_eq!(visma.create("/v1/inventory", &body).await, "NIEUW");
    let row = visma.json("/v1/inventory/NIEUW").await;
    assert_eq!(
        (&row["stockItem"], &row["baseUnit"], &row["vatCode"]["id"]),
        (&json!(true), &json!("stuk"), &json!("HOOG"))
    );
    assert_eq!(
        (&row["accountInformation"]["salesAccount"]["number"], &row["defaultWarehouse"]["id"]),
        (&json!("8000"), &json!("1"))
    );
    assert_eq!(visma.json("/v1/inventory?alternateID=8710000009999").await[0]["inventoryNumber"], "NIEUW");
    for (changes, status, words) in [
        (json!({}), 500, "already exists"),
        (json!({"inventoryNumber": w("X"), "itemClass": w("NIETS")}), 400, "itemClass"),
        (json!({"inventoryNumber": w("X"), "type": w("NonStockItem")}), 500, "does not fit item class"),
        (
            json!({"inventoryNumber": w("X"), "attributeLines": attribute("KLEUR", "Paars")}),
            500,
            "'Paars' is not a value",
        ),
        (
            json!({"inventoryNumber": w("X"), "attributeLines": attribute("GEWICHT", "1")}),
            400,
            "'GEWICHT' cannot be found",
        ),
        (json!({"inventoryNumber": w("X"), "vatCode": w("OUD")}), 500, "active"),
        (json!({"inventoryNumber": w("X"), "vatCode": w("NIETS")}), 400, "vatCode"),
        (json!({"inventoryNumber": w("X"), "salesUnit": w("vat")}), 400, "salesUnit"),
        (json!({"inventoryNumber": w("X"), "salesAccount": w("8900")}), 500, "inactive"),
        (json!({"inventoryNumber": w("x".repeat(31))}), 500, "too long"),
    ] {
        let (got, message) = visma.refusal("POST", "/v1/inventory", &item(changes.clone())).await;
        assert!(got == status && message.contains(words), "{changes}: {got} {message}");
    }
    let change = json!({"attributeLines": attribute("MAAT", "M"), "status": w("NoSales")});
    assert_eq!(visma.send("PUT", "/v1/inventory/NIEUW", &change).await.status(), 204);
    let row = visma.json("/v1/inventory/NIEUW").await;
    let value =
        |id: &str| row["attributes"].as_array().unwrap().iter().find(|one| one["id"] == id).unwrap()["value"].clone();
    assert_eq!((value("KLEUR"), value("MAAT"), value("WEBSHOP")), (json!("Rood"), json!("M"), json!("1")));
    let reference = json!({"alternateType": w("Global"), "alternateID": w("G-1")});
    assert_eq!(visma.send("POST", "/v1/inventory/NIEUW/crossReferences", &reference).await.status(), 200);
    assert_eq!(visma.send("POST", "/v1/inventory/NIEUW/crossReferences", &reference).await.status(), 500);
    let other = json!({"alternateID": w("G-2")});
    assert_eq!(visma.send("PUT", "/v1/inventory/NIEUW/crossReferences/Global/G-1", &other).await.status(), 200);
    assert_eq!(visma.json("/v1/inventory/NIEUW/crossReferences").await[1]["alternateID"], "G-2");
}

#[tokio::test]
async fn a_picture_is_a_part_of_a_form_and_a_second_one_of_that_name_a_revision() {
    let visma = open(json!({})).await;
    let upload = |body: Vec<u8>, kind: &str| {
        visma
            .request("POST", "/v1/inventory/MOK-WIT/attachment")
            .header("Content-Type", kind.to_owned())
            .body(body)
            .send()
    };
    let form = |content: &[u8]| {
        let mut body = b"--XX\r\nContent-Disposition: form-data; name=\"v\"; filename=\"mok.png\"\r\nContent-Type: image/png\r\n\r\n".to_vec();
        body.extend(content);
        body.extend(b"\r\n--XX--\r\n");
        body
    };
    let (one, two) = (koppel_sandbox::pictures::png("one", 4), koppel_sandbox::pictures::png("two", 4));
    let made = upload(form(&one), "multipart/form-data; boundary=XX").await.unwrap();
    assert_eq!(made.status(), 201);
    let id = made.headers()["Location"].to_str().unwrap().rsplit('/').next().unwrap().to_owned();
    assert_eq!(visma.get(&format!("/v1/attachment/{id}")).await.bytes().await.unwrap(), one);
    assert_eq!(upload(form(&two), "multipart/form-data; boundary=\"XX\"").await.unwrap().status(), 201);
    let list = visma.json("/v1/inventory/MOK-WIT").await["attachments"].clone();
    assert_eq!(list, json!([{"id": id, "name": "mok.png", "revision": 2}]));
    assert_eq!(visma.get(&format!("/v1/attachment/{id}")).await.bytes().await.unwrap(), two);
    assert_eq!(upload(one, "image/png").await.unwrap().status(), 400);
    assert_eq!(visma.get("/v1/attachment/nothing").await.status(), 404);
}

#[tokio::test]
async fn a_price_is_there_once_for_its_key() {
    let visma = open(json!({})).await;
    let price = |changes: Value| {
        let mut body = json!({"priceType": w("CustomerPriceClass"), "priceCode": w("DEALER"), "inventoryId": w("KANDELAAR"), "price": w(9.5), "breakQty": w(5)});
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    let id = visma.create("/v1/customerSalesPrice", &price(json!({}))).await;
    let row = visma.json(&format!("/v1/customerSalesPrice/{id}")).await;
    assert_eq!(
        (&row["uoM"], &row["currency"], &row["description"]),
        (&json!("stuk"), &json!("EUR"), &json!("Kandelaar"))
    );
    for (changes, status, words) in [
        (json!({}), 500, "already exists"),
        (json!({"inventoryId": w("NIETS")}), 400, "inventoryId"),
        (json!({"priceCode": w("NIETS")}), 400, "priceCode"),
        (json!({"priceCode": w("")}), 400, "priceCode"),
        (json!({"priceType": w("Base")}), 400, "priceCode"),
        (json!({"priceType": w("All")}), 400, "none of Base, Customer"),
        (json!({"price": w(-1)}), 500, "negative"),
        (json!({"uoM": w("kg")}), 400, "uoM"),
        (json!({"effectiveDate": w("2026-02-01"), "expirationDate": w("2026-01-01")}), 500, "before it begins"),
    ] {
        let (got, message) = visma.refusal("POST", "/v1/customerSalesPrice", &price(changes.clone())).await;
        assert!(got == status && message.contains(words), "{changes}: {got} {message}");
    }
    assert_eq!(visma.send("PUT", &format!("/v1/customerSalesPrice/{id}"), &json!({"price": w(9)})).await.status(), 204);
    assert_eq!(visma.json(&format!("/v1/customerSalesPrice/{id}")).await["price"], 9);
    let dated = price(json!({"effectiveDate": w("2027-01-01")}));
    assert_ne!(visma.create("/v1/customerSalesPrice", &dated).await, id, "another date, another price");
    assert_eq!(visma.send("DELETE", &format!("/v1/customerSalesPrice/{id}"), &json!({})).await.status(), 405);
}

#[tokio::test]
async fn attributes_are_made_changed_and_removed_while_nobody_uses_them() {
    let visma = open(json!({})).await;
    let body = json!({"attributeID": w("GEUR"), "description": w("Geur"), "controlType": w("Combo"),
        "details": [{"operation": "Insert", "valueId": w("ROOS"), "description": w("Roos")}]});
    assert_eq!(visma.create("/v1/attribute", &body).await, "GEUR");
    assert_eq!(visma.send("POST", "/v1/attribute", &body).await.status(), 500);
    let change = json!({"details": [{"operation": "Insert", "valueId": w("MUNT")}, {"operation": "Update", "valueId": w("ROOS"), "description": w("Rozen")}]});
    assert_eq!(visma.send("PUT", "/v1/attribute/GEUR", &change).await.status(), 204);
    let details = visma.json("/v1/attribute/GEUR").await["details"].clone();
    assert_eq!((&details[0]["description"], &details[1]["valueId"]), (&json!("Rozen"), &json!("MUNT")));
    assert_eq!(visma.send("DELETE", "/v1/attribute/GEUR", &json!({})).await.status(), 204);
    assert_eq!(visma.send("DELETE", "/v1/attribute/KLEUR", &json!({})).await.status(), 500);
}

#[tokio::test]
async fn a_background_call_is_asked_after() {
    let visma = open(json!({})).await;
    visma.sandbox.clock().freeze(visma.sandbox.clock().now());
    let send = |word: &str, body: Value| {
        visma.request("POST", "/v1/customer").header("erp-api-background", word.to_owned()).json(&body).send()
    };
    let accepted = send("subscription:order=1001", customer(json!({}))).await.unwrap();
    assert_eq!(accepted.status(), 202);
    let told = json_of(accepted).await;
    let path = format!("/v1/background/{}", told["id"].as_str().unwrap());
    assert!(told["stateLocation"].as_str().unwrap().ends_with(&path));
    let first = visma.json(&path).await;
    assert_eq!((&first["status"], &first["statusCode"]), (&json!("Started"), &json!(0)));
    assert_eq!(visma.get(&format!("{path}/content")).await.status(), 404);
    let then = visma.json(&path).await;
    assert_eq!(
        (&then["status"], &then["statusCode"], &then["reference"]),
        (&json!("Finished"), &json!(201), &json!("order=1001"))
    );
    assert!(then["responseHeaders"]["Location"].as_str().unwrap().ends_with("/10001"));
    let failed = json_of(send("subscription", customer(json!({"name": null}))).await.unwrap()).await;
    let path = format!("/v1/background/{}", failed["id"].as_str().unwrap());
    visma.json(&path).await;
    let state = visma.json(&path).await;
    assert_eq!((&state["status"], &state["statusCode"]), (&json!("Failed"), &json!(400)));
    assert!(visma.json(&format!("{path}/content")).await["message"].as_str().unwrap().contains("'name'"));
    assert_eq!(send("https://me.example", customer(json!({}))).await.unwrap().status(), 400);
    assert_eq!(send("none", customer(json!({}))).await.unwrap().status(), 201);
    visma.sandbox.clock().advance(chrono::Duration::hours(25));
    let token = visma.sandbox.visma().inspect("POST", "authorise", &json!({})).1;
    let visma = Visma { token: token["access_token"].as_str().unwrap().into(), ..visma };
    assert_eq!(visma.get(&path).await.status(), 404);
    assert_eq!(visma.get(&format!("{path}/content")).await.status(), 410);
}
