//! What the fuzz targets share: a contract with all kinds of fields and routes, as the proxy sees it, and how an input
//! holds several messages; a running user function and a running proxy; and what it takes to speak gRPC with any bytes.

pub mod examples;
pub mod hosted;
pub mod raw;

use std::sync::{Arc, LazyLock};

use bytes::{Buf as _, Bytes};
use cloudstate_proto::{Entity, EntitySpec, ServiceInfo, entity_type};
use cloudstate_proxy::service_catalog::ServiceCatalog;
use cloudstate_sdk::Service as _;
use prost::encoding::decode_varint;

cloudstate_sdk::include_protos!();

/// The catalogue of `proto/things.proto`.
pub static CATALOG: LazyLock<Arc<ServiceCatalog>> = LazyLock::new(|| {
    let spec = spec(fuzz::things::Service::DESCRIPTORS.into(), ["fuzz.Things".to_owned()]);
    Arc::new(ServiceCatalog::new(spec, true).expect("the contract is right"))
});

/// What a user function with these event sourced services tells a proxy.
pub fn spec(descriptors: Bytes, services: impl IntoIterator<Item = String>) -> EntitySpec {
    let entity = |service_name: String| Entity {
        entity_type: entity_type::EVENT_SOURCED.to_owned(),
        persistence_id: service_name.clone(),
        service_name,
        ..Entity::default()
    };
    EntitySpec {
        proto: descriptors,
        entities: services.into_iter().map(entity).collect(),
        service_info: Some(ServiceInfo {
            protocol_major_version: cloudstate_proto::PROTOCOL_MAJOR_VERSION,
            protocol_minor_version: cloudstate_proto::PROTOCOL_MINOR_VERSION,
            ..ServiceInfo::default()
        }),
    }
}

/// Each stands behind its length, a varint. The last may be shorter than it says.
pub fn messages(input: &[u8]) -> Vec<Bytes> {
    let mut rest = Bytes::copy_from_slice(input);
    let mut messages = Vec::new();
    while rest.has_remaining() {
        let Ok(length) = decode_varint(&mut rest) else { break };
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(rest.len());
        messages.push(rest.split_to(length));
    }
    messages
}
