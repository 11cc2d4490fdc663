//! What a proxy sends on one stream, over a real socket: the first byte picks the protocol, then each message stands
//! behind its length, a varint. The stream ends in time and well, or with a status that says what was wrong; no message
//! is answered twice; and the next stream finds the user function alive.
#![no_main]

use std::{sync::LazyLock, time::Duration};

use bytes::Bytes;
use cloudstate_fuzz::{examples, messages, raw::Raw};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Runtime;
use tonic::{
    Code, Request, Status,
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
    let address = examples::start().await;
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
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
