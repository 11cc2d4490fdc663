//! The shell around a lifecycle: it moves messages between mailbox, store and stream, and keeps time.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use cloudstate_proto::{
    Any,
    eventsourced::{EventSourcedStreamIn, EventSourcedStreamOut},
};
use tokio::{
    sync::mpsc,
    time::{Instant, Sleep},
};
use tonic::Status;

use super::{
    Answer, Envelope, LiveEntity,
    event_sourced::{Incoming, Input, Lifecycle, Observation, Output, Token},
};
use crate::{
    code::Code,
    routing::{Failure, Responder},
    storage::{Append, BoxFuture, StoreError},
    telemetry::metrics::EntityMetrics,
    user_function::EventSourced,
};

/// How long the user function may take to end a stream that we half-closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Nothing is waited for longer without looking again.
const FAR: Duration = Duration::from_secs(3600);

type EntityStream = crate::user_function::EntityStream<EventSourced>;

/// Runs an entity until it has retired.
pub(super) async fn run(mut entity: LiveEntity) {
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
    callers: Callers,
    stream: Stream,
    /// What the store was asked, mapped to the input it answers with; at most one thing at a time.
    store: Option<BoxFuture<Input>>,
    /// The next page of the journal is read when everything before it is on its way.
    next_page: Option<u64>,
    closing_until: Option<Instant>,
    idle_since: Instant,
    times: Times,
}

/// The stream to the user function and what is to be written to it.
#[derive(Default)]
struct Stream {
    opening: Option<BoxFuture<EntityStream>>,
    inbound: Option<EntityStream>,
    outbound: Option<mpsc::Sender<EventSourcedStreamIn>>,
    outbox: VecDeque<EventSourcedStreamIn>,
    half_close: bool,
}

/// Who waits, in the order in which their time runs out.
#[derive(Default)]
struct Callers {
    next_token: Token,
    waiting: HashMap<Token, Responder>,
    deadlines: VecDeque<(Instant, Token)>,
}

/// When things began, for the metrics.
struct Times {
    activated: Instant,
    sent: Instant,
    reply: Instant,
    stashed: HashMap<Token, Instant>,
}

enum Event {
    Envelope(Envelope),
    Store(Input),
    Opened(EntityStream),
    Message(Result<Option<EventSourcedStreamOut>, Status>),
    Written,
    Timer,
    Draining,
}

impl EntityTask {
    fn new(entity: LiveEntity, first: &Envelope) -> Self {
        let environment = entity.environment();
        let service = &first.method.service;
        let lifecycle = Lifecycle::new(&*service.name, &*entity.key.entity_id, environment.stash_size);
        let metrics = environment.metrics.entity(&entity.key.persistence_id);
        let passivate_after = service.passivate_after.unwrap_or(environment.passivation_timeout);
        let now = Instant::now();
        Self {
            entity,
            lifecycle,
            metrics,
            passivate_after,
            callers: Callers::default(),
            stream: Stream::default(),
            store: None,
            next_page: None,
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
                    stop |= output == Output::Stop;
                    self.carry_out(output);
                }
                if stop && self.entity.retire() {
                    return;
                }
            }
            event = self.next_event(timer.as_mut()).await;
        }
    }

    /// Waits for whatever happens first. Everything awaited here can be dropped and awaited again.
    async fn next_event(&mut self, mut timer: Pin<&mut Sleep>) -> Event {
        self.read_next_page();
        let deadline = self.deadline();
        // A later deadline than the armed one needs no new timer: when that fires it is armed again.
        if timer.is_elapsed() || deadline < timer.deadline() {
            timer.as_mut().reset(deadline);
        }
        let drained = *self.entity.draining.borrow();
        let can_write = self.stream.outbound.is_some() && !self.stream.outbox.is_empty();
        tokio::select! {
            biased;
            // First, so that a stream that never falls silent cannot outlast its time.
            () = timer => Event::Timer,
            event = read(&mut self.stream.inbound) => Event::Message(event),
            input = poll_optional(&mut self.store) => Event::Store(input),
            stream = poll_optional(&mut self.stream.opening) => Event::Opened(stream),
            () = write(&mut self.stream.outbound, &mut self.stream.outbox), if can_write => Event::Written,
            Some(envelope) = self.entity.mailbox.recv() => Event::Envelope(envelope),
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
                Some(input)
            }
            Event::Opened(result) => {
                self.stream.opening = None;
                self.opened(result);
                None
            }
            Event::Message(Ok(Some(message))) => Some(Input::FromFunction(message)),
            Event::Message(end) => {
                self.stream = Stream::default();
                Some(Input::StreamEnded(end.err().map(|status| describe(&status))))
            }
            Event::Written => {
                self.stream.half_close_when_written();
                None
            }
            Event::Timer => self.expired(),
            Event::Draining => Some(Input::Drain),
        }
    }

    fn admit(&mut self, envelope: Envelope) -> Input {
        let deadline = after(Instant::now(), self.entity.environment().relay_timeout);
        let token = self.callers.admit(envelope.responder, deadline);
        let method = envelope.method;
        let payload = Any { type_url: method.input_type_url.clone(), value: envelope.payload };
        Input::Command(Incoming { token, name: method.name.to_string(), payload })
    }

    fn opened(&mut self, mut stream: EntityStream) {
        self.stream.outbound = stream.outbound.take();
        self.stream.inbound = Some(stream);
        self.stream.half_close_when_written();
    }

    /// Which time ran out, if one really did.
    fn expired(&mut self) -> Option<Input> {
        let now = Instant::now();
        if let Some(token) = self.callers.expired(now) {
            let waits = self.stream.opening.is_some();
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

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::OpenStream => {
                self.closing_until = None;
                let environment = Arc::clone(self.entity.environment());
                let open = async move { environment.pool.open::<EventSourced>().await };
                self.stream = Stream { opening: Some(Box::pin(open)), ..Stream::default() };
            }
            Output::LoadSnapshot => {
                let snapshot = self.entity.environment().store.snapshot(&self.entity.key);
                self.store = Some(Box::pin(async {
                    snapshot.await.map_or_else(|error| Input::LoadFailed(error.to_string()), Input::Snapshot)
                }));
            }
            Output::LoadEvents { after } => self.next_page = Some(after),
            Output::Send(message) => self.stream.outbox.push_back(message),
            Output::HalfClose => {
                self.next_page = None;
                self.closing_until = Some(Instant::now() + CLOSE_TIMEOUT);
                self.stream.half_close = true;
                self.stream.half_close_when_written();
            }
            Output::Reset => self.stream = Stream::default(),
            Output::Append { expected, events, snapshot } => {
                let append = Append { entity: self.entity.key.clone(), expected, events, snapshot };
                let appended = self.entity.environment().store.append(append);
                self.store = Some(Box::pin(async {
                    Input::Stored(appended.await.map_err(|error| not_stored(&error)))
                }));
            }
            Output::Answer(token, answer) => self.callers.answer(token, answer),
            Output::Report(text) => self.entity.environment().reporter.report(text),
            Output::Observed(observation) => self.observe(observation),
            Output::Stop => {
                self.closing_until = None;
                self.next_page = None;
            }
        }
    }

    fn read_next_page(&mut self) {
        if self.store.is_none()
            && self.stream.outbox.is_empty()
            && let Some(after) = self.next_page.take()
        {
            let page = self.entity.environment().store.events(&self.entity.key, after);
            self.store = Some(Box::pin(async {
                page.await.map_or_else(|error| Input::LoadFailed(error.to_string()), Input::Events)
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
            Observation::Recovered => metrics.recovered(now - times.activated),
            Observation::SnapshotLoaded { bytes } => metrics.snapshot_loaded(bytes),
            Observation::EventsLoaded { events, bytes } => metrics.events_loaded(events, bytes),
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
            Observation::Persisted { events, event_bytes, snapshot_bytes } => {
                metrics.persisted(now - times.reply, events, event_bytes, snapshot_bytes);
            }
            Observation::Crashed => metrics.crashed(),
            Observation::Deactivated => {
                times.stashed.clear();
                metrics.deactivated(now - times.activated);
            }
        }
    }
}

impl Stream {
    /// Dropping our sender ends our side once everything before it is written.
    fn half_close_when_written(&mut self) {
        if self.half_close && self.outbox.is_empty() {
            self.outbound = None;
        }
    }
}

impl Callers {
    fn admit(&mut self, responder: Responder, deadline: Instant) -> Token {
        self.next_token += 1;
        self.waiting.insert(self.next_token, responder);
        self.deadlines.push_back((deadline, self.next_token));
        self.next_token
    }

    fn answer(&mut self, token: Token, answer: Answer) {
        // A command that is refused on arrival leaves no deadline behind, however long those before it wait.
        self.deadlines.pop_back_if(|(_, last)| *last == token);
        if let Some(responder) = self.waiting.remove(&token) {
            responder.answer(answer);
        }
    }

    fn next_deadline(&mut self) -> Option<Instant> {
        while let Some((deadline, token)) = self.deadlines.front() {
            if self.waiting.contains_key(token) {
                return Some(*deadline);
            }
            self.deadlines.pop_front();
        }
        None
    }

    fn expired(&mut self, now: Instant) -> Option<Token> {
        self.next_deadline().filter(|deadline| *deadline <= now)?;
        self.deadlines.pop_front().map(|(_, token)| token)
    }
}

/// A time that no clock can show is just far away.
fn after(start: Instant, wait: Duration) -> Instant {
    start.checked_add(wait).unwrap_or(start + 24 * 365 * FAR)
}

async fn read(inbound: &mut Option<EntityStream>) -> Result<Option<EventSourcedStreamOut>, Status> {
    match inbound {
        Some(stream) => stream.message().await,
        None => std::future::pending().await,
    }
}

async fn write(
    outbound: &mut Option<mpsc::Sender<EventSourcedStreamIn>>,
    outbox: &mut VecDeque<EventSourcedStreamIn>,
) {
    let Some(sender) = outbound else { return };
    match sender.reserve().await {
        Ok(permit) => {
            if let Some(message) = outbox.pop_front() {
                permit.send(message);
            }
        }
        // The stream is over; reading from it says why.
        Err(_) => outbox.clear(),
    }
}

async fn poll_optional<F: Future + Unpin>(future: &mut Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

fn not_stored(error: &StoreError) -> Failure {
    let code = if error.is_too_large() {
        Code::Internal
    } else if error.is_conflict() {
        Code::Aborted
    } else {
        Code::Unavailable
    };
    Failure::new(code, format!("the events of this command could not be stored: {error}"))
}

fn describe(status: &Status) -> String {
    format!("{} ({})", status.message(), status.code())
}
