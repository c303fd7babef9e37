//! What stands between AccountView and a flow: names of the profile that the installation does not have, rights, options
//! that are missing, currencies.

use koppel_core::document::Entity;
use koppel_core::ports::{Asked, Calls, Finding};
use koppel_core::{Cause, Failure};

use super::AccountView;
use super::client::List;
use super::names::{Dictionary, Use};
use super::profile::Part;

/// Everything that is found out about an administration. The dictionary is read afresh.
pub(super) async fn diagnose(av: &AccountView, asked: &Asked, calls: &Calls) -> Result<Vec<Finding>, Failure> {
    av.client.introduce(calls).await?;
    let dictionary = av.names.read(&av.client, &av.profile, calls).await?;
    let mut findings = Vec::new();
    if !dictionary.told {
        findings.push(Finding::error(
            Cause::new("names_not_confirmed", "the data dictionary of AccountView cannot be read").advice(
                "give the user the rights to read it; until then nothing is written, unless names_by_hand is set",
            ),
        ));
        return Ok(findings);
    }
    let mut seen: Vec<&'static str> = Vec::new();
    for (name, wanted, severe) in parts(asked) {
        let part = av.profile.part(name);
        let objections = dictionary.objections(part, &part.fields(), wanted);
        let make = if severe { Finding::error } else { Finding::warning };
        if wanted == Use::Create && part.object.is_some() {
            findings.extend(dictionary.unfilled(part, &av.profile).into_iter().map(mandatory));
        }
        let is_fine = objections.is_empty();
        findings.extend(objections.into_iter().map(make));
        if is_fine && !seen.contains(&name) {
            seen.push(name);
            findings.extend(probe(av, part, calls).await?.map(make));
        }
    }
    if asked.writes && asked.entities.iter().any(|entity| entity.is_order()) && !can_post(av, &dictionary) {
        let text = "no kind of document can be posted with the names of the profile";
        findings.push(Finding::error(Cause::new("no_document", text).advice("see the warnings beside this one")));
    }
    findings.extend(options(av, asked));
    Ok(findings)
}

/// Rows of the flow may fill it, which is not known here.
fn mandatory((table, name): (String, String)) -> Finding {
    Finding::warning(
        Cause::new("mandatory_field", format!("field {name} of {table} is mandatory in this installation"))
            .advice(format!(
                "see that a target row fills it; or, when AccountView does, add it to profile.assigned.{table}"
            ))
            .in_row(name),
    )
}

/// Parts that these flows use, how, and whether they cannot do without.
fn parts(asked: &Asked) -> Vec<(&'static str, Use, bool)> {
    let mut parts = Vec::new();
    for entity in &asked.entities {
        match (entity, asked.writes) {
            (Entity::Orders | Entity::Refunds, true) => parts.extend([
                ("customer", Use::Create, true),
                ("vat_code", Use::Read, true),
                // Which of these a flow needs depends on the document that it makes.
                ("sales_order", Use::Create, false),
                ("sales_invoice", Use::Create, false),
                ("journal_page", Use::Create, false),
                ("article", Use::Read, false),
                ("payment_terms", Use::Read, false),
                ("ledger", Use::Read, false),
                ("journal", Use::Read, false),
                ("cost_center", Use::Read, false),
            ]),
            (Entity::Customers, true) => {
                parts.extend([("customer", Use::Create, true), ("customer", Use::Update, true)])
            }
            (Entity::Customers, false) => parts.push(("customer", Use::Read, true)),
            (Entity::Products, _) => parts.extend([
                ("article", Use::Read, true),
                ("article_group", Use::Read, true),
                ("vat_code", Use::Read, true),
            ]),
            (Entity::Stock, _) => parts.push(("article", Use::Read, true)),
            _ => {}
        }
    }
    parts.dedup();
    parts
}

/// Reads one row: its table and the key that lists are paged by must be in the answer.
async fn probe(av: &AccountView, part: &Part, calls: &Calls) -> Result<Option<Cause>, Failure> {
    let Ok((object, table, key)) = part.required() else { return Ok(None) };
    let list = List {
        object: object.into(),
        table: table.into(),
        key: key.into(),
        fields: vec![key.into()],
        ..List::default()
    };
    match av.client.probe(&list, calls).await {
        Ok(()) => Ok(None),
        Err(Failure::Settings(cause)) => Ok(Some(*cause)),
        Err(failure) => Err(failure),
    }
}

fn can_post(av: &AccountView, dictionary: &Dictionary) -> bool {
    ["sales_order", "sales_invoice", "journal_page"].into_iter().any(|name| {
        let part = av.profile.part(name);
        part.object.is_some() && dictionary.objections(part, &part.fields(), Use::Create).is_empty()
    })
}

fn options(av: &AccountView, asked: &Asked) -> Vec<Finding> {
    let mut found = Vec::new();
    let makes_debtors = asked.writes && asked.entities.iter().any(|e| e.is_order() || *e == Entity::Customers);
    if makes_debtors {
        found.extend(av.debtors.missing().into_iter().map(Finding::error));
    }
    let own = &av.posting.currency;
    let foreign: Vec<&str> = asked.currencies.iter().map(String::as_str).filter(|code| code != own).collect();
    if !foreign.is_empty() {
        let text =
            format!("orders are in {}, the books are kept in {own}: these orders are refused", foreign.join(", "));
        found.push(Finding::error(Cause::new("foreign_currency", text).in_row("currency")));
    }
    found
}
