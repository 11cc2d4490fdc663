//! What was sent on the current stream and is not over: commands, open client streams, cancellations.

use std::collections::{BTreeMap, HashMap};

use super::{Token, lifecycle::Incoming};

#[derive(Debug, Default)]
pub(super) struct Sent {
    last_id: i64,
    /// Commands without a reply, by id.
    pub(super) unanswered: BTreeMap<i64, Unanswered>,
    /// Streamed commands whose clients get more.
    pub(super) open: BTreeMap<i64, Token>,
    /// Streamed commands whose clients are gone, which the user function was told.
    pub(super) cancelling: BTreeMap<i64, Cancelling>,
    ids: HashMap<Token, i64>,
}

/// A command that may have to be sent again.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) command: Incoming,
    /// How often it was sent again.
    pub(super) resends: u8,
    pub(super) caller: Caller,
}

#[derive(Debug)]
pub(super) struct Cancelling {
    token: Token,
    /// Nobody is left to answer under the token: the first reply came too late.
    answered: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    Waits,
    /// The client of a streamed command went away.
    Gone,
    /// Was told that it took too long.
    TimedOut,
}

impl Cancelling {
    fn unanswered(&self) -> Option<Token> {
        (!self.answered).then_some(self.token)
    }
}

impl Sent {
    /// The id of a new command.
    pub(super) fn send(&mut self, command: Incoming, resends: u8) -> i64 {
        self.last_id += 1;
        self.ids.insert(command.token, self.last_id);
        self.unanswered.insert(self.last_id, Unanswered { command, resends, caller: Caller::Waits });
        self.last_id
    }

    pub(super) fn id(&self, token: Token) -> Option<i64> {
        self.ids.get(&token).copied()
    }

    /// Ends a command that has one answer, or none any more.
    pub(super) fn answered(&mut self, id: i64) -> Option<Unanswered> {
        let unanswered = self.unanswered.remove(&id)?;
        self.ids.remove(&unanswered.command.token);
        Some(unanswered)
    }

    /// Its first answer came, more will follow.
    pub(super) fn open(&mut self, id: i64, token: Token) {
        self.ids.insert(token, id);
        self.open.insert(id, token);
    }

    /// The user function ended a client's stream.
    pub(super) fn close(&mut self, id: i64) -> Option<Token> {
        let token = self.open.remove(&id)?;
        self.ids.remove(&token);
        Some(token)
    }

    /// The user function is told that the client is gone.
    pub(super) fn cancel(&mut self, id: i64, token: Token, answered: bool) {
        self.open.remove(&id);
        self.ids.insert(token, id);
        self.cancelling.insert(id, Cancelling { token, answered });
    }

    /// The user function answered that, or took too long. Returns whose responder is left to be used.
    pub(super) fn cancelled(&mut self, id: i64) -> Option<Token> {
        let cancelling = self.cancelling.remove(&id)?;
        self.ids.remove(&cancelling.token);
        cancelling.unanswered()
    }

    /// Takes everything, the commands first; then who else is left to be answered.
    pub(super) fn take(&mut self) -> (Vec<Unanswered>, Vec<Token>) {
        let Self { unanswered, open, cancelling, .. } = std::mem::take(self);
        let cancelling = cancelling.values().filter_map(Cancelling::unanswered);
        (unanswered.into_values().collect(), open.into_values().chain(cancelling).collect())
    }

    /// Nobody is left to answer under this token.
    pub(super) fn forget(&mut self, token: Token) {
        if let Some(id) = self.ids.remove(&token) {
            self.open.remove(&id);
            self.cancelling.remove(&id);
        }
    }

    /// Nobody waits for anything. Commands run out of time in the order of their ids, so the last one tells of all.
    pub(super) fn is_quiet(&self) -> bool {
        let timed_out = |(_, last): (_, &Unanswered)| last.caller == Caller::TimedOut;
        self.open.is_empty()
            && self.cancelling.is_empty()
            && self.unanswered.last_key_value().is_none_or(timed_out)
    }

    /// A client waits for an answer or listens.
    pub(super) fn is_missed(&self) -> bool {
        !self.open.is_empty() || self.unanswered.values().any(|sent| sent.caller == Caller::Waits)
    }

    /// The user function has left a command unanswered for longer than anybody waits.
    pub(super) fn is_stuck(&self) -> bool {
        self.unanswered.first_key_value().is_some_and(|(_, first)| first.caller == Caller::TimedOut)
    }
}
