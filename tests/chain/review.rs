//! Customers that are not certain: nobody guesses, a person decides once, and what waited goes on, exactly once.

use koppel_core::NonEmpty;
use koppel_core::outcome::Outcome;
use koppel_flows::alerts;
use koppel_flows::config::load_current;
use koppel_flows::plan::Planner;
use koppel_flows::review::{self, Case, Verdict};
use koppel_flows::runs::Scope;
use koppel_sandbox::{FaultAction, FaultRule};
use serde_json::{Value, json};

use super::world::{FLOW, World, yaml};

const JAN: &str = "jan@example.test";
const PEETERS: &str = "inkoop@peeters.example.test";
/// Orders of Jan, who has an account in the shop; 26 is of Peeters BV in Antwerp.
const OF_JAN: [&str; 3] = ["23", "24", "25"];

async fn world(rules: &str) -> World {
    let rules = format!("    settings:\n      customer: {rules}\n");
    World::new(move |sandbox| yaml(sandbox).replace("    settings:\n", &rules)).await
}

/// Puts a customer into the books; gives its id.
fn account(world: &World, code: &str, name: &str, fields: Value) -> String {
    let mut body = json!({ "Code": format!("{code:>18}"), "Name": name, "Status": "C" });
    for (field, value) in fields.as_object().unwrap() {
        body[field] = value.clone();
    }
    let (status, made) = world.sandbox.exact().inspect("POST", "rows/crm/Accounts", &body);
    assert_eq!(status, 201, "{made}");
    made["keys"][0].as_str().unwrap().to_owned()
}

fn accounts_with(world: &World, email: &str) -> Vec<String> {
    let accounts = world.sandbox.exact().documents("Accounts");
    accounts.iter().filter(|row| row["Email"] == email).map(|row| row["ID"].as_str().unwrap().to_owned()).collect()
}

/// Another order like one that is there.
fn order_like(world: &World, number: u64, like: &str, change: impl Fn(&mut Value)) {
    let orders = world.sandbox.woocommerce().documents("orders");
    let mut order = orders.into_iter().find(|order| order["number"] == like).unwrap();
    let now = world.sandbox.clock().now().format("%Y-%m-%dT%H:%M:%S").to_string();
    order["id"] = json!(number);
    order["number"] = json!(number.to_string());
    for date in ["date_created", "date_modified", "date_created_gmt", "date_modified_gmt"] {
        order[date] = json!(now);
    }
    change(&mut order);
    let (status, why) = world.sandbox.woocommerce().inspect("POST", "orders", &order);
    assert!(status < 300, "{why}");
}

/// The debtor of each of these orders.
fn debtors(world: &World, numbers: &[&str]) -> Vec<String> {
    let orders = world.sales_orders();
    let of = |number: &&str| {
        orders.get(&format!("WC-{number}")).unwrap_or_else(|| panic!("no {number}: {:?}", orders.keys()))
    };
    numbers.iter().map(|number| of(number)["OrderedBy"].as_str().unwrap().to_owned()).collect()
}

/// Questions for accounts so far.
fn searches(world: &World) -> u64 {
    let calls = world.sandbox.exact().calls();
    calls.iter().filter(|(call, _)| call.starts_with("GET") && call.contains("Accounts")).map(|(_, count)| count).sum()
}

async fn cases(world: &World) -> Vec<Case> {
    review::list(&world.embedded.engine, &world.tenant, FLOW).await.unwrap()
}

async fn decide(world: &World, case: &Case, verdict: &Verdict) -> Vec<String> {
    let (engine, tenant) = (&world.embedded.engine, &world.tenant);
    let stored = load_current(&*engine.store, tenant).await.unwrap().unwrap();
    let released = review::decide(engine, tenant, &stored.config, case, verdict).await.unwrap();
    released.into_iter().map(|(_, label)| label).collect()
}

/// A minute passes, and what is due goes.
async fn by_itself(world: &World) {
    world.sandbox.clock().advance(chrono::TimeDelta::minutes(2));
    for _ in 0..2 {
        koppel_flows::steps::schedule(&world.embedded.engine).await.unwrap();
        world.drain().await;
    }
}

async fn run(world: &World) -> super::world::Ended {
    world.sandbox.clock().advance(chrono::TimeDelta::minutes(2));
    world.run().await
}

fn use_code(code: &str) -> Verdict {
    Verdict::Use(NonEmpty::new(code).unwrap())
}

/// The books have two customers with Jan's address.
async fn with_two() -> (World, [String; 2]) {
    let world = world("{ update: false }").await;
    let two = ["20071", "20072"].map(|code| account(&world, code, "J. de Vries", json!({ "Email": JAN })));
    (world, two)
}

#[tokio::test]
async fn of_two_with_one_address_a_person_chooses_and_all_that_waited_goes_there_once() {
    let (world, [_, chosen]) = with_two().await;
    let engine = &world.embedded.engine;
    let stored = load_current(&*engine.store, &world.tenant).await.unwrap().unwrap();
    let planner = Planner::new(engine, &world.tenant, &stored, FLOW, Scope::default(), None).await.unwrap();
    while planner.next().await.unwrap() {}
    let plan = planner.finish().await.unwrap();
    let planned = &plan.record("23").unwrap().result;
    assert_eq!(planned.cause.as_ref().unwrap().code, review::CODE, "{planned:?}");

    let ended = run(&world).await;
    assert_eq!(ended.labels(Outcome::Parked), OF_JAN, "{:#?}", ended.by_label);
    assert_eq!(ended.by_label["26"].outcome, Outcome::Created, "others go on: {:#?}", ended.by_label["26"]);
    assert_eq!(accounts_with(&world, JAN).len(), 2, "nobody is made while it is not decided");
    let waiting = cases(&world).await;
    assert_eq!(waiting.len(), 3);
    for case in &waiting {
        let codes: Vec<&str> = case.choices.iter().map(|choice| choice.code.as_str()).collect();
        assert_eq!(codes, ["20071", "20072"]);
        assert!(case.why.contains("2 customers have its e-mail address"), "{}", case.why);
    }
    alerts::look(engine, &world.tenant, &alerts::Facts::default()).await.unwrap();
    let open = alerts::open(engine, &world.tenant).await.unwrap();
    assert!(open.iter().any(|alert| alert.title.contains("3 orders wait for a decision")), "{open:#?}");

    let stored_config = stored.config;
    let unknown =
        review::decide(engine, &world.tenant, &stored_config, &waiting[0], &use_code("99999")).await.unwrap_err();
    assert!(unknown.to_string().contains("it may be 20071, 20072"), "{unknown}");
    let mut released = decide(&world, &waiting[1], &use_code("20072")).await;
    released.sort();
    assert_eq!(released, OF_JAN);
    let asked = searches(&world);
    by_itself(&world).await;
    assert_eq!(debtors(&world, &OF_JAN), vec![chosen.clone(); 3]);
    assert_eq!(searches(&world), asked, "who is decided is not searched");
    assert_eq!(accounts_with(&world, JAN).len(), 2);
    assert!(cases(&world).await.is_empty());
    let count = world.sales_orders().len();
    by_itself(&world).await;
    assert_eq!(world.sales_orders().len(), count);
}

#[tokio::test]
async fn a_new_customer_is_made_once_though_the_answer_is_lost() {
    let (world, two) = with_two().await;
    run(&world).await;
    let case = cases(&world).await.remove(0);
    // Decided twice, as by somebody whose first command was stopped.
    decide(&world, &case, &Verdict::New).await;
    decide(&world, &case, &Verdict::New).await;
    let lost = FaultRule::new(FaultAction::AnswerLost).method("POST").path("crm/Accounts").count(1);
    world.sandbox.exact().fault(lost).unwrap();
    by_itself(&world).await;
    let all = accounts_with(&world, JAN);
    assert_eq!(all.len(), 3, "one more");
    let made = all.into_iter().find(|id| !two.contains(id)).unwrap();
    assert_eq!(debtors(&world, &OF_JAN), vec![made; 3]);
}

#[tokio::test]
async fn a_vat_number_says_more_than_an_address_and_less_than_nothing_against_a_link() {
    let world = world("{ match: [link, vat_number, email] }").await;
    let by_vat = account(&world, "20081", "Peeters", json!({ "VATNumber": "BE0123456789" }));
    account(&world, "20082", "Peeters oud", json!({ "Email": PEETERS }));
    run(&world).await;
    assert_eq!(debtors(&world, &["26"]), std::slice::from_ref(&by_vat));

    let asked = searches(&world);
    assert!(asked > 0, "{:?}", world.sandbox.exact().calls());
    order_like(&world, 901, "26", |_| {});
    run(&world).await;
    assert_eq!(debtors(&world, &["901"]), std::slice::from_ref(&by_vat));
    assert_eq!(searches(&world), asked, "a link that is known costs no call");

    account(&world, "20083", "Een ander", json!({ "VATNumber": "BE0999999922" }));
    order_like(&world, 902, "26", |order| {
        for meta in order["meta_data"].as_array_mut().unwrap() {
            if meta["value"] == "BE0123456789" {
                meta["value"] = json!("BE0999999922");
            }
        }
    });
    let ended = run(&world).await;
    assert!(ended.cause("902").contains("its VAT number is that of another"), "{}", ended.cause("902"));
    let case = cases(&world).await.remove(0);
    assert_eq!(case.choices.iter().map(|choice| choice.code.as_str()).collect::<Vec<_>>(), ["20081", "20083"]);
    decide(&world, &case, &use_code("20081")).await;
    by_itself(&world).await;
    assert_eq!(debtors(&world, &["902"]), [by_vat], "decided once, and not doubted again");
}

#[tokio::test]
async fn firms_that_share_an_address_are_not_merged_where_the_name_or_postcode_must_be_the_same() {
    let world = world("{ confirm: name_or_postcode }").await;
    let other = account(&world, "20091", "Kantoorgebouw NV", json!({ "Email": PEETERS, "Postcode": "9000" }));
    let jan = account(&world, "20092", "JAN DE VRIES", json!({ "Email": JAN, "Postcode": "9999 ZZ" }));
    let ended = run(&world).await;
    assert_eq!(debtors(&world, &OF_JAN), vec![jan; 3], "the name is the same");
    assert_eq!(ended.labels(Outcome::Parked), ["26"], "{:#?}", ended.by_label);
    let case = cases(&world).await.remove(0);
    assert!(case.why.contains("another name and another postcode"), "{}", case.why);
    assert_eq!(decide(&world, &case, &Verdict::New).await, ["26"]);
    by_itself(&world).await;
    let debtor = debtors(&world, &["26"]).remove(0);
    assert_ne!(debtor, other);
    assert_eq!(accounts_with(&world, PEETERS).len(), 2);
}

#[tokio::test]
async fn a_customer_of_the_shop_keeps_its_debtor_under_another_address() {
    let world = World::new(yaml).await;
    run(&world).await;
    let before = debtors(&world, &["23"]).remove(0);
    let count = world.sandbox.exact().documents("Accounts").len();
    order_like(&world, 903, "23", |order| order["billing"]["email"] = json!("jan.nieuw@example.test"));
    run(&world).await;
    assert_eq!(debtors(&world, &["903"]), [before]);
    assert_eq!(world.sandbox.exact().documents("Accounts").len(), count);
}
