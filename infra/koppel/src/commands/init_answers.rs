//! What a new configuration joins, as options or answers say it.

use std::collections::BTreeMap;

use koppel_core::document::{DocumentType, Entity};
use koppel_core::error::nearest;
use koppel_core::ports::Systems;
use koppel_core::system::{SystemFacts, SystemKind};
use koppel_core::{Cause, Failure};
use koppel_flows::catalogue::{Kind, SettingFacts, settings};

use super::init::Args;
use super::init_text::options;
use crate::error::CliError;

/// Everything that decides the text.
#[derive(Debug)]
pub struct Answers {
    /// System to read from.
    pub from: &'static SystemFacts,
    /// System to write to.
    pub to: &'static SystemFacts,
    /// The flows.
    pub flows: Vec<Planned>,
    /// Statuses of orders that pass.
    pub statuses: Vec<String>,
    /// Country → VAT code.
    pub vat_codes: BTreeMap<String, String>,
    /// Options of connections: `shop.url` → value.
    pub options: BTreeMap<String, String>,
    /// Settings of flows, as YAML.
    pub settings: BTreeMap<String, String>,
}

/// One flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// What is moved.
    pub entity: Entity,
    /// From the system that is written to, to the one that is read.
    pub backwards: bool,
    /// What an order becomes.
    pub document: Option<DocumentType>,
}

impl Planned {
    /// Name of the flow.
    pub fn name(&self) -> String {
        format!("web-{}", self.entity)
    }
}

impl Answers {
    /// What the options say; what they leave out is a sample to be edited.
    pub fn of(systems: &dyn Systems, args: &Args) -> Result<Self, CliError> {
        let from = known_system(systems, needed(args.from.as_deref(), "--from")?, "--from")?;
        let to = known_system(systems, needed(args.to.as_deref(), "--to")?, "--to")?;
        let mut answers = Self {
            from,
            to,
            flows: Vec::new(),
            statuses: texts(&args.status),
            vat_codes: BTreeMap::new(),
            options: BTreeMap::new(),
            settings: BTreeMap::new(),
        };
        if args.flows.is_empty() {
            let entity = entity(args.entity.as_deref().unwrap_or("orders"), "--entity")?;
            forward_only(from, to, entity)?;
            answers.flows.push(Planned { entity, backwards: false, document: None });
        }
        for name in texts(&args.flows) {
            let entity = entity(&name, "--flows")?;
            let planned = direction(from, to, entity).ok_or_else(|| cannot(from, to, entity))?;
            if !answers.flows.contains(&planned) {
                answers.flows.push(planned);
            }
        }
        answers.choose_document(args.document.as_deref())?;
        for pair in &args.vat_code {
            answers.set_vat_code(pair).map_err(|cause| CliError::settings(cause.in_row("--vat-code")))?;
        }
        for pair in &args.option {
            answers.set_option(pair).map_err(|cause| CliError::settings(cause.in_row("--option")))?;
        }
        for pair in &args.setting {
            let (name, value) = halves(pair).map_err(|cause| CliError::settings(cause.in_row("--setting")))?;
            answers.set(name, value).map_err(|cause| CliError::settings(cause.in_row("--setting")))?;
        }
        Ok(answers)
    }

    /// Names of the connections: of `from` and of `to`.
    pub fn names(&self) -> [&'static str; 2] {
        match (self.from.kind, self.to.kind) {
            (SystemKind::Shop, SystemKind::Erp) => ["shop", "books"],
            (SystemKind::Erp, SystemKind::Shop) => ["books", "shop"],
            (SystemKind::Shop, SystemKind::Shop) => ["shop", "other-shop"],
            (SystemKind::Erp, SystemKind::Erp) => ["books", "other-books"],
        }
    }

    /// The systems of one flow: read from, written to.
    pub fn systems_of(&self, flow: &Planned) -> (&'static SystemFacts, &'static SystemFacts) {
        if flow.backwards { (self.to, self.from) } else { (self.from, self.to) }
    }

    /// `orders from WooCommerce to Exact Online, stock from Exact Online to WooCommerce`.
    pub fn summary(&self) -> String {
        let one = |flow: &Planned| {
            let (from, to) = self.systems_of(flow);
            format!("{} from {} to {}", flow.entity, from.name, to.name)
        };
        self.flows.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    /// The document types that an order may become here; empty without a flow of orders.
    pub fn documents(&self) -> &'static [DocumentType] {
        let orders = self.flows.iter().find(|flow| flow.entity.is_order());
        orders.map_or(&[], |flow| self.systems_of(flow).1.documents)
    }

    /// Sets the document of the flow of orders.
    pub fn choose_document(&mut self, asked: Option<&str>) -> Result<(), CliError> {
        let documents = self.documents();
        let names = || documents.iter().map(|document| document.name());
        let chosen = match asked {
            None => documents.first().copied(),
            Some(asked) => Some(documents.iter().copied().find(|d| d.name() == asked).ok_or_else(|| {
                let message = match documents {
                    [] => format!("a «{asked}» has no meaning without a flow of orders into a system with documents"),
                    _ => format!("{} does not take a «{asked}»", self.to.name),
                };
                let cause = Cause::new("not_supported", message).in_row("--document");
                CliError::settings(match nearest(asked, names()) {
                    Some(near) => cause.advice(format!("did you mean «{near}»?")),
                    None if documents.is_empty() => cause.advice("leave --document out"),
                    None => cause.advice(format!("use one of {}", names().collect::<Vec<_>>().join(", "))),
                })
            })?),
        };
        for flow in self.flows.iter_mut().filter(|flow| flow.entity.is_order()) {
            flow.document = chosen;
        }
        Ok(())
    }

    /// `NL=4`.
    pub fn set_vat_code(&mut self, pair: &str) -> Result<(), Cause> {
        let (country, code) = halves(pair)?;
        let country = country.to_uppercase();
        if country.len() != 2 || !country.chars().all(|c| c.is_ascii_uppercase()) || code.is_empty() {
            return Err(Cause::new("bad_value", format!("«{pair}» is not a country and a code"))
                .advice("write the two letters of the country, such as NL=4"));
        }
        self.vat_codes.insert(country, code.to_owned());
        Ok(())
    }

    /// `shop.url=https://shop.example`.
    pub fn set_option(&mut self, pair: &str) -> Result<(), Cause> {
        let (key, value) = halves(pair)?;
        let names = self.names();
        let mut known = Vec::new();
        for (name, facts) in names.iter().zip([self.from, self.to]) {
            let declared = options(facts).map_err(|failure| failure.cause().clone())?;
            known.extend(
                declared.into_iter().filter(|o| !o.secret).map(|option| (format!("{name}.{}", option.name), option)),
            );
        }
        if let Some((_, option)) = known.iter().find(|(name, _)| name == key) {
            option.check(value)?;
            self.options.insert(key.to_owned(), value.to_owned());
            return Ok(());
        }
        let known: Vec<String> = known.into_iter().map(|(name, _)| name).collect();
        let cause = Cause::new("unknown_option", format!("«{key}» is not an option of these connections"));
        Err(match nearest(key, known.iter().map(String::as_str)) {
            Some(near) => cause.advice(format!("did you mean «{near}»?")),
            None => cause.advice(format!("known: {}", known.join(", "))),
        })
    }

    /// The settings that decide something in one of the flows.
    pub fn applying(&self, flow: &Planned) -> Result<Vec<SettingFacts>, Failure> {
        let (source, target) = self.systems_of(flow);
        Ok(settings()?.into_iter().filter(|s| s.applies(flow.entity, flow.document, source, target)).collect())
    }

    /// Sets a setting of every flow that has it.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Cause> {
        let mut known = Vec::new();
        for flow in &self.flows {
            known.extend(self.applying(flow).map_err(|failure| failure.cause().clone())?);
        }
        let Some(facts) = known.iter().find(|facts| facts.name == name) else {
            let cause = Cause::new("unknown_setting", format!("«{name}» decides nothing in these flows"));
            return Err(match nearest(name, known.iter().map(|facts| facts.name.as_str())) {
                Some(near) => cause.advice(format!("did you mean «{near}»?")),
                None => cause.advice("koppel settings <flow> lists those that do, once there is a koppel.yaml"),
            });
        };
        let allowed: Vec<&str> = match facts.kind {
            Kind::Choice => facts.choices.iter().map(String::as_str).collect(),
            Kind::YesNo => vec!["true", "false"],
            _ => Vec::new(),
        };
        if !allowed.is_empty() && !allowed.contains(&value) {
            return Err(Cause::new("unknown_value", format!("«{value}» is not a value of {name}"))
                .advice(format!("use one of {}", allowed.join(", "))));
        }
        let is_text = matches!(facts.kind, Kind::Coded | Kind::Code | Kind::Decimal | Kind::Text);
        let yaml = if is_text && !value.starts_with(['{', '"', '\'']) { quoted(value) } else { value.to_owned() };
        self.settings.insert(name.to_owned(), yaml);
        Ok(())
    }
}

/// A text in the double quotes of JSON, which are those of YAML too.
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The direction in which an entity can go between two systems; where both are possible the usual one: articles and
/// stock come from the books, everything else from the shop.
pub fn direction(from: &SystemFacts, to: &SystemFacts, entity: Entity) -> Option<Planned> {
    let possible =
        |source: &SystemFacts, target: &SystemFacts| source.gets.contains(&entity) && target.sends.contains(&entity);
    let usual = match entity {
        Entity::Products | Entity::Stock | Entity::Prices => SystemKind::Shop,
        Entity::Orders | Entity::Refunds | Entity::Customers => SystemKind::Erp,
    };
    let backwards = match (possible(from, to), possible(to, from)) {
        (false, false) => return None,
        (forward, false) => !forward,
        (false, true) => true,
        (true, true) => to.kind != usual && from.kind == usual,
    };
    Some(Planned { entity, backwards, document: None })
}

fn forward_only(from: &SystemFacts, to: &SystemFacts, entity: Entity) -> Result<(), CliError> {
    for (facts, can, verb, row) in [(from, from.gets, "read from", "--from"), (to, to.sends, "written to", "--to")] {
        if !can.contains(&entity) {
            let cause = Cause::new("not_supported", format!("{entity} cannot be {verb} {}", facts.name));
            return Err(CliError::settings(cause.advice("koppel systems shows what each system can do").in_row(row)));
        }
    }
    Ok(())
}

fn cannot(from: &SystemFacts, to: &SystemFacts, entity: Entity) -> CliError {
    let message = format!("{entity} can go neither from {} to {} nor back", from.name, to.name);
    let cause = Cause::new("not_supported", message).advice("koppel systems shows what each system can do");
    CliError::settings(cause.in_row("--flows"))
}

fn needed<'a>(given: Option<&'a str>, flag: &str) -> Result<&'a str, CliError> {
    given.ok_or_else(|| {
        let cause = Cause::new("missing_flag", format!("{flag} is needed where nobody can be asked"));
        CliError::settings(cause.advice(format!("add {flag} <system>; koppel systems lists them")).in_row(flag))
    })
}

/// The system of this id.
pub fn known_system(systems: &dyn Systems, id: &str, row: &str) -> Result<&'static SystemFacts, Failure> {
    systems.facts(id).ok_or_else(|| {
        let ids = systems.ids();
        let cause = Cause::new("unknown_system", format!("«{id}» is not a system")).in_row(row);
        Failure::settings(match nearest(id, ids.iter().copied()) {
            Some(near) => cause.advice(format!("did you mean «{near}»?")),
            None => cause.advice(format!("known: {}", ids.join(", "))),
        })
    })
}

fn entity(name: &str, row: &str) -> Result<Entity, CliError> {
    name.trim().parse().map_err(|cause: Cause| CliError::settings(cause.in_row(row)))
}

/// `name=value`.
fn halves(pair: &str) -> Result<(&str, &str), Cause> {
    let halves = pair.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
    halves.filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
        Cause::new("bad_value", format!("«{pair}» is not a name and a value")).advice("write name=value")
    })
}

fn texts(list: &[String]) -> Vec<String> {
    list.iter().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect()
}
