//! The ERP systems: how one connects, what orders need to know, and what stands in their books.

use koppel_sandbox::{Handle, Inspector};
use rust_decimal::Decimal;
use serde_json::Value;

/// An ERP.
pub struct Books {
    /// Id.
    pub system: &'static str,
    /// Switches of the stand-in.
    pub switches: &'static str,
    /// Options of the connection.
    pub options: fn(&Handle) -> String,
    /// The document that orders become.
    pub document: &'static str,
    /// Settings of the flow of orders.
    pub settings: &'static str,
    /// Where an article has its number.
    pub code_field: &'static str,
    /// Where its stock has it.
    pub stock_code_field: &'static str,
    /// What may be sold of the article.
    pub stock: &'static str,
    /// Totals of the documents with a reference.
    pub total: fn(&Inspector, &str) -> Vec<Decimal>,
}

fn money(value: &Value) -> Decimal {
    value
        .to_string()
        .trim_matches('"')
        .parse::<Decimal>()
        .unwrap_or_else(|_| panic!("{value} is no number"))
        .normalize()
}

/// Amounts of the rows of a table that have the reference in a field.
fn totals(books: &Inspector, table: &str, field: &str, reference: &str, amount: &str) -> Vec<Decimal> {
    let rows = books.documents(table);
    rows.iter()
        .filter(|row| row.pointer(field).is_some_and(|it| it == reference))
        .map(|row| money(&row[amount]))
        .collect()
}

pub const EXACT_ONLINE: Books = Books {
    system: "exact-online",
    switches: r#"{ "minute_limit": null }"#,
    options: |sandbox| {
        format!(
            r#"
system: exact-online
country: nl
division: 123456
url: {}
redirect_uri: http://127.0.0.1:8976/callback
credentials: {{ client_id: 7f3c2b1a-0d9e-4c8b-a7f6-5e4d3c2b1a09, client_secret: kPpl5andb0x }}
"#,
            sandbox.exact_online_url()
        )
    },
    document: "sales-order",
    settings: r#"
vat_code: { table: { NL/21: "4", NL/9: "2" } }
payment_terms: { default: "00" }
default_item: "DIVERS"
shipping_item: "VERZENDKOSTEN"
fee_item: "TOESLAG"
discount_item: "KORTING"
rounding: { line: true, item: "AFRONDING", vat_code: "0", max: "0.05" }
"#,
    code_field: "Code",
    stock_code_field: "ItemCode",
    stock: "11",
    total: |books, reference| totals(books, "SalesOrders", "/YourRef", reference, "AmountDC"),
};

pub const VISMA_NET: Books = Books {
    system: "visma-net",
    switches: "{}",
    options: |sandbox| {
        format!(
            r#"
system: visma-net
url: {}
tenant_id: {}
branch: "1"
customer_class: ZAKELIJK
person_class: PART
credit_order_type: CM
clearing_account: "1290"
vat_zones: {{ NL: NL, DE: OSS-DE, BE: OSS-BE, BE/business: EU, default: EXPORT }}
credentials: {{ client_id: "{}", client_secret: "{}" }}
"#,
            sandbox.visma_net_url(),
            koppel_sandbox::visma_net::TENANT_ID,
            koppel_sandbox::visma_net::CLIENT_ID,
            koppel_sandbox::visma_net::CLIENT_SECRET,
        )
    },
    document: "sales-order",
    settings: r#"
vat_code: { table: { NL/21: HOOG, NL/9: LAAG } }
payment_terms: { default: "00" }
default_item: "DIVERS"
shipping_item: "VERZENDKOSTEN"
fee_item: "TOESLAG"
discount_item: "KORTING"
rounding: { line: true, item: "AFRONDING", vat_code: NUL, max: "0.05" }
"#,
    code_field: "inventoryNumber",
    stock_code_field: "inventoryNumber",
    stock: "11",
    total: |books, reference| totals(books, "salesorder", "/customer/refNo", reference, "orderTotal"),
};

pub const ACCOUNTVIEW: Books = Books {
    system: "accountview",
    switches: "{}",
    options: |sandbox| {
        format!(
            r#"
system: accountview
url: {}
company: "{}"
redirect_uri: {}
debtor_account: "1300"
first_debtor_number: 20000
sales_journals: "70, 71"
credentials: {{ client_id: "{}", client_secret: "{}" }}
"#,
            sandbox.url("accountview"),
            koppel_sandbox::accountview::COMPANY,
            koppel_sandbox::accountview::REDIRECT_URI,
            koppel_sandbox::accountview::CLIENT_ID,
            koppel_sandbox::accountview::CLIENT_SECRET,
        )
    },
    document: "sales-order",
    settings: r#"
vat_code: { table: { NL/21: "4", NL/9: "2" } }
payment_terms: { default: "00" }
default_item: "DIVERS"
shipping_item: "VERZENDKOSTEN"
fee_item: "TOESLAG"
discount_item: "KORTING"
rounding: { line: true, item: "AFRONDING", vat_code: "0", max: "0.05" }
"#,
    code_field: "code",
    stock_code_field: "code",
    stock: "11",
    total: |books, reference| {
        // Orders have no total there: that of their lines, with the tax of each, was proven before they were sent.
        let orders = books.documents("PH_SOHDR");
        let found: Vec<&Value> = orders.iter().filter(|row| row["COMMENT1"] == reference).collect();
        let net = |order: &Value| -> Decimal {
            let lines = books.documents("PH_SOLIN");
            let of = lines.iter().filter(|line| line["PH_ORDNR"] == order["PH_ORDNR"]);
            of.map(|line| {
                let rate = Decimal::from(if line["VAT_CODE"] == "2" { 109 } else { 121 });
                money(&line["PH_QTY"]) * money(&line["PH_PRICE"]) * rate / Decimal::ONE_HUNDRED
            })
            .sum()
        };
        found.into_iter().map(|order| net(order).round_dp(2).normalize()).collect()
    },
};

pub const ASPERION: Books = Books {
    system: "asperion",
    switches: r#"{ "minute_limit": null }"#,
    options: |sandbox| {
        format!(
            r#"
system: asperion
administration: {}
url: {}
redirect_uri: http://127.0.0.1:8976/callback
debtor_account: 1300
vat_account: 1510
assume_articles: true
assume_debtor_update: true
calls_per_minute: 600
debtor_kinds: {{ company: ZAK, person: PART }}
credentials: {{ client_id: "{}", client_secret: "{}" }}
"#,
            koppel_sandbox::asperion::ADMINISTRATION,
            sandbox.url("asperion"),
            koppel_sandbox::asperion::CLIENT_ID,
            koppel_sandbox::asperion::CLIENT_SECRET,
        )
    },
    document: "sales-invoice",
    settings: r#"
journal: "71"
vat_code: { table: { NL/21: "1", NL/9: "2" } }
revenue_account: "8000"
payment_terms: { default: "1" }
rounding: { line: true, account: "4990", vat_code: "0", max: "0.05" }
"#,
    code_field: "code",
    stock_code_field: "code",
    stock: "11",
    total: |books, reference| totals(books, "salesinvoiceswithlines", "/description", reference, "amountInclVat"),
};
