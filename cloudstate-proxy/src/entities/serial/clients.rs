//! Who waits for an answer of one entity, in the order in which their time runs out.

use std::collections::{HashMap, VecDeque};

use tokio::time::Instant;

use crate::{entities::Answer, routing::Responder};

/// Callers by the numbers that stand for them inside a lifecycle.
#[derive(Default)]
pub(crate) struct Callers {
    next_token: u64,
    waiting: HashMap<u64, Responder>,
    deadlines: VecDeque<(Instant, u64)>,
}

impl Callers {
    /// The deadlines of those who come must not lie before those who are here.
    pub(crate) fn admit(&mut self, responder: Responder, deadline: Instant) -> u64 {
        self.next_token += 1;
        self.waiting.insert(self.next_token, responder);
        self.deadlines.push_back((deadline, self.next_token));
        self.next_token
    }

    /// Gives a caller the only or the last answer.
    pub(crate) fn answer(&mut self, token: u64, answer: Answer) {
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
    pub(crate) fn expired(&mut self, now: Instant) -> Option<u64> {
        self.next_deadline().filter(|deadline| *deadline <= now)?;
        self.deadlines.pop_front().map(|(_, token)| token)
    }
}
