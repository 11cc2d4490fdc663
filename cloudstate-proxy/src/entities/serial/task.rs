//! The shell around a lifecycle: it moves messages between mailbox, store and stream, and keeps time.

use std::{collections::HashMap, pin::Pin, sync::Arc, time::Duration};

use tokio::time::{Instant, Sleep};

use super::{
    callers::Callers,
    kind::SerialKind,
    lifecycle::{Incoming, Input, Lifecycle, Observation, Output, Token},
};
use crate::{
    entities::{
        Envelope, LiveEntity,
        stream::{Stream, StreamEvent, poll_optional},
    },
    error_code::ErrorCode,
    routing::Failure,
    storage::{BoxFuture, StoreError},
    telemetry::metrics::EntityMetrics,
};

/// How long the user function may take to end a stream that we half-closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Nothing is waited for longer without looking again.
const FAR: Duration = Duration::from_secs(3600);

/// Runs an entity until it has retired.
pub(crate) async fn run<K: SerialKind>(mut entity: LiveEntity) {
    // The command that is the reason to start.
    if let Some(first) = entity.mailbox.recv().await {
        EntityTask::<K>::new(entity, &first).run(first).await;
    }
}

/// The task of one live entity.
struct EntityTask<K: SerialKind> {
    entity: LiveEntity,
    lifecycle: Lifecycle<K>,
    metrics: EntityMetrics,
    passivate_after: Duration,
    callers: Callers,
    stream: Stream<K>,
    /// What the store was asked, mapped to the input it answers with; at most one thing at a time.
    store: Option<BoxFuture<Input<K>>>,
    /// The next thing is loaded when everything before it is on its way.
    next_load: Option<K::Load>,
    closing_until: Option<Instant>,
    idle_since: Instant,
    times: Times,
}

/// When things began, for the metrics.
struct Times {
    activated: Instant,
    sent: Instant,
    reply: Instant,
    stashed: HashMap<Token, Instant>,
}

enum Event<K: SerialKind> {
    Envelope(Envelope),
    Store(Input<K>),
    Stream(StreamEvent<K>),
    Timer,
    CrowdedOut,
    Draining,
}

impl<K: SerialKind> EntityTask<K> {
    fn new(entity: LiveEntity, first: &Envelope) -> Self {
        let environment = entity.environment();
        let service = &first.method.service;
        let lifecycle = Lifecycle::new(
            Arc::clone(&service.name),
            Arc::clone(&entity.key.entity_id),
            environment.stash_size,
        );
        let metrics = K::metrics(&environment.metrics, &entity.key.persistence_id);
        let now = Instant::now();
        Self {
            passivate_after: environment.passivate_after(service),
            entity,
            lifecycle,
            metrics,
            callers: Callers::default(),
            stream: Stream::default(),
            store: None,
            next_load: None,
            closing_until: None,
            idle_since: now,
            times: Times { activated: now, sent: now, reply: now, stashed: HashMap::new() },
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
                    stop |= matches!(output, Output::Stop);
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
    async fn next_event(&mut self, mut timer: Pin<&mut Sleep>) -> Event<K> {
        self.load_next();
        let deadline = self.deadline();
        // A later deadline than the armed one needs no new timer: when that fires it is armed again.
        if timer.is_elapsed() || deadline < timer.deadline() {
            timer.as_mut().reset(deadline);
        }
        let idle = self.lifecycle.is_idle();
        let Self { entity, stream, store, .. } = self;
        let LiveEntity { mailbox, draining, usage, .. } = entity;
        let drained = *draining.borrow();
        // Nothing may be sent to a stream that is known to be over, so what leads to that waits for its end.
        let ending = stream.is_ending();
        tokio::select! {
            biased;
            // First, so that a stream that never falls silent cannot outlast its time.
            () = timer => Event::Timer,
            event = stream.next(true) => Event::Stream(event),
            input = poll_optional(store), if !ending => Event::Store(input),
            Some(envelope) = mailbox.recv(), if !ending => Event::Envelope(envelope),
            () = usage.crowded_out(), if idle => Event::CrowdedOut,
            _ = draining.changed(), if !drained => Event::Draining,
        }
    }

    /// What an event means to the lifecycle.
    fn input(&mut self, event: Event<K>) -> Option<Input<K>> {
        self.idle_since = match event {
            Event::Timer => self.idle_since,
            _ => Instant::now(),
        };
        match event {
            Event::Envelope(envelope) => Some(self.admit(envelope)),
            Event::Store(input) => {
                self.store = None;
                Some(input)
            }
            Event::Stream(event) => self.stream_input(event),
            Event::Timer => self.expired(),
            Event::CrowdedOut => Some(Input::IdleTimeout),
            Event::Draining => Some(Input::Drain),
        }
    }

    fn admit(&mut self, envelope: Envelope) -> Input<K> {
        let Envelope { method, payload, context, responder } = envelope;
        let environment = self.entity.environment();
        self.passivate_after = environment.passivate_after(&method.service);
        let deadline = after(Instant::now(), environment.relay_timeout);
        let token = self.callers.admit(responder, deadline);
        Input::Command(Incoming { token, method, payload, context, resends: 0 })
    }

    fn stream_input(&mut self, event: StreamEvent<K>) -> Option<Input<K>> {
        match event {
            StreamEvent::Message(message) => Some(Input::FromFunction(message)),
            StreamEvent::Over(end) => {
                self.stream.ended(end, self.lifecycle.needs_stream()).map(Input::StreamEnded)
            }
            StreamEvent::Ended(end) => {
                self.stream = Stream::default();
                Some(Input::StreamEnded(end))
            }
            StreamEvent::Opened | StreamEvent::Written => None,
        }
    }

    /// Which time ran out, if one really did.
    fn expired(&mut self) -> Option<Input<K>> {
        let now = Instant::now();
        if let Some(token) = self.callers.expired(now) {
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
    fn deadline(&mut self) -> Instant {
        let idle = after(self.idle_since, self.passivate_after);
        let far = self.idle_since + FAR;
        let own = self.closing_until.unwrap_or(if self.lifecycle.is_idle() { idle } else { far });
        self.callers.next_deadline().map_or(own, |deadline| deadline.min(own))
    }

    fn carry_out(&mut self, output: Output<K>) {
        match output {
            Output::OpenStream => {
                self.closing_until = None;
                // What the stream before it asked to load would be taken for this one's. A write cannot be under way: the
                // lifecycle waits for it whatever happens.
                self.store = None;
                self.stream = Stream::open(self.entity.environment());
            }
            Output::Load(load) => self.next_load = Some(load),
            Output::Send(message) => self.stream.send(message),
            Output::HalfClose => {
                self.next_load = None;
                self.closing_until = Some(Instant::now() + CLOSE_TIMEOUT);
                self.stream.half_close();
            }
            Output::Reset => self.stream = Stream::default(),
            Output::Store { position, changes } => {
                let store = &*self.entity.environment().store;
                let stored = K::store(store, &self.entity.key, position, changes);
                self.store = Some(Box::pin(async {
                    Input::Stored(stored.await.map_err(|error| not_stored::<K>(&error)))
                }));
            }
            Output::Answer(token, answer) => {
                self.times.stashed.remove(&token);
                self.callers.answer(token, answer);
            }
            Output::Report(text) => self.entity.environment().reporter.report(text),
            Output::Observed(observation) => self.observe(observation),
            Output::Stop => {
                self.closing_until = None;
                self.next_load = None;
            }
        }
    }

    fn load_next(&mut self) {
        if self.store.is_none()
            && self.stream.is_written()
            && let Some(load) = self.next_load.take()
        {
            let loaded = K::load(&*self.entity.environment().store, &self.entity.key, load);
            self.store = Some(Box::pin(async {
                loaded.await.map_or_else(|error| Input::LoadFailed(error.to_string()), Input::Loaded)
            }));
        }
    }

    fn observe(&mut self, observation: Observation) {
        let now = Instant::now();
        let (metrics, times) = (&self.metrics, &mut self.times);
        match observation {
            Observation::Activated => {
                times.activated = now;
                metrics.activated();
            }
            Observation::Loaded(volume) => metrics.loaded(volume),
            Observation::Recovered => metrics.recovered(now - times.activated),
            Observation::CommandReceived => metrics.command_received(),
            Observation::CommandStashed(token) => {
                times.stashed.insert(token, now);
                metrics.command_stashed();
            }
            Observation::CommandUnstashed(token) => {
                if let Some(stashed) = times.stashed.remove(&token) {
                    metrics.command_unstashed(now - stashed);
                }
            }
            Observation::CommandSent => times.sent = now,
            Observation::ReplyReceived => {
                times.reply = now;
                metrics.command_processed(now - times.sent);
            }
            Observation::CommandCompleted { failed } => metrics.command_completed(now - times.sent, failed),
            Observation::Persisted(volume) => metrics.persisted(now - times.reply, volume),
            Observation::Crashed => metrics.crashed(),
            Observation::Deactivated => metrics.deactivated(now - times.activated),
        }
    }
}

/// A time that no clock can show is just far away.
fn after(start: Instant, wait: Duration) -> Instant {
    start.checked_add(wait).unwrap_or(start + 24 * 365 * FAR)
}

fn not_stored<K: SerialKind>(error: &StoreError) -> Failure {
    let code = if error.is_too_large() {
        ErrorCode::TooLargeToStore
    } else if error.is_conflict() {
        ErrorCode::Conflict
    } else {
        ErrorCode::NotStored
    };
    Failure::new(code, format!("{}: {error}", K::TEXTS.store_failed))
}
