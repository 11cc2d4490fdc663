//! Event sourced entities: a snapshot and events are replayed, events are appended.

use cloudstate_proto::{
    Any, Command,
    eventsourced::{
        EventSourcedEvent, EventSourcedInit, EventSourcedSnapshot, EventSourcedStreamIn,
        EventSourcedStreamOut, event_sourced_stream_in::Message as In,
        event_sourced_stream_out::Message as Out,
    },
};

use super::kind::{FromFunction, Names, Reply, SerialKind, Texts};
use crate::{
    storage::{Append, BoxFuture, EntityKey, Store, StoreError, StoredEvent, StoredSnapshot},
    telemetry::metrics::{EntityMetrics, Metrics, Volume},
    user_function::EventSourced,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    Snapshot,
    EventsAfter(u64),
}

#[derive(Clone, Debug)]
pub(crate) enum Loaded {
    Snapshot(Option<StoredSnapshot>),
    /// A page, empty at the end of the journal.
    Events(Vec<StoredEvent>),
}

/// What a command emitted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Emitted {
    pub(crate) events: Vec<Any>,
    pub(crate) snapshot: Option<Any>,
}

impl SerialKind for EventSourced {
    const TEXTS: Texts = Texts {
        unexpected_reply: "Unexpected entity reply",
        unexpected_failure: "Unexpected entity failure",
        unexpected_message: "Unexpected entity message",
        unexpected_termination: "Unexpected entity termination",
        terminated: "Entity terminated",
        load_failed: "Error recovering event log",
        store_failed: "the events of this command could not be stored",
    };
    const RESTARTS: bool = true;

    /// The sequence of the last stored event.
    type Position = u64;
    type Load = Load;
    type Loaded = Loaded;
    type Changes = Emitted;

    const FIRST_LOAD: Load = Load::Snapshot;

    fn replay(
        loaded: Loaded,
        sequence: &mut u64,
        names: Names<'_>,
        messages: &mut Vec<EventSourcedStreamIn>,
    ) -> Option<Load> {
        match loaded {
            Loaded::Snapshot(snapshot) => {
                *sequence = snapshot.as_ref().map_or(0, |snapshot| snapshot.sequence);
                messages.push(message(In::Init(init(names, snapshot))));
            }
            Loaded::Events(events) if events.is_empty() => return None,
            Loaded::Events(events) => {
                *sequence = events.last().map_or(*sequence, |event| event.sequence);
                messages.extend(events.into_iter().map(event));
            }
        }
        Some(Load::EventsAfter(*sequence))
    }

    fn command(command: Command) -> EventSourcedStreamIn {
        message(In::Command(command))
    }

    fn read(message: EventSourcedStreamOut) -> Result<FromFunction<Emitted>, &'static str> {
        match message.message {
            Some(Out::Reply(reply)) => {
                let changed = !reply.events.is_empty() || reply.snapshot.is_some();
                Ok(FromFunction::Reply(Reply {
                    command_id: reply.command_id,
                    action: reply.client_action.and_then(|action| action.action),
                    side_effects: reply.side_effects,
                    changes: changed.then_some(Emitted { events: reply.events, snapshot: reply.snapshot }),
                }))
            }
            Some(Out::Failure(failure)) => Ok(FromFunction::Failure(failure)),
            None => Err("a message without reply or failure"),
        }
    }

    fn volume_loaded(loaded: &Loaded) -> Volume {
        match loaded {
            Loaded::Snapshot(snapshot) => Volume {
                snapshot_bytes: snapshot.as_ref().map(|snapshot| snapshot.payload.value.len()),
                ..Volume::default()
            },
            Loaded::Events(events) => Volume {
                items: events.len(),
                bytes: events.iter().map(|event| event.payload.value.len()).sum(),
                snapshot_bytes: None,
            },
        }
    }

    fn volume_stored(changes: &Emitted) -> Volume {
        Volume {
            items: changes.events.len(),
            bytes: changes.events.iter().map(|event| event.value.len()).sum(),
            snapshot_bytes: changes.snapshot.as_ref().map(|snapshot| snapshot.value.len()),
        }
    }

    fn metrics(metrics: &Metrics, persistence_id: &str) -> EntityMetrics {
        metrics.event_sourced(persistence_id)
    }

    fn load(store: &dyn Store, entity: &EntityKey, load: Load) -> BoxFuture<Result<Loaded, StoreError>> {
        match load {
            Load::Snapshot => {
                let snapshot = store.snapshot(entity);
                Box::pin(async { snapshot.await.map(Loaded::Snapshot) })
            }
            Load::EventsAfter(sequence) => {
                let events = store.events(entity, sequence);
                Box::pin(async { events.await.map(Loaded::Events) })
            }
        }
    }

    fn store(
        store: &dyn Store,
        entity: &EntityKey,
        sequence: u64,
        Emitted { events, snapshot }: Emitted,
    ) -> BoxFuture<Result<u64, StoreError>> {
        store.append(Append { entity: entity.clone(), expected: sequence, events, snapshot })
    }
}

fn init(names: Names<'_>, snapshot: Option<StoredSnapshot>) -> EventSourcedInit {
    let snapshot = snapshot.map(|snapshot| EventSourcedSnapshot {
        snapshot_sequence: snapshot.sequence as i64,
        snapshot: Some(snapshot.payload),
    });
    EventSourcedInit {
        service_name: names.service.to_owned(),
        entity_id: names.entity_id.to_owned(),
        snapshot,
    }
}

fn event(event: StoredEvent) -> EventSourcedStreamIn {
    let StoredEvent { sequence, payload } = event;
    message(In::Event(EventSourcedEvent { sequence: sequence as i64, payload: Some(payload) }))
}

fn message(message: In) -> EventSourcedStreamIn {
    EventSourcedStreamIn { message: Some(message) }
}
