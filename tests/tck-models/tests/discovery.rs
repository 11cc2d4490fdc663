//! What a proxy learns of the models.

#![allow(clippy::unwrap_used)]

use cloudstate_proto::entity_discovery_client::EntityDiscoveryClient;
use cloudstate_proto::entity_passivation_strategy::Strategy;
use cloudstate_proto::{ProxyInfo, entity_type};
use tonic::transport::Channel;

const EXPECTED: &[(&str, &str, &str, Option<i64>)] = &[
    (entity_type::EVENT_SOURCED, "EventSourcedTckModel", "event-sourced-tck-model", None),
    (entity_type::EVENT_SOURCED, "EventSourcedConfigured", "event-sourced-configured", Some(100)),
    (entity_type::EVENT_SOURCED, "eventlogeventing.EventSourcedEntityOne", "eventlogeventing-one", None),
    (entity_type::EVENT_SOURCED, "eventlogeventing.EventSourcedEntityTwo", "eventlogeventing-two", None),
    (entity_type::ACTION, "action.ActionTckModel", "cloudstate.tck.model.action.ActionTckModel", None),
    (entity_type::ACTION, "action.ActionTwo", "cloudstate.tck.model.action.ActionTwo", None),
    (
        entity_type::ACTION,
        "eventlogeventing.EventLogSubscriberModel",
        "cloudstate.tck.model.eventlogeventing.EventLogSubscriberModel",
        None,
    ),
    (entity_type::CRDT, "crdt.CrdtTckModel", "cloudstate.tck.model.crdt.CrdtTckModel", None),
    (entity_type::CRDT, "crdt.CrdtTwo", "cloudstate.tck.model.crdt.CrdtTwo", None),
    (entity_type::CRDT, "crdt.CrdtConfigured", "cloudstate.tck.model.crdt.CrdtConfigured", Some(100)),
    (entity_type::VALUE_ENTITY, "valueentity.ValueEntityTckModel", "value-entity-tck-model", None),
    (entity_type::VALUE_ENTITY, "valueentity.ValueEntityTwo", "value-entity-tck-model-two", None),
    (entity_type::VALUE_ENTITY, "valueentity.ValueEntityConfigured", "value-entity-configured", Some(100)),
];

#[tokio::test]
async fn the_models_have_the_names_that_conformance_tests_expect() {
    let server = tck_models::models().address("127.0.0.1", 0).bind().await.unwrap();
    let endpoint = Channel::from_shared(format!("http://{}", server.address())).unwrap();
    tokio::spawn(server.serve_with_shutdown(std::future::pending()));
    let channel = endpoint.connect().await.unwrap();
    let mut client = EntityDiscoveryClient::new(channel);
    let spec = client.discover(ProxyInfo::default()).await.unwrap().into_inner();
    for (kind, service, persistence_id, passivation) in EXPECTED {
        let service = format!("cloudstate.tck.model.{service}");
        let entity = spec.entities.iter().find(|entity| entity.service_name == service).unwrap();
        assert_eq!((&*entity.entity_type, &*entity.persistence_id), (*kind, *persistence_id));
        let timeout = entity.passivation_strategy.map(|strategy| match strategy.strategy {
            Some(Strategy::Timeout(timeout)) => timeout.timeout,
            None => panic!("an empty passivation strategy"),
        });
        assert_eq!(timeout, *passivation, "{service}");
    }
}
