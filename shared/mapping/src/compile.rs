//! From a row file to a mapping: reads every cell and checks it against what is known.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::catalogue::{Field, FieldType, Found};
use crate::cell::syntax::{Expr, Node};
use crate::cell::{Expression, is_name};
use crate::check::{Checker, Checks, Shape};
use crate::convert::{convert, never_fits, type_word};
use crate::finding::{CellError, Columns, Finding, FindingCode, nearest};
use crate::limits;
use crate::rows::{Block, Cell, Content, Item, RowFile, below};
use crate::run::{Compiled, CompiledBlock, CompiledItem, CompiledList, Mapping, Named, What};
use crate::value::{Kind, Value};

/// Compiles a row file. All findings are given at once; with any finding there is no mapping.
pub fn compile(rows: &RowFile, checks: &Checks) -> Result<Mapping, Vec<Finding>> {
    let mut compiler = Compiler { checks, names: checks.names(), findings: Vec::new(), rows: 0 };
    let target = checks.target.as_ref().map(|catalogue| &catalogue.root);
    let lets = compiler.lets("", &rows.lets);
    let mut lists = Vec::new();
    for (name, cell) in &rows.lists {
        let bound = bound_to(&rows.fields, name, "");
        let field = bound.as_ref().zip(checks.target.as_ref()).and_then(|(path, catalogue)| catalogue.get(path));
        let place = Place { row: name, full: name, field };
        let compiled = compiler.cell(&place, cell);
        compiler.declare(name, Shape::of(Kind::List), &cell.origin, name);
        lists.push(CompiledList { name: name.clone(), shown: bound.unwrap_or_else(|| name.clone()), cell: compiled.0 });
    }
    let fields = compiler.group(&Place { row: "", full: "", field: target }, &rows.fields, &rows.file);
    if compiler.rows > limits::ROWS {
        let message = format!("there are {} rows, {} are allowed", compiler.rows, limits::ROWS);
        compiler.report(FindingCode::TooLarge, &rows.file, "", None, message, None);
    }
    if compiler.findings.is_empty() {
        Ok(Mapping { name: rows.name.clone(), lets, lists, fields })
    } else {
        Err(compiler.findings)
    }
}

/// The path of the field that takes a list by its name.
fn bound_to(fields: &IndexMap<String, Cell>, list: &str, above: &str) -> Option<String> {
    fields.iter().find_map(|(name, cell)| {
        let path = below(above, name);
        match &cell.content {
            Content::Text(text) if text.trim() == list => Some(path),
            Content::Group(inner) => bound_to(inner, list, &path),
            _ => None,
        }
    })
}

struct Compiler<'a> {
    checks: &'a Checks,
    names: Vec<(String, Shape<'a>)>,
    findings: Vec<Finding>,
    rows: usize,
}

/// Where a cell stands.
#[derive(Clone, Copy)]
struct Place<'p> {
    /// The row within its block, as a record's error names it.
    row: &'p str,
    /// The row within the file, as a finding names it.
    full: &'p str,
    /// The field of the target it fills, if that is known.
    field: Option<&'p Field>,
}

impl<'a> Compiler<'a> {
    fn report(
        &mut self,
        code: FindingCode,
        file: &str,
        row: &str,
        columns: Option<Columns>,
        message: String,
        near: Option<&str>,
    ) {
        let (file, row, suggestion) = (file.to_owned(), row.to_owned(), near.map(str::to_owned));
        self.findings.push(Finding { code, file, row, columns, message, suggestion });
    }

    /// Makes a name visible to what follows. Every name means one thing, so that a reader need not search.
    fn declare(&mut self, name: &str, shape: Shape<'a>, origin: &str, row: &str) {
        if !is_name(name) {
            self.report(
                FindingCode::Syntax,
                origin,
                row,
                None,
                format!("«{name}» cannot be the name of a variable"),
                None,
            );
        }
        if self.names.iter().any(|(known, _)| known == name) {
            self.report(FindingCode::Syntax, origin, row, None, format!("the name «{name}» is already in use"), None);
        }
        self.names.push((name.to_owned(), shape));
    }

    fn lets(&mut self, full: &str, lets: &[(String, Cell)]) -> Vec<Named> {
        let mut compiled = Vec::with_capacity(lets.len());
        for (name, cell) in lets {
            let row = format!("let {name}");
            let full = if full.is_empty() { row.clone() } else { format!("{full}: {row}") };
            let (cell_compiled, shape) = self.cell(&Place { row: &row, full: &full, field: None }, cell);
            self.declare(name, shape, &cell.origin, &full);
            compiled.push(Named { name: name.clone(), cell: cell_compiled });
        }
        compiled
    }

    fn cell(&mut self, place: &Place<'_>, cell: &Cell) -> (Compiled, Shape<'a>) {
        let (what, shape) = match &cell.content {
            Content::Text(text) => {
                self.rows += 1;
                let (what, shape) = self.expression(place, text, &cell.origin, |checker, expr| checker.expr(expr));
                self.fitting(place, shape.kind, &what, &cell.origin);
                (what, shape)
            }
            Content::Constant(value) => {
                self.rows += 1;
                (What::Constant(self.constant(place, value, &cell.origin)), Shape::of(value.kind()))
            }
            Content::Group(fields) => {
                self.fitting(place, Kind::Group, &What::Group(Vec::new()), &cell.origin);
                (What::Group(self.group(place, fields, &cell.origin)), Shape::of(Kind::Group))
            }
            Content::Items(items) => {
                self.fitting(place, Kind::List, &What::Items(Vec::new()), &cell.origin);
                (What::Items(self.items(place, items)), Shape::of(Kind::List))
            }
        };
        // What is in a group or list has been given its own type; an expression is converted as a whole.
        let field = place.field.filter(|_| matches!(what, What::Expression { .. })).cloned();
        (Compiled { origin: cell.origin.clone(), row: place.row.to_owned(), what, field }, shape)
    }

    /// The condition of a block.
    fn condition(&mut self, full: &str, cell: &Cell) -> Compiled {
        self.rows += 1;
        let place = Place { row: "when", full, field: None };
        let text = if let Content::Text(text) = &cell.content { text.as_str() } else { "" };
        let yes_no = |checker: &mut Checker<'a, '_>, expr: &Expr| {
            checker.condition(expr);
            Shape::of(Kind::YesNo)
        };
        let (what, _) = self.expression(&place, text, &cell.origin, yes_no);
        Compiled { origin: cell.origin.clone(), row: "when".to_owned(), what, field: None }
    }

    fn expression(
        &mut self,
        place: &Place<'_>,
        text: &str,
        origin: &Arc<str>,
        check: impl FnOnce(&mut Checker<'a, '_>, &Expr) -> Shape<'a>,
    ) -> (What, Shape<'a>) {
        match Expression::parse(text) {
            Ok(Expression { expr }) => {
                let shape = self.checked(place, origin, |checker| check(checker, &expr));
                (What::Expression { expr, text: text.to_owned() }, shape)
            }
            Err(error) => {
                self.findings.push(error.into_finding(origin, place.full));
                (What::Constant(Value::Empty), Shape::of(Kind::Any))
            }
        }
    }

    fn checked<T>(&mut self, place: &Place<'_>, origin: &str, check: impl FnOnce(&mut Checker<'a, '_>) -> T) -> T {
        let mut errors: Vec<CellError> = Vec::new();
        let mut checker = Checker { checks: self.checks, names: std::mem::take(&mut self.names), errors: &mut errors };
        let answer = check(&mut checker);
        self.names = checker.names;
        self.findings.extend(errors.into_iter().map(|error| error.into_finding(origin, place.full)));
        answer
    }

    /// Reports a value that can never become what the field is.
    fn fitting(&mut self, place: &Place<'_>, kind: Kind, what: &What, origin: &str) {
        let Some(field) = place.field else { return };
        if never_fits(kind, field.kind) {
            let message = format!("{} never becomes {}", crate::functions::word(kind), type_word(field.kind));
            self.report(FindingCode::WrongType, origin, place.full, None, message, None);
        } else if let What::Expression { expr, .. } = what
            && let Node::Constant(value) = &expr.node
        {
            self.constant(place, value, origin);
        }
    }

    fn constant(&mut self, place: &Place<'_>, value: &Value, origin: &str) -> Value {
        match place.field.map(|field| convert(value.clone(), field)) {
            None => value.clone(),
            Some(Ok(value)) => value,
            Some(Err((inside, why))) => {
                let at = if inside.is_empty() { String::new() } else { format!("{inside}: ") };
                self.report(FindingCode::WrongType, origin, place.full, None, format!("{at}{why}"), None);
                Value::Empty
            }
        }
    }

    fn group(&mut self, place: &Place<'_>, fields: &IndexMap<String, Cell>, origin: &str) -> Vec<Named> {
        let mut compiled = Vec::with_capacity(fields.len());
        for (name, cell) in fields {
            let (row, full) = (below(place.row, name), below(place.full, name));
            let field = match place.field.map(|field| field.child(name)) {
                Some(Found::Field(field)) => Some(field),
                Some(Found::Missing(near)) => {
                    let message = format!("the target has no field «{name}»");
                    self.report(FindingCode::UnknownField, &cell.origin, &full, None, message, near);
                    None
                }
                Some(Found::Open) | None => None,
            };
            let (cell, _) = self.cell(&Place { row: &row, full: &full, field }, cell);
            compiled.push(Named { name: name.clone(), cell });
        }
        let needed = place.field.into_iter().flat_map(|field| &field.fields).filter(|(_, field)| field.required);
        for (name, _) in needed.filter(|(name, _)| !fields.contains_key(*name)) {
            let near =
                nearest(name, fields.keys().map(String::as_str)).map(|near| format!(" (there is a row «{near}»)"));
            let message = format!("this field is required and has no row{}", near.unwrap_or_default());
            self.report(FindingCode::RequiredField, origin, &below(place.full, name), None, message, None);
        }
        compiled
    }

    fn items(&mut self, place: &Place<'_>, items: &[Item]) -> Vec<CompiledItem> {
        let element =
            place.field.filter(|field| field.kind == FieldType::List).and_then(|field| field.element.as_deref());
        let mut compiled = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let full = format!("{}: block {}", place.full, index + 1);
            let inner = Place { row: place.row, full: &full, field: element };
            compiled.push(match item {
                Item::One(cell) => CompiledItem::One(Box::new(self.cell(&inner, cell).0)),
                Item::Block(block) => CompiledItem::Block(Box::new(self.block(&inner, block))),
            });
        }
        compiled
    }

    fn block(&mut self, place: &Place<'_>, block: &Block) -> CompiledBlock {
        let outside = self.names.len();
        let full_each = format!("{}: each", place.full);
        let (each, shape) = self.cell(&Place { row: "each", full: &full_each, field: None }, &block.each);
        if never_fits(shape.kind, FieldType::List) {
            let message = format!("each needs a list, this is {}", crate::functions::word(shape.kind));
            self.report(FindingCode::WrongType, &block.each.origin, &full_each, None, message, None);
        }
        self.declare(&block.name, shape.element(), &block.each.origin, place.full);
        let when = block.when.as_ref().map(|when| self.condition(&format!("{}: when", place.full), when));
        let lets = self.lets(place.full, &block.lets);
        let (body, _) = self.cell(&Place { row: "", full: place.full, field: place.field }, &block.body);
        self.names.truncate(outside);
        CompiledBlock { list: place.row.to_owned(), each, name: block.name.clone(), when, lets, body }
    }
}
