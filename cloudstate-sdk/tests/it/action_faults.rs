//! Calls that go wrong: what the proxy gets, and that the next call goes well.

use cloudstate_proto::action::{ActionCommand, action_response};
use cloudstate_proto::{Any, EXTENSIONS_HEADER};
use cloudstate_sdk::CloudState;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request};

use crate::action_call::action_command;
use crate::action_model::vices::{EARLY_PANIC, HUGE, PANIC, REFUSE, SUMS, Vices};
use crate::cart::com::example::sums::{Count, Number};
use crate::proxy::{UserFunction, any};

fn number(value: i64) -> Any {
    any(&Number { value })
}

async fn vices() -> UserFunction {
    UserFunction::start(CloudState::new().register_action(Vices::new())).await
}

#[tokio::test]
async fn a_call_of_what_is_not_there_is_a_failure_and_ends_well() {
    let function = vices().await;
    for (rpc, service, name, problem) in [
        (
            "handleUnary",
            "com.example.sums.Nobody",
            "Square",
            "`com.example.sums.Nobody` is no action of this user function",
        ),
        ("handleUnary", SUMS, "Cube", "`com.example.sums.Sums` has no command `Cube`"),
        ("handleUnary", SUMS, "Sum", "`Sum` is streamed in, and was called as unary"),
        ("handleStreamedOut", SUMS, "Square", "`Square` is unary, and was called as streamed out"),
        (
            "handleStreamedIn",
            SUMS,
            "Running",
            "`Running` is streamed in both directions, and was called as streamed in",
        ),
        (
            "handleStreamed",
            SUMS,
            "CountTo",
            "`CountTo` is streamed out, and was called as streamed in both directions",
        ),
        ("handleStreamed", "", "", "`` is no action of this user function"),
    ] {
        let mut call = if rpc.ends_with("In") || rpc.ends_with("Streamed") {
            function.open_action(rpc, service, name).await
        } else {
            function.call_action(rpc, service, name, number(1)).await
        };
        assert_eq!(call.failure().await.description, format!("Protocol error: {problem}"), "{rpc}");
        call.expect_end().await;
    }
}

#[tokio::test]
async fn a_first_command_must_name_the_rpc_and_no_more() {
    let function = vices().await;
    for rpc in ["handleStreamedIn", "handleStreamed"] {
        let mut call = function.open_action_without_command(rpc).await;
        call.half_close();
        let expected = "Protocol error: the call ended before a command said which rpc is called";
        assert_eq!(call.failure().await.description, expected);
        call.expect_end().await;

        let mut call = function.open_action_without_command(rpc).await;
        call.send_command(ActionCommand { payload: Some(number(1)), ..action_command(SUMS, "Sum") });
        assert!(call.failure().await.description.ends_with("must not have a payload"));
        call.expect_end().await;
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_a_failure() {
    let function = vices().await;
    let malformed = Any { type_url: "t/com.example.sums.Number".into(), value: b"\x08"[..].into() };
    let stranger = Any { type_url: "t/com.example.Stranger".into(), ..Default::default() };
    for payload in [&malformed, &stranger] {
        let mut call = function.call_action("handleUnary", SUMS, "Square", payload.clone()).await;
        assert!(call.failure().await.description.contains(&payload.type_url));
        let mut call = function.open_action("handleStreamedIn", SUMS, "Sum").await;
        call.send(payload.clone());
        assert!(call.failure().await.description.contains(&payload.type_url));
    }
    let mut call =
        function.call_action_with("handleUnary", Request::new(action_command(SUMS, "Square"))).await;
    assert_eq!(call.failure().await.description, "Protocol error: the command `Square` has no payload");
    let mut call = function.open_action("handleStreamedIn", SUMS, "Sum").await;
    call.send_command(ActionCommand::default());
    assert_eq!(call.failure().await.description, "a request of the stream has no payload");
}

#[tokio::test]
async fn an_error_in_a_stream_is_one_element() {
    let function = vices().await;
    let mut call = function.open_action("handleStreamed", SUMS, "Running").await;
    for value in [1, REFUSE, 2] {
        call.send(number(value));
    }
    assert_eq!(call.reply::<Number>().await.value, 1);
    assert_eq!(call.failure().await.description, "no such number");
    assert_eq!(call.reply::<Number>().await.value, 2);
    call.half_close();
    call.expect_end().await;

    let mut call =
        function.call_action("handleStreamedOut", SUMS, "CountTo", any(&Count { to: REFUSE })).await;
    assert_eq!(call.failure().await.description, "no such number");
    call.expect_end().await;
}

#[tokio::test]
async fn a_panic_closes_its_call_with_an_error_id_and_harms_nobody_else() {
    let function = vices().await;
    let mut unary = function.call_action("handleUnary", SUMS, "Square", number(PANIC)).await;
    let mut streamed_in = function.open_action("handleStreamedIn", SUMS, "Sum").await;
    streamed_in.send(number(PANIC));
    let mut early =
        function.call_action("handleStreamedOut", SUMS, "CountTo", any(&Count { to: EARLY_PANIC })).await;
    let mut streamed = function.open_action("handleStreamed", SUMS, "Running").await;
    let mut other = function.open_action("handleStreamed", SUMS, "Running").await;
    streamed.send(number(1));
    assert_eq!(streamed.reply::<Number>().await.value, 1);
    streamed.send(number(PANIC));
    for call in [&mut unary, &mut streamed_in, &mut early, &mut streamed] {
        let status = call.status().await;
        assert_eq!(status.code(), Code::Internal);
        let text = status.message();
        assert!(text.starts_with("unexpected error while handling the call; see error "), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }
    other.send(number(3));
    assert_eq!(other.reply::<Number>().await.value, 3);
}

#[tokio::test]
async fn a_code_is_sent_to_a_proxy_that_knows_codes() {
    let function = vices().await;
    for (extensions, expected) in [(None, 0), (Some("status-code"), 5)] {
        let command = ActionCommand { payload: Some(number(REFUSE)), ..action_command(SUMS, "Square") };
        let mut request = Request::new(command);
        if let Some(extensions) = extensions {
            request.metadata_mut().insert(EXTENSIONS_HEADER, MetadataValue::from_static(extensions));
        }
        let failure = function.call_action_with("handleUnary", request).await.failure().await;
        assert_eq!((failure.description.as_str(), failure.grpc_status_code), ("no such number", expected));
    }
}

#[tokio::test]
async fn messages_that_are_too_large_are_explained() {
    let limited = CloudState::new().max_reply_size(1 << 20).max_message_size(1 << 10);
    let function = UserFunction::start(limited.register_action(Vices::new())).await;
    let mut call = function.call_action("handleUnary", SUMS, "Square", number(HUGE)).await;
    let response = call.response().await;
    assert!(matches!(
        response.response,
        Some(action_response::Response::Failure(failure)) if failure.description.ends_with("more than the 1048576 that a proxy accepts")
    ));

    let large = Any { type_url: "x".repeat(2 << 10), ..Default::default() };
    let mut call = function.call_action("handleUnary", SUMS, "Square", large.clone()).await;
    assert_eq!(call.status().await.code(), Code::OutOfRange);
    // Here a handler is running, and decides.
    let mut call = function.open_action("handleStreamedIn", SUMS, "Sum").await;
    call.send(large);
    assert!(call.failure().await.description.starts_with("cannot read a request: "));
}
