//! The kit against the model services of this repository: as they are, and with CRDTs spoilt on the way.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "../it/kit.rs"]
mod kit;
mod relay;

use std::net::SocketAddr;

use futures_util::{StreamExt as _, stream};
use kit::{AT_ONCE, IN_VAIN};

/// Serves the models until the test ends.
async fn models() -> SocketAddr {
    let server = tck_models::models().address("127.0.0.1", 0).bind().await.unwrap();
    let address = server.address();
    tokio::spawn(server.serve_with_shutdown(std::future::pending()));
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn the_models_pass() {
    let gaps = concat!(env!("CARGO_MANIFEST_DIR"), "/known_gaps.txt");
    let run = kit::test(models().await, &["--known-gaps", gaps]).await;
    assert_eq!((run.failed(), run.code), ([].into(), 0), "{}{}", run.stderr, run.stdout);
    assert_eq!(run.last_line(), "251 passed, 0 failed, 0 skipped", "{}", run.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn crdts_spoilt_on_the_way_fail() {
    let models = models().await;
    let checked =
        stream::iter(relay::FAULTS).for_each_concurrent(AT_ONCE, |(name, spoil, expected)| async move {
            let relay = relay::start(models, *spoil).await;
            let run = kit::test(relay, &["--only", "crdt", "--at-once", "32", "--deadline", IN_VAIN]).await;
            let expected = expected.split_whitespace().collect();
            assert_eq!(run.failed(), expected, "{name}\n{}{}", run.stderr, run.stdout);
        });
    checked.await;
}
