//! What a proxy is told when it asks what this user function serves.

mod contract;
mod descriptor_set;

use cloudstate_proto as proto;
use cloudstate_proto::descriptor::FileDescriptorSet;
use prost::Message as _;

use crate::error::{Error, Kind};
use crate::registration::Component;

/// Name and version of the user function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) version: String,
}

/// The answer to `discover`, after the checks that a proxy would make: a wrong contract is an error here, not a
/// retry loop in the proxy's log.
pub(crate) fn entity_spec(
    components: &[Component],
    named: Option<Named>,
) -> Result<proto::EntitySpec, Error> {
    let set = descriptor_set::merge(components.iter().map(|component| component.descriptors))
        .map_err(|problem| Kind::Contract(vec![problem]))?;
    let descriptors = FileDescriptorSet::decode(set.clone())
        .map_err(|error| Kind::Contract(vec![format!("a descriptor set cannot be read: {error}")]))?;
    let problems = contract::problems(components, &descriptors);
    if !problems.is_empty() {
        return Err(Kind::Contract(problems).into());
    }
    for service in contract::services_without_entity(components, &descriptors) {
        tracing::warn!(
            "nothing in this program serves {service}, which its contract declares; if something should, see that its \
             module (`mod`) and its crate (`use my_entities as _;`) are linked"
        );
    }
    for warning in contract::warnings(components, &descriptors) {
        tracing::warn!("{warning}");
    }
    Ok(proto::EntitySpec {
        proto: set,
        entities: components.iter().map(entity).collect(),
        service_info: Some(service_info(named.or_else(|| package(components)))),
    })
}

/// Logs who asks. An unsuitable proxy is answered all the same: it decides, and reports a good reason.
pub(crate) fn judge(proxy: &proto::ProxyInfo, entities: &[proto::Entity]) {
    let (major, minor) = (proxy.protocol_major_version, proxy.protocol_minor_version);
    tracing::info!("proxy connected: {} {}, protocol {major}.{minor}", proxy.proxy_name, proxy.proxy_version);
    let ours = (proto::PROTOCOL_MAJOR_VERSION, proto::PROTOCOL_MINOR_VERSION);
    if (major, minor) != ours {
        tracing::error!(
            "the proxy speaks protocol {major}.{minor}, this user function {}.{}",
            ours.0,
            ours.1
        );
    }
    for entity in entities {
        if !proxy.supported_entity_types.contains(&entity.entity_type) {
            tracing::error!(
                "the proxy does not support {}, which {} needs; it supports: {}",
                entity.entity_type,
                entity.service_name,
                proxy.supported_entity_types.join(", ")
            );
        }
    }
}

fn entity(component: &Component) -> proto::Entity {
    use proto::entity_passivation_strategy::Strategy;
    let passivation = component.passivate_after.map(|idle| proto::EntityPassivationStrategy {
        strategy: Some(Strategy::Timeout(proto::TimeoutPassivationStrategy {
            timeout: i64::try_from(idle.as_millis()).unwrap_or(i64::MAX),
        })),
    });
    proto::Entity {
        entity_type: component.entity_type().into(),
        service_name: component.service.into(),
        persistence_id: component.persistence_id.into(),
        passivation_strategy: passivation,
    }
}

fn package(components: &[Component]) -> Option<Named> {
    let (name, version) = components.iter().find_map(|component| component.package)?;
    Some(Named { name: name.into(), version: version.into() })
}

fn service_info(named: Option<Named>) -> proto::ServiceInfo {
    let (service_name, service_version) = named.map(|named| (named.name, named.version)).unwrap_or_default();
    proto::ServiceInfo {
        service_name,
        service_version,
        service_runtime: format!("Rust, {} {}", std::env::consts::OS, std::env::consts::ARCH),
        support_library_name: env!("CARGO_PKG_NAME").into(),
        support_library_version: env!("CARGO_PKG_VERSION").into(),
        protocol_major_version: proto::PROTOCOL_MAJOR_VERSION,
        protocol_minor_version: proto::PROTOCOL_MINOR_VERSION,
    }
}
