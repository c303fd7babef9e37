//! The caps that keep one mapping from eating a worker's memory or time.
//!
//! They sit in the language itself and not around it: a cap on the process would kill every record it holds, a cap here
//! stops one record with a message that says which row did it.

/// Rows (cells and `let`s) in one row file, a user's own rows included.
pub const ROWS: usize = 500;
/// Characters in one cell.
pub const CELL_CHARS: usize = 2_000;
/// How deep expressions, groups and lists may be nested.
pub const NESTING: usize = 64;
/// Bytes in a text that a cell makes. Text that is only passed on from the source is not limited.
pub const TEXT_BYTES: usize = 100_000;
/// Elements in a list that a cell or a block of rows makes.
pub const LIST_ITEMS: usize = 10_000;
/// Steps one record may take unless the caller says otherwise: one for each part of an expression, one for each value
/// that is copied, and one for each 64 bytes of text made. Bounds time and memory without looking at a clock.
pub const STEPS: u64 = 1_000_000;
