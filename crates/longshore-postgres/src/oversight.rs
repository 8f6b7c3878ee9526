//! What operators have set, how many tasks there are, and how long they wait.

use crate::error::Trouble;
use crate::index::in_line;
use crate::links::Link;
use longshore_core::queue::{QueueSettings, Scope};
use longshore_core::readiness::ready_at;
use longshore_core::store::{Controls, Count, QueueAge};
use longshore_core::{KindName, QueueName, State, TenantName};
use std::collections::BTreeMap;

fn bad(name: &str) -> Trouble {
    Trouble::Failed(format!("\"{name}\" in the database is no name"))
}

pub(crate) fn queue(name: &str) -> Result<QueueName, Trouble> {
    QueueName::new(name).map_err(|_| bad(name))
}

pub(crate) fn kind(name: &str) -> Result<KindName, Trouble> {
    KindName::new(name).map_err(|_| bad(name))
}

pub(crate) fn tenant(name: &str) -> Result<TenantName, Trouble> {
    TenantName::new(name).map_err(|_| bad(name))
}

/// Reads what operators have set.
pub(crate) async fn controls(link: &Link) -> Result<Controls, Trouble> {
    let rows = link
        .query(
            "SELECT scope, name, NULL FROM pauses UNION ALL SELECT 3::int2, queue, settings FROM settings
             UNION ALL SELECT 4::int2, queue, carrier FROM carriers",
            &[],
        )
        .await?;
    let mut controls = Controls::default();
    for row in &rows {
        let scope = i64::from(row.try_get::<_, i16>(0)?);
        note_control(&mut controls, scope, row.try_get(1)?, row.try_get(2)?)?;
    }
    controls.paused.sort();
    Ok(controls)
}

/// Adds one thing that is set: a pause of that scope, (3) the settings of a queue, or (4) who carries it.
pub(crate) fn note_control(
    controls: &mut Controls,
    scope: i64,
    name: &str,
    settings: Option<&str>,
) -> Result<(), Trouble> {
    match (scope, settings) {
        (0, _) => controls.paused.push(Scope::Queue(queue(name)?)),
        (1, _) => controls.paused.push(Scope::Kind(kind(name)?)),
        (2, _) => controls.paused.push(Scope::Tenant(tenant(name)?)),
        (4, Some(carrier)) => {
            controls.carriers.insert(queue(name)?, carrier.to_owned());
        }
        (_, Some(settings)) => {
            let settings: QueueSettings = serde_json::from_str(settings)?;
            controls.queues.insert(queue(name)?, settings);
        }
        (_, None) => return Err(bad(name)),
    }
    Ok(())
}

/// Reads how many tasks there are of each sort: the sum of the lines, so it is exact.
pub(crate) async fn counters(link: &Link) -> Result<Vec<Count>, Trouble> {
    let rows = link
        .query(
            "SELECT tenant, queue, kind, state, sum(n)::int8 FROM counts WHERE state < 8
             GROUP BY tenant, queue, kind, state HAVING sum(n) > 0",
            &[],
        )
        .await?;
    let mut counts = Vec::with_capacity(rows.len());
    for row in &rows {
        let state = u8::try_from(row.try_get::<_, i16>(3)?).ok().and_then(State::from_number);
        counts.push(Count {
            tenant: tenant(row.try_get(0)?)?,
            queue: queue(row.try_get(1)?)?,
            kind: kind(row.try_get(2)?)?,
            state: state.ok_or_else(|| Trouble::Failed("a counter has no state".to_owned()))?,
            count: row.try_get::<_, i64>(4)?.unsigned_abs(),
        });
    }
    Ok(counts)
}

/// Reads since when tasks are ready: one look into the index for each line that is not empty.
pub(crate) async fn ages(link: &Link) -> Result<Vec<QueueAge>, Trouble> {
    let rows = link
        .query(
            concat!(
                "SELECT line.tenant, line.queue, line.n, head.rank, head.priority
                 FROM (SELECT tenant, queue, kind, (state - 7)::int2 AS ready, sum(n)::int8 AS n FROM counts
                       WHERE state IN (8, 9) GROUP BY tenant, queue, kind, state HAVING sum(n) > 0) AS line
                 CROSS JOIN LATERAL (
                     SELECT rank, priority FROM tasks
                     WHERE ",
                in_line!("line.queue", "line.kind", "line.tenant", "line.ready"),
                "
                     ORDER BY rank, seq LIMIT 1) AS head"
            ),
            &[],
        )
        .await?;
    let mut oldest = BTreeMap::new();
    for row in &rows {
        let priority = u8::try_from(row.try_get::<_, i16>(4)?).unwrap_or(0);
        let since = ready_at(row.try_get(3)?, priority);
        let place = (tenant(row.try_get(0)?)?, queue(row.try_get(1)?)?);
        let (before, count) = oldest.entry(place).or_insert((since, 0_u64));
        *before = since.min(*before);
        *count += row.try_get::<_, i64>(2)?.unsigned_abs();
    }
    let age =
        |((tenant, queue), (oldest_ready, ready))| QueueAge { tenant, queue, oldest_ready, ready };
    Ok(oldest.into_iter().map(age).collect())
}
