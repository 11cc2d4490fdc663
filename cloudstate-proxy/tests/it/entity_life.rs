//! The life of an entity on its stream: init, history, commands one at a time.

use crate::{
    contract::{THINGS, any, passivated_after, request, stored},
    hosted::{host, metric},
    user_function::{Out, UserFunction, With, reply},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_first_command_activates_the_entity() {
    let mut function = UserFunction::new();
    let (_proxy, client) = host(&function).await;
    let call = tokio::spawn(async move { client.act("e1", "hello").await });

    let (mut stream, init) = function.activation().await;
    assert_eq!((&*init.service_name, &*init.entity_id, init.snapshot), (THINGS, "e1", None));
    let command = stream.command().await;
    assert_eq!((&*command.entity_id, command.id, &*command.name), ("e1", 1, "Do"));
    assert_eq!(command.payload, Some(any("Request", &request("e1", "hello"))));
    assert!(!command.streamed);
    assert_eq!(command.metadata, None);
    stream.reply(1, "done");
    assert_eq!(call.await.unwrap().reply(), "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_come_one_at_a_time_in_order_and_events_are_not_echoed() {
    let mut function = UserFunction::new();
    let (proxy, client) = host(&function).await;
    let mut calls = Vec::new();
    for number in 1..=3 {
        let client = client.clone();
        calls.push(tokio::spawn(async move { client.act("e1", &format!("call {number}")).await }));
        metric(&proxy, r#"eventsourced_received_commands_total{entity_name="test.things"}"#, number).await;
    }
    let (mut stream, _) = function.activation().await;
    for number in 1..=3 {
        let command = stream.command().await;
        assert_eq!(command.id, number);
        assert_eq!(command.payload, Some(any("Request", &request("e1", &format!("call {number}")))));
        assert!(stream.is_quiet(), "a command came before the one before it was answered");
        let event = format!("event {number}");
        stream.send(Out::Reply(reply(number, &format!("reply {number}")).with_events([&*event])));
    }
    for (number, call) in (1..).zip(calls) {
        assert_eq!(call.await.unwrap().reply(), format!("reply {number}"));
    }
    assert!(function.streams.try_recv().is_err(), "one entity has one stream");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_activation_replays_the_events_and_counts_commands_anew() {
    let mut function = UserFunction::with_spec(passivated_after(1));
    let (_proxy, client) = host(&function).await;
    let act = |text: &'static str| {
        let client = client.clone();
        tokio::spawn(async move { client.act("e1", text).await })
    };
    let call = act("one");
    let (mut stream, _) = function.activation().await;
    stream.command().await;
    stream.send(Out::Reply(reply(1, "").with_events(["a", "b", "c"])));
    call.await.unwrap().reply();
    stream.half_closed().await;
    drop(stream);

    let call = act("two");
    let (mut stream, init) = function.activation().await;
    assert_eq!(init.snapshot, None);
    for (sequence, text) in [(1, "a"), (2, "b"), (3, "c")] {
        let event = stream.event().await;
        assert_eq!((event.sequence, event.payload), (sequence, Some(stored(text))));
    }
    assert_eq!(stream.command().await.id, 1);
    stream.send(Out::Reply(reply(1, "").with_events(["d"])));
    call.await.unwrap().reply();
    stream.half_closed().await;
    drop(stream);

    let _call = act("three");
    let (mut stream, _) = function.activation().await;
    for sequence in 1..=4 {
        assert_eq!(stream.event().await.sequence, sequence);
    }
    stream.command().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_takes_the_place_of_the_events_it_covers() {
    let mut function = UserFunction::with_spec(passivated_after(1));
    let (_proxy, client) = host(&function).await;
    let replies = [
        reply(1, "").with_events(["a", "b"]).with_snapshot("ab"),
        // Events after a snapshot, and a snapshot without events: at the sequence reached so far.
        reply(1, "").with_events(["c"]),
        reply(1, "").with_snapshot("abc"),
    ];
    // The snapshot (sequence and text), then the sequences of the events, that each activation must bring.
    let snapshots = [None, Some((2, "ab")), Some((2, "ab"))];
    let events = [vec![], vec![], vec![3]];
    for ((reply, snapshot), events) in replies.into_iter().zip(snapshots).zip(events) {
        let client = client.clone();
        let call = tokio::spawn(async move { client.act("e1", "").await });
        let (mut stream, init) = function.activation().await;
        let found = init.snapshot.map(|found| (found.snapshot_sequence, found.snapshot));
        assert_eq!(found, snapshot.map(|(sequence, text)| (sequence, Some(stored(text)))));
        for sequence in events {
            assert_eq!(stream.event().await.sequence, sequence);
        }
        assert_eq!(stream.command().await.id, 1);
        stream.send(Out::Reply(reply));
        call.await.unwrap().reply();
        stream.half_closed().await;
    }
    tokio::spawn(async move { client.act("e1", "").await });
    let (mut stream, init) = function.activation().await;
    assert_eq!(init.snapshot.map(|found| found.snapshot_sequence), Some(3));
    stream.command().await;
}

/// More than a page of the store, and more than the reference proxy's 100 messages of buffer.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_is_replayed_completely() {
    const EVENTS: usize = 2_500;
    let mut function = UserFunction::with_spec(passivated_after(1));
    let (_proxy, client) = host(&function).await;
    function.serve(|entity, command| {
        let mut reply = reply(command.id, &entity.history.len().to_string());
        if entity.history.is_empty() {
            reply.events = (0..EVENTS).map(|number| stored(&number.to_string())).collect();
        }
        reply
    });
    assert_eq!(client.act("e1", "").await.reply(), "0");
    metric(&_proxy, r#"eventsourced_passivated_entities_total{entity_name="test.things"}"#, 1).await;
    assert_eq!(client.act("e1", "").await.reply(), EVENTS.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entity_id_may_hold_any_text() {
    let mut function = UserFunction::with_spec(passivated_after(1));
    let (proxy, client) = host(&function).await;
    function.serve(|entity, command| {
        let text = format!("{} after {}", entity.id, entity.history.join(","));
        let event = entity.id.clone();
        reply(command.id, &text).with_events([&*event])
    });
    let ids = [
        "a/b|c:%",
        "a/b|c:",
        "naïve 日本語 🛒",
        " ",
        "\u{0}",
        "'; DROP TABLE event; --",
        "A",
        "a",
        "%41",
        "-",
    ];
    for (activations, id) in (1..).zip(ids) {
        assert_eq!(client.act(id, "").await.reply(), format!("{id} after "));
        let passivated = r#"eventsourced_passivated_entities_total{entity_name="test.things"}"#;
        metric(&proxy, passivated, 2 * activations - 1).await;
        assert_eq!(client.act(id, "").await.reply(), format!("{id} after {id}"));
        metric(&proxy, passivated, 2 * activations).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_in_a_path_is_percent_decoded() {
    let mut function = UserFunction::new();
    let (_proxy, client) = host(&function).await;
    function.serve(|entity, command| reply(command.id, &entity.id));
    for (path, id) in [("a%2Fb%7Cc%3A%25", "a/b|c:%"), ("a:b", "a:b"), ("a+b", "a+b"), ("%E6%97%A5", "日")] {
        let page = client.get(&format!("/things/{path}")).await;
        assert_eq!(page.text(), format!(r#"{{"text":"{id}"}}"#));
    }
}
