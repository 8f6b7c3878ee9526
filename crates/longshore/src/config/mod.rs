//! The configuration: read, checked as a whole, compared, watched.
//!
//! [`Sources`] says where it is taken from and [`Sources::load`] reads it: defaults, then a YAML
//! or TOML file, the environment, and flags, each laid over the ones before. The result is a
//! [`Config`], in which everything was checked, or a [`ConfigError`] with everything that is
//! wrong; there is nothing in between. Each value knows its [`Origin`]. [`Changes`] says what is
//! new after a reload, and [`Watch`] when to try one.
//!
//! All keys are in one table. The reader, [`schema`] and [`reference`](reference()) are made of
//! it. Nothing here starts, opens or runs anything.

mod address;
mod block;
mod brokers;
mod build;
mod consumers;
mod diff;
mod environment;
mod fault;
mod files;
mod flags;
mod form;
mod keys;
mod measure;
mod model;
mod node;
mod origin;
mod plans;
mod prints;
mod programs;
mod reader;
mod reference;
mod rules;
mod schema;
mod secret;
mod sources;
mod toml;
mod watch;
mod yaml;

pub(crate) use address::shown;
pub use block::Setting;
pub use diff::{Change, Changes, Difference};
pub use fault::{ConfigError, Fault};
pub use files::FILE_NAMES;
pub use flags::Flags;
pub use measure::{BadSize, Size};
pub use model::{
    Auth, Broker, Command, Config, Consumer, ErrorRule, Kind, Limits, LogFormat, Match, Push,
    Queue, Runner, Schema, Server, Telemetry, Then, TlsFiles,
};
pub use origin::Origin;
pub use reference::reference;
pub(crate) use rules::of as rules_of;
pub use schema::schema;
pub use secret::{Address, Secret};
pub use sources::Sources;
pub use watch::{Poke, Watch, WatchError};
