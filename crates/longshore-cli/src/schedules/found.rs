//! A schedule by its id or its name.

use crate::failure::Failure;
use longshore::Client;
use longshore::core::TaskId;

/// Finds the id of a schedule; a name must be that of one alone.
pub(super) async fn id_of(client: &Client, named: &str) -> Result<String, Failure> {
    if named.parse::<TaskId>().is_ok() {
        return Ok(named.to_owned());
    }
    let all = client.schedules().list().await?;
    let ids = all.into_iter().filter(|one| one.name.as_deref() == Some(named)).map(|one| one.id);
    match ids.collect::<Vec<_>>().as_slice() {
        [] => Err(Failure::NotFound(format!("there is no schedule {named}"))),
        [one] => Ok(one.clone()),
        many => Err(Failure::Usage(format!(
            "several schedules are called {named}; name one by its id: {}",
            many.join(", ")
        ))),
    }
}
