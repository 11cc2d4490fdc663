use cloudstate_proto::{
    Entity, EntityPassivationStrategy, EntitySpec, ProxyInfo, ServiceInfo, TimeoutPassivationStrategy,
    UserFunctionError, entity_discovery_server::EntityDiscovery, entity_passivation_strategy::Strategy,
    entity_type, sources,
};
use prost::Message as _;
use prost_reflect::prost_types::FileDescriptorProto;
use tonic::{Request, Response, Status};

use super::Fault;

pub(super) struct Discovery(pub(super) Option<Fault>);

/// Service, kind, persistence id, passivation.
const ENTITIES: &[(&str, &str, &str, Option<i64>)] = &[
    ("EventSourcedTckModel", entity_type::EVENT_SOURCED, "event-sourced-tck-model", None),
    ("EventSourcedTwo", entity_type::EVENT_SOURCED, "event-sourced-two", None),
    ("EventSourcedConfigured", entity_type::EVENT_SOURCED, "event-sourced-configured", Some(100)),
    ("valueentity.ValueEntityTckModel", entity_type::VALUE_ENTITY, "value-entity-tck-model", None),
    ("valueentity.ValueEntityTwo", entity_type::VALUE_ENTITY, "value-entity-tck-model-two", None),
    ("valueentity.ValueEntityConfigured", entity_type::VALUE_ENTITY, "value-entity-configured", Some(100)),
    ("action.ActionTckModel", entity_type::ACTION, "", None),
    ("action.ActionTwo", entity_type::ACTION, "", None),
];

#[tonic::async_trait]
impl EntityDiscovery for Discovery {
    async fn discover(&self, _: Request<ProxyInfo>) -> Result<Response<EntitySpec>, Status> {
        Ok(Response::new(EntitySpec {
            proto: descriptors(self.0).into(),
            entities: ENTITIES.iter().map(|entity| self.entity(entity)).collect(),
            service_info: Some(ServiceInfo {
                protocol_minor_version: if self.0 == Some(Fault::WrongProtocolVersion) { 1 } else { 2 },
                ..ServiceInfo::default()
            }),
        }))
    }

    async fn report_error(&self, _: Request<UserFunctionError>) -> Result<Response<()>, Status> {
        Ok(Response::new(()))
    }
}

impl Discovery {
    fn entity(
        &self,
        &(name, entity_type, persistence_id, passivation): &(&str, &str, &str, Option<i64>),
    ) -> Entity {
        let timeout = passivation.filter(|_| self.0 != Some(Fault::NoPassivation));
        let persistence_id = match self.0 {
            Some(Fault::WrongPersistenceId) if name == "EventSourcedTckModel" => "entity",
            _ => persistence_id,
        };
        Entity {
            entity_type: entity_type.to_owned(),
            service_name: format!("cloudstate.tck.model.{name}"),
            persistence_id: persistence_id.to_owned(),
            passivation_strategy: timeout.map(|timeout| EntityPassivationStrategy {
                strategy: Some(Strategy::Timeout(TimeoutPassivationStrategy { timeout })),
            }),
        }
    }
}

fn descriptors(fault: Option<Fault>) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in sources::TCK.iter().chain(sources::FRONTEND) {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let files = sources::TCK.iter().map(|(path, _)| folder.path().join(path));
    let mut compiler = protox::Compiler::new([folder.path()]).unwrap();
    compiler.include_imports(true).open_files(files).unwrap();
    match fault {
        Some(Fault::ImportMissing) => keep(&compiler, |name| name != "google/protobuf/descriptor.proto"),
        Some(Fault::ServiceMissing) => keep(&compiler, |name| !name.ends_with("model/valueentity.proto")),
        // What decoding and encoding with types that do not know the options does.
        Some(Fault::OptionsLost) => compiler.file_descriptor_set().encode_to_vec(),
        _ => compiler.encode_file_descriptor_set(),
    }
}

fn keep(compiler: &protox::Compiler, wanted: impl Fn(&str) -> bool) -> Vec<u8> {
    let mut set = Files::decode(compiler.encode_file_descriptor_set().as_slice()).unwrap();
    set.files.retain(|file| wanted(FileDescriptorProto::decode(file.as_slice()).unwrap().name()));
    set.encode_to_vec()
}

/// A `FileDescriptorSet` whose files stay as they are, options included.
#[derive(prost::Message)]
struct Files {
    #[prost(bytes = "vec", repeated, tag = "1")]
    files: Vec<Vec<u8>>,
}
