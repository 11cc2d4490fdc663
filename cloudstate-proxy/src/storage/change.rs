//! What a write can change.

use std::{sync::Arc, time::SystemTime};

use cloudstate_proto::{Any, Metadata};

use super::{Consumer, EntityKey, LogEntry};

/// One part of a [`write`](super::Store::write).
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Sets the state of a value entity, whatever it was.
    Value {
        /// Whose state this is.
        entity: EntityKey,
        /// `None` leaves the entity without a state, as if it had never been stored.
        state: Option<Any>,
    },
    /// Sets the state of a CRDT, whatever it was. That nothing follows a deletion is for the caller to see to.
    Crdt {
        /// Whose state this is.
        entity: EntityKey,
        /// The whole state, see [`StoredCrdt::State`](super::StoredCrdt::State); `None` deletes it for ever.
        state: Option<Any>,
    },
    /// Adds a message to a topic, at its end.
    Message {
        /// Any name; at most [`MAX_ID_BYTES`](super::MAX_ID_BYTES).
        topic: Arc<str>,
        /// What it is about, or empty; at most [`MAX_ID_BYTES`](super::MAX_ID_BYTES).
        subject: Arc<str>,
        /// What it says.
        payload: Any,
        /// What goes with it.
        metadata: Metadata,
    },
    /// Removes the messages of a topic up to a position: the oldest [`MAX_TRIMMED_MESSAGES`] of them at most, so that
    /// nobody waits long for a commit that removes; the next trim goes on.
    ///
    /// [`MAX_TRIMMED_MESSAGES`]: super::MAX_TRIMMED_MESSAGES
    TrimTopic {
        /// The name of the topic.
        topic: Arc<str>,
        /// The last position to remove. Positions do not start over, even when all messages are gone.
        through: u64,
    },
    /// Stores how far a consumer has come, whatever it was; a smaller position has it read again.
    Offset {
        /// Whose position this is.
        consumer: Consumer,
        /// The last entry it has finished, 0 for none; at most [`MAX_POSITION`](super::MAX_POSITION).
        position: u64,
    },
    /// Keeps an entry that its consumer has given up.
    DeadLetter(DeadLetter),
    /// Removes a dead letter; one that is not there is no error.
    ForgetDeadLetter {
        /// See [`StoredDeadLetter::id`].
        id: u64,
    },
}

/// An entry that a consumer has given up, kept for people to look at and to try again.
#[derive(Clone, Debug, PartialEq)]
pub struct DeadLetter {
    /// Who has given it up.
    pub consumer: Consumer,
    /// As it was read. It may leave its source before it leaves here.
    pub entry: LogEntry,
    /// How many times it was tried.
    pub attempts: u32,
    /// What went wrong the last time; what exceeds [`MAX_ERROR_BYTES`](super::MAX_ERROR_BYTES) is cut off.
    pub error: String,
}

/// A dead letter as it comes back.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredDeadLetter {
    /// Its number in the store, at least 1: greater than that of every dead letter before, and never given again.
    pub id: u64,
    /// When it was stored by the clock of the store, to the millisecond.
    pub stored_at: SystemTime,
    /// As it was stored.
    pub letter: DeadLetter,
}
