//! How a change is replicated.

use cloudstate_proto::crdt::CrdtWriteConsistency;

use super::CrdtEntity;
use crate::command::CommandEffect;

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

impl<E: CrdtEntity, M> CommandEffect<E, M> {
    /// Answers only when the change has got as far as this. Without a change it means nothing.
    pub fn write_consistency(mut self, consistency: WriteConsistency) -> Self {
        self.write_consistency = consistency;
        self
    }
}
