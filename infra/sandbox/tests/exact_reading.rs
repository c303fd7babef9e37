//! Exact Online: reading, limits, access.

mod common;

use chrono::Duration;
use common::{Books, json_of};
use koppel_sandbox::exact_online;
use serde_json::json;

#[tokio::test]
async fn lists_have_two_shapes_and_pages_that_end() {
    let books = Books::open(json!({"mandatory_filter": "off", "minute_limit": null})).await;
    let accounts: Vec<_> = (0..130)
        .map(|n| json!({"Name": format!("Klant {n:03}"), "Code": (20000 + n).to_string(), "Status": "C"}))
        .collect();
    books.sandbox.exact().inspect("POST", "rows/crm/Accounts", &json!(accounts));
    let small = json_of(books.get("crm/Accounts", &[("$select", "ID,Code"), ("$top", "2")]).await).await;
    assert_eq!(small["d"].as_array().unwrap().len(), 2);
    assert_eq!(small["d"][0]["Code"].as_str().unwrap().len(), 18);
    assert_eq!(small["d"][0]["__metadata"]["type"], "Exact.Web.Api.Models.Account");
    assert!(small["d"][0].get("Name").is_none());
    let mut seen = Vec::new();
    let first = books.get(
        "crm/Accounts",
        &[("$select", "ID,Name"), ("$orderby", "Name desc"), ("$top", "100"), ("$inlinecount", "allpages")],
    );
    let mut body = json_of(first.await).await;
    assert_eq!(body["d"]["__count"], "134");
    loop {
        for row in body["d"].as_array().or(body["d"]["results"].as_array()).unwrap() {
            seen.push(row["Name"].as_str().unwrap().to_owned());
        }
        let Some(next) = body["d"].get("__next").and_then(|next| next.as_str()).map(str::to_owned) else { break };
        assert!(next.starts_with(books.sandbox.exact_online_url()));
        body = json_of(books.request(reqwest::Method::GET, &next).send().await.unwrap()).await;
    }
    let mut sorted = seen.clone();
    sorted.sort_by(|a, b| b.cmp(a));
    sorted.dedup();
    assert_eq!((seen.len(), &seen), (100, &sorted), "100 different rows in order over two pages");
    let count = books.client.get(books.url("crm/Accounts/$count")).bearer_auth(&books.token).send().await.unwrap();
    assert_eq!(count.text().await.unwrap(), "134");
}

#[tokio::test]
async fn queries_that_cannot_be_answered_are_refused() {
    let books = Books::open(json!({"error_limit": null})).await;
    for (path, options, words) in [
        ("crm/Accounts", vec![], "Please add a $select or a $top=1 statement"),
        ("crm/Accounts", vec![("$select", "ID")], "mandatory filtering applied"),
        ("crm/Accounts", vec![("$select", "ID"), ("$filter", "Website eq 'x'")], "not supported for this resource"),
        ("crm/Accounts", vec![("$select", "ID"), ("$filter", "Email eq x'")], "Error in query syntax"),
        (
            "crm/Accounts",
            vec![("$select", "Naam"), ("$filter", "Email eq 'x'")],
            "Could not find a property named 'Naam'",
        ),
        (
            "logistics/Items",
            vec![("$select", "Picture"), ("$filter", "Code eq 'x'")],
            "Could not find a property named 'Picture'",
        ),
        ("vat/VATCodes", vec![("$select", "ID"), ("$filtre", "x")], "system-reserved '$' character"),
        (
            "sync/Logistics/Items",
            vec![("$select", "ID"), ("$filter", "Code eq 'x'")],
            "not supported for this resource",
        ),
        ("read/logistics/StockPosition", vec![("$filter", "InStock gt 1")], "Error in query syntax"),
    ] {
        let (status, message) = Books::refusal(books.get(path, &options).await).await;
        assert_eq!(status, 400, "{path} {options:?}: {message}");
        assert!(message.contains(words), "{path}: {message}");
    }
    assert_eq!(books.get("crm/Nothing", &[("$select", "ID")]).await.status(), 404);
    assert_eq!(books.post("logistics/ItemGroups", &json!({})).await.status(), 403);
}

#[tokio::test]
async fn codes_are_padded_dates_local_and_percentages_fractions() {
    let books = Books::open(json!({})).await;
    let select = ("$select", "ID,Code,Country,Language,Created");
    let exact = format!("Code eq '{:>18}'", "10000");
    assert_eq!(books.rows("crm/Accounts", &[select, ("$filter", &exact)]).await.len(), 1);
    assert_eq!(books.rows("crm/Accounts", &[select, ("$filter", "Code eq '10000'")]).await.len(), 0);
    let trimmed = books.rows("crm/Accounts", &[select, ("$filter", "trim(Code) eq '10000'")]).await;
    assert_eq!((&trimmed[0]["Country"], &trimmed[0]["Language"]), (&json!("NL "), &json!("NL        ")));
    assert!(trimmed[0]["Created"].as_str().unwrap().starts_with("/Date("));
    let codes = books.rows("vat/VATCodes", &[("$select", "Code,Percentage,Type")]).await;
    let high = codes.iter().find(|row| row["Code"] == "4  ").unwrap();
    assert_eq!(high["Percentage"].to_string(), "0.21");
    let items = books
        .rows("logistics/Items", &[("$select", "Code,Unit"), ("$filter", "Code eq 'MOK-WIT' or Code eq 'KOFFIE'")])
        .await;
    assert_eq!((items.len(), &items[0]["Unit"]), (2, &json!("stuk    ")));
    let atom = books.client.get(books.url("vat/VATCodes?$select=ID")).bearer_auth(&books.token).send().await.unwrap();
    assert!(atom.headers()["content-type"].to_str().unwrap().starts_with("application/atom+xml"));
}

#[tokio::test]
async fn the_user_and_the_division_are_told() {
    let books = Books::open(json!({})).await;
    books.sandbox.clock().freeze("2026-07-01T10:00:00Z".parse().unwrap());
    let (_, tokens) = books.sandbox.exact().inspect("POST", "authorise", &json!({}));
    let token = tokens["access_token"].as_str().unwrap().to_owned();
    let url = format!(
        "{}/api/v1/current/Me?$select=CurrentDivision,ServerTime,ServerUtcOffset",
        books.sandbox.exact_online_url()
    );
    let me =
        json_of(books.client.get(&url).bearer_auth(&token).header("Accept", "application/json").send().await.unwrap())
            .await;
    let me = &me["d"]["results"][0];
    assert_eq!(
        (&me["CurrentDivision"], &me["ServerTime"], &me["ServerUtcOffset"]),
        (&json!(123456), &json!("2026-07-01T12:00:00.000"), &json!(7200))
    );
    let me_below = format!("{}/api/v1/123456/current/Me", books.sandbox.exact_online_url());
    assert_eq!(books.client.get(me_below).bearer_auth(&token).send().await.unwrap().status(), 404);
    let foreign =
        format!("{}/api/v1/{}/crm/Accounts?$top=1", books.sandbox.exact_online_url(), exact_online::FOREIGN_DIVISION);
    let foreign = books.client.get(foreign).bearer_auth(&token).send().await.unwrap();
    assert_eq!((foreign.status().as_u16(), foreign.headers()["Reason"].to_str().unwrap()), (403, "NoDivisionAccess"));
    let nowhere = format!("{}/api/v1/111/crm/Accounts?$top=1", books.sandbox.exact_online_url());
    assert_eq!(books.client.get(nowhere).bearer_auth(&token).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn rights_can_be_taken_away() {
    let books =
        Books::open(json!({"missing_scopes": ["Sales orders"], "forbidden_resources": ["SalesInvoices"]})).await;
    let (status, message) = Books::refusal(books.get("salesorder/SalesOrders", &[("$top", "1")]).await).await;
    assert_eq!((status, message.as_str()), (403, "Forbidden - Application Scope Violated. Cannot read"));
    assert_eq!(books.get("salesinvoice/SalesInvoices", &[("$top", "1")]).await.status(), 403);
    books.sandbox.exact().set_switches(json!({"forbidden_reason": "LicenseExpired"})).unwrap();
    let answer = books.get("vat/VATCodes", &[("$select", "ID")]).await;
    assert_eq!((answer.status().as_u16(), answer.headers()["Reason"].to_str().unwrap()), (403, "LicenseExpired"));
    let error = books.sandbox.exact().set_switches(json!({"mandatory_filter": "sometimes"})).unwrap_err();
    assert!(error.to_string().contains("none of off, required, listed_only"));
}

#[tokio::test]
async fn the_minute_and_the_day_run_out_with_their_own_headers() {
    let books = Books::open(json!({"minute_limit": 3, "day_limit": 5})).await;
    books.sandbox.clock().freeze("2026-11-25T12:00:30Z".parse().unwrap());
    let (_, tokens) = books.sandbox.exact().inspect("POST", "authorise", &json!({}));
    let books =
        Books { token: tokens["access_token"].as_str().unwrap().into(), client: books.client, sandbox: books.sandbox };
    let call = || books.get("vat/VATCodes", &[("$select", "ID")]);
    let first = call().await;
    let header = |answer: &reqwest::Response, name: &str| {
        answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
    };
    for (name, value) in [
        ("X-RateLimit-Limit", "5"),
        ("X-RateLimit-Remaining", "4"),
        ("X-RateLimit-Reset", "1795651200000"),
        ("X-RateLimit-Minutely-Limit", "3"),
        ("X-RateLimit-Minutely-Remaining", "2"),
        ("X-RateLimit-Minutely-Reset", "1795608060000"),
    ] {
        assert_eq!(header(&first, name).as_deref(), Some(value), "{name}");
    }
    call().await;
    call().await;
    let over = call().await;
    assert_eq!((over.status().as_u16(), header(&over, "X-RateLimit-Limit")), (429, None));
    assert_eq!(header(&over, "X-RateLimit-Minutely-Remaining").as_deref(), Some("0"));
    books.sandbox.clock().advance(Duration::seconds(30));
    assert_eq!(call().await.status(), 200);
    assert_eq!(call().await.status(), 200);
    let over = call().await;
    assert_eq!((over.status().as_u16(), header(&over, "X-RateLimit-Minutely-Limit")), (429, None));
    assert_eq!(header(&over, "X-RateLimit-Remaining").as_deref(), Some("0"));
}

#[tokio::test]
async fn ten_errors_an_hour_are_enough() {
    let books = Books::open(json!({"minute_limit": null})).await;
    for _ in 0..11 {
        assert_eq!(books.post("crm/Contacts", &json!({"Nonsense": 1})).await.status(), 400);
    }
    let blocked = books.get("crm/Contacts", &[("$select", "ID")]).await;
    assert_eq!((blocked.status().as_u16(), blocked.headers().get("X-RateLimit-Limit").is_some()), (429, false));
    assert_eq!(books.get("vat/VATCodes", &[("$select", "ID")]).await.status(), 200, "other endpoints go on");
    books.sandbox.clock().advance(Duration::minutes(61));
    let (_, tokens) = books.sandbox.exact().inspect("POST", "authorise", &json!({}));
    let books =
        Books { token: tokens["access_token"].as_str().unwrap().into(), client: books.client, sandbox: books.sandbox };
    assert_eq!(books.get("crm/Contacts", &[("$select", "ID")]).await.status(), 200);
}

#[tokio::test]
async fn feeds_go_by_row_version_and_tell_deletions() {
    let books = Books::open(json!({})).await;
    let page =
        books.rows("sync/Logistics/Items", &[("$select", "Timestamp,Code"), ("$filter", "Timestamp gt 1L")]).await;
    let last = page.iter().map(|row| row["Timestamp"].as_str().unwrap().parse::<i64>().unwrap()).max().unwrap();
    assert_eq!(page.len(), 15);
    let id = books.id("logistics/Items", "KOFFIE");
    assert_eq!(books.put(&format!("logistics/Items(guid'{id}')"), &json!({"Notes": "x"})).await.status(), 204);
    let filter = format!("Timestamp gt {last}L");
    let changed = books.rows("sync/Logistics/Items", &[("$select", "Timestamp,Code"), ("$filter", &filter)]).await;
    assert_eq!(changed.iter().map(|row| row["Code"].as_str().unwrap()).collect::<Vec<_>>(), ["KOFFIE"]);
    let gone = books
        .request(reqwest::Method::DELETE, &books.url(&format!("logistics/Items(guid'{id}')")))
        .send()
        .await
        .unwrap();
    assert_eq!(gone.status(), 204);
    let deleted = books.rows("sync/Deleted", &[("$select", "EntityKey,EntityType"), ("$filter", &filter)]).await;
    assert_eq!((&deleted[0]["EntityKey"], &deleted[0]["EntityType"]), (&json!(id), &json!(9)));
    let stock = books
        .rows("sync/Inventory/StockPositions", &[("$select", "ItemCode,CurrentStock"), ("$filter", "Timestamp gt 1L")])
        .await;
    assert!(stock.iter().any(|row| row["ItemCode"] == "MOK-WIT" && row["CurrentStock"] == 137));
}
