//! How a change is replicated.

use super::CrdtEntity;
use crate::command::CommandEffect;
use crate::command::reply::Change;
use cloudstate_proto::crdt::CrdtWriteConsistency;

/// How far a change must have got before the caller is answered.
///
/// When it does not get there in time, the caller is told that it failed, and the proxy loads the entity anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WriteConsistency {
    /// To the own node.
    #[default]
    Local,
    /// To more than half of the nodes.
    Majority,
    /// To all nodes.
    All,
}

impl WriteConsistency {
    pub(super) fn number(self) -> i32 {
        let consistency = match self {
            Self::Local => CrdtWriteConsistency::Local,
            Self::Majority => CrdtWriteConsistency::Majority,
            Self::All => CrdtWriteConsistency::All,
        };
        consistency.into()
    }
}

/// What a command says about its change.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Write {
    pub(super) consistency: WriteConsistency,
    pub(super) delete: bool,
}

impl<E: CrdtEntity, M> CommandEffect<E, M> {
    /// Answers only when the change has got as far as this. Without a change it means nothing.
    pub fn write_consistency(mut self, consistency: WriteConsistency) -> Self {
        self.write().consistency = consistency;
        self
    }

    /// Deletes the entity, for good: nobody can use its id any more. What else the command has changed is dropped.
    pub fn and_delete(mut self) -> Self {
        self.write().delete = true;
        self
    }

    fn write(&mut self) -> &mut Write {
        if !matches!(self.change, Change::Write(_)) {
            self.change = Change::Write(Write::default());
        }
        match &mut self.change {
            Change::Write(write) => write,
            _ => unreachable!("it was just made one"),
        }
    }
}
