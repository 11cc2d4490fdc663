//! What flows through calls: metadata, back-pressure, cancellation, and many calls at a time.

use std::sync::atomic::Ordering;

use cloudstate_proto::action::{ActionCommand, action_response};
use cloudstate_proto::{Metadata, MetadataEntry, metadata_entry::Value};
use cloudstate_sdk::CloudState;
use tonic::Request;

use crate::action_call::action_command;
use crate::action_model::vices::{HANG, HUGE, SUMS, Vices};
use crate::cart::com::example::sums::{Count, Number};
use crate::proxy::{UserFunction, any, within};

#[tokio::test]
async fn metadata_comes_with_a_call_and_goes_with_a_reply() {
    let function = UserFunction::start(CloudState::new().register_action(Vices::new())).await;
    let text = |key: &str, value: &str| MetadataEntry {
        key: key.into(),
        value: Some(Value::StringValue(value.into())),
    };
    let command = ActionCommand {
        payload: Some(any(&Number { value: 2 })),
        metadata: Some(Metadata { entries: vec![text("ECHO", "a"), text("other", "x"), text("echo", "b")] }),
        ..action_command(SUMS, "Square")
    };
    let response = function.call_action_with("handleUnary", Request::new(command)).await.response().await;
    let Some(action_response::Response::Reply(reply)) = response.response else {
        panic!("expected a reply, got {response:?}");
    };
    assert_eq!(reply.metadata, Some(Metadata { entries: vec![text("Echo", "a"), text("Echo", "b")] }));
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_the_handler_with_it() {
    let vices = Vices::new();
    let function = UserFunction::start(CloudState::new().register_action(vices.clone())).await;
    let hang = any(&Number { value: HANG });

    let unary = function.call_action("handleUnary", SUMS, "Square", hang.clone());
    tokio::select! {
        _ = unary => panic!("answered"),
        hanging = vices.hanging.acquire() => hanging.unwrap().forget(),
    }
    within(vices.dropped.acquire()).await.unwrap().forget();

    let mut streamed = function.open_action("handleStreamed", SUMS, "Running").await;
    streamed.send(hang.clone());
    within(vices.hanging.acquire()).await.unwrap().forget();
    drop(streamed);
    within(vices.dropped.acquire()).await.unwrap().forget();
}

#[tokio::test]
async fn an_endless_stream_is_computed_as_it_is_read() {
    let vices = Vices::new();
    let function = UserFunction::start(CloudState::new().register_action(vices.clone())).await;
    let mut endless =
        function.call_action("handleStreamedOut", SUMS, "CountTo", any(&Count { to: HUGE })).await;
    for expected in 1..=20 {
        assert_eq!(endless.reply::<Number>().await.value, expected);
        // Others go on meanwhile, and give it time to run ahead.
        let mut other =
            function.call_action("handleUnary", SUMS, "Square", any(&Number { value: expected })).await;
        assert_eq!(other.reply::<Number>().await.value, expected * expected);
        let ahead = vices.produced.load(Ordering::SeqCst) as i64 - expected;
        assert!(ahead < 10, "{ahead} elements of 1 MiB wait");
    }
}

#[tokio::test]
async fn a_shutdown_waits_for_a_call_that_goes_on() {
    let mut function = UserFunction::start(CloudState::new().register_action(Vices::new())).await;
    let mut call = function.open_action("handleStreamed", SUMS, "Running").await;
    call.send(any(&Number { value: 1 }));
    assert_eq!(call.reply::<Number>().await.value, 1);
    function.begin_shutdown();
    call.send(any(&Number { value: 2 }));
    assert_eq!(call.reply::<Number>().await.value, 2);
    call.half_close();
    call.expect_end().await;
    within(function.stopped()).await;
}

#[tokio::test]
async fn a_thousand_calls_run_at_a_time() {
    let function = UserFunction::start(CloudState::new().register_action(Vices::new())).await;
    let mut client =
        cloudstate_proto::action::action_protocol_client::ActionProtocolClient::new(function.channel().await);
    let mut calls = Vec::new();
    for value in 0..1_000 {
        let (requests, receiver) = tokio::sync::mpsc::channel(4);
        requests.send(action_command(SUMS, "Running")).await.unwrap();
        let payload = Some(any(&Number { value }));
        requests.send(ActionCommand { payload, ..Default::default() }).await.unwrap();
        let responses = client.handle_streamed(tokio_stream::wrappers::ReceiverStream::new(receiver));
        calls.push((requests, within(responses).await.unwrap().into_inner()));
    }
    for (value, (requests, mut responses)) in (0..).zip(calls) {
        let response = within(responses.message()).await.unwrap().unwrap();
        let Some(action_response::Response::Reply(reply)) = response.response else { panic!("{response:?}") };
        assert_eq!(reply.payload, Some(any(&Number { value })));
        drop(requests);
        assert_eq!(within(responses.message()).await.unwrap(), None);
    }
}
