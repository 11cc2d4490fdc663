//! The contract that most tests use, and how contracts are compiled.

use cloudstate_proto::{
    Any, Entity, EntityPassivationStrategy, EntitySpec, Reply as WireReply, ServiceInfo,
    TimeoutPassivationStrategy, client_action::Action, entity_passivation_strategy::Strategy, entity_type,
    sources,
};
use prost::Message;
use protox::{
    Compiler,
    file::{ChainFileResolver, File, FileResolver, GoogleFileResolver},
};

pub(crate) const THINGS: &str = "test.Things";
pub(crate) const OTHERS: &str = "test.Others";

/// Two services; of the first, one rpc has an HTTP rule.
const CONTRACT: &str = r#"
    syntax = "proto3";
    package test;
    import "cloudstate/entity_key.proto";
    import "google/api/annotations.proto";
    message Request { string id = 1 [(.cloudstate.entity_key) = true]; string text = 2; }
    message Reply { string text = 1; }
    service Things {
        rpc Do(Request) returns (Reply);
        rpc Get(Request) returns (Reply) { option (google.api.http).get = "/things/{id}"; }
    }
    service Others { rpc Do(Request) returns (Reply); }
"#;

/// `test.Request`
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Request {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    #[prost(string, tag = "2")]
    pub(crate) text: String,
}

/// `test.Reply`
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Reply {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
}

pub(crate) fn request(id: &str, text: &str) -> Request {
    Request { id: id.to_owned(), text: text.to_owned() }
}

/// A payload of the type `test.<name>`.
pub(crate) fn any(name: &str, message: &impl Message) -> Any {
    Any { type_url: format!("type.googleapis.com/test.{name}"), value: message.encode_to_vec().into() }
}

/// Answers the caller with a `test.Reply`.
pub(crate) fn replying(text: &str) -> Action {
    let payload = Some(any("Reply", &Reply { text: text.to_owned() }));
    Action::Reply(WireReply { payload, metadata: None })
}

/// An event, or a snapshot.
pub(crate) fn stored(text: &str) -> Any {
    Any { type_url: "p.cloudstate.io/string".to_owned(), value: text.to_owned().into() }
}

/// The spec of [`CONTRACT`].
pub(crate) fn spec() -> EntitySpec {
    spec_of(CONTRACT, &[THINGS, OTHERS])
}

/// A spec of event sourced services in one file.
pub(crate) fn spec_of(contract: &str, services: &[&str]) -> EntitySpec {
    EntitySpec {
        proto: compile(&[("test.proto", contract)]).into(),
        entities: services.iter().map(|service| entity(service)).collect(),
        service_info: Some(ServiceInfo { protocol_minor_version: 2, ..ServiceInfo::default() }),
    }
}

pub(crate) fn entity(service: &str) -> Entity {
    Entity {
        entity_type: entity_type::EVENT_SOURCED.to_owned(),
        service_name: service.to_owned(),
        persistence_id: service.to_lowercase(),
        passivation_strategy: None,
    }
}

/// [`spec`] with all entities passivated after so many milliseconds.
pub(crate) fn passivated_after(millis: i64) -> EntitySpec {
    let mut spec = spec();
    for entity in &mut spec.entities {
        let timeout = Strategy::Timeout(TimeoutPassivationStrategy { timeout: millis });
        entity.passivation_strategy = Some(EntityPassivationStrategy { strategy: Some(timeout) });
    }
    spec
}

/// The descriptor set of `files` (import path, text) with all imports.
pub(crate) fn compile(files: &[(&str, &str)]) -> Vec<u8> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(InMemory(files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect()));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).open_files(files.iter().map(|(path, _)| path)).unwrap();
    compiler.encode_file_descriptor_set()
}

struct InMemory(Vec<(String, String)>);

impl FileResolver for InMemory {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let own = self.0.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        match own.chain(sources::FRONTEND.iter().copied()).find(|(path, _)| *path == name) {
            Some((path, text)) => File::from_source(path, text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}
