//! AccountView: sales orders of one VAT rate, pages of a sales journal for all others, one call at a time, tokens of twenty
//! minutes that rotate.

use std::collections::BTreeMap;

use koppel_sandbox::accountview::{CLIENT_ID, CLIENT_SECRET, COMPANY};
use koppel_sandbox::{FaultRule, Handle, Inspector};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Value, json};

use super::{Article, Booked, BooksSide, Debtor, OURS, lost_posts};
use crate::ChaosError;
use crate::shops::{number, text, told};
use crate::weather::Weather;

/// The books.
pub struct AccountView;

impl BooksSide for AccountView {
    fn system(&self) -> &'static str {
        "accountview"
    }

    fn switches(&self, _seed: u64, _limits: bool) -> Value {
        json!({})
    }

    fn connection(&self, _limits: bool, _abroad: bool, sandbox: &Handle) -> String {
        format!(
            r#"    system: accountview
    url: {}
    company: "{COMPANY}"
    redirect_uri: http://127.0.0.1:8976/callback
    debtor_account: "1300"
    first_debtor_number: 20000
    sales_journals: "70, 71"
    credentials: {{ client_id: "{CLIENT_ID}", client_secret: "{CLIENT_SECRET}" }}"#,
            sandbox.url("accountview")
        )
    }

    fn document(&self) -> &'static str {
        "sales-order"
    }

    fn settings(&self, guests: &str) -> String {
        format!(
            r#"      vat_code: {{ table: {{ NL/21: "4", NL/9: "2" }} }}
      payment_terms: {{ default: "00" }}
      {guests}
      default_item: "DIVERS"
      shipping_item: "VERZENDKOSTEN"
      fee_item: "TOESLAG"
      discount_item: "KORTING"
      rounding: {{ line: true, item: "AFRONDING", account: "4990", vat_code: "0", max: "0.25" }}"#
        )
    }

    fn entry_settings(&self) -> Option<&'static str> {
        Some(
            r#"      journal: "70"
      revenue_account: "8000"
      vat_code: { table: { NL/21: "4", NL/9: "2", BE/21: "13", BE/6: "15", DE/19: "12", DE/7: "14", exempt: "7" } }
      payment_terms: { default: "00" }
      rounding: { line: true, account: "4990", vat_code: "0", max: "0.25" }"#,
        )
    }

    fn customer_settings(&self) -> &'static str {
        "      payment_terms: { default: \"30\" }"
    }

    fn code_fields(&self) -> (&'static str, &'static str) {
        ("code", "code")
    }

    fn articles(&self, books: &Inspector) -> Vec<Article> {
        let rows = books.documents("ARTICLE").into_iter();
        rows.filter(|row| row["ART_CODE"].as_str().is_some_and(|code| code.starts_with(OURS)))
            .map(|row| Article {
                code: text(&row["ART_CODE"]),
                name: text(&row["ART_DESC1"]),
                price: number(&row["PH_SELPX"]),
                stock: number(&row["QTY_FREE2"]),
                row,
            })
            .collect()
    }

    fn change_article(&self, books: &Inspector, article: &Article, name: &str, price: u64) -> Result<(), ChaosError> {
        let fields = json!({ "ART_DESC1": name, "PH_SELPX": price });
        told(books.inspect("POST", &format!("rows/ARTICLE/{}", article.code), &fields))
    }

    fn count(&self, books: &Inspector, article: &Article, quantity: u64) -> Result<(), ChaosError> {
        let level = json!({ "item": article.code, "free": quantity, "technical": quantity });
        told(books.inspect("POST", "stock", &level))
    }

    fn booked(&self, books: &Inspector) -> Vec<Booked> {
        // Orders have no total there: it is that of their lines, with the tax of each article.
        let mut rates: BTreeMap<String, Decimal> = BTreeMap::new();
        for row in books.documents("VAT") {
            rates.insert(text(&row["VAT_CODE"]), number(&row["VAT_PCT"]));
        }
        let mut articles: BTreeMap<String, Decimal> = BTreeMap::new();
        for row in books.documents("ARTICLE") {
            articles.insert(text(&row["ART_CODE"]), rates.get(&text(&row["PH_VATCD"])).copied().unwrap_or_default());
        }
        let mut nets: BTreeMap<String, BTreeMap<Decimal, Decimal>> = BTreeMap::new();
        for line in books.documents("PH_SOLIN") {
            let rate = articles.get(&text(&line["PH_ARTCD"])).copied().unwrap_or(Decimal::NEGATIVE_ONE);
            let of_rate = nets.entry(text(&line["_header"])).or_default().entry(rate).or_default();
            *of_rate += number(&line["PH_QTY"]) * number(&line["PH_PRICE"]);
        }
        let cents = |value: Decimal| value.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
        let order = |row: &Value| {
            let of_rates = nets.get(&text(&row["REC_ID"])).cloned().unwrap_or_default();
            let total = of_rates.iter().map(|(rate, net)| net + cents(net * rate / Decimal::ONE_HUNDRED));
            let reference = text(&row["COMMENT1"]);
            Booked { reference, amount: cents(total.sum()), id: text(&row["PH_ORDNR"]) }
        };
        let page = |row: &Value| Booked {
            reference: text(&row["INV_NR"]),
            amount: number(&row["PAGE_AMT"]),
            id: text(&row["INV_NR"]),
        };
        let (orders, pages) = (books.documents("PH_SOHDR"), books.documents("DJ_PAGE"));
        orders.iter().map(order).chain(pages.iter().map(page)).collect()
    }

    fn debtors(&self, books: &Inspector) -> Vec<Debtor> {
        let rows = books.documents("CONTACT").into_iter().filter(|row| row["ACCT_LINK"] == 1);
        rows.map(|row| Debtor {
            email: row["MAIL_BUS"].as_str().unwrap_or_default().trim().to_lowercase(),
            city: text(&row["CITY"]),
        })
        .collect()
    }

    /// Nothing is known of a limit on calls; every write goes to one address.
    fn wire(&self, weather: &mut Weather<'_>) -> Vec<FaultRule> {
        lost_posts(weather, &["accountviewdata", "token"])
    }
}
