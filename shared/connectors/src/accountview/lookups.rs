//! Codes to references. Short lists are read whole; articles and debtors are asked for by code. Ids are codes here.

use std::collections::BTreeMap;

use koppel_core::ports::{Calls, Reference};
use koppel_core::system::Lookup;
use koppel_core::{Cause, Failure, NonEmpty};
use serde_json::{Map, Value};

use super::AccountView;
use super::client::{Door, List, decimal, field, flag};
use super::foxpro::Filter;
use super::names::Use;
use super::profile::Part;

/// Filters of one call, where one of them may suffice: the length of an address bounds it.
pub(super) const FILTERS_MAX: usize = 10;

/// A list: its part of the profile, and the roles that are read.
struct Source {
    part: &'static str,
    name: &'static str,
    roles: &'static [&'static str],
}

fn source(lookup: Lookup) -> Result<Source, Failure> {
    let of = |part, name, roles| Ok(Source { part, name, roles });
    match lookup {
        Lookup::Item => of("article", "description", &["vat_code", "blocked"]),
        Lookup::VatCode => of("vat_code", "name", &["percent", "reversed"]),
        Lookup::PaymentTerms => of("payment_terms", "name", &[]),
        Lookup::RevenueAccount => of("ledger", "name", &["vat_code", "cost_center_required", "blocked"]),
        Lookup::Journal => of("journal", "name", &["type", "currency", "blocked"]),
        Lookup::CostCenter => of("cost_center", "name", &[]),
        Lookup::DefaultCustomer => of("customer", "name", &["blocked", "blocked_for_orders"]),
        Lookup::ShippingMethod | Lookup::CostUnit | Lookup::Warehouse => Err(Failure::settings(
            Cause::new("not_supported", format!("AccountView has no list of each {} that is known", lookup.label()))
                .advice("leave the setting out"),
        )),
    }
}

/// References of codes; what the administration does not have is absent.
pub(super) async fn look_up(
    av: &AccountView,
    lookup: Lookup,
    codes: &[NonEmpty],
    calls: &Calls,
) -> Result<BTreeMap<NonEmpty, Reference>, Failure> {
    if codes.is_empty() {
        return Ok(BTreeMap::new());
    }
    let source = source(lookup)?;
    let part = av.profile.part(source.part);
    let rows = if lookup.is_long() {
        let (_, _, key) = part.required()?;
        // Codes are stored in upper case.
        let wanted: Vec<Filter> = codes.iter().map(|code| Filter::equal(key, &code.as_str().to_uppercase())).collect();
        search(av, part, &roles(&source), wanted, calls).await?
    } else {
        search(av, part, &roles(&source), Vec::new(), calls).await?
    };
    let (_, _, key) = part.required()?;
    let mut found = BTreeMap::new();
    for code in codes {
        let same = |row: &&Value| field(row, key).is_some_and(|own| own.eq_ignore_ascii_case(code.as_str()));
        if let Some(row) = rows.iter().find(same) {
            found.insert(code.clone(), reference(row, part, &source, lookup));
        }
    }
    Ok(found)
}

/// A whole list, by code.
pub(super) async fn list_codes(av: &AccountView, lookup: Lookup, calls: &Calls) -> Result<Vec<Reference>, Failure> {
    let source = source(lookup)?;
    let part = av.profile.part(source.part);
    let rows = search(av, part, &roles(&source), Vec::new(), calls).await?;
    let mut all: Vec<Reference> = rows.iter().map(|row| reference(row, part, &source, lookup)).collect();
    all.retain(|reference| !reference.code.is_empty());
    // Numbers by their value, then words by the alphabet.
    all.sort_by_cached_key(|reference| (reference.code.parse::<u64>().unwrap_or(u64::MAX), reference.code.clone()));
    Ok(all)
}

fn roles(source: &Source) -> Vec<&'static str> {
    std::iter::once(source.name).chain(source.roles.iter().copied()).collect()
}

/// Rows of a part with the key and these roles; all of them, or those that one of the filters holds for, in as few
/// calls as the installation allows.
pub(super) async fn search(
    av: &AccountView,
    part: &Part,
    roles: &[&str],
    filters: Vec<Filter>,
    calls: &Calls,
) -> Result<Vec<Value>, Failure> {
    let (object, table, key) = part.required()?;
    let named: Vec<&str> = std::iter::once(key).chain(roles.iter().filter_map(|role| part.role(role))).collect();
    let pairs: Vec<(&str, &str)> = named.iter().map(|name| (table, *name)).collect();
    let dictionary = av.names.ready(&av.client, &av.profile, part, &pairs, Use::Read, calls).await?;
    let mut fields: Vec<String> = named.into_iter().map(str::to_owned).collect();
    fields.sort();
    fields.dedup();
    let list = List { object: object.into(), table: table.into(), key: key.into(), fields, ..List::default() };
    if filters.is_empty() {
        return av.client.all(Door::Data, &list, calls).await;
    }
    let at_once = if dictionary.match_any { FILTERS_MAX } else { 1 };
    let mut found = Vec::new();
    for some in filters.chunks(at_once) {
        let list = List { filters: some.to_vec(), any: true, ..list.clone() };
        found.extend(av.client.all(Door::Data, &list, calls).await?);
    }
    Ok(found)
}

fn reference(row: &Value, part: &Part, source: &Source, lookup: Lookup) -> Reference {
    let of = |role: &str| part.role(role).and_then(|name| field(row, name));
    let code = part.key.as_deref().and_then(|key| field(row, key)).unwrap_or_default();
    Reference {
        id: code.clone(),
        code,
        name: of(source.name).unwrap_or_default(),
        attributes: attributes(row, part, lookup),
    }
}

/// Facts about a row under names that mean the same for every system.
fn attributes(row: &Value, part: &Part, lookup: Lookup) -> Map<String, Value> {
    let mut map = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            map.insert(name.to_owned(), value);
        }
    };
    let text = |role: &str| part.role(role).and_then(|name| field(row, name)).map(Value::from);
    let yes = |role: &str| part.role(role).and_then(|name| flag(row, name));
    match lookup {
        Lookup::Item => {
            put("sales_vat_code", text("vat_code"));
            put("blocked", yes("blocked").map(Value::from));
        }
        Lookup::VatCode => {
            let percent = part.role("percent").and_then(|name| decimal(row, name));
            put("percent", percent.and_then(super::body::json_number));
            put("reversed", yes("reversed").map(Value::from));
        }
        Lookup::RevenueAccount => {
            put("vat_code", text("vat_code"));
            put("cost_center_required", yes("cost_center_required").map(Value::from));
            put("blocked", yes("blocked").map(Value::from));
        }
        Lookup::Journal => {
            put("type", text("type"));
            put("currency", text("currency"));
            put("blocked", yes("blocked").map(Value::from));
        }
        Lookup::DefaultCustomer => {
            let blocked = ["blocked", "blocked_for_orders"].into_iter().filter_map(yes).any(|blocked| blocked);
            put("blocked", Some(Value::from(blocked)));
        }
        _ => {}
    }
    map
}
