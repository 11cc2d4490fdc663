//! Streamed rpcs as clients see them: headers, back-pressure, deadlines, ends; over gRPC, gRPC-Web and HTTP.

use std::time::Duration;

use bytes::Bytes;
use cloudstate_proto::{
    Metadata, MetadataEntry, Reply as WireReply, action::action_response::Response, metadata_entry::Value,
};
use http::{Method, StatusCode};
use prost::Message;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::{Code, Status};

use crate::{
    action_calls::{ActionCall, failing, only_effects, replying, responding},
    actions::spec,
    client::{explained, frame, frame_bytes},
    contract::{Reply, any, request},
    hosted::{host, serving},
    stopped_clock::StoppedClock,
    streams::StreamedCall,
    user_function::{UserFunction, soon},
};
use cloudstate_proxy::error_code::ErrorCode;

/// A reply with metadata: text, and bytes.
fn with_metadata(text: &str) -> cloudstate_proto::action::ActionResponse {
    let entry = |key: &str, value| MetadataEntry { key: key.to_owned(), value: Some(value) };
    let entries = vec![
        entry("x-text", Value::StringValue("yes".to_owned())),
        entry("x-raw-bin", Value::BytesValue(Bytes::from_static(&[1, 2, 255]))),
        entry("grpc-status", Value::StringValue("5".to_owned())),
    ];
    responding(Response::Reply(WireReply {
        payload: Some(any("Reply", &Reply { text: text.to_owned() })),
        metadata: Some(Metadata { entries }),
    }))
}

async fn replied(call: &ActionCall, texts: &[&str]) {
    texts.iter().for_each(|text| call.reply(text));
}

#[tokio::test]
async fn the_first_reply_brings_headers_of_text_and_bytes() {
    let mut function = UserFunction::with_spec(spec());
    let (proxy, _client) = host(&function).await;
    let address = serving(&proxy).await.listen;
    // The headers do not wait for it for long.
    let _clock = StoppedClock::new();
    let mut call = StreamedCall::begin(address, "test.Calls/Out").await.ask("", "go");
    let held = function.action_call().await;
    held.respond(with_metadata("first"));
    assert_eq!(call.reply().await, "first");
    assert_eq!(call.headers.get("x-text").unwrap(), "yes");
    assert_eq!(&call.headers.get_bin("x-raw-bin").unwrap().to_bytes().unwrap()[..], [1, 2, 255]);
    drop(held);
    assert_eq!(call.end().await, (Code::Ok, String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_come_though_the_function_is_silent_and_an_empty_response_releases_them() {
    let mut function = UserFunction::with_spec(spec());
    let (proxy, _client) = host(&function).await;
    let address = serving(&proxy).await.listen;
    for with_empty_response in [false, true] {
        let mut call = StreamedCall::begin(address, "test.Calls/Both").await;
        let held = function.action_call().await;
        if with_empty_response {
            held.respond(only_effects(Vec::new()));
        }
        call.open().await.unwrap();
        replied(&held, &["late"]).await;
        assert_eq!(call.reply().await, "late");
        drop(held);
        assert_eq!(call.end().await, (Code::Ok, String::new()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_headers_reach_the_action_and_bytes_are_bytes() {
    let mut function = UserFunction::with_spec(spec());
    let (proxy, _client) = host(&function).await;
    let address = serving(&proxy).await.listen;
    let headers = [("x-text", "yes"), ("authorization", "Bearer x")];
    let call = StreamedCall::begin_with(address, "test.Calls/Out", &headers).await.ask("", "go");
    let mut held = function.action_call().await;
    let entries = held.command().await.metadata.unwrap().entries;
    let value =
        |key: &str| entries.iter().find(|entry| entry.key == key).and_then(|entry| entry.value.clone());
    assert_eq!(value("x-text"), Some(Value::StringValue("yes".to_owned())));
    assert_eq!(value("authorization"), Some(Value::StringValue("Bearer x".to_owned())));
    for hidden in ["content-type", "te", "grpc-timeout", "grpc-accept-encoding"] {
        assert_eq!(value(hidden), None, "{hidden}");
    }
    drop(call);
    held.cancelled().await;
}

#[tokio::test]
async fn a_deadline_ends_a_stream_and_cancels_the_call() {
    let mut function = UserFunction::with_spec(spec());
    let (proxy, _client) = host(&function).await;
    let address = serving(&proxy).await.listen;
    let clock = StoppedClock::new();
    let mut call = StreamedCall::begin_with(address, "test.Calls/Both", &[("grpc-timeout", "600m")]).await;
    let held = function.action_call().await;
    replied(&held, &["in time"]).await;
    assert_eq!(call.reply().await, "in time");
    clock.pass(Duration::from_millis(600)).await;
    let end = call.end().await;
    let text = "the call was not finished before its deadline";
    assert_eq!(end, (Code::DeadlineExceeded, explained("test.Calls/Both", ErrorCode::CallOverdue, text)));
    held.cancelled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_ends_the_call_and_no_more_requests_are_taken() {
    for first in [None, Some("one")] {
        let mut function = UserFunction::with_spec(spec());
        let (proxy, _client) = host(&function).await;
        let address = serving(&proxy).await.listen;
        let mut call = StreamedCall::begin(address, "test.Calls/Both").await;
        call.send("", "a");
        let held = function.action_call().await;
        if let Some(first) = first {
            held.reply(first);
            assert_eq!(call.reply().await, first);
        }
        held.respond(failing("expected failure", 0));
        assert_eq!(call.end().await, (Code::Unknown, "expected failure".to_owned()));
        call.requests_refused().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_of_the_function_after_a_reply_is_the_clients() {
    let mut function = UserFunction::with_spec(spec());
    let (proxy, _client) = host(&function).await;
    let address = serving(&proxy).await.listen;
    let mut call = StreamedCall::begin(address, "test.Calls/Out").await.ask("", "go");
    let held = function.action_call().await;
    held.reply("one");
    assert_eq!(call.reply().await, "one");
    held.fail(Status::data_loss("half of it is gone"));
    assert_eq!(call.end().await.0, Code::DataLoss);
}

/// Far more than fits into the buffers on the way.
#[tokio::test(flavor = "multi_thread")]
async fn requests_wait_for_a_function_that_does_not_take_them() {
    const REQUEST: usize = 64 * 1024;
    const REQUESTS: usize = 400;
    let mut function = UserFunction::with_spec(spec());
    let (proxy, _client) = host(&function).await;
    let address = serving(&proxy).await.listen;
    let mut call = StreamedCall::begin(address, "test.Calls/Both").await;
    let text = "x".repeat(REQUEST);
    for _ in 0..REQUESTS {
        call.send("", &text);
    }
    call.half_close();
    let mut held = function.action_call().await;
    // The replies do not wait for the requests.
    held.reply("early");
    assert_eq!(call.reply().await, "early");
    let mut taken = 0;
    while let Some(command) = held.next().await {
        taken += usize::from(command.payload.is_some_and(|payload| payload.value.len() > REQUEST));
    }
    assert_eq!(taken, REQUESTS);
    drop(held);
    assert_eq!(call.end().await, (Code::Ok, String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_a_stream_over_the_limit_ends_the_call() {
    let mut function = UserFunction::with_spec(spec());
    let settings =
        cloudstate_proxy::Settings { max_request_size: 1000, ..crate::hosted::settings(function.address) };
    let (proxy, _client) = crate::hosted::host_with(settings).await;
    let address = serving(&proxy).await.listen;
    let mut call = StreamedCall::begin(address, "test.Calls/Both").await;
    call.send("", "small");
    let mut held = function.action_call().await;
    held.command().await;
    held.command().await;
    call.send("", &"x".repeat(1000));
    assert_eq!(call.end().await.0, Code::ResourceExhausted);
    held.cancelled().await;
}

#[tokio::test]
async fn a_stream_of_replies_over_grpc_web() {
    let mut function = UserFunction::with_spec(spec());
    let (_proxy, client) = host(&function).await;
    let _clock = StoppedClock::new();
    let headers = [("content-type", "application/grpc-web+proto")];
    let body = frame(&request("", "go"));
    let page =
        tokio::spawn(async move { client.http(Method::POST, "/test.Calls/Out", &headers, &body).await });
    let held = function.action_call().await;
    held.respond(with_metadata("a"));
    held.reply("b");
    drop(held);
    let page = page.await.unwrap();
    assert_eq!(page.headers["x-text"], "yes");
    let message = |text: &str| frame_bytes(0, &Reply { text: text.to_owned() }.encode_to_vec());
    let end = frame_bytes(0x80, b"grpc-status: 0\r\n");
    assert_eq!(page.body, [message("a"), message("b"), end].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_replies_over_http_comes_as_it_is_made() {
    let mut function = UserFunction::with_spec(spec());
    let (proxy, _client) = host(&function).await;
    let address = serving(&proxy).await.listen;
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = "POST /test.Calls/Out HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\
                   content-length: 2\r\n\r\n{}";
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut held = function.action_call().await;
    held.command().await;
    let mut read = String::new();
    for event in ["a", "b"] {
        held.reply(event);
        let expected = format!("data: {{\"text\":\"{event}\"}}\n\n");
        soon("an event", async {
            while !read.contains(&expected) {
                let mut buffer = [0; 1024];
                let bytes = socket.read(&mut buffer).await.unwrap();
                assert_ne!(bytes, 0, "closed after {read}");
                read.push_str(std::str::from_utf8(&buffer[..bytes]).unwrap());
            }
        })
        .await;
    }
    assert!(read.contains("content-type: text/event-stream\r\n"), "{read}");
    drop(socket);
    held.cancelled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_amid_a_stream_over_http_breaks_the_connection_off() {
    let mut function = UserFunction::with_spec(spec());
    let (proxy, _client) = host(&function).await;
    let address = serving(&proxy).await.listen;
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request = "POST /test.Calls/Out HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}";
    socket.write_all(request.as_bytes()).await.unwrap();
    let held = function.action_call().await;
    held.reply("a");
    held.respond(failing("boom", 0));
    let mut read = Vec::new();
    // A reset is a way to break off, too.
    let _ = soon("the end", socket.read_to_end(&mut read)).await;
    let read = String::from_utf8(read).unwrap();
    assert!(!read.ends_with("0\r\n\r\n"), "the last chunk would say that all went well: {read}");
    assert!(!read.contains("boom"), "{read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_requests_over_http_is_one() {
    let mut function = UserFunction::with_spec(spec());
    let (_proxy, client) = host(&function).await;
    let page =
        tokio::spawn(
            async move { client.http(Method::POST, "/test.Calls/In", &[], br#"{"text":"only"}"#).await },
        );
    let mut held = function.action_call().await;
    assert_eq!(held.rpc, "handleStreamedIn");
    held.command().await;
    assert_eq!(held.command().await.payload, crate::actions::payload("only"));
    assert_eq!(held.next().await, None);
    held.respond(replying("one"));
    let page = page.await.unwrap();
    assert_eq!((page.status, page.text()), (StatusCode::OK, r#"{"text":"one"}"#));
}
