//! A client of AccountView with a token of its own, for the tests of that stand-in.
// Each test file uses a part of it; a helper of tests may panic as tests do.
#![allow(dead_code, clippy::unwrap_used)]

use koppel_sandbox::{Handle, Inspector, Options, Sandbox, accountview};
use serde_json::{Value, json};

pub struct Books {
    pub client: reqwest::Client,
    pub sandbox: Handle,
    pub token: String,
}

/// Status and body of an answer.
pub type Answer = (u16, Value);

impl Books {
    pub async fn open(switches: Value) -> Self {
        let options = Options { ports: [("accountview".to_owned(), 0)].into(), ..Options::default() };
        let options = options.start_time("2026-11-25T12:00:00Z".parse().unwrap()).switch("accountview", switches);
        let sandbox = Sandbox::start(options).await.unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let (_, tokens) = sandbox.system("accountview").unwrap().inspect("POST", "authorise", &json!({}));
        Self { client, sandbox, token: tokens["access_token"].as_str().unwrap().to_owned() }
    }

    pub fn inspector(&self) -> Inspector {
        self.sandbox.system("accountview").unwrap()
    }

    pub fn switch(&self, values: Value) {
        self.inspector().set_switches(values).unwrap();
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.sandbox.url("accountview"))
    }

    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let url = self.url(&format!("api/v3/{path}"));
        self.client.request(method, url).bearer_auth(&self.token).header("x-company", accountview::COMPANY)
    }

    pub async fn answer(request: reqwest::RequestBuilder) -> Answer {
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    pub async fn get(&self, object: &str, parameters: &[(&str, &str)]) -> Answer {
        let request = self.request(reqwest::Method::GET, "accountviewdata");
        Self::answer(request.query(&[("BusinessObject", object)]).query(parameters)).await
    }

    pub async fn system(&self, object: &str, parameters: &[(&str, &str)]) -> Answer {
        let request = self.request(reqwest::Method::GET, "accountviewsystemdata");
        Self::answer(request.query(&[("businessobject", object)]).query(parameters)).await
    }

    /// Rows of an object with `Equal` on one field.
    pub async fn equal(&self, object: &str, field: &str, value: &str) -> Answer {
        let filter = [
            ("FilterControlSource1", field),
            ("FilterOperator1", "Equal"),
            ("FilterValueType1", "C"),
            ("FilterValue1", value),
        ];
        self.get(object, &filter).await
    }

    pub async fn post(&self, body: &Value) -> Answer {
        Self::answer(self.request(reqwest::Method::POST, "accountviewdata").json(body)).await
    }

    pub async fn put(&self, body: &Value) -> Answer {
        Self::answer(self.request(reqwest::Method::PUT, "accountviewdata").json(body)).await
    }

    pub fn rows(&self, table: &str) -> Vec<Value> {
        self.inspector().documents(table)
    }
}

/// The text of an error envelope; it must be one.
pub fn message(answer: &Answer) -> String {
    assert_eq!(answer.1["ErrorType"], "AccountViewError", "{answer:?}");
    answer.1["ErrorMessage"].as_str().unwrap().to_owned()
}

/// The positional body: `(name, type, value)` of the header, and of each line.
pub fn body(
    object: &str,
    table: &str,
    header: &[(&str, &str, Value)],
    child: &str,
    lines: &[&[(&str, &str, Value)]],
) -> Value {
    let names = |fields: &[(&str, &str, Value)]| -> Value {
        fields.iter().map(|(name, kind, _)| json!({"Name": name, "FieldType": kind})).collect()
    };
    let values =
        |fields: &[(&str, &str, Value)]| -> Value { fields.iter().map(|(_, _, value)| value.clone()).collect() };
    let mut all = json!({"BookDate": "2026-11-25T00:00:00.000Z", "BusinessObject": object,
        "Table": {"Definition": {"Name": table, "Fields": names(header)}},
        "TableData": {"Data": {"Rows": [{"Values": values(header)}]}}});
    if let Some(first) = lines.first() {
        all["Table"]["DetailDefinitions"] = json!([{"Name": child, "Fields": names(first)}]);
        let rows: Value = lines.iter().map(|line| json!({"Values": values(line)})).collect();
        all["TableData"]["DetailData"] = json!([{ "Rows": rows }]);
    }
    all
}

/// A debtor with what is mandatory.
pub fn debtor(number: &str, more: &[(&str, &str, Value)]) -> Value {
    let mut fields = vec![
        ("RowId", "C", json!("1")),
        ("SUB_NR", "C", json!(number)),
        ("ACCT_NAME", "C", json!("Jan Bos")),
        ("SRC_CODE", "C", json!("bos")),
        ("ACCT_NR", "C", json!("1300")),
        ("MAIL_BUS", "C", json!("jan@example.test")),
    ];
    for one in more {
        fields.retain(|(name, ..)| *name != one.0);
        fields.push(one.clone());
    }
    body("AR1", "CONTACT", &fields, "", &[])
}
