//! The body of a request of gRPC or gRPC-Web to a proxy, over a real socket: the first byte picks the rpc, the second
//! the content type and the compression, the rest is the body. It is answered in time, with a status of gRPC.
#![no_main]

use std::{sync::LazyLock, time::Duration};

use bytes::Bytes;
use cloudstate_fuzz::{examples, hosted};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Runtime;
use tonic::{
    body::Body,
    codegen::Service as _,
    transport::{Channel, Endpoint},
};

/// All end when the request does.
const PATHS: [&str; 11] = [
    "/com.example.hello.Greeter/Hello",
    "/com.example.hello.Greeter/HelloAll",
    "/com.example.hello.Greeter/HelloEverywhere",
    "/com.example.hello.Greeter/HelloEach",
    "/com.example.shoppingcart.ShoppingCart/AddItem",
    "/com.example.valueentity.shoppingcart.ShoppingCart/GetCart",
    "/com.example.presence.Presence/Leave",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    "/grpc.health.v1.Health/Check",
    "/com.example.nobody.Nowhere/Nothing",
];

const CONTENT_TYPES: [&str; 3] =
    ["application/grpc", "application/grpc-web+proto", "application/grpc-web-text"];

const ENCODINGS: [&str; 3] = ["identity", "gzip", "deflate"];

const PATIENCE: Duration = Duration::from_secs(8);

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"));

static CHANNEL: LazyLock<Channel> = LazyLock::new(|| RUNTIME.block_on(start()));

fuzz_target!(|input: &[u8]| {
    let [path, how, body @ ..] = input else { return };
    let content_type = CONTENT_TYPES[usize::from(*how) % CONTENT_TYPES.len()];
    let encoding = ENCODINGS[usize::from(*how) / CONTENT_TYPES.len() % ENCODINGS.len()];
    let request = Request::post(PATHS[usize::from(*path) % PATHS.len()])
        .header("content-type", content_type)
        .header("grpc-encoding", encoding)
        .header("te", "trailers")
        .body(Full::from(Bytes::copy_from_slice(body)))
        .expect("a request");
    let channel = CHANNEL.clone();
    let answered = RUNTIME.block_on(async { tokio::time::timeout(PATIENCE, call(channel, request)).await });
    let (status, metadata, body) = answered.expect("the request is answered in time");
    assert_eq!(status, StatusCode::OK);
    let has_status = match content_type {
        "application/grpc" => metadata.contains_key("grpc-status"),
        _ => !body.is_empty(),
    };
    assert!(has_status, "{metadata:?} {body:?}");
});

/// The headers include the trailers.
async fn call(mut channel: Channel, request: Request<Full<Bytes>>) -> (StatusCode, HeaderMap, Bytes) {
    std::future::poll_fn(|cx| channel.poll_ready(cx)).await.expect("the proxy is alive");
    let response = channel.call(request.map(Body::new)).await.expect("a response");
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a whole body");
    let mut metadata = head.headers;
    metadata.extend(body.trailers().cloned().unwrap_or_default());
    (head.status, metadata, body.to_bytes())
}

async fn start() -> Channel {
    let proxy = hosted::host(examples::start().await).await;
    let endpoint = Endpoint::from_shared(format!("http://{proxy}")).expect("an address");
    endpoint.connect().await.expect("the proxy listens")
}
