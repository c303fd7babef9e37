//! Exact Online: writing, with the rules of the books.

mod common;

use common::{Books, json_of};
use koppel_sandbox::{FaultAction, FaultRule, Options, Sandbox};
use serde_json::{Value, json};

/// The lines of the recorded order 25: 89.55 + 6.95 + 2.50 without tax, at 21 %.
fn order_25(books: &Books, your_ref: &str) -> Value {
    let item = |code: &str| books.id("logistics/Items", code);
    json!({"OrderedBy": books.id("crm/Accounts", "10000"), "YourRef": your_ref, "OrderDate": "2026-11-22",
        "SalesOrderLines": [
            {"Item": item("MOK-WIT"), "Quantity": 10, "NetPrice": 8.955, "VATCode": "4"},
            {"Item": item("VERZENDKOSTEN"), "Quantity": 1, "NetPrice": "6.95", "VATCode": "4"},
            {"Item": item("TOESLAG"), "Quantity": 1, "NetPrice": 2.5, "VATCode": "4"}]})
}

#[tokio::test]
async fn vat_is_recomputed_per_code_so_the_total_differs_a_cent_from_the_shop() {
    let books = Books::open(json!({})).await;
    let answer = books.post("salesorder/SalesOrders", &order_25(&books, "WEB-25")).await;
    assert_eq!(answer.status(), 201);
    let order = json_of(answer).await["d"].clone();
    assert_eq!(order["AmountFCExclVat"].to_string(), "99");
    assert_eq!(order["AmountFC"].to_string(), "119.79", "the shop took 119.80");
    assert_eq!(
        (&order["Status"], &order["OrderNumber"], &order["PaymentCondition"]),
        (&json!(12), &json!(1), &json!("30"))
    );
    assert_eq!(order["DeliverTo"], order["OrderedBy"]);
    assert_eq!(order["DeliveryDate"], order["OrderDate"]);
    assert_eq!(order["OrderedByName"], "Webshop klant");
    assert_eq!(order["WarehouseCode"], "1");
    assert!(order["SalesOrderLines"]["__deferred"]["uri"].as_str().unwrap().ends_with("/SalesOrderLines"));
    let id = order["OrderID"].as_str().unwrap();
    // A rounding line of a cent without VAT makes up for it.
    let cent = json!({"OrderID": id, "Item": books.id("logistics/Items", "AFRONDING"), "Quantity": 1, "NetPrice": 0.01, "VATCode": "0"});
    assert_eq!(books.post("salesorder/SalesOrderLines", &cent).await.status(), 201);
    let filter = [
        ("$select", "AmountFC,SalesOrderLines/ItemCode,SalesOrderLines/AmountFC"),
        ("$expand", "SalesOrderLines"),
        ("$filter", "YourRef eq 'WEB-25'"),
        ("$top", "1"),
    ];
    let found = books.rows("salesorder/SalesOrders", &filter).await;
    assert_eq!(found[0]["AmountFC"].to_string(), "119.8");
    let lines = found[0]["SalesOrderLines"]["results"].as_array().unwrap();
    assert_eq!(
        (lines.len(), &lines[0]["ItemCode"], lines[0]["AmountFC"].to_string()),
        (4, &json!("MOK-WIT"), "89.55".into())
    );
}

#[tokio::test]
async fn an_including_code_takes_the_vat_out_of_the_price() {
    let books = Books::open(json!({})).await;
    let order = json!({"OrderedBy": books.id("crm/Accounts", "10000"), "YourRef": "INCL", "SalesOrderLines":
        [{"Item": books.id("logistics/Items", "DIENST-1"), "Quantity": 1, "NetPrice": 121, "VATCode": "3"}]});
    let order = json_of(books.post("salesorder/SalesOrders", &order).await).await;
    assert_eq!(
        (order["d"]["AmountFC"].to_string(), order["d"]["AmountFCExclVat"].to_string()),
        ("121".into(), "100".into())
    );
}

#[tokio::test]
async fn orders_the_books_cannot_take_are_refused() {
    let books = Books::open(json!({"error_limit": null, "minute_limit": null})).await;
    let with = |change: fn(&mut Value, &Books)| {
        let mut order = order_25(&books, "WEB-1");
        change(&mut order, &books);
        order
    };
    type Change = fn(&mut Value, &Books);
    let cases: Vec<(Change, u16, &str)> = vec![
        (
            |o, _| o["Nonsense"] = json!(1),
            400,
            "The property name 'Nonsense' specified for type 'Exact.Web.Api.Models.SalesOrder' is not valid.",
        ),
        (
            |o, _| o["SalesOrderLines"][0]["Colour"] = json!(1),
            400,
            "'Colour' specified for type 'Exact.Web.Api.Models.SalesOrderLine'",
        ),
        (|o, _| o["SalesOrderLines"] = json!({"Item": "x"}), 400, "should be a valid top-level resource object"),
        (|o, _| o["OrderedBy"] = json!("10000"), 400, "property 'OrderedBy' to type 'Guid'"),
        (|o, _| o["SalesOrderLines"][0]["NetPrice"] = json!("8,95"), 400, "property 'NetPrice' to type 'Double'"),
        (|o, _| o["OrderedBy"] = Value::Null, 500, "Verplicht: Besteld door"),
        (|o, _| o["SalesOrderLines"] = json!([]), 500, "Verplicht: SalesOrderLines"),
        (
            |o, _| o["YourRef"] = json!("0123456789012345678901234567890"),
            500,
            "Ongeldig: Uw ref. - maximale lengte is 30",
        ),
        (|o, b| o["OrderedBy"] = json!(b.id("crm/Accounts", "10001")), 500, "geen klant"),
        (|o, b| o["OrderedBy"] = json!(b.id("crm/Accounts", "10002")), 500, "geblokkeerd"),
        (|o, b| o["OrderedBy"] = json!(b.id("crm/Accounts", "10003")), 500, "niet meer actief"),
        (|o, _| o["OrderedBy"] = json!("0b8a1f3e-0000-4000-8000-000000000001"), 500, "Ongeldig: Besteld door"),
        (
            |o, b| o["SalesOrderLines"][0]["Item"] = json!(b.id("logistics/Items", "NIET-VERKOOP")),
            500,
            "geen verkoopartikel",
        ),
        (|o, b| o["SalesOrderLines"][0]["Item"] = json!(b.id("logistics/Items", "VERLOPEN")), 500, "niet actief"),
        (
            |o, _| o["SalesOrderLines"][0]["Item"] = json!("0b8a1f3e-0000-4000-8000-000000000001"),
            500,
            "Ongeldig: Artikel",
        ),
        (|o, _| o["SalesOrderLines"][0]["Quantity"] = json!(1.5), 500, "geen decimalen"),
        (|o, _| o["SalesOrderLines"][0]["VATCode"] = json!("99"), 500, "Ongeldig: Btw-code"),
        (|o, _| o["SalesOrderLines"][0]["VATCode"] = json!("9"), 500, "Ongeldig: Btw-code - geblokkeerd"),
        (|o, _| o["PaymentCondition"] = json!("99"), 500, "Ongeldig: Betalingsconditie"),
    ];
    for (change, status, words) in cases {
        let (got, message) = Books::refusal(books.post("salesorder/SalesOrders", &with(change)).await).await;
        assert_eq!(got, status, "{words}: {message}");
        assert!(message.contains(words), "{message}");
    }
    assert!(books.sandbox.exact().documents("SalesOrders").is_empty());
    assert!(books.sandbox.exact().documents("SalesOrderLines").is_empty());
    let read_only = with(|o, _| o["Status"] = json!(21));
    assert_eq!(json_of(books.post("salesorder/SalesOrders", &read_only).await).await["d"]["Status"], 12);
}

#[tokio::test]
async fn accounts_have_unique_codes_and_come_back_empty_unless_asked() {
    let books = Books::open(json!({})).await;
    let account = json!({"Name": "Jan de Vries", "Status": "C", "Email": "jan@example.test", "AddressLine1": "Dorpsstraat 12b",
        "Postcode": "1234 AB", "City": "Ons Dorp", "Country": "NL"});
    let created = json_of(books.post("crm/Accounts", &account).await).await["d"].clone();
    let id = created["ID"].as_str().unwrap().to_owned();
    assert_eq!((&created["Name"], &created["Code"]), (&Value::Null, &Value::Null));
    let asked =
        books.request(reqwest::Method::POST, &books.url("crm/Accounts")).header("Prefer", "return=representation");
    let full = json_of(asked.json(&json!({"Name": "Els", "Status": "C"})).send().await.unwrap()).await["d"].clone();
    assert_eq!(
        (&full["Name"], full["Code"].as_str().unwrap().trim(), &full["IsSales"]),
        (&json!("Els"), "10005", &json!(true))
    );
    let address = json!({"Account": id, "Type": 1, "AddressLine1": "Dorpsstraat 12b", "Postcode": "1234 AB", "City": "Ons Dorp", "Country": "NL"});
    let visit = json_of(books.post("crm/Addresses", &address).await).await["d"]["ID"].clone();
    let mut addresses = books.sandbox.exact().documents("Addresses");
    addresses.retain(|row| row["Account"] == id.as_str());
    assert_eq!(
        (addresses.len(), &addresses[0]["ID"]),
        (1, &visit),
        "the visit address of the account is found, not made again"
    );
    assert_eq!(
        Books::refusal(books.post("crm/Accounts", &json!({"Name": "X", "Code": "10000"})).await).await,
        (500, "Gegeven bestaat reeds.".into())
    );
    let same = books.put(&format!("crm/Accounts(guid'{id}')"), &json!({"Code": "10004"})).await;
    assert_eq!(Books::refusal(same).await, (500, "Gegeven bestaat reeds.".into()));
    assert_eq!(books.put(&format!("crm/Accounts(guid'{id}')"), &json!({"Phone": "06"})).await.status(), 204);
    let long = "x".repeat(51);
    assert_eq!(
        Books::refusal(books.post("crm/Accounts", &json!({"Name": long})).await).await.1,
        "Ongeldig: Naam - maximale lengte is 50"
    );
    assert_eq!(books.post("crm/Accounts", &json!({"Name": "x", "VATNumber": "NL123"})).await.status(), 500);
    assert_eq!(Books::refusal(books.post("crm/Contacts", &json!({"Account": id})).await).await.0, 500);
    assert_eq!(books.post("crm/Contacts", &json!({"Account": id, "LastName": "de Vries"})).await.status(), 201);
    let account =
        books.rows("crm/Accounts", &[("$select", "MainContact"), ("$filter", "Email eq 'JAN@example.test'")]).await;
    assert!(account[0]["MainContact"].is_string());
}

#[tokio::test]
async fn items_bring_a_price_row_that_must_be_changed_not_added() {
    let books = Books::open(json!({})).await;
    let item = json_of(
        books.post("logistics/Items", &json!({"Code": "NIEUW", "Description": "Nieuw", "IsSalesItem": true})).await,
    )
    .await;
    let id = item["d"]["ID"].as_str().unwrap().to_owned();
    assert_eq!(
        Books::refusal(books.post("logistics/Items", &json!({"Code": "nieuw", "Description": "x"})).await).await.1,
        "Gegeven bestaat reeds."
    );
    let add = books.post("logistics/SalesItemPrices", &json!({"Item": id, "Price": 12.5})).await;
    assert!(Books::refusal(add).await.1.starts_with("Moet zijn: Uniek - Artikel"));
    let filter = format!("Item eq guid'{id}'");
    let rows = books.rows("logistics/SalesItemPrices", &[("$select", "ID,Price"), ("$filter", &filter)]).await;
    assert_eq!((rows.len(), &rows[0]["Price"]), (1, &json!(0)));
    let price = rows[0]["ID"].as_str().unwrap();
    assert_eq!(
        books.put(&format!("logistics/SalesItemPrices(guid'{price}')"), &json!({"Price": 12.5})).await.status(),
        204
    );
    let shown =
        books.rows("logistics/Items", &[("$select", "StandardSalesPrice"), ("$filter", "Code eq 'NIEUW'")]).await;
    assert_eq!(shown[0]["StandardSalesPrice"].to_string(), "12.5");
}

#[tokio::test]
async fn invoices_entries_and_journals_keep_their_rules() {
    let books = Books::open(json!({})).await;
    let customer = books.id("crm/Accounts", "10000");
    let line = json!({"Item": books.id("logistics/Items", "DIENST-1"), "Quantity": 1, "NetPrice": 75});
    let invoice = json!({"Journal": "70", "OrderedBy": customer, "YourRef": "WEB-27", "InvoiceDate": "2020-01-01", "SalesInvoiceLines": [line]});
    let done = json_of(books.post("salesinvoice/SalesInvoices", &invoice).await).await["d"].clone();
    assert_eq!(
        (&done["Type"], &done["Status"], &done["InvoiceDate"], done["AmountFC"].to_string()),
        (&json!(8020), &json!(10), &Value::Null, "90.75".into())
    );
    let mut wrong = invoice.clone();
    wrong["Journal"] = json!("90");
    assert!(
        Books::refusal(books.post("salesinvoice/SalesInvoices", &wrong).await)
            .await
            .1
            .contains("verkeerd type dagboek")
    );
    let mut direct = invoice.clone();
    direct["Type"] = json!(8023);
    assert!(json_of(books.post("salesinvoice/SalesInvoices", &direct).await).await["d"]["Warehouse"].is_string());
    let printed = books.post("salesinvoice/PrintedSalesInvoices", &json!({"InvoiceID": done["InvoiceID"]})).await;
    assert_eq!(json_of(printed).await["d"]["DocumentCreationSuccess"], "OK");
    let gl = |code: &str| books.id("financial/GLAccounts", code);
    let entry = json!({"Journal": "70", "Customer": customer, "YourRef": "WEB-25", "SalesEntryLines": [
        {"AmountFC": 99, "GLAccount": gl("8000"), "VATCode": "4", "VATAmountFC": 20.80, "Description": "MOK-WIT"}]});
    let entry = json_of(books.post("salesentry/SalesEntries", &entry).await).await["d"].clone();
    assert_eq!((entry["AmountFC"].to_string(), entry["VATAmountFC"].to_string()), ("119.8".into(), "20.8".into()));
    let missing =
        json!({"Journal": "70", "Customer": customer, "SalesEntryLines": [{"AmountFC": 1, "GLAccount": gl("8900")}]});
    assert_eq!(
        Books::refusal(books.post("salesentry/SalesEntries", &missing).await).await.1,
        "Verplicht: Kostenplaats"
    );
    let journal = |last: &str| {
        let last: Value = serde_json::from_str(last).unwrap();
        json!({"JournalCode": "90", "GeneralJournalEntryLines": [
            {"GLAccount": gl("1300"), "AmountFC": 121, "Account": customer, "Description": "WEB-25"},
            {"GLAccount": gl("8000"), "AmountFC": last}]})
    };
    assert_eq!(books.post("generaljournalentry/GeneralJournalEntries", &journal("-121")).await.status(), 201);
    assert!(
        Books::refusal(books.post("generaljournalentry/GeneralJournalEntries", &journal("-120.99")).await)
            .await
            .1
            .contains("balans")
    );
}

#[tokio::test]
async fn a_lost_answer_leaves_the_order_and_a_reset_does_not() {
    let books = Books::open(json!({})).await;
    let url = books.url("salesorder/SalesOrders");
    books.sandbox.exact().fault(FaultRule::new(FaultAction::AnswerLost).method("POST").path("SalesOrders")).unwrap();
    assert!(books.request(reqwest::Method::POST, &url).json(&order_25(&books, "WEB-25")).send().await.is_err());
    let filter = [("$select", "OrderID"), ("$filter", "YourRef eq 'WEB-25'")];
    assert_eq!(books.rows("salesorder/SalesOrders", &filter).await.len(), 1);
    books.sandbox.exact().fault(FaultRule::new(FaultAction::ConnectionReset).method("POST")).unwrap();
    assert!(books.request(reqwest::Method::POST, &url).json(&order_25(&books, "WEB-26")).send().await.is_err());
    assert_eq!(books.sandbox.exact().documents("SalesOrders").len(), 1);
}

#[tokio::test]
async fn the_state_is_there_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let books = Books::with(Options::default().state(folder.path())).await;
    let order = json_of(books.post("salesorder/SalesOrders", &order_25(&books, "WEB-25")).await).await;
    let stored = books.sandbox.exact().documents("SalesOrders");
    let second = Sandbox::start(Options::default().state(folder.path())).await.err().unwrap().to_string();
    assert!(second.contains("in use by another sandbox"), "{second}");
    let token = books.token.clone();
    drop(books); // as when the process is killed: nothing is written on the way out
    let books = loop {
        // The port's task lets go of the folder when it ends.
        match Sandbox::start(Options::default().state(folder.path())).await {
            Ok(sandbox) => break Books { client: common::client(), sandbox: sandbox.into(), token },
            Err(_) => tokio::task::yield_now().await,
        }
    };
    assert_eq!(books.sandbox.exact().documents("SalesOrders"), stored);
    assert_eq!(stored[0]["OrderID"], order["d"]["OrderID"]);
    let next = json_of(books.post("salesorder/SalesOrders", &order_25(&books, "WEB-26")).await).await;
    assert_eq!(next["d"]["OrderNumber"], 2, "the token still counts, and the numbers go on");
}

#[tokio::test]
async fn open_orders_plan_stock_and_a_complete_one_is_closed() {
    let books = Books::open(json!({})).await;
    let order = json_of(books.post("salesorder/SalesOrders", &order_25(&books, "WEB-25")).await).await;
    let id = order["d"]["OrderID"].as_str().unwrap().to_owned();
    let planned = || {
        let rows = books.sandbox.exact().documents("ItemWarehouses");
        rows.iter().find(|row| row["ItemCode"] == "MOK-WIT").unwrap()["PlannedStockOut"].to_string()
    };
    assert_eq!(planned(), "10");
    let lines = books.sandbox.exact().documents("SalesOrderLines");
    let line = lines.iter().find(|row| row["ItemCode"] == "MOK-WIT").unwrap()["ID"].as_str().unwrap().to_owned();
    let changed = books.put(&format!("salesorder/SalesOrderLines(guid'{line}')"), &json!({"Quantity": 4})).await;
    assert_eq!((changed.status().as_u16(), planned()), (204, "4".into()));
    assert_eq!(books.sandbox.exact().documents("SalesOrders")[0]["AmountFCExclVat"].to_string(), "45.27");
    assert_eq!(books.post("salesorder/CompleteSalesOrder", &json!({"OrderID": id})).await.status(), 201);
    assert_eq!(planned(), "0");
    let late = books.put(&format!("salesorder/SalesOrders(guid'{id}')"), &json!({"Description": "x"})).await;
    assert_eq!(Books::refusal(late).await, (500, "Niet toegestaan: order is afgehandeld".into()));
}

#[tokio::test]
async fn what_is_unknown_is_a_switch() {
    let books =
        Books::open(json!({"honour_client_guid": true, "your_ref_max": null, "language": "en", "post_status": 200}))
            .await;
    let own = "0b8a1f3e-0000-4000-8000-000000000001";
    let mut order = order_25(&books, "0123456789012345678901234567890123456789");
    order["OrderID"] = json!(own);
    let done = books.post("salesorder/SalesOrders", &order).await;
    assert_eq!(done.status(), 200);
    assert_eq!(json_of(done).await["d"]["OrderID"], own);
    assert_eq!(
        Books::refusal(books.post("salesorder/SalesOrders", &order).await).await,
        (500, "Data already exists.".into())
    );
    let put = format!("salesorder/SalesOrders(guid'{own}')");
    assert_eq!(books.put(&put, &json!({"OrderedBy": books.id("crm/Accounts", "10001")})).await.status(), 204);
    assert_eq!(books.sandbox.exact().documents("SalesOrders")[0]["OrderedBy"], books.id("crm/Accounts", "10000"));
    books.sandbox.exact().set_switches(json!({"put_post_only": "error"})).unwrap();
    assert_eq!(books.put(&put, &json!({"OrderedBy": books.id("crm/Accounts", "10001")})).await.status(), 500);
}
