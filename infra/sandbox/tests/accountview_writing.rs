//! AccountView: the positional body, lengths, keys and references, debtors, sales orders, journal pages.
// Helpers of tests may panic as tests do.
#![allow(clippy::unwrap_used)]

#[path = "common/accountview.rs"]
mod books;

use books::{Books, body, debtor, message};
use serde_json::{Value, json};

type Fields = Vec<(&'static str, &'static str, Value)>;

fn order_header() -> Fields {
    vec![
        ("RowId", "C", json!("000001")),
        ("RPL_INV", "C", json!("10000")),
        ("ORD_DATE", "T", json!("2026-11-25")),
        ("COMMENT1", "C", json!("WEB-1001")),
        ("CITY", "C", json!("Ons Dorp")),
    ]
}

fn order_line(id: &str, article: &str, quantity: Value) -> Fields {
    vec![
        ("RowId", "C", json!(id)),
        ("HeaderId", "C", json!("000001")),
        ("PH_ARTCD", "C", json!(article)),
        ("PH_QTY", "N", quantity),
        ("PH_PRICE", "N", json!(8.2231)),
    ]
}

fn order(header: &Fields, lines: &[Fields]) -> Value {
    let lines: Vec<&[(&str, &str, Value)]> = lines.iter().map(|line| line.as_slice()).collect();
    body("SO1", "PH_SOHDR", header, "PH_SOLIN", &lines)
}

fn page_header(journal: &str, number: Value) -> Fields {
    vec![
        ("RowId", "C", json!("1")),
        ("DJ_CODE", "C", json!(journal)),
        ("SUB_NR", "C", json!("10000")),
        ("INV_NR", "C", number),
        ("TRN_DATE", "T", json!("2026-11-25T00:00:00.000Z")),
        ("HDR_DESC", "C", json!("Webshop 1001")),
        ("GROSS_FLG", "L", json!(false)),
    ]
}

fn page_line(id: &str, account: &str, amount: &str) -> Fields {
    vec![
        ("RowId", "C", json!(id)),
        ("HeaderId", "C", json!("1")),
        ("ACCT_NR", "C", json!(account)),
        ("AMOUNT", "N", serde_json::from_str(amount).unwrap()),
        ("VAT_CODE", "C", json!("4")),
    ]
}

fn page(header: &Fields, lines: &[Fields]) -> Value {
    let lines: Vec<&[(&str, &str, Value)]> = lines.iter().map(|line| line.as_slice()).collect();
    body("DJ2", "DJ_PAGE", header, "DJ_LINE", &lines)
}

#[tokio::test]
async fn a_debtor_is_made_stored_in_upper_case_and_changed_by_put() {
    let books = Books::open(json!({})).await;
    let answer = books.post(&debtor("web1", &[("POST_CODE", "C", json!("1234 ab"))])).await;
    assert_eq!((answer.0, answer.1["CONTACT"][0]["SUB_NR"].as_str()), (200, Some("WEB1      ")));
    let (_, found) = books.equal("AR1", "MAIL_BUS", "jan@example.test").await;
    let row = &found["CONTACT"][0];
    assert_eq!((row["SRC_CODE"].as_str(), row["POST_CODE"].as_str()), (Some("BOS       "), Some("1234 AB   ")));
    assert_eq!((row["CNG_NR"].as_i64(), row["CNG_DATE"].as_str()), (Some(1), Some("2026-11-25T13:00:00")));
    let mut change = body("AR1", "CONTACT", &[("CITY", "C", json!("Delft"))], "", &[]);
    change["ID"] = json!("WEB1");
    assert_eq!(books.put(&change).await.0, 200);
    let (_, found) = books.equal("AR1", "SUB_NR", "WEB1").await;
    let row = &found["CONTACT"][0];
    assert_eq!((row["CITY"].as_str().map(str::trim), row["CNG_NR"].as_i64()), (Some("Delft"), Some(2)));
    change["ID"] = json!("NOBODY");
    assert!(message(&books.put(&change).await).contains("NOBODY"));
    change["BusinessObject"] = json!("DJ2");
    assert!(message(&books.put(&change).await).contains("niet toegestaan"));
}

#[tokio::test]
async fn lengths_types_and_fields_are_those_of_the_dictionary() {
    let books = Books::open(json!({})).await;
    for (more, words) in [
        (("MAIL_BUS", "C", json!("x".repeat(51))), "te lang (maximaal 50"),
        (("ACCT_NAME", "C", json!("x".repeat(41))), "maximaal 40"),
        (("ACCT_NAME", "C", json!("")), "ACCT_NAME"),
        (("ACCT_NR", "C", json!(null)), "ACCT_NR"),
        (("ACCT_NR", "C", json!("9999")), "9999"),
        (("VAT_CODE", "C", json!("99")), "99"),
        (("DISC_CODE", "C", json!("99")), "99"),
        (("CUR_CODE", "C", json!("XYZ")), "XYZ"),
        (("CNT_CODE", "C", json!("N1")), "N1"),
        (("NOPE", "C", json!("x")), "NOPE"),
        (("CNG_DATE", "T", json!("2026-01-01")), "kan niet worden gewijzigd"),
        (("CITY", "N", json!(1)), "Veldtype 'N'"),
        (("CITY", "C", json!(1)), "CITY"),
        (("DISC_PCT", "N", json!("5")), "DISC_PCT"),
        (("GRAY_DATE", "T", json!("2026-1-5")), "GRAY_DATE"),
        (("GRAY_DATE", "D", json!("2026-01-05")), "Veldtype 'D'"),
        (("REC_BLK", "L", json!("false")), "REC_BLK"),
    ] {
        let answer = books.post(&debtor("W1", std::slice::from_ref(&more))).await;
        assert_eq!(answer.0, 200, "the status does not tell");
        assert!(message(&answer).contains(words), "{words}: {answer:?}");
    }
    assert!(message(&books.post(&debtor("", &[])).await).contains("SUB_NR"));
    assert!(message(&books.post(&debtor("10000", &[])).await).contains("bestaat al"));
    let mut short = debtor("W1", &[]);
    short["TableData"]["Data"]["Rows"][0]["Values"].as_array_mut().unwrap().pop();
    assert!(message(&books.post(&short).await).contains("6 velden, 5 waarden"));
    assert_eq!(books.rows("CONTACT").len(), 5, "nothing was stored");
    books.switch(json!({"too_long": "cut", "number_debtors": true, "error_status": 400, "post_answer": "number"}));
    let answer = books.post(&debtor("", &[("ACCT_NAME", "C", json!("x".repeat(41)))])).await;
    assert_eq!(answer.1, json!({"CONTACT": [{"SUB_NR": "20000     "}]}));
    assert_eq!(books.rows("CONTACT")[5]["ACCT_NAME"], "x".repeat(40));
    assert_eq!(books.post(&debtor("", &[("VAT_CODE", "C", json!("99"))])).await.0, 400);
}

#[tokio::test]
async fn an_order_gets_a_number_and_takes_from_what_is_free() {
    let books = Books::open(json!({})).await;
    let lines = [order_line("1", "mok-wit", json!(2)), order_line("2", "VERZENDKOSTEN", json!(1))];
    let (status, answer) = books.post(&order(&order_header(), &lines)).await;
    assert_eq!((status, answer["PH_SOHDR"][0]["PH_ORDNR"].as_str()), (200, Some("260001    ")));
    assert_eq!(answer["PH_SOHDR"][0]["COMMENT1"].as_str().map(str::trim_end), Some("WEB-1001"));
    let (_, found) = books.equal("SO1", "COMMENT1", "WEB-1001").await;
    let lines = found["PH_SOLIN"].as_array().unwrap();
    assert_eq!((found["PH_SOHDR"].as_array().unwrap().len(), lines.len()), (1, 2));
    assert_eq!((&lines[0]["PH_PRICE"], &lines[1]["PH_SOHDR_Id"]), (&json!(8.2231), &json!(0)));
    let article = books.rows("ARTICLE").into_iter().find(|row| row["ART_CODE"] == "MOK-WIT").unwrap();
    assert_eq!((&article["QTY_FREE2"], &article["QTY_TECH"]), (&json!(135), &json!(137)));
    // The same once more is another order: nothing keeps the reference unique.
    let again = books.post(&order(&order_header(), &[order_line("1", "MOK-WIT", json!(-2))])).await;
    assert_eq!(again.1["PH_SOHDR"][0]["PH_ORDNR"].as_str(), Some("260002    "));
}

#[tokio::test]
async fn orders_hold_to_their_references() {
    let books = Books::open(json!({"closed_until": "2026-10-31", "last_book_year": 2026})).await;
    let with = |name: &'static str, kind: &'static str, value: Value| {
        let mut header = order_header();
        header.retain(|(known, ..)| *known != name);
        header.push((name, kind, value));
        header
    };
    let line = [order_line("1", "MOK-WIT", json!(1))];
    for (body, words) in [
        (order(&with("RPL_INV", "C", json!("10001")), &line), "10001"),
        (order(&with("RPL_INV", "C", json!("10002")), &line), "geblokkeerd"),
        (order(&with("RPL_DEL", "C", json!("10003")), &line), "geblokkeerd"),
        (order(&with("ORD_DATE", "T", json!("2026-10-31")), &line), "afgesloten"),
        (order(&with("ORD_DATE", "T", json!("2027-01-01")), &line), "2027"),
        (order(&with("COMMENT1", "C", json!("x".repeat(41))), &line), "maximaal 40"),
        (order(&order_header(), &[]), "geen regels"),
        (order(&order_header(), &[order_line("1", "NOPE", json!(1))]), "NOPE"),
        (order(&order_header(), &[order_line("1", "MOK-WIT", json!(0))]), "PH_QTY"),
        (order(&order_header(), &[line[0].clone(), line[0].clone()]), "RowId"),
    ] {
        let answer = books.post(&body).await;
        assert!(message(&answer).contains(words), "{words}: {answer:?}");
    }
    let mut elsewhere = order(&order_header(), &line);
    elsewhere["TableData"]["DetailData"][0]["Rows"][0]["Values"][1] = json!("000002");
    assert!(message(&books.post(&elsewhere).await).contains("HeaderId"));
    books.switch(json!({"forbidden_objects": ["SO1"]}));
    assert!(message(&books.post(&order(&order_header(), &line)).await).contains("rechten"));
    assert_eq!(books.rows("PH_SOHDR").len(), 0);
}

#[tokio::test]
async fn a_page_of_a_sales_journal_has_a_debtor_and_a_number_of_its_own() {
    let books = Books::open(json!({})).await;
    let lines = [page_line("1", "8000", "10.00"), page_line("2", "8020", "6.95")];
    let (status, answer) = books.post(&page(&page_header("70", json!("web-1001")), &lines)).await;
    let made = &answer["DJ_PAGE"][0];
    assert_eq!((status, made["INV_NR"].as_str()), (200, Some("WEB-1001    ")));
    assert_eq!(made["PAGE_NR"].as_str().map(str::trim), Some("1"));
    let (_, found) = books.equal("DJ2P", "INV_NR", "WEB-1001").await;
    assert_eq!((&found["DJ_PAGE"][0]["PAGE_AMT"], found["DJ_LINE"].as_array().unwrap().len()), (&json!(16.95), 2));
    assert_eq!(found["DJ_LINE"][0]["TRN_DATE"], "2026-11-25T00:00:00");
    let (_, found) = books.equal("DJ2", "INV_NR", "WEB-1001").await;
    assert!(found.get("DJ_LINE").is_none());
    for (body, words) in [
        (page(&page_header("70", json!("WEB-1001")), &lines), "bestaat al"),
        (page(&page_header("70", json!("WEB-100000001")), &lines), "maximaal 12"),
        (page(&page_header("70", json!(null)), &lines), "INV_NR"),
        (page(&page_header("79", json!("A")), &lines), "geblokkeerd"),
        (page(&page_header("99", json!("A")), &lines), "99"),
        (page(&page_header("90", json!("A")), &lines), "evenwicht"),
        (page(&page_header("70", json!("A")), &[page_line("1", "8999", "1")]), "geblokkeerd"),
        (page(&page_header("70", json!("A")), &[page_line("1", "8900", "1")]), "COST_CODE"),
        (page(&page_header("70", json!("A")), &[page_line("1", "1234", "1")]), "1234"),
        (page(&page_header("70", json!("A")), &[page_line("1", "8000", "1.005")]), "AMOUNT"),
    ] {
        let answer = books.post(&body).await;
        assert!(message(&answer).contains(words), "{words}: {answer:?}");
    }
    let balanced = [page_line("1", "1300", "12.10"), page_line("2", "8000", "-12.10")];
    assert_eq!(
        books.post(&page(&page_header("90", json!("A")), &balanced)).await.1["DJ_PAGE"][0]["PAGE_NR"],
        "1         "
    );
}

#[tokio::test]
async fn invoices_are_only_there_when_the_switch_says_so() {
    let books = Books::open(json!({})).await;
    let mut header = order_header();
    header.push(("AIS_SOC", "L", json!(true)));
    let line = order_line("1", "MOK-WIT", json!(1));
    let invoice = body("PH_SI1", "PH_SIHDR", &header, "PH_SILIN", &[&line]);
    assert!(message(&books.post(&invoice).await).contains("PH_SI1"));
    books.switch(json!({"sales_invoices": true}));
    assert_eq!(books.post(&invoice).await.1["PH_SIHDR"][0]["PH_INVNR"], "260001      ");
}

#[tokio::test]
async fn state_and_catalogue_are_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let options = || {
        let ports = [("accountview".to_owned(), 0)].into();
        koppel_sandbox::Options { ports, ..koppel_sandbox::Options::default() }.state(folder.path())
    };
    let first =
        koppel_sandbox::Sandbox::start(options().switch("accountview", json!({"dictionary": "other"}))).await.unwrap();
    let inside = first.system("accountview").unwrap();
    inside.add_catalogue().unwrap();
    inside.inspect("POST", "stock", &json!({"item": "THEEPOT", "free": 3, "technical": 4}));
    first.stop().await;
    drop(inside);
    let second = koppel_sandbox::Sandbox::start(options()).await.unwrap();
    let inside = second.system("accountview").unwrap();
    inside.add_catalogue().unwrap();
    let articles = inside.documents("ARTICLE");
    let article = |code: &str| articles.iter().find(|row| row["ART_CODE"] == code).unwrap();
    assert_eq!((&article("THEEPOT")["QTY_FREE2"], &article("TRUI-ROOD-S")["X11_PARENT"]), (&json!(3), &json!("TRUI")));
    assert_eq!(inside.switches()["dictionary"], "other");
    assert!(inside.set_switches(json!({"nothing_found": "x"})).is_err());
}
