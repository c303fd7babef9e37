//! Reading: `$filter`, `$select`, `$expand`, `$orderby`, `$top`, `$skiptoken`, `$inlinecount`, both list shapes.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use super::errors::{error, syntax};
use super::filter::{Expr, Val, field_value, literals, parse};
use super::metadata::{Edm, Entity};
use super::values::{give, key_text};
use super::{Tx, children, shown};
use crate::message::{Call, Reply};
use crate::text::text;

const OPTIONS: &[&str] =
    &["$filter", "$select", "$expand", "$orderby", "$top", "$skip", "$skiptoken", "$inlinecount", "$format"];

/// What `$select` and `$expand` ask for.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// None: everything.
    select: Option<Vec<String>>,
    expand: Vec<String>,
    /// Language of descriptions, when one was asked for.
    language: Option<String>,
}

impl Shape {
    /// Reads and checks both options.
    pub fn of(call: &Call, entity: &Entity) -> Result<Self, Reply> {
        let split = |name: &str| {
            let text = call.param(name).unwrap_or_default();
            text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect::<Vec<_>>()
        };
        let expand = split("$expand");
        let language = call.header("customdescriptionlanguage").map(|language| language.trim().to_uppercase());
        for name in &expand {
            if children(&entity.table, name).is_none() {
                return Err(unknown(entity, name));
            }
        }
        let select = split("$select");
        if select.is_empty() || select.iter().any(|name| name == "*") {
            if entity.is_sync() && !select.is_empty() {
                return Err(error(400, "$select=* is not supported on sync endpoints."));
            }
            return Ok(Self { select: None, expand, language });
        }
        for name in &select {
            match name.split_once('/') {
                Some((list, below)) => {
                    let child = children(&entity.table, list).ok_or_else(|| unknown(entity, list))?;
                    if below != "*"
                        && !child.entity().is_some_and(|child| child.prop(below).is_some_and(|prop| prop.read))
                    {
                        return Err(unknown(entity, name));
                    }
                }
                None if entity.prop(name).is_some_and(|prop| prop.read) => {}
                None => return Err(unknown(entity, name)),
            }
        }
        Ok(Self { select: Some(select), expand, language })
    }

    fn wants(&self, name: &str) -> bool {
        self.select.as_ref().is_none_or(|list| {
            list.iter().any(|wanted| wanted == name || wanted.split_once('/').is_some_and(|(list, _)| list == name))
        })
    }

    fn below(&self, name: &str) -> Self {
        let prefix = format!("{name}/");
        let select = self.select.as_ref().map(|list| {
            list.iter().filter_map(|wanted| wanted.strip_prefix(&prefix)).map(Into::into).collect::<Vec<String>>()
        });
        let all = select.as_ref().is_none_or(|list| list.is_empty() || list.iter().any(|name| name == "*"));
        Self { select: if all { None } else { select }, expand: Vec::new(), language: self.language.clone() }
    }
}

fn unknown(entity: &Entity, name: &str) -> Reply {
    error(400, &format!("Could not find a property named '{name}' on type '{}'.", entity.type_name()))
}

/// One row as it goes over the wire.
pub(super) fn render(tx: &Tx<'_>, entity: &Entity, row: &Value, shape: &Shape) -> Value {
    let key =
        row.get(&entity.key).map_or_else(String::new, |key| key.as_str().map_or_else(|| key.to_string(), Into::into));
    let uri = if entity.path == "current/Me" {
        format!("{}/api/v1/current/Me({})", tx.site, key_text(entity, &key))
    } else {
        format!("{}/api/v1/{}/{}({})", tx.site, tx.division, entity.path, key_text(entity, &key))
    };
    let mut out = Map::new();
    out.insert("__metadata".into(), json!({"uri": uri, "type": entity.type_name()}));
    for prop in entity.props.iter().filter(|prop| prop.read && shape.wants(&prop.name)) {
        let value = if prop.kind == Edm::Collection {
            if shape.expand.contains(&prop.name) {
                expanded(tx, entity, &prop.name, &key, shape)
            } else {
                json!({"__deferred": {"uri": format!("{uri}/{}", prop.name)}})
            }
        } else {
            let value = shown::value(tx, entity, row, prop, shape.language.as_deref());
            give(prop, &value, tx.switches.int64_as_text)
        };
        out.insert(prop.name.clone(), value);
    }
    Value::Object(out)
}

/// Rows below a row; cut at a page.
fn expanded(tx: &Tx<'_>, entity: &Entity, list: &str, key: &str, shape: &Shape) -> Value {
    let Some((child, below)) =
        children(&entity.table, list).and_then(|child| child.entity().map(|below| (child, below)))
    else {
        return json!({"results": []});
    };
    let shape = shape.below(list);
    let rows = tx.children_of(child, key);
    let shown: Vec<Value> = rows.iter().take(below.page_size).map(|row| render(tx, below, row, &shape)).collect();
    json!({"results": shown})
}

/// `GET` of a list.
pub(super) fn list(tx: &Tx<'_>, entity: &Entity, call: &Call) -> Result<Reply, Reply> {
    for (name, _) in call.pairs() {
        if name.starts_with('$') && !OPTIONS.contains(&name.as_str()) {
            let message = format!(
                "The query parameter '{name}' begins with a system-reserved '$' character but is not recognized."
            );
            return Err(error(400, &message));
        }
    }
    let me = entity.path == "current/Me";
    let given = |name: &str| call.param(name).filter(|text| !text.trim().is_empty());
    let number = |name: &str| -> Result<Option<usize>, Reply> {
        given(name).map(|text| text.trim().parse().map_err(|_| syntax())).transpose()
    };
    let top = number("$top")?;
    if tx.switches.require_select && !me && given("$select").is_none() && top.is_none() {
        return Err(error(400, "Please add a $select or a $top=1 statement to the query string."));
    }
    let shape = Shape::of(call, entity)?;
    let rows = filtered(tx, entity, given("$filter"))?;
    let order = order_by(entity, given("$orderby"))?;
    let mut sorted: Vec<(Vec<Val>, Cow<'_, Value>)> = rows
        .into_iter()
        .map(|row| (order.iter().map(|(field, _)| field_value(entity, field, &row)).collect(), row))
        .collect();
    sorted.sort_by(|a, b| by(&order, &a.0, &b.0));
    let count = sorted.len();
    if let Some(token) = given("$skiptoken") {
        let after = literals(&token).filter(|values| values.len() == order.len()).ok_or_else(syntax)?;
        sorted.retain(|(place, _)| by(&order, place, &after) == Ordering::Greater);
    }
    let skip = number("$skip")?.unwrap_or(0);
    let limit = top.unwrap_or(usize::MAX).min(entity.page_size);
    let more = sorted.len().saturating_sub(skip) > limit && top.is_none_or(|top| top > limit);
    let page: Vec<(Vec<Val>, Cow<'_, Value>)> = sorted.into_iter().skip(skip).take(limit).collect();
    let next = page.last().filter(|_| more).map(|(place, _)| next_link(tx, call, place, top, limit));
    let results: Vec<Value> = page.iter().map(|(_, row)| render(tx, entity, row, &shape)).collect();
    let counted = given("$inlinecount").is_some_and(|word| word == "allpages");
    if !counted && next.is_none() && top.is_some_and(|top| top <= tx.switches.bare_list_top_max) {
        return Ok(Reply::json(200, &json!({"d": results})));
    }
    let mut d = Map::new();
    if counted {
        d.insert("__count".into(), json!(count.to_string()));
    }
    d.insert("results".into(), Value::Array(results));
    if let Some(next) = next {
        d.insert("__next".into(), json!(next));
    }
    Ok(Reply::json(200, &json!({"d": d})))
}

/// `GET …/$count`.
pub(super) fn count(tx: &Tx<'_>, entity: &Entity, call: &Call) -> Result<Reply, Reply> {
    let rows = filtered(tx, entity, call.param("$filter").filter(|text| !text.trim().is_empty()))?;
    Ok(Reply::typed(200, "text/plain;charset=utf-8", rows.len().to_string()))
}

fn filtered<'a>(tx: &'a Tx<'_>, entity: &Entity, filter: Option<String>) -> Result<Vec<Cow<'a, Value>>, Reply> {
    let filter = filter.map(|text| parse(&text, entity)).transpose()?;
    let fields: Vec<&str> = filter.as_ref().map(Expr::fields).unwrap_or_default();
    if entity.is_sync() && fields.iter().any(|field| *field != "Timestamp") {
        return Err(error(400, "This $filter parameter is not supported for this resource"));
    }
    check_mandatory(tx, entity, &fields)?;
    Ok(tx.rows_for(entity, filter.as_ref()))
}

/// Some resources want a filter on one of their documented fields, or on no other.
fn check_mandatory(tx: &Tx<'_>, entity: &Entity, fields: &[&str]) -> Result<(), Reply> {
    let documented = |name: &str| entity.prop(name).is_some_and(|prop| prop.filter);
    if tx.switches.mandatory_filter == "off" || entity.filter_mode != "listed_fields_only" {
        return Ok(());
    }
    if !fields.iter().any(|field| documented(field))
        && (fields.is_empty() || tx.switches.mandatory_filter == "required")
    {
        let names: Vec<&str> = entity.props.iter().filter(|prop| prop.filter).map(|prop| prop.name.as_str()).collect();
        let message = format!(
            "This endpoint has mandatory filtering applied. A GET request for this endpoint must have a $filter parameter \
             with one of the following fields in the url:{}",
            names.join(",")
        );
        return Err(error(400, &message));
    }
    if tx.switches.mandatory_filter == "listed_only" && fields.iter().any(|field| !documented(field)) {
        return Err(error(400, "This $filter parameter is not supported for this resource"));
    }
    Ok(())
}

/// Fields to sort by, always ending with the key, so that a page has one well-defined end.
fn order_by(entity: &Entity, text: Option<String>) -> Result<Vec<(String, bool)>, Reply> {
    let mut order = Vec::new();
    for part in text.iter().flat_map(|text| text.split(',')) {
        let mut words = part.split_whitespace();
        let name = words.next().ok_or_else(syntax)?;
        if !entity.prop(name).is_some_and(|prop| prop.read && prop.kind != Edm::Collection) {
            return Err(unknown(entity, name));
        }
        let down = match words.next() {
            None | Some("asc") => false,
            Some("desc") => true,
            Some(_) => return Err(syntax()),
        };
        order.push((name.to_owned(), down));
    }
    if !order.iter().any(|(name, _)| *name == entity.key) && !entity.key.is_empty() {
        order.push((entity.key.clone(), false));
    }
    Ok(order)
}

fn by(order: &[(String, bool)], a: &[Val], b: &[Val]) -> Ordering {
    for (at, (_, down)) in order.iter().enumerate() {
        let way = match (&a[at], &b[at]) {
            (Val::Null, Val::Null) => Ordering::Equal,
            (Val::Null, _) => Ordering::Less,
            (_, Val::Null) => Ordering::Greater,
            (a, b) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
        };
        let way = if *down { way.reverse() } else { way };
        if way != Ordering::Equal {
            return way;
        }
    }
    Ordering::Equal
}

fn next_link(tx: &Tx<'_>, call: &Call, place: &[Val], top: Option<usize>, limit: usize) -> String {
    let token: Vec<String> = place
        .iter()
        .map(|value| match value {
            Val::Null => "null".into(),
            Val::Bool(yes) => yes.to_string(),
            Val::Num(number) => number.to_string(),
            Val::Text(text) => format!("'{}'", text.replace('\'', "''")),
            Val::Guid(id) => format!("guid'{id}'"),
            Val::Time(at) => format!("datetime'{}'", at.format("%Y-%m-%dT%H:%M:%S%.f")),
        })
        .collect();
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in call.pairs() {
        if !["$top", "$skiptoken", "$skip"].contains(&name.as_str()) {
            query.append_pair(&name, &value);
        }
    }
    if let Some(top) = top {
        query.append_pair("$top", &(top - limit).to_string());
    }
    query.append_pair("$skiptoken", &token.join(","));
    format!("{}{}?{}", tx.site, call.path, query.finish())
}

/// An answer for a client that did not ask for JSON: Atom, as the service speaks by itself.
pub(super) fn atom(reply: Reply) -> Reply {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let d = &body["d"];
    let rows = d.as_array().or_else(|| d["results"].as_array()).cloned().unwrap_or_else(|| vec![d.clone()]);
    let entries: String = rows
        .iter()
        .map(|row| format!("<entry><id>{}</id></entry>", text(&row["__metadata"], "uri").replace('&', "&amp;")))
        .collect();
    let feed = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><feed xmlns=\"http://www.w3.org/2005/Atom\">{entries}</feed>"
    );
    Reply { status: reply.status, ..Reply::typed(reply.status, "application/atom+xml;charset=utf-8", feed) }
}
