//! The plans of the configuration: put in force, changed and removed as it is read.

use super::{Fields, Plan, ScheduleError, Schedules};
use longshore_core::TenantName;
use longshore_core::store::{Origin, Schedule};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Who the configuration is in the audit log.
const BY: &str = "config";
/// Somebody else may change a schedule meanwhile; then it is looked at again, at most so often.
const TRIES: usize = 5;

impl Schedules {
    /// Puts these plans in force, each by its name, and removes those of the configuration that are not
    /// among them. What requests have set stays over what the configuration says, and schedules that
    /// requests have made are never touched.
    ///
    /// # Errors
    /// The first of those that could not be done; the others are done.
    pub async fn configure(&self, plans: &[Plan]) -> Result<(), ScheduleError> {
        let tenant = TenantName::default();
        let mut done = Ok(());
        for plan in plans {
            let one = self.configure_one(&tenant, plan).await;
            done = done.and(one);
        }
        let named =
            |schedule: &Schedule| plans.iter().any(|plan| id_of(&tenant, plan) == schedule.id);
        for there in self.list(&tenant).await? {
            if there.origin == Origin::Config && !named(&there) {
                let gone = match self.drop_schedule(BY, &there).await {
                    Err(ScheduleError::NotFound) => Ok(()), // another server was first
                    gone => gone,
                };
                done = done.and(gone);
            }
        }
        done
    }

    async fn configure_one(&self, tenant: &TenantName, plan: &Plan) -> Result<(), ScheduleError> {
        let id = id_of(tenant, plan);
        for _ in 0..TRIES {
            let there = match self.get(tenant, id).await {
                Ok(there) => Some(there),
                Err(ScheduleError::NotFound) => None,
                Err(error) => return Err(error),
            };
            let before = there.as_ref().map(|there| there.version);
            let next = match &there {
                None => Some(self.drawn(id, tenant.clone(), Origin::Config, plan)?),
                Some(there) => self.laid_under(there, plan)?,
            };
            let Some(next) = next else { return Ok(()) };
            match self.store.put_schedule(next, before).await?.map_err(ScheduleError::from) {
                Ok(stored) => {
                    let act = if there.is_some() { "schedule.change" } else { "schedule.create" };
                    let old = there.map(|there| Plan::of(&there).to_fields());
                    self.note(BY, act, &stored, old, Some(Plan::of(&stored).to_fields())).await;
                    self.nudge();
                    return Ok(());
                }
                Err(ScheduleError::Taken | ScheduleError::Changed | ScheduleError::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Err(ScheduleError::Changed)
    }

    /// Draws what holds when the configuration says `plan` below what requests have set; nothing if that
    /// is what is stored.
    fn laid_under(&self, there: &Schedule, plan: &Plan) -> Result<Option<Schedule>, ScheduleError> {
        let held = Plan::of(there).to_fields();
        let base = Plan::configured(there).unwrap_or_else(|| held.clone());
        let said = plan.to_fields();
        if base == said {
            return Ok(None);
        }
        let merged = merged(&held, &base, &said);
        let plan = Plan::from_fields(&merged).unwrap_or_else(|| plan.clone());
        self.redrawn(there, &plan, &said).map(Some)
    }
}

/// Returns what is said, but what is held wherever that differs from the base.
fn merged(held: &Fields, base: &Fields, said: &Fields) -> Fields {
    let mut merged = said.clone();
    for name in held.differing(base) {
        merged.take_over(name, held);
    }
    merged
}

/// The id of a plan of the configuration: all servers with that name agree on it.
fn id_of(tenant: &TenantName, plan: &Plan) -> Uuid {
    let name = plan.name.as_deref().unwrap_or_default();
    let digest = Sha256::digest(format!("schedule {} {name}", tenant.as_str()));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_stays_over_what_is_said_anew() {
        let fields = |json| Fields::read(json).unwrap();
        let base = fields(r#"{"cron":"a","queue":"x","missed":"one","tags":["t"]}"#);
        let held = fields(r#"{"cron":"b","queue":"x","missed":"one"}"#);
        let said = fields(r#"{"cron":"c","queue":"y","tags":["u"],"priority":3}"#);
        let merged = merged(&held, &base, &said);
        assert_eq!(merged, fields(r#"{"cron":"b","queue":"y","priority":3}"#));
    }
}
