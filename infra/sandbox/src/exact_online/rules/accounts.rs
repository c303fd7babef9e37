//! Accounts with their contacts and addresses.

use serde_json::{Value, json};

use super::{check_code, fill_names};
use crate::exact_online::Tx;
use crate::exact_online::write::{Fields, default, field, filled};
use crate::message::Reply;
use crate::text::text;

const ADDRESS: &[&str] = &["AddressLine1", "AddressLine2", "AddressLine3", "Postcode", "City", "State", "Country"];
const VISIT: i64 = 1;

/// An account; its address fields become its main visit address.
pub(super) fn create(tx: &mut Tx<'_>, mut fields: Fields) -> Result<String, Reply> {
    check_values(tx, &fields)?;
    if filled(&fields, "Code") {
        let code = field(&fields, "Code").trim().to_owned();
        if code.is_empty() || !code.chars().all(|digit| digit.is_ascii_digit()) {
            return Err(tx.words().invalid("Code"));
        }
        check_code(tx, "crm/Accounts", &code)?;
        fields.insert("Code".into(), json!(code));
        if let Ok(number) = code.parse() {
            tx.store.reserve_number("account", number);
        }
    } else {
        let next = tx.store.next_number("account", 1);
        fields.insert("Code".into(), json!(next.to_string()));
    }
    let id = tx.new_key("crm/Accounts", "ID", &fields)?;
    fields.insert("ID".into(), json!(id));
    fields.insert("Type".into(), json!("A"));
    default(&mut fields, "Status", "A");
    default(&mut fields, "Country", "NL");
    default(&mut fields, "Language", "NL");
    default(&mut fields, "SalesCurrency", "EUR");
    default(&mut fields, "Blocked", false);
    let today = tx.today();
    default(&mut fields, "StartDate", today);
    let customer = field(&fields, "Status") == "C";
    fields.insert("IsSales".into(), json!(customer));
    fill_names(tx, "crm/Accounts", &mut fields);
    tx.put("crm/Accounts", &id, fields.clone());
    visit_address(tx, &id, &fields);
    Ok(id)
}

fn check_values(tx: &Tx<'_>, fields: &Fields) -> Result<(), Reply> {
    if filled(fields, "Status") && !["A", "S", "P", "C"].contains(&field(fields, "Status")) {
        return Err(tx.words().invalid("Status"));
    }
    let country = field(fields, "Country");
    if filled(fields, "Country") && (country.len() != 2 || !country.chars().all(|letter| letter.is_ascii_uppercase())) {
        return Err(tx.words().invalid("Country"));
    }
    if filled(fields, "SalesCurrency") {
        super::amounts::worth(tx, "SalesCurrency", field(fields, "SalesCurrency"))?;
    }
    let number = field(fields, "VATNumber");
    if filled(fields, "VATNumber") && !is_vat_number(number) {
        return Err(tx.words().invalid("VATNumber"));
    }
    Ok(())
}

/// Country letters, then the digits and letters that country has.
fn is_vat_number(text: &str) -> bool {
    let Some((country, rest)) = text.split_at_checked(2).filter(|_| text.is_ascii()) else { return false };
    let digits = |from: &str| !from.is_empty() && from.chars().all(|digit| digit.is_ascii_digit());
    match country {
        "NL" => rest.len() == 12 && digits(&rest[..9]) && &rest[9..10] == "B" && digits(&rest[10..]),
        "BE" => rest.len() == 10 && digits(rest) && (rest.starts_with('0') || rest.starts_with('1')),
        "DE" => rest.len() == 9 && digits(rest),
        _ => {
            country.chars().all(|letter| letter.is_ascii_uppercase())
                && (2..=13).contains(&rest.len())
                && rest.is_ascii()
        }
    }
}

/// Creates or changes the main visit address of an account.
fn visit_address(tx: &mut Tx<'_>, account: &str, fields: &Fields) {
    let known = addresses(tx, account).into_iter().find(|row| row["Type"] == VISIT && row["Main"] == true);
    // A country alone is no address, but it changes one.
    if !ADDRESS.iter().any(|name| filled(fields, name) && (known.is_some() || *name != "Country")) {
        return;
    }
    let mut row = match &known {
        Some(row) => row.as_object().cloned().unwrap_or_default(),
        None => Fields::new(),
    };
    let id = known.as_ref().map_or_else(|| uuid::Uuid::new_v4().to_string(), |row| text(row, "ID").to_owned());
    for name in ADDRESS {
        if let Some(value) = fields.get(*name) {
            row.insert((*name).into(), value.clone());
        }
    }
    row.insert("ID".into(), json!(id));
    row.insert("Account".into(), json!(account));
    row.insert("Type".into(), json!(VISIT));
    row.insert("Main".into(), json!(true));
    fill_names(tx, "crm/Addresses", &mut row);
    tx.put("crm/Addresses", &id, row);
}

fn addresses(tx: &Tx<'_>, account: &str) -> Vec<Value> {
    let rows = tx.store.find(&tx.table("crm/Addresses"), "Account", account).unwrap_or_default();
    rows.into_iter().cloned().collect()
}

/// Where an account is delivered: its main delivery address, else its visit address.
pub(super) fn delivery_address(tx: &Tx<'_>, account: &str) -> Option<String> {
    let rows = addresses(tx, account);
    let main = |kind: i64| rows.iter().find(|row| row["Type"] == kind && row["Main"] == true);
    main(4).or_else(|| main(VISIT)).map(|row| text(row, "ID").to_owned())
}

/// Changes an account. Sending the code, even the same one, is refused.
pub(super) fn change(tx: &mut Tx<'_>, id: &str, mut row: Fields, sent: Fields) -> Result<(), Reply> {
    if filled(&sent, "Code") {
        check_code(tx, "crm/Accounts", field(&sent, "Code"))?;
    }
    if sent.contains_key("Name") && !filled(&sent, "Name") {
        return Err(tx.words().mandatory("Name"));
    }
    check_values(tx, &sent)?;
    row.extend(sent.clone());
    let customer = field(&row, "Status") == "C";
    row.insert("IsSales".into(), json!(customer));
    fill_names(tx, "crm/Accounts", &mut row);
    tx.put("crm/Accounts", id, row);
    visit_address(tx, id, &sent);
    Ok(())
}

/// Names of a person in one.
pub(super) fn full_name(fields: &Fields) -> String {
    let name = ["FirstName", "MiddleName", "LastName"].map(|part| field(fields, part)).join(" ");
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A contact; the first one of an account becomes its main contact.
pub(super) fn create_contact(tx: &mut Tx<'_>, mut fields: Fields) -> Result<String, Reply> {
    let account = field(&fields, "Account").to_owned();
    let id = tx.new_key("crm/Contacts", "ID", &fields)?;
    let mut owner = tx.get("crm/Accounts", &account).and_then(Value::as_object).cloned().unwrap_or_default();
    let first = !filled(&owner, "MainContact");
    let name = full_name(&fields);
    let hid = tx.store.next_number("contact", 1);
    fields.insert("ID".into(), json!(id));
    fields.insert("FullName".into(), json!(name));
    fields.insert("IsMainContact".into(), json!(first));
    fields.insert("Code".into(), json!(hid.to_string()));
    fill_names(tx, "crm/Contacts", &mut fields);
    tx.put("crm/Contacts", &id, fields);
    if first {
        owner.insert("MainContact".into(), json!(id));
        tx.put("crm/Accounts", &account, owner);
    }
    Ok(id)
}

/// An address; the same one once more gives the one that is there.
pub(super) fn create_address(tx: &mut Tx<'_>, mut fields: Fields) -> Result<String, Reply> {
    let account = field(&fields, "Account").to_owned();
    if account.is_empty() {
        return Err(tx.words().mandatory("Account"));
    }
    let kind = fields.get("Type").and_then(Value::as_i64).ok_or_else(|| tx.words().mandatory("Type"))?;
    if !(1..=4).contains(&kind) {
        return Err(tx.words().invalid("Type"));
    }
    check_values(tx, &fields)?;
    default(&mut fields, "Country", "NL");
    let same = addresses(tx, &account).into_iter().find(|row| {
        row["Type"] == kind && ADDRESS.iter().all(|name| text(row, name).trim() == field(&fields, name).trim())
    });
    if let Some(row) = same {
        return Ok(text(&row, "ID").to_owned());
    }
    let id = tx.new_key("crm/Addresses", "ID", &fields)?;
    fields.insert("ID".into(), json!(id));
    default(&mut fields, "Main", false);
    if fields["Main"] == true {
        only_main(tx, &account, kind);
    }
    fill_names(tx, "crm/Addresses", &mut fields);
    tx.put("crm/Addresses", &id, fields);
    Ok(id)
}

/// Takes the main flag from the other addresses of that type.
fn only_main(tx: &mut Tx<'_>, account: &str, kind: i64) {
    for row in addresses(tx, account) {
        if row["Type"] == kind && row["Main"] == true {
            let id = text(&row, "ID").to_owned();
            let mut fields = row.as_object().cloned().unwrap_or_default();
            fields.insert("Main".into(), json!(false));
            tx.put("crm/Addresses", &id, fields);
        }
    }
}

/// Changes an address.
pub(super) fn change_address(tx: &mut Tx<'_>, id: &str, mut row: Fields, sent: Fields) -> Result<(), Reply> {
    check_values(tx, &sent)?;
    row.extend(sent.clone());
    if sent.get("Main") == Some(&json!(true)) {
        let kind = row.get("Type").and_then(Value::as_i64).unwrap_or(VISIT);
        only_main(tx, field(&row, "Account"), kind);
    }
    fill_names(tx, "crm/Addresses", &mut row);
    tx.put("crm/Addresses", id, row);
    Ok(())
}

/// Refuses an account that may not buy: no customer, blocked, or ended.
pub(super) fn check_customer(tx: &Tx<'_>, name: &str, id: &str) -> Result<(), Reply> {
    let row = tx.get("crm/Accounts", id).ok_or_else(|| tx.words().invalid(name))?;
    if text(row, "Status") != "C" {
        return Err(tx.words().invalid_because(name, "relatie is geen klant", "account is not a customer"));
    }
    if row["Blocked"] == true {
        return Err(tx.words().invalid_because(name, "relatie is geblokkeerd", "account is blocked"));
    }
    let end = text(row, "EndDate");
    if !end.is_empty() && end < tx.today().as_str() {
        return Err(tx.words().invalid_because(name, "relatie is niet meer actief", "account is no longer active"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vat_numbers_have_the_form_of_their_country() {
        for number in ["NL123456789B01", "BE0123456789", "DE123456789", "FRAB123456789"] {
            assert!(is_vat_number(number), "{number}");
        }
        for number in ["NL123456789", "BE123", "DE12345678X", "1", "nl123456789b01"] {
            assert!(!is_vat_number(number), "{number}");
        }
    }
}
