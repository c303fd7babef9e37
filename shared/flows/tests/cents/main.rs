//! The proof of cents over random orders, judged by an independent model of the books. `make cents` runs the same over
//! ten million.

mod books;
mod refund;
mod shop;
mod trial;

use std::collections::BTreeMap;

use trial::Ended;

#[test]
fn every_order_is_posted_to_the_cent_or_rejected_with_its_sums() {
    let mut ended: BTreeMap<Ended, u64> = BTreeMap::new();
    for number in 0..6_000 {
        match trial::run(20_261_122, number) {
            trial::Trial { ended: Ok(how), .. } => *ended.entry(how).or_default() += 1,
            trial::Trial { ended: Err(wrong), books } => panic!("order {number} with {books:?}: {wrong}"),
        }
    }
    // Each way to end is really taken, and hardly any order is rejected for its rounding.
    let ways = [Ended::Exact, Ended::Split, Ended::Rounded, Ended::TooMuch, Ended::NoLine, Ended::SumsDiffer];
    for way in ways {
        assert!(ended.contains_key(&way), "{way:?} never happens: {ended:?}");
    }
    assert!(ended[&Ended::TooMuch] < 120, "{ended:?}");
}

#[test]
fn every_refund_is_posted_to_the_cent_or_rejected_with_its_sums() {
    let mut ended: BTreeMap<Ended, u64> = BTreeMap::new();
    for number in 0..6_000 {
        match trial::run_refund(20_261_126, number) {
            trial::Trial { ended: Ok(how), .. } => *ended.entry(how).or_default() += 1,
            trial::Trial { ended: Err(wrong), books } => panic!("refund {number} with {books:?}: {wrong}"),
        }
    }
    let ways = [Ended::Exact, Ended::Split, Ended::Rounded, Ended::TooMuch, Ended::NoLine, Ended::SumsDiffer];
    for way in ways {
        assert!(ended.contains_key(&way), "{way:?} never happens: {ended:?}");
    }
    assert!(ended[&Ended::TooMuch] < 120, "{ended:?}");
}
