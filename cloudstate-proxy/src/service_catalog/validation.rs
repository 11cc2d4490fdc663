//! The rules a contract must keep before its service is exposed, in the order of the reference proxy.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use cloudstate_proto::{
    Entity, EntitySpec,
    descriptor::{DescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto},
    entity_passivation_strategy::Strategy,
};
use prost::Message;

use super::{
    CrdtProtocol, EntityKeyFields, EntityKind, Method, SUPPORTED_ENTITY_TYPES, Service, ServiceCatalog,
    entity_key::EnumValues, entity_kind::STATELESS_FUNCTION, eventing, size::Size,
};
use crate::schema::{Schema, SchemaError, check_parts};

/// Why a contract is refused, in words for its developer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Rejection(pub String);

/// How long a persistence id may be, in bytes; our choice, as for the names of a contract.
const MAX_PERSISTENCE_ID: usize = 1024;
/// How much of a sentence is told, in bytes: names in it may be as long as a contract.
const MAX_REASON: usize = 8 * 1024;

impl Rejection {
    /// What a person can read of it.
    pub(super) fn shortened(mut self) -> Self {
        if self.0.len() > MAX_REASON {
            self.0.truncate(self.0.floor_char_boundary(MAX_REASON));
            self.0.push('…');
        }
        self
    }
}

pub(super) fn validate(spec: EntitySpec, strict_version: bool) -> Result<ServiceCatalog, Rejection> {
    let mut warnings = Vec::new();
    let crdt_protocol = check_version(&spec, strict_version, &mut warnings)?;
    check_parts(&spec.proto).map_err(refuse)?;
    let set = FileDescriptorSet::decode(spec.proto.clone())
        .map_err(|error| reject(format!("EntitySpec.proto is not a FileDescriptorSet: {error}")))?;
    let files = Files::new(&set);
    files.check_imports()?;
    check_size(&spec.entities, &files)?;
    let schema = Schema::new(&spec.proto).map_err(refuse)?;
    if spec.entities.is_empty() {
        return Err(reject("discovery reported no entities: register at least one".to_owned()));
    }
    check_unique(&spec.entities)?;
    let mut methods = Vec::new();
    for entity in &spec.entities {
        methods.extend(entity_methods(entity, &files, &mut warnings)?);
    }
    eventing::check(&methods, &mut warnings)?;
    let by_path = methods.iter().map(|method| (method.path(), Arc::clone(method))).collect();
    Ok(ServiceCatalog { methods, by_path, descriptors: spec.proto, schema, crdt_protocol, warnings })
}

fn reject(text: String) -> Rejection {
    Rejection(text)
}

fn refuse(error: SchemaError) -> Rejection {
    reject(error.to_string())
}

/// The reference proxy insists on 0.2; libraries that report 0.0 (nothing) or 0.1 speak the protocol of 0.1, which is
/// the same but for CRDTs, so we warn instead, unless told to be strict.
fn check_version(
    spec: &EntitySpec,
    strict: bool,
    warnings: &mut Vec<String>,
) -> Result<CrdtProtocol, Rejection> {
    let info = spec.service_info.as_ref();
    let version = info.map_or((0, 0), |info| (info.protocol_major_version, info.protocol_minor_version));
    match version {
        (0, 2) => Ok(CrdtProtocol::V0_2),
        (0, 0 | 1) if !strict => {
            let text = format!(
                "the user function reports protocol version {}.{}; it is spoken to as one of 0.1",
                version.0, version.1
            );
            warnings.push(text);
            Ok(CrdtProtocol::V0_1)
        }
        (major, minor) => {
            Err(reject(format!("Incompatible protocol version {major}.{minor}, only 0.2 is supported")))
        }
    }
}

/// Before anything is made of the contract.
fn check_size(entities: &[Entity], files: &Files<'_>) -> Result<(), Rejection> {
    let mut size = Size::default();
    entities.iter().try_for_each(|entity| {
        let methods = files.service(&entity.service_name).unwrap_or_default();
        size.add_service(&entity.service_name, methods)
    })
}

/// Two services of one name could not be told apart, two of one persistence id would share their data.
fn check_unique(entities: &[Entity]) -> Result<(), Rejection> {
    let mut names = HashSet::new();
    let mut persistence_ids = HashMap::new();
    for entity in entities {
        if !names.insert(&entity.service_name) {
            return Err(reject(format!("Service [{}] is registered twice", entity.service_name)));
        }
        let stores_nothing = EntityKind::of_type(&entity.entity_type) == Some(EntityKind::Action);
        if !stores_nothing
            && let Some(other) = persistence_ids.insert(&entity.persistence_id, &entity.service_name)
        {
            return Err(reject(format!(
                "Services [{other}] and [{}] have the same persistence id [{}]: their entities would share stored data",
                entity.service_name, entity.persistence_id
            )));
        }
    }
    Ok(())
}

fn entity_methods(
    entity: &Entity,
    files: &Files<'_>,
    warnings: &mut Vec<String>,
) -> Result<Vec<Arc<Method>>, Rejection> {
    let name = &entity.service_name;
    let descriptors =
        files.service(name).ok_or_else(|| reject(format!("Service [{name}] not found in descriptors!")))?;
    let kind = entity_kind(entity)?;
    if entity.persistence_id.len() > MAX_PERSISTENCE_ID {
        return Err(reject(format!(
            "Service [{name}] has a persistence id of more than {MAX_PERSISTENCE_ID} bytes: shorten it"
        )));
    }
    check_streaming(name, kind, descriptors)?;
    let service = Arc::new(Service {
        name: name.as_str().into(),
        kind,
        is_stateless_function: entity.entity_type == STATELESS_FUNCTION,
        persistence_id: entity.persistence_id.as_str().into(),
        passivate_after: passivate_after(entity, warnings),
    });
    if kind.is_entity() && entity.persistence_id.is_empty() {
        warnings
            .push(format!("Service [{name}] has no persistence id: its data is stored under an empty name"));
    }
    descriptors.iter().map(|method| files.method(&service, method)).collect()
}

fn entity_kind(entity: &Entity) -> Result<EntityKind, Rejection> {
    EntityKind::of_type(&entity.entity_type).ok_or_else(|| {
        reject(format!(
            "Service [{}] has the entity type [{}], which this proxy does not support; it supports: {}",
            entity.service_name,
            entity.entity_type,
            SUPPORTED_ENTITY_TYPES.join(",")
        ))
    })
}

fn check_streaming(
    service: &str,
    kind: EntityKind,
    methods: &[MethodDescriptorProto],
) -> Result<(), Rejection> {
    let refused = || methods.iter().filter_map(|method| Some((kind.refuses(method)?, method.name.as_str())));
    let Some((why, _)) = refused().next() else { return Ok(()) };
    let names: Vec<_> = refused().map(|(_, name)| name).collect();
    Err(reject(format!("{why}, but [{service}] has: {}", names.join(","))))
}

fn passivate_after(entity: &Entity, warnings: &mut Vec<String>) -> Option<Duration> {
    let strategy = entity.passivation_strategy.as_ref()?.strategy.as_ref()?;
    let Strategy::Timeout(timeout) = strategy;
    match u64::try_from(timeout.timeout) {
        Ok(millis @ 1..) => Some(Duration::from_millis(millis)),
        _ => {
            warnings.push(format!(
                "Service [{}] asks for passivation after {} ms, which is no time: the default is used",
                entity.service_name, timeout.timeout
            ));
            None
        }
    }
}

/// The files of a descriptor set by name; of two with one name the last counts.
struct Files<'a> {
    by_name: HashMap<&'a str, &'a FileDescriptorProto>,
    /// The values of enums that were asked for: many keys may be of one enum.
    enums: RefCell<HashMap<String, EnumValues>>,
}

impl<'a> Files<'a> {
    fn new(set: &'a FileDescriptorSet) -> Self {
        let by_name = set.file.iter().map(|file| (file.name.as_str(), file)).collect();
        Self { by_name, enums: RefCell::default() }
    }

    /// Every import is in the set, and no file imports itself, however indirectly.
    fn check_imports(&self) -> Result<(), Rejection> {
        let mut done = HashSet::new();
        let mut names: Vec<_> = self.by_name.keys().copied().collect();
        names.sort_unstable();
        names.into_iter().try_for_each(|name| self.check_imports_from(name, &mut done))
    }

    /// Walks the imports of `root` with a stack of its own: how deep they go is the user function's choice.
    fn check_imports_from(&self, root: &'a str, done: &mut HashSet<&'a str>) -> Result<(), Rejection> {
        let mut chain: Vec<(&'a str, usize)> = vec![(root, 0)];
        let mut on_chain = HashSet::from([root]);
        while let Some((name, next)) = chain.last_mut() {
            let name = *name;
            let imports = self.by_name.get(name).map_or(&[][..], |file| &file.dependency);
            let Some(import) = imports.get(*next).filter(|_| !done.contains(name)) else {
                done.insert(name);
                on_chain.remove(name);
                chain.pop();
                continue;
            };
            *next += 1;
            let path = || chain.iter().map(|(name, _)| format!("[{name}]")).collect::<Vec<_>>().join(" -> ");
            if !self.by_name.contains_key(import.as_str()) {
                return Err(reject(format!(
                    "The descriptor set misses [{import}] (dependency path: {})",
                    path()
                )));
            }
            if !on_chain.insert(import) {
                return Err(reject(format!("[{import}] imports itself (dependency path: {})", path())));
            }
            chain.push((import, 0));
        }
        Ok(())
    }

    /// The methods of a service by its full name.
    fn service(&self, full_name: &str) -> Option<&'a [MethodDescriptorProto]> {
        let (package, name) = full_name.rsplit_once('.').unwrap_or(("", full_name));
        let files = self.by_name.values().filter(|file| file.package == package);
        let service = files.flat_map(|file| &file.service).find(|service| service.name == name)?;
        Some(&service.method)
    }

    fn method(
        &self,
        service: &Arc<Service>,
        method: &MethodDescriptorProto,
    ) -> Result<Arc<Method>, Rejection> {
        let describe = || format!("{}/{}", service.name, method.name);
        let input = self
            .message(&method.input_type)
            .ok_or_else(|| reject(format!("{}: unknown request type {}", describe(), method.input_type)))?;
        let input_type = method.input_type.trim_start_matches('.').to_owned();
        let entity_key = match service.kind {
            EntityKind::Action => EntityKeyFields::default(),
            _ => self
                .entity_key(input, &input_type)
                .map_err(|text| reject(format!("{}: {text}", describe())))?,
        };
        let output_type = method.output_type.trim_start_matches('.').to_owned();
        Ok(Arc::new(Method {
            service: Arc::clone(service),
            name: method.name.as_str().into(),
            input_type_url: format!("type.googleapis.com/{input_type}"),
            output_type_url: format!("type.googleapis.com/{output_type}"),
            input_type,
            output_type,
            client_streaming: method.client_streaming,
            server_streaming: method.server_streaming,
            entity_key,
            eventing: method.options.as_ref().and_then(|options| options.eventing.clone()),
            http: method.options.as_ref().and_then(|options| options.http.clone()),
        }))
    }

    fn entity_key(&self, request: &DescriptorProto, name: &str) -> Result<EntityKeyFields, String> {
        let key = EntityKeyFields::new(&request.field, |name| self.enum_values(name))?;
        if key.is_empty() {
            return Err(format!(
                "the request type {name} has no entity key: mark a field with [(.cloudstate.entity_key) = true]"
            ));
        }
        Ok(key)
    }

    /// A message by its full name with a leading dot.
    fn message(&self, full_name: &str) -> Option<&'a DescriptorProto> {
        self.by_name.values().find_map(|file| {
            let path = path_in_package(full_name, &file.package)?;
            find_message(&file.message_type, path)
        })
    }

    /// The values of an enum by its full name with a leading dot; none when it is unknown.
    fn enum_values(&self, full_name: &str) -> EnumValues {
        let mut enums = self.enums.borrow_mut();
        Arc::clone(enums.entry(full_name.to_owned()).or_insert_with(|| self.find_enum_values(full_name)))
    }

    fn find_enum_values(&self, full_name: &str) -> EnumValues {
        let found = self.by_name.values().find_map(|file| {
            let path = path_in_package(full_name, &file.package)?;
            let enums = match path.rsplit_once('.') {
                Some((outer, _)) => &find_message(&file.message_type, outer)?.enum_type,
                None => &file.enum_type,
            };
            enums.iter().find(|found| path.rsplit('.').next() == Some(found.name.as_str()))
        });
        let values = found.map_or(&[][..], |found| &found.value);
        values.iter().map(|value| (value.number, value.name.clone())).collect()
    }
}

/// `Outer.Inner` for `.package.Outer.Inner`.
fn path_in_package<'n>(full_name: &'n str, package: &str) -> Option<&'n str> {
    let name = full_name.strip_prefix('.').unwrap_or(full_name);
    if package.is_empty() { Some(name) } else { name.strip_prefix(package)?.strip_prefix('.') }
}

fn find_message<'a>(messages: &'a [DescriptorProto], path: &str) -> Option<&'a DescriptorProto> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let message = messages.iter().find(|message| message.name == first)?;
    rest.map_or(Some(message), |rest| find_message(&message.nested_type, rest))
}
