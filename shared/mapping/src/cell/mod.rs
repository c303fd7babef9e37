//! One cell: read once, evaluated for every record.

pub(crate) mod eval;
mod lexer;
mod parser;
pub(crate) mod syntax;

use std::fmt;

use crate::finding::CellError;
use crate::scope::{Budget, Scope};
use crate::value::Value;
use eval::{Env, condition, eval};
use syntax::Expr;

pub(crate) use parser::is_name;

/// A single expression outside a row file, such as the condition of a flow's filter.
///
/// Printing it gives a canonical form that reads back as the same expression.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    pub(crate) expr: Expr,
}

impl Expression {
    /// Reads a cell. Function names and the number of their arguments are checked; variables are not, see
    /// [`crate::Checks::expression`].
    pub fn parse(cell: &str) -> Result<Self, CellError> {
        parser::parse(cell).map(|expr| Expression { expr })
    }

    /// The value for this record.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, CellError> {
        let budget = Budget::new(scope.steps());
        eval(&self.expr, Env { scope, frame: None, budget: &budget }).map(std::borrow::Cow::into_owned)
    }

    /// The answer for this record of an expression that must be yes or no.
    pub fn holds(&self, scope: &Scope<'_>) -> Result<bool, CellError> {
        let budget = Budget::new(scope.steps());
        condition(&self.expr, Env { scope, frame: None, budget: &budget })
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.fmt(f)
    }
}
