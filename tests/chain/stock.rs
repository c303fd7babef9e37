//! Stock from the books to the shop: what may be sold, written only where it differs, a hundred articles a call.

use koppel_core::outcome::Outcome;
use koppel_hosting::embedded;
use koppel_sandbox::{Handle, Options};
use serde_json::{Value, json};

use super::world::{World, connections_yaml};

const FLOW: &str = "stock";

fn yaml(settings: &str) -> impl Fn(&Handle) -> String {
    let settings = settings.to_owned();
    move |sandbox| {
        let connections = connections_yaml(sandbox);
        format!("{connections}\nflows:\n  {FLOW}: {{ from: books, to: shop, entity: stock{settings} }}\n")
    }
}

async fn world(settings: &str) -> World {
    let options = Options::default().switch("exact-online", json!({ "minute_limit": null }));
    World::with(options, std::path::Path::new(embedded::IN_MEMORY), yaml(settings)).await
}

fn seed(world: &World) {
    for system in [world.sandbox.exact(), world.sandbox.woocommerce()] {
        assert_eq!(system.inspect("POST", "catalogue", &json!({})).0, 204);
    }
}

fn put_stock(world: &World, item: &str, current: i64, planned_out: i64) {
    let body = json!({ "item": item, "warehouse": "1", "current": current, "planned_out": planned_out });
    let (status, answer) = world.sandbox.exact().inspect("POST", "stock", &body);
    assert!(status < 300, "{answer}");
}

fn product(world: &World, sku: &str) -> Value {
    let products = world.sandbox.woocommerce().documents("products");
    products.into_iter().find(|product| product["sku"] == sku).unwrap_or_else(|| panic!("no product {sku}"))
}

/// Requests by method since the counters were set back: reads and writes.
fn calls(system: koppel_sandbox::Inspector) -> (u64, u64) {
    let (mut reads, mut writes) = (0, 0);
    for (endpoint, count) in system.calls() {
        if endpoint.starts_with("GET") { reads += count } else { writes += count }
    }
    (reads, writes)
}

#[tokio::test]
async fn what_may_be_sold_is_shown_and_the_shop_keeps_count_of_it() {
    let world = world("").await;
    seed(&world);
    put_stock(&world, "VAAS-GROEN", 9, 2);
    let ended = world.run_flow(FLOW).await;
    assert_eq!(ended.by_label["VAAS-GROEN"].outcome, Outcome::Updated, "{:#?}", ended.by_label);
    let vase = product(&world, "VAAS-GROEN");
    assert_eq!((&vase["stock_quantity"], &vase["manage_stock"]), (&json!(7), &json!(true)));
    // The books have it, the shop does not: nothing is created by a flow of stock.
    assert_eq!(ended.by_label["TRUI-ROOD-S"].outcome, Outcome::Skipped);
    // One article number twice is never guessed at.
    assert_eq!(ended.by_label["THEEPOT"].outcome, Outcome::Rejected);
    assert!(ended.cause("THEEPOT").contains("2 times (ids 60, 61)"), "{}", ended.cause("THEEPOT"));
}

#[tokio::test]
async fn a_thousand_changed_articles_are_ten_calls_and_none_when_nothing_changed() {
    let world = world("").await;
    let body = json!({ "seed": 3, "n": 1000, "differs_percent": 100 });
    for (system, path) in [(world.sandbox.exact(), "generate"), (world.sandbox.woocommerce(), "products/generate")] {
        assert_eq!(system.inspect("POST", path, &body).0, 201);
    }
    // Every run looks back five minutes: what was there long before is not read twice.
    world.sandbox.clock().advance(chrono::TimeDelta::minutes(30));
    world.sandbox.woocommerce().reset_calls();
    let ended = world.run_flow(FLOW).await;
    assert_eq!(ended.labels(Outcome::Updated).len(), 1000, "{}", ended.funnel);
    let (_, writes) = calls(world.sandbox.woocommerce());
    assert_eq!(writes, 10);

    // Nothing changed: two calls to the books, none to the shop.
    world.sandbox.clock().advance(chrono::TimeDelta::minutes(30));
    world.sandbox.exact().reset_calls();
    world.sandbox.woocommerce().reset_calls();
    let ended = world.run_flow(FLOW).await;
    assert_eq!(ended.funnel.fetched, 0, "{}", ended.funnel);
    let exact: u64 =
        world.sandbox.exact().calls().iter().filter(|(name, _)| !name.contains("oauth2")).map(|(_, n)| n).sum();
    assert_eq!(exact, 2, "{:?}", world.sandbox.exact().calls());
    assert_eq!(calls(world.sandbox.woocommerce()), (0, 0));
}

#[tokio::test]
async fn an_order_on_its_way_to_the_books_is_taken_off() {
    let with_terms = |sandbox: &Handle, terms: &str| {
        let orders = super::world::yaml(sandbox).replace("\"00\"", terms).replace("\"30\"", terms);
        format!("{orders}  {FLOW}: {{ from: books, to: shop, entity: stock }}\n")
    };
    let options = Options::default().switch("exact-online", json!({ "minute_limit": null }));
    let world = World::with(options, std::path::Path::new(embedded::IN_MEMORY), |s| with_terms(s, "\"nosuch\"")).await;
    put_stock(&world, "MOK-WIT", 200, 0);
    // The books do not know the payment condition: all orders wait, and what they ask for is promised.
    let asked: i64 = world
        .sandbox
        .woocommerce()
        .documents("orders")
        .iter()
        .filter(|order| ["processing", "completed", "on-hold"].iter().any(|status| order["status"] == *status))
        .flat_map(|order| order["line_items"].as_array().cloned().unwrap_or_default())
        .filter(|line| line["sku"] == "MOK-WIT")
        .filter_map(|line| line["quantity"].as_i64())
        .sum();
    assert!(asked > 0, "the recorded orders ask for it");
    assert_eq!(world.run().await.labels(Outcome::Parked).len(), 6);
    world.run_flow(FLOW).await;
    assert_eq!(product(&world, "MOK-WIT")["stock_quantity"], json!(200 - asked));
    // They arrive. From now on the books know what they take, and nothing is taken off twice.
    world.apply(&with_terms(&world.sandbox, "\"30\"")).await;
    koppel_flows::steps::schedule(&world.embedded.engine).await.expect("scheduled");
    world.drain().await;
    assert_eq!(world.sales_orders().len(), 6);
    world.run_flow(FLOW).await;
    assert_eq!(product(&world, "MOK-WIT")["stock_quantity"], json!(200 - asked));
}

#[tokio::test]
async fn stock_of_an_article_that_the_shop_gets_later_follows_by_itself() {
    let options = Options::default().switch("exact-online", json!({ "minute_limit": null }));
    let world = World::with(options, std::path::Path::new(embedded::IN_MEMORY), |sandbox| {
        let connections = connections_yaml(sandbox);
        format!(
            "{connections}    variants: {{ field: FreeTextField_01 }}\n    attributes: {{ Kleur: FreeTextField_03, Maat: FreeTextField_04 }}\n\
             flows:\n  {FLOW}: {{ from: books, to: shop, entity: stock }}\n  articles:\n    from: books\n    to: shop\n    entity: products\n\
             \x20   filter: {{ where: 'source.ItemGroupCode == \"KLEDING\"' }}\n"
        )
    })
    .await;
    seed(&world);
    let ended = world.run_flow(FLOW).await;
    assert_eq!(ended.by_label["TRUI-ROOD-S"].outcome, Outcome::Skipped, "{:#?}", ended.by_label);
    let waiting = async || {
        let list = koppel_flows::waiting::list(&world.embedded.engine, &world.tenant, FLOW).await.expect("list");
        list.into_iter().map(|waiting| waiting.label).filter(|label| label.starts_with("TRUI")).collect::<Vec<_>>()
    };
    assert!(waiting().await.is_empty(), "an article of the books alone is nothing to wait for");

    // Half an hour later nothing of its stock has changed, and the article comes.
    world.sandbox.clock().advance(chrono::TimeDelta::minutes(30));
    let articles = world.run_flow("articles").await;
    assert_eq!(articles.by_label["TRUI"].outcome, Outcome::Created, "{:#?}", articles.by_label);
    assert!(waiting().await.contains(&"TRUI-ROOD-S".to_owned()), "{:?}", waiting().await);
    world.host.schedule().await;
    world.drain().await;
    let variations = world.sandbox.woocommerce().documents("variations");
    let small = variations.iter().find(|row| row["sku"] == "TRUI-ROOD-S").expect("the variation");
    assert_eq!((&small["manage_stock"], small["stock_quantity"].is_i64()), (&json!(true), true), "{small}");
    assert!(waiting().await.is_empty(), "{:?}", waiting().await);
}

/// Who made an article may die before he tells those who wait for it: then whoever finds it next does.
#[tokio::test]
async fn stock_follows_an_article_that_a_flow_finds_in_the_shop_for_the_first_time() {
    for differs in [0, 100] {
        let options = Options::default().switch("exact-online", json!({ "minute_limit": null }));
        let world = World::with(options, std::path::Path::new(embedded::IN_MEMORY), |sandbox| {
            format!(
                "{}flows:\n  {FLOW}:\n    from: books\n    to: shop\n    entity: stock\n    filter: {{ where: \
                 'source.ItemCode | starts_with(\"ART-\")' }}\n  articles:\n    from: books\n    to: shop\n    entity: \
                 products\n    filter: {{ where: 'source.Code | starts_with(\"ART-\")' }}\n",
                connections_yaml(sandbox)
            )
        })
        .await;
        let articles = json!({ "seed": 7, "n": 3, "differs_percent": differs });
        let (status, answer) = world.sandbox.exact().inspect("POST", "generate", &articles);
        assert!(status < 300, "{answer}");
        assert_eq!(world.run_flow(FLOW).await.funnel.count(Outcome::Skipped), 3);
        let (status, answer) = world.sandbox.woocommerce().inspect("POST", "products/generate", &articles);
        assert!(status < 300, "{answer}");

        world.sandbox.clock().advance(chrono::TimeDelta::minutes(30));
        let ended = world.run_flow("articles").await;
        assert_eq!(ended.funnel.count(Outcome::Created), 0, "{:#?}", ended.by_label);
        let list = koppel_flows::waiting::list(&world.embedded.engine, &world.tenant, FLOW).await.expect("list");
        assert_eq!(list.len(), 3, "{differs} % differ: {:#?}", ended.by_label);
    }
}
