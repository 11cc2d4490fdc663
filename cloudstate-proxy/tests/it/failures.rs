//! A command that fails, and an entity that asks to be restarted.

use cloudstate_proto::client_action::Action;
use tonic::Code;

use crate::{
    contract::stored,
    hosted::{host, metric},
    user_function::{Out, UserFunction, With, acting, failure, refusal, reply},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_command_leaves_stream_and_state_alone() {
    let mut function = UserFunction::new();
    let (_proxy, client) = host(&function).await;
    let acting = client.clone();
    let calls = tokio::spawn(async move {
        let failed = acting.act("e1", "").await;
        assert_eq!(failed.failure(), (Code::Unknown, "no: höchstens 10 %\nper day"));
        assert_eq!(acting.act("e1", "").await.reply(), "yes");
        let page = acting.get("/things/e1").await;
        assert_eq!((page.status.as_u16(), page.text()), (500, "no, again"));
    });
    let (mut stream, _) = function.activation().await;
    stream.command().await;
    stream.send(Out::Reply(refusal(1, "no: höchstens 10 %\nper day")));
    assert_eq!(stream.answer("yes").await.id, 2);
    assert_eq!(stream.command().await.id, 3);
    stream.send(Out::Reply(refusal(3, "no, again")));
    calls.await.unwrap();
    assert!(stream.is_quiet());
}

/// The failure with `restart`, and the one whose events show that the function's state is ahead of the journal.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_rebuilds_the_entity_unprompted_and_keeps_the_queue() {
    for restart in [true, false] {
        let mut function = UserFunction::new();
        let (proxy, client) = host(&function).await;
        let act = |text: &'static str| {
            let client = client.clone();
            tokio::spawn(async move { client.act("e1", text).await })
        };
        let call = act("");
        let (mut stream, _) = function.activation().await;
        stream.command().await;
        stream.send(Out::Reply(reply(1, "").with_events(["a", "b"])));
        call.await.unwrap().reply();

        let failing = act("");
        stream.command().await;
        let queued = act("queued");
        metric(&proxy, r#"eventsourced_received_commands_total{entity_name="test.things"}"#, 3).await;
        let failure = cloudstate_proto::Failure { restart, ..failure(2, "emit then fail") };
        stream.send(Out::Reply(acting(2, Action::Failure(failure)).with_events(["lost"])));
        assert_eq!(failing.await.unwrap().failure(), (Code::Unknown, "emit then fail"));
        stream.half_closed().await;
        assert!(function.streams.try_recv().is_err(), "the old stream must end before the new one begins");
        // Too late: nobody waits for it.
        stream.reply(3, "ignored");
        drop(stream);

        let (mut stream, init) = function.activation().await;
        assert_eq!((&*init.entity_id, init.snapshot), ("e1", None));
        for (sequence, text) in [(1, "a"), (2, "b")] {
            let event = stream.event().await;
            assert_eq!((event.sequence, event.payload), (sequence, Some(stored(text))));
        }
        assert_eq!(stream.answer("after the restart").await.id, 1);
        assert_eq!(queued.await.unwrap().reply(), "after the restart");
        assert!(function.reports.try_recv().is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_without_a_queue_replays_before_any_command() {
    let mut function = UserFunction::new();
    let (_proxy, client) = host(&function).await;
    let call = {
        let client = client.clone();
        tokio::spawn(async move { client.act("e1", "").await })
    };
    let (mut stream, _) = function.activation().await;
    stream.command().await;
    let failure = cloudstate_proto::Failure { restart: true, ..failure(1, "again") };
    stream.send(Out::Reply(acting(1, Action::Failure(failure))));
    call.await.unwrap().failure();
    stream.half_closed().await;
    drop(stream);

    let (mut stream, _) = function.activation().await;
    assert!(stream.is_quiet());
    let call = tokio::spawn(async move { client.act("e1", "").await });
    assert_eq!(stream.answer("fine").await.id, 1);
    assert_eq!(call.await.unwrap().reply(), "fine");
}
