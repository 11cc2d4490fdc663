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

mod activation;
mod commands;
mod ending;
mod input;
mod output;
mod replies;
mod storing;

use std::{collections::VecDeque, sync::Arc};

use self::storing::AfterStoring;
pub(crate) use self::{
    input::{Incoming, Input},
    output::Output,
};
use super::kind::{Names, SerialKind};
use crate::{
    entities::{Answer, Token, observer::Observation},
    error_code::ErrorCode,
    routing::Failure,
    telemetry::metrics::Volume,
};

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

    fn report(&self, text: &str) -> Output<K> {
        Output::Report(format!("{text} (service {}, entity {})", self.service, self.entity_id))
    }
}
