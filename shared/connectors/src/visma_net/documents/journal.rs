//! Bookings: a journal transaction that balances to the cent, or is not posted.
//!
//! The rows make a line of revenue and one of VAT for each line of the order, as credits (negative for what gives back),
//! and one line that takes the total. Here VAT is added up per account and rounded once, and every amount goes to the
//! side it belongs to.

use koppel_core::money::round;
use koppel_core::ports::{Calls, Sent};
use koppel_core::{Cause, Failure};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::{JOURNAL, body, check_reference, create, missing};
use crate::visma_net::client::Client;
use crate::visma_net::options::{CustomerOptions, DocumentOptions};
use crate::visma_net::{payload, wire};

const CREDIT: &str = "creditAmountInCurrency";
const DEBIT: &str = "debitAmountInCurrency";
const ACCOUNT: &str = "accountNumber";

/// Lines with their credit.
type Lines = Vec<(Map<String, Value>, Decimal)>;

/// Posts a booking.
pub(super) async fn send(
    client: &Client,
    options: &DocumentOptions,
    zones: &CustomerOptions,
    made: &Value,
    calls: &Calls,
) -> Result<Sent, Failure> {
    let key = payload::private(made, "_reference").ok_or_else(|| missing(JOURNAL.endpoint, "reference"))?;
    check_reference(&key, options)?;
    let mut body = body(made, &JOURNAL, options)?;
    let lines = lines(made, options, zones)?;
    balance(&lines)?;
    let lines: Vec<Value> = lines
        .into_iter()
        .map(|mut line| {
            line.insert("operation".into(), json!("Insert"));
            payload::fill(&mut line, "referenceNumber", key.clone());
            if let Some(branch) = &options.branch {
                payload::fill(&mut line, "branch", branch.clone());
            }
            Value::Object(line)
        })
        .collect();
    body.insert(JOURNAL.lines.into(), Value::Array(lines));
    if options.own_numbers {
        payload::fill(&mut body, JOURNAL.number, key);
        payload::fill(&mut body, "overrideNumberSeries", true);
    }
    // The sum of a side is more than what was paid when there are discounts: nothing to compare with.
    create(client, options, &JOURNAL, &body, ("", ""), calls).await
}

/// The lines with their amounts on the right side.
fn lines(made: &Value, options: &DocumentOptions, zones: &CustomerOptions) -> Result<Vec<Map<String, Value>>, Failure> {
    let (mut lines, mut vat) = (Lines::new(), Lines::new());
    for row in made.get(JOURNAL.lines).and_then(Value::as_array).into_iter().flatten() {
        let mut line = payload::group(row, "line of a booking")?;
        let amount = wire::decimal(row, CREDIT).unwrap_or_default() - wire::decimal(row, DEBIT).unwrap_or_default();
        line.remove(CREDIT);
        line.remove(DEBIT);
        if wire::flag(row, "_clearing") == Some(true)
            && let Some(account) = &options.clearing_account
        {
            payload::fill(&mut line, ACCOUNT, account.clone());
        }
        if wire::flag(row, "_vat") == Some(true) && !line.contains_key("vatId") {
            let vat = vat_of(row, zones)?;
            for (name, of) in [("vatId", "id"), (ACCOUNT, "account")] {
                if let Some(value) = wire::field(vat, of) {
                    payload::fill(&mut line, name, value);
                }
            }
        }
        if !line.contains_key(ACCOUNT) {
            return Err(no_account(row));
        }
        if wire::flag(row, "_vat") != Some(true) {
            lines.push((line, round(amount, 2)));
            continue;
        }
        // VAT of one kind is one line, rounded once: so the proof of cents has counted it.
        let same = |name: &str, other: &Map<String, Value>| other.get(name) == line.get(name);
        let known =
            vat.iter_mut().find(|(other, _)| [ACCOUNT, "vatId", "subaccount"].iter().all(|name| same(name, other)));
        match known {
            Some((_, sum)) => *sum += amount,
            None => vat.push((line, amount)),
        }
    }
    lines.extend(vat.into_iter().map(|(line, amount)| (line, round(amount, 2))));
    let sided = lines.into_iter().filter(|(_, amount)| !amount.is_zero()).map(|(mut line, amount)| {
        let side = if amount > Decimal::ZERO { CREDIT } else { DEBIT };
        line.insert(side.into(), wire::number(amount.abs()));
        line
    });
    Ok(sided.collect())
}

/// The VAT of a category that a line is booked on: the one with its rate, in the zone of the buyer. A guess would end in the
/// wrong box of a VAT return, so two that fit are none.
fn vat_of<'a>(row: &'a Value, zones: &CustomerOptions) -> Result<&'a Value, Failure> {
    let rate = wire::decimal(row, "_rate");
    let all = row.get("_vats").and_then(Value::as_array).into_iter().flatten();
    let of_rate: Vec<&Value> = all.filter(|vat| wire::decimal(vat, "rate") == rate).collect();
    let country = payload::private(row, "_country").unwrap_or_default();
    let zone = super::zone_of(row, zones);
    let in_zone = |vat: &&Value| {
        let listed = vat.get("zones").and_then(Value::as_array);
        zone.is_some_and(|zone| listed.is_some_and(|listed| listed.iter().any(|one| one == zone)))
    };
    let narrowed: Vec<&Value> = of_rate.iter().copied().filter(in_zone).collect();
    match (of_rate.as_slice(), narrowed.as_slice()) {
        ([], _) => Err(no_account(row)),
        ([only], _) | (_, [only]) => Ok(only),
        (several, _) => {
            let ids: Vec<String> = several.iter().filter_map(|vat| wire::field(vat, "id")).collect();
            let code = payload::private(row, "_vat_code").unwrap_or_default();
            let message =
                format!("the VAT category «{code}» has several VATs for {country} at this rate: {}", ids.join(", "));
            Err(Failure::settings(
                Cause::new("vat_unclear", message)
                    .advice("say in vat_zones of the connection which zone this country belongs to")
                    .in_row("vat_zones"),
            ))
        }
    }
}

fn no_account(row: &Value) -> Failure {
    let cause = if wire::flag(row, "_clearing") == Some(true) {
        Cause::new("no_clearing_account", "a booking needs an account that takes what was paid")
            .advice("set clearing_account of the connection, such as the account for payments on their way")
            .in_row("clearing_account")
    } else if wire::flag(row, "_vat") == Some(true) {
        let code = payload::private(row, "_vat_code").unwrap_or_default();
        Cause::new(
            "no_vat_account",
            format!("the VAT category «{code}» has no VAT of this rate with an account of its own"),
        )
        .advice("look at the VAT category and its VAT in Visma Net, or correct settings.vat_code")
        .in_row("settings.vat_code")
    } else {
        Cause::new("no_revenue_account", "a line of the booking has no account")
            .advice("set settings.revenue_account")
            .in_row("settings.revenue_account")
    };
    Failure::settings(cause)
}

/// Debit and credit must be the same, to the cent.
fn balance(lines: &[Map<String, Value>]) -> Result<(), Failure> {
    let sum = |side: &str| -> Decimal {
        lines.iter().filter_map(|line| wire::decimal(&Value::Object(line.clone()), side)).sum()
    };
    let (debit, credit) = (sum(DEBIT), sum(CREDIT));
    if lines.is_empty() || debit != credit {
        return Err(Failure::reject(
            Cause::new(
                "booking_unbalanced",
                format!("the booking does not balance: debit {debit:.2}, credit {credit:.2}"),
            )
            .advice("check the target rows of the flow, and that each VAT category has the rate of the shop"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing;

    fn options() -> DocumentOptions {
        DocumentOptions::of(&testing::connection("visma-net", json!({"clearing_account": "1550"}), &[])).unwrap()
    }

    fn made(total: &str) -> Value {
        serde_json::from_str(&format!(
            r#"{{"journalTransactionLines": [
                {{"accountNumber": "3000", "creditAmountInCurrency": 10.004}},
                {{"accountNumber": "3000", "creditAmountInCurrency": -1}},
                {{"_vat": true, "_rate": 21, "_vats": [{{"id": "3", "rate": 21.0, "account": "2700"}}], "creditAmountInCurrency": 2.1}},
                {{"_vat": true, "accountNumber": "2700", "vatId": "3", "creditAmountInCurrency": -0.205}},
                {{"_clearing": true, "debitAmountInCurrency": {total}}}
            ]}}"#
        ))
        .unwrap()
    }

    #[test]
    fn vat_of_one_kind_is_rounded_once_and_negative_amounts_change_sides() {
        let lines = lines(&made("10.90"), &options(), &CustomerOptions::default()).unwrap();
        let shown: Vec<(Value, Option<Value>, Option<Value>)> =
            lines.iter().map(|l| (l["accountNumber"].clone(), l.get(DEBIT).cloned(), l.get(CREDIT).cloned())).collect();
        let number = |text: &str| Some(serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(
            shown,
            [
                (json!("3000"), None, number("10")),
                (json!("3000"), number("1"), None),
                (json!("1550"), number("10.9"), None),
                (json!("2700"), None, number("1.9")),
            ]
        );
        balance(&lines).unwrap();
    }

    #[test]
    fn of_several_vats_the_zone_of_the_buyer_decides_and_nobody_guesses() {
        let row = json!({"_rate": 21, "_country": "BE", "_vat_code": "HIGH", "_vats": [
            {"id": "NL21", "rate": 21, "zones": ["NL"]}, {"id": "BE21", "rate": 21, "zones": ["OSS-BE"]},
            {"id": "DE19", "rate": 19, "zones": ["OSS-DE"]}]});
        let zones = |all: Value| {
            CustomerOptions::of(&testing::connection("visma-net", json!({"vat_zones": all}), &[])).unwrap()
        };
        assert_eq!(vat_of(&row, &zones(json!({"BE": "OSS-BE"}))).unwrap()["id"], "BE21");
        let unclear = vat_of(&row, &zones(json!({}))).unwrap_err();
        assert!(unclear.cause().code == "vat_unclear" && unclear.to_string().contains("NL21, BE21"), "{unclear}");
        let only = json!({"_rate": 19, "_country": "DE", "_vats": row["_vats"]});
        assert_eq!(vat_of(&only, &zones(json!({}))).unwrap()["id"], "DE19");
    }

    #[test]
    fn a_cent_too_much_is_not_posted_and_accounts_that_are_missing_are_named() {
        let failure = balance(&lines(&made("10.91"), &options(), &CustomerOptions::default()).unwrap()).unwrap_err();
        assert_eq!((failure.class(), failure.cause().code.as_str()), ("reject", "booking_unbalanced"));
        assert!(failure.to_string().contains("11.91") && failure.to_string().contains("11.90"), "{failure}");
        let none = DocumentOptions { clearing_account: None, ..options() };
        assert_eq!(
            lines(&made("1"), &none, &CustomerOptions::default()).unwrap_err().cause().code,
            "no_clearing_account"
        );
        let vat = json!({"journalTransactionLines": [{"_vat": true, "creditAmountInCurrency": 1, "_vat_code": "3"}]});
        assert!(lines(&vat, &options(), &CustomerOptions::default()).unwrap_err().to_string().contains("«3»"));
    }
}
