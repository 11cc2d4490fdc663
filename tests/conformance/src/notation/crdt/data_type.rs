//! What the types of CRDTs are called, and what their updates, states and deltas have in common.

use cloudstate_proto::crdt::CrdtClock;

use crate::notation::cursor::{Cursor, Problem};

/// The CRDT that an entity id or a map key selects.
#[derive(Clone, Copy)]
pub(super) enum DataType {
    GCounter,
    PnCounter,
    GSet,
    OrSet,
    LwwRegister,
    Flag,
    OrMap,
    Vote,
}

impl DataType {
    /// Of an entity or an entry: what stands before the first hyphen.
    pub(super) fn of(name: &str) -> Result<Self, Problem> {
        let name = name.split('-').next().unwrap_or_default();
        Ok(match name {
            "GCounter" => Self::GCounter,
            "PNCounter" => Self::PnCounter,
            "GSet" => Self::GSet,
            "ORSet" => Self::OrSet,
            "LWWRegister" => Self::LwwRegister,
            "Flag" => Self::Flag,
            "ORMap" => Self::OrMap,
            "Vote" => Self::Vote,
            _ => return Err(format!("there is no CRDT of the name `{name}`")),
        })
    }
}

/// `Flag-1:`
pub(super) fn key(line: &mut Cursor<'_>) -> Result<(String, DataType), Problem> {
    let key = line.word()?;
    line.need(":")?;
    Ok((key.to_owned(), DataType::of(key)?))
}

/// `(true,2,3)`
pub(super) fn vote(line: &mut Cursor<'_>) -> Result<(bool, i32, i32), Problem> {
    line.need("(")?;
    let self_vote = line.boolean()?;
    line.need(",")?;
    let votes_for = line.number()?;
    line.need(",")?;
    let total_voters = line.number()?;
    line.need(")")?;
    Ok((self_vote, votes_for, total_voters))
}

/// `@CUSTOM 123`; nothing means the default clock.
pub(super) fn clock(line: &mut Cursor<'_>) -> Result<(i32, i64), Problem> {
    // `@LOCAL` and its like speak of write consistency, which only whole commands have.
    if !line.eat("@") {
        return Ok((CrdtClock::Default as i32, 0));
    }
    let name = line.word()?;
    let clock = CrdtClock::from_str_name(name).ok_or_else(|| format!("there is no clock `{name}`"))?;
    let custom = matches!(clock, CrdtClock::Custom | CrdtClock::CustomAutoIncrement);
    Ok((clock as i32, if custom { line.number()? } else { 0 }))
}
