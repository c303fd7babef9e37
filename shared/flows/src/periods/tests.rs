//! Which day a document gets, by what the target tells and by what was refused.

use super::*;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn now() -> DateTime<Utc> {
    "2026-11-26T10:00:00Z".parse().unwrap()
}

fn periods(policy: ClosedPeriod) -> Periods {
    Periods::of(policy, "the books", now())
}

fn quarter(name: &str, start: &str, end: &str, open: bool) -> Period {
    Period { name: name.into(), start: day(start), end: day(end), open }
}

/// The day a document of this date gets, or the closed periods.
fn placed(periods: &Periods, date: &str) -> String {
    match periods.place(day(date)) {
        Ok(placed) => placed.date.to_string(),
        Err(shut) => shut.closed.join("+"),
    }
}

#[test]
fn nothing_is_guessed() {
    for policy in [ClosedPeriod::Reject, ClosedPeriod::FirstOpenDay] {
        assert_eq!(placed(&periods(policy), "2019-02-28"), "2019-02-28");
    }
    assert!(!periods(ClosedPeriod::Reject).is_certain(day("2026-10-31")));
    assert!(periods(ClosedPeriod::Reject).is_certain(day("2026-11-01")));
}

#[test]
fn a_refusal_moves_to_the_next_month_and_is_believed_for_an_hour() {
    let refused = [("2026-09", now() - TimeDelta::minutes(59)), ("2026-10", now())];
    let open = periods(ClosedPeriod::FirstOpenDay).with(None, &refused);
    assert_eq!(placed(&open, "2026-08-31"), "2026-08-31");
    assert_eq!(placed(&open, "2026-09-02"), "2026-11-01");
    assert_eq!(open.place(day("2026-09-02")).unwrap().closed, ["2026-09", "2026-10"]);
    assert_eq!(placed(&open, "2026-11-01"), "2026-11-01");
    let old = periods(ClosedPeriod::FirstOpenDay).with(None, &[("2026-09", now() - TimeDelta::hours(1))]);
    assert_eq!(placed(&old, "2026-09-02"), "2026-09-02");
    let strict = periods(ClosedPeriod::Reject).with(None, &refused);
    assert_eq!(placed(&strict, "2026-09-02"), "2026-09");
}

#[test]
fn a_document_never_gets_a_day_that_has_not_come() {
    let shut = periods(ClosedPeriod::FirstOpenDay).with(None, &[("2026-10", now()), ("2026-11", now())]);
    assert_eq!(placed(&shut, "2026-10-15"), "2026-10+2026-11");
}

#[test]
fn what_the_target_tells_may_be_any_period() {
    let told = vec![
        quarter("Q2", "2026-04-01", "2026-06-30", false),
        quarter("Q3", "2026-07-01", "2026-09-30", false),
        // It ends on the day on which the next one begins.
        quarter("Q4", "2026-10-01", "2027-01-01", true),
        quarter("Q1", "2027-01-01", "2027-03-31", true),
    ];
    let open = periods(ClosedPeriod::FirstOpenDay).with(Some(told.clone()), &[]);
    assert_eq!(placed(&open, "2026-05-15"), "2026-10-01");
    assert_eq!(placed(&open, "2026-11-15"), "2026-11-15");
    assert_eq!(placed(&open, "2020-01-01"), "2026-10-01", "there is no period for it");
    // The list is older than a refusal.
    let open = periods(ClosedPeriod::FirstOpenDay).with(Some(told), &[("Q4", now())]);
    assert_eq!(placed(&open, "2026-05-15"), "Q2+Q3+Q4");
    assert_eq!(open.name_of(day("2027-01-01")), "Q1");
}
