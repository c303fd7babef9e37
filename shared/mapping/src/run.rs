//! Maps one record: evaluates the rows of a compiled mapping in order.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;

use crate::catalogue::Field;
use crate::cell::eval::{Env, condition, eval, owned};
use crate::cell::syntax::Expr;
use crate::convert::convert;
use crate::finding::{CellError, Columns, RowError};
use crate::functions;
use crate::limits;
use crate::scope::{Budget, Frame, Scope};
use crate::value::{Group, Value};

/// A compiled mapping. Immutable; shared between threads and used for every record.
#[derive(Debug, Clone)]
pub struct Mapping {
    pub(crate) name: String,
    pub(crate) lets: Vec<Named>,
    pub(crate) lists: Vec<CompiledList>,
    pub(crate) fields: Vec<Named>,
}

#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub name: String,
    pub cell: Compiled,
}

#[derive(Debug, Clone)]
pub(crate) struct CompiledList {
    pub name: String,
    /// The field that takes the list, by which its rows are explained.
    pub shown: String,
    pub cell: Compiled,
}

#[derive(Debug, Clone)]
pub(crate) struct Compiled {
    pub origin: Arc<str>,
    pub row: String,
    pub what: What,
    /// The target field an expression's value is converted to.
    pub field: Option<Field>,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    Expression { expr: Expr, text: String },
    Constant(Value),
    Group(Vec<Named>),
    Items(Vec<CompiledItem>),
}

#[derive(Debug, Clone)]
pub(crate) enum CompiledItem {
    One(Box<Compiled>),
    Block(Box<CompiledBlock>),
}

#[derive(Debug, Clone)]
pub(crate) struct CompiledBlock {
    /// The list the block is part of, as errors name it.
    pub list: String,
    pub each: Compiled,
    pub name: String,
    pub when: Option<Compiled>,
    pub lets: Vec<Named>,
    pub body: Compiled,
}

/// A mapped record with, for each value, who decided it.
#[derive(Debug, Clone, PartialEq)]
pub struct Traced {
    /// The target value.
    pub value: Value,
    /// One entry for each row that was evaluated, in order.
    pub rows: Vec<TracedRow>,
}

/// Who decided one value.
#[derive(Debug, Clone, PartialEq)]
pub struct TracedRow {
    /// The path in the target, such as `lines[0].sku`.
    pub path: String,
    /// The file the row is in.
    pub origin: String,
    /// The cell as it is written; a constant as JSON.
    pub cell: String,
    /// What it gave.
    pub value: Value,
}

impl Mapping {
    /// Reads a row file; see [`crate::RowFile::parse`].
    pub fn parse(file: &str, yaml: &str) -> Result<crate::RowFile, Vec<crate::Finding>> {
        crate::RowFile::parse(file, yaml)
    }

    /// The name of the mapping.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Maps a record.
    pub fn evaluate(&self, scope: &Scope<'_>) -> Result<Value, RowError> {
        self.run(scope, None)
    }

    /// Maps a record and tells, for each value, which row of which file decided it.
    pub fn evaluate_traced(&self, scope: &Scope<'_>) -> Result<Traced, RowError> {
        let trace = RefCell::new(Vec::new());
        let value = self.run(scope, Some(&trace))?;
        Ok(Traced { value, rows: trace.into_inner() })
    }

    fn run(&self, scope: &Scope<'_>, trace: Option<&RefCell<Vec<TracedRow>>>) -> Result<Value, RowError> {
        let budget = Budget::new(scope.steps());
        let mut frame = Frame { parent: None, names: Vec::with_capacity(self.lets.len() + self.lists.len()) };
        let silent = Runner { trace: None };
        let told = Runner { trace };
        for named in &self.lets {
            let value = silent.cell(&named.cell, Env { scope, frame: Some(&frame), budget: &budget }, "")?;
            frame.names.push((&named.name, Cow::Owned(value)));
        }
        for list in &self.lists {
            let value = told.cell(&list.cell, Env { scope, frame: Some(&frame), budget: &budget }, &list.shown)?;
            frame.names.push((&list.name, Cow::Owned(value)));
        }
        told.group(&self.fields, Env { scope, frame: Some(&frame), budget: &budget }, "")
    }
}

struct Runner<'t> {
    trace: Option<&'t RefCell<Vec<TracedRow>>>,
}

impl Runner<'_> {
    /// The path of an inner value; only made when somebody will read it.
    fn path(&self, above: &str, name: std::fmt::Arguments<'_>) -> String {
        match self.trace {
            None => String::new(),
            Some(_) if above.is_empty() => name.to_string().trim_start_matches('.').to_owned(),
            Some(_) => format!("{above}{name}"),
        }
    }

    fn tell(&self, cell: &Compiled, path: &str, value: &Value) {
        if let Some(trace) = self.trace {
            let written = match &cell.what {
                What::Expression { text, .. } => text.clone(),
                _ => value.to_json().to_string(),
            };
            let row = TracedRow {
                path: path.to_owned(),
                origin: cell.origin.to_string(),
                cell: written,
                value: value.clone(),
            };
            trace.borrow_mut().push(row);
        }
    }

    fn cell(&self, cell: &Compiled, env: Env<'_>, path: &str) -> Result<Value, RowError> {
        match &cell.what {
            What::Expression { expr, .. } => {
                let mut value = owned(expr, env).map_err(|error| at_cell(cell, error))?;
                if let Some(field) = &cell.field {
                    value = convert(value, field).map_err(|(inside, why)| {
                        let message = if inside.is_empty() { why } else { format!("{inside}: {why}") };
                        at_row(cell, Some(expr.columns), message)
                    })?;
                }
                self.tell(cell, path, &value);
                Ok(value)
            }
            What::Constant(value) => {
                if !env.budget.spend(value.weight()) {
                    return Err(at_row(cell, None, "the record needs more steps than a record may take".to_owned()));
                }
                self.tell(cell, path, value);
                Ok(value.clone())
            }
            What::Group(fields) => self.group(fields, env, path),
            What::Items(items) => {
                let mut list = Vec::new();
                for item in items {
                    match item {
                        CompiledItem::One(element) => {
                            let path = self.path(path, format_args!("[{}]", list.len()));
                            list.push(self.cell(element, env, &path)?);
                        }
                        CompiledItem::Block(block) => self.block(block, env, path, &mut list)?,
                    }
                    if list.len() > limits::LIST_ITEMS {
                        return Err(at_row(cell, None, functions::LIST_TOO_LONG.to_owned()));
                    }
                }
                Ok(Value::List(list))
            }
        }
    }

    fn group(&self, fields: &[Named], env: Env<'_>, path: &str) -> Result<Value, RowError> {
        let mut group = Group::with_capacity(fields.len());
        for named in fields {
            let path = self.path(path, format_args!(".{}", named.name));
            group.insert(named.name.clone(), self.cell(&named.cell, env, &path)?);
        }
        Ok(Value::Group(group))
    }

    fn block(&self, block: &CompiledBlock, env: Env<'_>, path: &str, list: &mut Vec<Value>) -> Result<(), RowError> {
        let in_list = |mut error: RowError| {
            error.row = format!("{}: {}", block.list, error.row);
            error
        };
        let What::Expression { expr, .. } = &block.each.what else { return Ok(()) };
        let elements = eval(expr, env).map_err(|error| in_list(at_cell(&block.each, error)))?;
        let elements = match &*elements {
            Value::Empty => return Ok(()),
            Value::List(elements) => elements,
            other => {
                let message = format!("each needs a list, this is {}", other.shown());
                return Err(in_list(at_row(&block.each, Some(expr.columns), message)));
            }
        };
        for (index, element) in elements.iter().enumerate() {
            let made = self
                .line(block, element, env, path, list.len())
                .map_err(|error| on_line(error, &block.list, index + 1))?;
            list.extend(made);
            if list.len() > limits::LIST_ITEMS {
                return Err(in_list(at_row(&block.each, None, functions::LIST_TOO_LONG.to_owned())));
            }
        }
        Ok(())
    }

    /// One element; nothing if the block's condition leaves it out.
    fn line(
        &self,
        block: &CompiledBlock,
        element: &Value,
        env: Env<'_>,
        path: &str,
        place: usize,
    ) -> Result<Option<Value>, RowError> {
        let mut frame = Frame { parent: env.frame, names: Vec::with_capacity(1 + block.lets.len()) };
        frame.names.push((&block.name, Cow::Borrowed(element)));
        if let Some(when) = &block.when
            && let What::Expression { expr, .. } = &when.what
            && !condition(expr, Env { frame: Some(&frame), ..env }).map_err(|error| at_cell(when, error))?
        {
            return Ok(None);
        }
        for named in &block.lets {
            let value = Runner { trace: None }.cell(&named.cell, Env { frame: Some(&frame), ..env }, "")?;
            frame.names.push((&named.name, Cow::Owned(value)));
        }
        let path = self.path(path, format_args!("[{place}]"));
        self.cell(&block.body, Env { frame: Some(&frame), ..env }, &path).map(Some)
    }
}

fn at_cell(cell: &Compiled, error: CellError) -> RowError {
    at_row(cell, Some(error.columns), error.message)
}

fn at_row(cell: &Compiled, columns: Option<Columns>, message: String) -> RowError {
    RowError { file: cell.origin.to_string(), line: None, row: cell.row.clone(), columns, message }
}

/// Adds the line; the line of a list inside a line becomes part of the row.
fn on_line(mut error: RowError, list: &str, number: usize) -> RowError {
    if let Some((inner, line)) = error.line.take() {
        error.row = if error.row.is_empty() {
            format!("{inner}: line {line}")
        } else {
            format!("{inner}: line {line}: {}", error.row)
        };
    }
    error.line = Some((list.to_owned(), number));
    error
}
