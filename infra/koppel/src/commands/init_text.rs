//! The text of a new koppel.yaml: what is needed is filled in, what can be chosen stands beside it as a comment.
//!
//! Options come from the connectors' `settings.yaml`, settings from the catalogue, so a new one of either is here at once.

use std::fmt::Write as _;

use koppel_core::document::Entity;
use koppel_core::system::SystemFacts;
use koppel_core::{Cause, Failure};
use koppel_flows::catalogue::{Language, SettingFacts};
use serde_json::Value;

use super::init_answers::{Answers, Planned, quoted};

/// The whole file.
pub fn write(answers: &Answers) -> Result<String, Failure> {
    let mut text = format!(
        "# Koppel: {}. Check it with `koppel apply --dry-run`.\n\
         # Every key is explained by the schema: `koppel schema`; settings by `koppel settings <flow>`.\nconnections:\n",
        answers.summary()
    );
    for (name, facts) in answers.names().iter().zip([answers.from, answers.to]) {
        connection(&mut text, name, facts, answers)?;
    }
    text.push_str("\nflows:\n");
    for planned in &answers.flows {
        flow(&mut text, planned, answers)?;
    }
    Ok(text)
}

/// The environment variables that the file reads.
pub fn variables(answers: &Answers) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for (name, facts) in answers.names().iter().zip([answers.from, answers.to]) {
        let secrets = options(facts)?.into_iter().filter(|option| option.secret && option.required);
        names.extend(secrets.map(|option| variable(name, &option.name)));
    }
    Ok(names)
}

fn variable(connection: &str, credential: &str) -> String {
    format!("{connection}_{credential}").to_uppercase().replace('-', "_")
}

/// An option of a connection, as its connector describes it.
pub struct Described {
    /// Key.
    pub name: String,
    /// It stands under `credentials`.
    pub secret: bool,
    /// The connection does not work without it.
    pub required: bool,
    /// What a person calls it, in English.
    pub label: String,
    /// A value to begin with.
    pub sample: String,
    /// The only values that are allowed.
    pub choices: Vec<String>,
    /// Type, as the connector names it.
    kind: String,
}

impl Described {
    /// Whether a value fits the type.
    pub fn check(&self, value: &str) -> Result<(), Cause> {
        let (fits, wanted) = match self.kind.as_str() {
            "integer" => (value.parse::<i64>().is_ok(), "a whole number".to_owned()),
            "yes_no" => (matches!(value, "true" | "false"), "true or false".to_owned()),
            "choice" => (self.choices.iter().any(|c| c == value), format!("one of {}", self.choices.join(", "))),
            "list" => (value.starts_with('[') && value.ends_with(']'), "a list such as [one, two]".to_owned()),
            _ => (!value.is_empty(), "a text".to_owned()),
        };
        if fits {
            return Ok(());
        }
        let message = format!("«{value}» does not fit {}", self.name);
        Err(Cause::new("bad_value", message).advice(format!("give {wanted}")))
    }

    /// The value as YAML.
    fn yaml(&self, value: &str) -> String {
        if matches!(self.kind.as_str(), "integer" | "yes_no" | "list") { value.to_owned() } else { quoted(value) }
    }
}

/// The options of a system.
pub fn options(facts: &SystemFacts) -> Result<Vec<Described>, Failure> {
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
            let choices = option["choices"].as_array().into_iter().flatten();
            Described {
                secret: option["secret"].as_bool().unwrap_or(false),
                required: option["required"].as_bool().unwrap_or(false) && option["default"].is_null(),
                label: option["label"]["en"].as_str().unwrap_or_default().to_owned(),
                sample: sample(&name, option),
                choices: choices.filter_map(Value::as_str).map(str::to_owned).collect(),
                kind: text("type"),
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
fn connection(text: &mut String, name: &str, facts: &SystemFacts, answers: &Answers) -> Result<(), Failure> {
    let _ = writeln!(text, "  {name}:\n    system: {}", facts.id);
    let all = options(facts)?;
    for option in all.iter().filter(|option| !option.secret) {
        let given = answers.options.get(&format!("{name}.{}", option.name));
        let mark = if option.required || given.is_some() { "" } else { "# " };
        let value = given.map_or_else(|| option.sample.clone(), |given| option.yaml(given));
        let _ = writeln!(text, "    {:<44} # {}", format!("{mark}{}: {value}", option.name), option.label);
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

fn flow(text: &mut String, planned: &Planned, answers: &Answers) -> Result<(), Failure> {
    let names = answers.names();
    let (from, to) = if planned.backwards { (names[1], names[0]) } else { (names[0], names[1]) };
    let _ = writeln!(text, "  {}:\n    from: {from}\n    to: {to}\n    entity: {}", planned.name(), planned.entity);
    if let Some(document) = planned.document {
        let names: Vec<&str> = answers.documents().iter().map(|document| document.name()).collect();
        let _ = writeln!(text, "    {:<44} # {}", format!("document: {}", document.name()), names.join(" | "));
    }
    text.push_str(
        "    schedule: { every: 5m }                      # or { cron: \"*/10 7-19 * * 1-5\", timezone: Europe/Amsterdam }\n    \
         # since: 2026-01-01                          # nothing older is read\n",
    );
    if planned.entity == Entity::Orders {
        let given: Vec<String> = answers.statuses.iter().map(|status| quoted(status)).collect();
        let statuses = if given.is_empty() { "processing, completed".to_owned() } else { given.join(", ") };
        let line = format!("status: [{statuses}]");
        let _ = writeln!(text, "    filter:\n      {line:<42} # in the shop's own words; leave out to let all pass");
        text.push_str("      # where: 'source.total | number > 0'       # a condition over the record of the shop\n");
    }
    if planned.entity == Entity::Refunds {
        text.push_str(REFUND_FILTER);
    }
    settings(text, planned, answers)?;
    if planned.entity.is_order() {
        text.push_str(OWN_ROWS);
    }
    Ok(())
}

const REFUND_FILTER: &str = "    # filter:
    #   where: 'source.refund.amount | number > 0'  # a condition over the refund and its order (source.order)
";

/// Every setting that decides something here: those that were given as they are, all others as comments.
fn settings(text: &mut String, planned: &Planned, answers: &Answers) -> Result<(), Failure> {
    let all = answers.applying(planned)?;
    if all.is_empty() {
        return Ok(());
    }
    let mut lines = String::new();
    let mut open_group = None;
    let mut something = false;
    for facts in &all {
        let given = answers.settings.get(&facts.name);
        if facts.name == "vat_code" && planned.entity.is_order() && given.is_none() {
            vat_code(&mut lines, facts, answers);
            something = true;
            continue;
        }
        something |= given.is_some();
        let (indent, name) = match facts.group() {
            None => ("      ", facts.name.as_str()),
            Some((group, name)) => {
                if open_group != Some(group) {
                    let in_use = answers.settings.keys().any(|set| {
                        set.split_once('.').is_some_and(|(of, _)| of == group) && all.iter().any(|s| s.name == *set)
                    });
                    let _ = writeln!(lines, "      {}{group}:", if in_use { "" } else { "# " });
                    open_group = Some(group);
                }
                ("        ", name)
            }
        };
        let (mark, value) = given.map_or(("# ", &facts.example), |given| ("", given));
        let width = 48 - indent.len();
        let _ =
            writeln!(lines, "{indent}{:<width$} # {}", format!("{mark}{name}: {value}"), facts.label.of(Language::En));
    }
    let _ = write!(text, "    {}settings:\n{lines}", if something { "" } else { "# " });
    Ok(())
}

/// No order can be posted without a VAT code, so this one is never a comment.
fn vat_code(text: &mut String, facts: &SettingFacts, answers: &Answers) {
    let _ = writeln!(text, "      # {}", facts.help.of(Language::En));
    if answers.vat_codes.is_empty() {
        text.push_str("      vat_code:\n        table:\n          NL/21: \"4\"\n          NL/9: \"2\"\n");
        text.push_str("          # BE/0/exempt: \"7\"\n          # DE/19: \"12\"\n");
        return;
    }
    let codes: Vec<String> =
        answers.vat_codes.iter().map(|(country, code)| format!("{country}: {}", quoted(code))).collect();
    let _ = writeln!(text, "      vat_code: {{ by_country: {{ {} }} }}", codes.join(", "));
}

const OWN_ROWS: &str =
    "    # Rows of your own take the place of the built-in ones: `koppel map functions` lists what a cell can do,
    # `koppel map test` tries them on a record.
    # map:
    #   reference: '\"WEB-\" ~ source.number'
";
