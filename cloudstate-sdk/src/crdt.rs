//! Conflict-free replicated data types: values that every node of the proxy's cluster can change at once, and that
//! come to agree by themselves.
//!
//! | Type | holds |
//! |---|---|
//! | [`GCounter`], [`PNCounter`] | a number that only grows; one that grows and shrinks |
//! | [`GSet`], [`ORSet`] | a set that only grows; one that elements can be removed from |
//! | [`LWWRegister`] | one value; the last write wins |
//! | [`Flag`] | whether something has happened |
//! | [`ORMap`] | CRDTs by key; with names for common ones: [`PNCounterMap`], [`LWWRegisterMap`], [`ORMultiMap`] |
//! | [`Vote`] | how many nodes agree |
//! | [`AnyCrdt`] | any of these, chosen at run time |
//!
//! The proxy replicates and resolves conflicts. What lives here is the present value, and a record of what a command
//! has changed: it is sent with the command's reply, or taken back when the command fails.

mod any_crdt;
mod data_type;
mod delta;
mod elements;
mod encoded;
mod flag;
mod g_counter;
mod g_set;
mod lww_register;
mod lww_register_map;
mod or_map;
mod or_multi_map;
mod or_set;
mod pn_counter;
mod pn_counter_map;
mod value;
mod vote;

pub use any_crdt::AnyCrdt;
pub use data_type::Crdt;
pub use delta::{CrdtError, Delta};
pub use flag::Flag;
pub use g_counter::GCounter;
pub use g_set::GSet;
pub use lww_register::{Clock, LWWRegister};
pub use lww_register_map::LWWRegisterMap;
pub use or_map::ORMap;
pub use or_multi_map::ORMultiMap;
pub use or_set::ORSet;
pub use pn_counter::PNCounter;
pub use pn_counter_map::PNCounterMap;
pub use value::{CrdtValue, LookupOf};
pub use vote::Vote;
