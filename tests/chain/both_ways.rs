//! Both directions of an entity at once: from the second round on nothing is written, and no field flips.

use koppel_core::document::Entity;
use koppel_core::outcome::Outcome;
use serde_json::{Value, json};

use super::both::{forget_calls, merchant, pass, put_row, row, shown, world, writes};
use super::world::{Ended, World};

const PRODUCTS: &str = r#"
  to-shop:
    from: books
    to: shop
    entity: products
    filter: { where: 'source.IsWebshopItem == 1' }
    map: { tax_class: '"reduced-rate" if source.SalesVatCode == "2" else "standard"' }
  to-books:
    from: shop
    to: books
    entity: products
    filter: { where: 'source.sku != ""' }
    settings:
      vat_code: { table: { standard: "4", reduced-rate: "2" } }
"#;

const CUSTOMERS: &str = r#"
  to-shop: { from: books, to: shop, entity: customers }
  to-books: { from: shop, to: books, entity: customers }
"#;

/// Both flows, one after the other.
async fn round(world: &World, order: [&str; 2]) -> Vec<Ended> {
    let mut ended = Vec::new();
    for flow in order {
        pass(world);
        ended.push(world.run_flow(flow).await);
    }
    ended
}

/// What people see of the rows, without what every write changes.
fn content(rows: Vec<Value>) -> Vec<Value> {
    const MOVING: [&str; 7] =
        ["Timestamp", "Modified", "Modifier", "date_modified", "date_modified_gmt", "Stock", "_links"];
    let plain = |mut row: Value| {
        row.as_object_mut().expect("a row").retain(|name, _| !MOVING.contains(&name.as_str()));
        row
    };
    rows.into_iter().map(plain).collect()
}

fn everything(world: &World, books: &[&str], shop: &[&str]) -> Vec<Vec<Value>> {
    let books = books.iter().map(|table| content(world.sandbox.exact().documents(table)));
    let shop = shop.iter().map(|table| content(world.sandbox.woocommerce().documents(table)));
    books.chain(shop).collect()
}

/// Rounds after the first write nothing on either side and leave every field as it is.
async fn nothing_moves(world: &World, order: [&str; 2], books: &[&str], shop: &[&str]) {
    let before = everything(world, books, shop);
    forget_calls(world);
    for _ in 0..2 {
        let ended = round(world, order).await;
        for system in [world.sandbox.exact(), world.sandbox.woocommerce()] {
            let shown: Vec<_> =
                ended.iter().flat_map(|e| e.by_label.values()).filter(|r| !r.fields.is_empty()).collect();
            assert_eq!(writes(system), Vec::<String>::new(), "{shown:#?}");
        }
    }
    assert_eq!(everything(world, books, shop), before);
}

const ITEMS: [&str; 2] = ["Items", "SalesItemPrices"];
const ARTICLES: [&str; 2] = ["products", "variations"];

#[tokio::test]
async fn articles_come_to_rest_whichever_flow_begins() {
    for order in [["to-shop", "to-books"], ["to-books", "to-shop"]] {
        let world = world(PRODUCTS).await;
        // In the shop alone, with words that the books have to shorten.
        let scarf = json!({ "name": "Sjaal van zachte merinowol, met de hand geweven door een kleine weverij in Drenthe",
            "sku": "SJAAL", "type": "simple", "status": "publish", "regular_price": "49.95", "weight": "0.2",
            "description": "<p>Zacht &amp; warm.</p>\n<p>Tweede alinea.</p>", "short_description": "<b>Zacht</b>" });
        merchant(&world, Entity::Products, None, "SJAAL", scarf).await;
        let ended = round(&world, order).await;
        assert!(ended.iter().all(|one| one.funnel.fetched > 3));
        assert_eq!(shown(&world, "products", "sku", "TRUI")["type"], "variable");
        assert_eq!(
            row(&world, "Items", "SJAAL")["Description"],
            "Sjaal van zachte merinowol, met de hand geweven door een kle"
        );
        nothing_moves(&world, order, &ITEMS, &ARTICLES).await;
        assert!(shown(&world, "products", "sku", "SJAAL")["name"].as_str().unwrap_or_default().ends_with("Drenthe"));
    }
}

#[tokio::test]
async fn a_change_of_an_article_goes_over_once_and_takes_nothing_else_along() {
    let world = world(PRODUCTS).await;
    let order = ["to-shop", "to-books"];
    round(&world, order).await;
    round(&world, order).await;
    // The merchant changes a price; the picture, the texts and the group stay as the books have them.
    let vase = shown(&world, "products", "sku", "VAAS-GROEN");
    let before = row(&world, "Items", "VAAS-GROEN");
    let id = vase["id"].to_string();
    merchant(&world, Entity::Products, Some(&id), "VAAS-GROEN", json!({ "regular_price": "16.25" })).await;
    forget_calls(&world);
    let ended = round(&world, order).await;
    assert_eq!(ended[1].by_label["VAAS-GROEN"].fields, ["StandardSalesPrice"], "{:#?}", ended[1].by_label);
    assert_eq!(writes(world.sandbox.exact()), ["1 PUT logistics/SalesItemPrices"]);
    let after = row(&world, "Items", "VAAS-GROEN");
    assert_eq!(after["StandardSalesPrice"].to_string(), "16.25");
    assert_eq!(after["PictureName"], before["PictureName"]);
    // The books change a name, and back comes nothing.
    pass(&world);
    put_row(&world, "logistics/Items", &after, json!({ "Description": "Vaas zeegroen" }));
    let ended = round(&world, order).await;
    // A changed item may have another picture: that it has not is told by its content.
    assert_eq!(ended[0].by_label["VAAS-GROEN"].fields, ["name", "pictures"], "{:#?}", ended[0].by_label);
    nothing_moves(&world, order, &ITEMS, &ARTICLES).await;
    let picture = vase["images"][0]["src"].clone();
    let vase = shown(&world, "products", "sku", "VAAS-GROEN");
    assert_eq!(vase["images"][0]["src"], picture);
    assert_eq!((&vase["name"], &vase["regular_price"]), (&json!("Vaas zeegroen"), &json!("16.25")));
    // A price that goes back to what it once was is a change too.
    merchant(&world, Entity::Products, Some(&id), "VAAS-GROEN", json!({ "regular_price": "17.5" })).await;
    round(&world, order).await;
    assert_eq!(row(&world, "Items", "VAAS-GROEN")["StandardSalesPrice"].to_string(), "17.5");
}

const DEBTORS: [&str; 3] = ["Accounts", "Contacts", "Addresses"];

#[tokio::test]
async fn customers_come_to_rest_whichever_flow_begins() {
    for order in [["to-shop", "to-books"], ["to-books", "to-shop"]] {
        let world = world(CUSTOMERS).await;
        let ended = round(&world, order).await;
        let rejected: Vec<&str> = ended.iter().flat_map(|one| one.labels(Outcome::Rejected)).collect();
        assert_eq!(rejected.len(), 1, "only one of two with one address: {rejected:?}");
        shown(&world, "customers", "email", "einkauf@fabrik.example.test");
        let accounts = world.sandbox.exact().documents("Accounts");
        assert!(accounts.iter().any(|account| account["Name"] == "Peeters BV"), "{accounts:#?}");
        nothing_moves(&world, order, &DEBTORS, &["customers"]).await;
    }
}

#[tokio::test]
async fn a_change_of_a_customer_goes_over_once_in_each_direction() {
    let world = world(CUSTOMERS).await;
    let order = ["to-shop", "to-books"];
    round(&world, order).await;
    round(&world, order).await;
    let sanne = row(&world, "Accounts", "2002");
    put_row(&world, "crm/Accounts", &sanne, json!({ "Phone": "0687654321" }));
    forget_calls(&world);
    let ended = round(&world, order).await;
    assert_eq!(ended[0].labels(Outcome::Updated), ["2002"], "{:#?}", ended[0].by_label);
    assert_eq!(writes(world.sandbox.exact()), Vec::<String>::new(), "{:#?}", ended[1].by_label);
    let id = shown(&world, "customers", "email", "sanne@example.test")["id"].to_string();
    assert_eq!(shown(&world, "customers", "email", "sanne@example.test")["billing"]["phone"], "0687654321");
    merchant(&world, Entity::Customers, Some(&id), "sanne@example.test", json!({ "billing": { "city": "Assen" } }))
        .await;
    round(&world, order).await;
    assert_eq!(row(&world, "Accounts", "2002")["City"], "Assen");
    nothing_moves(&world, order, &DEBTORS, &["customers"]).await;
}
