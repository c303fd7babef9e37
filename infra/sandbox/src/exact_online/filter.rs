//! `$filter`: read, type-checked against the resource, and evaluated on rows.

use chrono::{Datelike, NaiveDateTime, Timelike};
use rust_decimal::Decimal;
use serde_json::Value;
use uuid::Uuid;

use super::errors::{error, syntax};
use super::metadata::{Edm, Entity};
use super::values::{moment, padded};
use crate::message::Reply;
use crate::text::{decimal, parse_decimal};

/// A value during evaluation.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(super) enum Val {
    Null,
    Bool(bool),
    Num(Decimal),
    Text(String),
    Guid(String),
    Time(NaiveDateTime),
}

/// A read filter.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    Field(String),
    Value(Val),
    Call(&'static str, Vec<Expr>),
    Compare(&'static str, Box<Expr>, Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Value(Val),
    Open,
    Close,
    Comma,
}

const FUNCTIONS: &[(&str, usize)] = &[
    ("startswith", 2),
    ("endswith", 2),
    ("substringof", 2),
    ("trim", 1),
    ("tolower", 1),
    ("toupper", 1),
    ("length", 1),
    ("year", 1),
    ("month", 1),
    ("day", 1),
    ("hour", 1),
    ("minute", 1),
    ("second", 1),
];
const COMPARISONS: &[&str] = &["eq", "ne", "gt", "ge", "lt", "le"];

/// Reads literals separated by commas, as a skip token has them.
pub(super) fn literals(text: &str) -> Option<Vec<Val>> {
    let mut values = Vec::new();
    for token in tokens(text)? {
        match token {
            Token::Value(value) => values.push(value),
            Token::Word(word) if word == "null" => values.push(Val::Null),
            Token::Comma => {}
            _ => return None,
        }
    }
    Some(values)
}

/// Reads a filter.
pub(super) fn parse(text: &str, entity: &Entity) -> Result<Expr, Reply> {
    let tokens = tokens(text).ok_or_else(syntax)?;
    let mut parser = Parser { tokens, at: 0, entity };
    let expr = parser.or()?;
    if parser.at != parser.tokens.len() || parser.kind(&expr) != Kind::Bool {
        return Err(syntax());
    }
    Ok(expr)
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let chars: Vec<char> = text.chars().collect();
    let (mut at, mut tokens) = (0, Vec::new());
    while at < chars.len() {
        match chars[at] {
            letter if letter.is_whitespace() => at += 1,
            '(' => {
                tokens.push(Token::Open);
                at += 1;
            }
            ')' => {
                tokens.push(Token::Close);
                at += 1;
            }
            ',' => {
                tokens.push(Token::Comma);
                at += 1;
            }
            '\'' => tokens.push(Token::Value(Val::Text(quoted(&chars, &mut at)?))),
            letter if letter.is_alphabetic() || letter == '_' => {
                let start = at;
                while at < chars.len() && (chars[at].is_alphanumeric() || matches!(chars[at], '_' | '/')) {
                    at += 1;
                }
                let word: String = chars[start..at].iter().collect();
                let literal = chars.get(at) == Some(&'\'');
                tokens.push(match word.as_str() {
                    "guid" if literal => {
                        Token::Value(Val::Guid(Uuid::parse_str(&quoted(&chars, &mut at)?).ok()?.to_string()))
                    }
                    "datetime" if literal => Token::Value(Val::Time(moment(&quoted(&chars, &mut at)?)?)),
                    _ if literal => return None,
                    "true" => Token::Value(Val::Bool(true)),
                    "false" => Token::Value(Val::Bool(false)),
                    _ => Token::Word(word),
                });
            }
            letter if letter.is_ascii_digit() || letter == '-' => {
                let start = at;
                at += 1;
                while at < chars.len() && (chars[at].is_ascii_digit() || chars[at] == '.') {
                    at += 1;
                }
                let digits: String = chars[start..at].iter().collect();
                if chars.get(at).is_some_and(|suffix| matches!(suffix, 'L' | 'l' | 'M' | 'm' | 'd' | 'D' | 'f' | 'F')) {
                    at += 1;
                }
                if chars.get(at).is_some_and(|next| next.is_alphanumeric()) {
                    return None;
                }
                tokens.push(Token::Value(Val::Num(parse_decimal(&digits)?)));
            }
            _ => return None,
        }
    }
    Some(tokens)
}

/// A text in single quotes; two of them stand for one.
fn quoted(chars: &[char], at: &mut usize) -> Option<String> {
    *at += 1;
    let mut text = String::new();
    loop {
        match (chars.get(*at)?, chars.get(*at + 1)) {
            ('\'', Some('\'')) => {
                text.push('\'');
                *at += 2;
            }
            ('\'', _) => {
                *at += 1;
                return Some(text);
            }
            (letter, _) => {
                text.push(*letter);
                *at += 1;
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bool,
    Num,
    Text,
    Guid,
    Time,
    Null,
}

impl Kind {
    fn system(self) -> &'static str {
        match self {
            Self::Bool => "System.Boolean",
            Self::Num => "System.Double",
            Self::Text => "System.String",
            Self::Guid => "System.Guid",
            Self::Time => "System.DateTime",
            Self::Null => "null",
        }
    }
}

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    entity: &'a Entity,
}

impl Parser<'_> {
    fn word(&self) -> Option<&str> {
        match self.tokens.get(self.at) {
            Some(Token::Word(word)) => Some(word),
            _ => None,
        }
    }

    fn take(&mut self, token: &Token) -> Result<(), Reply> {
        if self.tokens.get(self.at) == Some(token) {
            self.at += 1;
            return Ok(());
        }
        Err(syntax())
    }

    fn or(&mut self) -> Result<Expr, Reply> {
        let mut left = self.and()?;
        while self.word() == Some("or") {
            self.at += 1;
            let right = self.and()?;
            self.both_bool(&left, &right)?;
            left = Expr::Or(Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr, Reply> {
        let mut left = self.not()?;
        while self.word() == Some("and") {
            self.at += 1;
            let right = self.not()?;
            self.both_bool(&left, &right)?;
            left = Expr::And(Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn both_bool(&self, left: &Expr, right: &Expr) -> Result<(), Reply> {
        if self.kind(left) == Kind::Bool && self.kind(right) == Kind::Bool { Ok(()) } else { Err(syntax()) }
    }

    fn not(&mut self) -> Result<Expr, Reply> {
        if self.word() == Some("not") {
            self.at += 1;
            return Ok(Expr::Not(Box::new(self.not()?)));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Expr, Reply> {
        let left = self.primary()?;
        let Some(operator) = self.word().and_then(|word| COMPARISONS.iter().find(|known| **known == word)) else {
            return Ok(left);
        };
        self.at += 1;
        let right = self.primary()?;
        let (a, b) = (self.kind(&left), self.kind(&right));
        // A yes/no held in a byte may be compared with a number only; null goes with everything.
        if a != b && a != Kind::Null && b != Kind::Null {
            let message = format!(
                "Operator '{operator}' incompatible with operand types '{}' and '{}' at position {}.",
                a.system(),
                b.system(),
                self.at
            );
            return Err(error(400, &message));
        }
        Ok(Expr::Compare(operator, Box::new(left), Box::new(right)))
    }

    fn primary(&mut self) -> Result<Expr, Reply> {
        let token = self.tokens.get(self.at).cloned().ok_or_else(syntax)?;
        self.at += 1;
        match token {
            Token::Open => {
                let inner = self.or()?;
                self.take(&Token::Close)?;
                Ok(inner)
            }
            Token::Value(value) => Ok(Expr::Value(value)),
            Token::Word(word) if word == "null" => Ok(Expr::Value(Val::Null)),
            Token::Word(word) => match FUNCTIONS.iter().find(|(name, _)| *name == word.to_lowercase()) {
                Some((name, arity)) if self.tokens.get(self.at) == Some(&Token::Open) => {
                    self.at += 1;
                    let mut args = vec![self.or()?];
                    while self.tokens.get(self.at) == Some(&Token::Comma) {
                        self.at += 1;
                        args.push(self.or()?);
                    }
                    self.take(&Token::Close)?;
                    if args.len() == *arity { Ok(Expr::Call(name, args)) } else { Err(syntax()) }
                }
                _ => self.field(&word),
            },
            _ => Err(syntax()),
        }
    }

    fn field(&self, name: &str) -> Result<Expr, Reply> {
        match self.entity.prop(name) {
            Some(prop) if prop.read && prop.kind != Edm::Collection => Ok(Expr::Field(name.into())),
            _ => {
                let kind = self.entity.type_name();
                Err(error(
                    400,
                    &format!("No property '{name}' exists in type '{kind}' at position {}.", self.at.saturating_sub(1)),
                ))
            }
        }
    }

    fn kind(&self, expr: &Expr) -> Kind {
        match expr {
            Expr::Field(name) => match self.entity.prop(name).map(|prop| &prop.kind) {
                Some(Edm::Guid) => Kind::Guid,
                Some(Edm::Boolean) => Kind::Bool,
                Some(Edm::DateTime) => Kind::Time,
                Some(Edm::String | Edm::Binary) | None => Kind::Text,
                _ => Kind::Num,
            },
            Expr::Value(value) => match value {
                Val::Null => Kind::Null,
                Val::Bool(_) => Kind::Bool,
                Val::Num(_) => Kind::Num,
                Val::Text(_) => Kind::Text,
                Val::Guid(_) => Kind::Guid,
                Val::Time(_) => Kind::Time,
            },
            Expr::Call(name, _) => match *name {
                "trim" | "tolower" | "toupper" => Kind::Text,
                "startswith" | "endswith" | "substringof" => Kind::Bool,
                _ => Kind::Num,
            },
            _ => Kind::Bool,
        }
    }
}

/// A stored value of a field, as filters see it: with its blanks.
pub(super) fn field_value(entity: &Entity, name: &str, row: &Value) -> Val {
    let (Some(prop), Some(value)) = (entity.prop(name), row.get(name)) else { return Val::Null };
    match (&prop.kind, value) {
        (_, Value::Null) => Val::Null,
        (Edm::Guid, Value::String(text)) => Val::Guid(text.clone()),
        (Edm::DateTime, Value::String(text)) => moment(text).map_or(Val::Null, Val::Time),
        (_, Value::String(text)) => Val::Text(padded(prop, text)),
        (_, Value::Bool(yes)) => Val::Bool(*yes),
        (_, value) => decimal(value).map_or(Val::Null, Val::Num),
    }
}

impl Expr {
    /// True when the row passes.
    pub fn holds(&self, entity: &Entity, row: &Value, ignore_case: bool) -> bool {
        self.value(entity, row, ignore_case) == Val::Bool(true)
    }

    fn value(&self, entity: &Entity, row: &Value, fold: bool) -> Val {
        let of = |expr: &Self| expr.value(entity, row, fold);
        match self {
            Self::Field(name) => field_value(entity, name, row),
            Self::Value(value) => value.clone(),
            Self::And(a, b) => Val::Bool(of(a) == Val::Bool(true) && of(b) == Val::Bool(true)),
            Self::Or(a, b) => Val::Bool(of(a) == Val::Bool(true) || of(b) == Val::Bool(true)),
            Self::Not(a) => Val::Bool(of(a) != Val::Bool(true)),
            Self::Call(name, args) => call(name, &args.iter().map(of).collect::<Vec<_>>(), fold),
            Self::Compare(operator, a, b) => Val::Bool(compare(operator, of(a), of(b), fold)),
        }
    }

    /// Names of the fields it looks at.
    pub fn fields(&self) -> Vec<&str> {
        match self {
            Self::Field(name) => vec![name],
            Self::Value(_) => Vec::new(),
            Self::Call(_, args) => args.iter().flat_map(Self::fields).collect(),
            Self::Compare(_, a, b) | Self::And(a, b) | Self::Or(a, b) => {
                a.fields().into_iter().chain(b.fields()).collect()
            }
            Self::Not(a) => a.fields(),
        }
    }

    /// Groups of equalities: of every group at least one must hold, so an index on its fields finds the rows. Empty: all
    /// rows must be looked at.
    pub fn lookups(&self) -> Vec<Vec<(&str, String)>> {
        match self {
            Self::Compare("eq", a, b) => {
                let field = match a.as_ref() {
                    Self::Field(name) => name,
                    Self::Call("trim" | "tolower" | "toupper", args) => match args.as_slice() {
                        [Self::Field(name)] => name,
                        _ => return Vec::new(),
                    },
                    _ => return Vec::new(),
                };
                match b.as_ref() {
                    Self::Value(Val::Text(text) | Val::Guid(text)) => vec![vec![(field, text.clone())]],
                    Self::Value(Val::Num(number)) if number.fract().is_zero() => {
                        vec![vec![(field, number.normalize().to_string())]]
                    }
                    _ => Vec::new(),
                }
            }
            // One of either side: each pair of groups becomes one.
            Self::Or(a, b) => {
                let right = b.lookups();
                let pairs = a.lookups().into_iter().zip(right.iter().cycle());
                pairs.map(|(left, right)| [left, right.clone()].concat()).collect()
            }
            Self::And(a, b) => [a.lookups(), b.lookups()].concat(),
            _ => Vec::new(),
        }
    }
}

fn folded(value: Val, fold: bool) -> Val {
    match value {
        Val::Text(text) if fold => Val::Text(text.to_lowercase()),
        value => value,
    }
}

fn compare(operator: &str, a: Val, b: Val, fold: bool) -> bool {
    let (a, b) = (folded(a, fold), folded(b, fold));
    if a == Val::Null || b == Val::Null {
        return match operator {
            "eq" => a == b,
            "ne" => a != b,
            _ => false,
        };
    }
    match operator {
        "eq" => a == b,
        "ne" => a != b,
        "gt" => a > b,
        "ge" => a >= b,
        "lt" => a < b,
        _ => a <= b,
    }
}

fn call(name: &str, args: &[Val], fold: bool) -> Val {
    let text = |at: usize| match args.get(at) {
        Some(Val::Text(text)) if fold => Some(text.to_lowercase()),
        Some(Val::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let found = match name {
        "substringof" => text(0).zip(text(1)).map(|(part, whole)| Val::Bool(whole.contains(&part))),
        "startswith" => text(0).zip(text(1)).map(|(whole, part)| Val::Bool(whole.starts_with(&part))),
        "endswith" => text(0).zip(text(1)).map(|(whole, part)| Val::Bool(whole.ends_with(&part))),
        "trim" => text(0).map(|text| Val::Text(text.trim().into())),
        "tolower" => text(0).map(|text| Val::Text(text.to_lowercase())),
        "toupper" => text(0).map(|text| Val::Text(text.to_uppercase())),
        "length" => text(0).map(|text| Val::Num(text.chars().count().into())),
        part => match args.first() {
            Some(Val::Time(at)) => Some(Val::Num(match part {
                "year" => at.year().into(),
                "month" => at.month().into(),
                "day" => at.day().into(),
                "hour" => at.hour().into(),
                "minute" => at.minute().into(),
                _ => at.second().into(),
            })),
            _ => None,
        },
    };
    found.unwrap_or(Val::Null)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exact_online::metadata::metadata;
    use serde_json::json;

    fn holds(filter: &str) -> bool {
        let entity = metadata().find("crm/Accounts").unwrap();
        let row = json!({"ID": "0b8a1f3e-0000-4000-8000-000000000001", "Code": "25", "Name": "O'Neill & Zn",
            "Email": "Jan@Example.test", "Status": "C", "Blocked": false, "DiscountSales": 0.055, "EndDate": null,
            "Created": "2026-01-31T10:00:00"});
        parse(filter, entity).unwrap().holds(entity, &row, true)
    }

    #[test]
    fn operators_functions_and_literals() {
        for filter in [
            "Code eq '                25'",
            "trim(Code) eq '25'",
            "Name eq 'O''Neill & Zn'",
            "Email eq 'jan@example.TEST' and not (Status ne 'C')",
            "substringof('neill',tolower(Name)) eq true",
            "startswith(Name,'O') and endswith(Name, 'Zn')",
            "ID eq guid'0B8A1F3E-0000-4000-8000-000000000001'",
            "Created gt datetime'2026-01-31T09:59:59' and year(Created) eq 2026",
            "Blocked eq false and EndDate eq null",
            "DiscountSales gt 0.05 or Code eq 'x'",
            "DiscountSales lt 1L",
        ] {
            assert!(holds(filter), "{filter}");
        }
        for filter in ["Code eq '25'", "Status eq 'P' or Blocked", "EndDate gt datetime'2020-01-01'"] {
            assert!(!holds(filter), "{filter}");
        }
    }

    #[test]
    fn mistakes_are_refused() {
        let entity = metadata().find("crm/Accounts").unwrap();
        for (filter, words) in [
            ("Code eq", "syntax"),
            ("Code = '1'", "syntax"),
            ("(Code eq '1'", "syntax"),
            ("Code", "syntax"),
            ("Codes eq '1'", "No property 'Codes' exists in type 'Exact.Web.Api.Models.Account'"),
            ("ID eq '1'", "incompatible with operand types 'System.Guid' and 'System.String'"),
            ("Name eq 'it's'", "syntax"),
        ] {
            let reply = parse(filter, entity).unwrap_err();
            assert_eq!(reply.status, 400);
            let body = String::from_utf8(reply.body).unwrap();
            assert!(body.contains(words), "{filter}: {body}");
        }
    }

    #[test]
    fn chains_of_equalities_can_be_looked_up() {
        let entity = metadata().find("logistics/Items").unwrap();
        let groups = |filter: &str| {
            let filter = parse(filter, entity).unwrap();
            let owned = |pair: (&str, String)| format!("{}={}", pair.0, pair.1);
            filter
                .lookups()
                .into_iter()
                .map(|group| group.into_iter().map(owned).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        };
        let none: Vec<Vec<String>> = Vec::new();
        assert_eq!(groups("(Code eq 'A' or Code eq 'B') and IsSalesItem eq true"), [["Code=A", "Code=B"]]);
        assert_eq!(groups("Code eq 'A' or IsSalesItem eq true"), none);
        assert_eq!(groups("Unit eq 'kg' and trim(Code) eq 'A'"), [["Unit=kg"], ["Code=A"]]);
        assert_eq!(groups("IsWebshopItem eq 1"), [["IsWebshopItem=1"]]);
        assert_eq!(groups("not (Code eq 'A')"), none);
    }
}
