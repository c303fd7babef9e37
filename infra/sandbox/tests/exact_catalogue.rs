//! Exact Online: articles, stock, prices, feeds, credit notes, periods and currencies.
// Helpers of tests may panic as tests do.
#![allow(clippy::unwrap_used)]

mod common;

use base64::Engine as _;
use common::{Books, json_of};
use koppel_sandbox::pictures;
use serde_json::{Value, json};

async fn open(mut switches: Value) -> Books {
    for limit in ["error_limit", "minute_limit"] {
        switches[limit] = Value::Null;
    }
    let books = Books::open(switches).await;
    assert_eq!(books.sandbox.exact().inspect("POST", "catalogue", &json!({})).0, 204);
    books
}

async fn delete(books: &Books, path: &str) -> u16 {
    books.request(reqwest::Method::DELETE, &books.url(path)).send().await.unwrap().status().as_u16()
}

async fn stamped(books: &Books, feed: &str, since: i64, select: &str) -> Vec<Value> {
    let filter = format!("Timestamp gt {since}L");
    books.rows(feed, &[("$select", select), ("$filter", &filter)]).await
}

fn stamp(row: &Value) -> i64 {
    row["Timestamp"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn an_item_takes_its_accounts_from_its_group_and_its_class_from_the_assortment() {
    let books = open(json!({})).await;
    let group = books.id("logistics/ItemGroups", "LAAG");
    let body =
        json!({"Code": "NIEUW", "Description": "Nieuw", "ItemGroup": group, "Class_01": "NOORD", "IsStockItem": true});
    assert_eq!(books.post("logistics/Items", &body).await.status(), 201);
    let select = [("$select", "GLRevenueCode,ItemGroupCode,Stock,PictureUrl"), ("$filter", "Code eq 'NIEUW'")];
    let item = &books.rows("logistics/Items", &select).await[0];
    assert_eq!((&item["GLRevenueCode"], &item["ItemGroupCode"]), (&json!("8010"), &json!("LAAG")));
    assert_eq!((&item["Stock"], &item["PictureUrl"]), (&json!(0), &Value::Null));
    for (field, value) in
        [("Class_01", "WINTER"), ("Class_02", "NOORD"), ("CostPriceCurrency", "XXX"), ("Picture", "?")]
    {
        let body = json!({"Code": "X", "Description": "X", field: value});
        let (status, message) = Books::refusal(books.post("logistics/Items", &body).await).await;
        assert_eq!(status, 500, "{field}: {message}");
    }
    books.sandbox.exact().set_switches(json!({"item_class_must_exist": false})).unwrap();
    let body = json!({"Code": "X", "Description": "X", "Class_01": "WINTER"});
    assert_eq!(books.post("logistics/Items", &body).await.status(), 201);
    assert_eq!(books.post("logistics/ItemGroups", &json!({"Code": "N"})).await.status(), 403);
}

#[tokio::test]
async fn an_item_that_goes_is_told_with_its_price_and_places_for_two_months() {
    let books = open(json!({})).await;
    let seen = stamped(&books, "sync/Deleted", 1, "Timestamp,EntityType,EntityKey").await;
    let last = seen.iter().map(stamp).max().unwrap();
    assert!(seen.iter().any(|row| row["EntityType"] == 9), "the seed holds a deleted item: {seen:?}");
    let id = books.id("logistics/Items", "TRUI-ROOD-S");
    assert_eq!(delete(&books, &format!("logistics/Items(guid'{id}')")).await, 204);
    let mut kinds: Vec<i64> = stamped(&books, "sync/Deleted", last, "Timestamp,EntityType")
        .await
        .iter()
        .map(|row| row["EntityType"].as_i64().unwrap())
        .collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [8, 9, 15, 15, 19, 19]);
    let left = stamped(&books, "sync/Inventory/StockPositions", 1, "ItemCode").await;
    assert!(left.iter().all(|row| row["ItemCode"] != "TRUI-ROOD-S"));
    books.sandbox.clock().advance(chrono::Duration::days(70));
    let (_, tokens) = books.sandbox.exact().inspect("POST", "authorise", &json!({}));
    let books = Books { token: tokens["access_token"].as_str().unwrap().to_owned(), ..books };
    assert!(stamped(&books, "sync/Deleted", 1, "Timestamp").await.is_empty(), "forgotten");
}

#[tokio::test]
async fn stock_moves_by_the_door_and_is_told_per_warehouse() {
    let books = open(json!({})).await;
    let select = "Timestamp,ItemCode,WarehouseCode,CurrentStock,PlanningIn,PlanningOut,ProjectedStock,FreeStock";
    let all = stamped(&books, "sync/Inventory/StockPositions", 1, select).await;
    let of = |rows: &[Value], house: &str| {
        rows.iter().find(|row| row["ItemCode"] == "TRUI-BLAUW-M" && row["WarehouseCode"] == house).unwrap().clone()
    };
    let one = of(&all, "1");
    assert_eq!((&one["CurrentStock"], &one["PlanningIn"], &one["PlanningOut"]), (&json!(3), &json!(10), &json!(2)));
    assert_eq!((&one["ProjectedStock"], &one["FreeStock"]), (&json!(11), &json!(1)));
    let last = all.iter().map(stamp).max().unwrap();
    let change = json!({"item": "TRUI-BLAUW-M", "warehouse": "2", "current": 6, "planned_out": 1});
    assert_eq!(books.sandbox.exact().inspect("POST", "stock", &change).0, 200);
    let told = stamped(&books, "sync/Inventory/StockPositions", last, select).await;
    assert_eq!((told.len(), &of(&told, "2")["FreeStock"]), (1, &json!(5)));
    let id = books.id("logistics/Items", "TRUI-BLAUW-M");
    let position = format!("read/logistics/StockPosition?itemId=guid'{id}'");
    let position = json_of(books.get(&position, &[]).await).await["d"]["results"][0].clone();
    assert_eq!((&position["InStock"], &position["PlanningOut"]), (&json!(9), &json!(3)));
    let item = books.rows("logistics/Items", &[("$select", "Stock"), ("$filter", "Code eq 'TRUI-BLAUW-M'")]).await;
    assert_eq!(item[0]["Stock"], 9, "over all warehouses");
    let refused = books.get("sync/Logistics/Items", &[("$select", "Stock"), ("$filter", "Timestamp gt 1L")]).await;
    assert_eq!(refused.status(), 400, "the feed of items has no stock");
    let place = json!({"Item": id, "Warehouse": books.id("inventory/Warehouses", "2")});
    assert_eq!(books.post("inventory/ItemWarehouses", &place).await.status(), 500, "it has that place already");
    let filter =
        [("$select", "ID,ItemBarcode,SafetyStock"), ("$filter", "ItemCode eq 'TRUI-BLAUW-M' and SafetyStock eq 1")];
    let places = books.rows("inventory/ItemWarehouses", &filter).await;
    assert_eq!((places.len(), &places[0]["ItemBarcode"]), (1, &json!("8710000000103")));
    let path = format!("inventory/ItemWarehouses(guid'{}')", places[0]["ID"].as_str().unwrap());
    assert_eq!(books.put(&path, &json!({"CurrentStock": 99, "SafetyStock": 2})).await.status(), 204);
    let places =
        books.rows("inventory/ItemWarehouses", &[("$select", "CurrentStock"), ("$filter", "SafetyStock eq 2")]).await;
    assert_eq!(places[0]["CurrentStock"], 3, "stock is not written here");
}

#[tokio::test]
async fn a_picture_is_for_who_shows_the_token() {
    let books = open(json!({})).await;
    let select =
        [("$select", "ID,PictureUrl,PictureThumbnailUrl,FreeTextField_02"), ("$filter", "Code eq 'TRUI-ROOD-S'")];
    let item = books.rows("logistics/Items", &select).await[0].clone();
    let url = item["PictureUrl"].as_str().unwrap();
    let shown = books.request(reqwest::Method::GET, url).send().await.unwrap();
    assert_eq!(shown.bytes().await.unwrap(), pictures::png("trui-rood", 16));
    let hidden = books.client.get(url).send().await.unwrap();
    assert_eq!((hidden.status().as_u16(), hidden.bytes().await.unwrap() == pictures::placeholder()), (200, true));
    let free = books.client.get(item["FreeTextField_02"].as_str().unwrap()).send().await.unwrap();
    assert!(free.bytes().await.unwrap().starts_with(b"\x89PNG"));
    let body = json!({"Picture": base64::engine::general_purpose::STANDARD.encode(pictures::png("new", 2)), "PictureName": "n.png"});
    let path = format!("logistics/Items(guid'{}')", item["ID"].as_str().unwrap());
    assert_eq!(books.put(&path, &body).await.status(), 204);
    let shown = books.request(reqwest::Method::GET, url).send().await.unwrap();
    assert_eq!(shown.bytes().await.unwrap(), pictures::png("new", 2));
    let write_only = books.get("logistics/Items", &[("$select", "Picture"), ("$filter", "Code eq 'MOK-WIT'")]).await;
    assert_eq!(write_only.status(), 400);
}

#[tokio::test]
async fn extra_fields_translations_and_bulk_twins_are_read() {
    let books = open(json!({})).await;
    let id = books.id("logistics/Items", "TRUI-ROOD-M");
    let path = format!("read/logistics/ItemExtraField?itemId=guid'{id}'&modified=datetime'2020-01-01'");
    let fields = json_of(books.get(&path, &[]).await).await["d"]["results"].clone();
    let shown: Vec<_> =
        fields.as_array().unwrap().iter().map(|row| (row["Number"].clone(), row["Value"].clone())).collect();
    assert!(shown.contains(&(json!(1), json!("TRUI"))) && shown.contains(&(json!(4), json!("M"))), "{shown:?}");
    let later = path.replace("2020", "2099");
    assert_eq!(json_of(books.get(&later, &[]).await).await["d"]["results"], json!([]));
    let url = books.url("bulk/Logistics/Items");
    let query = [("$select", "Code,Description"), ("$filter", "startswith(Code,'TRUI-ROOD')")];
    let english = books.request(reqwest::Method::GET, &url).header("CustomDescriptionLanguage", "EN").query(&query);
    let english = json_of(english.send().await.unwrap()).await;
    assert_eq!(english["d"]["results"][0]["Description"].as_str().unwrap().get(..10), Some("Jumper red"));
    assert_eq!(books.rows("bulk/Logistics/Items", &query).await.len(), 2);
    assert_eq!(books.post("bulk/Logistics/Items", &json!({"Code": "X"})).await.status(), 403);
}

#[tokio::test]
async fn a_moved_company_counts_its_row_versions_anew() {
    let books = open(json!({})).await;
    let before = stamped(&books, "sync/Logistics/Items", 1, "Timestamp,Code").await;
    let last = before.iter().map(stamp).max().unwrap();
    let moved = books.rows("system/Divisions", &[("$select", "DivisionMoveDate")]).await;
    assert_eq!(moved[0]["DivisionMoveDate"], Value::Null);
    assert_eq!(books.sandbox.exact().inspect("POST", "move", &json!({})).0, 200);
    assert!(stamped(&books, "sync/Logistics/Items", last, "Timestamp").await.is_empty());
    assert!(stamped(&books, "sync/Logistics/Items", 0, "Code").await.len() >= before.len());
    let moved = books.rows("system/Divisions", &[("$select", "DivisionMoveDate")]).await;
    assert!(moved[0]["DivisionMoveDate"].is_string());
}

fn credit(books: &Books, kind: i64, quantity: i64) -> Value {
    json!({"Journal": "70", "Type": kind, "OrderedBy": books.id("crm/Accounts", "10000"), "YourRef": "C-1",
        "SalesInvoiceLines": [{"Item": books.id("logistics/Items", "VAAS-GROEN"), "Quantity": quantity, "NetPrice": 10}]})
}

#[tokio::test]
async fn credit_notes_have_the_sign_the_books_want_and_direct_ones_move_stock() {
    let books = open(json!({})).await;
    let (status, message) =
        Books::refusal(books.post("salesinvoice/SalesInvoices", &credit(&books, 8021, -1)).await).await;
    assert_eq!((status, message.as_str()), (500, "Ongeldig: Bedrag - verkeerd teken op een creditnota"));
    assert_eq!(books.post("salesinvoice/SalesInvoices", &credit(&books, 8021, 1)).await.status(), 201);
    assert_eq!(
        books.post("salesinvoice/SalesInvoices", &credit(&books, 8020, -1)).await.status(),
        201,
        "no credit note"
    );
    let stock = || {
        let rows = books.sandbox.exact().documents("inventory/ItemWarehouses");
        rows.iter().find(|row| row["ItemCode"] == "VAAS-GROEN").unwrap()["CurrentStock"].as_i64().unwrap()
    };
    for (kind, left) in [(8023, 12), (8024, 14)] {
        let made = json_of(books.post("salesinvoice/SalesInvoices", &credit(&books, kind, 2)).await).await;
        let print = json!({"InvoiceID": made["d"]["InvoiceID"]});
        assert_eq!(books.post("salesinvoice/PrintedSalesInvoices", &print).await.status(), 201);
        assert_eq!(stock(), left, "{kind}");
    }
    books.sandbox.exact().set_switches(json!({"credit_line_sign": "negative"})).unwrap();
    assert_eq!(books.post("salesinvoice/SalesInvoices", &credit(&books, 8021, 1)).await.status(), 500);
    assert_eq!(books.post("salesinvoice/SalesInvoices", &credit(&books, 8021, -1)).await.status(), 201);
    assert!(books.sandbox.exact().set_switches(json!({"credit_line_sign": "both"})).is_err());
}

fn entry(books: &Books, date: &str) -> Value {
    json!({"Journal": "70", "Customer": books.id("crm/Accounts", "10000"), "EntryDate": date, "SalesEntryLines":
        [{"AmountFC": -100, "GLAccount": books.id("financial/GLAccounts", "8000"), "VATCode": "4"}]})
}

#[tokio::test]
async fn nothing_is_dated_into_a_closed_period() {
    let books = open(json!({})).await;
    let old = json_of(books.post("salesentry/SalesEntries", &entry(&books, "2026-10-31")).await).await["d"].clone();
    assert_eq!(old["Type"], 21, "less than nothing is a credit");
    books.sandbox.exact().set_switches(json!({"closed_until": "2026-10-31"})).unwrap();
    let refused = Books::refusal(books.post("salesentry/SalesEntries", &entry(&books, "2026-10-31")).await).await;
    assert_eq!(refused, (500, "Ongeldig: Boekdatum - periode is afgesloten".into()));
    assert_eq!(books.post("salesentry/SalesEntries", &entry(&books, "2026-11-01")).await.status(), 201);
    let mut chosen = entry(&books, "2026-11-01");
    (chosen["ReportingYear"], chosen["ReportingPeriod"]) = (json!(2026), json!(9));
    assert_eq!(books.post("salesentry/SalesEntries", &chosen).await.status(), 500);
    let path = format!("salesentry/SalesEntries(guid'{}')", old["EntryID"].as_str().unwrap());
    assert_eq!(books.put(&path, &json!({"YourRef": "x"})).await.status(), 500, "what stands there stays");
    assert_eq!(delete(&books, &path).await, 500);
    let mut order = json!({"OrderedBy": books.id("crm/Accounts", "10000"), "OrderDate": "2026-10-30", "SalesOrderLines":
        [{"Item": books.id("logistics/Items", "MOK-WIT"), "Quantity": 1}]});
    assert_eq!(books.post("salesorder/SalesOrders", &order).await.status(), 500);
    books.sandbox.exact().set_switches(json!({"closed_period_for_orders": false})).unwrap();
    assert_eq!(books.post("salesorder/SalesOrders", &order).await.status(), 201);
    order["Journal"] = json!("70");
    order["SalesInvoiceLines"] = order["SalesOrderLines"].take();
    order.as_object_mut().unwrap().shift_remove("SalesOrderLines");
    assert_eq!(books.post("salesinvoice/SalesInvoices", &order).await.status(), 500);
    order["OrderDate"] = json!("2026-11-02");
    let made = json_of(books.post("salesinvoice/SalesInvoices", &order).await).await;
    let mut print = json!({"InvoiceID": made["d"]["InvoiceID"], "InvoiceDate": "2026-10-31"});
    assert_eq!(books.post("salesinvoice/PrintedSalesInvoices", &print).await.status(), 500);
    print["InvoiceDate"] = json!("2026-11-02");
    assert_eq!(books.post("salesinvoice/PrintedSalesInvoices", &print).await.status(), 201);
    let line = |amount: i64| json!({"GLAccount": books.id("financial/GLAccounts", "1290"), "AmountFC": amount, "Date": "2026-10-01"});
    let journal = json!({"JournalCode": "90", "GeneralJournalEntryLines": [line(5), line(-5)]});
    assert_eq!(books.post("generaljournalentry/GeneralJournalEntries", &journal).await.status(), 500);
}

#[tokio::test]
async fn amounts_in_another_currency_are_converted_and_unknown_ones_refused() {
    let books = open(json!({})).await;
    let mut sale = entry(&books, "2026-11-02");
    sale["Currency"] = json!("USD");
    let made = json_of(books.post("salesentry/SalesEntries", &sale).await).await["d"].clone();
    assert_eq!((made["AmountFC"].to_string(), made["AmountDC"].to_string()), ("-121".into(), "-111.32".into()));
    sale["Rate"] = json!(0.5);
    let made = json_of(books.post("salesentry/SalesEntries", &sale).await).await["d"].clone();
    assert_eq!(made["AmountDC"].to_string(), "-60.5");
    sale["Currency"] = json!("XXX");
    let refused = Books::refusal(books.post("salesentry/SalesEntries", &sale).await).await;
    assert_eq!(refused, (500, "Ongeldig: Valuta".into()));
    let price = json!({"Item": books.id("logistics/Items", "MOK-WIT"), "Currency": "XXX", "Price": 1});
    assert_eq!(books.post("logistics/SalesItemPrices", &price).await.status(), 500);
    let account = json!({"Name": "X", "SalesCurrency": "XXX"});
    assert_eq!(books.post("crm/Accounts", &account).await.status(), 500);
    let prices = [("$select", "Price,Currency,Quantity"), ("$filter", "ItemCode eq 'VAAS-GROEN'")];
    assert_eq!(books.rows("logistics/SalesItemPrices", &prices).await.len(), 3);
}

#[tokio::test]
async fn a_contact_changes_its_full_name_and_seeds_hold_both_kinds_of_customers() {
    let books = open(json!({})).await;
    let company = books.id("crm/Accounts", "2001");
    let filter = format!("Account eq guid'{company}'");
    let contacts = books.rows("crm/Contacts", &[("$select", "ID,FullName,IsMainContact"), ("$filter", &filter)]).await;
    assert_eq!(contacts.len(), 2);
    let path = format!("crm/Contacts(guid'{}')", contacts[0]["ID"].as_str().unwrap());
    assert_eq!(books.put(&path, &json!({"LastName": "Jansen"})).await.status(), 204);
    let full = books.sandbox.exact().documents("crm/Contacts");
    assert!(full.iter().any(|row| row["FullName"].as_str().unwrap().ends_with(" Jansen")), "{full:?}");
    let twice = [("$select", "Code"), ("$filter", "Email eq 'DUBBEL@example.test'")];
    assert_eq!(books.rows("crm/Accounts", &twice).await.len(), 2);
    let lists = [("$select", "PriceList"), ("$filter", "Code eq '2001'")];
    let linked = books.rows("sales/SalesPriceListLinkedAccounts", &lists).await;
    let list = [("$select", "Code"), ("$top", "5")];
    assert_eq!(linked[0]["PriceList"], json!(books.id("sales/SalesPriceLists", "DEALER")));
    assert_eq!(books.rows("sales/SalesPriceLists", &list).await[0]["Code"], "DEALER");
}

/// The row version of a moment is that of the rows which a feed tells of, also where it puts them together from others.
#[tokio::test]
async fn the_row_version_of_a_moment_leaves_out_what_did_not_change_since() {
    let books = open(json!({})).await;
    books.sandbox.clock().advance(chrono::Duration::minutes(5));
    let moment = books.sandbox.clock().now().with_timezone(&chrono_tz::Europe::Amsterdam);
    let modified = format!("datetime'{}'", moment.format("%Y-%m-%dT%H:%M:%S"));
    books.sandbox.clock().advance(chrono::Duration::minutes(1));
    let stock = json!({"item": "MOK-WIT", "warehouse": "1", "current": 5});
    assert!(books.sandbox.exact().inspect("POST", "stock", &stock).0 < 300);
    let query = [("modified", modified.as_str()), ("endPoint", "'Inventory/StockPositions'")];
    let version = books.rows("read/sync/Sync/SyncTimestamp", &query).await[0]["TimeStampAsBigInt"].clone();
    let since: i64 = version.as_str().unwrap().parse().unwrap();
    let changed = stamped(&books, "sync/Inventory/StockPositions", since, "ItemCode").await;
    assert_eq!(changed.iter().map(|row| &row["ItemCode"]).collect::<Vec<_>>(), [&json!("MOK-WIT")]);
}
