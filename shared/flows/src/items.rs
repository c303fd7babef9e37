//! Reading all items of a partition, page by page.

use koppel_core::Failure;
use koppel_core::ports::Item;

use crate::Engine;

const PAGE: usize = 500;

/// All items of `partition` whose sort key starts with `prefix`.
pub async fn all(engine: &Engine, partition: &str, prefix: &str) -> Result<Vec<Item>, Failure> {
    let mut items: Vec<Item> = Vec::new();
    loop {
        let after = items.last().map(|item| item.key.sort.clone());
        let mut page = engine.store.query(partition, prefix, after.as_deref(), PAGE).await?;
        let last = page.len() < PAGE;
        items.append(&mut page);
        if last {
            return Ok(items);
        }
    }
}
