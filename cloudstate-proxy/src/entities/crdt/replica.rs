//! The proxy's copy of the state, and the answers that wait until it is durable.
//!
//! A change is applied at once and stored in the background, one write at a time; a write stores the newest state, and
//! with it all changes since the last one. An answer leaves when every change that came before it is stored, its own
//! included, so nobody sees what a crash could take back, and answers keep the order in which they were given.

use std::collections::VecDeque;

use cloudstate_proto::crdt::{CrdtStateAction, crdt_state_action::Action};

use super::{
    Answer, Token,
    data::{Crdt, Millis, Violation},
    lifecycle::Output,
};
use crate::{
    entities::observer::Observation, error_code::ErrorCode, routing::Failure, telemetry::metrics::Volume,
};

/// So many answers may wait for a write.
const MAX_HELD: usize = 256;
/// The reference proxy's text.
const NOT_STORED: &str = "Failed to update CRDT at requested write consistency";

#[derive(Debug, Default)]
pub(super) struct Replica {
    state: State,
    /// Changes since the state was read, and how many of them are stored.
    changes: u64,
    stored: u64,
    /// The write under way.
    writing: Option<Writing>,
    /// In the order in which they may leave.
    held: VecDeque<Held>,
}

#[derive(Debug, Default)]
enum State {
    /// No function has written to this entity yet.
    #[default]
    Absent,
    Present(Crdt),
    /// For ever.
    Deleted,
}

#[derive(Debug)]
struct Writing {
    /// So many changes are stored by it.
    changes: u64,
    volume: Volume,
}

#[derive(Debug)]
struct Held {
    /// Leaves when so many changes are stored.
    after: u64,
    to: Token,
    answer: Answer,
    last: bool,
    /// Whether it reports a change of its own.
    changed: bool,
}

/// An answer and its place in the conversation.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) to: Token,
    pub(super) answer: Answer,
    /// The caller gets nothing after it.
    pub(super) last: bool,
}

/// Why a change is not taken; the copy must not be used any more.
#[derive(Debug)]
pub(super) enum Refused {
    Violation(Violation),
    TooLarge { bytes: usize },
}

impl Replica {
    pub(super) fn present(crdt: Crdt) -> Self {
        Self { state: State::Present(crdt), ..Self::default() }
    }

    pub(super) fn deleted() -> Self {
        Self { state: State::Deleted, ..Self::default() }
    }

    /// The state, unless there is none.
    pub(super) fn crdt(&self) -> Option<&Crdt> {
        match &self.state {
            State::Present(crdt) => Some(crdt),
            State::Absent | State::Deleted => None,
        }
    }

    pub(super) fn is_deleted(&self) -> bool {
        matches!(self.state, State::Deleted)
    }

    /// Deleted, and no crash can bring it back.
    pub(super) fn is_gone(&self) -> bool {
        self.is_deleted() && self.stored == self.changes
    }

    /// Everything is stored and told.
    pub(super) fn is_settled(&self) -> bool {
        self.stored == self.changes && self.held.is_empty()
    }

    /// No more answers should be added before a write ends.
    pub(super) fn is_congested(&self) -> bool {
        self.held.len() >= MAX_HELD
    }

    /// Does what the user function has done to its own copy; whether that was a change. Every write consistency is
    /// that of one node.
    pub(super) fn change(
        &mut self,
        action: Option<CrdtStateAction>,
        now: Millis,
        limit: usize,
    ) -> Result<bool, Refused> {
        let Some(action) = action.and_then(|action| action.action) else { return Ok(false) };
        match (action, &mut self.state) {
            // What was under way when the entity was deleted changes nothing.
            (_, State::Deleted) => return Ok(false),
            (Action::Delete(_), state) => *state = State::Deleted,
            (Action::Update(delta), State::Present(crdt)) => {
                crdt.apply(delta, now).map_err(Refused::Violation)?;
            }
            (Action::Update(delta), state @ State::Absent) => {
                *state = State::Present(Crdt::create(delta, now).map_err(Refused::Violation)?);
            }
        }
        let bytes = self.crdt().map_or(0, Crdt::bytes);
        if bytes > limit {
            return Err(Refused::TooLarge { bytes });
        }
        self.changes += 1;
        Ok(true)
    }

    /// Lets a message go when everything before it is stored.
    pub(super) fn tell(&mut self, message: Message, changed: bool, out: &mut Vec<Output>) {
        let Message { to, answer, last } = message;
        self.held.push_back(Held { after: self.changes, to, answer, last, changed });
        self.release(out);
    }

    /// Writes what is not stored yet, if nothing is being written: the whole state, or none for the tombstone.
    pub(super) fn write(&mut self, out: &mut Vec<Output>) {
        if self.writing.is_some() || self.stored == self.changes {
            return;
        }
        let state = self.crdt().map(Crdt::to_stored);
        let bytes = state.as_ref().map_or(0, |state| state.value.len());
        let volume = Volume { items: 1, bytes, snapshot_bytes: None };
        self.writing = Some(Writing { changes: self.changes, volume });
        out.push(Output::Observed(Observation::Persisting));
        out.push(Output::Write(state));
    }

    /// The write under way succeeded.
    pub(super) fn written(&mut self, out: &mut Vec<Output>) {
        if let Some(Writing { changes, volume }) = self.writing.take() {
            self.stored = changes;
            out.push(Output::Observed(Observation::Persisted(volume)));
        }
        self.release(out);
    }

    /// The write under way failed: what it would have stored is unknown, and the copy is no longer that of the store.
    /// Returns whose streams ended thereby before their time.
    pub(super) fn not_written(&mut self, out: &mut Vec<Output>) -> Vec<Token> {
        self.writing = None;
        self.give_up_after(self.stored);
        self.fail(0, ErrorCode::NotStored, NOT_STORED, out)
    }

    /// Nothing more is written; who waits for the write under way still learns what became of it. Returns whose streams
    /// ended thereby before their time.
    pub(super) fn abandon(&mut self, out: &mut Vec<Output>) -> Vec<Token> {
        self.give_up_after(self.writing.as_ref().map_or(self.stored, |writing| writing.changes));
        let told = self.held.partition_point(|held| held.after <= self.changes);
        self.fail(told, ErrorCode::EntityTerminated, super::TERMINATING, out)
    }

    fn give_up_after(&mut self, changes: u64) {
        if changes < self.changes {
            self.changes = changes;
            // Nothing is known of the state until it is read again.
            self.state = State::Absent;
        }
    }

    /// Fails those whose changes are lost with this text, the others because the entity terminates. An element without
    /// a change is left out: its stream ends with what follows.
    fn fail(&mut self, from: usize, error: ErrorCode, not_stored: &str, out: &mut Vec<Output>) -> Vec<Token> {
        let mut ended = Vec::new();
        for held in self.held.split_off(from) {
            let (error, text) = if held.changed {
                (error, not_stored)
            } else {
                (ErrorCode::EntityTerminated, super::TERMINATING)
            };
            if (held.changed || held.last) && !ended.contains(&held.to) {
                if !held.last {
                    ended.push(held.to);
                }
                // Behind what its caller gets first.
                let answer = Answer::Failed(Failure::fixed(error, text));
                self.held.push_back(Held { after: self.changes, answer, last: true, ..held });
            }
        }
        self.release(out);
        ended
    }

    fn release(&mut self, out: &mut Vec<Output>) {
        while let Some(held) = self.held.pop_front_if(|held| held.after <= self.stored) {
            out.push(match held.last {
                true => Output::Answer(held.to, held.answer),
                false => Output::Element(held.to, held.answer),
            });
        }
    }
}
