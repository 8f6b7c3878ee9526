//! The first page of the documentation and the front page show an example that is compiled and run:
//! `examples/beside-axum`.

const EXAMPLE: &str = include_str!("../../../examples/beside-axum/src/main.rs");
const README: &str = include_str!("../../../README.md");
const FIRST_PAGE: &str = include_str!("../src/lib.rs");

/// The example without what it says of itself and its tests.
fn code() -> &'static str {
    let (_, code) = EXAMPLE.split_once("\n\n").expect("its question");
    code.strip_suffix("\n#[cfg(test)]\nmod tests;\n").expect("its tests")
}

/// The lines of the first block of code that opens with `fence`.
fn first_block(text: &str, fence: &str) -> String {
    let lines = text.lines().skip_while(|line| *line != fence).skip(1);
    lines.take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_readme_shows_the_example_as_it_stands() {
    assert_eq!(first_block(README, "```rust"), code());
}

#[test]
fn the_first_page_shows_the_example_as_it_stands() {
    let docs = FIRST_PAGE.lines().filter_map(|line| line.strip_prefix("//!"));
    let docs: Vec<&str> = docs.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    assert_eq!(first_block(&docs.join("\n"), "```no_run"), code());
}

#[test]
fn the_example_is_short_enough_to_be_read_at_once() {
    let lines = code().lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= 25, "{lines} lines");
}
