//! Whether the certificate can be used, and how long yet.

use super::Finding;
use super::keys::private;
use longshore::config::TlsFiles;
use longshore::core::{Clock, SystemClock, Timestamp};
use longshore::http::Identity;
use std::time::Duration;

/// A certificate that expires within this should be renewed.
const SOON: Duration = Duration::from_secs(14 * 86_400);

/// Looks at both files.
pub(super) fn check(files: &TlsFiles) -> Vec<Finding> {
    let identity = match Identity::load(&files.cert, &files.key) {
        Ok(identity) => identity,
        Err(error) => {
            let fix = "give a certificate and its key: server.tls";
            return vec![Finding::fail("tls", error.to_string(), fix)];
        }
    };
    let readers = "who has the key can pass for this server";
    vec![judged(identity.expires_at(), SystemClock.now()), private("tls key", &files.key, readers)]
}

fn judged(expires_at: Option<Timestamp>, now: Timestamp) -> Finding {
    let Some(at) = expires_at else {
        let fix = "look at it: openssl x509 -noout -enddate -in FILE";
        return Finding::warn("tls", "it cannot be told when the certificate expires", fix);
    };
    let renew = "renew it; the service takes the new files over by itself";
    if at <= now {
        Finding::fail("tls", format!("the certificate has expired at {at}"), renew)
    } else if at <= now.after(SOON) {
        Finding::warn("tls", format!("the certificate expires at {at}"), renew)
    } else {
        Finding::ok("tls", format!("the certificate is good until {at}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_certificate_is_warned_of_before_it_expires() {
        let now = Timestamp(1_000);
        let in_days = |days: u64| now.after(Duration::from_secs(days * 86_400));
        assert_eq!(judged(Some(in_days(15)), now).verdict, Verdict::Ok);
        assert_eq!(judged(Some(in_days(13)), now).verdict, Verdict::Warn);
        assert_eq!(judged(Some(now), now).verdict, Verdict::Fail);
        assert_eq!(judged(None, now).verdict, Verdict::Warn);
    }
}
