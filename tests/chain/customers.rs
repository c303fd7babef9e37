//! Customers from the books to the shop: who can buy there gets an account, and nobody silently stays without.

use koppel_core::outcome::Outcome;
use serde_json::{Value, json};

use super::both::{forget_calls, pass, put_row, row, shown, world, writes};

const FLOW: &str = "debtors";
const FLOWS: &str = "  debtors: { from: books, to: shop, entity: customers }\n";

#[tokio::test]
async fn debtors_get_an_account_and_who_cannot_says_why() {
    let world = world(FLOWS).await;
    let nameless = json!({"Code":"2006","Name":"Zonder Adres","Status":"C","Blocked":false,"Country":"NL"});
    assert!(world.sandbox.exact().inspect("POST", "rows/crm/Accounts", &nameless).0 < 300);
    let ended = world.run_flow(FLOW).await;
    let mut created = ended.labels(Outcome::Created);
    // Two share an address: one keeps it, the other is told of. Prospects, blocked and ended accounts are no customers.
    let twins: Vec<&str> = created.iter().copied().filter(|label| ["2003", "2004"].contains(label)).collect();
    created.retain(|label| !twins.contains(label));
    assert_eq!(created, ["10000", "2001", "2002", "2005"], "{:#?}", ended.by_label);
    let other = if twins == ["2003"] { "2004" } else { "2003" };
    assert_eq!((twins.len(), ended.by_label[other].outcome), (1, Outcome::Rejected));
    assert!(ended.cause(other).contains("belongs to another record"), "{}", ended.cause(other));
    assert_eq!(ended.by_label["2006"].outcome, Outcome::Rejected);
    assert!(ended.cause("2006").contains("no e-mail address"), "{}", ended.cause("2006"));
    assert_eq!(ended.funnel.fetched, 7);

    let linden = shown(&world, "customers", "email", "inkoop@delinde.example.test");
    let (billing, shipping) = (&linden["billing"], &linden["shipping"]);
    assert_eq!((&linden["first_name"], &billing["company"]), (&json!("Noor"), &json!("Woonwinkel De Linde B.V.")));
    assert_eq!(
        (&billing["address_1"], &billing["postcode"], &billing["country"]),
        (&json!("Lindelaan 4"), &json!("3511 AB"), &json!("NL"))
    );
    assert_eq!((&shipping["address_1"], &shipping["postcode"]), (&json!("Magazijnweg 12"), &json!("3542 AD")));
    let meta = linden["meta_data"].as_array().expect("meta data");
    assert!(meta.iter().any(|one| one["key"] == "billing_vat_number" && one["value"] == "NL123456789B01"), "{meta:?}");
    let sanne = shown(&world, "customers", "email", "sanne@example.test");
    assert_eq!(
        (&sanne["first_name"], &sanne["last_name"], &sanne["billing"]["company"]),
        (&json!("Sanne"), &json!("Bakker"), &json!(""))
    );
}

#[tokio::test]
async fn a_second_run_writes_nothing_and_a_changed_contact_is_one_change() {
    let world = world(FLOWS).await;
    world.run_flow(FLOW).await;
    world.sandbox.clock().advance(chrono::TimeDelta::minutes(30));
    forget_calls(&world);
    let ended = world.run_flow(FLOW).await;
    assert_eq!((ended.funnel.fetched, writes(world.sandbox.woocommerce())), (0, Vec::new()), "{:#?}", ended.by_label);

    // The account itself did not change, its contact did.
    let contacts = world.sandbox.exact().documents("Contacts");
    let noor = contacts.into_iter().find(|row| row["FirstName"] == "Noor").expect("Noor");
    put_row(&world, "crm/Contacts", &noor, json!({ "LastName": "de Wit" }));
    let ended = world.run_flow(FLOW).await;
    assert_eq!(ended.labels(Outcome::Updated), ["2001"], "{:#?}", ended.by_label);
    let linden = shown(&world, "customers", "email", "inkoop@delinde.example.test");
    assert_eq!((&linden["last_name"], &linden["billing"]["last_name"]), (&json!("de Wit"), &json!("de Wit")));
    assert_eq!(writes(world.sandbox.woocommerce()).len(), 1);
}

#[tokio::test]
async fn an_account_that_is_deleted_is_told_and_the_shop_keeps_its_own() {
    let world = world(FLOWS).await;
    world.run_flow(FLOW).await;
    pass(&world);
    let id = row(&world, "Accounts", "2005")["ID"].as_str().unwrap_or_default().to_owned();
    let (status, _) = world.sandbox.exact().inspect("DELETE", &format!("rows/crm/Accounts/{id}"), &Value::Null);
    assert_eq!(status, 204);
    let ended = world.run_flow(FLOW).await;
    assert_eq!(ended.by_label[&id].outcome, Outcome::Skipped, "{:#?}", ended.by_label);
    assert!(ended.cause(&id).contains("no longer has this record"), "{}", ended.cause(&id));
    shown(&world, "customers", "email", "einkauf@fabrik.example.test");
}

#[tokio::test]
async fn a_customer_of_the_shop_gets_the_codes_of_its_country_and_fields_of_ones_own() {
    let world = world(
        r#"  buyers:
    from: shop
    to: books
    entity: customers
    settings:
      vat_code: { by_country: { BE: "13" }, default: "4" }
      revenue_account: { by_country: { BE: "8020" }, default: "8000" }
      payment_terms: { default: "30" }
    map:
      custom.shop_number: source.id
      target.account.Remarks: '"Webshop " ~ customer.custom.shop_number ~ ", " ~ customer.price_class'
"#,
    )
    .await;
    let ended = world.run_flow("buyers").await;
    assert_eq!(ended.by_label["3"].outcome, Outcome::Created, "{:#?}", ended.by_label);
    let accounts = world.sandbox.exact().documents("Accounts");
    let ledger = world.sandbox.exact().documents("GLAccounts");
    let of = |email: &str| accounts.iter().find(|row| row["Email"] == email).unwrap_or_else(|| panic!("no {email}"));
    let account_code = |id: &Value| {
        let row = ledger.iter().find(|row| &row["ID"] == id).unwrap_or_else(|| panic!("no ledger account {id}"));
        row["Code"].as_str().unwrap_or_default().trim().to_owned()
    };
    let (peeters, jan) = (of("inkoop@peeters.example.test"), of("jan@example.test"));
    assert_eq!((&peeters["SalesVATCode"], &jan["SalesVATCode"]), (&json!("13"), &json!("4")));
    assert_eq!(account_code(&peeters["GLAccountSales"]), "8020");
    assert_eq!(account_code(&jan["GLAccountSales"]), "8000");
    assert_eq!(peeters["PaymentConditionSales"], "30");
    assert_eq!(peeters["Remarks"], "Webshop 3, customer");
}
