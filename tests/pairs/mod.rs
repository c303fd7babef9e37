//! Every shop with every ERP: one order arrives, one article is shown, its stock is right, and a second time nothing is
//! written. What a system needs stands once, in `shops.rs` and `books.rs`: nothing is said of a pair.

mod books;
mod channels;
pub(crate) mod examples;
mod periods;
mod properties;
mod same_kind;
mod shops;
mod silence;

use chrono::TimeDelta;
use koppel_core::NonEmpty;
use koppel_core::outcome::Outcome;
use koppel_flows::runs::Scope;
use koppel_hosting::embedded;
use koppel_sandbox::{Handle, Inspector, Options};
use serde_json::json;

use self::books::Books;
use self::shops::Shop;
use crate::chain::world::{Ended, World};

const ORDERS: &str = "orders";
const ARTICLES: &str = "articles";
const STOCK: &str = "stock";
/// An article that both catalogues of the sandbox have, in the shop with other stock.
const ARTICLE: &str = "VAAS-GROEN";
/// One that the shop does not have.
const NEW: &str = "CURSUS-BREIEN";

fn yaml(shop: &Shop, books: &Books, sandbox: &Handle) -> String {
    let (code, document) = (books.code_field, books.document);
    format!(
        r#"
connections:
  shop:
{shop_options}
  books:
{books_options}
flows:
  {ORDERS}:
    from: shop
    to: books
    entity: orders
    document: {document}
    since: 2026-01-01
    settings:
{settings}
  {ARTICLES}:
    from: books
    to: shop
    entity: products
    filter: {{ where: 'source.{code} in ["{ARTICLE}", "{NEW}"]' }}
    settings: {article_settings}
  {STOCK}: {{ from: books, to: shop, entity: stock, filter: {{ where: 'source.{stock_code} == "{ARTICLE}"' }} }}
"#,
        shop_options = indented((shop.options)(sandbox)),
        books_options = indented((books.options)(sandbox)),
        settings = indented(books.settings.to_owned()).replace("    ", "      "),
        stock_code = books.stock_code_field,
        article_settings = shop.article_settings,
    )
}

fn indented(text: String) -> String {
    text.trim().lines().map(|line| format!("    {}", line.trim_end())).collect::<Vec<_>>().join("\n")
}

/// Calls that change something.
pub(crate) fn writes(system: &Inspector) -> u64 {
    system.calls().iter().filter(|(name, _)| !name.starts_with("GET") && !name.contains("token")).map(|(_, n)| n).sum()
}

async fn run(world: &World, flow: &str, ids: &[&str]) -> Ended {
    // A new minute, so that calls of the run before are not counted.
    world.sandbox.clock().advance(TimeDelta::minutes(20));
    let ids = ids.iter().filter_map(NonEmpty::new).collect();
    world.run_flow_scope(flow, Scope { since: Some(chrono::DateTime::UNIX_EPOCH), ids }).await
}

async fn works(shop: &Shop, books: &Books) {
    let pair = format!("{}--{}", shop.system, books.system);
    let mut options = Options::default();
    for (system, switches) in [(shop.system, shop.switches), (books.system, books.switches)] {
        options = options.switch(system, serde_json::from_str(switches).expect("switches"));
    }
    let world =
        World::with(options, std::path::Path::new(embedded::IN_MEMORY), |sandbox| yaml(shop, books, sandbox)).await;
    let inside = |system: &str| world.sandbox.system(system).expect("a system of the sandbox");
    let (in_shop, in_books) = (inside(shop.system), inside(books.system));
    for system in [&in_shop, &in_books] {
        assert_eq!(system.inspect("POST", "catalogue", &json!({})).0, 204, "{pair}");
    }

    // One order, to the cent.
    let ended = run(&world, ORDERS, &[shop.order_id]).await;
    assert_eq!(ended.funnel.count(Outcome::Created), 1, "{pair}: {:#?}", ended.by_label);
    let result = ended.by_label.values().next().expect("a result");
    assert!(result.warnings.is_empty(), "{pair}: {:?}", result.warnings);
    let reference = (shop.reference)(&result.label);
    let total = (books.total)(&in_books, &reference);
    assert_eq!(total, vec![shop.order_total.parse().expect("a number")], "{pair}: {reference}");

    // One article, with its price.
    let ended = run(&world, ARTICLES, &[]).await;
    assert_eq!(ended.labels(Outcome::Created), [NEW], "{pair}: {:#?}", ended.by_label);
    let bad = ended.funnel.count(Outcome::Rejected) + ended.funnel.count(Outcome::Parked);
    assert_eq!(bad, 0, "{pair}: {:#?}", ended.by_label);
    for (number, name) in [(ARTICLE, "Vaas groen"), (NEW, "Cursus breien (online)")] {
        let shown = (shop.article)(&in_shop, number);
        assert_eq!(shown.len(), 1, "{pair}: {number} is there once");
        assert_eq!(shown[0].name, name, "{pair}");
    }

    // Its stock: on the shelf, less what is promised.
    let ended = run(&world, STOCK, &[]).await;
    assert_eq!(ended.funnel.count(Outcome::Updated), 1, "{pair}: {:#?}", ended.by_label);
    assert_eq!((shop.article)(&in_shop, ARTICLE)[0].stock, books.stock.parse().ok(), "{pair}");

    // All of it once more: nothing is written on either side.
    for system in [&in_shop, &in_books] {
        system.reset_calls();
    }
    for (flow, ids) in [(ORDERS, vec![shop.order_id]), (ARTICLES, vec![]), (STOCK, vec![])] {
        let ended = run(&world, flow, &ids).await;
        let changed = ended.funnel.count(Outcome::Created) + ended.funnel.count(Outcome::Updated);
        assert_eq!(changed, 0, "{pair} {flow}: {:#?}", ended.by_label);
    }
    assert_eq!((writes(&in_shop), writes(&in_books)), (0, 0), "{pair}: {:?} {:?}", in_shop.calls(), in_books.calls());
}

macro_rules! pairs {
    ($($name:ident: $shop:ident $books:ident,)*) => {$(
        #[tokio::test]
        async fn $name() {
            works(&shops::$shop, &books::$books).await;
        }
    )*};
}

pairs! {
    woocommerce_and_exact_online: WOOCOMMERCE EXACT_ONLINE,
    woocommerce_and_visma_net: WOOCOMMERCE VISMA_NET,
    woocommerce_and_accountview: WOOCOMMERCE ACCOUNTVIEW,
    woocommerce_and_asperion: WOOCOMMERCE ASPERION,
    ccv_shop_and_exact_online: CCV_SHOP EXACT_ONLINE,
    ccv_shop_and_visma_net: CCV_SHOP VISMA_NET,
    ccv_shop_and_accountview: CCV_SHOP ACCOUNTVIEW,
    ccv_shop_and_asperion: CCV_SHOP ASPERION,
    mijnwebwinkel_and_exact_online: MIJNWEBWINKEL EXACT_ONLINE,
    mijnwebwinkel_and_visma_net: MIJNWEBWINKEL VISMA_NET,
    mijnwebwinkel_and_accountview: MIJNWEBWINKEL ACCOUNTVIEW,
    mijnwebwinkel_and_asperion: MIJNWEBWINKEL ASPERION,
}
