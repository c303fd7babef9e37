//! AccountView: fields, filters, pages, answers by table, the dictionary.
// Helpers of tests may panic as tests do.
#![allow(clippy::unwrap_used)]

#[path = "common/accountview.rs"]
mod books;

use books::{Books, message};
use serde_json::{Value, json};

fn codes(answer: &Value, table: &str, field: &str) -> Vec<String> {
    let rows = answer[table].as_array().unwrap();
    rows.iter().map(|row| row[field].as_str().unwrap().trim_end().to_owned()).collect()
}

#[tokio::test]
async fn answers_are_keyed_by_table_and_texts_are_as_wide_as_their_field() {
    let books = Books::open(json!({})).await;
    let (status, answer) = books.get("va1", &[("FIELDS", "vat_code,VAT.VAT_PCT"), ("pagesize", "1")]).await;
    assert_eq!(status, 200);
    assert_eq!(answer, json!({"VAT": [{"VAT_CODE": "0 ", "VAT_PCT": 0, "VAT_Id": 0, "EXT_KEY": 0}]}));
    let (_, answer) = books.equal("AR1", "MAIL_BUS", "relatie10000@example.test").await;
    let row = &answer["CONTACT"][0];
    assert_eq!(row["SUB_NR"], "10000     ");
    assert_eq!(row["MAIL_BUS"].as_str().unwrap().len(), 50);
    assert_eq!((&row["REC_BLK"], &row["GRAY_DATE"], &answer["USR_LINK"]), (&json!(false), &Value::Null, &json!([])));
    // Prospects and creditors are no debtors; relations are all of them.
    assert_eq!(books.equal("AR1", "SUB_NR", "10001").await.0, 404);
    assert_eq!(codes(&books.equal("CM1", "SUB_NR", "10001").await.1, "CONTACT", "SUB_NR"), ["10001"]);
    assert_eq!(codes(&books.equal("AP1", "SUB_NR", "50001").await.1, "CONTACT", "SUB_NR"), ["50001"]);
    books.switch(json!({"single_as_object": true, "pad_texts": false}));
    let (_, answer) = books.equal("AK1", "ART_CODE", "KOFFIE").await;
    assert_eq!((&answer["ARTICLE"]["ART_CODE"], &answer["ARTICLE"]["PH_SELPX"]), (&json!("KOFFIE"), &json!(18.3486)));
}

#[tokio::test]
async fn filters_begin_with_look_at_case_and_may_be_joined() {
    let books = Books::open(json!({})).await;
    let (_, answer) = books.equal("AK1", "ART_CODE", "TSHIRT-ROOD").await;
    assert_eq!(codes(&answer, "ARTICLE", "ART_CODE"), ["TSHIRT-ROOD-M", "TSHIRT-ROOD-S"]);
    assert_eq!(books.equal("AR1", "MAIL_BUS", "Relatie10000@example.test").await.0, 404);
    let any = [
        ("MatchAnyFilter", "true"),
        ("FilterControlSource1", "ART_CODE"),
        ("FilterOperator1", "equal"),
        ("FilterValueType1", "C"),
        ("FilterValue1", "KOFFIE"),
        ("FilterIsListOfValues1", "false"),
        ("FilterControlSource2", "article.art_code"),
        ("FilterOperator2", "Contains"),
        ("FilterValueType2", "C"),
        ("FilterValue2", "BLAUW"),
    ];
    assert_eq!(codes(&books.get("AK1", &any).await.1, "ARTICLE", "ART_CODE"), ["KOFFIE", "TSHIRT-BLAUW-L"]);
    let filter = "QTY_FREE2>=12 AND !EMPTY(PH_EAN)";
    assert_eq!(codes(&books.get("AK1", &[("Filter", filter)]).await.1, "ARTICLE", "ART_CODE"), ["MOK-WIT"]);
    books.switch(json!({"equal": "exact", "case_sensitive_filters": false}));
    assert_eq!(books.equal("AK1", "ART_CODE", "TSHIRT-ROOD").await.0, 404);
    assert_eq!(books.equal("AR1", "MAIL_BUS", "Relatie10000@example.test").await.0, 200);
    books.switch(json!({"raw_filter": false}));
    assert!(message(&books.get("AK1", &[("Filter", filter)]).await).contains("niet toegestaan"));
}

#[tokio::test]
async fn what_changed_is_told_by_day_and_mistakes_are_refused_inside_2xx() {
    let books = Books::open(json!({})).await;
    books.inspector().inspect("POST", "rows/ARTICLE/KOFFIE", &json!({"ART_DESC1": "Koffie"}));
    let since = |literal: &'static str| {
        [
            ("FilterControlSource1", "CNG_DATE"),
            ("FilterOperator1", "42"),
            ("FilterValueType1", "D"),
            ("FilterValue1", literal),
        ]
    };
    assert_eq!(codes(&books.get("AK1", &since("{^2026-11-25}")).await.1, "ARTICLE", "ART_CODE"), ["KOFFIE"]);
    assert_eq!(books.get("AK1", &since("{^2026-11-26}")).await.0, 404);
    for (object, parameters, words) in [
        ("AK1", since("{^2026-11-25 10:00:00}").to_vec(), "Syntax"),
        ("AK1", since("2026-11-25").to_vec(), "Syntax"),
        ("AK1", vec![("Fields", "NOPE")], "NOPE"),
        ("AK1", vec![("Fields", "hst_al.art_code")], "hst_al"),
        ("XX9", vec![], "XX9"),
        ("AK1", vec![("Top", "1")], "top"),
        ("AK1", vec![("PageSize", "0")], "PageSize"),
        ("AK1", vec![("BookDate", "2019-01-01")], "2019"),
        ("AK1", vec![("SortFields", "NOPE")], "NOPE"),
        (
            "SO1",
            vec![("FilterControlSource1", "COMMENT2"), ("FilterOperator1", "Equal"), ("FilterValueType1", "C")],
            "mismatch",
        ),
    ] {
        let answer = books.get(object, &parameters).await;
        assert_eq!(answer.0, 200);
        assert!(message(&answer).contains(words), "{words}: {answer:?}");
    }
    books.switch(json!({"error_status": 500, "range_operators": false, "datetime_literals": true}));
    assert_eq!(books.get("AK1", &since("{^2026-11-25}")).await.0, 500);
}

#[tokio::test]
async fn a_list_is_paged_by_the_key_of_the_last_row() {
    let books = Books::open(json!({})).await;
    books.inspector().inspect("POST", "generate", &json!({"seed": 1, "n": 45}));
    let (mut all, mut last) = (Vec::new(), String::new());
    loop {
        let page = [("Fields", "ART_CODE"), ("PageSize", "20"), ("LastKey", last.as_str())];
        let (status, answer) = books.get("AK1", &page).await;
        if status == 404 {
            break;
        }
        let page = codes(&answer, "ARTICLE", "ART_CODE");
        last = page.last().unwrap().clone();
        all.extend(page);
    }
    assert_eq!(all.len(), 45 + 13);
    assert!(all.is_sorted());
    // A row that went meanwhile does not lose the place.
    books.inspector().inspect("DELETE", "rows/ARTICLE/KANDELAAR", &Value::Null);
    let (_, answer) = books.get("AK1", &[("Fields", "ART_CODE"), ("LastKey", "KOEKJE"), ("PageSize", "1")]).await;
    assert_eq!(codes(&answer, "ARTICLE", "ART_CODE"), ["KOFFIE"]);
    let newest = [("SortFields", "CNG_DATE"), ("SortOrder", "descending"), ("PageSize", "1"), ("Fields", "ART_CODE")];
    books.inspector().inspect("POST", "rows/ARTICLE/DIVERS", &json!({"AG_CODE": "LAAG"}));
    books.sandbox.clock().advance(chrono::Duration::seconds(5));
    books.inspector().inspect("POST", "rows/ARTICLE/KORTING", &json!({"AG_CODE": "LAAG"}));
    assert_eq!(codes(&books.get("AK1", &newest).await.1, "ARTICLE", "ART_CODE"), ["KORTING"]);
    books.switch(json!({"article_paging_key": "REC_ID", "paging_key_returned": false, "page_size_max": 5}));
    let (_, answer) = books.get("AK1", &[("Fields", "ART_CODE,REC_ID"), ("PageSize", "50")]).await;
    let rows = answer["ARTICLE"].as_array().unwrap();
    assert_eq!((rows.len(), rows[0].get("REC_ID")), (5, None));
}

#[tokio::test]
async fn nothing_found_has_three_forms() {
    for (form, wanted) in
        [("404", (404, json!({}))), ("empty", (200, json!({"ARTICLE": []}))), ("missing", (200, json!({})))]
    {
        let books = Books::open(json!({ "nothing_found": form })).await;
        assert_eq!(books.equal("AK1", "ART_CODE", "NOTHING").await, wanted);
    }
}

#[tokio::test]
async fn the_dictionary_tells_objects_tables_and_fields() {
    let books = Books::open(json!({"no_xml_upd": ["DJ_PAGE"]})).await;
    let (_, objects) = Books::answer(books.request(reqwest::Method::GET, "AccountViewSystemBusinessObjects")).await;
    let object = |code: &str| objects.as_array().unwrap().iter().find(|one| one["Code"] == code).cloned();
    assert_eq!(object("AR1").unwrap()["UpdateAllowed"], true);
    assert_eq!(object("SO1").unwrap()["InsertAllowed"], true);
    assert_eq!(object("DJ2").unwrap()["InsertAllowed"], false, "not through the API");
    assert_eq!(object("PH_SI1"), None);
    let (_, tables) = books.system("dbf", &[("PageSize", "100")]).await;
    let table = |name: &str| {
        tables["DCT_FILE"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["DBF_NAME"] == format!("{name:<8}"))
            .cloned()
            .unwrap()
    };
    assert_eq!(
        (&table("PH_SOHDR")["OBJ_CODE"], &table("PH_SOHDR")["TBL_CHILD"]),
        (&json!("SO1       "), &json!("PH_SOLIN"))
    );
    assert_eq!(table("DJ_PAGE")["NO_XML_UPD"], true);
    let name = |name: &'static str| {
        [
            ("FilterControlSource1", "DBF_NAME"),
            ("FilterOperator1", "Equal"),
            ("FilterValueType1", "C"),
            ("FilterValue1", name),
            ("PageSize", "500"),
        ]
    };
    let (_, fields) = books.system("fld", &name("CONTACT")).await;
    let list = fields["DCT_FLD"].as_array().unwrap();
    assert_eq!(list.len(), 189);
    let mail = list.iter().find(|one| one["FIELD_NAME"] == "MAIL_BUS  ").unwrap();
    assert_eq!((&mail["FIELD_TYPE"], &mail["FIELD_LEN"], &mail["INP_MAND"]), (&json!("C"), &json!(50), &json!(false)));
    books.switch(json!({"dictionary_padded": true}));
    assert_eq!(books.system("fld", &name("CONTACT")).await.0, 404);
    assert_eq!(books.system("fld", &name("CONTACT ")).await.0, 200);
    books.switch(json!({"dictionary": "other", "dictionary_padded": false}));
    let (_, fields) = books.system("FLD", &name("SO_HDR")).await;
    let own =
        fields["DCT_FLD"].as_array().unwrap().iter().find(|one| one["FIELD_NAME"] == "X01_CHAN  ").unwrap().clone();
    assert_eq!((&own["INP_MAND"], &own["REC_CUST"]), (&json!(true), &json!(true)));
    assert_eq!(books.rows("DISC").len(), 3, "the other installation has its own tables");
    books.switch(json!({"dictionary_refused": true}));
    assert!(message(&books.system("dbf", &[]).await).contains("rechten"));
}
