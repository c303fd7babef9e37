//! Rows of a flow: the connector's, with the user's own laid over them, compiled against what is known.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use koppel_core::document::{DocumentType, Entity};
use koppel_core::error::Cause;
use koppel_core::system::{Side, SystemFacts};
use koppel_mapping::{Expression, FieldCatalogue, Finding, Mapping, RowError, RowFile, compile as compile_rows};

use crate::canonical;

/// A user's own rows: path and cell.
pub type UserRows = Vec<(String, serde_json::Value)>;

/// Splits the `map` of a flow: source side, `target.…`, `target.customer.…`.
pub fn split_user_rows(map: &serde_json::Map<String, serde_json::Value>) -> (UserRows, UserRows, UserRows) {
    let (mut source, mut target, mut customer) = (Vec::new(), Vec::new(), Vec::new());
    for (path, cell) in map {
        if let Some(rest) = path.strip_prefix("target.customer.") {
            customer.push((rest.to_owned(), cell.clone()));
        } else if let Some(rest) = path.strip_prefix("target.") {
            target.push((rest.to_owned(), cell.clone()));
        } else {
            source.push((path.clone(), cell.clone()));
        }
    }
    (source, target, customer)
}

/// Compiles one side of a flow.
pub fn compile(
    facts: &'static SystemFacts,
    side: Side,
    entity: Entity,
    document: Option<DocumentType>,
    own: &UserRows,
    file: &str,
) -> Result<Mapping, Vec<Cause>> {
    let Some(rows) = facts.rows_for(side, entity, document) else {
        let what = document.map_or_else(|| entity.name().to_owned(), |d| format!("{entity} as {}", d.name()));
        let verb = if side == Side::Source { "read from" } else { "written to" };
        return Err(vec![
            Cause::new("not_supported", format!("{what} cannot be {verb} {}", facts.name))
                .advice("koppel systems shows what each system can do"),
        ]);
    };
    let mut row_file = RowFile::parse(rows.name, rows.text).map_err(causes)?;
    row_file.override_rows(own, file).map_err(causes)?;
    let checks = match side {
        Side::Source => canonical::source_checks(entity, native_fields(facts, rows.name)?),
        Side::Target => canonical::target_checks(entity, native_fields(facts, rows.name)?),
    };
    compile_rows(&row_file, &checks).map_err(causes)
}

/// Field catalogues of systems as they were read, and sections of them, by rows file: reading one costs more than compiling
/// the rows.
#[derive(Default)]
struct NativeFields {
    files: HashMap<&'static str, Arc<serde_json::Value>>,
    sections: HashMap<(&'static str, &'static str), FieldCatalogue>,
}

static NATIVE_FIELDS: LazyLock<Mutex<NativeFields>> = LazyLock::new(Mutex::default);

/// The native fields of one rows file: its section in the connector's field catalogue.
fn native_fields(facts: &'static SystemFacts, rows: &'static str) -> Result<FieldCatalogue, Vec<Cause>> {
    let mut known = NATIVE_FIELDS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(fields) = known.sections.get(&(facts.id, rows)) {
        return Ok(fields.clone());
    }
    let file = format!("{}/fields.yaml", facts.id);
    let section = rows.rsplit('/').next().unwrap_or(rows).trim_end_matches(".yaml");
    let broken = |what: String| vec![Cause::new("broken_connector", what).in_file(&file)];
    let sections = match known.files.get(facts.id) {
        Some(sections) => Arc::clone(sections),
        None => {
            let read: serde_json::Value =
                serde_saphyr::from_str(facts.fields).map_err(|error| broken(format!("not valid YAML: {error}")))?;
            let read = Arc::new(read);
            known.files.insert(facts.id, Arc::clone(&read));
            read
        }
    };
    let fields = sections.get(section).ok_or_else(|| broken(format!("no section «{section}»")))?;
    let fields = FieldCatalogue::parse(&file, &fields.to_string()).map_err(causes)?;
    known.sections.insert((facts.id, rows), fields.clone());
    Ok(fields)
}

/// Reads a condition such as `filter.where`.
pub fn condition(text: &str) -> Result<Expression, Cause> {
    Expression::parse(text).map_err(|error| {
        let cause = Cause::new("bad_condition", error.to_string()).in_row("filter.where");
        cause.advice("koppel map functions lists what can be used")
    })
}

fn causes(findings: Vec<Finding>) -> Vec<Cause> {
    findings.iter().map(finding_cause).collect()
}

/// A finding of the checker as a cause.
pub fn finding_cause(finding: &Finding) -> Cause {
    let mut cause = Cause::new(format!("mapping_{:?}", finding.code).to_lowercase(), finding.message.clone());
    if let Some(suggestion) = &finding.suggestion {
        cause = cause.advice(format!("did you mean «{suggestion}»?"));
    }
    cause.place.file = Some(finding.file.clone());
    cause.place.row = Some(finding.row.clone()).filter(|row| !row.is_empty());
    cause.place.column = finding.columns.map(|c| format!("{}-{}", c.from, c.to));
    cause
}

/// A row error of one record as a cause.
pub fn row_cause(error: &RowError) -> Cause {
    let row = match &error.line {
        Some((list, line)) => format!("{list}: line {line}: {}", error.row),
        None => error.row.clone(),
    };
    let mut cause = Cause::new("mapping_failed", error.message.clone());
    cause.place.file = Some(error.file.clone()).filter(|file| !file.is_empty());
    cause.place.row = Some(row).filter(|row| !row.is_empty());
    cause.place.column = error.columns.map(|c| format!("{}-{}", c.from, c.to));
    cause.advice("see what came with koppel trail, and try the row with koppel map test")
}
