//! Products from the books to the shop: variations, categories, attributes, pictures, prices; only what differs is written.

use koppel_core::outcome::Outcome;
use koppel_hosting::embedded;
use koppel_sandbox::{Handle, Options};
use serde_json::{Value, json};

use super::world::{World, connections_yaml};

const FLOW: &str = "articles";
/// The articles of the sandbox tell their parent, colour and size in free fields.
const BOOKS: &str = r#"    variants: { field: FreeTextField_01 }
    attributes: { Kleur: FreeTextField_03, Maat: FreeTextField_04 }
    features: { Merk: Class_01 }
"#;

fn yaml(settings: &str) -> impl Fn(&Handle) -> String {
    let settings = settings.to_owned();
    move |sandbox| {
        let connections = connections_yaml(sandbox);
        format!(
            "{connections}{BOOKS}\nflows:\n  {FLOW}:\n    from: books\n    to: shop\n    entity: products\n\
             \x20   filter: {{ where: 'source.IsWebshopItem == 1' }}\n{settings}"
        )
    }
}

async fn world(settings: &str) -> World {
    let options = Options::default().switch("exact-online", json!({ "minute_limit": null }));
    let world = World::with(options, std::path::Path::new(embedded::IN_MEMORY), yaml(settings)).await;
    for system in [world.sandbox.exact(), world.sandbox.woocommerce()] {
        assert_eq!(system.inspect("POST", "catalogue", &json!({})).0, 204);
    }
    // Every run looks back five minutes: what was there long before is not read twice.
    world.sandbox.clock().advance(chrono::TimeDelta::minutes(30));
    world
}

fn product(world: &World, sku: &str) -> Value {
    let mut found = world
        .sandbox
        .woocommerce()
        .documents("products")
        .into_iter()
        .filter(|row| row["sku"] == sku && row["status"] != "trash");
    let first = found.next().unwrap_or_else(|| panic!("no product {sku}"));
    assert!(found.next().is_none(), "{sku} is there twice");
    first
}

/// Somebody changes an item in the books.
fn put_item(world: &World, item: &Value, changes: Value) {
    let mut row = item.clone();
    for (name, value) in changes.as_object().expect("fields") {
        row[name] = value.clone();
    }
    let known = row.as_object_mut().expect("a row");
    known.retain(|name, _| !["Timestamp", "Modified"].contains(&name.as_str()));
    let (status, answer) = world.sandbox.exact().inspect("POST", "rows/logistics/Items", &row);
    assert!(status < 300, "{answer}");
}

fn writes(world: &World) -> u64 {
    let calls = world.sandbox.woocommerce().calls();
    calls.iter().filter(|(endpoint, _)| !endpoint.starts_with("GET")).map(|(_, count)| count).sum()
}

#[tokio::test]
async fn items_of_one_parent_become_a_product_with_variations_categories_and_pictures() {
    let world = world("").await;
    let ended = world.run_flow(FLOW).await;
    assert_eq!(ended.by_label["TRUI"].outcome, Outcome::Created, "{:#?}", ended.by_label);
    let jumper = product(&world, "TRUI");
    assert_eq!((&jumper["type"], &jumper["name"]), (&json!("variable"), &json!("Trui")));
    assert_eq!(jumper["categories"][0]["name"], "Kleding");
    assert_eq!(jumper["images"].as_array().map(Vec::len), Some(1));
    let attributes: Vec<String> = jumper["attributes"]
        .as_array()
        .expect("attributes")
        .iter()
        .map(|one| format!("{} {} {}", one["name"], one["variation"], one["options"]))
        .collect();
    assert_eq!(
        attributes,
        [r#""Merk" false ["Noordwol"]"#, r#""Kleur" true ["Blauw","Rood"]"#, r#""Maat" true ["M","S"]"#]
    );
    let variations = world.sandbox.woocommerce().documents("variations");
    let red: Vec<&Value> = variations.iter().filter(|row| row["sku"] == "TRUI-ROOD-S").collect();
    assert_eq!(red.len(), 1);
    assert_eq!((&red[0]["regular_price"], &red[0]["global_unique_id"]), (&json!("59.5"), &json!("8710000000100")));
    // What the flow's filter or the dates leave out is not there.
    for absent in ["TRUI-INTERN", "VOORJAAR-SJAAL", "ZOMER-HOED"] {
        assert!(world.sandbox.woocommerce().documents("products").iter().all(|row| row["sku"] != absent), "{absent}");
    }
    // One article number twice in the shop is never guessed at.
    assert_eq!(ended.by_label["THEEPOT"].outcome, Outcome::Rejected);
    // A service has nothing to send.
    assert_eq!(product(&world, "CURSUS-BREIEN")["virtual"], json!(true));
}

#[tokio::test]
async fn a_second_run_writes_nothing_and_a_new_price_is_all_that_is_sent() {
    let world = world("").await;
    world.run_flow(FLOW).await;
    world.sandbox.clock().advance(chrono::TimeDelta::minutes(30));
    world.sandbox.woocommerce().reset_calls();
    let ended = world.run_flow(FLOW).await;
    assert_eq!((ended.funnel.fetched, writes(&world)), (0, 0), "{:#?}", ended.by_label);

    // The merchant wrote a better text in the shop; the books only have another price.
    let vase = product(&world, "VAAS-GROEN");
    let exact = world.sandbox.exact();
    let item = exact.documents("Items").into_iter().find(|row| row["Code"] == "VAAS-GROEN").expect("the vase");
    put_item(&world, &item, json!({ "StandardSalesPrice": 18.95 }));
    let ended = world.run_flow(FLOW).await;
    assert_eq!(ended.labels(Outcome::Updated), ["VAAS-GROEN"], "{:#?}", ended.by_label);
    let now = product(&world, "VAAS-GROEN");
    assert_eq!(now["regular_price"], "18.95");
    for field in ["name", "description", "images", "categories"] {
        assert_eq!(now[field], vase[field], "{field}");
    }
    assert_eq!(writes(&world), 1, "{:?}", world.sandbox.woocommerce().calls());
}

#[tokio::test]
async fn a_field_whose_update_is_off_is_written_once_and_then_left_to_the_shop() {
    let world = world("    settings: { update: { name: false } }\n").await;
    world.run_flow(FLOW).await;
    let exact = world.sandbox.exact();
    let item = exact.documents("Items").into_iter().find(|row| row["Code"] == "CURSUS-BREIEN").expect("a course");
    assert_eq!(product(&world, "CURSUS-BREIEN")["name"], "Cursus breien (online)");
    put_item(&world, &item, json!({ "Description": "Cursus breien voor gevorderden", "StandardSalesPrice": 13.5 }));
    world.sandbox.clock().advance(chrono::TimeDelta::minutes(30));
    world.run_flow(FLOW).await;
    let now = product(&world, "CURSUS-BREIEN");
    assert_eq!((&now["name"], &now["regular_price"]), (&json!("Cursus breien (online)"), &json!("13.5")));
}

#[tokio::test]
async fn an_article_is_there_from_its_first_day_to_its_last() {
    let world = world("").await;
    world.run_flow(FLOW).await;
    world.sandbox.clock().advance(chrono::TimeDelta::days(61));
    super::consent::give_to(&world.embedded.engine, &world.tenant, "books").await;
    let ended = world.run_flow(FLOW).await;
    assert_eq!(ended.by_label["VOORJAAR-SJAAL"].outcome, Outcome::Created, "{:#?}", ended.by_label);
    assert_eq!(product(&world, "VOORJAAR-SJAAL")["status"], "publish");
}

/// Somebody deletes an item in the books.
fn delete_item(world: &World, code: &str) -> String {
    let items = world.sandbox.exact().documents("Items");
    let item = items.into_iter().find(|row| row["Code"] == code).expect("the item");
    let id = item["ID"].as_str().expect("an id").to_owned();
    let (status, _) = world.sandbox.exact().inspect("DELETE", &format!("rows/logistics/Items/{id}"), &Value::Null);
    assert_eq!(status, 204);
    id
}

#[tokio::test]
async fn an_article_that_is_deleted_is_hidden_once_and_is_shown_again_when_it_comes_back() {
    let world = world("").await;
    world.run_flow(FLOW).await;
    world.sandbox.clock().advance(chrono::TimeDelta::minutes(30));
    world.sandbox.woocommerce().reset_calls();
    let before = product(&world, "VAAS-GROEN");
    let exact = world.sandbox.exact();
    let item = exact.documents("Items").into_iter().find(|row| row["Code"] == "VAAS-GROEN").expect("the vase");
    delete_item(&world, "VAAS-GROEN");
    delete_item(&world, "CURSUS-BREIEN");
    let ended = world.run_flow(FLOW).await;
    assert_eq!(ended.labels(Outcome::Updated), ["CURSUS-BREIEN", "VAAS-GROEN"], "{:#?}", ended.by_label);
    assert_eq!(ended.by_label["VAAS-GROEN"].fields, ["status"]);
    assert_eq!(
        (ended.funnel.fetched, writes(&world)),
        (2, 1),
        "both in one batch: {:?}",
        world.sandbox.woocommerce().calls()
    );
    let hidden = product(&world, "VAAS-GROEN");
    assert_eq!(hidden["status"], "draft");
    for field in ["name", "regular_price", "images", "categories", "description"] {
        assert_eq!(hidden[field], before[field], "{field}");
    }

    // The feed tells it again: every run looks back. Nothing is written, and what a merchant does with it stays.
    let ended = world.run_flow(FLOW).await;
    assert_eq!((ended.labels(Outcome::Skipped).len(), writes(&world)), (2, 1), "{:#?}", ended.by_label);

    world.sandbox.clock().advance(chrono::TimeDelta::minutes(30));
    world.run_flow(FLOW).await;
    world.sandbox.clock().advance(chrono::TimeDelta::minutes(30));
    put_item(&world, &item, json!({}));
    let ended = world.run_flow(FLOW).await;
    assert_eq!(ended.labels(Outcome::Updated), ["VAAS-GROEN"], "{:#?}", ended.by_label);
    assert_eq!(product(&world, "VAAS-GROEN")["status"], "publish");
}

#[tokio::test]
async fn what_becomes_of_a_deleted_article_is_a_setting() {
    for (settings, status) in [("{ unpublished: private }", "private"), ("{ unpublished: leave }", "publish")] {
        let world = world(&format!("    settings: {{ product: {settings} }}\n")).await;
        world.run_flow(FLOW).await;
        world.sandbox.clock().advance(chrono::TimeDelta::minutes(30));
        delete_item(&world, "VAAS-GROEN");
        let ended = world.run_flow(FLOW).await;
        assert_eq!(product(&world, "VAAS-GROEN")["status"], status, "{:#?}", ended.by_label);
        assert_eq!(ended.funnel.fetched, 1);
    }
    let world = world("    settings: { update: { status: false } }\n").await;
    world.run_flow(FLOW).await;
    world.sandbox.clock().advance(chrono::TimeDelta::minutes(30));
    delete_item(&world, "VAAS-GROEN");
    let ended = world.run_flow(FLOW).await;
    assert_eq!(ended.labels(Outcome::Skipped).len(), 1, "{:#?}", ended.by_label);
    assert_eq!(product(&world, "VAAS-GROEN")["status"], "publish", "the status is left to the shop");
}

#[tokio::test]
async fn an_article_that_was_made_anew_under_its_number_is_not_hidden_with_the_old_one() {
    let world = world("").await;
    world.run_flow(FLOW).await;
    world.sandbox.clock().advance(chrono::TimeDelta::minutes(30));
    let exact = world.sandbox.exact();
    let mut item = exact.documents("Items").into_iter().find(|row| row["Code"] == "VAAS-GROEN").expect("the vase");
    delete_item(&world, "VAAS-GROEN");
    item["ID"] = json!("11111111-2222-4333-8444-555555555555");
    put_item(&world, &item, json!({ "Description": "Vaas groen, nieuw" }));
    world.sandbox.woocommerce().reset_calls();
    let ended = world.run_flow(FLOW).await;
    let now = product(&world, "VAAS-GROEN");
    assert_eq!(
        (&now["status"], &now["name"]),
        (&json!("publish"), &json!("Vaas groen, nieuw")),
        "{:#?}",
        ended.by_label
    );
    assert_eq!((ended.funnel.fetched, writes(&world)), (2, 1), "{:#?}", ended.by_label);
}

#[tokio::test]
async fn fields_of_ones_own_reach_the_shop_free_ones_and_those_of_its_api() {
    let own = "    map:\n      custom.search_code: source.SearchCode\n      target.button_text: product.custom.search_code\n      \
               target.purchase_note: '\"Bij \" ~ product.name'\n      target.menu_order: '7'\n";
    let world = world(own).await;
    world.run_flow(FLOW).await;
    let vase = product(&world, "VAAS-GROEN");
    assert_eq!((&vase["purchase_note"], &vase["menu_order"]), (&json!("Bij Vaas groen"), &json!(7)));
    assert_eq!(vase["button_text"], "VAAS-GROEN");
}
