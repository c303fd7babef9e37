//! Asperion: consent, codes and tokens over time, the administration of a request, and calls per minute.
// Helpers of tests may panic as tests do.
#![allow(clippy::unwrap_used)]

mod asperion_support;

use asperion_support::{Books, json_of};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::Duration;
use koppel_sandbox::asperion as books;
use serde_json::{Value, json};

async fn redirect(books: &Books, more: &[(&str, &str)]) -> url::Url {
    let mut query = vec![
        ("client_id", books::CLIENT_ID),
        ("redirect_uri", books::REDIRECT_URI),
        ("response_type", "code"),
        ("state", "s & t"),
    ];
    query.extend(more);
    let url = format!("{}/connect/authorize", books.sandbox.asperion_url());
    let answer = books.client.get(url).query(&query).send().await.unwrap();
    assert_eq!(answer.status(), 302);
    url::Url::parse(answer.headers()["Location"].to_str().unwrap()).unwrap()
}

fn param(url: &url::Url, name: &str) -> String {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

async fn token(books: &Books, form: &[(&str, &str)]) -> (u16, Value) {
    let mut all = vec![("client_id", books::CLIENT_ID), ("client_secret", books::CLIENT_SECRET)];
    all.extend(form);
    let url = format!("{}/connect/token", books.sandbox.asperion_url());
    let answer = books.client.post(url).form(&all).send().await.unwrap();
    (answer.status().as_u16(), json_of(answer).await)
}

async fn exchange(books: &Books, code: &str, more: &[(&str, &str)]) -> (u16, Value) {
    let mut form = vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", books::REDIRECT_URI)];
    form.extend(more);
    token(books, &form).await
}

async fn refresh(books: &Books, token_: &Value) -> (u16, Value) {
    token(books, &[("grant_type", "refresh_token"), ("refresh_token", token_.as_str().unwrap_or_default())]).await
}

async fn status(books: &Books, token: &str) -> u16 {
    let request = books.client.get(books.url("journals")).header("X-Tenant-Id", books::ADMINISTRATION);
    let answer = request.bearer_auth(token).send().await.unwrap();
    if answer.status() == 401 {
        assert!(answer.headers()["WWW-Authenticate"].to_str().unwrap().starts_with("Bearer"));
    }
    answer.status().as_u16()
}

#[tokio::test]
async fn a_code_works_once_and_only_the_offline_scope_gives_a_refresh_token() {
    let books = Books::open(json!({})).await;
    books.sandbox.clock().freeze("2026-11-25T12:00:00Z".parse().unwrap());
    let back = redirect(&books, &[("scope", "offline_access")]).await;
    assert_eq!(param(&back, "state"), "s & t");
    let code = param(&back, "code");
    let (ok, tokens) = exchange(&books, &code, &[]).await;
    assert_eq!((ok, &tokens["token_type"], &tokens["expires_in"]), (200, &json!("Bearer"), &json!(3600)));
    assert_eq!(status(&books, tokens["access_token"].as_str().unwrap()).await, 200);
    assert_eq!(exchange(&books, &code, &[]).await, (400, json!({"error": "invalid_grant"})));
    let plain = param(&redirect(&books, &[]).await, "code");
    assert!(exchange(&books, &plain, &[]).await.1.get("refresh_token").is_none());
    let late = param(&redirect(&books, &[]).await, "code");
    books.sandbox.clock().advance(Duration::seconds(301));
    assert_eq!(exchange(&books, &late, &[]).await.0, 400);
    let elsewhere = param(&redirect(&books, &[]).await, "code");
    let form =
        [("grant_type", "authorization_code"), ("code", elsewhere.as_str()), ("redirect_uri", "https://x.example")];
    assert_eq!(token(&books, &form).await.1["error"], "invalid_grant");
}

#[tokio::test]
async fn refresh_tokens_rotate_and_access_tokens_live_an_hour() {
    let books = Books::open(json!({})).await;
    books.sandbox.clock().freeze("2026-11-25T12:00:00Z".parse().unwrap());
    let code = param(&redirect(&books, &[("scope", "openid offline_access")]).await, "code");
    let (_, first) = exchange(&books, &code, &[]).await;
    let (ok, second) = refresh(&books, &first["refresh_token"]).await;
    assert_eq!(ok, 200);
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    assert_eq!(refresh(&books, &first["refresh_token"]).await, (400, json!({"error": "invalid_grant"})));
    assert_eq!(status(&books, first["access_token"].as_str().unwrap()).await, 200, "the first one lives on");
    books.sandbox.clock().advance(Duration::seconds(3600));
    assert_eq!(status(&books, second["access_token"].as_str().unwrap()).await, 401);
    books.sandbox.clock().advance(Duration::days(15));
    assert_eq!(refresh(&books, &second["refresh_token"]).await.0, 400);
    books.set(json!({"rotate_refresh": false}));
    let code = param(&redirect(&books, &[("scope", "offline_access")]).await, "code");
    let (_, first) = exchange(&books, &code, &[]).await;
    assert_eq!(refresh(&books, &first["refresh_token"]).await.1["refresh_token"], first["refresh_token"]);
    assert_eq!(refresh(&books, &first["refresh_token"]).await.0, 200);
}

#[tokio::test]
async fn strangers_missing_scopes_and_missing_proofs_are_sent_away() {
    let books = Books::open(json!({"required_scope": "api", "pkce_required": true, "loopback_redirects": false})).await;
    let proof = "a-verifier-that-is-long-enough-to-be-one-0123456789";
    let digest = ring::digest::digest(&ring::digest::SHA256, proof.as_bytes());
    let challenge = URL_SAFE_NO_PAD.encode(digest);
    assert_eq!(param(&redirect(&books, &[("scope", "offline_access")]).await, "error"), "invalid_scope");
    assert_eq!(param(&redirect(&books, &[("scope", "api")]).await, "error"), "invalid_request");
    let with = [("scope", "api"), ("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")];
    let code = param(&redirect(&books, &with).await, "code");
    assert_eq!(exchange(&books, &code, &[("code_verifier", "another")]).await.0, 400);
    let code = param(&redirect(&books, &with).await, "code");
    assert_eq!(exchange(&books, &code, &[("code_verifier", proof)]).await.0, 200);
    let url = format!("{}/connect/authorize", books.sandbox.asperion_url());
    let query = [("client_id", books::CLIENT_ID), ("redirect_uri", "http://127.0.0.1:1/cb"), ("response_type", "code")];
    assert_eq!(books.client.get(url).query(&query).send().await.unwrap().status(), 400);
    let url = format!("{}/connect/token", books.sandbox.asperion_url());
    let form = [("client_id", books::CLIENT_ID), ("client_secret", "wrong"), ("grant_type", "refresh_token")];
    let answer = books.client.post(url).form(&form).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), json_of(answer).await), (400, json!({"error": "invalid_client"})));
    assert_eq!(status(&books, "nobody").await, 401);
}

#[tokio::test]
async fn the_header_chooses_the_administration() {
    let books = Books::open(json!({})).await;
    let ask = async |tenant: Option<&str>| {
        let mut request = books.client.get(books.url("journals")).bearer_auth(&books.token);
        if let Some(tenant) = tenant {
            request = request.header("X-Tenant-Id", tenant);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), json_of(answer).await)
    };
    let (status, own) = ask(Some(books::ADMINISTRATION)).await;
    assert_eq!(
        (status, &own["_meta"]["administrationId"], &own["_meta"]["totalCount"]),
        (200, &json!(4711), &json!(5))
    );
    let (status, other) = ask(None).await;
    assert_eq!((status, &other["_meta"]["administrationId"], &other["_data"]), (200, &json!(1000), &json!([])));
    assert_eq!(ask(Some(books::FOREIGN_ADMINISTRATION)).await.0, 403);
    assert_eq!(ask(Some("1")).await.0, 403);
    assert_eq!(ask(Some("x")).await.0, 400);
    let shown: Vec<Value> = books.rows("administrations").await.into_iter().map(|row| row["id"].clone()).collect();
    assert_eq!(shown, [json!(1000), json!(4711)]);
}

#[tokio::test]
async fn too_many_calls_in_a_minute_are_refused() {
    let books = Books::open(json!({"minute_limit": 2})).await;
    books.sandbox.clock().freeze("2026-11-25T12:00:15Z".parse().unwrap());
    assert_eq!((books.get("journals").await.0, books.get("journals").await.0), (200, 200));
    let refused = books.request(reqwest::Method::GET, "journals").send().await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers().get("Retry-After")), (429, None));
    assert_eq!(json_of(refused).await["status"], 429);
    books.set(json!({"retry_after": true}));
    let refused = books.request(reqwest::Method::GET, "journals").send().await.unwrap();
    assert_eq!(refused.headers()["Retry-After"], "45");
    books.sandbox.clock().advance(Duration::seconds(45));
    assert_eq!(books.get("journals").await.0, 200);
}
