//! Whether what was printed is what a page shows.

use libtest_mimic::Trial;

/// What differs from run to run: `h` is a digit of a hexadecimal number, `d` of a decimal one.
const MASKS: [(&str, &str); 4] = [
    ("hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh", "<id>"),
    ("dddd-dd-ddTdd:dd:dd.dddZ", "<time>"),
    ("hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh", "<trace>"),
    ("-hhhhhhhhhhhh\"", "<worker>\""),
];

/// Whether `printed` is what is shown: without white space, with `…` for anything, and with all ids,
/// times, traces and workers alike.
pub(crate) fn fits(shown: &str, printed: &str) -> bool {
    let (shown, printed) = (bare(shown), bare(printed));
    let mut parts = shown.split('…');
    let Some(first) = parts.next() else { return printed.is_empty() };
    let Some(mut rest) = printed.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        last = Some(part);
    }
    // The last part stands at the end, wherever else it may stand too.
    rest.is_empty() || last.is_some_and(|last| rest.ends_with(last))
}

/// Leaves out white space, and masks what differs.
pub(crate) fn bare(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        match MASKS.iter().find(|(shape, _)| begins_with(rest, shape)) {
            Some((shape, mask)) => {
                if *mask == "<worker>\"" {
                    let number = bare.trim_end_matches(|c: char| c.is_ascii_digit()).len();
                    bare.truncate(number);
                }
                bare.push_str(mask);
                rest = &rest[shape.len()..];
            }
            None => {
                if !next.is_whitespace() {
                    bare.push(next);
                }
                rest = &rest[next.len_utf8()..];
            }
        }
    }
    bare
}

fn begins_with(text: &str, shape: &str) -> bool {
    let mut bytes = text.bytes();
    shape.bytes().all(|wanted| {
        bytes.next().is_some_and(|byte| match wanted {
            b'h' => byte.is_ascii_hexdigit(),
            b'd' => byte.is_ascii_digit(),
            other => byte == other,
        })
    })
}

pub(crate) fn trials() -> Vec<Trial> {
    let row = [
        (r#"{"a": 1, "b": 2}"#, "{\"a\":1,\n\"b\":2}", true),
        ("begin…end", "begin and then the end", true),
        ("begin…end", "begin, end, and more", false),
        ("…b…", "abc", true),
        ("…b", "b b", true),
        ("…", "", true),
        ("a", "ab", false),
        (r#""at":"2026-01-01T00:00:00.000Z""#, r#""at":"2027-12-31T23:59:59.999Z""#, true),
        (r#""w":"12-51852bf93c08""#, r#""w":"9999-0123456789ab""#, true),
        ("01a1fb98-f473-7689-b9d7-cbd551abf72c", "01a1fb98-f473-7689-b9d7-cbd551abf72d", true),
    ];
    let one = move || {
        for (shown, printed, fit) in row {
            assert_eq!(fits(shown, printed), fit, "{shown} {printed}");
        }
        Ok(())
    };
    vec![Trial::test("compare::what_differs_from_run_to_run_is_alike", one)]
}
