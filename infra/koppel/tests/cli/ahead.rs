//! Looking ahead: what plan, doctor and explain say before anything is done.

use serde_json::Value;

use crate::bench::{Bench, texts};

fn json_of(bench: &Bench, arguments: &[&str]) -> (Value, i32) {
    let output = bench.run(arguments);
    let (out, err) = texts(&output);
    let value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"));
    (value, output.status.code().unwrap())
}

fn said(bench: &Bench, arguments: &[&str]) -> (String, i32) {
    let output = bench.run(arguments);
    let (out, err) = texts(&output);
    (format!("{out}{err}"), output.status.code().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_shown_and_nothing_is_done() {
    let bench = Bench::connected().await;
    let (text, code) = said(&bench, &["plan", "web-orders"]);
    assert_eq!(code, 0, "{text}");
    for part in ["would", "create  WC-23", "VAT code", "tax as charged", "Only a run finds out:", "nothing was written"]
    {
        assert!(text.contains(part), "«{part}» is missing in\n{text}");
    }
    assert!(text.contains("28  filter: status «pending»"), "{text}");
    assert!(bench.sandbox().exact().documents("SalesOrders").is_empty());
    let (plan, _) = json_of(&bench, &["plan", "web-orders", "--json", "--limit", "2"]);
    assert_eq!(
        (&plan["funnel"]["fetched"], &plan["records"][0]["natural_key"]),
        (&2.into(), &"WC-23".into()),
        "{plan}"
    );
    assert_eq!(plan["records"][0]["payload"]["YourRef"], "WC-23");

    // The file may be tried before it is applied.
    bench.write(&bench.example().replace("          DE/19: \"12\"\n", ""));
    let (text, code) = said(&bench, &["plan", "web-orders", "--draft"]);
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("27  wait: no VAT code for 19 % to DE"), "{text}");
    assert_eq!(said(&bench, &["plan", "web-orders"]).1, 0, "what is in force is as it was");
    let (text, code) = said(&bench, &["plan", "web-order"]);
    assert!(code == 2 && text.contains("did you mean «web-orders»?"), "{text}");

    bench.ok(&["run", "web-orders"]);
    let (plan, _) = json_of(&bench, &["plan", "web-orders", "--since", "2026-01-01", "--json"]);
    assert_eq!(plan["funnel"]["outcomes"]["unchanged"], 6, "{plan}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_ends_with_one_when_something_is_wrong() {
    let bench = Bench::connected().await;
    let (text, code) = said(&bench, &["doctor"]);
    assert!(code == 0 && text.contains("nothing is wrong"), "{text}");
    bench.write(&bench.example().replace("\"TOESLAG\"", "\"NERGENS\""));
    bench.ok(&["apply", "--no-codes"]);
    let (text, code) = said(&bench, &["doctor", "web-orders"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("error unknown_item (flow web-orders, row settings.fee_item)"), "{text}");
    assert!(text.contains("To do: correct settings.fee_item"), "{text}");
    let (found, code) = json_of(&bench, &["doctor", "--json"]);
    assert_eq!((code, &found["findings"][0]["code"]), (1, &"unknown_item".into()), "{found}");
    assert_eq!(found["findings"].as_array().unwrap().len(), 1, "{found}");
    let (text, code) = said(&bench, &["doctor", "web-order"]);
    assert!(code == 2 && text.contains("did you mean «web-orders»?"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_is_explained_with_files_and_lines() {
    let bench = Bench::configured().await;
    let own = "    map:\n      reference: '\"WEB-\" ~ source.number'\n";
    bench.write(&format!("{}{own}", bench.example()));
    bench.ok(&["apply"]);
    let (text, code) = said(&bench, &["explain", "web-orders", "26"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("passed filter.status: status «"), "{text}");
    assert!(text.contains("settings.vat_code.table: BE/0/exempt"), "{text}");
    let config = std::fs::read_to_string(bench.folder.path().join("koppel.yaml")).unwrap();
    let line = 1 + config.lines().position(|line| line.contains("reference:")).unwrap();
    assert!(text.contains(&format!("koppel.yaml line {line} (your own)")), "{text}");
    assert!(text.contains("woocommerce/rows/order.yaml line "), "{text}");
    let (told, _) = json_of(&bench, &["explain", "web-orders", "28", "--json"]);
    assert_eq!(told["stopped"]["code"], "status", "{told}");
    let (text, code) = said(&bench, &["explain", "web-orders", "999"]);
    assert!(code == 1 && text.contains("the source has no record «999»"), "{text}");
}
