//! Tasks that the file has not kept whole.

use super::desk::Desk;
use super::row::TaskRow;
use crate::error::Trouble;
use longshore_core::FaultClass;
use longshore_core::attempt::TaskError;
use longshore_core::retry::BuryReason;
use longshore_core::state::Cause;

impl Desk<'_> {
    /// Buries a ready task whose payload is lost, so that it does not spoil every claim that comes
    /// to it. Whoever waits for it reads how it ended; nobody is told.
    pub(super) fn set_aside(&mut self, mut row: TaskRow) -> Result<(), Trouble> {
        let before = row.before();
        let error = TaskError {
            class: FaultClass::BadData,
            code: Some("damaged".to_owned()),
            message: "the file has lost the payload of this task: submit it again".to_owned(),
            trace: None,
            at: self.now,
        };
        row.error = Some(serde_json::to_string(&error)?);
        row.reason = Some(BuryReason::Invariant.as_str().to_owned());
        self.finish(&mut row, before, Cause::Bury, &mut Vec::new())?;
        self.memory.set_aside += 1;
        tracing::error!(
            task = %row.id,
            "the payload of a task is lost: it was set aside among the dead letters; check the disk"
        );
        Ok(())
    }
}
