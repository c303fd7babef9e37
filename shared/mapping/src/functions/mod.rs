//! The functions a cell can call, one file each: name, arguments, one doc line, examples and tests in one place.
//!
//! To add one: write its file, add one line to [`functions!`] below, and renew the reference page (see
//! [`crate::reference_markdown`]). The examples run as tests and appear on that page.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use rust_decimal::Decimal;

use crate::cell::eval::equal;
use crate::finding::Columns;
use crate::scope::Scope;
use crate::value::{Kind, Value};

/// A function of the cell language.
#[derive(Debug)]
pub struct Function {
    /// The name in a cell.
    pub name: &'static str,
    /// What it works on: the value before the bar.
    pub input: Kind,
    /// The arguments between brackets.
    pub arguments: &'static [Argument],
    /// What it gives.
    pub returns: Kind,
    /// One line for the reference page.
    pub doc: &'static str,
    /// Cells and what they give, as JSON. They run as tests, over the example record of the reference page.
    pub examples: &'static [(&'static str, &'static str)],
    /// Whether it is called for the empty value too. All others give empty for empty.
    pub(crate) takes_empty: bool,
    pub(crate) call: fn(&Value, &Call<'_>) -> Result<Value, String>,
}

/// An argument of a function.
#[derive(Debug)]
pub struct Argument {
    /// The name on the reference page.
    pub name: &'static str,
    /// What it must be; [`Kind::Any`] also takes empty.
    pub kind: Kind,
    /// How often it is given.
    pub count: Count,
}

/// How often an argument is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Once.
    One,
    /// Once or not at all.
    Optional,
    /// Any number of times, at least once.
    Many,
    /// Any number of times, or not at all.
    Any,
}

const fn one(name: &'static str, kind: Kind) -> Argument {
    Argument { name, kind, count: Count::One }
}

const fn optional(name: &'static str, kind: Kind) -> Argument {
    Argument { name, kind, count: Count::Optional }
}

/// One call: the arguments, already checked against the signature, and what the function may look at.
pub(crate) struct Call<'a> {
    pub arguments: &'a [Cow<'a, Value>],
    pub scope: &'a Scope<'a>,
}

impl Call<'_> {
    fn get(&self, index: usize) -> Option<&Value> {
        self.arguments.get(index).map(AsRef::as_ref)
    }

    /// A text argument; empty text when an optional one is not given.
    fn text(&self, index: usize) -> Cow<'_, str> {
        self.get(index).map(plain).unwrap_or_default()
    }

    /// A whole-number argument within bounds; `None` when an optional one is not given.
    fn integer(&self, index: usize, bounds: RangeInclusive<i64>) -> Result<Option<i64>, String> {
        let Some(value) = self.get(index) else { return Ok(None) };
        value
            .as_number()
            .filter(|number| number.fract().is_zero())
            .and_then(|number| i64::try_from(number.trunc()).ok())
            .filter(|number| bounds.contains(number))
            .map(Some)
            .ok_or_else(|| {
                format!("needs a whole number from {} to {}, not {}", bounds.start(), bounds.end(), value.shown())
            })
    }
}

/// Text as it is, a number as its plain decimal text.
fn plain(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Text(text) => Cow::Borrowed(text),
        Value::Number(number) => Cow::Owned(number.to_string()),
        _ => Cow::Borrowed(""),
    }
}

/// The input of a function whose input is [`Kind::Text`].
fn input_text(input: &Value) -> &str {
    input.as_text().unwrap_or_default()
}

/// The input of a function whose input is [`Kind::List`].
fn input_list(input: &Value) -> &[Value] {
    input.as_list().unwrap_or_default()
}

/// The input of a function whose input is [`Kind::Number`].
fn input_number(input: &Value) -> Decimal {
    input.as_number().unwrap_or_default()
}

/// Functions do not know where in the cell they stand; their caller adds it.
const NOWHERE: Columns = Columns { from: 1, to: 1 };

/// Equality as `==` has it.
fn alike(a: &Value, b: &Value) -> Result<bool, String> {
    equal(a, b, NOWHERE).map_err(|error| error.message)
}

pub(crate) const TEXT_TOO_LONG: &str = "the text is longer than 100 KB";
pub(crate) const LIST_TOO_LONG: &str = "the list has more than 10,000 elements";

impl Function {
    /// The signature as it is written in a cell, such as `text | left(count)`.
    pub fn signature(&self) -> String {
        let mut arguments = Vec::new();
        for argument in self.arguments {
            arguments.push(match argument.count {
                Count::One => argument.name.to_owned(),
                Count::Optional => format!("{}?", argument.name),
                Count::Many => format!("{}, …", argument.name),
                Count::Any => format!("{}?, …", argument.name),
            });
        }
        let brackets = if arguments.is_empty() { String::new() } else { format!("({})", arguments.join(", ")) };
        format!("{} | {}{brackets}", self.input.word(), self.name)
    }

    /// Whether it can be called with so many arguments.
    pub(crate) fn check_count(&self, given: usize) -> Result<(), String> {
        let least = self.arguments.iter().filter(|a| matches!(a.count, Count::One | Count::Many)).count();
        let endless = self.arguments.iter().any(|a| matches!(a.count, Count::Many | Count::Any));
        let most = if endless { usize::MAX } else { self.arguments.len() };
        if (least..=most).contains(&given) {
            return Ok(());
        }
        let wanted = match (least, most) {
            (0, 0) => "no arguments".to_owned(),
            (1, 1) => "1 argument".to_owned(),
            (least, usize::MAX) => format!("at least {least}"),
            (least, most) if least == most => format!("{least} arguments"),
            (least, most) => format!("{least} to {most} arguments"),
        };
        Err(format!("{} takes {wanted}, {given} given: {}", self.name, self.signature()))
    }

    /// The definition behind the argument at a place.
    pub(crate) fn argument(&self, index: usize) -> Option<&Argument> {
        self.arguments.get(index.min(self.arguments.len().checked_sub(1)?))
    }

    pub(crate) fn check_argument(&self, index: usize, value: &Value) -> Result<(), String> {
        match self.argument(index) {
            Some(argument) if !fits(value.kind(), argument.kind) => Err(format!(
                "{} of {} must be {}, this is {}",
                argument.name,
                self.name,
                word(argument.kind),
                value.shown()
            )),
            _ => Ok(()),
        }
    }

    /// The input, a number already turned into text where the function works on text.
    pub(crate) fn check_input<'a>(&self, input: &'a Value) -> Result<Cow<'a, Value>, String> {
        match (self.input, input) {
            (Kind::Text, Value::Number(number)) => Ok(Cow::Owned(Value::Text(number.to_string()))),
            (wanted, input) if fits(input.kind(), wanted) => Ok(Cow::Borrowed(input)),
            (Kind::Number, Value::Text(_)) => {
                Err(format!("{} needs a number, this is {}: put | number before it", self.name, input.shown()))
            }
            (wanted, input) => Err(format!("{} needs {}, this is {}", self.name, word(wanted), input.shown())),
        }
    }
}

/// Whether a value of one kind can be used where another is asked. A number is also a text.
pub(crate) fn fits(given: Kind, wanted: Kind) -> bool {
    given == wanted || wanted == Kind::Any || given == Kind::Any || (given == Kind::Number && wanted == Kind::Text)
}

pub(crate) fn word(kind: Kind) -> String {
    match kind {
        Kind::Any | Kind::Empty | Kind::YesNo => kind.word().to_owned(),
        _ => format!("a {}", kind.word()),
    }
}

/// The function of this name.
pub fn find(name: &str) -> Option<&'static Function> {
    all().iter().copied().find(|function| function.name == name)
}

macro_rules! functions {
    ($($name:ident)*) => {
        $(mod $name;)*

        /// All functions, in the order of the reference page.
        pub fn all() -> &'static [&'static Function] {
            &[$(&$name::FUNCTION),*]
        }
    };
}

functions! {
    trim lower upper left right remove replace split join contains starts_with ends_with length digits slug strip_html
    is_email text
    default null_if_empty
    number round abs min max
    date datetime add_days format_date
    table find r#where pick count sum first last
    country_name split_street
}

/// The made-up record that the examples of the reference page work on.
pub(crate) const EXAMPLE_JSON: &str = include_str!("example.json");

#[cfg(test)]
pub(crate) fn example_record() -> Value {
    Value::from_json(&serde_json::from_str(EXAMPLE_JSON).unwrap())
}

#[cfg(test)]
pub(crate) fn example_tables() -> crate::scope::Tables {
    let terms = [("ideal", "00"), ("bacs", "30")].map(|(code, value)| (code.to_owned(), Value::from(value)));
    [("payment_terms".to_owned(), terms.into())].into()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::cell::Expression;
    use chrono::{TimeZone, Utc};

    /// Evaluates a cell over the example record.
    pub(crate) fn cell(cell: &str) -> Result<Value, String> {
        let tables = example_tables();
        let run = Utc.with_ymd_and_hms(2026, 10, 20, 8, 30, 0).single().unwrap();
        let scope = Scope::new(run).with("source", example_record()).with_tables(&tables);
        Expression::parse(cell).map_err(|e| e.to_string())?.evaluate(&scope).map_err(|e| e.to_string())
    }

    /// The value of a cell as JSON text.
    pub(crate) fn json(text: &str) -> String {
        match cell(text) {
            Ok(value) => value.to_json().to_string(),
            Err(message) => panic!("{text}: {message}"),
        }
    }

    /// The message of a cell that stops.
    pub(crate) fn stops(text: &str) -> String {
        match cell(text) {
            Ok(value) => panic!("{text} gave {value:?}"),
            Err(message) => message,
        }
    }

    #[test]
    fn every_example_gives_what_it_says() {
        for function in all() {
            assert!(!function.examples.is_empty(), "{} has no example", function.name);
            for (text, expected) in function.examples {
                let expected: serde_json::Value = serde_json::from_str(expected).unwrap();
                assert_eq!(json(text), expected.to_string(), "{text}");
                assert!(text.contains(function.name), "{text} does not show {}", function.name);
            }
        }
    }

    #[test]
    fn every_function_but_default_gives_empty_for_empty() {
        for function in all() {
            let arguments: Vec<_> = function
                .arguments
                .iter()
                .map(|argument| if argument.kind == Kind::Number { "1" } else { "\"x\"" })
                .collect();
            let text = format!("none | {}({})", function.name, arguments.join(", "));
            let expected = if function.name == "default" { "\"x\"" } else { "null" };
            assert_eq!(json(&text), expected, "{text}");
        }
    }

    #[test]
    fn names_are_unique_and_documented() {
        let mut names: Vec<_> = all().iter().map(|function| function.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        for function in all() {
            assert!(function.doc.ends_with('.') && !function.doc.contains('\n'), "{}: {}", function.name, function.doc);
        }
    }
}
