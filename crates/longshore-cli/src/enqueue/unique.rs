//! `--unique KEY[,while=…][,on-conflict=…]`.

use longshore::core::Span;
use longshore::core::task::{OnConflict, Unique, UniqueWhile};
use std::str::FromStr;

/// At most one task of a key at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UniqueFlag(pub(super) Unique);

impl FromStr for UniqueFlag {
    type Err = String;

    /// A key may hold commas; what follows it is looked for from the end.
    fn from_str(text: &str) -> Result<Self, String> {
        let (mut hold, mut on_conflict) = (None, None);
        let mut key = text;
        while let Some((rest, last)) = key.rsplit_once(',') {
            if let Some(word) = last.strip_prefix("while=") {
                if hold.replace(held(word)?).is_some() {
                    return Err("while= is given twice".into());
                }
            } else if let Some(word) = last.strip_prefix("on-conflict=") {
                if on_conflict.replace(conflict(word)?).is_some() {
                    return Err("on-conflict= is given twice".into());
                }
            } else {
                break;
            }
            key = rest;
        }
        if key.is_empty() || key.starts_with("while=") || key.starts_with("on-conflict=") {
            return Err("must begin with a key: KEY,while=active,on-conflict=existing".into());
        }
        Ok(Self(Unique {
            key: key.to_owned(),
            hold: hold.unwrap_or(UniqueWhile::Active),
            on_conflict: on_conflict.unwrap_or(OnConflict::Existing),
        }))
    }
}

/// Reads how long a key is held.
pub(super) fn held(word: &str) -> Result<UniqueWhile, String> {
    match word {
        "queued" => Ok(UniqueWhile::Queued),
        "active" => Ok(UniqueWhile::Active),
        window => match window.parse() {
            Ok(Span(window)) => Ok(UniqueWhile::Window(window)),
            Err(_) => Err("while must be queued, active, or a duration such as 1h".into()),
        },
    }
}

/// Reads what happens to the second task of a key.
pub(super) fn conflict(word: &str) -> Result<OnConflict, String> {
    match word {
        "existing" => Ok(OnConflict::Existing),
        "reject" => Ok(OnConflict::Reject),
        "replace" => Ok(OnConflict::Replace),
        _ => Err("on-conflict must be existing, reject or replace".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_key_may_hold_commas_and_the_rest_is_optional() {
        let of = |text: &str| text.parse::<UniqueFlag>().map(|UniqueFlag(unique)| unique);
        let unique = of("a,b,on-conflict=reject,while=1h").unwrap();
        assert_eq!(unique.key, "a,b");
        assert_eq!(unique.hold, UniqueWhile::Window(Duration::from_secs(3600)));
        assert_eq!(unique.on_conflict, OnConflict::Reject);
        let plain = of("order-7").unwrap();
        assert_eq!((plain.hold, plain.on_conflict), (UniqueWhile::Active, OnConflict::Existing));
        for bad in ["", "while=1h", "a,while=soon", "a,on-conflict=x", "a,while=1h,while=2h"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
