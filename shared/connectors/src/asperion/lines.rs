//! Lines of documents. The rows make one line for each line of the order, with its amount without VAT and its VAT;
//! here they become what is posted: with or without VAT for an invoice, with their counterparts for an entry.

use std::collections::BTreeMap;

use koppel_core::ports::CustomerLink;
use koppel_core::{Cause, Failure};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::documents::no_debtor;
use super::native;
use super::options::{EntryVat, Settings};

/// Amount and VAT of one line, as the rows made them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amounts {
    net: Decimal,
    vat: Decimal,
}

fn lines(body: &Map<String, Value>) -> &[Value] {
    body.get("lines").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The amounts of all lines; each line has one, and an account.
pub(super) fn amounts(body: &Map<String, Value>) -> Result<Vec<Amounts>, Failure> {
    let read = |(number, line): (usize, &Value)| {
        let missing = |name: &str, advice: &str| {
            Failure::settings(
                Cause::new("mandatory_missing", format!("line {} has no {name}", number + 1))
                    .advice(advice)
                    .in_row(format!("lines.{name}")),
            )
        };
        let net =
            native::decimal(line, "amount").ok_or_else(|| missing("amount", "check the target rows of the flow"))?;
        if native::field(line, "ledgerAccountId").is_none() {
            return Err(missing("ledgerAccountId", "set settings.revenue_account to the number of a ledger account"));
        }
        Ok(Amounts { net, vat: native::decimal(line, "vatAmount").unwrap_or_default() })
    };
    lines(body).iter().enumerate().map(read).collect()
}

/// What is posted is what was paid: a row of one's own that changes an amount must not change the sum.
pub(super) fn check_total(made: &Value, posted: &[Amounts]) -> Result<(), Failure> {
    let Some(paid) = native::decimal(made, "_total") else { return Ok(()) };
    let sum: Decimal = posted.iter().map(|line| line.net + line.vat).sum();
    // The lines of an entry are credit, so what is paid has the other sign.
    if sum == paid || -sum == paid {
        return Ok(());
    }
    Err(Failure::reject(
        Cause::new("cents_differ", format!("the lines would be posted for {sum}, but {paid} was paid"))
            .advice("check the rows lines.amount and lines.vatAmount of the flow")
            .in_row("lines.amount"),
    ))
}

/// A VAT code counts from one day to another; which of them an order has is decided by its own date.
pub(super) fn check_vat_dates(made: &Value) -> Result<(), Failure> {
    let Some(date) = native::local(made, "date").map(|moment| moment.date()) else { return Ok(()) };
    for line in made["lines"].as_array().into_iter().flatten() {
        let day = |name: &str| native::local(line, name).map(|moment| moment.date());
        let early = day("_vat_from").is_some_and(|from| date < from);
        let late = day("_vat_until").is_some_and(|until| date > until);
        if early || late {
            let code = native::field(line, "vatCode").unwrap_or_default();
            return Err(Failure::settings(
                Cause::new("vat_code_not_valid", format!("VAT code «{code}» does not count on {date} in Asperion"))
                    .advice("choose the code that counts on that day in settings.vat_code")
                    .in_row("settings.vat_code"),
            ));
        }
    }
    Ok(())
}

/// Lines of an invoice.
pub(super) fn of_invoice(body: &Map<String, Value>, posted: &[Amounts], settings: &Settings) -> Vec<Value> {
    let line = |(line, amounts): (&Value, &Amounts)| {
        let mut line = line.clone();
        let amount = if settings.amounts_include_vat { amounts.net + amounts.vat } else { amounts.net };
        line["amount"] = native::number(amount);
        line
    };
    lines(body).iter().zip(posted).map(line).collect()
}

/// Lines of an entry: revenue on the credit side, its VAT, and against both the account of debtors with the debtor.
pub(super) fn of_entry(
    body: &Map<String, Value>,
    posted: &[Amounts],
    customer: &CustomerLink,
    settings: &Settings,
) -> Result<Vec<Value>, Failure> {
    let account = settings.debtor_account.ok_or_else(|| missing_account("debtor_account", "debtors"))?;
    let debtor: u64 = customer.id.parse().map_err(|_| no_debtor())?;
    let mut entry: Vec<Value> = lines(body).to_vec();
    let mut per_code: BTreeMap<String, Decimal> = BTreeMap::new();
    for (line, amounts) in entry.iter().zip(posted) {
        *per_code.entry(native::field(line, "vatCode").unwrap_or_default()).or_default() += amounts.vat;
    }
    per_code.retain(|_, vat| !vat.is_zero());
    if settings.entry_vat == EntryVat::OwnLine && !per_code.is_empty() {
        let account = settings.vat_account.ok_or_else(|| missing_account("vat_account", "VAT"))?;
        for (code, vat) in per_code {
            let description = format!("VAT {code}").trim().to_owned();
            entry.push(json!({"amount": native::number(vat), "ledgerAccountId": account, "description": description}));
        }
    }
    let sum: Decimal = posted.iter().map(|line| line.net + line.vat).sum();
    let description = body.get("description").cloned().unwrap_or_default();
    entry.push(json!({"amount": native::number(-sum), "ledgerAccountId": account, "debtorId": debtor,
        "description": description}));
    Ok(entry)
}

fn missing_account(option: &str, what: &str) -> Failure {
    Failure::settings(
        Cause::new("missing_option", format!("an entry needs the ledger account of {what}"))
            .advice(format!("set {option} of the connection to its number"))
            .in_row(option),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::connection;

    fn settings(options: Value) -> Settings {
        Settings::of(&connection("asperion", options, &[])).unwrap()
    }

    fn body() -> Map<String, Value> {
        let lines = r#"{"description":"Webshop 23","lines":[
            {"amount":-19.98,"vatAmount":-4.20,"vatCode":"1","ledgerAccountId":8000},
            {"amount":-9.98,"vatAmount":-2.10,"vatCode":"1","ledgerAccountId":8000},
            {"amount":-5.00,"vatAmount":0,"vatCode":"0","ledgerAccountId":8030}]}"#;
        serde_json::from_str(lines).unwrap()
    }

    fn sum(lines: &[Value], names: &[&str]) -> Decimal {
        lines.iter().flat_map(|line| names.iter().filter_map(|name| native::decimal(line, name))).sum()
    }

    #[test]
    fn an_entry_is_nothing_together_wherever_its_vat_stands() {
        let (body, debtor) = (body(), CustomerLink { id: "1001".into(), ..CustomerLink::default() });
        let posted = amounts(&body).unwrap();
        let own = settings(json!({"debtor_account":1300,"vat_account":1510}));
        let lines = of_entry(&body, &posted, &debtor, &own).unwrap();
        assert_eq!((lines.len(), sum(&lines, &["amount"])), (5, Decimal::ZERO));
        assert_eq!((lines[3]["amount"].to_string(), &lines[3]["ledgerAccountId"]), ("-6.30".into(), &json!(1510)));
        assert_eq!((lines[4]["amount"].to_string(), &lines[4]["debtorId"]), ("41.26".into(), &json!(1001)));
        let on = settings(json!({"debtor_account":1300,"entry_vat":"on_line"}));
        let lines = of_entry(&body, &posted, &debtor, &on).unwrap();
        assert_eq!((lines.len(), sum(&lines, &["amount", "vatAmount"])), (4, Decimal::ZERO));
    }

    #[test]
    fn accounts_that_an_entry_needs_are_asked_for() {
        let (body, debtor) = (body(), CustomerLink { id: "1001".into(), ..CustomerLink::default() });
        let posted = amounts(&body).unwrap();
        let row = |options: Value| {
            let failure = of_entry(&body, &posted, &debtor, &settings(options)).unwrap_err();
            (failure.class(), failure.cause().place.row.clone().unwrap_or_default())
        };
        assert_eq!(row(json!({})), ("settings", "debtor_account".to_owned()));
        assert_eq!(row(json!({"debtor_account":1300})), ("settings", "vat_account".to_owned()));
        let nobody = of_entry(&body, &posted, &CustomerLink::default(), &settings(json!({"debtor_account":1300})));
        assert_eq!(nobody.unwrap_err().cause().code, "no_debtor");
    }

    #[test]
    fn amounts_of_an_invoice_are_with_or_without_vat() {
        let body = body();
        let posted = amounts(&body).unwrap();
        let first = |options: Value| of_invoice(&body, &posted, &settings(options))[0]["amount"].to_string();
        assert_eq!(first(json!({})), "-19.98");
        assert_eq!(first(json!({"invoice_amounts":"including_vat"})), "-24.18");
    }

    #[test]
    fn what_would_change_the_sum_is_refused() {
        let posted = amounts(&body()).unwrap();
        for (total, good) in [("41.26", true), ("-41.26", true), ("41.27", false)] {
            let made: Value = serde_json::from_str(&format!(r#"{{"_total":{total}}}"#)).unwrap();
            assert_eq!(check_total(&made, &posted).is_ok(), good, "{total}");
        }
        let mut bare = body();
        bare["lines"][1].as_object_mut().unwrap().remove("ledgerAccountId");
        let failure = amounts(&bare).unwrap_err();
        assert!(failure.to_string().contains("line 2") && failure.class() == "settings", "{failure}");
    }

    #[test]
    fn a_vat_code_must_count_on_the_day_of_the_order() {
        let made = |date: &str| json!({"date":date,"lines":[{"vatCode":"3","_vat_from":"2001-01-01","_vat_until":"2018-12-31"}]});
        assert!(check_vat_dates(&made("2018-12-31T00:00:00")).is_ok());
        for wrong in ["2019-01-01T00:00:00", "2000-12-31T00:00:00"] {
            assert_eq!(check_vat_dates(&made(wrong)).unwrap_err().cause().code, "vat_code_not_valid");
        }
    }
}
