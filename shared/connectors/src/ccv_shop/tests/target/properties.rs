//! Features of articles as properties of products.

use koppel_core::ports::target::Wanted;

use super::*;
use crate::ccv_shop::client::CcvShopClient;

fn lamp(properties: Value) -> Change {
    let fields = json!({
        "productnumber": "LAMP", "name": "Lamp", "active": true, "price": "25", "_vat_percent": "21",
        "_prices_include_vat": true, "_pictures": [], "_properties": properties,
    });
    change("LAMP", None, fields)
}

impl Shop {
    /// The properties that a product has, in view of those that are wanted.
    async fn properties(&self, number: &str, wanted: &Value) -> Value {
        let fields = json!({ "_properties": wanted }).as_object().cloned().unwrap();
        let key = key(number);
        let asked = [Wanted { key: &key, fields: &fields }];
        let found = self.target.find_wanted(Entity::Products, &asked, &self.world.calls).await.unwrap();
        found[&key][0].fields.get("_properties").cloned().unwrap_or_default()
    }

    /// Values of a product, by the name of their property.
    fn values(&self, id: &str) -> std::collections::BTreeMap<String, String> {
        let shop = self.world.sandbox.ccv_shop();
        let names = shop.documents("productproperties");
        let name = |id: &Value| names.iter().find(|row| row["id"] == *id).unwrap()["name"].as_str().unwrap().to_owned();
        let id: u64 = id.parse().unwrap();
        let of = shop.documents("productpropertyvalues").into_iter().filter(|row| row["product_id"] == id);
        of.map(|row| (name(&row["product_property_id"]), row["value"].as_str().unwrap().to_owned())).collect()
    }

    /// A merchant adds one.
    async fn add_property(&self, name: &str, kind: &str) {
        let shop = CcvShopClient::new(&self.world.connection, &self.world.deps).unwrap();
        let body = json!({ "name": name, "type": kind });
        shop.create("productpropertygroups/1/productproperties", body, &self.world.calls).await.unwrap();
    }

    fn lists(&self) -> [usize; 3] {
        ["productpropertygroups", "productproperties", "productpropertyoptions"].map(|table| self.count(table))
    }
}

fn feature(name: &str, values: &[&str]) -> Value {
    json!({ "name": name, "values": values })
}

#[tokio::test]
async fn features_become_properties_that_are_made_and_change_with_their_value() {
    let silent = ["productpropertygroups", "productproperties", "productpropertyoptions", "productpropertyvalues"];
    for (switches, by) in [
        (json!({}), "name"),
        (json!({ "post_without_answer": silent, "expanded_properties": "links" }), "name"),
        (json!({ "expanded_properties": "address", "property_options": "id" }), "id"),
    ] {
        let shop = Shop::new(switches, json!({ "properties": "create", "property_options": by })).await;
        let origin = |country: &str| feature("land van herkomst", &[country]);
        let wanted = json!([feature("Merk", &["NOORD"]), feature("Wassen", &["30", "drogen"]), origin("Portugal")]);
        let id = shop.one(Entity::Products, lamp(wanted.clone())).await.unwrap().id;
        // The shop had the property of the country, not the country; the others come into a group of their own.
        assert_eq!(shop.lists(), [2, 4, 3]);
        assert_eq!(shop.row("productproperties", "name", &json!("Merk"))["type"], "Text");
        let values = shop.values(&id);
        assert_eq!((values["Merk"].as_str(), values["Wassen"].as_str()), ("NOORD", "30, drogen"));
        let portugal = shop.row("productpropertyoptions", "name", &json!("Portugal"))["id"].to_string();
        assert_eq!(values["Land van herkomst"], if by == "id" { portugal.as_str() } else { "Portugal" });
        assert_eq!(shop.properties("LAMP", &wanted).await, wanted, "nothing is left to do");

        // The same once more writes nothing; another value is one call beside the two that look.
        let again = |wanted: &Value| change("LAMP", Some(&id), json!({ "_properties": wanted }));
        let (results, calls) = shop.send(Entity::Products, &[again(&wanted)]).await;
        assert_eq!((results[0].is_ok(), calls), (true, 1), "what it has is read");
        let other = json!([feature("Merk", &["ZUID"]), feature("Wassen", &["30", "drogen"]), origin("Portugal")]);
        assert_ne!(shop.properties("LAMP", &other).await, other);
        let (results, calls) = shop.send(Entity::Products, &[again(&other)]).await;
        assert_eq!((results[0].is_ok(), calls), (true, 2));
        assert_eq!((shop.values(&id)["Merk"].as_str(), shop.lists()), ("ZUID", [2, 4, 3]));
        // What a reader of the shop gets.
        let read = shop.world.source_with(json!({ "property_options": by }));
        let raw = read.fetch_one(Entity::Products, &key(&id), &shop.world.calls).await.unwrap().unwrap().raw;
        let origin =
            raw["properties"].as_array().unwrap().iter().find(|one| one["name"] == "Land van herkomst").unwrap();
        assert_eq!(origin["value"], "Portugal");
    }
}

#[tokio::test]
async fn lists_of_properties_grow_only_when_the_connection_says_so() {
    let shop = Shop::new(json!({}), json!({})).await;
    let before = shop.lists();
    let wanted =
        json!([feature("Merk", &["NOORD"]), feature("Inhoud", &["1 l"]), feature("Land van herkomst", &["Peru"])]);
    let id = shop.one(Entity::Products, lamp(wanted.clone())).await.unwrap().id;
    assert_eq!((shop.lists(), shop.values(&id)), (before, [("Inhoud".to_owned(), "1 l".to_owned())].into()));
    assert_eq!(shop.properties("LAMP", &wanted).await, wanted, "what is left out is no difference");
    let left = Shop::new(json!({}), json!({ "properties": "leave" })).await;
    let id = left.one(Entity::Products, lamp(wanted.clone())).await.unwrap().id;
    assert!(left.values(&id).is_empty());
    assert_eq!(left.properties("LAMP", &wanted).await, wanted);
    let asked = left.world.calls.take();
    assert!(!asked.iter().any(|one| one.path.contains("propert") && !one.path.contains("products/")), "nor read");
}

#[tokio::test]
async fn a_value_that_its_property_cannot_hold_is_refused_before_anything_is_written() {
    let shop = Shop::new(json!({}), json!({ "properties": "create" })).await;
    let before = shop.count("products");
    for (name, kind) in
        [("Adviesprijs", "Price"), ("Breekbaar", "Checkbox"), ("Kamers", "OptionCheckbox"), ("Maten", "Group")]
    {
        shop.add_property(name, kind).await;
    }
    for wanted in [
        feature("Adviesprijs", &["duur"]),
        feature("Breekbaar", &["soms"]),
        feature("Land van herkomst", &["Colombia", "Peru"]),
        feature("Kamers", &["Hal", "Keuken"]),
    ] {
        let result = shop.one(Entity::Products, lamp(json!([wanted]))).await;
        assert_eq!(code(result), "reject value_of_property", "{wanted}");
    }
    assert_eq!(shop.count("products"), before);
    let wanted =
        json!([feature("Adviesprijs", &["29.90"]), feature("breekbaar", &["Ja"]), feature("Kamers", &["Hal"])]);
    let id = shop.one(Entity::Products, lamp(wanted.clone())).await.unwrap().id;
    let values = shop.values(&id);
    assert_eq!(["Adviesprijs", "Breekbaar", "Kamers"].map(|name| values[name].as_str()), ["29.9", "1", "Hal"]);
    assert_eq!(shop.properties("LAMP", &wanted).await, wanted);
    // A shop that takes more than one.
    let list =
        Shop::new(json!({ "option_checkbox": "list" }), json!({ "properties": "create", "option_checkbox": "list" }))
            .await;
    list.add_property("Kamers", "OptionCheckbox").await;
    let id = list.one(Entity::Products, lamp(json!([feature("Kamers", &["Hal", "Keuken"])]))).await.unwrap().id;
    assert_eq!(list.values(&id)["Kamers"], "Hal,Keuken");
}

#[tokio::test]
async fn values_of_the_merchant_stay_unless_they_are_to_go() {
    let wanted = json!([feature("Inhoud", &["250 g"])]);
    let kept = Shop::new(json!({}), json!({})).await;
    assert_eq!(kept.properties("KOFFIE", &wanted).await, wanted, "of others it says nothing");
    let all = kept.target.find_records(Entity::Products, &[key("KOFFIE")], &kept.world.calls).await.unwrap();
    assert_eq!(all[&key("KOFFIE")][0].fields["_properties"].as_array().map(Vec::len), Some(2));
    let removed = Shop::new(json!({}), json!({ "other_properties": "remove" })).await;
    assert_ne!(removed.properties("KOFFIE", &wanted).await, wanted);
    assert!(
        removed.one(Entity::Products, change("KOFFIE", Some("12"), json!({ "_properties": wanted }))).await.is_ok()
    );
    assert_eq!(removed.values("12"), [("Inhoud".to_owned(), "250 g".to_owned())].into());
    assert_eq!(removed.properties("KOFFIE", &wanted).await, wanted);
    assert!(removed.one(Entity::Products, change("KOFFIE", Some("12"), json!({ "_properties": [] }))).await.is_ok());
    assert!(removed.values("12").is_empty());
    // A combination has no properties of its own.
    assert_eq!(removed.properties("TSHIRT-ROOD-S", &wanted).await, wanted);
}
