//! What is explained is what happened: the rows and settings that are named give the values that were sent.

use koppel_core::NonEmpty;
use koppel_core::ports::Calls;
use koppel_flows::steps::explain::{BySetting, Explained, explain};
use koppel_flows::steps::preview;
use koppel_flows::{config, connections, trail};
use serde_json::{Value, json};

use super::world::{FLOW, World, yaml};

async fn explained(world: &World, id: &str) -> Explained {
    let engine = &world.embedded.engine;
    let stored = config::load_current(&*engine.store, &world.tenant).await.unwrap().unwrap();
    let flow = preview::load(engine, &world.tenant, FLOW, &stored.config, &stored.file).await.unwrap();
    let source = connections::source(engine, &world.tenant, &stored.config, "shop").await.unwrap();
    let key = NonEmpty::new(id).unwrap();
    let record = source.fetch_one(flow.flow.entity, &key, &Calls::default()).await.unwrap().unwrap();
    explain(engine, &flow, &record).await
}

fn code<'a>(explained: &'a Explained, path: &str) -> &'a BySetting {
    explained.codes.iter().find(|code| code.path == path).unwrap_or_else(|| panic!("no {path}"))
}

#[tokio::test]
async fn each_value_names_its_row_and_each_code_its_setting() {
    let own = "    map:\n      reference: '\"WEB-\" ~ source.number'\n      target.Description: order.number\n";
    let world = World::new(|sandbox| format!("{}{own}", yaml(sandbox))).await;
    let told = explained(&world, "26").await;
    assert!(told.stopped.is_none(), "{:?}", told.stopped);
    let passed: Vec<&str> = told.passed.iter().map(|passed| passed.row.as_str()).collect();
    assert_eq!(passed, ["filter.status", "filter.where"]);

    let row = |path: &str| told.document.iter().find(|row| row.path == path).unwrap();
    assert_eq!((row("reference").own, &row("reference").value), (true, &json!("WEB-26")));
    assert_eq!(row("reference").file, "koppel.yaml");
    let number = row("number");
    assert_eq!((number.own, number.file.as_str()), (false, "woocommerce/rows/order.yaml"));
    let file = include_str!("../../shared/connectors/src/woocommerce/rows/order.yaml");
    let line = file.lines().nth(number.lines[0] - 1).unwrap();
    assert_eq!(line.trim(), format!("number: {}", number.cell));

    let vat = code(&told, "lines[0].vat_code");
    assert_eq!((vat.code.as_str(), vat.part, vat.key.as_str()), ("7", "table", "BE/0/exempt"));
    let terms = code(&told, "payment_terms");
    assert_eq!(terms.setting, "settings.payment_terms");
    assert_eq!((terms.code.as_str(), terms.part, terms.key.as_str()), ("30", "table", "bacs"));
    assert_eq!(code(&told, "lines[0].item").part, "article_number");
    let guest = explained(&world, "27").await;
    let debtor = code(&guest, "default_customer");
    assert_eq!((debtor.code.as_str(), debtor.part, debtor.key.as_str()), ("10000", "when", "guest"));
    assert!(!told.customer.is_empty() && told.cents.is_some());
    let sent = told.sent.iter().find(|row| row.path == "Description").unwrap();
    assert_eq!((sent.own, &sent.value), (true, &json!("26")));
}

/// Puts a traced value where it belongs.
fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    let pointer = format!("/{}", path.replace(['.', '['], "/").replace(']', ""));
    value.pointer(&pointer).unwrap_or(&Value::Null)
}

#[tokio::test]
async fn what_is_explained_is_what_a_run_has_sent() {
    let world = World::new(yaml).await;
    let ended = world.run().await;
    for label in ["23", "24", "25", "26", "27", "31"] {
        let told = explained(&world, label).await;
        let key = &ended.by_label[label].key;
        let entries = trail::read(&world.embedded.engine, &world.tenant, FLOW, key).await.unwrap();
        let payload = &entries.last().unwrap().payload["payload"];
        let mut compared = 0;
        for row in &told.sent {
            let is_placeholder = row.value.as_str().is_some_and(|text| text.starts_with("<id of"));
            // A whole list repeats the values of its lines, placeholders among them.
            if !is_placeholder && !row.value.is_array() {
                assert_eq!(at(payload, &row.path), &row.value, "{label}: {}", row.path);
                compared += 1;
            }
        }
        assert!(compared > 10, "{label}: only {compared} values were compared");
        let sent: Vec<&str> = told.sent.iter().map(|row| row.path.as_str()).collect();
        assert!(sent.contains(&"YourRef") && sent.contains(&"SalesOrderLines[0].VATCode"), "{sent:?}");
    }
}

#[tokio::test]
async fn a_record_that_ends_says_where() {
    let world = World::new(|sandbox| yaml(sandbox).replace(", DE/19: \"12\"", "")).await;
    let told = explained(&world, "28").await;
    assert_eq!(told.stopped.as_ref().unwrap().place.row.as_deref(), Some("filter.status"));
    assert!(told.document.is_empty());
    let told = explained(&world, "27").await;
    assert_eq!(told.stopped.as_ref().unwrap().code, "missing_vat_rule");
    assert!(!told.document.is_empty() && told.sent.is_empty(), "what was decided before is shown");
}
