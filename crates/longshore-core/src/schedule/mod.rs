//! When something is submitted again and again: a cron expression in a time zone.
//!
//! [`Cron`] says which wall clock times are meant, [`Timing`] when these come in a zone. Both are pure;
//! what a schedule submits, and what becomes of slots that nobody was there for, is told by
//! [`store::Schedule`](crate::store::Schedule).
//!
//! **Fields**: minute, hour, day of month, month, day of week; with six, the first is the second. A field
//! is a list of `*`, a value, a range `a-b`, each with a step `/n` or without (`a/n` goes on to the end).
//! Months and weekdays have names (`JAN`, `MON`); Sunday is 0 or 7. Day of month knows `L` (the last),
//! `LW` (the last from Monday to Friday) and `15W` (the one of these nearest to the 15th, in the same
//! month); day of week knows `FRI#2` (the second) and `FRIL` (the last). If both are restricted, a day that
//! fits either is meant. `@yearly`, `@monthly`, `@weekly`, `@daily` and `@hourly` are short for what they say.
//!
//! **When the clocks change.** A slot that does not exist, because the clock goes forward over it, comes at
//! the first moment afterwards; several such come once. A slot that exists twice, because the clock goes
//! back, comes at the first of the two. A schedule that has slots in every hour of a day follows the time
//! that passes instead: it goes on through both of the repeated hours, and makes up for nothing.

mod cron;
mod days;
mod field;
mod timing;
mod turn;

pub use cron::{BadCron, Cron, LONGEST};
pub use timing::{BadTiming, Timing};
pub use turn::{LATE, Turn};
