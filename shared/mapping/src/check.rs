//! What is known about source and target when a mapping is saved, and the check of one expression against it.

use crate::catalogue::{Field, FieldCatalogue, Found};
use crate::cell::Expression;
use crate::cell::syntax::{Expr, Node, Operator, Step};
use crate::finding::{CellError, FindingCode, nearest};
use crate::functions::{Function, fits, word};
use crate::scope;
use crate::value::{Kind, Value};

/// What is known before any record is seen. What is not given is not checked, except that every variable must be named.
#[derive(Debug, Clone, Default)]
pub struct Checks {
    variables: Vec<(String, Option<FieldCatalogue>)>,
    tables: Option<Vec<String>>,
    pub(crate) target: Option<FieldCatalogue>,
}

impl Checks {
    /// Knows only the built-in variable `run`.
    pub fn new() -> Self {
        Self::default()
    }

    /// A variable of which nothing more is known.
    #[must_use]
    pub fn variable(mut self, name: &str) -> Self {
        self.variables.push((name.to_owned(), None));
        self
    }

    /// A variable whose paths are checked.
    #[must_use]
    pub fn catalogued(mut self, name: &str, catalogue: FieldCatalogue) -> Self {
        self.variables.push((name.to_owned(), Some(catalogue)));
        self
    }

    /// The names of the lookup tables there are.
    #[must_use]
    pub fn tables<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.tables = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// The fields of the target.
    #[must_use]
    pub fn target(mut self, catalogue: FieldCatalogue) -> Self {
        self.target = Some(catalogue);
        self
    }

    /// Checks an expression that stands alone, such as the condition of a filter.
    pub fn expression(&self, expression: &Expression) -> Result<(), Vec<CellError>> {
        let mut errors = Vec::new();
        Checker { checks: self, names: self.names(), errors: &mut errors }.expr(&expression.expr);
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    pub(crate) fn names(&self) -> Vec<(String, Shape<'_>)> {
        let mut names = vec![(scope::RUN.to_owned(), Shape::of(Kind::Group))];
        names.extend(self.variables.iter().map(|(name, catalogue)| {
            (name.clone(), Shape { kind: Kind::Any, field: catalogue.as_ref().map(|catalogue| &catalogue.root) })
        }));
        names
    }
}

/// What is known of a value before the record is seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape<'a> {
    pub kind: Kind,
    /// What is inside, when it comes from a record with a catalogue.
    pub field: Option<&'a Field>,
}

impl<'a> Shape<'a> {
    pub(crate) fn of(kind: Kind) -> Self {
        Shape { kind, field: None }
    }

    /// An element of this list.
    pub(crate) fn element(self) -> Self {
        Shape { kind: Kind::Any, field: self.field.and_then(|field| field.element.as_deref()) }
    }

    /// What both have in common.
    fn or(self, other: Self) -> Self {
        let kind = match (self.kind, other.kind) {
            (a, b) if a == b => a,
            (Kind::Empty, kind) | (kind, Kind::Empty) => kind,
            _ => Kind::Any,
        };
        let same = self.field.zip(other.field).filter(|(a, b)| std::ptr::eq(*a, *b)).map(|(a, _): (&'a Field, _)| a);
        Shape { kind, field: same }
    }
}

/// Walks an expression, gathering what is wrong with it.
pub(crate) struct Checker<'a, 'e> {
    pub checks: &'a Checks,
    pub names: Vec<(String, Shape<'a>)>,
    pub errors: &'e mut Vec<CellError>,
}

impl<'a> Checker<'a, '_> {
    pub(crate) fn expr(&mut self, expr: &Expr) -> Shape<'a> {
        match &expr.node {
            Node::Constant(value) => Shape::of(value.kind()),
            Node::List(items) => {
                for item in items {
                    self.expr(item);
                }
                Shape::of(Kind::List)
            }
            Node::Variable(name) => self.variable(name, expr),
            Node::Member(base, step) => self.member(base, step, expr),
            Node::Call { function, input, arguments } => self.call(function, input, arguments, expr),
            Node::Negate(inner) => {
                self.number(inner);
                Shape::of(Kind::Number)
            }
            Node::Not(inner) => {
                self.condition(inner);
                Shape::of(Kind::YesNo)
            }
            Node::Binary(operator, left, right) => self.binary(*operator, left, right, expr),
            Node::If { then, condition, otherwise } => {
                self.condition(condition);
                let then = self.expr(then);
                match otherwise {
                    Some(otherwise) => then.or(self.expr(otherwise)),
                    None => then,
                }
            }
        }
    }

    /// An expression that must be yes or no.
    pub(crate) fn condition(&mut self, expr: &Expr) {
        let kind = self.expr(expr).kind;
        if !matches!(kind, Kind::YesNo | Kind::Any) {
            self.wrong(expr, format!("a condition must be yes or no, this is {}", word(kind)));
        }
    }

    fn number(&mut self, expr: &Expr) {
        let kind = self.expr(expr).kind;
        if !matches!(kind, Kind::Number | Kind::Any) {
            let hint = if kind == Kind::Text { ": write … | number" } else { "" };
            self.wrong(expr, format!("a number is needed, this is {}{hint}", word(kind)));
        }
    }

    fn wrong(&mut self, expr: &Expr, message: String) {
        self.errors.push(CellError::new(FindingCode::WrongType, expr.columns, message));
    }

    fn variable(&mut self, name: &str, expr: &Expr) -> Shape<'a> {
        if let Some((_, shape)) = self.names.iter().rev().find(|(known, _)| known == name) {
            return *shape;
        }
        let near =
            if name == "null" { Some("none") } else { nearest(name, self.names.iter().map(|(name, _)| name.as_str())) };
        let error = CellError::new(FindingCode::UnknownVariable, expr.columns, format!("unknown variable «{name}»"));
        self.errors.push(error.suggest(near));
        Shape::of(Kind::Any)
    }

    fn member(&mut self, base: &Expr, step: &Step, expr: &Expr) -> Shape<'a> {
        let base = self.expr(base);
        if let (Kind::Text | Kind::Number | Kind::YesNo, step) = (base.kind, step) {
            let part = match step {
                Step::Name(name) => format!("no field «{name}»"),
                Step::Index(_) => "no elements".to_owned(),
            };
            self.wrong(expr, format!("{} has {part}", word(base.kind)));
            return Shape::of(Kind::Any);
        }
        match step {
            Step::Index(_) => base.element(),
            Step::Name(name) => {
                Shape { kind: Kind::Any, field: base.field.and_then(|field| self.child(field, name, expr)) }
            }
        }
    }

    fn child(&mut self, field: &'a Field, name: &str, expr: &Expr) -> Option<&'a Field> {
        if field.element.is_some() && field.fields.is_empty() {
            self.wrong(expr, format!("this is a list, it has no field «{name}»: take one element, for instance [0]"));
            return None;
        }
        match field.child(name) {
            Found::Field(inner) => Some(inner),
            Found::Open => None,
            Found::Missing(near) => {
                let error =
                    CellError::new(FindingCode::UnknownPath, expr.columns, format!("there is no field «{name}» here"));
                self.errors.push(error.suggest(near));
                None
            }
        }
    }

    fn call(&mut self, function: &Function, input: &Expr, arguments: &[Expr], whole: &Expr) -> Shape<'a> {
        let shape = self.expr(input);
        if shape.kind != Kind::Empty && !fits(shape.kind, function.input) {
            let hint = if function.input == Kind::Number { ": put | number before it" } else { "" };
            let message =
                format!("{} needs {}, this is {}{hint}", function.name, word(function.input), word(shape.kind));
            self.wrong(whole, message);
        }
        let mut last = Shape::of(Kind::Any);
        for (index, argument) in arguments.iter().enumerate() {
            last = self.expr(argument);
            let Some(signature) = function.argument(index) else { continue };
            if !fits(last.kind, signature.kind) {
                let message = format!(
                    "{} of {} must be {}, this is {}",
                    signature.name,
                    function.name,
                    word(signature.kind),
                    word(last.kind)
                );
                self.wrong(argument, message);
            }
        }
        if let Some((Expr { node: Node::Constant(Value::Text(name)), .. }, first)) = arguments.first().map(|a| (a, a)) {
            self.named(function.name, name, shape, first);
        }
        match function.name {
            "where" => Shape { kind: Kind::List, field: shape.field },
            "find" | "first" | "last" => shape.element(),
            "null_if_empty" => shape,
            "default" if shape.kind == Kind::Empty => last,
            // An unknown value stays unknown, but its paths are still those of the record.
            "default" => Shape { kind: shape.or(last).kind, field: shape.field },
            _ => Shape::of(function.returns),
        }
    }

    /// The first argument of some functions is the name of something.
    fn named(&mut self, function: &str, name: &str, input: Shape<'a>, argument: &Expr) {
        match function {
            "table" => {
                let Some(tables) = &self.checks.tables else { return };
                if !tables.iter().any(|table| table == name) {
                    let error = CellError::new(
                        FindingCode::UnknownTable,
                        argument.columns,
                        format!("there is no table «{name}»"),
                    );
                    self.errors.push(error.suggest(nearest(name, tables.iter().map(String::as_str))));
                }
            }
            "pick" | "sum" | "find" | "where" => {
                let mut field = input.element().field;
                for part in name.split('.').filter(|_| !name.contains('[')) {
                    field = field.and_then(|field| self.child(field, part, argument));
                }
            }
            _ => {}
        }
    }

    fn binary(&mut self, operator: Operator, left: &Expr, right: &Expr, whole: &Expr) -> Shape<'a> {
        match operator {
            Operator::And | Operator::Or => {
                self.condition(left);
                self.condition(right);
                Shape::of(Kind::YesNo)
            }
            Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Divide => {
                self.number(left);
                self.number(right);
                if operator == Operator::Divide
                    && matches!(&right.node, Node::Constant(Value::Number(zero)) if zero.is_zero())
                {
                    self.wrong(right, "division by zero".to_owned());
                }
                Shape::of(Kind::Number)
            }
            Operator::Join => {
                for side in [left, right] {
                    let kind = self.expr(side).kind;
                    if !matches!(kind, Kind::Text | Kind::Number | Kind::Empty | Kind::Any) {
                        self.wrong(side, format!("~ joins texts and numbers, this is {}", word(kind)));
                    }
                }
                Shape::of(Kind::Text)
            }
            Operator::In | Operator::NotIn => {
                self.expr(left);
                self.expr(right);
                Shape::of(Kind::YesNo)
            }
            _ => {
                self.compared(operator, left, right, whole);
                Shape::of(Kind::YesNo)
            }
        }
    }

    fn compared(&mut self, operator: Operator, left: &Expr, right: &Expr, whole: &Expr) {
        let (a, b) = (self.expr(left).kind, self.expr(right).kind);
        let blank = |expr: &Expr| matches!(&expr.node, Node::Constant(Value::Text(text)) if text.is_empty());
        let equality = matches!(operator, Operator::Equal | Operator::Unequal);
        let asks_for_nothing = a == Kind::Empty || b == Kind::Empty || blank(left) || blank(right);
        if a == Kind::Any
            || b == Kind::Any
            || (a == b && (equality || matches!(a, Kind::Number | Kind::Text)))
            || (equality && asks_for_nothing)
        {
            return;
        }
        let hint = if a != b && [a, b].iter().all(|kind| matches!(kind, Kind::Text | Kind::Number)) {
            ": write … | number on the text"
        } else {
            ""
        };
        self.wrong(whole, format!("{} cannot be compared with {} by {}{hint}", word(a), word(b), operator.sign()));
    }
}
