//! The text of a new koppel.yaml: what is needed is filled in, what can be chosen stands beside it as a comment.

use std::fmt::Write as _;

use koppel_core::document::{DocumentType, Entity};
use koppel_core::system::{Lookup, SystemFacts};
use koppel_core::{Cause, Failure};
use serde_json::Value;

/// What a new configuration joins.
pub struct Pair {
    /// System to read from.
    pub from: &'static SystemFacts,
    /// System to write to.
    pub to: &'static SystemFacts,
    /// What is moved.
    pub entity: Entity,
    /// What an order becomes.
    pub document: Option<DocumentType>,
}

impl Pair {
    /// Name of the flow.
    pub fn flow(&self) -> String {
        format!("web-{}", self.entity)
    }
}

/// Names of the two connections.
const SIDES: [&str; 2] = ["shop", "books"];

/// The whole file.
pub fn write(pair: &Pair) -> Result<String, Failure> {
    let mut text = format!(
        "# Koppel: {} from {} to {}. Check it with `koppel apply --dry-run`.\n\
         # Every key is explained by the schema: `koppel schema`.\nconnections:\n",
        pair.entity, pair.from.name, pair.to.name
    );
    for (name, facts) in SIDES.iter().zip([pair.from, pair.to]) {
        connection(&mut text, name, facts)?;
    }
    flow(&mut text, pair);
    Ok(text)
}

/// The environment variables that the file reads.
pub fn variables(pair: &Pair) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for (side, facts) in SIDES.iter().zip([pair.from, pair.to]) {
        let secrets = options(facts)?.into_iter().filter(|option| option.secret && option.required);
        names.extend(secrets.map(|option| variable(side, &option.name)));
    }
    Ok(names)
}

fn variable(connection: &str, credential: &str) -> String {
    format!("{connection}_{credential}").to_uppercase().replace('-', "_")
}

/// An option of a connection, as its connector describes it.
struct Described {
    name: String,
    secret: bool,
    required: bool,
    label: String,
    sample: String,
}

fn options(facts: &SystemFacts) -> Result<Vec<Described>, Failure> {
    let broken = |what: &str| {
        Failure::settings(Cause::new("broken_connector", format!("settings.yaml of {}: {what}", facts.id)))
    };
    let value: Value = serde_saphyr::from_str(facts.settings).map_err(|error| broken(&error.to_string()))?;
    let list = value["connection"].as_array().ok_or_else(|| broken("it declares no options"))?;
    Ok(list
        .iter()
        .map(|option| {
            let text = |name: &str| option[name].as_str().unwrap_or_default().to_owned();
            let name = text("name");
            Described {
                secret: option["secret"].as_bool().unwrap_or(false),
                required: option["required"].as_bool().unwrap_or(false) && option["default"].is_null(),
                label: option["label"]["en"].as_str().unwrap_or_default().to_owned(),
                sample: sample(&name, option),
                name,
            }
        })
        .collect())
}

/// A value to begin with: the default, the first choice, or one that shows what is meant.
fn sample(name: &str, option: &Value) -> String {
    if !option["default"].is_null() {
        return option["default"].to_string().trim_matches('"').to_owned();
    }
    match (option["type"].as_str().unwrap_or_default(), name) {
        ("choice", _) => option["choices"][0].as_str().unwrap_or_default().to_owned(),
        ("url", "redirect_uri") => "https://koppel.example/callback".to_owned(),
        ("url", _) => "https://shop.example".to_owned(),
        ("integer", "division") => "123456".to_owned(),
        ("integer", _) => "60".to_owned(),
        ("yes_no", _) => "false".to_owned(),
        ("list", _) => "[]".to_owned(),
        ("file", _) => "authority.pem".to_owned(),
        (_, "timezone") => "Europe/Amsterdam".to_owned(),
        _ => "\"…\"".to_owned(),
    }
}

// Writing to a String cannot fail, so its results are dropped here and below.
fn connection(text: &mut String, name: &str, facts: &SystemFacts) -> Result<(), Failure> {
    let _ = writeln!(text, "  {name}:\n    system: {}", facts.id);
    let all = options(facts)?;
    for option in all.iter().filter(|option| !option.secret) {
        let mark = if option.required { "" } else { "# " };
        let _ = writeln!(text, "    {:<44} # {}", format!("{mark}{}: {}", option.name, option.sample), option.label);
    }
    if all.iter().any(|option| option.secret) {
        text.push_str("    # Read from the environment by `koppel apply`, and sealed.\n    credentials:\n");
    }
    for option in all.iter().filter(|option| option.secret) {
        let mark = if option.required { "" } else { "# " };
        let value = format!("{mark}{}: ${{env:{}}}", option.name, variable(name, &option.name));
        let _ = writeln!(text, "      {value:<42} # {}", option.label);
    }
    Ok(())
}

fn flow(text: &mut String, pair: &Pair) {
    let _ = writeln!(text, "\nflows:\n  {}:\n    from: {}\n    to: {}", pair.flow(), SIDES[0], SIDES[1]);
    let _ = writeln!(text, "    entity: {}", pair.entity);
    if let Some(document) = pair.document {
        let names: Vec<&str> = pair.to.documents.iter().map(|document| document.name()).collect();
        let _ = writeln!(text, "    {:<44} # {}", format!("document: {}", document.name()), names.join(" | "));
    }
    text.push_str(
        "    schedule: { every: 5m }                      # or { cron: \"*/10 7-19 * * 1-5\", timezone: Europe/Amsterdam }\n    \
         # since: 2026-01-01                          # nothing older is read\n",
    );
    if pair.entity.is_order() {
        text.push_str(if pair.entity == Entity::Refunds { REFUND_FILTER } else { ORDER_FILTER });
        text.push_str("    settings:\n");
        for (lookup, lines) in ORDER_SETTINGS {
            if lookup.is_none_or(|lookup| pair.to.lookups.contains(&lookup)) {
                text.push_str(lines);
            }
        }
    }
    text.push_str(OWN_ROWS);
}

const ORDER_FILTER: &str = "    filter:
      status: [processing, completed]            # statuses in the shop's own words; leave out to let all pass
      # where: 'source.total | number > 0'       # a condition over the record of the shop
";

const REFUND_FILTER: &str = "    filter: {}
      # where: 'source.refund.amount | number > 0'  # a condition over the refund and its order (source.order)
";

/// Settings of flows of orders and refunds, with the list of the target that each needs.
const ORDER_SETTINGS: [(Option<Lookup>, &str); 10] = [
    (
        Some(Lookup::VatCode),
        "      # VAT code of each line: the first that fits of table, by_country, default. Keys of the table are
      # country/rate, country/0/exempt, country/0/business, exempt, or a rate alone. Codes are text, so in quotes.
      vat_code:
        table:
          NL/21: \"4\"
          NL/9: \"2\"
          # BE/0/exempt: \"7\"
          # DE/19: \"12\"
",
    ),
    (
        Some(Lookup::PaymentTerms),
        "      # Payment condition by payment method of the shop.
      # payment_terms: { table: { bacs: \"30\", ideal: \"00\" }, default: \"00\" }
",
    ),
    (
        Some(Lookup::ShippingMethod),
        "      # Shipping method by shipping method of the shop.
      # shipping_method: { table: { flat_rate: \"POSTNL\", local_pickup: \"AFHALEN\" } }
",
    ),
    (
        Some(Lookup::DefaultCustomer),
        "      # One debtor for buyers without an account (guest), without an e-mail address (missing), or for all (always).
      # default_customer: { when: guest, code: \"10000\" }
",
    ),
    (
        Some(Lookup::Item),
        "      # Items for lines that have no article number.
      # default_item: \"DIVERS\"
      # shipping_item: \"VERZENDKOSTEN\"
      # fee_item: \"TOESLAG\"
      # discount_item: \"KORTING\"
      # refund_item: \"TERUGBETALING\"            # amounts given back without lines
",
    ),
    (
        Some(Lookup::RevenueAccount),
        "      # Revenue account of each line; keys as for vat_code.
      # revenue_account: { default: \"8000\" }
",
    ),
    (
        Some(Lookup::Journal),
        "      # journal: \"70\"                             # for invoices and financial entries
",
    ),
    (
        Some(Lookup::CostCenter),
        "      # cost_center: \"WEB\"
",
    ),
    (
        Some(Lookup::Warehouse),
        "      # warehouse: \"1\"
",
    ),
    (
        None,
        "      # A difference of cents between what was paid and what the target computes: on a line of its own, up to max.
      # Without this such an order is rejected with the sums shown.
      # rounding: { line: true, item: \"AFRONDING\", vat_code: \"0\", max: \"0.05\" }
      # customer: { update: true }               # update customers whose data changed in the shop
      # time_zone: Europe/Amsterdam              # of document dates
",
    ),
];

const OWN_ROWS: &str =
    "    # Rows of your own take the place of the built-in ones: `koppel map functions` lists what a cell can do,
    # `koppel map test` tries them on a record.
    # map:
    #   reference: '\"WEB-\" ~ source.number'
";
