use std::fmt;

use cloudstate_proto as proto;
use cloudstate_proto::client_action::Action;
use cloudstate_proto::eventsourced::event_sourced_stream_in::Message;
use cloudstate_proto::eventsourced::{
    EventSourcedEvent, EventSourcedInit, EventSourcedReply, EventSourcedSnapshot,
};

use crate::command::SideEffect;
use crate::conversation::{MAX_REPLY_SIZE, Terms};
use crate::event_sourced::instance::Instance;
use crate::event_sourced::{Event, EventSourcedEntity, Handler, Snapshot};
use crate::fault::Fault;
use crate::payload::{self, ProtobufMessage};
use crate::{Any, Code, Context, Entity, Failure, Metadata, Service, ServiceCall};

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
    entity_id: String,
    metadata: Metadata,
    last_command: i64,
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
        let entity_id = entity_id.into();
        let instance = load(&entity_id, &create, None, &[]);
        Self {
            instance,
            create: Box::new(create),
            entity_id,
            metadata: Metadata::new(),
            last_command: 0,
            stored: Stored::default(),
        }
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
        self.instance = load(&self.entity_id, &self.create, Some(snapshot), &[]);
        self
    }

    /// Sends metadata with the commands that follow.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// Sends a command, and returns what it did.
    ///
    /// # Panics
    /// When the call is for another service, and when the entity does what would end its stream: panic, or write
    /// what it cannot read.
    #[track_caller]
    pub fn call<R: ProtobufMessage>(&mut self, call: ServiceCall<R>) -> Outcome<E, R> {
        assert_eq!(
            call.service(),
            E::Service::NAME,
            "the call is for another service than that of the entity"
        );
        self.last_command += 1;
        let command = proto::Command {
            entity_id: self.entity_id.clone(),
            id: self.last_command,
            name: call.command().into(),
            payload: Some(call.payload().clone()),
            streamed: false,
            metadata: self.metadata.clone().into_proto(),
        };
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
        load(&self.entity_id, &self.create, self.stored.first.clone(), &self.stored.events).into_entity()
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
        load(&self.entity_id, &self.create, Some(snapshot), &events).into_entity()
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

/// What a command did.
pub struct Outcome<E: EventSourcedEntity, R> {
    /// The events that were stored, decoded from their stored form.
    pub events: Vec<E::Event>,
    /// The rpc that answers in place of this one.
    pub forwarded_to: Option<ServiceCall<R>>,
    /// The other calls, in order.
    pub side_effects: Vec<SideEffect>,
    /// The stored form of the snapshot, if one was due.
    pub snapshot: Option<Any>,
    /// What came with the reply.
    pub reply_metadata: Metadata,
    result: Option<Result<R, Failure>>,
}

impl<E: EventSourcedEntity, R: ProtobufMessage> Outcome<E, R> {
    #[track_caller]
    fn read(reply: EventSourcedReply) -> Self {
        let mut outcome = Self {
            events: reply.events.iter().map(|event| expect_readable(E::Event::decode(event))).collect(),
            forwarded_to: None,
            side_effects: reply.side_effects.into_iter().map(SideEffect::from_proto).collect(),
            snapshot: reply.snapshot,
            reply_metadata: Metadata::new(),
            result: None,
        };
        match reply.client_action.and_then(|client| client.action) {
            Some(Action::Reply(reply)) => {
                outcome.result =
                    Some(Ok(expect_readable(payload::decode(&reply.payload.unwrap_or_default()))));
                outcome.reply_metadata = Metadata::from_proto(reply.metadata);
            }
            Some(Action::Failure(failure)) => {
                let code = Code::from_number(failure.grpc_status_code).unwrap_or_default();
                outcome.result = Some(Err(Failure::with_code(code, failure.description)));
            }
            Some(Action::Forward(forward)) => outcome.forwarded_to = Some(ServiceCall::from_forward(forward)),
            None => {}
        }
        outcome
    }
}

impl<E: EventSourcedEntity, R> Outcome<E, R> {
    /// The reply or the failure; `None` after a forward.
    pub fn result(&self) -> Option<&Result<R, Failure>> {
        self.result.as_ref()
    }

    /// The reply.
    ///
    /// # Panics
    /// When the command failed or was forwarded.
    #[track_caller]
    pub fn reply(&self) -> &R {
        match &self.result {
            Some(Ok(reply)) => reply,
            Some(Err(failure)) => panic!("expected a reply, but the command failed: {failure}"),
            None => panic!("expected a reply, but the command was forwarded to {:?}", self.forwarded_to),
        }
    }

    /// The failure.
    ///
    /// # Panics
    /// When the command was accepted.
    #[track_caller]
    pub fn failure(&self) -> &Failure {
        match &self.result {
            Some(Err(failure)) => failure,
            _ => panic!("expected a failure, but the command was accepted"),
        }
    }
}

impl<E, R: fmt::Debug> fmt::Debug for Outcome<E, R>
where
    E: EventSourcedEntity,
    E::Event: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("result", &self.result)
            .field("events", &self.events)
            .field("forwarded_to", &self.forwarded_to)
            .field("side_effects", &self.side_effects)
            .field("snapshot", &self.snapshot)
            .finish_non_exhaustive()
    }
}

impl<E: fmt::Debug + EventSourcedEntity + Handler> fmt::Debug for TestKit<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestKit")
            .field("entity_id", &self.entity_id)
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
    // The kit plays a proxy that knows status codes.
    let terms = Terms { max_reply_size: MAX_REPLY_SIZE, status_codes: true };
    let mut instance = expect_no_fault(Instance::start(init, create, terms));
    for event in events {
        expect_no_fault(instance.step(Some(Message::Event(event.clone()))));
    }
    instance
}

#[track_caller]
fn expect_no_fault<T>(outcome: Result<T, Fault>) -> T {
    outcome.unwrap_or_else(|fault| {
        panic!("the entity's stream would end: {}", fault.detail().unwrap_or(fault.description()))
    })
}

#[track_caller]
fn expect_readable<T>(decoded: Result<T, crate::DecodeError>) -> T {
    decoded.unwrap_or_else(|error| panic!("the entity wrote what it cannot read: {error}"))
}
