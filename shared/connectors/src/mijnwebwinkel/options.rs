//! What a user sets for a connection, read and checked once. Most of it stands for something the documentation leaves
//! open, with the safest answer as its default.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use koppel_core::connection::Connection;
use koppel_core::error::nearest;
use koppel_core::{Cause, Failure};
use serde_json::Value;

/// Languages of the API.
const LANGUAGES: [&str; 13] = [
    "nl_NL", "en_GB", "de_DE", "fr_FR", "es_ES", "en_US", "pt_PT", "it_IT", "da_DK", "sv_SE", "no_NO", "tr_TR", "pl_PL",
];

/// What lines of costs stand for when the order has no better word for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CostLines {
    /// The last one is delivery, those before it are costs of payment.
    LastIsShipping,
    /// All of them are delivery.
    Shipping,
    /// All of them are costs of payment.
    Fee,
}

/// How the article number of a variant is made: variants have none of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkuRule {
    joined: bool,
    separator: String,
    upper: bool,
    /// Numbers that differ from the rule: number by the rule → number in the books.
    numbers: BTreeMap<String, String>,
}

impl SkuRule {
    /// The article number of a choice of options; empty when the article has none.
    pub fn of(&self, article: &str, options: &[String]) -> String {
        let article = article.trim();
        if article.is_empty() || options.is_empty() || !self.joined {
            return article.to_owned();
        }
        let letters = |text: &String| if self.upper { text.trim().to_uppercase() } else { text.trim().to_owned() };
        let parts: Vec<String> = std::iter::once(article.to_owned()).chain(options.iter().map(letters)).collect();
        let made = parts.join(&self.separator);
        self.numbers.get(&made).cloned().unwrap_or(made)
    }

    /// Variants have numbers of their own by this rule.
    pub fn is_joined(&self) -> bool {
        self.joined
    }

    /// Changes whenever the rule does: what was made by another rule is made anew.
    pub fn mark(&self) -> String {
        format!("{self:?}")
    }
}

/// The options of a connection.
#[derive(Clone, Debug)]
pub struct Options {
    /// Language of names and texts; `None` is that of the API, Dutch.
    pub language: Option<String>,
    /// Zone of dates without one.
    pub zone: Tz,
    /// How much earlier than asked is read, because zone and clock of the shop are not known for certain.
    pub overlap: TimeDelta,
    /// Lists in a query are written `ids[]=1`, not `ids=1`.
    pub brackets: bool,
    /// Test orders are read too.
    pub test_orders: bool,
    /// Customers are read from accounts, not from orders.
    pub accounts: bool,
    /// Numbers of variants.
    pub sku: SkuRule,
    /// Field of the EAN.
    pub barcode_field: String,
    /// Field of the weight in kilograms.
    pub weight_field: String,
    /// What lines of costs are.
    pub cost_lines: CostLines,
    /// Attribute that varies → id of the list in the shop.
    pub lists: BTreeMap<String, String>,
    /// The shop may load pictures from their public address.
    pub picture_links: bool,
    /// How often all articles are read anew to notice those that are gone.
    pub rescan: TimeDelta,
}

impl Options {
    /// Reads the options of a connection.
    pub fn of(connection: &Connection) -> Result<Self, Failure> {
        let read = Reader { connection };
        let zone = connection.option("time_zone").unwrap_or_else(|| "Europe/Amsterdam".into());
        let zone = zone
            .parse::<Tz>()
            .map_err(|_| read.bad("time_zone", &format!("«{zone}» is no time zone"), "use Europe/Amsterdam"))?;
        let minutes = read.number("overlap_minutes", 125, 0, 24 * 60)?;
        let hours = read.number("rescan_hours", 24, 1, 24 * 31)?;
        let cost_lines = match read.choice("cost_lines", &["last_is_shipping", "shipping", "fee"])? {
            "shipping" => CostLines::Shipping,
            "fee" => CostLines::Fee,
            _ => CostLines::LastIsShipping,
        };
        let language = connection.option("language");
        if let Some(language) = &language
            && !LANGUAGES.contains(&language.as_str())
        {
            return Err(read.unknown("language", language, &LANGUAGES));
        }
        let text = |name: &str, usual: &str| connection.option(name).unwrap_or_else(|| usual.to_owned());
        Ok(Self {
            language,
            zone,
            overlap: TimeDelta::minutes(minutes),
            brackets: read.choice("array_query", &["brackets", "repeat"])? == "brackets",
            test_orders: connection.flag("test_orders"),
            accounts: read.choice("customers", &["orders", "accounts"])? == "accounts",
            sku: SkuRule {
                joined: read.choice("variant_number", &["joined", "article"])? == "joined",
                separator: match connection.options.get("variant_separator") {
                    Some(Value::String(text)) => text.clone(),
                    _ => "-".into(),
                },
                upper: read.choice("variant_letters", &["upper", "as_written"])? == "upper",
                numbers: read.group("variant_numbers")?,
            },
            barcode_field: text("barcode_field", "barcode"),
            weight_field: text("weight_field", "weight"),
            cost_lines,
            lists: read.group("article_lists")?,
            picture_links: connection.flag("picture_links"),
            rescan: TimeDelta::hours(hours),
        })
    }

    /// A moment as filters with a time take it, earlier by the overlap.
    pub fn filter(&self, moment: DateTime<Utc>) -> String {
        (moment - self.overlap).with_timezone(&self.zone).format("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// The day of a moment as filters with a date take it, earlier by the overlap.
    pub fn day(&self, moment: DateTime<Utc>) -> chrono::NaiveDate {
        (moment - self.overlap).with_timezone(&self.zone).date_naive()
    }

    /// The moment of a date and a time without a zone.
    pub fn moment(&self, date: &str, time: &str) -> Option<DateTime<Utc>> {
        let time = if time.trim().is_empty() { "00:00:00" } else { time.trim() };
        let time = if time.len() == 5 { format!("{time}:00") } else { time.to_owned() };
        let local = NaiveDateTime::parse_from_str(&format!("{} {time}", date.trim()), "%Y-%m-%d %H:%M:%S").ok()?;
        // In the hour that is there twice the first is taken; one that is not there is an hour later.
        let found = self.zone.from_local_datetime(&local).earliest();
        let found = found.or_else(|| self.zone.from_local_datetime(&(local + TimeDelta::hours(1))).earliest());
        found.map(|moment| moment.with_timezone(&Utc))
    }
}

struct Reader<'a> {
    connection: &'a Connection,
}

impl Reader<'_> {
    fn bad(&self, row: &str, message: &str, advice: &str) -> Failure {
        let cause = Cause::new("bad_option", message).advice(advice).in_row(row);
        Failure::settings(cause.at_connection(&self.connection.name))
    }

    fn unknown(&self, row: &str, value: &str, known: &[&str]) -> Failure {
        let advice = match nearest(value, known.iter().copied()) {
            Some(near) => format!("did you mean «{near}»?"),
            None => format!("use one of {}", known.join(", ")),
        };
        self.bad(row, &format!("«{value}» is nothing that {row} can be"), &advice)
    }

    /// One of these words; the first is the default.
    fn choice(&self, row: &str, words: &[&'static str]) -> Result<&'static str, Failure> {
        let Some(value) = self.connection.option(row) else { return Ok(words.first().copied().unwrap_or_default()) };
        words.iter().find(|word| **word == value).copied().ok_or_else(|| self.unknown(row, &value, words))
    }

    fn number(&self, row: &str, usual: i64, least: i64, most: i64) -> Result<i64, Failure> {
        let Some(text) = self.connection.option(row) else { return Ok(usual) };
        text.parse().ok().filter(|number| (least..=most).contains(number)).ok_or_else(|| {
            self.bad(row, &format!("«{text}» is no whole number from {least} to {most}"), &format!("use {usual}"))
        })
    }

    /// A group of texts: `{ Colour: "31" }`.
    fn group(&self, row: &str) -> Result<BTreeMap<String, String>, Failure> {
        let Some(value) = self.connection.options.get(row).filter(|value| !value.is_null()) else {
            return Ok(BTreeMap::new());
        };
        let example =
            || self.bad(row, &format!("{row} is no group of texts"), &format!("write {row}: {{ Name: \"value\" }}"));
        let map = value.as_object().ok_or_else(example)?;
        let entry = |(name, value): (&String, &Value)| {
            let text = super::native::text(value);
            if text.trim().is_empty() { Err(example()) } else { Ok((name.clone(), text)) }
        };
        map.iter().map(entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::connection;
    use serde_json::json;

    fn options(value: Value) -> Result<Options, Failure> {
        Options::of(&connection("mijnwebwinkel", value, &[]))
    }

    #[test]
    fn times_are_read_in_the_zone_and_asked_for_with_overlap() {
        let usual = options(json!({})).unwrap();
        assert_eq!(usual.moment("2026-11-22", "07:08:00").unwrap().to_rfc3339(), "2026-11-22T06:08:00+00:00");
        assert_eq!(usual.moment("2026-07-01", "07:08").unwrap().to_rfc3339(), "2026-07-01T05:08:00+00:00");
        // 02:30 is not there on the last Sunday of March, and twice on that of October.
        assert_eq!(usual.moment("2026-03-29", "02:30:00").unwrap().to_rfc3339(), "2026-03-29T01:30:00+00:00");
        assert_eq!(usual.moment("2026-10-25", "02:30:00").unwrap().to_rfc3339(), "2026-10-25T00:30:00+00:00");
        assert_eq!(usual.moment("22-11-2026", ""), None);
        let moment = "2026-11-22T06:00:00Z".parse().unwrap();
        assert_eq!(usual.filter(moment), "2026-11-22 04:55:00");
        let sharp = options(json!({"time_zone": "UTC", "overlap_minutes": 0})).unwrap();
        assert_eq!(sharp.filter(moment), "2026-11-22 06:00:00");
        assert_eq!(sharp.day(moment).to_string(), "2026-11-22");
    }

    #[test]
    fn numbers_of_variants_follow_the_rule_or_the_table() {
        let chosen = ["Rood".to_owned(), "S".to_owned()];
        assert_eq!(options(json!({})).unwrap().sku.of("TSHIRT", &chosen), "TSHIRT-ROOD-S");
        assert_eq!(options(json!({})).unwrap().sku.of(" MOK ", &[]), "MOK");
        assert_eq!(options(json!({})).unwrap().sku.of("", &chosen), "");
        let own =
            json!({"variant_separator": ".", "variant_letters": "as_written", "variant_numbers": {"T.Rood.S": "T1"}});
        assert_eq!(options(own).unwrap().sku.of("T", &chosen), "T1");
        assert_eq!(options(json!({"variant_number": "article"})).unwrap().sku.of("T", &chosen), "T");
        assert_eq!(options(json!({"variant_separator": ""})).unwrap().sku.of("T", &chosen), "TROODS");
    }

    #[test]
    fn mistakes_name_the_option_and_the_nearest_word() {
        for (value, row, part) in [
            (json!({"cost_lines": "shiping"}), "cost_lines", "did you mean «shipping»?"),
            (json!({"time_zone": "Amsterdam"}), "time_zone", "Europe/Amsterdam"),
            (json!({"language": "nl_NK"}), "language", "did you mean «nl_NL»?"),
            (json!({"overlap_minutes": "soon"}), "overlap_minutes", "use 125"),
            (json!({"article_lists": ["31"]}), "article_lists", "group of texts"),
        ] {
            let failure = options(value).unwrap_err();
            assert_eq!(failure.cause().place.row.as_deref(), Some(row));
            assert!(failure.to_string().contains(part), "{failure}");
        }
    }
}
