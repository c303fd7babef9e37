//! VAT numbers of the European Union, and what VIES said of one.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Prefixes of the numbers that VIES knows: the member states, with EL for Greece, and XI for Northern Ireland.
const PREFIXES: [&str; 28] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "EL", "ES", "FI", "FR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK", "XI",
];

/// The prefix of numbers of a country, by its ISO 3166 code; `None` outside the union.
pub fn vat_prefix(country: &str) -> Option<&'static str> {
    let country = country.trim().to_ascii_uppercase();
    // The one member state whose prefix is not its ISO code.
    let wanted = if country == "GR" { "EL" } else { country.as_str() };
    PREFIXES.iter().find(|prefix| **prefix == wanted).copied()
}

/// A VAT number of the union.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VatNumber {
    country: &'static str,
    number: String,
}

impl VatNumber {
    /// Reads a number as people write it, with blanks, dots and dashes. One without a prefix is of the country that the
    /// buyer lives in. `None` for what is no number of the union.
    pub fn read(text: &str, country: &str) -> Option<Self> {
        let plain: String = text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
        let prefix = plain.get(..2).filter(|start| start.chars().all(|c| c.is_ascii_alphabetic()));
        let (country, number) = match prefix.and_then(vat_prefix) {
            Some(own) => (own, plain.get(2..)?.to_owned()),
            None => (vat_prefix(country)?, plain),
        };
        // Belgian numbers of before 2005 have nine digits, and are the same with a zero in front.
        let short = country == "BE" && number.len() == 9 && number.chars().all(|c| c.is_ascii_digit());
        let number = if short { format!("0{number}") } else { number };
        (!number.is_empty()).then_some(Self { country, number })
    }

    /// Prefix: EL for Greece, XI for Northern Ireland.
    pub fn country(&self) -> &'static str {
        self.country
    }

    /// What follows the prefix.
    pub fn number(&self) -> &str {
        &self.number
    }
}

// A number may be that of one person, and belongs in no log.
impl std::fmt::Debug for VatNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VatNumber({} …)", self.country)
    }
}

/// What was said of a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VatAnswer {
    /// It is valid.
    Valid,
    /// It is not valid.
    Invalid,
    /// Nobody could say: down, throttled, blocked.
    Unknown {
        /// Why, as a code: `MS_MAX_CONCURRENT_REQ`, `no_connection`.
        why: String,
    },
}

/// The answer on the number of a buyer, and what was made of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VatCheck {
    /// The answer.
    pub answer: VatAnswer,
    /// When it was asked.
    pub asked_at: DateTime<Utc>,
    /// The number counts: the buyer is one with a VAT number.
    pub counts: bool,
    /// VAT that is owed because it does not count, in percent: it is taken out of what was paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<Decimal>,
}

impl VatCheck {
    /// The answer, its date and what follows, for people.
    pub fn text(&self) -> String {
        let at = self.asked_at.format("%Y-%m-%d %H:%M UTC");
        let answer = match &self.answer {
            VatAnswer::Valid => "is valid".to_owned(),
            VatAnswer::Invalid => "is not valid".to_owned(),
            VatAnswer::Unknown { why } => format!("is not known to be valid ({why})"),
        };
        let follows = match (&self.answer, self.counts, self.percent) {
            (VatAnswer::Valid, ..) => String::new(),
            (_, true, _) => "; it counts as valid".to_owned(),
            (_, false, None) => "; the buyer counts as one without a VAT number".to_owned(),
            (_, false, Some(percent)) => format!(
                "; the buyer counts as one without a VAT number, and {} % VAT is taken out of what was paid",
                percent.normalize()
            ),
        };
        format!("the VAT number {answer} according to VIES, asked at {at}{follows}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, country: &str) -> Option<(String, String)> {
        VatNumber::read(text, country).map(|number| (number.country().to_owned(), number.number().to_owned()))
    }

    #[test]
    fn a_number_is_read_as_people_write_it() {
        for (text, country, prefix, number) in [
            ("BE 0123.456.789", "BE", "BE", "0123456789"),
            ("be123456789", "NL", "BE", "0123456789"),
            ("0123-456-789", "BE", "BE", "0123456789"),
            ("GR 094014201", "GR", "EL", "094014201"),
            ("EL094014201", "GR", "EL", "094014201"),
            ("094014201", "GR", "EL", "094014201"),
            ("XI123456789", "GB", "XI", "123456789"),
            ("ATU12345678", "AT", "AT", "U12345678"),
            ("U12345678", "AT", "AT", "U12345678"),
            ("IE6388047V", "IE", "IE", "6388047V"),
            ("AB123456789", "FR", "FR", "AB123456789"),
            // Not of the union, though the buyer is: VIES will not know it.
            ("GB123456789", "BE", "BE", "GB123456789"),
        ] {
            assert_eq!(read(text, country), Some((prefix.into(), number.into())), "{text} {country}");
        }
        for (text, country) in [("", "BE"), ("BE", "BE"), ("CHE123456789", "CH"), ("GB123456789", "GB"), ("12", "US")] {
            assert_eq!(read(text, country), None, "{text} {country}");
        }
    }

    #[test]
    fn a_number_is_not_shown_by_accident() {
        let number = VatNumber::read("BE0123456789", "BE").unwrap();
        assert_eq!(format!("{number:?}"), "VatNumber(BE …)");
    }
}
