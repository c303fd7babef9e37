//! The calls on the wire against documented answers, and what is decided when they go wrong.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use koppel_core::Failure;
use koppel_core::document::DocumentType;
use koppel_core::error::RetryReason;
use koppel_core::ports::{Calls, Target};
use koppel_core::system::Lookup;
use serde_json::{Value, json};

use super::rows::{order, order_payload};
use super::world::{company, debtor, email, key};
use crate::accountview::AccountView;
use crate::accountview::auth::token_keeper;
use crate::http::testing::server::{Reply, Seen, TestServer};
use crate::http::testing::{self, HandClock};

/// A profile with nothing in it but what the dictionary of the fixtures has.
fn known_only() -> Value {
    let off = json!({"object": null});
    json!({"sales_order": off, "article": off, "article_group": off, "payment_terms": off, "journal": off, "cost_center": off})
}

/// What the dictionary of the fixtures tells.
fn dictionary(seen: &Seen) -> Option<Reply> {
    let fields: Vec<Value> = serde_json::from_str(include_str!("../fixtures/dictionary.json")).unwrap();
    if seen.path == "/api/v3/accountviewsystembusinessobjects" {
        let objects = ["AR1", "DJ2", "VA1", "GL1"].map(|code| {
            json!({"Code": code, "Description": code, "InsertAllowed": true, "UpdateAllowed": code == "AR1", "DeleteAllowed": false})
        });
        return Some(Reply::json(200, json!(objects)));
    }
    if seen.path != "/api/v3/accountviewsystemdata" {
        return None;
    }
    if seen.query("BusinessObject") == Some("dbf") {
        let tables = [
            ("CONTACT", "AR1", ""),
            ("DJ_PAGE", "DJ2", "DJ_LINE"),
            ("DJ_LINE", "", ""),
            ("VAT", "VA1", ""),
            ("LEDGER", "GL1", ""),
        ];
        let row = |(name, object, child): (&str, &str, &str)| json!({"DBF_NAME": format!("{name:<8}"), "OBJ_CODE": object, "TBL_CHILD": child, "TBL_ACTIVE": true, "NO_XML_UPD": false});
        return Some(Reply::json(200, json!({"DCT_FILE": tables.map(row)})));
    }
    let wanted = seen.query("FilterValue1").unwrap();
    assert_eq!(wanted.len(), 8, "padded");
    let own: Vec<&Value> = fields.iter().filter(|field| field["DBF_NAME"] == wanted).collect();
    Some(Reply::json(200, json!({ "DCT_FLD": own })))
}

struct World {
    av: AccountView,
    server: TestServer,
    clock: Arc<HandClock>,
    calls: Calls,
}

impl World {
    async fn new(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let server = TestServer::start(move |seen| {
            if seen.path == "/api/v3/token" {
                return Reply::json(200, include_str!("../fixtures/token.json"));
            }
            dictionary(seen).unwrap_or_else(|| answer(seen))
        })
        .await;
        let (clock, _, deps) = testing::world();
        let options = json!({"company": 10021, "url": server.url, "redirect_uri": "https://koppel.example/back",
            "debtor_account": "1300", "first_debtor_number": 20000, "sales_journals": "70", "profile": known_only()});
        let connection =
            testing::connection("accountview", options, &[("client_id", "key-1234"), ("client_secret", "secret-1234")]);
        let calls = Calls::default();
        token_keeper(&connection, &deps).unwrap().exchange_code("code%2B1", &calls).await.unwrap();
        let av = AccountView::new(&connection, &deps).unwrap();
        Self { av, server, clock, calls }
    }

    /// Reads the dictionary, and forgets the calls so far.
    async fn ready(self) -> Self {
        let names = &self.av.names;
        assert!(names.read(&self.av.client, &self.av.profile, &self.calls).await.unwrap().told);
        self.server.take();
        self.calls.take();
        self
    }

    async fn entry(&self) -> Result<koppel_core::ports::Sent, Failure> {
        let payload = order_payload(&order(), DocumentType::FinancialEntry);
        self.av.send_order(DocumentType::FinancialEntry, &payload, &debtor("10000"), Some("place"), &self.calls).await
    }
}

/// `{"NAME": [type, value]}` of a definition and a row of values.
fn named(definition: &Value, values: &Value) -> BTreeMap<String, Value> {
    let fields = definition["Fields"].as_array().unwrap();
    let values = values.as_array().unwrap();
    assert_eq!(fields.len(), values.len());
    let pair = |(field, value): (&Value, &Value)| {
        (field["Name"].as_str().unwrap().to_owned(), json!([field["FieldType"], value]))
    };
    fields.iter().zip(values).map(pair).collect()
}

#[tokio::test]
async fn a_page_is_posted_in_the_documented_shape() {
    let world = World::new(|_| Reply::json(200, include_str!("../fixtures/page-created.json"))).await.ready().await;
    let sent = world.entry().await.unwrap();
    assert_eq!((sent.id.as_str(), sent.number.as_str()), ("WEB-23", "WEB-23"));
    let seen = world.server.take();
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].method.as_str(), seen[0].path.as_str()), ("POST", "/api/v3/accountviewdata"));
    assert_eq!(seen[0].header("x-company"), Some("10021"));
    assert_eq!(seen[0].header("authorization"), Some("Bearer access-1"));
    assert!(seen[0].header("content-type").unwrap().starts_with("application/json"));
    let body: Value = serde_json::from_str(&seen[0].body).unwrap();
    let wanted: Value = serde_json::from_str(include_str!("../fixtures/page-posted.json")).unwrap();
    assert_eq!((&body["BusinessObject"], &body["BookDate"]), (&wanted["BusinessObject"], &wanted["BookDate"]));
    let mut header = named(&body["Table"]["Definition"], &body["TableData"]["Data"]["Rows"][0]["Values"]);
    assert_eq!(header.remove("RowId"), Some(json!(["C", "1"])));
    assert_eq!(json!(header), wanted["header"]);
    for (at, line) in wanted["lines"].as_array().unwrap().iter().enumerate() {
        let values = &body["TableData"]["DetailData"][0]["Rows"][at]["Values"];
        let mut fields = named(&body["Table"]["DetailDefinitions"][0], values);
        assert_eq!(fields.remove("RowId"), Some(json!(["C", (at + 1).to_string()])));
        assert_eq!(fields.remove("HeaderId"), Some(json!(["C", "1"])));
        assert_eq!(json!(fields), *line);
    }
}

#[tokio::test]
async fn an_error_inside_200_is_a_refusal() {
    let world = World::new(|_| Reply::json(200, include_str!("../fixtures/error.json"))).await.ready().await;
    let failure = world.entry().await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("reject", "refused"));
    assert!(failure.to_string().contains("moet worden ingevuld"), "{failure}");
    let failure = world.av.look_up(Lookup::VatCode, &[key("4")], &world.calls).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("settings", "query_refused"));
}

#[tokio::test]
async fn what_is_unsure_after_a_post_is_searched_for_by_the_caller() {
    for reply in [
        Reply::lost(),
        Reply::json(503, "{}"),
        Reply::json(500, ""),
        Reply::json(200, "<html>maintenance</html>"),
        Reply::json(200, "{}"),
        Reply::json(200, r#"{"DJ_PAGE":[]}"#),
    ] {
        let world = World::new(move |_| reply.clone()).await.ready().await;
        let Err(Failure::Retry { reason, .. }) = world.entry().await else { panic!() };
        assert_eq!(reason, RetryReason::OutcomeUnknown);
        assert_eq!(world.server.take().len(), 1, "the connector itself never posts twice");
    }
}

#[tokio::test]
async fn nothing_found_has_many_forms_and_another_table_is_a_mistake() {
    for (status, body) in
        [(404, "{}"), (404, ""), (200, "{}"), (200, ""), (200, r#"{"CONTACT":[]}"#), (200, r#"{"CONTACT":null}"#)]
    {
        let world = World::new(move |_| Reply::json(status, body)).await.ready().await;
        assert!(world.av.find_customers(&[email()], &world.calls).await.unwrap().is_empty(), "{status} {body}");
    }
    let one = r#"{"contact":{"SUB_NR":"7         ","MAIL_BUS":"Jan@Example.test   ","REC_BLK":false,"BLK_SP":false}}"#;
    let world = World::new(move |_| Reply::json(200, one)).await.ready().await;
    assert_eq!(world.av.find_customers(&[email()], &world.calls).await.unwrap()[&email()].code, "7");
    let world = World::new(|_| Reply::json(200, r#"{"DEBTORS":[{"SUB_NR":"7"}]}"#)).await.ready().await;
    let failure = world.av.find_customers(&[email()], &world.calls).await.unwrap_err();
    assert!(failure.cause().code == "other_table" && failure.to_string().contains("DEBTORS"), "{failure}");
}

#[tokio::test]
async fn a_list_goes_on_after_the_key_of_its_last_row_and_ends() {
    let world = World::new(|seen| {
        let last: usize = seen.query("LastKey").unwrap_or("0").parse().unwrap();
        let rows: Vec<Value> = (last + 1..=410.min(last + seen.number("PageSize")))
            .map(|n| json!({"VAT_CODE": format!("{n:<4}"), "VAT_PCT": 21}))
            .collect();
        Reply::json(200, json!({ "VAT": rows }))
    })
    .await
    .ready()
    .await;
    assert_eq!(world.av.list_codes(Lookup::VatCode, &world.calls).await.unwrap().len(), 410);
    let asked: Vec<Option<String>> =
        world.server.take().iter().map(|seen| seen.query("LastKey").map(str::to_owned)).collect();
    assert_eq!(asked, [None, Some("200".into()), Some("400".into())]);
    // The same page again and again, or rows without their key: neither goes on for ever.
    for (row, code) in [(json!({"VAT_CODE": "4"}), "endless_list"), (json!({"VAT_PCT": 21}), "paging_key_missing")] {
        let world = World::new(move |_| Reply::json(200, json!({"VAT": vec![row.clone(); 200]}))).await.ready().await;
        let failure = world.av.list_codes(Lookup::VatCode, &world.calls).await.unwrap_err();
        assert_eq!(failure.cause().code, code);
    }
}

#[tokio::test]
async fn the_dictionary_is_read_once_kept_and_read_again_after_a_week() {
    let world = World::new(|_| Reply::json(200, "{}")).await;
    let dictionary = || world.server.take().iter().filter(|seen| seen.path.contains("system")).count();
    for (days, wanted) in [(0, 7), (0, 0), (6, 0), (2, 7)] {
        world.clock.forward(days * 86_400);
        world.av.find_customers(&[email()], &world.calls).await.unwrap();
        assert_eq!(dictionary(), wanted, "after {days} days");
    }
}

#[tokio::test]
async fn a_dead_token_is_renewed_once_by_one_and_a_refresh_token_that_is_not_renewed_stays() {
    let (live, refreshes) = (Arc::new(Mutex::new(1)), Arc::new(AtomicUsize::new(0)));
    let (seen_live, seen_refreshes) = (Arc::clone(&live), Arc::clone(&refreshes));
    let server = TestServer::start(move |seen| {
        let mut live = seen_live.lock().unwrap();
        if seen.path == "/api/v3/token" {
            let form: BTreeMap<String, String> =
                url::form_urlencoded::parse(seen.body.as_bytes()).into_owned().collect();
            assert_eq!((form["client_id"].as_str(), form["client_secret"].as_str()), ("key-1234", "secret-1234"));
            if form["grant_type"] == "authorization_code" {
                assert_eq!(
                    (form["code"].as_str(), form["redirect_uri"].as_str()),
                    ("code+1", "https://koppel.example/back")
                );
                return Reply::json(200, include_str!("../fixtures/token.json"));
            }
            assert_eq!((form["refresh_token"].as_str(), form.len()), ("refresh-1", 4));
            seen_refreshes.fetch_add(1, Ordering::SeqCst);
            *live += 1;
            // No new refresh token, and no life time.
            return Reply::json(200, json!({"access_token": format!("access-{live}")}));
        }
        let wanted = format!("Bearer access-{live}");
        if seen.header("authorization") != Some(wanted.as_str()) {
            return Reply::json(401, "");
        }
        dictionary(seen).unwrap_or_else(|| Reply::json(200, "{}"))
    })
    .await;
    let (clock, _, deps) = testing::world();
    let options = json!({"company": "10021", "url": server.url, "redirect_uri": "https://koppel.example/back", "profile": known_only()});
    let connection =
        testing::connection("accountview", options, &[("client_id", "key-1234"), ("client_secret", "secret-1234")]);
    let calls = Calls::default();
    token_keeper(&connection, &deps).unwrap().exchange_code("code%2B1", &calls).await.unwrap();
    for round in 1..=3 {
        // Far from its end, but the site has forgotten it.
        clock.forward(120);
        *live.lock().unwrap() = round * 100;
        let connectors: Vec<AccountView> = (0..2).map(|_| AccountView::new(&connection, &deps).unwrap()).collect();
        let asked = [email()];
        let (one, two) =
            tokio::join!(connectors[0].find_customers(&asked, &calls), connectors[1].find_customers(&asked, &calls));
        assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
        assert_eq!(refreshes.load(Ordering::SeqCst), round);
    }
    let recorded = format!("{:?}", calls.take());
    for secret in ["access-1", "refresh-1", "secret-1234", "code+1"] {
        assert!(!recorded.contains(secret), "{secret} in {recorded}");
    }
}

#[tokio::test]
async fn the_connection_test_names_the_company_and_those_there_are() {
    for (company, wanted) in
        [(json!("WIN"), "its id is needed"), (json!(7), "may not use company 7"), (Value::Null, "no company is chosen")]
    {
        let server = TestServer::start(|seen| match seen.path.as_str() {
            "/api/v3/token" => Reply::json(200, include_str!("../fixtures/token.json")),
            _ => Reply::json(200, include_str!("../fixtures/companies.json")),
        })
        .await;
        let (_, _, deps) = testing::world();
        let options = json!({"company": company, "url": server.url, "redirect_uri": "https://koppel.example/back"});
        let connection = testing::connection("accountview", options, &[("client_id", "k"), ("client_secret", "s")]);
        let calls = Calls::default();
        token_keeper(&connection, &deps).unwrap().exchange_code("c", &calls).await.unwrap();
        let av = AccountView::new(&connection, &deps).unwrap();
        let failure = Target::test_connection(&av, &calls).await.unwrap_err();
        assert_eq!(failure.class(), "settings");
        let text = failure.to_string();
        assert!(text.contains(wanted) && text.contains("10021 Winkel BV (WIN); 10022 Oefen BV (OEF)"), "{text}");
        assert!(server.take().iter().all(|seen| seen.header("x-company").is_none()));
    }
}

#[tokio::test]
async fn a_record_that_is_refused_here_takes_no_call_and_no_number() {
    let world = World::new(|seen| match seen.method.as_str() {
        "POST" => Reply::json(200, include_str!("../fixtures/debtor-created.json")),
        _ => Reply::json(404, ""),
    })
    .await
    .ready()
    .await;
    let mut long = company();
    long.payload["name"] = json!("n".repeat(41));
    let failure = world.av.send_customer(&long, None, &world.calls).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("reject", "too_long"));
    assert!(failure.to_string().contains("ACCT_NAME of CONTACT takes 40 characters and this one has 41"), "{failure}");
    let mut nameless = company();
    nameless.payload["name"] = json!(" ");
    assert_eq!(
        world.av.send_customer(&nameless, None, &world.calls).await.unwrap_err().cause().code,
        "mandatory_missing"
    );
    assert_eq!(world.server.take().len(), 0);
    let link = world.av.send_customer(&company(), None, &world.calls).await.unwrap();
    assert_eq!((link.code.as_str(), link.addresses.contains_key("place")), ("20000", true));
    assert!(world.server.take()[1].body.contains("\"20000\""), "the first number is still free");
}
