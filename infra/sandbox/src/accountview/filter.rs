//! Filters: the numbered parameters, and a small part of Visual FoxPro's expressions.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use serde_json::Value;

use super::Switches;
use super::dictionary::{Field, Table};
use super::errors::{Refusal, unknown_field};
use super::values::{Comparable, comparable};
use crate::text::parse_decimal;

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    /// `==`: to the last character.
    Same,
    NotEqual,
    Contains,
    Less,
    AtMost,
    More,
    AtLeast,
}

/// A condition on a row.
#[derive(Debug, Clone)]
pub(super) enum Test<'a> {
    Compare { field: &'a Field, change: Change, operator: Operator, literal: Comparable },
    Empty { field: &'a Field },
    Not(Box<Test<'a>>),
    All(Vec<Test<'a>>),
    Any(Vec<Test<'a>>),
}

/// What is done to a text before it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    Upper,
    Lower,
}

impl Test<'_> {
    /// The row is wanted.
    pub fn holds(&self, row: &Value, switches: &Switches) -> bool {
        match self {
            Self::Compare { field, change, operator, literal } => {
                compare(&comparable(field, row.get(&field.name)), *change, *operator, literal, switches)
            }
            Self::Empty { field } => match comparable(field, row.get(&field.name)) {
                Comparable::Text(text) => text.trim().is_empty(),
                Comparable::Number(number) => number.is_zero(),
                Comparable::Flag(flag) => !flag,
                Comparable::Moment(_) => false,
                Comparable::Empty => true,
            },
            Self::Not(test) => !test.holds(row, switches),
            Self::All(tests) => tests.iter().all(|test| test.holds(row, switches)),
            Self::Any(tests) => tests.iter().any(|test| test.holds(row, switches)),
        }
    }
}

fn compare(found: &Comparable, change: Change, operator: Operator, wanted: &Comparable, switches: &Switches) -> bool {
    match (found, wanted) {
        (Comparable::Text(found), Comparable::Text(wanted)) => {
            let fold = |text: &str| match change {
                Change::Upper => text.to_uppercase(),
                Change::Lower => text.to_lowercase(),
                Change::None if switches.case_sensitive_filters => text.to_owned(),
                Change::None => text.to_lowercase(),
            };
            let wanted = if change == Change::None { fold(wanted) } else { wanted.clone() };
            let (found, wanted) = (fold(found), wanted.trim_end().to_owned());
            // FoxPro compares as far as the right side reaches, unless it was told to be exact.
            let equal = if switches.equal == "begins_with" { found.starts_with(&wanted) } else { found == wanted };
            match operator {
                Operator::Equal => equal,
                Operator::Same => found == wanted,
                Operator::NotEqual => !equal,
                Operator::Contains => found.contains(&wanted),
                Operator::Less => found < wanted,
                Operator::AtMost => found <= wanted,
                Operator::More => found > wanted,
                Operator::AtLeast => found >= wanted,
            }
        }
        (Comparable::Number(found), Comparable::Number(wanted)) => ordered(found, operator, wanted),
        (Comparable::Moment(found), Comparable::Moment(wanted)) => ordered(found, operator, wanted),
        (Comparable::Flag(found), Comparable::Flag(wanted)) => ordered(found, operator, wanted),
        _ => false,
    }
}

fn ordered<T: PartialOrd>(found: &T, operator: Operator, wanted: &T) -> bool {
    match operator {
        Operator::Equal | Operator::Same => found == wanted,
        Operator::NotEqual => found != wanted,
        Operator::Contains => false,
        Operator::Less => found < wanted,
        Operator::AtMost => found <= wanted,
        Operator::More => found > wanted,
        Operator::AtLeast => found >= wanted,
    }
}

/// Looks a parameter up, whatever its case.
pub(super) fn param<'p>(pairs: &'p [(String, String)], name: &str) -> Option<&'p str> {
    pairs.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// The condition of a request.
pub(super) fn of<'a>(pairs: &[(String, String)], table: &'a Table, switches: &Switches) -> Result<Test<'a>, Refusal> {
    let mut tests = Vec::new();
    for n in 1.. {
        let get = |name: &str| param(pairs, &format!("{name}{n}"));
        let Some(source) = get("FilterControlSource") else { break };
        if get("FilterIsListOfValues").is_some_and(|list| list.eq_ignore_ascii_case("true")) {
            return Err(Refusal::new("FilterIsListOfValues wordt niet ondersteund."));
        }
        let field = field_of(table, source)?;
        let operator = operator(get("FilterOperator").unwrap_or_default(), switches)?;
        let value = get("FilterValue").unwrap_or_default();
        let literal = match get("FilterValueType").unwrap_or_default().to_uppercase().as_str() {
            "C" => Comparable::Text(value.to_owned()),
            "N" => Comparable::Number(parse_decimal(value).ok_or_else(|| bad_literal(value))?),
            "D" => Comparable::Moment(date(value, switches).ok_or_else(|| bad_literal(value))?),
            other => return Err(Refusal::new(format!("FilterValueType '{other}' is onbekend."))),
        };
        check_types(field, &literal)?;
        tests.push(Test::Compare { field, change: Change::None, operator, literal });
    }
    let any = param(pairs, "MatchAnyFilter").is_some_and(|any| any.eq_ignore_ascii_case("true"));
    let numbered = if any && !tests.is_empty() { Test::Any(tests) } else { Test::All(tests) };
    match param(pairs, "Filter").filter(|text| !text.trim().is_empty()) {
        None => Ok(numbered),
        Some(_) if !switches.raw_filter => Err(Refusal::new("De parameter Filter is niet toegestaan.")),
        Some(text) => Ok(Test::All(vec![numbered, expression(text, table, switches)?])),
    }
}

fn field_of<'a>(table: &'a Table, source: &str) -> Result<&'a Field, Refusal> {
    let name = match source.split_once('.') {
        Some((of, name)) if of.trim().eq_ignore_ascii_case(&table.name) => name,
        Some(_) => return Err(unknown_field(&table.name, source)),
        None => source,
    };
    table.field(name.trim()).ok_or_else(|| unknown_field(&table.name, source))
}

fn check_types(field: &Field, literal: &Comparable) -> Result<(), Refusal> {
    let fits = match literal {
        Comparable::Text(_) => field.written_as() == "C" && field.kind != "M",
        Comparable::Number(_) => matches!(field.written_as(), "N" | "I"),
        Comparable::Moment(_) => field.written_as() == "T",
        Comparable::Flag(_) => field.written_as() == "L",
        Comparable::Empty => false,
    };
    if fits { Ok(()) } else { Err(Refusal::new(format!("Operator/operand type mismatch ({}).", field.name))) }
}

fn operator(name: &str, switches: &Switches) -> Result<Operator, Refusal> {
    match name.to_lowercase().as_str() {
        "equal" => Ok(Operator::Equal),
        "notequal" => Ok(Operator::NotEqual),
        "contains" => Ok(Operator::Contains),
        "42" if switches.range_operators => Ok(Operator::AtLeast),
        "43" if switches.range_operators => Ok(Operator::AtMost),
        _ => Err(Refusal::new(format!("FilterOperator '{name}' is onbekend."))),
    }
}

fn bad_literal(text: &str) -> Refusal {
    Refusal::new(format!("Syntax error in filter ({text})."))
}

/// `{^2026-11-25}`, and with a time where that is understood.
fn date(text: &str, switches: &Switches) -> Option<NaiveDateTime> {
    let inner = text.trim().strip_prefix("{^")?.strip_suffix('}')?.trim();
    if let Ok(day) = inner.parse::<NaiveDate>() {
        return Some(day.and_time(NaiveTime::MIN));
    }
    let moment = NaiveDateTime::parse_from_str(inner, "%Y-%m-%d %H:%M:%S").ok()?;
    switches.datetime_literals.then_some(moment)
}

/// `a AND b OR NOT EMPTY(c)`, comparisons of a field with a literal, `UPPER(f)`, `LOWER(f)`, `ALLTRIM(f)`, brackets.
fn expression<'a>(text: &str, table: &'a Table, switches: &Switches) -> Result<Test<'a>, Refusal> {
    let tokens = tokens(text).ok_or_else(|| bad_literal(text))?;
    let mut parser = Parser { tokens: &tokens, table, switches };
    let test = parser.any()?;
    if parser.tokens.is_empty() { Ok(test) } else { Err(bad_literal(text)) }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Date(String),
    Number(String),
    Sign(&'static str),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    const SIGNS: [&str; 13] = ["==", "<>", "!=", ">=", "<=", "=", "<", ">", "(", ")", "!", "#", "+"];
    let mut rest = text.trim_start();
    let mut found = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '\'' | '"' | '[' => {
                let close = if first == '[' { ']' } else { first };
                let end = rest[1..].find(close)? + 1;
                (Token::Text(rest[1..end].to_owned()), end + 1)
            }
            '{' => {
                let end = rest.find('}')?;
                (Token::Date(rest[..=end].to_owned()), end + 1)
            }
            '.' if rest.to_uppercase().starts_with(".T.") || rest.to_uppercase().starts_with(".F.") => {
                (Token::Word(rest[..3].to_uppercase()), 3)
            }
            '0'..='9' | '-' => {
                let end = rest[1..].find(|c: char| !c.is_ascii_digit() && c != '.').map_or(rest.len(), |at| at + 1);
                (Token::Number(rest[..end].to_owned()), end)
            }
            c if c.is_alphabetic() || c == '_' => {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '.').unwrap_or(rest.len());
                (Token::Word(rest[..end].to_owned()), end)
            }
            _ => {
                let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign))?;
                (Token::Sign(sign), sign.len())
            }
        };
        found.push(token);
        rest = rest[length..].trim_start();
    }
    Some(found)
}

struct Parser<'t, 'a> {
    tokens: &'t [Token],
    table: &'a Table,
    switches: &'t Switches,
}

impl<'a> Parser<'_, 'a> {
    fn any(&mut self) -> Result<Test<'a>, Refusal> {
        let mut tests = vec![self.all()?];
        while self.word("OR") {
            tests.push(self.all()?);
        }
        Ok(Test::Any(tests))
    }

    fn all(&mut self) -> Result<Test<'a>, Refusal> {
        let mut tests = vec![self.one()?];
        while self.word("AND") {
            tests.push(self.one()?);
        }
        Ok(Test::All(tests))
    }

    fn one(&mut self) -> Result<Test<'a>, Refusal> {
        if self.sign("!") || self.word("NOT") {
            return Ok(Test::Not(Box::new(self.one()?)));
        }
        if self.sign("(") {
            let test = self.any()?;
            return if self.sign(")") { Ok(test) } else { Err(bad_literal(")")) };
        }
        if self.word("EMPTY") {
            let field = self.bracketed()?;
            return Ok(Test::Empty { field });
        }
        let (field, change) = if self.word("UPPER") {
            (self.bracketed()?, Change::Upper)
        } else if self.word("LOWER") {
            (self.bracketed()?, Change::Lower)
        } else if self.word("ALLTRIM") {
            (self.bracketed()?, Change::None)
        } else {
            (self.field()?, Change::None)
        };
        let operator = match self.take() {
            Some(Token::Sign("=")) => Operator::Equal,
            Some(Token::Sign("==")) => Operator::Same,
            Some(Token::Sign("<>" | "!=" | "#")) => Operator::NotEqual,
            Some(Token::Sign("<")) => Operator::Less,
            Some(Token::Sign("<=")) => Operator::AtMost,
            Some(Token::Sign(">")) => Operator::More,
            Some(Token::Sign(">=")) => Operator::AtLeast,
            other => return Err(bad_literal(&format!("{other:?}"))),
        };
        let literal = self.literal()?;
        check_types(field, &literal)?;
        Ok(Test::Compare { field, change, operator, literal })
    }

    fn literal(&mut self) -> Result<Comparable, Refusal> {
        match self.take() {
            Some(Token::Text(mut text)) => {
                // There is no escape inside a text; pieces are put together.
                while self.sign("+") {
                    match self.take() {
                        Some(Token::Text(more)) => text.push_str(&more),
                        other => return Err(bad_literal(&format!("{other:?}"))),
                    }
                }
                Ok(Comparable::Text(text))
            }
            Some(Token::Date(text)) => {
                date(&text, self.switches).map(Comparable::Moment).ok_or_else(|| bad_literal(&text))
            }
            Some(Token::Number(text)) => parse_decimal(&text).map(Comparable::Number).ok_or_else(|| bad_literal(&text)),
            Some(Token::Word(word)) if word == ".T." || word == ".F." => Ok(Comparable::Flag(word == ".T.")),
            other => Err(bad_literal(&format!("{other:?}"))),
        }
    }

    fn bracketed(&mut self) -> Result<&'a Field, Refusal> {
        let open = self.sign("(");
        let field = self.field()?;
        if open && self.sign(")") { Ok(field) } else { Err(bad_literal("()")) }
    }

    fn field(&mut self) -> Result<&'a Field, Refusal> {
        match self.take() {
            Some(Token::Word(word)) => field_of(self.table, &word),
            other => Err(bad_literal(&format!("{other:?}"))),
        }
    }

    fn take(&mut self) -> Option<Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first.clone())
    }

    fn sign(&mut self, sign: &str) -> bool {
        let there = matches!(self.tokens.first(), Some(Token::Sign(found)) if *found == sign);
        if there {
            self.tokens = &self.tokens[1..];
        }
        there
    }

    fn word(&mut self, word: &str) -> bool {
        let there = matches!(self.tokens.first(), Some(Token::Word(found)) if found.eq_ignore_ascii_case(word));
        if there {
            self.tokens = &self.tokens[1..];
        }
        there
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accountview::dictionary::dictionary;
    use serde_json::json;

    fn holds(filter: &str, row: &Value) -> Result<bool, Refusal> {
        let switches = Switches::default();
        let table = dictionary("default", false).table("CONTACT").unwrap();
        let pairs = [("filter".to_owned(), filter.to_owned())];
        Ok(of(&pairs, table, &switches)?.holds(row, &switches))
    }

    #[test]
    fn expressions_of_foxpro_are_read() {
        let row = json!({"ACCT_NAME": "'t Hof \"A\" [B]", "MAIL_BUS": "Jan@Example.test", "CNG_DATE": "2026-11-25T10:00:00",
            "ACCT_LINK": 1, "REC_BLK": true});
        for (filter, wanted) in [
            (r#"acct_name="'t Hof""#, true),
            (r#"ACCT_NAME==["'t Hof]"#, false),
            (r#"ACCT_NAME==['t Hof "A" ]+"[B]""#, true),
            ("LOWER(MAIL_BUS)=='jan@example.test'", true),
            ("MAIL_BUS='jan@example.test'", false),
            ("CNG_DATE >= {^2026-11-25} AND !EMPTY(contact.acct_name)", true),
            ("CNG_DATE>={^2026-11-26} or (acct_link=1 and not empty(mail_bus))", true),
            ("REC_BLK=.F.", false),
            ("ACCT_LINK<>1", false),
        ] {
            assert_eq!(holds(filter, &row), Ok(wanted), "{filter}");
        }
        for bad in ["ACCT_NAME='x", "NOPE=1", "ACCT_LINK='1'", "CNG_DATE>={^2026-11-25 10:00:00}", "ACCT_LINK=1 x", "="]
        {
            assert!(holds(bad, &row).is_err(), "{bad}");
        }
    }
}
