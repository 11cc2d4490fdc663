//! One file for each kind of entity.

mod ledger;

pub(crate) use ledger::Ledger;
