//! One event sourced entity and its stream, as a pure state machine: inputs in, outputs out, no I/O, no
//! clock.
//!
//! ```text
//!            ┌────────────── restart, or commands that arrived meanwhile ──────────────┐
//!            ▼                                                                         │
//! Dormant → Loading ─ snapshot → Replaying ─ no more events → Idle ⇄ Awaiting → Storing │
//!            │                      │                          │        │         │    │
//!            └──────────────────────┴───── half-close ─────────┴────────┴─────────┴→ Closing → Dormant
//! ```

use std::collections::VecDeque;

use cloudstate_proto::{
    Any, ClientAction, Command,
    client_action::Action,
    eventsourced::{
        EventSourcedEvent, EventSourcedInit, EventSourcedReply, EventSourcedSnapshot, EventSourcedStreamIn,
        EventSourcedStreamOut, event_sourced_stream_in::Message as In,
        event_sourced_stream_out::Message as Out,
    },
};

use crate::{
    code::Code,
    entities::Answer,
    routing::Failure,
    storage::{StoredEvent, StoredSnapshot},
};

/// What happens to an entity.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// A command arrived.
    Command(Incoming),
    /// The answer to [`Output::LoadSnapshot`].
    Snapshot(Option<StoredSnapshot>),
    /// The answer to [`Output::LoadEvents`]: a page, empty at the end of the journal.
    Events(Vec<StoredEvent>),
    /// The store could not be read.
    LoadFailed(String),
    /// The answer to [`Output::Append`]: the sequence of the last event, or why nothing was stored; INTERNAL if the
    /// user function sent what no store takes.
    Stored(Result<u64, Failure>),
    /// The user function wrote to the stream.
    FromFunction(EventSourcedStreamOut),
    /// The user function's side of the stream ended; an error unless it ended with OK.
    StreamEnded(Option<String>),
    /// The command with this token has waited as long as it may; for a stream, if there is a reason.
    TimedOut { token: Token, unreachable: Option<String> },
    /// Nothing happened for the passivation time.
    IdleTimeout,
    /// The user function did not end a half-closed stream in time.
    CloseTimedOut,
    /// The proxy stops: finish the commands that are here and close.
    Drain,
}

/// Names a caller between the shell and the lifecycle.
pub(crate) type Token = u64;

/// A command on its way to the entity.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Incoming {
    pub(crate) token: Token,
    pub(crate) name: String,
    pub(crate) payload: Any,
}

/// What the shell must do, in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Output {
    /// Open a stream to the user function.
    OpenStream,
    /// Read the newest snapshot.
    LoadSnapshot,
    /// Read a page of the events after this sequence, once everything sent so far is on its way.
    LoadEvents { after: u64 },
    /// Write to the stream.
    Send(EventSourcedStreamIn),
    /// End our side of the stream; the user function then ends its own.
    HalfClose,
    /// Abandon the stream.
    Reset,
    /// Make events and snapshot durable.
    Append { expected: u64, events: Vec<Any>, snapshot: Option<Any> },
    /// Answer a caller.
    Answer(Token, Answer),
    /// Tell the developer of the user function.
    Report(String),
    /// Something worth counting.
    Observed(Observation),
    /// The entity is dormant and nobody waits for it: forget it.
    Stop,
}

/// What the metrics count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Observation {
    Activated,
    Recovered,
    SnapshotLoaded { bytes: usize },
    EventsLoaded { events: usize, bytes: usize },
    CommandReceived,
    CommandStashed(Token),
    CommandUnstashed(Token),
    CommandSent,
    ReplyReceived,
    CommandCompleted { failed: bool },
    Persisted { events: usize, event_bytes: usize, snapshot_bytes: Option<usize> },
    Crashed,
    Deactivated,
}

// The texts of the reference proxy, which clients may know.
const UNEXPECTED_REPLY: &str = "Unexpected entity reply";
const UNEXPECTED_FAILURE: &str = "Unexpected entity failure";
const UNEXPECTED_MESSAGE: &str = "Unexpected entity message";
const UNEXPECTED_TERMINATION: &str = "Unexpected entity termination";
const TERMINATED: &str = "Entity terminated";
const RECOVERY_FAILED: &str = "Error recovering event log";

/// The state machine.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    service_name: String,
    entity_id: String,
    /// Commands that wait, at most `stash_limit`.
    stash: VecDeque<Incoming>,
    stash_limit: usize,
    /// The sequence of the last stored event.
    sequence: u64,
    /// The id of the last command on the current stream.
    command_id: i64,
    phase: Phase,
    draining: bool,
}

#[derive(Debug)]
enum Phase {
    /// No stream.
    Dormant,
    /// A stream is open, the snapshot is being read.
    Loading,
    /// Events are being read and sent.
    Replaying,
    /// Ready for a command.
    Idle,
    /// A command was sent.
    Awaiting(Token),
    /// The reply came, its events are being stored. Whatever happens to the stream meanwhile waits until the
    /// caller has learnt the truth.
    Storing { token: Token, answer: Answer, stored: Observation, then: AfterStoring },
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

impl Lifecycle {
    pub(crate) fn new(
        service_name: impl Into<String>,
        entity_id: impl Into<String>,
        stash_limit: usize,
    ) -> Self {
        Self {
            service_name: service_name.into(),
            entity_id: entity_id.into(),
            stash: VecDeque::new(),
            stash_limit,
            sequence: 0,
            command_id: 0,
            phase: Phase::Dormant,
            draining: false,
        }
    }

    /// Whether the entity is ready and has nothing to do: only then does the passivation time run.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle)
    }

    /// Takes one input; appends what is to be done.
    pub(crate) fn step(&mut self, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Command(command) => self.on_command(command, out),
            Input::Snapshot(snapshot) => self.on_snapshot(snapshot, out),
            Input::Events(events) => self.on_events(events, out),
            Input::LoadFailed(reason) => self.on_load_failed(&reason, out),
            Input::Stored(result) => self.on_stored(result, out),
            Input::FromFunction(message) => self.on_message(message, out),
            Input::StreamEnded(error) => self.on_stream_ended(error, out),
            Input::TimedOut { token, unreachable } => self.on_timed_out(token, unreachable, out),
            Input::IdleTimeout => self.on_idle_timeout(out),
            Input::CloseTimedOut => self.on_close_timed_out(out),
            Input::Drain => self.on_drain(out),
        }
    }

    fn on_command(&mut self, command: Incoming, out: &mut Vec<Output>) {
        if self.stash.len() >= self.stash_limit {
            let text = format!("{} commands are already waiting for this entity", self.stash_limit);
            out.push(Output::Answer(command.token, Answer::failed(Code::ResourceExhausted, text)));
            return;
        }
        out.push(Output::Observed(Observation::CommandReceived));
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

    /// Opens a stream; the history follows.
    fn activate(&mut self, out: &mut Vec<Output>) {
        self.sequence = 0;
        self.command_id = 0;
        self.phase = Phase::Loading;
        out.push(Output::Observed(Observation::Activated));
        out.push(Output::OpenStream);
        out.push(Output::LoadSnapshot);
    }

    fn on_snapshot(&mut self, snapshot: Option<StoredSnapshot>, out: &mut Vec<Output>) {
        if !matches!(self.phase, Phase::Loading) {
            return;
        }
        if let Some(snapshot) = &snapshot {
            self.sequence = snapshot.sequence;
            let bytes = snapshot.payload.value.len();
            out.push(Output::Observed(Observation::SnapshotLoaded { bytes }));
        }
        let snapshot = snapshot.map(|snapshot| EventSourcedSnapshot {
            snapshot_sequence: snapshot.sequence as i64,
            snapshot: Some(snapshot.payload),
        });
        let init = EventSourcedInit {
            service_name: self.service_name.clone(),
            entity_id: self.entity_id.clone(),
            snapshot,
        };
        out.push(Output::send(In::Init(init)));
        self.phase = Phase::Replaying;
        out.push(Output::LoadEvents { after: self.sequence });
    }

    fn on_events(&mut self, events: Vec<StoredEvent>, out: &mut Vec<Output>) {
        if !matches!(self.phase, Phase::Replaying) {
            return;
        }
        if events.is_empty() {
            self.phase = Phase::Idle;
            out.push(Output::Observed(Observation::Recovered));
            self.next_command(out);
            return;
        }
        let bytes = events.iter().map(|event| event.payload.value.len()).sum();
        out.push(Output::Observed(Observation::EventsLoaded { events: events.len(), bytes }));
        for event in events {
            self.sequence = event.sequence;
            let event = EventSourcedEvent { sequence: event.sequence as i64, payload: Some(event.payload) };
            out.push(Output::send(In::Event(event)));
        }
        out.push(Output::LoadEvents { after: self.sequence });
    }

    fn on_load_failed(&mut self, reason: &str, out: &mut Vec<Output>) {
        if matches!(self.phase, Phase::Loading | Phase::Replaying) {
            out.push(Output::Observed(Observation::Crashed));
            self.fail_stash(Code::Unavailable, &format!("{RECOVERY_FAILED}: {reason}"), out);
            self.close(false, out);
        }
    }

    /// Sends the command that has waited longest; without one, closes if the proxy stops.
    fn next_command(&mut self, out: &mut Vec<Output>) {
        let Some(command) = self.stash.pop_front() else {
            if self.draining {
                self.close(false, out);
            }
            return;
        };
        self.command_id += 1;
        self.phase = Phase::Awaiting(command.token);
        out.push(Output::Observed(Observation::CommandUnstashed(command.token)));
        out.push(Output::Observed(Observation::CommandSent));
        out.push(Output::send(In::Command(Command {
            entity_id: self.entity_id.clone(),
            id: self.command_id,
            name: command.name,
            payload: Some(command.payload),
            streamed: false,
            metadata: None,
        })));
    }

    fn on_message(&mut self, message: EventSourcedStreamOut, out: &mut Vec<Output>) {
        if matches!(self.phase, Phase::Closing { .. } | Phase::Dormant) {
            return;
        }
        match message.message {
            Some(Out::Reply(reply)) => self.on_reply(reply, out),
            Some(Out::Failure(failure)) => {
                // The description reaches the caller only if the failure names its command; proxies before
                // protocol 0.2 showed it too, later ones hide it.
                let text = match self.phase {
                    Phase::Awaiting(_) if failure.command_id == self.command_id => {
                        failure.description.clone()
                    }
                    _ => UNEXPECTED_FAILURE.to_owned(),
                };
                out.push(self.report(&format!("{UNEXPECTED_FAILURE}: {}", failure.description)));
                self.crash(
                    Failure { code: Code::from_number(failure.grpc_status_code), description: text },
                    out,
                );
            }
            None => self.violation(UNEXPECTED_MESSAGE, "a message without reply or failure", out),
        }
    }

    fn on_reply(&mut self, reply: EventSourcedReply, out: &mut Vec<Output>) {
        let token = match self.phase {
            Phase::Awaiting(token) if reply.command_id == self.command_id => token,
            _ => {
                let detail = format!("a reply to command {}, which is not outstanding", reply.command_id);
                return self.violation(UNEXPECTED_REPLY, &detail, out);
            }
        };
        out.push(Output::Observed(Observation::ReplyReceived));
        let action = reply.client_action.and_then(|ClientAction { action }| action);
        let failed = matches!(action, Some(Action::Failure(_)));
        let restart = match &action {
            Some(Action::Failure(failure)) => failure.restart,
            _ => false,
        };
        let answer = Answer::Decided { action, side_effects: reply.side_effects };
        // A failed command keeps nothing. Events beside a failure mean that the function's state is ahead of
        // the journal, so it is rebuilt even when it did not ask for that (the reference proxy stores such
        // events, although the caller is told that the command failed).
        if failed && (restart || !reply.events.is_empty()) {
            out.push(Output::Answer(token, answer));
            out.push(Output::Observed(Observation::CommandCompleted { failed }));
            return self.close(true, out);
        }
        if failed || (reply.events.is_empty() && reply.snapshot.is_none()) {
            return self.complete(token, answer, failed, out);
        }
        let event_bytes = reply.events.iter().map(|event| event.value.len()).sum();
        let snapshot_bytes = reply.snapshot.as_ref().map(|snapshot| snapshot.value.len());
        let stored = Observation::Persisted { events: reply.events.len(), event_bytes, snapshot_bytes };
        self.phase = Phase::Storing { token, answer, stored, then: AfterStoring::Continue };
        out.push(Output::Append { expected: self.sequence, events: reply.events, snapshot: reply.snapshot });
    }

    fn on_stored(&mut self, result: Result<u64, Failure>, out: &mut Vec<Output>) {
        let Phase::Storing { token, answer, stored, then } = std::mem::replace(&mut self.phase, Phase::Idle)
        else {
            unreachable!("the store answers only what was asked");
        };
        let failed = result.is_err();
        match result {
            Ok(sequence) => {
                self.sequence = sequence;
                out.push(Output::Observed(stored));
                out.push(Output::Answer(token, answer));
            }
            Err(failure) => {
                if failure.code == Some(Code::Internal) {
                    out.push(self.report(&failure.description));
                }
                out.push(Output::Answer(token, Answer::Failed(failure)));
                out.push(Output::Observed(Observation::Crashed));
                self.fail_stash(Code::Unavailable, TERMINATED, out);
            }
        }
        out.push(Output::Observed(Observation::CommandCompleted { failed }));
        match then {
            AfterStoring::Dormant => self.dormant(false, out),
            // The function's state is ahead of the journal.
            AfterStoring::Continue if failed => self.close(false, out),
            AfterStoring::Continue => self.next_command(out),
            AfterStoring::Close => self.close(false, out),
        }
    }

    fn complete(&mut self, token: Token, answer: Answer, failed: bool, out: &mut Vec<Output>) {
        out.push(Output::Answer(token, answer));
        out.push(Output::Observed(Observation::CommandCompleted { failed }));
        self.phase = Phase::Idle;
        self.next_command(out);
    }

    fn on_stream_ended(&mut self, error: Option<String>, out: &mut Vec<Output>) {
        match &mut self.phase {
            Phase::Dormant => {}
            Phase::Closing { reopen } => {
                let reopen = *reopen;
                self.dormant(reopen, out);
            }
            // Nobody was waiting: a user function may end an idle stream, for example when it restarts.
            Phase::Idle => self.dormant(false, out),
            phase => {
                let storing = matches!(phase, Phase::Storing { .. });
                if let Phase::Storing { then, .. } = phase {
                    *then = AfterStoring::Dormant;
                }
                let why = error.as_deref().unwrap_or("the user function completed it");
                out.push(self.report(&format!("{UNEXPECTED_TERMINATION}: {why}")));
                self.fail_everyone(Failure::new(Code::Unavailable, UNEXPECTED_TERMINATION), out);
                if !storing {
                    self.dormant(false, out);
                }
            }
        }
    }

    fn on_timed_out(&mut self, token: Token, unreachable: Option<String>, out: &mut Vec<Output>) {
        let failure = match unreachable {
            Some(reason) => Failure::new(Code::Unavailable, reason),
            None => Failure::new(Code::DeadlineExceeded, "the command was not answered in time"),
        };
        if let Some(at) = self.stash.iter().position(|command| command.token == token) {
            self.stash.remove(at);
            out.push(Output::Answer(token, Answer::Failed(failure)));
            self.give_up_activation(out);
        } else if matches!(self.phase, Phase::Awaiting(awaited) if awaited == token) {
            // The function is stuck in this command: its stream is given up, the queue gets a new one.
            out.push(Output::Answer(token, Answer::Failed(failure)));
            out.push(Output::Observed(Observation::CommandCompleted { failed: true }));
            out.push(Output::Observed(Observation::Crashed));
            out.push(Output::Reset);
            self.dormant(false, out);
        }
    }

    /// Nobody is left who needs the stream that is being made.
    fn give_up_activation(&mut self, out: &mut Vec<Output>) {
        if matches!(self.phase, Phase::Loading | Phase::Replaying) && self.stash.is_empty() {
            out.push(Output::Reset);
            self.dormant(false, out);
        }
    }

    fn on_idle_timeout(&mut self, out: &mut Vec<Output>) {
        if self.is_idle() {
            self.close(false, out);
        }
    }

    fn on_close_timed_out(&mut self, out: &mut Vec<Output>) {
        if let Phase::Closing { reopen } = self.phase {
            out.push(Output::Reset);
            self.dormant(reopen, out);
        }
    }

    fn on_drain(&mut self, out: &mut Vec<Output>) {
        self.draining = true;
        match self.phase {
            Phase::Dormant => out.push(Output::Stop),
            Phase::Idle => self.close(false, out),
            _ => self.give_up_activation(out),
        }
    }

    /// The user function broke the protocol.
    fn violation(&mut self, text: &str, detail: &str, out: &mut Vec<Output>) {
        out.push(self.report(&format!("{text}: {detail}")));
        self.crash(Failure::new(Code::Internal, text), out);
    }

    /// Fails everyone who waits and closes the stream; the next command starts from the store.
    fn crash(&mut self, failure: Failure, out: &mut Vec<Output>) {
        self.fail_everyone(failure, out);
        match &mut self.phase {
            Phase::Storing { then, .. } => *then = AfterStoring::Close,
            _ => self.close(false, out),
        }
    }

    /// Answers everyone but the caller whose events are being stored.
    fn fail_everyone(&mut self, failure: Failure, out: &mut Vec<Output>) {
        out.push(Output::Observed(Observation::Crashed));
        match self.phase {
            Phase::Awaiting(token) => {
                out.push(Output::Answer(token, Answer::Failed(failure)));
                out.push(Output::Observed(Observation::CommandCompleted { failed: true }));
                self.fail_stash(Code::Unavailable, TERMINATED, out);
            }
            Phase::Storing { .. } => self.fail_stash(Code::Unavailable, TERMINATED, out),
            _ => {
                let code = failure.code.unwrap_or(Code::Unknown);
                self.fail_stash(code, &failure.description, out);
            }
        }
    }

    fn fail_stash(&mut self, code: Code, text: &str, out: &mut Vec<Output>) {
        for command in self.stash.drain(..) {
            out.push(Output::Answer(command.token, Answer::failed(code, text)));
        }
    }

    fn close(&mut self, reopen: bool, out: &mut Vec<Output>) {
        self.phase = Phase::Closing { reopen };
        out.push(Output::HalfClose);
    }

    /// The stream is gone: opens the next one if somebody needs it.
    fn dormant(&mut self, reopen: bool, out: &mut Vec<Output>) {
        self.phase = Phase::Dormant;
        out.push(Output::Observed(Observation::Deactivated));
        if !self.stash.is_empty() || (reopen && !self.draining) {
            self.activate(out);
        } else {
            out.push(Output::Stop);
        }
    }

    fn report(&self, text: &str) -> Output {
        Output::Report(format!("{text} (service {}, entity {})", self.service_name, self.entity_id))
    }
}

impl Output {
    fn send(message: In) -> Self {
        Output::Send(EventSourcedStreamIn { message: Some(message) })
    }
}
