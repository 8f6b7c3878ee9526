//! The JSON Schema and the reference page, as they were reviewed. `UPDATE=1` writes them anew.

use longshore::config::{reference, schema};
use std::fs;
use std::path::Path;

const BEGIN: &str =
    "<!-- keys: made by `UPDATE=1 cargo test -p longshore --test config`, not by hand -->\n";
const END: &str = "<!-- end of keys -->";

fn compare(path: &Path, is: &str, should: &str) {
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, should).unwrap();
    } else {
        assert!(is == should, "{} is behind; UPDATE=1 writes it anew", path.display());
    }
}

#[test]
fn the_reference_lists_the_keys_as_they_are() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page has the marks");
    let (_, after) = rest.split_once(END).expect("the page has the marks");
    let should = format!("{before}{BEGIN}\n{}\n{END}{after}", reference());
    compare(&path, &page, &should);
}

#[test]
fn the_json_schema_is_the_reviewed_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/schema.json");
    let is = fs::read_to_string(&path).unwrap_or_default();
    let should = format!("{:#}\n", schema());
    compare(&path, &is, &should);
}
