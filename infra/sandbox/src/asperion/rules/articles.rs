//! Articles: a code that is there once, a description, a sales type; stock is never written.

use serde_json::{Value, json};

use super::{default, known, required, unknown};
use crate::asperion::Tx;
use crate::asperion::problem::Errors;
use crate::asperion::query::same;
use crate::text::text;

pub(super) fn check(tx: &Tx<'_>, row: &mut Value, before: Option<&Value>, errors: &mut Errors) {
    let coded = required(tx, row, "code", "Code", errors);
    required(tx, row, "description", "Description", errors);
    if required(tx, row, "salesTypeId", "SalesTypeId", errors) {
        known(tx, "salestypes", row, "salesTypeId", "SalesTypeId", errors);
    }
    let code = text(row, "code");
    let other = tx.rows("articles").into_iter().find(|other| same(other, "code", code));
    if coded && other.is_some_and(|other| before.is_none_or(|before| before["id"] != other["id"])) {
        let told = "Er is al een artikel met deze code.";
        errors.add("Code", tx.words.pick(told, "An article with this code exists already."));
    }
    let state = text(row, "activeState");
    if !state.is_empty() && ![&tx.switches.active, &tx.switches.inactive].iter().any(|known| *known == state) {
        unknown(tx, state, "ActiveState", errors);
    }
    default(row, "activeState", json!(tx.switches.active));
}
