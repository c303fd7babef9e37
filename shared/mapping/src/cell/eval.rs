//! Evaluates an expression. Total: every cell ends in a value or in an error with its columns.

use std::borrow::Cow;
use std::cmp::Ordering;

use rust_decimal::Decimal;

use super::syntax::{Expr, Node, Operator, Step};
use crate::finding::{CellError, Columns, FindingCode};
use crate::functions::{self, Call};
use crate::scope::{Budget, Frame, Scope};
use crate::value::{EMPTY, Value};
use crate::{limits, number};

/// What an expression can see.
#[derive(Clone, Copy)]
pub(crate) struct Env<'a> {
    pub scope: &'a Scope<'a>,
    pub frame: Option<&'a Frame<'a>>,
    pub budget: &'a Budget,
}

impl<'a> Env<'a> {
    fn variable(self, name: &str) -> Option<&'a Value> {
        let mut frame = self.frame;
        while let Some(here) = frame {
            if let Some(value) = here.get(name) {
                return Some(value);
            }
            frame = here.parent;
        }
        self.scope.variable(name)
    }
}

type Evaluated<'a> = Result<Cow<'a, Value>, CellError>;

fn stop<T>(columns: Columns, message: impl Into<String>) -> Result<T, CellError> {
    Err(CellError::new(FindingCode::WrongType, columns, message))
}

pub(crate) fn eval<'a>(expr: &'a Expr, env: Env<'a>) -> Evaluated<'a> {
    charge(env, 1, expr.columns)?;
    match &expr.node {
        Node::Constant(value) => Ok(Cow::Borrowed(value)),
        Node::List(items) => {
            let items = items.iter().map(|item| owned(item, env)).collect::<Result<Vec<_>, _>>()?;
            Ok(Cow::Owned(Value::List(items)))
        }
        Node::Variable(name) => env.variable(name).map(Cow::Borrowed).ok_or_else(|| {
            CellError::new(FindingCode::UnknownVariable, expr.columns, format!("unknown variable «{name}»"))
        }),
        Node::Member(base, step) => member(eval(base, env)?, step, expr.columns),
        Node::Call { function, input, arguments } => {
            let value = eval(input, env)?;
            if value.is_empty() && !function.takes_empty {
                return Ok(Cow::Borrowed(&EMPTY));
            }
            call(function, &value, arguments, expr, env).map(Cow::Owned)
        }
        Node::Negate(inner) => {
            let number = to_number(&*eval(inner, env)?, inner.columns)?;
            Ok(Cow::Owned(Value::Number(if number.is_zero() { number } else { -number })))
        }
        Node::Not(inner) => Ok(Cow::Owned(Value::Bool(!condition(inner, env)?))),
        Node::Binary(operator, left, right) => binary(*operator, left, right, expr, env),
        Node::If { then, condition: test, otherwise } => match (condition(test, env)?, otherwise) {
            (true, _) => eval(then, env),
            (false, Some(otherwise)) => eval(otherwise, env),
            (false, None) => Ok(Cow::Borrowed(&EMPTY)),
        },
    }
}

/// Evaluates and copies, against the budget.
pub(crate) fn owned(expr: &Expr, env: Env<'_>) -> Result<Value, CellError> {
    let value = eval(expr, env)?;
    if let Cow::Borrowed(value) = &value {
        charge(env, value.weight(), expr.columns)?;
    }
    Ok(value.into_owned())
}

/// A condition is yes or no; nothing else is taken for either.
pub(crate) fn condition(expr: &Expr, env: Env<'_>) -> Result<bool, CellError> {
    match &*eval(expr, env)? {
        Value::Bool(yes) => Ok(*yes),
        Value::Empty => stop(
            expr.columns,
            "a condition must be yes or no, this is empty: to ask whether there is a value write … != none",
        ),
        other => stop(expr.columns, format!("a condition must be yes or no, this is {}", other.shown())),
    }
}

fn charge(env: Env<'_>, steps: u64, columns: Columns) -> Result<(), CellError> {
    if env.budget.spend(steps) {
        return Ok(());
    }
    Err(CellError::new(FindingCode::TooLarge, columns, "the record needs more steps than a record may take"))
}

fn member<'a>(base: Cow<'a, Value>, step: &Step, columns: Columns) -> Evaluated<'a> {
    let inside = match (&*base, step) {
        (Value::Group(_), Step::Name(_)) | (Value::List(_), Step::Index(_)) => true,
        (Value::Empty, _) => false,
        // PHP shops write an empty group as `[]`, `""` or `false`: there is nothing in it, whatever it was.
        (Value::List(items), Step::Name(_)) if items.is_empty() => false,
        (Value::Text(text), _) if text.is_empty() => false,
        (Value::Bool(false), _) => false,
        (Value::List(_), Step::Name(name)) => {
            return stop(columns, format!("a list has no field «{name}»: take one element, for instance [0]"));
        }
        (Value::Group(_), Step::Index(_)) => return stop(columns, "a group has no numbered elements"),
        (other, Step::Name(name)) => return stop(columns, format!("{} has no field «{name}»", other.shown())),
        (other, Step::Index(_)) => return stop(columns, format!("{} has no elements", other.shown())),
    };
    if !inside {
        return Ok(Cow::Borrowed(&EMPTY));
    }
    Ok(match (base, step) {
        (Cow::Borrowed(Value::Group(fields)), Step::Name(name)) => Cow::Borrowed(fields.get(name).unwrap_or(&EMPTY)),
        (Cow::Borrowed(Value::List(items)), Step::Index(index)) => Cow::Borrowed(items.get(*index).unwrap_or(&EMPTY)),
        (Cow::Owned(Value::Group(mut fields)), Step::Name(name)) => {
            Cow::Owned(fields.swap_remove(name).unwrap_or_default())
        }
        (Cow::Owned(Value::List(mut items)), Step::Index(index)) if *index < items.len() => {
            Cow::Owned(items.swap_remove(*index))
        }
        _ => Cow::Borrowed(&EMPTY),
    })
}

fn call(
    function: &functions::Function,
    input: &Value,
    arguments: &[Expr],
    whole: &Expr,
    env: Env<'_>,
) -> Result<Value, CellError> {
    let mut values = Vec::with_capacity(arguments.len());
    for (index, argument) in arguments.iter().enumerate() {
        let value = eval(argument, env)?;
        function.check_argument(index, &value).or_else(|message| stop(argument.columns, message))?;
        values.push(value);
    }
    let input = function.check_input(input).or_else(|message| stop(whole.columns, message))?;
    // A function looks at all of its input, whatever little it gives.
    let looked_at = match &*input {
        Value::Text(text) => text.len() / 64,
        Value::List(items) => items.len(),
        _ => 0,
    };
    charge(env, looked_at as u64, whole.columns)?;
    let made = (function.call)(&input, &Call { arguments: &values, scope: env.scope })
        .or_else(|message| stop(whole.columns, message))?;
    charge(env, made.weight(), whole.columns)?;
    within_caps(made, whole.columns)
}

fn within_caps(value: Value, columns: Columns) -> Result<Value, CellError> {
    let message = match &value {
        Value::Text(text) if text.len() > limits::TEXT_BYTES => functions::TEXT_TOO_LONG,
        Value::List(items) if items.len() > limits::LIST_ITEMS => functions::LIST_TOO_LONG,
        _ => return Ok(value),
    };
    Err(CellError::new(FindingCode::TooLarge, columns, message))
}

fn binary<'a>(operator: Operator, left: &'a Expr, right: &'a Expr, whole: &Expr, env: Env<'a>) -> Evaluated<'a> {
    let answer = |yes| Ok(Cow::Owned(Value::Bool(yes)));
    match operator {
        Operator::And => return answer(condition(left, env)? && condition(right, env)?),
        Operator::Or => return answer(condition(left, env)? || condition(right, env)?),
        _ => {}
    }
    let (a, b) = (eval(left, env)?, eval(right, env)?);
    if matches!(&*a, Value::List(_) | Value::Group(_)) {
        charge(env, a.weight(), left.columns)?;
    }
    match operator {
        Operator::Equal => answer(equal(&a, &b, whole.columns)?),
        Operator::Unequal => answer(!equal(&a, &b, whole.columns)?),
        Operator::In => answer(contained(&a, &b, whole.columns)?),
        Operator::NotIn => answer(!contained(&a, &b, whole.columns)?),
        Operator::Less => answer(order(&a, &b, whole.columns)?.is_lt()),
        Operator::LessOrEqual => answer(order(&a, &b, whole.columns)?.is_le()),
        Operator::Greater => answer(order(&a, &b, whole.columns)?.is_gt()),
        Operator::GreaterOrEqual => answer(order(&a, &b, whole.columns)?.is_ge()),
        Operator::Join => {
            let (mut joined, tail) = (to_joinable(&a, left.columns)?.into_owned(), to_joinable(&b, right.columns)?);
            charge(env, (joined.len() + tail.len()) as u64 / 64, whole.columns)?;
            joined.push_str(&tail);
            within_caps(Value::Text(joined), whole.columns).map(Cow::Owned)
        }
        _ => {
            let number = calculate(operator, to_number(&a, left.columns)?, to_number(&b, right.columns)?);
            number.map(|number| Cow::Owned(Value::Number(number))).or_else(|message| stop(whole.columns, message))
        }
    }
}

fn calculate(operator: Operator, a: Decimal, b: Decimal) -> Result<Decimal, &'static str> {
    let result = match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        _ if b.is_zero() => return Err("division by zero"),
        _ => a.checked_div(b),
    };
    // A product of zero and a negative number is zero, not «-0».
    let result = result.ok_or("the result is too large a number")?;
    Ok(if result.is_zero() { Decimal::new(0, result.scale()) } else { result })
}

fn to_number(value: &Value, columns: Columns) -> Result<Decimal, CellError> {
    match value {
        Value::Number(number) => Ok(*number),
        Value::Empty => stop(columns, "this is empty, a number is needed: | default(0) gives one"),
        Value::Text(text) if number::parse_lossy(text.trim()).is_some() => {
            stop(columns, format!("{} is no number yet: write … | number", value.shown()))
        }
        other => stop(columns, format!("{} is not a number", other.shown())),
    }
}

fn to_joinable<'a>(value: &'a Value, columns: Columns) -> Result<Cow<'a, str>, CellError> {
    match value {
        Value::Empty => Ok(Cow::Borrowed("")),
        Value::Text(text) => Ok(Cow::Borrowed(text)),
        Value::Number(number) => Ok(Cow::Owned(number.to_string())),
        other => stop(columns, format!("~ joins texts and numbers, this is {}", other.shown())),
    }
}

/// Equality of like with like; anything may be compared with empty.
pub(crate) fn equal(a: &Value, b: &Value, columns: Columns) -> Result<bool, CellError> {
    // «Is it the empty text?» may be asked of anything.
    let blank = |value: &Value| matches!(value, Value::Text(text) if text.is_empty());
    if a.is_empty() || b.is_empty() || blank(a) || blank(b) || a.kind() == b.kind() {
        return Ok(a == b);
    }
    unlike(a, b, columns)
}

fn unlike<T>(a: &Value, b: &Value, columns: Columns) -> Result<T, CellError> {
    let hint = match (a, b) {
        (Value::Text(_), Value::Number(_)) | (Value::Number(_), Value::Text(_)) => ": write … | number on the text",
        _ => "",
    };
    stop(columns, format!("{} cannot be compared with {}{hint}", a.shown(), b.shown()))
}

/// The order of two numbers or two texts.
pub(crate) fn order(a: &Value, b: &Value, columns: Columns) -> Result<Ordering, CellError> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Ok(a.cmp(b)),
        // As texts "9" comes after "10". Shops send amounts as texts, so this would go wrong without a word.
        (Value::Text(x), Value::Text(y))
            if number::parse_lossy(x.trim()).is_some() && number::parse_lossy(y.trim()).is_some() =>
        {
            stop(
                columns,
                format!("{} and {} are texts that hold numbers: write … | number on both", a.shown(), b.shown()),
            )
        }
        (Value::Text(a), Value::Text(b)) => Ok(a.cmp(b)),
        _ => unlike(a, b, columns),
    }
}

fn contained(a: &Value, b: &Value, columns: Columns) -> Result<bool, CellError> {
    match (a, b) {
        (_, Value::Empty) => Ok(false),
        (a, Value::List(items)) => {
            for item in items {
                if equal(a, item, columns)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        (Value::Empty, Value::Text(_)) => Ok(false),
        (Value::Text(part), Value::Text(whole)) => Ok(whole.contains(part.as_str())),
        (a, b) => stop(columns, format!("{} cannot be in {}", a.shown(), b.shown())),
    }
}
