//! Articles and customers for what goes between books and shop besides orders; and made-up articles by the thousand.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use super::seeds::id;
use super::shown::SITE;
use super::{Tx, rules, stock};
use crate::catalogue::{asked, told};
use crate::message::Reply;
use crate::pictures;
use crate::text::text;

/// An article: code, description, price, group, VAT code; what else differs is merged in.
fn item(tx: &mut Tx<'_>, code: &str, description: &str, price: &str, group: &str, extra: Value) -> String {
    let key = id("logistics/Items", code);
    let group_id = id("logistics/ItemGroups", group);
    let own = |name: &str| {
        let row = tx.get("logistics/ItemGroups", &group_id).cloned().unwrap_or_default();
        text(&row, name).to_owned()
    };
    let price: Value = serde_json::from_str(price).unwrap_or_default();
    let mut row = json!({"ID": key, "Code": code, "Description": description, "ItemGroup": group_id, "Unit": "stuk",
        "SalesVatCode": "4", "IsSalesItem": true, "IsStockItem": true, "IsPurchaseItem": true, "IsWebshopItem": 1,
        "IsFractionAllowedItem": false, "StartDate": "2020-01-01T00:00:00", "GLRevenue": own("GLRevenue"),
        "GLCosts": own("GLCosts"), "GLStock": own("GLStock"), "StandardSalesPrice": price, "Stock": 0,
        "SearchCode": code});
    for (name, value) in extra.as_object().into_iter().flatten() {
        row[name] = value.clone();
    }
    let mut row = row.as_object().cloned().unwrap_or_default();
    rules::fill_names(tx, "logistics/Items", &mut row);
    tx.put("logistics/Items", &key, row);
    price_row(tx, code, &key, json!({"Price": price}), "");
    key
}

/// A price; `which` tells the second and third of an article apart.
fn price_row(tx: &mut Tx<'_>, code: &str, item: &str, extra: Value, which: &str) {
    let key = id("logistics/SalesItemPrices", &format!("{code}{which}"));
    let mut row = json!({"ID": key, "Item": item, "Currency": "EUR", "Quantity": 1, "Unit": "stuk",
        "NumberOfItemsPerUnit": 1, "StartDate": "2020-01-01T00:00:00"});
    for (name, value) in extra.as_object().into_iter().flatten() {
        row[name] = value.clone();
    }
    let mut row = row.as_object().cloned().unwrap_or_default();
    rules::fill_names(tx, "logistics/SalesItemPrices", &mut row);
    tx.put("logistics/SalesItemPrices", &key, row);
}

fn picture(name: &str) -> Value {
    json!(STANDARD.encode(pictures::png(name, 16)))
}

fn row(tx: &mut Tx<'_>, path: &str, code: &str, row: Value) -> String {
    let key = id(path, code);
    let mut fields = row.as_object().cloned().unwrap_or_default();
    fields.insert("ID".into(), json!(key));
    rules::fill_names(tx, path, &mut fields);
    tx.put(path, &key, fields);
    key
}

/// `POST /_sandbox/catalogue`: articles, stock, prices and customers of the demonstration, as if they had been there long.
pub(super) fn seeds(tx: &mut Tx<'_>) -> Reply {
    let now = tx.now;
    tx.now = now - Duration::days(400);
    for (code, description) in [("KLEDING", "Kleding"), ("WONEN", "Wonen & koken")] {
        let gl = |code: &str| id("financial/GLAccounts", code);
        let group = json!({"Code": code, "Description": description, "IsDefault": 0, "GLRevenue": gl("8000"),
            "GLCosts": gl("7000"), "GLStock": gl("3000")});
        row(tx, "logistics/ItemGroups", code, group);
    }
    for (assortment, code, description) in
        [(1, "NOORD", "Noordwol"), (1, "KERAM", "Keramiekhuis"), (2, "WINTER", "Winter"), (2, "HELE-JAAR", "Hele jaar")]
    {
        let property = json!({"Code": code, "Description": description, "ItemAssortmentCode": assortment});
        row(tx, "logistics/ItemAssortmentProperty", code, property);
    }
    for (number, field, label) in [
        (1, "FreeTextField_01", "Hoofdartikel"),
        (2, "FreeTextField_02", "Afbeelding"),
        (3, "FreeTextField_03", "Kleur"),
        (4, "FreeTextField_04", "Maat"),
    ] {
        let table = tx.table("_item_fields");
        tx.store.put(&table, field, json!({"Number": number, "Field": field, "Description": label}));
    }
    special(tx, now);
    jumpers(tx);
    loose(tx);
    prices(tx);
    customers(tx);
    tx.now = now;
    Reply::empty(204)
}

/// One product in four articles: colour and size in the code, the product itself in a free field.
fn jumpers(tx: &mut Tx<'_>) {
    for (at, (colour, size, here, there, coming, going)) in
        [("ROOD", "S", 8, 2, 0, 1), ("ROOD", "M", 0, 4, 20, 0), ("BLAUW", "S", 5, 0, 0, 5), ("BLAUW", "M", 3, 1, 10, 2)]
            .into_iter()
            .enumerate()
    {
        let name = format!("{}{}", &colour[..1], colour[1..].to_lowercase());
        let image = format!("{SITE}/_sandbox/pictures/trui-{}.png", colour.to_lowercase());
        let extra = json!({"Barcode": format!("871000000010{at}"), "Class_01": "NOORD", "Class_02": "WINTER",
            "ExtraDescription": "Gebreide trui van zuivere wol.", "Notes": "<p>Met de hand wassen.</p>",
            "FreeTextField_01": "TRUI", "FreeTextField_02": image, "FreeTextField_03": name, "FreeTextField_04": size,
            "Picture": picture(&format!("trui-{}", colour.to_lowercase())),
            "PictureName": format!("trui-{}.png", colour.to_lowercase()), "NetWeight": 0.6, "NetWeightUnit": "kg"});
        let code = format!("TRUI-{colour}-{size}");
        let key = item(tx, &code, &format!("Trui {} {size}", name.to_lowercase()), "59.5", "KLEDING", extra);
        let house = |code: &str| id("inventory/Warehouses", code);
        let (coming, going): (i64, i64) = (coming, going);
        let planned = [
            ("CurrentStock", here.into()),
            ("PlannedStockIn", coming.into()),
            ("PlannedStockOut", going.into()),
            ("SafetyStock", 1.into()),
        ];
        stock::set(tx, &key, &house("1"), &planned);
        stock::set(tx, &key, &house("2"), &[("CurrentStock", there.into())]);
        let translation = json!(format!("Jumper {} {size}", if colour == "ROOD" { "red" } else { "blue" }));
        let table = tx.table("_translations");
        tx.store.put(&table, &format!("{key}/EN"), translation);
    }
}

fn loose(tx: &mut Tx<'_>) {
    let house = id("inventory/Warehouses", "1");
    let ceramic = |name: &str, barcode: &str| {
        json!({"Class_01": "KERAM", "Class_02": "HELE-JAAR", "Barcode": barcode, "Picture": picture(name),
            "PictureName": format!("{name}.png"), "FreeTextField_02": format!("{SITE}/_sandbox/pictures/{name}.png")})
    };
    let vase = item(tx, "VAAS-GROEN", "Vaas groen", "17.5", "WONEN", ceramic("vaas-groen", "8710000000222"));
    stock::set(tx, &vase, &house, &[("CurrentStock", 14.into()), ("PlannedStockOut", 3.into())]);
    let pot = item(tx, "THEEPOT", "Theepot", "24.95", "WONEN", ceramic("theepot", "8710000000239"));
    stock::set(tx, &pot, &house, &[("CurrentStock", 6.into())]);
    let light = item(tx, "KANDELAAR", "Kandelaar", "12.5", "WONEN", ceramic("kandelaar", "8710000000246"));
    stock::set(tx, &light, &house, &[("CurrentStock", 9.into())]);
    let bare = item(tx, "ZONDER-SKU", "Zonder artikelnummer", "1", "WONEN", json!({"IsStockItem": false}));
    let table = tx.table("_translations");
    tx.store.put(&table, &format!("{bare}/EN"), json!("Without article number"));
    let service = json!({"IsStockItem": false, "Unit": "uur", "IsFractionAllowedItem": true});
    item(tx, "CURSUS-BREIEN", "Cursus breien (online)", "45", "HOOG", service);
}

/// Articles a filter or a date leaves out, and one that is gone.
fn special(tx: &mut Tx<'_>, now: DateTime<Utc>) {
    item(tx, "TRUI-INTERN", "Trui, alleen winkel", "59.5", "KLEDING", json!({"IsWebshopItem": 0}));
    let day = |days: i64| json!((now + Duration::days(days)).format("%Y-%m-%dT00:00:00").to_string());
    item(tx, "VOORJAAR-SJAAL", "Sjaal voorjaar", "22.5", "KLEDING", json!({"StartDate": day(60)}));
    item(tx, "ZOMER-HOED", "Hoed zomer", "19.5", "KLEDING", json!({"EndDate": day(-30)}));
    let gone = item(tx, "VERWIJDERD", "Verwijderd artikel", "5", "WONEN", json!({}));
    let then = std::mem::replace(&mut tx.now, now - Duration::days(3));
    tx.remove("logistics/Items", &gone);
    rules::item_gone(tx, &gone);
    tx.now = then;
}

/// A price from ten pieces, one in another currency, one for a customer; a price list with its customer.
fn prices(tx: &mut Tx<'_>) {
    let vase = id("logistics/Items", "VAAS-GROEN");
    price_row(tx, "VAAS-GROEN", &vase, json!({"Price": 15, "Quantity": 10}), "-10");
    price_row(tx, "VAAS-GROEN", &vase, json!({"Price": 19.5, "Currency": "USD"}), "-USD");
    let list = json!({"Code": "DEALER", "Description": "Wederverkopers", "Currency": "EUR", "Entity": 1, "Type": 1});
    let list = row(tx, "sales/SalesPriceLists", "DEALER", list);
    let period = json!({"PriceList": list, "Currency": "EUR", "StartDate": "2020-01-01T00:00:00", "Type": 1});
    let period = row(tx, "sales/SalesPriceListPeriods", "DEALER", period);
    for (code, method, extra) in [
        ("THEEPOT", 2, json!({"NewPrice": 19.95, "BasePriceAmount": 24.95})),
        ("VAAS-GROEN", 1, json!({"Discount": 0.2, "BasePriceAmount": 17.5, "NewPrice": 14})),
    ] {
        let mut line = json!({"PriceListPeriod": period, "PriceListCode": "DEALER", "PriceListDescription":
            "Wederverkopers", "Item": id("logistics/Items", code), "Quantity": 1, "EntryMethod": method, "Unit": "stuk",
            "NumberOfItemsPerUnit": 1});
        for (name, value) in extra.as_object().into_iter().flatten() {
            line[name] = value.clone();
        }
        row(tx, "sales/SalesPriceListVolumeDiscounts", code, line);
    }
}

/// A company with two contacts, a price list and its own address to deliver to; a person; two with one e-mail address.
fn customers(tx: &mut Tx<'_>) {
    let list = id("sales/SalesPriceLists", "DEALER");
    for (code, name, email, extra) in [
        (
            "2001",
            "Woonwinkel De Linde B.V.",
            "inkoop@delinde.example.test",
            json!({"VATNumber": "NL123456789B01", "ChamberOfCommerce": "12345678", "AddressLine1": "Lindelaan 4",
                "Postcode": "3511 AB", "City": "Utrecht", "PriceList": list, "DiscountSales": 0.05,
                "Phone": "030-1234567"}),
        ),
        (
            "2002",
            "Sanne Bakker",
            "sanne@example.test",
            json!({"AddressLine1": "Molenweg 9", "Postcode": "9712 CD", "City": "Groningen", "Phone": "0612345679"}),
        ),
        ("2003", "Dubbel Een", "dubbel@example.test", json!({})),
        ("2004", "Dubbel Twee", "dubbel@example.test", json!({})),
        (
            "2005",
            "Fabrik GmbH",
            "einkauf@fabrik.example.test",
            json!({"Country": "DE", "Language": "DE",
            "VATNumber": "DE123456789", "AddressLine1": "Hauptstrasse 1", "Postcode": "10115", "City": "Berlin"}),
        ),
    ] {
        let mut account = json!({"Code": code, "Name": name, "Email": email, "Status": "C", "Blocked": false,
            "Country": "NL", "Language": "NL", "IsSales": true, "Type": "A", "PaymentConditionSales": "30",
            "SalesCurrency": "EUR", "StartDate": "2020-01-01T00:00:00"});
        for (field, value) in extra.as_object().into_iter().flatten() {
            account[field] = value.clone();
        }
        let key = row(tx, "crm/Accounts", code, account.clone());
        if !text(&account, "AddressLine1").is_empty() {
            let mut address = json!({"Account": key, "Type": 1, "Main": true});
            for field in ["AddressLine1", "Postcode", "City", "Country"] {
                address[field] = account[field].clone();
            }
            row(tx, "crm/Addresses", code, address);
        }
    }
    let company = id("crm/Accounts", "2001");
    for (code, first, last, email, main) in [
        ("2001a", "Noor", "Visser", "noor@delinde.example.test", true),
        ("2001b", "Tom", "Smit", "tom@delinde.example.test", false),
    ] {
        let contact = json!({"Account": company, "FirstName": first, "LastName": last, "FullName":
            format!("{first} {last}"), "Email": email, "IsMainContact": main});
        row(tx, "crm/Contacts", code, contact);
    }
    if let Some(mut owner) = tx.get("crm/Accounts", &company).and_then(Value::as_object).cloned() {
        owner.insert("MainContact".into(), json!(id("crm/Contacts", "2001a")));
        tx.put("crm/Accounts", &company, owner);
    }
    let deliver = json!({"Account": company, "Type": 4, "Main": true, "AddressLine1": "Magazijnweg 12", "Postcode":
        "3542 AD", "City": "Utrecht", "Country": "NL"});
    row(tx, "crm/Addresses", "2001-4", deliver);
    let linked = json!({"PriceList": list, "Code": "2001", "Name": "Woonwinkel De Linde B.V."});
    row(tx, "sales/SalesPriceListLinkedAccounts", "2001", linked);
}

/// `POST /_sandbox/generate`: `{"seed":1,"n":1000,"differs_percent":50}`. An article that is there is put back as it was.
pub(super) fn generate(tx: &mut Tx<'_>, body: &Value) -> Result<Reply, String> {
    let articles = asked(body)?;
    let house = id("inventory/Warehouses", "1");
    for article in &articles {
        let extra = json!({"Barcode": article.ean});
        let key = item(tx, &article.sku, &article.name, &article.price.to_string(), "WONEN", extra);
        stock::set(tx, &key, &house, &[("CurrentStock", article.stock.into())]);
    }
    Ok(Reply::json(201, &told(&articles)))
}
