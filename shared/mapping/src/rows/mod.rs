//! A row file as it is written: cells not yet read, each with the file that it came from.

mod overlay;
mod read;

use std::sync::Arc;

use indexmap::IndexMap;

use crate::finding::Finding;
use crate::value::Value;

pub(crate) use read::{below, read_yaml};

/// A row file, possibly with a user's own rows laid over it.
#[derive(Debug, Clone, PartialEq)]
pub struct RowFile {
    pub(crate) file: Arc<str>,
    pub(crate) name: String,
    pub(crate) version: u64,
    pub(crate) lets: Vec<(String, Cell)>,
    pub(crate) lists: IndexMap<String, Cell>,
    pub(crate) fields: IndexMap<String, Cell>,
}

/// What stands behind one name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cell {
    /// The file that decided this cell.
    pub origin: Arc<str>,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    /// An expression.
    Text(String),
    Constant(Value),
    Group(IndexMap<String, Cell>),
    /// A list: elements and blocks, in order.
    Items(Vec<Item>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    /// Exactly one element.
    One(Cell),
    /// One element for each element of another list.
    Block(Box<Block>),
}

/// `each … as … when … let … fields …`
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Block {
    pub each: Cell,
    pub name: String,
    pub when: Option<Cell>,
    pub lets: Vec<(String, Cell)>,
    pub body: Cell,
}

impl RowFile {
    /// Reads a row file, YAML or JSON. The cells are read later, by [`crate::compile`].
    pub fn parse(file: &str, yaml: &str) -> Result<Self, Vec<Finding>> {
        read::row_file(file, yaml)
    }

    /// The name of the mapping, `woocommerce.order -> order`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version of the row file.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Lays a user's own rows over the file. Each row is a dotted path and a cell (as in a row file): it replaces the
    /// row of that path or adds one. `lines.description` replaces the row in every block of the list `lines` and is
    /// evaluated there; `lines[block 1].description` does so in one of them. `origin` is the file the rows come from, for messages and for explaining values.
    pub fn override_rows(&mut self, rows: &[(String, serde_json::Value)], origin: &str) -> Result<(), Vec<Finding>> {
        overlay::lay(self, rows, origin)
    }
}
