use super::*;
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// The slots of half a day, in the zone's own time.
fn slots(cron: &str, zone: &str, from: &str) -> Vec<String> {
    let timing = Timing::parse(cron, zone).unwrap();
    let from = Timestamp(at(from).0 - 1);
    let slots = timing.slots_between(from, from.after(std::time::Duration::from_secs(43_200)), 20);
    let shown = |slot: &Timestamp| timing.local(*slot)[8..].replace('T', " ");
    slots.iter().map(shown).collect()
}

const SPRING: &str = "2027-03-28T00:00:00+01:00"; // 02:00 becomes 03:00
const AUTUMN: &str = "2026-10-25T00:00:00+02:00"; // 03:00 becomes 02:00

#[test]
fn a_slot_that_does_not_exist_comes_at_the_first_moment_after_the_gap() {
    assert_eq!(slots("30 2 * * *", "Europe/Berlin", SPRING), ["28 03:00:00+02:00"]);
    assert_eq!(
        slots("30 2 * * *", "America/New_York", "2027-03-14T00:00:00-05:00"),
        ["14 03:00:00-04:00"]
    );
    let howe = "2026-10-04T00:00:00+10:30"; // 02:00 becomes 02:30
    assert_eq!(slots("15 2 * * *", "Australia/Lord_Howe", howe), ["04 02:30:00+11:00"]);
    assert_eq!(slots("45 2 * * *", "Australia/Lord_Howe", howe), ["04 02:45:00+11:00"]);
}

#[test]
fn several_slots_of_one_gap_come_once() {
    assert_eq!(
        slots("*/20 2,3 * * *", "Europe/Berlin", SPRING),
        ["28 03:00:00+02:00", "28 03:20:00+02:00", "28 03:40:00+02:00"]
    );
}

#[test]
fn a_slot_that_exists_twice_comes_at_the_first_of_the_two() {
    assert_eq!(slots("30 2 * * *", "Europe/Berlin", AUTUMN), ["25 02:30:00+02:00"]);
    assert_eq!(
        slots("30 1 * * *", "America/New_York", "2026-11-01T00:00:00-04:00"),
        ["01 01:30:00-04:00"]
    );
    let howe = "2027-04-04T00:00:00+11:00"; // 02:00 becomes 01:30
    assert_eq!(slots("45 1 * * *", "Australia/Lord_Howe", howe), ["04 01:45:00+11:00"]);
}

#[test]
fn what_has_slots_in_every_hour_follows_the_time_that_passes() {
    let autumn = slots("0 * * * *", "Europe/Berlin", AUTUMN);
    assert_eq!(
        autumn[..5],
        [
            "25 00:00:00+02:00",
            "25 01:00:00+02:00",
            "25 02:00:00+02:00",
            "25 02:00:00+01:00",
            "25 03:00:00+01:00"
        ]
    );
    let spring = slots("30 * * * *", "Europe/Berlin", SPRING);
    assert_eq!(spring[..3], ["28 00:30:00+01:00", "28 01:30:00+01:00", "28 03:30:00+02:00"]);
    let quarters = Timing::parse("*/15 * * * *", "Europe/Berlin").unwrap();
    for from in [at(SPRING), at(AUTUMN)] {
        let slots = quarters.slots_between(from, Timestamp::MAX, 40);
        assert!(slots.windows(2).all(|two| two[1].0 - two[0].0 == 900_000));
    }
}

#[test]
fn a_zone_of_three_quarters_of_an_hour_keeps_its_minutes() {
    let noon = Timing::parse("0 12 * * *", "Asia/Kathmandu").unwrap();
    assert_eq!(noon.next_after(at("2026-11-28T00:00:00Z")), Some(at("2026-11-28T06:15:00Z")));
}

#[test]
fn seconds_days_and_leap_years_are_kept_in_utc() {
    for (cron, from, next) in [
        ("*/20 * * * * *", "2026-11-28T00:00:20.001Z", "2026-11-28T00:00:40Z"),
        ("* * * * * *", "2026-12-31T23:59:59.999Z", "2027-01-01T00:00:00Z"),
        ("0 0 29 2 *", "2026-11-28T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("0 0 29 2 *", "2097-01-01T00:00:00Z", "2104-02-29T00:00:00Z"),
        ("0 0 * 2 MON#5", "2026-11-28T00:00:00Z", "2044-02-29T00:00:00Z"),
        ("0 0 L * *", "2027-02-01T00:00:00Z", "2027-02-28T00:00:00Z"),
        ("0 0 LW * *", "2027-01-01T00:00:00Z", "2027-01-29T00:00:00Z"),
        ("0 0 1W * *", "2027-05-01T00:00:00Z", "2027-05-03T00:00:00Z"),
        ("0 0 15W * *", "2027-08-01T00:00:00Z", "2027-08-16T00:00:00Z"),
        ("0 0 31W * *", "2027-01-01T00:00:00Z", "2027-01-29T00:00:00Z"),
        ("0 0 * * FRIL", "2027-01-01T00:00:00Z", "2027-01-29T00:00:00Z"),
        ("0 0 * * 7", "2026-11-28T00:00:00Z", "2026-11-29T00:00:00Z"),
        ("0 0 13 * FRI", "2026-11-28T00:00:00Z", "2026-12-04T00:00:00Z"),
        ("@monthly", "2026-11-28T00:00:00Z", "2026-12-01T00:00:00Z"),
    ] {
        let timing = Timing::parse(cron, "UTC").unwrap();
        assert_eq!(timing.next_after(at(from)), Some(at(next)), "{cron}");
    }
}

#[test]
fn at_the_end_of_time_there_is_no_slot_any_more() {
    let timing = Timing::parse("* * * * * *", "Europe/Berlin").unwrap();
    assert_eq!(timing.next_after(Timestamp::MAX), None);
    assert_eq!(timing.next_after(Timestamp(i64::MAX)), None);
    assert!(timing.next_after(Timestamp(i64::MIN / 2)).is_none());
}

#[test]
fn a_zone_that_nobody_knows_is_refused() {
    for bad in
        ["", "Mars/Olympus", "../../etc/passwd", "+02:00", "Europe/Berlin\0", &"x".repeat(99)]
    {
        assert_eq!(Timing::parse("* * * * *", bad), Err(BadTiming::Zone), "{bad}");
    }
}

/// All slots of a stretch of time, found by looking at each minute.
fn by_looking(timing: &Timing, from: i64, minutes: i64) -> Vec<i64> {
    let offset = |second: i64| {
        let at = jiff::Timestamp::from_second(second).unwrap();
        i64::from(timing.zone.to_offset(at).seconds())
    };
    let means = |clock: i64| {
        let (at, end) = (civil(clock).unwrap(), civil(clock + 1).unwrap());
        timing.cron.next(at, end).is_some()
    };
    let every_hour = timing.cron.is_every_hour();
    let mut found = Vec::new();
    for second in (0..minutes).map(|minute| from + minute * 60) {
        let (before, now) = (offset(second - 1), offset(second));
        let made_up = (before..now).step_by(60).any(|skipped| means(second + skipped));
        let earlier = (1..=180).any(|ago| {
            let then = second - ago * 60;
            then + offset(then) == second + now
        });
        let meant = means(second + now);
        if if every_hour { meant } else { (meant && !earlier) || made_up } {
            found.push(second);
        }
    }
    found
}

fn list(least: u32, most: u32) -> impl Strategy<Value = String> {
    let one = (least..=most).prop_map(|n| n.to_string());
    let range = (least..=most, 0..=most - least)
        .prop_map(move |(from, more)| format!("{from}-{}", (from + more).min(most)));
    let step = (1..=(most - least)).prop_map(|step| format!("*/{step}"));
    prop_oneof![3 => Just("*".to_owned()), 3 => one, 1 => range, 1 => step]
}

proptest! {
    #[test]
    fn the_slots_are_those_that_a_look_at_each_minute_finds(
        (minute, hour, day, week) in (list(0, 59), list(0, 23), list(1, 31), list(0, 6)),
        zone in prop::sample::select(vec![
            "UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe",
        ]),
        night in prop::sample::select(vec![
            1_806_188_400_i64, 1_792_879_200, 1_805_000_400, 1_793_509_200, 1_791_034_200, 1_806_757_200,
        ]),
    ) {
        let timing = Timing::parse(&format!("{minute} {hour} {day} * {week}"), zone).unwrap();
        let found = by_looking(&timing, night, 1_440);
        let to = Timestamp((night + 86_399) * 1000);
        let slots = timing.slots_between(Timestamp(night * 1000 - 1), to, 2_000);
        let slots: Vec<i64> = slots.iter().map(|slot| slot.0 / 1000).collect();
        prop_assert_eq!(slots, found);
    }

    #[test]
    fn a_slot_lies_ahead_and_none_lies_before_it(
        (second, hour) in (list(0, 59), list(0, 23)),
        from in 0_i64..4_000_000_000_000,
        part in 0_i64..1_000,
    ) {
        let timing = Timing::parse(&format!("{second} 0 {hour} * * *"), "America/New_York").unwrap();
        let next = timing.next_after(Timestamp(from)).unwrap();
        prop_assert!(next.0 > from && next.0 % 1000 == 0);
        let between = from + (next.0 - from - 1) / 1_000 * part;
        prop_assert_eq!(timing.next_after(Timestamp(between)), Some(next));
    }
}
