//! Orders, credit orders and buyers: all are read from the same lists.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use koppel_core::Failure;
use koppel_core::keys::RecordKey;
use koppel_core::message::SourceRecord;
use koppel_core::ports::{Calls, FetchPage, FetchQuery};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::MijnWebwinkelSource;
use crate::http::PageToken;
use crate::mijnwebwinkel::native::order::{is_credit, is_test};
use crate::mijnwebwinkel::native::{self, many, number, text};
use crate::mijnwebwinkel::paging::{Place, page};

/// A list that is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Sweep {
    /// By their date: those that are new.
    #[default]
    Placed,
    /// By the change of their status: those that are older.
    Changed,
    /// The same of test orders, which are hidden otherwise.
    PlacedTest,
    ChangedTest,
}

impl Sweep {
    fn next(self, test: bool) -> Option<Self> {
        match self {
            Self::Placed => Some(Self::Changed),
            Self::Changed => test.then_some(Self::PlacedTest),
            Self::PlacedTest => Some(Self::ChangedTest),
            Self::ChangedTest => None,
        }
    }

    fn of_test_orders(self) -> bool {
        matches!(self, Self::PlacedTest | Self::ChangedTest)
    }
}

/// Where the next page begins, and in which list.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Token {
    sweep: Sweep,
    place: Place,
}

impl MijnWebwinkelSource {
    /// One page of native orders, credit orders among them.
    async fn native_orders(&self, query: &FetchQuery, calls: &Calls) -> Result<(Vec<Value>, Option<String>), Failure> {
        let token: Token = match &query.page {
            Some(token) => PageToken::unpack(token)?,
            None => Token::default(),
        };
        let day = self.options.day(query.since);
        let mut filter = vec![("test", token.sweep.of_test_orders().to_string())];
        match token.sweep {
            Sweep::Placed | Sweep::PlacedTest => filter.push(("start_date", day.to_string())),
            Sweep::Changed | Sweep::ChangedTest => {
                filter.push(("end_date", (day - TimeDelta::days(1)).to_string()));
                filter.push(("status_changed_start_date", self.options.filter(query.since)));
            }
        }
        let page = page(&token.place, number, |offset| self.client.orders(&filter, offset, calls)).await?;
        let next = match page.next {
            Some(place) => Some(Token { sweep: token.sweep, place }),
            None => token.sweep.next(self.options.test_orders).map(|sweep| Token { sweep, place: Place::default() }),
        };
        let next = next.map(|token| PageToken::pack(&token)).transpose()?;
        let mut rows = page.records;
        // Where the filter does not hide them, they are left out here.
        rows.retain(|row| self.options.test_orders || !is_test(row));
        Ok((rows, next))
    }

    /// A page of orders.
    pub(super) async fn orders(&self, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure> {
        let (rows, next) = self.native_orders(query, calls).await?;
        let credits: BTreeMap<String, Value> =
            rows.iter().filter(|row| is_credit(row)).map(|row| (number(row), row.clone())).collect();
        let mut records = Vec::new();
        for row in rows.into_iter().filter(|row| !is_credit(row)) {
            records.push(self.order_record(row, &credits, calls).await?);
        }
        Ok(FetchPage { records, gone: Vec::new(), next })
    }

    /// One order by its number.
    pub(super) async fn order(&self, key: &RecordKey, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
        match self.client.order(key.as_str(), calls).await?.filter(|row| !is_credit(row)) {
            Some(row) => Ok(Some(self.order_record(row, &BTreeMap::new(), calls).await?)),
            None => Ok(None),
        }
    }

    /// The order with the amounts of what credits it, which it does not tell itself.
    async fn order_record(
        &self,
        row: Value,
        known: &BTreeMap<String, Value>,
        calls: &Calls,
    ) -> Result<SourceRecord, Failure> {
        let credits = self.credits_of(&row, known, calls).await?;
        let mut record = native::order::record(row, &self.options)?;
        record.raw = native::refund::with_credits(record.raw, &credits);
        Ok(record)
    }

    async fn credits_of(
        &self,
        order: &Value,
        known: &BTreeMap<String, Value>,
        calls: &Calls,
    ) -> Result<Vec<Value>, Failure> {
        let mut credits = Vec::new();
        for number in many(&order["credit_order_numbers"]).iter().map(text) {
            match known.get(&number) {
                Some(credit) => credits.push(credit.clone()),
                None => credits.extend(self.client.order(&number, calls).await?),
            }
        }
        Ok(credits)
    }

    /// A page of credit orders, each with what it credits.
    pub(super) async fn refunds(&self, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure> {
        let (rows, next) = self.native_orders(query, calls).await?;
        let mut known: BTreeMap<String, Value> = rows.iter().map(|row| (number(row), row.clone())).collect();
        let mut records = Vec::new();
        for credit in rows.into_iter().filter(is_credit) {
            let wanted = text(&credit["credited_order_number"]);
            if !known.contains_key(&wanted)
                && let Some(original) = self.client.order(&wanted, calls).await?
            {
                known.insert(wanted.clone(), original);
            }
            // One of an order that is no longer there has nothing to credit.
            let Some(original) = known.get(&wanted).cloned() else { continue };
            let credits = self.credits_of(&original, &known, calls).await?;
            records.push(native::refund::record(credit, original, &credits, &self.options)?);
        }
        Ok(FetchPage { records, gone: Vec::new(), next })
    }

    /// One credit order with what it credits.
    pub(super) async fn refund(&self, key: &RecordKey, calls: &Calls) -> Result<Option<SourceRecord>, Failure> {
        let Some((original, credit)) = key.as_str().split_once('/') else { return Ok(None) };
        let Some(credit) = self.client.order(credit, calls).await?.filter(is_credit) else { return Ok(None) };
        let Some(original) = self.client.order(original, calls).await? else { return Ok(None) };
        let known = BTreeMap::from([(number(&credit), credit.clone())]);
        let credits = self.credits_of(&original, &known, calls).await?;
        native::refund::record(credit, original, &credits, &self.options).map(Some)
    }

    /// A page of buyers: each once, by the newest order on the page.
    pub(super) async fn buyers(&self, query: &FetchQuery, calls: &Calls) -> Result<FetchPage, Failure> {
        let (rows, next) = self.native_orders(query, calls).await?;
        let mut by_id: BTreeMap<String, SourceRecord> = BTreeMap::new();
        for order in rows.into_iter().filter(|row| !is_credit(row)) {
            if let Some(record) = native::customer::of_order(order, &self.options)? {
                by_id.insert(record.key.to_string(), record);
            }
        }
        Ok(FetchPage { records: by_id.into_values().collect(), gone: Vec::new(), next })
    }
}
