//! Debtors: found by e-mail, created, and changed where that is allowed.
//!
//! A filter on an e-mail address finds every address that contains it, so what counts is compared here.

use std::collections::BTreeMap;

use koppel_core::error::RetryReason;
use koppel_core::message::CustomerDecision;
use koppel_core::ports::{Calls, CustomerLink};
use koppel_core::{Cause, Failure, NonEmpty};
use serde_json::{Map, Value};

use super::client::Client;
use super::native;
use super::options::Settings;
use super::profile::Profile;

pub(super) const DEBTORS: &str = "debtors";

/// What is read of a debtor to find it.
pub(super) const FIELDS: &str = "id,customerNumber,name,emailAddress,blocked,dateAdded";

/// Lengths that a field is trusted with. None is published, so these are the smallest that books of this kind have; a
/// longer value would at best be refused and at worst be cut in silence.
const LENGTHS: &[(&str, usize)] = &[
    ("name", 50),
    ("attentionTo", 50),
    ("address", 50),
    ("addressLine2", 50),
    ("addressLine3", 50),
    ("postCode", 10),
    ("city", 50),
    ("countryCode", 2),
    ("emailAddress", 100),
    ("phoneNumber", 20),
    ("mobileNumber", 20),
    ("vatNumber", 20),
    ("cocNumber", 20),
];

/// What the system fills itself: it is refused when it is sent back.
const NOT_WRITTEN: [&str; 4] = ["id", "_meta", "dateAdded", "dateLastChange"];

/// Finds debtors by e-mail. There is no filter for several values, so each address is a call.
pub(super) async fn find(
    client: &Client,
    emails: &[NonEmpty],
    calls: &Calls,
) -> Result<BTreeMap<NonEmpty, CustomerLink>, Failure> {
    let mut found = BTreeMap::new();
    for email in emails {
        let query = [("EmailAddress", email.as_str()), ("EmailAddress_comparison", "Equals"), ("fields", FIELDS)];
        let rows = client.list(DEBTORS, &query, calls).await?;
        let same = rows.iter().filter(|row| same_email(row, email));
        if let Some(best) = best(same) {
            found.insert(email.clone(), link(best));
        }
    }
    Ok(found)
}

fn same_email(row: &Value, email: &NonEmpty) -> bool {
    native::field(row, "emailAddress").is_some_and(|found| found.to_lowercase() == email.as_str().to_lowercase())
}

/// The debtor to use when several share an address: the oldest that is not blocked.
fn best<'a>(rows: impl Iterator<Item = &'a Value>) -> Option<&'a Value> {
    rows.filter(|row| native::field(row, "id").is_some() && native::flag(row, "blocked") != Some(true)).min_by_key(
        |row| {
            let added = native::local(row, "dateAdded");
            (added.is_none(), added, native::decimal(row, "id"))
        },
    )
}

/// The link to a debtor that was read. Invoices name it by its number, entries by its id.
pub(super) fn link(row: &Value) -> CustomerLink {
    CustomerLink {
        id: native::field(row, "id").unwrap_or_default(),
        code: native::field(row, "customerNumber").unwrap_or_default(),
        ..CustomerLink::default()
    }
}

/// Makes the customer exist.
pub(super) async fn send(
    client: &Client,
    settings: &Settings,
    profile: &Profile,
    decision: &CustomerDecision,
    known: Option<&CustomerLink>,
    calls: &Calls,
) -> Result<CustomerLink, Failure> {
    let known = known.or(decision.link.as_ref()).filter(|link| !link.id.is_empty());
    // A fixed debtor is shared by many buyers: its own data is never touched.
    let fixed = decision.email.trim().is_empty();
    let mut link = match known {
        Some(link) => {
            let mut link = link.clone();
            if decision.update && !fixed {
                let debtor = debtor(&decision.payload, settings, false)?;
                link = update(client, settings, profile, &link, &debtor, calls).await?;
            }
            link
        }
        None if fixed => {
            return Err(Failure::settings(
                Cause::new("no_debtor", "the order has no e-mail address and no fixed debtor is set")
                    .advice("set default_customer to the number of a debtor in Asperion"),
            ));
        }
        None => create(client, &debtor(&decision.payload, settings, true)?, calls).await?,
    };
    // Documents have no delivery address, and a debtor has one address: the place is only noted as dealt with.
    if let Some(key) = &decision.delivery_key {
        link.addresses.entry(key.clone()).or_default();
    }
    Ok(link)
}

/// The fields of a debtor: what the rows made, and what the connection adds to new ones.
fn debtor(made: &Value, settings: &Settings, new: bool) -> Result<Map<String, Value>, Failure> {
    let mut debtor = native::filled(made.get("debtor").unwrap_or(&Value::Null));
    if !debtor.contains_key("name") {
        return Err(Failure::reject(
            Cause::new("mandatory_missing", "the customer has neither a company name nor a person's name")
                .advice("add a name to the order, or give the row debtor.name a value")
                .in_row("debtor.name"),
        ));
    }
    if new && let Some(kind) = native::field(made, "kind").and_then(|kind| settings.debtor_kinds.get(&kind)) {
        debtor.entry("debtorKindId").or_insert_with(|| Value::from(kind.clone()));
    }
    if !settings.classification_field.is_empty()
        && let Some(class) = native::field(made, "price_class").and_then(|class| settings.classifications.get(&class))
    {
        debtor.entry(settings.classification_field.clone()).or_insert_with(|| Value::from(class.clone()));
    }
    spread_address(&mut debtor);
    check_lengths(&debtor)?;
    Ok(debtor)
}

fn check_lengths(debtor: &Map<String, Value>) -> Result<(), Failure> {
    for (field, limit) in LENGTHS {
        let Some(Value::String(text)) = debtor.get(*field) else { continue };
        let length = text.chars().count();
        if length > *limit {
            return Err(Failure::reject(
                // The value itself is not shown: it may be the name of a person.
                Cause::new(
                    "too_long",
                    format!("{field} of a debtor is trusted with {limit} characters and this one has {length}"),
                )
                .advice(format!("shorten it in the source, or give the row debtor.{field} a shorter value"))
                .in_row(format!("debtor.{field}")),
            ));
        }
    }
    Ok(())
}

/// Moves the end of a street line that is too long to the next line when that is free, between words, so that nothing is
/// lost.
fn spread_address(debtor: &mut Map<String, Value>) {
    for (line, next) in [("address", "addressLine2"), ("addressLine2", "addressLine3")] {
        let limit = LENGTHS.iter().find(|(name, _)| *name == line).map_or(usize::MAX, |(_, limit)| *limit);
        let Some(Value::String(text)) = debtor.get(line) else { continue };
        if text.chars().count() <= limit || debtor.contains_key(next) {
            continue;
        }
        let text = text.trim().to_owned();
        let cut =
            text.char_indices().take(limit + 1).filter(|(_, letter)| letter.is_whitespace()).map(|(at, _)| at).last();
        if let Some(cut) = cut {
            let (head, tail) = text.split_at(cut);
            debtor.insert(line.to_owned(), Value::from(head.trim_end()));
            debtor.insert(next.to_owned(), Value::from(tail.trim_start()));
        }
    }
}

async fn create(client: &Client, debtor: &Map<String, Value>, calls: &Calls) -> Result<CustomerLink, Failure> {
    let answer = client.create(DEBTORS, Value::Object(debtor.clone()), calls).await?;
    let link = link(&answer);
    if link.id.is_empty() || link.code.is_empty() {
        return Err(Failure::retry(
            RetryReason::OutcomeUnknown,
            None,
            Cause::new("no_id_answered", "Asperion accepted the debtor but answered no id and number"),
        ));
    }
    Ok(link)
}

/// Changes a debtor. Whether fields that are left out are kept is not known, so all that is there is sent again.
async fn update(
    client: &Client,
    settings: &Settings,
    profile: &Profile,
    known: &CustomerLink,
    debtor: &Map<String, Value>,
    calls: &Calls,
) -> Result<CustomerLink, Failure> {
    if !settings.debtor_update {
        return Err(Failure::settings(
            Cause::new(
                "not_confirmed",
                format!("debtor {} has changed in the shop; how Asperion takes a change is not published", known.code),
            )
            .advice(
                "set assume_debtor_update: true on the connection to try it, or settings.customer.update: false in a flow \
                 of orders to leave debtors as they are",
            )
            .in_row("assume_debtor_update"),
        ));
    }
    let rows = client.list(DEBTORS, &[("Id", known.id.as_str())], calls).await?;
    let there =
        rows.into_iter().find(|row| native::field(row, "id").as_deref() == Some(&known.id)).ok_or_else(|| {
            Failure::settings(
                Cause::new("debtor_gone", format!("debtor {} is no longer in Asperion", known.code))
                    .advice("deliver the record again; it is then searched by e-mail"),
            )
        })?;
    let mut body = native::filled(&there);
    body.retain(|name, _| !NOT_WRITTEN.contains(&name.as_str()));
    // The number is how invoices name the debtor: it stays what it is there.
    body.extend(debtor.iter().filter(|(name, _)| *name != "customerNumber").map(|(n, v)| (n.clone(), v.clone())));
    let path = profile.name("debtors.update_path").replace("{id}", &known.id);
    client.replace(&path, DEBTORS, Value::Object(body), calls).await?;
    Ok(CustomerLink { addresses: known.addresses.clone(), contact: known.contact.clone(), ..link(&there) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::connection;
    use serde_json::json;

    fn settings(options: Value) -> Settings {
        Settings::of(&connection("asperion", options, &[])).unwrap()
    }

    #[test]
    fn among_several_debtors_the_oldest_that_may_buy_wins() {
        let row = |id: u32, added: &str, blocked: bool| json!({"id":id,"dateAdded":added,"blocked":blocked});
        let rows = [
            row(3, "2020-01-01T00:00:00", true),
            row(2, "2024-01-01T00:00:00", false),
            row(1, "2023-01-01T00:00:00", false),
        ];
        assert_eq!(best(rows.iter()).unwrap()["id"], 1);
        assert_eq!(best(rows.iter().rev()).unwrap()["id"], 1);
        assert!(best(rows[..1].iter()).is_none());
        let undated = [json!({"id":9}), json!({"id":8})];
        assert_eq!(best(undated.iter()).unwrap()["id"], 8);
    }

    #[test]
    fn kind_and_classification_come_from_the_connection() {
        let with = settings(json!({"debtor_kinds":{"company":"ZAK","person":"PART"},
            "classification_field":"characteristic4","classifications":{"wholesale":"Wederverkoper"}}));
        let made = json!({"debtor":{"name":"Bos"},"kind":"company","price_class":"wholesale"});
        let new = debtor(&made, &with, true).unwrap();
        assert_eq!(Value::Object(new), json!({"name":"Bos","debtorKindId":"ZAK","characteristic4":"Wederverkoper"}));
        // What somebody chose in the books is not chosen anew.
        let changed = debtor(&made, &with, false).unwrap();
        assert_eq!(Value::Object(changed), json!({"name":"Bos","characteristic4":"Wederverkoper"}));
        let other = json!({"debtor":{"name":"Bos","debtorKindId":"EIGEN"},"kind":"company","price_class":"customer"});
        assert_eq!(Value::Object(debtor(&other, &with, true).unwrap()), json!({"name":"Bos","debtorKindId":"EIGEN"}));
    }

    #[test]
    fn a_long_street_moves_on_and_a_long_name_is_refused_without_showing_it() {
        let street = "Burgemeester van Karnebeekstraat achter de oude sluis bij het gemaal 112 bis";
        let made = json!({"debtor":{"name":"Bos","address":street}});
        let spread = debtor(&made, &settings(json!({})), true).unwrap();
        let line = |name: &str| spread[name].as_str().unwrap().to_owned();
        assert_eq!(format!("{} {}", line("address"), line("addressLine2")), street);
        let long = json!({"debtor":{"name":"Jan ".repeat(20)}});
        let failure = debtor(&long, &settings(json!({})), true).unwrap_err();
        assert!(failure.class() == "reject" && !failure.to_string().contains("Jan"), "{failure}");
        let nameless = debtor(&json!({"debtor":{"name":" "}}), &settings(json!({})), true).unwrap_err();
        assert_eq!(nameless.cause().code, "mandatory_missing");
    }
}
