//! The heartbeat.

use super::desk::{Desk, Note, millis};
use crate::error::Trouble;
use longshore_core::store::{Extend, LeaseState};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Most heartbeats change nothing: they are questions, and only the others write.
const LOOK: &str = "
SELECT t.seq, t.cancel_grace IS NOT NULL FROM tasks t
JOIN unnest($1::int8[], $2::int8[], $3::uuid[]) AS e(seq, token, id) ON t.seq = e.seq
WHERE t.token = e.token AND t.id = e.id AND t.state = 2 AND t.lease IS NULL";

const RENEW: &str = "
UPDATE tasks t SET
    renewals = CASE WHEN t.lease IS NULL THEN t.renewals ELSE coalesce(t.renewals, 0) + 1 END,
    lease = CASE WHEN t.lease IS NULL THEN NULL ELSE coalesce(e.lasts, t.lease) END,
    progress = coalesce(e.progress, t.progress)
FROM unnest($1::int8[], $2::int8[], $3::uuid[], $4::int8[], $5::bytea[]) AS e(seq, token, id, lasts, progress)
WHERE t.seq = e.seq AND t.token = e.token AND t.id = e.id AND t.state = 2
    AND (t.lease IS NOT NULL OR e.progress IS NOT NULL)
RETURNING t.seq, t.cancel_grace IS NOT NULL, t.lease, coalesce(t.renewals, 0), t.ctid";

impl Desk<'_> {
    /// Renews leases that are still held.
    pub(crate) async fn extend(&mut self, asked: &[Extend]) -> Result<Vec<LeaseState>, Trouble> {
        let mut answers = vec![LeaseState::Lost; asked.len()];
        let mut left: Vec<usize> = (0..asked.len()).collect();
        // Two heartbeats of one lease come one after the other.
        while !left.is_empty() {
            let mut seen = HashSet::new();
            let (round, rest): (Vec<usize>, Vec<usize>) =
                left.into_iter().partition(|i| seen.insert(asked[*i].lease.seq));
            let beats: Vec<&Extend> = round.iter().map(|i| &asked[*i]).collect();
            let held = self.renew_leases(&beats).await?;
            for i in round {
                if let Some(state) = held.get(&asked[i].lease.seq.0) {
                    answers[i] = *state;
                }
            }
            left = rest;
        }
        Ok(answers)
    }

    async fn renew_leases(
        &mut self,
        beats: &[&Extend],
    ) -> Result<HashMap<i64, LeaseState>, Trouble> {
        let seqs: Vec<i64> = beats.iter().map(|beat| beat.lease.seq.0).collect();
        let tokens: Vec<i64> = beats.iter().map(|beat| beat.lease.token.number()).collect();
        let ids: Vec<uuid::Uuid> = beats.iter().map(|beat| beat.lease.id.0).collect();
        let lasts: Vec<Option<i64>> = beats.iter().map(|beat| beat.lasts.map(millis)).collect();
        let progress: Vec<Option<&[u8]>> =
            beats.iter().map(|beat| beat.progress.as_ref().map(|said| said.as_bytes())).collect();
        let mut held = HashMap::new();
        for row in self.rows(LOOK, &[&seqs, &tokens, &ids]).await? {
            let cancel_asked = row.try_get(1)?;
            held.insert(row.try_get(0)?, LeaseState::Held { cancel_asked, expires_at: None });
        }
        let writes = held.len() < beats.len() || progress.iter().any(Option::is_some);
        if !writes {
            return Ok(held);
        }
        let token_of: HashMap<i64, i64> =
            seqs.iter().copied().zip(tokens.iter().copied()).collect();
        for row in self.rows(RENEW, &[&seqs, &tokens, &ids, &lasts, &progress]).await? {
            let seq: i64 = row.try_get(0)?;
            let lease: Option<i64> = row.try_get(2)?;
            let expires_at = lease
                .map(|lease| self.now.after(Duration::from_millis(lease.max(0).unsigned_abs())));
            let token = token_of.get(&seq).copied().unwrap_or(0);
            self.after.notes.push(match lease {
                Some(_) => {
                    let renewals = i64::from(row.try_get::<_, i32>(3)?);
                    Note::Leased { held: (seq, token), renewals }
                }
                None => Note::Moved { token, lies: row.try_get(4)? },
            });
            held.insert(seq, LeaseState::Held { cancel_asked: row.try_get(1)?, expires_at });
        }
        Ok(held)
    }
}
