//! A connector with a token, on the stand-in of AccountView.

use std::sync::Arc;

use koppel_core::NonEmpty;
use koppel_core::connection::Connection;
use koppel_core::message::CustomerDecision;
use koppel_core::ports::{Calls, CustomerLink};
use koppel_sandbox::accountview::{CLIENT_ID, CLIENT_SECRET, COMPANY, REDIRECT_URI};
use koppel_sandbox::{Handle, Inspector, Options, Sandbox};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::rows::{customer_payload, order};
use crate::accountview::AccountView;
use crate::accountview::auth::token_keeper;
use crate::http::Deps;
use crate::http::testing::{self, MarkingVault, MemoryStore};

/// The time of the sandbox, for the connector.
struct SandboxClock(koppel_sandbox::Clock);

impl koppel_core::ports::Clock for SandboxClock {
    fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.0.now()
    }
}

pub struct World {
    pub sandbox: Handle,
    pub deps: Deps,
    pub connection: Connection,
    pub av: AccountView,
    pub calls: Calls,
}

impl World {
    /// Stand-in with these switches, connection with these options besides the usual ones.
    pub async fn new(switches: Value, options: Value) -> Self {
        let ports = Options { ports: [("accountview".to_owned(), 0)].into(), ..Options::default() };
        let start = ports.start_time("2026-06-01T10:00:00Z".parse().unwrap()).switch("accountview", switches);
        let sandbox = Sandbox::start(start).await.unwrap();
        sandbox.clock().freeze("2026-06-01T10:00:00Z".parse().unwrap());
        let clock = Arc::new(SandboxClock(sandbox.clock().clone()));
        let deps = Deps { store: Arc::new(MemoryStore::new(clock.clone())), vault: Arc::new(MarkingVault), clock };
        let mut all = json!({"company": COMPANY, "url": sandbox.url("accountview"), "redirect_uri": REDIRECT_URI,
            "debtor_account": "1300", "first_debtor_number": 20000, "sales_journals": "70, 71"});
        for (name, value) in options.as_object().unwrap() {
            all[name] = value.clone();
        }
        let secrets = [("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];
        let connection = testing::connection("accountview", all, &secrets);
        let av = AccountView::new(&connection, &deps).unwrap();
        let world = Self { sandbox, deps, connection, av, calls: Calls::default() };
        world.consent().await;
        world.inspector().reset_calls();
        world
    }

    /// What a person does in a browser: open the address, say yes, come back with a code.
    pub async fn consent(&self) {
        let keeper = token_keeper(&self.connection, &self.deps).unwrap();
        let url = url::Url::parse(&keeper.authorize_url("state-1").unwrap()).unwrap();
        let mut stream = tokio::net::TcpStream::connect((url.host_str().unwrap(), url.port().unwrap())).await.unwrap();
        let target = format!("{}?{}", url.path(), url.query().unwrap());
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let location =
            |line: &str| line.to_lowercase().strip_prefix("location: ").map(|_| line[10..].trim().to_owned());
        let back = answer.lines().find_map(location).unwrap();
        let back = url::Url::parse(&back).unwrap();
        assert!(back.query().unwrap().contains("%2B"), "the code is encoded in the address: {back}");
        let code = back.query().unwrap().split('&').find_map(|pair| pair.strip_prefix("code=")).unwrap();
        keeper.exchange_code(code, &self.calls).await.unwrap();
    }

    pub fn inspector(&self) -> Inspector {
        self.sandbox.system("accountview").unwrap()
    }

    pub fn switch(&self, values: Value) {
        self.inspector().set_switches(values).unwrap();
    }

    pub fn rows(&self, table: &str) -> Vec<Value> {
        self.inspector().documents(table)
    }

    /// Another connector of the same connection, with other options besides.
    pub fn again(&self, options: Value) -> AccountView {
        let mut connection = self.connection.clone();
        for (name, value) in options.as_object().unwrap() {
            connection.options.insert(name.clone(), value.clone());
        }
        AccountView::new(&connection, &self.deps).unwrap()
    }
}

pub fn key(text: &str) -> NonEmpty {
    NonEmpty::new(text).unwrap()
}

pub fn email() -> NonEmpty {
    key("jan@example.test")
}

/// The company of the order in the fixtures, as write gets it.
pub fn company() -> CustomerDecision {
    let mut customer = order()["customer"].clone();
    customer["vat_number"] = json!("NL 0012.345.67B01");
    CustomerDecision {
        key_hash: "h".into(),
        email: "jan@example.test".into(),
        link: None,
        payload: customer_payload(&customer),
        delivery_key: Some("place".into()),
        content_hash: "c".into(),
        update: false,
        matched: Default::default(),
    }
}

pub fn debtor(code: &str) -> CustomerLink {
    CustomerLink { id: code.into(), code: code.into(), ..CustomerLink::default() }
}

/// The names of the second installation.
pub fn other_profile() -> Value {
    json!({
        "sales_order": {"table": "SO_HDR", "lines": "SO_LINE", "key": "ORD_NR",
            "line_roles": {"article": "ART_CODE", "quantity": "ORD_QTY", "unit_price": "SELL_PX", "delivery_date": "DEL_DATE"}},
        "article": {"roles": {"selling_price": "SELL_PX", "vat_code": "VAT_CODE", "barcode": "BAR_CODE"}},
        "payment_terms": {"table": "DISC", "roles": {"name": "DISC_DESC"}},
        "assigned": {"SO_HDR": ["REC_ID"], "SO_LINE": ["REC_ID"]},
    })
}
