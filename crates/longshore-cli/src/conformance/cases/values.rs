//! Values: what a task is given comes back as it was.

use crate::conformance::rig::{Rig, Trouble};

/// More than a line, less than the 64 KiB of a pushed result.
const LARGE: usize = 50_000;
/// More than most values have, less than readers refuse.
const DEPTH: usize = 30;

pub(super) async fn null(rig: &mut Rig) -> Result<(), Trouble> {
    rig.returns("null").await
}

pub(super) async fn text(rig: &mut Rig) -> Result<(), Trouble> {
    rig.returns(
        r#""Grüße, 漢字, עברית, 🚢, a \"quote\", a \\, \t, \r\n, \u0007, \u2028, 'x' $HOME `id`""#,
    )
    .await
}

pub(super) async fn nested(rig: &mut Rig) -> Result<(), Trouble> {
    rig.returns(
        r#"{"a":[1,-2.5,true,false,null,{"ключ":["}"]}],"attempt":1,"payload":{"value":"]"}}"#,
    )
    .await?;
    let deep = format!("{}{}", "[".repeat(DEPTH), "]".repeat(DEPTH));
    rig.returns(&deep).await
}

pub(super) async fn empty(rig: &mut Rig) -> Result<(), Trouble> {
    rig.returns(r#"{"text":"","list":[],"object":{},"nothing":null,"":0}"#).await?;
    for value in [r#""""#, "[]", "{}", "false", "0"] {
        rig.returns(value).await?;
    }
    Ok(())
}

pub(super) async fn large(rig: &mut Rig) -> Result<(), Trouble> {
    rig.returns(&format!("\"{}\"", "x".repeat(LARGE))).await
}

pub(super) async fn integers(rig: &mut Rig) -> Result<(), Trouble> {
    rig.returns("[9007199254740993,9223372036854775807,-9223372036854775808]").await
}

pub(super) async fn digits(rig: &mut Rig) -> Result<(), Trouble> {
    rig.returns("[18446744073709551617,123456789012345678901234567890]").await
}

pub(super) async fn fraction(rig: &mut Rig) -> Result<(), Trouble> {
    rig.returns("[1.0,0.5]").await
}
