//! Reading orders: how many calls it takes, and that no change is missed.

use std::sync::Mutex;

use koppel_core::ports::Window;

use super::*;
use crate::http::testing::server::TestServer;
use crate::http::testing::{HandClock, world};

/// A shop of orders by id: status and day of each.
#[derive(Default)]
struct Shop {
    orders: Vec<Value>,
    heads: usize,
    rows: usize,
}

impl Shop {
    fn new(ids: impl IntoIterator<Item = u64>, placed: &str) -> Self {
        let order = |id: u64| {
            json!({
                "id": id, "ordernumber": id, "ordernumber_prefix": "W", "status": 1, "paid": false, "paymethod_id": 1,
                "create_date": placed, "customer": { "email": "a@b.test" }, "total_price": 0,
            })
        };
        Self { orders: ids.into_iter().map(order).collect(), ..Self::default() }
    }

    fn answer(&mut self, seen: &Seen) -> Reply {
        if seen.path.ends_with("/orderrows/") {
            self.rows += 1;
            return page(seen, &[]);
        }
        if seen.path.ends_with("/paymethods/") {
            return signed(seen, 200, &json!({ "items": [{ "id": 1, "combined_name": "pay_ideal" }] }).to_string());
        }
        assert_eq!((seen.path.as_str(), seen.query("orderby")), ("/api/rest/v1/orders/", Some("id")));
        self.heads += 1;
        let from = seen.query("min_create_date").unwrap().to_owned();
        assert_eq!(from.len(), 10, "the filter knows days");
        let status = seen.query("status").and_then(|text| text.parse::<u64>().ok());
        let is_shown = |order: &&Value| {
            order["create_date"].as_str().unwrap() >= from.as_str()
                && status.is_none_or(|status| order["status"] == status)
        };
        let mut shown: Vec<Value> = self.orders.iter().filter(is_shown).cloned().collect();
        shown.sort_by_key(|order| order["id"].as_u64());
        page(seen, &shown)
    }
}

struct Bench {
    shop: Arc<Mutex<Shop>>,
    clock: Arc<HandClock>,
    source: CcvShopSource,
    _server: TestServer,
}

impl Bench {
    /// It is six in the morning of the 22nd.
    async fn new(shop: Shop, options: Value) -> Self {
        let shop = Arc::new(Mutex::new(shop));
        let answering = Arc::clone(&shop);
        let server = TestServer::start(move |seen| answering.lock().unwrap().answer(seen)).await;
        let (clock, _, deps) = world();
        let source = CcvShopSource::new(&connection(&server.url, options), &deps).unwrap();
        Self { shop, clock, source, _server: server }
    }

    /// One run: the ids that were handed out, in their order, and the calls for heads and rows.
    async fn run(&self, since: &str) -> (Vec<u64>, usize, usize) {
        let clock = Arc::clone(&self.clock);
        let wait = move |after: std::time::Duration| clock.forward(i64::try_from(after.as_secs()).unwrap() + 1);
        (self.shop.lock().unwrap().heads, self.shop.lock().unwrap().rows) = (0, 0);
        let records = read_all(&self.source, Entity::Orders, since, &Calls::default(), wait).await;
        let ids = records.iter().map(|record| record.key.as_str().parse().unwrap()).collect();
        let shop = self.shop.lock().unwrap();
        (ids, shop.heads, shop.rows)
    }

    fn change(&self, id: u64, field: &str, value: Value) {
        let mut shop = self.shop.lock().unwrap();
        let order = shop.orders.iter_mut().find(|order| order["id"] == id).unwrap();
        order[field] = value;
    }
}

#[tokio::test]
async fn a_thousand_orders_take_a_thousand_and_four_calls() {
    let bench = Bench::new(Shop::new(1..=1_000, "2026-11-21T12:00:00Z"), json!({})).await;
    let calls = Calls::default();
    let clock = Arc::clone(&bench.clock);
    let wait = move |after: std::time::Duration| clock.forward(i64::try_from(after.as_secs()).unwrap() + 1);
    let records = read_all(&bench.source, Entity::Orders, "2026-11-21T00:00:00Z", &calls, wait).await;
    assert_eq!(records.len(), 1_000);
    assert_eq!(records[0].raw["paymethod_code"], "pay_ideal");
    let shop = bench.shop.lock().unwrap();
    assert_eq!((shop.heads, shop.rows), (4, 1_000));
    // And one look-up: the names of the ways to pay. A call that the limit holds back is not made.
    let lookups = calls.take().iter().filter(|exchange| exchange.path.contains("paymethods")).count();
    assert!(lookups <= 2, "{lookups}");
}

#[tokio::test]
async fn what_was_placed_before_the_beginning_is_left_alone_until_it_changes() {
    let bench = Bench::new(Shop::new(1..=20, "2026-11-20T12:00:00Z"), json!({})).await;
    bench.shop.lock().unwrap().orders[15]["create_date"] = json!("2026-11-22T05:00:00Z");
    assert_eq!(bench.run("2026-11-22T00:00:00Z").await, (vec![16], 1, 1));
    // The next run, with the beginning of the one before as its cursor: nothing changed, so one list is all.
    bench.clock.forward(300);
    assert_eq!(bench.run("2026-11-22T06:00:00Z").await, (vec![], 1, 0));
    // Paid, and a new status: neither can be asked for, both are seen.
    bench.change(3, "paid", json!(true));
    bench.change(7, "status", json!(5));
    assert_eq!(bench.run("2026-11-22T06:05:00Z").await, (vec![3, 7], 1, 2));
    // A run that failed begins again where it was: they are there once more, out of memory.
    bench.clock.forward(60);
    assert_eq!(bench.run("2026-11-22T06:05:00Z").await, (vec![3, 7], 1, 0));
    bench.clock.forward(60);
    assert_eq!(bench.run("2026-11-22T06:06:00Z").await, (vec![], 1, 0));
}

#[tokio::test]
async fn an_order_that_goes_away_hides_no_other() {
    for gone in 1..=12_u64 {
        for old in [false, true] {
            let placed = if old { "2026-01-05T12:00:00Z" } else { "2026-11-21T12:00:00Z" };
            let bench = Bench::new(Shop::new(1..=12, placed), json!({ "page_size": 4 })).await;
            let mut query =
                FetchQuery { entity: Entity::Orders, since: "2026-01-01T00:00:00Z".parse().unwrap(), page: None };
            let mut ids = Vec::new();
            for page in 0..20 {
                let fetched = bench.source.fetch_page(&query, &Calls::default()).await.unwrap();
                ids.extend(fetched.records.iter().map(|record| record.key.as_str().parse::<u64>().unwrap()));
                query.page = fetched.next;
                if query.page.is_none() {
                    break;
                }
                if page == 1 {
                    bench.shop.lock().unwrap().orders.retain(|order| order["id"] != gone);
                }
            }
            // Among recent orders the next run finds what this one missed.
            if !old {
                ids.extend(bench.run("2026-01-01T00:00:00Z").await.0);
            }
            ids.sort_unstable();
            ids.dedup();
            for id in (1..=12).filter(|id| *id != gone) {
                assert!(ids.contains(&id), "{id} was missed when {gone} went away, old: {old}");
            }
        }
    }
}

#[tokio::test]
async fn calls_that_are_used_up_half_way_lose_nothing_that_was_read() {
    let bench = Bench::new(Shop::new(1..=200, "2026-11-21T12:00:00Z"), json!({})).await;
    let mut query = FetchQuery { entity: Entity::Orders, since: "2026-11-21T00:00:00Z".parse().unwrap(), page: None };
    let mut ids = Vec::new();
    // No time passes: the calls of the minute end it.
    let failure = loop {
        match bench.source.fetch_page(&query, &Calls::default()).await {
            Ok(page) => {
                ids.extend(page.records.iter().map(|record| record.key.to_string()));
                query.page = page.next;
            }
            Err(failure) => break failure,
        }
    };
    assert!(matches!(failure, Failure::Retry { after: Some(_), .. }), "{failure:?}");
    assert_eq!(ids.len(), 120, "each of them is handed out");
    bench.clock.forward(70);
    let page = bench.source.fetch_page(&query, &Calls::default()).await.unwrap();
    assert_eq!(page.records[0].key.as_str(), "121");
    assert_eq!(bench.shop.lock().unwrap().heads, 1, "and the list is not read again for it");
}

#[tokio::test]
async fn statuses_are_read_one_by_one_when_the_connection_names_them() {
    let bench = Bench::new(Shop::new(1..=6, "2026-11-21T12:00:00Z"), json!({ "order_statuses": "new, sent" })).await;
    bench.change(2, "status", json!(5));
    bench.change(4, "status", json!(8));
    assert_eq!(bench.run("2026-11-21T00:00:00Z").await, (vec![1, 3, 5, 6, 2], 2, 5));
    // What changes to a status that is read has changed, whenever it was placed.
    bench.change(4, "status", json!(5));
    assert_eq!(bench.run("2026-11-22T06:00:00Z").await.0, [4]);
}

#[tokio::test]
async fn orders_of_a_window_are_listed_without_their_rows() {
    let bench = Bench::new(Shop::new(1..=5, "2026-11-21T12:00:00Z"), json!({})).await;
    bench.shop.lock().unwrap().orders[4]["create_date"] = json!("2026-11-21T15:00:00Z");
    bench.change(2, "status", json!(8));
    let window = |statuses: &[&str]| Window {
        entity: Entity::Orders,
        since: "2026-11-21T11:00:00Z".parse().unwrap(),
        until: "2026-11-21T13:00:00Z".parse().unwrap(),
        statuses: statuses.iter().map(|status| (*status).to_owned()).collect(),
    };
    let labels = async |statuses: &[&str]| {
        let list = bench.source.list_changed(&window(statuses), &Calls::default()).await.unwrap().unwrap();
        list.into_iter().map(|changed| changed.label).collect::<Vec<_>>()
    };
    assert_eq!(labels(&[]).await, ["W1", "W2", "W3", "W4"]);
    assert_eq!(labels(&["cancelled"]).await, ["W2"]);
    let customers = Window { entity: Entity::Customers, ..window(&[]) };
    assert_eq!(bench.source.list_changed(&customers, &Calls::default()).await.unwrap(), None);
}

/// A shop with one order, its invoice, and what was credited of it.
fn credits(seen: &Seen) -> Reply {
    let order = serde_json::from_str::<Vec<Value>>(super::rows::ORDERS).unwrap().remove(0);
    let credit: Value = serde_json::from_str(include_str!("../fixtures/credit.json")).unwrap();
    let rows = |record: &Value, name: &str| record[name]["collection"].as_array().cloned().unwrap();
    match seen.path.trim_start_matches("/api/rest/v1/") {
        "invoices/" => {
            assert!(seen.query("min_create_date").is_some_and(|from| from.len() == 10));
            page(seen, &[json!({ "id": 89, "type": "debit", "create_date": "2026-11-25T08:00:00Z" }), credit])
        }
        "invoices/90/" => signed(seen, 200, &credit.to_string()),
        "invoices/89/" => signed(seen, 200, "{\"id\": 89, \"type\": \"debit\"}"),
        "invoices/90/invoicerows/" => page(seen, &rows(&credit, "invoicerows")),
        "orders/1001/" => signed(seen, 200, &order.to_string()),
        "orders/1001/orderrows/" => page(seen, &rows(&order, "orderrows")),
        "paymethods/" => signed(seen, 200, "{\"items\": []}"),
        other => panic!("{other} was not to be asked"),
    }
}

#[tokio::test]
async fn a_credit_comes_with_its_order() {
    let server = TestServer::start(credits).await;
    let (_, _, deps) = world();
    let source = CcvShopSource::new(&connection(&server.url, json!({})), &deps).unwrap();
    let calls = Calls::default();
    let records = read_all(&source, Entity::Refunds, "2026-11-25T06:00:00Z", &calls, |_| ()).await;
    assert_eq!(records.len(), 1, "an invoice is no credit");
    assert_eq!((records[0].key.as_str(), records[0].label.as_str()), ("1001/90", "W24 credit F2026090"));
    assert_eq!(server.take().len(), 5, "invoices, order, two kinds of rows, names of the ways to pay");
    assert_eq!(records[0].raw["refund"]["rows"][0]["quantity"], "-1");
    assert_eq!(records[0].raw["order"]["paid_total"], "590");
    let one = source.fetch_one(Entity::Refunds, &records[0].key, &calls).await.unwrap().unwrap();
    assert_eq!(one, records[0]);
    for other in ["1001/89", "1002/90", "90"] {
        assert!(source.fetch_one(Entity::Refunds, &key(other), &calls).await.unwrap().is_none(), "{other}");
    }
    let later = read_all(&source, Entity::Refunds, "2026-11-25T09:06:00Z", &calls, |_| ()).await;
    assert!(later.is_empty(), "it was made before");
}
