//! Reading a list that can only be paged by offset. A record that leaves the list moves all later ones forward by one
//! place, over the edge of a page that was read. So each page begins with the last record of the page before; when that
//! one is not there, the reader steps back until it meets it. One record in a hundred is read twice, none is missed.

use std::future::Future;

use koppel_core::Failure;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::client::LARGEST_PAGE;

/// Most steps back for one page.
const MOST_STEPS: usize = 20;
/// So many records are remembered from page to page.
const REMEMBERED: usize = 5;

/// Where the next page begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Records to pass over.
    pub offset: usize,
    /// What the last few records that were handed out are called: one of them may be gone by then.
    pub last: Vec<String>,
}

/// Records that were not handed out before, and where the next page begins.
#[derive(Debug, PartialEq)]
pub struct Page {
    /// The records.
    pub records: Vec<Value>,
    /// `None` at the end.
    pub next: Option<Place>,
}

/// The page at `place`. `read` gives the records from an offset on, `name` what a record is called.
pub async fn page<F>(place: &Place, name: fn(&Value) -> String, read: impl Fn(usize) -> F) -> Result<Page, Failure>
where
    F: Future<Output = Result<Vec<Value>, Failure>>,
{
    let mut offset = place.offset;
    let mut steps = 0;
    loop {
        let mut rows = read(offset).await?;
        let is_last = rows.len() < LARGEST_PAGE;
        let tail = rows[rows.len().saturating_sub(REMEMBERED)..].iter().map(name).collect();
        let next = (!rows.is_empty()).then(|| Place { offset: offset + rows.len() - 1, last: tail });
        let known = rows.iter().rposition(|row| place.last.contains(&name(row)));
        if offset > 0 && known.is_none() && !place.last.is_empty() && steps < MOST_STEPS {
            // Something left the list: go back to what is known.
            offset = offset.saturating_sub(LARGEST_PAGE - 1);
            steps += 1;
            continue;
        }
        let records = rows.split_off(known.map_or(0, |at| at + 1));
        return Ok(Page { records, next: if is_last { None } else { next } });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::cell::RefCell;

    fn name(row: &Value) -> String {
        row["id"].to_string()
    }

    #[tokio::test]
    async fn nothing_is_missed_when_records_leave_the_list() {
        let list = RefCell::new((1..=250).collect::<Vec<i64>>());
        let read = |offset: usize| {
            let rows: Vec<Value> =
                list.borrow().iter().skip(offset).take(LARGEST_PAGE).map(|id| json!({"id": id})).collect();
            async move { Ok(rows) }
        };
        let (mut seen, mut place) = (Vec::new(), Place::default());
        loop {
            let page = page(&place, name, read).await.unwrap();
            seen.extend(page.records.iter().map(|row| row["id"].as_i64().unwrap()));
            // Three records before the edge leave while the list is read.
            list.borrow_mut().retain(|id| ![5, 50, 100].contains(id));
            match page.next {
                Some(next) => place = next,
                None => break,
            }
        }
        let handed_out = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!((seen.len(), handed_out), (250, 250), "{seen:?}");
    }

    #[tokio::test]
    async fn a_list_of_exactly_one_page_ends_after_an_empty_one() {
        let read = |offset: usize| async move {
            Ok((0..100).skip(offset).map(|id| json!({"id": id})).collect::<Vec<Value>>())
        };
        let first = page(&Place::default(), name, read).await.unwrap();
        assert_eq!(first.records.len(), 100);
        let second = page(&first.next.unwrap(), name, read).await.unwrap();
        assert_eq!((second.records.len(), second.next), (0, None));
    }
}
