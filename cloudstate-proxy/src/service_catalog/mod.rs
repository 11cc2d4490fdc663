//! What discovery taught us, validated: services, methods, entity keys, descriptors.

mod entity_key;
mod entity_kind;
mod eventing;
mod size;
mod validation;

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use cloudstate_proto::{EntitySpec, Eventing, google::api::HttpRule};

pub use entity_key::{EntityKeyFields, KeyError};
pub use entity_kind::{CrdtProtocol, EntityKind, SUPPORTED_ENTITY_TYPES};
pub use eventing::Consumption;
pub use validation::Rejection;

use crate::schema::Schema;

/// Everything a user function serves.
#[derive(Debug)]
pub struct ServiceCatalog {
    methods: Vec<Arc<Method>>,
    by_path: HashMap<String, Arc<Method>>,
    descriptors: Bytes,
    schema: Schema,
    crdt_protocol: CrdtProtocol,
    warnings: Vec<String>,
}

/// One service of the user function.
#[derive(Debug)]
pub struct Service {
    /// The full name, for example `com.example.shoppingcart.ShoppingCart`.
    pub name: Arc<str>,
    /// Which protocol serves it.
    pub kind: EntityKind,
    /// Whether it is an action as protocol 0.1 knew them, a `cloudstate.function.StatelessFunction`.
    pub is_stateless_function: bool,
    /// Names the stored data of its entities; means nothing for an action.
    pub persistence_id: Arc<str>,
    /// How long an entity may be idle before it is passivated; none: the proxy's default.
    pub passivate_after: Option<Duration>,
}

/// One rpc of a service.
#[derive(Debug)]
pub struct Method {
    /// The service it belongs to.
    pub service: Arc<Service>,
    /// The rpc's name as in the `.proto`.
    pub name: Arc<str>,
    /// The full name of the request message.
    pub input_type: String,
    /// The full name of the reply message.
    pub output_type: String,
    /// `type.googleapis.com/` and the input type.
    pub input_type_url: String,
    /// `type.googleapis.com/` and the output type.
    pub output_type_url: String,
    /// Whether the client sends a stream of requests.
    pub client_streaming: bool,
    /// Whether the client receives a stream of replies.
    pub server_streaming: bool,
    /// Where the entity id stands in the request; empty for an action.
    pub entity_key: EntityKeyFields,
    /// Where its calls come from besides clients, and where its replies go besides clients.
    pub eventing: Option<Eventing>,
    /// The rule of `google.api.http`; none: the default route.
    pub http: Option<HttpRule>,
}

impl ServiceCatalog {
    /// Validates what a user function answered to discovery.
    ///
    /// # Errors
    ///
    /// The first rule that the spec breaks, in words for its developer.
    pub fn new(spec: EntitySpec, strict_version: bool) -> Result<Self, Rejection> {
        validation::validate(spec, strict_version).map_err(Rejection::shortened)
    }

    /// All methods, in the order of declaration.
    pub fn methods(&self) -> &[Arc<Method>] {
        &self.methods
    }

    /// All services, in the order of declaration; one without rpcs is not served.
    pub fn services(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.methods.chunk_by(|a, b| Arc::ptr_eq(&a.service, &b.service)).map(|methods| &methods[0].service)
    }

    /// The method that gRPC calls by `path`: `/<service>/<rpc>`.
    pub fn by_path(&self, path: &str) -> Option<&Arc<Method>> {
        self.by_path.get(path)
    }

    /// The method of a service, both by their exact names.
    pub fn find(&self, service: &str, method: &str) -> Option<&Arc<Method>> {
        self.by_path.get(&format!("/{service}/{method}"))
    }

    /// Whether a service of this name is served.
    pub fn has_service(&self, service: &str) -> bool {
        self.methods.iter().any(|method| &*method.service.name == service)
    }

    /// The descriptor set exactly as the user function sent it.
    pub fn descriptors(&self) -> &Bytes {
        &self.descriptors
    }

    /// The message types, for JSON.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// How its CRDT entities are spoken to.
    pub fn crdt_protocol(&self) -> CrdtProtocol {
        self.crdt_protocol
    }

    /// What is accepted but should be told to the developer.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether `other` would be served exactly as this one.
    pub fn is_same_contract(&self, other: &ServiceCatalog) -> bool {
        self.descriptors == other.descriptors
            && self.methods.len() == other.methods.len()
            && self.methods.iter().zip(&other.methods).all(|(a, b)| {
                a.path() == b.path()
                    && a.service.kind == b.service.kind
                    && a.service.persistence_id == b.service.persistence_id
                    && a.service.passivate_after == b.service.passivate_after
            })
    }
}

impl Method {
    /// The gRPC path, `/<service>/<rpc>`.
    pub fn path(&self) -> String {
        format!("/{}/{}", self.service.name, self.name)
    }

    /// The id of the entity that `request`, an encoded one, is for; none for an action, and if it names none.
    pub(crate) fn entity_id(&self, request: &Bytes) -> Option<String> {
        let id = self.service.kind.is_entity().then(|| self.entity_key.entity_id(request));
        id?.ok()
    }
}
