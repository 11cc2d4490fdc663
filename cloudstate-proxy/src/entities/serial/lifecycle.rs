//! One entity that takes one command at a time, and its stream, as a pure state machine: inputs in, outputs out, no
//! I/O, no clock.
//!
//! ```text
//!            ┌─────────── restart, lost, or commands that arrived meanwhile ───────────┐
//!            ▼                                                                         │
//! Dormant → Loading ───── all that is stored was sent ─────→ Idle ⇄ Awaiting → Storing │
//!            │                                                 │        │         │    │
//!            └───────────────────── half-close ────────────────┴────────┴─────────┴→ Closing → Dormant
//! ```

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use cloudstate_proto::{Any, Command, Failure as WireFailure, client_action::Action};

use super::kind::{FromFunction, Names, Reply, SerialKind};
use crate::{
    code::Code,
    entities::{Answer, Token, observer::Observation, stream::End},
    error_code::ErrorCode,
    routing::Failure,
    service_catalog::Method,
    telemetry::{metrics::Volume, trace_context::TraceContext},
};

/// How often a command is sent again because the process went away that it was sent to.
const MAX_RESENDS: u8 = 3;

/// What happens to an entity.
#[derive(Clone, Debug)]
pub(crate) enum Input<K: SerialKind> {
    /// A command arrived.
    Command(Incoming),
    /// The answer to [`Output::Load`].
    Loaded(K::Loaded),
    /// The store could not be read.
    LoadFailed(String),
    /// The answer to [`Output::Store`]: the new position, or why nothing was stored; INTERNAL if the user function
    /// sent what no store takes.
    Stored(Result<K::Position, Failure>),
    /// The user function wrote to the stream.
    FromFunction(K::Out),
    /// The user function's side of the stream ended.
    StreamEnded(End),
    /// The command with this token has waited as long as it may; for a stream, if there is a reason.
    TimedOut { token: Token, unreachable: Option<String> },
    /// Nothing happened for the passivation time, or others need the room.
    IdleTimeout,
    /// The user function did not end a half-closed stream in time.
    CloseTimedOut,
    /// The proxy stops: finish the commands that are here and close.
    Drain,
}

/// A command on its way to the entity.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    pub(crate) token: Token,
    pub(crate) method: Arc<Method>,
    pub(crate) payload: Bytes,
    pub(crate) context: TraceContext,
    /// How often it was sent to a process that went away.
    pub(crate) resends: u8,
}

/// What the shell must do, in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Output<K: SerialKind> {
    /// Open a stream to the user function.
    OpenStream,
    /// Read from the store, once everything sent so far is on its way.
    Load(K::Load),
    /// Write to the stream.
    Send(K::In),
    /// End our side of the stream; the user function then ends its own.
    HalfClose,
    /// Abandon the stream.
    Reset,
    /// Make the changes of a command durable.
    Store { position: K::Position, changes: K::Changes },
    /// Answer a caller.
    Answer(Token, Answer),
    /// Tell the developer of the user function.
    Report(String),
    /// Something worth counting.
    Observed(Observation),
    /// The entity is dormant and nobody waits for it: forget it.
    Stop,
}

/// The state machine.
#[derive(Debug)]
pub(crate) struct Lifecycle<K: SerialKind> {
    entity_id: Arc<str>,
    /// The service by its current name: that of the newest contract that an activation knew.
    service: Arc<str>,
    /// Commands that wait, at most `stash_limit` and one that is sent again.
    stash: VecDeque<Incoming>,
    stash_limit: usize,
    position: K::Position,
    /// The id of the last command on the current stream.
    command_id: i64,
    phase: Phase,
    draining: bool,
}

#[derive(Debug)]
enum Phase {
    /// No stream.
    Dormant,
    /// A stream is being opened; what is stored is read and sent.
    Loading,
    /// Ready for a command.
    Idle,
    /// A command was sent.
    Awaiting(Incoming),
    /// The reply came, what it changed is being stored. Whatever happens to the stream meanwhile waits until the
    /// caller has learnt the truth.
    Storing { token: Token, answer: Answer, volume: Volume, then: AfterStoring },
    /// Our side is half-closed; whatever still arrives is ignored until the other side ends.
    Closing { reopen: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AfterStoring {
    Continue,
    /// The user function broke the protocol.
    Close,
    /// The stream is gone.
    Dormant,
}

impl<K: SerialKind> Lifecycle<K> {
    pub(crate) fn new(service: Arc<str>, entity_id: Arc<str>, stash_limit: usize) -> Self {
        Self {
            entity_id,
            service,
            stash: VecDeque::new(),
            stash_limit,
            position: K::Position::default(),
            command_id: 0,
            phase: Phase::Dormant,
            draining: false,
        }
    }

    /// Whether the entity is ready and has nothing to do: only then does the passivation time run.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle)
    }

    /// Whether the end of the stream now would be no passivation, so that it matters how it ended.
    pub(crate) fn needs_stream(&self) -> bool {
        matches!(self.phase, Phase::Loading | Phase::Awaiting(_) | Phase::Storing { .. })
    }

    /// Takes one input; appends what is to be done.
    pub(crate) fn step(&mut self, input: Input<K>, out: &mut Vec<Output<K>>) {
        match input {
            Input::Command(command) => self.on_command(command, out),
            Input::Loaded(loaded) => self.on_loaded(loaded, out),
            Input::LoadFailed(reason) => self.on_load_failed(&reason, out),
            Input::Stored(result) => self.on_stored(result, out),
            Input::FromFunction(message) => self.on_message(message, out),
            Input::StreamEnded(end) => self.on_stream_ended(&end, out),
            Input::TimedOut { token, unreachable } => self.on_timed_out(token, unreachable, out),
            Input::IdleTimeout => self.on_idle_timeout(out),
            Input::CloseTimedOut => self.on_close_timed_out(out),
            Input::Drain => self.on_drain(out),
        }
    }

    fn on_command(&mut self, command: Incoming, out: &mut Vec<Output<K>>) {
        if self.stash.len() >= self.stash_limit {
            let text = format!("{} commands are already waiting for this entity", self.stash_limit);
            out.push(Output::Answer(command.token, Answer::failed(ErrorCode::EntityBusy, text)));
            return;
        }
        out.push(Output::Observed(Observation::CommandReceived(command.token)));
        if !self.is_idle() {
            out.push(Output::Observed(Observation::CommandStashed(command.token)));
        }
        self.stash.push_back(command);
        match self.phase {
            Phase::Dormant => self.activate(out),
            Phase::Idle => self.next_command(out),
            _ => {}
        }
    }

    /// Opens a stream; what is stored follows.
    fn activate(&mut self, out: &mut Vec<Output<K>>) {
        if let Some(command) = self.stash.back() {
            self.service = Arc::clone(&command.method.service.name);
        }
        self.position = K::Position::default();
        self.command_id = 0;
        self.phase = Phase::Loading;
        out.push(Output::Observed(Observation::Activated));
        out.push(Output::OpenStream);
        out.push(Output::Load(K::FIRST_LOAD));
    }

    fn on_loaded(&mut self, loaded: K::Loaded, out: &mut Vec<Output<K>>) {
        if !matches!(self.phase, Phase::Loading) {
            return;
        }
        out.push(Output::Observed(Observation::Loaded(K::volume_loaded(&loaded))));
        let names = Names { service: &self.service, entity_id: &self.entity_id };
        let mut messages = Vec::new();
        let next = K::replay(loaded, &mut self.position, names, &mut messages);
        out.extend(messages.into_iter().map(Output::Send));
        match next {
            Some(load) => out.push(Output::Load(load)),
            None => {
                self.phase = Phase::Idle;
                out.push(Output::Observed(Observation::Recovered));
                self.next_command(out);
            }
        }
    }

    fn on_load_failed(&mut self, reason: &str, out: &mut Vec<Output<K>>) {
        if matches!(self.phase, Phase::Loading) {
            out.push(Output::Observed(Observation::Crashed));
            let text = format!("{}: {reason}", K::TEXTS.load_failed);
            self.fail_stash(&Failure::new(ErrorCode::NotLoaded, text), out);
            self.close(false, out);
        }
    }

    /// Sends the command that has waited longest; without one, closes if the proxy stops.
    fn next_command(&mut self, out: &mut Vec<Output<K>>) {
        let Some(command) = self.stash.pop_front() else {
            if self.draining {
                self.close(false, out);
            }
            return;
        };
        self.command_id += 1;
        out.push(Output::Observed(Observation::CommandSent(command.token)));
        out.push(Output::Send(K::command(Command {
            entity_id: self.entity_id.as_ref().to_owned(),
            id: self.command_id,
            name: command.method.name.as_ref().to_owned(),
            payload: Some(Any {
                type_url: command.method.input_type_url.clone(),
                value: command.payload.clone(),
            }),
            streamed: false,
            metadata: command.context.to_metadata(),
        })));
        self.phase = Phase::Awaiting(command);
    }

    fn on_message(&mut self, message: K::Out, out: &mut Vec<Output<K>>) {
        if matches!(self.phase, Phase::Closing { .. } | Phase::Dormant) {
            return;
        }
        match K::read(message) {
            Ok(FromFunction::Reply(reply)) => self.on_reply(reply, out),
            Ok(FromFunction::Failure(failure)) => self.on_failure(failure, out),
            Err(detail) => self.violation(K::TEXTS.unexpected_message, detail, out),
        }
    }

    /// The description reaches the caller only if the failure names its command; proxies before protocol 0.2 showed it
    /// too, later ones hide it.
    fn on_failure(&mut self, failure: WireFailure, out: &mut Vec<Output<K>>) {
        let unexpected = K::TEXTS.unexpected_failure;
        out.push(self.report(&format!("{unexpected}: {}", failure.description)));
        let names_command = matches!(self.phase, Phase::Awaiting(_)) && failure.command_id == self.command_id;
        let description = if names_command { failure.description } else { unexpected.to_owned() };
        let mut told = Failure::fixed(ErrorCode::EntityFailed, description);
        told.code = Code::from_number(failure.grpc_status_code);
        self.crash(told, out);
    }

    fn on_reply(&mut self, reply: Reply<K::Changes>, out: &mut Vec<Output<K>>) {
        let Reply { command_id, action, side_effects, changes } = reply;
        let token = match &self.phase {
            Phase::Awaiting(command) if command_id == self.command_id => command.token,
            _ => {
                let detail = format!("a reply to command {command_id}, which is not outstanding");
                return self.violation(K::TEXTS.unexpected_reply, &detail, out);
            }
        };
        out.push(Output::Observed(Observation::ReplyReceived(token)));
        let (failed, restart) = match &action {
            Some(Action::Failure(failure)) => (true, failure.restart && K::RESTARTS),
            _ => (false, false),
        };
        let answer = Answer::Decided { action, side_effects };
        match changes {
            Some(changes) if !failed => {
                let volume = K::volume_stored(&changes);
                self.phase = Phase::Storing { token, answer, volume, then: AfterStoring::Continue };
                out.push(Output::Observed(Observation::Persisting));
                out.push(Output::Store { position: self.position, changes });
            }
            // A failed command keeps nothing. Changes beside a failure mean that the function's state is ahead of the
            // store, so it is rebuilt even when it did not ask for that (the reference proxy stores such changes,
            // although the caller is told that the command failed).
            changes => {
                out.push(Output::Answer(token, answer));
                if restart || changes.is_some() {
                    return self.close(true, out);
                }
                self.phase = Phase::Idle;
                self.next_command(out);
            }
        }
    }

    fn on_stored(&mut self, result: Result<K::Position, Failure>, out: &mut Vec<Output<K>>) {
        let Phase::Storing { token, answer, volume, then } = std::mem::replace(&mut self.phase, Phase::Idle)
        else {
            unreachable!("the store answers only what was asked");
        };
        let failed = result.is_err();
        match result {
            Ok(position) => {
                self.position = position;
                out.push(Output::Observed(Observation::Persisted(volume)));
                out.push(Output::Answer(token, answer));
            }
            Err(failure) => {
                if failure.error == Some(ErrorCode::TooLargeToStore) {
                    out.push(self.report(&failure.description));
                }
                out.push(Output::Answer(token, Answer::Failed(failure)));
                out.push(Output::Observed(Observation::Crashed));
                self.fail_stash(&terminated::<K>(), out);
            }
        }
        match then {
            AfterStoring::Dormant => self.dormant(false, out),
            // The function's state is ahead of the store.
            AfterStoring::Continue if failed => self.close(false, out),
            AfterStoring::Continue => self.next_command(out),
            AfterStoring::Close => self.close(false, out),
        }
    }

    fn on_stream_ended(&mut self, end: &End, out: &mut Vec<Output<K>>) {
        match (&mut self.phase, end) {
            (Phase::Dormant, _) => {}
            (Phase::Closing { reopen }, _) => {
                let reopen = *reopen;
                self.dormant(reopen, out);
            }
            // Nobody was waiting: a user function may end an idle stream, for example when it restarts.
            (Phase::Idle, _) => self.dormant(false, out),
            (Phase::Storing { then, .. }, End::Lost) => *then = AfterStoring::Dormant,
            (_, End::Lost) => self.hold(out),
            (_, End::Completed) => self.ended_unexpectedly("the user function completed it", out),
            (_, End::Failed(why)) => self.ended_unexpectedly(why, out),
        }
    }

    /// The process went away that the stream led to. Nothing of its command was stored, so the next process gets it
    /// again, unless this proxy stops as well.
    fn hold(&mut self, out: &mut Vec<Output<K>>) {
        if let Phase::Awaiting(command) = std::mem::replace(&mut self.phase, Phase::Dormant) {
            if command.resends < MAX_RESENDS && !self.draining {
                out.push(Output::Observed(Observation::CommandStashed(command.token)));
                self.stash.push_front(Incoming { resends: command.resends + 1, ..command });
            } else {
                let failure = Failure::fixed(ErrorCode::UserFunctionGone, K::TEXTS.unexpected_termination);
                out.push(Output::Answer(command.token, Answer::Failed(failure)));
            }
        }
        if self.draining {
            self.fail_stash(&terminated::<K>(), out);
        }
        self.dormant(false, out);
    }

    fn ended_unexpectedly(&mut self, why: &str, out: &mut Vec<Output<K>>) {
        let termination = K::TEXTS.unexpected_termination;
        out.push(self.report(&format!("{termination}: {why}")));
        self.fail_everyone(Failure::fixed(ErrorCode::EntityStreamEnded, termination), out);
        match &mut self.phase {
            Phase::Storing { then, .. } => *then = AfterStoring::Dormant,
            _ => self.dormant(false, out),
        }
    }

    fn on_timed_out(&mut self, token: Token, unreachable: Option<String>, out: &mut Vec<Output<K>>) {
        let failure = match unreachable {
            Some(reason) => Failure::new(ErrorCode::UserFunctionAway, reason),
            None => Failure::new(ErrorCode::NoAnswer, "the command was not answered in time"),
        };
        if let Some(at) = self.stash.iter().position(|command| command.token == token) {
            self.stash.remove(at);
            out.push(Output::Answer(token, Answer::Failed(failure)));
            self.give_up_activation(out);
        } else if matches!(&self.phase, Phase::Awaiting(command) if command.token == token) {
            // The function is stuck in this command: its stream is given up, the queue gets a new one.
            out.push(Output::Answer(token, Answer::Failed(failure)));
            out.push(Output::Observed(Observation::Crashed));
            out.push(Output::Reset);
            self.dormant(false, out);
        }
    }

    /// Nobody is left who needs the stream that is being made.
    fn give_up_activation(&mut self, out: &mut Vec<Output<K>>) {
        if matches!(self.phase, Phase::Loading) && self.stash.is_empty() {
            out.push(Output::Reset);
            self.dormant(false, out);
        }
    }

    fn on_idle_timeout(&mut self, out: &mut Vec<Output<K>>) {
        if self.is_idle() {
            self.close(false, out);
        }
    }

    fn on_close_timed_out(&mut self, out: &mut Vec<Output<K>>) {
        if let Phase::Closing { reopen } = self.phase {
            out.push(Output::Reset);
            self.dormant(reopen, out);
        }
    }

    fn on_drain(&mut self, out: &mut Vec<Output<K>>) {
        self.draining = true;
        match self.phase {
            Phase::Dormant => out.push(Output::Stop),
            Phase::Idle => self.close(false, out),
            _ => self.give_up_activation(out),
        }
    }

    /// The user function broke the protocol.
    fn violation(&mut self, text: &str, detail: &str, out: &mut Vec<Output<K>>) {
        out.push(self.report(&format!("{text}: {detail}")));
        self.crash(Failure::fixed(ErrorCode::ProtocolViolation, text), out);
    }

    /// Fails everyone who waits and closes the stream; the next command starts from the store.
    fn crash(&mut self, failure: Failure, out: &mut Vec<Output<K>>) {
        self.fail_everyone(failure, out);
        match &mut self.phase {
            Phase::Storing { then, .. } => *then = AfterStoring::Close,
            _ => self.close(false, out),
        }
    }

    /// Answers everyone but the caller whose changes are being stored.
    fn fail_everyone(&mut self, failure: Failure, out: &mut Vec<Output<K>>) {
        out.push(Output::Observed(Observation::Crashed));
        match &self.phase {
            Phase::Awaiting(command) => {
                out.push(Output::Answer(command.token, Answer::Failed(failure)));
                self.fail_stash(&terminated::<K>(), out);
            }
            Phase::Storing { .. } => self.fail_stash(&terminated::<K>(), out),
            _ => self.fail_stash(&failure, out),
        }
    }

    fn fail_stash(&mut self, failure: &Failure, out: &mut Vec<Output<K>>) {
        for command in self.stash.drain(..) {
            out.push(Output::Answer(command.token, Answer::Failed(failure.clone())));
        }
    }

    fn close(&mut self, reopen: bool, out: &mut Vec<Output<K>>) {
        self.phase = Phase::Closing { reopen };
        out.push(Output::HalfClose);
    }

    /// The stream is gone: opens the next one if somebody needs it.
    fn dormant(&mut self, reopen: bool, out: &mut Vec<Output<K>>) {
        self.phase = Phase::Dormant;
        out.push(Output::Observed(Observation::Deactivated));
        if !self.stash.is_empty() || (reopen && !self.draining) {
            self.activate(out);
        } else {
            out.push(Output::Stop);
        }
    }

    fn report(&self, text: &str) -> Output<K> {
        Output::Report(format!("{text} (service {}, entity {})", self.service, self.entity_id))
    }
}

/// For commands that waited while the entity crashed.
fn terminated<K: SerialKind>() -> Failure {
    Failure::fixed(ErrorCode::EntityTerminated, K::TEXTS.terminated)
}
