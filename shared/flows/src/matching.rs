//! Which customer of the target one of the source is: the rules of a flow, what a customer is known by, and what is
//! decided of those that were found. Whatever leaves a choice is left to a person.

use koppel_core::document::Customer;
use koppel_core::error::{Cause, nearest};
use koppel_core::keys::{NonEmpty, normalize_email};
use koppel_core::ports::Candidate;
use koppel_core::system::{MatchField, SystemFacts};

use crate::config::{Confirm, CustomerSettings};
use crate::privacy::KeyedHash;

/// The rule that is no search: what was found or decided before for this number of the shop.
const LINK: &str = "link";
const ROW: &str = "settings.customer.match";
/// Forms of companies, which one side writes and the other leaves out.
const LEGAL_FORMS: [&str; 14] =
    ["bv", "nv", "vof", "bvba", "sprl", "srl", "gmbh", "ag", "ltd", "inc", "sarl", "sas", "spa", "ug"];

/// How a flow recognises customers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// By their number in the shop, when they have one.
    pub link: bool,
    /// Searches, in their order.
    pub rules: Vec<MatchField>,
    /// An e-mail address alone is not enough.
    pub confirm: bool,
}

/// What a customer is known by. Everything personal is a keyed hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Names its link.
    pub key_hash: String,
    /// Names its link too, when it has a number in the shop: what it would be without one.
    pub alias_hash: Option<String>,
    /// Names the claim while it is created, and whose data it is.
    pub person_hash: String,
    /// Its VAT number; empty when that is not compared.
    pub vat_hash: String,
}

fn field_of(name: &str) -> Option<MatchField> {
    MatchField::ALL.into_iter().find(|field| field.name() == name)
}

/// What is wrong with the rules, for a target.
pub fn wrong(settings: &CustomerSettings, target: &SystemFacts) -> Vec<Cause> {
    // Shops are written to by e-mail address, and have no such settings.
    if *settings == CustomerSettings::default() || target.customers.by.is_empty() {
        return Vec::new();
    }
    let known: Vec<&str> = std::iter::once(LINK).chain(target.customers.by.iter().map(|field| field.name())).collect();
    let mut causes = Vec::new();
    for (at, name) in settings.r#match.iter().enumerate() {
        let said = if settings.r#match[..at].contains(name) {
            Cause::new("bad_value", format!("«{name}» stands there twice")).advice("leave one of them out")
        } else if name == LINK && at > 0 {
            Cause::new("bad_value", "«link» is what is known already, and nothing can come before it")
                .advice("put it first, or leave it out")
        } else if known.contains(&name.as_str()) {
            continue;
        } else if field_of(name).is_some() {
            let what = format!("customers of {} cannot be searched by «{name}»", target.name);
            Cause::new("not_supported", what).advice(format!("use {}", known.join(", ")))
        } else {
            let cause = Cause::new("bad_value", format!("a customer is not recognised by «{name}»"));
            match nearest(name, known.iter().copied()) {
                Some(near) => cause.advice(format!("did you mean «{near}»?")),
                None => cause.advice(format!("use {}", known.join(", "))),
            }
        };
        causes.push(said.in_row(ROW));
    }
    if causes.is_empty() && !settings.r#match.iter().any(|name| field_of(name).is_some()) {
        let cause = Cause::new("bad_value", "nothing says how a customer is found for the first time");
        causes.push(cause.advice(format!("add one of {}", known[1..].join(", "))).in_row(ROW));
    }
    if settings.confirm != Confirm::None && !target.customers.tells_all {
        let what = format!("{} is not asked for names and postcodes of customers", target.name);
        let cause = Cause::new("not_supported", what).advice("leave customer.confirm out");
        causes.push(cause.in_row("settings.customer.confirm"));
    }
    causes
}

impl Policy {
    /// That of a flow.
    pub fn of(settings: &CustomerSettings) -> Self {
        Self {
            link: settings.r#match.iter().any(|name| name == LINK),
            rules: settings.r#match.iter().filter_map(|name| field_of(name)).collect(),
            confirm: settings.confirm != Confirm::None,
        }
    }

    /// An address says who it is.
    pub fn is_by_address(&self) -> bool {
        self.rules == [MatchField::Email] && !self.confirm
    }

    /// What a customer of a connection is known by.
    pub fn identity(&self, hash: &KeyedHash, from: &str, customer: &Customer) -> Identity {
        let address = normalize_email(&customer.email).map(String::from).unwrap_or_default();
        let person_hash = hash.of("email", &address);
        let value = |field| self.value(field, customer).map(String::from).unwrap_or_default();
        // Whoever shares an address is another one as soon as anything differs that would be looked at.
        let own = if self.is_by_address() {
            person_hash.clone()
        } else {
            let mut parts = vec![address, value(MatchField::VatNumber), value(MatchField::ChamberNumber)];
            if self.confirm {
                parts.extend([name_key(&customer.debtor_name()), postcode_key(&customer.billing.postcode)]);
            }
            hash.of("person", &parts.join("|"))
        };
        let vat_hash = self.value(MatchField::VatNumber, customer).map(|vat| hash.of("vat", vat.as_str()));
        let vat_hash = vat_hash.unwrap_or_default();
        let number = customer.id.trim();
        if self.link && !customer.guest && !number.is_empty() && number != "0" {
            let key_hash = hash.of("shop-customer", &format!("{from}#{number}"));
            Identity { key_hash, alias_hash: Some(own), person_hash, vat_hash }
        } else {
            Identity { key_hash: own, alias_hash: None, person_hash, vat_hash }
        }
    }

    /// What a rule searches for; nothing when the customer does not say it, or the flow does not ask.
    pub fn value(&self, field: MatchField, customer: &Customer) -> Option<NonEmpty> {
        if !self.rules.contains(&field) {
            return None;
        }
        match field {
            MatchField::Email => normalize_email(&customer.email),
            MatchField::VatNumber => NonEmpty::new(number_key(customer.vat_number.as_deref().unwrap_or_default())),
            MatchField::ChamberNumber => {
                NonEmpty::new(number_key(customer.company.as_ref().map_or("", |company| &company.register_number)))
            }
        }
    }

    /// The one that was found, or why that is not certain.
    pub fn choose(&self, by: MatchField, customer: &Customer, found: &[Candidate]) -> Result<Candidate, String> {
        let [only] = found else {
            return Err(format!("{} customers have its {}", found.len(), by.label()));
        };
        let sure = by != MatchField::Email
            || !self.confirm
            || is_confirmed(only, &customer.debtor_name(), &customer.billing.postcode);
        if sure {
            Ok(only.clone())
        } else {
            Err("the customer with its e-mail address has another name and another postcode".into())
        }
    }
}

/// The name or the postcode is the same.
pub fn is_confirmed(candidate: &Candidate, name: &str, postcode: &str) -> bool {
    let same = |a: String, b: String| !a.is_empty() && a == b;
    same(name_key(&candidate.name), name_key(name)) || same(postcode_key(&candidate.postcode), postcode_key(postcode))
}

/// A number without what people write in between.
pub fn number_key(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

fn postcode_key(text: &str) -> String {
    number_key(text)
}

/// A name without case, punctuation and the form of the company.
fn name_key(text: &str) -> String {
    let lower = text.to_lowercase().replace('.', "");
    let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let kept: Vec<&str> = words.iter().copied().filter(|word| !LEGAL_FORMS.contains(word)).collect();
    if kept.is_empty() { words.join(" ") } else { kept.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use koppel_core::document::{Address, Company};

    fn settings(text: &str) -> CustomerSettings {
        serde_saphyr::from_str(text).unwrap()
    }

    fn firm(name: &str, postcode: &str) -> Customer {
        Customer {
            company: Some(Company { name: name.into(), ..Company::default() }),
            email: "info@shared.test".into(),
            billing: Address { postcode: postcode.into(), ..Address::default() },
            ..Customer::default()
        }
    }

    #[test]
    fn names_and_numbers_are_the_same_however_they_are_written() {
        assert_eq!(name_key("De Linde B.V."), name_key("de linde"));
        assert_eq!(number_key("nl 8123.45.678.b01"), "NL812345678B01");
        assert_eq!(name_key("BV"), "bv");
        assert_ne!(name_key("De Linde"), name_key("De Lindes"));
    }

    #[test]
    fn one_is_taken_several_and_the_unconfirmed_are_not() {
        let there = Candidate { name: "De Linde BV".into(), postcode: "1234AB".into(), ..Candidate::default() };
        let strict = Policy::of(&settings("{ confirm: name_or_postcode }"));
        let loose = Policy::of(&settings("{}"));
        let of = |policy: &Policy, customer: &Customer, found: &[Candidate]| {
            policy.choose(MatchField::Email, customer, found).is_ok()
        };
        let (same, moved, other) = (firm("de linde", "9999 ZZ"), firm("Linde", "1234 ab"), firm("Eik", "9999ZZ"));
        for (customer, sure) in [(&same, true), (&moved, true), (&other, false), (&firm("", ""), false)] {
            assert_eq!(of(&strict, customer, std::slice::from_ref(&there)), sure, "{customer:?}");
        }
        assert!(of(&loose, &other, std::slice::from_ref(&there)));
        assert!(!of(&loose, &same, &[there.clone(), there.clone()]), "several are never guessed of");
        let by_vat = strict.choose(MatchField::VatNumber, &other, std::slice::from_ref(&there));
        assert!(by_vat.is_ok(), "a number needs nothing beside it");
    }

    #[test]
    fn rules_that_a_target_does_not_know_are_refused_with_the_nearest_name() {
        static BY: [MatchField; 1] = [MatchField::Email];
        let target = SystemFacts {
            customers: koppel_core::system::CustomerSearch { by: &BY, tells_all: false },
            ..crate::testing::books()
        };
        let said =
            |text: &str| -> Vec<String> { wrong(&settings(text), &target).iter().map(Cause::to_string).collect() };
        assert!(said("{}").is_empty() && said("{ match: [email] }").is_empty());
        assert!(
            said("{ match: [link, e_mail] }")[0].contains("did you mean «email»?"),
            "{:?}",
            said("{ match: [e_mail] }")
        );
        assert!(said("{ match: [link, vat_number, email] }")[0].contains("cannot be searched by «vat_number»"));
        assert!(said("{ match: [email, link] }")[0].contains("put it first"));
        assert!(said("{ match: [link] }")[0].contains("for the first time"));
        assert!(said("{ confirm: name_or_postcode }")[0].contains("is not asked for names"));
    }
}
