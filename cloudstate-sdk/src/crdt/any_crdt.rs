use super::{Crdt, CrdtError, Delta, Flag, GCounter, GSet, LWWRegister, ORMap, ORSet, PNCounter, Vote};
use crate::Any;

/// A CRDT whose type is chosen at run time: for maps with values of several types, and for entities that decide by
/// their id.
///
/// Elements, keys and values are encoded: [`CrdtValue`](super::CrdtValue) converts them.
///
/// ```
/// use cloudstate_sdk::crdt::{AnyCrdt, Flag, GCounter, ORMap};
///
/// let mut settings = ORMap::<String, AnyCrdt>::new();
/// let visits = settings.get_or_insert_with("visits".to_string(), || GCounter::new().into());
/// if let AnyCrdt::GCounter(visits) = visits {
///     visits.increment(1);
/// }
/// settings.get_or_insert_with("closed".to_string(), || Flag::new().into());
/// ```
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // Their types say it all.
pub enum AnyCrdt {
    GCounter(GCounter),
    PNCounter(PNCounter),
    GSet(GSet<Any>),
    ORSet(ORSet<Any>),
    LWWRegister(LWWRegister<Any>),
    Flag(Flag),
    ORMap(ORMap<Any, AnyCrdt>),
    Vote(Vote),
}

/// The same for whatever type it is.
macro_rules! each {
    ($any:expr, $crdt:ident => $body:expr) => {
        match $any {
            AnyCrdt::GCounter($crdt) => $body,
            AnyCrdt::PNCounter($crdt) => $body,
            AnyCrdt::GSet($crdt) => $body,
            AnyCrdt::ORSet($crdt) => $body,
            AnyCrdt::LWWRegister($crdt) => $body,
            AnyCrdt::Flag($crdt) => $body,
            AnyCrdt::ORMap($crdt) => $body,
            AnyCrdt::Vote($crdt) => $body,
        }
    };
}

impl Crdt for AnyCrdt {
    fn from_state(state: Delta) -> Result<Self, CrdtError> {
        use cloudstate_proto::crdt::crdt_delta::Delta as D;
        Ok(match state.0 {
            D::Gcounter(_) => Self::GCounter(Crdt::from_state(state)?),
            D::Pncounter(_) => Self::PNCounter(Crdt::from_state(state)?),
            D::Gset(_) => Self::GSet(Crdt::from_state(state)?),
            D::Orset(_) => Self::ORSet(Crdt::from_state(state)?),
            D::Lwwregister(_) => Self::LWWRegister(Crdt::from_state(state)?),
            D::Flag(_) => Self::Flag(Crdt::from_state(state)?),
            D::Ormap(_) => Self::ORMap(Crdt::from_state(state)?),
            D::Vote(_) => Self::Vote(Crdt::from_state(state)?),
        })
    }

    fn state(&self) -> Delta {
        each!(self, crdt => crdt.state())
    }

    fn apply(&mut self, delta: Delta) -> Result<(), CrdtError> {
        each!(self, crdt => crdt.apply(delta))
    }

    fn unsent(&self) -> Option<Delta> {
        each!(self, crdt => crdt.unsent())
    }

    fn has_changed(&self) -> bool {
        each!(self, crdt => crdt.has_changed())
    }

    fn mark_sent(&mut self) {
        each!(self, crdt => crdt.mark_sent());
    }

    fn roll_back(&mut self) {
        each!(self, crdt => crdt.roll_back());
    }

    fn is_known(&self) -> bool {
        each!(self, crdt => crdt.is_known())
    }
}

macro_rules! from {
    ($($variant:ident($crdt:ty))*) => {$(
        impl From<$crdt> for AnyCrdt {
            fn from(crdt: $crdt) -> Self {
                Self::$variant(crdt)
            }
        }
    )*};
}

from! {
    GCounter(GCounter)
    PNCounter(PNCounter)
    GSet(GSet<Any>)
    ORSet(ORSet<Any>)
    LWWRegister(LWWRegister<Any>)
    Flag(Flag)
    ORMap(ORMap<Any, AnyCrdt>)
    Vote(Vote)
}
