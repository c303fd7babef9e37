//! Asperion: what is stored, and what is refused with which words.
// Helpers of tests may panic as tests do.
#![allow(clippy::unwrap_used)]

mod asperion_support;

use asperion_support::{Books, told};
use serde_json::{Value, json};

fn invoice(reference: &str) -> Value {
    json!({"bookyear": 2026, "bookperiod": 11, "date": "2026-11-20T00:00:00", "journalId": "71", "description": reference,
        "debtorCustomerNumber": "10000", "paymentConditionId": 14, "lines": {"_data": [
            {"amount": 19.90, "vatAmount": 4.18, "vatCode": "1", "ledgerAccountId": 8000, "description": "2 × Mok wit",
                "costCenterId": 1},
            {"amount": 6.95, "vatCode": "1", "ledgerAccountId": 8020}]}})
}

fn entry(reference: &str) -> Value {
    json!({"bookyear": 2026, "bookperiod": 11, "date": "2026-11-20T00:00:00", "journalId": "90",
        "sourceDocumentNumber": reference, "lines": {"_data": [
            {"amount": 121, "ledgerAccountId": 1300, "debtorId": 1001},
            {"amount": -100, "ledgerAccountId": 8000, "vatCode": "1", "vatAmount": -21},
            {"amount": -21, "ledgerAccountId": 1510}]}})
}

#[tokio::test]
async fn a_new_invoice_is_a_concept_without_a_number() {
    let books = Books::open(json!({})).await;
    let (status, made) = books.post("salesinvoiceswithlines", &invoice("WEB-1")).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!((&made["status"], made.get("invoiceNumber")), (&json!(1), None));
    assert_eq!(made["amountExclVat"].to_string(), "26.85");
    assert_eq!((made["vatAmount"].to_string(), made["amountInclVat"].to_string()), ("5.64".into(), "32.49".into()));
    assert_eq!(made["lines"]["_meta"]["totalCount"], 2);
    assert_eq!(books.post("salesinvoiceswithlines", &invoice("WEB-11")).await.0, 201);
    let found = books.rows("salesinvoiceswithlines?Description=WEB-1&JournalId=71").await;
    assert_eq!(found.len(), 2, "WEB-1 is a part of WEB-11");
    assert_eq!(books.rows("salesinvoiceswithlines?CostCenterId=1&DebtorId=1001").await.len(), 2);
    let bare = books.rows("salesinvoices").await;
    assert!(bare.len() == 2 && bare[0].get("lines").is_none());
    let id = made["id"].to_string();
    assert_eq!(books.sandbox.asperion().inspect("POST", &format!("book/{id}"), &json!({})).0, 200);
    let found = books.rows("salesinvoiceswithlines?InvoiceNumber=20260001&InvoiceNumber_comparison=Equals").await;
    assert_eq!((found.len(), &found[0]["status"]), (1, &json!(3)));
    // Nothing is unique but a number.
    assert_eq!(books.post("salesinvoiceswithlines", &invoice("WEB-1")).await.0, 201);
    let mut numbered = invoice("WEB-2");
    numbered["invoiceNumber"] = json!("20260001");
    assert!(told(&books.post("salesinvoiceswithlines", &numbered).await, "InvoiceNumber").contains("exists already"));
}

#[tokio::test]
async fn what_is_wrong_with_an_invoice_is_told_field_by_field() {
    let books = Books::open(json!({})).await;
    let cases = [
        ("/journalId", json!("99"), "JournalId", "'99' does not exist in this administration."),
        ("/journalId", json!("90"), "JournalId", "This is no sales journal."),
        (
            "/journalId",
            json!(71),
            "JournalId",
            "The JSON value could not be converted to System.String. Path: $.journalId",
        ),
        ("/debtorCustomerNumber", json!("777"), "DebtorCustomerNumber", "'777' does not exist in this administration."),
        ("/debtorCustomerNumber", json!("10002"), "DebtorCustomerNumber", "The debtor is blocked."),
        ("/bookperiod", json!(14), "Bookperiod", "The period does not exist."),
        (
            "/date",
            json!("2026-11-20"),
            "Date",
            "The JSON value could not be converted to System.DateTime. Path: $.date",
        ),
        ("/paymentConditionId", json!(7), "PaymentConditionId", "'7' does not exist in this administration."),
        (
            "/description",
            json!("x".repeat(61)),
            "Description",
            "The field must be a string with a maximum length of 60.",
        ),
        ("/lines/_data/0/ledgerAccountId", json!(8999), "Lines[0].LedgerAccountId", "The ledger account is disabled."),
        (
            "/lines/_data/0/ledgerAccountId",
            json!("8000"),
            "Lines[0].LedgerAccountId",
            "The JSON value could not be converted to System.Int32. Path: $.Lines[0].ledgerAccountId",
        ),
        ("/lines/_data/0/vatCode", json!("I1"), "Lines[0].VatCode", "This is no VAT code for sales."),
        ("/lines/_data/1/vatCode", json!("3"), "Lines[1].VatCode", "The VAT code is not valid on this date."),
        (
            "/lines/_data/0/vatAmount",
            json!(4.21),
            "Lines[0].VatAmount",
            "The VAT amount differs from the rate; expected 4.18.",
        ),
        ("/lines/_data/0/amount", json!(19.905), "Lines[0].Amount", "An amount has at most two decimals."),
        (
            "/lines/_data/0/costCenterId",
            json!(9),
            "Lines[0].CostCenterId",
            "'9' does not exist in this administration.",
        ),
        ("/lines/_data", json!([]), "Lines", "At least one line is required."),
    ];
    for (path, value, field, message) in cases {
        let mut body = invoice("WEB-3");
        *body.pointer_mut(path).unwrap() = value;
        let answer = books.post("salesinvoiceswithlines", &body).await;
        assert_eq!((answer.0, told(&answer, field).as_str()), (400, message), "{path}");
    }
    for (field, value, message) in [
        ("shopOrder", json!("1"), "Could not find member 'shopOrder' on object of type 'SalesInvoiceWithLines'."),
        ("status", json!(3), "This field is read-only."),
        ("amountInclVat", json!(3), "This field is read-only."),
    ] {
        let mut body = invoice("WEB-3");
        body[field] = value;
        let answer = books.post("salesinvoiceswithlines", &body).await;
        let place = format!("{}{}", field[..1].to_uppercase(), &field[1..]);
        assert_eq!((answer.0, told(&answer, &place).as_str()), (400, message));
    }
    assert!(books.sandbox.asperion().documents("salesinvoiceswithlines").is_empty());
    let dutch = books.client.post(books.url("salesinvoiceswithlines")).bearer_auth(&books.token);
    let dutch = dutch.header("X-Tenant-Id", "4711").header("Accept-Language", "nl-NL").json(&json!({}));
    let dutch = asperion_support::json_of(dutch.send().await.unwrap()).await;
    assert_eq!(dutch["errors"]["JournalId"][0], "Het veld JournalId is verplicht.");
    assert!(dutch["traceId"].is_string() && dutch["title"].as_str().unwrap().starts_with("Er zijn"));
}

#[tokio::test]
async fn what_is_not_known_can_be_switched() {
    let books = Books::open(json!({})).await;
    let valid = books.post("salesinvoiceswithlines?validateOnly=true", &invoice("WEB-4")).await;
    assert_eq!((valid.0, valid.1["id"].clone()), (200, Value::Null));
    let mut wrong = invoice("WEB-4");
    wrong["journalId"] = json!("99");
    assert_eq!(books.post("salesinvoiceswithlines?validateOnly=true", &wrong).await.0, 400);
    assert!(books.sandbox.asperion().documents("salesinvoiceswithlines").is_empty());
    let mut credit = invoice("CREDIT-4");
    credit["lines"]["_data"] = json!([{"amount": -9.95, "vatAmount": -2.09, "vatCode": "1", "ledgerAccountId": 8000}]);
    assert_eq!(books.post("salesinvoiceswithlines", &credit).await.0, 201);
    books.set(json!({"negative_invoices": false, "rule_status": 422, "post_status": 200}));
    let refused = books.post("salesinvoiceswithlines", &credit).await;
    assert_eq!((refused.0, told(&refused, "Lines").as_str()), (422, "An invoice cannot be negative."));
    books.set(json!({"amounts_include_vat": true}));
    let mut including = invoice("WEB-5");
    including["lines"]["_data"] = json!([{"amount": 121, "vatCode": "1", "ledgerAccountId": 8000}]);
    let (status, made) = books.post("salesinvoiceswithlines", &including).await;
    assert_eq!((status, &made["amountExclVat"], &made["vatAmount"]), (200, &json!(100), &json!(21)));
    books.set(json!({"closed_until": "2026-11"}));
    let closed = books.post("salesinvoiceswithlines", &including).await;
    assert_eq!(told(&closed, "Bookperiod"), "The period is closed.");
}

#[tokio::test]
async fn an_entry_balances_and_is_listed_by_year() {
    let books = Books::open(json!({})).await;
    let (status, made) = books.post("journalentrieswithlines", &entry("WEB-6")).await;
    assert_eq!((status, &made["lines"]["_data"][0]["bookingDate"]), (201, &json!("2026-11-20T00:00:00")), "{made}");
    assert_eq!(books.get("journalentrieswithlines").await.0, 400);
    let found = books.rows("journalentrieswithlines?BookYear=2026&SourceDocumentNumber=WEB-6&JournalId=90").await;
    assert_eq!(found.len(), 1);
    assert!(books.rows("journalentrieswithlines?BookYear=2025&SourceDocumentNumber=WEB-6").await.is_empty());
    assert_eq!(books.get(&format!("journalentrieswithlines/{}", made["id"])).await.1["sourceDocumentNumber"], "WEB-6");
    assert_eq!(books.get("journalentrieswithlines/1").await.0, 404);
    for (path, value, field, message) in [
        ("/lines/_data/0/amount", json!(120), "Lines", "The entry does not balance: difference -1."),
        ("/lines/_data/0/debtorId", json!(null), "Lines[0].DebtorId", "The account of debtors needs a debtor."),
        (
            "/lines/_data/1/vatAmount",
            json!(21),
            "Lines[1].VatAmount",
            "The VAT amount differs from the rate; expected -21.",
        ),
        ("/journalId", json!("70"), "JournalId", "This journal takes no entries."),
        (
            "/sourceDocumentNumber",
            json!("x".repeat(21)),
            "SourceDocumentNumber",
            "The field must be a string with a maximum length of 20.",
        ),
    ] {
        let mut body = entry("WEB-7");
        *body.pointer_mut(path).unwrap() = value;
        let answer = books.post("journalentrieswithlines", &body).await;
        assert_eq!((answer.0, told(&answer, field).as_str()), (400, message), "{path}");
    }
    books.set(json!({"entry_balance": "amounts_and_vat"}));
    assert_eq!(books.post("journalentrieswithlines", &entry("WEB-8")).await.0, 400);
    let mut on_line = entry("WEB-8");
    on_line["lines"]["_data"].as_array_mut().unwrap().pop();
    assert_eq!(books.post("journalentrieswithlines", &on_line).await.0, 201);
}

#[tokio::test]
async fn debtors_get_a_number_and_a_put_replaces() {
    let books = Books::open(json!({})).await;
    let new =
        json!({"name": "Eva Smit", "emailAddress": "eva@example.test", "address": "Dorpsstraat 1", "city": "Ede"});
    let (status, made) = books.post("debtors", &new).await;
    assert_eq!((status, &made["customerNumber"], &made["blocked"]), (201, &json!("10006"), &json!(false)));
    books.set(json!({"debtor_answer": "wrapped"}));
    let (_, wrapped) = books.post("debtors", &json!({"name": "Wrapped"})).await;
    assert_eq!(wrapped["_data"][0]["customerNumber"], "10007");
    for (field, value, message) in [
        ("customerNumber", json!("10000"), "A debtor with this number exists already."),
        ("debtorKindId", json!("VIP"), "'VIP' does not exist in this administration."),
        ("paymentMethodId", json!("BIT"), "'BIT' does not exist in this administration."),
        ("countryCode", json!("nl"), "'nl' does not exist in this administration."),
        ("emailAddress", json!("eva"), "The EmailAddress field is not a valid e-mail address."),
        ("postCode", json!("1234567890A"), "The field must be a string with a maximum length of 10."),
        ("name", json!(""), "The Name field is required."),
        ("dateAdded", json!("2026-01-01T00:00:00"), "This field is read-only."),
    ] {
        let mut body = json!({"name": "Eva"});
        body[field] = value;
        let answer = books.post("debtors", &body).await;
        let place = format!("{}{}", field[..1].to_uppercase(), &field[1..]);
        assert_eq!((answer.0, told(&answer, &place).as_str()), (400, message));
    }
    let path = format!("debtors/{}", made["id"]);
    let (status, changed) = books.put(&path, &json!({"name": "Eva de Boer", "customerNumber": "10006"})).await;
    assert_eq!((status, &changed["city"], &changed["dateAdded"]), (200, &Value::Null, &made["dateAdded"]));
    assert_eq!(books.put(&path, &json!({"name": "Eva"})).await.0, 400, "the number went with it");
    books.set(json!({"put_replaces": false}));
    let (status, kept) = books.put(&path, &json!({"city": "Ede"})).await;
    assert_eq!((status, &kept["name"], &kept["city"]), (200, &json!("Eva de Boer"), &json!("Ede")));
    assert_eq!(books.put("debtors/7", &json!({"name": "X"})).await.0, 404);
}

#[tokio::test]
async fn stock_is_never_written_but_sales_orders_take_from_it() {
    let books = Books::open(json!({"tiers": [1, 2, 3]})).await;
    let new = json!({"code": "NIEUW", "description": "Nieuw", "salesTypeId": "HOOG", "price": 5});
    assert_eq!(books.post("articles", &new).await.0, 201);
    assert!(told(&books.post("articles", &new).await, "Code").contains("exists already"));
    let mut stocked = new.clone();
    (stocked["code"], stocked["currentStock"]) = (json!("N2"), json!(5));
    assert_eq!(told(&books.post("articles", &stocked).await, "CurrentStock"), "This field is read-only.");
    let order = |code: &str| {
        json!({"debtorCustomerNumber": "10000", "reference": "WEB-9", "lines": {"_data":
        [{"articleCode": code, "quantity": 2}]}})
    };
    let (status, made) = books.post("SalesOrderWithLines/", &order("MOK-WIT")).await;
    assert_eq!(
        (status, &made["orderNumber"], made["lines"]["_data"][0]["price"].to_string()),
        (201, &json!("2600001"), "9.95".into())
    );
    assert_eq!(books.rows("articles?Code=MOK-WIT").await[0]["currentStock"], 135);
    assert_eq!(books.post("SalesOrderWithLines?validateOnly=true", &order("MOK-WIT")).await.0, 200);
    assert_eq!(books.rows("articles?Code=MOK-WIT").await[0]["currentStock"], 135);
    assert_eq!(books.post("SalesOrderWithLines", &order("MOK-WIT")).await.1["orderNumber"], "2600002");
    let refused = books.post("SalesOrderWithLines", &order("VERLOPEN")).await;
    assert_eq!(told(&refused, "Lines[0].ArticleCode"), "'VERLOPEN' does not exist in this administration.");
}

#[tokio::test]
async fn a_document_is_attached_as_the_part_file() {
    let books = Books::open(json!({})).await;
    let id = books.post("salesinvoiceswithlines", &invoice("WEB-10")).await.1["id"].to_string();
    let send = async |id: &str, part: &str| {
        let body = format!(
            "--b\r\nContent-Disposition: form-data; name=\"{part}\"; filename=\"f.pdf\"\r\n\r\n%PDF\r\n--b--\r\n"
        );
        let request = books.request(reqwest::Method::POST, &format!("salesinvoiceswithlines/{id}/file"));
        let request = request.header("Content-Type", "multipart/form-data; boundary=b").body(body);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!((send(&id, "File").await, send(&id, "Other").await, send("1", "File").await), (204, 400, 404));
    assert_eq!(books.sandbox.asperion().documents("files")[0]["name"], "f.pdf");
    let bare = books.request(reqwest::Method::POST, &format!("salesinvoiceswithlines/{id}/file")).body("x");
    assert_eq!(bare.send().await.unwrap().status(), 415);
}

#[tokio::test]
async fn a_lost_answer_leaves_what_was_stored() {
    let books = Books::open(json!({})).await;
    let rule = json!({"method": "POST", "path": "salesinvoiceswithlines", "action": "answer_lost"});
    books.sandbox.fault("asperion", serde_json::from_value(rule).unwrap()).unwrap();
    let sent = books.request(reqwest::Method::POST, "salesinvoiceswithlines").json(&invoice("WEB-12")).send().await;
    assert!(sent.is_err());
    assert_eq!(books.rows("salesinvoiceswithlines?Description=WEB-12").await.len(), 1);
    assert_eq!(books.sandbox.asperion().calls()["POST salesinvoiceswithlines"], 1);
}
