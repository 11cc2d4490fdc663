//! What a proxy sends on one stream, over a real socket: the first byte picks the protocol, then each message stands
//! behind its length, a varint. The stream ends in time and well, or with a status that says what was wrong; no message
//! is answered twice; and the next stream finds the user function alive.
#![no_main]

use std::{sync::LazyLock, time::Duration};

use bytes::{Buf, BufMut, Bytes};
use cloudstate_fuzz::messages;
use cloudstate_sdk::CloudState;
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Runtime;
use tonic::{
    Code, Request, Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::{Channel, Endpoint},
};

const PATHS: [&str; 4] = [
    "/cloudstate.eventsourced.EventSourced/handle",
    "/cloudstate.valueentity.ValueEntity/handle",
    "/cloudstate.action.ActionProtocol/handleStreamed",
    CRDT,
];

const CRDT: &str = "/cloudstate.crdt.Crdt/handle";

const PATIENCE: Duration = Duration::from_secs(10);

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"));

static CHANNEL: LazyLock<Channel> = LazyLock::new(|| RUNTIME.block_on(start()));

fuzz_target!(|input: &[u8]| {
    let Some((which, rest)) = input.split_first() else { return };
    let messages = messages(rest);
    let sent = messages.len();
    let path = PATHS[usize::from(*which) % PATHS.len()];
    let conversation = converse(CHANNEL.clone(), path, messages);
    let answered = RUNTIME.block_on(async { tokio::time::timeout(PATIENCE, conversation).await });
    match answered.expect("the stream ends in time") {
        Ok(answered) => {
            // Each message has one answer at most; of a CRDT's those who follow it are told, too.
            let told = if path == CRDT { sent } else { 0 };
            assert!(answered <= (sent * (1 + told)).max(1), "{answered} answers to {sent} messages")
        }
        Err(status) => assert!(!matches!(status.code(), Code::Unknown | Code::Unavailable), "{status:?}"),
    }
});

async fn start() -> Channel {
    let function = CloudState::new()
        .register::<shopping_cart::Cart>()
        .register::<shopping_cart_value::Cart>()
        .register::<presence::Room>()
        .register_action(hello_action::Greeter)
        .address("127.0.0.1", 0);
    let server = function.bind().await.expect("the user function starts");
    let endpoint = Endpoint::from_shared(format!("http://{}", server.address())).expect("an address");
    tokio::spawn(server.serve_with_shutdown(std::future::pending()));
    endpoint.connect().await.expect("the user function listens")
}

/// Sends all messages, and counts what comes back.
async fn converse(channel: Channel, path: &'static str, messages: Vec<Bytes>) -> Result<usize, Status> {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.expect("the user function is alive");
    let request = Request::new(tokio_stream::iter(messages));
    let mut replies =
        client.streaming(request, http::uri::PathAndQuery::from_static(path), Raw).await?.into_inner();
    let mut answered = 0;
    while replies.message().await?.is_some() {
        answered += 1;
    }
    Ok(answered)
}

/// Bytes as they are.
#[derive(Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, target: &mut EncodeBuf<'_>) -> Result<(), Status> {
        target.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(source.copy_to_bytes(source.remaining())))
    }
}
