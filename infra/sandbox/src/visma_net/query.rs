//! Lists of v1/v2: filters, date conditions, pages. What is no parameter of an address is ignored, as in the real one.

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use serde_json::{Value, json};

use super::contract::{Endpoint, Paging};
use super::errors::{message, unreadable};
use super::render::{Expand, render};
use super::rows::{Tx, at, created, modified};
use super::stock;
use crate::message::{Call, Reply};
use crate::text::text;

/// Largest page of articles.
const INVENTORY_MAX: usize = 5_000;

/// A moment in one of the forms filters take: no zone.
pub(super) fn moment(text: &str) -> Option<NaiveDateTime> {
    if let Ok(date) = text.parse::<chrono::NaiveDate>() {
        return date.and_hms_opt(0, 0, 0);
    }
    let text = text.replacen('T', " ", 1);
    ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(&text, format).ok())
}

/// What a filter compares.
#[derive(Debug)]
enum Test {
    Text(&'static str, String),
    Moment(&'static str, String, NaiveDateTime),
    Released(bool),
    EffectiveAsOf(NaiveDateTime),
    Attributes(Vec<(String, Vec<String>)>),
    Types(Vec<String>),
}

/// What was asked for.
#[derive(Debug, Default)]
pub(super) struct Query {
    tests: Vec<Test>,
    page: usize,
    size: Option<usize>,
}

/// Where in a row the value of a filter is; None: the sandbox does not know the filter.
fn place(entity: &str, name: &str) -> Option<&'static str> {
    Some(match (entity, name) {
        ("Customer", "email") => "mainContact.email",
        ("Customer", "phone") => "mainContact.phone1",
        ("Inventory", "alternateID") => "crossReferences.alternateID",
        ("Inventory", "salesCategory") => "salesCategories.categoryId",
        ("CustomerPayment", "paymentNbr") => "refNbr",
        ("CustomerPayment", "paymentType") => "type",
        ("CustomerPayment", "invoiceRefNbr") => "paymentLines.refNbr",
        ("CustomerPayment" | "JournalTransaction", "branch") => "branch",
        ("Warehouse", "branch") => "branch.number",
        (_, "branch") => "branchNumber.number",
        (_, "customer") => "customer.number",
        ("JournalTransaction", "periodId") => "financialPeriod",
        ("Account", "publicCode") => "publicCode1",
        (_, "priceType") => "priceType",
        (_, "priceCode") => "priceCode",
        (_, "inventoryId") => "inventoryId",
        (_, "email") => "email",
        (_, "name") => "name",
        (_, "status") => "status",
        (_, "corporateId") => "corporateId",
        (_, "vatRegistrationId") => "vatRegistrationId",
        (_, "inventoryNumber") => "inventoryNumber",
        (_, "description") => "description",
        (_, "customerRefNumber") => "customerRefNumber",
        (_, "externalReference") => "externalReference",
        (_, "paymentReference") => "paymentReference",
        (_, "financialPeriod") => "financialPeriod",
        (_, "displayName") => "displayName",
        (_, "firstName") => "firstName",
        (_, "lastName") => "lastName",
        (_, "businessAccount") => "businessAccount",
        (_, "active") => "active",
        (_, "termsId") => "termsId",
        (_, "attributeID") => "attributeID",
        (_, "controlType") => "controlType",
        (_, "internal") => "internal",
        (_, "locationId") => "locationId",
        (_, "gln") => "gln",
        (_, "module") => "module",
        (_, "discountCode") => "discountCode",
        (_, "externalCode1") => "externalCode1",
        (_, "externalCode2") => "externalCode2",
        (_, "analysisCode") => "analysisCode",
        _ => return None,
    })
}

/// Where a date of a filter is; `_` names are not in answers.
fn date_place(name: &str) -> Option<&'static str> {
    Some(match name {
        "lastModifiedDateTime" => "_modified",
        "createdDateTime" => "_created",
        "availabilityLastModifiedDateTime" => "_stock",
        "attachmentLastModifiedDateTime" => "_files_modified",
        "documentDate" => "documentDate",
        "documentDueDate" => "documentDueDate",
        "docDate" => "applicationDate",
        _ => return None,
    })
}

impl Query {
    /// Reads the parameters the address knows.
    pub fn of(tx: &Tx<'_>, endpoint: &Endpoint, call: &Call) -> Result<Self, Reply> {
        let mut query = Self { page: 1, ..Self::default() };
        let pairs = call.pairs();
        let sent =
            |name: &str| pairs.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
        for (key, value) in &pairs {
            let Some(name) = endpoint.query.iter().find(|known| known.eq_ignore_ascii_case(key)) else { continue };
            if value.is_empty() {
                continue;
            }
            query.take(tx, endpoint, name, value, &sent)?;
        }
        Ok(query)
    }

    fn take<'q>(
        &mut self,
        tx: &Tx<'_>,
        endpoint: &Endpoint,
        name: &str,
        value: &str,
        sent: &dyn Fn(&str) -> Option<&'q str>,
    ) -> Result<(), Reply> {
        let number = || {
            let number = value.parse::<usize>().ok().filter(|number| *number > 0);
            number.ok_or_else(|| unreadable(&format!("The value '{value}' is not valid for {name}.")))
        };
        match name {
            "pageNumber" => self.page = number()?,
            "pageSize" => self.size = Some(number()?),
            name if name.starts_with("expand") || name.starts_with("include") || name == "addCostPriceStatistics" => {}
            name if name.ends_with("Condition") => {
                let date = name.trim_end_matches("Condition");
                if sent(date).is_none_or(str::is_empty) && tx.switches.lone_date_filter == "error" {
                    return Err(unreadable(&format!("{name} needs {date}.")));
                }
            }
            "released" => self.tests.push(Test::Released(value == "1" || value == "true")),
            "effectiveAsOf" => {
                let at = moment(value).ok_or_else(|| bad_date(name, value))?;
                self.tests.push(Test::EffectiveAsOf(at));
            }
            "priceType" if value == "All" => {}
            "attributes" => self.tests.push(Test::Attributes(attributes(value)?)),
            "inventoryTypes" => match self.tests.iter_mut().find_map(|test| match test {
                Test::Types(types) => Some(types),
                _ => None,
            }) {
                Some(types) => types.push(value.into()),
                None => self.tests.push(Test::Types(vec![value.into()])),
            },
            name => {
                if let Some(place) = date_place(name) {
                    return self.take_date(tx, endpoint, name, place, value, sent);
                }
                let place = place(&endpoint.returns, name);
                let place = place.ok_or_else(|| message(501, &format!("{name} is not part of the sandbox")))?;
                self.tests.push(Test::Text(place, value.into()));
            }
        }
        Ok(())
    }

    fn take_date<'q>(
        &mut self,
        tx: &Tx<'_>,
        endpoint: &Endpoint,
        name: &str,
        place: &'static str,
        value: &str,
        sent: &dyn Fn(&str) -> Option<&'q str>,
    ) -> Result<(), Reply> {
        let at = moment(value).ok_or_else(|| bad_date(name, value))?;
        let takes = endpoint.query.iter().any(|known| *known == format!("{name}Condition"));
        let condition = match sent(&format!("{name}Condition")).filter(|text| !text.is_empty()) {
            Some(condition) if takes => condition,
            // Without its condition a stamp is no filter; a day then means that day.
            None if takes && place.starts_with('_') => {
                if tx.switches.lone_date_filter == "error" {
                    return Err(unreadable(&format!("{name} needs {name}Condition.")));
                }
                return Ok(());
            }
            _ if place == "_modified" => ">",
            _ => "=",
        };
        if ![">", "<", ">=", "<=", "="].contains(&condition) {
            return Err(unreadable(&format!("The value '{condition}' is not valid for {name}Condition.")));
        }
        self.tests.push(Test::Moment(place, condition.into(), at));
        Ok(())
    }

    /// True when a row is asked for.
    fn holds(&self, tx: &Tx<'_>, row: &Value) -> bool {
        self.tests.iter().all(|test| match test {
            Test::Text(place, wanted) => at(row, place).into_iter().any(|value| same(tx, value, wanted)),
            Test::Types(types) => types.iter().any(|kind| row["type"] == kind.as_str()),
            Test::Released(wanted) => {
                let open = ["Hold", "Balanced"].contains(&text(row, "status"));
                open != *wanted
            }
            Test::EffectiveAsOf(day) => {
                let from = moment(text(row, "effectiveDate")).is_none_or(|from| from <= *day);
                from && moment(text(row, "expirationDate")).is_none_or(|until| *day <= until)
            }
            Test::Attributes(wanted) => wanted.iter().all(|(id, values)| {
                let held = row["attributes"].as_array().into_iter().flatten();
                held.filter(|one| one["id"] == id.as_str())
                    .any(|one| values.iter().any(|value| one["value"] == value.as_str()))
            }),
            Test::Moment(place, condition, wanted) => {
                let there = match *place {
                    "_modified" => Some(tx.wall(modified(row))),
                    "_created" => Some(tx.wall(created(row))),
                    "_stock" => stock::last_change(tx, text(row, "inventoryNumber")).map(|at| tx.wall(at)),
                    "_files_modified" => {
                        text(row, "_files_modified").parse::<DateTime<Utc>>().ok().map(|at| tx.wall(at))
                    }
                    place => moment(text(row, place)),
                };
                there.is_some_and(|there| match condition.as_str() {
                    ">" => there > *wanted,
                    ">=" => there >= *wanted,
                    "<" => there < *wanted,
                    "<=" => there <= *wanted,
                    _ => there == *wanted,
                })
            }
        })
    }
}

fn bad_date(name: &str, value: &str) -> Reply {
    unreadable(&format!("The value '{value}' of {name} is not a date in a form that is accepted."))
}

/// `{"COLOR":"RED","SIZE":"S,M"}`.
fn attributes(value: &str) -> Result<Vec<(String, Vec<String>)>, Reply> {
    let wrong = || unreadable("The filter attributes is not valid JSON.");
    let read: Value = serde_json::from_str(value).map_err(|_| wrong())?;
    let pairs = read.as_object().ok_or_else(wrong)?.iter();
    pairs
        .map(|(id, value)| {
            let values = value.as_str().ok_or_else(wrong)?;
            Ok((id.clone(), values.split(',').map(|one| one.trim().to_owned()).collect()))
        })
        .collect()
}

fn same(tx: &Tx<'_>, value: &Value, wanted: &str) -> bool {
    let there = match value {
        Value::String(text) => text.clone(),
        Value::Null => return false,
        other => other.to_string(),
    };
    let (there, wanted) = match (value, tx.switches.case_sensitive_filters) {
        (Value::String(_), true) => (there, wanted.to_owned()),
        _ => (there.to_lowercase(), wanted.to_lowercase()),
    };
    // Modules are asked for without the word they are shown with.
    if tx.switches.filters_by_part {
        there.contains(&wanted)
    } else {
        there == wanted || there == format!("Module{wanted}")
    }
}

/// Rows young enough to be hidden from lists.
fn hidden(tx: &Tx<'_>, row: &Value) -> bool {
    tx.switches.list_lag_seconds > 0 && tx.now - created(row) < Duration::seconds(tx.switches.list_lag_seconds)
}

/// `GET` of a list: the rows of a table that fit.
pub(super) fn list(
    tx: &Tx<'_>,
    endpoint: &Endpoint,
    table: &str,
    call: &Call,
    also: impl Fn(&Value) -> bool,
) -> Result<Reply, Reply> {
    let query = Query::of(tx, endpoint, call)?;
    let rows: Vec<&Value> =
        tx.store.rows(table).filter(|row| also(row) && !hidden(tx, row) && query.holds(tx, row)).collect();
    let expand = Expand::of(call);
    let show = |rows: &[&Value]| -> Vec<Value> {
        rows.iter().map(|row| render(tx, &endpoint.returns, row, &expand)).collect()
    };
    if endpoint.paging == Paging::None {
        return Ok(Reply::json(200, &Value::Array(show(&rows))));
    }
    let max = if endpoint.returns == "Inventory" { INVENTORY_MAX } else { tx.switches.max_page_size };
    let size = query.size.unwrap_or(tx.switches.default_page_size).min(max);
    if endpoint.returns == "JournalTransaction" {
        return Ok(by_lines(tx, &rows, query.page, size, max, &expand));
    }
    let from = (query.page - 1).saturating_mul(size).min(rows.len());
    let page = &rows[from..(from + size).min(rows.len())];
    let mut shown = show(page);
    if endpoint.paging == Paging::Records {
        return Ok(Reply::json(
            200,
            &json!({"totalCount": rows.len(), "pageNumber": query.page, "pageSize": size, "records": shown}),
        ));
    }
    with_metadata(tx, &mut shown, rows.len(), max);
    Ok(Reply::json(200, &Value::Array(shown)))
}

fn with_metadata(tx: &Tx<'_>, shown: &mut [Value], total: usize, max: usize) {
    let count = if tx.switches.metadata_on_every_item { shown.len() } else { 1 };
    for row in shown.iter_mut().take(count) {
        row["metadata"] = json!({"totalCount": total, "maxPageSize": max});
    }
}

/// Journal batches: a page holds so many lines, and a batch may go on on the next one.
fn by_lines(tx: &Tx<'_>, rows: &[&Value], page: usize, size: usize, max: usize, expand: &Expand) -> Reply {
    const LINES: &str = "journalTransactionLines";
    let lines: Vec<(usize, &Value)> = rows
        .iter()
        .enumerate()
        .flat_map(|(at, row)| row[LINES].as_array().into_iter().flatten().map(move |line| (at, line)))
        .collect();
    let from = (page - 1).saturating_mul(size).min(lines.len());
    let mut shown: Vec<Value> = Vec::new();
    let mut last = None;
    for (batch, line) in &lines[from..(from + size).min(lines.len())] {
        if last != Some(*batch) {
            let mut head = render(tx, "JournalTransaction", rows[*batch], expand);
            head[LINES] = json!([]);
            shown.push(head);
            last = Some(*batch);
        }
        if let Some(held) = shown.last_mut().and_then(|head| head[LINES].as_array_mut()) {
            held.push((*line).clone());
        }
    }
    with_metadata(tx, &mut shown, lines.len(), max);
    Reply::json(200, &Value::Array(shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_no_zone() {
        for text in ["2026-01-02", "2026-01-02 03:04:05", "2026-01-02T03:04:05.678", "2026-01-02 03:04:05.6"] {
            assert!(moment(text).is_some(), "{text}");
        }
        for text in ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05+01:00", "x", "2026-01-02T03:04"] {
            assert!(moment(text).is_none(), "{text}");
        }
    }
}
