//! The shell around a lifecycle: it moves messages between mailbox, store and stream, and keeps time.

use std::{
    pin::Pin,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use cloudstate_proto::Any;
use tokio::time::{Instant, Sleep};

use super::{
    Token,
    clients::{Clients, FirstAnswer},
    data::Millis,
    lifecycle::{Incoming, Input, Lifecycle, Limits, Observation, Output},
};
use crate::{
    entities::{
        Envelope, LiveEntity,
        stream::{Stream, StreamEvent, poll_optional},
    },
    storage::{BoxFuture, Change, MAX_APPEND_BYTES},
    telemetry::metrics::{EntityMetrics, Volume},
    user_function::Crdt,
};

/// Client streams that one entity may have open.
const MAX_STREAMS: usize = 10_000;
/// The store counts the whole state as one payload, which has a type URL as well.
const MAX_STATE_BYTES: usize = MAX_APPEND_BYTES - 1024;
/// How long the user function may take to end a stream that we half-closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
/// Nothing is waited for longer without looking again.
const FAR: Duration = Duration::from_secs(3600);

/// Runs an entity until it has retired.
pub(in crate::entities) async fn run(mut entity: LiveEntity) {
    // The command that is the reason to start.
    let Some(first) = entity.mailbox.recv().await else { return };
    EntityTask::new(entity, &first).run(first).await;
}

/// The task of one live entity.
struct EntityTask {
    entity: LiveEntity,
    lifecycle: Lifecycle,
    metrics: EntityMetrics,
    passivate_after: Duration,
    clients: Clients,
    stream: Stream<Crdt>,
    /// What the store was asked, mapped to the input it answers with; at most one thing at a time.
    store: Option<BoxFuture<Input>>,
    closing_until: Option<Instant>,
    /// The lifecycle was told.
    completing_streams: bool,
    idle_since: Instant,
    activated: Instant,
    /// When the write under way began, and what it writes.
    write: (Instant, usize),
}

enum Event {
    Envelope(Envelope),
    Store(Input),
    Stream(StreamEvent<Crdt>),
    Departed(Token),
    Timer,
    CrowdedOut,
    CompletingStreams,
    Draining,
}

impl EntityTask {
    fn new(entity: LiveEntity, first: &Envelope) -> Self {
        let environment = entity.environment();
        let service = &first.method.service;
        let limits = Limits {
            commands: environment.stash_size.max(1),
            streams: MAX_STREAMS,
            state_bytes: MAX_STATE_BYTES,
        };
        let now = Instant::now();
        Self {
            lifecycle: Lifecycle::new(&*service.name, &*entity.key.entity_id, limits),
            metrics: environment.metrics.crdt(&entity.key.persistence_id),
            passivate_after: environment.passivate_after(service),
            clients: Clients::default(),
            stream: Stream::default(),
            store: None,
            closing_until: None,
            completing_streams: false,
            idle_since: now,
            activated: now,
            write: (now, 0),
            entity,
        }
    }

    async fn run(mut self, first: Envelope) {
        let mut timer = std::pin::pin!(tokio::time::sleep_until(self.deadline()));
        let mut outputs = Vec::new();
        let mut event = Event::Envelope(first);
        loop {
            if let Some(input) = self.input(event) {
                self.lifecycle.step(input, &mut outputs);
                let mut stop = false;
                for output in outputs.drain(..) {
                    stop |= output == Output::Stop;
                    self.carry_out(output);
                }
                if stop && self.entity.retire() {
                    return;
                }
                self.entity.set_idle_since(self.lifecycle.is_idle().then_some(self.idle_since));
            }
            event = self.next_event(timer.as_mut()).await;
        }
    }

    /// Waits for whatever happens first. Everything awaited here can be dropped and awaited again.
    async fn next_event(&mut self, mut timer: Pin<&mut Sleep>) -> Event {
        let deadline = self.deadline();
        // A later deadline than the armed one needs no new timer: when that fires it is armed again.
        if timer.is_elapsed() || deadline < timer.deadline() {
            timer.as_mut().reset(deadline);
        }
        let drained = *self.entity.draining.borrow();
        let completed = self.completing_streams;
        let has_room = !self.lifecycle.is_congested();
        let idle = self.lifecycle.is_idle();
        tokio::select! {
            biased;
            // First, so that a stream that never falls silent cannot outlast its time; then what makes room.
            () = timer => Event::Timer,
            input = poll_optional(&mut self.store) => Event::Store(input),
            event = self.stream.next(has_room) => Event::Stream(event),
            token = self.clients.departure() => Event::Departed(token),
            Some(envelope) = self.entity.mailbox.recv() => Event::Envelope(envelope),
            () = self.entity.usage.crowded_out(), if idle => Event::CrowdedOut,
            _ = self.entity.completing_streams.wait_for(|now| *now), if !completed => Event::CompletingStreams,
            _ = self.entity.draining.changed(), if !drained => Event::Draining,
        }
    }

    /// What an event means to the lifecycle.
    fn input(&mut self, event: Event) -> Option<Input> {
        self.idle_since = match event {
            Event::Timer => self.idle_since,
            _ => Instant::now(),
        };
        match event {
            Event::Envelope(envelope) => Some(self.admit(envelope)),
            Event::Store(input) => {
                self.store = None;
                self.written(&input);
                Some(input)
            }
            Event::Stream(event) => self.stream_input(event),
            Event::Departed(token) => Some(Input::ClientGone(token)),
            Event::Timer => self.expired(),
            Event::CrowdedOut => Some(Input::IdleTimeout),
            Event::CompletingStreams => {
                self.completing_streams = true;
                Some(Input::CompleteStreams)
            }
            Event::Draining => Some(Input::Drain),
        }
    }

    fn admit(&mut self, envelope: Envelope) -> Input {
        let Envelope { method, payload, context, responder } = envelope;
        let now = Instant::now();
        let streamed = responder.is_streamed();
        let token = self.clients.admit(responder, now, self.relay_deadline(now));
        self.metrics.command_received();
        let payload = Any { type_url: method.input_type_url.clone(), value: payload };
        Input::Command(Incoming { token, name: method.name.to_string(), payload, streamed, context })
    }

    fn stream_input(&mut self, event: StreamEvent<Crdt>) -> Option<Input> {
        match event {
            StreamEvent::Opened => Some(Input::Opened),
            StreamEvent::Message(message) => Some(Input::FromFunction(message, wall_clock())),
            StreamEvent::Over(end) => {
                self.stream.ended(end, !self.lifecycle.is_idle()).map(Input::StreamEnded)
            }
            StreamEvent::Ended(end) => {
                self.stream = Stream::default();
                Some(Input::StreamEnded(end))
            }
            StreamEvent::Written => None,
        }
    }

    /// Which time ran out, if one really did.
    fn expired(&mut self) -> Option<Input> {
        let now = Instant::now();
        if let Some(token) = self.clients.expired(now) {
            let waits = self.stream.is_opening();
            let unreachable = waits.then(|| self.entity.environment().pool.unreachable().to_string());
            return Some(Input::TimedOut { token, unreachable });
        }
        if self.closing_until.is_some_and(|until| until <= now) {
            return Some(Input::CloseTimedOut);
        }
        let idle = self.lifecycle.is_idle() && after(self.idle_since, self.passivate_after) <= now;
        idle.then_some(Input::IdleTimeout)
    }

    /// The next moment at which [`Self::expired`] may find something.
    fn deadline(&self) -> Instant {
        let idle = after(self.idle_since, self.passivate_after);
        let far = self.idle_since + FAR;
        let own = self.closing_until.unwrap_or(if self.lifecycle.is_idle() { idle } else { far });
        self.clients.next_deadline().map_or(own, |deadline| deadline.min(own))
    }

    fn relay_deadline(&self, now: Instant) -> Instant {
        after(now, self.entity.environment().relay_timeout)
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Load => self.load(),
            Output::OpenStream => self.stream = Stream::open(self.entity.environment()),
            Output::Send(message) => self.stream.send(message),
            Output::HalfClose => {
                self.closing_until = Some(Instant::now() + CLOSE_TIMEOUT);
                self.stream.half_close();
            }
            Output::Reset => self.stream = Stream::default(),
            Output::Write(state) => self.write(state),
            Output::Answer(token, answer) => {
                let first = self.clients.answer(token, answer);
                self.completed(first);
            }
            Output::Element(token, answer) => {
                let first = self.clients.element(token, answer);
                self.completed(first);
            }
            Output::AwaitCancelled(token) => {
                let deadline = self.relay_deadline(Instant::now());
                self.clients.await_cancelled(token, deadline);
            }
            Output::Report(text) => self.entity.environment().reporter.report(text),
            Output::Observed(observation) => self.observe(observation),
            Output::Stop => {}
        }
    }

    fn load(&mut self) {
        let state = self.entity.environment().store.crdt(&self.entity.key);
        self.store = Some(Box::pin(async { Input::Loaded(state.await.map_err(|error| error.to_string())) }));
    }

    fn write(&mut self, state: Option<Any>) {
        let bytes = state.as_ref().map_or(0, |state| state.value.len());
        self.write = (Instant::now(), bytes);
        let change = Change::Crdt { entity: self.entity.key.clone(), state };
        let written = self.entity.environment().store.write(vec![change]);
        self.store =
            Some(Box::pin(async { Input::Written(written.await.map_err(|error| error.to_string())) }));
    }

    fn written(&self, input: &Input) {
        if let Input::Written(Ok(())) = input {
            let (began, bytes) = self.write;
            self.metrics.persisted(began.elapsed(), Volume { items: 1, bytes, snapshot_bytes: None });
        }
    }

    fn completed(&self, first: Option<FirstAnswer>) {
        if let Some(FirstAnswer { since, failed }) = first {
            self.metrics.command_completed(since.elapsed(), failed);
        }
    }

    fn observe(&mut self, observation: Observation) {
        match observation {
            Observation::Activated => {
                self.activated = Instant::now();
                self.metrics.activated();
            }
            Observation::Recovered => self.metrics.recovered(self.activated.elapsed()),
            Observation::Crashed => self.metrics.crashed(),
            Observation::Deactivated => {
                self.closing_until = None;
                self.metrics.deactivated(self.activated.elapsed());
            }
        }
    }
}

/// A time that no clock can show is just far away.
fn after(start: Instant, wait: Duration) -> Instant {
    start.checked_add(wait).unwrap_or(start + 24 * 365 * FAR)
}

fn wall_clock() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}
