//! The service behind us: how it is reached, discovered, and told about its mistakes.

mod codec;
mod connection;
mod discovery;
mod error_report;
mod pool;

pub(crate) use connection::{Connection, Dial};
pub(crate) use discovery::{Discovered, discover};
pub(crate) use error_report::ErrorReporter;
pub(crate) use pool::{EntityStream, Pool};
