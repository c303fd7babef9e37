//! The administration a sandbox starts with: division 123456, made to fit the recorded orders of the shop.

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{DIVISION, Switches, Tx, rules};
use crate::state::Store;
use crate::text::text;

/// The same GUID for the same thing in every sandbox.
pub fn id(path: &str, code: &str) -> String {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("koppel-sandbox/{path}/{code}").as_bytes()).to_string()
}

struct Seed<'a> {
    tx: Tx<'a>,
}

impl Seed<'_> {
    fn add(&mut self, path: &str, code: &str, row: Value) -> String {
        let id = id(path, code);
        let mut fields = row.as_object().cloned().unwrap_or_default();
        fields.insert("ID".into(), json!(id));
        if !code.is_empty() && !fields.contains_key("Code") {
            fields.insert("Code".into(), json!(code));
        }
        rules::fill_names(&self.tx, path, &mut fields);
        self.tx.put(path, &id, fields);
        id
    }
}

/// Fills an empty store.
pub(super) fn fill(store: &mut Store, now: DateTime<Utc>) {
    let switches = Switches::default();
    // Everything was there long before the first call.
    let tx = Tx { store, switches: &switches, division: DIVISION.into(), site: "", now: now - Duration::days(400) };
    let mut seed = Seed { tx };
    divisions(&mut seed);
    ledger(&mut seed);
    vat(&mut seed);
    terms(&mut seed);
    items(&mut seed);
    accounts(&mut seed);
}

fn divisions(seed: &mut Seed<'_>) {
    let row = json!({"Code": 123456, "Description": "Koppel Sandbox B.V.", "Country": "NL", "Currency": "EUR",
        "Legislation": "NL", "Current": true, "Status": 0, "BlockingStatus": 0, "Hid": 1, "IsMainDivision": true,
        "CustomerName": "Koppel Sandbox B.V."});
    seed.tx.put("system/Divisions", DIVISION, row.as_object().cloned().unwrap_or_default());
}

fn ledger(seed: &mut Seed<'_>) {
    for (code, description, kind) in [
        ("1300", "Debiteuren", 20),
        ("1290", "Tussenrekening webshop", 12),
        ("1500", "Btw af te dragen", 24),
        ("3000", "Voorraad", 32),
        ("4990", "Afrondingsverschillen", 123),
        ("7000", "Kostprijs omzet", 111),
        ("8000", "Omzet hoog tarief", 110),
        ("8010", "Omzet laag tarief", 110),
        ("8020", "Omzet verzendkosten", 110),
        ("8030", "Omzet buitenland", 110),
    ] {
        let side = if kind == 110 { "C" } else { "D" };
        seed.add("financial/GLAccounts", code, json!({"Description": description, "Type": kind, "BalanceSide": side,
            "BalanceType": if kind < 100 { "B" } else { "W" }, "UseCostcenter": 0, "UseCostunit": 0, "IsBlocked": false}));
    }
    seed.add(
        "financial/GLAccounts",
        "8900",
        json!({"Description": "Omzet projecten", "Type": 110, "BalanceSide": "C",
        "BalanceType": "W", "UseCostcenter": 1, "UseCostunit": 2, "IsBlocked": false}),
    );
    for (code, description, kind, vat) in [
        ("70", "Verkoopboek", 20, true),
        ("71", "Verkoopboek webshop", 20, true),
        ("90", "Memoriaal", 90, true),
        ("20", "Bank", 12, false),
    ] {
        seed.add(
            "financial/Journals",
            code,
            json!({"Description": description, "Type": kind, "AllowVAT": vat,
            "Currency": "EUR", "IsBlocked": false}),
        );
    }
    for (code, description) in [("WEB", "Webshop"), ("ALG", "Algemeen")] {
        seed.add("hrm/Costcenters", code, json!({"Description": description, "Active": true}));
    }
    seed.add("hrm/Costunits", "001", json!({"Description": "Algemeen"}));
}

fn vat(seed: &mut Seed<'_>) {
    for (code, description, percentage, kind, country, blocked) in [
        ("4", "BTW hoog tarief, exclusief", "0.21", "E", "", false),
        ("3", "BTW hoog tarief, inclusief", "0.21", "I", "", false),
        ("2", "BTW laag tarief, exclusief", "0.09", "E", "", false),
        ("0", "Geen BTW", "0", "B", "", false),
        ("7", "Intracommunautaire levering 0%", "0", "B", "", false),
        ("12", "OSS Duitsland 19%", "0.19", "E", "DE", false),
        ("14", "OSS Duitsland 7%", "0.07", "E", "DE", false),
        ("13", "OSS België 21%", "0.21", "E", "BE", false),
        ("9", "BTW 6% (vervallen)", "0.06", "E", "", true),
    ] {
        let percentage: Value = serde_json::from_str(percentage).unwrap_or_default();
        let mut row = json!({"Description": description, "Percentage": percentage, "Type": kind,
            "VATTransactionType": "S", "IsBlocked": blocked, "Charged": code == "7"});
        if !country.is_empty() {
            row["OssCountry"] = json!(country);
        }
        let vat_code = seed.add("vat/VATCodes", code, row);
        let rate = json!({"VATCodeID": vat_code, "Percentage": percentage, "StartDate": "2000-01-01T00:00:00", "LineNumber": 1, "Type": 0});
        let key = id("vat/VatPercentages", code);
        let mut rate = rate.as_object().cloned().unwrap_or_default();
        rate.insert("ID".into(), json!(key));
        seed.tx.put("vat/VatPercentages", &key, rate);
    }
}

fn terms(seed: &mut Seed<'_>) {
    for (code, description, method, days) in
        [("00", "Contant / vooraf betaald", "K", 0), ("14", "14 dagen", "B", 14), ("30", "30 dagen", "B", 30)]
    {
        seed.add(
            "cashflow/PaymentConditions",
            code,
            json!({"Description": description, "PaymentMethod": method,
            "PaymentDays": days, "PaymentEndOfMonths": 0, "Percentage": 1}),
        );
    }
    for (code, description) in [("POSTNL", "PostNL pakket"), ("DHL", "DHL"), ("AFHALEN", "Afhalen")] {
        seed.add("sales/ShippingMethods", code, json!({"Description": description, "Active": true}));
    }
    seed.add("sales/SalesChannels", "WEB", json!({"Description": "Webshop", "Active": true}));
    seed.add("inventory/Warehouses", "1", json!({"Description": "Hoofdmagazijn", "Main": 1, "UseStorageLocations": 0}));
    seed.add(
        "inventory/Warehouses",
        "2",
        json!({"Description": "Buitenmagazijn", "Main": 0, "UseStorageLocations": 0}),
    );
    for (code, description, main) in [("stuk", "Stuk", 1), ("kg", "Kilogram", 0), ("uur", "Uur", 0)] {
        seed.add(
            "logistics/Units",
            code,
            json!({"Description": description, "Active": true, "Main": main, "Type": "O"}),
        );
    }
    for (code, description, number) in [("MERK", "Merk", 1), ("SEIZOEN", "Seizoen", 2)] {
        seed.add("logistics/ItemAssortment", code, json!({"Code": number, "Description": description}));
    }
    let gl = |code: &str| id("financial/GLAccounts", code);
    for (code, description, revenue, default) in [
        ("HOOG", "Artikelen hoog tarief", "8000", 1),
        ("LAAG", "Artikelen laag tarief", "8010", 0),
        ("VERZEND", "Verzending", "8020", 0),
    ] {
        seed.add(
            "logistics/ItemGroups",
            code,
            json!({"Description": description, "IsDefault": default,
            "GLRevenue": gl(revenue), "GLCosts": gl("7000"), "GLStock": gl("3000")}),
        );
    }
}

fn items(seed: &mut Seed<'_>) {
    for (code, description, price, group, vat_code, stock) in [
        ("MOK-WIT", "Mok wit", "9.95", "HOOG", "4", Some(137)),
        ("POSTER-1", "Poster Zomer & strand", "10", "HOOG", "4", None),
        ("KOFFIE", "Koffiebonen 1kg", "18.3486", "LAAG", "2", Some(2)),
        ("DIENST-1", "Installatie aan huis", "75", "HOOG", "4", None),
        ("TSHIRT-ROOD-S", "T-shirt basic - Rood, S", "19.95", "HOOG", "4", Some(3)),
        ("TSHIRT-ROOD-M", "T-shirt basic - Rood, M", "19.95", "HOOG", "4", Some(0)),
        ("TSHIRT-BLAUW-L", "T-shirt basic - Blauw, L", "19.95", "HOOG", "4", Some(12)),
        ("GRAV-K", "Graveerplaat - Klein", "30", "HOOG", "4", None),
        ("VERZENDKOSTEN", "Verzendkosten", "6.95", "VERZEND", "4", None),
        ("TOESLAG", "Toeslag", "0", "HOOG", "4", None),
        ("KORTING", "Korting", "0", "HOOG", "4", None),
        ("DIVERS", "Diversen", "0", "HOOG", "4", None),
        ("AFRONDING", "Afronding", "0", "HOOG", "0", None),
        ("NIET-VERKOOP", "Grondstof (geen verkoopartikel)", "0", "HOOG", "4", None),
        ("VERLOPEN", "Uitlopend artikel", "5", "HOOG", "4", None),
    ] {
        let price: Value = serde_json::from_str(price).unwrap_or_default();
        let group_id = id("logistics/ItemGroups", group);
        let revenue = seed.tx.get("logistics/ItemGroups", &group_id).map(|row| text(row, "GLRevenue").to_owned());
        let mut row = json!({"Description": description, "ItemGroup": group_id, "Unit": "stuk", "SalesVatCode": vat_code,
            "IsSalesItem": code != "NIET-VERKOOP", "IsStockItem": stock.is_some(), "IsPurchaseItem": true,
            "IsWebshopItem": 1, "IsFractionAllowedItem": false, "StartDate": "2020-01-01T00:00:00",
            "GLRevenue": revenue, "StandardSalesPrice": price, "Stock": stock.unwrap_or(0), "SearchCode": code});
        if code == "VERLOPEN" {
            row["EndDate"] = json!("2021-12-31T00:00:00");
        }
        if code == "MOK-WIT" {
            row["Barcode"] = json!("8710000000017");
        }
        let item = seed.add("logistics/Items", code, row);
        let key = id("logistics/SalesItemPrices", code);
        let row = json!({"ID": key, "Item": item, "Currency": "EUR", "Price": price, "Quantity": 1, "Unit": "stuk",
            "NumberOfItemsPerUnit": 1, "StartDate": "2020-01-01T00:00:00"});
        let mut row = row.as_object().cloned().unwrap_or_default();
        rules::fill_names(&seed.tx, "logistics/SalesItemPrices", &mut row);
        seed.tx.put("logistics/SalesItemPrices", &key, row);
        if let Some(stock) = stock {
            rules::add_to_warehouse(&mut seed.tx, &item, stock);
        }
    }
}

fn accounts(seed: &mut Seed<'_>) {
    for (code, name, status, blocked, end) in [
        ("10000", "Webshop klant", "C", false, ""),
        ("10001", "Prospect Papier", "P", false, ""),
        ("10002", "Geblokkeerd BV", "C", true, ""),
        ("10003", "Gestopt VOF", "C", false, "2022-01-01T00:00:00"),
    ] {
        let email = format!("relatie{code}@example.test");
        let mut row = json!({"Name": name, "Status": status, "Blocked": blocked, "Email": email, "Country": "NL",
            "Language": "NL", "IsSales": status == "C", "Type": "A", "PaymentConditionSales": "30",
            "SalesCurrency": "EUR", "StartDate": "2020-01-01T00:00:00"});
        if !end.is_empty() {
            row["EndDate"] = json!(end);
        }
        seed.add("crm/Accounts", code, row);
    }
    seed.tx.store.reserve_number("account", 10_003);
}
