//! Codes that a flow names, and the lists they come from.

use serde_json::{Value, json};

use crate::bench::{Bench, texts};

fn json_of(bench: &Bench, arguments: &[&str]) -> Value {
    let output = bench.run(arguments);
    let (out, err) = texts(&output);
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"))
}

fn codes(list: &Value) -> Vec<&str> {
    list["codes"].as_array().unwrap().iter().map(|code| code["code"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_kept_until_it_is_refreshed_and_names_of_persons_are_never_kept() {
    let bench = Bench::connected().await;
    let list = |more: &[&str]| json_of(&bench, &[&["settings", "web-orders", "--json", "--list"], more].concat());
    let first = list(&["warehouse"]);
    assert_eq!((codes(&first), &first["kept"], &first["connection"]), (vec!["1", "2"], &json!(false), &json!("books")));
    let warehouse = json!([{ "Code": "9", "Description": "Nieuw magazijn" }]);
    let (status, answer) = bench.sandbox().exact().inspect("POST", "rows/inventory/Warehouses", &warehouse);
    assert!(status < 300, "{answer}");
    let kept = list(&["warehouse"]);
    assert_eq!((codes(&kept), &kept["kept"]), (vec!["1", "2"], &json!(true)));
    assert_eq!(kept["read_at"], first["read_at"]);
    assert_eq!(codes(&list(&["warehouse", "--refresh"])), ["1", "2", "9"]);
    for _ in 0..2 {
        assert_eq!(list(&["default_customer"])["kept"], json!(false));
    }
    let methods = list(&["source.payment_method"]);
    assert!(codes(&methods).contains(&"bacs") && methods["connection"] == "shop", "{methods}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_division_does_not_see_the_list_that_was_kept() {
    let bench = Bench::connected().await;
    let list = || bench.run(&["settings", "web-orders", "--list", "journal", "--json"]);
    assert!(list().status.success() && list().status.success());
    bench.write(&bench.example().replace("division: 123456", "division: 999"));
    let (out, err) = texts(&list());
    assert!(!list().status.success(), "{out}{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flow_with_an_unknown_or_blocked_code_is_not_put_in_force() {
    let bench = Bench::connected().await;
    let wrong = bench
        .example()
        .replace("flat_rate: \"POSTNL\"", "flat_rate: \"POSNL\"")
        .replace("BE/21: \"13\"", "BE/21: \"9\"");
    bench.write(&wrong);
    let output = bench.run(&["apply", "--json"]);
    let (out, err) = texts(&output);
    assert_eq!((output.status.code(), out.as_str()), (Some(2), ""), "{err}");
    let errors: Value = serde_json::from_str(&err).unwrap();
    let shown: Vec<(&str, &str)> = errors["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["code"].as_str().unwrap(), error["place"]["row"].as_str().unwrap()))
        .collect();
    let expected = [
        ("blocked", "settings.vat_code.table.BE/21"),
        ("unknown_shipping_method", "settings.shipping_method.table.flat_rate"),
    ];
    assert_eq!(shown, expected, "{errors}");
    assert!(err.contains("did you mean «POSTNL»?"), "{err}");
    assert_eq!(json_of(&bench, &["versions", "--json"]).as_array().unwrap().len(), 1);
    let skipped = json_of(&bench, &["apply", "--no-codes", "--json"]);
    assert_eq!((&skipped["version"], &skipped["codes"]["skipped"]), (&json!(2), &json!(true)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_that_cannot_be_asked_are_told_and_do_not_stand_in_the_way() {
    let mut bench = Bench::connected().await;
    bench.stop_sandbox().await;
    let text = std::fs::read_to_string(bench.folder.path().join("koppel.yaml")).unwrap();
    bench.write(&text.replace("every: 5m", "every: 10m"));
    let applied = json_of(&bench, &["apply", "--json"]);
    assert_eq!((&applied["version"], &applied["codes"]["found"]), (&json!(2), &json!(0)));
    let not_checked = applied["codes"]["not_checked"].as_array().unwrap();
    assert_eq!(not_checked.len(), 1, "{applied}");
    assert_eq!(not_checked[0]["connection"], "books");
}
