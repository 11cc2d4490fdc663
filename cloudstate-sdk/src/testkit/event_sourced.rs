use std::fmt;
use std::ops::Deref;

use cloudstate_proto::eventsourced::event_sourced_stream_in::Message;
use cloudstate_proto::eventsourced::{
    EventSourcedEvent, EventSourcedInit, EventSourcedReply, EventSourcedSnapshot,
};

use super::Answer;
use super::caller::{Caller, TERMS, expect_no_fault, expect_readable};
use crate::event_sourced::instance::Instance;
use crate::event_sourced::{Event, EventSourcedEntity, Handler, Snapshot};
use crate::payload::{self, ProtobufMessage};
use crate::{Any, Context, Entity, Metadata, Service, ServiceCall};

/// Runs one event sourced entity as a proxy would, without network, runtime or storage.
///
/// Every command, event, snapshot and reply goes through its encoded form, and commands are found by the name of
/// their rpc, so a test meets what happens in production.
///
/// ```
/// # use cloudstate_sdk::event_sourced::*;
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/generated/cloudstate.rs"));
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/cart.rs"));
/// use cloudstate_sdk::event_sourced::testkit::TestKit;
///
/// # fn main() {
/// let mut cart = TestKit::<Cart>::new("cart-1");
/// let command = api::AddLineItem { product_id: "socks".into(), quantity: 2, ..Default::default() };
///
/// let outcome = cart.call(shopping_cart::add_item(command));
///
/// assert_eq!(outcome.events.len(), 1);
/// assert_eq!(cart.call(shopping_cart::get_cart(Default::default())).reply().items[0].quantity, 2);
///
/// let refused = cart.call(shopping_cart::add_item(api::AddLineItem::default()));
/// assert_eq!(refused.failure().code, Code::InvalidArgument);
/// # }
/// ```
pub struct TestKit<E> {
    instance: Instance<E>,
    create: Box<dyn Fn(&Context) -> E>,
    caller: Caller,
    stored: Stored,
}

/// What the proxy would have stored.
#[derive(Clone, Default)]
struct Stored {
    snapshot: Option<EventSourcedSnapshot>,
    /// With all events since the first, or since a given snapshot.
    events: Vec<EventSourcedEvent>,
    /// The snapshot that the journal begins with, if one was given.
    first: Option<EventSourcedSnapshot>,
}

impl<E: EventSourcedEntity + Handler + Entity> TestKit<E> {
    /// A new entity.
    pub fn new(entity_id: impl Into<String>) -> Self
    where
        E: Default,
    {
        Self::created_by(entity_id, |_| E::default())
    }

    /// An entity in a given state, for types with injected dependencies. Its id is `test-entity`.
    pub fn with(instance: E) -> Self
    where
        E: Clone,
    {
        Self::created_by("test-entity", move |_| instance.clone())
    }

    /// An entity made by the function that `register_with` gets.
    pub fn created_by(entity_id: impl Into<String>, create: impl Fn(&Context) -> E + 'static) -> Self {
        let caller = Caller::new(entity_id);
        let instance = load(&caller.entity_id, &create, None, &[]);
        Self { instance, create: Box::new(create), caller, stored: Stored::default() }
    }

    /// Replays events, as if they had been stored before.
    #[must_use]
    #[track_caller]
    pub fn given<V>(mut self, events: impl IntoIterator<Item = V>) -> Self
    where
        E::Event: From<V>,
    {
        for event in events {
            let stored = EventSourcedEvent {
                sequence: self.sequence() + 1,
                payload: Some(E::Event::from(event).encode()),
            };
            self.stored.events.push(stored.clone());
            expect_no_fault(self.instance.step(Some(Message::Event(stored))));
        }
        self
    }

    /// Loads the entity from a snapshot that covers the first `sequence` events, and forgets what came before.
    #[must_use]
    #[track_caller]
    pub fn with_snapshot(mut self, sequence: u32, saved: E::Message) -> Self
    where
        E: Snapshot,
    {
        let snapshot = EventSourcedSnapshot {
            snapshot_sequence: sequence.into(),
            snapshot: Some(payload::encode(&saved)),
        };
        self.stored =
            Stored { snapshot: Some(snapshot.clone()), first: Some(snapshot.clone()), events: Vec::new() };
        self.instance = load(&self.caller.entity_id, &self.create, Some(snapshot), &[]);
        self
    }

    /// Sends metadata with the commands that follow.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.caller.metadata = metadata;
        self
    }

    /// Sends a command, and returns what it did.
    ///
    /// # Panics
    /// When the call is for another service, and when the entity does what would end its stream: panic, or write
    /// what it cannot read.
    #[track_caller]
    pub fn call<R: ProtobufMessage>(&mut self, call: ServiceCall<R>) -> Outcome<E, R> {
        let command = self.caller.command::<E, R>(&call);
        let reply = expect_no_fault(self.instance.step(Some(Message::Command(command))));
        let reply = reply.unwrap_or_else(|| panic!("the command was not answered"));
        self.store(&reply);
        Outcome::read(reply)
    }

    /// The entity as it is now.
    pub fn state(&self) -> &E {
        self.instance.entity()
    }

    /// How many events the entity has.
    pub fn sequence(&self) -> i64 {
        let before = self.stored.first.as_ref().map_or(0, |snapshot| snapshot.snapshot_sequence);
        self.stored.events.last().map_or(before, |event| event.sequence)
    }

    /// The entity as it would be loaded from all its stored events. When it differs from [`state`](Self::state),
    /// `apply` depends on more than state and event, or an event does not survive being stored.
    #[track_caller]
    pub fn restarted(&self) -> E {
        load(&self.caller.entity_id, &self.create, self.stored.first.clone(), &self.stored.events)
            .into_entity()
    }

    /// The entity as it would be loaded from its last snapshot and the events after it.
    ///
    /// # Panics
    /// When there is no snapshot yet.
    #[track_caller]
    pub fn restarted_from_snapshot(&self) -> E {
        let Some(snapshot) = self.stored.snapshot.clone() else {
            panic!("no snapshot was taken after {} events; see `snapshot_every`", self.sequence());
        };
        let covered = |event: &&EventSourcedEvent| event.sequence > snapshot.snapshot_sequence;
        let events: Vec<_> = self.stored.events.iter().filter(covered).cloned().collect();
        load(&self.caller.entity_id, &self.create, Some(snapshot), &events).into_entity()
    }

    fn store(&mut self, reply: &EventSourcedReply) {
        for event in &reply.events {
            let sequence = self.sequence() + 1;
            self.stored.events.push(EventSourcedEvent { sequence, payload: Some(event.clone()) });
        }
        if let Some(snapshot) = &reply.snapshot {
            let snapshot_sequence = self.sequence();
            self.stored.snapshot =
                Some(EventSourcedSnapshot { snapshot_sequence, snapshot: Some(snapshot.clone()) });
        }
    }
}

/// What a command did. Reply, failure, forward and side effects are those of [`Answer`].
pub struct Outcome<E: EventSourcedEntity, R> {
    /// The events that were stored, decoded from their stored form.
    pub events: Vec<E::Event>,
    /// The stored form of the snapshot, if one was due.
    pub snapshot: Option<Any>,
    answer: Answer<R>,
}

impl<E: EventSourcedEntity, R: ProtobufMessage> Outcome<E, R> {
    #[track_caller]
    fn read(reply: EventSourcedReply) -> Self {
        Self {
            events: reply.events.iter().map(|event| expect_readable(E::Event::decode(event))).collect(),
            snapshot: reply.snapshot,
            answer: Answer::read(reply.client_action, reply.side_effects),
        }
    }
}

impl<E: EventSourcedEntity, R> Deref for Outcome<E, R> {
    type Target = Answer<R>;

    fn deref(&self) -> &Answer<R> {
        &self.answer
    }
}

impl<E, R: fmt::Debug> fmt::Debug for Outcome<E, R>
where
    E: EventSourcedEntity,
    E::Event: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("answer", &self.answer)
            .field("events", &self.events)
            .field("snapshot", &self.snapshot)
            .finish()
    }
}

impl<E: fmt::Debug + EventSourcedEntity + Handler> fmt::Debug for TestKit<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestKit")
            .field("entity_id", &self.caller.entity_id)
            .field("state", self.instance.entity())
            .finish_non_exhaustive()
    }
}

#[track_caller]
fn load<E: EventSourcedEntity + Handler + Entity>(
    entity_id: &str,
    create: &dyn Fn(&Context) -> E,
    snapshot: Option<EventSourcedSnapshot>,
    events: &[EventSourcedEvent],
) -> Instance<E> {
    let init =
        EventSourcedInit { service_name: E::Service::NAME.into(), entity_id: entity_id.into(), snapshot };
    let mut instance = expect_no_fault(Instance::start(init, create, TERMS));
    for event in events {
        expect_no_fault(instance.step(Some(Message::Event(event.clone()))));
    }
    instance
}
