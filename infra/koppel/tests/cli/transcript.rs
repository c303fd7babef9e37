//! Everything a person reads, asserted whole: what is said when all goes well, and when something is wrong.

use serde_json::json;

use crate::bench::{Bench, texts};

const GOLDEN: &str = include_str!("messages.txt");

/// Commands and what they said.
struct Transcript(String);

impl Transcript {
    fn scene(&mut self, title: &str) {
        self.0.push_str(&format!("\n## {title}\n"));
    }

    fn run(&mut self, bench: &Bench, arguments: &[&str]) {
        let output = bench.run(arguments);
        let (out, err) = texts(&output);
        let both = without_payloads(&bench.plain(&format!("{out}{err}")));
        let code = output.status.code().unwrap();
        self.0.push_str(&format!("\n$ koppel {}\n{both}[{code}]\n", arguments.join(" ")));
    }
}

/// Payloads in a trail belong to the connectors; here only their place counts.
fn without_payloads(text: &str) -> String {
    let short = |line: &str| match line.split_once(": ") {
        Some((label, _)) if line.starts_with('│') => format!("{label}: <payload>\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(short).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_is_what_is_written_down() {
    let mut script = Transcript(String::from("# What the command line says. Renewed with KOPPEL_BLESS=1.\n"));
    first_hour(&mut script).await;
    mistakes_in_the_file(&mut script).await;
    mistakes_in_settings(&mut script).await;
    unknown_article(&mut script).await;
    customer_not_certain(&mut script).await;
    cents(&mut script).await;
    dead_token(&mut script).await;
    nobody_there(&mut script).await;
    settings_and_codes(&mut script).await;
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/messages.txt");
    if std::env::var_os("KOPPEL_BLESS").is_some() {
        std::fs::write(file, &script.0).unwrap();
        return;
    }
    for (number, (said, written)) in script.0.lines().zip(GOLDEN.lines()).enumerate() {
        assert_eq!(said, written, "line {} of messages.txt", number + 1);
    }
    assert_eq!(script.0.lines().count(), GOLDEN.lines().count(), "messages.txt has another length");
}

async fn first_hour(script: &mut Transcript) {
    script.scene("The first hour");
    let bench = Bench::start().await;
    script.run(&bench, &["status"]);
    script.run(&bench, &["apply"]);
    script.run(&bench, &["init", "--from", "woocommerce", "--to", "exact-onlin"]);
    script.run(&bench, &["init", "--from", "woocommerce", "--to", "exact-online"]);
    script.run(&bench, &["init", "--from", "woocommerce", "--to", "exact-online"]);
    script.run(&bench, &["apply"]);
    bench.write(&bench.example());
    script.run(&bench, &["apply", "--dry-run"]);
    script.run(&bench, &["apply"]);
    script.run(&bench, &["apply"]);
    script.run(&bench, &["run", "web-orders"]);
    script.run(&bench, &["connect", "shop"]);
    script.run(&bench, &["connect", "books", "--auto"]);
    script.run(&bench, &["test", "book"]);
    script.run(&bench, &["run", "web-order"]);
    script.run(&bench, &["run", "web-orders"]);
    script.run(&bench, &["run", "web-orders", "--since", "2026-01-01"]);
    script.run(&bench, &["trail", "29"]);
    script.run(&bench, &["trail", "nobody"]);
    script.run(&bench, &["run", "web-orders", "--id", "23", "--id", "999"]);
    script.run(&bench, &["run", "web-orders", "--since", "yesterday"]);
    script.run(&bench, &["status"]);
    script.run(&bench, &["dead-letters", "list"]);
    script.run(&bench, &["dead-letters", "redrive", "wrte"]);
    script.run(&bench, &["map", "functions", "uper"]);
    script.run(&bench, &["map", "check"]);
    bench.write(&bench.example().replace("every: 5m", "every: 10m"));
    script.run(&bench, &["apply"]);
    script.run(&bench, &["rollback"]);
    script.run(&bench, &["rollback", "7"]);
    script.run(&bench, &["versions"]);
}

async fn mistakes_in_the_file(script: &mut Transcript) {
    script.scene("Mistakes in the file");
    let bench = Bench::configured().await;
    bench.write(&bench.example().replace("vat_code:\n", "vat_cde:\n"));
    script.run(&bench, &["apply"]);
    bench.write("flows: [");
    script.run(&bench, &["apply"]);
    bench.write(&bench.example().replace("\"30\", cod", "30, cod"));
    script.run(&bench, &["apply"]);
    let rows = "    map:\n      reference: source.number | uper\n      note: source.customer_note | left\n      \
                target.Descripton: order.number\n";
    let wrong = bench.example().replace("system: woocommerce", "system: woocomerce");
    bench.write(&wrong);
    script.run(&bench, &["apply"]);
    let wrong = format!("{}{rows}", bench.example()).replace("to: books", "to: boks");
    bench.write(&wrong);
    script.run(&bench, &["apply"]);
    bench.write(&format!("{}{rows}", bench.example()).replace("country: nl", "countri: nl"));
    script.run(&bench, &["apply"]);
    script.run(&bench, &["map", "check"]);
    bench.write(&bench.example().replace("ck_40e6269f8e005c6da0b6f94b649bc5b85f8294e1", "${env:WOO_KEY}"));
    script.run(&bench, &["apply"]);
    script.run(&bench, &["apply", "--json"]);
    script.run(&bench, &["--file", "other.yaml", "apply"]);
}

async fn mistakes_in_settings(script: &mut Transcript) {
    script.scene("A VAT rule is missing");
    let bench = Bench::configured().await;
    bench.write(&bench.example().replace("          DE/19: \"12\"\n", ""));
    bench.ok(&["apply"]);
    bench.ok(&["connect", "books", "--auto"]);
    script.run(&bench, &["run", "web-orders"]);
    script.run(&bench, &["status"]);
    bench.write(&bench.example());
    script.run(&bench, &["apply"]);
    script.run(&bench, &["run", "web-orders"]);
}

async fn unknown_article(script: &mut Transcript) {
    script.scene("An article that the books do not have");
    let bench = Bench::connected().await;
    let mut order = bench.sandbox().woocommerce().documents("orders").into_iter().find(|o| o["id"] == 24).unwrap();
    order["id"] = json!(61);
    order["number"] = json!("61");
    order["line_items"][0]["sku"] = json!("TSHIRT-GROEN-S");
    let (status, answer) = bench.sandbox().woocommerce().inspect("POST", "orders", &order);
    assert!(status < 300, "{answer}");
    script.run(&bench, &["run", "web-orders", "--id", "61"]);
    script.run(&bench, &["trail", "61"]);
}

async fn customer_not_certain(script: &mut Transcript) {
    script.scene("A customer that is not certain");
    let bench = Bench::connected().await;
    bench.write(
        &bench.example().replace("    settings:\n", "    settings:\n      customer: { match: [link, e_mail] }\n"),
    );
    script.run(&bench, &["apply"]);
    for code in ["20071", "20072"] {
        let account =
            json!({ "Code": format!("{code:>18}"), "Name": "J. de Vries", "Status": "C", "Email": "jan@example.test" });
        let (status, answer) = bench.sandbox().exact().inspect("POST", "rows/crm/Accounts", &account);
        assert!(status < 300, "{answer}");
    }
    script.run(&bench, &["plan", "web-orders", "--id", "23"]);
    script.run(&bench, &["run", "web-orders", "--id", "23", "--id", "24"]);
    script.run(&bench, &["status"]);
    script.run(&bench, &["review"]);
    script.run(&bench, &["review", "23", "--use", "20073"]);
    script.run(&bench, &["review", "22", "--new"]);
    script.run(&bench, &["review", "23", "--use", "20072"]);
    script.run(&bench, &["run", "web-orders", "--id", "23", "--id", "24"]);
    script.run(&bench, &["review"]);
}

async fn cents(script: &mut Transcript) {
    script.scene("Cents that do not add up");
    let bench = Bench::configured().await;
    let text: Vec<String> =
        bench.example().lines().filter(|line| !line.contains("rounding:")).map(str::to_owned).collect();
    bench.write(&text.join("\n"));
    bench.ok(&["apply"]);
    bench.ok(&["connect", "books", "--auto"]);
    script.run(&bench, &["run", "web-orders", "--id", "25"]);
    script.run(&bench, &["map", "test", "--flow", "web-orders", "--id", "25"]);
}

async fn dead_token(script: &mut Transcript) {
    script.scene("A token that died");
    let bench = Bench::connected().await;
    let (status, answer) = bench.sandbox().exact().inspect("POST", "reset", &json!(null));
    assert!(status < 300, "{answer}");
    script.run(&bench, &["run", "web-orders", "--id", "23"]);
    script.run(&bench, &["status"]);
    script.run(&bench, &["run", "web-orders"]);
    script.run(&bench, &["connect", "books", "--code", "https://koppel.example/callback?code=x&state=y"]);
    script.run(&bench, &["connect", "books", "--auto"]);
    script.run(&bench, &["run", "web-orders"]);
}

async fn nobody_there(script: &mut Transcript) {
    script.scene("Nobody there");
    let mut bench = Bench::connected().await;
    bench.stop_sandbox().await;
    script.run(&bench, &["test", "shop"]);
    script.run(&bench, &["run", "web-orders"]);
    script.run(&bench, &["status"]);
    bench.start_sandbox().await;
    script.run(&bench, &["run", "web-orders", "--since", "2026-01-01"]);
}

async fn settings_and_codes(script: &mut Transcript) {
    script.scene("Settings and their codes");
    let bench = Bench::connected().await;
    script.run(&bench, &["settings", "web-orders"]);
    script.run(&bench, &["settings", "web-orders", "payment_terms", "--lang", "nl"]);
    script.run(&bench, &["settings", "web-orders", "payment_term"]);
    script.run(&bench, &["settings", "web-orders", "--lang", "es"]);
    script.run(&bench, &["settings", "web-orders", "--list", "vat_code"]);
    script.run(&bench, &["settings", "web-orders", "--list", "vat_code"]);
    script.run(&bench, &["settings", "web-orders", "--list", "source.payment_method"]);
    script.run(&bench, &["settings", "web-orders", "--list", "vat_cod"]);
    let wrong = bench
        .example()
        .replace("bacs: \"30\"", "bacs: \"31\"")
        .replace("fee_item: \"TOESLAG\"", "fee_item: \"TOESLG\"");
    bench.write(&wrong.replace("local_pickup: \"AFHALEN\"", "local_pickup: \"AFHALE\""));
    script.run(&bench, &["apply"]);
    script.run(&bench, &["settings", "web-orders", "--list", "item", "--quiet"]);
    script.run(&bench, &["apply"]);
    script.run(&bench, &["apply", "--no-codes"]);
    bench.write(&bench.example());
    script.run(&bench, &["apply"]);
    script.run(&bench, &["init"]);
    script.run(&bench, &["--file", "other.yaml", "init"]);
}
