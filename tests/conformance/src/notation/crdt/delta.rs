//! What changes between proxy and service: `Δ5`, `Δ(clear rm{a} add{b})`.

use cloudstate_proto::{
    Any,
    crdt::{
        CrdtDelta, FlagDelta, GCounterDelta, GSetDelta, LwwRegisterDelta, OrMapDelta, OrMapEntryDelta,
        OrSetDelta, PnCounterDelta, VoteDelta, crdt_delta::Delta,
    },
};

use super::data_type::{self, DataType};
use crate::notation::cursor::{Cursor, Problem};

/// What follows `Δ`. Of a vote, a service says only its own.
pub(super) fn delta_from_service(crdt: DataType, line: &mut Cursor<'_>) -> Result<CrdtDelta, Problem> {
    match crdt {
        DataType::Vote => {
            let vote = VoteDelta { self_vote: line.boolean()?, ..VoteDelta::default() };
            Ok(CrdtDelta { delta: Some(Delta::Vote(vote)) })
        }
        _ => delta(crdt, line),
    }
}

pub(super) fn delta(crdt: DataType, line: &mut Cursor<'_>) -> Result<CrdtDelta, Problem> {
    let delta = match crdt {
        DataType::GCounter => Delta::Gcounter(GCounterDelta { increment: line.number()? }),
        DataType::PnCounter => Delta::Pncounter(PnCounterDelta { change: line.number()? }),
        DataType::GSet => Delta::Gset(GSetDelta { added: strings(line)? }),
        DataType::OrSet => Delta::Orset(or_set_delta(line)?),
        DataType::LwwRegister => {
            let value = Some(string(line.text()?));
            let (clock, custom_clock_value) = data_type::clock(line)?;
            Delta::Lwwregister(LwwRegisterDelta { value, clock, custom_clock_value })
        }
        DataType::Flag => Delta::Flag(FlagDelta { value: line.boolean()? }),
        DataType::OrMap => Delta::Ormap(or_map_delta(line)?),
        DataType::Vote => {
            let (self_vote, votes_for, total_voters) = data_type::vote(line)?;
            Delta::Vote(VoteDelta { self_vote, votes_for, total_voters })
        }
    };
    Ok(CrdtDelta { delta: Some(delta) })
}

/// `(clear rm{a} add{b})`
fn or_set_delta(line: &mut Cursor<'_>) -> Result<OrSetDelta, Problem> {
    let mut delta = OrSetDelta::default();
    line.need("(")?;
    delta.cleared = line.eat("clear");
    if line.eat("rm") {
        delta.removed = strings(line)?;
    }
    if line.eat("add") {
        delta.added = strings(line)?;
    }
    line.need(")")?;
    Ok(delta)
}

/// `(clear rm{K} upd{K: Δd} add{K: Δd})`
fn or_map_delta(line: &mut Cursor<'_>) -> Result<OrMapDelta, Problem> {
    let mut delta = OrMapDelta::default();
    line.need("(")?;
    delta.cleared = line.eat("clear");
    if line.eat("rm") {
        delta.removed = strings(line)?;
    }
    if line.eat("upd") {
        delta.updated = line.list(["{", "}"], entry_delta)?;
    }
    if line.eat("add") {
        delta.added = line.list(["{", "}"], entry_delta)?;
    }
    line.need(")")?;
    Ok(delta)
}

fn entry_delta(line: &mut Cursor<'_>) -> Result<OrMapEntryDelta, Problem> {
    let (key, crdt) = data_type::key(line)?;
    line.need("Δ")?;
    Ok(OrMapEntryDelta { key: Some(string(&key)), delta: Some(delta(crdt, line)?) })
}

fn strings(line: &mut Cursor<'_>) -> Result<Vec<Any>, Problem> {
    line.list(["{", "}"], |line| Ok(string(line.text()?)))
}

/// A string as the protocol puts primitives into payloads: field 1, and nothing at all for the empty one.
fn string(text: &str) -> Any {
    // `google.protobuf.StringValue` has the same bytes.
    let value = prost::Message::encode_to_vec(&text.to_owned());
    Any { type_url: "p.cloudstate.io/string".to_owned(), value: value.into() }
}

pub(super) fn sort(delta: &mut CrdtDelta) {
    match &mut delta.delta {
        Some(Delta::Gset(delta)) => delta.added.sort_by(in_order),
        Some(Delta::Orset(delta)) => {
            delta.removed.sort_by(in_order);
            delta.added.sort_by(in_order);
        }
        Some(Delta::Ormap(delta)) => {
            delta.removed.sort_by(in_order);
            sort_entries(&mut delta.updated);
            sort_entries(&mut delta.added);
        }
        _ => {}
    }
}

fn sort_entries(entries: &mut [OrMapEntryDelta]) {
    entries.iter_mut().filter_map(|entry| entry.delta.as_mut()).for_each(sort);
    entries.sort_by(|a, b| match (&a.key, &b.key) {
        (Some(a), Some(b)) => in_order(a, b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    });
}

fn in_order(a: &Any, b: &Any) -> std::cmp::Ordering {
    (&a.value, &a.type_url).cmp(&(&b.value, &b.type_url))
}
