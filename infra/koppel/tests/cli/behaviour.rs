//! What is not a text: files and their modes, JSON, pipes, doing nothing twice.

use std::io::Read;
use std::process::Stdio;

use serde_json::Value;

use crate::bench::{Bench, texts};

fn json_of(bench: &Bench, arguments: &[&str]) -> Value {
    let output = bench.run(arguments);
    let (out, err) = texts(&output);
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_run_creates_nothing() {
    let bench = Bench::connected().await;
    let first = json_of(&bench, &["run", "web-orders", "--json"]);
    assert_eq!((&first["funnel"]["outcomes"]["created"], &first["adds_up"]), (&6.into(), &true.into()), "{first}");
    let orders = bench.sandbox().exact().documents("SalesOrders").len();
    let second = json_of(&bench, &["run", "web-orders", "--since", "2026-01-01", "--json"]);
    assert_eq!(second["funnel"]["outcomes"]["unchanged"], 6, "{second}");
    assert_eq!((orders, bench.sandbox().exact().documents("SalesOrders").len()), (6, 6));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_file_is_valid_and_is_never_written_over() {
    let bench = Bench::start().await;
    let file = bench.folder.path().join("koppel.yaml");
    bench.ok(&["init", "--from", "woocommerce", "--to", "exact-online", "--document", "sales-invoice"]);
    let mut apply = bench.command(&["apply", "--json"]);
    for name in ["SHOP_KEY", "SHOP_SECRET", "BOOKS_CLIENT_ID", "BOOKS_CLIENT_SECRET"] {
        apply.env(name, "secret-of-the-test");
    }
    let output = apply.output().unwrap();
    assert!(output.status.success(), "{:?}", texts(&output));
    std::fs::write(&file, "mine: true\n").unwrap();
    let again = bench.run(&["init", "--from", "woocommerce", "--to", "exact-online"]);
    assert_eq!(again.status.code(), Some(2));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine: true\n");
    bench.ok(&["init", "--from", "woocommerce", "--to", "exact-online", "--force"]);
    assert!(std::fs::read_to_string(&file).unwrap().contains("web-orders"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_commented_line_of_a_new_file_is_valid_too() {
    let bench = Bench::start().await;
    let file = bench.folder.path().join("koppel.yaml");
    bench.ok(&["init", "--from", "woocommerce", "--to", "exact-online"]);
    let text = std::fs::read_to_string(&file).unwrap();
    // A comment that begins with a key or a row is a setting; the others are sentences.
    let is_setting = |line: &str| {
        let Some(rest) = line.trim_start().strip_prefix("# ") else { return false };
        let key = rest.split(':').next().unwrap_or_default();
        rest.contains(':') && !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || "_/BEDE019".contains(c))
    };
    let opened: Vec<String> = text
        .lines()
        .map(|line| if is_setting(line) { line.replacen("# ", "", 1) } else { line.to_owned() })
        .map(|line| line.replace("#   reference", "  reference").replace("authority.pem", "\"\""))
        .collect();
    assert!(opened.iter().any(|line| line.starts_with("      payment_terms:")), "{opened:#?}");
    assert!(opened.iter().any(|line| line.starts_with("      reference:")), "{opened:#?}");
    bench.write(&opened.join("\n"));
    let output = bench.run(&["map", "check"]);
    assert!(output.status.success(), "{:?}\n{}", texts(&output), opened.join("\n"));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_folder_and_the_key_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::configured().await;
    bench.ok(&["apply"]);
    let mode = |path: &str| std::fs::metadata(bench.folder.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(".koppel"), mode(".koppel/koppel.db.key")), (0o700, 0o600));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_in_no_output_and_not_in_the_clear_in_the_database() {
    let bench = Bench::connected().await;
    let (key, secret) = ("ck_40e6269f8e005c6da0b6f94b649bc5b85f8294e1", "cs_68568b8871d2d70d583699ea3665e0297f6ebe28");
    bench.write(&bench.example().replace(secret, "cs_another"));
    let mut said = String::new();
    for arguments in [
        &["apply", "--dry-run", "--json"][..],
        &["apply"],
        &["test", "shop"],
        &["run", "web-orders"],
        &["status", "--json"],
        &["versions", "--json"],
        &["rollback", "--json"],
    ] {
        let (out, err) = texts(&bench.run(arguments));
        said.push_str(&out);
        said.push_str(&err);
    }
    assert!(said.contains("connections.shop.credentials.secret (new value)"), "{said}");
    assert!(!said.contains(key) && !said.contains(secret) && !said.contains("cs_another"), "{said}");
    for file in ["koppel.db", "koppel.db-wal"] {
        let bytes = std::fs::read(bench.folder.path().join(".koppel").join(file)).unwrap_or_default();
        let has = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(!has(secret) && !has("cs_another"), "{file}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_are_one_json_document_on_standard_error() {
    let bench = Bench::connected().await;
    for (arguments, code, exit) in [
        (&["run", "web-order", "--json"][..], "unknown_flow", 2),
        (&["trail", "nothing", "--json"], "no_trail", 1),
        (&["rollback", "9", "--json"], "unknown_version", 2),
        (&["--json", "connectt"], "usage", 2),
    ] {
        let output = bench.run(arguments);
        let (out, err) = texts(&output);
        let error: Value = serde_json::from_str(&err).unwrap_or_else(|e| panic!("{e}: {err}"));
        assert_eq!((error["error"]["code"].as_str(), output.status.code()), (Some(code), Some(exit)), "{err}");
        assert!(out.is_empty(), "{out}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_goes_away_is_not_an_error() {
    let bench = Bench::start().await;
    let mut child = bench.command(&["schema"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_that_comes_back_brings_the_consent() {
    use std::io::{BufRead, BufReader};
    let bench = Bench::configured().await;
    bench.ok(&["apply"]);
    // A free port: taken and given back, so that the command can have it.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut child = bench
        .command(&["connect", "books", "--redirect-port", &port.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let address = lines.find_map(|line| line.unwrap().trim().strip_prefix("http").map(|rest| format!("http{rest}")));
    let consent = get(&address.unwrap());
    let back = consent.lines().find_map(|line| line.strip_prefix("location: ").or(line.strip_prefix("Location: ")));
    assert!(get(back.unwrap()).contains("You can close this page"));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(texts(&output).0.starts_with("books: connected."), "{:?}", texts(&output));
}

/// The answer to a GET, head and body.
fn get(address: &str) -> String {
    use std::io::Write;
    let (host, path) = address.trim().trim_start_matches("http://").split_once('/').unwrap();
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn budgets_are_told_with_what_they_are_spent_on_and_a_person_can_be_erased() {
    let bench = Bench::connected().await;
    let run = json_of(&bench, &["run", "web-orders", "--since", "2026-01-01", "--json"]);
    assert_eq!(run["funnel"]["outcomes"]["created"], 6, "{run}");
    let books = &json_of(&bench, &["budget", "books", "--json"])[0];
    let windows = books["budget"]["windows"].as_array().unwrap();
    let names: Vec<&str> = windows.iter().map(|window| window["window"].as_str().unwrap()).collect();
    assert_eq!(names, ["minute", "day"], "{books}");
    assert_eq!(windows[1]["limit"], 5000, "{books}");
    let used = |window: &Value| window["used"].as_u64().unwrap() + window["left"].as_u64().unwrap();
    assert_eq!(used(&windows[1]), 5000, "{books}");
    let endpoints = books["flows"][0]["by_endpoint"].as_object().unwrap();
    let posted: u64 = endpoints
        .iter()
        .filter(|(endpoint, _)| endpoint.starts_with("POST") && endpoint.ends_with("SalesOrders"))
        .map(|(_, calls)| calls.as_u64().unwrap())
        .sum();
    assert_eq!(posted, 6, "{books}");
    assert!(books["forecast"]["calls"].as_u64().unwrap() > 0, "{books}");
    let text = texts(&bench.run(&["budget"])).0;
    assert!(text.contains("minute") && text.contains("forecast:") && text.contains("a record)"), "{text}");

    let order = bench.sandbox().woocommerce().documents("orders").into_iter().find(|o| o["id"] == 24).unwrap();
    let email = order["billing"]["email"].as_str().unwrap().to_owned();
    let erased = json_of(&bench, &["erase", "--email", &email, "--json"]);
    assert!(erased["records"].as_array().unwrap().iter().any(|record| record[1] == "24"), "{erased}");
    // By its address, and by its number in the shop.
    assert_eq!(erased["customer_links"], 2, "{erased}");
    assert!(!bench.run(&["trail", "24"]).status.success());
}
