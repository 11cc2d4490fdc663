//! One CRDT entity and its stream, as a pure state machine: inputs in, outputs out, no I/O, no clock.
//!
//! ```text
//! Dormant → Loading → Opening → Live ─ passivated, deleted, drained → Closing → Settling → Dormant
//!              │                   └─── crashed, or the stream is gone ────────────┤
//!              └─────────────────────── deleted, or unreadable ────────────────────┘
//! ```
//!
//! Commands are sent as they come and answered in any order. The state is written before an answer leaves
//! ([`Replica`]). On one node nobody else changes the state, so the user function never gets a delta.

use std::collections::VecDeque;

use cloudstate_proto::{
    Any, ClientAction, Command, Failure as WireFailure, StreamCancelled,
    crdt::{
        CrdtInit, CrdtReply, CrdtStateAction, CrdtStreamCancelledResponse, CrdtStreamIn, CrdtStreamOut,
        CrdtStreamedMessage, crdt_stream_in::Message as In, crdt_stream_out::Message as Out,
    },
};

use super::{
    Answer, Token,
    data::{Crdt, Millis},
    replica::{Message, Refused, Replica},
    sent::{Caller, Sent, Unanswered},
};
use crate::{
    code::Code,
    entities::{observer::Observation, stream::End},
    error_code::ErrorCode,
    routing::Failure,
    storage::StoredCrdt,
    telemetry::{metrics::Volume, trace_context::TraceContext},
};

/// What happens to an entity.
#[derive(Clone, Debug)]
pub(super) enum Input {
    /// A command arrived.
    Command(Incoming),
    /// The answer to [`Output::Load`].
    Loaded(Result<Option<StoredCrdt>, String>),
    /// The answer to [`Output::Write`].
    Written(Result<(), String>),
    /// The user function wrote to the stream at this time.
    FromFunction(CrdtStreamOut, Millis),
    /// The user function's side of the stream ended.
    StreamEnded(End),
    /// The answer to [`Output::OpenStream`].
    Opened,
    /// The client of a streamed command went away.
    ClientGone(Token),
    /// The command with this token has waited as long as it may, or its cancellation has. If all the while there was no
    /// user function: why.
    TimedOut { token: Token, unreachable: Option<String> },
    /// Nothing happened for the passivation time.
    IdleTimeout,
    /// The user function did not end a half-closed stream in time.
    CloseTimedOut,
    /// The proxy is about to stop: clients are told nothing more than they asked for.
    CompleteStreams,
    /// The proxy stops: finish the commands that are here and close.
    Drain,
}

/// A command on its way to the entity.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Incoming {
    pub(super) token: Token,
    pub(super) name: String,
    pub(super) payload: Any,
    /// Its method is server-streaming.
    pub(super) streamed: bool,
    pub(super) context: TraceContext,
}

/// What the shell must do, in order.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Output {
    /// Read the state.
    Load,
    /// Open a stream to the user function.
    OpenStream,
    /// Write to the stream.
    Send(CrdtStreamIn),
    /// End our side of the stream; the user function then ends its own.
    HalfClose,
    /// Abandon the stream.
    Reset,
    /// Make this the state; none leaves the tombstone. At most one is under way.
    Write(Option<Any>),
    /// Give a caller its last answer.
    Answer(Token, Answer),
    /// Give the caller of a streamed command one answer of several.
    Element(Token, Answer),
    /// The cancellation of this command was sent: its time begins.
    AwaitCancelled(Token),
    /// Tell the developer of the user function.
    Report(String),
    /// Something worth counting.
    Observed(Observation),
    /// The entity is dormant and nobody waits for it: forget it.
    Stop,
}

/// What one entity may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Commands without an answer, those included that wait to be sent.
    pub(super) commands: usize,
    /// Open client streams.
    pub(super) streams: usize,
    /// Bytes of its state.
    pub(super) state_bytes: usize,
}

/// How often a command is sent again when the process that had it went away.
const MAX_RESENT: u32 = 3;

const DELETED: &str = "Entity deleted";
const UNEXPECTED_TERMINATION: &str = "Unexpected entity termination";
const RECOVERY_FAILED: &str = "Error recovering CRDT state";

/// The state machine.
#[derive(Debug)]
pub(super) struct Lifecycle {
    service_name: String,
    entity_id: String,
    limits: Limits,
    phase: Phase,
    /// Commands for the next stream.
    waiting: VecDeque<Waiting>,
    sent: Sent,
    replica: Replica,
    /// A streamed command gets its first answer and no other.
    completing: bool,
    draining: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No stream, and nothing under way.
    Dormant,
    /// The state is being read.
    Loading,
    /// The stream is being opened, which takes as long as there is no user function.
    Opening,
    /// Commands go to the user function.
    Live,
    /// Our side is half-closed. Replies still count if the entity was deleted, since other commands were under way.
    Closing,
    /// The stream is gone; what was accepted is still being written.
    Settling,
}

#[derive(Debug)]
struct Waiting {
    command: Incoming,
    resent: u32,
}

impl Lifecycle {
    pub(super) fn new(service_name: impl Into<String>, entity_id: impl Into<String>, limits: Limits) -> Self {
        Self {
            service_name: service_name.into(),
            entity_id: entity_id.into(),
            limits,
            phase: Phase::Dormant,
            waiting: VecDeque::new(),
            sent: Sent::default(),
            replica: Replica::default(),
            completing: false,
            draining: false,
        }
    }

    /// There is, or will be, a stream that nobody needs.
    pub(super) fn is_idle(&self) -> bool {
        match self.phase {
            Phase::Opening => self.waiting.is_empty(),
            Phase::Live => self.sent.is_quiet() && self.replica.is_settled(),
            Phase::Dormant | Phase::Loading | Phase::Closing | Phase::Settling => false,
        }
    }

    /// As many answers wait for the store as may: what the user function writes has to wait, too.
    pub(super) fn is_congested(&self) -> bool {
        self.replica.is_congested()
    }

    pub(super) fn step(&mut self, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Command(command) => self.on_command(command, out),
            Input::Loaded(result) => self.on_loaded(result, out),
            Input::Written(Ok(())) => self.replica.written(out),
            Input::Written(Err(reason)) => self.on_not_written(&reason, out),
            Input::FromFunction(message, now) => self.on_message(message, now, out),
            Input::StreamEnded(end) => self.on_stream_ended(end, out),
            Input::Opened => self.on_opened(out),
            Input::ClientGone(token) => self.on_client_gone(token, out),
            Input::TimedOut { token, unreachable } => self.on_timed_out(token, unreachable, out),
            Input::IdleTimeout => self.on_idle_timeout(out),
            Input::CloseTimedOut => self.on_close_timed_out(out),
            Input::CompleteStreams => self.complete_streams(out),
            Input::Drain => self.on_drain(out),
        }
        self.go_on(out);
    }

    /// What follows from the new state, whatever brought it about.
    fn go_on(&mut self, out: &mut Vec<Output>) {
        self.replica.write(out);
        if self.replica.is_gone() {
            self.refuse_waiting(out);
        }
        if self.draining {
            self.on_idle_timeout(out);
        }
        if self.phase == Phase::Settling && self.replica.is_settled() {
            self.dormant(out);
        }
    }

    fn on_command(&mut self, command: Incoming, out: &mut Vec<Output>) {
        if self.unanswered() >= self.limits.commands && self.sent.is_stuck() {
            // Late answers would still be taken, but not for ever.
            let text = "the user function leaves commands unanswered";
            self.crash(text, out);
        }
        if let Err(text) = self.admit(&command) {
            return out.push(Output::Answer(command.token, failed(ErrorCode::EntityBusy, text)));
        }
        out.push(Output::Observed(Observation::CommandReceived(command.token)));
        match self.phase {
            Phase::Live => self.send_command(command, 0, out),
            phase => {
                out.push(Output::Observed(Observation::CommandStashed(command.token)));
                self.waiting.push_back(Waiting { command, resent: 0 });
                if phase == Phase::Dormant {
                    self.activate(out);
                }
            }
        }
    }

    fn admit(&self, command: &Incoming) -> Result<(), String> {
        let Limits { commands, streams, .. } = self.limits;
        if self.unanswered() >= commands {
            return Err(format!("{commands} commands are already waiting for this entity"));
        }
        if command.streamed && self.sent.open.len() + self.sent.cancelling.len() >= streams {
            return Err(format!("{streams} streams of this entity are already open"));
        }
        Ok(())
    }

    fn unanswered(&self) -> usize {
        self.waiting.len() + self.sent.unanswered.len()
    }

    /// Reads the state; the stream follows, unless the entity was deleted.
    fn activate(&mut self, out: &mut Vec<Output>) {
        self.phase = Phase::Loading;
        out.push(Output::Observed(Observation::Activated));
        out.push(Output::Load);
    }

    fn on_loaded(&mut self, loaded: Result<Option<StoredCrdt>, String>, out: &mut Vec<Output>) {
        let read = loaded.and_then(|stored| match stored {
            None => Ok(Replica::default()),
            Some(StoredCrdt::Deleted) => Ok(Replica::deleted()),
            Some(StoredCrdt::State(state)) => {
                let volume = Volume { items: 1, bytes: state.value.len(), snapshot_bytes: None };
                out.push(Output::Observed(Observation::Loaded(volume)));
                Crdt::from_stored(&state).map(Replica::present).map_err(|error| error.to_string())
            }
        });
        match read {
            Err(reason) => {
                out.push(Output::Observed(Observation::Crashed));
                self.fail_waiting(&format!("{RECOVERY_FAILED}: {reason}"), out);
                self.leave(out);
            }
            Ok(replica) if replica.is_deleted() => {
                self.replica = replica;
                self.refuse_waiting(out);
                self.leave(out);
            }
            Ok(replica) => {
                self.replica = replica;
                self.phase = Phase::Opening;
                out.push(Output::OpenStream);
            }
        }
    }

    fn on_opened(&mut self, out: &mut Vec<Output>) {
        self.phase = Phase::Live;
        let init = CrdtInit {
            service_name: self.service_name.clone(),
            entity_id: self.entity_id.clone(),
            delta: self.replica.crdt().map(Crdt::full_state),
        };
        out.push(send(In::Init(init)));
        out.push(Output::Observed(Observation::Recovered));
        for waiting in std::mem::take(&mut self.waiting) {
            self.send_command(waiting.command, waiting.resent, out);
        }
    }

    fn send_command(&mut self, command: Incoming, resent: u32, out: &mut Vec<Output>) {
        let message = Command {
            entity_id: self.entity_id.clone(),
            id: 0,
            name: command.name.clone(),
            payload: Some(command.payload.clone()),
            streamed: command.streamed,
            metadata: command.context.to_metadata(),
        };
        out.push(Output::Observed(Observation::CommandSent(command.token)));
        let id = self.sent.send(command, resent);
        out.push(send(In::Command(Command { id, ..message })));
    }

    fn on_message(&mut self, message: CrdtStreamOut, now: Millis, out: &mut Vec<Output>) {
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
                    let failure = failed(ErrorCode::StateTooLarge, &text);
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

    fn on_not_written(&mut self, reason: &str, out: &mut Vec<Output>) {
        for token in self.replica.not_written(out) {
            self.sent.forget(token);
        }
        if self.phase != Phase::Settling {
            self.crash(&format!("Failed to update CRDT: {reason}"), out);
        }
    }

    fn on_client_gone(&mut self, token: Token, out: &mut Vec<Output>) {
        let Some(id) = self.sent.id(token) else {
            return self.withdraw(token, failed(ErrorCode::ClientGone, "the client went away"), out);
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

    /// Answers a command that was not sent yet, which it then never is.
    fn withdraw(&mut self, token: Token, answer: Answer, out: &mut Vec<Output>) {
        let at = self.waiting.iter().position(|waiting| waiting.command.token == token);
        if at.and_then(|at| self.waiting.remove(at)).is_some() {
            out.push(Output::Answer(token, answer));
        }
    }

    fn cancel(&mut self, id: i64, token: Token, answered: bool, out: &mut Vec<Output>) {
        self.sent.cancel(id, token, answered);
        out.push(send(In::StreamCancelled(StreamCancelled { entity_id: self.entity_id.clone(), id })));
        out.push(Output::AwaitCancelled(token));
    }

    fn on_timed_out(&mut self, token: Token, unreachable: Option<String>, out: &mut Vec<Output>) {
        let Some(id) = self.sent.id(token) else {
            return self.withdraw(
                token,
                unreachable.map_or_else(timed_out, |why| failed(ErrorCode::UserFunctionAway, why)),
                out,
            );
        };
        if let Some(unanswered) = self.sent.unanswered.get_mut(&id) {
            // Others are answered meanwhile, so the stream stays; a late reply still changes the state.
            unanswered.caller = Caller::TimedOut;
            out.push(Output::Answer(token, timed_out()));
        } else if let Some(to) = self.sent.cancelled(id) {
            self.replica.tell(Message { to, answer: decided(None, Vec::new()), last: true }, false, out);
        }
    }

    fn on_stream_ended(&mut self, end: End, out: &mut Vec<Output>) {
        match self.phase {
            Phase::Dormant | Phase::Loading | Phase::Opening | Phase::Settling => {}
            Phase::Closing => self.closed(out),
            Phase::Live => match end {
                End::Lost => self.lost(out),
                // Nobody was waiting: a user function may end an idle stream, for example when it restarts.
                _ if !self.sent.is_missed() => {
                    self.fail_sent(
                        &Failure::fixed(ErrorCode::EntityStreamEnded, UNEXPECTED_TERMINATION),
                        out,
                    );
                    self.leave(out);
                }
                End::Completed => self.crash("Unexpected entity termination due to stream closure", out),
                End::Failed(why) => self.crash(&format!("Entity crashed: {why}"), out),
            },
        }
    }

    /// The process is gone. Nothing is stored for a command before its reply, so another process gets it.
    fn lost(&mut self, out: &mut Vec<Output>) {
        let (unanswered, streams) = self.sent.take();
        let gone = Failure::fixed(ErrorCode::UserFunctionGone, UNEXPECTED_TERMINATION);
        for Unanswered { command, resent, caller } in unanswered.into_iter().rev() {
            match caller {
                Caller::Waits if resent < MAX_RESENT => {
                    out.push(Output::Observed(Observation::CommandStashed(command.token)));
                    self.waiting.push_front(Waiting { command, resent: resent + 1 });
                }
                Caller::Waits | Caller::Gone => {
                    out.push(Output::Answer(command.token, Answer::Failed(gone.clone())));
                }
                Caller::TimedOut => {}
            }
        }
        self.fail_streams(streams, &gone, out);
        self.leave(out);
    }

    fn on_idle_timeout(&mut self, out: &mut Vec<Output>) {
        match self.phase {
            _ if !self.is_idle() => {}
            Phase::Opening => {
                out.push(Output::Reset);
                self.leave(out);
            }
            _ => self.half_close(out),
        }
    }

    fn on_close_timed_out(&mut self, out: &mut Vec<Output>) {
        if self.phase == Phase::Closing {
            out.push(Output::Reset);
            self.closed(out);
        }
    }

    fn on_drain(&mut self, out: &mut Vec<Output>) {
        self.draining = true;
        match self.phase {
            Phase::Dormant => out.push(Output::Stop),
            _ => self.complete_streams(out),
        }
    }

    fn complete_streams(&mut self, out: &mut Vec<Output>) {
        self.completing = true;
        self.end_streams(out);
    }

    /// Completes all client streams, and gives up cancellations.
    fn end_streams(&mut self, out: &mut Vec<Output>) {
        let open: Vec<i64> = self.sent.open.keys().chain(self.sent.cancelling.keys()).copied().collect();
        for id in open {
            if let Some(to) = self.sent.close(id).or_else(|| self.sent.cancelled(id)) {
                self.replica.tell(Message { to, answer: decided(None, Vec::new()), last: true }, false, out);
            }
        }
    }

    fn half_close(&mut self, out: &mut Vec<Output>) {
        self.phase = Phase::Closing;
        out.push(Output::HalfClose);
    }

    /// The stream ended after we half-closed it. Of a deleted entity others may have waited.
    fn closed(&mut self, out: &mut Vec<Output>) {
        let (unanswered, _) = self.sent.take();
        for unanswered in unanswered {
            if unanswered.caller != Caller::TimedOut {
                let message = Message { to: unanswered.command.token, answer: deleted(), last: true };
                self.replica.tell(message, false, out);
            }
        }
        self.leave(out);
    }

    /// Fails everyone whose answer is not on its way and gives the stream up; the next command starts from the store.
    fn crash(&mut self, text: &str, out: &mut Vec<Output>) {
        out.push(self.report(text));
        out.push(Output::Observed(Observation::Crashed));
        out.push(Output::Reset);
        for token in self.replica.abandon(out) {
            self.sent.forget(token);
        }
        self.fail_sent(&Failure::fixed(ErrorCode::EntityTerminated, super::TERMINATING), out);
        self.leave(out);
    }

    fn fail_sent(&mut self, failure: &Failure, out: &mut Vec<Output>) {
        let (unanswered, streams) = self.sent.take();
        let waiting = unanswered.into_iter().filter(|sent| sent.caller != Caller::TimedOut);
        for waiting in waiting {
            out.push(Output::Answer(waiting.command.token, Answer::Failed(failure.clone())));
        }
        self.fail_streams(streams, failure, out);
    }

    fn fail_streams(&mut self, streams: Vec<Token>, failure: &Failure, out: &mut Vec<Output>) {
        for to in streams {
            // Elements on their way to it come first.
            self.replica.tell(
                Message { to, answer: Answer::Failed(failure.clone()), last: true },
                false,
                out,
            );
        }
    }

    /// The stream is gone.
    fn leave(&mut self, out: &mut Vec<Output>) {
        self.phase = Phase::Settling;
        self.sent = Sent::default();
        out.push(Output::Observed(Observation::Deactivated));
    }

    /// Starts again if somebody waits.
    fn dormant(&mut self, out: &mut Vec<Output>) {
        if self.waiting.is_empty() {
            self.phase = Phase::Dormant;
            out.push(Output::Stop);
        } else {
            self.activate(out);
        }
    }

    fn refuse_waiting(&mut self, out: &mut Vec<Output>) {
        for waiting in self.waiting.drain(..) {
            out.push(Output::Answer(waiting.command.token, deleted()));
        }
    }

    fn fail_waiting(&mut self, text: &str, out: &mut Vec<Output>) {
        for waiting in self.waiting.drain(..) {
            out.push(Output::Answer(waiting.command.token, failed(ErrorCode::NotLoaded, text)));
        }
    }

    fn report(&self, text: &str) -> Output {
        Output::Report(format!("{text} (service {}, entity {})", self.service_name, self.entity_id))
    }
}

fn send(message: In) -> Output {
    Output::Send(CrdtStreamIn { message: Some(message) })
}

fn decided(action: Option<ClientAction>, side_effects: Vec<cloudstate_proto::SideEffect>) -> Answer {
    Answer::Decided { action: action.and_then(|ClientAction { action }| action), side_effects }
}

fn failed(error: ErrorCode, text: impl Into<String>) -> Answer {
    Answer::Failed(Failure::new(error, text))
}

fn deleted() -> Answer {
    Answer::Failed(Failure::fixed(ErrorCode::EntityDeleted, DELETED))
}

fn timed_out() -> Answer {
    failed(ErrorCode::NoAnswer, "the command was not answered in time")
}
