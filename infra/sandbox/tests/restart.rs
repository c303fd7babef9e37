//! The binary: its ready line, kill -9 and a start with the same state, clear errors.
// A helper of tests may panic as tests do.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

mod common;

use common::json_of;
use serde_json::{Value, json};

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(arguments: &[&str]) -> (Process, Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_koppel-sandbox"))
        .args(["serve", "--json", "--ports", "woocommerce=0,ccv-shop=0,exact-online=0"])
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (Process(child), serde_json::from_str(&line).unwrap())
}

#[tokio::test]
async fn a_killed_process_has_everything_it_answered() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_str().unwrap();
    let client = common::client();
    let door = |urls: &Value, path: &str| format!("{}/_sandbox/{path}", urls["woocommerce"].as_str().unwrap());
    let (mut process, urls) = serve(&["--state", state, "--switch", "woocommerce.behind_tls=true"]);
    for seed in 0..5 {
        let made = client.post(door(&urls, "generate")).json(&json!({"seed": seed, "n": 20})).send().await.unwrap();
        assert_eq!(made.status(), 201);
    }
    let moved = client.post(door(&urls, "clock")).json(&json!({"advance_seconds": 86400})).send().await.unwrap();
    let moved = json_of(moved).await["now"].as_str().unwrap().to_owned();
    let before = json_of(client.get(door(&urls, "tables/orders")).send().await.unwrap()).await;
    let other = |urls: &Value, path: &str| format!("{}/_sandbox/{path}", urls["ccv-shop"].as_str().unwrap());
    let made = client.post(other(&urls, "generate")).json(&json!({"seed": 1, "n": 20})).send().await.unwrap();
    assert_eq!(made.status(), 201);
    let rows_before = json_of(client.get(other(&urls, "tables/orderrows")).send().await.unwrap()).await;
    process.0.kill().unwrap(); // SIGKILL
    process.0.wait().unwrap();
    drop(process);
    let (_process, urls) = serve(&["--state", state]);
    let after = json_of(client.get(door(&urls, "tables/orders")).send().await.unwrap()).await;
    assert_eq!((after.as_array().unwrap().len(), after == before), (109, true));
    let rows = json_of(client.get(other(&urls, "tables/orderrows")).send().await.unwrap()).await;
    assert!(rows.as_array().unwrap().len() > 35 && rows == rows_before);
    let clock = json_of(client.get(door(&urls, "clock")).send().await.unwrap()).await;
    assert!(clock["now"].as_str().unwrap() >= moved.as_str(), "the clock stays where it was moved to");
    let switches = json_of(client.get(door(&urls, "switches")).send().await.unwrap()).await;
    assert_eq!(switches["behind_tls"], true);
}

#[test]
fn a_mistake_on_the_command_line_is_named() {
    for (arguments, words) in [
        (vec!["--ports", "woocomerce=1"], "unknown system \"woocomerce\"; there are: woocommerce, "),
        (vec!["--ports", "woocommerce=x"], "\"x\" is no port"),
        (
            vec!["--ports", "woocommerce=0", "--switch", "woocommerce.hops=true"],
            "unknown field `hops`, expected one of",
        ),
        (vec!["--ports", "woocommerce=0", "--switch", "hpos"], "system.name=value is expected"),
    ] {
        let done = Command::new(env!("CARGO_BIN_EXE_koppel-sandbox")).arg("serve").args(&arguments).output().unwrap();
        let text = String::from_utf8(done.stderr).unwrap();
        assert!(!done.status.success() && text.contains(words), "{arguments:?}: {text}");
    }
}
