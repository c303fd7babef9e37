//! Each fault that a flow can meet is seeded in a sandbox and found, it alone, with what to do about it.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::TimeDelta;
use koppel_core::document::Entity;
use koppel_core::error::Cause;
use koppel_core::ports::{Calls, Finding, Severity};
use koppel_flows::doctor::{Diagnosis, examine};
use koppel_flows::{config, connections, webhooks};
use koppel_hosting::embedded::IN_MEMORY;
use koppel_sandbox::faults::{FaultAction, FaultRule};
use koppel_sandbox::{Handle, Options};
use serde_json::json;

use super::world::{World, yaml};

async fn diagnosis(world: &World) -> Diagnosis {
    let engine = &world.embedded.engine;
    let stored = config::load_current(&*engine.store, &world.tenant).await.unwrap().unwrap();
    let found = examine(engine, &world.tenant, &stored, None).await.unwrap();
    for finding in &found.findings {
        assert!(finding.cause.advice.is_some(), "nothing is said to do about {finding:?}");
        assert!(!finding.cause.place.is_nowhere(), "no place is told of {finding:?}");
    }
    found
}

/// The codes of all findings.
async fn codes(world: &World) -> Vec<String> {
    diagnosis(world).await.findings.into_iter().map(|finding| finding.cause.code).collect()
}

/// The one finding.
async fn only(world: &World) -> Finding {
    let mut found = diagnosis(world).await.findings;
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

/// A world whose configuration has `new` in place of `old`.
async fn with(old: &'static str, new: &'static str) -> World {
    World::new(move |sandbox| replaced(sandbox, old, new)).await
}

fn replaced(sandbox: &Handle, old: &str, new: &str) -> String {
    let text = yaml(sandbox);
    assert!(text.contains(old), "{old} is not in the configuration");
    text.replace(old, new)
}

const ROUNDING: &str = "      rounding: { line: true, item: \"AFRONDING\", vat_code: \"0\", max: \"0.05\" }\n";

#[tokio::test]
async fn a_healthy_pair_has_no_findings_and_nothing_is_written() {
    let world = World::new(yaml).await;
    let found = diagnosis(&world).await;
    assert!(found.findings.is_empty(), "{:#?}", found.findings);
    assert_eq!(found.reached, ["books".to_owned(), "shop".to_owned()].into());
    assert!(found.orders >= 6 && found.calls > 0, "{found:?}");
    let writes = world.sandbox.exact().calls().into_keys().chain(world.sandbox.woocommerce().calls().into_keys());
    let writes: Vec<String> = writes.filter(|call| !call.starts_with("GET ")).collect();
    assert!(writes.iter().all(|call| call.contains("token")), "{writes:?}");
}

#[tokio::test]
async fn wrong_keys_and_keys_that_may_only_read() {
    let finding = only(&with("cs_68", "cs_00").await).await;
    assert_eq!((finding.cause.code.as_str(), finding.severity), ("keys_refused", Severity::Error));
    assert_eq!(finding.cause.place.connection.as_deref(), Some("shop"));

    let read_only = |sandbox: &Handle| {
        replaced(sandbox, "    entity: orders\n", "    entity: orders\n    webhook: true\n")
            .replace("ck_40e6269f8e005c6da0b6f94b649bc5b85f8294e1", "ck_349fe14cbe9a902983657d5cdb631baa0efd6567")
            .replace("cs_68568b8871d2d70d583699ea3665e0297f6ebe28", "cs_a6e5b15029acbf51ee842292643ac966a9f4c93a")
    };
    let world = World::new(read_only).await;
    assert_eq!(codes(&world).await, ["keys_read_only", "webhook_not_registered"]);
    let rights = || json!({"missing_scopes": ["Sales orders"]});
    let world = World::new(yaml).await;
    world.sandbox.exact().set_switches(rights()).unwrap();
    assert_eq!(codes(&world).await, ["scope_missing"]);
}

/// A shop over https, in a folder that also holds its authority.
async fn secure(folder: &Path, switches: serde_json::Value) -> World {
    let options = Options::default().state(folder).tls("woocommerce").switch("woocommerce", switches);
    World::with(options, Path::new(IN_MEMORY), |sandbox| {
        let authority = sandbox.ca_file().unwrap().display().to_string();
        replaced(sandbox, "    system: woocommerce\n", &format!("    system: woocommerce\n    ca_file: {authority}\n"))
    })
    .await
}

#[tokio::test]
async fn a_host_that_strips_the_header_and_a_shop_that_calls_itself_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let world = secure(folder.path(), json!({"strip_authorization": true})).await;
    let finding = only(&world).await;
    assert_eq!((finding.cause.code.as_str(), finding.severity), ("authorization_stripped", Severity::Warning));
    let folder = tempfile::tempdir().unwrap();
    let world = secure(folder.path(), json!({"site_url": "https://www.elders.example"})).await;
    let finding = only(&world).await;
    assert_eq!(finding.cause.code, "other_address");
    assert!(finding.cause.message.contains("www.elders.example"), "{finding:?}");
}

#[tokio::test]
async fn plain_permalinks_and_a_redirect_to_another_host() {
    let world = World::new(yaml).await;
    let fault = FaultRule::new(FaultAction::HtmlPage).path("wp-json").status(404).count(0);
    world.sandbox.fault("woocommerce", fault).unwrap();
    assert_eq!(codes(&world).await, ["no_rest_api"]);
    world.sandbox.woocommerce().clear_faults();
    let mut fault = FaultRule::new(FaultAction::Status).path("wp-json").status(301).count(0);
    fault.headers = vec![("Location".into(), "https://www.elders.example/wp-json".into())];
    world.sandbox.fault("woocommerce", fault).unwrap();
    let finding = only(&world).await;
    assert!(finding.cause.message.contains("www.elders.example"), "{finding:?}");
}

#[tokio::test]
async fn a_shop_that_reads_times_as_its_own() {
    let world = World::new(yaml).await;
    world.sandbox.woocommerce().set_switches(json!({"dates_are_gmt": false})).unwrap();
    assert_eq!(codes(&world).await, ["dates_are_gmt_ignored"]);
}

#[tokio::test]
async fn tax_settings_matter_without_a_rounding_line_only() {
    let world = with(ROUNDING, "").await;
    for (switch, code) in [("tax_round_at_subtotal", "round_at_subtotal"), ("prices_include_tax", "prices_include_tax")]
    {
        world.sandbox.woocommerce().set_switches(json!({ switch: true })).unwrap();
        assert_eq!(codes(&world).await, [code]);
        world.sandbox.woocommerce().set_switches(json!({ switch: false })).unwrap();
    }
    assert_eq!(codes(&world).await, Vec::<String>::new());
    let world = World::new(yaml).await;
    let both = json!({"tax_round_at_subtotal": true, "prices_include_tax": true});
    world.sandbox.woocommerce().set_switches(both).unwrap();
    assert_eq!(codes(&world).await, Vec::<String>::new());
}

#[tokio::test]
async fn article_numbers_that_are_there_twice_or_not_at_all() {
    let world = World::new(yaml).await;
    assert!(world.sandbox.woocommerce().inspect("POST", "catalogue", &json!(null)).0 < 300);
    let finding = only(&world).await;
    assert_eq!(finding.cause.code, "duplicate_sku");
    assert!(finding.cause.message.contains("THEEPOT") && finding.cause.message.contains("60"), "{finding:?}");
    let finding = only(&with("      default_item: \"DIVERS\"\n", "").await).await;
    assert_eq!((finding.cause.code.as_str(), finding.severity), ("empty_sku", Severity::Warning));
}

#[tokio::test]
async fn vat_rules_that_are_missing_or_do_not_fit() {
    let finding = only(&with(", DE/19: \"12\"", "").await).await;
    assert_eq!(finding.cause.code, "missing_vat_rule");
    assert!(finding.cause.message.contains("19 % to DE"), "{finding:?}");
    assert!(finding.cause.advice.as_deref().unwrap().contains("\"DE/19"), "{finding:?}");
    assert_eq!(codes(&with("NL/9: \"2\"", "NL/9: \"4\"").await).await, ["vat_rate_differs"]);
    assert_eq!(codes(&with("NL/21: \"4\"", "NL/21: \"3\"").await).await, ["vat_code_including"]);
}

#[tokio::test]
async fn codes_that_the_books_do_not_have_or_do_not_let_use() {
    for (old, new, code) in [
        ("bacs: \"30\"", "bacs: \"31\"", "unknown_payment_terms"),
        ("vat_code: \"0\"", "vat_code: \"9\"", "blocked_vat_code"),
        ("vat_code: \"0\"", "vat_code: \"77\"", "unknown_vat_code"),
        ("code: \"10000\"", "code: \"10002\"", "blocked_default_customer"),
        ("code: \"10000\"", "code: \"10009\"", "unknown_default_customer"),
        ("fee_item: \"TOESLAG\"", "fee_item: \"NIET-VERKOOP\"", "item_not_for_sale"),
        ("fee_item: \"TOESLAG\"", "fee_item: \"NERGENS\"", "unknown_item"),
        ("fee_item: \"TOESLAG\"", "fee_item: \"TOESLAG\"\n      journal: \"99\"", "unknown_journal"),
        ("fee_item: \"TOESLAG\"", "fee_item: \"TOESLAG\"\n      journal: \"90\"", "journal_not_for_sales"),
        ("fee_item: \"TOESLAG\"", "fee_item: \"TOESLAG\"\n      journal: \"75\"", "blocked_journal"),
        ("fee_item: \"TOESLAG\"", "fee_item: \"TOESLAG\"\n      revenue_account: \"8099\"", "unknown_revenue_account"),
        ("fee_item: \"TOESLAG\"", "fee_item: \"TOESLAG\"\n      revenue_account: \"8040\"", "blocked_revenue_account"),
        ("bacs: \"30\" }, default: \"00\"", "bacs: \"30\" }, default: \"0\"", "unknown_payment_terms"),
    ] {
        let world = with(old, new).await;
        for (resource, row) in [
            (
                "financial/Journals",
                json!({"Code": "75", "Description": "Oud verkoopboek", "Type": 20, "IsBlocked": true}),
            ),
            (
                "financial/GLAccounts",
                json!({"Code": "8040", "Description": "Oude omzet", "Type": 110, "IsBlocked": true}),
            ),
        ] {
            assert!(world.sandbox.exact().inspect("POST", &format!("rows/{resource}"), &row).0 < 300);
        }
        let finding = only(&world).await;
        assert_eq!(finding.cause.code, code);
        assert!(finding.cause.place.row.as_deref().unwrap().starts_with("settings."), "{finding:?}");
        assert_eq!(finding.cause.place.flow.as_deref(), Some("web-orders"));
    }
}

#[tokio::test]
async fn an_invoice_without_a_journal() {
    let invoice = "    document: sales-invoice\n";
    let finding = only(&with("    document: sales-order\n", invoice).await).await;
    assert_eq!((finding.cause.code.as_str(), finding.severity), ("missing_journal", Severity::Error));
    assert_eq!(finding.cause.place.row.as_deref(), Some("settings.journal"));
    let own = "    document: sales-invoice\n    map: { target.Journal: '\"70\"' }\n";
    assert_eq!(codes(&with("    document: sales-order\n", own).await).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_division_that_is_blocked_or_closed() {
    let world = World::new(yaml).await;
    let exact = world.sandbox.exact();
    let division = exact.documents("Divisions").remove(0);
    // What the sandbox keeps of every row, and this resource does not have.
    const UNKNOWN: [&str; 3] = ["Timestamp", "Modified", "Division"];
    let put = |changes: serde_json::Value| {
        let mut row = division.clone();
        row.as_object_mut().unwrap().retain(|name, _| !UNKNOWN.contains(&name.as_str()));
        row.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let (status, answer) = exact.inspect("POST", "rows/system/Divisions", &row);
        assert!(status < 300, "{answer}");
    };
    put(json!({ "BlockingStatus": 1 }));
    let finding = only(&world).await;
    assert_eq!((finding.cause.code.as_str(), finding.severity), ("division_blocked", Severity::Error));
    assert!(finding.cause.message.contains("123456") && finding.cause.message.contains('1'), "{finding:?}");
    put(json!({ "ArchiveDate": "2025-01-31T00:00:00" }));
    let finding = only(&world).await;
    assert!(finding.cause.message.contains("archived since 2025-01-31"), "{finding:?}");
    put(json!({}));
    assert_eq!(codes(&world).await, Vec::<String>::new());
    exact.set_switches(json!({ "forbidden_reason": "DivisionBlocked" })).unwrap();
    let finding = only(&world).await;
    assert_eq!(finding.cause.code, "division_blocked");
    assert_eq!(finding.cause.place.connection.as_deref(), Some("books"));
}

#[tokio::test]
async fn an_endpoint_that_rests_after_errors() {
    let world = World::new(yaml).await;
    let refused =
        FaultRule::new(FaultAction::Status).path("salesorder/SalesOrders").method("POST").status(400).count(0);
    world.sandbox.fault("exact-online", refused).unwrap();
    world.run().await;
    world.sandbox.exact().clear_faults();
    let finding = only(&world).await;
    assert_eq!((finding.cause.code.as_str(), finding.severity), ("endpoint_rests", Severity::Warning));
    assert!(finding.cause.message.contains("salesorder/SalesOrders"), "{finding:?}");
    assert_eq!(finding.cause.place.connection.as_deref(), Some("books"));
    world.sandbox.clock().advance(TimeDelta::minutes(70));
    assert_eq!(codes(&world).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_division_that_cannot_be_used() {
    let finding = only(&with("division: 123456", "division: 654321").await).await;
    assert_eq!(finding.cause.code, "division_not_reachable");
    assert!(finding.cause.advice.as_deref().unwrap().contains("123456"), "{finding:?}");
}

#[tokio::test]
async fn consent_that_is_missing_grew_old_or_was_lost() {
    let world = World::new(yaml).await;
    world.sandbox.clock().advance(TimeDelta::days(25));
    let finding = only(&world).await;
    assert_eq!((finding.cause.code.as_str(), finding.severity), ("token_old", Severity::Warning));
    assert_eq!(codes(&world).await, Vec::<String>::new(), "the look itself has renewed them");
    let engine = &world.embedded.engine;
    connections::stop(engine, &world.tenant, "books", &Cause::new("needs_consent", "gone")).await.unwrap();
    assert_eq!(only(&world).await.cause.code, "connection_stopped");
    world.sandbox.exact().inspect("POST", "reset", &json!(null));
    world.sandbox.clock().advance(TimeDelta::minutes(15));
    assert_eq!(only(&world).await.cause.code, "needs_consent");

    let sandbox = koppel_sandbox::Sandbox::start(Options::default()).await.unwrap();
    let world = World::around(sandbox, Path::new(IN_MEMORY)).await;
    world.apply(&yaml(&world.sandbox)).await;
    assert_eq!(only(&world).await.cause.code, "never_connected");
}

#[tokio::test]
async fn webhooks_that_are_not_registered_missing_or_elsewhere() {
    let world = with("    entity: orders\n", "    entity: orders\n    webhook: true\n").await;
    let (engine, tenant) = (&world.embedded.engine, &world.tenant);
    assert_eq!(codes(&world).await, ["webhook_not_registered"]);
    let stored = config::load_current(&*engine.store, tenant).await.unwrap().unwrap();
    webhooks::register(engine, tenant, &stored.config, "shop", "http://127.0.0.1:9").await.unwrap();
    assert_eq!(codes(&world).await, Vec::<String>::new());
    for (status, code) in [("disabled", "webhook_disabled"), ("paused", "webhook_paused")] {
        let (answer, why) = world.sandbox.woocommerce().inspect("POST", "webhooks", &json!({ "status": status }));
        assert!(answer < 300, "{why}");
        let found: BTreeSet<String> = codes(&world).await.into_iter().collect();
        assert_eq!(found, [code.to_owned()].into());
    }
    assert!(world.sandbox.woocommerce().inspect("POST", "reset", &json!(null)).0 < 300);
    let found: BTreeSet<String> = codes(&world).await.into_iter().collect();
    assert_eq!(found, ["webhook_missing".to_owned()].into());
    let connection = connections::open(engine, tenant, &stored.config, "shop").await.unwrap();
    let admin = engine.systems.webhook_admin(&connection).unwrap().unwrap();
    for topic in admin.topics(Entity::Orders) {
        admin.register(topic, "http://127.0.0.1:8/webhook/main/shop", "s", &Calls::default()).await.unwrap();
    }
    let found: BTreeSet<String> = codes(&world).await.into_iter().collect();
    assert_eq!(found, ["webhook_wrong_address".to_owned()].into());
}

#[tokio::test]
async fn a_day_with_too_few_calls() {
    let world = with("    country: nl\n", "    country: nl\n    calls_per_day: 200\n").await;
    let every_minute =
        replaced(&world.sandbox, "    entity: orders\n", "    entity: orders\n    schedule: { every: 1m }\n")
            .replace("    country: nl\n", "    country: nl\n    calls_per_day: 200\n");
    world.apply(&every_minute).await;
    assert_eq!(codes(&world).await, Vec::<String>::new());
    world.run().await;
    world.sandbox.clock().advance(TimeDelta::minutes(2));
    let finding = only(&world).await;
    assert_eq!(finding.cause.code, "budget_forecast");
    assert_eq!(finding.cause.place.connection.as_deref(), Some("books"));
}

#[tokio::test]
async fn orders_in_another_currency_than_the_books() {
    let world = World::new(yaml).await;
    let mut order = world.sandbox.woocommerce().documents("orders").into_iter().find(|o| o["id"] == 24).unwrap();
    order["id"] = json!(61);
    order["number"] = json!("61");
    order["currency"] = json!("USD");
    assert!(world.sandbox.woocommerce().inspect("POST", "orders", &order).0 < 300);
    let finding = only(&world).await;
    assert_eq!((finding.cause.code.as_str(), finding.severity), ("foreign_currency", Severity::Warning));
    assert!(finding.cause.message.contains("USD") && finding.cause.message.contains("EUR"), "{finding:?}");
}
