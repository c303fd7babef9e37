//! The questions of `koppel init` on a terminal: what no option has said already.

use dialoguer::theme::ColorfulTheme;
use dialoguer::{Input, MultiSelect, Select};
use koppel_core::Cause;
use koppel_core::document::Entity;
use koppel_core::ports::Systems;
use koppel_core::system::{Lookup, SystemFacts};
use koppel_flows::catalogue::{Kind, Language, SettingFacts};

use super::init::Args;
use super::init_answers::{Answers, direction, known_system};
use super::init_text::options;
use crate::error::{CliError, Exit};

/// Settings that are asked for; all others stand in the file as comments.
const ASKED: [&str; 6] = [
    "customer.update",
    "stock.calculation",
    "stock.below_zero",
    "product.prices_include_tax",
    "product.unpublished",
    "never_create",
];
/// What is chosen to leave a setting to the source.
const LEFT_OUT: &str = "leave it out";

/// Whoever answers.
pub trait Ask {
    /// One of several.
    fn choose(&mut self, question: &str, items: &[String], default: usize) -> Result<usize, CliError>;
    /// Any number of several.
    fn choose_many(&mut self, question: &str, items: &[String]) -> Result<Vec<usize>, CliError>;
    /// A text, with one that is taken when nothing is typed.
    fn text(&mut self, question: &str, default: &str) -> Result<String, CliError>;
}

/// A person at the terminal.
pub struct Terminal;

impl Ask for Terminal {
    fn choose(&mut self, question: &str, items: &[String], default: usize) -> Result<usize, CliError> {
        let theme = ColorfulTheme::default();
        Select::with_theme(&theme).with_prompt(question).items(items).default(default).interact().map_err(broken_off)
    }

    fn choose_many(&mut self, question: &str, items: &[String]) -> Result<Vec<usize>, CliError> {
        let theme = ColorfulTheme::default();
        let first: Vec<bool> = (0..items.len()).map(|number| number == 0).collect();
        let prompt = format!("{question} (space chooses, enter ends)");
        MultiSelect::with_theme(&theme).with_prompt(prompt).items(items).defaults(&first).interact().map_err(broken_off)
    }

    fn text(&mut self, question: &str, default: &str) -> Result<String, CliError> {
        let theme = ColorfulTheme::default();
        let mut input = Input::<String>::with_theme(&theme).with_prompt(question).allow_empty(default.is_empty());
        if !default.is_empty() {
            input = input.default(default.to_owned());
        }
        input.interact_text().map(|text| text.trim().to_owned()).map_err(broken_off)
    }
}

fn broken_off(error: dialoguer::Error) -> CliError {
    let cause = Cause::new("broken_off", format!("the questions were broken off ({error}); nothing was written"));
    CliError::new(Exit::Failed, cause.advice("give the answers as options: koppel init --help"))
}

/// Asks what the options leave open.
pub fn ask(systems: &dyn Systems, args: &Args, person: &mut dyn Ask) -> Result<Answers, CliError> {
    let mut args = args.clone();
    let all: Vec<&'static SystemFacts> = systems.ids().into_iter().filter_map(|id| systems.facts(id)).collect();
    if args.from.is_none() {
        args.from = Some(system(person, "Which system do you sell in?", &all)?);
    }
    if args.to.is_none() {
        let from = known_system(systems, args.from.as_deref().unwrap_or_default(), "--from")?;
        let joins = |to: &SystemFacts| Entity::ALL.into_iter().any(|entity| direction(from, to, entity).is_some());
        let others: Vec<_> = all.iter().copied().filter(|facts| facts.id != from.id && joins(facts)).collect();
        if others.is_empty() {
            return Err(nothing(&format!("with {}", from.name)));
        }
        args.to = Some(system(person, "Which system keeps your books?", &others)?);
    }
    if args.flows.is_empty() && args.entity.is_none() {
        args.flows = flows(systems, &args, person)?;
    }
    let mut answers = Answers::of(systems, &args)?;
    connections(&mut answers, person)?;
    if args.document.is_none() && answers.documents().len() > 1 {
        let names: Vec<String> = answers.documents().iter().map(|document| document.name().to_owned()).collect();
        let chosen = person.choose("What does an order become?", &names, 0)?;
        answers.choose_document(Some(&names[chosen]))?;
    }
    let orders = answers.flows.iter().find(|flow| flow.entity == Entity::Orders).cloned();
    if orders.is_some() && answers.statuses.is_empty() {
        let typed = person.text("Statuses of orders that pass, in the shop's own words", "processing, completed")?;
        answers.statuses = list(&typed);
    }
    let takes_vat = orders.is_some_and(|flow| answers.systems_of(&flow).1.lookups.contains(&Lookup::VatCode));
    if takes_vat && answers.vat_codes.is_empty() {
        // A code stands in for those that are asked next, so that a wrong country is told at once.
        until_right(person, "Countries you sell to (two letters each)", "NL", |typed| {
            answers.vat_codes.clear();
            list(typed).iter().try_for_each(|country| answers.set_vat_code(&format!("{country}=4")))
        })?;
        for (country, offered) in answers.vat_codes.clone() {
            let question = format!("VAT code for {country}, when no rate asks for another");
            until_right(person, &question, &offered, |typed| answers.set_vat_code(&format!("{country}={typed}")))?;
        }
    }
    ask_settings(&mut answers, person)?;
    Ok(answers)
}

/// Asks until the answer is taken; what was wrong with the last one stands in the question.
fn until_right(
    person: &mut dyn Ask,
    question: &str,
    default: &str,
    mut take: impl FnMut(&str) -> Result<(), Cause>,
) -> Result<(), CliError> {
    let mut asked = question.to_owned();
    loop {
        let typed = person.text(&asked, default)?;
        match take(&typed) {
            Ok(()) => return Ok(()),
            Err(cause) => {
                let advice = cause.advice.map(|advice| format!("; {advice}")).unwrap_or_default();
                asked = format!("{question} ({}{advice})", cause.message);
            }
        }
    }
}

fn system(person: &mut dyn Ask, question: &str, systems: &[&'static SystemFacts]) -> Result<String, CliError> {
    let names: Vec<String> = systems.iter().map(|facts| facts.name.to_owned()).collect();
    Ok(systems[person.choose(question, &names, 0)?].id.to_owned())
}

/// The flows that the two systems allow.
fn flows(systems: &dyn Systems, args: &Args, person: &mut dyn Ask) -> Result<Vec<String>, CliError> {
    let facts = |id: &Option<String>| id.as_deref().and_then(|id| systems.facts(id));
    // A system that is not known is told with its nearest name, by the reading of the options.
    let (Some(from), Some(to)) = (facts(&args.from), facts(&args.to)) else { return Ok(Vec::new()) };
    let possible: Vec<_> = Entity::ALL.into_iter().filter_map(|entity| direction(from, to, entity)).collect();
    if possible.is_empty() {
        return Err(nothing(&format!("between {} and {}", from.name, to.name)));
    }
    let names = possible.iter().map(|flow| {
        let (source, target) = if flow.backwards { (to, from) } else { (from, to) };
        format!("{}: {} → {}", flow.entity, source.name, target.name)
    });
    let names: Vec<String> = names.collect();
    loop {
        let chosen = person.choose_many("What is to be kept in step?", &names)?;
        if !chosen.is_empty() {
            return Ok(chosen.into_iter().map(|number| possible[number].entity.name().to_owned()).collect());
        }
    }
}

fn nothing(between: &str) -> CliError {
    let cause = Cause::new("not_supported", format!("nothing can be kept in step {between}"));
    CliError::settings(cause.advice("koppel systems shows what each system can do"))
}

/// The options that a connection does not work without.
fn connections(answers: &mut Answers, person: &mut dyn Ask) -> Result<(), CliError> {
    for (name, facts) in answers.names().into_iter().zip([answers.from, answers.to]) {
        for option in options(facts)?.into_iter().filter(|option| option.required && !option.secret) {
            let key = format!("{name}.{}", option.name);
            if answers.options.contains_key(&key) {
                continue;
            }
            let question = format!("{}: {}", facts.name, option.label);
            if let [_, ..] = option.choices.as_slice() {
                let value = &option.choices[person.choose(&question, &option.choices, 0)?];
                answers.set_option(&format!("{key}={value}")).map_err(CliError::settings)?;
                continue;
            }
            until_right(person, &question, &option.sample, |typed| answers.set_option(&format!("{key}={typed}")))?;
        }
    }
    Ok(())
}

fn ask_settings(answers: &mut Answers, person: &mut dyn Ask) -> Result<(), CliError> {
    let mut known: Vec<SettingFacts> = Vec::new();
    for flow in &answers.flows {
        known.extend(answers.applying(flow)?);
    }
    for name in ASKED.iter().filter(|name| !answers.settings.contains_key(**name)).collect::<Vec<_>>() {
        let Some(facts) = known.iter().find(|facts| facts.name == *name) else { continue };
        let mut items = match facts.kind {
            Kind::YesNo => vec!["false".to_owned(), "true".to_owned()],
            _ => facts.choices.clone(),
        };
        let default = facts.default.as_ref().map(|default| default.to_string().trim_matches('"').to_owned());
        if default.is_none() {
            items.insert(0, LEFT_OUT.to_owned());
        }
        let question = format!("{} ({})", facts.label.of(Language::En), facts.help.of(Language::En));
        let first = default.as_ref().and_then(|default| items.iter().position(|item| item == default)).unwrap_or(0);
        let chosen = &items[person.choose(&question, &items, first)?];
        if chosen != LEFT_OUT && Some(chosen) != default.as_ref() {
            answers.set(name, chosen).map_err(CliError::settings)?;
        }
    }
    Ok(())
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::facts_only;
    use koppel_flows::config::{parse, validate};

    /// Answers by a part of the question, the first that fits; what is not named gets what is offered first.
    struct Script(Vec<(&'static str, &'static str)>, Vec<String>);

    impl Script {
        fn answer(&mut self, question: &str) -> Option<&'static str> {
            self.1.push(question.to_owned());
            self.0.iter().find(|(part, _)| question.contains(part)).map(|(_, answer)| *answer)
        }
    }

    impl Ask for Script {
        fn choose(&mut self, question: &str, items: &[String], default: usize) -> Result<usize, CliError> {
            let answer = self.answer(question);
            Ok(answer.map_or(default, |answer| items.iter().position(|item| item == answer).expect(answer)))
        }

        fn choose_many(&mut self, question: &str, items: &[String]) -> Result<Vec<usize>, CliError> {
            self.answer(question);
            Ok((0..items.len()).collect())
        }

        fn text(&mut self, question: &str, default: &str) -> Result<String, CliError> {
            Ok(self.answer(question).unwrap_or(default).to_owned())
        }
    }

    fn asked(args: &Args, script: &mut Script) -> (Answers, String) {
        let systems = koppel_hosting::connectors(&facts_only().unwrap());
        let answers = ask(&*systems, args, script).unwrap();
        let text = super::super::init_text::write(&answers).unwrap();
        let config = parse("koppel.yaml", &text).unwrap_or_else(|cause| panic!("{cause}\n{text}"));
        let causes = validate(&*systems, &config, "koppel.yaml");
        assert!(causes.is_empty(), "{causes:?}\n{text}");
        (answers, text)
    }

    #[test]
    fn the_answers_stand_in_the_file() {
        let mut script = Script(
            vec![
                ("sell in", "WooCommerce"),
                ("your books", "Exact Online"),
                ("Address of the shop", "https://winkel.test"),
                ("Country site", "be"),
                ("«seven» does not fit", "77"),
                ("Division", "seven"),
                ("order become", "sales-invoice"),
                ("Statuses", "betaald, Klaar om te gaan"),
                ("Countries", "NL, be"),
                ("VAT code for BE", "13"),
                ("Update customers", "true"),
            ],
            Vec::new(),
        );
        let (answers, text) = asked(&Args::default(), &mut script);
        assert!(answers.flows.iter().any(|flow| flow.entity == Entity::Orders), "{:?}", answers.flows);
        for part in [
            "url: \"https://winkel.test\"",
            "country: \"be\"",
            "division: 77",
            "document: sales-invoice",
            "status: [\"betaald\", \"Klaar om te gaan\"]",
            "vat_code: { by_country: { BE: \"13\", NL: \"4\" } }",
            "\n        update: true",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }

    #[test]
    fn what_an_option_says_is_not_asked_again() {
        let args = Args {
            from: Some("woocommerce".into()),
            flows: vec!["orders".into()],
            document: Some("direct-invoice".into()),
            vat_code: vec!["NL=4".into()],
            option: vec!["shop.url=https://winkel.test".into()],
            ..Args::default()
        };
        let mut script = Script(vec![("your books", "Exact Online")], Vec::new());
        let (answers, _) = asked(&args, &mut script);
        assert_eq!(answers.flows.len(), 1);
        for part in ["sell in", "kept in step", "order become", "Address of the shop", "VAT code", "Countries"] {
            assert!(!script.1.iter().any(|question| question.contains(part)), "{part} was asked: {:?}", script.1);
        }
        assert!(script.1.iter().any(|question| question.contains("Division")), "{:?}", script.1);
    }
}
