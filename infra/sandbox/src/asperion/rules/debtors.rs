//! Debtors: a name, a number that is there once, lists they refer to.

use serde_json::{Value, json};

use super::{debtor_by_number, default, known, required, unknown};
use crate::asperion::problem::Errors;
use crate::asperion::{Tx, values};
use crate::text::text;

/// The first number that is given out.
pub(in crate::asperion) const FIRST_NUMBER: i64 = 10_000;

pub(super) fn check(tx: &mut Tx<'_>, row: &mut Value, before: Option<&Value>, errors: &mut Errors) {
    required(tx, row, "name", "Name", errors);
    known(tx, "paymentconditions", row, "paymentConditionId", "PaymentConditionId", errors);
    for (field, place, list) in [
        ("debtorKindId", "DebtorKindId", &tx.switches.debtor_kinds),
        ("paymentMethodId", "PaymentMethodId", &tx.switches.payment_methods),
    ] {
        let value = text(row, field);
        if !value.is_empty() && !list.iter().any(|code| code == value) {
            unknown(tx, value, place, errors);
        }
    }
    let country = text(row, "countryCode");
    let wrong = country.len() != 2 || !country.chars().all(|letter| letter.is_ascii_uppercase());
    if !country.is_empty() && wrong {
        unknown(tx, country, "CountryCode", errors);
    }
    let mail = text(row, "emailAddress");
    if !mail.is_empty() && mail.split_once('@').is_none_or(|(name, host)| name.is_empty() || !host.contains('.')) {
        let told = "Dit is geen geldig e-mailadres.";
        errors.add("EmailAddress", tx.words.pick(told, "The EmailAddress field is not a valid e-mail address."));
    }
    let number = text(row, "customerNumber").to_owned();
    match before {
        Some(_) => {
            required(tx, row, "customerNumber", "CustomerNumber", errors);
        }
        None if number.is_empty() => row["customerNumber"] = json!(free_number(tx)),
        None => {}
    }
    let other = debtor_by_number(tx, &number).filter(|_| !number.is_empty());
    if other.is_some_and(|other| before.is_none_or(|before| before["id"] != other["id"])) {
        let told = "Er is al een debiteur met dit nummer.";
        errors.add("CustomerNumber", tx.words.pick(told, "A debtor with this number exists already."));
    }
    for field in ["blocked", "noReminder", "directDebit"] {
        default(row, field, false);
    }
    default(row, "countryCode", "NL");
    let now = values::local(tx.now);
    default(row, "dateAdded", now.clone());
    row["dateLastChange"] = json!(now);
}

/// The next number that nobody has.
fn free_number(tx: &mut Tx<'_>) -> String {
    loop {
        let sequence = format!("{}/customerNumber", tx.administration);
        let number = tx.store.next_number(&sequence, FIRST_NUMBER).to_string();
        if debtor_by_number(tx, &number).is_none() {
            return number;
        }
    }
}
