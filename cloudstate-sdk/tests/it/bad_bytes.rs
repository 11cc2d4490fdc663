//! What reaches the socket and is no message: it ends its own stream and harms nobody.

use std::io::{Read, Write};
use std::marker::PhantomData;

use cloudstate_proto::Any;
use cloudstate_proto::action::ActionResponse;
use cloudstate_proto::eventsourced::EventSourcedStreamOut;
use cloudstate_proto::eventsourced::event_sourced_stream_out::Message;
use cloudstate_sdk::CloudState;
use prost::bytes::{Buf, BufMut, Bytes};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Request, Status};

use crate::action_call::action_command;
use crate::action_model::vices::{SUMS, Vices};
use crate::model::{MODEL, Model, emit, request};
use crate::proxy::{UserFunction, within};

/// Sends bytes as they are, and reads an `M`.
struct Raw<M>(PhantomData<M>);

impl<M: prost::Message + Default + 'static> Codec for Raw<M> {
    type Encode = Bytes;
    type Decode = M;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self(PhantomData)
    }

    fn decoder(&mut self) -> Self {
        Self(PhantomData)
    }
}

impl<M> Encoder for Raw<M> {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, target: &mut EncodeBuf<'_>) -> Result<(), Status> {
        target.put(item);
        Ok(())
    }
}

impl<M: prost::Message + Default> Decoder for Raw<M> {
    type Item = M;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<M>, Status> {
        let bytes = source.copy_to_bytes(source.remaining());
        prost::Message::decode(bytes).map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}

/// Sends bytes as the first message of a stream, and returns the failure that ends it.
async fn failure(function: &UserFunction, bytes: &'static [u8]) -> String {
    let mut client = tonic::client::Grpc::new(function.channel().await);
    client.ready().await.unwrap();
    let path = "/cloudstate.eventsourced.EventSourced/handle".parse().unwrap();
    // The request stream stays open: nothing but the message ends the conversation.
    let messages = tokio_stream::StreamExt::chain(
        tokio_stream::once(Bytes::from_static(bytes)),
        tokio_stream::pending(),
    );
    let response =
        within(client.streaming(Request::new(messages), path, Raw::<EventSourcedStreamOut>(PhantomData)))
            .await
            .unwrap();
    let mut replies = response.into_inner();
    let failure = match within(replies.message()).await.unwrap().and_then(|out| out.message) {
        Some(Message::Failure(failure)) => failure,
        other => panic!("expected a failure, got {other:?}"),
    };
    assert_eq!(failure.command_id, 0);
    assert_eq!(within(replies.message()).await.unwrap(), None);
    failure.description
}

async fn model() -> UserFunction {
    UserFunction::start(CloudState::new().register::<Model>().max_message_size(6 << 20)).await
}

#[tokio::test]
async fn truncated_and_malformed_messages_are_explained() {
    let function = model().await;
    let mut neighbour = function.entity(MODEL, "neighbour").await;
    for bytes in [
        &b"\x0a"[..],
        b"\x0a\x10\x0a\x02x",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x0a\x03\x0a\x01\xff",
    ] {
        let description = failure(&function, bytes).await;
        assert!(
            description.starts_with("Protocol error: cannot read the message: "),
            "{bytes:?}: {description}"
        );
    }
    neighbour.command(1, "Process", request("neighbour", [emit("A")]));
    assert_eq!(neighbour.reply().await.events.len(), 1);
}

/// A handler may read on after a request that it could not get. The transport reports the same broken request for ever;
/// the handler must see it once, and then the end.
#[tokio::test]
async fn a_malformed_request_of_an_action_is_seen_once() {
    let function = UserFunction::start(CloudState::new().register_action(Vices::default())).await;
    for bytes in [&b"\x12\xff\x01\x12\x01a\x12\x01a"[..], b"\x08\x22\x03\x0a\x7fa", b"\xff\xff\xff"] {
        let mut client = tonic::client::Grpc::new(function.channel().await);
        client.ready().await.unwrap();
        let path = "/cloudstate.action.ActionProtocol/handleStreamed".parse().unwrap();
        let first = prost::Message::encode_to_vec(&action_command(SUMS, "Running"));
        let messages = tokio_stream::StreamExt::chain(
            tokio_stream::iter([Bytes::from(first), Bytes::from_static(bytes)]),
            tokio_stream::pending(),
        );
        let codec = Raw::<ActionResponse>(PhantomData);
        let response = within(client.streaming(Request::new(messages), path, codec)).await.unwrap();
        let mut responses = response.into_inner();
        let mut answers = 0;
        while let Ok(Some(_)) = within(responses.message()).await {
            answers += 1;
            assert!(answers <= 1, "{bytes:?} is reported again and again");
        }
    }
}

#[tokio::test]
async fn fields_that_nobody_knows_are_skipped() {
    // An init for the model with field 99, and a stream message with field 98.
    let init =
        cloudstate_proto::eventsourced::EventSourcedInit { service_name: "x.Y".into(), ..Default::default() };
    let mut inner = prost::Message::encode_to_vec(&init);
    inner.extend(b"\x9a\x06\x01x");
    let mut bytes = vec![0x0a, u8::try_from(inner.len()).unwrap()];
    bytes.extend(inner);
    bytes.extend(b"\x92\x06\x01y");
    let description = failure(&model().await, bytes.leak()).await;
    assert_eq!(description, "Protocol error: `x.Y` is no event sourced entity of this user function");
}

#[tokio::test]
async fn five_megabytes_are_fine_and_more_than_the_limit_is_explained() {
    let function = model().await;
    let mut entity = function.entity(MODEL, "id").await;
    let large = "x".repeat(5 << 20);
    entity.command(1, "Process", request("id", [emit(&large)]));
    assert_eq!(entity.reply().await.events.len(), 1);
    let too_large = Any { value: vec![0; 7 << 20].into(), ..request("id", []) };
    entity.command(2, "Process", too_large);
    let failure = entity.fault().await;
    assert!(failure.description.contains("too large"), "{}", failure.description);
}

#[tokio::test]
async fn a_peer_that_stalls_harms_nobody() {
    let function = model().await;
    // One connection that never speaks, one that breaks off within a message, one stream that reads no replies.
    let _silent = std::net::TcpStream::connect(function.address).unwrap();
    let mut partial = std::net::TcpStream::connect(function.address).unwrap();
    partial.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04").unwrap();
    let mut stalled = function.entity(MODEL, "stalled").await;
    stalled.command(1, "Process", request("stalled", [emit(&"x".repeat(1 << 20))]));
    for id in 2..50 {
        stalled.command(id, "Process", request("stalled", []));
    }
    let mut entity = function.entity(MODEL, "id").await;
    for id in 1..=100 {
        entity.command(id, "Process", request("id", [emit("A")]));
        assert_eq!(entity.reply().await.command_id, id);
    }
}

#[tokio::test]
async fn what_is_not_http2_is_turned_away() {
    let function = model().await;
    let address = function.address;
    let answer = tokio::task::spawn_blocking(move || {
        let mut browser = std::net::TcpStream::connect(address).unwrap();
        browser.set_read_timeout(Some(crate::proxy::PATIENCE)).unwrap();
        browser.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        // Closed, politely or not; only waiting for ever would be wrong.
        match browser.read_to_end(&mut answer) {
            Ok(_) => Ok(answer),
            Err(error) => Err(error.kind()),
        }
    });
    match answer.await.unwrap() {
        Ok(answer) => assert!(!answer.starts_with(b"HTTP/1.1 200"), "{answer:?}"),
        Err(kind) => assert_eq!(kind, std::io::ErrorKind::ConnectionReset),
    }
}
