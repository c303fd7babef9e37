//! The data mapper: rows of `target field = cell`, evaluated over exact decimals.
//!
//! A row file ([`RowFile`]) is read, a user's own rows are laid over it, and it is compiled against what is known about
//! source and target ([`compile`]). The compiled [`Mapping`] is immutable and shared between threads; evaluating it
//! against a [`Scope`] gives the target [`Value`] or a [`RowError`] that names file, row, line and column.
//!
//! A cell is one expression in a small, total subset of Jinja's expression syntax ([`Expression`]): no loops, no user
//! functions, no I/O, no clock but the run's. What costs memory is capped inside the functions, what costs time is
//! counted against the record's step budget ([`limits`]).
//!
//! This crate does no I/O and knows nothing of the rest of the project.

mod catalogue;
mod cell;
mod check;
mod compile;
mod convert;
mod dates;
mod finding;
pub mod functions;
pub mod limits;
mod number;
mod reference;
mod rows;
mod run;
mod scope;
mod value;

pub use catalogue::{Field, FieldCatalogue, FieldType};
pub use cell::Expression;
pub use check::Checks;
pub use compile::compile;
pub use finding::{CellError, Columns, Finding, FindingCode, RowError};
pub use reference::reference_markdown;
pub use rows::RowFile;
pub use run::{Mapping, Traced, TracedRow};
pub use scope::{Scope, Tables};
pub use value::{Group, Kind, Value};
