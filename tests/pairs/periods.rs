//! Every ERP with a period that it has closed: what the flow says decides, one refused document is enough to know, and what
//! gets another date is the same document in everything else.

use chrono::{DateTime, Utc};
use koppel_core::outcome::Outcome;
use koppel_hosting::embedded;
use koppel_sandbox::{Inspector, Options};
use serde_json::{Value, json};

use super::books::{self, Books};
use super::shops::WOOCOMMERCE;
use super::{ORDERS, run, yaml};
use crate::chain::world::World;

/// Where the document of an ERP has its dates.
struct Dates {
    books: &'static Books,
    /// Switch value that closes November.
    closed: &'static str,
    /// Table, and the field of the reference.
    table: (&'static str, &'static str),
    /// The field of the date.
    date: &'static str,
    /// The field that says the true date; none where the system has none that is free.
    text: Option<&'static str>,
    /// Path of the call that makes a document.
    post: &'static str,
}

const EXACT_ONLINE: Dates = Dates {
    books: &books::EXACT_ONLINE,
    closed: "2026-11-30",
    table: ("SalesOrders", "/YourRef"),
    date: "/OrderDate",
    text: Some("/Description"),
    post: "SalesOrders",
};

const VISMA_NET: Dates = Dates {
    books: &books::VISMA_NET,
    closed: "2026-11-30",
    table: ("salesorder", "/customer/refNo"),
    date: "/date",
    text: Some("/description"),
    post: "SalesOrders",
};

const ACCOUNTVIEW: Dates = Dates {
    books: &books::ACCOUNTVIEW,
    closed: "2026-11-30",
    table: ("PH_SOHDR", "/COMMENT1"),
    date: "/ORD_DATE",
    text: Some("/COMMENT2"),
    post: "SO1",
};

const ASPERION: Dates = Dates {
    books: &books::ASPERION,
    closed: "2026-11",
    table: ("salesinvoiceswithlines", "/description"),
    date: "/date",
    // The description of an invoice is the key by which it is found again.
    text: None,
    post: "salesinvoiceswithlines",
};

/// The second of December, with orders of the 22nd of November in the shop.
async fn world(dates: &Dates, setting: &str) -> World {
    let now: DateTime<Utc> = "2026-12-02T10:00:00Z".parse().unwrap();
    let mut switches: Value = serde_json::from_str(dates.books.switches).unwrap();
    switches["closed_until"] = json!(dates.closed);
    let options = Options::default().start_time(now).switch(dates.books.system, switches);
    let world = World::with(options, std::path::Path::new(embedded::IN_MEMORY), |sandbox| {
        yaml(&WOOCOMMERCE, dates.books, sandbox).replacen("    settings:\n", &format!("    settings:\n{setting}"), 1)
    })
    .await;
    inside(&world, dates).reset_calls();
    world
}

fn inside(world: &World, dates: &Dates) -> Inspector {
    world.sandbox.system(dates.books.system).expect("the books")
}

/// Documents that were posted, whatever became of them.
fn posts(world: &World, dates: &Dates) -> usize {
    let (post, object) = (dates.post, format!("\"{}\"", dates.post));
    let log = inside(world, dates).log();
    log.iter().filter(|call| call.method == "POST" && (call.path.contains(post) || call.body.contains(&object))).count()
}

fn documents(world: &World, dates: &Dates, reference: &str) -> Vec<Value> {
    let (table, field) = dates.table;
    let rows = inside(world, dates).documents(table);
    rows.into_iter()
        .filter(|row| row.pointer(field).and_then(Value::as_str).map(str::trim) == Some(reference))
        .collect()
}

async fn is_rejected(dates: &Dates) {
    let world = world(dates, "").await;
    let ended = run(&world, ORDERS, &["23", "31"]).await;
    assert_eq!(ended.labels(Outcome::Rejected), ["23", "31"], "{:#?}", ended.by_label);
    for label in ["23", "31"] {
        let cause = ended.cause(label);
        for part in [&format!("order {label} of 2026-11-22"), "2026-11", "closed", "settings.closed_period"] {
            assert!(cause.contains(part), "{part} is not in: {cause}");
        }
    }
    assert_eq!(posts(&world, dates), 1, "one refusal is enough: {:?}", inside(&world, dates).calls());
    assert!(documents(&world, dates, "WC-23").is_empty());
}

async fn is_dated_later(dates: &Dates) {
    let world = world(dates, "      closed_period: first_open_day\n").await;
    let ended = run(&world, ORDERS, &["23", "31"]).await;
    assert_eq!(ended.labels(Outcome::Created), ["23", "31"], "{:#?}", ended.by_label);
    for (label, reference) in [("23", "WC-23"), ("31", "WC-31")] {
        let found = documents(&world, dates, reference);
        assert_eq!(found.len(), 1, "{reference}: {found:#?}");
        let text = |pointer: &str| found[0].pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        assert!(text(dates.date).starts_with("2026-12-01"), "{:#?}", found[0]);
        let warning = ended.by_label[label].warnings.iter().find(|warning| warning.code == "dated_later").unwrap();
        match dates.text {
            Some(field) => {
                assert!(text(field).contains("dated 2026-11-22"), "{field}: {:#?}", found[0]);
                assert!(warning.message.contains("2026-11-22 stands in its"), "{warning}");
            }
            None => assert!(warning.message.contains("no field of it says 2026-11-22"), "{warning}"),
        }
    }
    // Who tells its periods refuses nothing; of the others one document has found out.
    let told = dates.books.system == "visma-net";
    assert_eq!(posts(&world, dates), if told { 2 } else { 3 }, "{:?}", inside(&world, dates).calls());
    // Once more: it is known by its reference, whatever its date.
    let again = run(&world, ORDERS, &["23", "31"]).await;
    assert_eq!(again.labels(Outcome::Unchanged), ["23", "31"], "{:#?}", again.by_label);
    assert_eq!(documents(&world, dates, "WC-23").len(), 1);
}

macro_rules! books {
    ($($rejected:ident $later:ident: $books:ident,)*) => {$(
        #[tokio::test]
        async fn $rejected() {
            is_rejected(&$books).await;
        }

        #[tokio::test]
        async fn $later() {
            is_dated_later(&$books).await;
        }
    )*};
}

books! {
    exact_online_rejects exact_online_gets_the_first_open_day: EXACT_ONLINE,
    visma_net_rejects visma_net_gets_the_first_open_day: VISMA_NET,
    accountview_rejects accountview_gets_the_first_open_day: ACCOUNTVIEW,
    asperion_rejects asperion_gets_the_first_open_day: ASPERION,
}
