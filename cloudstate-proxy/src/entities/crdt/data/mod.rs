//! The proxy's copy of a CRDT: pure data, changed by the deltas of the user function.
//!
//! A proxy is one node, so there is nothing to merge with and no own share to keep apart: a counter is a number, a
//! set its elements. What remains of the CRDT is which changes are allowed, and which write of a register wins.
//!
//! The same protocol message, a [`CrdtDelta`] from empty, is what the user function gets at the start of a stream
//! ([`Crdt::full_state`]) and what is stored ([`Crdt::to_stored`]).

mod elements;
mod lww_register;
mod or_map;
#[cfg(test)]
mod tests;

use cloudstate_proto::{
    Any,
    crdt::{
        CrdtDelta, FlagDelta, GCounterDelta, GSetDelta, OrSetDelta, PnCounterDelta, VoteDelta,
        crdt_delta::Delta,
    },
};
use prost::{Message, Name};

use self::{elements::Elements, lww_register::LwwRegister, or_map::OrMap};

/// How deep maps may be nested in maps; our choice, a little less than what a protobuf decoder follows.
const MAX_DEPTH: usize = 30;
/// What a value takes beside its elements, at most.
const BASE_BYTES: usize = 32;
/// As far as counters go: proxies read them as signed.
const COUNTER_LIMIT: u64 = i64::MAX as u64;

/// A CRDT with its value. Sets and maps keep the order in which their elements were added.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Crdt {
    GCounter(u64),
    PNCounter(i64),
    GSet(Elements),
    ORSet(Elements),
    LWWRegister(LwwRegister),
    Flag(bool),
    ORMap(OrMap),
    /// Whether this node, the only voter, votes for it. It is stored like everything else: a restarted proxy goes on
    /// with the vote until the user function changes it.
    Vote(bool),
}

/// Milliseconds of the wall clock since the epoch.
pub(crate) type Millis = i64;

/// A change that the CRDT does not allow. The copy may have taken a part of it, so it must not be used any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("Empty delta")]
    EmptyDelta,
    #[error("a {found} delta for a {expected}")]
    Incompatible { expected: &'static str, found: &'static str },
    #[error("a GCounter would exceed {COUNTER_LIMIT}")]
    GCounterOverflow,
    #[error("a PNCounter would leave the range of 64-bit integers")]
    PNCounterOverflow,
    #[error("an enabled Flag cannot be disabled")]
    FlagDisabled,
    #[error("maps nested deeper than {MAX_DEPTH}")]
    TooDeep,
}

/// What is in the store is no CRDT.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored CRDT cannot be read: {0}")]
pub(crate) struct Unreadable(String);

impl Crdt {
    /// The CRDT that the first delta of a user function creates; the delta's case fixes the type for good.
    pub(crate) fn create(delta: CrdtDelta, now: Millis) -> Result<Self, Violation> {
        Self::create_nested(delta, now, 0)
    }

    /// Applies a change that the user function has already made to its own copy.
    pub(crate) fn apply(&mut self, delta: CrdtDelta, now: Millis) -> Result<(), Violation> {
        self.apply_nested(delta, now, 0)
    }

    /// The whole value as the user function is told it: a delta from empty.
    pub(crate) fn full_state(&self) -> CrdtDelta {
        self.delta(Audience::UserFunction)
    }

    /// The whole value as it is stored: [`Self::full_state`], where a register also has its clock.
    pub(crate) fn to_stored(&self) -> Any {
        Any { type_url: CrdtDelta::type_url(), value: self.delta(Audience::Store).encode_to_vec().into() }
    }

    /// Reads what [`Self::to_stored`] wrote.
    pub(crate) fn from_stored(stored: &Any) -> Result<Self, Unreadable> {
        if stored.type_name() != CrdtDelta::full_name() {
            return Err(Unreadable(format!("it is of the type {:?}", stored.type_name())));
        }
        let delta = CrdtDelta::decode(stored.value.clone()).map_err(|error| Unreadable(error.to_string()))?;
        // No clock is read: a stored register brings its own.
        Self::create(delta, 0).map_err(|violation| Unreadable(violation.to_string()))
    }

    /// What the value takes when it is stored, at most; known without looking at all of it.
    pub(crate) fn bytes(&self) -> usize {
        let elements = match self {
            Crdt::GSet(elements) | Crdt::ORSet(elements) => elements.bytes(),
            Crdt::LWWRegister(register) => register.bytes(),
            Crdt::ORMap(map) => map.bytes(),
            Crdt::GCounter(_) | Crdt::PNCounter(_) | Crdt::Flag(_) | Crdt::Vote(_) => 0,
        };
        BASE_BYTES.saturating_add(elements)
    }

    fn create_nested(delta: CrdtDelta, now: Millis, depth: usize) -> Result<Self, Violation> {
        let mut created = match delta.delta.as_ref().ok_or(Violation::EmptyDelta)? {
            Delta::Gcounter(_) => Crdt::GCounter(0),
            Delta::Pncounter(_) => Crdt::PNCounter(0),
            Delta::Gset(_) => Crdt::GSet(Elements::default()),
            Delta::Orset(_) => Crdt::ORSet(Elements::default()),
            // The first write is the baseline. (The reference proxy makes one with the default clock, against which
            // the first write of a custom clock loses.)
            Delta::Lwwregister(_) => Crdt::LWWRegister(LwwRegister::default()),
            Delta::Flag(_) => Crdt::Flag(false),
            Delta::Ormap(_) => Crdt::ORMap(OrMap::default()),
            Delta::Vote(_) => Crdt::Vote(false),
        };
        created.apply_nested(delta, now, depth)?;
        Ok(created)
    }

    fn apply_nested(&mut self, delta: CrdtDelta, now: Millis, depth: usize) -> Result<(), Violation> {
        let expected = self.name();
        match (self, delta.delta.ok_or(Violation::EmptyDelta)?) {
            (Crdt::GCounter(value), Delta::Gcounter(delta)) => {
                let sum = value.checked_add(delta.increment).filter(|sum| *sum <= COUNTER_LIMIT);
                *value = sum.ok_or(Violation::GCounterOverflow)?;
            }
            (Crdt::PNCounter(value), Delta::Pncounter(delta)) => {
                *value = value.checked_add(delta.change).ok_or(Violation::PNCounterOverflow)?;
            }
            (Crdt::GSet(elements), Delta::Gset(delta)) => elements.add(delta.added),
            (Crdt::ORSet(elements), Delta::Orset(delta)) => {
                if delta.cleared {
                    elements.clear();
                }
                elements.remove(&delta.removed);
                elements.add(delta.added);
            }
            (Crdt::LWWRegister(register), Delta::Lwwregister(delta)) => register.write(delta, now),
            (Crdt::Flag(enabled), Delta::Flag(delta)) => {
                if *enabled && !delta.value {
                    return Err(Violation::FlagDisabled);
                }
                *enabled = delta.value;
            }
            (Crdt::ORMap(map), Delta::Ormap(delta)) => map.apply(delta, now, depth)?,
            // The counts are ours to know.
            (Crdt::Vote(vote), Delta::Vote(delta)) => *vote = delta.self_vote,
            (_, delta) => return Err(Violation::Incompatible { expected, found: name(&delta) }),
        }
        Ok(())
    }

    fn delta(&self, audience: Audience) -> CrdtDelta {
        let delta = match self {
            Crdt::GCounter(value) => Delta::Gcounter(GCounterDelta { increment: *value }),
            Crdt::PNCounter(value) => Delta::Pncounter(PnCounterDelta { change: *value }),
            Crdt::GSet(elements) => Delta::Gset(GSetDelta { added: elements.to_vec() }),
            Crdt::ORSet(elements) => {
                Delta::Orset(OrSetDelta { added: elements.to_vec(), ..OrSetDelta::default() })
            }
            Crdt::LWWRegister(register) => Delta::Lwwregister(register.delta(audience)),
            Crdt::Flag(enabled) => Delta::Flag(FlagDelta { value: *enabled }),
            Crdt::ORMap(map) => Delta::Ormap(map.delta(audience)),
            Crdt::Vote(vote) => Delta::Vote(VoteDelta {
                self_vote: *vote,
                votes_for: i32::from(*vote),
                // This node is alone.
                total_voters: 1,
            }),
        };
        CrdtDelta { delta: Some(delta) }
    }

    fn name(&self) -> &'static str {
        match self {
            Crdt::GCounter(_) => "GCounter",
            Crdt::PNCounter(_) => "PNCounter",
            Crdt::GSet(_) => "GSet",
            Crdt::ORSet(_) => "ORSet",
            Crdt::LWWRegister(_) => "LWWRegister",
            Crdt::Flag(_) => "Flag",
            Crdt::ORMap(_) => "ORMap",
            Crdt::Vote(_) => "Vote",
        }
    }

    /// Whether this is the CRDT that `delta` belongs to.
    fn is_type_of(&self, delta: &CrdtDelta) -> bool {
        delta.delta.as_ref().is_some_and(|delta| name(delta) == self.name())
    }
}

/// Who reads a full state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Audience {
    /// Learns of a register its value alone.
    UserFunction,
    /// Keeps of a register its clock too.
    Store,
}

fn name(delta: &Delta) -> &'static str {
    match delta {
        Delta::Gcounter(_) => "GCounter",
        Delta::Pncounter(_) => "PNCounter",
        Delta::Gset(_) => "GSet",
        Delta::Orset(_) => "ORSet",
        Delta::Lwwregister(_) => "LWWRegister",
        Delta::Flag(_) => "Flag",
        Delta::Ormap(_) => "ORMap",
        Delta::Vote(_) => "Vote",
    }
}
