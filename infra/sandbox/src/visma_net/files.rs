//! Attachments: one file part of a form; the same name again is a new revision.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::errors::{not_found, unreadable};
use super::rows::Tx;
use crate::message::{Call, Reply};
use crate::text::text;

/// Adds a file to a row, or a revision to one of its files; gives its id.
pub(super) fn add(tx: &mut Tx<'_>, table: &str, key: &str, name: &str, content: &[u8]) -> Option<String> {
    let mut row = tx.fields(table, key)?;
    let mut list = row.get("attachments").and_then(Value::as_array).cloned().unwrap_or_default();
    let id = match list.iter_mut().find(|file| file["name"] == name) {
        Some(file) => {
            file["revision"] = json!(file["revision"].as_i64().unwrap_or(1) + 1);
            text(file, "id").to_owned()
        }
        None => {
            let id = Uuid::new_v4().to_string();
            list.push(json!({"id": id, "name": name, "revision": 1}));
            id
        }
    };
    tx.store.put("_files", &id, json!({"name": name, "content": STANDARD.encode(content)}));
    row.insert("attachments".into(), Value::Array(list));
    row.insert("_files_modified".into(), json!(tx.now.to_rfc3339()));
    tx.put(table, key, row);
    Some(id)
}

/// `POST …/attachment`.
pub(super) fn post(tx: &mut Tx<'_>, call: &Call, table: &str, key: &str) -> Result<Reply, Reply> {
    let row = tx.get(table, key).ok_or_else(not_found)?;
    tx.check_version(call, row)?;
    let (name, content) = part(call).ok_or_else(|| unreadable("The body has no file in a multipart form."))?;
    let id = add(tx, table, key, &name, &content).ok_or_else(not_found)?;
    let place = tx.location(&format!("/v1/attachment/{id}"));
    Ok(Reply::empty(201).with("Location", place))
}

/// `GET /v1/attachment/{id}`: the bytes.
pub(super) fn get(tx: &Tx<'_>, id: &str) -> Result<Reply, Reply> {
    let file = tx.get("_files", id).ok_or_else(not_found)?;
    let content = STANDARD.decode(text(file, "content")).unwrap_or_default();
    let kind = crate::pictures::kind(&content).unwrap_or("application/octet-stream");
    Ok(Reply::typed(200, kind, content)
        .with("Content-Disposition", format!("attachment; filename=\"{}\"", text(file, "name"))))
}

/// Name and content of the only file part.
fn part(call: &Call) -> Option<(String, Vec<u8>)> {
    let kind = call.header("content-type")?;
    let (form, rest) = kind.split_once(';')?;
    if !form.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = rest.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?.trim_matches('"');
    let mark = format!("--{boundary}");
    let body = &call.body;
    let mut found = None;
    let mut at = find(body, mark.as_bytes(), 0)?;
    loop {
        let start = at + mark.len();
        if body.get(start..start + 2) == Some(b"--") {
            return found;
        }
        let next = find(body, mark.as_bytes(), start)?;
        let piece = body.get(start + 2..next.checked_sub(2)?)?;
        let split = find(piece, b"\r\n\r\n", 0)?;
        let head = String::from_utf8_lossy(&piece[..split]).into_owned();
        let name = head
            .lines()
            .find(|line| line.to_lowercase().starts_with("content-disposition"))
            .and_then(|line| line.split(';').find_map(|part| part.trim().strip_prefix("filename=")))
            .map(|name| name.trim_matches('"').to_owned());
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            if found.is_some() {
                return None; // one file a call
            }
            found = Some((name, piece[split + 4..].to_vec()));
        }
        at = next;
    }
}

fn find(text: &[u8], part: &[u8], from: usize) -> Option<usize> {
    text.get(from..)?.windows(part.len()).position(|window| window == part).map(|at| at + from)
}
