//! Exact Online: consent, codes and tokens over time.
// Helpers of tests may panic as tests do.
#![allow(clippy::unwrap_used)]

mod common;

use chrono::Duration;
use common::{client, json_of};
use koppel_sandbox::{Handle, Options, Sandbox, exact_online as exact};
use serde_json::{Value, json};

struct Auth {
    sandbox: Handle,
    client: reqwest::Client,
}

impl Auth {
    async fn new(switches: Value) -> Self {
        let sandbox = Sandbox::start(Options::default().switch("exact-online", switches)).await.unwrap();
        sandbox.clock().freeze("2026-11-25T12:00:00Z".parse().unwrap());
        Self { sandbox, client: client() }
    }

    async fn token(&self, form: &[(&str, &str)]) -> (u16, Value, Option<String>) {
        let mut all = vec![("client_id", exact::CLIENT_ID), ("client_secret", exact::CLIENT_SECRET)];
        all.extend(form);
        let url = format!("{}/api/oauth2/token", self.sandbox.exact_online_url());
        let answer = self.client.post(url).form(&all).send().await.unwrap();
        let reason = answer.headers().get("Reason").map(|value| value.to_str().unwrap().to_owned());
        (answer.status().as_u16(), json_of(answer).await, reason)
    }

    async fn refresh(&self, token: &Value) -> (u16, Value, Option<String>) {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token.as_str().unwrap())]).await
    }

    async fn redirect(&self) -> String {
        let url = format!("{}/api/oauth2/auth", self.sandbox.exact_online_url());
        let query = [
            ("client_id", exact::CLIENT_ID),
            ("redirect_uri", exact::REDIRECT_URI),
            ("response_type", "code"),
            ("state", "s & t"),
        ];
        let answer = self.client.get(url).query(&query).send().await.unwrap();
        assert_eq!(answer.status(), 302);
        answer.headers()["Location"].to_str().unwrap().to_owned()
    }

    async fn consent(&self) -> (u16, Value, Option<String>) {
        let redirect = url::Url::parse(&self.redirect().await).unwrap();
        let code = redirect.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        self.token(&[("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", exact::REDIRECT_URI)])
            .await
    }

    async fn me(&self, token: &Value) -> u16 {
        let url = format!("{}/api/v1/current/Me", self.sandbox.exact_online_url());
        self.client.get(url).bearer_auth(token.as_str().unwrap()).send().await.unwrap().status().as_u16()
    }
}

#[tokio::test]
async fn a_code_is_decoded_used_once_and_soon() {
    let auth = Auth::new(json!({})).await;
    let redirect = auth.redirect().await;
    assert!(
        redirect.starts_with(exact::REDIRECT_URI) && redirect.contains("%21") && redirect.contains("state=s+%26+t")
    );
    let raw = redirect.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let wrong =
        auth.token(&[("grant_type", "authorization_code"), ("code", raw), ("redirect_uri", exact::REDIRECT_URI)]).await;
    assert_eq!((wrong.0, &wrong.1["error"]), (400, &json!("invalid_grant")), "not decoded");
    let code = koppel_sandbox::message::decode(raw);
    let form = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", exact::REDIRECT_URI)];
    let elsewhere = auth.token(&[form[0], form[1], ("redirect_uri", "https://elsewhere.example")]).await;
    assert_eq!((elsewhere.0, &elsewhere.1["error"]), (400, &json!("invalid_request")));
    let (status, tokens, _) = auth.token(&form).await;
    assert_eq!((status, &tokens["expires_in"], &tokens["token_type"]), (200, &json!("600"), &json!("bearer")));
    assert_eq!(auth.me(&tokens["access_token"]).await, 200);
    assert_eq!(auth.token(&form).await.1["error"], "invalid_grant");
    let late = koppel_sandbox::message::decode(
        auth.redirect().await.split("code=").nth(1).unwrap().split('&').next().unwrap(),
    );
    auth.sandbox.clock().advance(Duration::seconds(181));
    let late = auth.token(&[form[0], ("code", late.as_str()), form[2]]).await;
    assert_eq!((late.0, &late.1["error"]), (400, &json!("invalid_grant")));
}

#[tokio::test]
async fn tokens_live_ten_minutes_and_rotate_not_before_nine_and_a_half() {
    let auth = Auth::new(json!({})).await;
    let (_, first, _) = auth.consent().await;
    auth.sandbox.clock().advance(Duration::seconds(569));
    let (status, body, reason) = auth.refresh(&first["refresh_token"]).await;
    assert_eq!((status, &body["error"]), (400, &json!("access_denied")));
    assert_eq!(body["error_description"], "Rate limit exceeded: access_token not expired");
    assert!(reason.unwrap().starts_with("TooEarlyToRefreshTokens"));
    auth.sandbox.clock().advance(Duration::seconds(1));
    let (status, second, _) = auth.refresh(&first["refresh_token"]).await;
    assert_eq!(status, 200);
    assert_eq!(auth.me(&first["access_token"]).await, 401, "a new token ends the one before it");
    assert_eq!(auth.me(&second["access_token"]).await, 200);
    // Whoever comes second in the race posts the same token again.
    let (status, body, _) = auth.refresh(&first["refresh_token"]).await;
    assert_eq!((status, &body["error"]), (401, &json!("unauthorized_client")));
    assert_eq!(body["error_description"], "Old refresh token used.");
    auth.sandbox.clock().advance(Duration::seconds(600));
    assert_eq!(auth.me(&second["access_token"]).await, 401);
    auth.sandbox.clock().advance(Duration::days(29));
    let (status, third, _) = auth.refresh(&second["refresh_token"]).await;
    assert_eq!(status, 200);
    auth.sandbox.clock().advance(Duration::days(31));
    assert_eq!(auth.refresh(&third["refresh_token"]).await.0, 400);
    let (status, body, _) = auth.refresh(&json!("made up")).await;
    assert_eq!(
        (status, &body["error_description"]),
        (400, &json!("Token is not allowed, because of invalid or empty chainId"))
    );
}

#[tokio::test]
async fn a_lost_answer_of_a_refresh_may_be_forgiven() {
    let auth = Auth::new(json!({"refresh_grace": true})).await;
    let (_, first, _) = auth.consent().await;
    auth.sandbox.clock().advance(Duration::seconds(580));
    let (_, lost, _) = auth.refresh(&first["refresh_token"]).await;
    let (status, second, _) = auth.refresh(&first["refresh_token"]).await;
    assert_eq!(status, 200);
    assert_eq!(auth.me(&lost["access_token"]).await, 401);
    assert_eq!(auth.me(&second["access_token"]).await, 200);
    assert_eq!(auth.refresh(&first["refresh_token"]).await.0, 401, "the new pair was used");
}

#[tokio::test]
async fn strangers_are_sent_away() {
    let auth = Auth::new(json!({"loopback_redirects": false})).await;
    let url = format!("{}/api/oauth2/auth", auth.sandbox.exact_online_url());
    let query = [("client_id", exact::CLIENT_ID), ("redirect_uri", "http://127.0.0.1:1/cb"), ("response_type", "code")];
    assert_eq!(auth.client.get(url).query(&query).send().await.unwrap().status(), 400);
    let token = format!("{}/api/oauth2/token", auth.sandbox.exact_online_url());
    let form = [("client_id", exact::CLIENT_ID), ("client_secret", "wrong"), ("grant_type", "refresh_token")];
    let answer = auth.client.post(token).form(&form).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), json_of(answer).await), (400, json!({"error": "invalid_request"})));
    assert_eq!(auth.me(&json!("nobody")).await, 401);
}
