//! What ends a stream, and what the proxy is told: a broken protocol, unreadable data, panics. Each time the
//! stream completes well, and a new one works.

use cloudstate_proto::eventsourced::event_sourced_stream_in::Message;
use cloudstate_proto::eventsourced::{EventSourcedEvent, EventSourcedInit, EventSourcedStreamIn};
use cloudstate_proto::{Any, Command, Failure};
use cloudstate_sdk::CloudState;

use crate::model::{MODEL, Model, emit, fail, persisted, request};
use crate::proxy::{Entity, UserFunction, any};

/// Sends messages on a new stream, and expects them to end it after a number of replies.
async fn fault(messages: Vec<Option<Message>>, replies: usize) -> Failure {
    let function = UserFunction::start(CloudState::new().register::<Model>()).await;
    let mut entity = Entity::open(&mut function.entities().await).await;
    for message in messages {
        entity.send_raw(EventSourcedStreamIn { message });
    }
    for _ in 0..replies {
        entity.reply().await;
    }
    let failure = entity.fault().await;

    let mut entity = function.entity(MODEL, "id").await;
    entity.command(1, "Process", request("id", []));
    entity.reply().await;
    failure
}

fn init() -> Option<Message> {
    init_with(None)
}

fn init_with(snapshot: Option<(i64, Any)>) -> Option<Message> {
    let snapshot = snapshot.map(|(snapshot_sequence, snapshot)| {
        cloudstate_proto::eventsourced::EventSourcedSnapshot { snapshot_sequence, snapshot: Some(snapshot) }
    });
    Some(Message::Init(EventSourcedInit { service_name: MODEL.into(), entity_id: "id".into(), snapshot }))
}

fn event(sequence: i64, payload: Option<Any>) -> Option<Message> {
    Some(Message::Event(EventSourcedEvent { sequence, payload }))
}

fn command(id: i64, payload: Any) -> Option<Message> {
    with_command(id, |command| command.payload = Some(payload))
}

fn with_command(id: i64, change: impl FnOnce(&mut Command)) -> Option<Message> {
    let mut command = Command {
        entity_id: "id".into(),
        id,
        name: "Process".into(),
        payload: Some(request("id", [])),
        ..Default::default()
    };
    change(&mut command);
    Some(Message::Command(command))
}

#[track_caller]
fn assert_fault(failure: &Failure, command_id: i64, description: &str) {
    assert_eq!((failure.command_id, failure.description.as_str()), (command_id, description));
    assert!(!failure.restart);
    assert_eq!(failure.grpc_status_code, 0);
}

#[tokio::test]
async fn the_protocol_is_enforced() {
    let unknown_service =
        Some(Message::Init(EventSourcedInit { service_name: "x.Y".into(), ..Default::default() }));
    let nameless = Some(Message::Init(EventSourcedInit { service_name: MODEL.into(), ..Default::default() }));
    for (messages, id, description) in [
        (vec![None], 0, "Protocol error: the first message must be an init"),
        (vec![command(1, request("id", []))], 0, "Protocol error: the first message must be an init"),
        (vec![event(1, Some(persisted("A")))], 0, "Protocol error: the first message must be an init"),
        (vec![unknown_service], 0, "Protocol error: `x.Y` is no event sourced entity of this user function"),
        (vec![nameless], 0, "Protocol error: an init without an entity id"),
        (vec![init(), init()], 0, "Protocol error: a second init on one stream"),
        (vec![init(), None], 0, "Protocol error: a message that is neither init, event nor command"),
        (
            vec![init(), with_command(4, |command| command.entity_id = "other".into())],
            4,
            "Protocol error: a command for entity `other` on the stream of `id`",
        ),
        (
            vec![init(), with_command(5, |command| command.payload = None)],
            5,
            "Protocol error: the command `Process` has no payload",
        ),
        (
            vec![init(), with_command(6, |command| command.name = "process".into())],
            6,
            "Protocol error: `cloudstate.tck.model.EventSourcedTckModel` has no command `process`",
        ),
        (vec![init(), event(1, None)], 0, "Protocol error: event 1 of entity `id` has no payload"),
        (
            vec![init(), event(2, Some(persisted("B"))), event(2, Some(persisted("B")))],
            0,
            "Protocol error: event 2 of entity `id` came after event 2",
        ),
        (
            vec![init_with(Some((5, persisted("ABCDE")))), event(5, Some(persisted("E")))],
            0,
            "Protocol error: event 5 of entity `id` came after event 5",
        ),
        (
            vec![init_with(Some((-1, persisted("A"))))],
            0,
            "Protocol error: a snapshot with the sequence number -1",
        ),
    ] {
        assert_fault(&fault(messages, 0).await, id, description);
    }
}

#[tokio::test]
async fn unreadable_stored_data_fails_loudly() {
    let foreign = Any { type_url: "type.googleapis.com/x.Renamed".into(), ..Default::default() };
    let damaged = Any { value: b"\x0a\xff".as_ref().into(), ..persisted("A") };
    assert_fault(
        &fault(vec![init(), event(1, Some(persisted("A"))), event(2, Some(foreign.clone()))], 0).await,
        0,
        "cannot replay event 2 of entity `id`: the type `type.googleapis.com/x.Renamed` is not among the known \
         types: cloudstate.tck.model.Persisted; if it was renamed, its variant needs \
         `#[event(alias = \"x.Renamed\")]`",
    );
    let failure = fault(vec![init(), event(1, Some(damaged.clone()))], 0).await;
    let expected = "cannot replay event 1 of entity `id`: cannot decode a payload of type \
                    `type.googleapis.com/cloudstate.tck.model.Persisted`: ";
    assert!(failure.description.starts_with(expected), "{}", failure.description);

    assert_fault(
        &fault(vec![init_with(Some((5, foreign)))], 0).await,
        0,
        "cannot restore the snapshot of entity `id` at sequence 5: the type `type.googleapis.com/x.Renamed` is not \
         among the known types: cloudstate.tck.model.Persisted",
    );
    let failure = fault(vec![init_with(Some((5, damaged)))], 0).await;
    assert!(failure.description.starts_with("cannot restore the snapshot of entity `id` at sequence 5: "));
}

#[tokio::test]
async fn panics_are_contained_and_say_nothing_to_the_proxy() {
    let emit_all = |values: [&str; 5]| request("id", values.map(emit));
    for (messages, replies, id, doing) in [
        (vec![init(), command(1, request("id", [fail("panic in handler")]))], 0, 1, "handling the command"),
        (vec![init(), command(2, request("id", [emit("panic in apply")]))], 0, 2, "handling the command"),
        (vec![init(), command(3, request("id", [emit("panic in reply")]))], 0, 3, "handling the command"),
        (
            vec![init(), command(4, emit_all(["", "", "", "", "panic in snapshot"]))],
            0,
            4,
            "handling the command",
        ),
        (
            vec![
                init(),
                command(1, request("id", [])),
                command(2, request("id", [fail("panic in handler")])),
            ],
            1,
            2,
            "handling the command",
        ),
        (vec![init(), event(1, Some(persisted("panic in apply")))], 0, 0, "applying a stored event"),
        (vec![init_with(Some((5, persisted("panic in restore"))))], 0, 0, "restoring a snapshot"),
    ] {
        let failure = fault(messages, replies).await;
        assert_eq!(failure.command_id, id);
        let expected = format!("unexpected error while {doing}; see error ");
        let rest =
            failure.description.strip_prefix(&expected).unwrap_or_else(|| panic!("{}", failure.description));
        let (error_id, rest) = rest.split_once(' ').unwrap();
        assert_eq!((error_id.len(), rest), (16, "in the user function's log"));
    }
}

#[tokio::test]
async fn one_entity_s_panic_leaves_its_neighbours_alone() {
    let function = UserFunction::start(CloudState::new().register::<Model>()).await;
    let mut client = function.entities().await;
    let (mut good, mut bad) = (Entity::open(&mut client).await, Entity::open(&mut client).await);
    good.init(MODEL, "good", None);
    bad.init(MODEL, "bad", None);
    good.command(1, "Process", request("good", [emit("A")]));
    good.reply().await;
    bad.command(1, "Process", request("bad", [fail("panic in handler")]));
    bad.fault().await;
    good.command(2, "Process", request("good", [emit("B")]));
    assert_eq!(good.reply().await.events, [persisted("B")]);
}

#[tokio::test]
async fn a_panic_while_creating_the_entity_is_contained() {
    let create = |_: &cloudstate_sdk::Context| -> Model { panic!("no database") };
    let function = UserFunction::start(CloudState::new().register_with(create)).await;
    let failure = function.entity(MODEL, "id").await.fault().await;
    assert!(failure.description.starts_with("unexpected error while creating the entity; see error "));
}

#[tokio::test]
async fn an_entity_without_snapshots_refuses_a_stored_one() {
    use crate::model::{TWO, Two};
    let function = UserFunction::start(CloudState::new().register::<Two>()).await;
    let mut entity = Entity::open(&mut function.entities().await).await;
    entity.init(TWO, "id", Some((5, persisted("A"))));
    assert_fault(
        &entity.fault().await,
        0,
        "cannot restore the snapshot of entity `id` at sequence 5: it is a \
         `type.googleapis.com/cloudstate.tck.model.Persisted`, and the entity has no `impl Snapshot`",
    );
    let mut entity = Entity::open(&mut function.entities().await).await;
    entity.init(TWO, "id", None);
    entity.event(1, any(&()));
    let failure = entity.fault().await;
    assert!(failure.description.starts_with("cannot replay event 1 of entity `id`: the type "));
}
