//! The two kinds of error bodies: the classic one, and problem JSON of the newer endpoints.

use serde_json::{Map, Value, json};

use crate::message::Reply;

fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        _ => "Error",
    }
}

/// The classic body: `code`, `message`, `description`.
pub(super) fn classic(status: u16, description: &str) -> Reply {
    Reply::json(status, &json!({"code": status, "message": title(status), "description": description}))
}

/// Problem JSON: `type`, `title`, `detail`, `status`.
pub(super) fn problem(status: u16, detail: &str) -> Reply {
    let mut reply = Reply::json(status, &body(status, detail));
    reply.headers = vec![("Content-Type".into(), "application/problem+json".into())];
    reply
}

fn body(status: u16, detail: &str) -> Value {
    json!({"type": "http://www.w3.org/Protocols/rfc2616/rfc2616-sec10.html", "title": title(status), "detail": detail,
        "status": status})
}

/// A 422 of the newer endpoints, with what is wrong by path.
pub(super) fn invalid(wrong: &[(String, String)]) -> Reply {
    let mut errors = Map::new();
    for (path, message) in wrong {
        errors.insert(path.clone(), json!(message));
    }
    let mut value = body(422, "Failed Validation");
    value["errors"] = Value::Object(errors);
    let mut reply = Reply::json(422, &value);
    reply.headers = vec![("Content-Type".into(), "application/problem+json".into())];
    reply
}

/// A 400 of the classic endpoints for a body that is wrong.
pub(super) fn wrong_body(wrong: &[(String, String)]) -> Reply {
    let text = wrong.iter().map(|(path, message)| format!("{path}: {message}")).collect::<Vec<_>>().join("; ");
    classic(400, &text)
}

/// Nothing with that id.
pub(super) fn not_found(what: &str) -> Reply {
    classic(404, &format!("{what} not found."))
}
