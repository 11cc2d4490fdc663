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

mod activation;
mod cancellation;
mod commands;
mod ending;
mod input;
mod output;
mod replies;

use std::collections::VecDeque;

use cloudstate_proto::{
    ClientAction, SideEffect,
    crdt::{CrdtStreamIn, crdt_stream_in::Message as In},
};

pub(super) use self::{
    input::{Incoming, Input},
    output::Output,
};
use super::{Answer, Token, replica::Replica, sent::Sent};
use crate::{entities::observer::Observation, error_code::ErrorCode, routing::Failure};

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
    resends: u8,
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

    fn report(&self, text: &str) -> Output {
        Output::Report(format!("{text} (service {}, entity {})", self.service_name, self.entity_id))
    }
}

fn send(message: In) -> Output {
    Output::Send(CrdtStreamIn { message: Some(message) })
}

fn decided(action: Option<ClientAction>, side_effects: Vec<SideEffect>) -> Answer {
    Answer::Decided { action: action.and_then(|ClientAction { action }| action), side_effects }
}

fn deleted() -> Answer {
    Answer::Failed(Failure::fixed(ErrorCode::EntityDeleted, "Entity deleted"))
}
