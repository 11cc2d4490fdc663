//! What a proxy learns, and what it may say.

use std::sync::{Arc, Mutex};

use cloudstate_proto::descriptor::{FieldDescriptorProto, FileDescriptorSet};
use cloudstate_proto::entity_passivation_strategy::Strategy;
use cloudstate_proto::{ProxyInfo, UserFunctionError, entity_type};
use cloudstate_sdk::CloudState;
use prost::Message;

use crate::cart::Cart;
use crate::model::{MODEL, Model, TWO, Two, emit, request};
use crate::proxy::UserFunction;

#[tokio::test]
async fn entities_are_described() {
    let function = UserFunction::start(CloudState::new().register::<Model>().register::<Two>()).await;
    let spec = function.discovery().await.discover(ProxyInfo::default()).await.unwrap().into_inner();
    let described: Vec<_> = spec
        .entities
        .iter()
        .map(|entity| {
            let timeout = entity.passivation_strategy.map(|strategy| match strategy.strategy {
                Some(Strategy::Timeout(timeout)) => timeout.timeout,
                None => panic!("an empty passivation strategy"),
            });
            (
                entity.entity_type.as_str(),
                entity.service_name.as_str(),
                entity.persistence_id.as_str(),
                timeout,
            )
        })
        .collect();
    assert_eq!(
        described,
        [
            (entity_type::EVENT_SOURCED, MODEL, "event-sourced-tck-model", None),
            (entity_type::EVENT_SOURCED, TWO, "two", Some(100)),
        ]
    );

    let info = spec.service_info.unwrap();
    assert_eq!((info.protocol_major_version, info.protocol_minor_version), (0, 2));
    assert_eq!((info.service_name.as_str(), info.service_version.as_str()), ("cloudstate-sdk", "0.1.0"));
    assert_eq!(info.support_library_name, "cloudstate-sdk");
}

#[tokio::test]
async fn the_user_function_may_have_a_name() {
    let function = UserFunction::start(CloudState::new().register::<Two>().named("shop", "7")).await;
    let spec = function.discovery().await.discover(ProxyInfo::default()).await.unwrap().into_inner();
    let info = spec.service_info.unwrap();
    assert_eq!((info.service_name.as_str(), info.service_version.as_str()), ("shop", "7"));
}

#[tokio::test]
async fn descriptors_are_complete_once_and_keep_their_options() {
    let function =
        UserFunction::start(CloudState::new().register::<Cart>().register::<Model>().register::<Two>()).await;
    let spec = function.discovery().await.discover(ProxyInfo::default()).await.unwrap().into_inner();
    let set = FileDescriptorSet::decode(spec.proto).unwrap();
    let mut names: Vec<_> = set.file.iter().map(|file| file.name.as_str()).collect();
    names.sort_unstable();
    let distinct = names.len();
    names.dedup();
    assert_eq!(names.len(), distinct, "{names:?}");
    for file in &set.file {
        for import in &file.dependency {
            assert!(names.contains(&import.as_str()), "{} imports {import}", file.name);
        }
    }
    let cart = set.file.iter().find(|file| file.name == "shoppingcart/shoppingcart.proto").unwrap();
    assert!(cart.message_type[0].field.iter().any(FieldDescriptorProto::is_entity_key));
    assert!(cart.service[0].method[0].options.as_ref().unwrap().http.is_some());
}

#[tokio::test]
async fn discovering_again_disturbs_no_entity() {
    let function = UserFunction::start(CloudState::new().register::<Model>()).await;
    let mut entity = function.entity(MODEL, "id").await;
    entity.command(1, "Process", request("id", [emit("A")]));
    entity.reply().await;
    let mut discovery = function.discovery().await;
    let unsuitable = ProxyInfo { protocol_major_version: 9, proxy_name: "odd".into(), ..Default::default() };
    let first = discovery.discover(ProxyInfo::default()).await.unwrap().into_inner();
    assert_eq!(discovery.discover(unsuitable).await.unwrap().into_inner(), first);
    entity.command(2, "Process", request("id", [emit("B")]));
    assert_eq!(entity.reply().await.events.len(), 1);
}

#[tokio::test]
async fn errors_that_the_proxy_reports_are_heard() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = {
        let heard = Arc::clone(&heard);
        move |message: &str| {
            heard.lock().unwrap().push(message.to_owned());
            assert_ne!(message, "panic");
        }
    };
    let function = UserFunction::start(CloudState::new().register::<Two>().on_proxy_error(listener)).await;
    let mut discovery = function.discovery().await;
    for message in ["the service is odd", "panic", ""] {
        discovery.report_error(UserFunctionError { message: message.into() }).await.unwrap();
    }
    assert_eq!(*heard.lock().unwrap(), ["the service is odd", "panic", ""]);
}
