//! Terms of leaders.

use super::bench::{Bench, DAY, secs};
use super::case_list;
use longshore_core::store::Term;
use std::time::Duration;

case_list![
    an_office_is_held_by_one,
    an_office_is_free_once_its_term_is_over,
    terms_grow_and_never_repeat,
    a_term_is_renewed_while_it_lasts,
    a_term_that_is_over_is_not_renewed,
    terms_are_judged_by_the_monotonic_clock,
    terms_grow_over_reboots,
];

async fn acquire(t: &Bench, name: &str, holder: &str) -> Option<Term> {
    t.store().acquire(name, holder, secs(10)).await.expect("acquire answers")
}

async fn renew(t: &Bench, term: &Term) -> bool {
    t.store().renew(term, secs(10)).await.expect("renew answers")
}

async fn an_office_is_held_by_one(t: Bench) {
    let term = acquire(&t, "cron", "a").await.expect("free");
    assert_eq!((term.name.as_str(), term.holder.as_str()), ("cron", "a"));
    assert_eq!(acquire(&t, "cron", "b").await, None);
    assert!(acquire(&t, "pruner", "b").await.is_some(), "another office");
}

async fn an_office_is_free_once_its_term_is_over(t: Bench) {
    acquire(&t, "cron", "a").await.expect("free");
    t.pass(secs(10) - Duration::from_millis(1));
    assert_eq!(acquire(&t, "cron", "b").await, None);
    t.pass(Duration::from_millis(1));
    assert!(acquire(&t, "cron", "b").await.is_some());
    assert_eq!(acquire(&t, "cron", "a").await, None);
}

async fn terms_grow_and_never_repeat(t: Bench) {
    let mut last = 0;
    for holder in ["a", "b", "a", "a"] {
        let term = acquire(&t, "cron", holder).await.expect("free");
        assert!(term.number > last);
        last = term.number;
        t.pass(secs(10));
    }
}

async fn a_term_is_renewed_while_it_lasts(t: Bench) {
    let term = acquire(&t, "cron", "a").await.expect("free");
    for _ in 0..5 {
        t.pass(secs(9));
        assert!(renew(&t, &term).await);
    }
    assert_eq!(acquire(&t, "cron", "b").await, None);
}

async fn a_term_that_is_over_is_not_renewed(t: Bench) {
    let term = acquire(&t, "cron", "a").await.expect("free");
    let unknown = Term { name: "nothing".to_owned(), ..term.clone() };
    assert!(!renew(&t, &unknown).await);
    t.pass(secs(10));
    assert!(!renew(&t, &term).await);
    let next = acquire(&t, "cron", "b").await.expect("free");
    assert!(!renew(&t, &term).await, "somebody else is in office");
    assert!(renew(&t, &next).await);
}

async fn terms_are_judged_by_the_monotonic_clock(t: Bench) {
    let term = acquire(&t, "cron", "a").await.expect("free");
    let day = i64::try_from(DAY.as_millis()).expect("a day fits");
    for jump in [day, -2 * day, day] {
        t.clock().jump_wall(jump);
        assert_eq!(acquire(&t, "cron", "b").await, None);
        assert!(renew(&t, &term).await);
    }
}

async fn terms_grow_over_reboots(t: Bench) {
    let before = acquire(&t, "cron", "a").await.expect("free");
    t.reboot().await;
    t.pass(secs(10));
    let after = acquire(&t, "cron", "b").await.expect("the term is over");
    assert!(after.number > before.number);
    assert!(!renew(&t, &before).await);
}
