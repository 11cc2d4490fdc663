//! The kinds of entity as both sides of a lifecycle see them, for its tests: messages of the user function, answers of
//! the store, and what is sent, in words of the test.

use std::sync::Arc;

use cloudstate_proto::{
    Any, ClientAction, Command, Failure as WireFailure, Reply as WireReply,
    client_action::Action,
    eventsourced::{
        EventSourcedReply, EventSourcedStreamIn, EventSourcedStreamOut,
        event_sourced_stream_in::Message as EsIn, event_sourced_stream_out::Message as EsOut,
    },
    valueentity::{
        ValueEntityAction, ValueEntityReply, ValueEntityStreamIn, ValueEntityStreamOut, ValueEntityUpdate,
        value_entity_action::Action as StateAction, value_entity_stream_in::Message as VeIn,
        value_entity_stream_out::Message as VeOut,
    },
};

use super::{
    event_sourced::{self, Emitted},
    kind::SerialKind,
    lifecycle::{Incoming, Input, Lifecycle},
    value,
};
use crate::{
    entities::Token,
    service_catalog::{EntityKind, Method, Service},
    storage::StoredEvent,
    user_function::{EventSourced, Value},
};

/// A kind of entity as both sides of it see it.
pub(super) trait Scripted: SerialKind {
    fn reply(command_id: i64, action: Action, changes: usize) -> Self::Out;
    fn stream_failure(failure: WireFailure) -> Self::Out;
    fn nothing() -> Self::Out;
    fn sent(message: &Self::In) -> Sent;
    /// What a store holding so many changes answers; a page has `page` events at most.
    fn loaded(load: Self::Load, stored: u64, page: u64) -> Self::Loaded;
    /// How many changes a store holds after these, if they were made against what it holds.
    fn kept(stored: u64, position: Self::Position, changes: &Self::Changes) -> (u64, Self::Position);
}

/// A message to the user function.
pub(super) enum Sent {
    /// With so many stored changes in it.
    Init(u64, String),
    Event(u64),
    Command(Command),
}

impl Scripted for EventSourced {
    fn reply(command_id: i64, action: Action, changes: usize) -> EventSourcedStreamOut {
        let message = Some(EsOut::Reply(EventSourcedReply {
            command_id,
            client_action: Some(ClientAction { action: Some(action) }),
            events: vec![message("e"); changes],
            ..EventSourcedReply::default()
        }));
        EventSourcedStreamOut { message }
    }

    fn stream_failure(failure: WireFailure) -> EventSourcedStreamOut {
        EventSourcedStreamOut { message: Some(EsOut::Failure(failure)) }
    }

    fn nothing() -> EventSourcedStreamOut {
        EventSourcedStreamOut { message: None }
    }

    fn sent(message: &EventSourcedStreamIn) -> Sent {
        match message.message.clone().unwrap() {
            EsIn::Init(init) => match init.snapshot {
                Some(snapshot) => {
                    let sequence = snapshot.snapshot_sequence;
                    let text = format!("init {} with snapshot {sequence}", init.entity_id);
                    Sent::Init(sequence as u64, text)
                }
                None => Sent::Init(0, format!("init {}", init.entity_id)),
            },
            EsIn::Event(event) => Sent::Event(event.sequence as u64),
            EsIn::Command(command) => Sent::Command(command),
        }
    }

    fn loaded(load: Self::Load, stored: u64, page: u64) -> Self::Loaded {
        match load {
            event_sourced::Load::Snapshot => event_sourced::Loaded::Snapshot(None),
            event_sourced::Load::EventsAfter(after) => {
                let page = after + 1..=stored.min(after + page);
                let events = page.map(|sequence| StoredEvent { sequence, payload: message("e") });
                event_sourced::Loaded::Events(events.collect())
            }
        }
    }

    fn kept(stored: u64, position: u64, changes: &Emitted) -> (u64, u64) {
        assert_eq!(position, stored, "every append continues the journal");
        let stored = stored + changes.events.len() as u64;
        (stored, stored)
    }
}

impl Scripted for Value {
    fn reply(command_id: i64, action: Action, changes: usize) -> ValueEntityStreamOut {
        let update = ValueEntityUpdate { value: Some(message(&changes.to_string())) };
        let message = Some(VeOut::Reply(ValueEntityReply {
            command_id,
            client_action: Some(ClientAction { action: Some(action) }),
            state_action: (changes > 0)
                .then_some(ValueEntityAction { action: Some(StateAction::Update(update)) }),
            ..ValueEntityReply::default()
        }));
        ValueEntityStreamOut { message }
    }

    fn stream_failure(failure: WireFailure) -> ValueEntityStreamOut {
        ValueEntityStreamOut { message: Some(VeOut::Failure(failure)) }
    }

    fn nothing() -> ValueEntityStreamOut {
        ValueEntityStreamOut { message: None }
    }

    fn sent(message: &ValueEntityStreamIn) -> Sent {
        match message.message.clone().unwrap() {
            VeIn::Init(init) => {
                let state = init.state.expect("the state is always there").value;
                let text = state.map(|state| String::from_utf8(state.value.to_vec()).unwrap());
                let stored = text.as_deref().map_or(0, |text| text.parse().unwrap());
                Sent::Init(stored, format!("init {} with {text:?}", init.entity_id))
            }
            VeIn::Command(command) => Sent::Command(command),
        }
    }

    fn loaded(_: value::LoadState, stored: u64, _: u64) -> value::Loaded {
        value::Loaded((stored > 0).then(|| message(&stored.to_string())))
    }

    fn kept(_: u64, (): (), changes: &value::NewState) -> (u64, ()) {
        let text = String::from_utf8(changes.0.as_ref().unwrap().value.to_vec()).unwrap();
        (text.parse().unwrap(), ())
    }
}

pub(super) fn message(text: &str) -> Any {
    Any { type_url: "type.googleapis.com/test".to_owned(), value: text.to_owned().into() }
}

/// The name of its rpc is `c` and its token.
pub(super) fn command<K: SerialKind>(token: Token) -> Input<K> {
    command_to("Service", token)
}

pub(super) fn command_to<K: SerialKind>(service: &str, token: Token) -> Input<K> {
    let service = Service {
        name: service.into(),
        kind: EntityKind::EventSourced,
        persistence_id: "p".into(),
        passivate_after: None,
        is_stateless_function: false,
    };
    let method = Method {
        service: Arc::new(service),
        name: format!("c{token}").into(),
        input_type: "test".to_owned(),
        output_type: "test".to_owned(),
        input_type_url: "type.googleapis.com/test".to_owned(),
        output_type_url: "type.googleapis.com/test".to_owned(),
        client_streaming: false,
        server_streaming: false,
        entity_key: Default::default(),
        eventing: None,
        http: None,
    };
    Input::Command(Incoming {
        token,
        method: Arc::new(method),
        payload: Default::default(),
        context: Default::default(),
        resends: 0,
    })
}

pub(super) fn reply<K: Scripted>(command_id: i64, changes: usize) -> Input<K> {
    let action = Action::Reply(WireReply { payload: Some(message("ok")), metadata: None });
    Input::FromFunction(K::reply(command_id, action, changes))
}

pub(super) fn failure<K: Scripted>(command_id: i64, restart: bool, changes: usize) -> Input<K> {
    let description = "no".to_owned();
    let action = Action::Failure(WireFailure { command_id, description, restart, grpc_status_code: 0 });
    Input::FromFunction(K::reply(command_id, action, changes))
}

pub(super) fn stream_failure<K: Scripted>(command_id: i64) -> Input<K> {
    let description = "boom".to_owned();
    Input::FromFunction(K::stream_failure(WireFailure { command_id, description, ..WireFailure::default() }))
}

pub(super) fn timed_out<K: SerialKind>(token: Token) -> Input<K> {
    Input::TimedOut { token, unreachable: None }
}

pub(super) fn lifecycle<K: SerialKind>() -> Lifecycle<K> {
    Lifecycle::new("Service".into(), "e1".into(), 3)
}
