//! CRDT entities: concurrent commands, durable state, deletions, crashes.

use std::time::Duration;

use cloudstate_proto::{
    SideEffect,
    client_action::Action,
    crdt::{
        CrdtClock, CrdtDelta, CrdtInit, CrdtReply, CrdtStateAction, FlagDelta, GCounterDelta, GSetDelta,
        LwwRegisterDelta, OrMapDelta, OrMapEntryDelta, OrSetDelta, VoteDelta, crdt_delta::Delta,
    },
};
use cloudstate_proxy::{Proxy, Settings, storage::StoreUrl};
use rusqlite::Connection;
use tokio::task::JoinHandle;
use tonic::{Code, Status};

use crate::{
    client::{Answer, Client},
    contract::{OTHERS, any, request},
    crdt_function::{CrdtStream, Out, SETS, acting, counted, deleted, element, reply, spec, updated},
    hosted::{host, host_with, metric, settings},
    stopped_clock::StoppedClock,
    user_function::{Setup, UserFunction, failure},
};

fn function() -> UserFunction {
    UserFunction::with_spec(spec())
}

/// Calls `test.Sets/Do`.
fn act(client: &Client, id: &str) -> JoinHandle<Answer> {
    let (client, id) = (client.clone(), id.to_owned());
    tokio::spawn(async move { client.call("test.Sets/Do", &id, "").await })
}

async fn reply_to(call: JoinHandle<Answer>) -> String {
    call.await.unwrap().reply()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_changes_and_is_deleted() {
    let mut function = function();
    let (_proxy, client) = host(&function).await;
    let call = act(&client, "e1");
    let (mut stream, init) = function.crdt_activation().await;
    let expected = CrdtInit { service_name: SETS.to_owned(), entity_id: "e1".to_owned(), delta: None };
    assert_eq!(init, expected);
    let command = stream.answer("0", None).await;
    assert_eq!((command.id, &*command.name, command.streamed), (1, "Do", false));
    assert_eq!(command.entity_id, "e1");
    assert_eq!(command.payload, Some(any("Request", &request("e1", ""))));
    assert_eq!(command.metadata, None);
    assert_eq!(reply_to(call).await, "0");
    for (id, change, text) in [(2, 2, "2"), (3, 5, "7")] {
        let call = act(&client, "e1");
        assert_eq!(stream.answer(text, updated(counted(change))).await.id, id);
        assert_eq!(reply_to(call).await, text);
    }
    let call = act(&client, "e1");
    stream.answer("7", deleted()).await;
    assert_eq!(reply_to(call).await, "7");
    stream.half_closed().await;
    assert_eq!(act(&client, "e1").await.unwrap().failure(), (Code::NotFound, "Entity deleted"));
    drop(stream);
    assert_eq!(act(&client, "e1").await.unwrap().failure(), (Code::NotFound, "Entity deleted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_concurrent_and_answered_in_any_order() {
    let mut function = function();
    let (_proxy, client) = host(&function).await;
    let mut calls = Vec::new();
    let first = act(&client, "e1");
    let (mut stream, _) = function.crdt_activation().await;
    calls.push((stream.command().await.id, first));
    for _ in 0..9 {
        let call = act(&client, "e1");
        calls.push((stream.command().await.id, call));
    }
    for (id, call) in calls.into_iter().rev() {
        stream.reply(reply(id, &id.to_string()));
        assert_eq!(reply_to(call).await, id.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forwards_and_side_effects_reach_other_entities() {
    let mut function = function();
    let (_proxy, client) = host(&function).await;
    let call = act(&client, "e1");
    let (mut stream, _) = function.crdt_activation().await;
    let id = stream.command().await.id;
    let payload = Some(any("Request", &request("e2", "")));
    let forward = cloudstate_proto::Forward {
        service_name: OTHERS.to_owned(),
        command_name: "Do".to_owned(),
        payload: payload.clone(),
        metadata: None,
    };
    let client_action = Some(acting(Action::Forward(forward)));
    stream.reply(CrdtReply { command_id: id, client_action, ..CrdtReply::default() });
    let (mut other, init) = function.crdt_activation().await;
    assert_eq!((&*init.service_name, &*init.entity_id), (OTHERS, "e2"));
    assert_eq!(other.answer("forwarded", None).await.id, 1);
    assert_eq!(reply_to(call).await, "forwarded");

    let call = act(&client, "e1");
    let id = stream.command().await.id;
    let effect = SideEffect {
        service_name: OTHERS.to_owned(),
        command_name: "Do".to_owned(),
        payload,
        synchronous: false,
        metadata: None,
    };
    let state_action = updated(counted(1));
    stream.reply(CrdtReply { side_effects: vec![effect], state_action, ..reply(id, "own") });
    assert_eq!(reply_to(call).await, "own");
    assert_eq!(other.answer("dropped", None).await.id, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_leaves_the_entity_alive() {
    let mut function = function();
    let (_proxy, client) = host(&function).await;
    let call = act(&client, "e1");
    let (mut stream, _) = function.crdt_activation().await;
    let id = stream.command().await.id;
    let client_action = Some(acting(Action::Failure(failure(id, "expected failure"))));
    stream.reply(CrdtReply { command_id: id, client_action, ..CrdtReply::default() });
    assert_eq!(call.await.unwrap().failure(), (Code::Unknown, "expected failure"));
    // As a message of its own it has its description, too.
    let call = act(&client, "e1");
    let id = stream.command().await.id;
    stream.send(Out::Failure(failure(id, "described")));
    assert_eq!(call.await.unwrap().failure(), (Code::Unknown, "described"));
    let call = act(&client, "e1");
    assert_eq!(stream.answer("alive", None).await.id, 3);
    assert_eq!(reply_to(call).await, "alive");
}

#[tokio::test(flavor = "multi_thread")]
async fn http_clients_reach_it_too() {
    let mut function = function();
    let (_proxy, client) = host(&function).await;
    let post = {
        let client = client.clone();
        let headers = [("content-type", "application/json")];
        tokio::spawn(async move { client.http(http::Method::POST, "/sets/e1", &headers, b"{}").await })
    };
    let (mut stream, _) = function.crdt_activation().await;
    stream.answer("over HTTP", updated(counted(1))).await;
    let page = post.await.unwrap();
    assert_eq!((page.status.as_u16(), page.text()), (200, r#"{"text":"over HTTP"}"#));
}

/// Any change that a function can make, and what another start of the proxy tells it then.
#[tokio::test(flavor = "multi_thread")]
async fn every_type_survives_a_restart_of_the_proxy() {
    let entry = |key: &str, delta| OrMapEntryDelta {
        key: Some(element(key)),
        delta: Some(CrdtDelta { delta: Some(delta) }),
    };
    let register = |clock: CrdtClock, custom_clock_value| {
        let value = Some(element("written"));
        Delta::Lwwregister(LwwRegisterDelta { value, clock: clock.into(), custom_clock_value })
    };
    let vote =
        |self_vote, votes_for, total_voters| Delta::Vote(VoteDelta { self_vote, votes_for, total_voters });
    let set = |added: &[&str]| Delta::Gset(GSetDelta { added: added.iter().map(|e| element(e)).collect() });
    let or_set = |removed: &[&str], added: &[&str]| {
        Delta::Orset(OrSetDelta {
            cleared: false,
            removed: removed.iter().map(|e| element(e)).collect(),
            added: added.iter().map(|e| element(e)).collect(),
        })
    };
    let map = |updated, added| Delta::Ormap(OrMapDelta { updated, added, ..OrMapDelta::default() });
    let flag = |value| Delta::Flag(FlagDelta { value });
    let counter = |increment| Delta::Gcounter(GCounterDelta { increment });
    let cases = [
        ("gcounter", vec![counter(0)], counter(0)),
        ("gcounter-7", vec![counter(3), counter(4)], counter(7)),
        ("pncounter", vec![counted(3), counted(-4)], counted(-1)),
        ("gset", vec![set(&["b", "a"]), set(&["c", "a"])], set(&["b", "a", "c"])),
        ("orset", vec![or_set(&[], &["b", "a"]), or_set(&["b"], &["c"])], or_set(&[], &["a", "c"])),
        ("register", vec![register(CrdtClock::Custom, 9)], register(CrdtClock::Default, 0)),
        ("flag", vec![flag(false), flag(true)], flag(true)),
        ("vote", vec![vote(true, 0, 0)], vote(true, 1, 1)),
        (
            "ormap",
            vec![
                map(vec![], vec![entry("inner", map(vec![], vec![entry("x", counted(1))]))]),
                map(
                    vec![entry("inner", map(vec![entry("x", counted(1))], vec![]))],
                    vec![entry("f", flag(false))],
                ),
            ],
            map(
                vec![],
                vec![entry("inner", map(vec![], vec![entry("x", counted(2))])), entry("f", flag(false))],
            ),
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    let store = StoreUrl::Sqlite(folder.path().join("store.db"));
    let mut function = function();
    let settings = Settings { store, ..settings(function.address) };

    let (proxy, client) = host_with(settings.clone()).await;
    for (id, changes, _) in &cases {
        let mut stream = None;
        for change in changes {
            let call = act(&client, id);
            let stream = match &mut stream {
                Some(stream) => stream,
                none => none.insert(function.crdt_activation().await.0),
            };
            stream.answer("changed", updated(change.clone())).await;
            assert_eq!(reply_to(call).await, "changed");
        }
    }
    stop(proxy, client).await;

    let (_proxy, client) = host_with(settings).await;
    for (id, _, state) in cases {
        let call = act(&client, id);
        let (mut stream, init) = function.crdt_activation().await;
        assert_eq!(init.delta, Some(CrdtDelta { delta: Some(state) }), "{id}");
        stream.answer("back", None).await;
        assert_eq!(reply_to(call).await, "back");
    }
}

async fn stop(proxy: Proxy, client: Client) {
    drop(client);
    proxy.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_entity_stays_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let store = StoreUrl::Sqlite(folder.path().join("store.db"));
    let mut function = function();
    let settings = Settings { store, ..settings(function.address) };
    let (proxy, client) = host_with(settings.clone()).await;
    let call = act(&client, "e1");
    let (mut stream, _) = function.crdt_activation().await;
    stream.answer("gone", deleted()).await;
    assert_eq!(reply_to(call).await, "gone");
    drop(stream);
    stop(proxy, client).await;

    let (_proxy, client) = host_with(settings).await;
    for _ in 0..2 {
        assert_eq!(act(&client, "e1").await.unwrap().failure(), (Code::NotFound, "Entity deleted"));
    }
    assert!(function.crdts.try_recv().is_err(), "a stream for a deleted entity");
}

/// Looks with a connection of its own, at the moment in which the client has its answer.
#[tokio::test(flavor = "multi_thread")]
async fn the_reply_comes_when_the_change_is_durable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut function = function();
    let settings = Settings { store: StoreUrl::Sqlite(path.clone()), ..settings(function.address) };
    let (_proxy, client) = host_with(settings).await;
    let reader = Connection::open(&path).unwrap();
    let stored = || -> (String, Vec<u8>) {
        let state = "SELECT type_url, payload FROM crdts WHERE entity_id = 'e1'";
        reader.query_row(state, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    };
    let mut stream = None;
    for total in 1..5 {
        let call = act(&client, "e1");
        let stream = match &mut stream {
            Some(stream) => stream,
            none => none.insert(function.crdt_activation().await.0),
        };
        stream.answer("", updated(counted(1))).await;
        reply_to(call).await;
        let (type_url, payload) = stored();
        assert_eq!(type_url, "type.googleapis.com/cloudstate.crdt.CrdtDelta");
        let delta: CrdtDelta = prost::Message::decode(&*payload).unwrap();
        assert_eq!(delta.delta, Some(counted(total)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_cannot_be_stored_fails_its_command_and_the_entity_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut function = function();
    let settings = Settings { store: StoreUrl::Sqlite(path.clone()), ..settings(function.address) };
    let (_proxy, client) = host_with(settings).await;
    let call = act(&client, "e1");
    let (mut stream, _) = function.crdt_activation().await;
    stream.answer("1", updated(counted(1))).await;
    reply_to(call).await;
    let sql = Connection::open(&path).unwrap();
    sql.execute_batch(
        "CREATE TRIGGER refuse BEFORE INSERT ON crdt BEGIN SELECT RAISE(ABORT, 'no'); END;
         CREATE TRIGGER refuse_too BEFORE UPDATE ON crdt BEGIN SELECT RAISE(ABORT, 'no'); END;",
    )
    .unwrap();
    let call = act(&client, "e1");
    stream.answer("2", updated(counted(1))).await;
    let text = "Failed to update CRDT at requested write consistency";
    assert_eq!(call.await.unwrap().failure(), (Code::Unavailable, text));
    stream.given_up().await;
    assert!(function.report().await.starts_with("Failed to update CRDT: "));
    sql.execute_batch("DROP TRIGGER refuse; DROP TRIGGER refuse_too;").unwrap();

    let call = act(&client, "e1");
    let (mut stream, init) = function.crdt_activation().await;
    assert_eq!(init.delta, Some(CrdtDelta { delta: Some(counted(1)) }));
    stream.answer("2", updated(counted(1))).await;
    assert_eq!(reply_to(call).await, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_entity_is_half_closed_and_comes_back_with_its_state() {
    let mut function = function();
    let mut settings = settings(function.address);
    settings.passivation_timeout.crdt = Duration::from_millis(20);
    let (_proxy, client) = host_with(settings).await;
    let call = act(&client, "e1");
    let (mut stream, _) = function.crdt_activation().await;
    stream.answer("", updated(counted(5))).await;
    reply_to(call).await;
    stream.half_closed().await;
    // Commands that come now wait for the function's side to end.
    let call = act(&client, "e1");
    drop(stream);
    let (mut stream, init) = function.crdt_activation().await;
    assert_eq!(init.delta, Some(CrdtDelta { delta: Some(counted(5)) }));
    assert_eq!(stream.answer("back", None).await.id, 1);
    assert_eq!(reply_to(call).await, "back");
}

/// What the function does wrong, and what its developer is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_breaks_the_protocol_crashes_its_entity_alone() {
    type Mistake = fn(CrdtStream);
    let mistakes: [(Mistake, &str); 7] = [
        (|stream| stream.reply(reply(9, "")), "Received reply for entity id e1 for unknown command 9"),
        (
            |stream| stream.reply(CrdtReply { streamed: true, ..reply(2, "") }),
            "Streamed reply to non streamed command 2",
        ),
        (
            |stream| {
                let update = cloudstate_proto::crdt::crdt_state_action::Action::Update(CrdtDelta::default());
                let state_action = Some(CrdtStateAction { action: Some(update), write_consistency: 0 });
                stream.reply(CrdtReply { state_action, ..reply(2, "") });
            },
            "Empty delta",
        ),
        (
            |stream| {
                let state_action = updated(Delta::Flag(FlagDelta { value: true }));
                stream.reply(CrdtReply { state_action, ..reply(2, "") });
            },
            "a Flag delta for a PNCounter",
        ),
        (
            |stream| {
                stream.reply(CrdtReply { state_action: updated(counted(i64::MAX)), ..reply(2, "") });
            },
            "a PNCounter would leave the range of 64-bit integers",
        ),
        (drop, "Unexpected entity termination due to stream closure"),
        (|stream| stream.fail(Status::internal("broken")), "Entity crashed: broken"),
    ];
    let mut function = function();
    let (_proxy, client) = host(&function).await;
    let neighbour = act(&client, "neighbour");
    let (mut neighbours, _) = function.crdt_activation().await;
    neighbours.command().await;
    for (at, (mistake, text)) in mistakes.into_iter().enumerate() {
        let call = act(&client, "e1");
        let (mut stream, init) = function.crdt_activation().await;
        assert_eq!(init.delta.is_some(), at > 0, "{text}");
        let change = if at == 0 { 1 } else { 0 };
        stream.answer("", updated(counted(change))).await;
        reply_to(call).await;
        let call = act(&client, "e1");
        stream.command().await;
        mistake(stream);
        assert_eq!(call.await.unwrap().failure(), (Code::Unavailable, "Entity terminating"), "{text}");
        let report = function.report().await;
        assert!(report.starts_with(text) && report.ends_with("entity e1)"), "{report}");
    }
    neighbours.reply(reply(1, "unharmed"));
    assert_eq!(reply_to(neighbour).await, "unharmed");
}

/// An unanswered command goes to the process that takes the place of the one that was killed.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_outlives_the_process_that_had_it() {
    let mut function = function();
    let (_proxy, client) = host(&function).await;
    let call = act(&client, "e1");
    let (mut stream, _) = function.crdt_activation().await;
    stream.answer("", updated(counted(5))).await;
    reply_to(call).await;
    let calls = [act(&client, "e1"), act(&client, "e1")];
    let ids = [stream.command().await.id, stream.command().await.id];
    assert_eq!(ids, [2, 3]);
    let address = Some(function.kill());
    let mut function = UserFunction::start(Setup { spec: spec(), address, ..Setup::default() });
    let (mut stream, init) = function.crdt_activation().await;
    assert_eq!(init.delta, Some(CrdtDelta { delta: Some(counted(5)) }));
    assert_eq!(stream.answer("again", None).await.id, 1);
    assert_eq!(stream.answer("again", None).await.id, 2);
    for call in calls {
        assert_eq!(reply_to(call).await, "again");
    }
}

#[tokio::test]
async fn too_many_commands_are_refused_and_a_stuck_function_is_left() {
    let mut function = function();
    let relay_timeout = Duration::from_millis(300);
    let settings = Settings { stash_size: 2, relay_timeout, ..settings(function.address) };
    let (_proxy, client) = host_with(settings).await;
    let clock = StoppedClock::new();
    let first = act(&client, "e1");
    let (mut stream, _) = function.crdt_activation().await;
    stream.command().await;
    let second = act(&client, "e1");
    stream.command().await;
    let third = act(&client, "e1").await.unwrap();
    assert_eq!(third.failure().0, Code::ResourceExhausted);
    clock.pass(relay_timeout).await;
    for call in [first, second] {
        assert_eq!(call.await.unwrap().failure().0, Code::DeadlineExceeded);
    }
    let call = act(&client, "e1");
    let (mut fresh, _) = function.crdt_activation().await;
    fresh.answer("fresh", None).await;
    assert_eq!(reply_to(call).await, "fresh");
    stream.given_up().await;
}
#[tokio::test(flavor = "multi_thread")]
async fn its_metrics_have_its_name() {
    let mut function = function();
    let (proxy, client) = host(&function).await;
    let call = act(&client, "e1");
    let (mut stream, _) = function.crdt_activation().await;
    stream.answer("", updated(counted(5))).await;
    reply_to(call).await;
    let calls = [act(&client, "e1"), act(&client, "e1")];
    let ids = [stream.command().await.id, stream.command().await.id];
    stream.send(Out::Failure(failure(ids[1], "no")));
    stream.reply(reply(ids[0], "yes"));
    for call in calls {
        call.await.unwrap();
    }
    drop(stream);
    metric(&proxy, r#"crdt_passivated_entities_total{entity_name="test.sets"}"#, 1).await;
    let call = act(&client, "e1");
    let (mut stream, _) = function.crdt_activation().await;
    stream.answer("", None).await;
    reply_to(call).await;
    let expected = [
        ("activated_entities_total", 2),
        ("passivated_entities_total", 1),
        ("failed_entities_total", 0),
        ("loaded_states_total", 1),
        ("persisted_states_total", 1),
        ("received_commands_total", 4),
        ("stashed_commands_total", 2),
        ("unstashed_commands_total", 2),
        ("completed_commands_total", 4),
        ("failed_commands_total", 1),
        ("command_processing_time_seconds_count", 4),
        ("command_total_time_seconds_count", 4),
        ("persist_time_seconds_count", 1),
        ("recovery_time_seconds_count", 2),
    ];
    for (name, value) in expected {
        metric(&proxy, &format!(r#"crdt_{name}{{entity_name="test.sets"}}"#), value).await;
    }
}
