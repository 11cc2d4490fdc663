//! Changes as they travel, and what can be wrong with them.

use cloudstate_proto::crdt::{CrdtDelta, crdt_delta};
use prost::Message;

use crate::{Any, DecodeError};

/// A change of a CRDT, as it travels between user function and proxy.
///
/// Handlers never meet one: the runtime reads it from the CRDT and applies those of others.
#[derive(Clone, Debug, PartialEq)]
pub struct Delta(pub(crate) crdt_delta::Delta);

impl Delta {
    /// Reads a `cloudstate.crdt.CrdtDelta`.
    ///
    /// # Errors
    /// When the bytes are no such message, or the message says nothing.
    pub fn decode(bytes: &[u8]) -> Result<Self, CrdtError> {
        let delta = CrdtDelta::decode(bytes).map_err(|error| CrdtError::new(Kind::Malformed(error)))?;
        Self::from_proto(Some(delta))
    }

    /// The bytes of a `cloudstate.crdt.CrdtDelta`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.clone().into_proto().encode_to_vec()
    }

    pub(crate) fn from_proto(delta: Option<CrdtDelta>) -> Result<Self, CrdtError> {
        delta.and_then(|delta| delta.delta).map(Self).ok_or_else(|| CrdtError::new(Kind::Empty))
    }

    pub(crate) fn into_proto(self) -> CrdtDelta {
        CrdtDelta { delta: Some(self.0) }
    }

    /// The type of the CRDT that it changes.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        use crdt_delta::Delta as D;
        match self.0 {
            D::Gcounter(_) => "GCounter",
            D::Pncounter(_) => "PNCounter",
            D::Gset(_) => "GSet",
            D::Orset(_) => "ORSet",
            D::Lwwregister(_) => "LWWRegister",
            D::Flag(_) => "Flag",
            D::Ormap(_) => "ORMap",
            D::Vote(_) => "Vote",
        }
    }

    /// The error of a CRDT that got a change for another type.
    pub(super) fn is_not_for(&self, expected: &'static str) -> CrdtError {
        CrdtError::new(Kind::WrongType { expected, found: self.type_name() })
    }
}

/// A change that cannot be applied.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}{kind}", place(.keys))]
pub struct CrdtError {
    /// The keys of the maps it is in, the innermost first.
    keys: Vec<String>,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum Kind {
    #[error("not a CrdtDelta: {0}")]
    Malformed(prost::DecodeError),
    #[error("a change that names no type")]
    Empty,
    #[error("a change of a {found} came for a {expected}; values of several types need an `AnyCrdt`")]
    WrongType { expected: &'static str, found: &'static str },
    #[error("an entry without a key")]
    NoKey,
    #[error("a register without a value")]
    NoValue,
    #[error("{0}; a register with values of several types needs to be an `LWWRegister<Any>`")]
    UnreadableValue(DecodeError),
    #[error("a vote with {votes_for} of {total_voters} voters")]
    ImpossibleVote { votes_for: i32, total_voters: i32 },
}

impl CrdtError {
    pub(super) fn new(kind: Kind) -> Self {
        Self { keys: Vec::new(), kind }
    }

    /// True when the change was for another type of CRDT.
    #[must_use]
    pub fn is_wrong_type(&self) -> bool {
        matches!(self.kind, Kind::WrongType { .. })
    }

    /// Adds in which entry of a map it was.
    pub(super) fn in_entry(mut self, key: &Any) -> Self {
        self.keys.push(readable(key));
        self
    }
}

fn place(keys: &[String]) -> String {
    keys.iter().rev().map(|key| format!("in the entry {key}: ")).collect()
}

/// The key in an error message. Its length is up to others.
fn readable(key: &Any) -> String {
    const LONGEST: usize = 100;
    match <String as super::CrdtValue>::from_any(key) {
        Ok(text) => format!("{:?}", text.chars().take(LONGEST).collect::<String>()),
        Err(_) => format!("of type `{}`", key.type_url.chars().take(LONGEST).collect::<String>()),
    }
}
