//! The field by which a document is looked for in the target: the usual one of the system, or one that the flow names.
//!
//! Whatever it is, it holds the reference: a row of its own sees to that, so what was posted is found again by the same field
//! when its answer was lost.

use koppel_core::document::DocumentType;
use koppel_core::error::{Cause, nearest};
use koppel_core::system::{SearchField, SystemFacts};
use serde_json::Value;

use crate::config::FlowConfig;
use crate::loaded::LoadedFlow;
use crate::rows::UserRows;

/// Key of the setting, for causes.
const SETTING: &str = "settings.exists_field";

/// The field for documents of this type; empty for a system that declares none.
pub fn of(flow: &LoadedFlow, document: DocumentType) -> &'static str {
    let fields = flow.target_facts.search_fields(document);
    let chosen = flow.flow.settings.exists_field.as_deref();
    let known = chosen.and_then(|name| fields.iter().find(|field| field.name == name));
    known.or(fields.first()).map_or("", |field| field.name)
}

/// Checks the field that a flow names, and adds the row that fills it.
pub fn prepare(
    flow: &FlowConfig,
    target: &SystemFacts,
    document: Option<DocumentType>,
    own: &mut UserRows,
) -> Result<(), Cause> {
    let Some(name) = flow.settings.exists_field.as_deref() else { return Ok(()) };
    let fields = document.map_or(&[][..], |document| target.search_fields(document));
    let Some(field) = fields.iter().find(|field| field.name == name) else {
        return Err(unknown(name, fields, target, document));
    };
    if fields.first() == Some(field) {
        return Ok(());
    }
    if own.iter().any(|(path, _)| path == name) {
        let message =
            format!("documents are looked for by {name}, and the row target.{name} puts something else there");
        return Err(Cause::new("field_taken", message)
            .advice(format!("take the row out of map: {name} holds the reference, which has a row of its own"))
            .in_row(format!("map.target.{name}")));
    }
    let cell = if field.is_number { "order.reference | number" } else { "order.reference" };
    own.push((name.to_owned(), Value::String(cell.to_owned())));
    Ok(())
}

fn unknown(name: &str, fields: &[SearchField], target: &SystemFacts, document: Option<DocumentType>) -> Cause {
    let what = document.map_or("document", DocumentType::name);
    let cause = Cause::new("not_searchable", format!("{} cannot look for a {what} by «{name}»", target.name));
    let names = || fields.iter().map(|field| field.name);
    let all = names().collect::<Vec<_>>().join(", ");
    cause.in_row(SETTING).advice(match nearest(name, names()) {
        Some(near) => format!("did you mean «{near}»? It can by {all}"),
        None => format!("use one of {all}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [SearchField; 3] =
        [SearchField::text("YourRef"), SearchField::text("Description"), SearchField::number("OrderNumber")];

    #[test]
    fn the_nearest_right_field_is_named() {
        let facts = crate::testing::books();
        let cause = unknown("Discription", &FIELDS, &facts, Some(DocumentType::SalesOrder));
        assert!(cause.to_string().contains("did you mean «Description»?"), "{cause}");
        let cause = unknown("X", &FIELDS[..1], &facts, None);
        assert!(cause.to_string().contains("use one of YourRef"), "{cause}");
    }
}
