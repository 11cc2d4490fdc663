//! What gRPC clients can do wrong, and what the protocol owes them.

use std::{io::Write, time::Duration};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use prost::Message;
use tonic::Code;

use crate::{
    client::{frame, frame_bytes},
    contract::{THINGS, request, spec_of},
    hosted::{host, host_with, metric, settings},
    stopped_clock::StoppedClock,
    user_function::{UserFunction, reply},
};
use cloudstate_proxy::error_code::ErrorCode;

/// What is sent to `test.Things/Do`, and what comes of it.
fn bad_requests() -> Vec<(&'static str, Bytes, Code, &'static str)> {
    let long = "x".repeat(4097);
    let five_megabytes = "x".repeat(5_000_000);
    let whole = frame(&request("e1", "text"));
    vec![
        (
            "an empty key",
            frame(&request("", "text")),
            Code::InvalidArgument,
            "test.Things/Do: the entity key `id` is empty",
        ),
        (
            "an empty message",
            frame_bytes(0, b""),
            Code::InvalidArgument,
            "test.Things/Do: the entity key `id` is empty",
        ),
        (
            "a key of another type",
            frame_bytes(0, b"\x08\x05"),
            Code::InvalidArgument,
            "test.Things/Do: the entity key `id` is empty",
        ),
        ("a key that is too long", frame(&request(&long, "")), Code::InvalidArgument, "4097 bytes"),
        (
            "a key that is no UTF-8",
            frame_bytes(0, b"\x0a\x02\xff\xfe"),
            Code::InvalidArgument,
            "not valid UTF-8",
        ),
        (
            "a truncated key",
            frame_bytes(0, b"\x0a\x05e1"),
            Code::InvalidArgument,
            "not a valid protobuf message",
        ),
        (
            "a truncated field",
            frame_bytes(0, b"\x0a\x02e1\x12\x7fhi"),
            Code::InvalidArgument,
            "not a valid protobuf",
        ),
        (
            "no protobuf",
            frame_bytes(0, b"GET / HTTP/1.1"),
            Code::InvalidArgument,
            "not a valid protobuf message",
        ),
        (
            "an endless number",
            frame_bytes(0, &[0xff; 11]),
            Code::InvalidArgument,
            "not a valid protobuf message",
        ),
        ("five megabytes", frame(&request("e1", &five_megabytes)), Code::ResourceExhausted, "too large"),
        (
            "a length that lies",
            Bytes::from_static(b"\x00\xff\xff\xff\xff"),
            Code::ResourceExhausted,
            "too large",
        ),
        ("half a message", whole.slice(..whole.len() - 3), Code::Internal, "Unexpected EOF"),
        ("half a head", whole.slice(..3), Code::Internal, "Unexpected EOF"),
        ("no message", Bytes::new(), Code::Internal, "Missing request message"),
        ("an unknown flag", frame_bytes(7, b"\x0a\x02e1"), Code::Internal, "compression flag"),
        (
            "a compressed message without encoding",
            frame_bytes(1, b"\x0a\x02e1"),
            Code::Internal,
            "grpc-encoding",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_request_is_explained_and_harms_nothing_else() {
    let mut function = UserFunction::new();
    function.serve(|_, command| reply(command.id, "fine"));
    let (_proxy, client) = host(&function).await;
    for (what, body, code, text) in bad_requests() {
        let error = match code {
            Code::InvalidArgument => ErrorCode::NoEntityKey,
            Code::ResourceExhausted => ErrorCode::RequestTooLarge,
            _ => ErrorCode::MalformedRequest,
        };
        let answer = client.grpc("test.Things/Do", &body).await;
        assert_eq!(answer.code, code, "{what}: {}", answer.text);
        assert!(answer.text.contains(text), "{what}: {}", answer.text);
        assert!(answer.text.starts_with("test.Things/Do: "), "{what}: {}", answer.text);
        assert_eq!(answer.headers["cloudstate-error"], error.as_str(), "{what}: {}", answer.text);
        assert_eq!(client.act("e1", "").await.reply(), "fine", "{what}: on the same connection");
    }
}

/// The reference proxy makes each a command of its own, whose replies the client cannot tell apart.
#[tokio::test(flavor = "multi_thread")]
async fn of_several_messages_on_a_unary_rpc_the_first_counts() {
    let mut function = UserFunction::new();
    function.serve(|entity, command| reply(command.id, &entity.id));
    let (proxy, client) = host(&function).await;
    let messages =
        [frame(&request("e1", "")), frame(&request("e2", ""))].map(|frame| frame.to_vec()).concat();
    assert_eq!(client.grpc("test.Things/Do", &Bytes::from(messages)).await.reply(), "e1");
    metric(&proxy, r#"eventsourced_received_commands_total{entity_name="test.things"}"#, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_unimplemented() {
    let function = UserFunction::new();
    let (_proxy, client) = host(&function).await;
    for rpc in
        ["test.Things/Nothing", "test.Things/do", "test.Nothing/Do", "Things/Do", "test.Things", "", "a/b/c"]
    {
        let answer = client.grpc(rpc, &frame(&request("e1", ""))).await;
        assert_eq!(answer.code, Code::Unimplemented, "{rpc}");
        assert!(answer.text.contains(rpc), "{rpc}: {}", answer.text);
    }
}

/// Services of the descriptor set that are no entity are not served.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_not_listed_is_not_served() {
    let mut spec = crate::contract::spec();
    spec.entities.truncate(1);
    let function = UserFunction::with_spec(spec);
    let (_proxy, client) = host(&function).await;
    assert_eq!(client.call("test.Others/Do", "e1", "").await.code, Code::Unimplemented);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_of_requests_can_be_set() {
    let mut function = UserFunction::new();
    function.serve(|_, command| reply(command.id, "fine"));
    let mut settings = settings(function.address);
    settings.max_request_size = 1_000;
    let (_proxy, client) = host_with(settings).await;
    assert_eq!(client.act("e1", &"x".repeat(900)).await.reply(), "fine");
    let answer = client.act("e1", &"x".repeat(1_000)).await;
    assert_eq!(answer.code, Code::ResourceExhausted, "{}", answer.text);
}

#[tokio::test]
async fn the_deadline_of_the_client_is_kept() {
    let mut function = UserFunction::new();
    let (proxy, client) = host(&function).await;
    let act = |timeout| {
        let client = client.clone();
        let headers = [("grpc-timeout", timeout)];
        async move { client.grpc_with("test.Things/Do", &frame(&request("slow", "")), &headers).await }
    };
    let clock = StoppedClock::new();
    for (received, timeout) in [(1, "30m"), (2, "30000u")] {
        let answer = tokio::spawn(act(timeout));
        metric(&proxy, r#"eventsourced_received_commands_total{entity_name="test.things"}"#, received).await;
        assert!(!answer.is_finished(), "{timeout}");
        clock.pass(Duration::from_millis(30)).await;
        assert_eq!(answer.await.unwrap().code, Code::DeadlineExceeded, "{timeout}");
    }
    drop(clock);
    for timeout in ["0S", "1n"] {
        assert_eq!(act(timeout).await.code, Code::DeadlineExceeded, "{timeout}");
    }
    // The entity is not harmed by its impatient clients; their commands still run.
    let (mut stream, _) = function.activation().await;
    stream.answer("late").await;
    stream.answer("late, too").await;
    let call = tokio::spawn(async move {
        let headers = [("grpc-timeout", "99999999H")];
        client.grpc_with("test.Things/Do", &frame(&request("slow", "patient")), &headers).await
    });
    loop {
        let command = stream.answer("in time").await;
        if command.payload.unwrap().value == request("slow", "patient").encode_to_vec() {
            break;
        }
    }
    assert_eq!(call.await.unwrap().reply(), "in time");
}

/// A header that is no timeout is as good as none.
#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_is_none_is_ignored() {
    let mut function = UserFunction::new();
    function.serve(|_, command| reply(command.id, "fine"));
    let (_proxy, client) = host(&function).await;
    for timeout in ["", "m", "1", "-1S", "1x", "1.5S", "100000000S", "ä"] {
        let headers = [("grpc-timeout", timeout)];
        let answer = client.grpc_with("test.Things/Do", &frame(&request("e1", "")), &headers).await;
        assert_eq!(answer.reply(), "fine", "{timeout:?}");
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn gzip_is_understood_and_spoken() {
    let mut function = UserFunction::new();
    function.serve(|entity, command| reply(command.id, &entity.id));
    let (_proxy, client) = host(&function).await;
    let body = frame_bytes(1, &gzip(&request("e1", "text").encode_to_vec()));
    let headers = [("grpc-encoding", "gzip"), ("grpc-accept-encoding", "identity,gzip")];
    let answer = client.grpc_with("test.Things/Do", &body, &headers).await;
    assert_eq!(answer.code, Code::Ok, "{}", answer.text);
    assert_eq!(answer.headers.get("grpc-encoding").unwrap(), "gzip");
    let mut plain = Vec::new();
    std::io::copy(&mut flate2::read::GzDecoder::new(&*answer.message.unwrap()), &mut plain).unwrap();
    assert_eq!(plain, b"\x0a\x02e1");

    let uncompressed = client.grpc_with("test.Things/Do", &body, &headers[..1]).await;
    assert_eq!(uncompressed.reply(), "e1");
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_messages_obey_the_limit_too() {
    let function = UserFunction::new();
    let (_proxy, client) = host(&function).await;
    let bomb = gzip(&vec![0; 20_000_000]);
    assert!(bomb.len() < 1_000_000);
    let headers = [("grpc-encoding", "gzip")];
    let answer = client.grpc_with("test.Things/Do", &frame_bytes(1, &bomb), &headers).await;
    assert_eq!(answer.code, Code::ResourceExhausted, "{}", answer.text);
    let garbage = frame_bytes(1, b"this is not gzip");
    let answer = client.grpc_with("test.Things/Do", &garbage, &headers).await;
    assert_eq!(answer.code, Code::Internal, "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_encoding_is_unimplemented_with_the_known_ones() {
    let function = UserFunction::new();
    let (_proxy, client) = host(&function).await;
    let headers = [("grpc-encoding", "snappy")];
    let answer = client.grpc_with("test.Things/Do", &frame_bytes(1, b"x"), &headers).await;
    assert_eq!(answer.code, Code::Unimplemented, "{}", answer.text);
    assert!(answer.headers.get("grpc-accept-encoding").unwrap().to_str().unwrap().contains("gzip"));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_content_types_of_grpc_are_grpc() {
    let mut function = UserFunction::new();
    function.serve(|_, command| reply(command.id, "fine"));
    let (_proxy, client) = host(&function).await;
    for content_type in ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"] {
        let headers = [("content-type", content_type), ("te", "trailers")];
        let body = frame(&request("e1", ""));
        let page = client.http(http::Method::POST, "/test.Things/Do", &headers, &body).await;
        assert_eq!(crate::client::Answer::from(page).reply(), "fine", "{content_type}");
    }
}

/// A text that fits no header would break the client's whole connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_failure_text_harms_no_other_call_of_its_client() {
    let mut function = UserFunction::new();
    function.serve(|entity, command| match entity.id.as_str() {
        "good" => reply(command.id, "fine"),
        _ => crate::user_function::refusal(command.id, &"ä long text ".repeat(20_000)),
    });
    let (_proxy, client) = host(&function).await;
    let answer = client.act("bad", "").await;
    assert_eq!(answer.code, Code::Unknown);
    assert!(answer.text.starts_with("ä long text ä long text "), "{}", answer.text);
    assert_eq!(client.act("good", "").await.reply(), "fine");
}

#[tokio::test(flavor = "multi_thread")]
async fn large_reply_metadata_harms_no_other_call_of_its_client() {
    use cloudstate_proto::{Metadata, MetadataEntry, Reply, client_action::Action, metadata_entry::Value};
    let mut function = UserFunction::new();
    function.serve(|entity, command| {
        let entry = |number| MetadataEntry {
            key: format!("x-{number}"),
            value: Some(Value::StringValue("v".repeat(100))),
        };
        let entries = if entity.id == "good" { Vec::new() } else { (0..20_000).map(entry).collect() };
        let payload =
            Some(crate::contract::any("Reply", &crate::contract::Reply { text: "fine".to_owned() }));
        let reply = Reply { payload, metadata: Some(Metadata { entries }) };
        crate::user_function::acting(command.id, Action::Reply(reply))
    });
    let (_proxy, client) = host(&function).await;
    let answer = client.act("bad", "").await;
    assert_eq!(answer.reply(), "fine");
    assert_eq!(answer.headers.get("x-0").unwrap().len(), 100);
    assert_eq!(client.get("/things/bad").await.text(), r#"{"text":"fine"}"#);
    assert_eq!(client.act("good", "").await.reply(), "fine");
}

/// Keys of several fields, and of every type that can be one.
#[tokio::test(flavor = "multi_thread")]
async fn keys_of_several_fields_are_joined() {
    let contract = r#"
        syntax = "proto3";
        package test;
        import "cloudstate/entity_key.proto";
        enum Colour { NONE = 0; RED = 7; }
        message Request {
            sint32 second = 5 [(.cloudstate.entity_key) = true];
            string text = 9;
            Colour first = 2 [(.cloudstate.entity_key) = true];
        }
        message Reply { string text = 1; }
        service Things { rpc Do(Request) returns (Reply); }
    "#;
    let mut function = UserFunction::with_spec(spec_of(contract, &[THINGS]));
    function.serve(|entity, command| reply(command.id, &entity.id));
    let (_proxy, client) = host(&function).await;
    for (wire, id) in [(&b"\x28\x03\x10\x07"[..], "-2-RED"), (b"\x10\x07\x28\x03", "-2-RED"), (b"", "0-NONE")]
    {
        assert_eq!(client.grpc("test.Things/Do", &frame_bytes(0, wire)).await.reply(), id);
    }
}
