//! What became of the records of a run, as a table: orders with their amounts, other records with what was written.

use koppel_core::document::Entity;
use koppel_core::outcome::Outcome;
use koppel_flows::runs::RecordResult;

use crate::output::style::of_outcome;
use crate::output::table::{Cell, Column};
use crate::output::{Table, amount};

/// The table for records of this entity.
pub fn of(entity: Entity, records: &[RecordResult]) -> Table {
    match entity {
        Entity::Orders => orders("order", records),
        Entity::Refunds => orders("refund", records),
        Entity::Products => kept("article", records),
        Entity::Stock => kept("stock of", records),
        Entity::Customers => kept("customer", records),
        Entity::Prices => kept("price of", records),
    }
}

fn orders(what: &'static str, records: &[RecordResult]) -> Table {
    let mut table = Table::new(&[
        (what, Column::Left),
        ("status", Column::Left),
        ("action", Column::Left),
        ("number", Column::Left),
        ("customer", Column::Flexible),
        ("lines", Column::Right),
        ("net", Column::Right),
        ("tax", Column::Right),
        ("total", Column::Right),
        ("calls", Column::Right),
    ]);
    for record in records {
        let number_if = |number: usize| if number == 0 { String::new() } else { number.to_string() };
        table.row([
            record.label.as_str().into(),
            record.status.as_str().into(),
            Cell::coloured(record.outcome.name(), of_outcome(record.outcome)),
            record.target_number.as_str().into(),
            record.customer.as_str().into(),
            number_if(record.lines).into(),
            amount(record.net).into(),
            amount(record.tax).into(),
            amount(record.total).into(),
            number_if(record.calls).into(),
        ]);
    }
    table
}

fn kept(what: &'static str, records: &[RecordResult]) -> Table {
    let mut table = Table::new(&[
        (what, Column::Left),
        ("action", Column::Left),
        ("in the target", Column::Left),
        ("written", Column::Flexible),
    ]);
    for record in records {
        table.row([
            record.label.as_str().into(),
            Cell::coloured(record.outcome.name(), of_outcome(record.outcome)),
            record.target_number.as_str().into(),
            if record.outcome == Outcome::Created { "all fields".into() } else { record.fields.join(", ").into() },
        ]);
    }
    table
}
