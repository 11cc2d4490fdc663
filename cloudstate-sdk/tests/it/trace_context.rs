//! W3C trace context: what a command leads to goes on with the trace that the command belongs to.

use cloudstate_proto::client_action::Action;
use cloudstate_proto::eventsourced::event_sourced_stream_in::Message;
use cloudstate_proto::{
    Command, EXTENSIONS_HEADER, Metadata, MetadataEntry, ProxyInfo, metadata_entry::Value,
};
use cloudstate_sdk::CloudState;
use tonic::metadata::MetadataValue;

use crate::cart::cloudstate::tck::model::{Effect, Forward, request_action};
use crate::model::{MODEL, Model, request};
use crate::proxy::{UserFunction, action};

const PARENT: (&str, &str) = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
const STATE: (&str, &str) = ("tracestate", "vendor=1");

fn metadata(entries: &[(&str, &str)]) -> Metadata {
    let entry = |(key, value): &(&str, &str)| MetadataEntry {
        key: (*key).into(),
        value: Some(Value::StringValue((*value).into())),
    };
    Metadata { entries: entries.iter().map(entry).collect() }
}

/// Two side effects and a forward.
fn asked() -> [request_action::Action; 3] {
    use request_action::Action;
    let effect = |id: &str, synchronous| Action::Effect(Effect { id: id.into(), synchronous });
    [effect("a", true), effect("b", false), Action::Forward(Forward { id: "c".into() })]
}

#[tokio::test]
async fn forwards_and_side_effects_go_on_with_it() {
    let function = UserFunction::start(CloudState::new().register::<Model>()).await;
    for (given, expected) in [
        (Some(metadata(&[("x-other", "1"), PARENT, STATE])), Some(metadata(&[PARENT, STATE]))),
        (Some(metadata(&[STATE])), None),
        (None, None),
    ] {
        let mut entity = function.entity(MODEL, "id").await;
        entity.send(Message::Command(Command {
            entity_id: "id".into(),
            id: 1,
            name: "Process".into(),
            payload: Some(request("id", asked())),
            metadata: given,
            ..Default::default()
        }));
        let reply = entity.reply().await;
        let Action::Forward(forward) = action(&reply) else { panic!("a forward expected: {reply:?}") };
        assert_eq!(forward.metadata, expected);
        let of_effects: Vec<_> = reply.side_effects.iter().map(|effect| &effect.metadata).collect();
        assert_eq!(of_effects, [&expected, &expected]);
    }
}

#[tokio::test]
async fn entities_get_it_from_a_proxy_that_agreed() {
    let function = UserFunction::start(CloudState::new().register::<Model>()).await;
    let mut request = tonic::Request::new(ProxyInfo::default());
    let asked = MetadataValue::from_static("status-code,trace-context");
    request.metadata_mut().insert(EXTENSIONS_HEADER, asked.clone());
    let response = function.discovery().await.discover(request).await.unwrap();
    assert_eq!(response.metadata().get(EXTENSIONS_HEADER), Some(&asked));
}
