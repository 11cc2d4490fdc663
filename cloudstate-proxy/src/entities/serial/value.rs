//! Value entities: the whole state is loaded, and stored after each command that changed it.

use cloudstate_proto::{
    Any, Command,
    valueentity::{
        ValueEntityAction, ValueEntityInit, ValueEntityInitState, ValueEntityStreamIn, ValueEntityStreamOut,
        value_entity_action::Action as StateAction, value_entity_stream_in::Message as In,
        value_entity_stream_out::Message as Out,
    },
};

use super::kind::{FromFunction, Names, Reply, SerialKind, Texts};
use crate::{
    storage::{BoxFuture, Change, EntityKey, Store, StoreError},
    telemetry::metrics::{EntityMetrics, Metrics, Volume},
    user_function::Value,
};

/// The only thing there is to load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LoadState;

#[derive(Clone, Debug)]
pub(crate) struct Loaded(pub(crate) Option<Any>);

/// The state after a command; none: it was deleted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NewState(pub(crate) Option<Any>);

impl SerialKind for Value {
    const TEXTS: Texts = Texts {
        unexpected_reply: "Unexpected Value entity reply",
        unexpected_failure: "Unexpected Value entity failure",
        unexpected_message: "Unexpected Value entity failure",
        unexpected_termination: "Unexpected Value entity termination",
        terminated: "Value entity terminated",
        load_failed: "Error loading the state of the Value entity",
        store_failed: "the state after this command could not be stored",
    };
    const RESTARTS: bool = false;

    type Position = ();
    type Load = LoadState;
    type Loaded = Loaded;
    type Changes = NewState;

    const FIRST_LOAD: LoadState = LoadState;

    fn replay(
        Loaded(value): Loaded,
        (): &mut (),
        names: Names<'_>,
        messages: &mut Vec<ValueEntityStreamIn>,
    ) -> Option<LoadState> {
        messages.push(message(In::Init(ValueEntityInit {
            service_name: names.service.to_owned(),
            entity_id: names.entity_id.to_owned(),
            // Libraries rely on its presence, also when nothing is stored.
            state: Some(ValueEntityInitState { value }),
        })));
        None
    }

    fn command(command: Command) -> ValueEntityStreamIn {
        message(In::Command(command))
    }

    fn read(message: ValueEntityStreamOut) -> Result<FromFunction<NewState>, &'static str> {
        match message.message {
            Some(Out::Reply(reply)) => Ok(FromFunction::Reply(Reply {
                command_id: reply.command_id,
                action: reply.client_action.and_then(|action| action.action),
                side_effects: reply.side_effects,
                changes: reply.state_action.map(new_state).transpose()?,
            })),
            Some(Out::Failure(failure)) => Ok(FromFunction::Failure(failure)),
            None => Err("a message without reply or failure"),
        }
    }

    fn volume_loaded(Loaded(value): &Loaded) -> Volume {
        volume(value.as_ref())
    }

    fn volume_stored(NewState(value): &NewState) -> Volume {
        volume(value.as_ref())
    }

    fn metrics(metrics: &Metrics, persistence_id: &str) -> EntityMetrics {
        metrics.value(persistence_id)
    }

    fn load(
        store: &dyn Store,
        entity: &EntityKey,
        LoadState: LoadState,
    ) -> BoxFuture<Result<Loaded, StoreError>> {
        let value = store.value(entity);
        Box::pin(async { value.await.map(Loaded) })
    }

    fn store(
        store: &dyn Store,
        entity: &EntityKey,
        (): (),
        NewState(state): NewState,
    ) -> BoxFuture<Result<(), StoreError>> {
        store.write(vec![Change::Value { entity: entity.clone(), state }])
    }
}

fn new_state(action: ValueEntityAction) -> Result<NewState, &'static str> {
    match action.action {
        Some(StateAction::Update(update)) => match update.value {
            Some(value) => Ok(NewState(Some(value))),
            None => Err("a state action that updates to no value; send delete to remove the state"),
        },
        Some(StateAction::Delete(_)) => Ok(NewState(None)),
        None => Err("a state action that neither updates nor deletes"),
    }
}

fn message(message: In) -> ValueEntityStreamIn {
    ValueEntityStreamIn { message: Some(message) }
}

fn volume(value: Option<&Any>) -> Volume {
    Volume {
        items: value.iter().count(),
        bytes: value.map_or(0, |value| value.value.len()),
        snapshot_bytes: None,
    }
}
