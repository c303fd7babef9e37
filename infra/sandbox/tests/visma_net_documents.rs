//! Visma.net: invoices, credit notes, cash sales, payments and journal transactions.
// Helpers of tests may panic as tests do.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Visma, json_of, w};
use serde_json::{Value, json};

fn with(mut body: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            body.as_object_mut().unwrap().remove(name);
        } else {
            body[name] = value.clone();
        }
    }
    body
}

fn invoice(changes: &Value) -> Value {
    let line = json!({"operation": "Insert", "inventoryNumber": w("POSTER-1"), "quantity": w(3), "uom": w("stuk")});
    with(json!({"customerNumber": w("10000"), "documentDate": w("2026-11-20"), "invoiceLines": [line]}), changes)
}

fn line(changes: &Value) -> Value {
    let line = json!({"operation": "Insert", "inventoryNumber": w("POSTER-1"), "quantity": w(1)});
    json!({"invoiceLines": [with(line, changes)]})
}

async fn open(switches: Value) -> Visma {
    let visma = Visma::open(switches).await;
    visma.sandbox.clock().set("2026-11-25T12:00:00Z".parse().unwrap());
    let token = visma.sandbox.visma().inspect("POST", "authorise", &json!({})).1;
    Visma { token: token["access_token"].as_str().unwrap().into(), ..visma }
}

#[tokio::test]
async fn an_invoice_is_computed_and_released_later_on() {
    let visma = open(json!({})).await;
    let lines = json!({"customerRefNumber": w("1001"), "creditTermsId": w("14"), "invoiceLines": [
        {"operation": "Insert", "inventoryNumber": w("POSTER-1"), "quantity": w(3), "unitPriceInCurrency": w(10.005), "discountPercent": w(10)},
        {"operation": "Insert", "description": w("Los"), "accountNumber": w("8010"), "quantity": w(1), "unitPriceInCurrency": w(5), "vatCodeId": w("LAAG"),
            "subaccount": [{"segmentId": 1, "segmentValue": "WEB"}]},
        {"operation": "Insert", "inventoryNumber": w("AFRONDING"), "quantity": w(1), "unitPriceInCurrency": w(0.01)}]});
    let number = visma.create("/v2/customerinvoice", &invoice(&lines)).await;
    assert_eq!(number, "300001");
    let path = format!("/v1/customerinvoice/{number}");
    let row = visma.json(&path).await;
    assert_eq!(
        (&row["status"], &row["documentType"], &row["financialPeriod"], &row["postPeriod"]),
        (&json!("Balanced"), &json!("Invoice"), &json!("202611"), &json!("112026"))
    );
    // 30.02 less 10 % is 27.02; 21 % of it 5.67, 9 % of 5.00 is 0.45.
    assert_eq!((&row["invoiceLines"][0]["amountInCurrency"], &row["discountTotal"]), (&json!(27.02), &json!(3)));
    assert_eq!(
        (&row["detailTotal"], &row["vatTotal"], &row["amount"], &row["balance"]),
        (&json!(32.03), &json!(6.12), &json!(38.15), &json!(38.15))
    );
    assert_eq!(row["documentDueDate"], "2026-12-04T00:00:00");
    assert_eq!(row["externalReference"], "1001", "one box on the screen");
    assert_eq!(
        (&row["invoiceLines"][1]["account"]["number"], &row["invoiceLines"][1]["subaccount"]["subaccountNumber"]),
        (&json!("8010"), &json!("WEB"))
    );
    assert_eq!(
        visma.json("/v1/customerinvoice?customerRefNumber=1001&customer=10000").await[0]["referenceNumber"],
        number.as_str()
    );
    assert_eq!(visma.json("/v1/customerinvoice?customerRefNumber=100").await, json!([]));
    assert_eq!(visma.json("/v1/customerinvoice?documentDate=2026-11-20&released=0").await.as_array().unwrap().len(), 1);
    let change = json!({"invoiceText": w("Dank"), "invoiceLines": [{"operation": "Delete", "lineNumber": w(3)}]});
    assert_eq!(visma.send("PUT", &path, &change).await.status(), 204);
    assert_eq!(visma.json(&path).await["amount"], 38.14);
    let queued = json_of(visma.send("POST", &format!("{path}/action/release"), &json!({})).await).await;
    assert_eq!((&queued["actionResult"], &visma.json(&path).await["status"]), (&json!("Queued"), &json!("Balanced")));
    assert_eq!(visma.send("POST", &format!("{path}/action/release"), &json!({})).await.status(), 500, "it is queued");
    visma.sandbox.clock().advance(chrono::Duration::seconds(5));
    assert_eq!(visma.json(&path).await["status"], "Open");
    assert_eq!(visma.send("PUT", &path, &change).await.status(), 500);
    assert_eq!(visma.send("DELETE", &path, &json!({})).await.status(), 500);
    let reversed = json_of(visma.send("POST", &format!("{path}/action/reverse"), &json!({})).await).await;
    let note = visma.json(&format!("/v1/customerCreditNote/{}", reversed["referenceNumber"].as_str().unwrap())).await;
    assert_eq!((&note["amount"], &note["documentType"]), (&json!(38.14), &json!("CreditNote")));
    let hold = visma.create("/v2/customerinvoice", &invoice(&json!({"hold": w(true)}))).await;
    assert_eq!(
        visma.send("POST", &format!("/v1/customerinvoice/{hold}/action/release"), &json!({})).await.status(),
        500
    );
    assert_eq!(visma.send("DELETE", &format!("/v1/customerinvoice/{hold}"), &json!({})).await.status(), 204);
}

#[tokio::test]
async fn an_invoice_that_does_not_fit_is_refused() {
    let visma = open(json!({"closed_until": "2026-09-30"})).await;
    let own = json!({"referenceNumber": w("WEB-1001"), "overrideNumberSeries": w(true)});
    assert_eq!(visma.create("/v2/customerinvoice", &invoice(&own)).await, "WEB-1001");
    for (changes, status, words) in [
        (own, 500, "already exists"),
        (json!({"referenceNumber": w("X")}), 400, "automatic"),
        (json!({"referenceNumber": w("x".repeat(16)), "overrideNumberSeries": w(true)}), 500, "too long"),
        (json!({"customerNumber": null}), 400, "customerNumber"),
        (json!({"customerNumber": w("99")}), 400, "'99' cannot be found"),
        (json!({"customerNumber": w("10003")}), 500, "Inactive"),
        (json!({"customerNumber": w("10004")}), 400, "creditTermsId"),
        (json!({"creditTermsId": w("99")}), 400, "creditTermsId"),
        (json!({"branchNumber": w("9")}), 500, "inactive"),
        (json!({"branchNumber": w("7")}), 400, "branchNumber"),
        (json!({"currencyId": w("XXX")}), 400, "currencyId"),
        (json!({"customerVatZoneId": w("XX")}), 400, "customerVatZoneId"),
        (json!({"locationId": w("XX")}), 400, "locationId"),
        (json!({"paymentMethodId": w("CHEQUE")}), 500, "inactive"),
        (json!({"documentDate": w("2026-09-30")}), 500, "'202609' is closed"),
        (json!({"documentDate": w("2020-01-01")}), 500, "closed"),
        (json!({"documentDate": w("2029-01-01")}), 500, "inactive"),
        (json!({"financialPeriod": w("112026")}), 400, "'112026' cannot be found"),
        (json!({"postPeriod": w("202611")}), 400, "financialPeriod"),
        (json!({"customerRefNumber": w("x".repeat(41))}), 500, "too long"),
        (line(&json!({"inventoryNumber": w("MOK-WIT")})), 500, "only non-stock items"),
        (line(&json!({"inventoryNumber": w("NIETS")})), 400, "inventoryNumber"),
        (line(&json!({"inventoryNumber": w("NIET-VERKOOP")})), 500, "NoSales"),
        (line(&json!({"inventoryNumber": null, "description": w("Los")})), 400, "accountNumber"),
        (line(&json!({"uom": w("kg")})), 400, "uom"),
        (line(&json!({"accountNumber": w("8900")})), 500, "inactive"),
        (line(&json!({"accountNumber": w("1")})), 400, "accountNumber"),
        (line(&json!({"vatCodeId": w("OUD")})), 500, "inactive"),
        (line(&json!({"vatCodeId": w("X")})), 400, "vatCodeId"),
        (line(&json!({"subaccount": [{"segmentId": 1, "segmentValue": "XXX"}]})), 400, "XXX"),
        (line(&json!({"operation": w("Insert")})), 400, "operation"),
    ] {
        let (got, message) = visma.refusal("POST", "/v2/customerinvoice", &invoice(&changes)).await;
        assert!(got == status && message.contains(words), "{changes}: {got} {message}");
    }
    assert_eq!(visma.sandbox.visma().documents("customerinvoice").len(), 1, "nothing else was stored");
}

#[tokio::test]
async fn vat_follows_the_zone_of_the_customer() {
    let visma = open(json!({})).await;
    assert_eq!(visma.sandbox.visma().inspect("POST", "catalogue", &json!({})).0, 204);
    for (zone, vat, total, account) in [
        ("NL", "2.1", "12.1", "8000"),
        ("OSS-DE", "1.9", "11.9", "8000"),
        ("OSS-BE", "2.1", "12.1", "8000"),
        ("EU", "0", "10", "8030"),
        ("EXPORT", "0", "10", "8040"),
        ("NLINCL", "1.74", "10", "8000"),
    ] {
        let body = with(invoice(&line(&json!({}))), &json!({"customerVatZoneId": w(zone)}));
        let number = visma.create("/v2/customerinvoice", &body).await;
        let row = visma.json(&format!("/v1/customerinvoice/{number}")).await;
        assert_eq!((row["vatTotal"].to_string().as_str(), row["amount"].to_string().as_str()), (vat, total), "{zone}");
        assert_eq!(row["invoiceLines"][0]["account"]["number"], account, "{zone}");
    }
    let visma = &visma;
    let row = |number: String| async move { visma.json(&format!("/v1/customerinvoice/{number}")).await };
    let abroad = with(invoice(&line(&json!({}))), &json!({"customerNumber": w("2005")}));
    let abroad = row(visma.create("/v2/customerinvoice", &abroad).await).await;
    assert_eq!((&abroad["customerVatZone"]["id"], &abroad["taxDetails"][0]["taxId"]), (&json!("EU"), &json!("ICL")));
    let small = json!({"operation": "Insert", "inventoryNumber": w("POSTER-1"), "quantity": w(1), "unitPriceInCurrency": w(0.07)});
    let cents = json!({"invoiceLines": [small, small, small]});
    let by_document = row(visma.create("/v2/customerinvoice", &invoice(&cents)).await).await;
    assert_eq!(by_document["vatTotal"], 0.04, "21 % of 0.21");
    let own = with(invoice(&cents), &json!({"taxDetailLines": [{"taxId": w("NL21"), "vatAmount": w(0.05)}]}));
    assert_eq!(row(visma.create("/v2/customerinvoice", &own).await).await["amount"], 0.26);
    let wrong = with(invoice(&cents), &json!({"taxDetailLines": [{"taxId": w("NL9"), "vatAmount": w(0.05)}]}));
    assert_eq!(visma.refusal("POST", "/v2/customerinvoice", &wrong).await.0, 400);
    visma.sandbox.visma().set_switches(json!({"vat_rounding": "line"})).unwrap();
    assert_eq!(row(visma.create("/v2/customerinvoice", &invoice(&cents)).await).await["vatTotal"], 0.03);
}

#[tokio::test]
async fn credit_notes_and_cash_sales_have_rules_of_their_own() {
    let visma = open(json!({"release_at_once": true})).await;
    let body = json!({"customerNumber": w("10000"), "documentDate": w("2026-11-20"), "customerRefNumber": w("R-1"),
        "lines": [{"operation": "Insert", "inventoryNumber": w("DIVERS"), "quantity": w(1), "unitPriceInCurrency": w(10)}]});
    let number = visma.create("/v2/customerCreditNote", &body).await;
    let path = format!("/v1/customerCreditNote/{number}");
    assert_eq!((number.as_str(), &visma.json(&path).await["amount"]), ("310001", &json!(12.1)));
    let done = json_of(visma.send("POST", &format!("{path}/action/release"), &json!({})).await).await;
    assert_eq!((&done["actionResult"], &visma.json(&path).await["status"]), (&json!("Done"), &json!("Open")));
    let mut goods = body.clone();
    goods["lines"][0]["inventoryNumber"] = w("MOK-WIT");
    assert_eq!(visma.refusal("POST", "/v2/customerCreditNote", &goods).await.0, 500);
    visma.sandbox.visma().set_switches(json!({"credit_note_stock_items": true})).unwrap();
    visma.create("/v2/customerCreditNote", &goods).await;
    assert_eq!(visma.json("/v1/customerCreditNote?customerRefNumber=R-1").await.as_array().unwrap().len(), 2);
    let mut sale = json!({"customerNumber": w("10000"), "documentDate": w("2026-11-20"),
        "cashSaleLines": [{"operation": "Insert", "inventoryNumber": w("DIVERS"), "quantity": w(1), "unitPriceInCurrency": w(10)}]});
    assert_eq!(visma.refusal("POST", "/v1/cashsale", &sale).await, (400, "'paymentReference' cannot be empty.".into()));
    sale["paymentReference"] = w("tr_1");
    let number = visma.create("/v1/cashsale", &sale).await;
    assert_eq!(visma.json("/v1/cashsale?paymentReference=tr_1").await[0]["referenceNumber"], number.as_str());
}

#[tokio::test]
async fn a_payment_pays_what_is_open() {
    let visma = open(json!({"release_at_once": true})).await;
    let number = visma.create("/v2/customerinvoice", &invoice(&line(&json!({})))).await;
    let payment = |changes: Value| {
        with(
            json!({"customer": w("10000"), "applicationDate": w("2026-11-21"), "paymentRef": w("tr_1"), "paymentAmount": w(12.1),
            "paymentLines": [{"operation": "Insert", "documentType": w("Invoice"), "refNbr": w(number.as_str()), "amountPaid": w(12.1)}]}),
            &changes,
        )
    };
    let (status, message) = visma.refusal("POST", "/v1/customerPayment", &payment(json!({}))).await;
    assert!(status == 500 && message.contains("is not open"), "{message}");
    visma.send("POST", &format!("/v1/customerinvoice/{number}/action/release"), &json!({})).await;
    for (changes, words) in [
        (json!({"customer": null}), "customer"),
        (json!({"paymentRef": null}), "paymentRef"),
        (json!({"applicationDate": null}), "applicationDate"),
        (json!({"paymentAmount": w(10)}), "More is applied"),
        (json!({"customer": w("10005")}), "refNbr"),
        (json!({"cashAccount": w("9")}), "cashAccount"),
        (json!({"applicationPeriod": w("209901")}), "209901"),
        (json!({"invoiceText": w("x".repeat(51))}), "too long"),
        (json!({"paymentMethod": w("CHEQUE")}), "inactive"),
    ] {
        let (status, message) = visma.refusal("POST", "/v1/customerPayment", &payment(changes.clone())).await;
        assert!(status >= 400 && message.contains(words), "{changes}: {status} {message}");
    }
    let id = visma.create("/v1/customerPayment", &payment(json!({}))).await;
    let path = format!("/v1/customerPayment/{id}");
    let row = visma.json(&path).await;
    assert_eq!(
        (&row["status"], &row["cashAccount"], &row["applicationPeriod"]),
        (&json!("Balanced"), &json!("1100"), &json!("202611"))
    );
    let wrong = visma.send("POST", &format!("{path}/action/release"), &json!({"type": w("Prepayment")})).await;
    assert_eq!(wrong.status(), 404);
    let done = visma.send("POST", &format!("{path}/action/release"), &json!({"type": w("Payment")})).await;
    assert_eq!(json_of(done).await["actionResult"], "Done");
    let paid = visma.json(&format!("/v1/customerinvoice/{number}")).await;
    assert_eq!((&paid["status"], &paid["balance"]), (&json!("Closed"), &json!(0)));
    let (status, message) = visma.refusal("PUT", &path, &json!({"invoiceText": w("x")})).await;
    assert_eq!((status, message.as_str()), (500, "Payment can't be updated because it is already released."));
    assert_eq!(
        visma.json("/v1/customerPayment?customer=10000&docDate=2026-11-21&docDateCondition=%3E%3D").await[0]["paymentRef"],
        "tr_1"
    );
    assert_eq!(
        visma.json("/v1/customerPayment?paymentRef=other").await.as_array().unwrap().len(),
        1,
        "no filter of that name"
    );
    assert_eq!(visma.send("POST", &format!("{path}/action/void"), &json!({})).await.status(), 200);
    assert_eq!(visma.json(&format!("/v1/customerinvoice/{number}")).await["status"], "Open");
}

#[tokio::test]
async fn a_batch_balances_and_a_list_of_them_counts_lines() {
    let visma = open(json!({"max_page_size": 3})).await;
    let batch = |changes: Value| {
        with(
            json!({"transactionDate": w("2026-11-20"), "description": w("Dagomzet"), "journalTransactionLines": [
            {"operation": "Insert", "accountNumber": w("1290"), "debitAmountInCurrency": w(121)},
            {"operation": "Insert", "accountNumber": w("8000"), "creditAmountInCurrency": w(100), "vatCodeId": w("HOOG"), "vatId": w("NL21")}]}),
            &changes,
        )
    };
    let (status, message) = visma.refusal("POST", "/v2/journaltransaction", &batch(json!({}))).await;
    assert!(status == 500 && message.contains("out of balance: debit 121, credit 100"), "{message}");
    let number = visma.create("/v2/journaltransaction", &batch(json!({"hold": w(true)}))).await;
    let path = format!("/v2/journaltransaction/{number}");
    assert_eq!(visma.json(&path).await["status"], "Hold");
    let vat = json!({"hold": w(false), "journalTransactionLines": [{"operation": "Insert", "accountNumber": w("1500"), "creditAmountInCurrency": w(21)}]});
    assert_eq!(visma.send("PUT", &path, &vat).await.status(), 204);
    let row = visma.json(&path).await;
    assert_eq!(
        (&row["status"], &row["debitTotal"], &row["module"]),
        (&json!("Balanced"), &json!(121), &json!("ModuleGL"))
    );
    let even = |lines: Value| batch(json!({"journalTransactionLines": lines}));
    let side = |account: &str, name: &str| json!({"operation": "Insert", "accountNumber": w(account), name: w(5)});
    for (lines, words) in [
        (json!([]), "cannot be empty"),
        (json!([side("1300", "debitAmountInCurrency"), side("8000", "creditAmountInCurrency")]), "control account"),
        (json!([side("8900", "debitAmountInCurrency"), side("8000", "creditAmountInCurrency")]), "inactive"),
        (json!([side("9999", "debitAmountInCurrency"), side("8000", "creditAmountInCurrency")]), "accountNumber"),
        (
            json!([{"operation": "Insert", "accountNumber": w("8000"), "debitAmountInCurrency": w(1), "creditAmountInCurrency": w(1)}]),
            "not both",
        ),
    ] {
        let (status, message) = visma.refusal("POST", "/v2/journaltransaction", &even(lines.clone())).await;
        assert!(status >= 400 && message.contains(words), "{lines}: {message}");
    }
    let fine = even(json!([side("1290", "debitAmountInCurrency"), side("8000", "creditAmountInCurrency")]));
    let own = with(fine.clone(), &json!({"batchNumber": w("D1"), "overrideNumberSeries": w(true)}));
    assert_eq!(visma.create("/v2/journaltransaction", &own).await, "D1");
    assert_eq!(visma.refusal("POST", "/v2/journaltransaction", &own).await.0, 500);
    assert_eq!(visma.get("/v2/journaltransaction").await.status(), 400, "a period or a moment");
    // Five lines in two batches: the first page holds the first batch, the second the other.
    let first = visma.json("/v2/journaltransaction?periodId=202611&pageNumber=1&pageSize=2").await;
    assert_eq!((first.as_array().unwrap().len(), &first[0]["metadata"]["totalCount"]), (1, &json!(5)));
    let second = visma.json("/v2/journaltransaction?periodId=202611&pageNumber=2&pageSize=2").await;
    assert_eq!(second.as_array().unwrap().len(), 2, "one batch goes on, the next begins");
    assert_eq!(
        (&second[0]["batchNumber"], second[0]["journalTransactionLines"].as_array().unwrap().len()),
        (&json!(number), 1)
    );
    let last = visma.json("/v2/journaltransaction?periodId=202611&module=GL&pageNumber=2&pageSize=50").await;
    assert_eq!(last[0]["batchNumber"], "D1", "clamped to three lines");
    let released = visma.send("POST", &format!("{path}/action/release"), &json!({})).await;
    assert_eq!(json_of(released).await["actionResult"], "Queued");
    visma.sandbox.clock().advance(chrono::Duration::seconds(5));
    assert_eq!(visma.json(&path).await["status"], "Posted");
}
