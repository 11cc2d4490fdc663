//! The shell around a lifecycle: it moves messages between mailbox, store and stream, and keeps time.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    clients::Clients,
    kind::SerialKind,
    lifecycle::{Incoming, Input, Lifecycle, Output},
};
use crate::{
    entities::{
        Envelope, LiveEntity,
        alarm::Alarm,
        idleness::Idleness,
        observer::Observer,
        stream::{Stream, StreamEvent, poll_optional},
        wishes::Wish,
    },
    error_code::ErrorCode,
    routing::Failure,
    storage::{BoxFuture, StoreError},
};

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
    observer: Observer,
    clients: Clients,
    stream: Stream<K>,
    /// What the store was asked, mapped to the input it answers with; at most one thing at a time.
    store: Option<BoxFuture<Input<K>>>,
    /// The next thing is loaded when everything before it is on its way.
    next_load: Option<K::Load>,
    idleness: Idleness,
    alarm: Alarm,
}

enum Event<K: SerialKind> {
    Envelope(Box<Envelope>),
    Store(Input<K>),
    Stream(StreamEvent<K>),
    Alarm,
    Wish(Wish),
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
        Self {
            observer: Observer::new(K::metrics(&environment.metrics, &entity.key.persistence_id)),
            idleness: Idleness::new(environment.passivate_after(service)),
            entity,
            lifecycle,
            clients: Clients::default(),
            stream: Stream::default(),
            store: None,
            next_load: None,
            alarm: Alarm::new(),
        }
    }

    async fn run(mut self, first: Box<Envelope>) {
        let mut outputs = Vec::new();
        let mut event = Event::Envelope(first);
        loop {
            if let Some(input) = self.input(event) {
                self.lifecycle.step(input, &mut outputs);
                // Before anybody is answered: whoever has the last answer finds the entity idle.
                self.entity.set_idle_since(self.lifecycle.is_idle().then_some(self.idleness.since()));
                let mut stop = false;
                for output in outputs.drain(..) {
                    stop |= matches!(output, Output::Stop);
                    self.carry_out(output);
                }
                if stop && self.entity.retire() {
                    return;
                }
            }
            event = self.next_event().await;
        }
    }

    /// Waits for whatever happens first. Everything awaited here can be dropped and awaited again.
    async fn next_event(&mut self) -> Event<K> {
        self.load_next();
        let deadline = self.deadline();
        self.alarm.set(deadline);
        let idle = self.lifecycle.is_idle();
        let Self { entity, stream, store, alarm, .. } = self;
        let LiveEntity { mailbox, wishes, .. } = entity;
        // Nothing may be sent to a stream that is known to be over, so what leads to that waits for its end.
        let ending = stream.is_ending();
        tokio::select! {
            biased;
            // First, so that a stream that never falls silent cannot outlast its time.
            () = alarm.rings() => Event::Alarm,
            event = stream.next(true) => Event::Stream(event),
            input = poll_optional(store), if !ending => Event::Store(input),
            Some(envelope) = mailbox.recv(), if !ending => Event::Envelope(envelope),
            wish = wishes.next(idle) => Event::Wish(wish),
        }
    }

    /// What an event means to the lifecycle.
    fn input(&mut self, event: Event<K>) -> Option<Input<K>> {
        if !matches!(event, Event::Alarm) {
            self.idleness.begin_anew();
        }
        match event {
            Event::Envelope(envelope) => Some(self.admit(*envelope)),
            Event::Store(input) => {
                self.store = None;
                Some(input)
            }
            Event::Stream(event) => self.stream_input(event),
            Event::Alarm => self.expired(),
            Event::Wish(Wish::Leave) => Some(Input::IdleTimeout),
            Event::Wish(Wish::Drain) => Some(Input::Drain),
            // Nobody listens to an entity of this kind.
            Event::Wish(Wish::CompleteStreams) => None,
        }
    }

    fn admit(&mut self, envelope: Envelope) -> Input<K> {
        let Envelope { method, payload, context, responder } = envelope;
        let environment = self.entity.environment();
        self.idleness.set_passivate_after(environment.passivate_after(&method.service));
        let token = self.clients.admit(responder, environment.relay_deadline());
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
        if let Some(token) = self.clients.expired(now) {
            let unreachable = self.stream.unreachable(self.entity.environment());
            return Some(Input::TimedOut { token, unreachable });
        }
        if self.stream.closing_until().is_some_and(|until| until <= now) {
            return Some(Input::CloseTimedOut);
        }
        let idle = self.lifecycle.is_idle() && self.idleness.deadline() <= now;
        idle.then_some(Input::IdleTimeout)
    }

    /// The next moment at which [`Self::expired`] may find something.
    fn deadline(&mut self) -> Option<Instant> {
        let idle = self.lifecycle.is_idle().then(|| self.idleness.deadline());
        [self.clients.next_deadline(), self.stream.closing_until(), idle].into_iter().flatten().min()
    }

    fn carry_out(&mut self, output: Output<K>) {
        match output {
            Output::OpenStream => {
                // What the stream before it asked to load would be taken for this one's. A write cannot be under way: the
                // lifecycle waits for it whatever happens.
                self.store = None;
                self.stream = Stream::open(self.entity.environment());
            }
            Output::Load(load) => self.next_load = Some(load),
            Output::Send(message) => self.stream.send(message),
            Output::HalfClose => {
                self.next_load = None;
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
                self.observer.answered(token, &answer);
                self.clients.answer(token, answer);
            }
            Output::Report(text) => self.entity.environment().reporter.report(text),
            Output::Observed(observation) => self.observer.observe(observation),
            Output::Stop => self.next_load = None,
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
