//! The service behind us: how it is reached, discovered, and told about its mistakes.

mod action_call;
mod codec;
mod connection;
mod crdt_0_1;
mod discovery;
mod entity_protocol;
mod entity_stream;
mod error_report;
mod exchange;
mod extensions;
mod pool;
mod settings_frame;

pub(crate) use action_call::ActionCall;
pub(crate) use connection::{Connection, Dial, Unsent};
pub(crate) use discovery::{Discovered, discover};
pub(crate) use entity_protocol::{Crdt, EntityProtocol, EventSourced, Value};
pub(crate) use entity_stream::EntityStream;
pub(crate) use error_report::ErrorReporter;
pub(crate) use extensions::Extensions;
pub(crate) use pool::{Agreed, Lane, Pool, PoolLimits, Unreachable};
