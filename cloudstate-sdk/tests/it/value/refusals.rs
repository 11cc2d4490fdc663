//! Commands that fail for their caller, while entity and stream go on.

use cloudstate_proto::client_action::Action;
use cloudstate_proto::{Any, EXTENSIONS_HEADER, Failure, ProxyInfo};
use cloudstate_sdk::CloudState;
use prost::Message;
use tonic::metadata::MetadataValue;

use super::model::{Model, fail, persisted, request, update};
use super::stream::{Stream, action, init, refusal};
use crate::cart::cloudstate::tck::model::valueentity::Response;
use crate::proxy::UserFunction;

const MEGABYTE: usize = 1_000_000;

async fn model() -> UserFunction {
    UserFunction::start(CloudState::new().register::<Model>().max_reply_size(MEGABYTE)).await
}

/// Sends a command that must be refused to an entity whose value is "A", and checks that it still is.
async fn refused(function: &UserFunction, payload: Any) -> Failure {
    let mut stream = Stream::open(function).await;
    stream.send(Some(init(Some(persisted("A")))));
    stream.command(10, payload);
    let failure = refusal(&stream.reply().await).clone();
    assert!(!failure.restart);
    stream.command(11, request([]));
    let reply = stream.reply().await;
    assert_eq!(reply.state_action, None);
    let Action::Reply(message) = action(&reply) else { panic!("expected a reply, got {reply:?}") };
    let response = Response::decode(message.payload.clone().unwrap().value).unwrap();
    assert_eq!(response.message, "A");
    failure
}

#[tokio::test]
async fn a_payload_that_cannot_be_read_is_its_sender_s_fault() {
    let function = model().await;
    let damaged = Any { value: b"\x0a\x05id".as_ref().into(), ..request([]) };
    let failure = refused(&function, damaged).await;
    assert!(failure.description.starts_with("cannot decode a payload of type "), "{}", failure.description);
    let failure = refused(&function, persisted("A")).await;
    assert!(failure.description.contains("is not among the known types"), "{}", failure.description);
}

#[tokio::test]
async fn a_reply_that_is_too_large_takes_its_change_back() {
    let function = model().await;
    for value in ["x".repeat(2 * MEGABYTE).as_str(), "huge reply"] {
        let failure = refused(&function, request([update(value)])).await;
        let expected = "more than the 1000000 that a proxy accepts";
        assert!(failure.description.contains(expected), "{}", failure.description);
    }
}

#[tokio::test]
async fn status_codes_are_sent_to_proxies_that_agreed() {
    let function = model().await;
    let failure = refused(&function, request([fail("not found: x")])).await;
    assert_eq!((failure.grpc_status_code, failure.description.as_str()), (0, "x"));

    let mut discover = tonic::Request::new(ProxyInfo::default());
    discover.metadata_mut().insert(EXTENSIONS_HEADER, MetadataValue::from_static("status-code"));
    function.discovery().await.discover(discover).await.unwrap();
    assert_eq!(refused(&function, request([fail("not found: x")])).await.grpc_status_code, 5);
    assert_eq!(refused(&function, request([fail("without a code")])).await.grpc_status_code, 0);
}
