//! Lists. Three shapes: bare with the count in every row, an object with records, and the one of the service for orders
//! whose pages begin with zero. A page that is larger than allowed is cut down without a word, and so is the count of
//! pages: rows say how large a page may be.

use koppel_core::ports::Calls;
use koppel_core::{Cause, Failure};
use serde_json::Value;

use super::{Client, Service};
use crate::http::Request;
use crate::visma_net::wire;

/// More pages than any list that is read whole can have.
const PAGES_MAX: u32 = 1_000;

/// One page.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::visma_net) struct Page {
    /// The rows.
    pub rows: Vec<Value>,
    /// The list goes on.
    pub more: bool,
    /// Rows of the whole list, when the answer tells.
    pub total: Option<u64>,
}

/// A list of the ERP API.
#[derive(Clone, Debug, Default)]
pub(in crate::visma_net) struct List<'a> {
    /// Path.
    pub path: &'a str,
    /// Name for messages and budgets.
    pub endpoint: &'static str,
    /// Filters.
    pub query: Vec<(&'static str, String)>,
}

impl<'a> List<'a> {
    /// A whole list.
    pub fn of(path: &'a str, endpoint: &'static str) -> Self {
        Self { path, endpoint, query: Vec::new() }
    }

    /// Adds a filter.
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }
}

impl Client {
    /// A list that has no pages.
    pub async fn whole(&self, list: &List<'_>, calls: &Calls) -> Result<Vec<Value>, Failure> {
        Ok(rows_of(&self.read(Service::Erp, list, &[], calls).await?))
    }

    /// One record with a query; `None` when there is none.
    pub async fn record(&self, list: &List<'_>, calls: &Calls) -> Result<Option<Value>, Failure> {
        match self.read(Service::Erp, list, &[], calls).await {
            Ok(answer) => Ok(Some(answer)),
            Err(Failure::Settings(cause)) if cause.code == super::NOT_FOUND => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// One page, from 1.
    pub async fn page(&self, list: &List<'_>, number: u32, calls: &Calls) -> Result<Page, Failure> {
        self.page_of(list, number, self.page_size, calls).await
    }

    async fn page_of(&self, list: &List<'_>, number: u32, size: u32, calls: &Calls) -> Result<Page, Failure> {
        let paging = [("pageNumber", number.to_string()), ("pageSize", size.to_string())];
        let answer = self.read(Service::Erp, list, &paging, calls).await?;
        let rows = rows_of(&answer);
        // An empty page has no count, and ends the list whatever was counted before.
        let Some(first) = rows.first() else { return Ok(Page { total: total(&answer), ..Page::default() }) };
        let (counted, most) = match total(&answer) {
            Some(total) => (Some(total), wire::decimal(&answer, "pageSize")),
            None => (count(first, "totalCount"), wire::decimal(first, "metadata.maxPageSize")),
        };
        let most = most.and_then(|most| u32::try_from(most).ok()).filter(|most| *most > 0);
        let read = u64::from(number) * u64::from(most.map_or(size, |most| most.min(size)));
        // Without a count only an empty page ends a list: a page may have been cut down.
        let more = counted.is_none_or(|total| read < total);
        Ok(Page { rows, more, total: counted })
    }

    /// All rows of a list.
    pub async fn list(&self, list: &List<'_>, calls: &Calls) -> Result<Vec<Value>, Failure> {
        let mut all: Vec<Value> = Vec::new();
        let mut before: Option<Value> = None;
        for number in 1..=PAGES_MAX {
            let page = self.page(list, number, calls).await?;
            // A list without pages gives itself again, whatever page is asked for.
            if page.rows.is_empty() || page.rows.first() == before.as_ref() {
                return Ok(all);
            }
            before = page.rows.first().cloned();
            all.extend(page.rows);
            if !page.more {
                return Ok(all);
            }
        }
        Err(self.endless(list.endpoint))
    }

    /// One page of a list of the service for orders, from 0.
    pub async fn order_page(&self, list: &List<'_>, index: u32, size: u32, calls: &Calls) -> Result<Page, Failure> {
        let paging = [("pageIndex", index.to_string()), ("pageSize", size.to_string())];
        let answer = self.read(Service::Orders, list, &paging, calls).await?;
        let rows = rows_of(&answer);
        // The link names a host of its own: the next page is asked for by its number.
        let linked = wire::field(&answer, "nextPage").is_some();
        let counted = total(&answer);
        let read = u64::from(index + 1) * u64::from(size);
        let more = !rows.is_empty() && (linked || counted.is_some_and(|total| read < total));
        Ok(Page { rows, more, total: counted })
    }

    async fn read(
        &self,
        service: Service,
        list: &List<'_>,
        paging: &[(&str, String)],
        calls: &Calls,
    ) -> Result<Value, Failure> {
        let mut request = Request::get(list.path).endpoint(list.endpoint);
        for (name, value) in &list.query {
            request = request.query(*name, value);
        }
        for (name, value) in paging {
            request = request.query(*name, value);
        }
        let answer = self.answer(service, request, list.endpoint, calls).await?;
        self.json(&answer)
    }

    fn endless(&self, endpoint: &str) -> Failure {
        Failure::settings(
            Cause::new("endless_list", format!("the list of {endpoint} does not end")).at_connection(&self.name),
        )
    }
}

/// The rows of an answer, whatever shape it has.
fn rows_of(answer: &Value) -> Vec<Value> {
    let list = match answer {
        Value::Array(rows) => Some(rows),
        Value::Object(object) => ["records", "value"].iter().find_map(|name| object.get(*name)?.as_array()),
        _ => None,
    };
    list.cloned().unwrap_or_default()
}

/// The count beside the rows.
fn total(answer: &Value) -> Option<u64> {
    answer.get("totalCount")?.as_u64()
}

/// The count inside a row.
fn count(row: &Value, name: &str) -> Option<u64> {
    row.get("metadata")?.get(name)?.as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_shape_gives_its_rows_and_its_count() {
        let row = json!({"id": 1, "metadata": {"totalCount": 7, "maxPageSize": 5}});
        for (answer, rows) in [
            (json!([row]), 1),
            (json!({"totalCount": 2, "pageNumber": 1, "pageSize": 2, "records": [{}, {}]}), 2),
            (json!({"value": [{}], "totalCount": null, "nextPage": null}), 1),
            (json!([]), 0),
            (json!(null), 0),
        ] {
            assert_eq!(rows_of(&answer).len(), rows, "{answer}");
        }
        assert_eq!(count(&row, "totalCount"), Some(7));
        assert_eq!(total(&json!({"totalCount": 2})), Some(2));
        assert_eq!(total(&json!([row])), None);
    }
}
