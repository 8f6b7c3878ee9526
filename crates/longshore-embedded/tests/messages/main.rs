//! Messages in the store's file: what was confirmed is handed out until it is settled, over deaths of the process too.

mod bench;
mod publishing;
mod receiving;
mod settling;
mod surviving;
