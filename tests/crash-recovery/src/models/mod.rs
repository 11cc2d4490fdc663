//! One file for each kind of entity, and for what consumes the events of one.

mod echo;
mod follower;
mod ledger;
mod register;
mod tally;

pub(crate) use echo::Echo;
pub(crate) use follower::Follower;
pub(crate) use ledger::Ledger;
pub(crate) use register::Register;
pub(crate) use tally::Tally;
