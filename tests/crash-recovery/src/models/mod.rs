//! One file for each kind of entity.

mod ledger;
mod register;
mod tally;

pub(crate) use ledger::Ledger;
pub(crate) use register::Register;
pub(crate) use tally::Tally;
