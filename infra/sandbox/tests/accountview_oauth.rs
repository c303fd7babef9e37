//! AccountView: consent, codes, tokens over time, companies.
// Helpers of tests may panic as tests do.
#![allow(clippy::unwrap_used)]

#[path = "common/accountview.rs"]
mod books;

use books::{Answer, Books, message};
use chrono::Duration;
use koppel_sandbox::accountview as av;
use serde_json::{Value, json};

impl Books {
    async fn token(&self, form: &[(&str, &str)]) -> Answer {
        let mut all = vec![("client_id", av::CLIENT_ID), ("client_secret", av::CLIENT_SECRET)];
        all.extend(form);
        Self::answer(self.client.post(self.url("API/v3/Token")).form(&all)).await
    }

    async fn refresh(&self, token: &Value) -> Answer {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token.as_str().unwrap())]).await
    }

    async fn redirect(&self, scope: &str) -> Result<url::Url, u16> {
        let query = [
            ("response_type", "code"),
            ("client_id", av::CLIENT_ID),
            ("redirect_uri", av::REDIRECT_URI),
            ("scope", scope),
            ("state", "s & t"),
        ];
        let answer = self.client.get(self.url("ams/authorize.aspx")).query(&query).send().await.unwrap();
        if answer.status() != 302 {
            return Err(answer.status().as_u16());
        }
        Ok(url::Url::parse(answer.headers()["Location"].to_str().unwrap()).unwrap())
    }

    async fn consent(&self) -> Answer {
        let redirect = self.redirect(av::READ_SCOPE).await.unwrap();
        let code = redirect.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        let form = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", av::REDIRECT_URI)];
        let first = self.token(&form).await;
        assert_eq!(self.token(&form).await, (400, json!({"error": "invalid_grant"})), "a code works once");
        first
    }

    async fn companies(&self, token: &Value) -> Answer {
        let request = self.client.get(self.url("api/v3/Companies")).bearer_auth(token.as_str().unwrap());
        Self::answer(request).await
    }
}

#[tokio::test]
async fn a_code_becomes_tokens_and_the_refresh_token_rotates() {
    let books = Books::open(json!({})).await;
    let redirect = books.redirect(av::READ_SCOPE).await.unwrap();
    assert!(redirect.query().unwrap().contains("code=code%2B"), "the code must be decoded: {redirect}");
    assert!(redirect.query().unwrap().contains("state=s+%26+t"));
    let (status, first) = books.consent().await;
    assert_eq!((status, &first["token_type"], &first["expires_in"]), (200, &json!("bearer"), &json!(1200)));
    let (status, companies) = books.companies(&first["access_token"]).await;
    let wanted = json!([{"Id": av::COMPANY, "Description": "Koppel Sandbox B.V.", "Code": "KOP"},
        {"Id": av::OTHER_COMPANY, "Description": "Tweede Zaak B.V.", "Code": "TWE"}]);
    assert_eq!((status, companies), (200, wanted));
    books.sandbox.clock().advance(Duration::seconds(1200));
    assert_eq!(books.companies(&first["access_token"]).await.0, 401);
    let (status, second) = books.refresh(&first["refresh_token"]).await;
    assert_eq!(status, 200);
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert_eq!(books.refresh(&first["refresh_token"]).await, (400, json!({"error": "invalid_grant"})));
    assert_eq!(books.companies(&second["access_token"]).await.0, 200);
    books.sandbox.clock().advance(Duration::days(31));
    assert_eq!(books.refresh(&second["refresh_token"]).await.0, 400, "too old");
}

#[tokio::test]
async fn a_refresh_token_may_stay_or_be_left_out() {
    let books = Books::open(json!({"refresh_tokens": "constant", "expires_in": false})).await;
    let (_, first) = books.consent().await;
    assert!(first.get("expires_in").is_none());
    let (_, second) = books.refresh(&first["refresh_token"]).await;
    assert_eq!(second["refresh_token"], first["refresh_token"]);
    books.switch(json!({"refresh_tokens": "omitted"}));
    let (_, third) = books.refresh(&first["refresh_token"]).await;
    assert!(third["access_token"].is_string() && third.get("refresh_token").is_none(), "{third}");
    assert_eq!(books.refresh(&first["refresh_token"]).await.0, 200);
}

#[tokio::test]
async fn strangers_and_unknown_scopes_are_sent_away() {
    let books = Books::open(json!({"loopback_redirects": false, "echo_state": false})).await;
    assert_eq!(books.redirect("writeaccountviewdata").await.unwrap_err(), 400);
    assert!(!books.redirect(av::READ_SCOPE).await.unwrap().query().unwrap().contains("state"));
    books.switch(json!({"write_scope": "writeaccountviewdata"}));
    assert!(books.redirect("readaccountviewdata writeaccountviewdata").await.is_ok());
    let wrong = [("client_secret", "wrong"), ("grant_type", "refresh_token")];
    let answer = Books::answer(books.client.post(books.url("api/v3/token")).form(&wrong)).await;
    assert_eq!(answer, (400, json!({"error": "invalid_client"})));
    // A token that was given for reading does not write.
    assert_eq!(books.post(&books::debtor("1", &[])).await.0, 403);
    let (_, tokens) = books.inspector().inspect("POST", "authorise", &json!({}));
    let writer = Books { token: tokens["access_token"].as_str().unwrap().to_owned(), ..books };
    assert_eq!(writer.post(&books::debtor("1", &[])).await.1["CONTACT"][0]["SUB_NR"], "1         ");
}

#[tokio::test]
async fn every_call_names_a_company_by_its_id() {
    let books = Books::open(json!({})).await;
    for company in ["KOP", "", "99"] {
        let request = books.client.get(books.url("api/v3/accountviewdata")).bearer_auth(&books.token);
        let request = request.header("x-company", company).query(&[("BusinessObject", "VA1")]);
        let answer = Books::answer(request).await;
        assert!(message(&answer).contains("niet gevonden"), "{answer:?}");
    }
    let request = books.client.get(books.url("api/v3/accountviewdata")).bearer_auth(&books.token);
    let request = request.header("x-company", av::OTHER_COMPANY).query(&[("BusinessObject", "VA1")]);
    assert_eq!(Books::answer(request).await.0, 404, "the other company has none");
    books.switch(json!({"backend_offline": true}));
    assert_eq!(books.get("VA1", &[]).await.0, 503);
}
