//! What stands between Visma Net and a flow: the company, the rights, the branch, periods that are closed, and codes of the
//! connection that the company does not have.

use chrono::NaiveDate;
use koppel_core::document::Entity;
use koppel_core::error::nearest;
use koppel_core::ports::{Asked, Calls, Finding};
use koppel_core::{Cause, Failure};
use serde_json::Value;

use super::client::{Client, List};
use super::{VismaNet, auth, wire};

/// The branches of the company.
pub(super) async fn branches(client: &Client, calls: &Calls) -> Result<Vec<Value>, Failure> {
    let list = List::of("v1/branch", "branch");
    let list = ["expandCurrency", "expandDefaultCountry", "expandVatZone"]
        .into_iter()
        .fold(list, |l, name| l.with(name, true));
    client.whole(&list, calls).await
}

/// The branch of the connection, else the main one, else the only one.
pub(super) fn own_branch<'a>(branches: &'a [Value], number: Option<&str>) -> Option<&'a Value> {
    match number {
        Some(number) => branches.iter().find(|row| wire::field(row, "number").as_deref() == Some(number)),
        None => {
            let main = branches.iter().find(|row| wire::flag(row, "isMainBranch") == Some(true));
            main.or_else(|| branches.first())
        }
    }
}

/// Who answers: the branches of the company.
pub(super) async fn introduce(client: &Client, calls: &Calls) -> Result<String, Failure> {
    let names: Vec<String> = branches(client, calls).await?.iter().map(named).collect();
    Ok(format!("Visma Net, branches: {}", if names.is_empty() { "none".to_owned() } else { names.join("; ") }))
}

fn named(row: &Value) -> String {
    let part = |name: &str| wire::field(row, name).unwrap_or_default();
    format!("{} {}", part("number"), part("name")).trim().to_owned()
}

/// Everything that is found out about a company.
pub(super) async fn diagnose(visma: &VismaNet, asked: &Asked, calls: &Calls) -> Result<Vec<Finding>, Failure> {
    let client = &visma.client;
    let mut findings = rights(client, asked, calls).await?;
    let branches = branches(client, calls).await?;
    findings.extend(branch(&branches, visma.documents.branch.as_deref()));
    let own =
        own_branch(&branches, visma.documents.branch.as_deref()).and_then(|row| wire::key_of(row, "currency", "id"));
    if let Some(own) = own {
        let foreign: Vec<&str> = asked.currencies.iter().map(String::as_str).filter(|code| *code != own).collect();
        if !foreign.is_empty() {
            let message = format!("orders are in {}, the branch keeps its books in {own}", foreign.join(", "));
            let cause = Cause::new("foreign_currency", message)
                .advice("see in Visma Net that each of these currencies is there, with exchange rates");
            findings.push(Finding::warning(cause));
        }
    }
    let takes_orders = asked.writes && asked.entities.iter().any(|entity| entity.is_order());
    if takes_orders {
        let periods = client.whole(&List::of("v1/financialPeriod", "financialPeriod"), calls).await?;
        findings.extend(period(&periods, client.now().date_naive()));
        findings.extend(order_types(visma, asked, calls).await?);
        findings.extend(answers(visma, calls).await);
        if let Some(account) = &visma.documents.clearing_account {
            let rows = client.whole(&List::of("v1/account", "account"), calls).await?;
            findings.extend(code(&rows, "accountCD", "clearing_account", account, "account"));
        }
    }
    if asked.writes && (takes_orders || asked.entities.contains(&Entity::Customers)) {
        findings.extend(classes_and_zones(visma, calls).await?);
    }
    if asked.entities.contains(&Entity::Prices) {
        findings.extend(prices_of_customers(client, calls).await?);
    }
    Ok(findings)
}

/// Rights that the token does not name. One that names none is believed: the calls will tell.
async fn rights(client: &Client, asked: &Asked, calls: &Calls) -> Result<Vec<Finding>, Failure> {
    let tokens = client.tokens(calls).await?;
    let mut named = Vec::new();
    for token in &tokens {
        match auth::scopes_of(token) {
            Some(scopes) => named.extend(scopes),
            None => return Ok(Vec::new()),
        }
    }
    let needed = auth::ERP_SCOPES.into_iter().chain(auth::ORDER_SCOPES);
    let needed = needed.filter(|scope| scope.ends_with(":read") || asked.writes);
    let missing: Vec<&str> = needed.filter(|scope| !named.iter().any(|known| known == scope)).collect();
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    let cause = Cause::new("rights_missing", format!("the application lacks rights: {}", missing.join(", "))).advice(
        "add them in the Developer Portal, and let the company approve the application again in Visma App Store",
    );
    Ok(vec![Finding::error(cause.in_row("scopes"))])
}

fn branch(branches: &[Value], number: Option<&str>) -> Option<Finding> {
    let Some(number) = number else {
        return (branches.len() > 1).then(|| {
            let names: Vec<String> = branches.iter().map(named).collect();
            let cause = Cause::new("branch_not_set", format!("the company has several branches: {}", names.join("; ")))
                .advice("set branch of the connection, or documents go to the branch that Visma Net chooses");
            Finding::warning(cause.in_row("branch"))
        });
    };
    if let Some(finding) = code(branches, "number", "branch", number, "branch") {
        return Some(finding);
    }
    let own = own_branch(branches, Some(number))?;
    (wire::flag(own, "isActive") == Some(false)).then(|| {
        let cause = Cause::new("branch_not_active", format!("the branch «{number}» is not active"));
        Finding::error(cause.advice("activate it in Visma Net, or choose another").in_row("branch"))
    })
}

/// The period of today, where documents of today go.
fn period(periods: &[Value], today: NaiveDate) -> Option<Finding> {
    // A period ends on the day before the end date, or on it; both forms occur.
    let holds = |row: &&Value| {
        wire::date(row, "startDate").is_some_and(|from| from <= today)
            && wire::date(row, "endDate").is_some_and(|until| today <= until)
    };
    let Some(row) = periods.iter().filter(holds).max_by_key(|row| wire::date(row, "startDate")) else {
        let cause = Cause::new("no_period", format!("there is no financial period for {today}"));
        return Some(Finding::error(cause.advice("make the periods of this year in Visma Net")));
    };
    let name = wire::field(row, "period").or_else(|| wire::field(row, "description")).unwrap_or_default();
    let closed: Vec<&str> = [
        ("closedInCustomerLedger", "the customer ledger"),
        ("closedInGeneralLedger", "the general ledger"),
        ("closedInInventoryManagement", "inventory"),
    ]
    .into_iter()
    .filter(|(field, _)| wire::flag(row, field) == Some(true))
    .map(|(_, shown)| shown)
    .collect();
    if wire::flag(row, "active") == Some(false) {
        let cause = Cause::new("period_not_active", format!("the financial period {name} of today is not active"));
        return Some(Finding::error(cause.advice("activate it in Visma Net")));
    }
    (!closed.is_empty()).then(|| {
        let message = format!("the financial period {name} of today is closed in {}", closed.join(", "));
        Finding::error(
            Cause::new("period_closed", message).advice("open it in Visma Net, or documents of today are refused"),
        )
    })
}

/// The order types of the connection: there, active, of the right kind, numbered as the connection says.
async fn order_types(visma: &VismaNet, asked: &Asked, calls: &Calls) -> Result<Vec<Finding>, Failure> {
    let rows = visma.client.list(&List::of("v1/salesordertype", "salesordertype"), calls).await?;
    let options = &visma.documents;
    let mut findings = Vec::new();
    let gives_back = asked.entities.contains(&Entity::Refunds);
    let wanted = [
        ("order_type", Some(options.order_type.as_str()), ["SalesOrder", "Quote"].as_slice(), true),
        ("invoice_order_type", Some(options.invoice_order_type.as_str()), &["Invoice"], false),
        ("credit_order_type", options.credit_order_type.as_deref(), &["CreditMemo", "RMAOrder"], true),
    ];
    for (option, order_type, behaviours, must) in wanted {
        let Some(order_type) = order_type else {
            if gives_back {
                let cause = Cause::new("no_credit_order_type", "refunds of orders need an order type that gives back");
                let cause = cause.advice("set credit_order_type, unless refunds become credit notes or bookings");
                findings.push(Finding::warning(cause.in_row(option)));
            }
            continue;
        };
        if let Some(finding) = code(&rows, "orderType", option, order_type, "order type") {
            // Nobody needs to have an order type that no flow uses.
            findings.push(if must { finding } else { Finding::warning(finding.cause) });
            continue;
        }
        let row = rows.iter().find(|row| wire::field(row, "orderType").as_deref() == Some(order_type));
        let Some(row) = row else { continue };
        if wire::flag(row, "active") == Some(false) {
            let cause = Cause::new("order_type_not_active", format!("the order type «{order_type}» is not active"));
            findings.push(Finding::error(cause.advice("activate it in Visma Net, or choose another").in_row(option)));
        }
        if let Some(behaviour) = wire::field(row, "behavior").filter(|own| !behaviours.contains(&own.as_str())) {
            let message =
                format!("the order type «{order_type}» behaves as {behaviour}, not as {}", behaviours.join(" or "));
            let cause = Cause::new("order_type_behaviour", message).advice("choose an order type of the right kind");
            findings.push(Finding::error(cause.in_row(option)));
        }
    }
    Ok(findings)
}

/// The service for orders is another one, with an address and rights of its own.
async fn answers(visma: &VismaNet, calls: &Calls) -> Option<Finding> {
    let path = format!("api/v3/SalesOrders/{}", crate::http::request::encode(&visma.documents.order_type));
    visma.client.order_page(&List::of(&path, "SalesOrder"), 0, 1, calls).await.err().map(Finding::from)
}

/// Customer classes and VAT zones of the connection.
async fn classes_and_zones(visma: &VismaNet, calls: &Calls) -> Result<Vec<Finding>, Failure> {
    let (client, options) = (&visma.client, &visma.customers);
    let mut findings = Vec::new();
    if options.class.is_none() {
        let cause = Cause::new("no_customer_class", "new customers need a class, and none is set");
        findings.push(Finding::error(cause.advice("set customer_class of the connection").in_row("customer_class")));
    }
    let classes = client.whole(&List::of("v1/customer/customerClass", "customerClass"), calls).await?;
    for (option, class) in [("customer_class", &options.class), ("person_class", &options.person_class)] {
        let Some(class) = class else { continue };
        if let Some(finding) = code(&classes, "id", option, class, "customer class") {
            findings.push(finding);
            continue;
        }
        let row = classes.iter().find(|row| wire::field(row, "id").as_ref() == Some(class));
        if row.is_some_and(|row| wire::field(row, "taxZoneId").is_none()) && options.vat_zones.is_empty() {
            let cause = Cause::new("class_without_zone", format!("the customer class «{class}» has no VAT zone"));
            let cause = cause.advice("give it one in Visma Net, or set vat_zones: { NL: \"…\", default: \"…\" }");
            findings.push(Finding::error(cause.in_row("vat_zones")));
        }
    }
    if !options.vat_zones.is_empty() {
        let zones = client.list(&List::of("v1/vatZone", "vatZone"), calls).await?;
        for (country, zone) in &options.vat_zones {
            findings.extend(code(&zones, "id", &format!("vat_zones.{country}"), zone, "VAT zone"));
        }
    }
    Ok(findings)
}

/// Prices that were agreed with one customer, which no flow of prices takes along.
async fn prices_of_customers(client: &Client, calls: &Calls) -> Result<Option<Finding>, Failure> {
    let list = List::of("v1/customerSalesPrice", "customerSalesPrice").with("priceType", "Customer");
    let page = client.page(&list, 1, calls).await?;
    let own = page.rows.iter().filter(|row| wire::field(row, "priceType").as_deref() == Some("Customer")).count();
    Ok((own > 0).then(|| {
        let message = "there are prices of single customers; only prices of price classes are read";
        let cause = Cause::new("prices_of_customers", message)
            .advice("give customers with prices of their own a price class in Visma Net");
        Finding::warning(cause)
    }))
}

/// A code of the connection that the company does not have.
fn code(rows: &[Value], field: &str, option: &str, code: &str, what: &str) -> Option<Finding> {
    let known: Vec<String> = rows.iter().filter_map(|row| wire::field(row, field)).collect();
    if known.iter().any(|one| one == code) {
        return None;
    }
    let advice = match nearest(code, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean «{near}»?"),
        None => format!("use one of {}", known.join(", ")),
    };
    let cause = Cause::new("unknown_code", format!("the {what} «{code}» is not in Visma Net"));
    Some(Finding::error(cause.advice(advice).in_row(option)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_period_of_today_must_be_open() {
        let today = "2026-06-15".parse().unwrap();
        let row = |closed: &str| {
            let mut row = json!({"period": "202606", "startDate": "2026-06-01T00:00:00", "endDate": "2026-07-01T00:00:00", "active": true});
            row[closed] = json!(true);
            row
        };
        assert!(period(&[row("active")], today).is_none());
        for field in ["closedInCustomerLedger", "closedInGeneralLedger", "closedInInventoryManagement"] {
            assert_eq!(period(&[row(field)], today).unwrap().cause.code, "period_closed");
        }
        assert_eq!(period(&[], today).unwrap().cause.code, "no_period");
        let mut off = row("active");
        off["active"] = json!(false);
        assert_eq!(period(&[off], today).unwrap().cause.code, "period_not_active");
        // The first day of a period belongs to it, though the one before ends on it.
        let next = json!({"period": "202607", "startDate": "2026-07-01", "endDate": "2026-08-01"});
        assert!(period(&[row("closedInGeneralLedger"), next], "2026-07-01".parse().unwrap()).is_none());
    }

    #[test]
    fn an_unknown_code_is_named_with_the_nearest() {
        let rows = [json!({"number": "MAIN"}), json!({"number": "SHOP"})];
        let finding = branch(&rows, Some("SHOPS")).unwrap();
        assert!(finding.cause.to_string().contains("did you mean «SHOP»?"), "{}", finding.cause);
        assert!(branch(&rows, Some("SHOP")).is_none());
        assert_eq!(branch(&rows, None).unwrap().cause.code, "branch_not_set");
        assert!(branch(&rows[..1], None).is_none());
    }
}
