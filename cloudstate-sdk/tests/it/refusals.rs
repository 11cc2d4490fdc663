//! Commands that fail for their caller, while entity and stream go on.

use cloudstate_proto::{Any, EXTENSIONS_HEADER, Failure, ProxyInfo};
use cloudstate_sdk::CloudState;
use tonic::metadata::MetadataValue;

use crate::model::{MODEL, Model, emit, fail, persisted, request};
use crate::proxy::{Entity, UserFunction, action, refusal};

const MEGABYTE: usize = 1_000_000;

async fn model() -> UserFunction {
    UserFunction::start(CloudState::new().register::<Model>().max_reply_size(MEGABYTE)).await
}

/// Sends a command that must be refused, and checks that the state is as before.
async fn refused(entity: &mut Entity, payload: Any) -> Failure {
    entity.command(10, "Process", payload);
    let reply = entity.reply().await;
    let failure = refusal(&reply).clone();
    assert!(!failure.restart);
    entity.command(11, "Process", request("id", []));
    assert!(entity.reply().await.events.is_empty());
    failure
}

#[tokio::test]
async fn a_payload_that_cannot_be_read_is_its_sender_s_fault() {
    let function = model().await;
    let mut entity = function.entity(MODEL, "id").await;
    for value in [&b"\x0a"[..], b"\x0a\x05id", b"\xff\xff\xff", b"\x0a\x02\xff\xfe", b"\x08\x01\x0a"] {
        let payload = Any { value: value.to_vec().into(), ..request("id", []) };
        let failure = refused(&mut entity, payload).await;
        let expected = "cannot decode a payload of type `type.googleapis.com/cloudstate.tck.model.Request`: ";
        assert!(failure.description.starts_with(expected), "{value:?}: {}", failure.description);
    }
}

#[tokio::test]
async fn another_message_than_the_command_s_is_refused() {
    let function = model().await;
    let mut entity = function.entity(MODEL, "id").await;
    assert_eq!(
        refused(&mut entity, persisted("A")).await.description,
        "the type `type.googleapis.com/cloudstate.tck.model.Persisted` is not among the known types: \
         cloudstate.tck.model.Request"
    );
    // A sender that leaves the type out, and fields that nobody knows, are fine.
    let unnamed = Any { type_url: String::new(), value: b"\x0a\x02id\xba\x3e\x01x".to_vec().into() };
    entity.command(1, "Process", unnamed);
    assert!(matches!(action(&entity.reply().await), cloudstate_proto::client_action::Action::Reply(_)));
}

#[tokio::test]
async fn a_reply_that_is_too_large_is_refused_before_anything_changes() {
    let function = model().await;
    let mut entity = function.entity(MODEL, "id").await;
    let failure = refused(&mut entity, request("id", [emit(&"x".repeat(2 * MEGABYTE))])).await;
    assert!(
        failure.description.contains("more than the 1000000 that a proxy accepts"),
        "{}",
        failure.description
    );
}

#[tokio::test]
async fn a_reply_computed_from_the_new_state_asks_for_a_restart_if_it_is_too_large() {
    let function = model().await;
    let mut entity = function.entity(MODEL, "id").await;
    entity.command(1, "Process", request("id", [emit("huge reply")]));
    let reply = entity.reply().await;
    let failure = refusal(&reply);
    assert!(failure.restart && failure.description.contains("more than the 1000000 that a proxy accepts"));
    // The state has an event that is not stored, so it answers nothing any more.
    entity.command(2, "Process", request("id", []));
    let fault = entity.fault().await;
    assert_eq!(fault.description, "Protocol error: the entity asked for a restart, and got another message");
}

#[tokio::test]
async fn a_snapshot_that_is_too_large_is_left_out() {
    let function = model().await;
    let mut entity = function.entity(MODEL, "id").await;
    entity.command(1, "Process", request("id", ["a", "b", "c", "d", "huge snapshot"].map(emit)));
    let reply = entity.reply().await;
    assert_eq!((reply.events.len(), &reply.snapshot), (5, &None));
    entity.command(2, "Process", request("id", [emit("f")]));
    assert_eq!(entity.reply().await.events.len(), 1);
}

#[tokio::test]
async fn a_refusal_that_is_too_long_is_shortened() {
    let function = model().await;
    let mut entity = function.entity(MODEL, "id").await;
    let failure = refused(&mut entity, request("id", [fail(&"x".repeat(2 * MEGABYTE))])).await;
    assert_eq!(failure.description, "the command was refused with a message that is too long to send");
}

/// Discovers, naming extensions, and returns those that were agreed.
async fn discover(function: &UserFunction, extensions: Option<&'static str>) -> Option<String> {
    let mut request = tonic::Request::new(ProxyInfo::default());
    if let Some(extensions) = extensions {
        request.metadata_mut().insert(EXTENSIONS_HEADER, MetadataValue::from_static(extensions));
    }
    let response = function.discovery().await.discover(request).await.unwrap();
    response.metadata().get(EXTENSIONS_HEADER).map(|agreed| agreed.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn status_codes_are_sent_to_proxies_that_agreed() {
    let function = model().await;
    let code = async |text: &str| {
        let mut entity = function.entity(MODEL, "id").await;
        refused(&mut entity, request("id", [fail(text)])).await.grpc_status_code
    };
    assert_eq!(code("not found: x").await, 0);
    assert_eq!(discover(&function, Some("future, status-code")).await.as_deref(), Some("status-code"));
    assert_eq!(code("not found: x").await, 5);
    assert_eq!(code("without a code").await, 0);
}

#[tokio::test]
async fn status_codes_are_not_sent_to_others() {
    let function = model().await;
    assert_eq!(discover(&function, None).await, None);
    assert_eq!(discover(&function, Some("future")).await, None);
    let mut entity = function.entity(MODEL, "id").await;
    let failure = refused(&mut entity, request("id", [fail("not found: x")])).await;
    assert_eq!((failure.grpc_status_code, failure.description.as_str()), (0, "x"));
}

#[tokio::test]
async fn a_stream_may_name_the_extension_itself() {
    let function = model().await;
    discover(&function, None).await;
    let mut entity = Entity::open_with(&mut function.entities().await, Some("status-code")).await;
    entity.init(MODEL, "id", None);
    assert_eq!(refused(&mut entity, request("id", [fail("not found: x")])).await.grpc_status_code, 5);
}
