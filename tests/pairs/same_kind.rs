//! A shop feeds a shop, and books feed books: what can be got can be sent, whatever kind of system stands on either side.

use koppel_core::outcome::Outcome;
use koppel_hosting::embedded;
use koppel_sandbox::Options;
use serde_json::json;

use super::books::{EXACT_ONLINE, VISMA_NET};
use super::shops::{CCV_SHOP, WOOCOMMERCE};
use super::{indented, run, writes};
use crate::chain::world::World;

const COPY: &str = "copy";

#[tokio::test]
async fn articles_of_one_shop_are_shown_in_another() {
    let options = Options::default().switch("ccv-shop", serde_json::from_str(CCV_SHOP.switches).unwrap());
    let world = World::with(options, std::path::Path::new(embedded::IN_MEMORY), |sandbox| {
        format!(
            "connections:\n  one:\n{}\n  other:\n{}\nflows:\n  {COPY}:\n    from: one\n    to: other\n    entity: products\n    filter: {{ \
             where: 'source.sku == \"VAAS-GROEN\"' }}\n    settings: {{ product: {{ prices_include_tax: true }} }}\n    map: {{ vat_percent: \
             '21' }}\n",
            indented((WOOCOMMERCE.options)(sandbox)),
            indented((CCV_SHOP.options)(sandbox)),
        )
    })
    .await;
    assert_eq!(world.sandbox.woocommerce().inspect("POST", "catalogue", &json!({})).0, 204);
    let ended = run(&world, COPY, &[]).await;
    assert_eq!(ended.by_label["VAAS-GROEN"].outcome, Outcome::Created, "{:#?}", ended.by_label);
    let shown = (CCV_SHOP.article)(&world.sandbox.ccv_shop(), "VAAS-GROEN");
    assert_eq!((shown.len(), shown[0].name.as_str()), (1, "Vaas groen"));
    world.sandbox.ccv_shop().reset_calls();
    let again = run(&world, COPY, &[]).await;
    assert_eq!(again.by_label["VAAS-GROEN"].outcome, Outcome::Unchanged, "{:#?}", again.by_label);
    assert_eq!(writes(&world.sandbox.ccv_shop()), 0);
}

#[tokio::test]
async fn debtors_of_one_administration_come_into_another() {
    let options = Options::default().switch("exact-online", serde_json::from_str(EXACT_ONLINE.switches).unwrap());
    let world = World::with(options, std::path::Path::new(embedded::IN_MEMORY), |sandbox| {
        format!(
            "connections:\n  books:\n{}\n  other:\n{}\nflows:\n  {COPY}:\n    from: books\n    to: other\n    entity: customers\n    filter: {{ \
             where: 'source.Code in [\"2001\", \"2002\"]' }}\n    settings: {{ payment_terms: {{ default: \"30\" }} }}\n",
            indented((EXACT_ONLINE.options)(sandbox)),
            indented((VISMA_NET.options)(sandbox)),
        )
    })
    .await;
    assert_eq!(world.sandbox.exact().inspect("POST", "catalogue", &json!({})).0, 204);
    let ended = run(&world, COPY, &[]).await;
    assert_eq!(ended.funnel.count(Outcome::Created), 2, "{:#?}", ended.by_label);
    let names: Vec<String> = world
        .sandbox
        .visma()
        .documents("customer")
        .iter()
        .map(|row| row["name"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert!(names.iter().any(|name| name == "Woonwinkel De Linde B.V."), "{names:?}");
    world.sandbox.visma().reset_calls();
    let again = run(&world, COPY, &[]).await;
    assert_eq!(again.funnel.count(Outcome::Unchanged), 2, "{:#?}", again.by_label);
    assert_eq!(writes(&world.sandbox.visma()), 0, "{:?}", world.sandbox.visma().calls());
}
