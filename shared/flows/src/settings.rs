//! Coded values of the target, decided by settings: forced > table > mapped > by country > default.
//!
//! The result stands in `codes` of the document and of each line, where the target's rows read it.

use std::collections::BTreeMap;

use koppel_core::document::{Customer, DocumentType, Line, LineKind, Order};
use koppel_core::error::{Cause, Failure};
use koppel_core::system::{Lookup, SystemFacts};
use koppel_core::vat::VatFacts;

use crate::config::{Code, DefaultCustomerWhen, FlowSettings, Setting};

/// Which part of a setting decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decider {
    /// `force`.
    Force,
    /// `table`, with the key that matched.
    Table(String),
    /// A mapping row.
    Mapped,
    /// `by_country`, with the country.
    Country(String),
    /// `default`.
    Default,
    /// The condition of the default debtor.
    When(DefaultCustomerWhen),
    /// The article number of the line.
    ArticleNumber,
}

/// A coded value and what decided it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruled {
    /// Line of the order, from 0; `None` for a value of the whole order.
    pub line: Option<usize>,
    /// Which value.
    pub value: Lookup,
    /// Setting, as in configuration.
    pub setting: &'static str,
    /// Code.
    pub code: String,
    /// What decided.
    pub decider: Decider,
}

/// Decides one coded value. `sources` are the table keys to try, the most specific first.
pub fn decide(setting: &Setting, sources: &[String], mapped: Option<&str>, country: &str) -> Option<(String, Decider)> {
    let own = |code: &Code| code.0.clone();
    if let Some(code) = &setting.force {
        return Some((own(code), Decider::Force));
    }
    for source in sources.iter().filter(|source| !source.is_empty()) {
        if let Some(code) = setting.table.get(source) {
            return Some((own(code), Decider::Table(source.clone())));
        }
    }
    if let Some(code) = mapped.map(str::trim).filter(|code| !code.is_empty()) {
        return Some((code.to_owned(), Decider::Mapped));
    }
    if let Some(code) = setting.by_country.get(country) {
        return Some((own(code), Decider::Country(country.to_owned())));
    }
    setting.default.as_ref().map(|code| (own(code), Decider::Default))
}

/// Decides every coded value of an order that becomes such a document in this target. A booking has no items.
pub fn decide_order_codes(
    order: &mut Order,
    settings: &FlowSettings,
    facts: &SystemFacts,
    document: Option<DocumentType>,
) -> Result<(), Failure> {
    decide_and_tell(order, settings, facts, document, &mut |_| {})
}

/// Does so, and tells of each value what decided it, up to the first that nothing decides.
pub(crate) fn decide_and_tell(
    order: &mut Order,
    settings: &FlowSettings,
    facts: &SystemFacts,
    document: Option<DocumentType>,
    tell: &mut dyn FnMut(Ruled),
) -> Result<(), Failure> {
    let country = order.ship_to().country.clone();
    let method = vec![order.payment.method.clone()];
    let shipping = vec![order.shipping.method.clone()];
    let none: Vec<String> = Vec::new();
    for (lookup, setting, sources) in [
        (Lookup::PaymentTerms, &settings.payment_terms, &method),
        (Lookup::ShippingMethod, &settings.shipping_method, &shipping),
        (Lookup::Journal, &settings.journal, &none),
        (Lookup::Warehouse, &settings.warehouse, &none),
    ] {
        if let Some((code, decider)) = decide_into(&mut order.codes, lookup, setting, sources, &country) {
            tell(Ruled { line: None, value: lookup, setting: lookup.name(), code, decider });
        }
    }
    if let Some(code) = default_customer(settings, &order.customer)? {
        order.codes.insert(Lookup::DefaultCustomer.name().to_owned(), code.clone());
        let (value, decider) = (Lookup::DefaultCustomer, settings.default_customer.as_ref().map(|d| d.when));
        let decider = decider.map_or(Decider::Default, Decider::When);
        tell(Ruled { line: None, value, setting: value.name(), code, decider });
    }
    let facts_of_lines: Vec<VatFacts> = order.lines.iter().map(|line| VatFacts::of(order, line)).collect();
    for (number, (line, vat)) in order.lines.iter_mut().zip(&facts_of_lines).enumerate() {
        let keys = vat.table_keys();
        // What holds for other buyers of the country may be a code of 0 %: it is not for who should have paid VAT.
        let strict = Setting { by_country: BTreeMap::new(), default: None, ..settings.vat_code.clone() };
        let is_strict = vat.is_free_by_mistake();
        if is_strict {
            line.codes.remove(Lookup::VatCode.name());
        }
        for (lookup, setting, sources) in [
            (Lookup::VatCode, if is_strict { &strict } else { &settings.vat_code }, &keys),
            (Lookup::RevenueAccount, &settings.revenue_account, &keys),
            (Lookup::CostCenter, &settings.cost_center, &none),
            (Lookup::CostUnit, &settings.cost_unit, &none),
        ] {
            if let Some((code, decider)) = decide_into(&mut line.codes, lookup, setting, sources, &vat.country) {
                tell(Ruled { line: Some(number), value: lookup, setting: lookup.name(), code, decider });
            }
        }
        if facts.lookups.contains(&Lookup::VatCode) && !line.codes.contains_key(Lookup::VatCode.name()) {
            return Err(missing_vat_rule(vat, &line.description));
        }
        if facts.posts_amounts(document) {
            line.codes.remove(Lookup::Item.name());
        } else if let Some((setting, decider)) = decide_item(line, settings)? {
            let code = line.codes.get(Lookup::Item.name()).cloned().unwrap_or_default();
            tell(Ruled { line: Some(number), value: Lookup::Item, setting, code, decider });
        }
    }
    Ok(())
}

pub(crate) fn decide_into(
    codes: &mut BTreeMap<String, String>,
    lookup: Lookup,
    setting: &Setting,
    sources: &[String],
    country: &str,
) -> Option<(String, Decider)> {
    let mapped = codes.get(lookup.name()).cloned();
    let decided = decide(setting, sources, mapped.as_deref(), country);
    match &decided {
        Some((code, _)) => codes.insert(lookup.name().to_owned(), code.clone()),
        None => codes.remove(lookup.name()),
    };
    decided
}

/// The debtor for this order when it does not get one of its own.
fn default_customer(settings: &FlowSettings, customer: &Customer) -> Result<Option<String>, Failure> {
    let missing = koppel_core::keys::normalize_email(&customer.email).is_none();
    let used = match &settings.default_customer {
        None => None,
        Some(default) => {
            let use_it = match default.when {
                DefaultCustomerWhen::Missing => missing,
                DefaultCustomerWhen::Guest => missing || customer.guest,
                DefaultCustomerWhen::Always => true,
            };
            use_it.then(|| default.code.0.clone())
        }
    };
    if used.is_none() && missing {
        return Err(Failure::reject(
            Cause::new("missing_email", "the order has no e-mail address, so its customer cannot be found")
                .advice("set settings.default_customer: { when: missing, code: \"…\" }, or add the address in the shop")
                .in_row("customer.email"),
        ));
    }
    Ok(used)
}

/// The item of a line: its article number, or the item that a setting gives for what has none. Says what decided.
fn decide_item(line: &mut Line, settings: &FlowSettings) -> Result<Option<(&'static str, Decider)>, Failure> {
    let (setting, name, source) = match line.kind {
        LineKind::Product => (&settings.default_item, "default_item", line.tax_class.clone()),
        LineKind::Shipping => (&settings.shipping_item, "shipping_item", line.source_code.clone()),
        LineKind::Fee => (&settings.fee_item, "fee_item", line.description.clone()),
        LineKind::Discount => (&settings.discount_item, "discount_item", line.description.clone()),
        LineKind::Refund => (&settings.refund_item, "refund_item", line.rate_percent().normalize().to_string()),
        LineKind::Rounding => return Ok(None),
    };
    if line.kind == LineKind::Product && !line.sku.trim().is_empty() {
        line.codes.insert(Lookup::Item.name().to_owned(), line.sku.trim().to_owned());
        return Ok(Some((name, Decider::ArticleNumber)));
    }
    let mapped = line.codes.get(Lookup::Item.name()).cloned();
    match decide(setting, &[source], mapped.as_deref(), "") {
        Some((code, decider)) => {
            line.codes.insert(Lookup::Item.name().to_owned(), code);
            Ok(Some((name, decider)))
        }
        None => Err(Failure::settings(
            Cause::new(
                "missing_item",
                format!(
                    "the {} line «{}» has no article number and no item is set for it",
                    line.kind.name(),
                    line.description
                ),
            )
            .advice(format!("set settings.{name}: \"<item code>\""))
            .in_row(format!("settings.{name}")),
        )),
    }
}

fn missing_vat_rule(vat: &VatFacts, line: &str) -> Failure {
    if vat.is_free_by_mistake() {
        return missing_rule_without_number(vat, line);
    }
    let who = if vat.exempt {
        " for an exempt buyer"
    } else if vat.business {
        " for a company"
    } else {
        ""
    };
    let key = vat.table_keys().into_iter().next().unwrap_or_default();
    Failure::settings(
        Cause::new(
            "missing_vat_rule",
            format!("no VAT code for {} % to {}{who} (line «{line}»)", vat.rate_percent, vat.country),
        )
        .advice(format!("add settings.vat_code.table: {{ \"{key}\": \"<VAT code>\" }} or a default"))
        .in_row("settings.vat_code"),
    )
}

/// Nothing was charged, and the number that would make it right does not count.
fn missing_rule_without_number(vat: &VatFacts, line: &str) -> Failure {
    let country = &vat.country;
    let key = vat.table_keys().into_iter().next().unwrap_or_default();
    Failure::settings(
        Cause::new(
            "missing_vat_rule",
            format!("no VAT was charged to {country} on «{line}», and the buyer's VAT number does not count"),
        )
        .advice(format!(
            "say what is owed with settings.vat_number.percent: {{ {country}: \"<rate>\" }}, or give it a code of its own with \
             settings.vat_code.table: {{ \"{key}\": \"<VAT code>\" }}"
        ))
        .in_row("settings.vat_code"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting() -> Setting {
        Setting {
            force: None,
            table: BTreeMap::from([("ideal".to_owned(), Code("00".into()))]),
            by_country: BTreeMap::from([("BE".to_owned(), Code("14".into()))]),
            default: Some(Code("30".into())),
        }
    }

    #[test]
    fn precedence_is_force_table_mapped_country_default() {
        let ideal = ["ideal".to_owned()];
        let code =
            |setting: &Setting, sources: &[String], mapped, country| decide(setting, sources, mapped, country).unwrap();
        assert_eq!(code(&setting(), &ideal, Some("77"), "BE"), ("00".into(), Decider::Table("ideal".into())));
        assert_eq!(code(&setting(), &[], Some("77"), "BE"), ("77".into(), Decider::Mapped));
        assert_eq!(code(&setting(), &[], None, "BE"), ("14".into(), Decider::Country("BE".into())));
        assert_eq!(code(&setting(), &[], Some(" "), "NL"), ("30".into(), Decider::Default));
        let forced = Setting { force: Some(Code("99".into())), ..setting() };
        assert_eq!(code(&forced, &ideal, Some("77"), "BE"), ("99".into(), Decider::Force));
        assert!(decide(&Setting::default(), &[String::new()], None, "NL").is_none());
    }

    #[test]
    fn the_default_debtor_follows_its_setting() {
        let settings = |when| FlowSettings {
            default_customer: Some(crate::config::DefaultCustomer { when, code: Code("10000".into()) }),
            ..FlowSettings::default()
        };
        let guest = Customer { email: "a@example.test".into(), guest: true, ..Customer::default() };
        let known = Customer { guest: false, ..guest.clone() };
        let nobody = Customer::default();
        use DefaultCustomerWhen::{Always, Guest, Missing};
        assert_eq!(default_customer(&settings(Guest), &guest).unwrap().as_deref(), Some("10000"));
        assert_eq!(default_customer(&settings(Guest), &known).unwrap(), None);
        assert_eq!(default_customer(&settings(Missing), &guest).unwrap(), None);
        assert_eq!(default_customer(&settings(Missing), &nobody).unwrap().as_deref(), Some("10000"));
        assert_eq!(default_customer(&settings(Always), &known).unwrap().as_deref(), Some("10000"));
        assert!(default_customer(&FlowSettings::default(), &nobody).is_err());
    }
    fn facts() -> SystemFacts {
        crate::testing::books()
    }

    #[test]
    fn each_code_follows_what_the_order_says() {
        let settings: FlowSettings = serde_saphyr::from_str(
            "{ payment_terms: { table: { ideal: \"30\" }, default: \"00\" }, \
             shipping_method: { table: { flat_rate: \"POST\" } }, cost_center: { default: \"WEB\" }, \
             vat_code: { table: { NL/19: \"4\", DE/19: \"12\" } }, cost_unit: { by_country: { DE: \"001\" } }, \
             revenue_account: { by_country: { DE: \"8030\" }, default: \"8000\" } }",
        )
        .unwrap();
        let mut order =
            crate::testing::order(vec![crate::testing::product_line("10", "1.9", "19", "1")], "11.90", "1.90");
        order.customer.shipping.country = "DE".into();
        order.payment.method = "ideal".into();
        order.shipping.method = "flat_rate".into();
        decide_order_codes(&mut order, &settings, &facts(), None).unwrap();
        assert_eq!((order.codes["payment_terms"].as_str(), order.codes["shipping_method"].as_str()), ("30", "POST"));
        let line = &order.lines[0].codes;
        for (name, code) in
            [("vat_code", "12"), ("revenue_account", "8030"), ("cost_center", "WEB"), ("cost_unit", "001")]
        {
            assert_eq!(line[name], code, "{name}");
        }
    }

    #[test]
    fn a_country_and_rate_without_a_vat_rule_says_which_row_to_add() {
        let mut order =
            crate::testing::order(vec![crate::testing::product_line("10", "1.9", "19", "1")], "11.90", "1.90");
        order.customer.shipping.country = "DE".into();
        let table = BTreeMap::from([("NL/21".to_owned(), Code("4".into()))]);
        let settings = FlowSettings { vat_code: Setting { table, ..Setting::default() }, ..FlowSettings::default() };
        let failure = decide_order_codes(&mut order, &settings, &facts(), None).unwrap_err();
        assert!(matches!(failure, Failure::Settings(_)), "the order waits for the rule, it is not given up");
        let text = failure.to_string();
        assert!(text.contains("no VAT code for 19 % to DE"), "{text}");
        assert!(text.contains("add settings.vat_code.table: { \"DE/19\": \"<VAT code>\" }"), "{text}");
    }

    #[test]
    fn a_line_without_article_number_takes_the_item_of_its_setting() {
        let mut line = crate::testing::product_line("10", "2.1", "21", "1");
        line.sku = " ".into();
        let mut order = crate::testing::order(vec![line], "12.10", "2.10");
        let vat_code = Setting { default: Some(Code("4".into())), ..Setting::default() };
        let settings = FlowSettings { vat_code, ..FlowSettings::default() };
        let failure = decide_order_codes(&mut order.clone(), &settings, &facts(), None).unwrap_err();
        assert_eq!(failure.cause().code, "missing_item");
        let default_item = Setting { default: Some(Code("DIVERS".into())), ..Setting::default() };
        decide_order_codes(&mut order, &FlowSettings { default_item, ..settings }, &facts(), None).unwrap();
        assert_eq!(order.lines[0].codes["item"], "DIVERS");
    }

    #[test]
    fn a_booking_asks_for_no_items() {
        let mut order =
            crate::testing::order(vec![crate::testing::product_line("10", "1.9", "19", "1")], "11.90", "1.90");
        order.lines[0].sku.clear();
        let vat_code = Setting { default: Some(Code("4".into())), ..Setting::default() };
        let settings = FlowSettings { vat_code, ..FlowSettings::default() };
        decide_order_codes(&mut order.clone(), &settings, &facts(), Some(DocumentType::FinancialEntry)).unwrap();
        let without_items = SystemFacts { lookups: &[Lookup::VatCode], ..facts() };
        decide_order_codes(&mut order, &settings, &without_items, Some(DocumentType::SalesInvoice)).unwrap();
        assert_eq!(order.lines[0].codes.get("item"), None);
    }
}
