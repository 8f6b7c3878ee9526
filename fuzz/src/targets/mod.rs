//! Everything that parses what others send.

mod config;
mod cron;
mod keys;
mod requests;
mod schema;
mod tasks;
mod words;

use crate::Target;

/// Returns all of them.
pub fn all() -> Vec<Box<dyn Target>> {
    vec![
        Box::new(tasks::Body::new()),
        Box::new(tasks::Batch::new()),
        Box::new(requests::Query::new()),
        Box::new(requests::Headers::new()),
        Box::new(config::File::yaml()),
        Box::new(config::File::toml()),
        Box::new(keys::Keys::new()),
        Box::new(words::Words),
        Box::new(cron::Crons),
        Box::new(schema::Schemas),
    ]
}
