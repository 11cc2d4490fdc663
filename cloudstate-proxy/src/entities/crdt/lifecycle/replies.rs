//! What the user function says on the stream.

use cloudstate_proto::{
    Failure as WireFailure,
    crdt::{
        CrdtReply, CrdtStateAction, CrdtStreamCancelledResponse, CrdtStreamOut, CrdtStreamedMessage,
        crdt_stream_out::Message as Out,
    },
};

use super::{Answer, ErrorCode, Lifecycle, Observation, Output, Phase, decided};
use crate::{
    code::Code,
    entities::crdt::{
        data::Millis,
        replica::{Message, Refused},
        sent::{Caller, Unanswered},
    },
    routing::Failure,
};

impl Lifecycle {
    pub(super) fn on_message(&mut self, message: CrdtStreamOut, now: Millis, out: &mut Vec<Output>) {
        let counts = self.phase == Phase::Live || (self.phase == Phase::Closing && self.replica.is_deleted());
        if !counts {
            return;
        }
        match message.message {
            Some(Out::Reply(reply)) => self.on_reply(reply, now, out),
            Some(Out::StreamedMessage(message)) => self.on_streamed_message(message, out),
            Some(Out::StreamCancelledResponse(response)) => self.on_cancelled(response, now, out),
            Some(Out::Failure(failure)) => self.on_failure(failure, out),
            // A message of a later protocol, perhaps.
            None => {}
        }
    }

    fn on_reply(&mut self, reply: CrdtReply, now: Millis, out: &mut Vec<Output>) {
        let id = reply.command_id;
        let Some(unanswered) = self.sent.unanswered.get(&id) else {
            let entity = &self.entity_id;
            let text = format!("Received reply for entity id {entity} for unknown command {id}");
            return self.crash(&text, out);
        };
        if reply.streamed && !unanswered.command.streamed {
            return self.crash(&format!("Streamed reply to non streamed command {id}"), out);
        }
        out.push(Output::Observed(Observation::ReplyReceived(unanswered.command.token)));
        let Some(changed) = self.change(reply.state_action, Some(id), now, out) else { return };
        let Some(Unanswered { command, caller, .. }) = self.sent.answered(id) else { return };
        let answer = decided(reply.client_action, reply.side_effects);
        // A failure ends the caller's stream, whatever else the reply says; and so does the end of everything.
        let ended = !reply.streamed || answer.is_failure() || self.completing || self.replica.is_deleted();
        if !ended {
            match caller {
                Caller::Waits => self.sent.open(id, command.token),
                // The user function now has a listener that nobody listens to.
                Caller::Gone => self.cancel(id, command.token, false, out),
                Caller::TimedOut => self.cancel(id, command.token, true, out),
            }
        }
        if caller != Caller::TimedOut {
            self.replica.tell(Message { to: command.token, answer, last: ended }, changed, out);
        }
        if self.replica.is_deleted() && self.phase == Phase::Live {
            self.end_streams(out);
            self.half_close(out);
        }
    }

    /// Takes a change of the user function; none if the entity crashed of it. `id` is the command that brought it.
    fn change(
        &mut self,
        action: Option<CrdtStateAction>,
        id: Option<i64>,
        now: Millis,
        out: &mut Vec<Output>,
    ) -> Option<bool> {
        let limit = self.limits.state_bytes;
        match self.replica.change(action, now, limit) {
            Ok(changed) => return Some(changed),
            Err(Refused::Violation(violation)) => self.crash(&violation.to_string(), out),
            Err(Refused::TooLarge { bytes }) => {
                let text =
                    format!("the state of this entity would take {bytes} bytes, at most {limit} are stored");
                if let Some(unanswered) = id.and_then(|id| self.sent.answered(id))
                    && unanswered.caller != Caller::TimedOut
                {
                    let failure = Answer::failed(ErrorCode::StateTooLarge, &text);
                    out.push(Output::Answer(unanswered.command.token, failure));
                }
                self.crash(&text, out);
            }
        }
        None
    }

    fn on_streamed_message(&mut self, message: CrdtStreamedMessage, out: &mut Vec<Output>) {
        let id = message.command_id;
        let Some(&to) = self.sent.open.get(&id) else {
            // It may have crossed our cancellation, or the deletion.
            if !self.sent.cancelling.contains_key(&id) && self.phase == Phase::Live {
                out.push(self.report(&format!("Received streamed message for unknown command id: {id}")));
            }
            return;
        };
        let says_something = message.client_action.is_some() || !message.side_effects.is_empty();
        let answer = decided(message.client_action, message.side_effects);
        let last = message.end_stream || answer.is_failure();
        if last {
            self.sent.close(id);
        }
        if last || says_something {
            self.replica.tell(Message { to, answer, last }, false, out);
        }
    }

    /// A cancellation was answered. What it changes counts even if we no longer wait for it: the user function has
    /// changed its copy.
    fn on_cancelled(&mut self, response: CrdtStreamCancelledResponse, now: Millis, out: &mut Vec<Output>) {
        if self.change(response.state_action, None, now, out).is_none() {
            return;
        }
        if let Some(to) = self.sent.cancelled(response.command_id) {
            // Only its side effects matter, the client is gone.
            let answer = decided(None, response.side_effects);
            self.replica.tell(Message { to, answer, last: true }, false, out);
        }
        if self.replica.is_deleted() && self.phase == Phase::Live {
            self.end_streams(out);
            self.half_close(out);
        }
    }

    /// A command, or a client's stream, fails and the entity lives on.
    fn on_failure(&mut self, failure: WireFailure, out: &mut Vec<Output>) {
        let id = failure.command_id;
        let to = match self.sent.answered(id) {
            Some(sent) if sent.caller == Caller::TimedOut => return,
            Some(sent) => {
                out.push(Output::Observed(Observation::ReplyReceived(sent.command.token)));
                Some(sent.command.token)
            }
            None => self.sent.close(id).or_else(|| self.sent.cancelled(id)),
        };
        match to {
            Some(to) => {
                let code = Code::from_number(failure.grpc_status_code);
                let answer = Answer::Failed(Failure::passed_on(code, failure.description));
                self.replica.tell(Message { to, answer, last: true }, false, out);
            }
            None => out.push(self.report(&format!("Unexpected entity failure: {}", failure.description))),
        }
    }
}
