//! One file for each kind of entity.

mod ledger;
mod tally;

pub(crate) use ledger::Ledger;
pub(crate) use tally::Tally;
