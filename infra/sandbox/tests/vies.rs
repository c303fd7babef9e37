//! VIES: both shapes of an answer, errors with status 200, and the switches.
// What tests share may panic as tests do.
#![allow(clippy::unwrap_used)]

use koppel_sandbox::{Handle, Options, Sandbox};
use serde_json::{Value, json};

struct Service {
    client: reqwest::Client,
    sandbox: Handle,
}

impl Service {
    async fn open(switches: Value) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let sandbox = Sandbox::start(Options::default().switch("vies", switches)).await.unwrap();
        Self { client: reqwest::Client::new(), sandbox }
    }

    async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        Self::answer(self.client.get(format!("{}/{path}", self.sandbox.vies_url()))).await
    }

    async fn post(&self, country: &str, number: &str) -> Value {
        let body = json!({"countryCode": country, "vatNumber": number}).to_string();
        let request = self.client.post(format!("{}/check-vat-number", self.sandbox.vies_url()));
        let (status, answer) = Self::answer(request.header("Content-Type", "application/json").body(body)).await;
        assert_eq!(status, 200, "errors too: {answer}");
        answer
    }

    async fn error(&self, country: &str, number: &str) -> String {
        let answer = self.post(country, number).await;
        assert_eq!(answer["actionSucceed"], false, "{answer}");
        answer["errorWrappers"][0]["error"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn valid_and_invalid_in_both_shapes() {
    let vies = Service::open(json!({})).await;
    let answer = vies.post("BE", "0123456789").await;
    assert_eq!((&answer["valid"], &answer["name"]), (&json!(true), &json!("VOORBEELD BV")));
    let answer = vies.post("BE", "0999999999").await;
    assert_eq!((&answer["valid"], &answer["name"]), (&json!(false), &json!("---")));
    let (_, answer) = vies.get("ms/BE/vat/0123456789").await;
    assert_eq!((&answer["isValid"], &answer["userError"]), (&json!(true), &json!("VALID")));
    let (_, answer) = vies.get("ms/BE/vat/0999999999").await;
    assert_eq!((&answer["isValid"], &answer["userError"]), (&json!(false), &json!("INVALID")));
    // Greece is EL here, and what is not of the union is no number.
    assert_eq!(vies.post("EL", "094014201").await["valid"], true);
    for (country, number) in [("GR", "094014201"), ("GB", "123456789"), ("BE", ""), ("BE", "0123456789012345")] {
        assert_eq!(vies.error(country, number).await, "INVALID_INPUT", "{country}{number}");
    }
    assert_eq!(vies.get("ms/BE").await.0, 404);
    assert_eq!(vies.get("check-vat-number").await.0, 405);
}

#[tokio::test]
async fn what_is_wrong_with_the_service_is_no_word_about_the_number() {
    let vies = Service::open(json!({ "resting": ["DE"] })).await;
    assert_eq!(vies.error("DE", "123456789").await, "MS_UNAVAILABLE");
    let (_, answer) = vies.get("ms/DE/vat/123456789").await;
    assert_eq!((&answer["isValid"], &answer["userError"]), (&json!(false), &json!("MS_UNAVAILABLE")));
    assert_eq!(vies.post("BE", "0123456789").await["valid"], true);
    let (_, status) = vies.get("check-status").await;
    let rests: Vec<&Value> = status["countries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|country| country["availability"] == "Unavailable")
        .map(|country| &country["countryCode"])
        .collect();
    assert_eq!((&status["vow"]["available"], rests), (&json!(true), vec![&json!("DE")]));

    let switches = |values: Value| vies.sandbox.vies().set_switches(values);
    switches(json!({ "resting": [], "down": true })).unwrap();
    assert_eq!(vies.error("BE", "0123456789").await, "SERVICE_UNAVAILABLE");
    assert_eq!(vies.get("check-status").await.1["vow"]["available"], false);
    switches(json!({ "down": false, "throttled_percent": 25 })).unwrap();
    let mut throttled = 0;
    for _ in 0..100 {
        let answer = vies.post("BE", "0123456789").await;
        throttled += usize::from(answer["errorWrappers"][0]["error"] == "MS_MAX_CONCURRENT_REQ");
    }
    assert_eq!(throttled, 25);
    assert!(switches(json!({ "throttled_percent": 101 })).is_err());
    assert!(switches(json!({ "nothing": 1 })).is_err());
}

/// `serve --catalogue` asks every system.
#[tokio::test]
async fn every_system_takes_the_catalogue() {
    let sandbox = Sandbox::start(Options::default()).await.unwrap();
    for (name, _) in sandbox.urls() {
        sandbox.system(name).unwrap().add_catalogue().unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
