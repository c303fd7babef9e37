//! The bulk twins: lists of a thousand rows a page with ordinary filters; and files, which are not lists at all.

use koppel_core::error::RetryReason;
use koppel_core::ports::Calls;
use koppel_core::{Cause, Failure};
use serde_json::Value;

use super::Client;
use crate::exact_online::odata;
use crate::http::{Answer, Request};

impl Client {
    /// One page of a list, and the link to the next. A link is used as it came.
    pub(in crate::exact_online) async fn page(
        &self,
        entity: &'static str,
        select: &str,
        link: Option<&str>,
        calls: &Calls,
    ) -> Result<(Vec<Value>, Option<String>), Failure> {
        let request = match link {
            Some(link) => Request::get(link).endpoint(entity),
            None => self.get(entity, "", select)?,
        };
        self.one_page(request, entity, calls).await
    }

    /// The rows of one answer, and the link to the next.
    pub(super) async fn one_page(
        &self,
        request: Request,
        entity: &'static str,
        calls: &Calls,
    ) -> Result<(Vec<Value>, Option<String>), Failure> {
        let answer = self.send(request, entity, calls).await?;
        let Some((rows, next)) = odata::rows(&answer) else {
            let cause = Cause::new("no_list", format!("{entity} answered something that is no list"));
            return Err(Failure::retry(RetryReason::Unavailable, None, self.at(cause)));
        };
        Ok((rows.into_iter().cloned().collect(), next.map(str::to_owned)))
    }

    /// All rows that pass a filter.
    pub(in crate::exact_online) async fn filtered(
        &self,
        entity: &'static str,
        filter: &str,
        select: &str,
        calls: &Calls,
    ) -> Result<Vec<Value>, Failure> {
        self.pages(self.get(entity, filter, select)?, entity, calls).await
    }

    /// The rows for which one of the terms holds; terms that belong to one thing stay in one call.
    pub(in crate::exact_online) async fn search_terms(
        &self,
        entity: &'static str,
        terms: &[Vec<String>],
        select: &str,
        calls: &Calls,
    ) -> Result<Vec<Value>, Failure> {
        let mut rows = Vec::new();
        let bare = self.http.address(&self.get(entity, "eq", select)?)?.len();
        for filter in odata::filters_of(terms, bare) {
            rows.extend(self.filtered(entity, &filter, select, calls).await?);
        }
        Ok(rows)
    }

    /// A file of the site, with the token: without it a placeholder would come. `None` for an address elsewhere.
    pub(in crate::exact_online) async fn file(
        &self,
        url: &str,
        entity: &'static str,
        calls: &Calls,
    ) -> Result<Option<Answer>, Failure> {
        let here = url.strip_prefix(self.http.base()).is_some_and(|rest| rest.starts_with('/'));
        if !here {
            return Ok(None);
        }
        self.answer(Request::get(url).endpoint(entity), entity, calls).await.map(Some)
    }
}
