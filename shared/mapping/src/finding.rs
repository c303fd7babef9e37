//! What is reported: findings when a mapping is saved, row errors when a record is mapped.

use std::fmt;

/// Characters of a cell, counted from 1, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Columns {
    /// The first character.
    pub from: u32,
    /// The last character.
    pub to: u32,
}

impl Columns {
    pub(crate) fn new(from: usize, to: usize) -> Self {
        let narrow = |column| u32::try_from(column).unwrap_or(u32::MAX);
        Columns { from: narrow(from), to: narrow(to) }
    }
}

impl fmt::Display for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.from == self.to {
            write!(f, "column {}", self.from)
        } else {
            write!(f, "column {}-{}", self.from, self.to)
        }
    }
}

/// What is wrong, for a program; the message says it to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingCode {
    /// The file is not YAML, or not a row file.
    File,
    /// The cell cannot be read.
    Syntax,
    /// A cap of [`crate::limits`] is exceeded.
    TooLarge,
    /// There is no function of this name.
    UnknownFunction,
    /// The function takes more or fewer arguments.
    WrongArity,
    /// There is no variable of this name here.
    UnknownVariable,
    /// The record has no such field.
    UnknownPath,
    /// There is no lookup table of this name.
    UnknownTable,
    /// The target has no such field.
    UnknownField,
    /// A required field of the target has no row.
    RequiredField,
    /// A value of this type cannot be used here.
    WrongType,
    /// A user's own row does not fit on the row file.
    Override,
}

/// One problem found before any record is mapped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Finding {
    /// What sort of problem.
    pub code: FindingCode,
    /// The file the row came from.
    pub file: String,
    /// The row, such as `billTo.city`, `let net` or `lines: block 1: sku`; empty for the file as a whole.
    pub row: String,
    /// Where in the cell.
    pub columns: Option<Columns>,
    /// What is wrong, in words.
    pub message: String,
    /// The nearest right spelling.
    pub suggestion: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        place(f, &self.file, None, &self.row, self.columns)?;
        f.write_str(&self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, ": did you mean «{suggestion}»?"),
            None => Ok(()),
        }
    }
}

/// A record that a row could not map. Permanent: the same record gives the same error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct RowError {
    /// The file the row came from.
    pub file: String,
    /// The list and the line (counted from 1, over the list the block reads) when the row is in a block.
    pub line: Option<(String, usize)>,
    /// The row, within the list if there is one.
    pub row: String,
    /// Where in the cell.
    pub columns: Option<Columns>,
    /// What is wrong, in words.
    pub message: String,
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        place(f, &self.file, self.line.as_ref(), &self.row, self.columns)?;
        f.write_str(&self.message)
    }
}

fn place(
    f: &mut fmt::Formatter<'_>,
    file: &str,
    line: Option<&(String, usize)>,
    row: &str,
    columns: Option<Columns>,
) -> fmt::Result {
    if !file.is_empty() {
        write!(f, "{file}: ")?;
    }
    if let Some((list, number)) = line {
        write!(f, "{list}: line {number}: ")?;
    }
    if !row.is_empty() {
        write!(f, "{row}: ")?;
    }
    match columns {
        Some(columns) => write!(f, "{columns}: "),
        None => Ok(()),
    }
}

/// A problem in a single cell, not yet tied to a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct CellError {
    /// What sort of problem.
    pub code: FindingCode,
    /// Where in the cell.
    pub columns: Columns,
    /// What is wrong, in words.
    pub message: String,
    /// The nearest right spelling.
    pub suggestion: Option<String>,
}

impl fmt::Display for CellError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.columns, self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, ": did you mean «{suggestion}»?"),
            None => Ok(()),
        }
    }
}

impl CellError {
    pub(crate) fn new(code: FindingCode, columns: Columns, message: impl Into<String>) -> Self {
        CellError { code, columns, message: message.into(), suggestion: None }
    }

    pub(crate) fn suggest(mut self, suggestion: Option<&str>) -> Self {
        self.suggestion = suggestion.map(str::to_owned);
        self
    }

    pub(crate) fn into_finding(self, file: &str, row: &str) -> Finding {
        Finding {
            code: self.code,
            file: file.to_owned(),
            row: row.to_owned(),
            columns: Some(self.columns),
            message: self.message,
            suggestion: self.suggestion,
        }
    }
}

/// The known name that is nearest to a mistyped one, if any is near enough to be worth saying.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let allowed = (name.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
