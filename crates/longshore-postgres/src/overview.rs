//! Everything that a server asks again and again, as one statement: how others are, what operators have set, which
//! kinds are known, how many tasks there are, what will have to be done and when, and whether there is anything
//! for those who wait.

use crate::engine::Engine;
use crate::error::Trouble;
use crate::index::{first_due, is_ready};
use crate::links::Link;
use crate::oversight::{kind, note_control, queue, tenant};
use crate::survey::{Survey, length, look};
use crate::tasks::{count_of_term, known_since};
use longshore_core::store::{Agenda, Count, Overview};
use longshore_core::{State, Timestamp};
use tokio_postgres::Row;

/// $1: kinds that were announced since then are known; $2 and $3: queues and kinds for which somebody waits.
const OVERVIEW: &str = concat!(
    look!(),
    "
UNION ALL SELECT 5::int2, number, renewals, lasts, NULL, NULL, NULL, name, holder, NULL FROM terms
UNION ALL SELECT 6::int2, scope::int8, NULL, NULL, NULL, NULL, NULL, name, NULL, NULL FROM pauses
UNION ALL SELECT 6::int2, 3, NULL, NULL, NULL, NULL, NULL, queue, settings, NULL FROM settings
UNION ALL SELECT 6::int2, 4, NULL, NULL, NULL, NULL, NULL, queue, carrier, NULL FROM carriers
UNION ALL (SELECT 7::int2, NULL, NULL, NULL, NULL, NULL, NULL, kind, NULL, NULL FROM kinds
    WHERE seen_at >= $1 ORDER BY name)
UNION ALL SELECT 8::int2, state::int8, sum(n)::int8, sum(bytes)::int8, NULL, NULL, NULL, tenant, queue, kind FROM counts
    GROUP BY tenant, queue, kind, state
UNION ALL SELECT 9::int2, (",
    first_due!(),
    "),
    (SELECT min(expires_at) FROM tasks WHERE expires_at IS NOT NULL),
    (SELECT min(next_slot) FROM schedules WHERE next_slot IS NOT NULL AND NOT paused),
    NULL, NULL, NULL, NULL, NULL, NULL
UNION ALL (SELECT DISTINCT 10::int2, NULL::int8, NULL::int8, NULL::int8, NULL::int8, NULL::int8, NULL::int8,
    wanted.queue, NULL::text, NULL::text
    FROM unnest($2::text[], $3::text[]) AS wanted(queue, kind)
    WHERE ",
    is_ready!("wanted.queue", "wanted.kind"),
    ")"
);

/// Asks, and wakes those for whom there is something.
pub(crate) async fn take(engine: &Engine, link: &Link) -> Result<(Survey, Overview), Trouble> {
    let base = &engine.base;
    let (queues, kinds) = engine.hub.wanted();
    let rows = link.query(OVERVIEW, &[&known_since(base.clock.now()), &queues, &kinds]).await?;
    let survey = Survey::read(&rows, base)?;
    let (mut overview, mut found) = (Overview::default(), Vec::new());
    let mut used_bytes = 0;
    for row in &rows {
        match row.try_get::<_, i16>(0)? {
            5 => note_term(engine, row)?,
            6 => told(note_control(
                &mut overview.controls,
                row.try_get(1)?,
                row.try_get(7)?,
                row.try_get(8)?,
            )),
            7 => told(serde_json::from_str(row.try_get(7)?).map(|kind| overview.kinds.push(kind))),
            8 => {
                used_bytes += row.try_get::<_, i64>(3)?;
                overview.counts.extend(count(row)?);
            }
            9 => overview.agenda = agenda(row)?,
            10 => found.push(row.try_get::<_, &str>(7)?),
            _ => {} // the survey's
        }
    }
    engine.hub.wake_found(found.into_iter());
    overview.controls.paused.sort();
    overview.condition.used_bytes = used_bytes.max(0).unsigned_abs();
    overview.condition.set_aside = base.set_aside();
    overview.agenda.abandoned = !survey.is_calm() || survey.is_littered();
    Ok((survey, overview))
}

/// What a later version wrote and this one cannot read is left out: that the rest is known matters more.
fn told(read: Result<(), impl std::fmt::Display>) {
    if let Err(error) = read {
        tracing::warn!(%error, "a kind or a setting in the database cannot be read; it is left out");
    }
}

fn note_term(engine: &Engine, row: &Row) -> Result<(), Trouble> {
    let base = &engine.base;
    let count = count_of_term(row.try_get(1)?, row.try_get(2)?);
    let (lasts, tick) = (length(row.try_get(3)?), base.clock.monotonic());
    base.watches.lock().look_at_term(row.try_get(7)?, row.try_get(8)?, count, lasts, tick);
    Ok(())
}

fn agenda(row: &Row) -> Result<Agenda, Trouble> {
    let at = |column| Ok::<_, Trouble>(row.try_get::<_, Option<i64>>(column)?.map(Timestamp));
    Ok(Agenda { due: at(1)?, expires: at(2)?, slot: at(3)?, abandoned: false })
}

/// Those who are ready are counted beside their state: they are left out.
fn count(row: &Row) -> Result<Option<Count>, Trouble> {
    let state = u8::try_from(row.try_get::<_, i64>(1)?).ok().and_then(State::from_number);
    let (count, state) = match (row.try_get::<_, i64>(2)?, state) {
        (count @ 1.., Some(state)) => (count.unsigned_abs(), state),
        _ => return Ok(None),
    };
    Ok(Some(Count {
        tenant: tenant(row.try_get(7)?)?,
        queue: queue(row.try_get(8)?)?,
        kind: kind(row.try_get(9)?)?,
        state,
        count,
    }))
}
