//! Over gRPC the proxy passes bytes on as they came.

use bytes::Bytes;
use cloudstate_proto::{
    Any, ClientAction, Reply as WireReply, client_action::Action, eventsourced::EventSourcedReply,
};

use crate::{
    client::frame_bytes,
    hosted::host,
    user_function::{Out, UserFunction, acting, reply},
};

/// Unknown fields, fields out of order, a field twice, a varint longer than it must be: all legal.
const ODD: &[u8] =
    b"\x12\x02hi\x0a\x01x\xf8\x07\x96\x01\x0a\x02e1\x9a\x06\x03abc\x88\x01\x80\x80\x00\x12\x02ho";

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_replies_are_passed_on_byte_for_byte() {
    let mut function = UserFunction::new();
    let (_proxy, client) = host(&function).await;
    let call = tokio::spawn(async move { client.grpc("test.Things/Do", &frame_bytes(0, ODD)).await });
    let (mut stream, init) = function.activation().await;
    assert_eq!(init.entity_id, "e1", "the last value counts");
    let payload = stream.command().await.payload.unwrap();
    assert_eq!(payload.type_url, "type.googleapis.com/test.Request");
    assert_eq!(payload.value, ODD);
    stream.send(Out::Reply(replying("type.googleapis.com/test.Reply", ODD)));
    assert_eq!(call.await.unwrap().message.as_deref(), Some(ODD));
    assert!(function.reports.try_recv().is_err());
}

fn replying(type_url: &str, value: &'static [u8]) -> EventSourcedReply {
    let payload = Some(Any { type_url: type_url.to_owned(), value: Bytes::from_static(value) });
    acting(1, Action::Reply(WireReply { payload, metadata: None }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_of_another_type_is_served_and_reported() {
    for type_url in ["type.googleapis.com/test.Request", "test.Reply", "p.cloudstate.io/string", ""] {
        let mut function = UserFunction::new();
        let (_proxy, client) = host(&function).await;
        let call = tokio::spawn(async move { client.act("e1", "").await });
        let (mut stream, _) = function.activation().await;
        stream.command().await;
        stream.send(Out::Reply(replying(type_url, b"\x0a\x05bytes")));
        assert_eq!(call.await.unwrap().reply(), "bytes");
        let expected = format!(
            "Warning: test.Things.Do: Expected reply type_url to be [type.googleapis.com/test.Reply] but was [{type_url}]."
        );
        assert_eq!(function.report().await, expected);
    }
}

/// No client action, an empty one, a reply without payload: a unary client gets one empty message.
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_of_nothing_is_an_empty_message() {
    let nothing = EventSourcedReply { command_id: 1, ..EventSourcedReply::default() };
    let empty = EventSourcedReply { client_action: Some(ClientAction { action: None }), ..nothing.clone() };
    let without_payload = acting(1, Action::Reply(WireReply::default()));
    let without_bytes = replying("type.googleapis.com/test.Reply", b"");
    for reply in [nothing, empty, without_payload, without_bytes] {
        let mut function = UserFunction::new();
        function.serve(move |_, command| EventSourcedReply { command_id: command.id, ..reply.clone() });
        let (_proxy, client) = host(&function).await;
        let answer = client.act("e1", "").await;
        assert_eq!(answer.reply(), "");
        assert_eq!(answer.message.as_deref(), Some(&b""[..]));
        let page = client.get("/things/e1").await;
        assert_eq!(page.status, 200);
        assert!(page.text().starts_with('{'), "{}", page.text());
        assert!(function.reports.try_recv().is_err());
    }
}

/// A reply that is no message of its type: gRPC passes it on, JSON cannot.
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_that_does_not_decode_is_an_error_over_http_only() {
    let mut function = UserFunction::new();
    function.serve(|_, command| EventSourcedReply {
        command_id: command.id,
        ..replying("type.googleapis.com/test.Reply", b"\x0a\xff")
    });
    let (_proxy, client) = host(&function).await;
    assert_eq!(client.act("e1", "").await.message.as_deref(), Some(&b"\x0a\xff"[..]));
    let page = client.get("/things/e1").await;
    assert_eq!(page.status, 500);
    assert!(page.text().contains("test.Reply"), "{}", page.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_of_megabytes_pass_both_ways() {
    let mut function = UserFunction::new();
    function.serve(|_, command| {
        let size = command.payload.unwrap().value.len();
        reply(command.id, &"r".repeat(2 * size))
    });
    let (_proxy, client) = host(&function).await;
    let text = "x".repeat(3_000_000);
    assert!(client.act("e1", &text).await.reply().len() >= 6_000_000);
}
