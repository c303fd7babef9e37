//! What a flow has set: each value with the part of the setting that says so.

use koppel_core::error::Failure;
use koppel_core::system::Lookup;
use serde::Serialize;
use serde_json::Value;

use super::{Kind, ListSide, SettingFacts, settings};
use crate::config::FlowConfig;

/// Which part of `koppel.yaml` says a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// `force` of a coded setting.
    Force,
    /// `table` of a coded setting.
    Table,
    /// `by_country` of a coded setting.
    ByCountry,
    /// `default` of a coded setting.
    Default,
    /// The value itself.
    Value,
    /// Not set: what Koppel does by itself.
    BuiltIn,
}

/// One value of a setting.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SetValue {
    /// The value.
    pub value: Value,
    /// Who says so.
    pub origin: Origin,
    /// Key in a table, or the country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// A code that a flow names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetCode {
    /// The list that must have it.
    pub list: Lookup,
    /// Which system has the list.
    pub side: ListSide,
    /// The code.
    pub code: String,
    /// Key below the flow: `settings.vat_code.table.NL/21`.
    pub row: String,
}

/// The values of one setting, in the order in which they decide; the built-in one when nothing is set, and none when
/// there is no such thing either.
pub fn values_of(flow: &FlowConfig, facts: &SettingFacts) -> Vec<SetValue> {
    let all = serde_json::to_value(&flow.settings).unwrap_or_default();
    let Some(set) = at(&all, &facts.name).filter(|value| !value.is_null()) else {
        return built_in(facts).into_iter().collect();
    };
    if facts.kind != Kind::Coded {
        // Groups are written whole, so a part that says what holds anyway was most likely not set by anybody.
        let by_itself = facts.default.as_ref().is_some_and(|default| same(default, set));
        let empty = set.as_array().is_some_and(Vec::is_empty) || set.as_object().is_some_and(serde_json::Map::is_empty);
        return match (by_itself, empty) {
            (true, _) => built_in(facts).into_iter().collect(),
            (_, true) => Vec::new(),
            _ => vec![SetValue { value: set.clone(), origin: Origin::Value, key: None }],
        };
    }
    let mut values = Vec::new();
    for (part, origin) in [
        ("force", Origin::Force),
        ("table", Origin::Table),
        ("by_country", Origin::ByCountry),
        ("default", Origin::Default),
    ] {
        match set.get(part) {
            Some(Value::Object(entries)) => values.extend(entries.iter().map(|(key, value)| SetValue {
                value: value.clone(),
                origin,
                key: Some(key.clone()),
            })),
            Some(value) if !value.is_null() => values.push(SetValue { value: value.clone(), origin, key: None }),
            _ => {}
        }
    }
    values
}

fn built_in(facts: &SettingFacts) -> Option<SetValue> {
    let value = facts.default.clone()?;
    Some(SetValue { value, origin: Origin::BuiltIn, key: None })
}

/// Decimals may be written with more zeros.
fn same(a: &Value, b: &Value) -> bool {
    a == b || a.to_string().trim_matches('"') == b.to_string().trim_matches('"')
}

fn at<'a>(all: &'a Value, name: &str) -> Option<&'a Value> {
    name.split('.').try_fold(all, |value, part| value.get(part))
}

/// Every code that a flow names for its own entity, with the row that names it.
pub fn codes_of(flow: &FlowConfig) -> Result<Vec<SetCode>, Failure> {
    let mut codes = Vec::new();
    for facts in settings()?.iter().filter(|facts| facts.entities.contains(&flow.entity)) {
        let Some(list) = facts.list else { continue };
        for set in values_of(flow, facts) {
            let part = match set.origin {
                Origin::Force => ".force",
                Origin::Table => ".table",
                Origin::ByCountry => ".by_country",
                // The short form of a setting is its default, and has no key of that name.
                Origin::Default | Origin::Value | Origin::BuiltIn => "",
            };
            let key = set.key.as_ref().map(|key| format!(".{key}")).unwrap_or_default();
            let row = format!("settings.{}{part}{key}", facts.name);
            let named = match &set.value {
                Value::Array(list) => list.clone(),
                one => vec![one.clone()],
            };
            codes.extend(named.iter().filter_map(Value::as_str).map(|code| SetCode {
                list,
                side: facts.side,
                code: code.to_owned(),
                row: row.clone(),
            }));
        }
    }
    Ok(codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(text: &str) -> FlowConfig {
        serde_saphyr::from_str(&format!("{{ from: a, to: b, entity: {text} }}")).unwrap()
    }

    fn values(flow: &FlowConfig, name: &str) -> Vec<String> {
        let facts = settings().unwrap().into_iter().find(|facts| facts.name == name).unwrap();
        let show = |set: SetValue| {
            let value = set.value.to_string();
            format!("{:?} {} {}", set.origin, set.key.unwrap_or_default(), value.trim_matches('"'))
        };
        values_of(flow, &facts).into_iter().map(show).collect()
    }

    #[test]
    fn each_value_names_the_part_that_says_so_in_the_order_of_precedence() {
        let coded = "orders, settings: { vat_code: { default: \"4\", by_country: { BE: \"13\" }, table: { NL/21: \"4\" }, \
                     force: \"9\" } }";
        assert_eq!(values(&flow(coded), "vat_code"), ["Force  9", "Table NL/21 4", "ByCountry BE 13", "Default  4"]);
        let stock = flow("stock, settings: { stock: { calculation: on_hand, keep_back: \"0.0\" } }");
        assert_eq!(values(&stock, "stock.calculation"), ["Value  on_hand"]);
        assert_eq!(values(&stock, "stock.below_zero"), ["BuiltIn  false"]);
        assert!(values(&stock, "stock.at_most").is_empty() && values(&stock, "stock.warehouses").is_empty());
    }

    #[test]
    fn codes_are_found_in_every_shape_of_setting_and_only_for_the_entity_of_the_flow() {
        let orders = "orders, settings: { payment_terms: { table: { ideal: \"00\" }, default: \"30\" }, \
                      default_customer: { when: guest, code: \"10000\" }, rounding: { line: true, item: \"AFR\", max: \"1\" }, \
                      stock: { warehouses: [\"7\"] } }";
        let rows: Vec<(Lookup, String)> = codes_of(&flow(orders))
            .unwrap()
            .into_iter()
            .map(|code| (code.list, format!("{}={}", code.row, code.code)))
            .collect();
        assert_eq!(
            rows,
            [
                (Lookup::PaymentTerms, "settings.payment_terms.table.ideal=00".to_owned()),
                (Lookup::PaymentTerms, "settings.payment_terms=30".to_owned()),
                (Lookup::DefaultCustomer, "settings.default_customer.code=10000".to_owned()),
                (Lookup::Item, "settings.rounding.item=AFR".to_owned()),
            ]
        );
        let stock = codes_of(&flow("stock, settings: { stock: { warehouses: [\"1\", \"7\"] } }")).unwrap();
        assert!(stock.iter().all(|code| code.list == Lookup::Warehouse && code.side == ListSide::Source));
        assert_eq!(stock.iter().map(|code| code.code.as_str()).collect::<Vec<_>>(), ["1", "7"]);
    }
}
