//! Calls against a server of our own: redirects, authorities, lost answers, deadlines, and what is recorded.

use std::io::Write;

use chrono::TimeDelta;
use koppel_core::ports::{Condition, Item, Key, StoreError};
use serde_json::json;

use super::*;
use crate::http::DefaultJudge;
use crate::http::testing::server::{Reply, TestServer};
use crate::http::testing::{connection, world};

fn client(url: &str, options: Value) -> Result<HttpClient, Failure> {
    let (_, _, deps) = world();
    let connection = connection("test", options, &[("secret", "very-secret-value")]);
    HttpClient::new(&connection, url, &Limits::default(), &deps)
}

async fn get(client: &HttpClient, path: &str) -> Result<Answer, Failure> {
    client.send(Request::get(path).bearer("very-secret-value"), &DefaultJudge, &Calls::default()).await
}

fn class(result: &Result<Answer, Failure>) -> String {
    match result {
        Ok(answer) => answer.status.to_string(),
        Err(Failure::Retry { reason, cause, .. }) => format!("{reason:?} {}", cause.code),
        Err(failure) => format!("{} {}", failure.class(), failure.cause().code),
    }
}

#[tokio::test]
async fn credentials_never_follow_a_redirect_to_another_host() {
    let other = TestServer::start(|_| Reply::json(200, "{}")).await;
    let target = format!("{}/wp-json/orders?page=1", other.url);
    let server = TestServer::start(move |_| Reply::json(301, "").header("Location", &target)).await;
    let result = get(&client(&server.url, json!({})).unwrap(), "wp-json/orders").await;
    assert_eq!(class(&result), "settings redirected");
    let text = result.unwrap_err().to_string();
    assert!(text.contains(&format!("set url to {}", other.url)), "{text}");
    assert!(other.take().is_empty(), "the other host was called");
}

#[tokio::test]
async fn a_redirect_within_the_host_is_followed_for_reads_only() {
    let server = TestServer::start(|seen| match seen.path.as_str() {
        "/old" => Reply::json(302, "").header("Location", "/new?x=1"),
        _ => Reply::json(200, "{\"ok\":true}"),
    })
    .await;
    let client = client(&server.url, json!({})).unwrap();
    let answer = get(&client, "old").await.unwrap();
    assert_eq!(answer.json().unwrap(), json!({"ok": true}));
    let seen = server.take();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[1].header("authorization"), Some("Bearer very-secret-value"));
    let posted = client.send(Request::post("old").json(json!({})), &DefaultJudge, &Calls::default()).await;
    assert_eq!(class(&posted), "settings redirected");
    assert_eq!(server.take().len(), 1);
}

#[tokio::test]
async fn an_endless_redirect_ends() {
    let server = TestServer::start(|_| Reply::json(302, "").header("Location", "/again")).await;
    assert_eq!(class(&get(&client(&server.url, json!({})).unwrap(), "x").await), "settings redirect_loop");
}

#[tokio::test]
async fn an_absolute_address_must_stay_on_the_host() {
    let server = TestServer::start(|_| Reply::json(200, "{}")).await;
    let client = client(&server.url, json!({})).unwrap();
    assert_eq!(class(&get(&client, &format!("{}/next?$skip=1", server.url)).await), "200");
    assert_eq!(class(&get(&client, "https://elsewhere.test/next").await), "settings foreign_address");
    // The same host under another scheme or port is another origin.
    assert_eq!(class(&get(&client, "http://127.0.0.1:1/next").await), "settings foreign_address");
}

#[test]
fn plain_http_is_for_this_machine_or_on_demand() {
    let code = |url: &str, options: Value| match client(url, options) {
        Ok(_) => "ok".to_owned(),
        Err(failure) => format!("{} {}", failure.class(), failure.cause().code),
    };
    assert_eq!(code("https://shop.test", json!({})), "ok");
    assert_eq!(code("http://shop.test", json!({})), "settings plain_http");
    assert_eq!(code("http://shop.test", json!({"allow_plain_http": true})), "ok");
    assert_eq!(code("http://localhost:8080", json!({})), "ok");
    assert_eq!(code("http://127.0.0.1.evil.test", json!({})), "settings plain_http");
    assert_eq!(code("ftp://shop.test", json!({})), "settings bad_url");
    assert_eq!(code("shop.test", json!({})), "settings bad_url");
    assert_eq!(code("https://user:pass@shop.test", json!({})), "settings bad_url");
}

#[tokio::test]
async fn a_private_authority_is_trusted_only_when_it_is_named() {
    let server = TestServer::start_tls(|_| Reply::json(200, "{}")).await;
    let refused = get(&client(&server.url, json!({})).unwrap(), "x").await;
    assert_eq!(class(&refused), "settings certificate_refused");
    assert!(refused.unwrap_err().to_string().contains("ca_file"));

    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(server.ca_pem.as_bytes()).unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    assert_eq!(class(&get(&client(&server.url, json!({"ca_file": path})).unwrap(), "x").await), "200");
}

#[test]
fn an_authority_file_that_is_no_use_is_named() {
    let missing = client("https://shop.test", json!({"ca_file": "/nowhere/ca.pem"})).unwrap_err();
    assert_eq!(missing.cause().code, "ca_file_unreadable");
    assert!(missing.to_string().contains("/nowhere/ca.pem") && missing.to_string().contains("connection shop"));
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"no certificate").unwrap();
    let empty = client("https://shop.test", json!({"ca_file": file.path().to_str().unwrap()})).unwrap_err();
    assert!(empty.to_string().contains("holds no certificate"), "{empty}");
}

#[tokio::test]
async fn a_lost_answer_is_unknown_only_for_a_write() {
    let server = TestServer::start(|_| Reply::lost()).await;
    let client = client(&server.url, json!({})).unwrap();
    assert_eq!(class(&get(&client, "x").await), "Unavailable connection_lost");
    let post = client.send(Request::post("x").json(json!({})), &DefaultJudge, &Calls::default()).await;
    assert_eq!(class(&post), "OutcomeUnknown connection_lost");
    let asked = client.send(Request::post("x").reads(), &DefaultJudge, &Calls::default()).await;
    assert_eq!(class(&asked), "Unavailable connection_lost");
}

#[tokio::test]
async fn nobody_listening_is_unavailable_also_for_a_write() {
    let url = TestServer::start(|_| Reply::lost()).await.url.clone();
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_ne!(url, format!("http://{free}"));
    let client = client(&format!("http://{free}"), json!({})).unwrap();
    let post = client.send(Request::post("x").json(json!({})), &DefaultJudge, &Calls::default()).await;
    assert_eq!(class(&post), "Unavailable no_connection");
}

#[tokio::test]
async fn no_call_begins_that_could_end_after_the_deadline() {
    let server = TestServer::start(|_| Reply::json(200, "{}")).await;
    let client = client(&server.url, json!({})).unwrap();
    let until = |seconds: i64| Calls::default().until(client.now() + TimeDelta::seconds(seconds));
    let late = client.send(Request::get("x"), &DefaultJudge, &until(29)).await;
    assert_eq!(class(&late), "Busy out_of_time");
    assert!(server.take().is_empty());
    assert_eq!(class(&client.send(Request::get("x"), &DefaultJudge, &until(30)).await), "200");
}

/// A store that is slow: each write lasts a minute.
struct SlowStore(std::sync::Arc<crate::http::testing::HandClock>, std::sync::Arc<dyn koppel_core::ports::Store>);

#[async_trait::async_trait]
impl koppel_core::ports::Store for SlowStore {
    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        self.1.get(key).await
    }

    async fn batch_get(&self, keys: &[Key]) -> Result<Vec<Option<Item>>, StoreError> {
        self.1.batch_get(keys).await
    }

    async fn put(
        &self,
        key: &Key,
        value: &str,
        condition: Condition,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<u64, StoreError> {
        self.0.forward(60);
        self.1.put(key, value, condition, expires_at).await
    }

    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), StoreError> {
        self.1.delete(key, condition).await
    }

    async fn query(&self, at: &str, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Item>, StoreError> {
        self.1.query(at, prefix, after, limit).await
    }
}

#[tokio::test]
async fn a_call_whose_budget_was_slow_does_not_begin_after_the_deadline() {
    let server = TestServer::start(|_| Reply::json(200, "{}")).await;
    let (clock, store, deps) = world();
    let deps = Deps { store: std::sync::Arc::new(SlowStore(clock, store)), ..deps };
    let connection = connection("test", json!({ "calls_per_minute": 60 }), &[]);
    let client = HttpClient::new(&connection, &server.url, &Limits::default(), &deps).unwrap();
    let calls = Calls::default().until(client.now() + TimeDelta::seconds(89));
    let late = client.send(Request::post("x").json(json!({})), &DefaultJudge, &calls).await;
    assert_eq!(class(&late), "Busy out_of_time");
    assert!(server.take().is_empty(), "a call was made that may end after the lease of its owner");
}

#[tokio::test]
async fn exchanges_are_recorded_without_secrets_and_cut() {
    let long = "é".repeat(100_000);
    let server = TestServer::start(move |seen| match seen.path.as_str() {
        "/long" => Reply { status: 200, body: long.clone(), ..Reply::default() },
        "/echo" => Reply::json(400, "{\"error\":\"very-secret-value is wrong\",\"n\":1.10}"),
        _ => Reply::json(200, "{}"),
    })
    .await;
    let client = client(&server.url, json!({})).unwrap();
    let calls = Calls::default();
    let request = Request::post("echo").query("consumer_secret", "other").query("s", "very-secret-value");
    let request = request.json(json!({"password": "p", "list": ["very-secret-value"]}));
    let failure = client.send(request, &DefaultJudge, &calls).await.unwrap_err();
    client.send(Request::get("long"), &DefaultJudge, &calls).await.unwrap();
    client.send(Request::post("form").form([("code", "short"), ("a", "b")]), &DefaultJudge, &calls).await.unwrap();
    assert_eq!(calls.count(), 3);
    let log = calls.take();
    assert_eq!(log[0].path, "/echo?consumer_secret=***&s=***");
    assert_eq!(log[0].request, Some(json!({"password": "***", "list": ["***"]})));
    assert_eq!(log[0].response.as_ref().unwrap()["error"], "*** is wrong");
    assert_eq!(log[0].response.as_ref().unwrap()["n"].to_string(), "1.10");
    let cut = log[1].response.as_ref().unwrap().as_str().unwrap().to_owned();
    assert!(cut.len() < 66_000 && cut.ends_with("(cut, 200000 bytes in all)"));
    assert_eq!(log[2].request, Some(json!({"code": "***", "a": "b"})));
    assert!(!failure.to_string().contains("very-secret-value"), "{failure}");
    assert!(!format!("{log:?}{client:?}").contains("very-secret-value"));
    assert_eq!(failure.cause().place.connection.as_deref(), Some("shop"));
}

#[tokio::test]
async fn a_429_holds_back_the_next_call() {
    let server = TestServer::start(|_| Reply::json(429, "{}").header("Retry-After", 30)).await;
    let client = client(&server.url, json!({})).unwrap();
    for _ in 0..2 {
        let result = get(&client, "x").await;
        assert_eq!(class(&result), "Throttled throttled");
        assert!(matches!(result, Err(Failure::Retry { after: Some(after), .. }) if after == Duration::from_secs(30)));
    }
    assert_eq!(server.take().len(), 1, "the second call was held back here");
}

#[tokio::test]
async fn the_other_side_sees_who_calls_and_what_form_it_gets() {
    let server = TestServer::start(|_| Reply::json(200, "{}")).await;
    let client = client(&format!("{}/sub/", server.url), json!({})).unwrap();
    client.send(Request::put("/a%20b").json(json!({"n": 1})), &DefaultJudge, &Calls::default()).await.unwrap();
    let seen = server.take().remove(0);
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("PUT", "/sub/a%20b"));
    assert!(seen.header("user-agent").unwrap().starts_with("Koppel/"));
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.body, "{\"n\":1}");
}

#[tokio::test]
async fn a_file_is_sent_with_its_type_and_never_recorded() {
    let server = TestServer::start(|_| {
        Reply { status: 200, body: "picture".into(), ..Reply::default() }.header("Content-Type", "image/png")
    })
    .await;
    let client = client(&server.url, json!({})).unwrap();
    let calls = Calls::default();
    let request = Request::post("media").file("image/jpeg", b"content of a picture".to_vec());
    assert_eq!(client.send(request, &DefaultJudge, &calls).await.unwrap().body, b"picture");
    let seen = server.take();
    assert_eq!((seen[0].header("content-type"), seen[0].body.as_str()), (Some("image/jpeg"), "content of a picture"));
    let recorded = calls.take().remove(0);
    assert_eq!(recorded.request, Some(json!("a file of 20 bytes (image/jpeg)")));
    assert_eq!(recorded.response, Some(json!("a file of 7 bytes (image/png)")));
}
