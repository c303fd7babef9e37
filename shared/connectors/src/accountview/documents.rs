//! Orders, invoices and journal pages: from what the rows made, by role or native name, to fields of the installation.
//!
//! Names in lower case are roles, which the profile knows the field of; names in capitals are fields as they are; names
//! with `_` before them are for this file only.

use koppel_core::document::DocumentType;
use koppel_core::error::nearest;
use koppel_core::money::{allocate, round};
use koppel_core::ports::CustomerLink;
use koppel_core::{Cause, Failure};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::body::{Fields, is_empty, json_number, number_of};
use super::profile::Part;

/// Options that change what is posted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Posting {
    /// Currency of the administration; other documents are refused.
    pub currency: String,
    /// Unit prices of orders are posted with VAT.
    pub prices_include_vat: bool,
    /// The VAT code of a line is not compared with that of its article.
    pub trust_article_vat: bool,
    /// Amounts of a sales journal are negative for a sale.
    pub journal_negative: bool,
    /// Journals that entries may go to and are looked for in.
    pub sales_journals: Vec<String>,
}

/// What was made of a payload.
#[derive(Debug)]
pub(super) struct Document {
    pub header: Fields,
    pub lines: Vec<Fields>,
    pub reference: String,
    pub date: Option<chrono::NaiveDate>,
}

impl Posting {
    /// The fields of a document for this customer.
    pub fn document(
        &self,
        document: DocumentType,
        part: &Part,
        made: &Value,
        customer: &CustomerLink,
        delivery_key: Option<&str>,
    ) -> Result<Document, Failure> {
        let mut made = made.as_object().cloned().ok_or_else(|| wrong_shape("the rows must make a group of fields"))?;
        self.check_currency(&made)?;
        let reference = needed_text(&made, "reference")?;
        let date = made.get("date").and_then(Value::as_str).and_then(|text| text.get(..10)?.parse().ok());
        let lines = match made.remove("lines") {
            Some(Value::Array(lines)) if !lines.is_empty() => lines,
            _ => {
                return Err(Failure::reject(
                    Cause::new("no_lines", "the document has no lines")
                        .advice("check the lines of the order and the list in the target rows")
                        .in_row("lines"),
                ));
            }
        };
        let mut lines: Vec<Map<String, Value>> =
            lines.into_iter().map(|line| line.as_object().cloned().unwrap_or_default()).collect();
        if document == DocumentType::FinancialEntry {
            self.page(&mut made, &mut lines)?;
        } else {
            for role in ["article", "quantity", "unit_price"] {
                part.needed_on_lines(role)?;
            }
            self.order_lines(part, &made, &mut lines)?;
            deliver(part, &mut made, delivery_key);
        }
        for role in ["invoice_debtor", "delivery_debtor"] {
            if !made.contains_key(role) && part.knows(role, false) {
                made.insert(role.into(), json!(customer.id));
            }
        }
        part.needed("reference")?;
        part.needed("invoice_debtor")?;
        Ok(Document {
            header: named(part, made, false)?,
            lines: lines.into_iter().map(|line| named(part, line, true)).collect::<Result<_, _>>()?,
            reference,
            date,
        })
    }

    /// Amounts are posted in the currency of the administration: that is the only one whose fields are known.
    fn check_currency(&self, made: &Map<String, Value>) -> Result<(), Failure> {
        match made.get("currency").and_then(Value::as_str).filter(|code| *code != self.currency) {
            None => Ok(()),
            Some(code) => Err(Failure::reject(
                Cause::new(
                    "foreign_currency",
                    format!("the order is in {code}, the books are kept in {}", self.currency),
                )
                .advice("book it by hand, or set the option currency when the administration is kept in another")
                .in_row("currency"),
            )),
        }
    }

    /// Lines of orders and invoices: VAT follows the article where a line has no field for it.
    fn order_lines(
        &self,
        part: &Part,
        made: &Map<String, Value>,
        lines: &mut [Map<String, Value>],
    ) -> Result<(), Failure> {
        let has_vat = part.line_role("vat_code").is_some();
        let mut sum = Decimal::ZERO;
        for line in lines.iter_mut() {
            let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default().trim().to_owned();
            let (wanted, of_article, article) = (text("vat_code"), text("_article_vat_code"), text("article"));
            let differs = !wanted.is_empty() && wanted != of_article;
            if !has_vat && !self.trust_article_vat && differs {
                let own = if of_article.is_empty() { "none".to_owned() } else { format!("«{of_article}»") };
                return Err(Failure::settings(
                    Cause::new(
                        "vat_code_of_article_differs",
                        format!("article «{article}» has VAT code {own}, the order wants «{wanted}», and a line has no field for it"),
                    )
                    .advice("name the field under profile.sales_order.line_roles.vat_code, give the article that code, or post the order as financial-entry")
                    .in_row("lines.vat_code"),
                ));
            }
            if self.prices_include_vat {
                let number = |name: &str| line.get(name).and_then(number_of).unwrap_or_default();
                let factor = Decimal::ONE + number("_vat_percent") / Decimal::ONE_HUNDRED;
                let gross = round(number("unit_price") * factor, 2);
                sum += round(gross * number("quantity"), 2);
                line.insert("unit_price".into(), json_number(gross).unwrap_or_default());
            }
        }
        match made.get("_expected_total").and_then(number_of).filter(|_| self.prices_include_vat) {
            Some(total) if total != sum => Err(cents_differ(sum, total)),
            _ => Ok(()),
        }
    }

    /// Amounts of a journal page: VAT is computed once for each code and divided over its lines, so that the page adds up
    /// to what was paid.
    fn page(&self, made: &mut Map<String, Value>, lines: &mut [Map<String, Value>]) -> Result<(), Failure> {
        let journal = needed_text(made, "journal")?;
        if !self.sales_journals.contains(&journal) {
            return Err(Failure::settings(
                Cause::new("unknown_sales_journal", format!("journal «{journal}» is not among sales_journals"))
                    .advice(
                        "add it to the option sales_journals of the connection: entries are only looked for in those",
                    )
                    .in_row("sales_journals"),
            ));
        }
        made.entry("gross").or_insert(json!(false));
        let amounts: Vec<Decimal> =
            lines.iter().map(|line| round(line.get("amount").and_then(number_of).unwrap_or_default(), 2)).collect();
        let mark = |line: &Map<String, Value>| {
            let percent = line.get("_vat_percent").and_then(number_of).unwrap_or_default().normalize();
            (line.get("vat_code").map(ToString::to_string).unwrap_or_default(), percent)
        };
        let marks: Vec<(String, Decimal)> = lines.iter().map(mark).collect();
        let mut vat = vec![Decimal::ZERO; lines.len()];
        let mut done: Vec<&(String, Decimal)> = Vec::new();
        for mark in &marks {
            if done.contains(&mark) {
                continue;
            }
            done.push(mark);
            let own: Vec<usize> = (0..lines.len()).filter(|at| marks[*at] == *mark).collect();
            let weights: Vec<Decimal> = own.iter().map(|at| amounts[*at]).collect();
            let total = round(weights.iter().sum::<Decimal>() * mark.1 / Decimal::ONE_HUNDRED, 2);
            for (at, part) in own.iter().zip(allocate(total, &weights, Decimal::new(1, 2))) {
                vat[*at] = part;
            }
        }
        let sum: Decimal = amounts.iter().chain(&vat).sum();
        if let Some(total) = made.get("_expected_total").and_then(number_of).filter(|total| *total != sum) {
            return Err(cents_differ(sum, total));
        }
        let sign = if self.journal_negative { -Decimal::ONE } else { Decimal::ONE };
        for ((line, amount), vat) in lines.iter_mut().zip(amounts).zip(vat) {
            line.insert("amount".into(), json_number(amount * sign).unwrap_or_default());
            line.insert("vat_amount".into(), json_number(vat * sign).unwrap_or_default());
        }
        Ok(())
    }
}

/// The address of the goods stands on the document itself, with the receiver in its note.
fn deliver(part: &Part, made: &mut Map<String, Value>, delivery_key: Option<&str>) {
    let Some(Value::Object(place)) = made.get("_delivery").cloned().filter(|_| delivery_key.is_some()) else { return };
    for role in ["street", "postcode", "city", "country"] {
        if let Some(value) = place.get(role).filter(|value| !is_empty(value)) {
            made.entry(role).or_insert(value.clone());
        }
    }
    let receiver = place.get("receiver").and_then(Value::as_str).unwrap_or_default().trim().to_owned();
    if !receiver.is_empty() && part.role("note").is_some() {
        let note = made.get("note").and_then(Value::as_str).unwrap_or_default().trim().to_owned();
        let both = if note.is_empty() { receiver } else { format!("{receiver}\n{note}") };
        made.insert("note".into(), json!(both));
    }
}

/// Roles become the fields that the profile has for them; a role that is off falls away.
pub(super) fn named(part: &Part, made: Map<String, Value>, on_lines: bool) -> Result<Fields, Failure> {
    let mut fields = Fields::new();
    for (name, value) in made {
        if name.starts_with('_') {
            continue;
        }
        if !name.chars().any(|c| c.is_ascii_lowercase()) {
            fields.insert(name, value);
            continue;
        }
        if !part.knows(&name, on_lines) {
            let near = nearest(&name, part.roles(on_lines)).map(|near| format!("did you mean «{near}»?"));
            return Err(Failure::settings(
                Cause::new("unknown_role", format!("«{name}» is no role of {} in the profile", part.name))
                    .advice(
                        near.unwrap_or_else(|| "use a role of the profile, or the name of a field in capitals".into()),
                    )
                    .in_row(name),
            ));
        }
        let field = if on_lines { part.line_role(&name) } else { part.role(&name) };
        if let Some(field) = field {
            // A user's own row for the field itself goes before the role.
            fields.entry(field.to_owned()).or_insert(value);
        }
    }
    Ok(fields)
}

fn needed_text(made: &Map<String, Value>, name: &str) -> Result<String, Failure> {
    let text =
        made.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), |text| text.trim().to_owned()));
    text.filter(|text| !text.is_empty() && text != "null").ok_or_else(|| {
        Failure::reject(
            Cause::new("mandatory_missing", format!("the document needs a {name}"))
                .advice("give it a value in the settings or the target rows of the flow")
                .in_row(name),
        )
    })
}

fn cents_differ(sum: Decimal, total: Decimal) -> Failure {
    Failure::reject(
        Cause::new("cents_differ", format!("the lines as AccountView takes them give {sum}, and {total} was paid"))
            .advice("allow a rounding line: settings.rounding")
            .in_row("lines"),
    )
}

fn wrong_shape(what: &str) -> Failure {
    Failure::settings(Cause::new("wrong_shape", what).advice("correct the target rows of the flow"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accountview::profile::Profile;
    use crate::http::testing::connection;

    fn part(name: &'static str, own: Value) -> Part {
        Profile::of(&connection("accountview", json!({ "profile": own }), &[])).unwrap().part(name).clone()
    }

    fn posting() -> Posting {
        Posting { currency: "EUR".into(), sales_journals: vec!["70".into()], ..Posting::default() }
    }

    fn link() -> CustomerLink {
        CustomerLink { id: "10000".into(), ..CustomerLink::default() }
    }

    fn order() -> Value {
        json!({"reference": "WEB-1", "date": "2026-06-01", "currency": "EUR", "note": "ring twice", "payment_terms": "30",
            "X01_CHAN": "WEB", "_delivery": {"street": "Havenweg 3", "city": "Rotterdam", "receiver": "Piet Bos"},
            "lines": [{"article": "MOK", "quantity": 2, "unit_price": 10, "vat_code": "4", "_article_vat_code": "4",
                "_vat_percent": 21}], "_expected_total": "24.20"})
    }

    #[test]
    fn roles_become_fields_and_a_role_that_is_off_falls_away() {
        let made = posting().document(
            DocumentType::SalesOrder,
            &part("sales_order", Value::Null),
            &order(),
            &link(),
            Some("k"),
        );
        let made = made.unwrap();
        assert_eq!(
            Value::Object(made.header),
            json!({"COMMENT1": "WEB-1", "ORD_DATE": "2026-06-01", "COMMENT2": "Piet Bos\nring twice", "X01_CHAN": "WEB",
                "ADDRESS1": "Havenweg 3", "CITY": "Rotterdam", "RPL_INV": "10000", "RPL_DEL": "10000"})
        );
        assert_eq!(Value::Object(made.lines[0].clone()), json!({"PH_ARTCD": "MOK", "PH_QTY": 2, "PH_PRICE": 10}));
        let home =
            posting().document(DocumentType::SalesOrder, &part("sales_order", Value::Null), &order(), &link(), None);
        assert!(!home.unwrap().header.contains_key("ADDRESS1"));
    }

    #[test]
    fn the_vat_of_a_line_is_that_of_its_article_or_has_a_field() {
        let mut german = order();
        german["lines"][0]["vat_code"] = json!("12");
        let off = part("sales_order", Value::Null);
        let failure = posting().document(DocumentType::SalesOrder, &off, &german, &link(), None).unwrap_err();
        assert!(failure.class() == "settings" && failure.to_string().contains("«MOK»"), "{failure}");
        let trusting = Posting { trust_article_vat: true, ..posting() };
        assert!(trusting.document(DocumentType::SalesOrder, &off, &german, &link(), None).is_ok());
        let on = part("sales_order", json!({"sales_order": {"line_roles": {"vat_code": "VAT_CODE"}}}));
        let made = posting().document(DocumentType::SalesOrder, &on, &german, &link(), None).unwrap();
        assert_eq!(made.lines[0]["VAT_CODE"], "12");
    }

    #[test]
    fn prices_with_vat_are_posted_only_when_they_add_up() {
        let with_vat = Posting { prices_include_vat: true, ..posting() };
        let part = part("sales_order", Value::Null);
        let made = with_vat.document(DocumentType::SalesOrder, &part, &order(), &link(), None).unwrap();
        assert_eq!(made.lines[0]["PH_PRICE"].to_string(), "12.1");
        let mut off = order();
        off["_expected_total"] = json!(24.21);
        assert_eq!(
            with_vat.document(DocumentType::SalesOrder, &part, &off, &link(), None).unwrap_err().cause().code,
            "cents_differ"
        );
    }

    fn page(lines: Value, total: &str) -> Value {
        json!({"reference": "WEB-1", "journal": "70", "date": "2026-06-01", "currency": "EUR", "description": "x",
            "lines": lines, "_expected_total": total})
    }

    #[test]
    fn vat_of_a_page_is_computed_once_a_code_and_divided() {
        let lines = json!([
            {"account": "8000", "amount": "1.01", "vat_code": "4", "_vat_percent": 21},
            {"account": "8000", "amount": "1.01", "vat_code": "4", "_vat_percent": "21.0"},
            {"account": "8010", "amount": "-1.00", "vat_code": "2", "_vat_percent": 9},
        ]);
        let (posting, part) = (posting(), part("journal_page", Value::Null));
        let made =
            posting.document(DocumentType::FinancialEntry, &part, &page(lines.clone(), "1.35"), &link(), None).unwrap();
        let amounts: Vec<String> = made.lines.iter().map(|l| format!("{} {}", l["AMOUNT"], l["VAT_AMT"])).collect();
        // 2.02 at 21 % is 0.42, once: not 0.21 twice by chance of rounding.
        assert_eq!(amounts, ["1.01 0.21", "1.01 0.21", "-1 -0.09"]);
        assert_eq!((&made.header["GROSS_FLG"], &made.header["SUB_NR"]), (&json!(false), &json!("10000")));
        let turned = Posting { journal_negative: true, ..posting.clone() };
        let made =
            turned.document(DocumentType::FinancialEntry, &part, &page(lines.clone(), "1.35"), &link(), None).unwrap();
        assert_eq!(made.lines[0]["AMOUNT"].to_string(), "-1.01");
        let failure =
            posting.document(DocumentType::FinancialEntry, &part, &page(lines, "1.36"), &link(), None).unwrap_err();
        assert_eq!(failure.cause().code, "cents_differ");
    }

    #[test]
    fn what_cannot_be_posted_is_named() {
        let order_part = part("sales_order", Value::Null);
        let code = |change: fn(&mut Value)| {
            let mut made = order();
            change(&mut made);
            let failed = posting().document(DocumentType::SalesOrder, &order_part, &made, &link(), None);
            failed.unwrap_err().cause().code.clone()
        };
        assert_eq!(code(|made| made["lines"] = json!([])), "no_lines");
        assert_eq!(code(|made| made["reference"] = json!(" ")), "mandatory_missing");
        assert_eq!(code(|made| made["currency"] = json!("USD")), "foreign_currency");
        assert_eq!(code(|made| made["refrence"] = json!("x")), "unknown_role");
        let mut entry = page(json!([{"account": "8000", "amount": 1}]), "1");
        entry["journal"] = json!("71");
        let failed =
            posting().document(DocumentType::FinancialEntry, &part("journal_page", Value::Null), &entry, &link(), None);
        assert_eq!(failed.unwrap_err().cause().code, "unknown_sales_journal");
        let off = part("sales_order", json!({"sales_order": {"line_roles": {"unit_price": null}}}));
        let failed = posting().document(DocumentType::SalesOrder, &off, &order(), &link(), None).unwrap_err();
        assert!(failed.to_string().contains("profile.sales_order.line_roles.unit_price"), "{failed}");
    }
}
