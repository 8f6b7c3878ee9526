//! Choosing what is given to a broker: the heads of the lines of ready tasks that it does not have, merged.

use super::spec::Spec;
use crate::error::Trouble;
use crate::index::in_line;
use crate::links::Link;
use crate::oversight::{kind, tenant};
use longshore_core::store::{Carried, MarkRef, Marked, Outbox, Relay};
use longshore_core::task::Seq;
use longshore_core::{QueueName, TaskId};
use tokio_postgres::Row;

/// $2 is the window of each kind, $3 how many are wanted. The counters say which lines there are. Rows without an id say how
/// many of a kind the broker has.
const OUTBOX: &str = concat!(
    "
WITH line AS MATERIALIZED (
    SELECT kind, tenant, (state - 7)::int2 AS ready FROM counts WHERE queue = $1 AND state IN (8, 9)
    GROUP BY kind, tenant, state HAVING sum(n) > 0
), used AS MATERIALIZED (
    SELECT t.kind, count(*) AS n FROM outbox o JOIN tasks t USING (seq)
    WHERE o.queue = $1 AND o.relayed GROUP BY t.kind
), free AS MATERIALIZED (
    SELECT line.*, least($3::int8, greatest($2::int8 - coalesce(used.n, 0), 0)) AS room
    FROM line LEFT JOIN used USING (kind)
    WHERE EXISTS (SELECT 1 FROM carriers WHERE carriers.queue = $1)
      AND NOT EXISTS (SELECT 1 FROM pauses WHERE scope = 0 AND name = $1)
      AND NOT EXISTS (SELECT 1 FROM pauses WHERE scope = 1 AND name = line.kind)
      AND NOT EXISTS (SELECT 1 FROM pauses WHERE scope = 2 AND name = line.tenant)
      AND (line.ready = 1 OR NOT EXISTS (SELECT 1 FROM held WHERE runs = 1))
), head AS (
    SELECT best.*, free.kind, free.tenant, free.room,
        row_number() OVER (PARTITION BY free.kind ORDER BY best.rank, best.seq) AS place
    FROM free
    CROSS JOIN LATERAL (
        SELECT tasks.seq, rank, id, openings, spec FROM tasks
        WHERE ",
    in_line!("$1", "free.kind", "free.tenant", "free.ready"),
    "
          AND EXISTS (SELECT 1 FROM outbox WHERE outbox.seq = tasks.seq AND NOT outbox.relayed OFFSET 0)
        ORDER BY rank, tasks.seq LIMIT free.room) AS best
), picked AS (
    SELECT seq, rank, id, openings, spec, kind, tenant FROM head WHERE place <= room
    ORDER BY rank, seq LIMIT $3
)
SELECT seq, rank, id, openings, spec, kind, tenant FROM picked
UNION ALL SELECT n, NULL, NULL, NULL, NULL, kind, NULL FROM used
ORDER BY 2, 1"
);

const CARRIED: &str = "
SELECT o.seq, t.openings, t.kind FROM outbox o JOIN tasks t USING (seq)
WHERE o.queue = $1 AND o.relayed ORDER BY o.seq";

pub(crate) async fn outbox(link: &Link, want: &Relay) -> Result<Outbox, Trouble> {
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let (window, limit) = (number(want.window), number(want.limit));
    let mut outbox = Outbox::default();
    for row in link.query(OUTBOX, &[&want.queue.as_str(), &window, &limit]).await? {
        if row.try_get::<_, Option<uuid::Uuid>>(2)?.is_some() {
            outbox.marks.push(marked(&row, &want.queue)?);
        } else {
            let count = usize::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0);
            outbox.carried.insert(kind(row.try_get(5)?)?, count);
        }
    }
    Ok(outbox)
}

fn marked(row: &Row, of: &QueueName) -> Result<Marked, Trouble> {
    let spec: Option<&str> = row.try_get(4)?;
    Ok(Marked {
        mark: mark(row.try_get(0)?, row.try_get(3)?),
        id: TaskId(row.try_get(2)?),
        tenant: tenant(row.try_get(6)?)?,
        queue: of.clone(),
        kind: kind(row.try_get(5)?)?,
        traceparent: spec.and_then(|spec| Spec::read(Some(spec)).traceparent),
    })
}

fn mark(seq: i64, openings: i32) -> MarkRef {
    MarkRef { seq: Seq(seq), openings: openings.max(0).unsigned_abs() }
}

pub(crate) async fn carried(link: &Link, queue: &QueueName) -> Result<Vec<Carried>, Trouble> {
    let rows = link.query(CARRIED, &[&queue.as_str()]).await?;
    let one = |row: &Row| -> Result<Carried, Trouble> {
        Ok(Carried { mark: mark(row.try_get(0)?, row.try_get(1)?), kind: kind(row.try_get(2)?)? })
    };
    rows.iter().map(one).collect()
}
