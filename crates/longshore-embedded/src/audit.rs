//! Who did what from outside. Each line's seal covers the line before it, so that none can be
//! changed or taken out unseen.

use crate::error::Trouble;
use crate::tasks::Desk;
use longshore_core::store::Act;
use sha2::{Digest, Sha256};

/// Adds a line.
pub(crate) fn note(desk: &mut Desk<'_>, act: &Act, count: u64) -> Result<(), Trouble> {
    let what = format!("{:?} ({count} tasks)", act.what);
    let mut seal = Sha256::new();
    seal.update(&desk.memory.seal);
    for part in [&desk.now.to_string(), &act.by, act.tenant.as_str(), &what] {
        seal.update((part.len() as u64).to_le_bytes());
        seal.update(part.as_bytes());
    }
    let seal = seal.finalize().to_vec();
    let mut insert = desk.db.prepare_cached(
        "INSERT INTO audit(at, who, tenant, what, seal) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    insert.execute((desk.now.0, &act.by, act.tenant.as_str(), &what, &seal))?;
    desk.memory.seal = seal;
    Ok(())
}
