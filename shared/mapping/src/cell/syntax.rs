//! The tree of an expression, and how it is printed back.

use std::fmt::{self, Write as _};

use crate::finding::Columns;
use crate::functions::Function;
use crate::value::Value;

/// One node, with the part of the cell it was read from.
#[derive(Debug, Clone)]
pub(crate) struct Expr {
    pub node: Node,
    pub columns: Columns,
    /// Levels below this one; kept small by the parser so that walking the tree cannot exhaust the stack.
    pub depth: usize,
}

#[derive(Debug, Clone)]
pub(crate) enum Node {
    Constant(Value),
    List(Vec<Expr>),
    Variable(String),
    Member(Box<Expr>, Step),
    Call { function: &'static Function, input: Box<Expr>, arguments: Vec<Expr> },
    Negate(Box<Expr>),
    Not(Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    If { then: Box<Expr>, condition: Box<Expr>, otherwise: Option<Box<Expr>> },
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    Name(String),
    Index(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
    Add,
    Subtract,
    Join,
    Multiply,
    Divide,
}

impl Operator {
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Operator::Or => "or",
            Operator::And => "and",
            Operator::Equal => "==",
            Operator::Unequal => "!=",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
            Operator::In => "in",
            Operator::NotIn => "not in",
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Join => "~",
            Operator::Multiply => "*",
            Operator::Divide => "/",
        }
    }

    /// How tightly it binds, as in Jinja: `+` and `-` bind less tightly than `~`, `~` less than `*` and `/`.
    fn rank(self) -> u8 {
        match self {
            Operator::Or => rank::OR,
            Operator::And => rank::AND,
            Operator::Add | Operator::Subtract => rank::SUM,
            Operator::Join => rank::JOIN,
            Operator::Multiply | Operator::Divide => rank::PRODUCT,
            _ => rank::COMPARE,
        }
    }
}

/// Binding strengths, weakest first.
mod rank {
    pub const IF: u8 = 0;
    pub const OR: u8 = 1;
    pub const AND: u8 = 2;
    pub const NOT: u8 = 3;
    pub const COMPARE: u8 = 4;
    pub const SUM: u8 = 5;
    pub const JOIN: u8 = 6;
    pub const PRODUCT: u8 = 7;
    pub const FILTER: u8 = 8;
    pub const NEGATE: u8 = 9;
    pub const POSTFIX: u8 = 10;
}

impl Expr {
    fn rank(&self) -> u8 {
        match &self.node {
            Node::Constant(_) | Node::List(_) | Node::Variable(_) | Node::Member(..) => rank::POSTFIX,
            Node::Call { .. } => rank::FILTER,
            Node::Negate(_) => rank::NEGATE,
            Node::Not(_) => rank::NOT,
            Node::Binary(operator, ..) => operator.rank(),
            Node::If { .. } => rank::IF,
        }
    }

    /// Prints with brackets only where the bare form would be read differently.
    fn print(&self, f: &mut fmt::Formatter<'_>, least: u8) -> fmt::Result {
        if self.rank() < least {
            f.write_char('(')?;
            self.print(f, rank::IF)?;
            return f.write_char(')');
        }
        match &self.node {
            Node::Constant(value) => constant(f, value),
            Node::List(items) => {
                f.write_char('[')?;
                separated(f, items)?;
                f.write_char(']')
            }
            Node::Variable(name) => f.write_str(name),
            Node::Member(base, step) => {
                base.print(f, rank::POSTFIX)?;
                match step {
                    Step::Name(name) if plain_name(name) => write!(f, ".{name}"),
                    Step::Name(name) => {
                        f.write_char('[')?;
                        text(f, name)?;
                        f.write_char(']')
                    }
                    Step::Index(index) => write!(f, "[{index}]"),
                }
            }
            Node::Call { function, input, arguments } => {
                input.print(f, rank::FILTER)?;
                write!(f, " | {}", function.name)?;
                if !arguments.is_empty() {
                    f.write_char('(')?;
                    separated(f, arguments)?;
                    f.write_char(')')?;
                }
                Ok(())
            }
            Node::Negate(inner) => {
                f.write_char('-')?;
                inner.print(f, rank::NEGATE)
            }
            Node::Not(inner) => {
                f.write_str("not ")?;
                inner.print(f, rank::NOT)
            }
            Node::Binary(operator, left, right) => {
                let rank = operator.rank();
                // Comparisons do not chain, all others read from left to right.
                left.print(f, if rank == rank::COMPARE { rank + 1 } else { rank })?;
                write!(f, " {} ", operator.sign())?;
                right.print(f, rank + 1)
            }
            Node::If { then, condition, otherwise } => {
                then.print(f, rank::OR)?;
                f.write_str(" if ")?;
                condition.print(f, rank::OR)?;
                if let Some(otherwise) = otherwise {
                    f.write_str(" else ")?;
                    otherwise.print(f, rank::IF)?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print(f, rank::IF)
    }
}

/// Equal when they mean the same; where they stood in the cell does not count.
impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        match (&self.node, &other.node) {
            (Node::Constant(a), Node::Constant(b)) => a == b,
            (Node::List(a), Node::List(b)) => a == b,
            (Node::Variable(a), Node::Variable(b)) => a == b,
            (Node::Member(a, step_a), Node::Member(b, step_b)) => step_a == step_b && a == b,
            (
                Node::Call { function: f, input: i, arguments: a },
                Node::Call { function: g, input: j, arguments: b },
            ) => f.name == g.name && i == j && a == b,
            (Node::Negate(a), Node::Negate(b)) | (Node::Not(a), Node::Not(b)) => a == b,
            (Node::Binary(o, a, b), Node::Binary(p, c, d)) => o == p && a == c && b == d,
            (Node::If { then: a, condition: b, otherwise: c }, Node::If { then: d, condition: e, otherwise: g }) => {
                a == d && b == e && c == g
            }
            _ => false,
        }
    }
}

fn separated(f: &mut fmt::Formatter<'_>, items: &[Expr]) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        item.print(f, rank::IF)?;
    }
    Ok(())
}

fn constant(f: &mut fmt::Formatter<'_>, value: &Value) -> fmt::Result {
    match value {
        Value::Bool(true) => f.write_str("true"),
        Value::Bool(false) => f.write_str("false"),
        Value::Number(number) => write!(f, "{number}"),
        Value::Text(content) => text(f, content),
        // Lists and groups are never constants of an expression; they have nodes of their own or come from the record.
        Value::Empty | Value::List(_) | Value::Group(_) => f.write_str("none"),
    }
}

fn text(f: &mut fmt::Formatter<'_>, content: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in content.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\t' => f.write_str("\\t")?,
            '\r' => f.write_str("\\r")?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}

pub(super) fn plain_name(name: &str) -> bool {
    name.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}
