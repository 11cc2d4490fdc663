//! Clients that go away or have waited too long: the user function is told to send no more.

use cloudstate_proto::{StreamCancelled, crdt::crdt_stream_in::Message as In};

use super::{Answer, ErrorCode, Lifecycle, Output, Token, decided, send};
use crate::entities::crdt::{replica::Message, sent::Caller};

impl Lifecycle {
    pub(super) fn on_client_gone(&mut self, token: Token, out: &mut Vec<Output>) {
        let Some(id) = self.sent.id(token) else {
            return self.withdraw(token, Answer::failed(ErrorCode::ClientGone, "the client went away"), out);
        };
        if let Some(unanswered) = self.sent.unanswered.get_mut(&id) {
            // The user function may not know the command yet; it is told after its reply. (The reference proxy tells
            // it twice.)
            if unanswered.caller == Caller::Waits {
                unanswered.caller = Caller::Gone;
            }
        } else if self.sent.open.contains_key(&id) {
            self.cancel(id, token, false, out);
        }
    }

    pub(super) fn on_timed_out(&mut self, token: Token, unreachable: Option<String>, out: &mut Vec<Output>) {
        let Some(id) = self.sent.id(token) else {
            return self.withdraw(token, Answer::overdue(unreachable), out);
        };
        if let Some(unanswered) = self.sent.unanswered.get_mut(&id) {
            // Others are answered meanwhile, so the stream stays; a late reply still changes the state.
            unanswered.caller = Caller::TimedOut;
            out.push(Output::Answer(token, Answer::overdue(None)));
        } else if let Some(to) = self.sent.cancelled(id) {
            self.replica.tell(Message { to, answer: decided(None, Vec::new()), last: true }, false, out);
        }
    }

    pub(super) fn cancel(&mut self, id: i64, token: Token, answered: bool, out: &mut Vec<Output>) {
        self.sent.cancel(id, token, answered);
        out.push(send(In::StreamCancelled(StreamCancelled { entity_id: self.entity_id.clone(), id })));
        out.push(Output::AwaitCancelled(token));
    }
}
