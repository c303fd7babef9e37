//! What an administration is set up with before anything is sold: ledger, periods, branches, VAT, terms, classes.

use chrono::{DateTime, Datelike, Utc};
use serde_json::{Value, json};

use super::rows::Tx;
use super::seeds::row;
use super::stock;

/// Id, description, percent, zones, categories.
type VatSeed = (&'static str, &'static str, &'static str, &'static [&'static str], &'static [&'static str]);

/// Accounts, subaccounts and number series.
pub(super) fn ledger(tx: &mut Tx<'_>) {
    for (at, (number, description, kind, vat, control)) in [
        ("1100", "Bank", "Asset", "", false),
        ("1290", "Tussenrekening webshop", "Asset", "", false),
        ("1300", "Debiteuren", "Asset", "", true),
        ("1500", "Btw af te dragen", "Liability", "", false),
        ("3000", "Voorraad", "Asset", "", true),
        ("4990", "Afrondingsverschillen", "Expense", "", false),
        ("7000", "Kostprijs omzet", "Expense", "", false),
        ("8000", "Omzet hoog tarief", "Income", "HOOG", false),
        ("8010", "Omzet laag tarief", "Income", "LAAG", false),
        ("8020", "Omzet verzendkosten", "Income", "HOOG", false),
        ("8030", "Omzet EU", "Income", "HOOG", false),
        ("8040", "Omzet export", "Income", "HOOG", false),
        ("8900", "Omzet oud (vervallen)", "Income", "HOOG", false),
    ]
    .into_iter()
    .enumerate()
    {
        let account = json!({"accountCD": number, "accountID": at + 1, "description": description, "type": kind,
            "active": number != "8900", "taxCategory": vat, "cashAccount": number == "1100", "useDefaultSub": true,
            "allowManualEntry": !control, "controlAccountModule": if control { "AR" } else { "" }});
        row(tx, "account", number, account);
    }
    let mut values = Vec::new();
    for (at, (code, description)) in [("000", "Geen"), ("WEB", "Webshop"), ("ALG", "Algemeen")].into_iter().enumerate()
    {
        values.push(json!({"segmentId": 1, "valueId": code, "description": description, "active": true}));
        let segment = json!([{"segmentId": 1, "segmentValue": code, "segmentDescription": "Kostenplaats",
            "segmentValueDescription": description}]);
        let sub = json!({"subaccountNumber": code, "subaccountId": at + 1, "description": description, "active": true,
            "segments": segment});
        row(tx, "subaccount", code, sub);
        row(tx, "department", code, json!({"departmentId": code, "description": description}));
    }
    let segment =
        json!({"segmentId": 1, "description": "Kostenplaats", "length": 3, "validate": true, "segmentValues": values});
    row(
        tx,
        "dimension",
        "SUBACCOUNT",
        json!({"id": "SUBACCOUNT", "description": "Subaccount", "length": 3, "segments": [segment]}),
    );
    row(
        tx,
        "ledger",
        "1",
        json!({"number": "1", "internalId": 1, "description": "Grootboek", "balanceType": "Actual", "currencyId": "EUR"}),
    );
    for (id, description, start, manual) in [
        ("CUSTOMER", "Klanten", "10001", false),
        ("ARINVOICE", "Verkoopfacturen", "300001", false),
        ("ARCREDIT", "Creditnota's", "310001", false),
        ("ARPAYMENT", "Ontvangsten", "500001", false),
        ("BATCH", "Journaalposten", "700001", false),
        ("SO", "Verkooporders", "000001", false),
        ("WS", "Webshoporders", "1", true),
    ] {
        let lines = json!([{"numberingId": id, "startNbr": start, "endNbr": "999999", "nbrStep": 1}]);
        row(
            tx,
            "numberSequence",
            id,
            json!({"numberingId": id, "description": description, "manualNumbering": manual, "sequence": lines}),
        );
    }
}

/// Months of many years: old ones closed, far ones not opened.
pub(super) fn periods(tx: &mut Tx<'_>, now: DateTime<Utc>) {
    for year in 2018..=2035 {
        for month in 1..=12_u32 {
            let Some(start) = chrono::NaiveDate::from_ymd_opt(year, month, 1) else { continue };
            let end =
                start.checked_add_months(chrono::Months::new(1)).and_then(|next| next.pred_opt()).unwrap_or(start);
            let closed = year < now.year() - 1;
            let period = start.format("%Y%m").to_string();
            let shown = json!({"period": period, "year": year, "description": start.format("%m-%Y").to_string(),
                "startDate": format!("{start}T00:00:00"), "endDate": format!("{end}T00:00:00"),
                "active": year <= now.year() + 1, "closedInGeneralLedger": closed, "closedInCustomerLedger": closed,
                "closedInInventoryManagement": closed, "closedInSupplierLedger": closed,
                "closedInCashManagement": closed, "closedInFixedAssets": closed});
            row(tx, "financialPeriod", &period, shown);
        }
    }
}

/// Countries, currencies, branches, warehouses, units, ways of shipping and sales categories.
pub(super) fn places(tx: &mut Tx<'_>) {
    for (code, name) in [
        ("NL", "Nederland"),
        ("BE", "België"),
        ("DE", "Duitsland"),
        ("FR", "Frankrijk"),
        ("LU", "Luxemburg"),
        ("AT", "Oostenrijk"),
        ("DK", "Denemarken"),
        ("SE", "Zweden"),
        ("FI", "Finland"),
        ("NO", "Noorwegen"),
        ("ES", "Spanje"),
        ("PT", "Portugal"),
        ("IT", "Italië"),
        ("IE", "Ierland"),
        ("PL", "Polen"),
        ("CZ", "Tsjechië"),
        ("GB", "Verenigd Koninkrijk"),
        ("CH", "Zwitserland"),
        ("US", "Verenigde Staten"),
        ("CA", "Canada"),
    ] {
        row(tx, "country", code, json!({"id": code, "name": name}));
    }
    for (code, description, symbol, rate) in [
        ("EUR", "Euro", "€", "1"),
        ("USD", "US-dollar", "$", "0.92"),
        ("GBP", "Pond sterling", "£", "1.16"),
        ("DKK", "Deense kroon", "kr", "0.134"),
        ("NOK", "Noorse kroon", "kr", "0.086"),
        ("SEK", "Zweedse kroon", "kr", "0.09"),
    ] {
        let base = code == "EUR";
        row(
            tx,
            "currency",
            code,
            json!({"id": code, "description": description, "symbol": symbol, "decimalPrecision": 2,
            "isBaseCurrency": base, "isUsedForAccounting": true, "_rate": rate}),
        );
    }
    for (at, (number, name, active)) in
        [("1", "Hoofdvestiging", true), ("2", "Vestiging België", true), ("9", "Opgeheven vestiging", false)]
            .into_iter()
            .enumerate()
    {
        row(
            tx,
            "branch",
            number,
            json!({"number": number, "branchId": at + 1, "name": name, "isActive": active,
            "isMainBranch": number == "1", "currency": {"id": "EUR", "description": "Euro", "symbol": "€"},
            "defaultCountry": {"id": if number == "2" { "BE" } else { "NL" }, "name": ""}}),
        );
    }
    for (id, description, active) in
        [("1", "Hoofdmagazijn", true), ("2", "Buitenmagazijn", true), ("9", "Oud magazijn", false)]
    {
        let place = json!([{"locationId": stock::PLACE, "description": "Stelling 1", "active": true, "salesValid": true,
            "inclQtyAvail": true, "receiptsValid": true}]);
        row(
            tx,
            "warehouse",
            id,
            json!({"warehouseID": id, "description": description, "active": active,
            "branch": {"number": "1", "name": "Hoofdvestiging"}, "locations": place}),
        );
    }
    for (from, to, rate) in [("stuk", "stuk", "1"), ("kg", "kg", "1"), ("uur", "uur", "1"), ("doos", "stuk", "12")] {
        let rate: Value = serde_json::from_str(rate).unwrap_or_default();
        row(
            tx,
            "unitofmeasure",
            &format!("{from}/{to}"),
            json!({"fromUnit": from, "toUnit": to, "unitRate": rate, "unitMultDiv": "Multiply"}),
        );
    }
    for (id, description, manual) in
        [("POSTNL", "PostNL pakket", false), ("DHL", "DHL", true), ("AFHALEN", "Afhalen", false)]
    {
        row(tx, "carrier", id, json!({"carrierId": id, "carrierDescription": description, "_manual_cost": manual}));
    }
    for (id, description, parent) in [(1, "Wonen & koken", 0), (2, "Kleding", 0), (3, "Truien", 2)] {
        row(
            tx,
            "salescategory",
            &id.to_string(),
            json!({"categoryID": id, "description": description, "parentID": parent, "sortOrder": id}),
        );
    }
}

/// Zones × categories: Dutch, Belgian and German rates, nothing charged to companies in the EU and outside it.
pub(super) fn vat(tx: &mut Tx<'_>) {
    const ALL: &[&str] = &["HOOG", "LAAG", "NUL"];
    let vats: &[VatSeed] = &[
        ("NL21", "Btw 21 %", "21", &["NL"], &["HOOG"]),
        ("NL9", "Btw 9 %", "9", &["NL"], &["LAAG"]),
        ("NL0", "Btw 0 %", "0", &["NL", "NLINCL", "OSS-DE", "OSS-BE"], &["NUL"]),
        ("NL21I", "Btw 21 %, in de prijs", "21", &["NLINCL"], &["HOOG"]),
        ("NL9I", "Btw 9 %, in de prijs", "9", &["NLINCL"], &["LAAG"]),
        ("OSSDE19", "OSS Duitsland 19 %", "19", &["OSS-DE"], &["HOOG"]),
        ("OSSDE7", "OSS Duitsland 7 %", "7", &["OSS-DE"], &["LAAG"]),
        ("OSSBE21", "OSS België 21 %", "21", &["OSS-BE"], &["HOOG"]),
        ("OSSBE6", "OSS België 6 %", "6", &["OSS-BE"], &["LAAG"]),
        ("ICL", "Intracommunautaire levering", "0", &["EU"], ALL),
        ("EXP", "Uitvoer", "0", &["EXPORT"], ALL),
    ];
    for (id, description) in [
        ("NL", "Nederland"),
        ("NLINCL", "Nederland, prijzen met btw"),
        ("OSS-DE", "OSS Duitsland"),
        ("OSS-BE", "OSS België"),
        ("EU", "Bedrijven binnen de EU"),
        ("EXPORT", "Buiten de EU"),
    ] {
        row(tx, "vatZone", id, json!({"id": id, "description": description, "defaultVatCategory": "HOOG"}));
    }
    for (id, description, active) in [
        ("HOOG", "Hoog tarief", true),
        ("LAAG", "Laag tarief", true),
        ("NUL", "Nultarief", true),
        ("OUD", "Oud tarief", false),
    ] {
        let lines: Vec<Value> = vats.iter().filter(|vat| vat.4.contains(&id)).map(|(vat, description, rate, _, _)| {
            let rate: Value = serde_json::from_str(rate).unwrap_or_default();
            json!({"vatId": vat, "description": description, "type": "Vat", "vatRates": [{"startDate": "2019-01-01T00:00:00",
                "vatRate": rate, "groupType": "Output", "revisionID": "1"}]})
        }).collect();
        row(
            tx,
            "vatCategory",
            id,
            json!({"vatCategoryId": id, "description": description, "active": active, "vatCategoryLines": lines}),
        );
    }
    for (id, description, rate, zones, categories) in vats {
        let rate: Value = serde_json::from_str(rate).unwrap_or_default();
        let zones: Vec<Value> = zones.iter().map(|id| json!({"id": id})).collect();
        let categories: Vec<Value> = categories.iter().map(|id| json!({"vatCategoryId": id})).collect();
        let included = id.ends_with('I');
        row(
            tx,
            "vat",
            id,
            json!({"vatId": id, "description": description, "type": "Vat",
            "calculateOn": if included { "ExtractFromItemAmount" } else { "ItemAmount" }, "zones": zones,
            "categories": categories, "reverseVat": *id == "ICL",
            "glAccounts": {"vatPayableAccount": {"number": "1500", "description": "Btw af te dragen", "type": "Liability"}},
            "schedules": [{"startDate": "2019-01-01T00:00:00", "vatRate": rate, "groupType": "Output"}]}),
        );
    }
}

/// Payment terms and methods, order types, price classes.
pub(super) fn terms(tx: &mut Tx<'_>) {
    for (id, description, days) in
        [("00", "Contant / vooraf betaald", 0), ("14", "14 dagen", 14), ("30", "30 dagen", 30)]
    {
        row(
            tx,
            "creditTerm",
            id,
            json!({"termsId": id, "description": description, "dueDay1": days, "dueDateType":
            "FixedNumberOfDays", "visibleTo": "AL", "instalmentType": "Single"}),
        );
    }
    for (id, description, active, means) in [
        ("IDEAL", "iDEAL", true, "DirectDeposit"),
        ("PAYPAL", "PayPal", true, "DirectDeposit"),
        ("REKENING", "Op rekening", true, "CashOrCheck"),
        ("CHEQUE", "Cheque (vervallen)", false, "CashOrCheck"),
    ] {
        row(
            tx,
            "paymentmethod",
            id,
            json!({"paymentMethodID": id, "description": description, "active": active,
            "meansOfPayment": means, "useInAP": false, "_cash_account": "1100"}),
        );
    }
    row(tx, "cashaccount", "1100", json!({"number": "1100", "description": "Bank", "currency": "EUR"}));
    for (id, description, behavior, document, operation, numbering, payment) in [
        ("SO", "Verkooporder", "SalesOrder", "Invoice", "Issue", "000001", ""),
        ("WS", "Webshoporder, eigen nummer", "SalesOrder", "Invoice", "Issue", "", ""),
        ("WP", "Webshoporder, vooraf betaald", "SalesOrder", "Invoice", "Issue", "", "required"),
        ("IN", "Directe factuur", "Invoice", "Invoice", "Issue", "IN0001", ""),
        ("CM", "Creditorder", "CreditMemo", "CreditMemo", "Receipt", "CM0001", ""),
        ("QT", "Offerte", "Quote", "NoUpdate", "Issue", "QT0001", "prohibited"),
        ("OU", "Oude orders", "SalesOrder", "Invoice", "Issue", "OU0001", ""),
    ] {
        row(
            tx,
            "salesordertype",
            id,
            json!({"orderType": id, "description": description, "behavior": behavior,
            "customerDocumentType": document, "defaultOperation": operation, "active": id != "OU",
            "_manual": numbering.is_empty(), "_first": numbering, "_payment": payment}),
        );
    }
    for (id, description) in [("DEALER", "Wederverkopers"), ("GROOTHANDEL", "Groothandel")] {
        row(tx, "_priceclass", id, json!({"id": id, "description": description}));
    }
}

/// Attributes, and the classes of articles and customers.
pub(super) fn classes(tx: &mut Tx<'_>) {
    let combo = |id: &str, description: &str, values: &[&str]| {
        let details: Vec<Value> = values.iter().map(|value| json!({"id": value, "description": value})).collect();
        json!({"attributeId": id, "description": description, "attributeType": "Combo", "required": false,
            "defaultValue": "", "details": details})
    };
    let web = json!({"attributeId": "WEBSHOP", "description": "In de webshop", "attributeType": "Checkbox", "required": false, "defaultValue": "1"});
    let brand = combo("MERK", "Merk", &["NOORD", "KERAM"]);
    let text = json!({"attributeId": "HOOFDART", "description": "Hoofdartikel", "attributeType": "Text", "required": false, "defaultValue": ""});
    let (colour, size) =
        (combo("KLEUR", "Kleur", &["Rood", "Blauw", "Groen", "Wit"]), combo("MAAT", "Maat", &["S", "M", "L", "XL"]));
    for one in [&web, &brand, &text, &colour, &size] {
        let details: Vec<Value> = one["details"].as_array().into_iter().flatten().enumerate().map(|(at, value)| {
            json!({"valueId": value["id"], "description": value["description"], "sortOrder": at, "disabled": false})
        }).collect();
        let id = crate::text::text(one, "attributeId");
        row(
            tx,
            "attribute",
            id,
            json!({"attributeID": id, "description": one["description"], "controlType": one["attributeType"],
            "internal": false, "details": details}),
        );
    }
    for (id, description, sales, low) in [
        ("HOOG", "Omzet hoog", "8000", false),
        ("LAAG", "Omzet laag", "8010", true),
        ("VERZEND", "Verzending", "8020", false),
    ] {
        row(
            tx,
            "itemPostClass",
            id,
            json!({"id": id, "description": description, "_salesAccount": sales, "_salesEuAccount": "8030",
            "_salesExportAccount": "8040", "_salesNonTaxableAccount": if low { "8010" } else { "8000" }, "_cogsAccount": "7000",
            "_inventoryAccount": "3000", "_expenseAccount": "7000"}),
        );
    }
    for (id, description, kind, posting, vat, booked, purchases, attributes) in [
        ("HANDEL", "Handelsgoederen", "FinishedGoodItem", "HOOG", "HOOG", true, false, json!([web, brand])),
        (
            "KLEDING",
            "Kleding",
            "FinishedGoodItem",
            "HOOG",
            "HOOG",
            false,
            true,
            json!([web, brand, text, colour, size]),
        ),
        ("DIENST", "Diensten en overig", "NonStockItem", "HOOG", "HOOG", false, false, json!([web])),
        ("TOESLAG", "Kosten, toeslagen en kortingen", "ChargeItem", "VERZEND", "HOOG", false, false, json!([])),
    ] {
        row(
            tx,
            "itemClass",
            id,
            json!({"id": id, "description": description, "type": kind, "attributes": attributes,
            "_postingClass": posting, "_vatCategory": vat, "_warehouse": "1", "_unit": "stuk",
            "_takes_off_booked": booked, "_counts_purchases": purchases}),
        );
    }
    for (id, description, zone, terms, method) in [
        ("PART", "Particulieren", "NL", "00", "IDEAL"),
        ("ZAKELIJK", "Bedrijven", "NL", "30", "REKENING"),
        ("ZAK-EU", "Bedrijven binnen de EU", "EU", "30", "REKENING"),
        ("OSS-DE", "Particulieren Duitsland", "OSS-DE", "00", "IDEAL"),
        ("OSS-BE", "Particulieren België", "OSS-BE", "00", "IDEAL"),
        ("EXPORT", "Buiten de EU", "EXPORT", "00", "IDEAL"),
        ("BRUTO", "Particulieren, prijzen met btw", "NLINCL", "00", "IDEAL"),
        ("LEEG", "Klasse zonder zone", "", "30", ""),
        ("ZONDER", "Klasse zonder betaalvoorwaarde", "NL", "", ""),
    ] {
        row(
            tx,
            "customerClass",
            id,
            json!({"id": id, "description": description, "taxZoneId": zone, "_terms": terms,
            "paymentMethodId": method, "requiredTaxzoneId": zone.is_empty(), "attributes": []}),
        );
    }
}
