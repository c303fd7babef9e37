//! Writing against the stand-in in its strictest form, and in the other positions of its switches.

use koppel_core::Failure;
use koppel_core::document::{DocumentType, Entity};
use koppel_core::error::RetryReason;
use koppel_core::ports::{Asked, Severity, Target};
use koppel_core::system::Lookup;
use koppel_sandbox::accountview::OTHER_COMPANY;
use koppel_sandbox::{FaultAction, FaultRule};
use serde_json::{Value, json};

use super::rows::{order, order_payload};
use super::world::{World, company, debtor, email, key, other_profile};
use crate::accountview::AccountView;

async fn reference(av: &AccountView, world: &World, lookup: Lookup, code: &str) -> Value {
    let found = av.look_up(lookup, &[key(code)], &world.calls).await.unwrap();
    serde_json::to_value(&found[&key(code)]).unwrap()
}

/// The order of the fixtures with codes that the stand-in has.
async fn payload(world: &World, av: &AccountView, document: DocumentType) -> Value {
    let mut order = order();
    let vat = reference(av, world, Lookup::VatCode, "4").await;
    let item = reference(av, world, Lookup::Item, "mok-wit").await;
    let account = reference(av, world, Lookup::RevenueAccount, "8000").await;
    for line in order["lines"].as_array_mut().unwrap() {
        line["refs"] = json!({"item": item, "vat_code": vat, "revenue_account": account});
    }
    order["lines"][0]["refs"]["cost_center"] = reference(av, world, Lookup::CostCenter, "WEB").await;
    order["refs"] = json!({
        "payment_terms": reference(av, world, Lookup::PaymentTerms, "00").await,
        "journal": reference(av, world, Lookup::Journal, "70").await,
    });
    order_payload(&order, document)
}

async fn search(world: &World, document: DocumentType, reference: &str) -> Option<String> {
    let found = world.av.find_documents(document, &[key(reference), key("WEB-2")], &world.calls).await.unwrap();
    found.into_values().next().map(|found| found.id)
}

#[tokio::test]
async fn an_order_of_a_new_company_reaches_the_books_with_everything_around_it() {
    let world = World::new(json!({}), json!({})).await;
    assert!(world.av.find_customers(&[email()], &world.calls).await.unwrap().is_empty());
    let link = world.av.send_customer(&company(), None, &world.calls).await.unwrap();
    assert_eq!(link.code, "20000");
    let rows = world.rows("CONTACT");
    let row = rows.iter().find(|row| row["SUB_NR"] == "20000").unwrap();
    for (name, wanted) in [
        ("ACCT_NAME", "Bos Hout BV"),
        ("MAIN_CONT", "Jan Bos"),
        ("SRC_CODE", "BOSHOUTBV"),
        ("ACCT_NR", "1300"),
        ("POST_CODE", "1234 AB"),
        ("VAT_NR", "NL001234567B01"),
    ] {
        assert_eq!(row[name], wanted, "{name}");
    }
    assert_eq!(search(&world, DocumentType::SalesOrder, "WEB-23").await, None);
    let made = payload(&world, &world.av, DocumentType::SalesOrder).await;
    let sent = world.av.send_order(DocumentType::SalesOrder, &made, &link, Some("place"), &world.calls).await.unwrap();
    assert_eq!(search(&world, DocumentType::SalesOrder, "WEB-23").await.as_deref(), Some(sent.id.as_str()));
    let orders = world.rows("PH_SOHDR");
    assert_eq!((orders.len(), &orders[0]["PH_ORDNR"]), (1, &json!(sent.number)));
    for (name, wanted) in [
        ("RPL_INV", "20000"),
        ("RPL_DEL", "20000"),
        ("COMMENT1", "WEB-23"),
        ("ADDRESS1", "Havenweg 3"),
        ("CITY", "Rotterdam"),
        ("COMMENT2", "Piet Bos\nPlease ring twice"),
        ("ORD_DATE", "2026-06-01"),
    ] {
        assert_eq!(orders[0][name], wanted, "{name}");
    }
    let lines = world.rows("PH_SOLIN");
    assert_eq!(
        (&lines[0]["PH_ARTCD"], &lines[0]["PH_PRICE"], &lines[1]["PH_QTY"]),
        (&json!("MOK-WIT"), &json!(9.99), &json!(0.5))
    );

    let made = payload(&world, &world.av, DocumentType::FinancialEntry).await;
    let sent = world.av.send_order(DocumentType::FinancialEntry, &made, &link, None, &world.calls).await.unwrap();
    assert_eq!((sent.id.as_str(), sent.number.as_str()), ("WEB-23", "1"));
    assert_eq!(search(&world, DocumentType::FinancialEntry, "web-23").await.as_deref(), Some("WEB-23"));
    let page = &world.rows("DJ_PAGE")[0];
    assert_eq!((&page["PAGE_AMT"], &page["PAGE_VAT"], &page["SUB_NR"]), (&json!(36.25), &json!(6.29), &json!("20000")));

    // A second look finds the same customer, and sending it again adds nothing.
    let found = world.av.find_customers(&[email()], &world.calls).await.unwrap();
    assert_eq!(found[&email()].id, "20000");
    assert_eq!(world.av.send_customer(&company(), Some(&link), &world.calls).await.unwrap(), link);
    assert_eq!(world.rows("CONTACT").len(), rows.len());
    // Every refusal would have been told inside a 200.
    let refused = world.inspector().log().iter().filter(|call| ![200, 404].contains(&call.status)).count();
    assert_eq!(refused, 0);
}

#[tokio::test]
async fn an_order_takes_as_few_calls_as_there_are_questions() {
    let world = World::new(json!({}), json!({})).await;
    world.av.names.read(&world.av.client, &world.av.profile, &world.calls).await.unwrap();
    let made = payload(&world, &world.av, DocumentType::SalesOrder).await;
    world.inspector().reset_calls();
    search(&world, DocumentType::SalesOrder, "WEB-23").await;
    world.av.find_customers(&[email(), key("sanne@example.test")], &world.calls).await.unwrap();
    let link = world.av.send_customer(&company(), None, &world.calls).await.unwrap();
    let codes: Vec<_> = ["MOK-WIT", "KOFFIE", "POSTER-1", "NOPE"].map(key).to_vec();
    assert_eq!(world.av.look_up(Lookup::Item, &codes, &world.calls).await.unwrap().len(), 3);
    world.av.send_order(DocumentType::SalesOrder, &made, &link, None, &world.calls).await.unwrap();
    let calls = world.inspector().calls();
    let wanted = [("GET SO1", 1), ("GET AR1", 2), ("GET CM1", 1), ("POST AR1", 1), ("GET AK1", 1), ("POST SO1", 1)];
    assert_eq!(calls, wanted.map(|(name, count)| (name.to_owned(), count)).into());
}

#[tokio::test]
async fn what_gives_back_has_negative_quantities_and_amounts() {
    let world = World::new(json!({}), json!({})).await;
    for document in [DocumentType::SalesOrder, DocumentType::FinancialEntry] {
        let mut made = payload(&world, &world.av, document).await;
        made["reference"] = json!("WEB-23-R5");
        for line in made["lines"].as_array_mut().unwrap() {
            for name in ["quantity", "amount"] {
                if let Some(number) = line.get(name).and_then(Value::as_f64) {
                    line[name] = json!(-number);
                }
            }
        }
        made["_expected_total"] = json!(-36.25);
        world.av.send_order(document, &made, &debtor("10000"), None, &world.calls).await.unwrap();
    }
    assert_eq!(world.rows("PH_SOLIN")[0]["PH_QTY"].as_f64(), Some(-2.0));
    assert_eq!(world.rows("DJ_PAGE")[0]["PAGE_AMT"].as_f64(), Some(-36.25));
}

#[tokio::test]
async fn lost_answers_double_nothing() {
    let world = World::new(json!({}), json!({})).await;
    let before = world.rows("CONTACT").len();
    world.av.names.read(&world.av.client, &world.av.profile, &world.calls).await.unwrap();
    let made = payload(&world, &world.av, DocumentType::SalesOrder).await;
    world.inspector().fault(FaultRule::new(FaultAction::AnswerLost).method("POST").count(1)).unwrap();
    let failure = world.av.send_customer(&company(), None, &world.calls).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { reason: RetryReason::OutcomeUnknown, .. }), "{failure}");
    // As the chain does it: after an unknown outcome the customer is searched first.
    let known = world.av.find_customers(&[email()], &world.calls).await.unwrap().remove(&email());
    let link = world.av.send_customer(&company(), known.as_ref(), &world.calls).await.unwrap();
    assert_eq!((world.rows("CONTACT").len(), link.code.as_str()), (before + 1, "20000"));
    world.inspector().fault(FaultRule::new(FaultAction::AnswerLost).method("POST").count(1)).unwrap();
    let failure = world.av.send_order(DocumentType::SalesOrder, &made, &link, None, &world.calls).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { reason: RetryReason::OutcomeUnknown, .. }), "{failure}");
    assert!(search(&world, DocumentType::SalesOrder, "WEB-23").await.is_some());
}

#[tokio::test]
async fn only_debtors_that_may_buy_are_found_exactly_and_by_their_contact() {
    let world = World::new(json!({}), json!({})).await;
    world.inspector().add_catalogue().unwrap();
    let asked: Vec<_> = [
        "relatie10000@example.test",
        "relatie10001@example.test",
        "relatie10002@example.test",
        "relatie10003@example.test",
        "dubbel@example.test",
        "noor@delinde.example.test",
        "relatie10000@example.tes",
    ]
    .map(key)
    .to_vec();
    let found = world.av.find_customers(&asked, &world.calls).await.unwrap();
    let codes: Vec<(&str, &str)> = found.iter().map(|(email, link)| (email.as_str(), link.code.as_str())).collect();
    let wanted = [
        ("dubbel@example.test", "2003"),
        ("noor@delinde.example.test", "2001"),
        ("relatie10000@example.test", "10000"),
    ];
    assert_eq!(codes, wanted);
    // An address in capitals is found where expressions are taken.
    world.inspector().inspect("POST", "rows/CONTACT/2002", &json!({"MAIL_BUS": "Sanne@Example.test"}));
    assert!(world.av.find_customers(&[key("sanne@example.test")], &world.calls).await.unwrap().is_empty());
    let loose = world.again(json!({"email_search": "expression"}));
    let found =
        loose.find_customers(&[key("sanne@example.test"), key("o'neil@example.test")], &world.calls).await.unwrap();
    assert_eq!(found[&key("sanne@example.test")].code, "2002");
}

#[tokio::test]
async fn a_customer_is_changed_but_for_what_tells_it_apart_and_a_fixed_debtor_never() {
    let world = World::new(json!({}), json!({})).await;
    let link = world.av.send_customer(&company(), None, &world.calls).await.unwrap();
    let mut changed = company();
    changed.update = true;
    changed.payload["name"] = json!("Bos & Zoon BV");
    changed.payload["city"] = json!("Delft");
    world.av.send_customer(&changed, Some(&link), &world.calls).await.unwrap();
    let row = |code: &str| world.rows("CONTACT").into_iter().find(|row| row["SUB_NR"] == code).unwrap();
    assert_eq!((&row("20000")["ACCT_NAME"], &row("20000")["CITY"]), (&json!("Bos & Zoon BV"), &json!("Delft")));
    assert_eq!(row("20000")["SRC_CODE"], "BOSHOUTBV");
    let mut guest = changed.clone();
    (guest.email, guest.link) = (String::new(), Some(debtor("10000")));
    let link = world.av.send_customer(&guest, None, &world.calls).await.unwrap();
    assert_eq!((link.code.as_str(), &row("10000")["ACCT_NAME"]), ("10000", &json!("Webshop klant")));
    guest.link = None;
    assert_eq!(world.av.send_customer(&guest, None, &world.calls).await.unwrap_err().cause().code, "no_debtor");
}

#[tokio::test]
async fn numbers_are_taken_once_and_over_what_is_there() {
    let world = World::new(json!({}), json!({"first_debtor_number": 10000})).await;
    let mut codes = Vec::new();
    for at in 0..3 {
        let mut one = company();
        one.email = format!("new{at}@example.test");
        one.payload["email"] = json!(one.email);
        codes.push(world.av.send_customer(&one, None, &world.calls).await.unwrap().code);
    }
    assert_eq!(codes, ["10004", "10005", "10006"], "10000 to 10003 are there");
    world.switch(json!({"number_debtors": true, "post_answer": "number"}));
    let own = world.again(json!({"debtor_numbers": "accountview"}));
    let mut one = company();
    one.payload["email"] = json!("own@example.test");
    assert_eq!(own.send_customer(&one, None, &world.calls).await.unwrap().code, "20000");
    for (options, code) in [
        (json!({"first_debtor_number": null}), "missing_debtor_number"),
        (json!({"debtor_account": null}), "missing_debtor_account"),
    ] {
        let failure = world.again(options).send_customer(&company(), None, &world.calls).await.unwrap_err();
        assert_eq!((failure.class(), failure.cause().code.as_str()), ("settings", code));
    }
}

#[tokio::test]
async fn long_names_are_refused_or_cut_as_the_option_says() {
    let world = World::new(json!({}), json!({})).await;
    let mut long = company();
    long.payload["name"] = json!("Stichting tot behoud van de oude sluis bij Ons Dorp");
    let failure = world.av.send_customer(&long, None, &world.calls).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("reject", "too_long"));
    let cutting = world.again(json!({"too_long": "cut"}));
    cutting.send_customer(&long, None, &world.calls).await.unwrap();
    let row = world.rows("CONTACT").into_iter().find(|row| row["SUB_NR"] == "20000").unwrap();
    assert_eq!(row["ACCT_NAME"], "Stichting tot behoud van de oude sluis b");
    long.payload["email"] = json!(format!("{}@example.test", "x".repeat(40)));
    let failure = cutting.send_customer(&long, None, &world.calls).await.unwrap_err();
    assert!(failure.to_string().contains("never cut"), "{failure}");
    let mut made = payload(&world, &world.av, DocumentType::FinancialEntry).await;
    made["reference"] = json!("WEB-100000001");
    let failure = cutting
        .send_order(DocumentType::FinancialEntry, &made, &debtor("10000"), None, &world.calls)
        .await
        .unwrap_err();
    assert!(failure.to_string().contains("INV_NR of DJ_PAGE takes 12"), "{failure}");
}

#[tokio::test]
async fn a_number_of_a_purchase_is_no_order_of_ours() {
    let world = World::new(json!({}), json!({})).await;
    world.inspector().inspect("POST", "rows/DJ_PAGE/X1", &json!({"DJ_CODE": "60", "INV_NR": "WEB-23", "REC_ID": "X1"}));
    assert_eq!(search(&world, DocumentType::FinancialEntry, "WEB-23").await, None);
    let bare = world.again(json!({"sales_journals": ""}));
    let failure = bare.find_documents(DocumentType::FinancialEntry, &[key("A")], &world.calls).await.unwrap_err();
    assert_eq!(failure.cause().code, "missing_sales_journals");
}

#[tokio::test]
async fn another_installation_is_refused_until_the_profile_has_its_names() {
    let world = World::new(json!({"dictionary": "other"}), json!({})).await;
    let item = world.av.look_up(Lookup::Item, &[key("MOK-WIT")], &world.calls).await.unwrap_err();
    assert!(item.class() == "settings" && item.to_string().contains("«PH_VATCD»"), "{item}");
    let said = Target::test_connection(&world.av, &world.calls).await.unwrap();
    assert!(
        said.contains("Koppel Sandbox B.V.") && said.contains("not yet: article, payment_terms, sales_order"),
        "{said}"
    );
    let asked = Asked { entities: vec![Entity::Orders], writes: true, currencies: vec!["EUR".into(), "USD".into()] };
    let findings = Target::diagnose(&world.av, &asked, &world.calls).await.unwrap();
    let text: Vec<String> = findings.iter().map(|one| one.cause.to_string()).collect();
    for words in [
        "profile.sales_order.table: AccountView has no table «PH_SOHDR». To do: set it to «SO_HDR»",
        "profile.sales_order.lines: AccountView has no table «PH_SOLIN». To do: set it to «SO_LINE»",
        "row profile.payment_terms.table",
        "table ARTICLE has no field «PH_SELPX»",
        "orders are in USD",
    ] {
        assert!(text.iter().any(|one| one.contains(words)), "{words}: {text:#?}");
    }
    assert!(findings.iter().any(|one| one.severity == Severity::Error && one.cause.code == "foreign_currency"));

    let own = world.again(json!({"profile": other_profile()}));
    assert!(Target::test_connection(&own, &world.calls).await.unwrap().ends_with("names of the profile are confirmed"));
    let findings = Target::diagnose(&own, &asked, &world.calls).await.unwrap();
    let codes: Vec<&str> = findings.iter().map(|one| one.cause.code.as_str()).collect();
    assert_eq!(codes, ["mandatory_field", "foreign_currency"], "{findings:#?}");
    assert!(findings[0].cause.to_string().contains("X01_CHAN of SO_HDR"));
    let mut made = payload(&world, &own, DocumentType::SalesOrder).await;
    let send =
        async |made: &Value| own.send_order(DocumentType::SalesOrder, made, &debtor("10000"), None, &world.calls).await;
    let failure = send(&made).await.unwrap_err();
    assert!(
        failure.class() == "settings" && failure.to_string().contains("X01_CHAN of SO_HDR must be filled"),
        "{failure}"
    );
    // A user's own row fills the field of this customer, by its own name.
    made["X01_CHAN"] = json!("WEB");
    let sent = send(&made).await.unwrap();
    assert_eq!(world.rows("SO_HDR")[0]["ORD_NR"], json!(sent.number));
    assert_eq!(
        (&world.rows("SO_HDR")[0]["X01_CHAN"], &world.rows("SO_LINE")[0]["SELL_PX"]),
        (&json!("WEB"), &json!(9.99))
    );
    made["reference"] = json!("WEB-100000000000000001");
    assert!(send(&made).await.unwrap_err().to_string().contains("COMMENT1 of SO_HDR takes 20"));
}

#[tokio::test]
async fn a_dictionary_that_cannot_be_read_stops_writing_until_a_person_has_compared_it() {
    let world = World::new(json!({"dictionary_refused": true}), json!({})).await;
    let made = payload(&world, &world.av, DocumentType::SalesOrder).await;
    let failure =
        world.av.send_order(DocumentType::SalesOrder, &made, &debtor("10000"), None, &world.calls).await.unwrap_err();
    assert_eq!((failure.class(), failure.cause().code.as_str()), ("settings", "names_not_confirmed"));
    assert!(Target::test_connection(&world.av, &world.calls).await.unwrap().contains("cannot be read"));
    let by_hand = world.again(json!({"names_by_hand": true}));
    by_hand.send_order(DocumentType::SalesOrder, &made, &debtor("10000"), None, &world.calls).await.unwrap();
    let link = by_hand.send_customer(&company(), None, &world.calls).await.unwrap();
    let made = payload(&world, &by_hand, DocumentType::FinancialEntry).await;
    by_hand.send_order(DocumentType::FinancialEntry, &made, &link, None, &world.calls).await.unwrap();
    let mut long = company();
    long.payload["name"] = json!("n".repeat(41));
    assert_eq!(by_hand.send_customer(&long, None, &world.calls).await.unwrap_err().cause().code, "too_long");
}

#[tokio::test]
async fn rights_and_closed_tables_are_told_before_anything_is_written() {
    let world = World::new(json!({"no_xml_upd": ["DJ_PAGE"], "forbidden_objects": ["SO1"]}), json!({})).await;
    let made = payload(&world, &world.av, DocumentType::SalesOrder).await;
    let entry = payload(&world, &world.av, DocumentType::FinancialEntry).await;
    world.inspector().reset_calls();
    for (document, made, code) in [
        (DocumentType::SalesOrder, &made, "name_not_confirmed"),
        (DocumentType::FinancialEntry, &entry, "not_allowed"),
        (DocumentType::SalesInvoice, &made, "no_business_object"),
    ] {
        let failure = world.av.send_order(document, made, &debtor("10000"), None, &world.calls).await.unwrap_err();
        assert_eq!((failure.class(), failure.cause().code.as_str()), ("settings", code), "{failure}");
    }
    assert_eq!(world.inspector().total_calls(), 0);
    let asked = Asked { entities: vec![Entity::Orders], writes: true, currencies: Vec::new() };
    let findings = Target::diagnose(&world.av, &asked, &world.calls).await.unwrap();
    assert!(findings.iter().any(|one| one.cause.code == "no_document"), "{findings:#?}");
}

#[tokio::test]
async fn sales_invoices_are_posted_where_the_profile_names_them() {
    let profile = json!({"sales_invoice": {"object": "PH_SI1", "table": "PH_SIHDR", "lines": "PH_SILIN", "key": "PH_INVNR",
        "roles": {"reference": "COMMENT1", "invoice_debtor": "RPL_INV", "delivery_debtor": "RPL_DEL", "date": "ORD_DATE",
            "payment_terms": "DISC_CODE", "city": "CITY"},
        "line_roles": {"article": "PH_ARTCD", "quantity": "PH_QTY", "unit_price": "PH_PRICE"}},
        "assigned": {"PH_SIHDR": ["REC_ID"], "PH_SILIN": ["REC_ID"]}});
    let world = World::new(json!({"sales_invoices": true}), json!({ "profile": profile })).await;
    let made = payload(&world, &world.av, DocumentType::SalesInvoice).await;
    let sent =
        world.av.send_order(DocumentType::SalesInvoice, &made, &debtor("10000"), None, &world.calls).await.unwrap();
    let row = &world.rows("PH_SIHDR")[0];
    assert_eq!(
        (&row["PH_INVNR"], &row["AIS_SOC"], &row["DISC_CODE"]),
        (&json!(sent.number), &json!(false), &json!("00"))
    );
    assert_eq!(search(&world, DocumentType::SalesInvoice, "WEB-23").await, Some(sent.id));
}

#[tokio::test]
async fn refusals_of_accountview_are_passed_on_whatever_their_status() {
    for status in [200, 400, 500] {
        let world = World::new(json!({"error_status": status, "closed_until": "2026-06-30"}), json!({})).await;
        let made = payload(&world, &world.av, DocumentType::SalesOrder).await;
        let failure = world
            .av
            .send_order(DocumentType::SalesOrder, &made, &debtor("10000"), None, &world.calls)
            .await
            .unwrap_err();
        assert!(failure.class() == "reject" && failure.to_string().contains("De periode is afgesloten"), "{failure}");
    }
    let world = World::new(json!({"backend_offline": true}), json!({})).await;
    let failure = world.av.find_customers(&[email()], &world.calls).await.unwrap_err();
    assert!(matches!(failure, Failure::Retry { reason: RetryReason::Unavailable, .. }), "{failure}");
}

#[tokio::test]
async fn lists_and_documents_do_not_depend_on_what_is_not_known() {
    for switches in [
        json!({"nothing_found": "empty", "equal": "exact"}),
        json!({"nothing_found": "missing", "pad_texts": false, "case_sensitive_filters": false}),
        json!({"single_as_object": true, "post_answer": "number", "error_status": 500}),
        json!({"dictionary_padded": true, "raw_filter": false, "range_operators": false}),
        json!({"refresh_tokens": "constant", "expires_in": false}),
        json!({"refresh_tokens": "omitted", "access_seconds": 700}),
    ] {
        let world = World::new(switches.clone(), json!({})).await;
        let link = world.av.send_customer(&company(), None, &world.calls).await.unwrap();
        for document in [DocumentType::SalesOrder, DocumentType::FinancialEntry] {
            let made = payload(&world, &world.av, document).await;
            assert_eq!(search(&world, document, "WEB-23").await, None, "{switches}");
            world.sandbox.clock().advance(chrono::Duration::seconds(650));
            let sent = world.av.send_order(document, &made, &link, None, &world.calls).await.unwrap();
            assert_eq!(search(&world, document, "WEB-23").await, Some(sent.id), "{switches}");
        }
        assert_eq!(world.av.find_customers(&[email()], &world.calls).await.unwrap()[&email()].code, link.code);
    }
}

#[tokio::test]
async fn every_list_gives_references_and_unknown_codes_are_absent() {
    let world = World::new(json!({}), json!({})).await;
    for (lookup, code, count) in [
        (Lookup::Item, "KOFFIE", 13),
        (Lookup::VatCode, "12", 8),
        (Lookup::PaymentTerms, "30", 3),
        (Lookup::RevenueAccount, "8010", 13),
        (Lookup::Journal, "71", 5),
        (Lookup::CostCenter, "WEB", 2),
        (Lookup::DefaultCustomer, "10000", 3),
    ] {
        let found = world.av.look_up(lookup, &[key(code), key("99999")], &world.calls).await.unwrap();
        assert_eq!((found.len(), found[&key(code)].code.as_str()), (1, code), "{lookup:?}");
        assert!(!found[&key(code)].name.is_empty());
        assert_eq!(world.av.list_codes(lookup, &world.calls).await.unwrap().len(), count, "{lookup:?}");
    }
    assert_eq!(reference(&world.av, &world, Lookup::VatCode, "12").await["attributes"]["percent"], 19);
    assert_eq!(
        reference(&world.av, &world, Lookup::RevenueAccount, "8900").await["attributes"]["cost_center_required"],
        true
    );
    assert_eq!(reference(&world.av, &world, Lookup::DefaultCustomer, "10002").await["attributes"]["blocked"], true);
    assert_eq!(reference(&world.av, &world, Lookup::Item, "KOFFIE").await["attributes"]["sales_vat_code"], "2");
    let failure = world.av.look_up(Lookup::Warehouse, &[key("1")], &world.calls).await.unwrap_err();
    assert_eq!(failure.cause().code, "not_supported");
    let other = world.again(json!({ "company": OTHER_COMPANY }));
    assert!(other.look_up(Lookup::VatCode, &[key("4")], &world.calls).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_dead_refresh_token_asks_for_consent_once_more() {
    let world = World::new(json!({"refresh_days": 1}), json!({})).await;
    world.sandbox.clock().advance(chrono::Duration::days(3));
    for _ in 0..2 {
        let failure = world.av.find_customers(&[email()], &world.calls).await.unwrap_err();
        assert!(matches!(&failure, Failure::Auth(cause) if cause.code == "needs_consent"), "{failure}");
    }
    assert_eq!(world.inspector().calls()["POST token"], 1);
    world.consent().await;
    world.av.find_customers(&[email()], &world.calls).await.unwrap();
}
