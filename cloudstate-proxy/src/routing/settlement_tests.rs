//! What needs more patience than a user function can be made to have: all asynchronous side effects go on for as long
//! as one more waits for its place.

use std::{sync::Arc, time::Duration};

use cloudstate_proto::{Entity, EntitySpec, ServiceInfo, SideEffect, entity_type};
use futures_util::FutureExt;
use prost::Message;
use prost_types::{
    DescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto,
};
use tokio::{sync::mpsc, time::timeout};

use super::{Router, place::MAX_ASYNC_EFFECTS, settlement::Link};
use crate::{
    Settings,
    entities::{Answer, Entities, Environment},
    eventing::{Publisher, StoreTopics},
    service_catalog::ServiceCatalog,
    storage::{StoreUrl, open},
    user_function::{Dial, ErrorReporter},
};

/// How long an effect waits for its place.
const SHORT: Duration = Duration::from_millis(20);
/// Nothing takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn an_asynchronous_effect_that_gets_no_place_in_time_is_left_out() {
    let (router, mut reports) = start().await;
    let mut places = Vec::new();
    for _ in 0..MAX_ASYNC_EFFECTS {
        places.push(router.places().take().await);
    }
    // The caller does not suffer, and nothing is done.
    carry_out_effect(&router).await;
    let text = "test.Calls.Do: too many asynchronous side effects are under way; this one is left out\n  \
                side-effect of test.Calls.Do";
    assert_eq!(heard(&mut reports).await, text);
    assert!(router.background().finished().now_or_never().is_some(), "it is carried out");

    // It does not stand in line any more: the place that gets free is the next one's.
    places.pop();
    carry_out_effect(&router).await;
    let report = heard(&mut reports).await;
    assert!(report.contains("test.Calls.Do") && !report.contains("left out"), "{report}");
}

/// A router of a user function that is not there, and what would be reported to that.
async fn start() -> (Router, mpsc::Receiver<String>) {
    let settings = Settings { relay_timeout: SHORT, ..Settings::default() };
    let store = open(&StoreUrl::Memory).await.unwrap();
    let (reporter, reports) = ErrorReporter::heard();
    let dial = Dial::new("127.0.0.1:1").unwrap();
    let environment = Environment { reporter, ..crate::environment(&settings, &dial, &store) };
    let publisher =
        Publisher::new(Arc::new(StoreTopics::new(store, Duration::MAX)), environment.spans.clone());
    let catalog = Arc::new(ServiceCatalog::new(spec(), true).unwrap());
    (Router::new(catalog, Arc::new(Entities::new(environment)), publisher), reports)
}

/// Of one action, `test.Calls/Do`.
fn spec() -> EntitySpec {
    let name = |name: &str| Some(name.to_owned());
    let method = MethodDescriptorProto {
        name: name("Do"),
        input_type: name(".test.Nothing"),
        output_type: name(".test.Nothing"),
        ..MethodDescriptorProto::default()
    };
    let file = FileDescriptorProto {
        name: name("test.proto"),
        package: name("test"),
        message_type: vec![DescriptorProto { name: name("Nothing"), ..DescriptorProto::default() }],
        service: vec![ServiceDescriptorProto { name: name("Calls"), method: vec![method], options: None }],
        ..FileDescriptorProto::default()
    };
    EntitySpec {
        proto: FileDescriptorSet { file: vec![file] }.encode_to_vec().into(),
        entities: vec![Entity {
            entity_type: entity_type::ACTION.to_owned(),
            service_name: "test.Calls".to_owned(),
            ..Entity::default()
        }],
        service_info: Some(ServiceInfo { protocol_minor_version: 2, ..ServiceInfo::default() }),
    }
}

/// Carries out an answer with an asynchronous effect.
async fn carry_out_effect(router: &Router) {
    let effect = SideEffect {
        service_name: "test.Calls".to_owned(),
        command_name: "Do".to_owned(),
        ..SideEffect::default()
    };
    let answer = Answer::Decided { action: None, side_effects: vec![effect] };
    let cause = Link::first(Arc::clone(router.catalog().find("test.Calls", "Do").unwrap()));
    let settled =
        timeout(PATIENCE, router.settle(answer, &cause)).await.expect("the effect does not wait for ever");
    assert!(settled.is_ok());
}

async fn heard(reports: &mut mpsc::Receiver<String>) -> String {
    timeout(PATIENCE, reports.recv()).await.expect("a report").unwrap()
}
