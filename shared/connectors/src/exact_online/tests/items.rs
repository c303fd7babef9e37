//! Products that are written: which calls are made for an item, for one with variations, and for its price.

use std::collections::BTreeMap;

use koppel_core::document::Entity;
use koppel_core::message::Action;
use koppel_core::ports::target::{Change, Picture, Wanted};
use koppel_core::ports::{Sent, Target};
use koppel_core::{Failure, NonEmpty};
use serde_json::{Map, Value, json};

use super::server::{Reply, Seen};
use super::{World, guid, key, list};

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn mug() -> Value {
    json!({"Code":"MOK","Description":"Mok","SalesVatCode":"4","IsSalesItem":true,"IsStockItem":true,"IsWebshopItem":1,
        "StandardSalesPrice":9.95,"_price_includes_tax":false,"_weight_kg":0.35,"_item_groups":["Keuken","Wonen"],
        "_attributes":[{"name":"Merk","values":["Keramiek"]},{"name":"Elders","values":["x"]}]})
}

fn mug_row(changes: Value) -> Value {
    let mut row = json!({"ID":guid(1),"Code":"MOK","Description":"Mok","SalesVatCode":"4  ","IsSalesItem":true,
        "IsStockItem":true,"IsWebshopItem":1,"StandardSalesPrice":9.95,"NetWeight":350,"NetWeightUnit":"g",
        "ItemGroup":guid(50),"ItemGroupDescription":"Wonen","Class_01":"KERAM"});
    for (name, value) in changes.as_object().unwrap() {
        row[name] = value.clone();
    }
    row
}

fn variation(code: &str, size: &str, price: &str) -> Value {
    json!({"Code":code,"Description":format!("Trui {size}"),"SalesVatCode":"4","IsSalesItem":true,
        "StandardSalesPrice":price,"_price_includes_tax":false,"_attributes":[{"name":"Maat","values":[size]}]})
}

/// A division with these items, and one price for each.
fn books(seen: &Seen, items: &[Value]) -> Reply {
    match seen.entity() {
        "logistics/Items" if seen.method == "POST" => {
            let mut row = seen.body();
            row["ID"] = json!(guid(2));
            Reply::json(201, &json!({ "d": row }).to_string())
        }
        "logistics/SalesItemPrices" if seen.method == "POST" => {
            Reply::json(201, &json!({"d":{"ID":guid(99)}}).to_string())
        }
        _ if seen.method == "PUT" => Reply::empty(204),
        "logistics/Items" => list(items),
        "logistics/ItemGroups" => list(json!([{"ID":guid(50),"Code":"W1","Description":"Wonen"}])),
        "vat/VATCodes" => list(json!([
            {"Code":"4  ","Type":"E","IsBlocked":false},
            {"Code":"3  ","Type":"I","IsBlocked":false},
            {"Code":"9  ","Type":"E","IsBlocked":true},
        ])),
        "logistics/ItemAssortmentProperty" => {
            list(json!([{"ItemAssortmentCode":1,"Code":"KERAM","Description":"Keramiek"}]))
        }
        "logistics/SalesItemPrices" => {
            let row = |item: u32| json!({"ID":guid(100 + item),"Item":guid(item),"Account":null,"Currency":"EUR","Price":0,"Quantity":1,"StartDate":"/Date(1577836800000)/"});
            let other =
                json!({"ID":guid(200),"Item":guid(1),"Account":guid(77),"Currency":"EUR","Price":1,"Quantity":1});
            list(json!([row(1), row(2), other]))
        }
        _ => list(json!([])),
    }
}

async fn world(options: Value, items: &[Value]) -> World {
    let items = items.to_vec();
    let mut all = json!({"features":{"Merk":"Class_01"},"attributes":{"Maat":"FreeTextField_04"}});
    for (name, value) in options.as_object().unwrap() {
        all[name] = value.clone();
    }
    World::with(all, move |seen| books(seen, &items)).await
}

/// What would be sent of these fields, by the comparison that a flow makes.
async fn there(world: &World, wanted: &Value) -> BTreeMap<String, Value> {
    let (sku, fields) = (key(wanted["Code"].as_str().unwrap()), object(wanted.clone()));
    let asked = [Wanted { key: &sku, fields: &fields }];
    let found = world.exact.find_wanted(Entity::Products, &asked, &world.calls).await.unwrap();
    let Some(list) = found.get(&sku) else { return BTreeMap::new() };
    assert_eq!(list.len(), 1);
    list[0].fields.clone().into_iter().collect()
}

fn change(action: Action, fields: Value) -> Change {
    let sku = fields["Code"].as_str().and_then(NonEmpty::new).unwrap_or_else(|| key("MOK"));
    Change { key: sku, action, fields: object(fields), pictures: Vec::new() }
}

fn update(id: &str, fields: Value) -> Change {
    change(Action::Update { id: id.to_owned() }, fields)
}

async fn send(world: &World, changes: &[Change]) -> Vec<Result<Sent, Failure>> {
    world.server.take();
    world.exact.send_records(Entity::Products, changes, &world.calls).await.unwrap()
}

fn bodies(world: &World) -> Vec<(String, Value)> {
    world.server.take().into_iter().filter(|seen| seen.method != "GET").map(|seen| (seen.line(), seen.body())).collect()
}

#[tokio::test]
async fn an_item_that_is_as_wanted_has_nothing_that_differs() {
    let world = world(json!({}), &[mug_row(json!({}))]).await;
    let found = there(&world, &mug()).await;
    for (name, value) in mug().as_object().unwrap() {
        assert_eq!(found.get(name), Some(value), "{name}");
    }
    // 25 codes a call, and the lists once.
    assert_eq!(world.server.take().len(), 4);
    there(&world, &mug()).await;
    assert_eq!(world.server.lines(), ["GET logistics/Items"]);
}

#[tokio::test]
async fn what_differs_is_shown_as_the_books_have_it() {
    let row =
        mug_row(json!({"Description":"Beker ","NetWeight":0.4,"NetWeightUnit":"kg","Class_01":null,"SalesVatCode":"3",
        "ItemGroup":guid(51),"ItemGroupDescription":"Overig","StandardSalesPrice":8}));
    let found = there(&world(json!({}), &[row]).await, &mug()).await;
    assert_eq!(found["Description"], "Beker");
    assert_eq!(found["_weight_kg"].to_string(), "0.4");
    assert_eq!((&found["_item_groups"], &found["_price_includes_tax"]), (&json!(["Overig"]), &json!(true)));
    assert_eq!((&found["SalesVatCode"], &found["_attributes"]), (&json!("3"), &Value::Null));
    assert!(there(&world(json!({}), &[]).await, &mug()).await.is_empty());
}

#[tokio::test]
async fn a_new_item_is_posted_and_the_price_that_comes_with_it_is_changed() {
    let world = world(json!({}), &[]).await;
    let mut fields = mug();
    fields["_pictures"] = json!([{"url":"https://shop.test/mok.png","version":"7"}]);
    let content = Picture {
        url: "https://shop.test/mok.png".into(),
        name: "mok.png".into(),
        media_type: "image/png".into(),
        sha256: String::new(),
        bytes: b"png".to_vec(),
    };
    let new = Change { pictures: vec![content], ..change(Action::Create, fields) };
    let sent = send(&world, &[new]).await.remove(0).unwrap();
    assert_eq!((sent.id, sent.number), (guid(2), "MOK".to_owned()));
    let bodies = bodies(&world);
    let name = bodies[0].1["PictureName"].clone();
    assert!(name.as_str().unwrap().starts_with("koppel-"), "{name}");
    assert_eq!(
        bodies,
        [
            (
                "POST logistics/Items".to_owned(),
                json!({"Code":"MOK","Description":"Mok","SalesVatCode":"4",
                "IsSalesItem":true,"IsStockItem":true,"IsWebshopItem":1,"ItemGroup":guid(50),"Class_01":"KERAM",
                "NetWeight":0.35,"NetWeightUnit":"kg","Picture":"cG5n","PictureName":name})
            ),
            ("PUT logistics/SalesItemPrices".to_owned(), json!({"Price":9.95})),
        ]
    );
}

#[tokio::test]
async fn one_field_that_differs_is_one_call() {
    let world = world(json!({}), &[]).await;
    send(&world, &[update(&guid(1), json!({"Description":"Beker"}))]).await.remove(0).unwrap();
    assert_eq!(bodies(&world), [("PUT logistics/Items".to_owned(), json!({"Description":"Beker"}))]);
    send(&world, &[update(&guid(1), json!({"StandardSalesPrice":"12.50"}))]).await.remove(0).unwrap();
    assert_eq!(bodies(&world), [("PUT logistics/SalesItemPrices".to_owned(), json!({"Price":12.5}))]);
    // Not to be seen is a value, not nothing.
    send(&world, &[update(&guid(1), json!({"IsWebshopItem":0}))]).await.remove(0).unwrap();
    assert_eq!(bodies(&world), [("PUT logistics/Items".to_owned(), json!({"IsWebshopItem":0}))]);
}

#[tokio::test]
async fn an_item_without_a_general_price_gets_one() {
    let world = world(json!({}), &[]).await;
    send(&world, &[update(&guid(3), json!({"StandardSalesPrice":5}))]).await.remove(0).unwrap();
    let bodies = bodies(&world);
    assert_eq!(bodies[0].0, "POST logistics/SalesItemPrices");
    assert_eq!(
        (&bodies[0].1["Item"], &bodies[0].1["Price"], &bodies[0].1["Currency"]),
        (&json!(guid(3)), &json!(5), &json!("EUR"))
    );
}

#[tokio::test]
async fn variations_are_items_of_their_own_that_lead_back_to_their_product() {
    let red = json!({"ID":guid(1),"Code":"T-S","Description":"Trui S","SalesVatCode":"4","IsSalesItem":true,
        "StandardSalesPrice":20,"FreeTextField_04":"S","FreeTextField_01":"T"});
    let world = world(json!({"variants":{"field":"FreeTextField_01"}}), std::slice::from_ref(&red)).await;
    let wanted = json!({"Code":"T","Description":"Trui","_variations":[variation("T-S","S","20.00"), variation("T-M","M","21")]});
    let found = there(&world, &wanted).await;
    assert_eq!((&found["Description"], &found["_variations"]), (&json!("Trui"), &json!([{"Code":"T-S"}])));
    let id = "variants of T";
    let sent =
        send(&world, &[update(id, json!({"Code":"T","_variations":wanted["_variations"]}))]).await.remove(0).unwrap();
    assert_eq!((sent.id.as_str(), sent.number.as_str()), (id, "T"));
    // The one that is as it should be is left alone; the product itself is no item.
    assert_eq!(
        bodies(&world),
        [
            (
                "POST logistics/Items".to_owned(),
                json!({"Code":"T-M","Description":"Trui M","SalesVatCode":"4",
                "IsSalesItem":true,"FreeTextField_04":"M","FreeTextField_01":"T"})
            ),
            ("PUT logistics/SalesItemPrices".to_owned(), json!({"Price":21})),
        ]
    );
    let mut only = wanted.clone();
    only["_variations"] = json!([variation("T-S", "S", "20.00")]);
    assert_eq!(there(&world, &only).await["_variations"], only["_variations"], "nothing differs");
}

#[tokio::test]
async fn what_would_be_refused_or_read_back_otherwise_is_not_sent() {
    let prefix = json!({"variants":{"code_prefix":"-"},"unknown_item_group":"refuse"});
    for (options, fields, code) in [
        (json!({}), json!({"Code":"MOK","Description":"Mok","SalesVatCode":"8"}), "unknown_vat_code"),
        (json!({}), json!({"Code":"MOK","Description":"Mok","SalesVatCode":"9"}), "blocked_vat_code"),
        (
            json!({}),
            json!({"Code":"MOK","Description":"Mok","SalesVatCode":"3","StandardSalesPrice":1,"_price_includes_tax":false}),
            "price_tax_differs",
        ),
        (
            json!({}),
            json!({"Code":"MOK","Description":"Mok","StandardSalesPrice":1,"_currency":"USD"}),
            "foreign_currency",
        ),
        (json!({}), json!({"Code":"MOK","Description":"Mok","StandardSalesPrice":-1}), "bad_value"),
        (
            json!({}),
            json!({"Code":"MOK","Description":"Mok","_attributes":[{"name":"Merk","values":["Onbekend"]}]}),
            "unknown_property",
        ),
        (json!({}), json!({"Code":"MOK"}), "mandatory_missing"),
        (json!({}), json!({"Code":"x".repeat(31),"Description":"Mok"}), "too_long"),
        (prefix.clone(), json!({"Code":"MOK-WIT","Description":"Mok"}), "reads_as_variation"),
        (prefix.clone(), json!({"Code":"MOK","Description":"Mok","_item_groups":["Woonen"]}), "unknown_item_group"),
        (prefix, json!({"Code":"T","Description":"Trui","_variations":[variation("X-S","S","1")]}), "variation_code"),
    ] {
        let world = world(options, &[]).await;
        let failure = send(&world, &[change(Action::Create, fields)]).await.remove(0).unwrap_err();
        assert_eq!((failure.class(), failure.cause().code.as_str()), ("reject", code), "{failure}");
        assert!(bodies(&world).is_empty(), "{code}");
    }
    let near = world(json!({"unknown_item_group":"refuse"}), &[]).await;
    let fields = json!({"Code":"MOK","Description":"Mok","_item_groups":["Woonen"]});
    let failure = send(&near, &[change(Action::Create, fields)]).await.remove(0).unwrap_err();
    assert!(failure.to_string().contains("«wonen»"), "{failure}");
}

#[tokio::test]
async fn one_refusal_is_of_one_record_and_a_missing_right_ends_the_rest() {
    let refuses = |status: u16, text: &'static str| {
        World::new(move |seen| {
            if seen.method == "PUT" && seen.path.contains(&guid(1)) {
                let body = json!({"error":{"code":"","message":{"lang":"","value":text}}}).to_string();
                return Reply::json(status, &body);
            }
            books(seen, &[])
        })
    };
    let changes = [update(&guid(1), json!({"Description":"A"})), update(&guid(2), json!({"Description":"B"}))];
    let results = send(&refuses(500, "Ongeldig: Omschrijving").await, &changes).await;
    assert!(results[0].as_ref().is_err_and(|failure| failure.class() == "reject") && results[1].is_ok(), "{results:?}");
    let world = refuses(403, "Forbidden - Application Scope Violated. Cannot write").await;
    let results = send(&world, &changes).await;
    assert!(
        results.iter().all(|result| result.as_ref().is_err_and(|f| f.cause().code == "scope_missing")),
        "{results:?}"
    );
    assert_eq!(bodies(&world).len(), 1, "an endpoint that refuses is not asked again");
}
