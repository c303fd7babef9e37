//! Bodies of errors: `status`, `code` as `NNN.NN`, `developermessage`. The code decides, not the class of the status:
//! most 500.x are refusals for good.

use serde_json::json;

use super::Switches;
use crate::message::Reply;

/// Status of a code: its first three digits.
pub(super) fn status_of(code: &str) -> Option<u16> {
    let (status, detail) = code.split_once('.')?;
    let known = detail.len() == 2 && detail.bytes().all(|byte| byte.is_ascii_digit());
    status.parse().ok().filter(|status| known && (400..=599).contains(status))
}

/// An error with its code.
pub(super) fn error(code: &str, message: &str) -> Reply {
    let status = status_of(code).unwrap_or(500);
    Reply::json(status, &json!({"status": status, "code": code, "developermessage": message}))
}

pub(super) fn no_resource(path: &str) -> Reply {
    error("404.20", &format!("There is no resource {path}."))
}

pub(super) fn method(method: &str, path: &str) -> Reply {
    error("405.10", &format!("Method {method} is not allowed for {path}."))
}

/// A query or body that is not as its schema says.
pub(super) fn schema(switches: &Switches, message: &str) -> Reply {
    error(&switches.schema_code, &format!("The request does not match its schema: {message}"))
}

/// No such record.
pub(super) fn unknown(switches: &Switches, resource: &str, id: i64) -> Reply {
    error(&switches.unknown_id_code, &format!("{resource} {id} was not found."))
}

/// The value is there already.
pub(super) fn taken(field: &str, value: &str) -> Reply {
    error("500.40", &format!("The value \"{value}\" of {field} must be unique and exists already."))
}

/// The state of the record does not allow it.
pub(super) fn state(message: &str) -> Reply {
    error("500.70", message)
}

/// A part of the real API that is left out here: a whole resource, or a method of one that is here.
pub(super) fn left_out(method: &str, path: &str, resource: &str) -> Reply {
    let code = if super::resources::find(resource).is_some() { "501.10" } else { "501.20" };
    error(code, &format!("sandbox: {method} {path} is not in this stand-in."))
}
