//! The program, run as a reader would run it.

use std::process::Command;

const README: &str = include_str!("../README.md");

#[test]
fn it_prints_what_the_readme_says() {
    let (_, rest) = README.split_once("```text\n").expect("what it prints");
    let (said, _) = rest.split_once("```").expect("the end of what it prints");
    let program = env!("CARGO_BIN_EXE_example-retries-and-faults");
    let output = Command::new(program).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).expect("text"), said);
}
