//! How a variable names a key.

use crate::{Place, shown};

const FILE: &str = "kinds:\n  a.b-c: { push: \"http://h/\", headers: { x-key: one } }\n  two.one: { push: \"http://h/\" }\n  two-one: { push: \"http://h/\" }\n";

fn timeout(variable: &str, kind: &str) -> u64 {
    let place = Place::with("longshore.yaml", FILE);
    let config = place.sources().env([(variable, "7s")]).load().unwrap();
    config.kinds[kind].timeout.as_secs()
}

fn refused(variables: &[(&str, &str)]) -> Vec<String> {
    let place = Place::with("longshore.yaml", FILE);
    let error = place.sources().env(variables.iter().copied()).load().unwrap_err();
    shown(&error, place.0.path())
}

#[test]
fn an_underscore_stands_for_the_dots_and_dashes_of_a_known_name() {
    assert_eq!(timeout("LONGSHORE__KINDS__A_B_C__TIMEOUT", "a.b-c"), 7);
    assert_eq!(timeout("LONGSHORE__kinds__a.b-c__timeout", "a.b-c"), 7);
    assert_eq!(timeout("LONGSHORE__KINDS__two.one__TIMEOUT", "two.one"), 7);
}

#[test]
fn a_name_that_nobody_knows_is_a_new_one() {
    let place = Place::new();
    let variables = [("LONGSHORE__QUEUES__BIG_ONES__SLOTS", "5"), ("LONGSHORE_LOG", "debug")];
    let config = place.sources().env(variables).load().unwrap();
    assert_eq!(config.queues["big_ones"].slots, 5);
}

#[test]
fn a_list_is_written_in_one_line_and_a_header_with_underscores() {
    let place = Place::with("longshore.yaml", FILE);
    let variables = [
        ("LONGSHORE__KINDS__A_B_C__HEADERS__X_KEY", "two"),
        ("LONGSHORE__KINDS__A_B_C__HEADERS__X_NEW", "three"),
        ("LONGSHORE__KINDS__A_B_C__ON_ERROR", "[{match: {status: [404, 5xx]}, then: discard}]"),
        ("LONGSHORE__KINDS__NEW__COMMAND", "[\"wc\", \"-w\"]"),
        ("PATH", "/usr/bin:/bin"),
    ];
    let config = place.sources().env(variables).load().unwrap();
    let kind = &config.kinds["a.b-c"];
    assert_eq!(kind.on_error[0].matches.statuses, [(404, 404), (500, 599)]);
    let longshore::config::Runner::Push(push) = &kind.runner else { panic!() };
    let headers: Vec<_> =
        push.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(headers, [("x-key", "two"), ("x-new", "three")]);
    assert!(config.kinds.contains_key("new"));
}

#[test]
fn what_a_variable_gets_wrong_is_told_with_its_name() {
    for (variable, value, fault) in [
        ("LONGSHORE__SERVR__LISTEN", "x", "\"servr\" is no key; did you mean \"server\"?"),
        (
            "LONGSHORE__SERVER__LISSEN",
            "x",
            "\"lissen\" is no key of server; did you mean \"listen\"?",
        ),
        (
            "LONGSHORE__SERVER",
            "x",
            "server is a block; name one of its keys, after two underscores",
        ),
        (
            "LONGSHORE__QUEUES__MAIL",
            "x",
            "queues.mail is a block; name one of its keys, after two underscores",
        ),
        ("LONGSHORE__STORE__URL", "x", "store has no keys inside, such as \"URL\""),
        (
            "LONGSHORE__KINDS__TWO_ONE__TIMEOUT",
            "1s",
            "could mean any of two.one, two-one; set it in the file",
        ),
        (
            "LONGSHORE__QUEUES__DEFAULT__SLOTS",
            "many",
            "queues.default.slots: must be a whole number 1..10000, not \"many\"",
        ),
        ("LONGSHORE__TENANTS", "x", "tenants: is not available yet in this version; leave it out"),
    ] {
        assert_eq!(refused(&[(variable, value)]), [format!("env {variable}: {fault}")]);
    }
}

#[test]
fn two_variables_for_one_key_are_refused() {
    let lines = refused(&[("LONGSHORE__STORE", "embedded:a"), ("LONGSHORE__store", "embedded:b")]);
    assert_eq!(
        lines,
        ["env LONGSHORE__store: sets the same key as LONGSHORE__STORE; keep one of them"]
    );
}
