//! What the service under test says it offers, and what is expected of that.

use std::collections::BTreeSet;

use cloudstate_proto::{
    Entity, EntityPassivationStrategy, EntitySpec, ProxyInfo, TimeoutPassivationStrategy,
    descriptor::{DescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto},
    entity_passivation_strategy::Strategy,
    entity_type,
    event_source::Source,
    google::api::http_rule::Pattern,
};
use prost::Message as _;
use prost_reflect::DynamicMessage;

use crate::descriptors;

/// One thing that must be true of an answer to `discover`.
#[derive(Debug)]
pub(crate) enum Check {
    /// `major.minor`.
    ProtocolVersion(String),
    /// Every entity is a service of the descriptor set.
    ServicesAreDescribed,
    /// Every import is there, and every file once.
    DescriptorsAreComplete,
    /// Non-empty, and different within each kind of entities.
    PersistenceIdsDiffer,
    Entity {
        service: String,
        entity_type: String,
        persistence_id: Option<String>,
        passivation: Option<i64>,
    },
    /// The option on the field of the method's input has survived.
    EntityKey {
        service: String,
        method: String,
        field: String,
    },
    /// The path of the method's `post` has survived.
    Http {
        service: String,
        method: String,
        path: String,
    },
    /// The method's subscription has survived.
    EventLog {
        service: String,
        method: String,
        name: String,
    },
}

/// An answer to `discover`.
pub(crate) struct Discovered {
    spec: EntitySpec,
    descriptors: Result<FileDescriptorSet, String>,
}

impl Discovered {
    pub(crate) fn new(spec: EntitySpec) -> Self {
        let descriptors = FileDescriptorSet::decode(spec.proto.clone())
            .map_err(|error| format!("EntitySpec.proto is not a FileDescriptorSet: {error}"));
        Self { spec, descriptors }
    }

    /// Whether the entity is listed.
    pub(crate) fn offers(&self, service: &str) -> bool {
        self.entity(service).is_some()
    }

    /// Whether the descriptor set has the service.
    pub(crate) fn describes(&self, service: &str) -> bool {
        self.methods(service).is_ok()
    }

    /// Whether the services are what they should be.
    ///
    /// # Errors
    ///
    /// What is wrong, as a sentence.
    pub(crate) fn check(&self, check: &Check) -> Result<(), String> {
        match check {
            Check::ProtocolVersion(version) => self.check_version(version),
            Check::ServicesAreDescribed => self
                .spec
                .entities
                .iter()
                .try_for_each(|entity| self.methods(&entity.service_name).map(|_| ())),
            Check::DescriptorsAreComplete => self.check_complete(),
            Check::PersistenceIdsDiffer => self.check_persistence_ids(),
            Check::Entity { service, entity_type, persistence_id, passivation } => {
                self.check_entity(service, entity_type, persistence_id.as_deref(), *passivation)
            }
            Check::EntityKey { service, method, field } => self.check_entity_key(service, method, field),
            Check::Http { service, method, path } => self.check_http(service, method, path),
            Check::EventLog { service, method, name } => self.check_event_log(service, method, name),
        }
    }

    fn entity(&self, service: &str) -> Option<&Entity> {
        self.spec.entities.iter().find(|entity| entity.service_name == service)
    }

    fn descriptors(&self) -> Result<&FileDescriptorSet, String> {
        self.descriptors.as_ref().map_err(Clone::clone)
    }

    fn methods(&self, service: &str) -> Result<&[MethodDescriptorProto], String> {
        let descriptors = self.descriptors()?;
        let named = |package: &str, name: &str| qualified(package, name) == service;
        let found = descriptors
            .file
            .iter()
            .find_map(|file| file.service.iter().find(|candidate| named(&file.package, &candidate.name)));
        found
            .map(|found| found.method.as_slice())
            .ok_or_else(|| format!("the descriptor set has no service {service}"))
    }

    fn method(&self, service: &str, method: &str) -> Result<&MethodDescriptorProto, String> {
        let mut methods = self.methods(service)?.iter();
        methods
            .find(|candidate| candidate.name == method)
            .ok_or_else(|| format!("the service {service} of the descriptor set has no method {method}"))
    }

    fn message(&self, name: &str) -> Result<&DescriptorProto, String> {
        let name = name.trim_start_matches('.');
        let mut files = self.descriptors()?.file.iter();
        files
            .find_map(|file| {
                let mut messages = file.message_type.iter();
                messages.find(|message| qualified(&file.package, &message.name) == name)
            })
            .ok_or_else(|| format!("the descriptor set has no message {name}"))
    }

    fn check_version(&self, expected: &str) -> Result<(), String> {
        let Some(info) = &self.spec.service_info else {
            return Err("EntitySpec has no service_info, which reads as protocol 0.0".to_owned());
        };
        let version = format!("{}.{}", info.protocol_major_version, info.protocol_minor_version);
        equal("the protocol version of service_info", expected, &version)
    }

    fn check_complete(&self) -> Result<(), String> {
        let descriptors = self.descriptors()?;
        let mut names = BTreeSet::new();
        if let Some(twice) = descriptors.file.iter().find(|file| !names.insert(&file.name)) {
            return Err(format!("the descriptor set holds {} twice", twice.name));
        }
        for file in &descriptors.file {
            if let Some(missing) = file.dependency.iter().find(|import| !names.contains(import)) {
                return Err(format!(
                    "{} imports {missing}, which the descriptor set does not hold",
                    file.name
                ));
            }
        }
        Ok(())
    }

    fn check_persistence_ids(&self) -> Result<(), String> {
        let mut ids = BTreeSet::new();
        for Entity { entity_type, service_name, persistence_id, .. } in &self.spec.entities {
            // The proxy keeps nothing of actions.
            if entity_type == cloudstate_proto::entity_type::ACTION {
                continue;
            }
            if persistence_id.is_empty() {
                return Err(format!("{service_name} has an empty persistence id"));
            }
            if !ids.insert((entity_type, persistence_id)) {
                return Err(format!(
                    "{service_name} has the persistence id {persistence_id:?} of another entity"
                ));
            }
        }
        Ok(())
    }

    fn check_entity(
        &self,
        service: &str,
        entity_type: &str,
        persistence_id: Option<&str>,
        passivation: Option<i64>,
    ) -> Result<(), String> {
        self.methods(service)?;
        let Some(entity) = self.entity(service) else {
            return Err(format!("discovery does not list {service}"));
        };
        equal(&format!("the entity type of {service}"), entity_type, &entity.entity_type)?;
        if let Some(expected) = persistence_id {
            equal(&format!("the persistence id of {service}"), expected, &entity.persistence_id)?;
        }
        let Some(timeout) = passivation else { return Ok(()) };
        let strategy = Strategy::Timeout(TimeoutPassivationStrategy { timeout });
        let expected = Some(EntityPassivationStrategy { strategy: Some(strategy) });
        if entity.passivation_strategy == expected {
            return Ok(());
        }
        let received = &entity.passivation_strategy;
        Err(format!(
            "the passivation strategy of {service}: expected a timeout of {timeout}, received {received:?}"
        ))
    }

    fn check_entity_key(&self, service: &str, method: &str, field: &str) -> Result<(), String> {
        let input = self.message(&self.method(service, method)?.input_type)?;
        match input.field.iter().find(|candidate| candidate.name == field) {
            Some(field) if field.is_entity_key() => Ok(()),
            _ => Err(format!(
                "the field {field} of {}, the input of {service}.{method}, has lost its option entity_key",
                input.name
            )),
        }
    }

    fn check_http(&self, service: &str, method: &str, path: &str) -> Result<(), String> {
        let options = self.method(service, method)?.options.as_ref();
        let pattern = options.and_then(|options| options.http.as_ref()?.pattern.as_ref());
        match pattern {
            Some(Pattern::Post(found)) => equal(&format!("the HTTP path of {service}.{method}"), path, found),
            _ => Err(format!("{service}.{method} has lost its option google.api.http")),
        }
    }

    fn check_event_log(&self, service: &str, method: &str, name: &str) -> Result<(), String> {
        let options = self.method(service, method)?.options.as_ref();
        let source = options.and_then(|options| options.eventing.as_ref()?.r#in.as_ref()?.source.as_ref());
        match source {
            Some(Source::EventLog(found)) => {
                equal(&format!("the event log of {service}.{method}"), name, found)
            }
            _ => Err(format!("{service}.{method} has lost its option eventing")),
        }
    }
}

/// Whether the proxy speaks protocol 0.2, and knows the four kinds of services and no other.
///
/// # Errors
///
/// What is wrong, as a sentence.
pub(crate) fn check_proxy(proxy: &ProxyInfo) -> Result<(), String> {
    let version = format!("{}.{}", proxy.protocol_major_version, proxy.protocol_minor_version);
    equal("the protocol version of the proxy", "0.2", &version)?;
    let mut supported: Vec<_> = proxy.supported_entity_types.iter().map(String::as_str).collect();
    supported.sort_unstable();
    let mut expected =
        [entity_type::ACTION, entity_type::CRDT, entity_type::EVENT_SOURCED, entity_type::VALUE_ENTITY];
    expected.sort_unstable();
    equal("the entity types of the proxy", &expected.join(", "), &supported.join(", "))
}

/// The name of the file in an answer of server reflection that holds exactly one.
pub(crate) fn only_file(response: &[u8]) -> Option<String> {
    let name = "grpc.reflection.v1.ServerReflectionResponse";
    let of = descriptors::pool()?.get_message_by_name(name)?;
    let response = DynamicMessage::decode(of, response).ok()?;
    let files = response.get_field_by_name("file_descriptor_response")?;
    let files = files.as_message()?.get_field_by_name("file_descriptor_proto")?.into_owned();
    let [file] = files.as_list()? else { return None };
    let file = FileDescriptorProto::decode(file.as_bytes()?.clone()).ok()?;
    Some(file.name)
}

fn qualified(package: &str, name: &str) -> String {
    if package.is_empty() { name.to_owned() } else { format!("{package}.{name}") }
}

fn equal(what: &str, expected: &str, received: &str) -> Result<(), String> {
    if expected == received {
        Ok(())
    } else {
        Err(format!("{what}: expected {expected:?}, received {received:?}"))
    }
}
