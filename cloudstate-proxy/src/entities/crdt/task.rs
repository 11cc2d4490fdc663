//! The shell around a lifecycle: it moves messages between mailbox, store and stream, and keeps time.

use std::time::{SystemTime, UNIX_EPOCH};

use cloudstate_proto::Any;
use tokio::time::Instant;

use super::{
    Token,
    clients::Clients,
    data::Millis,
    lifecycle::{Incoming, Input, Lifecycle, Limits, Output},
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
    storage::{BoxFuture, Change, MAX_APPEND_BYTES},
    user_function::Crdt,
};

/// Client streams that one entity may have open.
const MAX_STREAMS: usize = 10_000;
/// The store counts the whole state as one payload, which has a type URL as well.
const MAX_STATE_BYTES: usize = MAX_APPEND_BYTES - 1024;

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
    observer: Observer,
    clients: Clients,
    stream: Stream<Crdt>,
    /// What the store was asked, mapped to the input it answers with; at most one thing at a time.
    store: Option<BoxFuture<Input>>,
    idleness: Idleness,
    alarm: Alarm,
}

enum Event {
    Envelope(Box<Envelope>),
    Store(Input),
    Stream(StreamEvent<Crdt>),
    Departed(Token),
    Alarm,
    Wish(Wish),
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
        Self {
            lifecycle: Lifecycle::new(&*service.name, &*entity.key.entity_id, limits),
            observer: Observer::new(environment.metrics.crdt(&entity.key.persistence_id)),
            idleness: Idleness::new(environment.passivate_after(service)),
            clients: Clients::default(),
            stream: Stream::default(),
            store: None,
            alarm: Alarm::new(),
            entity,
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
                    stop |= output == Output::Stop;
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
    async fn next_event(&mut self) -> Event {
        self.alarm.set(self.deadline());
        let has_room = !self.lifecycle.is_congested();
        let idle = self.lifecycle.is_idle();
        tokio::select! {
            biased;
            // First, so that a stream that never falls silent cannot outlast its time; then what makes room.
            () = self.alarm.rings() => Event::Alarm,
            input = poll_optional(&mut self.store) => Event::Store(input),
            event = self.stream.next(has_room) => Event::Stream(event),
            token = self.clients.departure() => Event::Departed(token),
            Some(envelope) = self.entity.mailbox.recv() => Event::Envelope(envelope),
            wish = self.entity.wishes.next(idle) => Event::Wish(wish),
        }
    }

    /// What an event means to the lifecycle.
    fn input(&mut self, event: Event) -> Option<Input> {
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
            Event::Departed(token) => Some(Input::ClientGone(token)),
            Event::Alarm => self.expired(),
            Event::Wish(Wish::Leave) => Some(Input::IdleTimeout),
            Event::Wish(Wish::CompleteStreams) => Some(Input::CompleteStreams),
            Event::Wish(Wish::Drain) => Some(Input::Drain),
        }
    }

    fn admit(&mut self, envelope: Envelope) -> Input {
        let Envelope { method, payload, context, responder } = envelope;
        let environment = self.entity.environment();
        self.idleness.set_passivate_after(environment.passivate_after(&method.service));
        let streamed = responder.is_streamed();
        let token = self.clients.admit(responder, environment.relay_deadline());
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
    fn deadline(&self) -> Option<Instant> {
        let idle = self.lifecycle.is_idle().then(|| self.idleness.deadline());
        [self.clients.next_deadline(), self.stream.closing_until(), idle].into_iter().flatten().min()
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Load => self.load(),
            Output::OpenStream => self.stream = Stream::open(self.entity.environment()),
            Output::Send(message) => self.stream.send(message),
            Output::HalfClose => self.stream.half_close(),
            Output::Reset => self.stream = Stream::default(),
            Output::Write(state) => self.write(state),
            Output::Answer(token, answer) => {
                self.observer.answered(token, &answer);
                self.clients.answer(token, answer);
            }
            Output::Element(token, answer) => {
                self.observer.answered(token, &answer);
                self.clients.element(token, answer);
            }
            Output::AwaitCancelled(token) => {
                let deadline = self.entity.environment().relay_deadline();
                self.clients.await_cancelled(token, deadline);
            }
            Output::Report(text) => self.entity.environment().reporter.report(text),
            Output::Observed(observation) => self.observer.observe(observation),
            Output::Stop => {}
        }
    }

    fn load(&mut self) {
        let state = self.entity.environment().store.crdt(&self.entity.key);
        self.store = Some(Box::pin(async { Input::Loaded(state.await.map_err(|error| error.to_string())) }));
    }

    fn write(&mut self, state: Option<Any>) {
        let change = Change::Crdt { entity: self.entity.key.clone(), state };
        let written = self.entity.environment().store.write(vec![change]);
        self.store =
            Some(Box::pin(async { Input::Written(written.await.map_err(|error| error.to_string())) }));
    }
}

fn wall_clock() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}
