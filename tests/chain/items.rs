//! Products from the shop to the books: items, each variation one of its own; only what differs is written.

use koppel_core::NonEmpty;
use koppel_core::document::Entity;
use koppel_core::outcome::Outcome;
use koppel_flows::runs::Scope;
use serde_json::{Value, json};

use super::both::{forget_calls, merchant, pass, put_row, row, world, writes};
use super::world::{Ended, World};

const FLOW: &str = "articles";
const FLOWS: &str = r#"
  articles:
    from: shop
    to: books
    entity: products
    filter: { where: 'source.sku != ""' }
    settings:
      vat_code: { table: { standard: "4", reduced-rate: "2" } }
"#;

/// A coat in two colours that the books do not know.
async fn coat(world: &World) -> String {
    let variation = |colour: &str, price: &str| {
        json!({ "sku": format!("JAS-{}", colour.to_uppercase()), "regular_price": price, "status": "publish",
            "attributes": [{ "name": "Kleur", "option": colour }] })
    };
    let fields = json!({ "name": "Jas van wol", "sku": "JAS", "type": "variable", "status": "publish",
        "description": "<p>Warm.</p>", "short_description": "<p>Een <b>warme</b> jas.</p>",
        "_categories": [["Kleding"]],
        "_attributes": [{ "name": "Kleur", "options": ["Rood", "Blauw"], "variation": true, "visible": true }],
        "_variations": [variation("Rood", "120"), variation("Blauw", "125.50")] });
    merchant(world, Entity::Products, None, "JAS", fields).await.id
}

fn price(world: &World, item: &Value) -> String {
    let prices = world.sandbox.exact().documents("SalesItemPrices");
    let own: Vec<&Value> = prices.iter().filter(|row| row["Item"] == item["ID"]).collect();
    assert_eq!(own.len(), 1, "one price each: {own:?}");
    own[0]["Price"].to_string()
}

#[tokio::test]
async fn a_variable_product_becomes_items_and_a_second_run_writes_nothing() {
    let world = world(FLOWS).await;
    coat(&world).await;
    pass(&world);
    forget_calls(&world);
    let ended = world.run_flow(FLOW).await;
    assert_eq!(ended.by_label["JAS"].outcome, Outcome::Created, "{:#?}", ended.by_label);
    for (code, colour, cost) in [("JAS-ROOD", "Rood", "120"), ("JAS-BLAUW", "Blauw", "125.5")] {
        let item = row(&world, "Items", code);
        let text = |name: &str| item[name].as_str().unwrap_or_default().trim().to_owned();
        assert_eq!(text("Description"), format!("Jas van wol {colour}"));
        assert_eq!((text("FreeTextField_01"), text("FreeTextField_03")), ("JAS".to_owned(), colour.to_owned()));
        assert_eq!((text("SalesVatCode"), text("ItemGroupCode")), ("4".to_owned(), "KLEDING".to_owned()));
        assert_eq!((text("Notes"), text("ExtraDescription")), ("<p>Warm.</p>".to_owned(), "Een warme jas.".to_owned()));
        assert_eq!(
            (&item["IsWebshopItem"], &item["IsSalesItem"], &item["IsStockItem"]),
            (&json!(1), &json!(true), &json!(true))
        );
        assert_eq!(price(&world, &item), cost);
    }
    assert!(
        world.sandbox.exact().documents("Items").iter().all(|item| item["Code"] != "JAS"),
        "the product is no item"
    );
    // What was there is changed, what nobody shall see is not brought over, one number twice is never guessed at.
    assert_eq!(ended.by_label["POSTER-1"].outcome, Outcome::Updated);
    let poster = row(&world, "Items", "POSTER-1");
    assert_eq!(
        (&poster["Description"], price(&world, &poster).as_str()),
        (&json!("Poster \"Zomer\" & strand één"), "12.5")
    );
    assert_eq!(ended.by_label["CONCEPT"].outcome, Outcome::Skipped);
    assert_eq!(ended.labels(Outcome::Rejected), ["THEEPOT"], "{:#?}", ended.by_label);

    pass(&world);
    forget_calls(&world);
    let ended = world.run_flow(FLOW).await;
    assert_eq!(writes(world.sandbox.exact()), Vec::<String>::new(), "{:#?}", ended.by_label);
    // Everything read once more.
    let all = Scope { since: Some(chrono::DateTime::UNIX_EPOCH), ids: Vec::new() };
    let ended = world.run_flow_scope(FLOW, all).await;
    assert!(ended.funnel.fetched > 8, "{}", ended.funnel);
    assert_eq!(writes(world.sandbox.exact()), Vec::<String>::new(), "{:#?}", ended.by_label);
}

#[tokio::test]
async fn one_field_that_changed_is_one_call() {
    let world = world(FLOWS).await;
    let id = coat(&world).await;
    pass(&world);
    world.run_flow(FLOW).await;
    pass(&world);
    forget_calls(&world);
    merchant(&world, Entity::Products, Some("10"), "MOK-WIT", json!({ "name": "Mok helderwit" })).await;
    let ended = world.run_flow(FLOW).await;
    assert_eq!(ended.labels(Outcome::Updated), ["MOK-WIT"], "{:#?}", ended.by_label);
    assert_eq!(ended.by_label["MOK-WIT"].fields, ["Description"]);
    assert_eq!(writes(world.sandbox.exact()), ["1 PUT logistics/Items"]);
    assert_eq!(row(&world, "Items", "MOK-WIT")["Description"], "Mok helderwit");

    pass(&world);
    forget_calls(&world);
    let dearer = json!({ "_variations": [
        { "sku": "JAS-ROOD", "regular_price": "119", "status": "publish", "attributes": [{ "name": "Kleur", "option": "Rood" }] },
        { "sku": "JAS-BLAUW", "regular_price": "125.5", "status": "publish", "attributes": [{ "name": "Kleur", "option": "Blauw" }] },
    ] });
    merchant(&world, Entity::Products, Some(&id), "JAS", dearer).await;
    let ended = world.run_flow(FLOW).await;
    assert_eq!(ended.labels(Outcome::Updated), ["JAS"], "{:#?}", ended.by_label);
    assert_eq!(writes(world.sandbox.exact()), ["1 PUT logistics/SalesItemPrices"]);
    assert_eq!(price(&world, &row(&world, "Items", "JAS-ROOD")), "119");
}

#[tokio::test]
async fn an_answer_that_is_lost_makes_no_second_item() {
    use koppel_sandbox::faults::{FaultAction, FaultRule};
    let world = world(FLOWS).await;
    coat(&world).await;
    pass(&world);
    let fault = FaultRule::new(FaultAction::AnswerLost).path("logistics/Items").method("POST").count(1);
    world.sandbox.fault("exact-online", fault).unwrap();
    let ended = world.run_flow(FLOW).await;
    assert_eq!(ended.by_label["JAS"].outcome, Outcome::Updated, "{:#?}", ended.by_label);
    for code in ["JAS-ROOD", "JAS-BLAUW"] {
        let item = row(&world, "Items", code);
        assert_ne!(price(&world, &item), "0", "{code}");
    }
}

#[tokio::test]
async fn a_picture_goes_along_once() {
    let world = world(FLOWS).await;
    let image = format!("{}/_sandbox/pictures/sjaal.png", world.sandbox.woocommerce_url());
    let scarf = json!({ "name": "Sjaal", "sku": "SJAAL", "type": "simple", "status": "publish", "regular_price": "19.95",
        "images": [{ "src": image }] });
    let id = merchant(&world, Entity::Products, None, "SJAAL", scarf).await.id;
    pass(&world);
    world.run_flow(FLOW).await;
    let item = row(&world, "Items", "SJAAL");
    let picture = item["Picture"].as_str().unwrap_or_default().to_owned();
    assert!(picture.len() > 50 && item["PictureName"].as_str().unwrap_or_default().starts_with("koppel-"), "{item:#?}");
    pass(&world);
    forget_calls(&world);
    merchant(&world, Entity::Products, Some(&id), "SJAAL", json!({ "name": "Sjaal van wol" })).await;
    let ended = world.run_flow(FLOW).await;
    assert_eq!(ended.by_label["SJAAL"].fields, ["Description"], "{:#?}", ended.by_label);
    assert_eq!(row(&world, "Items", "SJAAL")["Picture"], json!(picture));
}

/// What the shop's staff throws away.
fn throw_away(world: &World, path: &str) {
    let (status, answer) = world.sandbox.woocommerce().inspect("DELETE", path, &json!(null));
    assert_eq!(status, 200, "{answer}");
}

fn variation(world: &World, sku: &str) -> String {
    let rows = world.sandbox.woocommerce().documents("variations");
    rows.into_iter().find(|row| row["sku"] == sku).expect("the variation")["id"].to_string()
}

async fn run_ids(world: &World, ids: &[&str]) -> Ended {
    pass(world);
    forget_calls(world);
    let ids = ids.iter().map(|id| NonEmpty::new(*id).expect("an id")).collect();
    world.run_flow_scope(FLOW, Scope { since: None, ids }).await
}

/// Whether the books offer an item to the shop.
fn is_shown(world: &World, code: &str) -> bool {
    row(world, "Items", code)["IsWebshopItem"] == json!(1)
}

#[tokio::test]
async fn a_deleted_product_takes_its_items_along_and_brings_them_back() {
    let world = world(FLOWS).await;
    let id = coat(&world).await;
    pass(&world);
    world.run_flow(FLOW).await;
    assert!(is_shown(&world, "JAS-ROOD") && is_shown(&world, "JAS-BLAUW"));
    let before = row(&world, "Items", "JAS-ROOD");

    throw_away(&world, &format!("products/{id}"));
    let ended = run_ids(&world, &[&id]).await;
    assert_eq!(ended.labels(Outcome::Updated), ["JAS"], "{:#?}", ended.by_label);
    assert!(!is_shown(&world, "JAS-ROOD") && !is_shown(&world, "JAS-BLAUW"));
    // Nothing else of them has changed.
    assert_eq!(writes(world.sandbox.exact()), ["2 PUT logistics/Items"]);
    let after = row(&world, "Items", "JAS-ROOD");
    for name in ["Description", "IsSalesItem", "IsStockItem", "FreeTextField_01", "FreeTextField_03", "Notes"] {
        assert_eq!(after[name], before[name], "{name}");
    }
    let ended = run_ids(&world, &[&id]).await;
    assert_eq!(ended.funnel.count(Outcome::Skipped), 1, "{:#?}", ended.by_label);
    assert_eq!(writes(world.sandbox.exact()), Vec::<String>::new());

    merchant(&world, Entity::Products, Some(&id), "JAS", json!({ "status": "publish" })).await;
    let ended = run_ids(&world, &[&id]).await;
    assert_eq!(ended.labels(Outcome::Updated), ["JAS"], "{:#?}", ended.by_label);
    assert!(is_shown(&world, "JAS-ROOD") && is_shown(&world, "JAS-BLAUW"));
}

#[tokio::test]
async fn a_variation_that_is_gone_hides_its_item_with_the_next_read_of_its_product() {
    let world = world(FLOWS).await;
    let id = coat(&world).await;
    pass(&world);
    world.run_flow(FLOW).await;
    // One that somebody made in the books under the same parent is theirs.
    let own = json!({ "Code": "JAS-GROEN", "Description": "Jas groen", "FreeTextField_01": "JAS", "IsWebshopItem": 1 });
    let mut groen = row(&world, "Items", "JAS-ROOD");
    groen.as_object_mut().unwrap().remove("ID");
    put_row(&world, "logistics/Items", &groen, own);

    // Into the trash: told under its own id, and its product is read.
    let blue = variation(&world, "JAS-BLAUW");
    throw_away(&world, &format!("products/{id}/variations/{blue}"));
    let ended = run_ids(&world, &[&blue]).await;
    assert_eq!(ended.labels(Outcome::Updated), ["JAS"], "{:#?}", ended.by_label);
    assert_eq!(writes(world.sandbox.exact()), ["1 PUT logistics/Items"]);
    assert!(is_shown(&world, "JAS-ROOD") && !is_shown(&world, "JAS-BLAUW") && is_shown(&world, "JAS-GROEN"));
    // It is not looked at again: the books may show it for reasons of their own.
    let blue = row(&world, "Items", "JAS-BLAUW");
    put_row(&world, "logistics/Items", &blue, json!({ "IsWebshopItem": 1 }));
    merchant(&world, Entity::Products, Some(&id), "JAS", json!({ "name": "Jas van schapenwol" })).await;
    run_ids(&world, &[&id]).await;
    assert!(is_shown(&world, "JAS-BLAUW"));
    assert_eq!(row(&world, "Items", "JAS-ROOD")["Description"], "Jas van schapenwol Rood");
}

#[tokio::test]
async fn an_item_whose_number_another_product_has_by_now_is_left_to_it() {
    let world = world(FLOWS).await;
    let id = coat(&world).await;
    pass(&world);
    world.run_flow(FLOW).await;
    let blue = variation(&world, "JAS-BLAUW");
    throw_away(&world, &format!("products/{id}/variations/{blue}?force=true"));
    let alone = json!({ "name": "Blauwe jas", "sku": "JAS-BLAUW", "type": "simple", "status": "publish",
        "regular_price": "99" });
    let alone = merchant(&world, Entity::Products, None, "JAS-BLAUW", alone).await.id;
    run_ids(&world, &[&alone, &id]).await;
    assert!(is_shown(&world, "JAS-BLAUW"), "{:#?}", row(&world, "Items", "JAS-BLAUW"));
    assert_eq!(row(&world, "Items", "JAS-BLAUW")["Description"], "Blauwe jas");
    // Nor when all of the product goes, later.
    throw_away(&world, &format!("products/{id}?force=true"));
    run_ids(&world, &[&id]).await;
    assert!(is_shown(&world, "JAS-BLAUW") && !is_shown(&world, "JAS-ROOD"));
}

#[tokio::test]
async fn what_shall_be_left_is_left() {
    const LEAVE: &str = r#"
  articles:
    from: shop
    to: books
    entity: products
    filter: { where: 'source.sku != ""' }
    settings:
      product: { unpublished: leave }
      vat_code: { table: { standard: "4", reduced-rate: "2" } }
"#;
    let world = world(LEAVE).await;
    let id = coat(&world).await;
    pass(&world);
    world.run_flow(FLOW).await;
    let blue = variation(&world, "JAS-BLAUW");
    throw_away(&world, &format!("products/{id}/variations/{blue}"));
    run_ids(&world, &[&id]).await;
    throw_away(&world, &format!("products/{id}"));
    run_ids(&world, &[&id]).await;
    assert!(is_shown(&world, "JAS-ROOD") && is_shown(&world, "JAS-BLAUW"));
}

#[tokio::test]
async fn an_item_that_the_books_have_no_more_or_gave_to_another_is_left_alone() {
    let world = world(FLOWS).await;
    let id = coat(&world).await;
    pass(&world);
    world.run_flow(FLOW).await;
    let (blue, red) = (variation(&world, "JAS-BLAUW"), variation(&world, "JAS-ROOD"));
    put_row(&world, "logistics/Items", &row(&world, "Items", "JAS-BLAUW"), json!({ "Code": "OUD" }));
    put_row(&world, "logistics/Items", &row(&world, "Items", "JAS-ROOD"), json!({ "FreeTextField_01": "ANDERS" }));
    for gone in [&blue, &red] {
        throw_away(&world, &format!("products/{id}/variations/{gone}"));
    }
    run_ids(&world, &[&id]).await;
    assert_eq!(writes(world.sandbox.exact()), Vec::<String>::new());
    assert!(world.sandbox.exact().documents("Items").iter().all(|item| item["Code"] != "JAS-BLAUW"));
    assert!(is_shown(&world, "JAS-ROOD") && is_shown(&world, "OUD"));
}
