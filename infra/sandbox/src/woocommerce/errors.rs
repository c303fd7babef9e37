//! Error answers in the form of the WordPress REST API.

use serde_json::{Map, Value, json};

use crate::message::Reply;

/// `{"code","message","data":{"status"}}`.
pub(super) fn error(status: u16, code: &str, message: &str) -> Reply {
    error_with(status, code, message, json!({}))
}

/// The same, with extra keys in `data`.
pub(super) fn error_with(status: u16, code: &str, message: &str, extra: Value) -> Reply {
    super::render::json(status, &body(status, code, message, extra))
}

/// The body alone, as a batch item carries it.
pub(super) fn body(status: u16, code: &str, message: &str, extra: Value) -> Value {
    let mut data = Map::new();
    data.insert("status".into(), json!(status));
    if let Value::Object(extra) = extra {
        data.extend(extra);
    }
    json!({"code": code, "message": message, "data": data})
}

/// Route or verb does not exist.
pub(super) fn no_route() -> Reply {
    error(404, "rest_no_route", "No route was found matching the URL and request method.")
}

/// Nothing with that id; `status` is 400 on writes to orders and products, 404 otherwise.
pub(super) fn invalid_id(status: u16, kind: &str) -> Reply {
    error(status, &format!("woocommerce_rest_{kind}_invalid_id"), "Invalid ID.")
}

/// A required parameter is missing.
pub(super) fn missing(params: &[&str]) -> Reply {
    let message = format!("Missing parameter(s): {}", params.join(", "));
    error_with(400, "rest_missing_callback_param", &message, json!({"params": params}))
}

/// Parameters with a wrong value: (name, code, message).
pub(super) fn invalid_params(wrong: &[(String, &'static str, String)]) -> Reply {
    let names: Vec<&str> = wrong.iter().map(|(name, _, _)| name.as_str()).collect();
    let mut params = Map::new();
    let mut details = Map::new();
    for (name, code, message) in wrong {
        params.insert(name.clone(), json!(message));
        let data = if *code == "rest_invalid_type" { json!({"param": name}) } else { Value::Null };
        details.insert(name.clone(), json!({"code": code, "message": message, "data": data}));
    }
    let message = format!("Invalid parameter(s): {}", names.join(", "));
    error_with(400, "rest_invalid_param", &message, json!({"params": params, "details": details}))
}
