//! Who waits for an answer of one entity, in the order in which their time runs out.

use std::collections::{HashMap, VecDeque};

use tokio::time::Instant;

use crate::{
    entities::{Answer, Token},
    routing::Responder,
};

#[derive(Default)]
pub(crate) struct Clients {
    last_token: Token,
    waiting: HashMap<Token, Responder>,
    deadlines: VecDeque<(Instant, Token)>,
}

impl Clients {
    /// The deadlines of those who come must not lie before those who are here.
    pub(crate) fn admit(&mut self, responder: Responder, deadline: Instant) -> Token {
        self.last_token += 1;
        self.waiting.insert(self.last_token, responder);
        self.deadlines.push_back((deadline, self.last_token));
        self.last_token
    }

    /// Gives a caller the only or the last answer.
    pub(crate) fn answer(&mut self, token: Token, answer: Answer) {
        // A command that is refused on arrival leaves no deadline behind, however long those before it wait.
        self.deadlines.pop_back_if(|(_, last)| *last == token);
        if let Some(responder) = self.waiting.remove(&token) {
            responder.answer(answer);
        }
    }

    /// When the next one has waited as long as it may.
    pub(crate) fn next_deadline(&mut self) -> Option<Instant> {
        while let Some((deadline, token)) = self.deadlines.front() {
            if self.waiting.contains_key(token) {
                return Some(*deadline);
            }
            self.deadlines.pop_front();
        }
        None
    }

    /// Somebody who has waited as long as they may, told once.
    pub(crate) fn expired(&mut self, now: Instant) -> Option<Token> {
        self.next_deadline().filter(|deadline| *deadline <= now)?;
        self.deadlines.pop_front().map(|(_, token)| token)
    }
}
