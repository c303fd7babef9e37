//! What `koppel init` writes is accepted by `koppel apply`, whatever was asked for.

use serde_json::Value;

use crate::bench::{Bench, texts};

fn json_of(bench: &Bench, arguments: &[&str]) -> Value {
    let output = bench.run(arguments);
    let (out, err) = texts(&output);
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: koppel {}: {out}{err}", arguments.join(" ")))
}

/// Writes a file with these options, applies it with every variable that it names, and gives the flows back.
fn applied(bench: &Bench, arguments: &[&str]) -> Vec<String> {
    let mut all = vec!["init", "--force", "--json"];
    all.extend(arguments);
    let written = json_of(bench, &all);
    let mut apply = bench.command(&["apply", "--dry-run", "--no-codes"]);
    for name in written["variables"].as_array().unwrap() {
        apply.env(name.as_str().unwrap(), "secret-of-the-test");
    }
    let output = apply.output().unwrap();
    let text = std::fs::read_to_string(bench.folder.path().join("koppel.yaml")).unwrap();
    assert!(output.status.success(), "koppel {}: {:?}\n{text}", all.join(" "), texts(&output));
    written["flows"].as_array().unwrap().iter().map(|flow| flow.as_str().unwrap().to_owned()).collect()
}

fn names(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_pair_with_every_flow_and_document_can_be_applied() {
    let bench = Bench::start().await;
    let systems = json_of(&bench, &["systems", "--json"]);
    let systems = systems.as_array().unwrap();
    let (mut pairs, mut tried) = (0, 0);
    for from in systems {
        for to in systems {
            let pair = ["--from", from["system"].as_str().unwrap(), "--to", to["system"].as_str().unwrap()];
            let can = |a: &Value, b: &Value, entity: &String| {
                names(&a["gets"]).contains(entity) && names(&b["sends"]).contains(entity)
            };
            let entities: Vec<String> =
                ["orders", "products", "stock", "customers", "prices"].map(str::to_owned).into();
            let possible: Vec<String> =
                entities.into_iter().filter(|entity| can(from, to, entity) || can(to, from, entity)).collect();
            if possible.is_empty() {
                continue;
            }
            pairs += 1;
            let together = possible.join(",");
            for flows in possible.iter().chain([&together]) {
                let made = applied(&bench, &[&pair[..], &["--flows", flows]].concat());
                assert_eq!(made, flows.split(',').map(|flow| format!("web-{flow}")).collect::<Vec<_>>());
                tried += 1;
            }
            let orders = "orders".to_owned();
            for document in names(&to["documents"]).iter().filter(|_| can(from, to, &orders)) {
                applied(&bench, &[&pair[..], &["--flows", "orders", "--document", document]].concat());
                tried += 1;
            }
        }
    }
    assert!(pairs >= 3 && tried >= 10, "{pairs} pairs, {tried} files");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_options_say_stands_in_the_file_and_what_is_wrong_is_named_and_not_written() {
    let bench = Bench::start().await;
    let pair = ["--from", "woocommerce", "--to", "exact-online", "--flows", "orders,customers"];
    let good = [
        &pair[..],
        &["--option", "shop.url=https://winkel.test", "--option", "books.division=77", "--vat-code", "nl=4"],
        &["--vat-code", "BE=13", "--status", "betaald,klaar", "--setting", "rounding.max=0.05"],
        &[
            "--setting",
            "payment_terms={ table: { ideal: \"00\" }, default: \"30\" }",
            "--setting",
            "customer.update=true",
        ],
    ]
    .concat();
    applied(&bench, &good);
    let text = std::fs::read_to_string(bench.folder.path().join("koppel.yaml")).unwrap();
    for part in ["url: \"https://winkel.test\"", "division: 77", "status: [\"betaald\", \"klaar\"]", "max: \"0.05\""] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    assert_eq!(text.matches("        update: true").count(), 2, "in both flows:\n{text}");
    std::fs::remove_file(bench.folder.path().join("koppel.yaml")).unwrap();
    for (wrong, said) in [
        (&["--option", "shop.ur=x"][..], "did you mean «shop.url»?"),
        (&["--option", "books.division=seven"], "give a whole number"),
        (&["--option", "books.country=zz"], "give one of nl, be"),
        (&["--vat-code", "Holland=4"], "such as NL=4"),
        (&["--setting", "customer.update=perhaps"], "use one of true, false"),
        (&["--setting", "stock.calculation=free"], "decides nothing in these flows"),
        (&["--setting", "default_customer.when=guest"], "«code» is missing here"),
        (&["--document", "sales-ordr"], "did you mean «sales-order»?"),
    ] {
        let output = bench.run(&[&["init"], &pair[..], wrong].concat());
        let (out, err) = texts(&output);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}: {out}{err}");
        assert!(err.contains(said), "{wrong:?}: {err}");
        assert!(!bench.folder.path().join("koppel.yaml").exists(), "{wrong:?} wrote a file");
    }
}
