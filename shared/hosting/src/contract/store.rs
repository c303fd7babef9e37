//! Rules of the store port.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use futures::future::join_all;
use koppel_core::ports::{Clock, Condition, Item, Key, Store, StoreError};

use super::{Passage, Rule, fresh_tenant, hold, rules};

/// A store and its time.
pub struct Fixture {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The clock it uses.
    pub clock: Arc<dyn Clock>,
    /// How time passes.
    pub time: Arc<dyn Passage>,
    /// Life of items that expire during a rule; at least two seconds in real time.
    pub brief: Duration,
}

rules!(Fixture:
    what_was_not_put_is_absent,
    what_was_put_comes_back_as_it_was,
    versions_grow_by_one,
    absent_is_granted_once,
    a_version_is_granted_once,
    of_concurrent_creators_one_wins,
    concurrent_changes_are_never_lost,
    a_delete_keeps_its_condition,
    deleting_what_is_absent_is_fine,
    a_batch_keeps_the_order_of_its_keys,
    an_expired_item_is_gone_for_readers,
    an_expired_item_is_gone_for_conditions,
    expired_items_do_not_use_up_a_limit,
    an_expiry_can_be_moved_and_removed,
    a_query_ascends_byte_by_byte,
    a_query_pages_without_gaps_or_repeats,
    a_prefix_is_plain_text,
    a_query_stays_in_its_partition,
    large_values_come_back_whole,
    a_page_is_full_whatever_its_bytes,
);

impl Fixture {
    async fn put(&self, key: &Key, value: &str) -> Result<u64, StoreError> {
        self.store.put(key, value, Condition::Always, None).await
    }

    /// A moment that is over after `brief`, in whole seconds.
    fn soon(&self) -> DateTime<Utc> {
        let moment = self.clock.now() + TimeDelta::from_std(self.brief).unwrap_or_default();
        moment.with_nanosecond(0).unwrap_or(moment) + TimeDelta::seconds(1)
    }

    async fn let_it_end(&self) {
        self.time.pass(self.brief + Duration::from_secs(2)).await;
    }

    async fn sorts(
        &self,
        partition: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        Ok(self.store.query(partition, prefix, after, limit).await?.into_iter().map(|item| item.key.sort).collect())
    }
}

fn key(sort: &str) -> Key {
    Key::new(&fresh_tenant(), &["area"], sort)
}

fn beside(key: &Key, sort: &str) -> Key {
    Key { partition: key.partition.clone(), sort: sort.to_owned() }
}

/// Absent items are `None`, and an empty partition is empty.
pub async fn what_was_not_put_is_absent(f: &Fixture) -> Rule {
    let key = key("1");
    hold!(f.store.get(&key).await?.is_none(), "an item came from nowhere");
    hold!(f.store.batch_get(&[key.clone(), key.clone()]).await? == [None, None], "a batch found an item from nowhere");
    hold!(f.store.batch_get(&[]).await?.is_empty(), "an empty batch is not empty");
    hold!(f.store.query(&key.partition, "", None, 10).await?.is_empty(), "a partition is filled from nowhere");
    Ok(())
}

/// Text, key and expiry are exactly what was put.
pub async fn what_was_put_comes_back_as_it_was(f: &Fixture) -> Rule {
    let key = key("naïve/€ 1%23'\"");
    let value = r#"{"price":9.950000000000001,"naam":"Zoë 🧀","empty":""}"#;
    let expires_at = Some(f.soon());
    let version = f.store.put(&key, value, Condition::Always, expires_at).await?;
    let wanted = Item { key: key.clone(), value: value.to_owned(), version, expires_at };
    let got = f.store.get(&key).await?;
    hold!(got.as_ref() == Some(&wanted), "put {wanted:?} and got {got:?}");
    Ok(())
}

/// The first version is followed by the next, whether the put has a condition or not.
pub async fn versions_grow_by_one(f: &Fixture) -> Rule {
    let key = key("1");
    let first = f.store.put(&key, "1", Condition::Absent, None).await?;
    let second = f.put(&key, "2").await?;
    let third = f.store.put(&key, "3", Condition::Version(second), None).await?;
    hold!((second, third) == (first + 1, first + 2), "versions were {first}, {second}, {third}");
    let stored = f.store.get(&key).await?.map(|item| item.version);
    hold!(stored == Some(third), "the put answered version {third} and the item has {stored:?}");
    Ok(())
}

/// `Absent` fails when there is an item, and leaves it alone.
pub async fn absent_is_granted_once(f: &Fixture) -> Rule {
    let key = key("1");
    f.store.put(&key, "first", Condition::Absent, None).await?;
    let second = f.store.put(&key, "second", Condition::Absent, None).await;
    hold!(second == Err(StoreError::ConditionFailed), "the second claim was answered {second:?}");
    let value = f.store.get(&key).await?.map(|item| item.value);
    hold!(value.as_deref() == Some("first"), "the second claim left {value:?}");
    Ok(())
}

/// `Version` fails for an old version, a version to come, and an absent item.
pub async fn a_version_is_granted_once(f: &Fixture) -> Rule {
    let key = key("1");
    let nothing = f.store.put(&key, "0", Condition::Version(1), None).await;
    hold!(nothing == Err(StoreError::ConditionFailed), "an absent item has a version: {nothing:?}");
    let version = f.put(&key, "1").await?;
    f.store.put(&key, "2", Condition::Version(version), None).await?;
    for wrong in [version, version + 2, 0] {
        let again = f.store.put(&key, "3", Condition::Version(wrong), None).await;
        hold!(again == Err(StoreError::ConditionFailed), "version {wrong} was granted: {again:?}");
    }
    let value = f.store.get(&key).await?.map(|item| item.value);
    hold!(value.as_deref() == Some("2"), "a refused put left {value:?}");
    Ok(())
}

/// Of many that claim at once exactly one gets it, and the others hear so.
pub async fn of_concurrent_creators_one_wins(f: &Fixture) -> Rule {
    let key = key("1");
    let names: Vec<_> = (0..16).map(|n| n.to_string()).collect();
    let claims = join_all(names.iter().map(|name| f.store.put(&key, name, Condition::Absent, None))).await;
    let winners: Vec<_> = names.iter().zip(&claims).filter(|(_, claim)| claim.is_ok()).map(|(name, _)| name).collect();
    hold!(winners.len() == 1, "winners: {winners:?}");
    let losers = claims.iter().filter(|claim| **claim == Err(StoreError::ConditionFailed)).count();
    hold!(losers == 15, "{losers} of 15 losers heard that they lost: {claims:?}");
    let value = f.store.get(&key).await?.map(|item| item.value);
    hold!(value.as_ref() == winners.first().copied(), "{winners:?} won and {value:?} is stored");
    Ok(())
}

/// Read, change, put with the version, again when it changed: nothing gets lost.
pub async fn concurrent_changes_are_never_lost(f: &Fixture) -> Rule {
    let key = key("1");
    f.put(&key, "0").await?;
    let workers = join_all((0..6).map(|_| async {
        for _ in 0..5 {
            loop {
                let item = f.store.get(&key).await?.ok_or(StoreError::ConditionFailed)?;
                let next = item.value.parse::<u64>().unwrap_or(0) + 1;
                match f.store.put(&key, &next.to_string(), Condition::Version(item.version), None).await {
                    Ok(_) => break,
                    Err(StoreError::ConditionFailed) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }));
    for worker in workers.await {
        worker?;
    }
    let value = f.store.get(&key).await?.map(|item| item.value);
    hold!(value.as_deref() == Some("30"), "30 additions made {value:?}");
    Ok(())
}

/// A delete under a condition that does not hold fails and leaves the item.
pub async fn a_delete_keeps_its_condition(f: &Fixture) -> Rule {
    let key = key("1");
    let version = f.put(&key, "1").await?;
    for wrong in [Condition::Version(version + 1), Condition::Absent] {
        let deleted = f.store.delete(&key, wrong).await;
        hold!(deleted == Err(StoreError::ConditionFailed), "{wrong:?} was granted: {deleted:?}");
    }
    hold!(f.store.get(&key).await?.is_some(), "a refused delete removed the item");
    f.store.delete(&key, Condition::Version(version)).await?;
    hold!(f.store.get(&key).await?.is_none(), "the deleted item is still there");
    let again = f.store.delete(&key, Condition::Version(version)).await;
    hold!(again == Err(StoreError::ConditionFailed), "an absent item has a version: {again:?}");
    Ok(())
}

/// Under `Always` a delete of nothing succeeds.
pub async fn deleting_what_is_absent_is_fine(f: &Fixture) -> Rule {
    let key = key("1");
    f.store.delete(&key, Condition::Always).await?;
    f.put(&key, "1").await?;
    f.store.delete(&key, Condition::Always).await?;
    f.store.delete(&key, Condition::Always).await?;
    hold!(f.store.put(&key, "2", Condition::Absent, None).await.is_ok(), "a deleted item still stands in the way");
    Ok(())
}

/// More keys than any engine takes in one call, in no order, with gaps and a repeat.
pub async fn a_batch_keeps_the_order_of_its_keys(f: &Fixture) -> Rule {
    let base = key("");
    let present: Vec<_> = (0..120).map(|n| beside(&base, &format!("k{n:03}"))).collect();
    for put in join_all(present.iter().map(|key| f.put(key, &key.sort))).await {
        put?;
    }
    let mut keys = Vec::new();
    for (n, key) in present.iter().enumerate().rev() {
        keys.push(key.clone());
        keys.push(beside(&base, &format!("absent{n}")));
    }
    keys.push(present[0].clone());
    let items = f.store.batch_get(&keys).await?;
    hold!(items.len() == keys.len(), "asked {} keys and got {} answers", keys.len(), items.len());
    for (key, item) in keys.iter().zip(&items) {
        let wanted = (!key.sort.starts_with("absent")).then_some(key);
        hold!(item.as_ref().map(|item| &item.key) == wanted, "asked {key:?} and got {item:?}");
        hold!(item.as_ref().is_none_or(|item| item.value == key.sort), "{key:?} has another's value: {item:?}");
    }
    Ok(())
}

/// Nobody reads an expired item, swept or not.
pub async fn an_expired_item_is_gone_for_readers(f: &Fixture) -> Rule {
    let key = key("1");
    f.store.put(&key, "1", Condition::Always, Some(f.soon())).await?;
    hold!(f.store.get(&key).await?.is_some(), "the item was gone before its time");
    f.let_it_end().await;
    hold!(f.store.get(&key).await?.is_none(), "get returned an expired item");
    hold!(f.store.batch_get(std::slice::from_ref(&key)).await? == [None], "batch_get returned an expired item");
    hold!(f.store.query(&key.partition, "", None, 10).await?.is_empty(), "query returned an expired item");
    Ok(())
}

/// An expired item is absent for conditions too: a lease that ended can be taken, but not by its old version.
pub async fn an_expired_item_is_gone_for_conditions(f: &Fixture) -> Rule {
    let key = key("1");
    let version = f.store.put(&key, "1", Condition::Always, Some(f.soon())).await?;
    f.let_it_end().await;
    let old = f.store.put(&key, "2", Condition::Version(version), None).await;
    hold!(old == Err(StoreError::ConditionFailed), "the version of an expired item was granted: {old:?}");
    let old = f.store.delete(&key, Condition::Version(version)).await;
    hold!(old == Err(StoreError::ConditionFailed), "a delete of an expired item by version was granted: {old:?}");
    let claim = f.store.put(&key, "3", Condition::Absent, None).await;
    hold!(claim.is_ok(), "an expired item stands in the way: {claim:?}");
    let value = f.store.get(&key).await?.map(|item| (item.value, item.expires_at));
    hold!(value == Some(("3".to_owned(), None)), "after the claim the item is {value:?}");
    Ok(())
}

/// A page is filled with living items.
pub async fn expired_items_do_not_use_up_a_limit(f: &Fixture) -> Rule {
    let base = key("");
    for sort in ["a1", "a2", "a3"] {
        f.store.put(&beside(&base, sort), "x", Condition::Always, Some(f.soon())).await?;
    }
    for sort in ["b1", "b2", "b3"] {
        f.put(&beside(&base, sort), "x").await?;
    }
    f.let_it_end().await;
    let page = f.sorts(&base.partition, "", None, 3).await?;
    hold!(page == ["b1", "b2", "b3"], "the page is {page:?}");
    Ok(())
}

/// The last put decides when an item ends.
pub async fn an_expiry_can_be_moved_and_removed(f: &Fixture) -> Rule {
    let (moved, removed) = (key("moved"), key("removed"));
    for key in [&moved, &removed] {
        f.store.put(key, "1", Condition::Always, Some(f.soon())).await?;
    }
    let later = f.soon() + TimeDelta::days(1);
    f.store.put(&moved, "2", Condition::Always, Some(later)).await?;
    f.put(&removed, "2").await?;
    f.let_it_end().await;
    let moved = f.store.get(&moved).await?.and_then(|item| item.expires_at);
    hold!(moved == Some(later), "the moved expiry is {moved:?} instead of {later}");
    hold!(f.store.get(&removed).await?.is_some(), "an item without expiry ended");
    Ok(())
}

/// The order is that of the bytes: upper before lower case, and past the basic plane.
pub async fn a_query_ascends_byte_by_byte(f: &Fixture) -> Rule {
    let base = key("");
    let wanted = ["#", "10", "9", "Z", "a", "a b", "ab", "é", "€", "\u{e000}", "\u{10000}", "🧀"];
    for sort in wanted.iter().rev() {
        f.put(&beside(&base, sort), "x").await?;
    }
    let got = f.sorts(&base.partition, "", None, 100).await?;
    hold!(got == wanted, "the order is {got:?}");
    Ok(())
}

/// From page to page, also after a key that is gone, and never past the prefix.
pub async fn a_query_pages_without_gaps_or_repeats(f: &Fixture) -> Rule {
    let base = key("");
    for sort in ["n", "o01", "o02", "o03", "o04", "o05", "o06", "o07", "p"] {
        f.put(&beside(&base, sort), "x").await?;
    }
    let mut seen: Vec<String> = Vec::new();
    loop {
        let page = f.sorts(&base.partition, "o", seen.last().map(String::as_str), 3).await?;
        hold!(page.len() <= 3, "a page of 3 has {} items", page.len());
        if page.is_empty() {
            break;
        }
        hold!(seen.len() < 20, "paging does not end: {seen:?}");
        seen.extend(page);
    }
    hold!(seen == ["o01", "o02", "o03", "o04", "o05", "o06", "o07"], "the pages gave {seen:?}");
    let gone = f.sorts(&base.partition, "o", Some("o04x"), 2).await?;
    hold!(gone == ["o05", "o06"], "after a key that does not exist came {gone:?}");
    let early = f.sorts(&base.partition, "o", Some("a"), 2).await?;
    hold!(early == ["o01", "o02"], "after a key before the prefix came {early:?}");
    let late = f.sorts(&base.partition, "o", Some("p"), 2).await?;
    hold!(late.is_empty(), "after a key behind the prefix came {late:?}");
    hold!(f.sorts(&base.partition, "o", None, 0).await?.is_empty(), "a page of none has items");
    Ok(())
}

/// Signs that mean something in query languages mean nothing here, and letters keep their case.
pub async fn a_prefix_is_plain_text(f: &Fixture) -> Rule {
    let base = key("");
    let prefixes = ["%", "_", "*", "?", "[a]", "\\", "'", "\"", "é", "Ab"];
    for sort in prefixes.iter().copied().chain(["plain", "ab", "AB", "e"]) {
        f.put(&beside(&base, &format!("{sort}1")), "x").await?;
    }
    for prefix in prefixes {
        let got = f.sorts(&base.partition, prefix, None, 100).await?;
        hold!(got == [format!("{prefix}1")], "the prefix {prefix} found {got:?}");
    }
    Ok(())
}

/// A partition whose name begins with another's stays apart.
pub async fn a_query_stays_in_its_partition(f: &Fixture) -> Rule {
    let tenant = fresh_tenant();
    let (outer, inner) = (Key::new(&tenant, &["a"], "1"), Key::new(&tenant, &["a", "b"], "2"));
    f.put(&outer, "x").await?;
    f.put(&inner, "x").await?;
    let got = f.sorts(&outer.partition, "", None, 10).await?;
    hold!(got == ["1"], "the partition holds {got:?}");
    Ok(())
}

/// A value of 350 KB, the largest that every engine takes.
pub async fn large_values_come_back_whole(f: &Fixture) -> Rule {
    let key = key("1");
    let value = "0123456789é".repeat(350 * 1024 / 12);
    f.put(&key, &value).await?;
    let got = f.store.get(&key).await?.map(|item| item.value);
    hold!(got.as_ref() == Some(&value), "{} bytes came back as {:?}", value.len(), got.map(|text| text.len()));
    Ok(())
}

/// Engines answer queries in bites of limited size; the port does not show it.
pub async fn a_page_is_full_whatever_its_bytes(f: &Fixture) -> Rule {
    let base = key("");
    let value = "x".repeat(300 * 1024);
    for n in 0..6 {
        f.put(&beside(&base, &n.to_string()), &value).await?;
    }
    let page = f.sorts(&base.partition, "", None, 6).await?;
    hold!(page.len() == 6, "a page of 6 large items has {}", page.len());
    Ok(())
}
